//! The user's answer: looked up by its id, judged, saved, answered, and only then shown to the AI.

use super::opening::by_server;
use super::{Documents, Kept, Waiting, Work, log, put, room_id};
use crate::action::CloseCause;
use crate::apps::stripped;
use crate::context::{Caller, Context};
use crate::envelope::ID_BYTES_MAX;
use crate::ids::{EntryId, SessionId};
use crate::refusal::{Code, Refusal};
use crate::store::{Append, Entry, NewEntry, SessionRow, StoreReply, StoreRequest};
use crate::tickets::Pending;
use log::Phase;
use serde_json::json;

/// The longest answer, in bytes.
pub const ANSWER_BYTES_MAX: usize = 32 * 1024;
/// The most turns of a session.
pub const TURNS_MAX: usize = 500;
/// The most bytes of a session's turns.
pub const HISTORY_BYTES_MAX: usize = 1 << 20;
/// How often a save of unknown outcome is asked for again.
const SAVE_TRIES_MAX: u32 = 8;
/// How many calls with the same id may wait for one save.
const CALLERS_MAX: usize = 16;

impl Documents {
    pub(super) fn save_answer(
        &mut self,
        id: &SessionId,
        content: &str,
        named: Option<EntryId>,
        caller: &Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get_mut(id) else { return Err(Refusal::store_unavailable()) };
        check_id(named.as_ref())?;
        let content = stripped(content);
        // Ids first: what was saved before is answered as before, whatever is awaited now.
        if let Some(saved) = named.as_ref().and_then(|named| session.log.answer_under(named)) {
            let same = matches!(Kept::read(&saved.body), Some(Kept::Answer { content: saved, .. }) if saved == content);
            if !same {
                return Err(conflict(&saved.id));
            }
            ctx.fx.reply(caller, &log::answer(saved));
            return Ok(());
        }
        if let Work::Saving { entry, callers, .. } = &mut session.work
            && Some(&entry.id) == named.as_ref()
        {
            return join_save(entry, &content, callers, caller);
        }
        if !matches!((&session.log.phase, &session.work), (Phase::Answering { .. }, Work::Idle)) {
            return Err(Refusal::new(Code::ClientError, "no answer is awaited now").recoverable());
        }
        let required =
            session.template.questions.get(session.log.answered()).is_none_or(|next| next.required);
        check_content(&content, required, session.log.turns.len(), session.log.bytes)?;
        let kept = Kept::Answer { turn: session.log.next_turn(), content, named: named.is_some() };
        let entry_id = named.unwrap_or_else(|| ctx.fx.rng.id("ans").into());
        let entry = NewEntry { id: entry_id, author: caller.user.id.clone(), body: kept.body() };
        session.work = Work::Saving { entry: Box::new(entry), callers: vec![caller.clone()], tries: 0 };
        self.send_save(id, ctx);
        Ok(())
    }

    pub(super) fn save_retry(
        &mut self,
        id: &SessionId,
        caller: &Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get_mut(id) else { return Err(Refusal::store_unavailable()) };
        if !matches!((&session.log.phase, &session.work), (Phase::Failed, Work::Idle)) {
            return Err(Refusal::new(Code::ClientError, "there is nothing to retry").recoverable());
        }
        session.work = saving_retry(id, &session.log, vec![caller.clone()]);
        self.send_save(id, ctx);
        Ok(())
    }

    pub(super) fn send_save(&mut self, id: &SessionId, ctx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let row = SessionRow { awaiting_since: Some(ctx.fx.now), ..session.touched(ctx) };
        let Work::Saving { entry, tries, .. } = &mut session.work else { return };
        *tries += 1;
        let waiting = Waiting::Saved(id.clone(), entry.id.clone());
        let append = Append {
            room: room_id(id),
            expect: Some(session.log.head),
            entries: vec![NewEntry::clone(entry)],
        };
        session.row = row.clone();
        let request = StoreRequest::Commit { appends: vec![append], rows: vec![put(row)] };
        ctx.fx.store(request, Pending::Documents(waiting));
    }

    pub(super) fn on_saved(
        &mut self,
        id: &SessionId,
        saved: &EntryId,
        reply: StoreReply,
        ctx: &mut Context<'_>,
    ) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Work::Saving { callers, tries, entry } = &mut session.work else { return };
        if entry.id != *saved {
            return;
        }
        // What was perhaps stored once is asked for until it is known.
        let perhaps = reply == StoreReply::Unknown || (reply == StoreReply::Unavailable && *tries > 1);
        if let StoreReply::Committed(entries) = reply {
            let stored = entries.first().cloned();
            let origin = callers.first().map(|caller| caller.connection);
            self.arrive(origin, entries, ctx);
            if let Some(stored) = stored {
                self.finish_save(id, &stored, ctx);
            }
            self.go_on(id, ctx);
        } else if let StoreReply::Stale { .. } = reply {
            // Another connection has the session; its claim closes this one wherever it is heard.
            self.end(id, CloseCause::Superseded, ctx);
        } else if perhaps && *tries < SAVE_TRIES_MAX {
            self.send_save(id, ctx);
        } else if perhaps {
            // Whether it is stored is not known: the session is read again by whoever comes back to it.
            self.end(id, CloseCause::Overloaded, ctx);
        } else {
            let work = std::mem::replace(&mut session.work, Work::Idle);
            self.drop_work(id, work, &Refusal::store_unavailable(), ctx);
            self.drop_unused(id, ctx);
        }
    }

    /// What was being saved stands in the log: whoever waits for it is answered.
    pub(super) fn finish_save(&mut self, id: &SessionId, stored: &Entry, ctx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        if let Work::Saving { entry, callers, .. } = &mut session.work
            && entry.id == stored.id
        {
            let callers = std::mem::take(callers);
            session.work = Work::Idle;
            callers.into_iter().for_each(|caller| answer_saved(caller, stored, ctx));
        }
    }
}

fn answer_saved(caller: Caller, stored: &Entry, ctx: &mut Context<'_>) {
    let event = log::answer(stored);
    // A retry has no answer of its own but for who asked under an id.
    if event.name == "retry" && caller.reply_to.is_none() {
        return;
    }
    if let Some(room) = ctx.rooms.find(&stored.room) {
        room.answer(caller, stored.seq, event, &mut ctx.fx);
    }
}

/// A retry of the AI's reply, as what is to be saved.
pub(super) fn saving_retry(id: &SessionId, log: &log::SessionLog, callers: Vec<Caller>) -> Work {
    let attempt = log.attempt + 1;
    let entry_id = format!("{id}:{}:{attempt}:retry", log.next_turn());
    Work::Saving {
        entry: Box::new(by_server(entry_id.into(), &Kept::Retried { attempt })),
        callers,
        tries: 0,
    }
}

fn join_save(
    entry: &NewEntry,
    content: &str,
    callers: &mut Vec<Caller>,
    caller: &Caller,
) -> Result<(), Refusal> {
    let same =
        matches!(Kept::read(&entry.body), Some(Kept::Answer { content: saving, .. }) if saving == content);
    match same {
        false => Err(conflict(&entry.id)),
        true if callers.len() >= CALLERS_MAX => Err(Refusal::busy()),
        true => {
            callers.push(caller.clone());
            Ok(())
        }
    }
}

fn conflict(id: &EntryId) -> Refusal {
    Refusal::new(Code::Conflict, format!("the id {:?} stands for another answer already", id.as_str()))
}

fn check_id(id: Option<&EntryId>) -> Result<(), Refusal> {
    match id.map(|id| id.as_str()) {
        Some(id) if id.len() > ID_BYTES_MAX => Err(Refusal::too_large("id", id.len(), ID_BYTES_MAX)),
        Some(id) if id.is_empty() || id.chars().any(char::is_control) => {
            Err(Refusal::new(Code::ClientError, "the id is empty or has control characters"))
        }
        Some(_) | None => Ok(()),
    }
}

fn check_content(content: &str, required: bool, turns: usize, bytes: usize) -> Result<(), Refusal> {
    if content.is_empty() && required {
        return Err(Refusal::new(Code::ClientError, "an answer is required").recoverable());
    }
    if content.len() > ANSWER_BYTES_MAX {
        return Err(Refusal::too_large("answer", content.len(), ANSWER_BYTES_MAX));
    }
    // The answer's turn, and room for the question that follows it.
    if turns + 2 > TURNS_MAX {
        return Err(Refusal::new(
            Code::TooLarge,
            format!("a session of {turns} turns is at the limit of {TURNS_MAX}"),
        )
        .with(json!({"limit": TURNS_MAX, "actual": turns})));
    }
    match bytes + content.len() > HISTORY_BYTES_MAX {
        true => Err(Refusal::too_large("history", bytes + content.len(), HISTORY_BYTES_MAX)),
        false => Ok(()),
    }
}
