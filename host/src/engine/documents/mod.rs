//! Threads for the documents of drafts. The jobs of a draft are done one after another, those of different drafts side
//! by side. A document is hostile until shown otherwise, and what is done with one cannot be interrupted:
//!
//! * a thread whose job takes longer than a moment is slow: another takes its place, so that nobody else waits;
//! * a job that takes longer than the limit is given up: it is answered `Broken`, its thread is left to it with the
//!   documents of its draft, and what the draft has queued finds none of them. What such a thread finds after all is
//!   thrown away;
//! * when all threads that there may be are lost in this way, jobs are answered `Broken` at once;
//! * a panic breaks the documents of its draft, and no others.
//!
//! No job is left unanswered, and a job's answer is told before the next one of its draft begins.

mod queue;

use super::{AbortOnPanic, Engine};
use crate::lock::locked;
use parlor_protocol::docs::{DocId, DocJob, DocOutcome, Docs};
use parlor_protocol::ids::Ticket;
use parlor_protocol::input::Input;
use parlor_protocol::job::Outcome;
use parlor_protocol::record::{Level, Record};
use queue::{Done, Queue, Running, Work};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How many threads work on documents, slow ones not counted.
pub const DOCUMENT_THREADS: usize = 2;
/// How many there may be with the slow and the lost ones.
pub const DOCUMENT_THREADS_MAX: usize = 8;
/// How many jobs may wait. A draft has one at a time under way, so this is far more than there are.
pub const DOCUMENT_JOBS_MAX: usize = 65_536;
/// How many bytes of updates and states may wait; one job alone may have more.
pub const DOCUMENT_JOBS_BYTES_MAX: usize = 256 << 20;

/// What reads a document recurses; this is only reserved until it is used.
const STACK_BYTES: usize = 64 << 20;
/// How often it is looked who works, while somebody does.
const LOOK: Duration = Duration::from_millis(100);
/// After how many looks at the same job a thread is slow.
const SLOW_LOOKS: u32 = 2;

/// The documents of one draft.
pub(super) trait Held: Default + Send + 'static {
    fn run(&mut self, doc: &DocId, job: &DocJob) -> DocOutcome;
    fn is_empty(&self) -> bool;
}

/// Whom the threads tell.
pub(super) trait Told: Clone + Send + 'static {
    fn answer(&self, ticket: Ticket, outcome: DocOutcome);
    fn log(&self, record: Record);
}

/// What is done with documents.
pub(super) struct Documents<D = Docs> {
    state: Mutex<State<D>>,
    work: Condvar,
    awake: Condvar,
    look: Duration,
    given_up: AtomicU64,
}

struct State<D> {
    queue: Queue<D>,
    /// Nobody looks who works.
    resting: bool,
    /// It was logged that a thread could not be started.
    short_of_threads: bool,
}

impl<D: Held> Documents<D> {
    /// A job may take `job_max`.
    pub fn new(job_max: Duration) -> Self {
        Self::looking_every(LOOK, job_max)
    }

    fn looking_every(look: Duration, job_max: Duration) -> Self {
        let looks = u32::try_from(job_max.as_millis() / look.as_millis()).unwrap_or(u32::MAX);
        let queue = Queue::new(looks.saturating_add(1));
        let state = State { queue, resting: false, short_of_threads: false };
        Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            awake: Condvar::new(),
            look,
            given_up: AtomicU64::new(0),
        }
    }

    /// Starts the threads, which last as long as the process.
    pub fn start(self: &Arc<Self>, told: impl Told) -> io::Result<()> {
        for _ in 0..DOCUMENT_THREADS {
            self.start_thread(told.clone())?;
        }
        let documents = self.clone();
        let watch = move || {
            let _abort = AbortOnPanic;
            loop {
                documents.rest();
                thread::sleep(documents.look);
                documents.look(&told);
            }
        };
        thread::Builder::new().name("documents-watch".into()).spawn(watch)?;
        Ok(())
    }

    /// Queues a job, or answers it at once where there is no room. `Absent`, then: whoever asked opens the document
    /// again and asks again, and so loses nothing. To wait would hold up sockets that have nothing to do with it.
    pub fn add(&self, ticket: Ticket, doc: DocId, job: DocJob) -> Result<(), DocOutcome> {
        let mut state = locked(&self.state);
        state.queue.add(ticket, doc, job)?;
        self.changed(state);
        Ok(())
    }

    /// How many jobs were given up.
    pub fn given_up(&self) -> u64 {
        self.given_up.load(Relaxed)
    }

    /// How many jobs wait.
    pub fn waiting(&self) -> usize {
        locked(&self.state).queue.jobs()
    }

    /// Wakes whom it concerns.
    fn changed(&self, state: MutexGuard<'_, State<D>>) {
        let (ready, look) = (state.queue.is_ready(), state.resting && !state.queue.is_at_rest());
        drop(state);
        if ready {
            self.work.notify_one();
        }
        if look {
            self.awake.notify_one();
        }
    }

    fn start_thread(self: &Arc<Self>, told: impl Told) -> io::Result<()> {
        let documents = self.clone();
        let work = move || {
            let _abort = AbortOnPanic;
            while documents.do_next(&told) {}
        };
        let builder = thread::Builder::new().name("documents".into()).stack_size(STACK_BYTES);
        // Counted before it can end.
        let mut state = locked(&self.state);
        builder.spawn(work)?;
        state.queue.thread_started();
        Ok(())
    }

    /// Does a job. False: this thread is one too many.
    fn do_next(&self, told: &impl Told) -> bool {
        let Work { run, ticket, doc, job, mut docs } = self.next();
        let outcome = catch_unwind(AssertUnwindSafe(|| docs.run(&doc, &job)));
        let (outcome, docs) = match outcome {
            Ok(outcome) => (outcome, Some(docs)),
            Err(_) => {
                discard(docs);
                (DocOutcome::Broken { at: None }, None)
            }
        };
        let mut state = locked(&self.state);
        let done = state.queue.done(run);
        self.changed(state);
        if done == Done::TooLate {
            discard(docs);
            return false;
        }
        told.answer(ticket, outcome);
        let mut state = locked(&self.state);
        state.queue.release(&doc.draft, docs.filter(|docs| !docs.is_empty()));
        self.changed(state);
        done == Done::GoesOn
    }

    fn next(&self) -> Work<D> {
        let mut state = locked(&self.state);
        loop {
            if let Some(work) = state.queue.take() {
                return work;
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until somebody has to look.
    fn rest(&self) {
        let mut state = locked(&self.state);
        while state.queue.is_at_rest() {
            state.resting = true;
            state = self.awake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.resting = false;
    }

    /// Gives up what has taken too long, and starts the threads that are missing.
    fn look(self: &Arc<Self>, told: &impl Told) {
        let overdue = locked(&self.state).queue.look();
        let lost_one = !overdue.is_empty();
        for Running { ticket, draft, since, .. } in overdue {
            self.given_up.fetch_add(1, Relaxed);
            let record = Record::new(Level::Warn, "docs.abandoned").with("draftId", &*draft.name);
            told.log(record.with("seconds", since.elapsed().as_secs_f64()));
            told.answer(ticket, DocOutcome::Broken { at: None });
            let mut state = locked(&self.state);
            state.queue.release(&draft, None);
            self.changed(state);
        }
        let mut state = locked(&self.state);
        let stuck = state.queue.is_stuck();
        let given_up = if stuck { state.queue.give_up_waiting() } else { Vec::new() };
        let missing = state.queue.missing_threads();
        drop(state);
        // Nobody works then, so nothing more becomes overdue.
        if stuck && lost_one {
            told.log(Record::new(Level::Error, "docs.stuck").with("threads", DOCUMENT_THREADS_MAX));
        }
        for ticket in given_up {
            told.answer(ticket, DocOutcome::Broken { at: None });
        }
        let started = (0..missing).try_for_each(|_| self.start_thread(told.clone()));
        let was_short = std::mem::replace(&mut locked(&self.state).short_of_threads, started.is_err());
        if let Some(error) = started.err().filter(|_| !was_short) {
            told.log(Record::new(Level::Error, "docs.no_thread").with("error", error.to_string()));
        }
    }
}

/// What broke may break once more when it is dropped.
fn discard<T>(docs: T) {
    drop(catch_unwind(AssertUnwindSafe(|| drop(docs))));
}

impl Held for Docs {
    fn run(&mut self, doc: &DocId, job: &DocJob) -> DocOutcome {
        Self::run(self, doc, job)
    }

    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }
}

impl Told for Arc<Engine> {
    fn answer(&self, ticket: Ticket, outcome: DocOutcome) {
        self.tell(Input::Worked { ticket, outcome: Outcome::Doc(outcome) });
    }

    fn log(&self, record: Record) {
        (self.outside.log)(record);
    }
}

impl<D> std::fmt::Debug for Documents<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Documents").field("queue", &locked(&self.state).queue).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
