//! Why a command was not carried out: a value on its way to the client (WIRE §0.5).

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::time::Duration;

/// The code of an error, as clients know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The frame is not what the endpoint speaks.
    ProtocolError,
    /// The command is not one, or not one now.
    ClientError,
    /// No, bad or disagreeing credentials.
    AuthFailed,
    /// The token has ended.
    TokenExpired,
    /// The token does not allow it.
    PermissionDenied,
    /// The room is closed to the caller, or absent.
    RoomAccessDenied,
    /// There is no such thing for the caller.
    NotFound,
    /// It stands there already, otherwise.
    Conflict,
    /// Over a limit of size.
    TooLarge,
    /// Over a limit of rate.
    RateLimited,
    /// The same, in the words of projects.
    RateLimitExceeded,
    /// The project is closed to the caller, or absent.
    ProjectAccessDenied,
    /// Something that should not happen.
    ServerError,
    /// The AI service answered what is no answer.
    AiBadReply,
    /// The AI service did not answer.
    AiUnavailable,
    /// The store does not answer, or cannot store.
    StoreUnavailable,
    /// No room for more now.
    Overloaded,
}

impl Code {
    /// Every code there is.
    pub const ALL: [Self; 17] = [
        Self::ProtocolError,
        Self::ClientError,
        Self::AuthFailed,
        Self::TokenExpired,
        Self::PermissionDenied,
        Self::RoomAccessDenied,
        Self::NotFound,
        Self::Conflict,
        Self::TooLarge,
        Self::RateLimited,
        Self::RateLimitExceeded,
        Self::ProjectAccessDenied,
        Self::ServerError,
        Self::AiBadReply,
        Self::AiUnavailable,
        Self::StoreUnavailable,
        Self::Overloaded,
    ];

    /// The code on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProtocolError => "PROTOCOL_ERROR",
            Self::ClientError => "CLIENT_ERROR",
            Self::AuthFailed => "AUTH_FAILED",
            Self::TokenExpired => "TOKEN_EXPIRED",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::RoomAccessDenied => "ROOM_ACCESS_DENIED",
            Self::NotFound => "NOT_FOUND",
            Self::Conflict => "CONFLICT",
            Self::TooLarge => "TOO_LARGE",
            Self::RateLimited => "RATE_LIMITED",
            Self::RateLimitExceeded => "RATE_LIMIT_EXCEEDED",
            Self::ProjectAccessDenied => "PROJECT_ACCESS_DENIED",
            Self::ServerError => "SERVER_ERROR",
            Self::AiBadReply => "AI_BAD_REPLY",
            Self::AiUnavailable => "AI_UNAVAILABLE",
            Self::StoreUnavailable => "STORE_UNAVAILABLE",
            Self::Overloaded => "OVERLOADED",
        }
    }

    /// The status of a REST answer with it.
    pub fn status(self) -> u16 {
        match self {
            Self::ProtocolError | Self::ClientError => 400,
            Self::AuthFailed | Self::TokenExpired => 401,
            Self::PermissionDenied | Self::RoomAccessDenied | Self::ProjectAccessDenied => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::RateLimited | Self::RateLimitExceeded => 429,
            Self::ServerError => 500,
            Self::AiBadReply => 502,
            Self::AiUnavailable | Self::StoreUnavailable | Self::Overloaded => 503,
        }
    }

    /// Whether the same may succeed later, where nothing else is said.
    fn recoverable(self) -> bool {
        match self {
            Self::TokenExpired
            | Self::Conflict
            | Self::RateLimited
            | Self::RateLimitExceeded
            | Self::ServerError
            | Self::AiBadReply
            | Self::AiUnavailable
            | Self::StoreUnavailable
            | Self::Overloaded => true,
            Self::ProtocolError
            | Self::ClientError
            | Self::AuthFailed
            | Self::PermissionDenied
            | Self::RoomAccessDenied
            | Self::ProjectAccessDenied
            | Self::NotFound
            | Self::TooLarge => false,
        }
    }
}

/// An error as the client sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// Its code.
    pub code: Code,
    /// What is wrong, for people: names the limit and the value.
    pub message: Cow<'static, str>,
    /// More, for programs.
    pub details: Option<Value>,
    /// Whether the same may succeed later.
    pub recoverable: bool,
}

impl Refusal {
    /// A refusal with its code's own recoverability.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), details: None, recoverable: code.recoverable() }
    }

    /// The same with details.
    pub fn with(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// The same with when to try again, at the earliest.
    pub fn retry_after(self, wait: Duration) -> Self {
        self.with(retry_after(wait))
    }

    /// The same, but worth another try.
    pub fn recoverable(mut self) -> Self {
        self.recoverable = true;
        self
    }

    /// `what` holds `actual` bytes (or whatever `unit` says), over the limit.
    pub fn too_large(what: &str, actual: usize, limit: usize) -> Self {
        let message = format!("{what} of {actual} bytes is over the limit of {limit}");
        Self::new(Code::TooLarge, message).with(json!({"limit": limit, "actual": actual}))
    }

    /// A room would have more members than one may have.
    pub fn room_full(actual: usize, limit: usize) -> Self {
        let message = format!("a room of {actual} members is over the limit of {limit}");
        Self::new(Code::TooLarge, message).with(json!({"limit": limit, "actual": actual}))
    }

    /// The store cannot do it now.
    pub fn store_unavailable() -> Self {
        Self::new(Code::StoreUnavailable, "the store is unavailable").with(retry_after(STORE_RETRY))
    }

    /// Whether a token is good cannot be found out before `wait` has passed: the key that it names is not held, and
    /// cannot be fetched now. Never in the words of a token that is bad (WIRE §0.2).
    pub fn keys_unavailable(code: Code, wait: Duration) -> Self {
        Self::new(code, "the keys for tokens cannot be fetched now").recoverable().retry_after(wait)
    }

    /// A table is full.
    pub fn busy() -> Self {
        Self::new(Code::Overloaded, "the server is busy").with(retry_after(STORE_RETRY))
    }

    /// More calls than the limit allows.
    pub fn rate_limited(limit: u32, window: Duration, wait: Duration) -> Self {
        let message = format!("over the limit of {limit} calls in {} s", window.as_secs());
        Self::new(Code::RateLimited, message).with(retry_after(wait))
    }

    /// The room is closed to the caller, or absent: the same either way.
    pub fn room_access_denied() -> Self {
        Self::new(Code::RoomAccessDenied, "no access to this room")
    }
}

const STORE_RETRY: Duration = Duration::from_secs(1);

fn retry_after(wait: Duration) -> Value {
    json!({"retryAfterMs": wait.as_millis() as u64})
}

impl Serialize for Refusal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut error = serializer.serialize_struct("Error", 4)?;
        error.serialize_field("code", self.code.as_str())?;
        error.serialize_field("message", &self.message)?;
        match &self.details {
            Some(details) => error.serialize_field("details", details)?,
            None => error.skip_field("details")?,
        }
        error.serialize_field("recoverable", &self.recoverable)?;
        error.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_limit_and_the_value() {
        let written =
            serde_json::to_string(&Refusal::too_large("content", 70_144, 65_536)).expect("plain data");
        assert_eq!(
            written,
            r#"{"code":"TOO_LARGE","message":"content of 70144 bytes is over the limit of 65536","details":{"actual":70144,"limit":65536},"recoverable":false}"#
        );
    }
}
