//! The budget of a user over all its connections: Socket.IO, `/chat` and `/api/connect` together.
//!
//! | law | a planted fault that it catches |
//! | --- | --- |
//! | exactly 100 calls in any 60 s, over all envelopes together | the window is a second too short |
//!
//! A call over the limit costs nothing, and its caller is told exactly how long to wait.

use crate::cases;
use parlor_protocol::input::Input;
use parlor_protocol::settings::Settings;
use parlor_tests::simulation::socket::Read;
use parlor_tests::simulation::{Step, World};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::VecDeque;
use std::time::Duration;

const LIMIT: usize = 100;
const WINDOW: Duration = Duration::from_secs(60);
const PATHS: [&str; 4] = [
    "/chat",
    "/api/connect",
    "/socket.io/?EIO=4&transport=websocket",
    "/socket.io/?EIO=4&transport=websocket",
];

/// The text that a connection is answered, whatever else it is told.
fn answer(step: &Step) -> Option<Value> {
    step.read.iter().find_map(|(_, read)| match read {
        Read::Text(text) if text.starts_with(b"43") => {
            let from = text.iter().position(|byte| *byte == b'[')?;
            Some(serde_json::from_slice::<Value>(&text[from..]).expect("an ack")[0]["error"].clone())
        }
        Read::Text(text) => {
            let said: Value = serde_json::from_slice(text).ok()?;
            said["requestId"].is_string().then(|| said["data"].clone())
        }
        _ => None,
    })
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn a_user_has_exactly_a_hundred_calls_in_any_sixty_seconds_over_all_envelopes(
        seed: u64,
        bursts in vec((0..4_usize, 1..60_usize, 0..30_000_u64), 1..30),
    ) {
        let mut world = World::new(Settings { refusals_max: 0, ..Settings::default() }, seed);
        world.handle(Input::Started);
        let mut sockets = Vec::new();
        for (client, path) in PATHS.into_iter().enumerate() {
            let step = world.request(client, "GET", path, "ann:firm:employee", "");
            let mut opened = step.opened;
            while opened.is_empty() {
                opened = world.step(world.now + WINDOW).expect("it comes").opened;
            }
            sockets.push(opened[0].0);
            if client > 1 {
                world.say(opened[0].0, "40".into());
            }
        }
        let until = world.now + Duration::from_secs(1);
        while world.step(until).is_some() {}
        world.now = until;
        let mut counted: VecDeque<_> = VecDeque::new();
        for (client, calls, pause) in bursts {
            for _ in 0..calls {
                // Nobody has this name: refused at once, and yet a call.
                let text = match client {
                    0 | 1 => r#"{"event":"no:such:call","data":{},"requestId":"q"}"#.to_string(),
                    _ => r#"427["no:such:call",{}]"#.to_string(),
                };
                let step = world.say(sockets[client], text);
                let answer = answer(&step).expect("a call is answered at once");
                while counted.front().is_some_and(|first| world.now.since(*first) >= WINDOW) {
                    counted.pop_front();
                }
                let code = answer["code"].as_str().unwrap_or_default();
                if counted.len() < LIMIT {
                    prop_assert_eq!(code, "CLIENT_ERROR", "the call is within the limit: {}", answer);
                    counted.push_back(world.now);
                } else {
                    let over = if client == 0 { "RATE_LIMITED" } else { "RATE_LIMIT_EXCEEDED" };
                    prop_assert_eq!(code, over, "the call is over the limit: {}", answer);
                    let wait = (counted[0] + WINDOW).since(world.now);
                    let told = answer["details"]["retryAfterMs"].as_u64().expect("how long to wait");
                    prop_assert_eq!(told, (wait.as_micros() as u64).div_ceil(1_000));
                }
            }
            let until = world.now + Duration::from_millis(pause);
            while let Some(step) = world.step(until) {
                // Engine.IO's pings are answered, so that the connections last.
                for (socket, read) in &step.read {
                    if *read == Read::Text(b"2".to_vec()) {
                        world.say(*socket, "3".into());
                    }
                }
            }
            world.now = until;
        }
    }
}
