//! One delivery to a backend's event hook: what is posted, how it is signed, and what counts as delivered
//! (WIRE §5.3 and §0.2).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use parlor_host::hook::EventHook;
use parlor_protocol::auth::Signed;
use parlor_protocol::call::{CallFailure, Said};
use parlor_protocol::time::Timestamp;
use parlor_tests::ai_stand_in::{AiStandIn, Play};
use serde_json::json;
use std::net::TcpListener;
use std::time::{Duration, Instant};

const EVENTS: &str = r#"[{"event":"chat:message:received","seq":1,"data":{"content":"é"}}]"#;
const NOW: Timestamp = Timestamp(1_763_654_400_999_999);
const SHORT: Duration = Duration::from_millis(200);

fn passing(retry_after: Option<u64>) -> Said {
    Said::Failed(CallFailure::Passing { retry_after: retry_after.map(Duration::from_secs) })
}

fn delivered_by(play: Play) -> Said {
    let stand_in = AiStandIn::start([play]).unwrap();
    let said = EventHook::new(&stand_in.url()).unwrap().with_patience(SHORT * 5).deliver(EVENTS, NOW);
    assert_eq!(stand_in.asked().len(), 1, "one attempt is one request");
    said
}

#[test]
fn what_is_posted_is_signed_with_the_path_as_it_was_sent() {
    for (path, target) in [
        ("", "/"),
        ("/", "/"),
        ("/hooks/a%20b", "/hooks/a%20b"),
        ("/h?k=1&l=%2F", "/h?k=1&l=%2F"),
        ("?k=1", "/?k=1"),
    ] {
        let stand_in = AiStandIn::start([Play::Reply(json!({}))]).unwrap();
        let hook = EventHook::new(&format!("{}{path}", stand_in.url())).unwrap().signed_with("the key");
        assert_eq!(hook.deliver(EVENTS, NOW), Said::Delivered);
        let asked = &stand_in.asked()[0];
        assert_eq!(
            (asked.line.as_str(), asked.bytes.as_slice()),
            (&*format!("POST {target}"), EVENTS.as_bytes())
        );
        assert_eq!(asked.headers.get("content-type").map(String::as_str), Some("application/json"));
        let signed = Signed { at: 1_763_654_400, method: "POST", target, body: EVENTS.as_bytes() };
        let value = asked.headers.get("x-parlor-signature").unwrap();
        let hex = value.strip_prefix("t=1763654400,v1=").unwrap();
        assert!(signed.is_signature("the key", hex), "{value}");
        assert!(!asked.headers.contains_key("authorization"), "the key itself does not travel");
    }
}

#[test]
fn without_a_service_key_there_is_no_signature() {
    let stand_in = AiStandIn::start([Play::Reply(json!({}))]).unwrap();
    assert_eq!(EventHook::new(&stand_in.url()).unwrap().deliver(EVENTS, NOW), Said::Delivered);
    assert!(!stand_in.asked()[0].headers.contains_key("x-parlor-signature"));
}

#[test]
fn any_success_is_a_delivery_whatever_stands_behind_it() {
    for play in [
        Play::Status(201, None),
        Play::Status(202, None),
        Play::Status(204, None),
        Play::NotJson,
        Play::Large(4 << 20),
    ] {
        assert_eq!(delivered_by(play.clone()), Said::Delivered, "{play:?}");
    }
}

#[test]
fn everything_else_is_to_be_tried_again() {
    for status in [400, 401, 404, 410, 500, 503] {
        assert_eq!(delivered_by(Play::Status(status, Some(7))), passing(Some(7)), "{status}");
    }
    for play in [Play::Redirect(307), Play::NotHttp, Play::Close] {
        assert_eq!(delivered_by(play.clone()), passing(None), "{play:?}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hook = EventHook::new(&format!("http://{nobody}")).unwrap();
    assert_eq!(hook.deliver(EVENTS, NOW), passing(None));
}

#[test]
fn a_hook_that_hangs_is_given_up_after_the_patience() {
    let stand_in = AiStandIn::start([Play::Hang]).unwrap();
    let hook = EventHook::new(&stand_in.url()).unwrap().with_patience(SHORT);
    let begun = Instant::now();
    assert_eq!(hook.deliver(EVENTS, NOW), passing(None));
    assert!((SHORT..SHORT * 20).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}
