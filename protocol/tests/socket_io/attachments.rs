use crate::world::{App, World};
use bytes::Bytes;
use parlor_protocol::input::Message;
use parlor_protocol::socket_io::Malformed;
use parlor_protocol::socket_io::namespaces::{ATTACHMENTS_WAIT_MAX, Client, Overdue, Said};
use parlor_protocol::time::Timestamp;
use std::time::Duration;

const START: Timestamp = Timestamp(1_000_000);
const PLACES: &str = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;

/// A client that is connected to `/`.
fn client() -> Client {
    let mut client = Client::new(&["/"], START, Duration::from_secs(45), 100);
    hear(&mut client, "0").expect("a CONNECT");
    client.accepted("/", "a", None);
    client
}

fn hear(client: &mut Client, text: &str) -> Result<Option<Said>, Malformed> {
    client.on_message(Message::Text(Bytes::copy_from_slice(text.as_bytes())), START)
}

fn attach(client: &mut Client, bytes: &'static [u8]) -> Result<Option<Said>, Malformed> {
    client.on_message(Message::Binary(Bytes::from_static(bytes)), START)
}

#[test]
fn attachments_come_back_behind_their_packet() {
    let mut world = World::new(App::SocketIo);
    let socket = world.open_connected();
    world.say(socket, &format!("452-[\"message\",{PLACES}]"));
    world.say_binary(socket, &[1, 2, 3]);
    world.say_binary(socket, &[4, 5, 6]);
    let expected = [&format!("452-[\"message-back\",{PLACES}]"), "<1, 2, 3>", "<4, 5, 6>"];
    assert_eq!(world.heard_on(socket), expected);
    world.say(socket, &format!("452-789[\"message-with-ack\",{PLACES}]"));
    world.say_binary(socket, &[1, 2, 3]);
    world.say_binary(socket, &[4, 5, 6]);
    assert_eq!(world.heard_on(socket), [&format!("462-789[{PLACES}]"), "<1, 2, 3>", "<4, 5, 6>"]);
}

#[test]
fn attachments_travel_by_polling_too() {
    let mut world = World::new(App::SocketIo);
    let sid = world.open();
    world.post(&sid, "40");
    world.polled(&sid);
    assert_eq!(world.post(&sid, &format!("452-[\"message\",{PLACES}]\x1ebAQID")).0, 200);
    assert_eq!(world.post(&sid, "bBAUG").0, 200);
    let expected = format!("452-[\"message-back\",{PLACES}]\x1ebAQID\x1ebBAUG");
    assert_eq!(world.polled(&sid), (200, expected));
}

#[test]
fn a_packet_is_heard_when_its_last_attachment_has_come() {
    let mut client = client();
    assert_eq!(hear(&mut client, &format!("52-7[\"x\",{PLACES}]")), Ok(None));
    assert_eq!(attach(&mut client, b"a"), Ok(None));
    let args = format!("[\"x\",{PLACES}]");
    let attachments = vec![Bytes::from_static(b"a"), Bytes::new()];
    let said = Said::Event { namespace: "/", id: Some(7), args, attachments };
    assert_eq!(attach(&mut client, b""), Ok(Some(said)));
    assert_eq!(hear(&mut client, &format!("62-7[{PLACES}]")), Ok(None));
    attach(&mut client, b"a").expect("one of two");
    let attachments = vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")];
    let said = Said::Ack { namespace: "/", id: 7, args: format!("[{PLACES}]"), attachments };
    assert_eq!(attach(&mut client, b"b"), Ok(Some(said)));
}

#[test]
fn a_packet_that_announces_none_does_not_wait_for_any() {
    // CVE-2026-69185: the decoder stayed armed, and every later binary message was kept.
    let mut client = client();
    assert_eq!(hear(&mut client, r#"50-["x"]"#), Err(Malformed::AttachmentCount));
    for _ in 0..1_000 {
        assert_eq!(attach(&mut client, b"more"), Err(Malformed::Unannounced));
    }
    assert_eq!(client.next_deadline(), None);
}

#[test]
fn the_first_and_the_last_number_of_attachments_are_taken() {
    for count in [1, 10] {
        let mut client = client();
        let places: Vec<_> =
            (0..count).map(|num| format!(r#"{{"_placeholder":true,"num":{num}}}"#)).collect();
        assert_eq!(hear(&mut client, &format!("5{count}-[\"x\",{}]", places.join(","))), Ok(None));
        for _ in 1..count {
            assert_eq!(attach(&mut client, b"a"), Ok(None));
        }
        assert!(
            matches!(attach(&mut client, b"a"), Ok(Some(Said::Event { attachments, .. })) if attachments.len() == count)
        );
        assert_eq!(attach(&mut client, b"a"), Err(Malformed::Unannounced));
    }
}

#[test]
fn text_and_attachments_each_have_their_turn() {
    let mut client = client();
    assert_eq!(attach(&mut client, b"a"), Err(Malformed::Unannounced));
    hear(&mut client, &format!("52-[\"x\",{PLACES}]")).expect("it is whole");
    assert_eq!(hear(&mut client, r#"2["y"]"#), Err(Malformed::AttachmentsDue));
}

#[test]
fn attachments_are_within_the_limit_all_together() {
    let mut client = client();
    hear(&mut client, &format!("52-[\"x\",{PLACES}]")).expect("it is whole");
    assert_eq!(attach(&mut client, &[0; 60]), Ok(None));
    let too_large = Malformed::AttachmentBytes { limit: 100, actual: 101 };
    assert_eq!(attach(&mut client, &[0; 41]), Err(too_large));
    let mut client = self::client();
    hear(&mut client, &format!("52-[\"x\",{PLACES}]")).expect("it is whole");
    attach(&mut client, &[0; 60]).expect("one of two");
    assert!(matches!(attach(&mut client, &[0; 40]), Ok(Some(Said::Event { .. }))));
}

#[test]
fn attachments_that_do_not_come_end_the_session_in_time() {
    let mut client = client();
    assert_eq!(client.next_deadline(), None);
    hear(&mut client, &format!("52-[\"x\",{PLACES}]")).expect("it is whole");
    let late = START + ATTACHMENTS_WAIT_MAX;
    attach(&mut client, b"a").expect("one of two");
    assert_eq!(client.next_deadline(), Some(late));
    assert_eq!(client.on_deadline(late - Duration::from_micros(1)), Ok(()));
    attach(&mut client, b"b").expect("two of two");
    assert_eq!(client.next_deadline(), None);
    hear(&mut client, &format!("52-[\"x\",{PLACES}]")).expect("it is whole");
    assert_eq!(client.on_deadline(late), Err(Overdue::Attachments));
    assert_eq!((client.next_deadline(), client.on_deadline(late)), (None, Ok(())), "it is said once");
}

#[test]
fn an_event_that_is_not_whole_when_its_sender_is_sent_away_is_dropped() {
    let mut client = client();
    hear(&mut client, &format!("52-[\"x\",{PLACES}]")).expect("it is whole");
    client.disconnected("/");
    assert_eq!(attach(&mut client, b"a"), Ok(None));
    assert_eq!(attach(&mut client, b"b"), Ok(None));
    assert_eq!(attach(&mut client, b"c"), Err(Malformed::Unannounced));
}
