//! What answers say beside what was asked for: when to come back, who may keep them, which pages may read them.

use crate::world::{World, user};
use parlor_protocol::http::Response;
use parlor_protocol::input::Input;
use parlor_protocol::job::Outcome;
use parlor_protocol::settings::{Origins, Settings};
use parlor_protocol::store::{Query, StoreReply, StoreRequest};
use serde_json::{Value, json};
use std::time::Duration;

fn header<'a>(response: &'a Response, name: &str) -> Vec<&'a str> {
    response.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
}

fn error(response: &Response) -> Value {
    let parlor_protocol::http::Body::Bytes(body) = &response.body else { panic!("a file") };
    serde_json::from_slice::<Value>(body).expect("JSON")["error"].clone()
}

/// Asks for the user's documents; the answer, if there is one before the store was asked.
fn ask_for_documents(world: &mut World, who: &str) -> Option<Response> {
    let request = world.ask("GET /api/documents", "Authorization: Bearer token\r\n", "");
    let ticket = world.work();
    world.tell(Input::Worked { ticket, outcome: Outcome::Token(Ok(user(who))) });
    world.response(request)
}

#[test]
fn calls_over_rest_count_among_the_calls_of_their_user() {
    let mut world = World::new(Settings { rate_limit_calls: 3, ..Settings::default() });
    for _ in 0..3 {
        assert_eq!(ask_for_documents(&mut world, "ann"), None);
        let question = world.answer(StoreReply::Found(vec![]));
        assert_eq!(
            question,
            StoreRequest::Look(Query::Documents { firm: "acme".into(), user: "ann".into() })
        );
    }
    world.wait(Duration::from_millis(500));
    let refused = ask_for_documents(&mut world, "ann").expect("a refusal");
    assert_eq!((refused.status, header(&refused, "retry-after")), (429, vec!["60"]));
    assert_eq!(error(&refused)["code"], "RATE_LIMITED");
    assert_eq!(error(&refused)["details"], json!({"retryAfterMs": 59_500}));
    assert_eq!(ask_for_documents(&mut world, "bob"), None);
    world.wait(Duration::from_millis(59_500));
    assert_eq!(ask_for_documents(&mut world, "ann"), None);
}

#[test]
fn who_finds_no_room_hears_when_to_come_back() {
    for (settings, status, wait) in [
        (Settings { connections_max: 1, ..Settings::default() }, 503, 5),
        (Settings { connections_per_user: 1, ..Settings::default() }, 429, 5),
        (Settings { connections_per_address: 1, ..Settings::default() }, 429, 1),
        (Settings { connection_rate_per_address: 1, ..Settings::default() }, 429, 1),
    ] {
        let mut world = World::new(settings);
        world.peer = [203, 0, 113, 1].into();
        let (_, ticket) = world.knock("/chat");
        world.verified(ticket, user("ann"));
        let request = world.ask_for_socket("/chat");
        if let Some(ticket) = world.work_if_any() {
            world.verified(ticket, user("ann"));
        }
        let refused = world.response(request).expect("a refusal");
        assert_eq!((refused.status, header(&refused, "retry-after")), (status, vec![&*wait.to_string()]));
        assert_eq!(error(&refused)["details"], json!({"retryAfterMs": wait * 1_000}));
    }
}

#[test]
fn nobody_keeps_an_answer_and_its_page_is_told_to_nobody() {
    let mut world = World::new(Settings::default());
    ask_for_documents(&mut world, "ann");
    let (ticket, _) = world.asked().expect("a question");
    world.tell(Input::Stored(vec![(ticket, StoreReply::Found(vec![]))]));
    let nowhere = world.ask("GET /api/nowhere", "", "");
    let health = world.ask("GET /health", "", "");
    let documents = parlor_protocol::ids::RequestId { slot: 1, generation: 0 };
    for request in [documents, nowhere, health] {
        let response = world.response(request).expect("an answer");
        assert_eq!(header(&response, "cache-control"), ["no-store"]);
        assert_eq!(header(&response, "referrer-policy"), ["no-referrer"]);
        assert_eq!(header(&response, "vary"), ["Origin"]);
        assert_eq!(header(&response, "access-control-allow-origin"), [""; 0]);
    }
    let asset = world.ask("GET /console/index.html", "", "");
    let asset = world.response(asset).expect("an answer");
    assert_eq!(header(&asset, "cache-control"), ["no-cache"]);
}

#[test]
fn the_console_calls_nobody_but_its_own_server() {
    let mut world = World::new(Settings::default());
    let request = world.ask("GET /", "", "");
    let response = world.response(request).expect("an answer");
    let policy = header(&response, "content-security-policy").concat();
    assert!(policy.contains("; connect-src 'self';"), "{policy}");
}

#[test]
fn credentials_are_for_pages_that_were_named() {
    for (origins, credentials) in [
        (Origins::Any, vec![]),
        (Origins::SameHost, vec!["true"]),
        (Origins::Listed(vec!["http://a".to_string()]), vec!["true"]),
    ] {
        let mut world = World::new(Settings { origins, ..Settings::default() });
        let request = world.ask("GET /health", "Origin: http://a\r\n", "");
        let response = world.response(request).expect("an answer");
        assert_eq!(header(&response, "access-control-allow-origin"), ["http://a"]);
        assert_eq!(header(&response, "access-control-allow-credentials"), credentials);
    }
}
