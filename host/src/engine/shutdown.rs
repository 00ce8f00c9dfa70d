//! The way to the end of the process: serving, draining, drained.

use crate::lock::locked;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::Waker;
use std::time::Duration;

/// How long clients have to close their side before a process that has drained ends.
pub const LEAVE_WAIT_MAX: Duration = Duration::from_secs(1);
/// How often it is looked whether they have.
pub const LEAVE_LOOK: Duration = Duration::from_millis(10);

/// How far the server is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// It takes in connections.
    #[default]
    Serving,
    /// It takes in none and finishes.
    Draining,
    /// The core has finished.
    Drained,
}

#[derive(Debug, Default)]
pub(super) struct Shutdown {
    begun: AtomicBool,
    state: Mutex<(Phase, Option<Waker>)>,
}

impl Shutdown {
    /// Begins; false if it had begun before.
    pub fn begin(&self) -> bool {
        let first = !self.begun.swap(true, SeqCst);
        if first {
            self.enter(Phase::Draining);
        }
        first
    }

    pub fn has_begun(&self) -> bool {
        self.begun.load(SeqCst)
    }

    pub fn end(&self) {
        self.enter(Phase::Drained);
    }

    pub fn phase(&self, waker: &Waker) -> Phase {
        let mut state = locked(&self.state);
        state.1 = Some(waker.clone());
        state.0
    }

    fn enter(&self, phase: Phase) {
        let mut state = locked(&self.state);
        state.0 = phase;
        let waker = state.1.clone();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
