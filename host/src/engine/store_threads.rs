//! The threads of the store: one that writes, everything queued in one commit, and some that read.

use super::{AbortOnPanic, Answer, Commit, Engine, Stores};
use crate::lock::locked;
use parlor_protocol::ids::Ticket;
use parlor_protocol::input::Input;
use parlor_protocol::metrics::{Buckets, Spread};
use parlor_protocol::record::{Level, Record};
use parlor_protocol::store::StoreRequest;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How many requests may wait for the store; more are answered `Unavailable` at once.
const STORE_QUEUE_MAX: usize = 65_536;
/// How long the end of the process waits for the store.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(10);
/// The exit status after a fault of the disk.
const EXIT_STORE_FAULT: i32 = 1;

/// What waits for the store.
#[derive(Debug)]
pub(super) struct StoreQueue {
    waiting: Mutex<Waiting>,
    appends: Mutex<Buckets>,
    commits: Condvar,
    reads: Condvar,
    closed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    commits: Vec<(Ticket, StoreRequest)>,
    /// When each of them came.
    since: Vec<Instant>,
    reads: VecDeque<(Ticket, StoreRequest)>,
    closing: bool,
    closed: bool,
}

/// Commits that go together, and when each came.
type Batch = (Vec<(Ticket, StoreRequest)>, Vec<Instant>);

impl Default for StoreQueue {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            appends: Mutex::new(Buckets::of_moments()),
            commits: Condvar::new(),
            reads: Condvar::new(),
            closed: Condvar::new(),
        }
    }
}

impl StoreQueue {
    /// Queues a request; false if there is no room.
    pub fn add(&self, ticket: Ticket, request: StoreRequest) -> bool {
        let mut waiting = locked(&self.waiting);
        if waiting.commits.len() + waiting.reads.len() >= STORE_QUEUE_MAX {
            return false;
        }
        let is_commit = matches!(request, StoreRequest::Commit { .. });
        match is_commit {
            true => {
                waiting.commits.push((ticket, request));
                waiting.since.push(Instant::now());
            }
            false => waiting.reads.push_back((ticket, request)),
        }
        drop(waiting);
        if is_commit {
            self.commits.notify_one()
        } else {
            self.reads.notify_one()
        }
        true
    }

    /// How many commits and how many reads wait.
    pub fn waiting(&self) -> (usize, usize) {
        let waiting = locked(&self.waiting);
        (waiting.commits.len(), waiting.reads.len())
    }

    /// How long commits took, from being queued on.
    pub fn appends(&self) -> Spread {
        locked(&self.appends).spread()
    }

    fn note(&self, since: &[Instant]) {
        let (mut appends, now) = (locked(&self.appends), Instant::now());
        since.iter().for_each(|since| appends.note(now.saturating_duration_since(*since)));
    }

    /// Stores what waits, and then nothing more. Returns when the store is closed, or after a while.
    pub fn close(&self) {
        let mut waiting = locked(&self.waiting);
        waiting.closing = true;
        self.commits.notify_one();
        let closed = self.closed.wait_timeout_while(waiting, CLOSE_WAIT_MAX, |waiting| !waiting.closed);
        drop(closed.unwrap_or_else(PoisonError::into_inner));
    }

    /// `None`: the store is to be closed.
    fn next_commits(&self) -> Option<Batch> {
        let mut waiting = locked(&self.waiting);
        while waiting.commits.is_empty() {
            if waiting.closing {
                return None;
            }
            waiting = self.commits.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        Some((std::mem::take(&mut waiting.commits), std::mem::take(&mut waiting.since)))
    }

    fn next_read(&self) -> (Ticket, StoreRequest) {
        let mut waiting = locked(&self.waiting);
        loop {
            if let Some(read) = waiting.reads.pop_front() {
                return read;
            }
            waiting = self.reads.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

pub(super) fn start(engine: &Arc<Engine>, stores: Stores) -> io::Result<()> {
    let (writing, writer) = (engine.clone(), stores.writer);
    thread::Builder::new().name("store-writer".into()).spawn(move || write(&writing, writer))?;
    for reader in stores.readers {
        let reading = engine.clone();
        thread::Builder::new().name("store-reader".into()).spawn(move || read(&reading, reader))?;
    }
    Ok(())
}

fn write(engine: &Arc<Engine>, mut writer: Box<dyn Commit>) {
    // Without its writer the server could acknowledge nothing and would not say why.
    let _abort = AbortOnPanic;
    while let Some((batch, since)) = engine.store.next_commits() {
        match writer.commit((engine.outside.now)(), batch) {
            Ok(replies) => {
                engine.store.note(&since);
                engine.tell(Input::Stored(replies));
            }
            Err(fatal) => {
                (engine.outside.log)(
                    Record::new(Level::Error, "store.fatal").with("error", fatal.0.as_str()),
                );
                eprintln!("parlor: the store failed and what it holds is unknown: {}", fatal.0);
                std::process::exit(EXIT_STORE_FAULT);
            }
        }
    }
    if let Err(why) = writer.close() {
        (engine.outside.log)(Record::new(Level::Error, "store.unclean").with("error", why));
    }
    locked(&engine.store.waiting).closed = true;
    engine.store.closed.notify_all();
}

fn read(engine: &Arc<Engine>, mut reader: Box<dyn Answer>) {
    let _abort = AbortOnPanic;
    loop {
        let (ticket, request) = engine.store.next_read();
        let reply = reader.answer(&request);
        engine.tell(Input::Stored(vec![(ticket, reply)]));
    }
}
