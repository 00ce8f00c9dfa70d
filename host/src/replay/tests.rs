use super::*;
use crate::recording::{Hider, Recorder};
use bytes::Bytes;
use parlor_protocol::action::Action;
use parlor_protocol::auth::Keys;
use parlor_protocol::http::parse_head;
use parlor_protocol::ids::RequestId;
use parlor_protocol::settings::Settings;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};

const SEED: [u8; 32] = [3; 32];

fn request(number: u32) -> Input {
    let (head, _) = parse_head(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n").expect("a good head");
    let request = RequestId { slot: number, generation: 0 };
    Input::Requested { request, peer: IpAddr::V4(Ipv4Addr::LOCALHOST), head, body: Bytes::new() }
}

/// A recording of a server that was told to start and asked something; `told` may say another thing of what it did.
fn recording(told: impl Fn(u64, &mut Actions)) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("the disk takes a folder");
    let file = folder.path().join("a");
    let header = Header::new("parlor", Timestamp(1), SEED, Settings::default());
    let hider = Hider::new([0; 32], &Keys::default());
    let recorder = Recorder::start((&file, 1 << 20), &header, hider, Box::new(|_| {})).expect("a new file");
    let mut server = Server::new(Settings::default(), SEED);
    for (number, input) in [Input::Started, request(1), request(2)].into_iter().enumerate() {
        let (now, mut actions) = (Timestamp(number as u64 * 5_000), Actions::new());
        server.handle(now, input.clone(), &mut actions);
        told(number as u64 + 1, &mut actions);
        recorder.take(now, input, &actions);
    }
    recorder.close();
    fs::read(file).expect("it was written")
}

#[test]
fn the_same_facts_give_the_same_actions_and_a_story() {
    let file = recording(|_, _| {});
    let mut story = Vec::new();
    let replayed = replay(&mut &file[..], Some(&mut story)).expect("it is one");
    assert_eq!((replayed.inputs, replayed.difference.as_ref()), (3, None));
    assert_eq!(replayed.ending, Ending::Said("the server ended".into()));
    let story = String::from_utf8(story).expect("text");
    let lines: Vec<_> = story.lines().collect();
    assert_eq!(lines[1..4], ["# The server starts.", "@ +5ms", "GET /health"]);
    assert!(lines[4].starts_with("  = 200 {\"checks\":{"), "{story}");
}

#[test]
fn an_action_that_was_another_or_was_not_there_is_found_where_it_was() {
    let found = |told: fn(u64, &mut Actions)| {
        replay(&mut &recording(told)[..], None).expect("it is one").difference.expect("it differs")
    };
    let other = found(|number, actions| {
        if number == 3 {
            actions.insert(0, Action::Drained);
        }
    });
    assert_eq!((other.input, other.action, other.at), (3, 1, Timestamp(10_000)));
    assert!(other.here.is_some_and(|here| here.starts_with("Respond")), "the answer stands there");
    let more = found(|number, actions| {
        if number == 2 {
            actions.push(Action::Drained);
        }
    });
    assert_eq!((more.input, more.here.as_ref()), (2, None));
    assert_eq!(more.counts.0, more.counts.1 + 1);
    let less = found(|number, actions| {
        if number == 2 {
            actions.clear();
        }
    });
    assert_eq!((less.input, less.action, less.counts.0), (2, 1, 0));
    let shifted = found(|number, actions| {
        if let Some(Action::Respond { response, .. }) = actions.first_mut().filter(|_| number == 2) {
            response.status += 1;
        }
    });
    assert_eq!((shifted.input, shifted.action), (2, 1));
}

#[test]
fn a_fact_that_was_another_is_found_by_what_followed_then() {
    let folder = tempfile::tempdir().expect("the disk takes a folder");
    let file = folder.path().join("a");
    let header = Header::new("parlor", Timestamp(1), SEED, Settings::default());
    let hider = Hider::new([0; 32], &Keys::default());
    let recorder = Recorder::start((&file, 1 << 20), &header, hider, Box::new(|_| {})).expect("a new file");
    let mut server = Server::new(Settings::default(), SEED);
    for (handled, recorded) in [(Input::Started, Input::Started), (request(1), request(2))] {
        let mut actions = Actions::new();
        server.handle(Timestamp(5), handled, &mut actions);
        recorder.take(Timestamp(5), recorded, &actions);
    }
    recorder.close();
    let file = fs::read(file).expect("it was written");
    let difference = replay(&mut &file[..], None).expect("it is one").difference.expect("it differs");
    assert_eq!((difference.input, difference.action, difference.counts), (2, 1, (1, 1)));
}

#[test]
fn what_is_torn_is_left_out_and_what_is_damaged_is_said() {
    let file = recording(|_, _| {});
    let torn = replay(&mut &file[..file.len() - 3], None).expect("it is one");
    assert!(torn.is_same() && matches!(torn.ending, Ending::Torn(_)), "{torn}");
    let mut damaged = file;
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let damaged = replay(&mut &damaged[..], None).expect("it is one");
    assert!(!damaged.is_same() && damaged.inputs == 3, "{damaged}");
}
