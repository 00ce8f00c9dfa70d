//! No fact, however mad, breaks a client: it does not panic, its time goes on, its queues stay bounded, and every
//! call is answered once.

use parlor_client::action::Action;
use parlor_client::client::Client;
use parlor_client::config::Config;
use parlor_client::input::{CallId, Input};
use parlor_client::room::Room;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

fn room() -> impl Strategy<Value = Room> {
    prop_oneof![
        Just(Room::Chat("a".to_string())),
        Just(Room::Chat("b".to_string())),
        Just(Room::Project("a".to_string())),
        Just(Room::Feed),
    ]
}

fn name() -> impl Strategy<Value = String> {
    let names = [
        "chat:message:send",
        "chat:message:received",
        "chat:message:read",
        "chat:room:joined",
        "chat:room:left",
        "chat:typing:start",
        "joined_project",
        "story_uploaded",
        "feed:joined",
        "error",
        "chat:error",
        "auth:expiring",
        "server_shutdown",
        "ping",
    ];
    prop_oneof![4 => prop::sample::select(names.to_vec()).prop_map(str::to_string), 1 => ".{0,8}"]
}

fn data() -> impl Strategy<Value = Value> {
    let number = || {
        prop_oneof![
            (0_u64..5).prop_map(Value::from),
            Just(json!(u64::MAX)),
            Just(json!("x")),
            Just(json!(-1))
        ]
    };
    let message = (number(), number()).prop_map(|(seq, id)| json!({"seq": seq, "id": id, "roomId": "a"}));
    let fields = (number(), number(), any::<bool>(), prop::collection::vec(message, 0..3)).prop_map(
        |(seq, last, reset, messages)| {
            json!({"roomId": "a", "seq": seq, "lastSeq": last, "allSeq": last, "reset": reset, "messages": messages,
                "reconnectAfterMs": seq, "recoverable": reset, "code": "X", "details": {"retryAfterMs": last}})
        },
    );
    let feed = number().prop_map(|seq| json!({"seq": seq, "at": "t", "feed": "all"}));
    prop_oneof![6 => fields, 2 => feed, 1 => Just(Value::Null), 1 => Just(json!([1])), 1 => Just(json!("text"))]
}

fn text() -> impl Strategy<Value = String> {
    let request = prop_oneof![
        Just(Value::Null),
        (prop::sample::select(vec!["c", "j", "t", "ä", ""]), 0_u64..8)
            .prop_map(|(kind, n)| json!(format!("{kind}{n}"))),
        Just(json!("c99999999999999999999999")),
        Just(json!(7)),
    ];
    let event = (name(), data(), request)
        .prop_map(|(event, data, id)| json!({"event": event, "data": data, "requestId": id}).to_string());
    prop_oneof![8 => event, 1 => ".{0,20}", 1 => Just("[".repeat(10_000))]
}

fn fact() -> impl Strategy<Value = Input> {
    let call = || (1_u64..40).prop_map(CallId);
    let timeout = || prop_oneof![(0_u64..5_000).prop_map(Duration::from_millis), Just(Duration::MAX)];
    let code = prop_oneof![Just(None), any::<u16>().prop_map(Some), Just(Some(1012))];
    let status = prop_oneof![Just(None), Just(Some(503)), Just(Some(429))];
    prop_oneof![
        4 => Just(Input::Opened),
        1 => (status, prop::option::of(any::<Duration>())).prop_map(|(status, retry_after)| Input::Failed { status, retry_after }),
        12 => text().prop_map(Input::Received),
        1 => Just(Input::Ponged),
        1 => code.prop_map(|code| Input::Closed { code }),
        6 => (call(), name(), data(), timeout())
            .prop_map(|(call, name, data, timeout)| Input::Called { call, name, data, timeout }),
        4 => (call(), room(), prop::option::of(any::<u64>()), timeout())
            .prop_map(|(call, room, since, timeout)| Input::Joined { call, room, since, timeout }),
        2 => (call(), room(), timeout()).prop_map(|(call, room, timeout)| Input::Left { call, room, timeout }),
        4 => Just(Input::TokenGiven("token".to_string())),
        1 => Just(Input::TokenFailed),
        4 => Just(Input::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_fact_breaks_a_client(seed: u8, facts in prop::collection::vec((fact(), 0_u64..3_000), 0..120)) {
        let config = Config { calls_max: 5, calls_bytes_max: 2_000, ..Config::new("ws://model/chat") };
        let mut client = Client::new(config, [seed; 32]);
        let (mut now, mut used, mut waiting) = (Duration::ZERO, BTreeSet::new(), BTreeSet::new());
        for (fact, wait) in facts.into_iter().chain([(Input::Stopped, 0)]) {
            if let Input::Called { call, .. } | Input::Joined { call, .. } | Input::Left { call, .. } = &fact {
                if !used.insert(*call) {
                    continue;
                }
                waiting.insert(*call);
            }
            let is_tick = fact == Input::Tick;
            if is_tick {
                now = client.next_deadline().map_or(now, |due| due.max(now));
            }
            let mut actions = Vec::new();
            client.handle(now, fact, &mut actions);
            for action in actions {
                if let Action::Answer { call, .. } = action {
                    prop_assert!(waiting.remove(&call), "{:?} is answered twice", call);
                }
            }
            if is_tick {
                prop_assert!(client.next_deadline().is_none_or(|due| due > now), "{:?}", client);
            }
            let (calls, bytes) = client.load();
            prop_assert!(calls <= 5 && bytes <= 2_000);
            now += Duration::from_millis(wait);
        }
        prop_assert_eq!(waiting, BTreeSet::new());
        prop_assert_eq!((client.next_deadline(), client.load()), (None, (0, 0)));
    }
}
