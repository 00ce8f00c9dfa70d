//! What the core asks of the store, and what the store answers. The store is a log per room and rows around
//! the logs; a commit over several of both is atomic.

mod query;
mod rows;

pub use query::{FOUND_PARTS_MAX, FOUND_ROWS_MAX, Query};
pub use rows::{
    CursorRow, DocumentRow, EscalationRow, FILE_PART_BYTES_MAX, FilePartRow, FileRow, MarkRow, MemberRow,
    PromptRow, Question, RoomRow, Row, RowKey, SessionRow, SessionState, Snapshot, SnapshotPartRow,
    TemplateRow, Visibility,
};

use crate::ids::{EntryId, RoomId, Seq, UserId};
use crate::time::Timestamp;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long the core waits for an answer, of the store as of anybody, before it goes on as if the outcome were
/// unknown. Longer than a call takes, which ends by itself.
pub const ANSWER_WAIT_MAX: Duration = Duration::from_secs(45);
/// How many entries at the end of a log are handed over with a room.
pub const TAIL_ENTRIES_MAX: usize = 128;
/// How many bytes of bodies at the end of a log are handed over with a room.
pub const TAIL_BYTES_MAX: usize = 64 * 1024;
/// How many members a room may have.
pub const ROOM_MEMBERS_MAX: usize = 10_000;

/// One entry of a room's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The room.
    pub room: RoomId,
    /// Its place in the log.
    pub seq: Seq,
    /// Its own id, unique together with room and author.
    pub id: EntryId,
    /// Who said it.
    pub author: UserId,
    /// When the store took it in; never goes back within a room.
    pub at: Timestamp,
    /// What was said, in the app's own spelling.
    pub body: Bytes,
}

/// What is to become an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewEntry {
    /// Its own id, unique together with room and author.
    pub id: EntryId,
    /// Who says it.
    pub author: UserId,
    /// What is said.
    pub body: Bytes,
}

/// Entries for the end of one room's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Append {
    /// The room.
    pub room: RoomId,
    /// When given: nothing is stored unless the log ends exactly here. Not looked at for entries that stand
    /// in the log already.
    pub expect: Option<Seq>,
    /// In this order. An entry whose id its author used before in this room is not stored again.
    pub entries: Vec<NewEntry>,
}

/// What the store can be asked. Every request has exactly one reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoreRequest {
    /// Store all of it or nothing: `Committed`, `Stale`, `Taken`, `Unavailable`, `Unknown`. When all its
    /// entries (one at least) were stored before, the rows were stored with them and are left alone.
    Commit {
        /// At most one for each room.
        appends: Vec<Append>,
        /// Written in order.
        rows: Vec<Change>,
    },
    /// A room with its members and the end of its log: `Loaded`.
    Load {
        /// Which.
        room: RoomId,
    },
    /// The entries after a place, oldest first, at most `max` and about `PAGE_BYTES_MAX`: `Entries`.
    Read {
        /// Of which room.
        room: RoomId,
        /// After this place.
        after: Seq,
        /// At most so many.
        max: u32,
    },
    /// The newest entries before a place, oldest first, at most `max` and about `PAGE_BYTES_MAX`: `Entries`.
    Before {
        /// Of which room.
        room: RoomId,
        /// Before this place.
        before: Seq,
        /// At most so many.
        max: u32,
    },
    /// Where the logs of these rooms end: `Heads`.
    Heads(Vec<RoomId>),
    /// Rows that fit: `Found`; the entries of all logs as one: `Appended`; or an entry by its id: `Entries`.
    Look(Query),
}

/// The bytes of bodies after which a page of entries ends, however many were asked for. On the wire some are written
/// twice over, and a page still has to fit into what `room::Pacing` leaves it of an outbox.
pub const PAGE_BYTES_MAX: usize = 128 * 1024;

/// What the store answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum StoreReply {
    /// Stored, durably: the entries in the order of the request; for a repeated id the entry that stands in the log.
    Committed(Vec<Entry>),
    /// Nothing was stored: the room's log does not end where it was expected to.
    Stale {
        /// The room.
        room: RoomId,
        /// Where its log ends.
        head: Seq,
    },
    /// Nothing was stored: another row has the key already, or the room is another firm's.
    Taken(RowKey),
    /// The room; `None` when it has no row in the directory, no member and no entry.
    Loaded(Option<Box<RoomRecord>>),
    /// Entries, oldest first, and where the log ends.
    Entries {
        /// The entries.
        entries: Vec<Entry>,
        /// Where the log ends.
        head: Seq,
    },
    /// A place in each log: where it ends, in the order of the request, 0 for a room without one; or what
    /// `Query::Outdated` says.
    Heads(Vec<(RoomId, Seq)>),
    /// The rows, in the order of their ids.
    Found(Vec<Row>),
    /// Entries of all logs, each with its place in the order in which they were appended. Places grow from entry
    /// to entry, by more than one where entries went with their room.
    Appended {
        /// The entries, oldest first.
        entries: Vec<(u64, Entry)>,
        /// The last place that was given to an entry, whether that entry still stands or not.
        end: u64,
    },
    /// Surely not stored, or not to be read now.
    Unavailable,
    /// Perhaps stored: ask again with the same ids.
    Unknown,
}

/// A room as it is handed over when it is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomRecord {
    /// Which.
    pub id: RoomId,
    /// Its row in the directory; document sessions have none.
    pub room: Option<RoomRow>,
    /// Its members, ordered by user.
    pub members: Vec<MemberRow>,
    /// How far users have read, members or not, ordered by user: at most `ROOM_MEMBERS_MAX`.
    pub cursors: Vec<(UserId, Seq)>,
    /// Where its log ends.
    pub head: Seq,
    /// The last entry that is not kept any more; 0: all are.
    pub kept_after: Seq,
    /// The end of the log, oldest first: at most `TAIL_ENTRIES_MAX` and `TAIL_BYTES_MAX`, one entry at least if one is
    /// kept.
    pub tail: Vec<Entry>,
    /// What the log was folded to last, where its app keeps such.
    pub snapshot: Option<Snapshot>,
}

impl RoomRecord {
    /// A room of which nothing is in the store but perhaps these rows.
    pub fn begun(id: RoomId, room: Option<RoomRow>, members: Vec<MemberRow>) -> Self {
        let (cursors, tail) = (Vec::new(), Vec::new());
        Self { id, room, members, cursors, head: Seq::ZERO, kept_after: Seq::ZERO, tail, snapshot: None }
    }
}

/// How a row is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A row that must not exist yet: else `Taken`. A room begins without what may be left under its id, all that
    /// goes with a room, before anything else of its commit is stored.
    Insert(Row),
    /// A row as it is from now on, whether it existed or not. A room that exists never goes to another firm: `Taken`.
    Put(Row),
    /// A row that is no more; nothing happens if there was none. With a room go its log, its members, cursors,
    /// prompts and escalations, its snapshot, and its files with their pieces.
    Remove(RowKey),
    /// The entries of a room's log up to a place are kept no more, and their ids are free. The log goes on counting
    /// where it was.
    Trim {
        /// The room.
        room: RoomId,
        /// Up to this place.
        upto: Seq,
    },
}
