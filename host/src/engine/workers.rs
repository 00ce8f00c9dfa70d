//! Threads for jobs that take longer than a socket thread may. Those of documents have threads of their own.

use super::{AbortOnPanic, Engine};
use crate::lock::locked;
use parlor_protocol::ids::Ticket;
use parlor_protocol::job::Job;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

/// How many threads work.
const WORKERS: usize = 2;
/// How many jobs may wait for them.
const WORK_QUEUE_MAX: usize = 1_024;

/// What waits for a worker.
#[derive(Debug, Default)]
pub(super) struct WorkQueue {
    waiting: Mutex<VecDeque<(Ticket, Job)>>,
    more: Condvar,
}

impl WorkQueue {
    /// Queues a job, or gives it back if there is no room.
    pub fn add(&self, ticket: Ticket, job: Job) -> Option<(Ticket, Job)> {
        let mut waiting = locked(&self.waiting);
        if waiting.len() >= WORK_QUEUE_MAX {
            return Some((ticket, job));
        }
        waiting.push_back((ticket, job));
        drop(waiting);
        self.more.notify_one();
        None
    }

    /// How many jobs wait.
    pub fn waiting(&self) -> usize {
        locked(&self.waiting).len()
    }

    fn next(&self) -> (Ticket, Job) {
        let mut waiting = locked(&self.waiting);
        loop {
            if let Some(work) = waiting.pop_front() {
                return work;
            }
            waiting = self.more.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

pub(super) fn start(engine: &Arc<Engine>) -> io::Result<()> {
    for _ in 0..WORKERS {
        let engine = engine.clone();
        let work = move || {
            let _abort = AbortOnPanic;
            loop {
                let (ticket, job) = engine.work.next();
                if let Some(done) = engine.run(ticket, job) {
                    engine.tell(done);
                }
            }
        };
        thread::Builder::new().name("worker".into()).spawn(work)?;
    }
    Ok(())
}
