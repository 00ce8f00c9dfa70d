//! Backends that post events while the store is slow, full or silent.

use crate::world::{World, room};
use parlor_protocol::ids::{RoomId, Seq, UserId};
use parlor_protocol::input::Input;
use parlor_protocol::settings::Settings;
use parlor_protocol::store::{
    ANSWER_WAIT_MAX, Append, Entry, NewEntry, RoomRecord, RoomRow, StoreReply, StoreRequest,
};
use parlor_protocol::time::Timestamp;
use serde_json::{Value, json};

fn saga() -> StoreReply {
    let id = RoomId::project("saga");
    let room = Some(RoomRow { id: id.clone(), ..room("saga", "acme") });
    let (members, cursors) = (vec![], vec![]);
    StoreReply::Loaded(Some(Box::new(RoomRecord {
        id,
        room,
        members,
        cursors,
        head: Seq(0),
        kept_after: Seq(0),
        tail: vec![],
        snapshot: None,
    })))
}

fn event(number: usize) -> Value {
    json!({"event": "counted", "data": {"number": number}, "to": {"projectId": "saga"}})
}

/// The entries of the append that was just ordered, stored from this place on.
fn store(world: &mut World, first: u64) -> usize {
    let (ticket, request) = world.asked().expect("an append");
    let StoreRequest::Commit { appends, .. } = request else { panic!("{request:?}") };
    let [Append { room, entries, .. }] = appends.try_into().expect("one room");
    let stored = (first..).zip(entries).map(|(seq, entry)| {
        let NewEntry { id, author, body } = entry;
        assert_eq!(author, UserId::server());
        Entry { room: room.clone(), seq: Seq(seq), id, author, at: Timestamp(1), body }
    });
    let stored: Vec<_> = stored.collect();
    let count = stored.len();
    world.tell(Input::Stored(vec![(ticket, StoreReply::Committed(stored))]));
    count
}

#[test]
fn five_hundred_events_for_one_room_are_stored_in_order_and_answered_together() {
    let mut world = World::new(Settings::default());
    let events: Vec<_> = (0..500).map(event).collect();
    let request = world.ask_as_service("POST /api/events", &json!(events).to_string());
    assert_eq!(world.answer(saga()), StoreRequest::Load { room: RoomId::project("saga") });
    assert_eq!(store(&mut world, 1), 1);
    assert_eq!(world.response(request), None);
    assert_eq!(store(&mut world, 2), 499);
    let (status, body) = world.said(request);
    let expected: Vec<_> = (1..=500).map(|seq| json!({"seq": seq, "delivered": 0})).collect();
    assert_eq!((status, body), (202, json!(expected)));
}

#[test]
fn more_events_than_may_wait_for_a_room_are_refused_one_by_one() {
    let mut world = World::new(Settings::default());
    let events = json!((0..500).map(event).collect::<Vec<_>>()).to_string();
    let requests: Vec<_> = (0..3).map(|_| world.ask_as_service("POST /api/events", &events)).collect();
    world.answer(saga());
    assert_eq!(store(&mut world, 1), 1);
    assert_eq!(store(&mut world, 2), 1_024);
    let (status, body) = world.said(requests[2]);
    let codes: Vec<_> =
        body.as_array().expect("an answer for each").iter().map(|one| one["error"]["code"].clone()).collect();
    assert_eq!((status, codes.len()), (202, 500));
    assert!(codes[..25].iter().all(Value::is_null) && codes[25..].iter().all(|code| code == "OVERLOADED"));
}

#[test]
fn an_event_whose_room_is_never_loaded_is_refused_and_a_later_one_asks_again() {
    let mut world = World::new(Settings::default());
    let request = world.ask_as_service("POST /api/events", &event(1).to_string());
    world.asked().expect("the room is asked for");
    world.wait(ANSWER_WAIT_MAX);
    let (status, body) = world.said(request);
    assert_eq!((status, &body["error"]["code"]), (503, &json!("STORE_UNAVAILABLE")));
    world.actions.clear();
    world.ask_as_service("POST /api/events", &event(2).to_string());
    assert_eq!(world.asked().expect("again").1, StoreRequest::Load { room: RoomId::project("saga") });
}

#[test]
fn a_project_that_was_changed_while_it_was_loaded_is_loaded_again() {
    let mut world = World::new(Settings::default());
    world.ask_as_service("POST /api/events", &event(1).to_string());
    let (load, _) = world.asked().expect("the room is asked for");
    let put = world.ask_as_service("PUT /api/admin/rooms/project/saga", r#"{"name":"Saga"}"#);
    world.answer(StoreReply::Found(vec![]));
    world.answer(StoreReply::Committed(vec![]));
    assert_eq!(world.said(put).0, 200);
    world.tell(Input::Stored(vec![(load, StoreReply::Loaded(None))]));
    assert_eq!(world.answer(saga()), StoreRequest::Load { room: RoomId::project("saga") });
    assert_eq!(store(&mut world, 1), 1);
}

#[test]
fn what_a_backend_that_hung_up_posted_is_stored_all_the_same() {
    let mut world = World::new(Settings::default());
    let request = world.ask_as_service("POST /api/events", &event(1).to_string());
    world.answer(saga());
    world.tell(Input::RequestGone { request });
    assert_eq!(store(&mut world, 1), 1);
    assert_eq!(world.response(request), None);
}
