//! How long things took: counted in buckets that grow by a quarter of a power of two, so that a quantile is at most
//! that far above the truth, and the whole takes one kilobyte and a half. Beside them stand the coarser buckets that
//! metrics are made of.

use crate::metrics::{Buckets, Spread};
use std::time::Duration;

/// Buckets for each power of two.
const STEPS: u32 = 4;
/// Enough for 2^46 µs: two years.
const BUCKETS: usize = (46 * STEPS) as usize;

/// A histogram of spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: Box<[u64]>,
    count: u64,
    coarse: Buckets,
}

impl Histogram {
    /// Empty; metrics are told of these buckets.
    pub fn new(coarse: Buckets) -> Self {
        Self { counts: vec![0; BUCKETS].into(), count: 0, coarse }
    }

    /// What metrics are told.
    pub fn spread(&self) -> Spread {
        self.coarse.spread()
    }

    /// Counts one.
    pub fn note(&mut self, span: Duration) {
        self.counts[bucket(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))] += 1;
        self.count += 1;
        self.coarse.note(span);
    }

    /// The span that so many of a hundred do not exceed; zero when nothing was counted.
    pub fn percentile(&self, percent: u64) -> Duration {
        let rank = (self.count * percent).div_ceil(100);
        let mut seen = 0;
        let reached = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        match reached.filter(|_| self.count > 0) {
            Some(bucket) => Duration::from_micros(upper(bucket)),
            None => Duration::ZERO,
        }
    }
}

/// The bucket of so many microseconds.
fn bucket(micros: u64) -> usize {
    if micros < u64::from(STEPS) {
        return micros as usize;
    }
    let power = micros.ilog2();
    let step = (micros >> (power - STEPS.ilog2())) & u64::from(STEPS - 1);
    let bucket = (power - 1) * STEPS + step as u32;
    (bucket as usize).min(BUCKETS - 1)
}

/// The most microseconds that fall into a bucket.
fn upper(bucket: usize) -> u64 {
    let (power, step) = (bucket as u32 / STEPS + 1, bucket as u64 % u64::from(STEPS));
    match bucket < STEPS as usize {
        true => bucket as u64,
        false => ((u64::from(STEPS) + step + 1) << (power - STEPS.ilog2())) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_lies_in_its_bucket_and_above_the_one_before() {
        for micros in (0..10_000).chain([1 << 20, (1 << 20) - 1, 86_400_000_000]) {
            let bucket = bucket(micros);
            assert!(micros <= upper(bucket), "{micros}");
            assert!(bucket == 0 || micros > upper(bucket - 1), "{micros}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_at_most_a_quarter_above_the_truth() {
        let mut histogram = Histogram::new(Buckets::of_moments());
        assert_eq!(histogram.percentile(99), Duration::ZERO);
        for millis in 1..=100 {
            histogram.note(Duration::from_millis(millis));
        }
        assert_eq!((histogram.spread().count(), histogram.spread().beyond), (100, 0));
        let (p50, p99) = (histogram.percentile(50), histogram.percentile(99));
        assert!(p50 >= Duration::from_millis(50) && p50 <= Duration::from_micros(62_500), "{p50:?}");
        assert!(p99 >= Duration::from_millis(99) && p99 <= Duration::from_micros(123_750), "{p99:?}");
    }
}
