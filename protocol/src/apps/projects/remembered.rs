//! The keys of signals: what is not kept is still told once, as long as its key is remembered.

use crate::room::Delivered;
use crate::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How long a key is remembered (WIRE §5.3).
const KEY_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// How many keys are remembered; the oldest goes first.
const KEYS_MAX: usize = 10_000;

/// The keys of the last day.
#[derive(Debug, Default)]
pub struct Remembered {
    known: BTreeMap<String, (u64, Delivered)>,
    /// In the order in which they came.
    order: VecDeque<(Timestamp, String)>,
}

impl Remembered {
    /// What was said under this key before: the hash of what was said, and what became of it.
    pub fn find(&self, key: &str) -> Option<(u64, Delivered)> {
        self.known.get(key).copied()
    }

    /// Keeps what became of a signal.
    pub fn keep(&mut self, key: String, hash: u64, delivered: Delivered, now: Timestamp) {
        self.tidy(now);
        if self.order.len() >= KEYS_MAX
            && let Some((_, oldest)) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back((now, key.clone()));
        self.known.insert(key, (hash, delivered));
    }

    /// Forgets what is a day old.
    pub fn tidy(&mut self, now: Timestamp) {
        while let Some((_, key)) = self.order.pop_front_if(|(at, _)| now.since(*at) >= KEY_LIFE) {
            self.known.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_remembered_for_a_day_and_the_oldest_goes_first() {
        let (mut remembered, once) = (Remembered::default(), Delivered { seq: None, delivered: 1 });
        for number in 0..=KEYS_MAX {
            remembered.keep(number.to_string(), 7, once, Timestamp(1));
        }
        assert_eq!((remembered.find("0"), remembered.find("1")), (None, Some((7, once))));
        remembered.tidy(Timestamp(1) + KEY_LIFE - Duration::from_micros(1));
        assert_eq!(remembered.known.len(), KEYS_MAX);
        remembered.tidy(Timestamp(1) + KEY_LIFE);
        assert_eq!(remembered.known.len(), 0);
    }
}
