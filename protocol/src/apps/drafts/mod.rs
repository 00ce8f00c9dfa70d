//! Shared drafts (WIRE §4): a Yjs document that many edit at once, in 003's JSON, with the `y-websocket` provider or with
//! `@hocuspocus/provider`. The room's log keeps every update with its author. The document itself is a job's: what comes
//! is applied there first, what is new is stored, and only then told and called saved.

mod awareness;
mod breaking;
mod command;
mod comments;
mod document;
mod draft;
mod early;
mod history;
mod joining;
mod lacking;
mod leaving;
mod log;
mod opening;
mod owed;
mod people;
mod reading;
mod rest;
mod saving;
mod speaking;
mod spelling;
mod versions;

pub use command::{Asks, Command, draft_id, read_bytes};
pub use joining::{ROLES, may_hear};
pub use log::{answer, is_repeat, refused, shown, told};
pub use rest::{Ask, Call};
pub use saving::Submitted;
pub use spelling::Speech;

use crate::context::{Caller, Context};
use crate::docs::{DocOutcome, Standing};
use crate::envelope::{Envelope, Event};
use crate::ids::{ConnectionId, RoomId, Seq};
use crate::job::Outcome;
use crate::record::{Level, Record};
use crate::refusal::{Code, Refusal};
use crate::room::Parking;
use crate::settings::Settings;
use crate::store::StoreReply;
use draft::{Draft, Task};
use early::Early;
use history::Reading;
use reading::Readings;
use spelling::Hearers;
use std::collections::{BTreeMap, BTreeSet};
use versions::Copying;

/// What the drafts wait for.
#[derive(Debug)]
pub enum Waiting {
    /// A room that something is parked for.
    Load(RoomId),
    /// A draft that is being made because somebody came.
    Create {
        /// Which.
        draft: RoomId,
        /// How often it was sent.
        tries: u32,
    },
    /// The room of a draft whose document was lost.
    Reload {
        /// Which.
        draft: RoomId,
        /// The document's life.
        life: u64,
    },
    /// A document that is begun.
    Opened {
        /// Of which draft.
        draft: RoomId,
        /// Its life.
        life: u64,
        /// Whether it begins with nothing, and all comes from the log.
        from_log: bool,
    },
    /// Entries on their way into a document.
    Replayed {
        /// Of which draft.
        draft: RoomId,
        /// Its life.
        life: u64,
        /// Where the updates stand in the log.
        seqs: Vec<Seq>,
        /// The last entry of the page.
        at: Seq,
    },
    /// Something that a document does.
    Task {
        /// Of which draft.
        draft: RoomId,
        /// Its life.
        life: u64,
        /// What.
        task: Box<Task>,
        /// The end of the log when it was asked.
        at: Seq,
    },
    /// A large frame.
    Spelled {
        /// Of which draft.
        draft: RoomId,
        /// For whom.
        hearers: Hearers,
    },
    /// A page of the log for a history.
    History(Box<Reading>),
    /// The next step of looking at an older version.
    Version(Box<Copying>),
    /// A document that nobody needs any more.
    Closed,
}

impl Waiting {
    /// Whether a job is waited for.
    pub fn is_job(&self) -> bool {
        match self {
            Self::Load(_) | Self::Create { .. } | Self::Reload { .. } | Self::History(_) => false,
            Self::Opened { .. }
            | Self::Replayed { .. }
            | Self::Task { .. }
            | Self::Spelled { .. }
            | Self::Closed => true,
            Self::Version(copying) => copying.is_job(),
        }
    }
}

/// The drafts app.
#[derive(Debug, Default)]
pub struct Drafts {
    /// What waits for its room to be loaded.
    parked: Parking<Parked>,
    /// The drafts whose rooms are open.
    open: BTreeMap<RoomId, Box<Draft>>,
    /// The connections that are there for one draft.
    dedicated: BTreeMap<ConnectionId, RoomId>,
    /// Where connections sit.
    sittings: BTreeMap<ConnectionId, BTreeSet<RoomId>>,
    /// What came before its draft was open to the connection.
    early: Early,
    /// How connections are read that bring updates.
    readings: Readings,
    /// How many lives documents have had.
    lives: u64,
    /// How often providers began to count what is not durable.
    counts: u64,
    /// How many older versions are being looked at.
    copies: usize,
    /// About how much memory the open documents take together, in bytes.
    weight: usize,
}

/// What waits for a room.
#[derive(Debug)]
enum Parked {
    /// A connection that comes in.
    Coming(Caller),
    /// A call over REST.
    Calling(Box<Call>),
}

/// A draft that is not there for the caller.
fn not_found() -> Refusal {
    Refusal::new(Code::NotFound, "there is no such draft")
}

/// Something went wrong in a draft that an operator should know of.
fn fault(id: &RoomId, what: &'static str, why: &str) -> Record {
    Record::new(Level::Error, "draft.fault")
        .with("draftId", &*id.name)
        .with("error", what)
        .with("context", why)
}

impl Drafts {
    /// The store answered something that the drafts wait for.
    pub fn on_stored(&mut self, waiting: Waiting, reply: StoreReply, ctx: &mut Context<'_>) {
        match waiting {
            Waiting::Load(id) => self.on_loaded(id, reply, ctx),
            Waiting::Create { draft, tries } => self.on_created(draft, tries, &reply, ctx),
            Waiting::Reload { draft, life } => self.on_reloaded((&draft, life), reply, ctx),
            Waiting::History(reading) => self.on_history(*reading, reply, ctx),
            Waiting::Version(copying) => self.on_page(*copying, reply, ctx),
            Waiting::Opened { .. }
            | Waiting::Replayed { .. }
            | Waiting::Task { .. }
            | Waiting::Spelled { .. }
            | Waiting::Closed => {}
        }
    }

    /// A job is done.
    pub fn on_worked(&mut self, waiting: Waiting, outcome: Outcome, ctx: &mut Context<'_>) {
        if let Waiting::Spelled { draft, hearers } = waiting {
            let frame = if let Outcome::Spelled(frame) = outcome { frame } else { None };
            return self.on_spelled(&draft, hearers, frame, ctx);
        }
        let outcome = if let Outcome::Doc(outcome) = outcome { outcome } else { DocOutcome::Absent };
        match waiting {
            Waiting::Opened { draft, life, from_log } => {
                self.on_opened((&draft, life), from_log, outcome, ctx)
            }
            Waiting::Replayed { draft, life, seqs, at } => {
                self.on_folded((&draft, life), (seqs, at), outcome, ctx);
            }
            Waiting::Task { draft, life, task, at } => self.on_done((&draft, life), *task, at, outcome, ctx),
            Waiting::Version(copying) => self.on_copied(*copying, outcome, ctx),
            Waiting::Load(_)
            | Waiting::Create { .. }
            | Waiting::Reload { .. }
            | Waiting::History(_)
            | Waiting::Spelled { .. }
            | Waiting::Closed => {}
        }
    }

    /// An answer never came.
    pub fn on_late(&mut self, waiting: Waiting, ctx: &mut Context<'_>) {
        if waiting.is_job() {
            return self.on_worked(waiting, Outcome::Doc(DocOutcome::Absent), ctx);
        }
        self.on_stored(waiting, StoreReply::Unavailable, ctx);
    }

    /// A time that was set for a draft has come.
    pub fn on_due(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        self.tell_people(id, ctx);
        self.look_for_unanswered(id, ctx);
        self.reopen(id, ctx);
        self.go_on(id, ctx);
    }

    /// A connection may be read again.
    pub fn on_reading_due(&mut self, who: ConnectionId, ctx: &mut Context<'_>) {
        self.readings.on_due(who, &mut ctx.fx);
    }

    /// Whether it is not read because of what is still to be done: it cannot show a sign of life.
    pub fn is_unread(&self, who: ConnectionId, settings: &Settings) -> bool {
        self.readings.is_held(who, settings)
    }

    /// Nobody uses a draft's room any more: its document is dropped.
    pub fn forget(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        if let Some(draft) = self.open.remove(id) {
            self.weight -= draft.weight;
            draft.calls.iter().for_each(|call| rest::refuse(call, &not_found(), ctx));
            draft.work.into_iter().for_each(|task| self.drop_task(task, ctx));
            draft.waiting.into_iter().for_each(|(_, settled)| self.drop_settled(settled, ctx));
            document::work(id, 0, crate::docs::DocJob::Close, Waiting::Closed, ctx);
        }
    }

    /// How an open document stands now.
    fn note(&mut self, id: &RoomId, standing: Standing) {
        let Some(draft) = self.open.get_mut(id) else { return };
        self.weight = self.weight - draft.weight + standing.weight;
        (draft.vector, draft.weight) = (standing.state_vector, standing.weight);
    }

    /// Why no further draft may be opened now.
    fn takes_no_more(&self, ctx: &Context<'_>) -> Option<Refusal> {
        if self.parked.is_full() || ctx.fx.is_busy() || ctx.rooms.is_full() {
            return Some(Refusal::busy());
        }
        let (limit, actual) = (ctx.fx.settings.document_memory_max, self.weight);
        let full = limit > 0 && actual >= limit;
        full.then(|| {
            let message = format!("the open drafts take {actual} bytes of memory, over the limit of {limit}");
            Refusal { message: message.into(), ..Refusal::busy() }
        })
    }

    /// About how many bytes of memory the open documents take.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// Whether something is under way that its room has to stay open for.
    pub fn needs(&self, id: &RoomId) -> bool {
        self.open.get(id).is_some_and(|draft| !draft.is_idle())
    }

    /// How many drafts are open, wait for their room, or are looked at as they were; and the connections that bring updates.
    pub fn len(&self) -> usize {
        let Self {
            parked,
            open,
            dedicated,
            sittings,
            early,
            readings,
            lives: _,
            counts: _,
            copies,
            weight: _,
        } = self;
        let held = open.values().map(|draft| draft.seats.len() + draft.work.len() + draft.awareness.len());
        parked.len()
            + held.sum::<usize>()
            + dedicated.len()
            + sittings.len()
            + early.len()
            + readings.len()
            + copies
    }

    /// Tells a caller why not.
    fn refuse(&self, to: &Caller, id: &RoomId, refusal: &Refusal, ctx: &mut Context<'_>) {
        let event = Event { within: Some(("draftId", id.name.clone())), ..refused(refusal) };
        let seat = self.open.get(id).and_then(|draft| draft.seats.get(&to.connection));
        let envelope = seat.map_or(to.envelope, |seat| seat.caller.envelope);
        ctx.fx.refuse(&Caller { envelope, ..to.clone() }, &event);
    }

    /// The same, where a provider has no word for it.
    fn refuse_unless_provider(&self, to: &Caller, id: &RoomId, refusal: &Refusal, ctx: &mut Context<'_>) {
        match to.envelope {
            Envelope::YWebsocket | Envelope::Hocuspocus => ctx.fx.refused.push(to.connection),
            Envelope::Fields
            | Envelope::Event
            | Envelope::SocketIo
            | Envelope::Realtime
            | Envelope::Draft
            | Envelope::DraftBase64 => self.refuse(to, id, refusal, ctx),
        }
    }
}
