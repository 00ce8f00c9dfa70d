//! What both servers do with TCP connections, whatever travels on them: heads in pieces, patience and its end,
//! what comes early, how the last bytes go out, and what is left behind.

use parlor_tests::process::{BINARIES, Folder, Process};
use parlor_tests::wire::{CLOSE, FIN, TEXT, Wire, frame, reason};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
const ECHO: &str = "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn on_both(test: impl Fn(&mut Process)) {
    for binary in BINARIES {
        let folder = Folder::new();
        test(&mut Process::start(binary, &folder, &["--echo", "true"]));
    }
}

fn ask(address: SocketAddr, request: &[u8]) -> Wire {
    let mut wire = Wire::connect(address);
    wire.write(request).expect("the server reads");
    wire
}

#[test]
fn requests_that_come_together_are_answered_in_order_on_one_connection() {
    on_both(|process| {
        let post = "PUT /api/admin/nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345";
        let last = "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let mut wire = ask(process.address(), [HEALTH, post, HEALTH, last].concat().as_bytes());
        for connection in ["keep-alive", "keep-alive", "keep-alive", "close"] {
            let (head, _) = wire.read_response();
            assert!(head.contains(&format!("connection: {connection}\r\n")), "{head}");
        }
        assert_eq!(wire.read_to_end(), b"");
    });
}

#[test]
fn a_head_that_comes_byte_by_byte_is_read() {
    on_both(|process| {
        let mut wire = Wire::connect(process.address());
        for byte in HEALTH.as_bytes() {
            wire.write(&[*byte]).expect("the server reads");
        }
        assert!(wire.read_response().0.starts_with("HTTP/1.1 200 OK\r\n"));
    });
}

#[test]
fn a_request_that_cannot_be_served_is_answered_and_ends_the_connection() {
    let large = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(8_192));
    on_both(|process| {
        for (status, request) in [
            ("400", &b"nonsense\r\n\r\n"[..]),
            ("404", b"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"),
            ("405", b"POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"),
            ("411", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
            ("413", b"PUT /api/admin/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n"),
            ("413", b"GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"),
            ("431", large.as_bytes()),
            ("505", b"GET / HTTP/1.0\r\nHost: a\r\n\r\n"),
        ] {
            let mut wire = ask(process.address(), request);
            let (head, _) = wire.read_response();
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {head}");
            assert!(head.contains("connection: close\r\n"), "{head}");
            assert_eq!(wire.read_to_end(), b"");
        }
    });
}

#[test]
fn frames_that_come_before_the_101_are_served() {
    on_both(|process| {
        let mut wire =
            ask(process.address(), &[ECHO.as_bytes(), &frame(FIN | TEXT, &[b'x'; 4_000])].concat());
        assert!(wire.read_head().starts_with("HTTP/1.1 101 "));
        assert_eq!(wire.read_frame().expect("an echo"), (FIN | TEXT, vec![b'x'; 4_000]));
        wire.write(&frame(FIN | TEXT, b"later")).expect("it is open");
        assert_eq!(wire.read_frame().expect("an echo"), (FIN | TEXT, b"later".to_vec()));
    });
}

#[test]
fn patience_ends_after_5_s_for_a_head_whatever_trickles_in_and_for_silence() {
    on_both(|process| {
        let begun = Instant::now();
        let mut silent = Wire::connect(process.address());
        let mut slow = ask(process.address(), b"GET /health HTTP/1.1\r\n");
        let mut drip = slow.other_half();
        thread::spawn(move || {
            while drip.write(b"X").is_ok() {
                thread::sleep(Duration::from_millis(500))
            }
        });
        let (head, _) = slow.read_response();
        assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
        assert_eq!(silent.read_to_end(), b"");
        let took = begun.elapsed();
        assert!(took >= Duration::from_secs(5) && took < Duration::from_secs(9), "{took:?}");
    });
}

#[test]
fn a_server_that_is_told_to_stop_closes_its_sockets_with_1012_and_ends_with_0() {
    on_both(|process| {
        let mut wires: Vec<_> = (0..20).map(|_| Wire::open(process.address(), "/echo")).collect();
        process.terminate();
        for wire in &mut wires {
            let (first, payload) = loop {
                let (first, payload) = wire.read_frame().expect("a close frame comes");
                if first == FIN | CLOSE {
                    break (first, payload);
                }
            };
            assert_eq!((first, &payload[..2]), (FIN | CLOSE, &1012_u16.to_be_bytes()[..]));
        }
        assert_eq!(process.wait().code(), Some(0));
        TcpStream::connect(process.address()).expect_err("nobody listens any more");
    });
}

#[test]
fn connections_leave_no_file_and_no_thread_behind_however_they_end() {
    on_both(|process| {
        let address = process.address();
        // The store opens the database's files when it first needs them.
        let is_database = |entry: &fs::DirEntry| {
            fs::read_link(entry.path()).is_ok_and(|file| file.to_string_lossy().contains("parlor.db"))
        };
        let count = |kind: &str| {
            let listed = fs::read_dir(format!("/proc/{}/{kind}", process.id())).expect("it runs");
            listed.flatten().filter(|entry| !is_database(entry)).count()
        };
        let mut stays = Wire::open(address, "/echo");
        let (files, threads) = (count("fd"), count("task"));
        for _ in 0..50 {
            drop(Wire::connect(address));
            drop(ask(address, b"GET /half"));
            drop(ask(address, HEALTH.as_bytes()));
            drop(Wire::open(address, "/echo"));
            let mut rude = Wire::open(address, "/echo");
            rude.write(&[0xff; 64]).expect("it is open");
            let mut polite = Wire::open(address, "/echo");
            polite.write(&frame(FIN | CLOSE, &reason(1000, b""))).expect("it is open");
            polite.read_to_end();
        }
        let until = Instant::now() + Duration::from_secs(20);
        while (count("fd"), count("task")) != (files, threads) && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!((count("fd"), count("task")), (files, threads));
        stays.write(&frame(FIN | TEXT, b"still here")).expect("it is open");
        assert_eq!(stays.read_frame().expect("an echo"), (FIN | TEXT, b"still here".to_vec()));
    });
}
