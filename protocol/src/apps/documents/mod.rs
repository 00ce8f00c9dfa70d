//! Guided documents (WIRE §1): a session is one user's way through one template. Its log is the truth: a claim,
//! an answer, a question, a failure are entries, every append of the owner expects that nothing came between,
//! and an AI reply's id makes it single.

mod answering;
mod arrivals;
mod asking;
mod command;
mod holding;
mod interviewer;
mod log;
mod opening;
mod overdue;
mod speaking;

pub use arrivals::Way;
pub use command::{Command, Parsed, Wish};
pub use log::{answer, is_repeat, told};
pub use opening::{Opening, template_for};
pub use overdue::{Look, Takeover};

use crate::action::CloseCause;
use crate::context::{Caller, Context};
use crate::envelope::Event;
use crate::ids::{ConnectionId, EntryId, RoomId, SessionId, TemplateId, Ticket};
use crate::refusal::{Code, Refusal};
use crate::room::Told;
use crate::store::{Change, Entry, NewEntry, RoomRecord, Row, SessionRow, StoreReply, TemplateRow};
use arrivals::Arrivals;
use holding::{Holdings, Owner};
use log::{Kept, SessionLog};
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};

/// How many sessions may be open at once.
const SESSIONS_OPEN_MAX: usize = 20_000;

/// How many templates are shared between sessions; of further ones each session has its own copy.
const TEMPLATES_SHARED_MAX: usize = 1_024;

/// What the documents app waits for.
#[derive(Debug)]
pub enum Waiting {
    /// The template that a session is to be opened for, and how.
    Template(Way, Wish),
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
    /// Which connection has which sessions.
    holdings: Holdings,
    /// Connections whose sessions are being opened.
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
    owner: Option<Owner>,
    work: Work,
}

/// What is under way for a session.
#[derive(Debug)]
enum Work {
    Idle,
    /// An answer or a retry is being saved, for these callers.
    Saving {
        entry: Box<NewEntry>,
        callers: Vec<Caller>,
        tries: u32,
    },
    /// The AI is asked.
    Asking {
        tries: u32,
        /// The call that is out.
        out: Option<Ticket>,
        /// What was heard of the reply so far, where it is spoken: `ANSWER_BYTES_MAX` at the most.
        spoken: String,
    },
    /// The AI's reply is being saved.
    Replying {
        entry: Box<NewEntry>,
        rows: Vec<Change>,
    },
}

/// Why not, in the words of documents.
pub fn refused(refusal: &Refusal) -> Event {
    Event::refusal("error", refusal, &json!({"error": refusal})).of("document")
}

impl Documents {
    /// How many sessions are open, being opened, or waiting for a call.
    pub fn len(&self) -> usize {
        let Self { sessions, templates: _, holdings, arrivals, queued, calls } = self;
        sessions.len() + arrivals.len() + holdings.len() + queued.len() + calls
    }

    /// Whether a connection has sessions, or some are being opened for it.
    pub fn has_session(&self, who: ConnectionId) -> bool {
        !self.holdings.of(who).is_empty() || self.arrivals.count_of(who) > 0
    }

    /// The store answered something that the app waits for.
    pub fn on_stored(&mut self, waiting: Waiting, reply: StoreReply, ctx: &mut Context<'_>) {
        match waiting {
            Waiting::Template(way, wish) => self.on_template(way, wish, reply, ctx),
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
                let begun = RoomRecord::begun(id.clone(), None, vec![]);
                ctx.rooms.open(RoomRecord { head: session.log.head, ..begun }, ctx.fx.now);
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
                let owner = session.owner.as_ref().map(Owner::name);
                // The server takes over what nobody has.
                if connection.is_some() && owner != connection {
                    self.let_go(&id, CloseCause::Superseded, ctx);
                }
            }
            Kept::Abandoned => self.end(&id, CloseCause::Superseded, ctx),
            Kept::Complete { .. } => self.end(&id, CloseCause::Finished, ctx),
            Kept::Question { .. } | Kept::Failed { .. } => {
                let before = std::mem::replace(&mut session.work, Work::Idle);
                self.drop_work(&id, before, &superseded(), ctx);
                self.drop_unused(&id, ctx);
            }
            Kept::Answer { .. } | Kept::Retried { .. } => {
                self.finish_save(&id, &told.entry, ctx);
                self.ask(&id, ctx);
            }
        }
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
}

impl Session {
    /// The session's row, touched now.
    fn touched(&self, ctx: &Context<'_>) -> SessionRow {
        SessionRow { touched_at: ctx.fx.now, ..self.row.clone() }
    }
}

/// The last entry of a session that nobody came back to.
pub fn ended(id: EntryId) -> NewEntry {
    opening::by_server(id, &Kept::Abandoned)
}

/// Somebody else has the session now.
fn superseded() -> Refusal {
    Refusal::new(Code::Conflict, CloseCause::Superseded.reason())
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
