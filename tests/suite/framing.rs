//! RFC 6455 frame by frame, against `/echo` of both servers: which frames come back, and with which code the
//! connection ends. Each table covers one group of what a WebSocket server is commonly tested for: messages,
//! pings, reserved bits and codes, fragments, UTF-8, closing, sizes. A row is sent whole, frame by frame and
//! in small pieces.

use parlor_tests::process::{BINARIES, Folder, Process};
use parlor_tests::wire::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, Wire, frame, reason};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

#[path = "utf8.rs"]
mod utf8;

/// How many bytes the frames of a row may have for it to be sent byte by byte too.
const BYTEWISE_MAX: usize = 1_000;

/// What is sent and what has to come of it.
struct Row {
    name: String,
    sent: Vec<Vec<u8>>,
    back: Vec<(u8, Vec<u8>)>,
    end: End,
}

/// How the connection ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// It is still good for an echo and closes with 1000 when the client does.
    Open,
    /// The server closes it with this code.
    Closed(u16),
    /// The server closes it with a frame that has no code.
    WithoutCode,
}

fn row(name: impl Into<String>, sent: &[Vec<u8>], back: &[(u8, &[u8])], end: End) -> Row {
    let back = back.iter().map(|(first, payload)| (*first, payload.to_vec())).collect();
    Row { name: name.into(), sent: sent.to_vec(), back, end }
}

/// Plays rows against both servers, in every way to cut them.
fn play(rows: &[Row]) {
    on_both(|address| {
        for row in rows {
            let whole = row.sent.concat();
            row.play(address, &[&whole[..]]);
            row.play(address, &row.sent.iter().map(Vec::as_slice).collect::<Vec<_>>());
            if whole.len() <= BYTEWISE_MAX {
                row.play(address, &whole.chunks(1).collect::<Vec<_>>());
            }
        }
    });
}

fn on_both(test: impl Fn(SocketAddr)) {
    for binary in BINARIES {
        let folder = Folder::new();
        let process = Process::start(binary, &folder, &["--echo", "true"]);
        test(process.address());
    }
}

impl Row {
    fn play(&self, address: SocketAddr, pieces: &[&[u8]]) {
        let mut wire = Wire::open(address, "/echo");
        let mut writer = wire.other_half();
        std::thread::scope(|scope| {
            let writing = scope.spawn(move || {
                // A server that closed reads no further.
                pieces.iter().try_for_each(|piece| writer.write(piece)).unwrap_or_default();
            });
            for expected in &self.back {
                let got = wire.read_frame().unwrap_or_else(|error| panic!("{}: {error}", self.name));
                assert!(got == *expected, "{}: {:?}", self.name, brief(&got));
            }
            writing.join().expect("it does not panic");
            self.expect_end(&mut wire);
        });
    }

    fn expect_end(&self, wire: &mut Wire) {
        if self.end == End::Open {
            wire.write(&frame(FIN | TEXT, b"still here")).expect("it is open");
            let echo = wire.read_frame().unwrap_or_else(|error| panic!("{}: {error}", self.name));
            assert_eq!(echo, (FIN | TEXT, b"still here".to_vec()), "{}", self.name);
            wire.write(&frame(FIN | CLOSE, &reason(1000, b""))).expect("it is open");
        }
        let (first, payload) = wire.read_frame().unwrap_or_else(|error| panic!("{}: {error}", self.name));
        assert_eq!(first, FIN | CLOSE, "{}: {:?}", self.name, brief(&(first, payload)));
        let code = payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
        let expected = match self.end {
            End::Open => Some(1000),
            End::Closed(code) => Some(code),
            End::WithoutCode => None,
        };
        assert_eq!(code, expected, "{}", self.name);
        assert_eq!(wire.read_to_end(), b"", "{}: nothing follows a close frame", self.name);
    }
}

fn brief((first, payload): &(u8, Vec<u8>)) -> String {
    let start = &payload[..payload.len().min(40)];
    format!("{first:#04x} with {} bytes {:?}", payload.len(), String::from_utf8_lossy(start))
}

/// The frames of one message, `size` bytes each.
fn fragments(opcode: u8, payload: &[u8], size: usize) -> Vec<Vec<u8>> {
    let count = payload.len().div_ceil(size).max(1);
    let part = |at: usize| &payload[at * size..payload.len().min((at + 1) * size)];
    let first = |at: usize| {
        let opcode = if at == 0 { opcode } else { CONTINUATION };
        if at + 1 == count { FIN | opcode } else { opcode }
    };
    (0..count).map(|at| frame(first(at), part(at))).collect()
}

#[test]
fn messages_around_every_step_of_the_length_come_back_unchanged() {
    let mut rows = Vec::new();
    for opcode in [TEXT, BINARY] {
        for size in [0, 1, 125, 126, 127, 128, 65_535, 65_536] {
            let payload = vec![b'*'; size];
            let name = format!("opcode {opcode}, {size} bytes");
            rows.push(row(name, &[frame(FIN | opcode, &payload)], &[(FIN | opcode, &payload)], End::Open));
        }
    }
    play(&rows);
}

#[test]
fn a_length_in_a_longer_form_than_needed_closes_with_1002() {
    let medium = [&[FIN | TEXT, 0xfe, 0, 5, 0, 0, 0, 0][..], b"hello"].concat();
    let long = [&[FIN | TEXT, 0xff, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0][..], b"hello"].concat();
    let endless = vec![FIN | TEXT, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0];
    let good = frame(FIN | TEXT, b"before");
    let before: &[(u8, &[u8])] = &[(FIN | TEXT, b"before")];
    play(&[
        row("5 in two bytes", &[good.clone(), medium], before, End::Closed(1002)),
        row("5 in eight bytes", &[good.clone(), long], before, End::Closed(1002)),
        row("the highest bit", &[good, endless], before, End::Closed(1002)),
    ]);
}

#[test]
fn a_frame_that_is_not_masked_closes_with_1002() {
    play(&[row("a text", &[[&[FIN | TEXT, 5][..], b"hello"].concat()], &[], End::Closed(1002))]);
}

#[test]
fn every_ping_is_answered_with_its_payload_and_a_pong_with_nothing() {
    let bytes: Vec<u8> = (0..125).map(|byte| byte ^ 0xa5).collect();
    let ten: Vec<_> = (0..10).map(|at| frame(FIN | PING, format!("ping {at}").as_bytes())).collect();
    let pongs: Vec<_> = (0..10).map(|at| format!("ping {at}")).collect();
    let pongs: Vec<_> = pongs.iter().map(|pong| (FIN | PONG, pong.as_bytes())).collect();
    let unasked = [frame(FIN | PONG, b"unasked"), frame(FIN | PING, b"asked")];
    play(&[
        row("an empty ping", &[frame(FIN | PING, b"")], &[(FIN | PONG, b"")], End::Open),
        row("a short ping", &[frame(FIN | PING, b"hello")], &[(FIN | PONG, b"hello")], End::Open),
        row("the longest ping", &[frame(FIN | PING, &bytes)], &[(FIN | PONG, &bytes)], End::Open),
        row("one byte more", &[frame(FIN | PING, &[7; 126])], &[], End::Closed(1002)),
        row("an empty pong", &[frame(FIN | PONG, b"")], &[], End::Open),
        row("a pong", &[frame(FIN | PONG, b"unasked")], &[], End::Open),
        row("a pong and a ping", &unasked, &[(FIN | PONG, b"asked")], End::Open),
        row("ten pings", &ten, &pongs, End::Open),
    ]);
}

#[test]
fn reserved_bits_and_opcodes_close_with_1002_after_the_echo_of_what_came_before() {
    let echo: &[(u8, &[u8])] = &[(FIN | TEXT, b"before")];
    let mut rows = Vec::new();
    for (name, first) in (1..8)
        .map(|bits: u8| (format!("reserved bits {bits} on a text"), FIN | bits << 4 | TEXT))
        .chain([2, 8, 9].map(|opcode| (format!("reserved bits on opcode {opcode}"), FIN | 0x50 | opcode)))
        .chain([3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(|code| (format!("opcode {code}"), FIN | code)))
    {
        for payload in [&b""[..], b"reserved"] {
            let sent = [frame(FIN | TEXT, b"before"), frame(first, payload), frame(FIN | PING, b"")];
            rows.push(row(name.clone(), &sent, echo, End::Closed(1002)));
            rows.push(row(format!("{name}, alone"), &[frame(first, payload)], &[], End::Closed(1002)));
        }
    }
    play(&rows);
}

#[test]
fn fragments_are_put_together_and_control_frames_may_come_between() {
    let (first, middle, last) =
        (frame(TEXT, b"one "), frame(CONTINUATION, b"two "), frame(FIN | CONTINUATION, b"three"));
    let ping = |payload: &[u8]| frame(FIN | PING, payload);
    let whole: (u8, &[u8]) = (FIN | TEXT, b"one two three");
    let plain = [first.clone(), middle.clone(), last.clone()];
    let pinged = [first, ping(b"a"), middle, ping(b"b"), last];
    let twice = [&pinged[..], &pinged[..]].concat();
    let empty = [frame(TEXT, b""), frame(CONTINUATION, b""), frame(FIN | CONTINUATION, b"")];
    let hollow = [frame(BINARY, b""), frame(CONTINUATION, b"in"), frame(FIN | CONTINUATION, b"")];
    let pongs: [(u8, &[u8]); 2] = [(FIN | PONG, b"a"), (FIN | PONG, b"b")];
    play(&[
        row("three fragments", &plain, &[whole], End::Open),
        row("pings between", &pinged, &[pongs[0], pongs[1], whole], End::Open),
        row("twice", &twice, &[pongs[0], pongs[1], whole, pongs[0], pongs[1], whole], End::Open),
        row("empty fragments", &empty, &[(FIN | TEXT, b"")], End::Open),
        row("only the middle is not empty", &hollow, &[(FIN | BINARY, b"in")], End::Open),
    ]);
}

#[test]
fn fragments_out_of_place_close_with_1002() {
    let text = frame(FIN | TEXT, b"text");
    let (begins, goes_on, ends) =
        (frame(TEXT, b"begins "), frame(CONTINUATION, b"goes on "), frame(FIN | CONTINUATION, b"ends"));
    let whole: (u8, &[u8]) = (FIN | TEXT, b"begins ends");
    let closed = End::Closed(1002);
    play(&[
        row("a fragmented ping", &[frame(PING, b"a"), frame(FIN | CONTINUATION, b"b")], &[], closed),
        row("a fragmented pong", &[frame(PONG, b"a"), frame(FIN | CONTINUATION, b"b")], &[], closed),
        row("a fragmented close", &[frame(CLOSE, b""), frame(FIN | CONTINUATION, b"")], &[], closed),
        row("an end without a beginning", &[ends.clone(), text.clone()], &[], closed),
        row("a middle without a beginning", &[goes_on.clone(), text.clone()], &[], closed),
        row(
            "a middle after an end",
            &[begins.clone(), ends.clone(), goes_on.clone(), text.clone()],
            &[whole],
            closed,
        ),
        row("a middle before a beginning", &[goes_on, begins.clone(), ends.clone()], &[], closed),
        row("an end before a beginning", &[ends.clone(), begins.clone(), ends], &[], closed),
        row("a message within a message", &[begins.clone(), text], &[], closed),
        row("a beginning within a message", &[begins.clone(), begins], &[], closed),
    ]);
}

#[test]
fn text_that_is_utf_8_comes_back_however_it_is_cut() {
    let mut rows = Vec::new();
    for text in utf8::valid() {
        let back: &[(u8, &[u8])] = &[(FIN | TEXT, &text)];
        let name = format!("{text:02x?}");
        rows.push(row(format!("{name} whole"), &[frame(FIN | TEXT, &text)], back, End::Open));
        rows.push(row(format!("{name} byte by byte"), &fragments(TEXT, &text, 1), back, End::Open));
    }
    play(&rows);
}

#[test]
fn text_that_is_not_utf_8_closes_with_1007_however_it_is_cut() {
    let mut rows = Vec::new();
    for text in utf8::invalid() {
        let name = format!("{text:02x?}");
        let around = [b"before ", &text[..], b" after"].concat();
        rows.push(row(format!("{name} whole"), &[frame(FIN | TEXT, &text)], &[], End::Closed(1007)));
        rows.push(row(format!("{name} in bytes"), &fragments(TEXT, &text, 1), &[], End::Closed(1007)));
        rows.push(row(format!("{name} amid text"), &[frame(FIN | TEXT, &around)], &[], End::Closed(1007)));
    }
    play(&rows);
}

#[test]
fn a_fragment_that_is_not_utf_8_closes_before_the_message_ends() {
    let good = frame(TEXT, "κόσμε".as_bytes());
    let bad = frame(CONTINUATION, &[0xf4, 0x90, 0x80, 0x80]);
    let cut = [frame(TEXT, &[0xce, 0xba, 0xf4]), frame(CONTINUATION, &[0x90])];
    play(&[
        row("in a fragment of its own", &[good, bad], &[], End::Closed(1007)),
        row("across two fragments", &cut, &[], End::Closed(1007)),
    ]);
}

#[test]
fn a_close_frame_is_answered_once_and_nothing_after_it_is() {
    let close = frame(FIN | CLOSE, &reason(1000, b"bye"));
    let text = frame(FIN | TEXT, b"text");
    let large = vec![b'*'; 256 * 1024];
    let closed = End::Closed(1000);
    let after_large = [frame(FIN | TEXT, &large), close.clone(), frame(FIN | PING, b"")];
    let within = [frame(TEXT, b"begins"), close.clone(), frame(FIN | CONTINUATION, b"ends")];
    let longest = frame(FIN | CLOSE, &reason(1000, &[b'*'; 123]));
    let too_long = frame(FIN | CLOSE, &reason(1000, &[b'*'; 124]));
    let not_text = frame(FIN | CLOSE, &reason(1000, &[b'a', 0xce, 0xff]));
    play(&[
        row("after a message", &[text.clone(), close.clone()], &[(FIN | TEXT, b"text")], closed),
        row("twice", &[close.clone(), close.clone()], &[], closed),
        row("before a ping", &[close.clone(), frame(FIN | PING, b"")], &[], closed),
        row("before a message", &[close, text], &[], closed),
        row("within a message", &within, &[], closed),
        row("after a large message", &after_large, &[(FIN | TEXT, &large)], closed),
        row("without a code", &[frame(FIN | CLOSE, b"")], &[], End::WithoutCode),
        row("with half a code", &[frame(FIN | CLOSE, &[3])], &[], End::Closed(1002)),
        row("without a reason", &[frame(FIN | CLOSE, &reason(1000, b""))], &[], closed),
        row("with the longest reason", &[longest], &[], closed),
        row("with a longer one", &[too_long], &[], End::Closed(1002)),
        row("with a reason that is not UTF-8", &[not_text], &[], End::Closed(1007)),
    ]);
}

#[test]
fn a_close_code_that_may_be_sent_comes_back_and_another_closes_with_1002() {
    let good = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
    let bad = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];
    let send = |code: u16, end| row(code.to_string(), &[frame(FIN | CLOSE, &reason(code, b""))], &[], end);
    let good = good.iter().map(|code| send(*code, End::Closed(*code)));
    play(&good.chain(bad.iter().map(|code| send(*code, End::Closed(1002)))).collect::<Vec<_>>());
}

#[test]
fn messages_up_to_16_mib_come_back() {
    on_both(|address| {
        for (opcode, byte) in [(TEXT, b'*'), (BINARY, 0xfe)] {
            for size in [64 << 10, 256 << 10, 1 << 20, 4 << 20, 8 << 20, 16 << 20] {
                let payload = vec![byte; size];
                let sent = [frame(FIN | opcode, &payload)];
                let name = format!("opcode {opcode}, {size} bytes");
                row(name, &sent, &[(FIN | opcode, &payload)], End::Open).play(address, &[&sent[0]]);
            }
        }
    });
}

#[test]
fn a_message_over_16_mib_closes_with_1009_at_the_header_that_declares_it() {
    let declares_more = [&[FIN | BINARY, 0xff][..], &(16_777_217_u64).to_be_bytes(), &[0; 4]].concat();
    let half = frame(BINARY, &vec![1; 8 << 20]);
    let more_than_half = [&[FIN, 0xff][..], &(8_388_609_u64).to_be_bytes(), &[0; 4]].concat();
    on_both(|address| {
        row("in one frame", &[], &[], End::Closed(1009)).play(address, &[&declares_more]);
        row("in two", &[], &[], End::Closed(1009)).play(address, &[&half, &more_than_half]);
    });
}

#[test]
fn a_message_that_takes_longer_than_the_heartbeat_comes_through_as_long_as_it_goes_on() {
    let quick = ["--echo", "true", "--heartbeat-interval", "1500", "--heartbeat-timeout", "1500"];
    for binary in BINARIES {
        let folder = Folder::new();
        let process = Process::start(binary, &folder, &quick);
        let mut wire = Wire::open(process.address(), "/echo");
        let payload = vec![7; 1 << 20];
        for piece in frame(FIN | BINARY, &payload).chunks(64 << 10) {
            wire.write(piece).expect("it is open");
            thread::sleep(Duration::from_millis(300));
        }
        assert!(wire.read_frame().is_ok_and(|echo| echo == (FIN | BINARY, payload)), "{binary}");

        wire.write(&frame(FIN | BINARY, &[7; 100])[..99]).expect("it is open");
        assert_eq!(wire.read_frame().ok(), Some((FIN | PING, Vec::new())), "{binary}");
        let (first, payload) = wire.read_frame().expect("a close frame");
        assert_eq!((first, &payload[..2]), (FIN | CLOSE, &4000_u16.to_be_bytes()[..]), "{binary}");
    }
}

#[test]
fn a_message_of_4_mib_comes_back_from_fragments_of_any_size() {
    on_both(|address| {
        for (opcode, byte) in [(TEXT, b'*'), (BINARY, 0xfe)] {
            let payload = vec![byte; 4 << 20];
            for size in [64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20] {
                let sent = fragments(opcode, &payload, size).concat();
                let name = format!("opcode {opcode}, fragments of {size} bytes");
                row(name, &[], &[(FIN | opcode, &payload)], End::Open).play(address, &[&sent]);
            }
        }
    });
}

#[test]
fn the_fragment_over_262_144_closes_with_1008() {
    let (first, more) = (frame(BINARY, b""), frame(CONTINUATION, b""));
    let most = [first, more.repeat(262_143)].concat();
    on_both(|address| {
        let whole = [&most[..most.len() - more.len()], &frame(FIN | CONTINUATION, b"")].concat();
        row("as many as may be", &[], &[(FIN | BINARY, b"")], End::Open).play(address, &[&whole]);
        row("one more", &[], &[], End::Closed(1008)).play(address, &[&most, &more]);
    });
}

#[test]
fn a_message_of_1_mib_comes_back_from_pieces_of_any_size() {
    on_both(|address| {
        for (opcode, byte) in [(TEXT, b'*'), (BINARY, 0xfe)] {
            let payload = vec![byte; 1 << 20];
            let sent = frame(FIN | opcode, &payload);
            for size in [64, 128, 256, 512, 1 << 10, 2 << 10, 4 << 10] {
                let name = format!("opcode {opcode}, pieces of {size} bytes");
                let pieces: Vec<_> = sent.chunks(size).collect();
                row(name, &[], &[(FIN | opcode, &payload)], End::Open).play(address, &pieces);
            }
        }
    });
}

#[test]
fn a_message_of_64_kib_comes_back_from_fragments_of_1300_bytes() {
    let payload = vec![b'*'; 65_536];
    let sent = fragments(TEXT, &payload, 1_300);
    play(&[row("a text", &sent, &[(FIN | TEXT, &payload)], End::Open)]);
}

#[test]
fn a_thousand_messages_come_back_one_after_another() {
    on_both(|address| {
        for opcode in [TEXT, BINARY] {
            for size in [0, 16, 64, 256, 1_024, 4_096] {
                let payload = vec![b'*'; size];
                let mut wire = Wire::open(address, "/echo");
                for _ in 0..1_000 {
                    wire.write(&frame(FIN | opcode, &payload)).expect("it is open");
                    let got = wire.read_frame().expect("it is open");
                    assert!(got == (FIN | opcode, payload.clone()), "{size}: {}", brief(&got));
                }
            }
        }
    });
}
