//! Who has which session. A connection of `/documents` is there for one session and ends with it; on the others a
//! session is one of several, and its end is told.

use super::{Command, Documents, Work, refused, room_id, superseded};
use crate::action::CloseCause;
use crate::connection::name;
use crate::context::{Caller, Context};
use crate::envelope::Event;
use crate::ids::{ConnectionId, SessionId, TemplateId};
use crate::outbox::Class;
use crate::record::{Level, Record};
use crate::refusal::{Code, Refusal};
use serde_json::json;
use std::collections::BTreeMap;

/// How many sessions one connection may have open, those on the way included.
pub const SESSIONS_PER_CONNECTION_MAX: usize = 16;

/// The connection that has a session.
#[derive(Debug)]
pub struct Owner {
    /// Which; what it hears bears no call's id.
    pub caller: Caller,
    /// Whether the connection is there for this session alone.
    pub alone: bool,
    /// Whether it hears questions while the AI speaks them.
    pub spoken: bool,
}

/// Which connection has which sessions.
#[derive(Debug, Default)]
pub struct Holdings(BTreeMap<ConnectionId, Vec<SessionId>>);

impl Holdings {
    /// A connection has a session.
    pub fn add(&mut self, who: ConnectionId, id: SessionId) {
        // Most have one.
        self.0.entry(who).or_insert_with(|| Vec::with_capacity(1)).push(id);
    }

    /// The sessions that a connection has.
    pub fn of(&self, who: ConnectionId) -> &[SessionId] {
        self.0.get(&who).map_or(&[], Vec::as_slice)
    }

    /// How many connections have sessions.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    fn remove(&mut self, who: ConnectionId, id: &SessionId) {
        let Some(held) = self.0.get_mut(&who) else { return };
        held.retain(|session| session != id);
        if held.is_empty() {
            self.0.remove(&who);
        }
    }
}

impl Owner {
    /// Its name in claims.
    pub fn name(&self) -> String {
        crate::connection::name(self.caller.connection)
    }
}

impl Documents {
    /// Carries out a command.
    pub fn apply(&mut self, command: Command, caller: &Caller, ctx: &mut Context<'_>) -> Result<(), Refusal> {
        let who = caller.connection;
        match command {
            Command::Open { template, wish } => self.open_one(template, wish, caller, ctx),
            Command::Answer { session, content, id: entry } => {
                let id = self.opened(who, session.as_ref())?;
                self.save_answer(&id, &content, entry, caller, ctx)
            }
            Command::Retry { session } => {
                let id = self.opened(who, session.as_ref())?;
                self.save_retry(&id, caller, ctx)
            }
            Command::Close { session } => {
                let id = self.opened(who, Some(&session))?;
                self.take_owner(&id, ctx);
                let closed = Event::new("closed", &json!({"sessionId": id.as_str()})).of("document");
                ctx.fx.reply(caller, &closed);
                self.drop_unused(&id, ctx);
                Ok(())
            }
        }
    }

    /// The session that a command is about: the one it names, or the only one.
    fn opened(&self, who: ConnectionId, named: Option<&SessionId>) -> Result<SessionId, Refusal> {
        let mut held = self.holdings.of(who).iter();
        let found = held.find(|id| named.is_none_or(|named| named == *id));
        found.cloned().ok_or_else(|| match self.arrivals.count_of(who) {
            0 => Refusal::new(Code::NotFound, "no such session is open on this connection"),
            _ => Refusal::new(Code::ClientError, "the session is still being opened").recoverable(),
        })
    }

    /// Whether a connection has the session for this template already.
    pub(super) fn has_one_for(&self, who: ConnectionId, template: &TemplateId) -> bool {
        let mut held = self.holdings.of(who).iter().filter_map(|id| self.sessions.get(id));
        held.any(|session| session.template.id == *template)
    }

    /// A connection has ended, and its sessions have nobody.
    pub fn on_gone(&mut self, who: ConnectionId, ctx: &mut Context<'_>) {
        self.arrivals.end_all(who);
        for id in self.holdings.of(who).to_vec() {
            self.take_owner(&id, ctx);
            self.drop_unused(&id, ctx);
        }
    }

    /// The session has nobody from here on. Returns who had it.
    pub(super) fn take_owner(&mut self, id: &SessionId, ctx: &mut Context<'_>) -> Option<Owner> {
        let owner = self.sessions.get_mut(id)?.owner.take()?;
        self.holdings.remove(owner.caller.connection, id);
        ctx.rooms.leave(&room_id(id), owner.caller.connection, &mut ctx.fx);
        ctx.fx.log(record("room.leave", id, &owner.caller));
        Some(owner)
    }

    /// Ends the session for its owner; it stays for whoever claimed it.
    pub(super) fn let_go(&mut self, id: &SessionId, cause: CloseCause, ctx: &mut Context<'_>) {
        let Some(Owner { caller, alone, .. }) = self.take_owner(id, ctx) else { return };
        if alone {
            return ctx.fx.close(caller.connection, cause);
        }
        let told = json!({"sessionId": id.as_str(), "code": cause.code(), "reason": cause.reason()});
        let closed = Event::new("closed", &told).of("document");
        ctx.fx.tell(caller.connection, caller.envelope, &closed, Class::Kept);
    }

    /// Ends the session for its owner and forgets it.
    pub(super) fn end(&mut self, id: &SessionId, cause: CloseCause, ctx: &mut Context<'_>) {
        self.let_go(id, cause, ctx);
        ctx.rooms.remove(&room_id(id), &mut ctx.fx);
        let Some(session) = self.sessions.remove(id) else { return };
        let refusal =
            if cause == CloseCause::Overloaded { Refusal::store_unavailable() } else { superseded() };
        self.drop_work(id, session.work, &refusal, ctx);
    }

    /// What was under way is not carried on: no call is waited for, and whoever waits for a save and is still here
    /// hears why not.
    pub(super) fn drop_work(&mut self, id: &SessionId, work: Work, refusal: &Refusal, ctx: &mut Context<'_>) {
        match work {
            Work::Saving { callers, .. } => {
                let refused = refused(refusal).within("sessionId", id.0.clone());
                answer_here(&callers, &refused, ctx);
            }
            Work::Asking { out: Some(ticket), .. } => {
                ctx.fx.cancel(ticket);
                self.call_ended(ctx);
            }
            Work::Asking { out: None, .. } | Work::Idle | Work::Replying { .. } => {}
        }
    }

    /// Forgets a session that nobody has and for which nothing is under way.
    pub(super) fn drop_unused(&mut self, id: &SessionId, ctx: &mut Context<'_>) {
        let Some(session) = self.sessions.get(id) else { return };
        if session.owner.is_none() && matches!(session.work, Work::Idle) {
            self.sessions.remove(id);
            ctx.rooms.remove(&room_id(id), &mut ctx.fx);
        }
    }
}

pub(super) fn record(action: &str, id: &SessionId, caller: &Caller) -> Record {
    Record::new(Level::Info, action)
        .with("userId", caller.user.id.as_str())
        .with("sessionId", id.as_str())
        .with("connectionId", name(caller.connection))
}

/// Answers those callers whose connections have not ended with the session.
pub(super) fn answer_here(callers: &[Caller], event: &Event, ctx: &mut Context<'_>) {
    for caller in callers {
        if ctx.is_here(caller.connection) {
            ctx.fx.reply(caller, event);
        }
    }
}
