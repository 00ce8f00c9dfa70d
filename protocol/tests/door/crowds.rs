//! Many at once: what was room enough when they came is none when they have been verified.

use crate::world::{World, user};
use parlor_protocol::action::Action;
use parlor_protocol::input::{Input, Message};
use parlor_protocol::settings::Settings;
use parlor_protocol::store::{Row, StoreReply, TemplateRow};
use std::net::IpAddr;

fn template() -> Row {
    let (name, body) = ("Letter".to_string(), String::new());
    Row::Template(TemplateRow { id: "t".into(), name, firm: None, questions: vec![], body })
}

/// How many of so many that come at once are let in, and what the others hear.
fn let_in(world: &mut World, count: usize) -> (usize, Vec<u16>) {
    let knocking: Vec<_> = (0..count).map(|_| world.knock("/documents?templateId=t")).collect();
    for (_, ticket) in &knocking {
        world.verified(*ticket, user("ann"));
    }
    let questions: Vec<_> = std::iter::from_fn(|| world.asked()).collect();
    assert_eq!(questions.len(), count);
    for (ticket, _) in questions {
        world.tell(Input::Stored(vec![(ticket, StoreReply::Found(vec![template()]))]));
    }
    let inside = knocking.iter().filter(|(request, _)| world.upgraded(*request).is_some()).count();
    let mut refused: Vec<u16> = knocking
        .iter()
        .filter_map(|(request, _)| world.response(*request).map(|response| response.status))
        .collect();
    refused.dedup();
    let responses = knocking.iter().filter_map(|(request, _)| world.response(*request));
    let no_store = ("cache-control".into(), "no-store".to_string());
    assert!(responses.into_iter().all(|response| response.headers.contains(&no_store)));
    (inside, refused)
}

#[test]
fn of_a_crowd_of_one_user_twenty_are_let_in() {
    let mut world = World::new(Settings::default());
    assert_eq!(let_in(&mut world, 500), (20, vec![429]));
}

#[test]
fn of_a_crowd_from_one_address_as_many_are_let_in_as_may() {
    let limits =
        Settings { connections_per_address: 7, connection_rate_per_address: 0, ..Settings::default() };
    let mut world = World::new(limits);
    world.peer = IpAddr::from([203, 0, 113, 1]);
    assert_eq!(let_in(&mut world, 19), (7, vec![429]));
}

#[test]
fn of_a_crowd_as_many_are_let_in_as_may_be_there_in_all() {
    let mut world = World::new(Settings { connections_max: 5, ..Settings::default() });
    assert_eq!(let_in(&mut world, 9), (5, vec![503]));
}

#[test]
fn who_was_on_the_way_in_when_the_server_began_to_stop_stays_outside() {
    let mut world = World::new(Settings::default());
    let (request, ticket) = world.knock("/chat");
    world.tell(Input::Draining);
    world.verified(ticket, user("ann"));
    assert_eq!(world.upgraded(request), None);
    let response = world.response(request).expect("an answer");
    assert_eq!(response.status, 503);
    assert!(response.headers.iter().any(|(name, _)| name == "retry-after"), "{response:?}");
}

#[test]
fn nobody_new_comes_in_while_there_is_no_memory_and_who_is_there_is_served() {
    let mut world = World::new(Settings::default());
    let (request, ticket) = world.knock("/chat");
    world.verified(ticket, user("ann"));
    assert!(world.upgraded(request).is_some());
    let (on_the_way, ticket) = world.knock("/chat");
    world.tell(Input::Memory { short: true });
    world.verified(ticket, user("ben"));
    let late = world.ask_for_socket("/chat");
    for (name, request) in [("on the way", on_the_way), ("late", late)] {
        let (status, body) = world.said(request);
        assert_eq!((status, &body["error"]["code"]), (503, &"OVERLOADED".into()), "{name}");
    }
    let rest = world.ask("GET /api/rooms", "Authorization: Bearer token\r\n", "");
    assert_eq!(world.response(rest), None, "it is looked at");
    world.work();
    world.tell(Input::Memory { short: false });
    let (request, ticket) = world.knock("/chat");
    world.verified(ticket, user("ben"));
    assert!(world.upgraded(request).is_some());
}

/// How many malformed messages are taken before the connection is closed, of thirty.
fn malformed_taken(malformed_max: u32) -> usize {
    let mut world = World::new(Settings { malformed_max, ..Settings::default() });
    let (request, ticket) = world.knock("/chat");
    world.verified(ticket, user("ann"));
    let socket = world.upgraded(request).expect("she is let in");
    let is_closed = |world: &World| world.actions.iter().any(|action| matches!(action, Action::Close { .. }));
    let mut taken = 0;
    while taken < 30 && !is_closed(&world) {
        world.tell(Input::Received { socket, message: Message::Text("{".into()) });
        taken += 1;
    }
    taken
}

#[test]
fn as_many_malformed_messages_close_a_connection_as_is_set_and_none_where_that_is_zero() {
    assert_eq!([10, 3, 0].map(malformed_taken), [10, 3, 30]);
}
