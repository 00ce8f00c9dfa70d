use crate::world::{App, World};
use parlor_protocol::outbox::Class;
use parlor_protocol::socket_io::engine::Ended;
use parlor_protocol::socket_io::payload::message_frame;
use std::time::Duration;

#[test]
fn a_session_moves_from_polling_to_a_websocket() {
    let mut world = World::new(App::Echo);
    let sid = world.open();
    let waiting = world.poll(&sid);
    let socket = world.probe(&sid);
    assert_eq!(world.response(waiting), None, "a probe that has said nothing changes nothing");
    world.say(socket, "2probe");
    assert_eq!(world.heard_on(socket), ["3probe"]);
    assert_eq!(world.response(waiting), Some((200, "6".to_string())));
    assert_eq!(world.polled(&sid), (200, "6".to_string()));
    world.say(socket, "5");
    world.say(socket, "4hello");
    assert_eq!(world.heard_on(socket), ["4hello"]);
}

#[test]
fn a_probe_may_say_both_its_words_at_once() {
    let mut world = World::new(App::Echo);
    let sid = world.open();
    let waiting = world.poll(&sid);
    let socket = world.probe(&sid);
    for packet in ["2probe", "5", "4hello"] {
        world.say(socket, packet);
    }
    assert_eq!(world.response(waiting), Some((200, "6".to_string())));
    assert_eq!(world.heard_on(socket), ["3probe", "4hello"]);
}

#[test]
fn requests_by_polling_are_refused_after_the_upgrade() {
    let mut world = World::new(App::Echo);
    let sid = world.open();
    let socket = world.probe(&sid);
    world.say(socket, "2probe");
    world.say(socket, "5");
    let refused = (400, r#"{"code":3,"message":"Bad request"}"#.to_string());
    assert_eq!(world.polled(&sid), refused);
    assert_eq!(world.post(&sid, "4x"), refused);
    world.say(socket, "4hello");
    assert_eq!(world.heard_on(socket), ["3probe", "4hello"]);
}

#[test]
fn a_second_websocket_is_closed_during_and_after_the_upgrade_and_disturbs_nothing() {
    let mut world = World::new(App::Echo);
    let sid = world.open();
    let socket = world.probe(&sid);
    let closed = |world: &mut World, sid: &str| {
        let second = world.probe(sid);
        assert!(!world.is_open(second));
    };
    closed(&mut world, &sid);
    world.say(socket, "2probe");
    closed(&mut world, &sid);
    world.say(socket, "5");
    closed(&mut world, &sid);
    world.say(socket, "4hello");
    assert_eq!(world.heard_on(socket), ["3probe", "4hello"]);
    let (opened, sid) = world.open_socket();
    closed(&mut world, &sid);
    assert!(world.is_open(opened));
}

#[test]
fn what_waits_goes_out_on_the_websocket_in_order() {
    let mut world = World::new(App::Silent);
    let sid = world.open();
    let socket = world.probe(&sid);
    world.send(&sid, message_frame("a"), Class::Kept);
    world.say(socket, "2probe");
    assert_eq!(world.polled(&sid), (200, "4a".to_string()));
    for text in ["b", "c"] {
        world.send(&sid, message_frame(text), Class::Page);
    }
    world.say(socket, "5");
    world.send(&sid, message_frame("d"), Class::Kept);
    assert_eq!(world.heard_on(socket), ["3probe", "4b", "4c", "4d"]);
    assert_eq!(world.flushed, 0, "pages on a socket are the driver's to tell");
}

#[test]
fn a_probe_that_takes_too_long_is_closed_and_polling_goes_on() {
    let mut world = World::new(App::Echo);
    let sid = world.open();
    let socket = world.probe(&sid);
    world.say(socket, "2probe");
    for _ in 0..33 {
        world.wait(Duration::from_millis(300));
        assert_eq!(world.polled(&sid).1, "2");
        world.post(&sid, "3");
    }
    assert!(world.is_open(socket));
    world.wait(Duration::from_millis(100));
    assert!(!world.is_open(socket));
    let poll = world.poll(&sid);
    assert_eq!(world.response(poll), None, "polls wait again");
    world.post(&sid, "4on");
    assert_eq!(world.response(poll), Some((200, "4on".to_string())));
    let again = world.probe(&sid);
    assert!(world.is_open(again));
}

#[test]
fn a_probe_that_says_anything_out_of_turn_is_closed_and_polling_goes_on() {
    for words in [&["5"][..], &["4hello"], &["3"], &["abc"], &["2probe", "2probe"], &["2probe", "4x"], &["1"]]
    {
        let mut world = World::new(App::Echo);
        let sid = world.open();
        let socket = world.probe(&sid);
        for word in words {
            world.say(socket, word);
        }
        assert!(!world.is_open(socket), "{words:?}");
        world.post(&sid, "4on");
        assert_eq!(world.polled(&sid), (200, "4on".to_string()));
    }
}

#[test]
fn a_probe_that_is_lost_leaves_polling_as_it_was() {
    let mut world = World::new(App::Echo);
    let sid = world.open();
    let socket = world.probe(&sid);
    world.say(socket, "2probe");
    world.lose(socket);
    let poll = world.poll(&sid);
    assert_eq!((world.response(poll), world.ended(&sid)), (None, None));
}

#[test]
fn a_session_that_ends_takes_its_probe_along() {
    let mut world = World::new(App::Echo);
    let sid = world.open();
    let socket = world.probe(&sid);
    world.post(&sid, "abc");
    assert!(!world.is_open(socket));
    assert!(world.ended(&sid).is_some());
    let sid = world.open();
    let socket = world.probe(&sid);
    world.post(&sid, "1");
    assert!(!world.is_open(socket));
}

#[test]
fn a_session_that_the_server_closes_during_the_upgrade_ends_with_it() {
    let mut world = World::new(App::Silent);
    let sid = world.open();
    let socket = world.probe(&sid);
    world.say(socket, "2probe");
    world.send(&sid, message_frame("why"), Class::Kept);
    world.close(&sid);
    assert_eq!(world.heard_on(socket), ["3probe"]);
    world.say(socket, "5");
    assert!(!world.is_open(socket));
    assert_eq!(world.ended(&sid), Some(&Ended::ByServer));
}

#[test]
fn a_websocket_that_comes_too_late_is_closed() {
    use parlor_protocol::ids::{RequestId, SocketId};
    use parlor_protocol::socket_io::engine::{Config, Order, Session, Sid};
    let (now, mut orders) = (parlor_protocol::time::Timestamp(0), Vec::new());
    let request = |slot| RequestId { slot, generation: 0 };
    let mut session =
        Session::open_polling(Sid::from("x"), request(0), now, Config::default().into(), &mut orders);
    session.on_post(request(1), "1".into(), true, now, &mut orders);
    let socket = SocketId { slot: 0, generation: 0 };
    session.on_probe_opened(socket, now, &mut orders);
    assert_eq!(orders.pop(), Some(Order::Close { socket }));
}
