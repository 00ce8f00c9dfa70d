//! Servers that are told to stop under load, that run out of disk, and that cannot start: what clients and
//! operators see of it.

use parlor_tests::client::{KEYS, admin};
use parlor_tests::ledger::{Broken, broken, read_logs};
use parlor_tests::load::Load;
use parlor_tests::process::{BINARIES, Folder, Process, run_to_end, steady_port};
use parlor_tests::wire::Wire;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How many are acknowledged before anything is done to a server.
const ANSWERED_MIN: usize = 200;
/// Over how long a server closes its connections here, in ms.
const SPREAD_MS: &str = "500";
/// How long a server may take to its end.
const END_MAX: Duration = Duration::from_millis(10_500);
/// For how long a further signal is the same as the first.
const SAME_SIGNAL: Duration = Duration::from_millis(1_100);
/// How long a server may go on taking in connections after the signal.
const REFUSES_AFTER_MAX: Duration = Duration::from_secs(1);

fn arguments(spread: &str) -> Vec<&str> {
    [&KEYS[..], &["--rate-limit-calls", "0", "--log-level", "error", "--drain-spread", spread]].concat()
}

fn under_load(address: SocketAddr) -> Load {
    let load = Load::start(address);
    load.wait_until("a load", |load| load.answered() >= ANSWERED_MIN);
    load
}

/// What is broken when all is answered and the server has ended.
fn at_the_end(load: Load, mut process: Process, folder: &Folder) -> Vec<Broken> {
    let (told, mut found) = load.finish();
    process.terminate();
    assert_eq!(process.wait().code(), Some(0), "{}", folder.log());
    found.extend(broken(&read_logs(&folder.database()), &told));
    found
}

fn lock(folder: &Folder) -> String {
    fs::read_to_string(folder.path().join("parlor.db-lock")).expect("the lock is there")
}

#[test]
fn who_is_connected_is_told_closed_with_1012_and_loses_nothing() {
    for binary in BINARIES {
        let (folder, port, arguments) = (Folder::new(), steady_port(), arguments(SPREAD_MS));
        let mut process = Process::start_at(port, binary, &folder, &arguments);
        assert_eq!(lock(&folder), format!("{}\n", process.id()));
        let load = under_load(process.address());
        let mut idle = Wire::connect(process.address());
        let begun = Instant::now();
        process.terminate();
        load.wait_until("a warning", |load| load.warned().is_superset(&Load::talkers()));
        let status = health(&mut idle);
        assert!(status.starts_with("HTTP/1.1 503 "), "{status}");
        assert_refused(process.address());
        assert_eq!(process.wait().code(), Some(0), "{}", folder.log());
        assert!(begun.elapsed() <= END_MAX, "{:?}", begun.elapsed());
        // The next start finds it marked as whole, and need not examine it.
        assert_eq!(lock(&folder), "clean\n");
        let process = Process::start_at(port, binary, &folder, &arguments);
        let gone = |load: &Load| with_code(load, 1012);
        load.wait_until("a close for everybody", |load| gone(load).is_superset(&Load::talkers()));
        // Whose document was finished meanwhile was closed for that.
        assert!(load.closes().iter().all(|(_, code)| [1000, 1012].contains(code)), "{:?}", load.closes());
        assert_eq!(at_the_end(load, process, &folder), []);
    }
}

/// Whose connections were closed with this code.
fn with_code(load: &Load, code: u16) -> BTreeSet<String> {
    load.closes().into_iter().filter(|(_, closed)| *closed == code).map(|(who, _)| who).collect()
}

fn health(wire: &mut Wire) -> String {
    wire.write(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n").expect("the connection is still there");
    wire.read_response().0
}

fn assert_refused(address: SocketAddr) {
    let until = Instant::now() + REFUSES_AFTER_MAX;
    while TcpStream::connect(address).is_ok() {
        assert!(Instant::now() < until, "new connections are taken in after {REFUSES_AFTER_MAX:?}");
        sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_second_signal_ends_the_process_at_once_and_still_loses_nothing() {
    for binary in BINARIES {
        let (folder, port, arguments) = (Folder::new(), steady_port(), arguments("60000"));
        let mut process = Process::start_at(port, binary, &folder, &arguments);
        let load = under_load(process.address());
        process.terminate();
        // Who stops processes in groups may send it twice: right behind the first one it is the same.
        sleep(Duration::from_millis(50));
        process.terminate();
        load.wait_until("a warning", |load| load.warned().is_superset(&Load::talkers()));
        sleep(SAME_SIGNAL);
        assert!(process.runs(), "the second signal came too soon to count");
        let begun = Instant::now();
        process.terminate();
        assert_eq!(process.wait().code(), Some(1));
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        let process = Process::start_at(port, binary, &folder, &arguments);
        assert_eq!(at_the_end(load, process, &folder), []);
    }
}

#[test]
fn a_full_disk_refuses_what_it_cannot_take_loses_nothing_and_needs_no_restart() {
    for binary in BINARIES {
        let folder = Folder::new();
        let process = Process::start_with_little_disk(binary, &folder, &arguments(SPREAD_MS));
        let load = under_load(process.address());
        for round in 1..=3 {
            let wal = fs::metadata(folder.path().join("parlor.db-wal")).expect("it is open").len();
            process.limit_files(Some(wal + 64 * 1024 * round));
            let before = load.unavailable();
            load.wait_until("a full disk", |load| load.unavailable() >= before + 20);
            process.limit_files(None);
            let before = load.answered();
            load.wait_until("room again", |load| load.answered() >= before + ANSWERED_MIN);
        }
        assert_eq!(at_the_end(load, process, &folder), []);
        let log = folder.log();
        assert!(log.contains("store.down") && log.contains("nothing can be stored"), "{log}");
    }
}

#[test]
fn a_damaged_database_stops_the_start() {
    for binary in BINARIES {
        let folder = a_used_folder(binary);
        let path = folder.database();
        let mut bytes = fs::read(&path).expect("it is there");
        bytes[4096..].fill(0x5a);
        fs::write(&path, bytes).expect("it is ours");
        fs::write(folder.path().join("parlor.db-lock"), "4711\n").expect("it is ours");
        let (status, said) = run_to_end(binary, 0, &folder, &KEYS);
        assert_eq!(status.code(), Some(2), "{said}");
        assert!(
            said.starts_with(&format!("{binary}: {}: the database is damaged (", shown(&path))),
            "{said}"
        );
        assert!(said.contains("restore a copy, or repair it with `sqlite3 .recover`"), "{said}");

        fs::write(&path, "not a database at all".repeat(100)).expect("it is ours");
        let (status, said) = run_to_end(binary, 0, &folder, &KEYS);
        assert_eq!(status.code(), Some(2), "{said}");
        assert_eq!(said, format!("{binary}: {}: not a SQLite database\n", shown(&path)));
    }
}

#[test]
fn a_database_with_a_newer_schema_stops_the_start() {
    for binary in BINARIES {
        let folder = a_used_folder(binary);
        let connection = rusqlite::Connection::open(folder.database()).expect("it is there");
        connection.pragma_update(None, "user_version", 99).expect("it is ours");
        drop(connection);
        let (status, said) = run_to_end(binary, 0, &folder, &KEYS);
        assert_eq!(status.code(), Some(2), "{said}");
        let expected = format!(
            "{binary}: {}: its schema has version 99, this program knows versions up to 3: start a newer program\n",
            shown(&folder.database())
        );
        assert_eq!(said, expected);
    }
}

#[test]
fn a_second_server_on_the_same_database_does_not_start() {
    for binary in BINARIES {
        let folder = Folder::new();
        let first = Process::start(binary, &folder, &KEYS);
        let (status, said) = run_to_end(binary, 0, &folder, &KEYS);
        assert_eq!(status.code(), Some(2), "{said}");
        let expected = format!(
            "{binary}: {}: in use by process {}; one server at a time may have it\n",
            shown(&folder.database()),
            first.id()
        );
        assert_eq!(said, expected);
        admin(first.address(), "GET", "templates", &Value::Null).expect("the first one serves on");
    }
}

#[test]
fn a_port_that_is_in_use_stops_the_start_and_leaves_the_database_whole() {
    for binary in BINARIES {
        let folder = Folder::new();
        let other = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = other.local_addr().expect("it is bound");
        let (status, said) = run_to_end(binary, address.port(), &folder, &KEYS);
        assert_eq!(status.code(), Some(2), "{said}");
        let expected =
            format!("{binary}: cannot listen on {address}: Address already in use (os error 98)\n");
        assert_eq!(said, expected);
        assert_eq!(lock(&folder), "clean\n");
    }
}

#[test]
fn a_flag_that_does_not_exist_or_has_no_such_value_stops_the_start() {
    for binary in BINARIES {
        for (flag, value, expected) in [
            ("--hoost", "127.0.0.1", "--hoost"),
            ("--heartbeat-interval", "soon", "heartbeat-interval"),
            ("--jwks-url", "x", "--jwks-url"),
        ] {
            let folder = Folder::new();
            let (status, said) = run_to_end(binary, 0, &folder, &[flag, value]);
            assert_eq!(status.code(), Some(2), "{said}");
            assert!(said.starts_with(&format!("{binary}: ")) && said.contains(expected), "{said}");
            assert!(!folder.database().exists(), "nothing was made");
        }
    }
}

/// A folder in which a server was at work and ended in order.
fn a_used_folder(binary: &str) -> Folder {
    let folder = Folder::new();
    let mut process = Process::start(binary, &folder, &arguments("0"));
    under_load(process.address()).finish();
    process.terminate();
    assert_eq!(process.wait().code(), Some(0), "{}", folder.log());
    folder
}

/// A path as messages show it.
fn shown(path: &Path) -> String {
    path.canonicalize().expect("it is there").display().to_string()
}
