//! The laws of files: whose a database is, what stops a start, and what a crash leaves.

use crate::subject::*;
use parlor_protocol::ids::{Seq, Ticket};
use parlor_protocol::store::{Query, StoreReply, StoreRequest};
use parlor_protocol::time::Timestamp;
use parlor_store::{Durability, OpenError, SqliteStore};
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn fresh() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap().join("parlor.db");
    (folder, path)
}

fn open(path: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(path, Durability::PowerLoss)
}

fn say(store: &mut SqliteStore, room: &str, ids: std::ops::Range<u64>) {
    let body = "a".repeat(200);
    for id in ids {
        let append = to(room, [new("ann", &id.to_string(), &body)]);
        let request = StoreRequest::Commit { appends: vec![append], rows: vec![] };
        let answers = store.commit(Timestamp(1), vec![(Ticket { slot: 0, generation: 0 }, request)]).unwrap();
        assert!(matches!(&answers[0].1, StoreReply::Committed(entries) if entries.len() == 1), "{answers:?}");
    }
}

fn head(store: &SqliteStore, room: &str) -> u64 {
    match store.reader().unwrap().answer(&StoreRequest::Read { room: chat(room), after: Seq(0), max: 0 }) {
        StoreReply::Entries { head, .. } => head.0,
        other => panic!("{other:?}"),
    }
}

/// The places after this one in the order of all entries, and the last that was given.
fn places(store: &SqliteStore, after: u64) -> (Vec<u64>, u64) {
    let question = StoreRequest::Look(Query::Appended { after, max: 999 });
    match store.reader().unwrap().answer(&question) {
        StoreReply::Appended { entries, end } => (entries.iter().map(|(place, _)| *place).collect(), end),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_writer_syncs_every_commit_when_it_has_to_survive_the_loss_of_power() {
    let (_folder, path) = fresh();
    let store = open(&path).unwrap();
    assert_eq!(store.synchronous(), Some(2));
    store.close().unwrap();
    assert_eq!(SqliteStore::open(&path, Durability::Process).unwrap().synchronous(), Some(1));
}

#[test]
fn the_writer_and_the_readers_can_live_in_other_threads() {
    fn in_a_thread<T: Send>() {}
    in_a_thread::<SqliteStore>();
    in_a_thread::<parlor_store::Reader>();
    in_a_thread::<parlor_store::ModelStore>();
}

#[test]
fn nobody_but_the_owner_may_read_the_files() {
    let (folder, path) = fresh();
    let mut store = open(&path).unwrap();
    say(&mut store, "x", 0..1);
    let mut modes: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap())
        .map(|file| {
            (file.file_name().into_string().unwrap(), file.metadata().unwrap().permissions().mode() & 0o777)
        })
        .collect();
    modes.sort();
    let names = ["parlor.db", "parlor.db-lock", "parlor.db-shm", "parlor.db-wal"];
    assert_eq!(modes, names.map(|name| (name.to_owned(), 0o600)));
}

#[test]
fn a_second_server_is_refused_and_the_first_serves_on() {
    let (_folder, path) = fresh();
    let mut store = open(&path).unwrap();
    let pid = std::process::id();
    let refused = open(&path).unwrap_err().to_string();
    let expected = format!("{}: in use by process {pid}; one server at a time may have it", path.display());
    assert_eq!(refused, expected);
    say(&mut store, "x", 0..3);
    drop(store);
    assert_eq!(head(&open(&path).unwrap(), "x"), 3);
}

#[test]
fn a_database_is_locked_under_every_name_it_has() {
    let (folder, path) = fresh();
    let _store = open(&path).unwrap();
    let alias = folder.path().join("alias.db");
    std::os::unix::fs::symlink(&path, &alias).unwrap();
    assert!(matches!(open(&alias), Err(OpenError::InUse { holder: Some(_), .. })));
}

#[test]
fn a_file_that_is_no_database_stops_the_start() {
    let (_folder, path) = fresh();
    fs::write(&path, "this is a letter to nobody in particular\n".repeat(50)).unwrap();
    let refused = open(&path).unwrap_err().to_string();
    assert_eq!(refused, format!("{}: not a SQLite database", path.display()));
}

#[test]
fn a_database_of_another_program_stops_the_start_and_is_left_alone() {
    let (_folder, path) = fresh();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE songs (name TEXT)").unwrap();
    drop(other);
    let before = fs::read(&path).unwrap();
    let refused = open(&path).unwrap_err().to_string();
    assert_eq!(refused, format!("{}: a database of another program", path.display()));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_newer_schema_stops_the_start_and_is_left_alone() {
    let (_folder, path) = fresh();
    open(&path).unwrap().close().unwrap();
    rusqlite::Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let before = fs::read(&path).unwrap();
    let refused = open(&path).unwrap_err().to_string();
    let message = "its schema has version 99, this program knows versions up to 3: start a newer program";
    assert_eq!(refused, format!("{}: {message}", path.display()));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_folder_that_does_not_exist_stops_the_start() {
    let (folder, _) = fresh();
    let path = folder.path().join("nowhere/parlor.db");
    let refused = open(&path).unwrap_err().to_string();
    assert_eq!(refused, format!("{}: No such file or directory (os error 2)", path.display()));
}

/// Overwrites the middle of the file, whose pages are those of the log's entries and ids.
fn damage(path: &Path) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    file.write_all_at(&[0xa5; 4096 * 4], length / 2 / 4096 * 4096).unwrap();
}

#[test]
fn a_damaged_database_stops_the_start_after_a_crash() {
    let (_folder, path) = fresh();
    let mut store = open(&path).unwrap();
    say(&mut store, "x", 0..300);
    store.close().unwrap();
    drop(open(&path).unwrap());
    damage(&path);
    let refused = open(&path).unwrap_err();
    assert!(matches!(&refused, OpenError::Corrupt { .. }), "{refused}");
    let message = refused.to_string();
    assert!(message.starts_with(&format!("{}: the database is damaged (", path.display())), "{message}");
    let again = open(&path).unwrap_err();
    assert!(matches!(again, OpenError::Corrupt { .. }), "and every time until it is repaired: {again}");
}

#[test]
fn a_database_that_was_closed_in_order_is_not_examined() {
    let (_folder, path) = fresh();
    let mut store = open(&path).unwrap();
    say(&mut store, "x", 0..300);
    store.close().unwrap();
    damage(&path);
    drop(open(&path).unwrap());
    assert!(matches!(open(&path), Err(OpenError::Corrupt { .. })));
}

#[test]
fn a_database_restored_without_its_lock_is_examined() {
    let (_folder, path) = fresh();
    let mut store = open(&path).unwrap();
    say(&mut store, "x", 0..300);
    store.close().unwrap();
    damage(&path);
    fs::remove_file(path.with_file_name("parlor.db-lock")).unwrap();
    assert!(matches!(open(&path), Err(OpenError::Corrupt { .. })));
}

#[test]
fn a_crash_loses_nothing_that_was_answered() {
    let (_folder, path) = fresh();
    let mut store = open(&path).unwrap();
    for round in 1..=5 {
        say(&mut store, "x", (round - 1) * 40..round * 40);
        let (_image, copy) = fresh();
        for ending in ["", "-wal", "-lock"] {
            let name = format!("parlor.db{ending}");
            fs::copy(path.with_file_name(&name), copy.with_file_name(&name)).unwrap();
        }
        let mut after_crash = open(&copy).unwrap();
        assert_eq!(head(&after_crash, "x"), round * 40);
        assert_eq!(places(&after_crash, round * 40 - 1), (vec![round * 40], round * 40));
        say(&mut after_crash, "x", 9_000..9_001);
        assert_eq!(head(&after_crash, "x"), round * 40 + 1);
        assert_eq!(places(&after_crash, round * 40), (vec![round * 40 + 1], round * 40 + 1));
    }
}

#[test]
fn a_store_dropped_without_close_loses_nothing() {
    let mut sqlite = Sqlite::new();
    let a = new("ann", "1", "a");
    sqlite.append(1, to("x", [a.clone()]));
    sqlite.drop_and_open();
    assert_eq!(sqlite.read(&chat("x"), 0, 9), (vec![entry("x", 1, 1, a)], 1));
}

#[test]
fn a_group_is_answered_in_order_and_a_refused_request_harms_no_neighbour() {
    let mut sqlite = Sqlite::new();
    let commit = |appends, rows| StoreRequest::Commit { appends, rows };
    let (a, b, c) = (new("ann", "1", "a"), new("ann", "2", "b"), new("ann", "3", "c"));
    let template = || {
        vec![parlor_protocol::store::Change::Insert(parlor_protocol::store::Row::Template(template_row(
            "t", None,
        )))]
    };
    let replies = sqlite.group(
        5,
        &[
            commit(vec![at_head("x", 0, [a.clone()])], template()),
            commit(vec![at_head("x", 0, [b.clone()])], vec![]),
            commit(vec![to("x", [c.clone()]), to("y", [c])], template()),
            StoreRequest::Read { room: chat("y"), after: Seq(0), max: 9 },
            commit(vec![to("x", [a.clone()])], vec![]),
            commit(vec![at_head("x", 1, [b.clone()])], vec![]),
        ],
    );
    assert_eq!(
        replies,
        [
            StoreReply::Committed(vec![entry("x", 1, 5, a.clone())]),
            StoreReply::Stale { room: chat("x"), head: Seq(1) },
            StoreReply::Taken(parlor_protocol::store::RowKey::Template("t".into())),
            StoreReply::Entries { entries: vec![], head: Seq(0) },
            StoreReply::Committed(vec![entry("x", 1, 5, a.clone())]),
            StoreReply::Committed(vec![entry("x", 2, 5, b.clone())]),
        ]
    );
    sqlite.drop_and_open();
    assert_eq!(sqlite.read(&chat("x"), 0, 9), (vec![entry("x", 1, 5, a), entry("x", 2, 5, b)], 2));
}
