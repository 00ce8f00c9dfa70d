//! What both servers do with the bodies of requests and of responses: how large they may be, how slow, and how
//! many at once.

use parlor_tests::process::{BINARIES, Folder, Process};
use parlor_tests::wire::Wire;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
const FILE_BYTES_MAX: usize = 10 << 20;

fn on_both(test: impl Fn(&mut Process)) {
    for binary in BINARIES {
        let folder = Folder::new();
        test(&mut Process::start(binary, &folder, &["--service-api-key", "the-key"]));
    }
}

fn head(line: &str, length: usize) -> String {
    format!("{line} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer the-key\r\nContent-Length: {length}\r\n\r\n")
}

fn ask(address: SocketAddr, head: &str) -> Wire {
    let mut wire = Wire::connect(address);
    wire.write(head.as_bytes()).expect("the server reads");
    wire
}

fn status(wire: &mut Wire) -> (String, Vec<u8>) {
    let (head, body) = wire.read_response();
    (head.split(' ').nth(1).expect("a status line").to_string(), body)
}

#[test]
fn the_largest_body_of_each_path_is_read_and_the_connection_goes_on() {
    on_both(|process| {
        for (line, length) in [
            ("POST /api/files?roomId=r&name=n", FILE_BYTES_MAX),
            ("POST /socket.io/?EIO=4&transport=polling&sid=x", 1_000_000),
            ("POST /api/events", 1 << 20),
            ("PUT /api/admin/nowhere", 1 << 20),
        ] {
            let mut wire = ask(process.address(), &head(line, length));
            wire.write(&vec![b' '; length]).expect("the server reads");
            let (head, _) = wire.read_response();
            assert!(head.contains("connection: keep-alive\r\n"), "{line}: {head}");
            wire.write(HEALTH.as_bytes()).expect("it is open");
            assert_eq!(status(&mut wire).0, "200", "{line}");
        }
    });
}

#[test]
fn a_byte_more_or_a_file_from_nobody_is_refused_before_it_is_read() {
    on_both(|process| {
        for (line, length, expected) in [
            ("POST /api/files?roomId=r&name=n", FILE_BYTES_MAX + 1, "413"),
            ("POST /socket.io/?EIO=4&transport=polling&sid=x", 1_000_001, "413"),
            ("POST /api/events", (1 << 20) + 1, "413"),
        ] {
            let mut wire = ask(process.address(), &head(line, length));
            let (status, body) = status(&mut wire);
            assert_eq!((status.as_str(), body.is_empty()), (expected, line.contains("socket.io")), "{line}");
            assert_eq!(wire.read_to_end(), b"");
        }
        let nobody = "POST /api/files?roomId=r&name=n HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n";
        assert_eq!(status(&mut ask(process.address(), nobody)).0, "401");
    });
}

/// Sends so many bytes twice a second until all are sent or nobody listens any more.
fn drip(mut wire: Wire, bytes: usize, mut left: usize) {
    thread::spawn(move || {
        while left > 0 && wire.write(&vec![b' '; bytes.min(left)]).is_ok() {
            left -= bytes.min(left);
            thread::sleep(Duration::from_millis(500));
        }
    });
}

#[test]
fn a_body_of_under_a_kib_a_second_is_given_up_after_5_s_and_a_faster_one_may_take_longer() {
    on_both(|process| {
        let begun = Instant::now();
        let put = |length| ask(process.address(), &head("PUT /api/admin/nowhere", length));
        let (mut stalled, mut slow, mut steady) = (put(100_000), put(100_000), put(16_384));
        drip(slow.other_half(), 400, 100_000);
        drip(steady.other_half(), 1_024, 16_384);
        for late in [&mut stalled, &mut slow] {
            assert_eq!(status(late).0, "408");
        }
        let took = begun.elapsed();
        assert!(took >= Duration::from_secs(5) && took < Duration::from_secs(7), "{took:?}");
        assert_eq!(status(&mut steady).0, "404");
        assert!(begun.elapsed() > Duration::from_secs(7), "{:?}", begun.elapsed());
    });
}

#[test]
fn of_all_bodies_together_128_mib_are_held_and_the_next_is_told_to_come_again() {
    on_both(|process| {
        let file = head("POST /api/files?roomId=r&name=n", FILE_BYTES_MAX);
        let most = vec![b' '; FILE_BYTES_MAX - 1];
        let upload = || {
            let mut wire = ask(process.address(), &file);
            wire.write(&most).expect("the server reads");
            wire
        };
        // All but the last byte of each, so that none is ever whole.
        let held: Vec<_> = (0..12).map(|_| upload()).collect();
        let mut over = upload();
        let (head, body) = over.read_response();
        assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: 1\r\n"), "{head}");
        assert!(String::from_utf8_lossy(&body).contains("\"OVERLOADED\""));
        let mut wire = ask(process.address(), HEALTH);
        assert_eq!(status(&mut wire).0, "200", "what has no body is served");
        drop(held);
        let until = Instant::now() + Duration::from_secs(20);
        let served = |_: &usize| {
            let mut wire = upload();
            wire.write(b" ").is_ok_and(|()| status(&mut wire).0 != "503")
        };
        assert!((0..usize::MAX).take_while(|_| Instant::now() < until).find(served).is_some());
    });
}

/// Makes a server whose list of templates is over 10 MiB.
fn fill(process: &Process) -> usize {
    let question = format!(r#"{{"key":"k","question":"{}"}}"#, "q".repeat(5_000));
    let questions: Vec<_> = (0..200).map(|at| question.replace("\"k\"", &format!("\"k{at}\""))).collect();
    let body = format!(r#"{{"name":"T","questions":[{}]}}"#, questions.join(","));
    for at in 0..11 {
        let mut wire = ask(process.address(), &head(&format!("PUT /api/admin/templates/t{at}"), body.len()));
        wire.write(body.as_bytes()).expect("the server reads");
        let (status, body) = status(&mut wire);
        assert_eq!(status, "204", "{}", String::from_utf8_lossy(&body));
    }
    10 << 20
}

#[test]
fn a_response_of_10_mib_reaches_a_slow_reader_whole_and_one_that_reads_nothing_is_hung_up_on() {
    on_both(|process| {
        let least = fill(process);
        let list = head("GET /api/admin/templates", 0);
        let mut stalled = ask(process.address(), &list);
        let begun = Instant::now();
        let mut slow = ask(process.address(), &list);
        let head = slow.read_head();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        let length: usize = length.parse().expect("a number");
        assert!(head.starts_with("HTTP/1.1 200 ") && length > least, "{head}");
        // A slow reader reads a tenth of it, ten times, over more than the time that silence is given.
        for part in 0..10 {
            let bytes = slow.read_exactly(length / 10 + usize::from(part == 9) * (length % 10));
            assert!(bytes.is_ok(), "after {:?}: {bytes:?}", begun.elapsed());
            thread::sleep(Duration::from_millis(1_200));
        }
        slow.write(HEALTH.as_bytes()).expect("it is open");
        assert_eq!(status(&mut slow).0, "200");
        // By now the other has been given up: what the kernel holds for it is less than all of it.
        stalled.read_head();
        assert!(stalled.read_exactly(length).is_err(), "after {:?}", begun.elapsed());
    });
}
