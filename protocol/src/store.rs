//! What the core asks of the store, and what the store answers. The store is a log per room and rows around
//! the logs; a commit over several of both is atomic.

use crate::auth::UserType;
use crate::ids::{DocumentId, EntryId, FirmId, RoomId, RoomKind, Seq, SessionId, TemplateId, UserId};
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
    /// Rows that fit: `Found`.
    Look(Query),
}

/// The bytes of bodies after which a page of entries ends, however many were asked for.
pub const PAGE_BYTES_MAX: usize = 256 * 1024;

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
    /// Nothing was stored: another row has the key already.
    Taken(RowKey),
    /// The room; `None` when neither a row nor an entry of it exists.
    Loaded(Option<Box<RoomRecord>>),
    /// Entries, oldest first, and where the log ends.
    Entries {
        /// The entries.
        entries: Vec<Entry>,
        /// Where the log ends.
        head: Seq,
    },
    /// Where each log ends, in the order of the request; 0 for a room without one.
    Heads(Vec<(RoomId, Seq)>),
    /// The rows, in the order of their ids.
    Found(Vec<Row>),
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
    /// Where its log ends.
    pub head: Seq,
    /// The end of the log, oldest first: at most `TAIL_ENTRIES_MAX` and `TAIL_BYTES_MAX`, one entry at least.
    pub tail: Vec<Entry>,
}

/// How a row is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A row that must not exist yet: else `Taken`. A room begins without what may be left under its id, members
    /// and log, before anything else of its commit is stored.
    Insert(Row),
    /// A row as it is from now on, whether it existed or not.
    Put(Row),
    /// A row that is no more; nothing happens if there was none. With a room go its members and its log.
    Remove(RowKey),
}

/// A row beside the logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Row {
    /// A room in the directory.
    Room(RoomRow),
    /// A member of a room.
    Member(MemberRow),
    /// A document template.
    Template(TemplateRow),
    /// A document session. Only one `Open` may exist for a firm, user and template.
    Session(SessionRow),
    /// A generated document.
    Document(DocumentRow),
}

/// What makes a row unique.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowKey {
    /// A room.
    Room(RoomId),
    /// A user in a room.
    Member(RoomId, UserId),
    /// A template.
    Template(TemplateId),
    /// A session by its id, or the one open session of its firm, user and template.
    Session(SessionId),
    /// A document.
    Document(DocumentId),
}

/// Who may come into a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// All of the firm but guests.
    Public,
    /// Members only.
    Private,
}

/// A room in the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomRow {
    /// Which.
    pub id: RoomId,
    /// Its name, for people.
    pub name: String,
    /// Whose it is.
    pub firm: FirmId,
    /// Who may come in.
    pub visibility: Visibility,
}

/// A member of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRow {
    /// The room.
    pub room: RoomId,
    /// The user.
    pub user: UserId,
    /// What the member may do there; the app's own word.
    pub role: String,
    /// The name that others see, as it was last known.
    pub name: Option<String>,
    /// What kind of user it is, as it was last known.
    pub user_type: UserType,
}

/// A document template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateRow {
    /// Which.
    pub id: TemplateId,
    /// Its name, for people.
    pub name: String,
    /// Whose it is; `None`: everyone's.
    pub firm: Option<FirmId>,
    /// The questions, in order.
    pub questions: Vec<Question>,
    /// The document in Markdown with `{{key}}` where answers go.
    pub body: String,
}

/// One question of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Names the answer in the template's body.
    pub key: String,
    /// What is asked.
    pub question: String,
    /// More to say about it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub help: Option<String>,
    /// Whether an empty answer is refused.
    #[serde(default = "required")]
    pub required: bool,
}

fn required() -> bool {
    true
}

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Incomplete, and the one to be resumed.
    Open,
    /// Its document is made.
    Complete,
    /// Given up for a fresh one.
    Abandoned,
}

/// A document session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Which.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// The user's firm.
    pub firm: FirmId,
    /// Through which template.
    pub template: TemplateId,
    /// How far it is.
    pub state: SessionState,
    /// Since when an AI reply is awaited, if one is.
    pub awaiting_since: Option<Timestamp>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When something last happened in it.
    pub touched_at: Timestamp,
}

/// A generated document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentRow {
    /// Which.
    pub id: DocumentId,
    /// From which session.
    pub session: SessionId,
    /// Whose.
    pub user: UserId,
    /// The user's firm.
    pub firm: FirmId,
    /// From which template.
    pub template: TemplateId,
    /// The template's name then.
    pub template_name: String,
    /// Its title.
    pub title: String,
    /// The document; `None` when the AI service keeps it.
    pub markdown: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Which rows are looked for. At most `FOUND_ROWS_MAX` of a kind are found, and `ROOM_MEMBERS_MAX` members of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Query {
    /// The template.
    Template(TemplateId),
    /// The templates of a firm and everyone's; `None`: all there are. Their bodies are empty here: a list of whole
    /// ones could be a gigabyte.
    Templates(Option<FirmId>),
    /// The room's row in the directory.
    Room(RoomId),
    /// The rooms of a kind.
    Rooms(RoomKind),
    /// The rooms of a kind and firm: public ones and those the user is a member of, or all of them; first all
    /// `Room` rows, then the user's own `Member` rows.
    RoomsOf {
        /// All of them, private ones too.
        all: bool,
        /// Of this kind.
        kind: RoomKind,
        /// Of this firm.
        firm: FirmId,
        /// For this user.
        user: UserId,
    },
    /// The members of a room.
    Members(RoomId),
    /// The session.
    Session(SessionId),
    /// The one open session of a firm, user and template.
    OpenSession {
        /// Of this firm.
        firm: FirmId,
        /// Of this user.
        user: UserId,
        /// Through this template.
        template: TemplateId,
    },
    /// Open sessions that have awaited an AI reply since before this, the longest first.
    Overdue {
        /// Since before.
        before: Timestamp,
        /// At most so many.
        max: u32,
    },
    /// The document.
    Document(DocumentId),
    /// A user's documents, the newest first, without their text.
    Documents {
        /// The user's firm.
        firm: FirmId,
        /// The user.
        user: UserId,
    },
}

/// How many rows of a kind one look finds at the most.
pub const FOUND_ROWS_MAX: usize = 1_000;
