//! Where a connection goes and how it asks to be let in, for both drivers.

use crate::config::Config;
use crate::error::{CLIENT_ERROR, Error};
use crate::input::Input;
use crate::tls::Tls;
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
#[derive(Debug, Clone)]
pub struct Target {
    uri: Uri,
    pub host: String,
    pub port: u16,
    /// How sessions begin, where TLS is spoken.
    pub tls: Option<Tls>,
}

impl Target {
    /// Reads the URL, and whom to believe there.
    pub fn read(config: &Config) -> Result<Self, Error> {
        let Config { url, ca, .. } = config;
        let wrong = |why: &str| Error::new(CLIENT_ERROR, format!("{url}: {why}"), false);
        let uri: Uri = url.parse().map_err(|_| wrong("is no URL"))?;
        let is_secure = match uri.scheme_str() {
            Some("ws") if ca.is_some() => return Err(wrong("a ca is for wss:// only")),
            Some("ws") => false,
            Some("wss") => true,
            Some(_) | None => return Err(wrong("begins with neither ws:// nor wss://")),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_string();
        let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let tls = is_secure.then(|| Tls::to(&host, ca.as_deref())).transpose().map_err(|why| wrong(&why))?;
        Ok(Self { host, port, uri, tls })
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
        for (url, host, port, is_secure) in [
            ("ws://localhost:8080/api/connect", "localhost", 8080, false),
            ("ws://[::1]/chat", "::1", 80, false),
            ("wss://parlor.example/chat", "parlor.example", 443, true),
            ("wss://[::1]:8443/chat", "::1", 8443, true),
        ] {
            let target = Target::read(&Config::new(url)).expect(url);
            assert_eq!((target.host.as_str(), target.port, target.tls.is_some()), (host, port, is_secure));
        }
        for url in ["", "http://a/", "/chat", "ws:///chat", "wss://-/chat"] {
            assert_eq!(Target::read(&Config::new(url)).expect_err(url).code, CLIENT_ERROR);
        }
    }

    #[test]
    fn who_is_believed_is_read_before_anything_is_opened() {
        let broken = "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n";
        let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (url, ca, why) in [
            ("ws://a/chat", empty, "ws://a/chat: a ca is for wss:// only"),
            ("wss://a/chat", "", "wss://a/chat: the ca holds no certificate"),
            ("wss://a/chat", broken, "wss://a/chat: the ca is not PEM: "),
            ("wss://a/chat", empty, "wss://a/chat: the ca cannot be used: "),
        ] {
            let config = Config { ca: Some(ca.to_string()), ..Config::new(url) };
            let error = Target::read(&config).expect_err(why);
            assert!(error.message.starts_with(why), "{error}");
        }
    }

    #[test]
    fn two_seeds_differ() {
        assert_ne!(seed(), seed());
    }
}
