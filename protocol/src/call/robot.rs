//! The robot of a chat room (WIRE §2).

use super::{Said, answered, within_limit};
use crate::apps::stripped;
use crate::ids::UserId;
use crate::json;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The largest content of a reply, in bytes.
const CONTENT_BYTES_MAX: usize = 16 * 1024;
/// The largest metadata of a reply, in bytes.
const METADATA_BYTES_MAX: usize = 4 * 1024;

/// What the robot is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RobotRequest {
    /// The room, as clients call it.
    pub room_id: String,
    /// Who asks.
    pub user_id: UserId,
    /// What is asked.
    pub prompt: String,
    /// What was said before: ChatMessages, the newest last.
    pub history: Vec<Value>,
}

/// What the robot replied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RobotReply {
    /// Text or an object, not empty, as the content of a message is kept.
    pub content: Value,
    /// More, for programs.
    pub metadata: Option<Map<String, Value>>,
}

/// Reads what the AI service answered to a prompt: status, `Retry-After` if it was given, and the body, cut off
/// one byte above `ANSWER_BYTES_MAX`.
pub fn read_robot(status: u16, retry_after: Option<&str>, body: &[u8]) -> Said {
    answered(status, retry_after, || parse(body).map(Said::Robot))
}

/// The reply as the service spells it.
#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    content: &'a RawValue,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

fn parse(body: &[u8]) -> Result<RobotReply, String> {
    within_limit(body)?;
    // Members read it as it came, so it has to pass what a member's own message has to.
    json::check(body)?;
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let Reply { content, metadata } = json::object(text)?;
    let metadata = metadata.map(|raw| {
        limit("metadata", raw.get().len(), METADATA_BYTES_MAX)?;
        json::object(raw.get()).map_err(|why| format!("metadata that is {why}"))
    });
    Ok(RobotReply { content: read_content(content)?, metadata: metadata.transpose()? })
}

fn read_content(raw: &RawValue) -> Result<Value, String> {
    let content = match serde_json::from_str(raw.get()).map_err(|error| error.to_string())? {
        Value::String(text) => {
            let text = stripped(&text);
            limit("content", text.len(), CONTENT_BYTES_MAX)?;
            if text.trim().is_empty() {
                return Err("an empty content".to_string());
            }
            Value::String(text)
        }
        Value::Object(fields) => {
            limit("content", raw.get().len(), CONTENT_BYTES_MAX)?;
            if fields.is_empty() {
                return Err("an empty content".to_string());
            }
            Value::Object(fields)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            return Err("a content that is neither text nor an object".to_string());
        }
    };
    Ok(content)
}

fn limit(what: &str, actual: usize, limit: usize) -> Result<(), String> {
    match actual > limit {
        true => Err(format!("{what} of {actual} bytes is over the limit of {limit}")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::CallFailure;
    use serde_json::json;
    use std::time::Duration;

    fn said(body: &str) -> Said {
        read_robot(200, None, body.as_bytes())
    }

    fn reply(content: Value, metadata: Option<Value>) -> Said {
        let metadata = metadata.map(|value| value.as_object().expect("an object").clone());
        Said::Robot(RobotReply { content, metadata })
    }

    fn bad(body: &str) -> String {
        let said = said(body);
        let Said::Failed(CallFailure::BadReply(why)) = said else { panic!("{body}: {said:?}") };
        why
    }

    #[test]
    fn a_reply_is_text_or_an_object_and_perhaps_metadata() {
        assert_eq!(said(r#"{"content":"Hi\u0000\n"}"#), reply(json!("Hi\n"), None));
        let full = r#"{"content":{"kind":"card"},"metadata":{"model":"m"},"more":[1]}"#;
        assert_eq!(said(full), reply(json!({"kind": "card"}), Some(json!({"model": "m"}))));
        assert_eq!(said(r#"{"content":"x","metadata":null}"#), reply(json!("x"), None));
    }

    #[test]
    fn what_is_no_reply_is_a_bad_one() {
        assert_eq!(bad("[\"x\"]"), "not an object");
        assert_eq!(bad(r#"{"content":" \n"}"#), "an empty content");
        assert_eq!(bad(r#"{"content":{}}"#), "an empty content");
        assert_eq!(bad(r#"{"content":7}"#), "a content that is neither text nor an object");
        assert_eq!(bad(r#"{"content":"x","metadata":[]}"#), "metadata that is not an object");
        assert!(bad("{}").starts_with("missing field `content`"));
        assert!(bad(r#"{"content":"x","content":"y"}"#).starts_with("the key \"content\" twice"));
        assert!(bad("<html>").starts_with("expected value"));
    }

    #[test]
    fn the_byte_over_a_limit_is_refused() {
        let text = |bytes: usize| format!("{{\"content\":\"{}\"}}", "x".repeat(bytes));
        assert!(matches!(said(&text(CONTENT_BYTES_MAX)), Said::Robot(_)));
        assert_eq!(bad(&text(CONTENT_BYTES_MAX + 1)), "content of 16385 bytes is over the limit of 16384");
        let more = |bytes: usize| {
            format!(r#"{{"content":"x","metadata":{{"a":"{}"}}}}"#, "y".repeat(bytes - r#"{"a":""}"#.len()))
        };
        assert!(matches!(said(&more(METADATA_BYTES_MAX)), Said::Robot(_)));
        assert_eq!(bad(&more(METADATA_BYTES_MAX + 1)), "metadata of 4097 bytes is over the limit of 4096");
        assert_eq!(bad(&text(1 << 20)), "an answer of over 1048576 bytes");
    }

    #[test]
    fn a_status_means_what_it_means_for_questions() {
        let passing = |wait| Said::Failed(CallFailure::Passing { retry_after: wait });
        assert_eq!(read_robot(503, Some("7"), b""), passing(Some(Duration::from_secs(7))));
        assert_eq!(read_robot(429, Some("soon"), b""), passing(None));
        assert_eq!(read_robot(404, None, b""), Said::Failed(CallFailure::Refused { status: 404 }));
    }
}
