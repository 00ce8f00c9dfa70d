//! Time that does not pass as it should. Nobody can set the clock of the machine for one process; what a server makes of
//! a clock that is set is shown where its own clock is (host/src/clock.rs). Here it is stopped and goes on.

use crate::{on_both, serves};
use parlor_tests::client::{Client, Heard};
use parlor_tests::wire::{FIN, PING, PONG, TEXT, Wire, frame};
use serde_json::json;
use std::thread;
use std::time::{Duration, Instant};

/// How long it is stopped: much longer than the heartbeat would bear.
const STOPPED: Duration = Duration::from_secs(4);

#[test]
fn a_server_that_was_suspended_hangs_up_on_nobody_who_is_there() {
    let quick = [
        "--create-on-open",
        "true",
        "--echo",
        "true",
        "--heartbeat-interval",
        "500",
        "--heartbeat-timeout",
        "1000",
    ];
    on_both(&quick, |process, _| {
        let mut wire = Wire::open(process.address(), "/echo");
        let mut client = Client::open(process.address(), "/chat", "ada").expect("it is let in");
        let join = json!({"event": "chat:room:join", "data": {"roomId": "r"}, "requestId": "j"});
        client.say([&join]).expect("it is open");
        while !matches!(client.hear().expect("it is open"), Heard::Event(event) if event["requestId"] == "j")
        {
        }
        process.suspend();
        thread::sleep(STOPPED);
        process.resume();
        // Two intervals later both are there, and what they say is heard.
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until {
            let (first, payload) = wire.read_frame().expect("it is open");
            assert_eq!(first, FIN | PING, "{payload:?}");
            wire.write(&frame(FIN | PONG, &payload)).expect("it is open");
        }
        wire.write(&frame(FIN | TEXT, b"still here")).expect("it is open");
        while wire.read_frame().expect("it is open") != (FIN | TEXT, b"still here".to_vec()) {}
        serves(process.address());
    });
}

#[test]
fn stamps_and_places_go_on_behind_a_suspension_in_their_order() {
    on_both(&["--create-on-open", "true"], |process, _| {
        let mut client = Client::open(process.address(), "/chat", "ada").expect("it is let in");
        let mut call = |event: &str, data: serde_json::Value, id: &str| {
            client.say([&json!({"event": event, "data": data, "requestId": id})]).expect("it is open");
            loop {
                match client.hear().expect("it is open") {
                    Heard::Event(event) if event["requestId"] == id => break event["data"].clone(),
                    Heard::Event(_) => {}
                    Heard::Close(code) => panic!("closed with {code}"),
                }
            }
        };
        call("chat:room:join", json!({"roomId": "r"}), "j");
        let before = call("chat:message:send", json!({"roomId": "r", "content": "before"}), "b");
        process.suspend();
        thread::sleep(Duration::from_secs(2));
        process.resume();
        let after = call("chat:message:send", json!({"roomId": "r", "content": "after"}), "a");
        assert_eq!((before["seq"].as_u64(), after["seq"].as_u64()), (Some(1), Some(2)));
        let (was, is) = (before["timestamp"].as_str(), after["timestamp"].as_str());
        assert!(was < is && was.is_some(), "{before} {after}");
    });
}
