//! What an envelope reads has passed the gate, and what it writes can be read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use parlor_protocol::envelope::{Envelope, Event, ID_BYTES_MAX, Mark};
use parlor_protocol::ids::UserId;
use parlor_protocol::json;
use parlor_protocol::time::Timestamp;
use serde_json::Value;

fuzz_target!(|text: &[u8]| {
    let checked = json::check(text);
    let message = Mark::Message { id: "msg".into(), at: Timestamp(0), by: UserId::server() };
    for (envelope, mark) in
        [(Envelope::Fields, &Mark::None), (Envelope::Event, &Mark::None), (Envelope::Realtime, &message)]
    {
        let Ok(call) = envelope.decode(text) else { continue };
        assert!(checked.is_ok(), "only what passed the gate is read");
        assert!(call.name.len() <= ID_BYTES_MAX);
        let data: Value = serde_json::from_str(call.data).expect("the data of a call is JSON");
        let answer = Event::new("answer", &serde_json::json!({"data": data}));
        let [frame] = &envelope.answer(&answer, call.reply_to.as_ref(), mark)[..] else {
            panic!("one frame")
        };
        assert_eq!(json::check(frame.payload()).is_ok(), nests_little(&data), "{:?}", frame.payload());
    }
});

/// Whether two levels more are within the gate's limit.
fn nests_little(data: &Value) -> bool {
    fn depth(value: &Value) -> usize {
        match value {
            Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
            Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        }
    }
    // In one envelope the data stands one level deeper than in the other.
    depth(data) + 2 <= json::DEPTH_MAX
}
