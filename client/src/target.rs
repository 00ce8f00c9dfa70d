//! Where a connection goes and how it asks to be let in, for both drivers.

use crate::error::{CLIENT_ERROR, Error};
use crate::input::Input;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;
use tungstenite::client::ClientRequestBuilder;
use tungstenite::handshake::client::Request;
use tungstenite::http::{Uri, header};
use tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tungstenite::{Message, client::IntoClientRequest};

/// The largest message that is taken from a server. One answer may be larger than a server's queue.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    uri: Uri,
    pub host: String,
    pub port: u16,
}

impl Target {
    /// Reads a URL.
    pub fn read(url: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::new(CLIENT_ERROR, format!("{url}: {why}"), false);
        let uri: Uri = url.parse().map_err(|_| wrong("is no URL"))?;
        match uri.scheme_str() {
            Some("ws") => {}
            Some("wss") => {
                return Err(wrong("this client speaks no TLS: connect with ws:// to something that does"));
            }
            Some(_) | None => return Err(wrong("does not begin with ws://")),
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_string();
        let port = uri.port_u16().unwrap_or(80);
        Ok(Self { host, port, uri })
    }

    pub fn request(&self, token: &str) -> Result<Request, tungstenite::Error> {
        let bearer = format!("Bearer {token}");
        ClientRequestBuilder::new(self.uri.clone())
            .with_header(header::AUTHORIZATION.as_str(), bearer)
            .into_client_request()
    }
}

/// What a connection takes.
pub fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
}

/// What a failed handshake says.
pub fn failed(error: &tungstenite::Error) -> Input {
    let tungstenite::Error::Http(response) = error else {
        return Input::Failed { status: None, retry_after: None };
    };
    let retry_after = response.headers().get(header::RETRY_AFTER);
    let retry_after =
        retry_after.and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
    Input::Failed { status: Some(response.status().as_u16()), retry_after }
}

/// What a message says; the code, when it is the end.
pub fn heard(message: Message) -> Result<Input, Option<u16>> {
    match message {
        Message::Text(text) => Ok(Input::Received(text.as_str().to_string())),
        // No server sends any here: it counts as malformed.
        Message::Binary(_) | Message::Frame(_) => Ok(Input::Received(String::new())),
        Message::Ping(_) | Message::Pong(_) => Ok(Input::Ponged),
        Message::Close(frame) => Err(frame.map(|CloseFrame { code, .. }| code.into())),
    }
}

/// 32 bytes that differ each time. They name messages and spread reconnects; no secret hangs on them.
pub fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    for (number, bytes) in seed.chunks_mut(8).enumerate() {
        bytes.copy_from_slice(&RandomState::new().hash_one(number).to_le_bytes());
    }
    seed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_or_refused_by_name() {
        let target = Target::read("ws://localhost:8080/api/connect").expect("a URL");
        assert_eq!((target.host.as_str(), target.port), ("localhost", 8080));
        assert_eq!(
            Target::read("ws://[::1]/chat").map(|target| (target.host, target.port)),
            Ok(("::1".into(), 80))
        );
        let error = Target::read("wss://parlor.example/chat").expect_err("no TLS");
        assert!(error.message.starts_with("wss://parlor.example/chat: this client speaks no TLS"), "{error}");
        for url in ["", "http://a/", "/chat", "ws:///chat"] {
            assert_eq!(Target::read(url).expect_err(url).code, CLIENT_ERROR);
        }
    }

    #[test]
    fn two_seeds_differ() {
        assert_ne!(seed(), seed());
    }
}
