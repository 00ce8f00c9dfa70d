//! A packet that is read is within the limits, and is read the same again when it is written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use parlor_protocol::json;
use parlor_protocol::socket_io::packet::{ACK_ID_MAX, ATTACHMENTS_MAX, Kind, NAMESPACE_BYTES_MAX, Packet};

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(packet) = Packet::decode(text) else { return };
    let binary = matches!(packet.kind, Kind::BinaryEvent | Kind::BinaryAck);
    assert_eq!((1..=ATTACHMENTS_MAX).contains(&packet.attachments), binary);
    assert!(packet.id.is_none_or(|id| id <= ACK_ID_MAX));
    assert!(packet.namespace.starts_with('/') && packet.namespace.len() <= NAMESPACE_BYTES_MAX);
    assert!(!packet.namespace.contains(char::is_control));
    if let Some(data) = &packet.data {
        assert_eq!(json::check(data.as_bytes()), Ok(()));
        if binary {
            let value: serde_json::Value = serde_json::from_str(data).expect("it was checked");
            let mut places = placeholders(&value);
            places.sort();
            assert_eq!(places, (0..u64::from(packet.attachments)).collect::<Vec<_>>());
        }
    }
    let written = packet.encode();
    assert_eq!(Packet::decode(&written), Ok(packet.clone()));
    assert_eq!(packet.frame().payload(), [b"4", written.as_bytes()].concat());
});

/// What every reader would take for a placeholder.
fn placeholders(value: &serde_json::Value) -> Vec<u64> {
    use serde_json::Value;
    match value {
        Value::Object(fields) if fields.get("_placeholder") == Some(&Value::Bool(true)) => {
            vec![fields["num"].as_u64().expect("a number")]
        }
        Value::Object(fields) => fields.values().flat_map(placeholders).collect(),
        Value::Array(items) => items.iter().flat_map(placeholders).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}
