//! The rows beside the logs, and what makes each of them unique.

use crate::auth::UserType;
use crate::ids::{
    DocumentId, EntryId, EscalationId, FileId, FirmId, RoomId, Seq, SessionId, TemplateId, UserId,
};
use crate::time::Timestamp;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// How many bytes a piece of a file has at most. It delays those that are stored together with it by no more
/// than a page of entries would.
pub const FILE_PART_BYTES_MAX: usize = 256 * 1024;

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
    /// How far a user has read in a room. What is put never takes it back: the larger place stays.
    Cursor(CursorRow),
    /// A file in a room. Its pieces are stored before it.
    File(FileRow),
    /// A piece of a file.
    FilePart(FilePartRow),
    /// A robot's reply that is awaited.
    Prompt(PromptRow),
    /// A room's escalation to the supervisors.
    Escalation(EscalationRow),
    /// A named place in the order in which entries were appended.
    Mark(MarkRow),
    /// A piece of what a room's log was folded to.
    SnapshotPart(SnapshotPartRow),
}

impl Row {
    /// The escalation, if it is one.
    pub fn escalation(self) -> Option<EscalationRow> {
        if let Self::Escalation(row) = self { Some(row) } else { None }
    }
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
    /// A user's cursor in a room.
    Cursor(RoomId, UserId),
    /// A file; with it go its pieces.
    File(FileId),
    /// A piece of a file.
    FilePart(FileId, u32),
    /// An awaited reply, by its room and id.
    Prompt(RoomId, EntryId),
    /// An escalation.
    Escalation(EscalationId),
    /// A mark, by its name.
    Mark(String),
    /// A piece of a snapshot.
    SnapshotPart(RoomId, Seq, u32),
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

/// How far a user has read in a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorRow {
    /// The room.
    pub room: RoomId,
    /// Who has read.
    pub user: UserId,
    /// The last entry that was read.
    pub seq: Seq,
}

/// A file in a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRow {
    /// Which.
    pub id: FileId,
    /// In which room.
    pub room: RoomId,
    /// Who brought it.
    pub user: UserId,
    /// Its name, for people.
    pub name: String,
    /// What is in it.
    pub mime_type: String,
    /// Its length in bytes.
    pub size: u64,
    /// When it was complete.
    pub created_at: Timestamp,
}

/// A piece of a file. Each is stored by a commit of its own: what is committed together with it, by whomever,
/// waits until all of it is on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePartRow {
    /// Of which file.
    pub file: FileId,
    /// Its place in the file: 0, 1, 2 …
    pub part: u32,
    /// At most `FILE_PART_BYTES_MAX`.
    pub bytes: Bytes,
}

/// A robot's reply that is awaited. It is removed by the commit that stores the reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptRow {
    /// In which room.
    pub room: RoomId,
    /// An entry's id, unique in its room among the replies that are awaited.
    pub id: EntryId,
    /// Who asked.
    pub user: UserId,
    /// Since when it is awaited.
    pub since: Timestamp,
    /// How often the robot was asked.
    pub tries: u32,
}

/// A room's escalation to the supervisors of a firm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EscalationRow {
    /// Which.
    pub id: EscalationId,
    /// Which room is escalated.
    pub room: RoomId,
    /// To whose supervisors.
    pub firm: FirmId,
    /// Who escalated it.
    pub by: UserId,
    /// Why.
    pub reason: String,
    /// When.
    pub created_at: Timestamp,
    /// Its place in the supervisors' log; 0: they were not told yet.
    pub announced: Seq,
    /// Whether it is dealt with.
    pub resolved: bool,
}

/// A named place in the order in which entries were appended, for whoever reads all logs as one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkRow {
    /// Whose.
    pub name: String,
    /// The place, as `Query::Appended` counts them.
    pub place: u64,
}

/// What a room's log was folded to, up to a place in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The last entry that is in it.
    pub seq: Seq,
    /// What it is, in the app's own spelling.
    pub state: Bytes,
}

/// A piece of a snapshot, stored by a commit of its own as those of files are. With its last piece a snapshot is
/// whole, and takes the place of the one before unless that reaches further; the log stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotPartRow {
    /// Of which room.
    pub room: RoomId,
    /// Up to which entry.
    pub seq: Seq,
    /// Its place in the snapshot: 0, 1, 2 …
    pub part: u32,
    /// How many pieces there are.
    pub parts: u32,
    /// At most `FILE_PART_BYTES_MAX`.
    pub bytes: Bytes,
}
