//! What can be asked of dashboards.

use super::changes::{Changes, Raw};
use crate::apps::composed;
use crate::envelope::ID_BYTES_MAX;
use crate::ids::{EntryId, RoomId, Seq};
use crate::refusal::{Code, Refusal};
use std::sync::Arc;

/// How the ids of users' own dashboards begin.
pub const OWN_PREFIX: &str = "user:";
/// The largest change, value of a widget, or layout (WIRE §0.6).
pub const VALUE_BYTES_MAX: usize = 64 * 1024;
/// How many operations a batch holds (WIRE §3).
pub const BATCH_OPERATIONS_MAX: usize = 100;
/// The largest batch: one entry, which is read with others in pages.
pub const BATCH_BYTES_MAX: usize = 256 * 1024;

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Which dashboard; `None`: the one that the connection is for.
    pub board: Option<RoomId>,
    /// What is asked of it.
    pub ask: Ask,
}

/// What is asked of a dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// `dashboard:open`
    Open(Option<Seq>),
    /// `dashboard:close`, `DISCONNECT`
    Close,
    /// `CONNECT`, `SYNC_REQUEST`
    Sync(Option<Seq>),
    /// A change, and its id if it has one.
    Operate(Option<EntryId>, Box<Operation>),
}

/// Something that is judged against the board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// One change.
    Part(Part),
    /// `WIDGET_BATCH`
    Batch(Vec<Part>),
    /// `LAYOUT_RESTORE`
    Restore {
        /// Which version comes back.
        version: u64,
    },
    /// `CONFLICT_RESOLVED`
    Resolve {
        /// Which conflict.
        conflict: Arc<str>,
        /// How it ends.
        resolution: Resolution,
    },
    /// A backend speaks.
    Say {
        /// The event's name.
        event: String,
        /// Its data.
        data: Raw,
    },
}

/// A change of a widget or of the layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// `WIDGET_UPDATE`
    Update {
        /// Which widget.
        widget: Arc<str>,
        /// The version that was seen.
        base: Option<u64>,
        /// What becomes of its fields.
        changes: Changes,
    },
    /// `WIDGET_DELETE`
    Delete {
        /// Which widget.
        widget: Arc<str>,
        /// The version that was seen.
        base: Option<u64>,
    },
    /// `LAYOUT_UPDATE`
    Lay {
        /// The version that was seen.
        base: Option<u64>,
        /// The layout from then on.
        value: Raw,
    },
}

/// How a conflict ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// What was asked is done.
    Mine,
    /// What was asked is withdrawn.
    Theirs,
    /// This is the value.
    Merged(Raw),
}

impl Part {
    /// How many bytes it brings.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Update { changes, .. } => changes.bytes(),
            Self::Delete { .. } => 0,
            Self::Lay { value, .. } => value.as_str().len(),
        }
    }
}

/// A dashboard by its id. A user's own bears the user's id as its token spells it.
pub fn board_id(id: &str) -> Result<RoomId, Refusal> {
    match id.strip_prefix(OWN_PREFIX) {
        Some(user) => checked("dashboardId", user).map(|_| RoomId::dashboard(id)),
        None => checked("dashboardId", &composed(id)).map(RoomId::dashboard),
    }
}

/// An id of a client's.
pub fn checked<'a>(what: &str, id: &'a str) -> Result<&'a str, Refusal> {
    if id.len() > ID_BYTES_MAX {
        return Err(Refusal::too_large(what, id.len(), ID_BYTES_MAX));
    }
    match id.is_empty() || id.chars().any(char::is_control) {
        true => Err(Refusal::new(Code::ClientError, format!("{what} is empty or has control characters"))),
        false => Ok(id),
    }
}
