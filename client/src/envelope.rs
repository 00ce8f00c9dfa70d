//! The envelope of `/api/connect` and `/chat` (WIRE §0.4): `{"event","data","requestId","version":"1"}`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The one version that is spoken; also meant where none is given.
const VERSION: &str = "1";

/// A message from the server.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heard {
    pub event: String,
    #[serde(default)]
    pub data: Value,
    #[serde(default)]
    pub request_id: Option<String>,
    #[serde(default)]
    version: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Said<'a> {
    event: &'a str,
    data: &'a Value,
    request_id: &'a str,
    version: &'a str,
}

impl Heard {
    /// Reads a text message; `None`: it is malformed.
    pub fn read(text: &str) -> Option<Self> {
        let heard: Self = serde_json::from_str(text).ok()?;
        heard.version.as_deref().is_none_or(|version| version == VERSION).then_some(heard)
    }

    /// Whether this is the event that stands for an error.
    pub fn is_error(&self) -> bool {
        matches!(self.event.as_str(), "error" | "chat:error")
    }
}

/// Writes a call.
pub fn write(event: &str, data: &Value, request_id: &str) -> String {
    let said = Said { event, data, request_id, version: VERSION };
    serde_json::to_string(&said).expect("strings and JSON can be written as JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_call_is_written_as_the_wire_contract_says() {
        assert_eq!(
            write("chat:room:leave", &json!({"roomId": "a"}), "j1"),
            r#"{"event":"chat:room:leave","data":{"roomId":"a"},"requestId":"j1","version":"1"}"#
        );
    }

    #[test]
    fn what_is_no_event_of_version_1_is_malformed() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"event":1}"#,
            r#"{"event":"x","version":"2"}"#,
            r#"{"event":"x","requestId":1}"#,
        ] {
            assert!(Heard::read(text).is_none(), "{text}");
        }
        assert_eq!(Heard::read(r#"{"event":"x"}"#).expect("an event").data, Value::Null);
    }
}
