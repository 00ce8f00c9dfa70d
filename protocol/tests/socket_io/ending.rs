use crate::world::{App, PING_INTERVAL, PING_TIMEOUT, World};
use parlor_protocol::outbox::Class;
use parlor_protocol::socket_io::engine::Ended;
use parlor_protocol::socket_io::payload::message_frame;
use std::time::Duration;

const MOMENT: Duration = Duration::from_micros(1);

#[test]
fn a_polling_client_is_pinged_every_interval_and_answers() {
    let mut world = World::new(App::Echo);
    let sid = world.open();
    for _ in 0..3 {
        let poll = world.poll(&sid);
        world.wait(PING_INTERVAL - MOMENT);
        assert_eq!(world.response(poll), None);
        world.wait(MOMENT);
        assert_eq!(world.response(poll), Some((200, "2".to_string())));
        assert_eq!(world.post(&sid, "3").0, 200);
    }
    assert_eq!(world.ended(&sid), None);
}

#[test]
fn a_ping_waits_for_a_client_that_has_no_poll_open() {
    let mut world = World::new(App::Echo);
    let sid = world.open();
    world.wait(PING_INTERVAL);
    world.post(&sid, "4late");
    assert_eq!(world.polled(&sid), (200, "2\x1e4late".to_string()));
}

#[test]
fn a_polling_client_that_does_not_answer_a_ping_is_ended() {
    let mut world = World::new(App::Echo);
    let sid = world.open();
    world.wait(PING_INTERVAL + PING_TIMEOUT - MOMENT);
    assert_eq!(world.ended(&sid), None);
    world.wait(MOMENT);
    assert_eq!(world.ended(&sid), Some(&Ended::PingTimeout));
    assert_eq!(world.polled(&sid).0, 400);
}

#[test]
fn a_poll_that_waits_is_answered_when_the_session_ends_for_silence() {
    let mut world = World::new(App::Echo);
    let sid = world.open();
    world.wait(PING_INTERVAL);
    assert_eq!(world.polled(&sid).1, "2");
    let poll = world.poll(&sid);
    world.wait(PING_TIMEOUT);
    assert_eq!(world.response(poll), Some((200, "1".to_string())));
}

#[test]
fn a_websocket_is_pinged_every_interval_and_closed_when_it_is_silent() {
    let mut world = World::new(App::Echo);
    let (socket, sid) = world.open_socket();
    for _ in 0..3 {
        world.wait(PING_INTERVAL);
        assert_eq!(world.heard_on(socket), ["2"]);
        world.say(socket, "3");
    }
    world.wait(PING_INTERVAL + PING_TIMEOUT - MOMENT);
    assert!(world.is_open(socket));
    world.wait(MOMENT);
    assert!(!world.is_open(socket));
    assert_eq!(world.ended(&sid), Some(&Ended::PingTimeout));
}

#[test]
fn messages_alone_are_no_answer_to_a_ping() {
    let mut world = World::new(App::Echo);
    let (socket, sid) = world.open_socket();
    world.wait(PING_INTERVAL);
    world.say(socket, "4still here");
    world.wait(PING_TIMEOUT);
    assert_eq!(world.ended(&sid), Some(&Ended::PingTimeout));
}

#[test]
fn a_client_closes_its_session_while_its_poll_waits() {
    let mut world = World::new(App::Echo);
    let sid = world.open();
    let poll = world.poll(&sid);
    assert_eq!(world.post(&sid, "4a\x1e1\x1e4b"), (200, "ok".to_string()));
    assert_eq!(world.ended(&sid), Some(&Ended::ClientClosed));
    assert_eq!(world.response(poll), Some((200, "6".to_string())));
    assert_eq!(world.heard.len(), 1, "what stands behind the end is not heard");
    assert_eq!(world.polled(&sid).0, 400);
}

#[test]
fn a_client_closes_its_session_on_a_websocket() {
    let mut world = World::new(App::Echo);
    let (socket, sid) = world.open_socket();
    world.say(socket, "1");
    assert!(!world.is_open(socket));
    assert_eq!(world.ended(&sid), Some(&Ended::ClientClosed));
}

#[test]
fn a_websocket_that_is_lost_ends_its_session() {
    let mut world = World::new(App::Echo);
    let (socket, sid) = world.open_socket();
    world.lose(socket);
    assert_eq!(world.ended(&sid), Some(&Ended::TransportLost));
}

#[test]
fn a_server_that_closes_tells_the_poll_that_waits() {
    let mut world = World::new(App::Silent);
    let sid = world.open();
    let poll = world.poll(&sid);
    world.close(&sid);
    assert_eq!(world.response(poll), Some((200, "1".to_string())));
    assert_eq!(world.ended(&sid), Some(&Ended::ByServer));
}

#[test]
fn a_server_that_closes_tells_the_next_poll_after_all_that_was_said() {
    let mut world = World::new(App::Silent);
    let sid = world.open();
    world.send(&sid, message_frame("why"), Class::Kept);
    world.close(&sid);
    world.send(&sid, message_frame("too late"), Class::Kept);
    assert_eq!(world.post(&sid, "4dropped"), (200, "ok".to_string()));
    assert_eq!((world.heard.len(), world.ended(&sid)), (0, None));
    assert_eq!(world.polled(&sid), (200, "4why\x1e1".to_string()));
    assert_eq!(world.ended(&sid), Some(&Ended::ByServer));
}

#[test]
fn who_is_sent_away_hears_of_the_end_in_the_answer_after() {
    let mut world = World::new(App::Silent);
    let sid = world.open();
    let waiting = world.poll(&sid);
    world.send(&sid, message_frame("1"), Class::Kept);
    world.dismiss(&sid);
    assert_eq!(world.response(waiting), Some((200, "41".to_string())));
    assert_eq!(world.ended(&sid), None);
    assert_eq!(world.polled(&sid), (200, "1".to_string()));
    assert_eq!(world.ended(&sid), Some(&Ended::ByServer));
}

#[test]
fn a_server_that_stops_waits_for_a_poll_that_is_on_its_way_and_no_longer() {
    let mut world = World::new(App::Silent);
    let sid = world.open();
    world.stop(&sid);
    world.wait(Duration::from_millis(99));
    assert_eq!(world.ended(&sid), None);
    world.wait(Duration::from_millis(1));
    assert_eq!(world.ended(&sid), Some(&Ended::ByServer));
}

#[test]
fn a_server_that_stops_has_the_last_said_and_tells_nobody_to_close() {
    let mut world = World::new(App::Silent);
    let sid = world.open();
    world.send(&sid, message_frame("stopping"), Class::Kept);
    world.stop(&sid);
    assert_eq!(world.polled(&sid), (200, "4stopping".to_string()));
    assert_eq!(world.ended(&sid), Some(&Ended::ByServer));
    let mut world = World::new(App::Silent);
    let sid = world.open();
    let waiting = world.poll(&sid);
    world.stop(&sid);
    assert_eq!(world.response(waiting), Some((200, "6".to_string())));
    assert_eq!(world.ended(&sid), Some(&Ended::ByServer));
}

#[test]
fn who_has_come_back_elsewhere_is_lost_here() {
    let mut world = World::new(App::Silent);
    let sid = world.open();
    let waiting = world.poll(&sid);
    world.give_up(&sid);
    assert_eq!(world.response(waiting), Some((200, "1".to_string())));
    assert_eq!(world.ended(&sid), Some(&Ended::TransportLost));
}

#[test]
fn a_session_that_the_server_closes_does_not_wait_longer_than_an_interval_for_a_poll() {
    let mut world = World::new(App::Silent);
    let sid = world.open();
    world.wait(PING_INTERVAL - MOMENT);
    world.close(&sid);
    world.wait(PING_INTERVAL - MOMENT);
    world.close(&sid);
    assert_eq!(world.ended(&sid), None);
    world.wait(MOMENT);
    assert_eq!(world.ended(&sid), Some(&Ended::ByServer));
}

#[test]
fn a_client_may_close_a_session_that_the_server_has_closed() {
    let mut world = World::new(App::Silent);
    let sid = world.open();
    world.close(&sid);
    assert_eq!(world.post(&sid, "3\x1e1"), (200, "ok".to_string()));
    assert_eq!(world.polled(&sid), (200, "6".to_string()));
    assert_eq!(world.ended(&sid), Some(&Ended::ClientClosed));
}

#[test]
fn a_poll_that_comes_just_after_the_client_closed_is_answered() {
    let mut world = World::new(App::Echo);
    let sid = world.open();
    assert_eq!(world.post(&sid, "4a\x1e1\x1e4b"), (200, "ok".to_string()));
    assert_eq!((world.heard.len(), world.ended(&sid)), (1, None));
    assert_eq!(world.post(&sid, "4c").0, 400, "nothing more is heard");
    assert_eq!(world.polled(&sid), (200, "6".to_string()));
    assert_eq!(world.ended(&sid), Some(&Ended::ClientClosed));
    assert_eq!(world.polled(&sid).0, 400);
}

#[test]
fn a_client_that_has_closed_and_does_not_poll_is_soon_forgotten() {
    let mut world = World::new(App::Echo);
    let sid = world.open();
    world.post(&sid, "1");
    world.wait(Duration::from_millis(100) - MOMENT);
    assert_eq!(world.ended(&sid), None);
    world.wait(MOMENT);
    assert_eq!(world.ended(&sid), Some(&Ended::ClientClosed));
}

#[test]
fn a_server_closes_a_websocket_after_what_was_said() {
    let mut world = World::new(App::Silent);
    let (socket, sid) = world.open_socket();
    world.send(&sid, message_frame("why"), Class::Kept);
    assert_eq!(world.heard_on(socket), ["4why"]);
    world.close(&sid);
    assert!(!world.is_open(socket));
    assert_eq!(world.ended(&sid), Some(&Ended::ByServer));
}

#[test]
fn a_poll_after_the_time_to_answer_a_ping_finds_no_session_even_before_anybody_looked() {
    use parlor_protocol::ids::RequestId;
    use parlor_protocol::socket_io::engine::{Config, Order, Refused, Session, Sid};
    let (start, mut orders) = (parlor_protocol::time::Timestamp(0), Vec::new());
    let request = |slot| RequestId { slot, generation: 0 };
    let config = Config { ping_interval: PING_INTERVAL, ping_timeout: PING_TIMEOUT, ..Config::default() };
    let mut session = Session::open_polling(Sid::from("x"), request(0), start, config.into(), &mut orders);
    session.on_deadline(start + PING_INTERVAL, &mut orders);
    orders.clear();
    session.on_poll(request(1), start + PING_INTERVAL + PING_TIMEOUT, &mut orders);
    let refused = Order::Respond { request: request(1), response: Refused::UnknownSid.response() };
    assert_eq!(orders, [Order::Ended(Ended::PingTimeout), refused]);
}
