//! Asking the AI: exactly one reply for each turn. A call belongs to a session and a turn, not to a connection;
//! its end, good or bad, is an entry whose id can be stored once.

use super::answering::saving_retry;
use super::log::{Phase, SessionLog};
use super::opening::by_server;
use super::{Attempt, Documents, Kept, Waiting, Work, interviewer, put, room_id};
use crate::action::CloseCause;
use crate::apps::attempts::{self, CALLS_MAX, Failure, Next, REPLY_RETRY};
use crate::call::{AiReply, Call, CallFailure, NextQuestionRequest, Role, Said, TemplateBrief};
use crate::context::Context;
use crate::ids::{EntryId, RoomId, SessionId};
use crate::settings::Interviewer;
use crate::store::{
    Append, Change, DocumentRow, NewEntry, Row, RowKey, SessionRow, SessionState, StoreReply, StoreRequest,
};
use crate::tickets::Pending;
use crate::timers::Timer;

impl Documents {
    /// Does what the session's log asks for next.
    pub(super) fn go_on(&mut self, id: &SessionId, ctx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        match (&session.log.phase, &session.work) {
            (Phase::Asking, Work::Idle) => self.ask(id, ctx),
            // Who comes back to a session whose AI failed need not ask for the retry.
            (Phase::Failed, Work::Idle) if session.owner.is_some() => {
                session.work = saving_retry(id, &session.log, vec![]);
                self.send_save(id, ctx);
            }
            (Phase::Complete, Work::Idle) => self.end(id, CloseCause::Finished, ctx),
            (Phase::Abandoned, Work::Idle) => self.end(id, CloseCause::Superseded, ctx),
            (_, _) => self.drop_unused(id, ctx),
        }
    }

    /// Asks for the reply that the session awaits, if it does and nothing is under way.
    pub(super) fn ask(&mut self, id: &SessionId, ctx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        if !matches!((&session.log.phase, &session.work), (Phase::Asking, Work::Idle)) {
            return;
        }
        session.work = Work::Asking { tries: 0, out: None, spoken: String::new() };
        match ctx.fx.settings.interviewer {
            Interviewer::BuiltIn => {
                let document = ctx.fx.rng.id("doc").into();
                let reply = interviewer::reply(&session.template, &session.log.turns, document);
                match reply {
                    Ok(reply) => self.save_reply(id, reply, ctx),
                    Err(message) => self.save_failure(id, Failure { bad_reply: true, message }, ctx),
                }
            }
            Interviewer::Service => self.attempt(id, ctx),
        }
    }

    /// One attempt, now or when a call is free.
    fn attempt(&mut self, id: &SessionId, ctx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Work::Asking { tries, out: out @ None, .. } = &mut session.work else { return };
        if self.calls >= CALLS_MAX {
            self.queued.push_back(id.clone());
            return;
        }
        *tries += 1;
        self.calls += 1;
        let template = &session.template;
        let message = session.log.turns.last().filter(|turn| turn.role == Role::User);
        let request = NextQuestionRequest {
            session_id: id.clone(),
            user_id: session.row.user.clone(),
            template: TemplateBrief {
                id: template.id.clone(),
                name: template.name.clone(),
                questions: template.questions.clone(),
                body: template.body.clone(),
            },
            history: session.log.turns.clone(),
            message: message.map(|turn| turn.content.clone()),
        };
        let idempotency_key = format!("{id}:{}", session.log.next_turn());
        let spoken = session.owner.as_ref().is_some_and(|owner| owner.spoken);
        let call = Call::NextQuestion { idempotency_key, request: Box::new(request), spoken };
        let (turn, attempt) = (session.log.next_turn(), session.log.attempt);
        let waiting = Waiting::Attempt(Attempt { session: id.clone(), turn, attempt });
        *out = Some(ctx.fx.call(call, Pending::Documents(waiting)));
    }

    pub(super) fn call_ended(&mut self, ctx: &mut Context<'_>) {
        self.calls = self.calls.saturating_sub(1);
        // A session that has gone meanwhile leaves its turn to the one behind it.
        while self.calls < CALLS_MAX
            && let Some(next) = self.queued.pop_front()
        {
            self.attempt(&next, ctx);
        }
    }

    /// How many calls are out.
    pub fn calls_out(&self) -> usize {
        self.calls
    }

    /// An attempt ended.
    pub fn on_called(&mut self, waiting: &Waiting, said: Said, ctx: &mut Context<'_>) {
        let Waiting::Attempt(asked) = waiting else { return };
        let id = &asked.session;
        self.call_ended(ctx);
        ctx.fx.note_ai(&said);
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Work::Asking { tries, out, spoken } = &mut session.work else { return };
        if !asked.is_at(&session.log) {
            return;
        }
        *out = None;
        let (tries, has_spoken) = (*tries, !spoken.is_empty());
        match said {
            Said::NextQuestion(reply) => self.save_reply(id, reply, ctx),
            // Another attempt would begin another question where half of one was heard.
            Said::Failed(CallFailure::Passing { .. }) if has_spoken => {
                self.save_failure(id, Failure::broken_off(), ctx);
            }
            Said::Failed(failure) => match attempts::after(failure, tries, &mut ctx.fx) {
                Next::Again(wait) => ctx.fx.timers.set(ctx.fx.now + wait, Timer::Attempt(room_id(id))),
                Next::Over(failure) => self.save_failure(id, failure, ctx),
            },
            Said::Delta(_) | Said::Robot(_) | Said::Scanned(_) | Said::Delivered => {
                self.save_failure(id, Failure::misplaced(), ctx);
            }
        }
    }

    /// An attempt's end never came.
    pub(super) fn on_attempt_lost(&mut self, attempt: Attempt, ctx: &mut Context<'_>) {
        let said = Said::Failed(CallFailure::Passing { retry_after: None });
        self.on_called(&Waiting::Attempt(attempt), said, ctx);
    }

    /// The wait before the next attempt, or before the next save of a reply, is over.
    pub fn on_attempt(&mut self, room: &RoomId, ctx: &mut Context<'_>) {
        let id = super::session_id(room);
        match self.sessions.get(&id).map(|session| &session.work) {
            Some(Work::Asking { .. }) => self.attempt(&id, ctx),
            Some(Work::Replying { .. }) => self.send_reply(&id, ctx),
            Some(Work::Idle | Work::Saving { .. }) | None => {}
        }
    }

    fn save_reply(&mut self, id: &SessionId, reply: AiReply, ctx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let mut row = SessionRow { awaiting_since: None, ..session.touched(ctx) };
        let (kept, document) = match reply {
            AiReply::Question { question, progress } => {
                (Kept::Question { turn: session.log.next_turn(), question, progress }, None)
            }
            AiReply::Complete { document_id, document } => {
                row.state = SessionState::Complete;
                let (title, markdown) =
                    document.map_or((None, None), |document| (document.title, Some(document.markdown)));
                let document = DocumentRow {
                    id: document_id.clone(),
                    session: id.clone(),
                    user: row.user.clone(),
                    firm: row.firm.clone(),
                    template: session.template.id.clone(),
                    template_name: session.template.name.clone(),
                    title: title.unwrap_or_else(|| session.template.name.clone()),
                    markdown,
                    created_at: ctx.fx.now,
                };
                (Kept::Complete { document_id }, Some(Change::Insert(Row::Document(document))))
            }
        };
        let rows = std::iter::once(put(row)).chain(document).collect();
        self.keep_reply(id, &kept, rows, ctx);
    }

    fn save_failure(&mut self, id: &SessionId, failure: Failure, ctx: &mut Context<'_>) {
        let Failure { bad_reply, message } = failure;
        let Some(session) = self.sessions.get(id) else { return };
        let row = SessionRow { awaiting_since: None, ..session.touched(ctx) };
        self.keep_reply(id, &Kept::Failed { bad_reply, message }, vec![put(row)], ctx);
    }

    fn keep_reply(&mut self, id: &SessionId, kept: &Kept, rows: Vec<Change>, ctx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let entry = by_server(reply_id(id, &session.log), kept);
        session.work = Work::Replying { entry: Box::new(entry), rows };
        self.send_reply(id, ctx);
    }

    fn send_reply(&mut self, id: &SessionId, ctx: &mut Context<'_>) {
        let Some(session) = self.sessions.get(id) else { return };
        let Work::Replying { entry, rows } = &session.work else { return };
        let waiting = Waiting::Replied(id.clone(), entry.id.clone());
        let append = Append {
            room: room_id(id),
            expect: Some(session.log.head),
            entries: vec![NewEntry::clone(entry)],
        };
        let request = StoreRequest::Commit { appends: vec![append], rows: rows.clone() };
        ctx.fx.store(request, Pending::Documents(waiting));
    }

    pub(super) fn on_replied(
        &mut self,
        id: &SessionId,
        saved: &EntryId,
        reply: StoreReply,
        ctx: &mut Context<'_>,
    ) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        if !matches!(&session.work, Work::Replying { entry, .. } if entry.id == *saved) {
            return;
        }
        match reply {
            StoreReply::Committed(entries) => {
                session.row.awaiting_since = None;
                self.arrive(None, entries, ctx);
            }
            StoreReply::Taken(RowKey::Document(document)) => {
                let message = format!("the AI service used the documentId {:?} again", document.as_str());
                self.save_failure(id, Failure { bad_reply: true, message }, ctx);
            }
            // A claim came between and is folded in already: the reply goes behind it.
            StoreReply::Stale { head, .. } if head == session.log.head => self.send_reply(id, ctx),
            // What came between is not known here: whoever has the session now reads it and asks.
            StoreReply::Stale { .. } => self.end(id, CloseCause::Superseded, ctx),
            StoreReply::Unknown
            | StoreReply::Unavailable
            | StoreReply::Taken(_)
            | StoreReply::Loaded(_)
            | StoreReply::Entries { .. }
            | StoreReply::Heads(_)
            | StoreReply::Found(_)
            | StoreReply::Appended { .. } => {
                ctx.fx.timers.set(ctx.fx.now + REPLY_RETRY, Timer::Attempt(room_id(id)));
            }
        }
    }
}

/// The id of the one reply to a session's last attempt, good or bad.
pub(super) fn reply_id(id: &SessionId, log: &SessionLog) -> EntryId {
    format!("{id}:{}:{}:reply", log.next_turn(), log.attempt).into()
}
