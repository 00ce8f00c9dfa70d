//! Request bodies in memory: they are held before anybody is asked who sends them, so what all of them together
//! may take is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

/// How much memory the request bodies of the process may take at once.
pub const BODIES_BYTES_MAX: usize = 128 << 20;

/// Counts the memory that request bodies take.
#[derive(Debug, Default)]
pub struct Bodies {
    held: AtomicUsize,
    refused: AtomicU64,
}

impl Bodies {
    /// How many bytes they take now.
    pub fn held_bytes(&self) -> usize {
        self.held.load(SeqCst)
    }

    /// How many were refused because there was no room for them.
    pub fn refused(&self) -> u64 {
        self.refused.load(SeqCst)
    }
}

/// What one body takes; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct HeldBody {
    bodies: Arc<Bodies>,
    bytes: usize,
}

impl HeldBody {
    pub fn new(bodies: &Arc<Bodies>) -> Self {
        Self { bodies: bodies.clone(), bytes: 0 }
    }

    /// Takes so many bytes in all. False: there is no room for them, and this is counted.
    #[must_use]
    pub fn grow_to(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let room = |held: usize| held.checked_add(more).filter(|held| *held <= BODIES_BYTES_MAX);
        match self.bodies.held.fetch_update(SeqCst, SeqCst, room) {
            Ok(_) => self.bytes += more,
            Err(_) => {
                self.bodies.refused.fetch_add(1, SeqCst);
                return false;
            }
        }
        true
    }
}

impl Drop for HeldBody {
    fn drop(&mut self) {
        self.bodies.held.fetch_sub(self.bytes, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_byte_over_128_mib_finds_no_room_until_another_body_is_gone() {
        let bodies = Arc::new(Bodies::default());
        let (mut first, mut second) = (HeldBody::new(&bodies), HeldBody::new(&bodies));
        assert!(first.grow_to(100 << 20) && second.grow_to(28 << 20));
        assert!(first.grow_to(50 << 20), "it has more already");
        assert_eq!((bodies.held_bytes(), bodies.refused()), (BODIES_BYTES_MAX, 0));
        assert!(!second.grow_to((28 << 20) + 1));
        assert_eq!((bodies.held_bytes(), bodies.refused()), (BODIES_BYTES_MAX, 1));
        drop(first);
        assert!(second.grow_to(BODIES_BYTES_MAX));
        drop(second);
        assert_eq!((bodies.held_bytes(), bodies.refused()), (0, 1));
    }
}
