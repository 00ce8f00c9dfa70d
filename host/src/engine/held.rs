//! How long facts hold the lock: everybody else waits that long.

use parlor_protocol::metrics::Spread;
use parlor_protocol::record::{Level, Record};
use std::time::Duration;

/// Buckets by powers of two: the first is under 1 µs, the last is 2^22 µs (4 s) and over.
const BUCKETS: usize = 24;

/// A histogram and its maximum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// The longest.
    pub longest: Duration,
    /// All together.
    pub total: Duration,
    counts: [u64; BUCKETS],
}

impl Held {
    /// How many facts were handled.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Each bucket's upper bound and how many facts fell into it.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        self.counts.iter().enumerate().map(|(power, count)| (Duration::from_micros(1 << power), *count))
    }

    /// The bound under which so many of all facts stayed: `share` of 0.99 asks for the 99th percentile.
    pub fn quantile(&self, share: f64) -> Duration {
        let wanted = (self.count() as f64 * share).ceil() as u64;
        let mut seen = 0;
        let found = self.buckets().find(|(_, count)| {
            seen += count;
            seen >= wanted
        });
        found.map_or(self.longest, |(bound, _)| bound)
    }

    /// The same for metrics.
    pub fn spread(&self) -> Spread {
        let beyond = self.counts[BUCKETS - 1];
        Spread { buckets: self.buckets().take(BUCKETS - 1).collect(), beyond, total: self.total }
    }

    /// A line for the log. Percentiles are bounds under which so many stayed.
    pub fn record(&self) -> Record {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Record::new(Level::Info, "core.held")
            .with("facts", self.count())
            .with("p50_us", micros(self.quantile(0.5)))
            .with("p99_us", micros(self.quantile(0.99)))
            .with("p999_us", micros(self.quantile(0.999)))
            .with("max_us", micros(self.longest))
            .with("total_ms", micros(self.total) / 1_000)
    }

    pub(super) fn note(&mut self, held: Duration) {
        let micros = held.as_micros() as u64;
        let bucket = (u64::BITS - micros.leading_zeros()) as usize;
        self.counts[bucket.min(BUCKETS - 1)] += 1;
        self.longest = self.longest.max(held);
        self.total += held;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_falls_under_the_next_power_of_two() {
        let mut held = Held::default();
        for micros in [0, 1, 3, 4, 9_000_000] {
            held.note(Duration::from_micros(micros));
        }
        let full: Vec<_> = held.buckets().filter(|(_, count)| *count > 0).collect();
        let bounds = [1, 2, 4, 8, 1 << 23].map(|bound| (Duration::from_micros(bound), 1));
        assert_eq!(full, bounds);
        assert_eq!(held.quantile(0.6), Duration::from_micros(4));
        assert_eq!((held.longest, held.count()), (Duration::from_secs(9), 5));
        let spread = held.spread();
        assert_eq!((spread.count(), spread.beyond, spread.total), (5, 1, held.total));
        let fields = held.record().fields;
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_u64())).collect();
        assert_eq!(fields[..2], [("facts", Some(5)), ("p50_us", Some(4))]);
        assert_eq!(fields[4..], [("max_us", Some(9_000_000)), ("total_ms", Some(9_000))]);
    }
}
