//! The thread that says when the core's next deadline has come.

use super::{AbortOnPanic, Engine};
use crate::lock::locked;
use parlor_protocol::input::Input;
use parlor_protocol::time::Timestamp;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How long the thread waits when there is no deadline: any time would do.
const IDLE_WAIT: Duration = Duration::from_secs(3_600);

/// The deadline that the thread waits for.
#[derive(Debug)]
pub(super) struct Timer {
    armed: AtomicU64,
    waits: Mutex<()>,
    earlier: Condvar,
}

impl Default for Timer {
    fn default() -> Self {
        Self { armed: AtomicU64::new(u64::MAX), waits: Mutex::new(()), earlier: Condvar::new() }
    }
}

impl Timer {
    /// Waits for `deadline` too. Under load nearly every deadline is later than the one that is waited for,
    /// and then this is one comparison.
    pub fn arm(&self, deadline: Timestamp) {
        if deadline.0 < self.armed.load(SeqCst) {
            let waits = locked(&self.waits);
            self.armed.fetch_min(deadline.0, SeqCst);
            drop(waits);
            self.earlier.notify_one();
        }
    }

    fn wait(&self, now: impl Fn() -> Timestamp) {
        let mut waits = locked(&self.waits);
        loop {
            let (deadline, now) = (Timestamp(self.armed.load(SeqCst)), now());
            if deadline <= now {
                self.armed.store(u64::MAX, SeqCst);
                return;
            }
            let wait = deadline.since(now).min(IDLE_WAIT);
            let waited = self.earlier.wait_timeout(waits, wait).unwrap_or_else(PoisonError::into_inner);
            waits = waited.0;
        }
    }
}

pub(super) fn start(engine: &Arc<Engine>) -> io::Result<()> {
    let engine = engine.clone();
    let tick = move || {
        let _abort = AbortOnPanic;
        loop {
            engine.timer.wait(&engine.outside.now);
            engine.tell(Input::Tick);
        }
    };
    thread::Builder::new().name("timer".into()).spawn(tick)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Instant;

    #[test]
    fn an_earlier_deadline_ends_the_wait_for_a_later_one() {
        let timer = Arc::new(Timer::default());
        let begun = Instant::now();
        let now = move || Timestamp(begun.elapsed().as_micros() as u64);
        timer.arm(Timestamp(3_600_000_000));
        let (fired, waiting) = (mpsc::channel(), timer.clone());
        thread::spawn(move || {
            waiting.wait(now);
            fired.0.send(now()).expect("the test waits");
        });
        timer.arm(Timestamp(20_000));
        timer.arm(Timestamp(1_000_000_000));
        let at = fired.1.recv_timeout(Duration::from_secs(30)).expect("the early deadline fires");
        assert!(at >= Timestamp(20_000), "{at:?}");
        assert_eq!(timer.armed.load(SeqCst), u64::MAX);
    }
}
