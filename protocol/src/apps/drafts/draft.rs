//! One open draft: who sits in it, how far its document is, and what waits to be done with it.

use super::awareness::Awareness;
use super::comments::Comments;
use super::owed::{Owed, Words};
use super::rest::Call;
use crate::context::Caller;
use crate::ids::{ConnectionId, EntryId, RequestId, Seq};
use crate::time::Timestamp;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// An open draft.
#[derive(Debug)]
pub struct Draft {
    /// Tells the lives of its document from each other: what a job of an earlier one was to do is done once more.
    pub life: u64,
    /// The first of them.
    pub born: u64,
    /// How far its document is.
    pub stage: Stage,
    /// How often it was lost since it was last whole.
    pub losses: u32,
    /// The same because of the store, since it stored something.
    pub unstored: u32,
    /// The log is folded up to here.
    pub at: Seq,
    /// The document's state vector, as it was said last.
    pub vector: Bytes,
    /// About how much memory the document takes, in bytes.
    pub weight: usize,
    /// What was said about it.
    pub comments: Comments,
    /// The same as far as the log was read once more.
    pub comments_read: Comments,
    /// Who sits in it.
    pub seats: BTreeMap<ConnectionId, Seat>,
    /// Where they are.
    pub awareness: Awareness,
    /// What waits for the document, in order.
    pub work: VecDeque<Task>,
    /// Whether a job is under way.
    pub working: bool,
    /// How many updates go one by one, because one of them broke the document and nobody knows which.
    pub one_by_one: usize,
    /// Updates that the document has and that are on their way to the store.
    pub unsettled: BTreeSet<EntryId>,
    /// How many updates were given to the store, and of how many it is known what became of them.
    pub given: u64,
    pub settled: u64,
    /// What waits until so many are settled, in order.
    pub waiting: VecDeque<(u64, Settled)>,
    /// Entries that the document cannot take, though they were stored: it is without them.
    pub skipped: BTreeSet<Seq>,
    /// Connections that have to be asked for what was lost of theirs, once the document is there again.
    pub to_ask: BTreeSet<ConnectionId>,
    /// Calls over REST that wait until it is open.
    pub calls: Vec<Call>,
    /// When those who sit in it are told who does.
    pub people_due: Option<Timestamp>,
    /// When they were told last.
    pub people_told: Timestamp,
}

/// How far a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its log is being read and folded.
    Opening,
    /// Everything in the log is in it.
    Ready,
    /// It is not what the log says, or is gone: it is opened again then.
    Lost {
        /// When.
        until: Timestamp,
    },
}

/// A connection in a draft.
#[derive(Debug)]
pub struct Seat {
    /// Who.
    pub caller: Caller,
    /// Whether it may change the document.
    pub writes: bool,
    /// Whether it is in: else it waits for the document.
    pub inside: bool,
    /// Whether what it lacks is on its way to it.
    pub answering: bool,
    /// What it asked for meanwhile.
    pub asks_next: Option<Wanted>,
    /// Since when it was asked for what it left out; `None`: nothing is missing.
    pub asked_at: Option<Timestamp>,
    /// Whether it did not answer that: nothing is taken from it until it does.
    pub stuck: bool,
    /// How many updates in a row were none.
    pub undecodable: u32,
    /// Who is owed a word that something is durable, for updates that will come again.
    pub owed: Owed,
}

/// What a connection wants to know of the document.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The state vector of what it has.
    pub since: Option<Bytes>,
    /// Where the answer belongs.
    pub to: Caller,
}

/// Something to be done with a document.
#[derive(Debug)]
pub enum Task {
    /// Updates of clients.
    Updates(Vec<Incoming>),
    /// What was stored by others.
    Foreign(Bytes),
    /// What a viewer's provider has: whether there is something in it that is not known.
    Known(Incoming),
    /// What somebody lacks.
    State(Wanted),
    /// The next snapshot.
    Fold(Folding),
    /// An older version is to be brought back.
    Restore(Box<Restoring>),
}

impl Task {
    /// How many updates of clients it brings.
    pub fn updates(&self) -> usize {
        match self {
            Self::Updates(updates) => updates.len(),
            Self::Foreign(_) | Self::Known(_) | Self::State(_) | Self::Fold(_) | Self::Restore(_) => 0,
        }
    }

    /// How many bytes of them.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Updates(updates) => updates.iter().map(|one| one.update.len()).sum(),
            Self::Known(incoming) => incoming.update.len(),
            Self::Foreign(update) => update.len(),
            Self::State(_) | Self::Fold(_) | Self::Restore(_) => 0,
        }
    }
}

impl Seat {
    /// A place for somebody who is not inside yet.
    pub fn new(caller: Caller, writes: bool) -> Self {
        Self {
            caller,
            writes,
            inside: false,
            answering: false,
            asks_next: None,
            asked_at: None,
            stuck: false,
            undecodable: 0,
            owed: Owed::default(),
        }
    }
}

/// A snapshot that is being made: what was there when the document was asked for its part.
#[derive(Debug, Default)]
pub struct Folding {
    /// The end of the log.
    pub seq: Seq,
    /// The comments.
    pub comments: Bytes,
}

/// An update of a client.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Whose, and where the answer belongs.
    pub from: Caller,
    /// What came.
    pub update: Bytes,
    /// The id that the answer repeats.
    pub id: Option<Arc<str>>,
    /// Which of the server's requests it answers, if it does.
    pub answers: Option<u64>,
    /// Which of its connection's counts it belongs to. An answer by itself belongs to none.
    pub count: Option<u64>,
    /// What is true with it once it is durable, if it is an answer.
    pub words: Words,
}

/// A version that is being brought back.
#[derive(Debug)]
pub struct Restoring {
    /// The request.
    pub request: RequestId,
    /// Who asks.
    pub user: Arc<crate::auth::User>,
    /// Which version.
    pub version: Seq,
    /// The whole state then.
    pub state: Bytes,
}

/// What waits until what the document has is durable.
#[derive(Debug)]
pub enum Settled {
    /// Somebody's update was in it already.
    Saved(Incoming),
    /// What somebody lacks is told to it.
    State {
        /// Whom.
        wanted: Wanted,
        /// What.
        update: Bytes,
        /// The end of the log when it was asked for.
        at: Seq,
    },
    /// A snapshot is stored.
    Snapshot {
        /// Up to which entry.
        seq: Seq,
        /// What.
        state: Bytes,
    },
    /// A request is answered: the version was brought back, or nothing had to be done for it.
    Restored(RequestId),
}

impl Draft {
    /// A draft whose log is to be folded.
    pub fn new(life: u64) -> Self {
        Self {
            life,
            born: life,
            stage: Stage::Opening,
            losses: 0,
            unstored: 0,
            at: Seq::ZERO,
            vector: Bytes::from_static(&[0]),
            weight: 0,
            comments: Comments::default(),
            comments_read: Comments::default(),
            seats: BTreeMap::new(),
            awareness: Awareness::default(),
            work: VecDeque::new(),
            working: false,
            one_by_one: 0,
            unsettled: BTreeSet::new(),
            given: 0,
            settled: 0,
            waiting: VecDeque::new(),
            skipped: BTreeSet::new(),
            to_ask: BTreeSet::new(),
            calls: Vec::new(),
            people_due: None,
            people_told: Timestamp::default(),
        }
    }

    /// Whether nothing is under way and nobody sits in it.
    pub fn is_idle(&self) -> bool {
        self.seats.is_empty() && self.work.is_empty() && !self.working && self.calls.is_empty()
    }
}
