//! Very many times, held as a count for each ten microseconds: as exact as anyone wants to know, and as small as
//! it was at the start.

use std::time::Duration;

/// How wide a count is.
const STEP_MICROS: u128 = 10;
/// The times above this count as this; the longest is kept apart.
const STEPS_MAX: usize = 2_000_000;

/// The times.
#[derive(Debug, Default)]
pub struct Times {
    counts: Vec<u32>,
    count: u64,
    longest: Duration,
}

impl Times {
    /// Takes one in.
    pub fn add(&mut self, time: Duration) {
        let step = usize::try_from(time.as_micros() / STEP_MICROS).unwrap_or(STEPS_MAX).min(STEPS_MAX);
        if self.counts.len() <= step {
            self.counts.resize(step + 1, 0);
        }
        self.counts[step] += 1;
        self.count += 1;
        self.longest = self.longest.max(time);
    }

    /// The time that `share` of them do not exceed, rounded up to a step; nothing where there are none.
    pub fn quantile(&self, share: f64) -> Duration {
        let wanted = (self.count as f64 * share).ceil() as u64;
        let mut below = 0;
        let step = self.counts.iter().position(|count| {
            below += u64::from(*count);
            below >= wanted
        });
        step.map_or(Duration::ZERO, |step| Duration::from_micros((step as u64 + 1) * STEP_MICROS as u64))
    }

    /// The longest of them.
    pub fn longest(&self) -> Duration {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_times_lies_below_its_quantile() {
        let mut times = Times::default();
        assert_eq!((times.quantile(0.5), times.longest()), (Duration::ZERO, Duration::ZERO));
        (0..100).for_each(|step| times.add(Duration::from_micros(step * 10 + 3)));
        assert_eq!(times.quantile(0.5), Duration::from_micros(500));
        assert_eq!(times.quantile(0.99), Duration::from_micros(990));
        assert_eq!(times.quantile(1.0), Duration::from_millis(1));
        times.add(Duration::from_secs(60));
        assert_eq!(
            (times.quantile(1.0), times.longest()),
            (Duration::from_micros(20_000_010), Duration::from_secs(60))
        );
    }
}
