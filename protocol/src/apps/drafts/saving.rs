//! From the document into the log: what was new in it is stored, told by the room, and only then said to be saved. What
//! cannot be stored makes the document forget everything that the log does not have, and its authors say it once more.

use super::draft::{Incoming, Settled, Task};
use super::log::{self, Kept};
use super::owed::Words;
use super::{Drafts, fault, not_found};
use crate::action::CloseCause;
use crate::context::{Caller, Context};
use crate::door::refusal_response;
use crate::envelope::Envelope;
use crate::http::Response;
use crate::ids::{EntryId, RequestId, RoomId, Seq, UserId};
use crate::record::{Level, Record};
use crate::refusal::Refusal;
use crate::room::{Origin, QUEUED_EVENTS_MAX, Submission, Told};
use crate::store::{Entry, NewEntry};
use serde_json::json;
use std::sync::Arc;

/// An update on its way to the log.
#[derive(Debug)]
pub struct Submitted {
    draft: RoomId,
    life: u64,
    id: EntryId,
    whose: Whose,
}

/// Whose it is, and who is answered.
#[derive(Debug)]
pub enum Whose {
    /// A connection's.
    Client {
        /// Which, and where the answer belongs.
        from: Caller,
        /// The id that the answer repeats.
        id: Option<Arc<str>>,
        /// Whether it is all of what came; else the rest will come again, and the answer with it.
        whole: bool,
        /// Which of its connection's counts it belongs to.
        count: Option<u64>,
        /// What is true with it.
        words: Words,
    },
    /// A request's, which brings back a version.
    Restoring(RequestId),
}

impl Submitted {
    /// The connection that has it already.
    pub fn connection(&self) -> Option<crate::ids::ConnectionId> {
        match &self.whose {
            Whose::Client { from, .. } => Some(from.connection),
            Whose::Restoring(_) => None,
        }
    }
}

impl Drafts {
    /// Gives what is new in a document to the store.
    pub(super) fn submit(
        &mut self,
        draft_id: &RoomId,
        kept: &Kept,
        author: UserId,
        whose: Whose,
        ctx: &mut Context<'_>,
    ) {
        let Some(draft) = self.open.get_mut(draft_id) else { return };
        let id = EntryId::from(ctx.fx.rng.id("upd"));
        draft.unsettled.insert(id.clone());
        draft.given += 1;
        let submitted =
            Box::new(Submitted { draft: draft_id.clone(), life: draft.life, id: id.clone(), whose });
        let entry = NewEntry { id, author, body: kept.body() };
        let takes = match ctx.rooms.find(draft_id) {
            Some(room) => room.takes_more(QUEUED_EVENTS_MAX, &ctx.fx).map(|()| room),
            None => Err(Refusal::room_access_denied()),
        };
        match takes {
            Ok(room) => {
                let origin = Origin::Draft(submitted);
                room.take(Submission { origin, entry, rows: vec![] }, &mut ctx.fx);
            }
            Err(refusal) => ctx.fx.drafted.push((submitted, Err(refusal))),
        }
    }

    /// It is known what became of an update that was given to the store.
    pub fn on_drafted(
        &mut self,
        submitted: Submitted,
        result: Result<Entry, Refusal>,
        ctx: &mut Context<'_>,
    ) {
        let Submitted { draft: id, life, id: entry_id, whose } = submitted;
        match result {
            Ok(entry) => {
                if let Some(draft) = self.open.get_mut(&id).filter(|draft| draft.life == life) {
                    draft.unstored = 0;
                    draft.settled += u64::from(draft.unsettled.remove(&entry_id));
                }
                self.on_saved(&id, whose, &entry, ctx);
                self.release(&id, ctx);
                self.go_on(&id, ctx);
            }
            Err(refusal) => {
                self.on_unsaved(&id, whose, &refusal, ctx);
                if let Some(draft) = self.open.get_mut(&id).filter(|draft| draft.life == life) {
                    draft.unstored += 1;
                    ctx.fx.log(fault(&id, "updates cannot be stored", &refusal.message));
                    self.lose(&id, ctx);
                }
            }
        }
    }

    fn on_saved(&mut self, id: &RoomId, whose: Whose, entry: &Entry, ctx: &mut Context<'_>) {
        match whose {
            Whose::Client { from, id: own, whole, count, words } => {
                self.log_update(id, &from, entry, ctx);
                if whole {
                    self.say_saved(id, &from, (own.as_deref(), count), words, ctx);
                }
                self.readings.answered(from.connection, &mut ctx.fx);
            }
            Whose::Restoring(request) => {
                ctx.fx.answered.push((request, Response::json(200, &json!({"seq": entry.seq}))));
            }
        }
    }

    /// Says to a client that what it sent is durable: on `/hocuspocus` as often as it counts, elsewhere under its id.
    fn say_saved(
        &mut self,
        id: &RoomId,
        to: &Caller,
        (own, count): (Option<&str>, Option<u64>),
        words: Words,
        ctx: &mut Context<'_>,
    ) {
        let event = log::saved(id, own);
        let seat = self.seat(id, to.connection);
        let envelope = seat.as_ref().map_or(to.envelope, |seat| seat.caller.envelope);
        let to = Caller { envelope, ..to.clone() };
        if envelope == Envelope::Hocuspocus {
            let Some(seat) = seat else { return };
            let times = seat.owed.counted(words.count, words.times) + seat.owed.word(count);
            return (0..times).for_each(|_| ctx.fx.reply(&to, &event));
        }
        for (call, own) in words.calls {
            ctx.fx.reply(&Caller { envelope, ..call }, &log::saved(id, own.as_deref()));
        }
        if own.is_some() || to.reply_to.is_some() {
            ctx.fx.reply(&to, &event);
        }
    }

    fn log_update(&self, id: &RoomId, from: &Caller, entry: &Entry, ctx: &mut Context<'_>) {
        let clients = self.open.get(id).map_or(0, |draft| draft.seats.len());
        ctx.fx.log(
            Record::new(Level::Debug, "yjs.update")
                .with("draftId", &*id.name)
                .with("fromUserId", from.user.id.as_str())
                .with("clientCount", clients as u64)
                .with("updateSize", entry.body.len() as u64),
        );
    }

    /// What a client sent is not in the log. A provider is asked for it again; 003's client would never send it.
    pub(super) fn on_unsaved(&mut self, id: &RoomId, whose: Whose, refusal: &Refusal, ctx: &mut Context<'_>) {
        let (from, whole, count, words) = match whose {
            Whose::Client { from, whole, count, words, id: _ } => (from, whole, count, words),
            Whose::Restoring(request) => {
                return ctx.fx.answered.push((request, refusal_response(refusal)));
            }
        };
        let who = from.connection;
        self.readings.answered(who, &mut ctx.fx);
        let Some(draft) = self.open.get_mut(id) else { return };
        let Some(seat) = draft.seats.get_mut(&who) else { return };
        seat.owed.give_back(words);
        // Of what is not whole it is owed already.
        seat.owed.give_back_one(count.filter(|_| whole));
        seat.owed.outdate();
        match seat.caller.envelope {
            Envelope::Draft | Envelope::DraftBase64 => ctx.fx.close(who, CloseCause::Overloaded),
            Envelope::YWebsocket | Envelope::Hocuspocus => {
                draft.to_ask.insert(who);
            }
            Envelope::Fields | Envelope::Event | Envelope::SocketIo | Envelope::Realtime => {
                draft.to_ask.insert(who);
                if whole {
                    self.refuse(&from, id, refusal, ctx);
                }
            }
        }
    }

    /// Something was told in a draft's room: it is part of its state now.
    pub fn on_told(&mut self, told: &Told, ctx: &mut Context<'_>) {
        let entry = &told.entry;
        let id = &entry.room;
        if let Some(Kept::Update { update, .. }) = Kept::read(&entry.body) {
            self.tell_large(id, told.origin, &update, ctx);
        }
        let Some(draft) = self.open.get_mut(id) else { return };
        let is_ready = draft.stage == super::draft::Stage::Ready;
        draft.at = if is_ready { entry.seq } else { draft.at };
        match Kept::read(&entry.body) {
            Some(Kept::Update { update, .. }) if is_ready && !draft.unsettled.contains(&entry.id) => {
                draft.work.push_back(Task::Foreign(update));
            }
            // Where it is being made anew, the log says so once more.
            Some(Kept::Said(words)) => draft.comments.fold(entry, &words),
            Some(Kept::Update { .. }) | None => {}
        }
        if ctx.rooms.find(id).is_some_and(|room| room.begin_snapshot()) {
            draft.work.push_back(Task::Fold(super::draft::Folding::default()));
        }
        self.go_on(id, ctx);
    }

    /// A draft is closed before this was durable.
    pub(super) fn drop_settled(&mut self, settled: Settled, ctx: &mut Context<'_>) {
        match settled {
            Settled::Saved(incoming) => self.readings.answered(incoming.from.connection, &mut ctx.fx),
            Settled::Restored(request) => {
                ctx.fx.answered.push((request, refusal_response(&not_found())));
            }
            Settled::State { .. } | Settled::Snapshot { .. } => {}
        }
    }

    /// Does what waited until all that the document had is durable.
    pub(super) fn release(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        while let Some(draft) = self.open.get_mut(id)
            && let Some((_, settled)) = draft.waiting.pop_front_if(|(after, _)| *after <= draft.settled)
        {
            match settled {
                Settled::Saved(Incoming { from, id: own, count, words, .. }) => {
                    self.say_saved(id, &from, (own.as_deref(), count), words, ctx);
                    self.readings.answered(from.connection, &mut ctx.fx);
                }
                Settled::State { wanted, update, at } => self.show_state(id, wanted, update, at, ctx),
                Settled::Snapshot { seq, state } => {
                    if let Some(room) = ctx.rooms.find(id) {
                        room.keep_snapshot(seq, &state, &mut ctx.fx);
                    }
                }
                Settled::Restored(request) => {
                    let seq = ctx.rooms.find(id).map_or(Seq::ZERO, |room| room.head());
                    ctx.fx.answered.push((request, Response::json(200, &json!({ "seq": seq }))));
                }
            }
        }
    }
}
