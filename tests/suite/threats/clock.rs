//! Time that does not pass as it should. Nobody can set the clock of the machine for one process; what a server makes of
//! a clock that is set is shown where its own clock is (host/src/clock.rs). Here it is stopped and goes on.

use crate::{on_both, serves, upgrade};
use bytes::Bytes;
use parlor_protocol::action::{Action, Actions};
use parlor_protocol::http::parse_head;
use parlor_protocol::ids::{RequestId, SocketId};
use parlor_protocol::input::{Input, Message};
use parlor_protocol::server::Server;
use parlor_protocol::settings::Settings;
use parlor_protocol::time::Timestamp;
use parlor_tests::client::{Client, Heard};
use parlor_tests::wire::{FIN, PING, PONG, TEXT, Wire, frame};
use serde_json::json;
use std::net::IpAddr;
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

/// One socket on `/echo` of a core alone, and what it orders.
struct Alone {
    server: Server,
    socket: SocketId,
}

impl Alone {
    fn open(now: Timestamp) -> Self {
        let mut server = Server::new(Settings { echo: true, ..Settings::default() }, [7; 32]);
        server.handle(now, Input::Started, &mut Actions::new());
        let (head, _) = parse_head(upgrade("/echo", &[], "").as_bytes()).expect("a good head");
        let (request, peer) = (RequestId { slot: 0, generation: 0 }, IpAddr::from([127, 0, 0, 1]));
        let mut actions = Actions::new();
        server.handle(now, Input::Requested { request, peer, head, body: Bytes::new() }, &mut actions);
        let socket = actions.iter().find_map(|action| {
            let Action::Upgrade { socket, .. } = action else { return None };
            Some(*socket)
        });
        Self { server, socket: socket.expect("it is let in") }
    }

    /// Tells a fact: whether the socket was pinged, and whether it was closed.
    fn tell(&mut self, now: Timestamp, input: Input) -> (bool, bool) {
        let mut actions = Actions::new();
        self.server.handle(now, input, &mut actions);
        let pinged = actions.iter().any(|action| matches!(action, Action::Send { .. }));
        let closed = actions.iter().any(|action| matches!(action, Action::Close { .. }));
        (pinged, closed)
    }
}

const BEGIN: Timestamp = Timestamp(1_800_000_000_000_000);
const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn a_night_that_passes_in_one_step_ends_nobody_before_it_was_asked() {
    let mut alone = Alone::open(BEGIN);
    let morning = BEGIN + 8 * HOUR;
    assert_eq!(alone.tell(morning, Input::Tick), (true, false), "pinged, and not closed");
    let socket = alone.socket;
    let pong = Input::Received { socket, message: Message::Pong(Bytes::new()) };
    assert_eq!(alone.tell(morning + Duration::from_secs(1), pong), (false, false));
    assert!(!alone.tell(morning + Duration::from_secs(34), Input::Tick).1);
    // Who has not answered by the time it had is gone.
    let mut silent = Alone::open(BEGIN);
    assert_eq!(silent.tell(morning, Input::Tick), (true, false));
    assert_eq!(silent.tell(morning + Duration::from_secs(34), Input::Tick), (false, false));
    assert!(silent.tell(morning + Duration::from_secs(35), Input::Tick).1);
}

#[test]
fn a_time_that_turns_back_in_spite_of_all_ends_nobody() {
    let mut alone = Alone::open(BEGIN);
    let socket = alone.socket;
    let text = |text: &'static str| Input::Received { socket, message: Message::Text(Bytes::from(text)) };
    for now in [BEGIN, BEGIN - HOUR, BEGIN + HOUR, BEGIN - HOUR, BEGIN - 24 * HOUR] {
        assert_eq!(alone.tell(now, text("x")), (true, false), "an echo, and no close");
        assert!(!alone.tell(now, Input::Tick).1);
    }
}
