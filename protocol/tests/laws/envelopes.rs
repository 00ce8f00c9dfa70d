use crate::cases;
use parlor_protocol::envelope::{Envelope, Event, Mark, ReplyId};
use parlor_protocol::ids::UserId;
use parlor_protocol::json;
use parlor_protocol::time::Timestamp;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// JSON without fractions, which two writers may spell in two ways.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            btree_map(".{0,8}", inner, 0..5).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Fields that may stand beside a name.
fn fields() -> impl Strategy<Value = Map<String, Value>> {
    let free = |name: &String| !["type", "requestId"].contains(&name.as_str());
    btree_map(".{0,8}".prop_filter("a name that is taken", free), any_json(), 0..5)
        .prop_map(|fields| fields.into_iter().collect())
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn what_an_envelope_writes_it_reads_again(fields in fields(), reply_to in proptest::option::of(".{0,20}")) {
        let data = Value::Object(fields);
        let event = Event::new("chat:any:thing", &data);
        let reply_to = reply_to.map(|id| ReplyId::Request(id.as_str().into()));
        let message = Mark::Message { id: "msg".into(), at: Timestamp(7), by: UserId::from("ada") };
        for (envelope, mark) in [
            (Envelope::Fields, &Mark::None),
            (Envelope::Event, &Mark::None),
            (Envelope::Realtime, &message),
        ] {
            let frames = envelope.answer(&event, reply_to.as_ref(), mark);
            let [frame] = &frames[..] else { panic!("one frame: {frames:?}") };
            let call = envelope.decode(frame.payload()).expect("what is written is a call");
            prop_assert_eq!(&*call.name, "chat:any:thing");
            // What is written there has an id of its own, and names what it answers beside it.
            let own = Some(ReplyId::Request("msg".into()));
            prop_assert_eq!(&call.reply_to, if envelope == Envelope::Realtime { &own } else { &reply_to });
            if envelope == Envelope::Realtime {
                let whole: Value = serde_json::from_slice(frame.payload()).expect("JSON");
                let named = match &reply_to {
                    Some(ReplyId::Request(id)) => json!(&**id),
                    Some(ReplyId::SocketIo(_)) | None => Value::Null,
                };
                prop_assert_eq!(&whole["correlationId"], &named);
                prop_assert_eq!(&whole["userId"], &json!("ada"));
            }
            let mut read: Value = serde_json::from_str(call.data).expect("data is JSON");
            if envelope == Envelope::Fields {
                let beside = read.as_object_mut().expect("fields");
                beside.remove("type");
                beside.remove("requestId");
            }
            prop_assert_eq!(&read, &data);
        }
    }

    #[test]
    fn what_passes_the_gate_is_what_every_reader_reads(text in ".{0,64}", value in any_json()) {
        prop_assert!(json::check(text.as_bytes()).is_err() || serde_json::from_str::<Value>(&text).is_ok());
        let written = value.to_string();
        prop_assert_eq!(json::check(written.as_bytes()), Ok(()));
        let twice = json!({"a": value}).to_string().replace("{\"a\":", "{\"a\":0,\"a\":");
        prop_assert!(json::check(twice.as_bytes()).is_err());
    }

    #[test]
    fn no_text_is_more_than_malformed(text in vec(any::<u8>(), 0..200), near in "[\\[\\]{}\":,a-z0-9\\\\u ]{0,60}") {
        for envelope in [Envelope::Fields, Envelope::Event, Envelope::Realtime] {
            for text in [text.as_slice(), near.as_bytes()] {
                if let Ok(call) = envelope.decode(text) {
                    prop_assert!(serde_json::from_str::<Value>(call.data).is_ok());
                }
            }
        }
    }
}
