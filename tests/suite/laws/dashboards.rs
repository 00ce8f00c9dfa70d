//! Dashboards: people change widgets and layouts at once, over every envelope and over REST, from versions that are old,
//! again under the same ids, cut off and back; another process appends to the same logs; over a store that is late, answers out of order and one time in ten does
//! not know; and the process is killed. Everything that is told is compared with a plain reference that reads the log.
//! The world is `simulation::dashboards`.
//!
//! | law | a planted fault that it catches |
//! | --- | --- |
//! | no update is lost | a stale change that overlaps is merged |
//! | versions are dense | what is judged in one round is judged against the same board |
//! | a conflict is about what overlaps, and names it | removed fields are not remembered |
//! | an id is stored once and has one answer | ids are not looked up before judging |
//! | what is acknowledged is stored | answers leave before the append is known to be stored |
//! | a board is told as its log says, after a kill too | the snapshot leaves out when fields changed |
//! | REST and socket are judged alike | REST operations are judged without their base |
//! | a sender does not hear its own | entries are told to their origin too |
//! | everybody hears everything once, in order | the board passes an entry over |
//! | no call is left without its answer | what was judged against an older log is dropped |

use crate::cases;
use parlor_protocol::http::Body;
use parlor_protocol::ids::RoomId;
use parlor_protocol::input::Input;
use parlor_protocol::settings::Settings;
use parlor_protocol::store::{Append, Change, NewEntry, RoomRow, Row, StoreRequest, Visibility};
use parlor_tests::simulation::dashboards::Dashboards;
use parlor_tests::simulation::socket::Read;
use parlor_tests::simulation::{BEGINNING, Step, World};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn whatever_people_and_the_store_do_the_laws_of_dashboards_hold(
        seed: u64,
        fails: bool,
        large: bool,
        steps in vec(any::<[u8; 4]>(), 1..120),
    ) {
        let mut dashboards = Dashboards::new(seed);
        dashboards.world.store.fails = fails;
        for (place, step) in steps.into_iter().enumerate() {
            dashboards.play(step);
            if place == 60 {
                dashboards.kill();
            }
        }
        dashboards.settle(large);
    }
}

#[test]
fn changes_are_stored_and_merged_and_conflict_in_these_cases() {
    let mut counts = [0; 3];
    for seed in 0..4_u8 {
        let mut dashboards = Dashboards::new(u64::from(seed));
        (0..120_u8).for_each(|step| {
            let mixed = |by: u8| step.wrapping_mul(by).wrapping_add(seed.wrapping_mul(29));
            dashboards.play([mixed(7), mixed(11), mixed(13), mixed(17)]);
        });
        dashboards.settle(false);
        counts = [0, 1, 2].map(|place| counts[place] + dashboards.counts[place]);
    }
    assert!(counts.iter().all(|count| *count > 5), "the cases show something of everything: {counts:?}");
}

/// A world in which dashboards have so many widgets of so many bytes, the last process having left their logs.
fn world(boards: &[&str], (widgets, bytes): (usize, usize)) -> World {
    let settings =
        Settings { rate_limit_dashboard: 0, rate_limit_calls: 0, refusals_max: 0, ..Settings::default() };
    let mut world = World::new(settings, 7);
    world.handle(Input::Started);
    for board in boards {
        let (id, firm) = (RoomId::dashboard(board), "firm".into());
        let row = RoomRow { id: id.clone(), name: (*board).into(), firm, visibility: Visibility::Public };
        let entries = (0..widgets).map(|widget| {
            let changes = json!({"text": "x".repeat(bytes)});
            let id = format!("w{widget}");
            let body = json!({"type": "WIDGET_UPDATE", "widgetId": id, "version": 1, "changes": changes});
            NewEntry { id: id.into(), author: "zed".into(), body: body.to_string().into() }
        });
        let appends = vec![Append { room: id, expect: None, entries: entries.collect() }];
        for request in [
            StoreRequest::Commit { appends: vec![], rows: vec![Change::Put(Row::Room(row))] },
            StoreRequest::Commit { appends, rows: vec![] },
        ] {
            world.store.answer(BEGINNING, &request);
        }
    }
    world
}

fn post(world: &mut World, client: usize, board: &str, operations: Vec<Value>) -> Step {
    let body = json!({"type": "SYNC", "dashboardId": board, "operations": operations}).to_string();
    world.request(client, "POST", "/api/realtime", "ann:firm:employee", &body)
}

/// Lets a second pass and more, step by step, until something was seen, and says how many steps came to it.
fn wait<T>(world: &mut World, seconds: u64, mut look: impl FnMut(&Step) -> Option<T>) -> Option<(T, usize)> {
    let until = world.now + Duration::from_secs(seconds);
    let mut steps = 0;
    while let Some(step) = world.step(until) {
        steps += 1;
        if let Some(seen) = look(&step) {
            return Some((seen, steps));
        }
    }
    world.now = until;
    None
}

/// What a request was answered.
fn responded(client: usize) -> impl FnMut(&Step) -> Option<String> {
    move |step| {
        let (_, response) = step.responded.iter().find(|(of, _)| *of == client)?;
        let Body::Bytes(body) = &response.body else { return None };
        Some(String::from_utf8_lossy(body).into_owned())
    }
}

/// What a connection reads next.
fn read(step: &Step) -> Option<Value> {
    step.read.iter().find_map(|(_, read)| {
        let Read::Text(text) = read else { return None };
        serde_json::from_slice(text).ok()
    })
}

#[test]
fn many_stale_batches_are_answered_within_a_limit_and_hold_up_nobody() {
    let mut world = world(&["d", "e"], (12, 60_000));
    let opened = world.request(1, "GET", "/api/realtime?dashboardId=e", "ben:firm:employee", "");
    let opened = opened.opened.first().copied();
    let (socket, _) = opened
        .unwrap_or_else(|| wait(&mut world, 5, |step| step.opened.first().copied()).expect("ben comes in").0);
    post(&mut world, 2, "d", vec![]);
    wait(&mut world, 5, responded(2)).expect("the dashboard is open");

    let stale = |widget: usize| json!({"type": "WIDGET_DELETE", "payload": {"widgetId": format!("w{widget}"), "baseVersion": 0}});
    let batch =
        json!({"type": "WIDGET_BATCH", "payload": {"operations": (0..12).map(stale).collect::<Vec<_>>()}});
    let step = post(&mut world, 3, "d", vec![batch; 500]);
    assert!(step.responded.is_empty(), "one step does not judge them all");
    let step = world.say(socket, r#"{"type":"SYNC_REQUEST","id":"s","payload":{"since":12}}"#.into());
    assert!(step.responded.is_empty());
    let heard = read(&step).map(|heard| heard["type"].clone());
    assert_eq!(heard, Some(json!("SYNC_RESPONSE")), "others are answered meanwhile");
    let (body, steps) = wait(&mut world, 60, responded(3)).expect("it is answered");
    assert!(steps > 3, "it is judged in many steps: {steps}");
    assert!(body.len() < 5 << 20, "the results have a limit: {}", body.len());
    let said: Value = serde_json::from_str(&body).expect("JSON");
    let results = said["results"].as_array().expect("results");
    assert_eq!(results.len(), 500);
    let conflicts = |result: &Value| result["error"]["details"]["conflicts"].as_array().map(Vec::len);
    assert!(results.iter().all(|result| conflicts(result) == Some(12)), "each says what is in conflict");
    let shown = |result: &Value| result["error"]["details"]["conflicts"][0].get("current").is_some();
    assert_eq!((shown(&results[0]), shown(&results[499])), (true, false));
}

#[test]
fn a_request_is_answered_though_nobody_uses_its_dashboard_while_the_store_is_asked() {
    // The log is longer than what is held of it.
    let mut world = world(&["d"], (12, 60_000));
    post(&mut world, 1, "d", vec![]);
    wait(&mut world, 5, responded(1)).expect("the dashboard is open");
    world.store.stands_still_until = world.now + Duration::from_secs(400);
    let operation = |id: &str| {
        let payload = json!({"widgetId": "w0", "changes": {"n": 1}});
        json!({"id": id, "type": "WIDGET_UPDATE", "payload": payload})
    };
    post(&mut world, 2, "d", vec![operation("one")]);
    // Whoever hangs up is not waited for.
    post(&mut world, 3, "d", vec![operation("two")]);
    wait(&mut world, 1, |_| None::<()>);
    let before = world.server.counts().parked;
    world.hang_up(3);
    assert_eq!(world.server.counts().parked, before - 1, "who has gone is forgotten");
    let (body, _) = wait(&mut world, 300, responded(2)).expect("it is answered");
    assert!(body.contains("STORE_UNAVAILABLE"), "{body}");
    wait(&mut world, 1_000, |_| None::<()>);
    let left = world.server.counts();
    assert_eq!(left.held(), 0, "after everything has ended nothing is left: {left:?}");
}

#[test]
fn a_layout_may_name_every_widget_and_nothing_else_may_have_so_many_keys() {
    let mut world = world(&["d"], (0, 0));
    let keys = |count: usize| -> Value {
        (0..count).map(|key| (format!("w{key}"), json!(0))).collect::<serde_json::Map<_, _>>().into()
    };
    let lay = |count: usize| json!({"type": "LAYOUT_UPDATE", "payload": {"layout": keys(count)}});
    let nested = json!({"type": "LAYOUT_UPDATE", "payload": {"layout": {"wide": keys(1_000)}}});
    post(&mut world, 1, "d", vec![lay(1_000), nested]);
    let (body, _) = wait(&mut world, 5, responded(1)).expect("it is answered");
    let said: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((&said["results"][0]["ok"], &said["results"][1]["version"]), (&json!(true), &json!(2)));
    let update = json!({"type": "WIDGET_UPDATE", "payload": {"widgetId": "w", "changes": {"a": keys(257)}}});
    for (client, operation) in [(2, lay(1_001)), (3, update)] {
        let step = post(&mut world, client, "d", vec![operation]);
        let (body, _) = match responded(client)(&step) {
            Some(body) => (body, 0),
            None => wait(&mut world, 5, responded(client)).expect("it is answered"),
        };
        assert!(body.contains("an object of over"), "{body}");
    }
}
