//! What is counted, for `/health`, for statistics and for metrics.

mod histogram;

pub use histogram::Histogram;

use crate::metrics::{Buckets, ByApp, ByLimit, Limit};
use crate::refusal::Code;
use std::collections::BTreeMap;

/// Counters since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Messages from clients.
    pub messages_in: ByApp,
    /// Frames to clients, a frame to many counted once for each.
    pub messages_out: ByApp,
    /// Messages that were not what the endpoint speaks.
    pub malformed: u64,
    /// Tokens that were refused.
    pub auth_failures: u64,
    /// Refusals that connections were told, by code.
    pub errors: BTreeMap<Code, u64>,
    /// Answers over HTTP, by the first digit of their status, from 1 on.
    pub responses: [u64; 5],
    /// Limits that were reached.
    pub limits: ByLimit,
    /// From a message taken in to its frames queued.
    pub delivery: Histogram,
    /// Attempts at the AI service.
    pub ai: Buckets,
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

impl Default for Stats {
    fn default() -> Self {
        Self {
            messages_in: ByApp::default(),
            messages_out: ByApp::default(),
            malformed: 0,
            auth_failures: 0,
            errors: BTreeMap::new(),
            responses: [0; 5],
            limits: ByLimit::default(),
            delivery: Histogram::new(Buckets::of_moments()),
            ai: Buckets::of_calls(),
            lasted: Histogram::new(Buckets::of_lives()),
            commits_fail: false,
            reads_fail: false,
            ai_down: false,
            keys_down: false,
        }
    }
}

impl Stats {
    /// A request is answered with this status.
    pub fn answered(&mut self, status: u16) {
        if let Some(count) = self.responses.get_mut(usize::from(status / 100).wrapping_sub(1)) {
            *count += 1;
        }
    }

    /// A limit was reached.
    pub fn reached(&mut self, limit: Limit) {
        self.limits.add(limit, 1);
    }

    /// A connection is told why not.
    pub fn refused(&mut self, code: Code) {
        *self.errors.entry(code).or_default() += 1;
    }

    /// Whether the store does not do what it is for.
    pub fn store_down(&self) -> bool {
        self.commits_fail || self.reads_fail
    }
}
