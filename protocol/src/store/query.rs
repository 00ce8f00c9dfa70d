//! What can be looked for in the store.

use crate::ids::{
    DocumentId, EntryId, EscalationId, FileId, FirmId, RoomId, RoomKind, SessionId, TemplateId, UserId,
};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which rows are looked for: `Found`, but for `Appended`, `Entry` and `Outdated`. At most `FOUND_ROWS_MAX` of a kind are found,
/// `ROOM_MEMBERS_MAX` members of a room, and `FOUND_PARTS_MAX` pieces of a file.
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
    /// Sessions that are not complete, await no reply, were not touched since before this, and in whose logs nothing
    /// was said since; by their ids.
    IdleSessions {
        /// Since before.
        before: Timestamp,
        /// Those after this one.
        after: Option<SessionId>,
        /// At most so many.
        max: u32,
    },
    /// The rooms of a kind that keep entries from before this, by their names: `Heads`, each with the last entry
    /// that it does not keep any more.
    Outdated {
        /// Of this kind.
        kind: RoomKind,
        /// From before.
        before: Timestamp,
        /// Those after the one with this name.
        after: Option<Arc<str>>,
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
    /// The file.
    File(FileId),
    /// The pieces of a file, in order.
    FileParts {
        /// Which file.
        file: FileId,
        /// From this piece on.
        from: u32,
        /// At most so many.
        max: u32,
    },
    /// Files of which there are only pieces, all of them stored before this, as an upload leaves them that is cut
    /// off: for each a `FilePart` 0 without bytes, the longest forsaken first.
    OrphanFiles {
        /// Before this.
        before: Timestamp,
        /// At most so many.
        max: u32,
    },
    /// Replies that have been awaited since before this, the longest first.
    OverduePrompts {
        /// Since before.
        before: Timestamp,
        /// At most so many.
        max: u32,
    },
    /// The escalation.
    Escalation(EscalationId),
    /// The escalations to a firm's supervisors that are not dealt with, the oldest first.
    OpenEscalations {
        /// The firm.
        firm: FirmId,
    },
    /// The entry that stands in a room's log under this author and id, if one does: `Entries`.
    Entry {
        /// In which room.
        room: RoomId,
        /// Whose.
        author: UserId,
        /// Its id.
        id: EntryId,
    },
    /// The mark with this name.
    Mark(String),
    /// The entries of all logs in the one order in which they were appended, those after a place, oldest first, at
    /// most `max` and about `PAGE_BYTES_MAX`: `Appended`. No entry ever comes in before one that was read.
    Appended {
        /// After this place.
        after: u64,
        /// At most so many.
        max: u32,
    },
}

/// How many rows of a kind one look finds at the most.
pub const FOUND_ROWS_MAX: usize = 1_000;
/// How many pieces of a file one look finds at the most.
pub const FOUND_PARTS_MAX: usize = 64;
