//! What is counted, for `/health`, for statistics and for metrics.

mod histogram;

pub use histogram::Histogram;

use crate::metrics::{Buckets, ByApp, ByLimit, Limit};
use crate::refusal::Code;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long it takes until another line of the log says how something is that was written of before.
const OUTAGE_LINES_APART: Duration = Duration::from_secs(10);

/// Whether something fails that others do for us, and what the log says of it: not each of the calls that fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outage {
    /// Whether it fails.
    pub down: bool,
    logged: bool,
    logged_at: Timestamp,
}

impl Outage {
    /// It failed now, or did not. Whether that is worth a line of the log.
    pub fn note(&mut self, down: bool, now: Timestamp) -> bool {
        self.down = down;
        let tells = down != self.logged && now.since(self.logged_at) >= OUTAGE_LINES_APART;
        if tells {
            (self.logged, self.logged_at) = (down, now);
        }
        tells
    }
}

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
    /// The store, in its commits and its reads.
    pub store: Outage,
    /// The AI service, by its last attempt.
    pub ai_service: Outage,
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
            keys_down: false,
            store: Outage::default(),
            ai_service: Outage::default(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_written_of_when_it_begins_and_ends_and_not_with_each_failure() {
        let mut outage = Outage::default();
        let mut told = |second: u64, down| outage.note(down, Timestamp(second * 1_000_000));
        assert!(!told(100, false));
        assert_eq!(
            [told(100, true), told(101, true), told(102, false), told(103, true)],
            [true, false, false, false]
        );
        assert!(!told(111, true), "the log says so already");
        assert_eq!([told(112, false), told(113, false), told(114, true)], [true, false, false]);
        assert!(told(122, true));
        assert!(outage.down);
    }
}
