//! Files before scanners: the real clamd over both of its sockets, a service over HTTP that does what services
//! can do wrong, and both together (WIRE §2). Nothing but a verdict ever lets a file through.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use parlor_host::scanner::{ClamdAddress, Scanner};
use parlor_protocol::call::{CallFailure, Said, Scanned};
use parlor_tests::ai_stand_in::{AiStandIn, Play};
use parlor_tests::clamd::{Clamd, INFECTED, SIGNATURE, STREAM_BYTES_MAX};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(200);
const CLEAN: Said = Said::Scanned(Scanned::Clean);

fn infected(signature: Option<&str>) -> Said {
    Said::Scanned(Scanned::Infected { signature: signature.map(str::to_string) })
}

fn passing() -> Said {
    Said::Failed(CallFailure::Passing { retry_after: None })
}

fn clamd(address: &str) -> Option<ClamdAddress> {
    Some(address.parse().unwrap_or_else(|()| panic!("{address}")))
}

fn by_clamd(address: &str, bytes: &[u8]) -> Said {
    Scanner::new(clamd(address), None).unwrap().scan(bytes)
}

/// What a scanner over HTTP that does this makes of a file.
fn by_url(play: Play) -> Said {
    let stand_in = AiStandIn::start([play]).unwrap();
    Scanner::new(None, Some(&stand_in.url())).unwrap().with_patience(SHORT * 5).scan(b"a file")
}

/// Somebody on a free port who does this with the first connection.
fn listener(answer: impl FnOnce(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || answer(listener.accept().unwrap().0));
    address
}

/// Reads up to and with the empty chunk, then says this and hangs up.
fn fake_clamd(reply: &'static [u8]) -> String {
    listener(move |mut stream| {
        let mut seen = Vec::new();
        while !seen.ends_with(&[0; 4]) {
            let mut piece = [0; 64];
            let count = stream.read(&mut piece).unwrap();
            assert!(count > 0, "it ends with an empty chunk");
            seen.extend_from_slice(&piece[..count]);
        }
        assert_eq!(seen, b"zINSTREAM\0\0\0\0\x06a file\0\0\0\0");
        stream.write_all(reply).unwrap();
    })
}

#[test]
fn the_real_clamd_tells_clean_files_from_infected_ones_over_both_of_its_sockets() {
    let real = Clamd::start();
    let mut large = vec![b'.'; 10 << 20];
    for address in [real.address(), real.unix_address()] {
        assert_eq!(by_clamd(&address, b"a file"), CLEAN);
        assert_eq!(by_clamd(&address, b""), CLEAN);
        assert_eq!(by_clamd(&address, &large), CLEAN);
        assert_eq!(
            by_clamd(&address, &[b"before ", INFECTED, b" after"].concat()),
            infected(Some(SIGNATURE))
        );
    }
    let end = large.len() - INFECTED.len();
    large[end..].copy_from_slice(INFECTED);
    assert_eq!(by_clamd(&real.address(), &large), infected(Some(SIGNATURE)), "in the last bytes of 10 MiB");
}

#[test]
fn a_file_over_the_real_clamds_own_limit_is_a_failure() {
    let real = Clamd::start();
    let large = vec![b'.'; STREAM_BYTES_MAX + (1 << 20)];
    for address in [real.address(), real.unix_address()] {
        // It hangs up while the file is still being sent, and what it says before that may be lost.
        let why = "clamd said \"INSTREAM size limit exceeded. ERROR\"".to_string();
        let said = by_clamd(&address, &large);
        assert!([passing(), Said::Failed(CallFailure::BadReply(why))].contains(&said), "{said:?}");
    }
}

#[test]
fn a_clamd_that_is_gone_babbles_or_breaks_off_has_called_nothing_clean() {
    assert_eq!(by_clamd(&fake_clamd(b"stream: OK\0"), b"a file"), CLEAN, "this is how it would be right");
    assert_eq!(by_clamd(&fake_clamd(b"stream: OK"), b"a file"), passing(), "no end");
    assert_eq!(by_clamd(&fake_clamd(b""), b"a file"), passing());
    let bad = |why: &str| Said::Failed(CallFailure::BadReply(format!("clamd said {why:?}")));
    let error = "stream: Can't allocate memory ERROR";
    assert_eq!(by_clamd(&fake_clamd(b"stream: Can't allocate memory ERROR\0"), b"a file"), bad(error));
    assert_eq!(by_clamd(&fake_clamd(b"HTTP/1.1 200 OK\0"), b"a file"), bad("HTTP/1.1 200 OK"));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    assert_eq!(by_clamd(&nobody, b"a file"), passing());
    assert_eq!(by_clamd("unix:/nowhere/clamd.sock", b"a file"), passing());
}

#[test]
fn a_clamd_that_says_ok_before_it_has_read_the_file_is_not_believed() {
    let hasty = listener(|mut stream| stream.write_all(b"stream: OK\0").unwrap());
    assert_eq!(by_clamd(&hasty, &vec![b'.'; 32 << 20]), passing());
}

#[test]
fn a_clamd_that_does_not_answer_or_does_not_read_is_given_up_after_the_patience() {
    for size in [6, 32 << 20] {
        let (keep, _kept) = channel();
        let silent = listener(move |stream| keep.send(stream).unwrap());
        let scanner = Scanner::new(clamd(&silent), None).unwrap().with_patience(SHORT);
        let begun = Instant::now();
        assert_eq!(scanner.scan(&vec![b'.'; size]), passing());
        assert!((SHORT..SHORT * 20).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }
}

#[test]
fn a_scanner_over_http_is_shown_the_file_as_it_is_and_believed_when_it_says_a_verdict() {
    let found = json!({"clean": false, "signature": "Test.1"});
    let stand_in = AiStandIn::start([Play::Reply(json!({"clean": true})), Play::Reply(found)]).unwrap();
    let url = format!("{}/scan?as=stream", stand_in.url());
    let scanner = Scanner::new(None, Some(&url)).unwrap();
    let file: Vec<u8> = (0..10 << 20).map(|at: u32| at.to_le_bytes()[0]).collect();
    assert_eq!(scanner.scan(&file), CLEAN);
    assert_eq!(scanner.scan(b"a file"), infected(Some("Test.1")));
    let asked = stand_in.asked();
    assert_eq!((asked[0].line.as_str(), asked[0].bytes == file), ("POST /scan?as=stream", true));
    let media_type = asked[0].headers.get("content-type").map(String::as_str);
    assert_eq!(media_type, Some("application/octet-stream"));
}

#[test]
fn a_scanner_over_http_that_fails_babbles_redirects_or_is_slow_has_called_nothing_clean() {
    assert_eq!(by_url(Play::Status(500, None)), Said::Failed(CallFailure::Refused { status: 500 }));
    assert_eq!(by_url(Play::Redirect(307)), Said::Failed(CallFailure::Refused { status: 307 }));
    let retry_after = Some(Duration::from_secs(7));
    assert_eq!(by_url(Play::Status(503, Some(7))), Said::Failed(CallFailure::Passing { retry_after }));
    for garbage in [
        Play::NotJson,
        Play::Babble,
        Play::NotHttp,
        Play::Large(1 << 20),
        Play::Reply(json!({"clean": "true"})),
        Play::Reply(json!([true])),
    ] {
        let said = by_url(garbage.clone());
        assert!(matches!(said, Said::Failed(CallFailure::BadReply(_))), "{garbage:?}: {said:?}");
    }
    for lost in [Play::BreakOff, Play::Close, Play::Hang, Play::Trickle(SHORT)] {
        let begun = Instant::now();
        assert_eq!(by_url(lost.clone()), passing(), "{lost:?}");
        assert!(begun.elapsed() < SHORT * 50, "{lost:?}: {:?}", begun.elapsed());
    }
}

#[test]
fn of_two_scanners_both_must_call_a_file_clean_within_one_patience() {
    let clean = || Play::Reply(json!({"clean": true}));
    let found = Play::Reply(json!({"clean": false}));
    for (reply, play, said, asked) in [
        (&b"stream: OK\0"[..], clean(), CLEAN, 1),
        (b"stream: OK\0", found, infected(None), 1),
        (b"stream: OK\0", Play::Close, passing(), 1),
        (b"stream: X FOUND\0", clean(), infected(Some("X")), 0),
        (b"", clean(), passing(), 0),
        (b"stream: OK\0", Play::Hang, passing(), 1),
    ] {
        let stand_in = AiStandIn::start([play]).unwrap();
        let scanner = Scanner::new(clamd(&fake_clamd(reply)), Some(&stand_in.url())).unwrap();
        assert_eq!(scanner.with_patience(SHORT * 5).scan(b"a file"), said);
        assert_eq!(stand_in.asked().len(), asked, "the first that is not clean ends it");
    }
    assert!(Scanner::new(None, None).is_none());
}
