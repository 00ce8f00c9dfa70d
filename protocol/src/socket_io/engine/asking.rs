//! What a request to an Engine.IO path is for, and why it may be refused. The faults are looked for in the order
//! of the reference: transport, session id (whether it is known is the caller's to say), method, version.

use crate::http::{RequestHead, Response};
use serde::Serialize;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A session by long-polling.
    PollOpen,
    /// A session by WebSocket.
    SocketOpen,
    /// What the server has to say.
    Poll {
        /// The session's id.
        sid: String,
    },
    /// That the server hears what the body says.
    Post {
        /// The session's id.
        sid: String,
    },
    /// A WebSocket that may take over from polling.
    Socket {
        /// The session's id.
        sid: String,
    },
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// A transport other than `polling` and `websocket`.
    UnknownTransport,
    /// A session that there is not, or not any more.
    UnknownSid,
    /// A session is opened by GET.
    BadHandshakeMethod,
    /// The transport does not fit the request, or the session.
    BadRequest,
    /// The caller does not want this client.
    Forbidden,
    /// A version of Engine.IO other than 4.
    UnsupportedVersion,
}

/// Reads what a request to the engine's path asks for.
pub fn read_request(head: &RequestHead) -> Result<Asked, Refused> {
    let upgrade = match head.parameter("transport").as_deref() {
        Some("polling") => false,
        Some("websocket") => true,
        _ => return Err(Refused::UnknownTransport),
    };
    let fits = upgrade == head.is_upgrade();
    if let Some(sid) = head.parameter("sid").filter(|sid| !sid.is_empty()) {
        return match (upgrade, head.method.as_str()) {
            (true, "GET") if fits => Ok(Asked::Socket { sid }),
            (false, "GET") if fits => Ok(Asked::Poll { sid }),
            (false, "POST") if fits => Ok(Asked::Post { sid }),
            _ => Err(Refused::BadRequest),
        };
    }
    if head.method != "GET" {
        return Err(Refused::BadHandshakeMethod);
    }
    if !fits {
        return Err(Refused::BadRequest);
    }
    match head.parameter("EIO").as_deref() {
        Some("4") if upgrade => Ok(Asked::SocketOpen),
        Some("4") => Ok(Asked::PollOpen),
        _ => Err(Refused::UnsupportedVersion),
    }
}

/// Whether the body of a POST is a payload of text, the only one that version 4 knows.
pub fn is_text(head: &RequestHead) -> bool {
    let media_type = head.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
    !media_type.trim().eq_ignore_ascii_case("application/octet-stream")
}

#[derive(Serialize)]
struct Body<'a> {
    code: u8,
    message: &'a str,
}

/// The response, with a status of its own, to a client that is not wanted now: to its kind that is forbidden.
pub fn not_now(status: u16, message: &str) -> Response {
    Response::json(status, &Body { code: Refused::Forbidden as u8, message })
}

impl Refused {
    /// The response that tells it.
    pub fn response(self) -> Response {
        let message = match self {
            Self::UnknownTransport => "Transport unknown",
            Self::UnknownSid => "Session ID unknown",
            Self::BadHandshakeMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Forbidden => "Forbidden",
            Self::UnsupportedVersion => "Unsupported protocol version",
        };
        let status = if self == Self::Forbidden { 403 } else { 400 };
        Response::json(status, &Body { code: self as u8, message }).with("cache-control", "no-store")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Body;

    fn head(method: &str, query: &str, upgrade: bool) -> RequestHead {
        let headers = match upgrade {
            true => vec![("connection".into(), "Upgrade".into()), ("upgrade".into(), "websocket".into())],
            false => vec![],
        };
        RequestHead { method: method.into(), target: format!("/x/{query}"), headers, keep_alive: true }
    }

    #[test]
    fn a_request_asks_for_one_of_five_things() {
        let sid = || "a-b".to_string();
        for (method, query, upgrade, asked) in [
            ("GET", "?EIO=4&transport=polling&t=x1", false, Asked::PollOpen),
            ("GET", "?EIO=4&transport=polling&sid=", false, Asked::PollOpen),
            ("GET", "?EIO=4&transport=websocket", true, Asked::SocketOpen),
            ("GET", "?transport=polling&EIO=4&sid=a-b", false, Asked::Poll { sid: sid() }),
            ("POST", "?EIO=4&transport=polling&sid=a-b", false, Asked::Post { sid: sid() }),
            ("GET", "?EIO=4&transport=websocket&sid=a-b", true, Asked::Socket { sid: sid() }),
        ] {
            assert_eq!(read_request(&head(method, query, upgrade)), Ok(asked), "{method} {query}");
        }
    }

    #[test]
    fn the_first_fault_in_the_order_of_the_reference_is_told() {
        for (method, query, upgrade, refused) in [
            ("GET", "", false, Refused::UnknownTransport),
            ("POST", "?EIO=3&transport=abc", false, Refused::UnknownTransport),
            ("GET", "?EIO=4&transport=webtransport", false, Refused::UnknownTransport),
            ("POST", "?EIO=3&transport=polling", false, Refused::BadHandshakeMethod),
            ("PUT", "?EIO=4&transport=polling", false, Refused::BadHandshakeMethod),
            ("GET", "?EIO=3&transport=websocket", false, Refused::BadRequest),
            ("GET", "?EIO=4&transport=polling", true, Refused::BadRequest),
            ("GET", "?transport=polling", false, Refused::UnsupportedVersion),
            ("GET", "?EIO=abc&transport=polling", false, Refused::UnsupportedVersion),
            ("GET", "?EIO=3&transport=websocket", true, Refused::UnsupportedVersion),
            ("PUT", "?EIO=4&transport=polling&sid=a", false, Refused::BadRequest),
            ("GET", "?EIO=4&transport=websocket&sid=a", false, Refused::BadRequest),
            ("GET", "?EIO=4&transport=polling&sid=a", true, Refused::BadRequest),
            ("POST", "?EIO=4&transport=websocket&sid=a", true, Refused::BadRequest),
        ] {
            assert_eq!(read_request(&head(method, query, upgrade)), Err(refused), "{method} {query}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_the_words_of_the_reference() {
        let body = |refused: Refused| match refused.response() {
            Response { status, body: Body::Bytes(body), .. } => {
                (status, String::from_utf8_lossy(&body).into_owned())
            }
            response => panic!("{response:?}"),
        };
        let expected = [
            (Refused::UnknownTransport, 400, r#"{"code":0,"message":"Transport unknown"}"#),
            (Refused::UnknownSid, 400, r#"{"code":1,"message":"Session ID unknown"}"#),
            (Refused::BadHandshakeMethod, 400, r#"{"code":2,"message":"Bad handshake method"}"#),
            (Refused::BadRequest, 400, r#"{"code":3,"message":"Bad request"}"#),
            (Refused::Forbidden, 403, r#"{"code":4,"message":"Forbidden"}"#),
            (Refused::UnsupportedVersion, 400, r#"{"code":5,"message":"Unsupported protocol version"}"#),
        ];
        for (refused, status, text) in expected {
            assert_eq!(body(refused), (status, text.to_string()));
        }
    }

    #[test]
    fn only_a_body_of_octets_is_not_text() {
        let with = |media_type: &str| {
            let mut head = head("POST", "", false);
            head.headers.push(("content-type".into(), media_type.into()));
            head
        };
        assert!(is_text(&head("POST", "", false)));
        assert!(is_text(&with("text/plain;charset=UTF-8")));
        assert!(!is_text(&with("application/octet-stream")));
        assert!(!is_text(&with("Application/Octet-Stream; x=y")));
    }
}
