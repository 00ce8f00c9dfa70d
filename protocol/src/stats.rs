//! What is counted, for `/health`, for statistics and for metrics.

mod histogram;

pub use histogram::Histogram;

use crate::refusal::Code;
use std::collections::BTreeMap;

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
    /// Refusals that connections were told, by code.
    pub errors: BTreeMap<Code, u64>,
    /// From a message taken in to its frames queued.
    pub delivery: Histogram,
    /// How long connections lasted that have ended.
    pub lasted: Histogram,
    /// Whether the store's last commit was in vain.
    pub commits_fail: bool,
    /// Whether the store's last read was in vain.
    pub reads_fail: bool,
    /// Whether the keys for tokens could not be fetched the last time.
    pub keys_down: bool,
    /// Whether the AI service's last attempt failed.
    pub ai_down: bool,
}

impl Stats {
    /// A connection is told why not.
    pub fn refused(&mut self, code: Code) {
        *self.errors.entry(code).or_default() += 1;
    }

    /// Whether the store does not do what it is for.
    pub fn store_down(&self) -> bool {
        self.commits_fail || self.reads_fail
    }
}
