//! What is asked of documents, and what is answered.

use crate::ids::RoomId;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The largest update that a client may send, in bytes.
pub const UPDATE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The largest document, encoded, in bytes: with more it takes no more from clients.
pub const DOCUMENT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The most memory that a document may take, in bytes, as far as that can be told from its structs.
pub const WEIGHT_MAX: usize = 128 * 1024 * 1024;

/// Which document: a draft's live one (copy 0), or a copy made to look at an older version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DocId {
    /// The draft.
    pub draft: RoomId,
    /// 0, or which copy.
    pub copy: u64,
}

/// What is to be done with a document.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DocJob {
    /// Begin a document, from our own log. Replaces one of the same id.
    Open {
        /// A whole state, as `Fold` gave it.
        snapshot: Option<Bytes>,
        /// What was stored since, in order.
        updates: Vec<Bytes>,
    },
    /// More of our own log. Size limits for clients do not hold for it.
    Replay {
        /// What was stored, in order.
        updates: Vec<Bytes>,
    },
    /// Updates of clients. Each is taken or refused by itself.
    Apply {
        /// As they came, in order.
        updates: Vec<Bytes>,
    },
    /// What somebody lacks.
    Diff {
        /// The state vector of whom it is for; none or an empty one stands for everything.
        since: Option<Bytes>,
    },
    /// Whether all of an update is in the document.
    Knows {
        /// As it came.
        update: Bytes,
    },
    /// The whole state, checked by loading it into a fresh document, for keeping.
    Fold,
    /// Bring the content back to that of an older state, as new operations on this document.
    Restore {
        /// A whole state, as `Diff` or `Fold` of an older copy gives it.
        to: Bytes,
        /// The client id of the new operations, within 53 bits, which nobody else uses.
        client: u64,
    },
    /// Forget it.
    Close,
}

/// What came of a [`DocJob`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DocOutcome {
    /// Answers `Open` and `Replay`. A document that cannot be read is forgotten.
    Opened(Result<Standing, Unreadable>),
    /// Answers `Apply`.
    Applied {
        /// What came of each update, in order.
        each: Vec<Applied>,
        /// How the document stands after all of them.
        standing: Standing,
    },
    /// Answers `Diff`.
    Diff {
        /// What is missing there.
        update: Bytes,
        /// The document's own state vector.
        state_vector: Bytes,
    },
    /// Answers `Diff`: the state vector is none.
    DiffRefused(Why),
    /// Answers `Knows`.
    Known(bool),
    /// Answers `Fold`.
    Folded(Result<Bytes, Unreadable>),
    /// Answers `Restore`: the canonical update, already applied. Empty if there is nothing to do.
    Restored(Result<Bytes, RestoreRefused>),
    /// Answers `Close`.
    Closed,
    /// There is no such document here: it has to be opened first.
    Absent,
    /// It broke: the document is forgotten and has to be opened again.
    Broken {
        /// Which of the updates of an `Apply`, a `Replay` or an `Open` did it.
        at: Option<usize>,
    },
}

/// How a document stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its state vector, encoded.
    pub state_vector: Bytes,
    /// About how many bytes its encoded state has.
    pub bytes: usize,
    /// About how many bytes of memory it takes.
    pub weight: usize,
    /// Whether it takes no more from clients.
    pub full: bool,
}

/// What came of one update.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Applied {
    /// There was something new in it.
    New {
        /// That, written canonically: what is stored and relayed.
        update: Bytes,
        /// Whether there was more that the document cannot take in yet. That is forgotten, and has to be asked for
        /// with [`Standing::state_vector`].
        pending: bool,
    },
    /// There was nothing new in it.
    Nothing {
        /// As in `New`.
        pending: bool,
    },
    /// It was not applied.
    Refused(Why),
}

/// Why an update was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// It is no update, or one that no Yjs client writes.
    Malformed(String),
    /// The update is too large.
    TooLarge {
        /// In bytes.
        limit: usize,
        /// In bytes.
        actual: usize,
    },
    /// The document is too large for more.
    Full {
        /// In bytes.
        limit: usize,
        /// In bytes.
        actual: usize,
    },
    /// Too many clients have written to the document.
    TooManyClients {
        /// How many may.
        limit: usize,
        /// How many have.
        actual: usize,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(fault) => write!(f, "malformed update: {fault}"),
            Self::TooLarge { limit, actual } => {
                write!(f, "update of {actual} bytes is over the limit of {limit}")
            }
            Self::Full { limit, actual } => {
                write!(f, "document of {actual} bytes is over the limit of {limit}")
            }
            Self::TooManyClients { limit, actual } => {
                write!(f, "document of {actual} clients is over the limit of {limit}")
            }
        }
    }
}

/// What our own log or snapshot holds cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Which update it is; none for a snapshot.
    pub at: Option<usize>,
    /// What is wrong with it.
    pub fault: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "update {at} is unreadable: {}", self.fault),
            None => write!(f, "the state is unreadable: {}", self.fault),
        }
    }
}

/// Why a version is not brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestoreRefused {
    /// The older state cannot be read.
    Unreadable(String),
    /// A root of which nobody can tell what it is, or that cannot be brought back.
    Root {
        /// Its name.
        name: String,
        /// Why.
        why: String,
    },
    /// The document does not take it.
    Refused(Why),
}

impl fmt::Display for RestoreRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(fault) => write!(f, "the older version is unreadable: {fault}"),
            Self::Root { name, why } => write!(f, "root {name:?} cannot be restored: {why}"),
            Self::Refused(why) => write!(f, "{why}"),
        }
    }
}

/// Says how much it is, never what.
impl fmt::Debug for DocJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = |updates: &[Bytes]| updates.iter().map(Bytes::len).collect::<Vec<_>>();
        match self {
            Self::Open { snapshot, updates } => f
                .debug_struct("Open")
                .field("snapshot", &snapshot.as_ref().map(Bytes::len))
                .field("updates", &sizes(updates))
                .finish(),
            Self::Replay { updates } => f.debug_tuple("Replay").field(&sizes(updates)).finish(),
            Self::Apply { updates } => f.debug_tuple("Apply").field(&sizes(updates)).finish(),
            Self::Diff { since } => f.debug_tuple("Diff").field(&since.as_ref().map(Bytes::len)).finish(),
            Self::Knows { update } => f.debug_tuple("Knows").field(&update.len()).finish(),
            Self::Fold => f.write_str("Fold"),
            Self::Restore { to, client } => {
                f.debug_struct("Restore").field("to", &to.len()).field("client", client).finish()
            }
            Self::Close => f.write_str("Close"),
        }
    }
}

/// Says how much it is, never what.
impl fmt::Debug for DocOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened(opened) => f.debug_tuple("Opened").field(opened).finish(),
            Self::Applied { each, standing } => {
                f.debug_struct("Applied").field("each", each).field("standing", standing).finish()
            }
            Self::Diff { update, state_vector } => f
                .debug_struct("Diff")
                .field("update", &update.len())
                .field("state_vector", state_vector)
                .finish(),
            Self::DiffRefused(why) => f.debug_tuple("DiffRefused").field(why).finish(),
            Self::Known(known) => f.debug_tuple("Known").field(known).finish(),
            Self::Folded(folded) => f.debug_tuple("Folded").field(&folded.as_ref().map(Bytes::len)).finish(),
            Self::Restored(restored) => {
                f.debug_tuple("Restored").field(&restored.as_ref().map(Bytes::len)).finish()
            }
            Self::Closed => f.write_str("Closed"),
            Self::Absent => f.write_str("Absent"),
            Self::Broken { at } => f.debug_struct("Broken").field("at", at).finish(),
        }
    }
}

/// Says how much it is, never what.
impl fmt::Debug for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New { update, pending } => {
                f.debug_struct("New").field("update", &update.len()).field("pending", pending).finish()
            }
            Self::Nothing { pending } => f.debug_struct("Nothing").field("pending", pending).finish(),
            Self::Refused(why) => f.debug_tuple("Refused").field(why).finish(),
        }
    }
}
