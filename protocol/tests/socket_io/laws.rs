use crate::sequence::Sequence;
use crate::world::{App, World};
use bytes::Bytes;
use parlor_protocol::frame::Frame;
use parlor_protocol::input::Message;
use parlor_protocol::socket_io::packet::{ACK_ID_MAX, Kind, Packet};
use parlor_protocol::socket_io::payload::{self, message_frame};
use proptest::collection::vec;
use proptest::prelude::*;

fn kind() -> impl Strategy<Value = Kind> {
    let kinds = [
        Kind::Connect,
        Kind::Disconnect,
        Kind::Event,
        Kind::Ack,
        Kind::ConnectError,
        Kind::BinaryEvent,
        Kind::BinaryAck,
    ];
    proptest::sample::select(kinds.to_vec())
}

/// A packet of any kind that is right, its JSON with whatever text.
fn packet() -> impl Strategy<Value = Packet<'static>> {
    let parts = (
        kind(),
        "(/[^,?\\p{C}]{0,20})?",
        proptest::option::of(0..=ACK_ID_MAX),
        vec(".{0,8}", 0..4),
        1..=10u8,
    );
    parts.prop_map(|(kind, namespace, id, texts, count)| {
        let namespace = if namespace.is_empty() { "/".to_string() } else { namespace };
        let binary = matches!(kind, Kind::BinaryEvent | Kind::BinaryAck);
        let attachments = if binary { count } else { 0 };
        let places = (0..attachments).rev().map(|num| format!(r#"{{"_placeholder":true,"num":{num}}}"#));
        let texts = texts.iter().map(|text| serde_json::json!(text).to_string());
        let items: Vec<_> = texts.chain(places).collect();
        let (id, data) = match kind {
            Kind::Connect => (None, (!items.is_empty()).then(|| format!("{{\"a\":[{}]}}", items.join(",")))),
            Kind::Disconnect => (None, None),
            Kind::ConnectError => (None, Some(format!("{{\"a\":[{}]}}", items.join(",")))),
            Kind::Ack | Kind::BinaryAck => {
                (Some(id.unwrap_or_default()), Some(format!("[{}]", items.join(","))))
            }
            Kind::Event | Kind::BinaryEvent => {
                let items = [vec!["\"name\"".to_string()], items].concat();
                (id, Some(format!("[{}]", items.join(","))))
            }
        };
        Packet { kind, namespace: namespace.into(), id, data: data.map(Into::into), attachments }
    })
}

#[derive(Debug, Clone)]
enum Said {
    Text(String),
    Binary(Vec<u8>),
}

impl Said {
    fn frame(&self) -> Frame {
        match self {
            Self::Text(text) => message_frame(text),
            Self::Binary(bytes) => Frame::binary(bytes),
        }
    }

    fn message(&self) -> Message {
        match self {
            Self::Text(text) => Message::Text(Bytes::copy_from_slice(text.as_bytes())),
            Self::Binary(bytes) => Message::Binary(Bytes::copy_from_slice(bytes)),
        }
    }
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof!["[^\u{1e}]{0,12}".prop_map(Said::Text), vec(any::<u8>(), 0..12).prop_map(Said::Binary)]
}

/// The messages of a response's body.
fn messages(body: &str) -> Vec<Message> {
    let packets = payload::decode(&Bytes::copy_from_slice(body.as_bytes())).expect("a payload");
    let message = |packet| match packet {
        payload::Packet::Message(message) => Some(message),
        payload::Packet::Noop => None,
        payload::Packet::Close
        | payload::Packet::Probe
        | payload::Packet::Pong
        | payload::Packet::Upgrade => {
            panic!("it is nothing that a server says here")
        }
    };
    packets.into_iter().filter_map(message).collect()
}

proptest! {
    #[test]
    fn a_packet_that_is_written_is_read_again(packet in packet()) {
        let text = packet.encode();
        prop_assert_eq!(Packet::decode(&text), Ok(packet));
    }

    #[test]
    fn a_payload_that_is_written_is_read_again(said in vec(said(), 1..20)) {
        let body = payload::encode(said.iter().map(Said::frame));
        let expected: Vec<_> = said.iter().map(Said::message).collect();
        prop_assert_eq!(messages(std::str::from_utf8(&body).expect("text")), expected);
    }

    #[test]
    fn no_split_over_polls_and_no_upgrade_changes_what_is_heard(
        batches in vec((vec(said(), 0..4), any::<bool>(), any::<bool>()), 1..12),
        (probe_at, upgrade_at) in (0..12usize, 0..12usize),
    ) {
        let mut world = World::new(App::Echo);
        let sid = world.open();
        let (mut sent, mut heard, mut waiting, mut socket) = (Vec::new(), Vec::new(), None, None);
        let mut upgraded = false;
        for (at, (batch, polls, probes)) in batches.iter().enumerate() {
            if *probes && at >= probe_at && socket.is_none() {
                let probe = world.probe(&sid);
                world.say(probe, "2probe");
                prop_assert_eq!(world.heard_on(probe), ["3probe"]);
                socket = Some(probe);
            }
            if let Some(probe) = socket.filter(|_| !upgraded && at >= upgrade_at) {
                // A client says it when it has heard all that its last poll brought.
                if let Some(poll) = waiting.take() {
                    heard.extend(messages(&world.response(poll).expect("no poll waits during a probe").1));
                }
                world.say(probe, "5");
                upgraded = true;
            }
            sent.extend(batch.iter().map(Said::message));
            if upgraded {
                batch.iter().for_each(|said| world.say_message(socket.expect("the probe"), match said {
                    Said::Text(text) => Message::Text(format!("4{text}").into()),
                    Said::Binary(_) => said.message(),
                }));
            } else if !batch.is_empty() {
                let body = payload::encode(batch.iter().map(Said::frame));
                prop_assert_eq!(world.post_bytes(&sid, "text/plain", body.into()).0, 200);
            }
            if *polls && !upgraded {
                let poll = waiting.take().unwrap_or_else(|| world.poll(&sid));
                match world.response(poll) {
                    Some((_, body)) => heard.extend(messages(&body)),
                    None => waiting = Some(poll),
                }
            }
        }
        if let Some(socket) = socket.filter(|_| upgraded) {
            for shown in world.heard_on(socket) {
                heard.push(match shown.strip_prefix('4') {
                    Some(text) => Message::Text(text.to_string().into()),
                    None => {
                        let numbers = shown.trim_matches(['<', '>']).split(", ").filter(|number| !number.is_empty());
                        Message::Binary(numbers.map(|number| number.parse::<u8>().expect("a byte")).collect())
                    }
                });
            }
        } else {
            let poll = waiting.unwrap_or_else(|| world.poll(&sid));
            if let Some((_, body)) = world.response(poll) {
                heard.extend(messages(&body));
            }
            let poll = world.poll(&sid);
            if let Some((_, body)) = world.response(poll).filter(|(status, _)| *status == 200) {
                heard.extend(messages(&body));
            }
        }
        prop_assert_eq!(&world.heard, &sent, "the server hears all in order");
        prop_assert_eq!(heard, sent, "and so does the client");
    }

    #[test]
    fn no_text_is_more_than_malformed(any in ".{0,60}", near in "[0-6][0-9]{0,2}-?(/[a-z]{0,3},)?[0-9]{0,3}[\\[\\]{}\":,a-z0-9_]{0,30}") {
        for text in [any, near] {
            if let Ok(packet) = Packet::decode(&text) {
                let written = packet.encode();
                prop_assert_eq!(Packet::decode(&written), Ok(packet));
            }
            if let Err(why) = payload::decode(&Bytes::copy_from_slice(text.as_bytes())) {
                prop_assert!(!why.to_string().is_empty());
            }
        }
    }

    #[test]
    fn whatever_happens_every_request_is_answered_once_and_every_session_ends_once(
        app in proptest::sample::select(vec![App::Echo, App::SocketIo, App::Silent]),
        steps in vec(any::<[u8; 4]>(), 0..100),
    ) {
        let mut sequence = Sequence::new(app);
        steps.into_iter().for_each(|step| sequence.play(step));
        sequence.settle();
    }
}
