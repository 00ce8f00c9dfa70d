//! Jobs, and those among them that wait for keys. Keys are fetched on a thread that is there as long as the fetch.

use super::{AbortOnPanic, Engine};
use crate::jwks::Jwks;
use crate::keyring::{Asked, Waiting};
use parlor_protocol::auth::{AuthFailure, KeySet};
use parlor_protocol::docs::Docs;
use parlor_protocol::ids::Ticket;
use parlor_protocol::input::{Input, KeysFetched};
use parlor_protocol::job::{Job, Outcome};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

impl Engine {
    /// Whether a job takes less than handing it to another thread would.
    pub(super) fn is_cheap(&self, job: &Job) -> bool {
        job.is_cheap() && !self.outside.keys.takes_long(job)
    }

    /// Runs a job on this thread; `None`: its outcome is told when the keys that it waits for were fetched.
    pub(super) fn run(self: &Arc<Self>, ticket: Ticket, job: Job) -> Option<Input> {
        let mut job = job;
        let outcome = loop {
            let (keys, now) = (self.outside.keys.held(), (self.outside.now)());
            let outcome = job.run(&keys, now, &mut Docs::default());
            if !matches!(outcome, Outcome::Token(Err(AuthFailure::UnknownKey))) {
                break outcome;
            }
            match self.outside.keys.ask(now, &keys, ticket, job) {
                Asked::Fetch => {
                    self.fetch_keys();
                    return None;
                }
                Asked::Waits => return None,
                Asked::Again(same) => job = same,
                Asked::Later(retry_after) => break Outcome::Token(Err(AuthFailure::NotNow { retry_after })),
            }
        };
        self.keep_keys();
        Some(Input::Worked { ticket, outcome })
    }

    /// Begins to fetch the keys if they are old, or were never fetched and must be.
    pub(super) fn keep_keys(self: &Arc<Self>) {
        if self.outside.keys.begins((self.outside.now)()) {
            self.fetch_keys();
        }
    }

    fn fetch_keys(self: &Arc<Self>) {
        let engine = self.clone();
        let fetch = move || {
            let _abort = AbortOnPanic;
            let jwks = engine.outside.jwks.as_ref();
            let fetch = || jwks.map_or_else(|| Err("no address".to_string()), Jwks::fetch);
            let fetched = catch_unwind(AssertUnwindSafe(fetch));
            engine.keys_fetched(fetched.unwrap_or_else(|_| Err("the fetch ended in a panic".to_string())));
        };
        if thread::Builder::new().name("keys".into()).spawn(fetch).is_err() {
            // Whoever waits is told by a thread that must not be this one: it may be a socket's.
            self.keys_fetched(Err("the machine gives no thread".to_string()));
        }
    }

    fn keys_fetched(self: &Arc<Self>, fetched: Result<KeySet, String>) {
        let fetched = self.outside.keys.judged(fetched);
        let told = match &fetched {
            Ok(set) => Ok(KeysFetched { held: set.len(), left_out: set.left_out() }),
            Err(why) => Err(why.clone()),
        };
        let succeeded = fetched.is_ok();
        let waiting = self.outside.keys.fetched((self.outside.now)(), fetched);
        self.tell(Input::KeysFetched(told));
        for Waiting { ticket, job, is_first } in waiting {
            let done = match is_first && succeeded {
                true => Some(self.verify_finally(ticket, &job)),
                false => self.run(ticket, job),
            };
            if let Some(done) = done {
                self.tell(done);
            }
        }
    }

    /// Verifies by the keys that were fetched since the token came: one that is not among them does not exist.
    fn verify_finally(&self, ticket: Ticket, job: &Job) -> Input {
        let outcome = job.run(&self.outside.keys.held(), (self.outside.now)(), &mut Docs::default());
        Input::Worked { ticket, outcome }
    }
}
