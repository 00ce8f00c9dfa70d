//! The keys that tokens are verified with, and the one place that knows when those of a set are fetched again (WIRE
//! §0.2): when a token names a key that is not held, at most once in an interval; and now and then, so that a key that
//! was withdrawn is not good for ever. What waits for a fetch waits here, within a limit.

use crate::lock::locked;
use parlor_protocol::auth::{KeySet, Keys};
use parlor_protocol::ids::Ticket;
use parlor_protocol::job::Job;
use parlor_protocol::time::Timestamp;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// How many tokens may wait for keys; more are told to come later.
const WAITING_MAX: usize = 1_024;
/// How old the keys may become before they are fetched again although no token asks for another.
pub const KEYS_AGE_MAX: Duration = Duration::from_secs(600);
/// When fetching is tried again that has failed, unless the interval is shorter.
pub const FAILED_WAIT: Duration = Duration::from_secs(10);
/// When whoever found no room among those that wait should come again.
const CROWDED_WAIT: Duration = Duration::from_secs(1);

/// The keys of one process.
#[derive(Debug)]
pub struct Keyring {
    held: RwLock<Arc<Keys>>,
    interval: Duration,
    fetches: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether a fetch is under way.
    fetching: bool,
    /// When the next may begin.
    due: Timestamp,
    /// When the last that brought keys ended.
    fetched_at: Option<Timestamp>,
    waiting: Vec<Waiting>,
}

/// A token that waits for keys.
#[derive(Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Who waits for its outcome.
    pub ticket: Ticket,
    /// What is to be done.
    pub job: Job,
    /// Whether the fetch began after it had come: only such a fetch can say that its key does not exist.
    pub is_first: bool,
}

/// What becomes of a token that names a key which is not held.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// It waits, and whoever asked begins to fetch.
    Fetch,
    /// It waits for a fetch that is under way.
    Waits,
    /// Other keys are held by now.
    Again(Job),
    /// Whether there is such a key cannot be found out before this has passed.
    Later(Duration),
}

impl Keyring {
    /// Keys that stay what they are, or, where they have a set, those that hold until it is fetched. A set is fetched
    /// for unknown keys at most once in an `interval`.
    pub fn new(keys: Keys, interval: Duration) -> Self {
        let fetches = keys.key_set.is_some();
        Self { held: RwLock::new(Arc::new(keys)), interval, fetches, state: Mutex::default() }
    }

    /// The keys that are held now.
    pub fn held(&self) -> Arc<Keys> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether verifying this takes longer than handing it to another thread: public keys are slow.
    pub fn takes_long(&self, job: &Job) -> bool {
        self.fetches && matches!(job, Job::VerifyToken { .. })
    }

    /// Whether a fetch is to begin that nobody waits for: the first, where no token could be verified without, or
    /// one after the keys have become old.
    pub fn begins(&self, now: Timestamp) -> bool {
        if !self.fetches {
            return false;
        }
        let wanted = match locked(&self.state).fetched_at {
            Some(at) => now.since(at) >= KEYS_AGE_MAX,
            None => self.held().secret.is_none(),
        };
        wanted && self.begin(now)
    }

    fn begin(&self, now: Timestamp) -> bool {
        let mut state = locked(&self.state);
        let begins = !state.fetching && state.due <= now;
        state.fetching |= begins;
        begins
    }

    /// A token names a key that is not among `seen`.
    pub fn ask(&self, now: Timestamp, seen: &Arc<Keys>, ticket: Ticket, job: Job) -> Asked {
        let mut state = locked(&self.state);
        if !Arc::ptr_eq(seen, &self.held()) {
            return Asked::Again(job);
        }
        if !state.fetching && now < state.due {
            return Asked::Later(state.due.since(now));
        }
        if state.waiting.len() >= WAITING_MAX {
            return Asked::Later(CROWDED_WAIT);
        }
        let is_first = !state.fetching;
        state.fetching = true;
        state.waiting.push(Waiting { ticket, job, is_first });
        if is_first { Asked::Fetch } else { Asked::Waits }
    }

    /// What a fetch counts for. A set without keys is one, at the start and where a secret serves; but where keys are
    /// held it is rather a fault of whoever serves it, and everybody would be turned away.
    pub fn judged(&self, fetched: Result<KeySet, String>) -> Result<KeySet, String> {
        let holds = self.held().key_set.as_ref().is_some_and(|held| !held.is_empty());
        match fetched {
            Ok(set) if set.is_empty() && holds => {
                Err("the key set holds no key for us: those that are held stay good".to_string())
            }
            fetched => fetched,
        }
    }

    /// A fetch has ended: what it brought holds from now on, and what waited is given back to be looked at again. The
    /// first that nobody asked for does not count: what is not in it may be asked for at once.
    pub fn fetched(&self, now: Timestamp, fetched: Result<KeySet, String>) -> Vec<Waiting> {
        let mut state = locked(&self.state);
        let is_unasked = state.fetched_at.is_none() && !state.waiting.iter().any(|token| token.is_first);
        state.due = match &fetched {
            Ok(_) if is_unasked => now,
            Ok(_) => now + self.interval,
            Err(_) => now + self.interval.min(FAILED_WAIT),
        };
        if let Ok(set) = fetched {
            let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
            *held = Arc::new(Keys { key_set: Some(Arc::new(set)), ..Keys::clone(&held) });
            state.fetched_at = Some(now);
        }
        state.fetching = false;
        std::mem::take(&mut state.waiting)
    }
}

#[cfg(test)]
mod tests;
