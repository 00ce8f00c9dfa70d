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
    /// `PUBLIC_URL`: how clients reach this server; `None`: as whoever asks did.
    pub public_url: Option<String>,
    /// Whether the port speaks TLS: what a client is told to connect to then is `wss://`.
    #[serde(default)]
    pub tls: bool,
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
    /// `AUTH_FAILURES_PER_ADDRESS`: credentials in a minute that were none.
    pub auth_failures_per_address: u32,
    /// `HEARTBEAT_INTERVAL`: silence after which a ping is sent.
    pub heartbeat_interval: Duration,
    /// `HEARTBEAT_TIMEOUT`: further silence after which the connection is closed.
    pub heartbeat_timeout: Duration,
    /// `MESSAGE_TIMEOUT`: how long a message may take to come in whole that brings little.
    pub message_timeout: Duration,
    /// `WEBSOCKET_PING_INTERVAL`: how often Engine.IO pings.
    pub engine_ping_interval: Duration,
    /// `WEBSOCKET_PING_TIMEOUT`: how long Engine.IO waits for the pong.
    pub engine_ping_timeout: Duration,
    /// `ENGINE_CONNECT_TIMEOUT`: how long an Engine.IO session may last without a namespace.
    pub engine_connect_timeout: Duration,
    /// `ENGINE_PAYLOAD_BYTES_MAX`: the largest message or polling payload of Engine.IO.
    pub engine_payload_bytes_max: u32,
    /// `RECOVERY_WINDOW`: how long a lost Socket.IO connection may be taken up again; 0: never.
    pub recovery_window: Duration,
    /// `TYPING_ENDS`: after how long a user who said nothing more has stopped typing.
    pub typing_ends: Duration,
    /// `FILE_BYTES_MAX`: the largest file.
    pub file_bytes_max: u32,
    /// `DOCUMENT_MEMORY_MAX`: how many bytes open Yjs documents may take together before no further one is opened.
    pub document_memory_max: usize,
    /// Whether a scanner is configured: files are shown to it before they are kept.
    pub scanner: bool,
    /// Whether an event hook is configured.
    pub hook: bool,
    /// `RATE_LIMIT_CALLS`: calls of one user in any 60 s.
    pub rate_limit_calls: u32,
    /// `RATE_LIMIT_SIGNALS`: signals of one user in a second; `signals_at_once` may come together.
    pub rate_limit_signals: u32,
    /// `RATE_LIMIT_DASHBOARD`: calls of one user to dashboards in a second; `dashboard_calls_at_once` may come together.
    pub rate_limit_dashboard: u32,
    /// `REFUSALS_MAX`: refusals in 60 s after which a connection is closed.
    pub refusals_max: u32,
    /// `MALFORMED_MAX`: malformed messages in 60 s after which a connection is closed; 0: any number.
    pub malformed_max: u32,
    /// `RATE_LIMIT_PINGS`: pings, pongs and free calls of one connection in a second, twice as many at once; 0: any number.
    pub rate_limit_pings: u32,
    /// `RATE_LIMIT_UPDATES`: messages of one Yjs client in a second that are read; 0: any number.
    pub rate_limit_updates: u32,
    /// `RATE_LIMIT_UPDATE_BYTES`: bytes of them in a second; 0: any number.
    pub rate_limit_update_bytes: u32,
    /// `UPDATES_WAITING_MAX`: updates of one Yjs client that may wait for the store; 0: any number.
    pub updates_waiting_max: u32,
    /// `AI_RETRY_FIRST`: the wait before the second attempt.
    pub ai_retry_first: Duration,
    /// `AI_RETRY_SECOND`: the wait before the third attempt.
    pub ai_retry_second: Duration,
    /// `AI_OVERDUE`: how long an AI reply may be awaited before another connection or node takes over.
    pub ai_overdue: Duration,
    /// `SESSION_IDLE_MAX`: how long nobody may come back to an incomplete session before it is removed; 0: for ever.
    pub session_idle_max: Duration,
    /// `RETENTION`: how long entries of chat rooms, projects and feeds are kept; 0: for ever.
    pub retention: Duration,
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

/// The most that `ENGINE_PAYLOAD_BYTES_MAX` may be: a larger body is not read (WIRE §0.6).
pub const ENGINE_PAYLOAD_BYTES_MAX: u32 = 1_000_000;
/// The most that `FILE_BYTES_MAX` may be: a larger body is not read (WIRE §0.6).
pub const FILE_BYTES_MAX: u32 = 10 << 20;

impl Settings {
    /// Whether there is an AI service: for documents and for the robot of the chat.
    pub fn has_ai_service(&self) -> bool {
        self.interviewer == Interviewer::Service
    }

    /// How many calls to dashboards may come together: those of five seconds (WIRE §0.9).
    pub fn dashboard_calls_at_once(&self) -> u32 {
        self.rate_limit_dashboard.saturating_mul(5)
    }

    /// How many signals may come together: those of two and a half seconds (WIRE §0.9).
    pub fn signals_at_once(&self) -> u32 {
        self.rate_limit_signals.saturating_mul(5).div_ceil(2)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_string(),
            interviewer: Interviewer::BuiltIn,
            public_url: None,
            tls: false,
            origins: Origins::SameHost,
            trusted_proxies: Vec::new(),
            create_on_open: false,
            echo: false,
            connections_max: 10_000,
            connections_per_user: 20,
            connections_per_address: 100,
            connection_rate_per_address: 10,
            auth_failures_per_address: 10,
            heartbeat_interval: Duration::from_millis(30_000),
            heartbeat_timeout: Duration::from_millis(35_000),
            message_timeout: Duration::from_millis(30_000),
            engine_ping_interval: Duration::from_millis(25_000),
            engine_ping_timeout: Duration::from_millis(60_000),
            engine_connect_timeout: Duration::from_millis(45_000),
            engine_payload_bytes_max: ENGINE_PAYLOAD_BYTES_MAX,
            recovery_window: Duration::from_millis(120_000),
            typing_ends: Duration::from_millis(6_000),
            file_bytes_max: FILE_BYTES_MAX,
            document_memory_max: 512 << 20,
            scanner: false,
            hook: false,
            rate_limit_calls: 100,
            rate_limit_signals: 20,
            rate_limit_dashboard: 20,
            refusals_max: 1_000,
            malformed_max: 10,
            rate_limit_pings: 10,
            rate_limit_updates: 50,
            rate_limit_update_bytes: 256 << 10,
            updates_waiting_max: 16,
            ai_retry_first: Duration::from_millis(500),
            ai_retry_second: Duration::from_millis(2_000),
            ai_overdue: Duration::from_secs(180),
            session_idle_max: Duration::from_secs(24 * 60 * 60),
            retention: Duration::ZERO,
            drain_spread: Duration::from_secs(3),
        }
    }
}
