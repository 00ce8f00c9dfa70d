//! Clients that are slow on purpose, on WebSockets; what they do to requests is in lines.rs and bodies.rs.

use crate::floods::metric;
use crate::{on_both, serves};
use parlor_tests::client::{Client, Heard, token};
use parlor_tests::wire::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, Wire, frame, reason};
use serde_json::json;
use std::iter::repeat_n;
use std::thread;
use std::time::{Duration, Instant};

/// The code of the close frame that comes next, pings left aside.
fn closed(wire: &mut Wire) -> u16 {
    loop {
        let (first, payload) = wire.read_frame().expect("a close frame comes");
        match first & 0x0f {
            CLOSE => return payload.first_chunk::<2>().map_or(1005, |code| u16::from_be_bytes(*code)),
            _ => continue,
        }
    }
}

#[test]
fn a_message_that_brings_little_is_given_up_when_its_time_is_over_and_a_quick_one_is_not() {
    on_both(&["--echo", "true", "--message-timeout", "1000"], |process, _| {
        let address = process.address();
        thread::scope(|scope| {
            scope.spawn(move || {
                // Byte by byte, within one frame.
                let mut wire = Wire::open(address, "/echo");
                let begun = Instant::now();
                let mut writer = wire.other_half();
                let drip = thread::spawn(move || {
                    let bytes = frame(FIN | BINARY, &[7; 10_000]);
                    bytes
                        .iter()
                        .take_while(|byte| {
                            thread::sleep(Duration::from_millis(50));
                            writer.write(&[**byte]).is_ok()
                        })
                        .count()
                });
                assert_eq!(closed(&mut wire), 1008);
                let took = begun.elapsed();
                assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(5), "{took:?}");
                assert!(drip.join().expect("it does not panic") < 1_000);
            });
            for (target, code) in [("/echo", 1008), ("/hocuspocus", 4403)] {
                scope.spawn(move || {
                    // Fragment by fragment, with pings between, none of which is the end of it.
                    let mut wire = Wire::open(address, target);
                    wire.write(&frame(BINARY, b"a")).expect("it is open");
                    let mut writer = wire.other_half();
                    let more = [frame(FIN | PING, b""), frame(CONTINUATION, b"b")].concat();
                    thread::spawn(move || {
                        while writer.write(&more).is_ok() {
                            thread::sleep(Duration::from_millis(200));
                        }
                    });
                    assert_eq!(closed(&mut wire), code, "{target}");
                });
            }
            scope.spawn(move || {
                // 16 KiB a second, for three times as long.
                let mut wire = Wire::open(address, "/echo");
                let payload = vec![7; 48 << 10];
                for piece in frame(FIN | BINARY, &payload).chunks(4 << 10) {
                    wire.write(piece).expect("it is open");
                    thread::sleep(Duration::from_millis(250));
                }
                assert_eq!(wire.read_frame().expect("an echo"), (FIN | BINARY, payload));
            });
            scope.spawn(move || {
                // Many small messages, cut so that one is always begun: none of them is slow.
                let mut wire = Wire::open(address, "/echo");
                let one = frame(FIN | TEXT, b"x");
                wire.write(&one[..3]).expect("it is open");
                for _ in 0..25 {
                    thread::sleep(Duration::from_millis(100));
                    wire.write(&[&one[3..], &one[..3]].concat()).expect("it is open");
                    assert_eq!(wire.read_frame().expect("an echo"), (FIN | TEXT, b"x".to_vec()));
                }
            });
        });
        serves(address);
    });
}

#[test]
fn a_byte_that_decides_is_enough_whatever_the_header_announces() {
    let header = |first: u8, length: u8| vec![first, 0x80 | length, 0, 0, 0, 0];
    let long = |first: u8| [&[first, 0xff][..], &(1_u64 << 20).to_be_bytes(), &[0; 4]].concat();
    let cases = [
        (1002, "not masked", vec![FIN | TEXT, 100]),
        (1002, "a reserved bit", header(0xc1, 100)),
        (1002, "a reserved opcode", header(FIN | 3, 100)),
        (1002, "a ping of a mebibyte", long(FIN | PING)),
        (1002, "a ping in fragments", header(PING, 100)),
        (1002, "a continuation of nothing", header(FIN, 100)),
        (1002, "a beginning within a message", [header(TEXT, 0), header(FIN | TEXT, 100)].concat()),
        (1007, "no text in a long frame", [long(FIN | TEXT), b"some text \xff".to_vec()].concat()),
        (
            1007,
            "a surrogate across fragments",
            { [frame(TEXT, &[b'a', 0xed]), header(FIN, 100)].concat() }.into_iter().chain([0xa0]).collect(),
        ),
        (
            1009,
            "a message over the limit",
            [&[FIN | BINARY, 0xff][..], &(1_u64 << 30).to_be_bytes(), &[0; 4]].concat(),
        ),
    ];
    on_both(&["--echo", "true"], |process, _| {
        for (code, name, bytes) in &cases {
            let mut wire = Wire::open(process.address(), "/echo");
            let begun = Instant::now();
            wire.write(bytes).expect("it is open");
            assert_eq!(closed(&mut wire), *code, "{name}");
            assert!(begun.elapsed() < Duration::from_secs(2), "{name}: {:?}", begun.elapsed());
        }
    });
}

#[test]
fn who_does_not_end_the_connection_after_the_close_frames_is_cut_off_after_5_s() {
    on_both(&["--echo", "true"], |process, _| {
        let mut wire = Wire::open(process.address(), "/echo");
        wire.write(&frame(FIN | CLOSE, &reason(1000, b""))).expect("it is open");
        assert_eq!(closed(&mut wire), 1000);
        let begun = Instant::now();
        // What comes after it is thrown away, until nobody listens any more.
        while wire.write(&frame(FIN | TEXT, b"late")).is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
            thread::sleep(Duration::from_millis(100));
        }
        assert!(begun.elapsed() > Duration::from_secs(3), "{:?}", begun.elapsed());
    });
}

#[test]
fn who_answers_no_ping_is_hung_up_on_and_who_does_stays() {
    let quick = ["--echo", "true", "--heartbeat-interval", "500", "--heartbeat-timeout", "1000"];
    on_both(&quick, |process, _| {
        let (mut gone, mut there) =
            (Wire::open(process.address(), "/echo"), Wire::open(process.address(), "/echo"));
        let begun = Instant::now();
        let answers = thread::spawn(move || {
            while begun.elapsed() < Duration::from_secs(4) {
                let (first, payload) = there.read_frame().expect("a ping comes");
                assert_eq!(first, FIN | PING);
                there.write(&frame(FIN | PONG, &payload)).expect("it is open");
            }
            begun.elapsed()
        });
        assert_eq!(closed(&mut gone), 4000);
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(1_300) && took < Duration::from_secs(4), "{took:?}");
        assert!(answers.join().expect("it stays") >= Duration::from_secs(4));
    });
}

/// How much is in each message, and how many there are at most: more than kernels hold for a client that does not read.
const MESSAGE_BYTES: usize = 16_000;
const MESSAGES_MAX: usize = 6_000;

#[test]
fn who_does_not_read_is_closed_with_4002_and_delays_nobody() {
    let flags = ["--create-on-open", "true", "--rate-limit-calls", "0", "--durability", "process"];
    on_both(&flags, |process, _| {
        let address = process.address();
        let call =
            |event: &str, data: serde_json::Value| json!({"event": event, "data": data, "requestId": "r"});
        let until_answered = |client: &mut Client| loop {
            if let Heard::Event(event) = client.hear().expect("it is open")
                && event["requestId"] == "r"
            {
                return event;
            }
        };
        let open = |user: &str| {
            let mut client = Client::open(address, "/chat", user).expect("it is let in");
            client.say([&call("chat:room:join", json!({"roomId": "r"}))]).expect("it is open");
            until_answered(&mut client);
            client
        };
        // Ada reads nothing for now; Ben reads all.
        let mut ada = Wire::open(address, &format!("/chat?token={}", token("ada")));
        let join = call("chat:room:join", json!({"roomId": "r"})).to_string();
        ada.write(&frame(FIN | TEXT, join.as_bytes())).expect("it is open");
        ada.read_frame().expect("an answer");
        let (mut ben, mut writer) = (open("ben"), open("writer"));
        let reads = thread::spawn(move || {
            let mut heard = 0;
            loop {
                if let Heard::Event(event) = ben.hear().expect("it is open")
                    && event["event"] == "chat:message:received"
                {
                    heard += 1;
                    if event["data"]["content"] == "the last" {
                        return heard;
                    }
                }
            }
        });
        let mut write = |content: &str, count: usize| {
            let said = call("chat:message:send", json!({"roomId": "r", "content": content}));
            writer.say(repeat_n(&said, count)).expect("it is open");
            for _ in 0..count {
                let answer = until_answered(&mut writer);
                assert!(answer["data"]["seq"].is_number(), "{answer}");
            }
        };
        let (content, mut written) = ("x".repeat(MESSAGE_BYTES), 0);
        while metric(address, "parlor_limit_hits_total{limit=\"outbox\"}") == 0 {
            assert!(written < MESSAGES_MAX, "{written} messages wait for who does not read");
            write(&content, 50);
            written += 50;
        }
        assert_eq!(closed(&mut ada), 4002);
        write("the last", 1);
        assert_eq!(reads.join().expect("he stays"), written + 1, "everybody else hears everything");
    });
}
