//! A database as an older program left it, brought up to date.

use crate::subject::*;
use parlor_protocol::ids::RoomId;
use parlor_protocol::store::*;
use parlor_protocol::time::Timestamp;
use parlor_store::{Durability, SqliteStore};
use rusqlite::Connection;
use std::path::Path;

const VERSION_1: &str = include_str!("../../src/sqlite/migrations/0001_rooms_and_documents.sql");

/// What the program of version 1 wrote, in a room, a document session and a room that is called like it.
const CONTENT: &str = "
    PRAGMA journal_mode = wal;
    PRAGMA application_id = 0x5061726c;
    PRAGMA user_version = 1;
    INSERT INTO room_logs VALUES (4, 'chat', 'x', 3, 30), (7, 'document', 's', 2, 20), (9, 'chat', 's', 1, 10);
    INSERT INTO room_entries VALUES
        (4, 1, 'ann', '1', 10, x'61'), (4, 2, 'bob', '1', 20, x'62'), (4, 3, 'ann', '2', 30, x''),
        (7, 1, 'ann', '1', 5, x'64'), (7, 2, 'ann', '2', 20, x'65'), (9, 1, 'cid', '1', 10, x'66');
    INSERT INTO rooms VALUES ('chat', 'x', 'Room x', 'firm', 'private');
    INSERT INTO room_members VALUES ('chat', 'x', 'ann', 'editor', NULL, 'employee');
    INSERT INTO document_templates VALUES ('t', 'Template t', NULL, '[]', 'Dear');
    INSERT INTO chat_sessions VALUES ('s', 'ann', 'firm', 'letter', 'open', 3, 1, 2);
    INSERT INTO generated_documents VALUES
        ('d', 's', 'ann', 'firm', 'letter', 'A letter', 'To Bob', '# Bob', 4);
";

fn make(path: &Path, content: &str) {
    let old = Connection::open(path).unwrap();
    old.execute_batch(VERSION_1).unwrap();
    old.execute_batch(content).unwrap();
    old.close().unwrap();
}

#[test]
fn a_database_of_version_1_keeps_everything_and_its_entries_are_put_in_order() {
    let mut sqlite = Sqlite::made(|path| make(path, CONTENT));
    let (session, twin) = (RoomId::document(&"s".into()), chat("s"));
    let of_session = |seq, at, new| Entry { room: session.clone(), ..entry("s", seq, at, new) };
    let x = vec![
        entry("x", 1, 10, new("ann", "1", "a")),
        entry("x", 2, 20, new("bob", "1", "b")),
        entry("x", 3, 30, new("ann", "2", "")),
    ];
    let s = vec![of_session(1, 5, new("ann", "1", "d")), of_session(2, 20, new("ann", "2", "e"))];
    let f = entry("s", 1, 10, new("cid", "1", "f"));
    assert_eq!(sqlite.read(&chat("x"), 0, 9), (x.clone(), 3));
    assert_eq!(sqlite.read(&session, 0, 9), (s.clone(), 2));
    assert_eq!(sqlite.read(&twin, 0, 9), (vec![f.clone()], 1));
    let record = sqlite.load(&chat("x")).unwrap();
    assert_eq!(record.room, Some(room_row("x", "firm", Visibility::Private)));
    assert_eq!((record.members, record.cursors), (vec![member_row("x", "ann", "editor")], vec![]));
    let template = TemplateRow { questions: vec![], body: "Dear".into(), ..template_row("t", None) };
    assert_eq!(sqlite.look(Query::Template("t".into())), [Row::Template(template)]);
    let open = session_row("s", SessionState::Open, Some(3));
    assert_eq!(sqlite.look(Query::Session("s".into())), [Row::Session(open)]);
    assert_eq!(sqlite.look(Query::Document("d".into())), [Row::Document(document_row("d", "ann", 4))]);

    let in_order = [&s[0], &x[0], &f, &x[1], &s[1], &x[2]];
    let mut all: Vec<_> = (1..).zip(in_order.into_iter().cloned()).collect();
    assert_eq!(sqlite.appended(0, 9), (all.clone(), 6));
    let next = new("ann", "3", "g");
    sqlite.append(25, to("x", [new("ann", "1", "again"), next.clone()]));
    all.push((7, entry("x", 4, 30, next)));
    assert_eq!(sqlite.appended(0, 9), (all.clone(), 7));
    sqlite.close_and_open();
    assert_eq!(sqlite.appended(0, 9), (all, 7));
}

#[test]
fn an_empty_database_of_version_1_is_brought_up_to_date() {
    let content = "PRAGMA application_id = 0x5061726c; PRAGMA user_version = 1;";
    let mut sqlite = Sqlite::made(|path| make(path, content));
    assert_eq!(sqlite.appended(0, 9), (vec![], 0));
    sqlite.append(1, to("x", [new("ann", "1", "a")]));
    assert_eq!(sqlite.appended(0, 9), (vec![(1, entry("x", 1, 1, new("ann", "1", "a")))], 1));
}

#[test]
fn a_migration_that_fails_leaves_the_database_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("parlor.db");
    make(&path, &format!("{CONTENT} CREATE TABLE file_uploads (mine TEXT);"));
    let refused = SqliteStore::open(&path, Durability::Process).unwrap_err().to_string();
    assert!(refused.contains("table file_uploads already exists"), "{refused}");
    Connection::open(&path).unwrap().execute_batch("DROP TABLE file_uploads").unwrap();
    let mut store = SqliteStore::open(&path, Durability::Process).unwrap();
    let request = StoreRequest::Look(Query::Appended { after: 0, max: 0 });
    let ticket = parlor_protocol::ids::Ticket { slot: 0, generation: 0 };
    let replies = store.commit(Timestamp(1), vec![(ticket, request)]).unwrap();
    assert_eq!(replies, [(ticket, StoreReply::Appended { entries: vec![], end: 6 })]);
}
