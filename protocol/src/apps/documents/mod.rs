//! Guided documents (WIRE §1): a session is one user's way through one template. Its log is the truth: a claim,
//! an answer, a question, a failure are entries, every append of the owner expects that nothing came between,
//! and an AI reply's id makes it single.

mod answering;
mod arrivals;
mod asking;
mod interviewer;
mod log;
mod opening;
mod overdue;

pub use log::{answer, is_repeat, told};
pub use opening::Opening;
pub use overdue::{Look, Takeover};

use crate::action::CloseCause;
use crate::context::{Caller, Context};
use crate::envelope::Event;
use crate::ids::{ConnectionId, EntryId, RoomId, Seq, SessionId, TemplateId};
use crate::refusal::Refusal;
use crate::room::Told;
use crate::store::{Change, Entry, NewEntry, RoomRecord, Row, SessionRow, StoreReply, TemplateRow};
use arrivals::Arrivals;
use log::{Kept, SessionLog};
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};

/// How many sessions may be open at once.
const SESSIONS_OPEN_MAX: usize = 20_000;

/// How many templates are shared between sessions; of further ones each session has its own copy.
const TEMPLATES_SHARED_MAX: usize = 1_024;

/// What a client can ask of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `user_response`
    Answer {
        /// What the user wrote.
        content: String,
        /// The client's own id for it.
        id: Option<EntryId>,
    },
    /// `retry`
    Retry,
}

/// What became of reading a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// It is one.
    Command(Command),
    /// It has a known name, and data that is not what it should be: ignored (000).
    Malformed,
    /// No command has this name.
    Unknown,
}

/// What the documents app waits for.
#[derive(Debug)]
pub enum Waiting {
    /// The open session of a user and template.
    Find(Opening),
    /// A session's log.
    Log(Opening),
    /// A claim.
    Claim(Opening),
    /// An answer or a retry being saved.
    Saved(SessionId, EntryId),
    /// A reply being saved.
    Replied(SessionId, EntryId),
    /// One attempt at a reply of the AI.
    Attempt(Attempt),
    /// Sessions whose reply is overdue.
    Overdue(Look),
    /// The next stage of taking over an overdue session.
    Takeover(Box<Takeover>),
}

/// What one call to the AI is for: a reply that comes when the session has moved on is nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    session: SessionId,
    turn: u32,
    attempt: u32,
}

/// The documents app.
#[derive(Debug, Default)]
pub struct Documents {
    sessions: BTreeMap<SessionId, Box<Session>>,
    /// The templates of open sessions, so that those of one template share it.
    templates: BTreeMap<TemplateId, Weak<TemplateRow>>,
    by_connection: BTreeMap<ConnectionId, SessionId>,
    /// Connections whose session is being opened.
    arrivals: Arrivals,
    /// Sessions that wait for a free call.
    queued: VecDeque<SessionId>,
    /// Calls that are out.
    calls: usize,
}

/// A session that a connection of this node has, or that awaits a reply here.
#[derive(Debug)]
struct Session {
    row: SessionRow,
    template: Arc<TemplateRow>,
    log: SessionLog,
    owner: Option<Caller>,
    work: Work,
}

/// What is under way for a session.
#[derive(Debug)]
enum Work {
    Idle,
    /// An answer or a retry is being saved, for these callers.
    Saving {
        entry: NewEntry,
        callers: Vec<Caller>,
        tries: u32,
    },
    /// The AI is asked.
    Asking {
        tries: u32,
        /// Whether a call is out.
        out: bool,
    },
    /// The AI's reply is being saved.
    Replying {
        entry: NewEntry,
        rows: Vec<Change>,
    },
}

/// Why not, in the words of `/documents`.
pub fn refused(refusal: &Refusal) -> Event {
    Event::refusal("error", refusal, &json!({"error": refusal})).of("document")
}

impl Command {
    /// Reads a command.
    pub fn parse(name: &str, data: &str) -> Parsed {
        #[derive(Deserialize)]
        struct Answer {
            content: String,
            id: Option<String>,
        }
        match name {
            "user_response" => match serde_json::from_str::<Answer>(data) {
                Ok(Answer { content, id }) => {
                    Parsed::Command(Self::Answer { content, id: id.map(EntryId::from) })
                }
                Err(_) => Parsed::Malformed,
            },
            "retry" => Parsed::Command(Self::Retry),
            _ => Parsed::Unknown,
        }
    }
}

impl Documents {
    /// How many sessions are open, being opened, or waiting for a call.
    pub fn len(&self) -> usize {
        self.sessions.len() + self.arrivals.len() + self.by_connection.len() + self.queued.len() + self.calls
    }

    /// Whether a connection has a session, or one is being opened for it.
    pub fn has_session(&self, who: ConnectionId) -> bool {
        self.by_connection.contains_key(&who) || self.is_coming(who)
    }

    /// The store answered something that the app waits for.
    pub fn on_stored(&mut self, waiting: Waiting, reply: StoreReply, ctx: &mut Context<'_>) {
        match waiting {
            Waiting::Find(opening) => self.on_found(opening, reply, ctx),
            Waiting::Log(opening) => self.on_log(opening, reply, ctx),
            Waiting::Claim(opening) => self.on_claim(opening, reply, ctx),
            Waiting::Saved(session, entry) => self.on_saved(&session, &entry, reply, ctx),
            Waiting::Replied(session, entry) => self.on_replied(&session, &entry, reply, ctx),
            Waiting::Overdue(looked) => self.on_overdue(looked, reply, ctx),
            Waiting::Takeover(takeover) => self.on_takeover(takeover, reply, ctx),
            // A call is never answered by the store; only its deadline comes this way.
            Waiting::Attempt(attempt) => self.on_attempt_lost(attempt, ctx),
        }
    }

    /// Takes entries of sessions through their rooms.
    fn arrive(&mut self, origin: Option<ConnectionId>, entries: Vec<Entry>, ctx: &mut Context<'_>) {
        for entry in entries {
            let id = entry.room.clone();
            if let Some(session) = self.sessions.get(&session_id(&id)) {
                ctx.rooms.open(empty_room(&id, session.log.head), ctx.fx.now);
            }
            let Some(room) = ctx.rooms.find(&id) else { continue };
            for told in room.arrive(origin, vec![entry], &mut ctx.fx) {
                self.on_told(&told, ctx);
            }
        }
    }

    /// An entry of a session was told: the session moves on.
    pub fn on_told(&mut self, told: &Told, ctx: &mut Context<'_>) {
        let id = session_id(&told.entry.room);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(kept) = session.log.apply(&told.entry) else { return };
        match kept {
            Kept::Claimed { connection } => {
                let owner = session.owner.as_ref().map(|owner| crate::connection::name(owner.connection));
                // The server takes over what nobody has.
                if connection.is_some() && owner != connection {
                    self.let_go(&id, CloseCause::Superseded, ctx);
                }
            }
            Kept::Abandoned => self.end(&id, CloseCause::Superseded, ctx),
            Kept::Complete { .. } => self.end(&id, CloseCause::Finished, ctx),
            Kept::Question { .. } | Kept::Failed { .. } => {
                session.work = Work::Idle;
                self.drop_unused(&id, ctx);
            }
            Kept::Answer { .. } | Kept::Retried { .. } => {
                self.finish_save(&id, &told.entry, ctx);
                self.ask(&id, ctx);
            }
        }
    }

    /// A connection has ended.
    pub fn on_gone(&mut self, who: ConnectionId, ctx: &mut Context<'_>) {
        self.arrivals.end(who);
        if let Some(id) = self.by_connection.remove(&who) {
            ctx.rooms.leave(&room_id(&id), who, &mut ctx.fx);
            if let Some(session) = self.sessions.get_mut(&id) {
                session.owner = None;
            }
            self.drop_unused(&id, ctx);
        }
    }

    /// Closes the owner's connection; the session stays for whoever claimed it.
    fn let_go(&mut self, id: &SessionId, cause: CloseCause, ctx: &mut Context<'_>) {
        if let Some(owner) = self.sessions.get_mut(id).and_then(|session| session.owner.take()) {
            self.by_connection.remove(&owner.connection);
            ctx.rooms.leave(&room_id(id), owner.connection, &mut ctx.fx);
            ctx.fx.close(owner.connection, cause);
        }
    }

    /// Closes the owner's connection and forgets the session.
    fn end(&mut self, id: &SessionId, cause: CloseCause, ctx: &mut Context<'_>) {
        self.let_go(id, cause, ctx);
        self.sessions.remove(id);
        ctx.rooms.remove(&room_id(id), &mut ctx.fx);
    }

    /// The template as other sessions have it, if they have just this one.
    fn shared(&mut self, template: TemplateRow) -> Arc<TemplateRow> {
        let held = self.templates.get(&template.id).and_then(Weak::upgrade);
        if let Some(held) = held.filter(|held| **held == template) {
            return held;
        }
        if self.templates.len() >= TEMPLATES_SHARED_MAX {
            self.templates.retain(|_, held| held.strong_count() > 0);
        }
        let template = Arc::new(template);
        if self.templates.len() < TEMPLATES_SHARED_MAX {
            self.templates.insert(template.id.clone(), Arc::downgrade(&template));
        }
        template
    }

    /// Forgets a session that nobody has and for which nothing is under way.
    fn drop_unused(&mut self, id: &SessionId, ctx: &mut Context<'_>) {
        let Some(session) = self.sessions.get(id) else { return };
        if session.owner.is_none() && matches!(session.work, Work::Idle) {
            self.sessions.remove(id);
            ctx.rooms.remove(&room_id(id), &mut ctx.fx);
        }
    }
}

impl Session {
    /// The session's row, touched now.
    fn touched(&self, ctx: &Context<'_>) -> SessionRow {
        SessionRow { touched_at: ctx.fx.now, ..self.row.clone() }
    }
}

fn put(row: SessionRow) -> Change {
    Change::Put(Row::Session(row))
}

fn room_id(session: &SessionId) -> RoomId {
    RoomId::document(session)
}

fn session_id(room: &RoomId) -> SessionId {
    SessionId(room.name.clone())
}

fn empty_room(id: &RoomId, head: Seq) -> RoomRecord {
    RoomRecord { id: id.clone(), room: None, members: vec![], cursors: vec![], head, tail: vec![] }
}
