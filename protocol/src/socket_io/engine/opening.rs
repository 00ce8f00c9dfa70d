//! What a session begins with: its name, its endpoint's rhythm and limits, and the packet that tells the client.

use crate::json::Json;
use serde::Serialize;
use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

/// What all sessions of an endpoint have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How long after its opening, and after each sign of life, a client is pinged.
    pub ping_interval: Duration,
    /// How long it has to answer.
    pub ping_timeout: Duration,
    /// The largest body of a POST and the largest message; clients are told.
    pub payload_bytes_max: u32,
    /// How long a WebSocket may be a probe.
    pub upgrade_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            payload_bytes_max: 1_000_000,
            upgrade_timeout: Duration::from_secs(10),
        }
    }
}

/// The name of a session, which is all that a polling client proves itself with: 128 random bits or more, in
/// characters that a URL holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sid(Arc<str>);

impl Sid {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Sid {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl Borrow<str> for Sid {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The packet that opens a session.
pub(super) fn opening(sid: &Sid, config: &Config, upgrades: &[&str]) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Opening<'a> {
        sid: &'a str,
        upgrades: &'a [&'a str],
        ping_interval: u128,
        ping_timeout: u128,
        max_payload: u32,
    }
    let opening = Opening {
        sid: sid.as_str(),
        upgrades,
        ping_interval: config.ping_interval.as_millis(),
        ping_timeout: config.ping_timeout.as_millis(),
        max_payload: config.payload_bytes_max,
    };
    format!("0{}", Json::of(&opening).as_str())
}
