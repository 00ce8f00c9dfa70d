//! Opening handshakes that are wrong, too large or out of order, and the sessions of Engine.IO.

use crate::{HEALTH, answer, ask, get, on_both, serves, status, upgrade};
use parlor_tests::client::token;
use parlor_tests::process::Process;
use parlor_tests::wire::{FIN, TEXT, frame};
use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

const ECHO: [&str; 2] = ["--echo", "true"];

#[test]
fn what_is_no_handshake_of_rfc_6455_is_refused_by_what_is_wrong_with_it() {
    let (version, key) = ("Sec-WebSocket-Version", "Sec-WebSocket-Key");
    on_both(&ECHO, |process, _| {
        for (expected, left_out, more) in [
            ("426", version, ""),
            ("426", version, "Sec-WebSocket-Version: 8\r\n"),
            ("426", version, "Sec-WebSocket-Version: 14\r\n"),
            ("426", version, "Sec-WebSocket-Version: 13, 8\r\n"),
            ("426", version, "Sec-WebSocket-Version: 013\r\n"),
            ("400", key, ""),
            ("400", key, "Sec-WebSocket-Key: \r\n"),
            ("400", key, "Sec-WebSocket-Key: c2hvcnQ=\r\n"),
            ("400", key, "Sec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Njc=\r\n"),
            ("400", key, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n"),
            ("400", key, "Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==\r\n"),
            ("400", "X", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
            ("426", "Connection", "Connection: keep-alive\r\n"),
            ("426", "Upgrade", "Upgrade: h2c\r\n"),
            ("426", "Upgrade", ""),
        ] {
            let (status, head, _) = answer(&mut ask(process.address(), upgrade("/echo", &[left_out], more)));
            assert_eq!(status, expected, "without {left_out}, with {more}");
            let named = head.contains("sec-websocket-version: 13\r\n");
            assert_eq!(named, left_out == version, "{head}");
        }
        for method in ["POST", "PUT", "DELETE", "get"] {
            let request = upgrade("/echo", &[], "").replacen("GET", method, 1);
            assert_eq!(status(process.address(), &request), "405", "{method}");
        }
        assert_eq!(status(process.address(), upgrade("/echo", &[], "")), "101");
        assert_eq!(status(process.address(), upgrade("/nowhere", &[], "")), "404");
    });
}

#[test]
fn offers_of_subprotocols_and_extensions_cost_no_more_than_their_bytes() {
    let lists = [
        ",".repeat(7_000),
        " ,\t".repeat(2_300),
        "a,".repeat(3_500),
        "\"".repeat(7_000),
        "a;b=\"c\\".repeat(1_000),
    ];
    on_both(&ECHO, |process, _| {
        for list in &lists {
            for name in
                ["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Connection", "X-Forwarded-For"]
            {
                let begun = Instant::now();
                let found = status(process.address(), upgrade("/echo", &[], &format!("{name}: {list}\r\n")));
                assert_eq!(found, "101", "{name}: {}", &list[..9]);
                assert!(begun.elapsed() < Duration::from_secs(1), "{name}: {:?}", begun.elapsed());
            }
        }
    });
}

#[test]
fn no_extension_is_agreed_to_however_it_is_offered() {
    on_both(&ECHO, |process, _| {
        for offer in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; server_max_window_bits=99; nonsense=\"",
            "x-webkit-deflate-frame, permessage-bzip2",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        ] {
            let offer = format!("Sec-WebSocket-Extensions: {offer}\r\n");
            let mut wire = ask(process.address(), upgrade("/echo", &[], &offer));
            let head = wire.read_head();
            assert!(head.starts_with("HTTP/1.1 101 ") && !head.contains("extensions"), "{offer}: {head}");
            wire.write(&frame(FIN | TEXT, b"plain")).expect("it is open");
            assert_eq!(wire.read_frame().expect("an echo"), (FIN | TEXT, b"plain".to_vec()));
            wire.write(&frame(FIN | 0x40 | TEXT, b"x")).expect("it is open");
            assert_eq!(wire.read_frame().expect("a close").1[..2], 1002_u16.to_be_bytes());
        }
    });
}

#[test]
fn a_token_is_found_among_16_subprotocols_and_not_among_more_and_none_holds_more_than_ascii() {
    on_both(&[], |process, _| {
        let token = token("ada");
        let offered = |others: usize| {
            let others: String = (0..others).map(|at| format!("p{at}, ")).collect();
            upgrade("/chat", &[], &format!("Sec-WebSocket-Protocol: {others}bearer, {token}\r\n"))
        };
        assert_eq!(status(process.address(), offered(14)), "101");
        assert_eq!(status(process.address(), offered(15)), "401");
        for bytes in [&b"\xff\xfe"[..], b"\xc3\xa9", b"\x01"] {
            let request = upgrade("/chat", &[], "Sec-WebSocket-Protocol: X\r\n");
            let at = request.find(": X").expect("it is there") + 2;
            let request = [&request.as_bytes()[..at], bytes, &request.as_bytes()[at + 1..]].concat();
            assert_eq!(status(process.address(), request), "400");
        }
        serves(process.address());
    });
}

#[test]
fn the_sixty_fifth_header_and_a_head_of_over_8_kib_are_431_also_if_it_never_ends() {
    on_both(&[], |process, _| {
        let address = process.address();
        assert_eq!(status(address, get("/health", &"X: y\r\n".repeat(63))), "200");
        assert_eq!(status(address, get("/health", &"X: y\r\n".repeat(64))), "431");
        let long = |length: usize| {
            let rest = length - get("/health", "X: \r\n").len();
            get("/health", &format!("X: {}\r\n", "y".repeat(rest)))
        };
        assert_eq!((long(8_192).len(), status(address, long(8_192))), (8_192, "200".to_string()));
        assert_eq!(status(address, long(8_193)), "431");
        // One that never ends is refused when it is too long, not when the patience is over.
        let begun = Instant::now();
        for endless in
            ["GET /".to_string() + &"a".repeat(9_000), "X: y\r\n".repeat(2_000), "\r".repeat(9_000)]
        {
            assert_eq!(status(address, endless), "431");
        }
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    });
}

#[test]
fn a_mebibyte_that_comes_before_the_101_waits_and_is_served_behind_it() {
    on_both(&ECHO, |process, _| {
        let mut wire = ask(process.address(), b"");
        let mut writer = wire.other_half();
        let early = frame(FIN | TEXT, &[b'x'; 1 << 20]);
        let writes = thread::spawn(move || {
            writer.write(&[upgrade("/echo", &[], "").as_bytes(), &early].concat()).expect("the server reads")
        });
        assert!(wire.read_head().starts_with("HTTP/1.1 101 "));
        let (first, payload) = wire.read_frame().expect("an echo");
        assert_eq!((first, payload.len()), (FIN | TEXT, 1 << 20));
        writes.join().expect("all of it is taken");
    });
}

fn opened(address: SocketAddr) -> String {
    let (status, _, body) = answer(&mut ask(address, get("/socket.io/?EIO=4&transport=polling", "")));
    let text = String::from_utf8(body).expect("it is text");
    assert_eq!(status, "200", "{text}");
    let from = text.find("\"sid\":\"").expect("a session") + 7;
    text[from..].split('"').next().expect("its end").to_string()
}

#[test]
fn a_session_of_engine_io_is_reached_by_its_own_id_and_no_other() {
    on_both(&[], |process, _| {
        let address = process.address();
        let ids: BTreeSet<String> = (0..20).map(|_| opened(address)).collect();
        assert_eq!(ids.len(), 20);
        let one = ids.first().expect("there is one").clone();
        assert!(ids.iter().all(|id| id.len() >= 22), "128 bits are 22 characters: {one}");
        // What they begin with does not tell one from the other.
        let ends: BTreeSet<&str> = ids.iter().map(|id| &id[id.len() - 8..]).collect();
        assert_eq!(ends.len(), 20);
        let (cut, longer) = (one[..one.len() - 1].to_string(), format!("{one}x"));
        let other = one.to_uppercase();
        for wrong in ["__proto__", "constructor", "..", "%00", "0", &cut, &longer, &other] {
            let target = format!("/socket.io/?EIO=4&transport=polling&sid={wrong}");
            assert_eq!(status(address, get(&target, "")), "400", "{wrong}");
            let socket = target.replace("polling", "websocket");
            assert_eq!(status(address, upgrade(&socket, &[], "")), "400", "{wrong}");
            let post = format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n40");
            assert_eq!(status(address, post), "400", "{wrong}");
        }
        // None of that has disturbed the real one.
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={one}");
        let post = format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n40");
        assert_eq!(status(address, post), "200");
        let (status, _, body) = answer(&mut ask(address, get(&target, "")));
        assert_eq!(
            (status.as_str(), &body[..2]),
            ("200", &b"44"[..]),
            "a CONNECT without a token is refused"
        );
    });
}

fn files(process: &Process) -> usize {
    let listed = fs::read_dir(format!("/proc/{}/fd", process.id())).expect("it runs");
    let is_database = |entry: &fs::DirEntry| {
        fs::read_link(entry.path()).is_ok_and(|file| file.to_string_lossy().contains("parlor.db"))
    };
    listed.flatten().filter(|entry| !is_database(entry)).count()
}

#[test]
fn every_fault_of_polling_is_answered_and_leaves_no_file_open() {
    on_both(&[], |process, _| {
        let address = process.address();
        assert_eq!(status(address, HEALTH), "200");
        thread::sleep(Duration::from_millis(300));
        let before = files(process);
        let post = |target: &str, kind: &str, body: &str| {
            let length = body.len();
            format!("POST {target} HTTP/1.1\r\nHost: a\r\n{kind}Content-Length: {length}\r\n\r\n{body}")
        };
        for _ in 0..10 {
            let target = format!("/socket.io/?EIO=4&transport=polling&sid={}", opened(address));
            let kinds = [
                "Content-Type: application/octet-stream\r\n",
                "Content-Type: \r\n",
                "Content-Type: text/html\r\n",
                "",
            ];
            for kind in kinds {
                assert_ne!(status(address, post(&target, kind, "nonsense")), "200", "{kind}");
            }
            for target in
                ["/socket.io/?EIO=3&transport=polling", "/socket.io/?EIO=4&transport=x", "/socket.io/?x"]
            {
                assert_eq!(status(address, get(target, "")), "400", "{target}");
                assert_eq!(status(address, post(target, "", "40")), "400", "{target}");
            }
            let fresh = format!("/socket.io/?EIO=4&transport=polling&sid={}", opened(address));
            // A poll that waits, and one that overlaps it.
            let mut waits = ask(address, get(&fresh, ""));
            thread::sleep(Duration::from_millis(20));
            assert_eq!(status(address, get(&fresh, "")), "400");
            assert_eq!(answer(&mut waits).0, "200");
            assert_eq!(status(address, post(&fresh, "", &"4".repeat(9))), "400", "the session is over");
            let large = format!("POST {fresh} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000001\r\n\r\n");
            assert_eq!(status(address, large), "413");
        }
        let until = Instant::now() + Duration::from_secs(10);
        while files(process) != before && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(files(process), before);
    });
}
