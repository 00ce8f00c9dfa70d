//! Faults that only the writer's own connection can be brought to.

use super::*;
use parlor_protocol::ids::{RoomId, Seq, Ticket};
use parlor_protocol::store::{Append, NewEntry, StoreReply, StoreRequest};
use parlor_protocol::time::Timestamp;
use std::fs;
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

#[test]
fn nothing_is_scanned_that_an_index_can_find() {
    let (_folder, store) = fresh();
    let plan = |sql: &str| -> String {
        let mut statement = store.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let lines = statement.raw_query().mapped(|row| row.get::<_, String>(3)).map(Result::unwrap);
        lines.collect::<Vec<_>>().join("; ")
    };
    for sql in [
        "SELECT seq FROM room_entries WHERE log = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3",
        "SELECT seq FROM room_entries WHERE log = ?1 AND author = ?2 AND id = ?3",
        "SELECT name FROM rooms WHERE kind = ?1 AND firm = ?2 ORDER BY room",
        "SELECT role FROM room_members WHERE user_id = ?1 AND kind = ?2 ORDER BY room",
        "SELECT id FROM chat_sessions WHERE state = 'open' AND firm = ?1 AND user_id = ?2 AND template = ?3",
        "SELECT id FROM chat_sessions WHERE state = 'open' AND awaiting_since IS NOT NULL
         AND awaiting_since < ?1 ORDER BY awaiting_since, id",
        "SELECT title FROM generated_documents WHERE firm = ?1 AND user_id = ?2
         ORDER BY created_at DESC, id DESC",
    ] {
        let plan = plan(sql);
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
    }
}
