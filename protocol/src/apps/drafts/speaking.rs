//! What those who sit in a draft say.

use super::Drafts;
use super::command::{Asks, Command, NewComment};
use super::document::{ANSWER_WAIT_MAX, viewers_read};
use super::draft::{Incoming, Seat, Stage, Task, Wanted};
use super::joining::not_open;
use super::log::{self, Kept};
use super::owed::Words;
use crate::action::CloseCause;
use crate::context::{Caller, Context};
use crate::envelope::Envelope;
use crate::ids::{ConnectionId, EntryId, RoomId};
use crate::refusal::{Code, Refusal};
use crate::room::{Origin, Submission};
use crate::store::NewEntry;
use crate::y_sync::hocuspocus::Said;
use bytes::Bytes;
use std::sync::Arc;

/// How many updates may wait for one document, from all who sit in it.
const WAITING_UPDATES_MAX: usize = 4_096;
/// How many bytes they may have together.
const WAITING_BYTES_MAX: usize = 64 << 20;

impl Drafts {
    /// Carries out a command.
    pub fn apply(&mut self, command: Command, caller: Caller, ctx: &mut Context<'_>) {
        let Command { draft: id, asks, base64 } = command;
        if base64 {
            self.write_base64(&id, caller.connection, ctx);
        }
        match asks {
            Asks::Open => self.open_for(caller, id, ctx),
            Asks::Close => self.close(&caller, &id, ctx),
            Asks::Nothing => {}
            Asks::State(_)
            | Asks::Answer(_)
            | Asks::Update(..)
            | Asks::Awareness(_)
            | Asks::QueryAwareness
            | Asks::Comment(_)
            | Asks::Resolve { .. } => self.say(&id, asks, caller, ctx),
        }
    }

    pub(super) fn say(&mut self, id: &RoomId, asks: Asks, from: Caller, ctx: &mut Context<'_>) {
        let is_in = self.open.get(id).is_some_and(|draft| draft.seats.contains_key(&from.connection));
        if !is_in {
            return self.refuse_unless_provider(&from, id, &not_open(), ctx);
        }
        match asks {
            Asks::State(since) => {
                self.readings.brought(from.connection, since.as_ref().map_or(0, Bytes::len), &mut ctx.fx);
                self.answer_first_step(id, &from, ctx);
                self.want(id, Wanted { since, to: from }, ctx);
            }
            Asks::Answer(update) => {
                let (answers, words) = self.answered(id, from.connection);
                self.bring(id, Incoming { from, update, id: None, answers, count: None, words }, ctx);
            }
            Asks::Update(update, own) => {
                let count = self.seat(id, from.connection).map(|seat| seat.owed.count());
                let words = Words::default();
                let incoming = Incoming { from, update, id: own, answers: None, count, words };
                self.bring(id, incoming, ctx);
            }
            Asks::Awareness(states) => self.on_awareness(id, &from, &states, ctx),
            Asks::QueryAwareness => self.on_query(id, &from, ctx),
            Asks::Comment(comment) => self.comment(id, comment, from, ctx),
            Asks::Resolve { thread, resolved } => self.resolve(id, thread, resolved, from, ctx),
            Asks::Open | Asks::Close | Asks::Nothing => {}
        }
    }

    /// Over `/hocuspocus` a first step is answered with one, too, and with the second behind it: what the client then brings is
    /// acknowledged, and it knows that all it has is stored.
    fn answer_first_step(&mut self, id: &RoomId, from: &Caller, ctx: &mut Context<'_>) {
        if from.envelope != Envelope::Hocuspocus {
            return;
        }
        self.counts += 1;
        let count = self.counts;
        if let Some(seat) = self.seat(id, from.connection) {
            seat.owed.begin(count);
        }
        self.ask_for_missing(id, from.connection, ctx);
    }

    /// A connection answers what it was asked for: it need not be waited for any more.
    fn answered(&mut self, id: &RoomId, who: ConnectionId) -> (Option<u64>, Words) {
        let Some(seat) = self.seat(id, who) else { return Default::default() };
        let answer = seat.owed.answer();
        if !seat.owed.is_whole(answer) {
            return (Some(answer), Words::default());
        }
        (seat.asked_at, seat.stuck) = (None, false);
        (Some(answer), seat.owed.take())
    }

    /// An update has to come again, and is answered then.
    pub(super) fn owe(&mut self, id: &RoomId, update: &Incoming, ctx: &mut Context<'_>) {
        let Some(seat) = self.seat(id, update.from.connection) else { return };
        let is_remembered = seat.owed.add(update);
        if seat.owed.is_too_much() {
            ctx.fx.close(update.from.connection, CloseCause::Overloaded);
        } else if !is_remembered {
            self.refuse(&update.from, id, &Refusal::busy(), ctx);
        }
    }

    pub(super) fn seat(&mut self, id: &RoomId, who: ConnectionId) -> Option<&mut Seat> {
        self.open.get_mut(id)?.seats.get_mut(&who)
    }

    /// An update comes.
    fn bring(&mut self, id: &RoomId, incoming: Incoming, ctx: &mut Context<'_>) {
        let who = incoming.from.connection;
        self.readings.brought(who, incoming.update.len(), &mut ctx.fx);
        let Some(draft) = self.open.get_mut(id) else { return };
        let waiting: usize = draft.work.iter().map(Task::updates).sum();
        let bytes: usize = draft.work.iter().map(Task::bytes).sum();
        let Some(seat) = draft.seats.get_mut(&who) else { return };
        if !seat.writes {
            // A provider answers the first step of the server whether it may write or not, mostly with what is known.
            if incoming.answers.is_none() {
                return self.refuse(&incoming.from, id, &viewers_read(), ctx);
            }
            self.readings.asked(who, &mut ctx.fx);
            draft.work.push_back(Task::Known(incoming));
            return self.go_on(id, ctx);
        }
        if seat.stuck && incoming.answers.is_none() {
            // It is not even looked at.
            seat.owed.give_back_one(incoming.count);
            return if seat.owed.is_too_much() {
                ctx.fx.close(who, CloseCause::Overloaded)
            };
        }
        if waiting >= WAITING_UPDATES_MAX || bytes >= WAITING_BYTES_MAX {
            // Whoever cannot be paused is asked for it when there is room again.
            seat.owed.give_back(incoming.words.clone());
            draft.to_ask.insert(who);
            return if incoming.answers.is_none() {
                self.owe(id, &incoming, ctx)
            };
        }
        self.readings.asked(who, &mut ctx.fx);
        match draft.work.back_mut() {
            Some(Task::Updates(updates)) => updates.push(incoming),
            Some(Task::Foreign(_) | Task::Known(_) | Task::State(_) | Task::Fold(_) | Task::Restore(_))
            | None => {
                draft.work.push_back(Task::Updates(vec![incoming]));
            }
        }
        self.go_on(id, ctx);
    }

    fn comment(&mut self, id: &RoomId, comment: NewComment, from: Caller, ctx: &mut Context<'_>) {
        let NewComment { id: own, thread, anchor, text } = comment;
        let own = own.unwrap_or_else(|| EntryId::from(ctx.fx.rng.id("cmt")));
        let Some(draft) = self.open.get(id) else { return };
        let known = thread.as_ref().is_none_or(|thread| draft.comments.has_thread(thread));
        let refused = match known {
            true => draft.comments.takes(&text).err(),
            false => Some(no_thread()),
        };
        if let Some(refusal) = refused {
            return self.refuse(&from, id, &refusal, ctx);
        }
        let thread_id = thread.unwrap_or_else(|| own.0.clone());
        let name = from.user.name.as_deref().map(Arc::from);
        self.keep(id, own, log::Words::Comment { thread_id, name, anchor, text }, from, ctx);
    }

    fn resolve(
        &mut self,
        id: &RoomId,
        thread_id: Arc<str>,
        resolved: bool,
        from: Caller,
        ctx: &mut Context<'_>,
    ) {
        if !self.open.get(id).is_some_and(|draft| draft.comments.has_thread(&thread_id)) {
            return self.refuse(&from, id, &no_thread(), ctx);
        }
        let own = EntryId::from(ctx.fx.rng.id("res"));
        let name = from.user.name.as_deref().map(Arc::from);
        self.keep(id, own, log::Words::Resolve { thread_id, resolved, name }, from, ctx);
    }

    fn keep(&mut self, id: &RoomId, own: EntryId, words: log::Words, from: Caller, ctx: &mut Context<'_>) {
        let entry = NewEntry { id: own, author: from.user.id.clone(), body: Kept::Said(words).body() };
        let submission = Submission { origin: Origin::Caller(from.clone()), entry, rows: vec![] };
        let taken = match ctx.rooms.find(id) {
            Some(room) => room.submit(submission, &mut ctx.fx),
            None => Err(not_open()),
        };
        if let Err(refusal) = taken {
            self.refuse(&from, id, &refusal, ctx);
        }
    }

    /// Who writes base64 is told base64 from then on.
    fn write_base64(&mut self, id: &RoomId, who: ConnectionId, ctx: &mut Context<'_>) {
        let seat = self.open.get_mut(id).and_then(|draft| draft.seats.get_mut(&who));
        if let Some(seat) = seat.filter(|seat| seat.caller.envelope == Envelope::Draft) {
            seat.caller.envelope = Envelope::DraftBase64;
            ctx.fx.respelled.push((who, Envelope::DraftBase64));
            if let Some(room) = ctx.rooms.find(id) {
                room.respell(who, Envelope::DraftBase64);
            }
        }
    }

    /// Who did not answer what it was asked for in time is told that it has to load the document anew (WIRE §4).
    pub(super) fn look_for_unanswered(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        let now = ctx.fx.now;
        let Some(draft) = self.open.get_mut(id).filter(|draft| draft.stage == Stage::Ready) else { return };
        let mut late = Vec::new();
        for seat in draft.seats.values_mut() {
            let waited = seat.asked_at.is_some_and(|since| now.since(since) >= ANSWER_WAIT_MAX);
            if waited && !seat.stuck {
                seat.stuck = true;
                late.push(seat.caller.clone());
            }
        }
        for caller in late {
            let refusal = Refusal::new(Code::Conflict, "reload");
            self.refuse_unless_provider(&caller, id, &refusal, ctx);
        }
    }

    /// What a provider says of a document over `/hocuspocus`; `None`: nothing that is done here.
    pub fn heard(said: Said) -> Option<Asks> {
        use crate::y_sync::SyncMessage;
        Some(match said {
            Said::Sync(SyncMessage::Step1(vector)) | Said::SyncReply(SyncMessage::Step1(vector)) => {
                Asks::State(Some(vector))
            }
            Said::Sync(SyncMessage::Step2(update)) | Said::SyncReply(SyncMessage::Step2(update)) => {
                Asks::Answer(update)
            }
            Said::Sync(SyncMessage::Update(update)) | Said::SyncReply(SyncMessage::Update(update)) => {
                Asks::Update(update, None)
            }
            Said::Awareness(states) => Asks::Awareness(states),
            Said::QueryAwareness => Asks::QueryAwareness,
            Said::Close(_) => Asks::Close,
            Said::Auth { .. }
            | Said::AskToken
            | Said::Authenticated { .. }
            | Said::Denied(_)
            | Said::Stateless(_)
            | Said::BroadcastStateless(_)
            | Said::SyncStatus(_) => return None,
        })
    }
}

fn no_thread() -> Refusal {
    Refusal::new(Code::NotFound, "there is no such thread")
}
