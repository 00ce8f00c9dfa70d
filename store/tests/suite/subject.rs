//! The stores under test, and short ways to say what is asked of them.

use parlor_protocol::auth::UserType;
use parlor_protocol::ids::{RoomId, Seq, Ticket};
use parlor_protocol::store::*;
use parlor_protocol::time::Timestamp;
use parlor_store::{Durability, ModelStore, Reader, SqliteStore};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub trait Subject {
    fn answer(&mut self, now: u64, request: &StoreRequest) -> StoreReply;

    fn commit(&mut self, now: u64, appends: Vec<Append>, rows: Vec<Change>) -> StoreReply {
        self.answer(now, &StoreRequest::Commit { appends, rows })
    }

    fn append(&mut self, now: u64, append: Append) -> StoreReply {
        self.commit(now, vec![append], vec![])
    }

    fn write(&mut self, rows: Vec<Change>) -> StoreReply {
        self.commit(0, vec![], rows)
    }

    fn load(&mut self, room: &RoomId) -> Option<RoomRecord> {
        match self.answer(0, &StoreRequest::Load { room: room.clone() }) {
            StoreReply::Loaded(record) => record.map(|record| *record),
            other => panic!("{other:?}"),
        }
    }

    fn read(&mut self, room: &RoomId, after: u64, max: u32) -> (Vec<Entry>, u64) {
        page(self.answer(0, &StoreRequest::Read { room: room.clone(), after: Seq(after), max }))
    }

    fn before(&mut self, room: &RoomId, before: u64, max: u32) -> (Vec<Entry>, u64) {
        page(self.answer(0, &StoreRequest::Before { room: room.clone(), before: Seq(before), max }))
    }

    fn appended(&mut self, after: u64, max: u32) -> (Vec<(u64, Entry)>, u64) {
        match self.answer(0, &StoreRequest::Look(Query::Appended { after, max })) {
            StoreReply::Appended { entries, end } => (entries, end),
            other => panic!("{other:?}"),
        }
    }

    fn look(&mut self, query: Query) -> Vec<Row> {
        match self.answer(0, &StoreRequest::Look(query)) {
            StoreReply::Found(rows) => rows,
            other => panic!("{other:?}"),
        }
    }
}

pub fn page(reply: StoreReply) -> (Vec<Entry>, u64) {
    match reply {
        StoreReply::Entries { entries, head } => (entries, head.0),
        other => panic!("{other:?}"),
    }
}

impl Subject for ModelStore {
    fn answer(&mut self, now: u64, request: &StoreRequest) -> StoreReply {
        ModelStore::answer(self, Timestamp(now), request)
    }
}

/// A database in a folder of its own. What only reads is asked of the writer and of a reader.
pub struct Sqlite {
    opened: Option<(SqliteStore, Reader)>,
    path: PathBuf,
    _folder: TempDir,
}

impl Sqlite {
    pub fn new() -> Self {
        Self::made(|_| {})
    }

    /// One in a database that was there before.
    pub fn made(make: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parlor.db");
        make(&path);
        let mut sqlite = Self { opened: None, path, _folder: folder };
        sqlite.open();
        sqlite
    }

    fn open(&mut self) {
        let store = SqliteStore::open(&self.path, Durability::Process).unwrap();
        let reader = store.reader().unwrap();
        self.opened = Some((store, reader));
    }

    pub fn close_and_open(&mut self) {
        self.opened.take().unwrap().0.close().unwrap();
        self.open();
    }

    pub fn drop_and_open(&mut self) {
        self.opened = None;
        self.open();
    }

    pub fn group(&mut self, now: u64, requests: &[StoreRequest]) -> Vec<StoreReply> {
        let tickets = (0..).map(|slot| Ticket { slot, generation: 7 });
        let group: Vec<_> = tickets.zip(requests.iter().cloned()).collect();
        let expected: Vec<_> = group.iter().map(|(ticket, _)| *ticket).collect();
        let answers = self.opened.as_mut().unwrap().0.commit(Timestamp(now), group).unwrap();
        let (tickets, replies): (Vec<_>, Vec<_>) = answers.into_iter().unzip();
        assert_eq!(tickets, expected, "every ticket is answered once, in order");
        replies
    }
}

impl Subject for Sqlite {
    fn answer(&mut self, now: u64, request: &StoreRequest) -> StoreReply {
        let reply = self.group(now, std::slice::from_ref(request)).remove(0);
        let reader = &mut self.opened.as_mut().unwrap().1;
        let read = reader.answer(request);
        match request {
            StoreRequest::Commit { .. } => {
                assert_eq!(read, StoreReply::Unavailable, "a reader stores nothing")
            }
            StoreRequest::Load { .. }
            | StoreRequest::Read { .. }
            | StoreRequest::Before { .. }
            | StoreRequest::Heads(_)
            | StoreRequest::Look(_) => assert_eq!(read, reply, "a reader answers like the writer"),
        }
        reply
    }
}

/// Every law is a test for each store.
macro_rules! laws {
    ($($law:ident)*) => {
        mod model {
            $(#[test] fn $law() { super::$law(&mut parlor_store::ModelStore::default()) })*
        }
        mod sqlite {
            $(#[test] fn $law() { super::$law(&mut crate::subject::Sqlite::new()) })*
        }
    };
}
pub(crate) use laws;

pub fn chat(name: &str) -> RoomId {
    RoomId::chat(name)
}

pub fn new(author: &str, id: &str, body: &str) -> NewEntry {
    NewEntry { id: id.into(), author: author.into(), body: body.to_owned().into() }
}

pub fn to(room: &str, entries: impl Into<Vec<NewEntry>>) -> Append {
    Append { room: chat(room), expect: None, entries: entries.into() }
}

pub fn at_head(room: &str, head: u64, entries: impl Into<Vec<NewEntry>>) -> Append {
    Append { expect: Some(Seq(head)), ..to(room, entries) }
}

pub fn entry(room: &str, seq: u64, at: u64, new: NewEntry) -> Entry {
    let NewEntry { id, author, body } = new;
    Entry { room: chat(room), seq: Seq(seq), id, author, at: Timestamp(at), body }
}

pub fn committed() -> StoreReply {
    StoreReply::Committed(vec![])
}

pub fn room_row(id: &str, firm: &str, visibility: Visibility) -> RoomRow {
    RoomRow { id: chat(id), name: format!("Room {id}"), firm: firm.into(), visibility }
}

pub fn member_row(room: &str, user: &str, role: &str) -> MemberRow {
    MemberRow {
        room: chat(room),
        user: user.into(),
        role: role.into(),
        name: None,
        user_type: UserType::Employee,
    }
}

pub fn template_row(id: &str, firm: Option<&str>) -> TemplateRow {
    TemplateRow {
        id: id.into(),
        name: format!("Template {id}"),
        firm: firm.map(Into::into),
        questions: vec![Question {
            key: "who".into(),
            question: "Who?".into(),
            help: Some("A name".into()),
            required: false,
        }],
        body: "Dear {{who}}".into(),
    }
}

pub fn session_row(id: &str, state: SessionState, awaiting_since: Option<u64>) -> SessionRow {
    SessionRow {
        id: id.into(),
        user: "ann".into(),
        firm: "firm".into(),
        template: "letter".into(),
        state,
        awaiting_since: awaiting_since.map(Timestamp),
        created_at: Timestamp(1),
        touched_at: Timestamp(2),
    }
}

pub fn document_row(id: &str, user: &str, created_at: u64) -> DocumentRow {
    DocumentRow {
        id: id.into(),
        session: "s".into(),
        user: user.into(),
        firm: "firm".into(),
        template: "letter".into(),
        template_name: "A letter".into(),
        title: "To Bob".into(),
        markdown: Some("# Bob".into()),
        created_at: Timestamp(created_at),
    }
}

pub fn cursor_row(room: &str, user: &str, seq: u64) -> CursorRow {
    CursorRow { room: chat(room), user: user.into(), seq: Seq(seq) }
}

pub fn file_row(id: &str, room: &str) -> FileRow {
    FileRow {
        id: id.into(),
        room: chat(room),
        user: "ann".into(),
        name: "offer.pdf".into(),
        mime_type: "application/pdf".into(),
        size: 600_000,
        created_at: Timestamp(7),
    }
}

pub fn part_row(file: &str, part: u32, bytes: &str) -> FilePartRow {
    FilePartRow { file: file.into(), part, bytes: bytes.to_owned().into() }
}

pub fn prompt_row(room: &str, id: &str, since: u64) -> PromptRow {
    PromptRow { room: chat(room), id: id.into(), user: "ann".into(), since: Timestamp(since), tries: 1 }
}

pub fn escalation_row(id: &str, room: &str, created_at: u64) -> EscalationRow {
    EscalationRow {
        id: id.into(),
        room: chat(room),
        firm: "firm".into(),
        by: "ann".into(),
        reason: "Somebody is rude".into(),
        created_at: Timestamp(created_at),
        announced: Seq::ZERO,
        resolved: false,
    }
}
