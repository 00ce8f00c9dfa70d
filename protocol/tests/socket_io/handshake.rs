use crate::world::{App, World};
use bytes::Bytes;
use parlor_protocol::socket_io::engine::Refused;

const POLLING: &str = "?EIO=4&transport=polling";

#[test]
fn polling_opens_a_session_that_offers_the_upgrade() {
    let mut world = World::new(App::Echo);
    let request = world.get("?EIO=4&transport=polling&t=PAb1");
    let opening = r#"0{"sid":"session-2","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}"#;
    assert_eq!(world.response(request), Some((200, opening.to_string())));
}

#[test]
fn a_websocket_opens_a_session_that_offers_none() {
    let mut world = World::new(App::Echo);
    let socket = world.upgrade("?EIO=4&transport=websocket").expect("it is let in");
    let opening =
        r#"0{"sid":"session-2","upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}"#;
    assert_eq!(world.heard_on(socket), [opening]);
}

#[test]
fn a_wrong_version_is_refused() {
    let mut world = World::new(App::Echo);
    for query in ["transport=polling", "EIO=abc&transport=polling", "EIO=3&transport=polling"] {
        let request = world.get(&format!("?{query}"));
        let body = r#"{"code":5,"message":"Unsupported protocol version"}"#;
        assert_eq!(world.response(request), Some((400, body.to_string())));
    }
    for query in ["?transport=websocket", "?EIO=abc&transport=websocket"] {
        assert_eq!(world.upgrade(query), Err(Refused::UnsupportedVersion));
    }
}

#[test]
fn a_wrong_transport_is_refused() {
    let mut world = World::new(App::Echo);
    for query in ["?EIO=4", "?EIO=4&transport=abc"] {
        let request = world.get(query);
        let body = r#"{"code":0,"message":"Transport unknown"}"#;
        assert_eq!(world.response(request), Some((400, body.to_string())));
        assert_eq!(world.upgrade(query), Err(Refused::UnknownTransport));
    }
}

#[test]
fn a_session_is_opened_by_no_other_method_than_get() {
    let mut world = World::new(App::Echo);
    for method in ["POST", "PUT", "DELETE"] {
        let request = world.request(method, POLLING, "text/plain", Bytes::new());
        let body = r#"{"code":2,"message":"Bad handshake method"}"#;
        assert_eq!(world.response(request), Some((400, body.to_string())));
    }
}

#[test]
fn an_unknown_session_is_refused_by_both_transports() {
    let mut world = World::new(App::Echo);
    world.open();
    for sid in ["nobody", "__proto__", "session-2%00", "SESSION-2"] {
        let refused = (400, r#"{"code":1,"message":"Session ID unknown"}"#.to_string());
        assert_eq!(world.polled(sid), refused);
        assert_eq!(world.post(sid, "4x"), refused);
        let query = format!("?EIO=4&transport=websocket&sid={sid}");
        assert_eq!(world.upgrade(&query), Err(Refused::UnknownSid));
    }
}
