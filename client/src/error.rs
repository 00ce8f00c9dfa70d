//! Why a call has no result: the error of WIRE §0.5, said by the server or by the client itself.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;

/// The connection, or the time of the call, ended before the answer came. What was asked may have been done.
pub const CONNECTION_LOST: &str = "CONNECTION_LOST";
/// Too many calls wait already, or too many bytes of them.
pub const OVERLOADED: &str = "OVERLOADED";
/// The call is larger than the server takes.
pub const TOO_LARGE: &str = "TOO_LARGE";
/// The call makes no sense.
pub const CLIENT_ERROR: &str = "CLIENT_ERROR";
/// The server said something that the client does not understand.
pub const PROTOCOL_ERROR: &str = "PROTOCOL_ERROR";

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Error {
    /// What happened, for programs.
    pub code: String,
    /// What happened, for people.
    #[serde(default)]
    pub message: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// Whether the same call may succeed later.
    #[serde(default)]
    pub recoverable: bool,
}

impl Error {
    /// An error without details.
    pub fn new(code: &str, message: impl Into<String>, recoverable: bool) -> Self {
        Self { code: code.to_string(), message: message.into(), details: None, recoverable }
    }

    /// The data of an event `error` or `chat:error`.
    pub(crate) fn read(data: Value) -> Self {
        serde_json::from_value(data)
            .unwrap_or_else(|why| Self::new(PROTOCOL_ERROR, format!("an error that is none: {why}"), false))
    }

    pub(crate) fn lost() -> Self {
        Self::new(CONNECTION_LOST, "the connection ended before the answer came", true)
    }

    pub(crate) fn late(message_id: Option<&str>) -> Self {
        let details = message_id.map(|id| json!({ "id": id }));
        Self { details, ..Self::new(CONNECTION_LOST, "no answer came in time", true) }
    }

    pub(crate) fn overloaded(what: &str, actual: usize, limit: usize) -> Self {
        let message = format!("{actual} {what} would wait, over the limit of {limit}");
        let details = Some(json!({"limit": limit, "actual": actual}));
        Self { details, ..Self::new(OVERLOADED, message, true) }
    }

    pub(crate) fn too_large(actual: usize, limit: usize) -> Self {
        let message = format!("a call of {actual} bytes is over the limit of {limit}");
        let details = Some(json!({"limit": limit, "actual": actual}));
        Self { details, ..Self::new(TOO_LARGE, message, false) }
    }

    /// Whether the server would have taken the call at another time.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(
            self.code.as_str(),
            "RATE_LIMITED" | "RATE_LIMIT_EXCEEDED" | "STORE_UNAVAILABLE" | OVERLOADED
        )
    }

    /// How long the server asks to wait before the next try.
    pub(crate) fn retry_after_ms(&self) -> Option<u64> {
        self.details.as_ref()?.get("retryAfterMs")?.as_u64()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}
