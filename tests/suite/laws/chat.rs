//! The room's gate: nine connections of five users over `/chat`, `/api/connect` and Socket.IO in two rooms with a past,
//! who come, go, are cut off, come back with what they have heard or as who they were, say things once, twice and
//! otherwise, read slowly or not at all; who poll, post several packets at once and upgrade when they like; members
//! that are taken out, rooms that are deleted and made again; and a store that is late, out of order between rooms,
//! and one time in ten does not know. The world is `simulation`, its witness holds the laws.
//!
//! | law | a planted fault that it catches |
//! | --- | --- |
//! | a message is acknowledged only after it is stored | answered when it is submitted |
//! | others hear a message only after it is stored | told when it is submitted |
//! | everybody hears everything once, in order | the last message before a reader goes live is dropped |
//! | a sender does not hear its own message | the origin is told too |
//! | an answer comes after what precedes it | answers are not held; they come when all of a commit was told |
//! | what is said once is stored once | a new id at the second try; a repeated id is taken as new |
//! | after a page nothing more is sent until it went out | the next page follows at once |
//! | who reads slowly but steadily comes to be live in every room | each room has a pace of its own |
//! | nobody hears a room they may not | a removed member listens on; a deleted room lives on, or is loaded as it was |
//! | nothing is kept without a room | a room that is opened while it is deleted takes messages in |
//! | who left is not let in by an earlier join | a join goes on when its membership is stored |
//! | who is slow hears, too, that a room is not theirs any more | a removed member is told by a signal |
//! | no call is left without its answer | a room is forgotten while it stores something |
//! | after everything has ended nothing is left | who hung up while joining is let in |
//! | the message over 256 that wait is refused | no limit |
//! | a call is answered once | an ack is sent twice |
//! | who is taken up again has lost nothing, and hears nothing twice | its own entries are told to it; the number it names counts as not heard; it goes on behind the last number that was heard; it is taken up while it was catching up; when it went live is not looked at |
//! | who is taken up again is in the rooms that it was in | rooms that are not there any more are passed over |
//! | what waited for a poll goes out before what follows | the first of the queue is lost at the upgrade |
//! | a sender does not hear its own message, also when its place is read first | what is being stored is told from the read for a gap |
//! | a polling session whose client never connects ends | its timer is set in the past |

use crate::cases;
use parlor_protocol::http::Body;
use parlor_tests::simulation::chat::Chat;
use parlor_tests::simulation::socket::Pace;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn whatever_people_and_the_store_do_the_laws_of_the_room_hold(
        seed: u64,
        past in prop_oneof![Just(0_usize), Just(60), Just(150), Just(700)],
        size in prop_oneof![Just(20_usize), Just(1_000), Just(6_000)],
        fails: bool,
        steps in vec(any::<[u8; 4]>(), 1..120),
    ) {
        let mut chat = Chat::new(seed, past, size);
        chat.world.store.fails = fails;
        steps.into_iter().for_each(|step| chat.play(step));
        chat.settle();
    }
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn whoever_comes_in_while_others_talk_hears_all_of_it(
        seed: u64,
        // So far behind that the second page is read too, and is the last unless somebody talks meanwhile.
        past in 400..430_usize,
        comings in vec((0..90_u64, vec(0..200_u64, 4..12)), 1..8),
    ) {
        let mut chat = Chat::new(seed, past, 500);
        [1, 2, 3].into_iter().for_each(|client| chat.connect(client));
        chat.wait(Duration::from_secs(1));
        chat.join(2, "shut", 6);
        chat.wait(Duration::from_secs(1));
        for (since, pauses) in comings {
            for client in [1, 3] {
                let data = json!({"roomId": "shut", "since": since.min(past as u64)});
                chat.call(client, "shut", "chat:room:join", data);
            }
            for pause in pauses {
                chat.send(2, "shut", 0);
                chat.wait(Duration::from_millis(pause));
            }
        }
        chat.settle();
    }
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn whoever_is_cut_off_and_comes_back_as_who_it_was_has_lost_nothing(
        seed: u64,
        past in prop_oneof![Just(0_usize), Just(60), Just(400)],
        lines in 1..4_usize,
        fails: bool,
        steps in vec((0..17_u8, any::<[u8; 3]>()), 20..160),
    ) {
        let mut chat = Chat::new(seed, past, 20);
        chat.world.store.fails = fails;
        (0..6 + lines).for_each(|client| chat.connect(client));
        chat.wait(Duration::from_millis(200));
        (0..6 + lines).for_each(|client| ["open", "shut"].into_iter().for_each(|room| chat.join(client, room, 6)));
        chat.wait(Duration::from_secs(1));
        steps.into_iter().for_each(|(kind, rest)| chat.play_recovery(lines, kind, rest));
        chat.settle();
    }
}

/// So many frames wait in the client's outbox.
fn frames_waiting(chat: &Chat, client: usize) -> usize {
    let socket = chat.socket(client).expect("connected");
    let mut slices = [std::io::IoSlice::new(&[]); 1_024];
    chat.world.sockets[&socket].outbox.gather(&mut slices)
}

#[test]
fn the_message_over_256_that_wait_is_refused_as_overloaded() {
    let mut chat = Chat::new(1, 0, 20);
    chat.connect(2);
    chat.wait(Duration::from_secs(1));
    chat.join(2, "shut", 6);
    chat.wait(Duration::from_secs(1));
    chat.world.store.stands_still_until = chat.world.now + Duration::from_secs(5);
    (0..300).for_each(|_| chat.send(2, "shut", 0));
    chat.wait(Duration::from_secs(10));
    // One is being stored, 256 wait for it.
    assert_eq!(chat.log("shut").len(), 257);
    assert_eq!(chat.witness.codes, BTreeMap::from([("\"OVERLOADED\"".to_string(), 43)]));
    chat.settle();
}

#[test]
fn a_reader_far_behind_is_sent_one_page_until_it_went_out() {
    let mut chat = Chat::new(1, 700, 500);
    chat.connect(2);
    chat.wait(Duration::from_secs(1));
    let socket = chat.socket(2).expect("connected");
    chat.world.pace(socket, Pace::Stalled);
    chat.call(2, "shut", "chat:room:join", json!({"roomId": "shut", "since": 0}));
    chat.wait(Duration::from_secs(5));
    assert_eq!(frames_waiting(&chat, 2), 202, "the answer with the first 200, a page, and who came");
    chat.world.pace(socket, Pace::Fast);
    chat.wait(Duration::from_secs(10));
    assert_eq!(chat.witness.heard, 500, "all that follows the first 200");
    chat.settle();
}

/// So many rooms with 300 KiB each, which a client joins all at once and reads slowly.
fn joins_slowly(rooms: usize, steady: bool) -> Chat {
    let mut chat = Chat::new(1, 0, 20);
    let names: Vec<_> = (0..rooms).map(|place| format!("room-{place}")).collect();
    names.iter().for_each(|room| chat.furnish(room, 50, 6 * 1_024));
    chat.connect(2);
    chat.wait(Duration::from_secs(1));
    let socket = chat.socket(2).expect("connected");
    chat.world.pace(socket, if steady { Pace::Slow } else { Pace::Stalled });
    for room in &names {
        chat.call(2, room, "chat:room:join", json!({"roomId": room, "since": 0}));
    }
    chat
}

#[test]
fn who_reads_slowly_but_steadily_comes_to_be_live_in_every_room_it_joins() {
    let mut chat = joins_slowly(100, true);
    let socket = chat.socket(2);
    chat.wait(Duration::from_secs(180));
    assert_eq!(chat.socket(2), socket, "its outbox did not run over");
    assert_eq!((chat.witness.joined, chat.witness.heard), (100, 100 * 29), "21 are shown, 29 follow");
    chat.connect(4);
    (0..100).for_each(|place| chat.send(4, &format!("room-{place}"), 0));
    chat.wait(Duration::from_secs(2));
    assert_eq!(chat.witness.heard, 100 * 30, "one more in each room, at once");
    chat.settle();
}

#[test]
fn joins_that_wait_for_their_turn_go_with_their_connection() {
    let mut chat = joins_slowly(100, false);
    chat.wait(Duration::from_secs(5));
    // Two pages are sent before they have to go out. Each join is counted as one under way and as one in line.
    assert_eq!(chat.world.server.counts().parked, 2 * 98);
    for place in 60..70 {
        let room = format!("room-{place}");
        chat.call(2, &room, "chat:room:leave", json!({"roomId": room}));
    }
    assert_eq!(chat.world.server.counts().parked, 2 * 88);
    let step = chat.world.cut(chat.socket(2).expect("it is not too slow"));
    assert_eq!(step.ended.len(), 1);
    let counts = chat.world.server.counts();
    assert_eq!((counts.parked, counts.paced), (0, 0));
}

#[test]
fn a_room_that_stores_something_is_not_forgotten() {
    let mut chat = Chat::new(1, 0, 20);
    chat.connect(2);
    chat.wait(Duration::from_secs(1));
    // A member need not join to send; a minute later the room is idle.
    chat.send(2, "shut", 0);
    chat.wait(Duration::from_secs(50));
    chat.world.store.stands_still_until = chat.world.now + Duration::from_secs(42);
    chat.send(2, "shut", 0);
    chat.wait(Duration::from_secs(60));
    assert_eq!(chat.log("shut").len(), 2);
    chat.settle();
}

#[test]
fn what_is_said_while_an_unopened_room_is_deleted_is_not_kept() {
    for seed in 0..100 {
        let mut chat = Chat::new(seed, 3, 20);
        chat.connect(2);
        chat.wait(Duration::from_secs(1));
        chat.delete("shut");
        chat.wait(Duration::from_millis(seed * 4));
        chat.send(2, "shut", 0);
        chat.settle();
    }
}

#[test]
fn who_leaves_while_joining_is_not_let_in() {
    for seed in 0..100 {
        let mut chat = Chat::new(seed, 300, 20);
        chat.connect(2);
        chat.wait(Duration::from_secs(1));
        chat.join(2, "open", 6);
        chat.wait(Duration::from_millis(seed * 6));
        chat.call(2, "open", "chat:room:leave", json!({"roomId": "open"}));
        chat.settle();
    }
}

#[test]
fn joins_that_are_under_way_together_do_not_pass_the_limit_of_rooms() {
    let mut chat = Chat::new(1, 0, 20);
    chat.connect(0);
    chat.connect(2);
    chat.wait(Duration::from_secs(1));
    let rooms: Vec<_> = (0..130).map(|place| format!("room-{place}")).collect();
    for room in &rooms {
        let data = json!({"roomId": room, "name": room, "visibility": "public"});
        chat.call(0, room, "chat:room:create", data);
    }
    chat.wait(Duration::from_secs(2));
    rooms.iter().for_each(|room| chat.join(2, room, 6));
    chat.wait(Duration::from_secs(5));
    assert_eq!(chat.witness.joined, 128);
    assert_eq!(chat.witness.codes, BTreeMap::from([("\"CLIENT_ERROR\"".to_string(), 2)]));
    chat.settle();
}

#[test]
fn what_is_made_or_read_is_asked_for_again_until_it_is_known() {
    let mut chat = Chat::new(1, 300, 20);
    chat.connect(2);
    chat.wait(Duration::from_secs(1));
    chat.world.store.fails = true;
    for place in 0..40 {
        let room = format!("room-{place}");
        chat.call(
            2,
            &room,
            "chat:room:create",
            json!({"roomId": room, "name": room, "visibility": "public"}),
        );
        chat.call(2, "shut", "chat:message:history", json!({"roomId": "shut", "after": place}));
        chat.wait(Duration::from_secs(3));
    }
    assert_eq!(chat.witness.codes.get("\"CONFLICT\""), None, "{:?}", chat.witness.codes);
    let unavailable = chat.witness.codes.get("\"STORE_UNAVAILABLE\"").copied().unwrap_or(0);
    assert!(unavailable <= 4, "only what is surely not stored: {:?}", chat.witness.codes);
    chat.settle();
}

#[test]
fn a_polling_session_whose_client_never_connects_ends() {
    for waits in [false, true] {
        let mut chat = Chat::new(1, 0, 20);
        let target = "/socket.io/?EIO=4&transport=polling";
        let step = chat.world.request(50, "GET", target, "ann:firm:employee", "");
        let Body::Bytes(opening) = &step.responded[0].1.body else { panic!("an opening") };
        let opening: Value = serde_json::from_slice(&opening[1..]).expect("an opening");
        if waits {
            let target = format!("{target}&sid={}", opening["sid"].as_str().expect("its name"));
            chat.world.request(51, "GET", &target, "ann:firm:employee", "");
        }
        assert!(chat.world.server.counts().held() > 0);
        chat.wait(Duration::from_secs(200));
        let left = chat.world.server.counts();
        assert_eq!(left.held(), 0, "{left:?}");
    }
}
