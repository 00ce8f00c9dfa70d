//! Randomness from a seed: the same seed, the same ids and the same waits.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};
use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Dice(ChaCha12Rng);

impl Dice {
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// An id of 128 bits for a message.
    pub fn message_id(&mut self) -> String {
        format!("msg_{:016x}{:016x}", self.0.next_u64(), self.0.next_u64())
    }

    /// Anything from nothing to `most`, each as likely: who waits so does not come back with all others.
    pub fn up_to(&mut self, most: Duration) -> Duration {
        most.mul_f64(f64::from(self.0.next_u32()) / f64::from(u32::MAX))
    }
}
