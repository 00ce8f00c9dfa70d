//! Too much of what is allowed: pings, malformed messages, rooms, joins, connections.

use crate::{answer, ask, get, on_both, serves};
use parlor_tests::client::{Client, Heard, SERVICE_KEY};
use parlor_tests::wire::{CLOSE, FIN, PING, PONG, TEXT, Wire, frame};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

/// A number of the metrics.
pub fn metric(address: SocketAddr, name: &str) -> u64 {
    let request = get("/metrics", &format!("Authorization: Bearer {SERVICE_KEY}\r\n"));
    let (_, _, body) = answer(&mut ask(address, request));
    let text = String::from_utf8(body).expect("it is text");
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("a number")
}

#[test]
fn twenty_pings_at_once_are_answered_and_a_flood_of_them_is_1008() {
    on_both(&["--echo", "true"], |process, _| {
        let mut wire = Wire::open(process.address(), "/echo");
        wire.write(&frame(FIN | PING, b"p").repeat(20)).expect("it is open");
        for _ in 0..20 {
            assert_eq!(wire.read_frame().expect("a pong"), (FIN | PONG, b"p".to_vec()));
        }
        wire.write(&frame(FIN | PING, b"p").repeat(200)).unwrap_or_default();
        let mut pongs = 0;
        let (first, payload) = loop {
            let (first, payload) = wire.read_frame().expect("a close frame comes");
            if first != FIN | PONG {
                break (first, payload);
            }
            pongs += 1;
        };
        assert_eq!((first, &payload[..2]), (FIN | CLOSE, &1008_u16.to_be_bytes()[..]));
        assert!(pongs <= 200, "{pongs}");
        assert!(metric(process.address(), "parlor_limit_hits_total{limit=\"pings\"}") >= 1);
        serves(process.address());
    });
}

#[test]
fn pings_whose_pongs_nobody_reads_take_no_memory_for_long() {
    on_both(&["--echo", "true"], |process, _| {
        let mut wire = Wire::open(process.address(), "/echo");
        let burst = frame(FIN | PING, &[b'p'; 125]).repeat(1_000);
        let begun = Instant::now();
        // What comes after the close frame is thrown away for 5 s, and then nobody listens any more.
        while wire.write(&burst).is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(12), "it still listens");
            assert!(metric(process.address(), "parlor_outbox_bytes") < 1 << 20);
            thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(metric(process.address(), "parlor_connections"), 0);
    });
}

#[test]
fn the_tenth_malformed_message_in_a_minute_is_1008() {
    on_both(&[], |process, _| {
        let mut client = Client::open(process.address(), "/chat", "ada").expect("it is let in");
        let nonsense = [json!(7), json!([]), json!({"event": 7}), json!({}), json!("x")];
        client.say(nonsense.iter().chain(&nonsense).chain(&nonsense)).expect("it is open");
        let mut told = 0;
        loop {
            match client.hear().expect("an answer comes") {
                Heard::Close(code) => break assert_eq!((code, told >= 9), (1008, true), "{told}"),
                Heard::Event(event) => {
                    assert!(event.to_string().contains("PROTOCOL_ERROR"), "{event}");
                    told += 1;
                }
            }
        }
        assert!(metric(process.address(), "parlor_limit_hits_total{limit=\"malformed\"}") >= 1);
    });
}

fn called(client: &mut Client, id: &str, call: &Value) -> Value {
    client.say([call]).expect("it is open");
    loop {
        match client.hear().expect("it is open") {
            Heard::Event(event) if event["requestId"] == id => return event,
            Heard::Event(_) => {}
            Heard::Close(code) => panic!("closed with {code}"),
        }
    }
}

#[test]
fn a_connection_is_in_128_rooms_at_most_and_rooms_that_are_left_are_not_held_against_it() {
    on_both(&["--create-on-open", "true", "--rate-limit-calls", "0"], |process, _| {
        let mut client = Client::open(process.address(), "/chat", "ada").expect("it is let in");
        let mut join = |name: &str, event: &str| {
            let call = json!({"event": event, "data": {"roomId": name}, "requestId": "c"});
            called(&mut client, "c", &call)
        };
        for at in 0..128 {
            let joined = join(&format!("room{at}"), "chat:room:join");
            assert_eq!(joined["event"], "chat:room:joined", "{joined}");
        }
        let refused = join("one-more", "chat:room:join");
        assert!(refused.to_string().contains("128 rooms"), "{refused}");
        // Whoever goes from room to room holds one at a time.
        for at in 0..300 {
            join(&format!("room{}", at % 128), "chat:room:leave");
            let joined = join(&format!("other{at}"), "chat:room:join");
            assert_eq!(joined["event"], "chat:room:joined", "{joined}");
            join(&format!("other{at}"), "chat:room:leave");
            join(&format!("room{}", at % 128), "chat:room:join");
        }
        assert_eq!(metric(process.address(), "parlor_room_members"), 128);
        for name in ["x".repeat(256), String::new()] {
            let refused = join(&name, "chat:room:join");
            assert!(refused.to_string().contains("error"), "{refused}");
        }
    });
}

#[test]
fn the_hundred_and_first_call_in_a_minute_is_refused_joins_among_them() {
    on_both(&["--create-on-open", "true"], |process, _| {
        let mut client = Client::open(process.address(), "/chat", "ada").expect("it is let in");
        let mut refusals = 0;
        for at in 0..120 {
            let id = format!("c{at}");
            let call = json!({"event": "chat:room:join", "data": {"roomId": format!("r{}", at % 7)}, "requestId": id});
            let said = called(&mut client, &id, &call).to_string();
            let refused = said.contains("RATE_LIMITED");
            assert_eq!(refused, at >= 100, "{said}");
            refusals += usize::from(refused);
        }
        assert_eq!(refusals, 20);
    });
}

#[test]
fn a_connection_that_comes_twenty_one_times_for_one_user_is_429_and_the_others_stay() {
    on_both(&[], |process, _| {
        let target = format!("/chat?token={}", parlor_tests::client::token("ada"));
        let mut wires: Vec<_> = (0..20).map(|_| Wire::open(process.address(), &target)).collect();
        let refused = Wire::try_open(process.address(), &target).expect_err("it is one too many").to_string();
        assert!(refused.starts_with("HTTP/1.1 429 ") && refused.contains("retry-after: "), "{refused}");
        let ping = json!({"event": "ping", "requestId": "p"}).to_string();
        for wire in &mut wires {
            wire.write(&frame(FIN | TEXT, ping.as_bytes())).expect("it is open");
            assert!(wire.read_frame().is_ok_and(|(first, _)| first == FIN | TEXT));
        }
    });
}
