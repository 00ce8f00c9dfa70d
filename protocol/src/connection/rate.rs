//! Counting: exactly so many in any span of time, or so many at once and then at a rate.

use crate::time::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// The span in which calls, malformed messages and refusals are counted.
pub const WINDOW: Duration = Duration::from_secs(60);

/// Calls of one user: at most so many in any 60 s, which may come all at once. Holds one time for each call
/// that counts.
#[derive(Debug, Default)]
pub struct Calls(VecDeque<Timestamp>);

impl Calls {
    /// Counts a call, or says how long to wait until one would be within the limit.
    pub fn count(&mut self, limit: u32, now: Timestamp) -> Result<(), Duration> {
        while self.0.front().is_some_and(|first| now.since(*first) >= WINDOW) {
            self.0.pop_front();
        }
        if let Some(first) = self.0.front().filter(|_| self.0.len() >= limit as usize) {
            return Err((*first + WINDOW).since(now));
        }
        self.0.push_back(now);
        Ok(())
    }

    /// Whether any of them still counts.
    pub fn is_recent(&self, now: Timestamp) -> bool {
        self.0.back().is_some_and(|last| now.since(*last) < WINDOW)
    }
}

/// Counts in spans of a minute that begin with the first.
#[derive(Debug, Clone, Copy, Default)]
pub struct Window {
    since: Timestamp,
    count: u32,
}

impl Window {
    /// Counts one more and says how many there are in this minute.
    pub fn count(&mut self, now: Timestamp) -> u32 {
        if self.count == 0 || now.since(self.since) >= WINDOW {
            (self.since, self.count) = (now, 0);
        }
        self.count = self.count.saturating_add(1);
        self.count
    }

    /// How long it is until this minute is over, if as many were counted in it.
    pub fn reached(&self, limit: u32, now: Timestamp) -> Option<Duration> {
        let passed = now.since(self.since);
        (self.count >= limit && passed < WINDOW).then(|| WINDOW.saturating_sub(passed))
    }

    /// Whether anything counts.
    pub fn is_recent(&self, now: Timestamp) -> bool {
        self.reached(1, now).is_some()
    }
}

/// So many at once, and then at a rate.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bucket {
    /// When it would be full again.
    full_at: Timestamp,
}

impl Bucket {
    /// Takes one, if there is one; `rate` a second, `burst` at once.
    pub fn take(&mut self, rate: u32, burst: u32, now: Timestamp) -> bool {
        let each = Duration::from_secs(1) / rate.max(1);
        let full_at = self.full_at.max(now) + each;
        let taken = full_at.since(now) <= each * burst;
        if taken {
            self.full_at = full_at;
        }
        taken
    }

    /// Whether nothing is missing from it.
    pub fn is_full(&self, now: Timestamp) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn a_hundred_calls_in_any_sixty_seconds_and_not_one_more() {
        let mut calls = Calls::default();
        for call in 0..100 {
            assert_eq!(calls.count(100, Timestamp(call * 1_000)), Ok(()));
        }
        assert_eq!(calls.count(100, Timestamp(59 * SECOND)), Err(Duration::from_secs(1)));
        assert_eq!(calls.count(100, Timestamp(60 * SECOND)), Ok(()));
        assert_eq!(calls.count(100, Timestamp(60 * SECOND)), Err(Duration::from_millis(1)));
        assert!(calls.is_recent(Timestamp(119 * SECOND)) && !calls.is_recent(Timestamp(120 * SECOND)));
    }

    #[test]
    fn a_bucket_gives_its_burst_at_once_and_then_its_rate() {
        let mut bucket = Bucket::default();
        let taken = (0..30).filter(|_| bucket.take(10, 20, Timestamp(SECOND))).count();
        assert_eq!(taken, 20);
        assert!(!bucket.take(10, 20, Timestamp(SECOND + 99_999)));
        assert!(bucket.take(10, 20, Timestamp(SECOND + 100_000)));
        assert!(!bucket.is_full(Timestamp(2 * SECOND)) && bucket.is_full(Timestamp(4 * SECOND)));
    }

    #[test]
    fn a_window_begins_with_its_first_and_ends_after_a_minute() {
        let mut window = Window::default();
        assert_eq!((window.count(Timestamp(0)), window.count(Timestamp(59 * SECOND))), (1, 2));
        assert_eq!(window.reached(2, Timestamp(59 * SECOND)), Some(Duration::from_secs(1)));
        assert_eq!(window.reached(3, Timestamp(59 * SECOND)), None);
        assert!(window.is_recent(Timestamp(59 * SECOND)) && !window.is_recent(Timestamp(60 * SECOND)));
        assert_eq!(window.count(Timestamp(60 * SECOND)), 1);
    }
}
