//! The event hook: what is stored is delivered in order and at least once, and nothing is asked while nothing is
//! stored.

use crate::world::{World, room};
use bytes::Bytes;
use parlor_protocol::action::Action;
use parlor_protocol::call::{Call, CallFailure, Said};
use parlor_protocol::ids::{RoomId, Seq, Ticket};
use parlor_protocol::input::Input;
use parlor_protocol::settings::Settings;
use parlor_protocol::store::{
    Change, Entry, MarkRow, Query, RoomRecord, RoomRow, Row, StoreReply, StoreRequest,
};
use serde_json::{Value, json};
use std::time::Duration;

fn hooked() -> World {
    let mut world =
        World::begun(Settings { hook: true, session_idle_max: Duration::ZERO, ..Settings::default() });
    // What apps ask for at the start.
    while matches!(world.peek(), Some(StoreRequest::Look(query)) if !matches!(query, Query::Mark(_))) {
        world.answer(StoreReply::Found(vec![]));
    }
    world
}

fn entry(seq: u64) -> Entry {
    let body = format!(r#"{{"event":"counted","data":{{"number":{seq}}}}}"#);
    Entry {
        room: RoomId::project("saga"),
        seq: Seq(seq),
        id: format!("e{seq}").into(),
        author: "".into(),
        at: parlor_protocol::time::Timestamp(1_767_225_600_000_000),
        body: Bytes::from(body),
    }
}

fn mark(place: u64) -> Row {
    Row::Mark(MarkRow { name: "event-hook".to_string(), place })
}

fn moved(place: u64) -> StoreRequest {
    StoreRequest::Commit { appends: vec![], rows: vec![Change::Put(mark(place))] }
}

fn appended(after: u64) -> StoreRequest {
    StoreRequest::Look(Query::Appended { after, max: 100 })
}

fn found(places: impl IntoIterator<Item = u64>) -> StoreReply {
    let entries: Vec<_> = places.into_iter().map(|place| (place, entry(place))).collect();
    let end = entries.last().map_or(0, |(place, _)| *place);
    StoreReply::Appended { entries, end }
}

/// The delivery that was just ordered: its ticket, and the numbers in it.
fn delivery(world: &mut World) -> Option<(Ticket, Vec<u64>)> {
    let place = world.actions.iter().position(|action| matches!(action, Action::Call { .. }))?;
    let Action::Call { ticket, call: Call::Hook { events } } = world.actions.remove(place) else {
        panic!("another call")
    };
    let events: Vec<Value> = serde_json::from_str(&events).expect("an array");
    let numbers = events.iter().map(|event| event["data"]["number"].as_u64().expect("a number"));
    Some((ticket, numbers.collect()))
}

/// Lets something be stored: an event that a backend posts.
fn store_one(world: &mut World) {
    world.ask_as_service("POST /api/events", r#"{"event":"counted","data":{},"to":{"projectId":"saga"}}"#);
    if matches!(world.peek(), Some(StoreRequest::Load { .. })) {
        let id = RoomId::project("saga");
        let row = RoomRow { id: id.clone(), ..room("saga", "acme") };
        let (members, cursors) = (vec![], vec![]);
        let record = RoomRecord { cursors, ..RoomRecord::begun(id, Some(row), members) };
        world.answer(StoreReply::Loaded(Some(Box::new(record))));
    }
    world.answer(StoreReply::Committed(vec![entry(1)]));
}

#[test]
fn without_a_mark_the_hook_begins_at_the_end() {
    let mut world = hooked();
    let look = world.answer(StoreReply::Found(vec![]));
    assert_eq!(look, StoreRequest::Look(Query::Mark("event-hook".to_string())));
    assert_eq!(
        world.answer(StoreReply::Appended { entries: vec![], end: 41 }),
        StoreRequest::Look(Query::Appended { after: i64::MAX as u64, max: 100 })
    );
    assert_eq!(world.answer(StoreReply::Committed(vec![])), moved(41));
    assert_eq!(world.answer(found([])), appended(41));
    assert_eq!((world.asked(), delivery(&mut world)), (None, None));
}

#[test]
fn the_hook_goes_on_behind_its_mark_and_moves_it_when_events_were_taken() {
    let mut world = hooked();
    world.answer(StoreReply::Found(vec![mark(41)]));
    assert_eq!(world.answer(found([42, 43])), appended(41));
    let (ticket, numbers) = delivery(&mut world).expect("a delivery");
    assert_eq!((numbers, world.asked()), (vec![42, 43], None));
    world.tell(Input::Called { ticket, said: Said::Delivered });
    assert_eq!(world.answer(StoreReply::Committed(vec![])), moved(43));
    assert_eq!(world.answer(found([])), appended(43));
    world.wait(Duration::from_secs(20));
    assert_eq!(world.asked(), None);
    store_one(&mut world);
    assert_eq!(world.answer(found([44])), appended(43));
    assert_eq!(delivery(&mut world).expect("a delivery").1, [44]);
}

#[test]
fn what_is_not_taken_is_delivered_again_after_waits_that_double() {
    let mut world = hooked();
    world.answer(StoreReply::Found(vec![mark(0)]));
    world.answer(found([1]));
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
        let (ticket, numbers) = delivery(&mut world).expect("a delivery");
        assert_eq!(numbers, [1]);
        let said = Said::Failed(CallFailure::Passing { retry_after: None });
        world.tell(Input::Called { ticket, said });
        world.wait(Duration::from_secs(seconds) - Duration::from_millis(1));
        assert_eq!(delivery(&mut world), None, "{seconds}");
        world.wait(Duration::from_millis(1));
    }
    // What is stored meanwhile waits for its turn.
    let (ticket, _) = delivery(&mut world).expect("a delivery");
    world.tell(Input::Called { ticket, said: Said::Delivered });
    while let Some(request) = world.peek() {
        if request == moved(1) {
            return;
        }
        world.asked();
    }
    panic!("the mark is not moved");
}

#[test]
fn an_event_says_where_it_happened_and_who_spoke() {
    let mut world = hooked();
    world.answer(StoreReply::Found(vec![mark(0)]));
    let spoken = Entry {
        room: RoomId::chat("team"),
        author: "ada".into(),
        body: Bytes::from_static(br#"{"type":"chat","content":"Hi"}"#),
        ..entry(7)
    };
    let unheard = Entry { body: Bytes::from_static(b"{}"), ..entry(8) };
    let entries = vec![(1, entry(1)), (2, spoken), (3, unheard)];
    world.answer(StoreReply::Appended { entries, end: 3 });
    let Some(Action::Call { call: Call::Hook { events }, .. }) =
        world.actions.iter().find(|action| matches!(action, Action::Call { .. }))
    else {
        panic!("no delivery")
    };
    let at = "2026-01-01T00:00:00.000Z";
    let first = json!({"event": "counted", "room": {"kind": "project", "id": "saga"}, "userId": null, "seq": 1,
        "at": at, "data": {"number": 1, "projectId": "saga", "seq": 1, "at": at}});
    let second = json!({"event": "chat:message:received", "room": {"kind": "chat", "id": "team"},
        "userId": "ada", "seq": 7, "at": at, "data": {"id": "e7", "seq": 7, "type": "chat", "roomId": "team",
        "senderId": "ada", "content": "Hi", "timestamp": at, "deliveryStatus": "delivered"}});
    assert_eq!(serde_json::from_str::<Value>(events).expect("an array"), json!([first, second]));
}
