//! What is counted, for `/health` now and for metrics.

/// Counters since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages from clients.
    pub messages_in: u64,
    /// Frames to clients, a frame to many counted once for each.
    pub messages_out: u64,
    /// Messages that were not what the endpoint speaks.
    pub malformed: u64,
    /// Tokens that were refused.
    pub auth_failures: u64,
    /// Whether the store's last answer was that it cannot.
    pub store_down: bool,
    /// Whether the AI service's last attempt failed.
    pub ai_down: bool,
}
