//! How long things took, in the buckets that Prometheus is told of: their bounds never change, so that what was scraped at
//! different times, and of different servers, can be added up.

use serde::{Deserialize, Serialize};
use std::time::Duration;

const fn millis<const N: usize>(bounds: [u64; N]) -> [Duration; N] {
    let mut spans = [Duration::ZERO; N];
    let mut at = 0;
    while at < N {
        spans[at] = Duration::from_millis(bounds[at]);
        at += 1;
    }
    spans
}

/// What takes milliseconds: a delivery, an append.
const MOMENTS: [Duration; 15] =
    millis([1, 2, 5, 10, 25, 50, 75, 100, 150, 250, 500, 1_000, 2_500, 5_000, 10_000]);
/// Calls of services.
const CALLS: [Duration; 11] =
    millis([50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 15_000, 20_000, 30_000]);
/// The lives of connections: a second to a week.
const LIVES: [Duration; 13] = millis([
    1_000,
    5_000,
    15_000,
    60_000,
    300_000,
    900_000,
    1_800_000,
    3_600_000,
    7_200_000,
    14_400_000,
    28_800_000,
    86_400_000,
    604_800_000,
]);

/// Counts of spans by fixed bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets {
    bounds: &'static [Duration],
    /// One for each bound, and one for what is beyond.
    counts: Box<[u64]>,
    total: Duration,
}

impl Buckets {
    /// For what takes milliseconds.
    pub fn of_moments() -> Self {
        Self::of(&MOMENTS)
    }

    /// For calls of services.
    pub fn of_calls() -> Self {
        Self::of(&CALLS)
    }

    /// For the lives of connections.
    pub fn of_lives() -> Self {
        Self::of(&LIVES)
    }

    fn of(bounds: &'static [Duration]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1].into(), total: Duration::ZERO }
    }

    /// Counts one. A span that is as long as a bound lies below it.
    pub fn note(&mut self, span: Duration) {
        self.counts[self.bounds.partition_point(|bound| *bound < span)] += 1;
        self.total = self.total.saturating_add(span);
    }

    /// What was counted so far.
    pub fn spread(&self) -> Spread {
        let beyond = self.counts.last().copied().unwrap_or_default();
        Spread {
            buckets: self.bounds.iter().copied().zip(self.counts.iter().copied()).collect(),
            beyond,
            total: self.total,
        }
    }
}

/// Spans as they were counted at one time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spread {
    /// Each bound, in order, and how many lie between the one before and it.
    pub buckets: Vec<(Duration, u64)>,
    /// How many are longer than the last bound.
    pub beyond: u64,
    /// All together.
    pub total: Duration,
}

impl Spread {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum::<u64>() + self.beyond
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_counted_under_the_first_bound_that_it_does_not_exceed() {
        let mut buckets = Buckets::of_moments();
        for micros in [0, 1_000, 1_001, 100_000, 100_001, 10_000_000, 10_000_001, 3_600_000_000] {
            buckets.note(Duration::from_micros(micros));
        }
        let spread = buckets.spread();
        let full: Vec<_> = spread.buckets.iter().filter(|(_, count)| *count > 0).copied().collect();
        let millis = Duration::from_millis;
        assert_eq!(
            full,
            [(millis(1), 2), (millis(2), 1), (millis(100), 1), (millis(150), 1), (millis(10_000), 1)]
        );
        assert_eq!((spread.beyond, spread.count()), (2, 8));
        assert_eq!(spread.total, Duration::from_micros(3_620_202_003));
    }

    #[test]
    fn bounds_ascend() {
        for bounds in [&MOMENTS[..], &CALLS, &LIVES] {
            assert!(bounds.is_sorted() && bounds[0] > Duration::ZERO, "{bounds:?}");
        }
    }
}
