//! Randomness from a seed: the same seed, the same ids.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};
use std::time::Duration;

/// A cryptographic generator, so that ids cannot be guessed from ids.
#[derive(Debug, Clone)]
pub struct Rng(ChaCha12Rng);

impl Rng {
    /// A generator that begins at the seed.
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// An id of 128 bits behind a prefix that says what it names: `ses_0f…`.
    pub fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}_{:016x}{:016x}", self.0.next_u64(), self.0.next_u64())
    }

    /// A client id of Yjs, of the 32 bits that its clients take.
    pub fn client_id(&mut self) -> u64 {
        u64::from(self.0.next_u32())
    }

    /// `around`, up to half of it more or less, so that those who wait together do not come back together.
    pub fn jitter(&mut self, around: Duration) -> Duration {
        around / 2 + around.mul_f64(f64::from(self.0.next_u32()) / f64::from(u32::MAX))
    }
}
