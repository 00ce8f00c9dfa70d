use crate::world::{App, PAYLOAD_BYTES_MAX, World};
use bytes::Bytes;
use parlor_protocol::frame::Frame;
use parlor_protocol::outbox::{Class, OUTBOX_BYTES_MAX};
use parlor_protocol::socket_io::Malformed;
use parlor_protocol::socket_io::engine::Ended;
use parlor_protocol::socket_io::payload::message_frame;

fn ok() -> (u16, String) {
    (200, "ok".to_string())
}

#[test]
fn what_is_posted_comes_back_in_one_poll() {
    for body in ["4hello", "4test1\x1e4test2\x1e4test3", "4hello\x1ebAQIDBA=="] {
        let mut world = World::new(App::Echo);
        let sid = world.open();
        assert_eq!(world.post(&sid, body), ok());
        assert_eq!(world.polled(&sid), (200, body.to_string()));
    }
}

#[test]
fn a_poll_that_waits_is_answered_as_soon_as_there_is_something_to_say() {
    let mut world = World::new(App::Echo);
    let sid = world.open();
    let poll = world.poll(&sid);
    assert_eq!(world.response(poll), None);
    world.post(&sid, "4a\x1e4b");
    assert_eq!(world.response(poll), Some((200, "4a\x1e4b".to_string())));
}

#[test]
fn a_websocket_brings_text_and_binary_back() {
    let mut world = World::new(App::Echo);
    let (socket, _) = world.open_socket();
    world.say(socket, "4hello");
    world.say_binary(socket, &[1, 2, 3, 4]);
    assert_eq!(world.heard_on(socket), ["4hello", "<1, 2, 3, 4>"]);
}

#[test]
fn a_wrong_packet_ends_the_session_by_polling() {
    for body in ["abc", "", "4a\x1eabc", "2probe", "5", "0{}"] {
        let mut world = World::new(App::Echo);
        let sid = world.open();
        assert_eq!(world.post(&sid, body).0, 400);
        assert_eq!(world.ended(&sid), Some(&Ended::Malformed(Malformed::PacketType)));
        assert_eq!((world.polled(&sid).0, world.heard.len()), (400, 0));
    }
}

#[test]
fn a_wrong_packet_closes_the_websocket() {
    for packet in ["abc", "", "2", "2probe", "5", "0", "7"] {
        let mut world = World::new(App::Echo);
        let (socket, sid) = world.open_socket();
        world.say(socket, packet);
        assert!(!world.is_open(socket), "{packet}");
        assert_eq!(world.ended(&sid), Some(&Ended::Malformed(Malformed::PacketType)));
    }
}

#[test]
fn a_poll_that_overlaps_another_ends_the_session() {
    let mut world = World::new(App::Echo);
    let sid = world.open();
    let (first, second) = (world.poll(&sid), world.poll(&sid));
    assert_eq!(world.response(first), Some((200, "1".to_string())));
    assert_eq!(world.response(second).map(|(status, _)| status), Some(400));
    assert_eq!(world.ended(&sid), Some(&Ended::PollsOverlap));
    assert_eq!(world.polled(&sid).0, 400);
}

#[test]
fn a_client_that_hangs_up_on_a_poll_ends_its_session() {
    let mut world = World::new(App::Echo);
    let sid = world.open();
    let poll = world.poll(&sid);
    world.hang_up(poll);
    assert_eq!(world.ended(&sid), Some(&Ended::TransportLost));
    assert_eq!(world.polled(&sid).0, 400);
}

#[test]
fn a_body_of_octets_ends_the_session() {
    let mut world = World::new(App::Echo);
    let sid = world.open();
    let poll = world.poll(&sid);
    let octets = Bytes::from_static(b"4hello");
    assert_eq!(world.post_bytes(&sid, "application/octet-stream", octets).0, 400);
    assert_eq!(world.response(poll), Some((200, "1".to_string())));
    assert_eq!(world.ended(&sid), Some(&Ended::Malformed(Malformed::MediaType)));
}

#[test]
fn a_body_over_the_limit_is_refused_and_the_session_goes_on() {
    let mut world = World::new(App::Echo);
    let sid = world.open();
    let body = |bytes: usize| format!("4{}", "x".repeat(bytes - 1));
    assert_eq!(world.post(&sid, &body(PAYLOAD_BYTES_MAX as usize + 1)), (413, String::new()));
    assert_eq!(world.post(&sid, &body(PAYLOAD_BYTES_MAX as usize)), ok());
    assert_eq!(world.polled(&sid).1.len(), PAYLOAD_BYTES_MAX as usize);
}

#[test]
fn frames_that_belong_to_the_websocket_itself_are_no_messages() {
    use parlor_protocol::input::Message;
    let mut world = World::new(App::Echo);
    let (socket, _) = world.open_socket();
    for message in [Message::Ping(Bytes::new()), Message::Pong(Bytes::new()), Message::Close(Some(1000))] {
        world.say_message(socket, message);
    }
    assert_eq!((world.heard_on(socket).len(), world.is_open(socket)), (0, true));
}

#[test]
fn a_client_that_does_not_poll_is_too_slow_at_the_limit() {
    let mut world = World::new(App::Silent);
    let sid = world.open();
    let half = Frame::text(&"4".repeat(OUTBOX_BYTES_MAX / 2 - 10));
    for _ in 0..2 {
        world.send(&sid, half.clone(), Class::Kept);
        assert_eq!(world.ended(&sid), None);
    }
    world.send(&sid, half.clone(), Class::Signal);
    assert_eq!(world.ended(&sid), None, "a signal is dropped");
    world.send(&sid, half, Class::Kept);
    assert_eq!(world.ended(&sid), Some(&Ended::TooSlow));
}

#[test]
fn a_burst_that_a_waiting_poll_can_take_is_not_too_much() {
    use parlor_protocol::ids::RequestId;
    use parlor_protocol::outbox::Pushed;
    use parlor_protocol::socket_io::engine::{Config, Order, Session, Sid};
    let (mut orders, request) = (Vec::new(), |slot| RequestId { slot, generation: 0 });
    let now = parlor_protocol::time::Timestamp(0);
    let mut session =
        Session::open_polling(Sid::from("x"), request(0), now, Config::default().into(), &mut orders);
    session.on_poll(request(1), now, &mut orders);
    let half = Frame::text(&"4".repeat(OUTBOX_BYTES_MAX / 2 - 10));
    for _ in 0..4 {
        assert_eq!(session.send(half.clone(), Class::Kept, &mut orders), Pushed::Queued);
    }
    let responds = orders.iter().filter(|order| matches!(order, Order::Respond { .. })).count();
    assert_eq!((responds, orders.len()), (2, 2), "the opening, and the poll");
    assert_eq!(session.send(half, Class::Kept, &mut orders), Pushed::Overflowed);
    assert_eq!(orders.pop(), Some(Order::Ended(Ended::TooSlow)));
}

#[test]
fn a_page_that_went_out_by_polling_is_told_once() {
    let mut world = World::new(App::Silent);
    let sid = world.open();
    world.send(&sid, message_frame("page"), Class::Page);
    assert_eq!(world.flushed, 0);
    assert_eq!(world.polled(&sid), (200, "4page".to_string()));
    assert_eq!(world.flushed, 1);
    world.send(&sid, message_frame("more"), Class::Kept);
    world.polled(&sid);
    assert_eq!(world.flushed, 1);
}
