//! The lines that have something to write, until a thread that may wait for sockets flushes them: once for
//! all that was said in the meantime, because one write of sixteen frames costs little more than one of one.

use crate::line::Line;
use crate::lock::locked;
use std::sync::{Arc, Mutex, TryLockError};
use std::task::Waker;

/// How often a thread goes through the list for others before it goes back to its own socket.
const ROUNDS_MAX: usize = 4;

/// The list, each line in it once.
#[derive(Debug, Default)]
pub(crate) struct Dirty {
    lines: Mutex<Vec<Arc<Line>>>,
    flushing: Mutex<()>,
    flusher: Mutex<Option<Waker>>,
}

impl Dirty {
    pub fn add(&self, line: Arc<Line>) {
        locked(&self.lines).push(line);
    }

    pub fn append(&self, lines: &mut Vec<Arc<Line>>) {
        if !lines.is_empty() {
            locked(&self.lines).append(lines);
        }
    }

    /// Gives every line of the list to `flush`, one thread at a time: what others add meanwhile is left to the
    /// one that is at it, and so goes out together. Where that would not end, the flusher takes over.
    pub fn flush(&self, flush: impl Fn(&Line)) {
        for _ in 0..ROUNDS_MAX {
            let flushing = match self.flushing.try_lock() {
                Ok(flushing) => flushing,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            self.take().iter().for_each(|line| flush(line));
            drop(flushing);
            if self.is_empty() {
                return;
            }
        }
        self.wake();
    }

    pub fn take(&self) -> Vec<Arc<Line>> {
        std::mem::take(&mut locked(&self.lines))
    }

    pub fn is_empty(&self) -> bool {
        locked(&self.lines).is_empty()
    }

    /// Whom to wake when a thread that must not write has marked lines.
    pub fn set_flusher(&self, waker: &Waker) {
        let mut flusher = locked(&self.flusher);
        if !flusher.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *flusher = Some(waker.clone());
        }
    }

    pub fn wake(&self) {
        let flusher = locked(&self.flusher).clone();
        if let Some(waker) = flusher.filter(|_| !self.is_empty()) {
            waker.wake();
        }
    }
}
