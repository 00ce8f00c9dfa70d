//! What operators see where many are connected, and that what is refused for a limit is counted under it.

use crate::world::{World, user};
use parlor_protocol::http::{Body, Listed};
use parlor_protocol::input::Input;
use parlor_protocol::metrics::{Limit, Snapshot};
use parlor_protocol::settings::Settings;
use std::net::IpAddr;

fn come(world: &mut World, name: &str) -> u16 {
    let Some((request, ticket)) = try_to_knock(world) else { return 0 };
    world.verified(ticket, user(name));
    let response = world.response(request);
    response.map_or(101, |response| response.status)
}

/// `None`: nobody asked for the token, because there was no room.
fn try_to_knock(
    world: &mut World,
) -> Option<(parlor_protocol::ids::RequestId, parlor_protocol::ids::Ticket)> {
    let request = world.ask_for_socket("/chat");
    world.work_if_any().map(|ticket| (request, ticket))
}

fn page(world: &mut World, query: &str) -> Listed {
    let request = world.ask_as_service(&format!("GET /api/admin/connections{query}"), "");
    let response = world.response(request).expect("an answer");
    let Body::Connections(listed) = response.body else { panic!("no connections") };
    *listed
}

fn metrics(world: &mut World) -> Snapshot {
    let request = world.ask("GET /metrics", "", "");
    let Body::Metrics(snapshot) = world.response(request).expect("an answer").body else {
        panic!("no metrics")
    };
    *snapshot
}

#[test]
fn two_hundred_connections_are_shown_at_a_time_and_all_of_them_in_the_end() {
    let mut world = World::new(Settings::default());
    for number in 0..401 {
        assert_eq!(come(&mut world, &format!("user-{}", number % 50)), 101);
    }
    let (mut seen, mut query, mut pages) = (Vec::new(), String::new(), Vec::new());
    loop {
        let listed = page(&mut world, &query);
        pages.push(listed.rows.len());
        seen.extend(
            listed.rows.iter().map(|(row, _)| row["connectionId"].as_str().expect("a name").to_string()),
        );
        assert!(listed.rows.iter().all(|(_, socket)| socket.is_some()));
        let Some(next) = listed.next else { break };
        query = format!("?after={next}");
    }
    assert_eq!(pages, [200, 200, 1]);
    let all: Vec<_> = (0..401).map(|slot| format!("c{slot}.0")).collect();
    assert_eq!(seen, all);
    // Exactly as many as are shown at a time are all there are.
    assert_eq!(page(&mut world, "?after=c200.0").next, None);
    let theirs = page(&mut world, "?userId=user-7");
    assert_eq!((theirs.rows.len(), theirs.next), (8, None));
}

#[test]
fn what_is_refused_for_a_limit_is_counted_under_it() {
    let limits = Settings {
        connections_max: 6,
        connections_per_user: 2,
        connections_per_address: 4,
        connection_rate_per_address: 0,
        rate_limit_calls: 1,
        ..Settings::default()
    };
    let mut world = World::new(limits);
    assert_eq!([(); 3].map(|()| come(&mut world, "ann")), [101, 101, 429]);
    world.peer = IpAddr::from([203, 0, 113, 1]);
    let names = ["ben", "cleo", "dan", "eve", "fay"];
    assert_eq!(names.map(|name| come(&mut world, name)), [101, 101, 101, 101, 0]);
    world.peer = IpAddr::from([203, 0, 113, 2]);
    assert_eq!(come(&mut world, "gil"), 0);
    for _ in 0..2 {
        let request = world.ask("GET /api/templates", "Authorization: Bearer token\r\n", "");
        let ticket = world.work();
        world.verified(ticket, user("ann"));
        world.response(request);
    }
    world.peer = IpAddr::from([127, 0, 0, 1]);
    let counted = metrics(&mut world);
    let hits: Vec<_> = counted.limits.iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(hits, [(Limit::Connections, 2), (Limit::ConnectionsPerUser, 1), (Limit::Calls, 1)]);
    assert_eq!((counted.connections, counted.connections_max), (6, 6));
    assert_eq!(counted.responses, [6, 0, 0, 2, 2]);
    world.tell(Input::Draining);
    assert!(metrics(&mut world).draining);
}
