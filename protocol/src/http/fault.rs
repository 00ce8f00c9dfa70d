//! Why a request is refused before anybody is asked what it is for.

use super::{HEAD_BYTES_MAX, HEADERS_MAX, Response};
use crate::door::{NoRoute, no_route};
use crate::refusal::{Code, Refusal};

/// When a client whose body found no room should try again, at the earliest.
const NO_ROOM_WAIT: std::time::Duration = std::time::Duration::from_secs(1);

/// Why a head is refused; the connection ends with the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadFault {
    /// Over `HEAD_BYTES_MAX` or `HEADERS_MAX`: 431.
    TooLarge,
    /// No HTTP, or HTTP that can be read in two ways: 400.
    Malformed(&'static str),
    /// Not HTTP/1.1: 505.
    Version,
    /// A body without `Content-Length`: 411.
    LengthRequired,
    /// A body for what is not there: 404.
    NotFound,
    /// A body for what takes other methods, these: 405.
    Method(&'static str),
    /// A body over what this request may have: 413.
    BodyTooLarge {
        /// What it may have.
        limit: usize,
        /// What it says it has.
        actual: usize,
    },
    /// The same on Engine.IO's path, whose clients know no body of ours: 413 without one.
    PayloadTooLarge,
    /// A file without anything that says who sends it: 401.
    NoCredential,
    /// So many bodies are being held that there is no room for this one: 503.
    NoRoom,
    /// It took too long: 408.
    Late,
}

impl HeadFault {
    /// The response that tells it.
    pub fn response(self) -> Response {
        let client = |status, message: String| (status, Refusal::new(Code::ClientError, message));
        let (status, refusal) = match self {
            Self::TooLarge => client(
                431,
                format!("the request head is over {HEAD_BYTES_MAX} bytes or {HEADERS_MAX} headers"),
            ),
            Self::Malformed(what) => client(400, format!("malformed request: {what}")),
            Self::Version => client(505, "only HTTP/1.1 is spoken here".to_string()),
            Self::LengthRequired => client(411, "a body needs a Content-Length".to_string()),
            Self::NotFound => return no_route(&NoRoute::Unknown),
            Self::Method(allow) => return no_route(&NoRoute::Method(allow)),
            Self::BodyTooLarge { limit, actual } => {
                let message = format!("a body of {actual} bytes is over the limit of {limit} here");
                let details = serde_json::json!({"limit": limit, "actual": actual});
                (413, Refusal::new(Code::TooLarge, message).with(details))
            }
            Self::PayloadTooLarge => return Response::empty(413),
            Self::NoCredential => (401, Refusal::new(Code::AuthFailed, "authentication failed")),
            Self::NoRoom => {
                let refusal = Refusal::new(Code::Overloaded, "no room for another request body");
                let wait = NO_ROOM_WAIT.as_secs().to_string();
                let body = serde_json::json!({ "error": refusal.retry_after(NO_ROOM_WAIT) });
                return Response::json(503, &body).with("retry-after", wait);
            }
            Self::Late => client(408, "the request took too long".to_string()),
        };
        Response::json(status, &serde_json::json!({ "error": refusal }))
    }
}
