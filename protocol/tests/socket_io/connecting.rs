use crate::world::{App, CONNECT_TIMEOUT, PING_INTERVAL, World};
use parlor_protocol::frame::Frame;
use parlor_protocol::input::Message;
use parlor_protocol::socket_io::Malformed;
use parlor_protocol::socket_io::engine::Ended;
use parlor_protocol::socket_io::namespaces::{Client, NAMESPACES_MAX, Overdue, Said};
use parlor_protocol::time::Timestamp;
use std::time::Duration;

const START: Timestamp = Timestamp(1_000_000);

fn client() -> Client {
    Client::new(&["/", "/custom"], START, CONNECT_TIMEOUT, 1_000)
}

fn hear(client: &mut Client, text: &'static str) -> Result<Option<Said>, Malformed> {
    client.on_message(Message::Text(text.into()), START)
}

#[test]
fn a_client_connects_to_a_namespace_and_is_told_what_it_sent() {
    for (said, granted, event) in [
        ("40", r#"40{"sid":"of-the-namespace"}"#, r#"42["auth",{}]"#),
        (r#"40{"token":"123"}"#, r#"40{"sid":"of-the-namespace"}"#, r#"42["auth",{"token":"123"}]"#),
        ("40/custom,", r#"40/custom,{"sid":"of-the-namespace"}"#, r#"42/custom,["auth",{}]"#),
        ("40/custom", r#"40/custom,{"sid":"of-the-namespace"}"#, r#"42/custom,["auth",{}]"#),
        (
            r#"40/custom,{"token":"abc"}"#,
            r#"40/custom,{"sid":"of-the-namespace"}"#,
            r#"42/custom,["auth",{"token":"abc"}]"#,
        ),
    ] {
        let mut world = World::new(App::SocketIo);
        let (socket, _) = world.open_socket();
        world.say(socket, said);
        assert_eq!(world.heard_on(socket), [granted, event]);
    }
}

#[test]
fn a_namespace_that_there_is_not_is_refused_and_the_session_goes_on() {
    let mut world = World::new(App::SocketIo);
    let (socket, _) = world.open_socket();
    for _ in 0..3 {
        world.say(socket, "40/random");
        assert_eq!(world.heard_on(socket), [r#"44/random,{"message":"Invalid namespace"}"#]);
    }
    world.say(socket, "40");
    assert_eq!(world.heard_on(socket).len(), 2);
}

#[test]
fn a_wrong_packet_closes_the_connection() {
    for said in
        ["4abc", "4", "47", r#"42["x"]"#, "41", r#"430[]"#, r#"44{"message":"x"}"#, r#"42/random,["x"]"#]
    {
        let mut world = World::new(App::SocketIo);
        let (socket, sid) = world.open_socket();
        world.say(socket, said);
        assert!(!world.is_open(socket), "{said}");
        assert_eq!(world.ended(&sid), Some(&Ended::ByServer));
    }
    for said in [
        "4abc",
        "42{}",
        r#"42abc["message-with-ack",1]"#,
        "40",
        r#"44{"message":"x"}"#,
        "41[]",
        r#"42/custom,["x"]"#,
    ] {
        let mut world = World::new(App::SocketIo);
        let socket = world.open_connected();
        world.say(socket, said);
        assert!(!world.is_open(socket), "{said}");
    }
}

#[test]
fn what_stands_behind_a_wrong_packet_is_not_heard() {
    let mut world = World::new(App::SocketIo);
    let sid = world.open();
    assert_eq!(world.post(&sid, "40\x1e42{}\x1e42[\"message\",1]"), (200, "ok".to_string()));
    let (status, body) = world.polled(&sid);
    assert_eq!((status, body.ends_with("42[\"auth\",{}]\x1e1")), (200, true), "{body}");
    assert_eq!(world.ended(&sid), Some(&Ended::ByServer));
}

#[test]
fn a_client_that_does_not_connect_is_closed_in_time() {
    let mut world = World::new(App::SocketIo);
    let (socket, _) = world.open_socket();
    for _ in 0..3 {
        world.wait(PING_INTERVAL);
        world.say(socket, "3");
    }
    assert!(world.is_open(socket));
    world.wait(CONNECT_TIMEOUT - PING_INTERVAL * 3);
    assert!(!world.is_open(socket));
}

#[test]
fn only_a_connect_that_is_granted_counts() {
    let mut client = client();
    let late = START + CONNECT_TIMEOUT;
    assert_eq!(client.next_deadline(), Some(late));
    hear(&mut client, "0").expect("a CONNECT");
    client.refused("/", r#"{"message":"no"}"#);
    assert_eq!((client.next_deadline(), client.on_deadline(late)), (Some(late), Err(Overdue::Connect)));
    assert_eq!(client.on_deadline(late - Duration::from_micros(1)), Ok(()));
    hear(&mut client, "0").expect("it may ask again");
    client.accepted("/", "a", None);
    assert_eq!((client.next_deadline(), client.on_deadline(late)), (None, Ok(())));
}

#[test]
fn a_client_leaves_the_main_namespace_without_a_reply() {
    let mut world = World::new(App::SocketIo);
    let socket = world.open_connected();
    world.say(socket, "41");
    world.wait(PING_INTERVAL);
    assert_eq!(world.heard_on(socket), ["2"]);
}

#[test]
fn leaving_one_namespace_does_not_disturb_another() {
    let mut world = World::new(App::SocketIo);
    let socket = world.open_connected();
    world.say(socket, "40/custom");
    assert_eq!(world.heard_on(socket).len(), 2);
    world.say(socket, "41/custom");
    world.say(socket, r#"42["message","message to main namespace"]"#);
    assert_eq!(world.heard_on(socket), [r#"42["message-back","message to main namespace"]"#]);
}

#[test]
fn events_come_back_and_are_acknowledged() {
    let mut world = World::new(App::SocketIo);
    let socket = world.open_connected();
    world.say(socket, r#"42["message",1,"2",{"3":[true]}]"#);
    world.say(socket, r#"42456["message-with-ack",1,"2",{"3":[false]}]"#);
    let expected = [r#"42["message-back",1,"2",{"3":[true]}]"#, r#"43456[1,"2",{"3":[false]}]"#];
    assert_eq!(world.heard_on(socket), expected);
}

#[test]
fn a_second_connect_is_wrong_while_the_first_waits_and_after_it() {
    for answered in [false, true] {
        let mut client = client();
        assert_eq!(hear(&mut client, "0"), Ok(Some(Said::Connect { namespace: "/", auth: None })));
        if answered {
            client.accepted("/", "a", None);
        }
        assert_eq!(client.is_connected("/"), answered);
        assert_eq!(hear(&mut client, "0"), Err(Malformed::ConnectedTwice));
    }
}

#[test]
fn nothing_but_connect_is_said_outside_of_a_namespace() {
    for (text, asked) in
        [(r#"2["x"]"#, false), (r#"2["x"]"#, true), ("1", false), ("1", true), ("30[]", false)]
    {
        let mut client = client();
        if asked {
            hear(&mut client, "0").expect("a CONNECT");
        }
        assert_eq!(hear(&mut client, text), Err(Malformed::NotConnected), "{text}");
    }
    let mut client = client();
    hear(&mut client, "0").expect("a CONNECT");
    client.accepted("/", "a", None);
    assert_eq!(hear(&mut client, "1"), Ok(Some(Said::Disconnect { namespace: "/" })));
    assert_eq!(hear(&mut client, r#"2["x"]"#), Err(Malformed::NotConnected));
}

#[test]
fn what_a_client_says_before_it_knows_that_it_was_sent_away_is_dropped() {
    let mut client = client();
    hear(&mut client, "0").expect("a CONNECT");
    client.accepted("/", "a", None);
    assert_eq!(client.disconnected("/"), Frame::text("41"));
    for late in [r#"2["x"]"#, "30[]", "1"] {
        assert_eq!(hear(&mut client, late), Ok(None), "{late}");
    }
    assert_eq!(hear(&mut client, "0"), Ok(Some(Said::Connect { namespace: "/", auth: None })));
}

#[test]
fn replies_are_spelled_as_the_reference_spells_them() {
    let mut client = client();
    assert_eq!(client.accepted("/", "s", Some("p")), Frame::text(r#"40{"sid":"s","pid":"p"}"#));
    let error = r#"{"message":"not authorized","data":{"code":"E_AUTH"}}"#;
    assert_eq!(client.refused("/custom", error), Frame::text(&format!("44/custom,{error}")));
    assert_eq!(client.disconnected("/custom"), Frame::text("41/custom,"));
}

#[test]
fn an_acknowledgement_is_heard_with_its_id() {
    let mut client = client();
    hear(&mut client, "0/custom").expect("a CONNECT");
    client.accepted("/custom", "a", None);
    let said = Said::Ack { namespace: "/custom", id: 12, args: r#"["ok"]"#.into(), attachments: vec![] };
    assert_eq!(hear(&mut client, r#"3/custom,12["ok"]"#), Ok(Some(said)));
}

#[test]
#[should_panic(expected = "over 16 namespaces")]
fn there_are_no_more_namespaces_than_a_connection_may_have() {
    Client::new(&["/"; NAMESPACES_MAX + 1], START, CONNECT_TIMEOUT, 0);
}
