//! The settings of the core: limits, times and modes (WIRE §6). Secrets and addresses are the driver's.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;

/// All settings, with WIRE's defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The program's version, for `/health`.
    pub version: String,
    /// Who asks for the next question.
    pub interviewer: Interviewer,
    /// `ALLOWED_ORIGINS`
    pub origins: Origins,
    /// `TRUSTED_PROXIES`
    pub trusted_proxies: Vec<IpAddr>,
    /// `CREATE_ON_OPEN`: a room that is joined and does not exist is made.
    pub create_on_open: bool,
    /// `ECHO`: whether `/echo` answers.
    pub echo: bool,
    /// `CONNECTIONS_MAX`; 0: no limit, as for all limits here.
    pub connections_max: u32,
    /// `CONNECTIONS_PER_USER`
    pub connections_per_user: u32,
    /// `CONNECTIONS_PER_ADDRESS`
    pub connections_per_address: u32,
    /// `CONNECTION_RATE_PER_ADDRESS`: new ones per second.
    pub connection_rate_per_address: u32,
    /// `HEARTBEAT_INTERVAL`: silence after which a ping is sent.
    pub heartbeat_interval: Duration,
    /// `HEARTBEAT_TIMEOUT`: further silence after which the connection is closed.
    pub heartbeat_timeout: Duration,
    /// `RATE_LIMIT_CALLS`: calls of one user in any 60 s.
    pub rate_limit_calls: u32,
    /// `REFUSALS_MAX`: refusals in 60 s after which a connection is closed.
    pub refusals_max: u32,
    /// `AI_RETRY_FIRST`: the wait before the second attempt.
    pub ai_retry_first: Duration,
    /// `AI_RETRY_SECOND`: the wait before the third attempt.
    pub ai_retry_second: Duration,
    /// `AI_OVERDUE`: how long an AI reply may be awaited before another connection or node takes over.
    pub ai_overdue: Duration,
    /// `DRAIN_SPREAD`: over how long a stopping server closes its connections.
    pub drain_spread: Duration,
}

/// Who asks for the next question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Interviewer {
    /// The template's questions in turn.
    BuiltIn,
    /// The AI service.
    Service,
}

/// Which origins may connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origins {
    /// The same host name, on any port; loopback names are equal.
    SameHost,
    /// Any.
    Any,
    /// Exactly these.
    Listed(Vec<String>),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_string(),
            interviewer: Interviewer::BuiltIn,
            origins: Origins::SameHost,
            trusted_proxies: Vec::new(),
            create_on_open: false,
            echo: false,
            connections_max: 10_000,
            connections_per_user: 20,
            connections_per_address: 100,
            connection_rate_per_address: 10,
            heartbeat_interval: Duration::from_millis(30_000),
            heartbeat_timeout: Duration::from_millis(35_000),
            rate_limit_calls: 100,
            refusals_max: 1_000,
            ai_retry_first: Duration::from_millis(500),
            ai_retry_second: Duration::from_millis(2_000),
            ai_overdue: Duration::from_secs(180),
            drain_spread: Duration::from_secs(3),
        }
    }
}
