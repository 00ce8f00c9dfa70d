//! Calls to services, a bounded number at a time, on threads of their own: made when they are needed, gone
//! when they are not. A call that was cancelled is never heard of again.

use crate::hang_up::HangUp;
use parlor_protocol::call::{Call, CallFailure, Said};
use parlor_protocol::ids::Ticket;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How many calls are under way at once: sixteen for documents and eight for robots are the most that the core has out,
/// and a reply that is spoken may take minutes. Files that are scanned and the event hook find room beside them.
pub const THREADS_MAX: usize = 32;
/// How many more wait for a thread.
pub const QUEUED_MAX: usize = 1024;
/// How long a thread without work waits for some.
const IDLE_WAIT_MAX: Duration = Duration::from_secs(30);

/// How many calls that found no room are told so; the core gives up on others by itself.
const REFUSED_MAX: usize = 1024;

/// Hears what a call said, on a thread of its own: never within `start` or `cancel`, because whoever calls
/// these may hold the lock that this takes.
pub type Tell = Box<dyn Fn(Said) + Send>;

/// What an attempt has of those who wait for it.
pub struct Hearing<'a> {
    /// Ends it when nobody waits any more.
    pub hang_up: &'a HangUp,
    /// Hears what it says before its end. It goes on when that is told, so nothing piles up between.
    pub delta: &'a dyn Fn(Said),
}

/// The calls of one process. When it is dropped, nothing is told any more.
pub struct Calls {
    shared: Arc<Shared>,
}

type Attempt = dyn Fn(&Call, &Hearing<'_>) -> Said + Send + Sync;

struct Shared {
    attempt: Box<Attempt>,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Queued>,
    running: BTreeMap<Ticket, HangUp>,
    threads: usize,
    idle: usize,
    refused: VecDeque<Tell>,
    is_refusing: bool,
    closed: bool,
}

struct Queued {
    ticket: Ticket,
    call: Call,
    tell: Tell,
}

impl Calls {
    /// Calls that are made by `attempt`.
    pub fn new(attempt: impl Fn(&Call, &Hearing<'_>) -> Said + Send + Sync + 'static) -> Self {
        let (state, wake) = (Mutex::default(), Condvar::new());
        Self { shared: Arc::new(Shared { attempt: Box::new(attempt), state, wake }) }
    }

    /// Takes a call in. When there is no room for it, it fails at once.
    pub fn start(&self, ticket: Ticket, call: Call, tell: Tell) {
        let mut state = self.shared.lock();
        if state.queue.len() == QUEUED_MAX {
            return self.refuse(&mut state, tell);
        }
        state.queue.push_back(Queued { ticket, call, tell });
        if state.idle >= state.queue.len() {
            self.shared.wake.notify_one();
        } else if state.threads < THREADS_MAX {
            // Where the machine gives no thread, the call waits for one that there is, or for the next try.
            state.threads += usize::from(self.spawn(Shared::work));
        }
    }

    /// Forgets a call: it is not made if it has not begun, and hung up on and not told if it has.
    pub fn cancel(&self, ticket: Ticket) {
        let mut state = self.shared.lock();
        state.queue.retain(|queued| queued.ticket != ticket);
        if let Some(hang_up) = state.running.remove(&ticket) {
            hang_up.now();
        }
    }

    fn refuse(&self, state: &mut State, tell: Tell) {
        if state.refused.len() < REFUSED_MAX {
            state.refused.push_back(tell);
        }
        state.is_refusing = state.is_refusing || self.spawn(Shared::refuse);
    }

    /// Whether the machine gave another thread.
    fn spawn(&self, work: fn(&Shared)) -> bool {
        let shared = Arc::clone(&self.shared);
        thread::Builder::new().name("call".into()).spawn(move || work(&shared)).is_ok()
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        state.queue.clear();
        std::mem::take(&mut state.running).into_values().for_each(|hang_up| hang_up.now());
        state.refused.clear();
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some((Queued { ticket, call, tell }, hang_up)) = self.next() {
            let delta = |said| {
                let is_awaited = self.lock().running.contains_key(&ticket);
                if is_awaited {
                    tell(said);
                }
            };
            let hearing = Hearing { hang_up: &hang_up, delta: &delta };
            let attempt = || (self.attempt)(&call, &hearing);
            let said = catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(|_| no_room());
            let awaited = self.lock().running.remove(&ticket);
            if awaited.is_some() {
                tell(said);
            }
        }
    }

    /// The next call in the queue; `None` when this thread is not needed any more.
    fn next(&self) -> Option<(Queued, HangUp)> {
        let mut state = self.lock();
        let mut timed_out = false;
        loop {
            if let Some(queued) = state.queue.pop_front() {
                let hang_up = HangUp::default();
                state.running.insert(queued.ticket, hang_up.clone());
                return Some((queued, hang_up));
            }
            if timed_out || state.closed {
                state.threads -= 1;
                return None;
            }
            state.idle += 1;
            let waited = self.wake.wait_timeout(state, IDLE_WAIT_MAX).unwrap_or_else(PoisonError::into_inner);
            timed_out = waited.1.timed_out();
            state = waited.0;
            state.idle -= 1;
        }
    }

    fn refuse(&self) {
        while let Some(tell) = self.next_refused() {
            tell(no_room());
        }
    }

    fn next_refused(&self) -> Option<Tell> {
        let mut state = self.lock();
        let next = state.refused.pop_front();
        state.is_refusing = next.is_some();
        next
    }
}

/// What passes: another attempt may find room.
fn no_room() -> Said {
    Said::Failed(CallFailure::Passing { retry_after: None })
}

#[cfg(test)]
mod tests;
