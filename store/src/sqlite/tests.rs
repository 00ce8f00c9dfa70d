//! Faults that only the writer's own connection can be brought to.

#![allow(clippy::wildcard_enum_match_arm, reason = "what is not expected fails the test")]

use super::*;
use parlor_protocol::ids::{FirmId, RoomId, RoomKind, Seq, Ticket, UserId};
use parlor_protocol::store::{Append, NewEntry, Query, StoreReply, StoreRequest};
use parlor_protocol::time::Timestamp;
use rusqlite::StatementStatus;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use std::fs;
use std::sync::mpsc;
use tempfile::TempDir;

fn fresh() -> (TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("parlor.db"), Durability::PowerLoss).unwrap();
    (folder, store)
}

fn message(id: u64, bytes: usize) -> StoreRequest {
    let entry = NewEntry { id: id.to_string().into(), author: "ann".into(), body: vec![b'a'; bytes].into() };
    let append = Append { room: RoomId::chat("x"), expect: None, entries: vec![entry] };
    StoreRequest::Commit { appends: vec![append], rows: vec![] }
}

fn load() -> StoreRequest {
    StoreRequest::Load { room: RoomId::chat("x") }
}

/// What each request of the group came to: the place of its entry, or what was said in its place.
fn places(store: &mut SqliteStore, group: Vec<StoreRequest>) -> Vec<Result<u64, StoreReply>> {
    let tickets = (0..).map(|slot| Ticket { slot, generation: 0 });
    let answers = store.commit(Timestamp(1), tickets.zip(group).collect()).unwrap();
    let place = |(_, reply)| match reply {
        StoreReply::Committed(entries) => Ok(entries[0].seq.0),
        other => Err(other),
    };
    answers.into_iter().map(place).collect()
}

fn head(store: &SqliteStore) -> Seq {
    match store.reader().unwrap().answer(&load()) {
        StoreReply::Loaded(Some(record)) => record.head,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_disk_refuses_the_whole_group_and_recovers_by_itself() {
    let (folder, mut store) = fresh();
    assert_eq!(places(&mut store, vec![message(1, 10), message(2, 10)]), [Ok(1), Ok(2)]);
    let pages: i64 = store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let limit = |store: &SqliteStore, pages: i64| {
        store.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
    };
    limit(&store, pages + 2);
    let refused = || Err(StoreReply::Unavailable);
    assert_eq!(
        places(&mut store, vec![message(3, 10), message(4, 50_000), load(), message(5, 10)]),
        [refused(), refused(), refused(), refused()]
    );
    assert_eq!(head(&store), Seq(2));
    assert_eq!(places(&mut store, vec![message(3, 10)]), [Ok(3)], "what fits is stored");
    limit(&store, i64::from(u32::MAX) - 1);
    assert_eq!(places(&mut store, vec![message(4, 50_000), message(1, 10)]), [Ok(4), Ok(1)]);
    let path = folder.path().join("parlor.db");
    drop(store);
    assert_eq!(head(&SqliteStore::open(&path, Durability::PowerLoss).unwrap()), Seq(4));
}

#[test]
fn a_locked_database_refuses_the_group_until_it_is_free() {
    let (_folder, mut store) = fresh();
    store.connection.busy_timeout(Duration::ZERO).unwrap();
    let other = Connection::open(&store.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(places(&mut store, vec![message(1, 10)]), [Err(StoreReply::Unavailable)]);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(places(&mut store, vec![message(1, 10)]), [Ok(1)]);
}

#[test]
fn a_commit_that_ends_in_doubt_is_unknown_and_can_be_asked_again() {
    let (_folder, mut store) = fresh();
    store.connection.pragma_update(None, "foreign_keys", true).unwrap();
    store
        .connection
        .execute_batch(
            "CREATE TABLE parent (id INTEGER PRIMARY KEY);
             CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
             CREATE TRIGGER doubt AFTER INSERT ON room_entries BEGIN INSERT INTO child VALUES (1); END;",
        )
        .unwrap();
    assert_eq!(
        places(&mut store, vec![message(1, 10), load()]),
        [Err(StoreReply::Unknown), Err(StoreReply::Unavailable)]
    );
    store.connection.execute_batch("DROP TRIGGER doubt").unwrap();
    assert_eq!(places(&mut store, vec![message(1, 10)]), [Ok(1)]);
}

#[test]
fn the_write_ahead_log_stays_short_while_a_reader_reads() {
    let (folder, mut store) = fresh();
    let mut reader = store.reader().unwrap();
    for round in 0..60 {
        let group: Vec<_> = (0..100).map(|id| message(round * 100 + id, 2_000)).collect();
        assert_eq!(places(&mut store, group).len(), 100);
        assert!(matches!(reader.answer(&load()), StoreReply::Loaded(Some(_))));
    }
    let size = |name: &str| fs::metadata(folder.path().join(name)).unwrap().len();
    assert!(size("parlor.db") > 10_000_000, "{}", size("parlor.db"));
    assert!(size("parlor.db-wal") < 10_000_000, "{}", size("parlor.db-wal"));
}

/// Every question but that for all templates there are, and for the templates of a firm and everyone's, which
/// come in the order of their ids from two places.
fn questions() -> Vec<StoreRequest> {
    let (room, kind) = (RoomId::chat("x"), RoomKind::Chat);
    let (firm, user) = (FirmId::from("firm"), UserId::from("ann"));
    let queries = [
        Query::Template("t".into()),
        Query::Room(room.clone()),
        Query::Rooms(kind),
        Query::RoomsOf { all: false, kind, firm: firm.clone(), user: user.clone() },
        Query::RoomsOf { all: true, kind, firm: firm.clone(), user: user.clone() },
        Query::Members(room.clone()),
        Query::Session("s".into()),
        Query::OpenSession { firm: firm.clone(), user: user.clone(), template: "t".into() },
        Query::Overdue { before: Timestamp(9), max: 9 },
        Query::IdleSessions { before: Timestamp(9), after: None, max: 9 },
        Query::Outdated { kind, before: Timestamp(9), after: None, max: 9 },
        Query::Document("d".into()),
        Query::Documents { firm: firm.clone(), user },
        Query::File("f".into()),
        Query::FileParts { file: "f".into(), from: 0, max: 9 },
        Query::OrphanFiles { before: Timestamp(9), max: 9 },
        Query::OverduePrompts { before: Timestamp(9), max: 9 },
        Query::Escalation("e".into()),
        Query::OpenEscalations { firm },
        Query::Mark("m".into()),
        Query::Appended { after: 1, max: 2 },
        Query::Entry { room: room.clone(), author: "ann".into(), id: "1".into() },
    ];
    let pages = [
        StoreRequest::Load { room: room.clone() },
        StoreRequest::Heads(vec![room.clone()]),
        StoreRequest::Read { room: room.clone(), after: Seq(1), max: 2 },
        StoreRequest::Before { room, before: Seq(3), max: 2 },
    ];
    queries.into_iter().map(StoreRequest::Look).chain(pages).collect()
}

#[test]
fn every_question_is_answered_from_an_index_in_its_order() {
    let (_folder, mut store) = fresh();
    places(&mut store, (0..4).map(|id| message(id, 10)).collect());
    store
        .connection
        .execute_batch(
            "INSERT INTO rooms VALUES ('chat', 'x', '', 'firm', 'private'), ('chat', 'y', '', 'firm', 'public'),
                 ('document', 'z', '', 'firm', 'public');
             INSERT INTO room_members SELECT kind, room, 'ann', '', NULL, 'guest' FROM rooms;
             INSERT INTO chat_sessions VALUES ('s', 'ann', 'firm', 't', 'open', 1, 1, 1),
                 ('u', 'ann', 'firm', 'v', 'open', 2, 1, 1);
             INSERT INTO generated_documents VALUES ('d', 's', 'ann', 'firm', 't', '', '', NULL, 1),
                 ('e', 's', 'ann', 'firm', 't', '', '', NULL, 2);
             INSERT INTO document_templates VALUES ('t', '', NULL, '[]', ''), ('v', '', NULL, '[]', '');
             INSERT INTO room_cursors VALUES ('chat', 'x', 'ann', 1), ('chat', 'x', 'bob', 2);
             INSERT INTO room_prompts VALUES ('chat', 'y', 'p', 'ann', 1, 0), ('chat', 'x', 'q', 'ann', 2, 0);
             INSERT INTO room_escalations VALUES ('e', 'chat', 'x', 'firm', 'ann', '', 2, 0, 0),
                 ('g', 'chat', 'x', 'firm', 'ann', '', 1, 0, 0);
             INSERT INTO room_files VALUES ('f', 'chat', 'x', 'ann', '', '', 1, 1),
                 ('h', 'chat', 'x', '', '', '', 1, 1);
             INSERT INTO file_parts VALUES ('f', 1, x'00'), ('f', 0, x'00'), ('i', 0, x'00'), ('j', 0, x'00');
             INSERT INTO file_uploads VALUES ('i', 2), ('j', 1);
             INSERT INTO marks VALUES ('m', 1), ('n', 1);
             INSERT INTO room_snapshots VALUES ('chat', 'x', 2, 2);
             INSERT INTO snapshot_parts VALUES ('chat', 'x', 2, 1, x'00'), ('chat', 'x', 2, 0, x'00');",
        )
        .unwrap();
    let (costs, cost) = mpsc::channel();
    let traced = move |event: TraceEvent<'_>| {
        if let TraceEvent::Profile(statement, _) = event {
            let steps =
                [StatementStatus::FullscanStep, StatementStatus::Sort].map(|cost| statement.get_status(cost));
            costs.send((statement.sql().into_owned(), steps)).unwrap();
        }
    };
    store.connection.trace_v2(TraceEventCodes::SQLITE_TRACE_PROFILE, Some(traced)).unwrap();
    let mut statements = 0;
    for question in questions() {
        reader::read(&store.connection, &question).unwrap();
        for (sql, [scanned, sorted]) in cost.try_iter() {
            assert_eq!((scanned, sorted), (0, 0), "rows scanned and sorts of {sql}");
            statements += 1;
        }
    }
    assert_eq!(statements, 39);
    reader::read(&store.connection, &StoreRequest::Look(Query::Templates(None))).unwrap();
    assert!(cost.try_iter().any(|(_, [scanned, _])| scanned > 0), "a scan is seen");
}
