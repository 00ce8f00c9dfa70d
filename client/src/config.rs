//! What a client is told once, before it begins: where the server is, and every limit.

use std::time::Duration;

/// The settings of a client. `Config::new` has the numbers that fit a server with its defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The endpoint, `ws://host:port/api/connect` or `…/chat`, or the same with `wss://`.
    pub url: String,
    /// For `wss://`: whom to believe, as certificates in PEM; `None`: public authorities.
    pub ca: Option<String>,
    /// How long the first wait before a reconnect is at most; each further one is at most twice as long.
    pub backoff_first: Duration,
    /// How long any such wait is at most.
    pub backoff_max: Duration,
    /// After how many connections in a row that failed the client gives up; `None`: never.
    pub attempts_max: Option<u32>,
    /// How long opening a connection may take.
    pub open_wait_max: Duration,
    /// How long the application may take to come up with a token.
    pub token_wait_max: Duration,
    /// How long an answer is waited for, where the caller says nothing else.
    pub answer_wait_max: Duration,
    /// How long a connection may be silent before it is pinged, and after that before it is given up.
    pub silence_max: Duration,
    /// How many calls may wait, to be sent or to be answered.
    pub calls_max: usize,
    /// How many bytes they may have together.
    pub calls_bytes_max: usize,
    /// How many bytes one call may have.
    pub call_bytes_max: usize,
    /// How many events a driver keeps for an application that does not take them. Then it stops reading.
    pub events_max: usize,
}

impl Config {
    /// The settings for this endpoint.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            ca: None,
            backoff_first: Duration::from_secs(1),
            backoff_max: Duration::from_secs(30),
            attempts_max: None,
            open_wait_max: Duration::from_secs(15),
            token_wait_max: Duration::from_secs(30),
            answer_wait_max: Duration::from_secs(30),
            silence_max: Duration::from_secs(45),
            calls_max: 1_000,
            calls_bytes_max: 1024 * 1024,
            call_bytes_max: 64 * 1024,
            events_max: 1_024,
        }
    }
}
