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
    /// Whether the store's last commit was in vain.
    pub commits_fail: bool,
    /// Whether the store's last read was in vain.
    pub reads_fail: bool,
    /// Whether the AI service's last attempt failed.
    pub ai_down: bool,
}

impl Stats {
    /// Whether the store does not do what it is for.
    pub fn store_down(&self) -> bool {
        self.commits_fail || self.reads_fail
    }
}
