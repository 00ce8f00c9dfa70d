//! Who may do what when: which draft's next job a thread takes, what does not fit, who has taken too long. It starts
//! no thread, so all of it can be tried without one.

use super::{DOCUMENT_JOBS_BYTES_MAX, DOCUMENT_JOBS_MAX, DOCUMENT_THREADS, DOCUMENT_THREADS_MAX, SLOW_LOOKS};
use parlor_protocol::docs::{DocId, DocJob, DocOutcome};
use parlor_protocol::ids::{RoomId, Ticket};
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

/// Jobs that wait, documents that nobody works on, and who works.
pub struct Queue<D> {
    drafts: BTreeMap<RoomId, Draft<D>>,
    /// The drafts whose next job may be taken, in the order in which it came.
    ready: VecDeque<RoomId>,
    /// How many jobs wait.
    jobs: usize,
    /// How many bytes they have.
    bytes: usize,
    running: BTreeMap<u64, Running>,
    /// Names the job that is taken next.
    next_run: u64,
    /// How many threads there are.
    threads: usize,
    /// How many of them are at a job that was given up.
    lost: usize,
    /// After how many looks a job is given up.
    overdue_looks: u32,
}

struct Draft<D> {
    waiting: VecDeque<Waiting>,
    /// Its documents, unless a thread has them or there are none.
    docs: Option<D>,
    /// A job of it is done.
    busy: bool,
}

struct Waiting {
    ticket: Ticket,
    doc: DocId,
    job: DocJob,
}

/// A job and the documents that it is about, for the thread that does it.
pub struct Work<D> {
    /// Names it.
    pub run: u64,
    pub ticket: Ticket,
    pub doc: DocId,
    pub job: DocJob,
    pub docs: D,
}

/// A job that is being done.
pub struct Running {
    pub ticket: Ticket,
    pub draft: RoomId,
    pub since: Instant,
    /// How often it was seen at it. Where the whole process stood still, nobody looked either.
    looks: u32,
}

/// What becomes of a thread that has done its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It answers and goes on.
    GoesOn,
    /// It answers and ends: while it was slow another took its place.
    Ends,
    /// It ends without an answer: one was given long ago.
    TooLate,
}

impl<D: Default> Queue<D> {
    pub fn new(overdue_looks: u32) -> Self {
        Self {
            drafts: BTreeMap::new(),
            ready: VecDeque::new(),
            jobs: 0,
            bytes: 0,
            running: BTreeMap::new(),
            next_run: 0,
            threads: 0,
            lost: 0,
            overdue_looks,
        }
    }

    /// How many jobs wait.
    pub fn jobs(&self) -> usize {
        self.jobs
    }

    /// Takes in a job, or answers it at once. What closes a document is always taken in: it would stay for ever.
    pub fn add(&mut self, ticket: Ticket, doc: DocId, job: DocJob) -> Result<(), DocOutcome> {
        let bytes = bytes_of(&job);
        if !matches!(job, DocJob::Close) {
            if self.is_stuck() {
                return Err(DocOutcome::Broken { at: None });
            }
            let fits = self.jobs == 0 || self.bytes + bytes <= DOCUMENT_JOBS_BYTES_MAX;
            if !fits || self.jobs >= DOCUMENT_JOBS_MAX {
                return Err(DocOutcome::Absent);
            }
        }
        (self.jobs, self.bytes) = (self.jobs + 1, self.bytes + bytes);
        let id = doc.draft.clone();
        let none = || Draft { waiting: VecDeque::new(), docs: None, busy: false };
        let draft = self.drafts.entry(id.clone()).or_insert_with(none);
        draft.waiting.push_back(Waiting { ticket, doc, job });
        if !draft.busy && draft.waiting.len() == 1 {
            self.ready.push_back(id);
        }
        Ok(())
    }

    /// Hands out the next job. Until `release` no other of its draft is.
    pub fn take(&mut self) -> Option<Work<D>> {
        let id = self.ready.pop_front()?;
        let draft = self.drafts.get_mut(&id)?;
        let Waiting { ticket, doc, job } = draft.waiting.pop_front()?;
        let docs = draft.docs.take().unwrap_or_default();
        draft.busy = true;
        (self.jobs, self.bytes) = (self.jobs - 1, self.bytes - bytes_of(&job));
        let run = self.next_run;
        self.next_run += 1;
        self.running.insert(run, Running { ticket, draft: id, since: Instant::now(), looks: 0 });
        Some(Work { run, ticket, doc, job, docs })
    }

    /// A thread has done its job; this says what is to become of it.
    pub fn done(&mut self, run: u64) -> Done {
        match self.running.remove(&run) {
            Some(running) if running.looks < SLOW_LOOKS => Done::GoesOn,
            Some(_) => {
                self.threads -= 1;
                Done::Ends
            }
            None => {
                (self.threads, self.lost) = (self.threads - 1, self.lost - 1);
                Done::TooLate
            }
        }
    }

    /// A draft's job was answered, and these documents are left of it: now its next job may be taken.
    pub fn release(&mut self, id: &RoomId, docs: Option<D>) {
        let Some(draft) = self.drafts.get_mut(id) else { return };
        (draft.docs, draft.busy) = (docs, false);
        if !draft.waiting.is_empty() {
            self.ready.push_back(id.clone());
        } else if draft.docs.is_none() {
            self.drafts.remove(id);
        }
    }

    /// Looks at who works, to be called at regular intervals. Returns the jobs that are given up: their threads have
    /// their documents, and each is to be answered and its draft released.
    pub fn look(&mut self) -> Vec<Running> {
        self.running.values_mut().for_each(|running| running.looks += 1);
        let overdue_looks = self.overdue_looks;
        let overdue: Vec<_> = self
            .running
            .extract_if(.., |_, running| running.looks >= overdue_looks)
            .map(|(_, one)| one)
            .collect();
        self.lost += overdue.len();
        overdue
    }

    /// How many threads are to be started. One that is slow does not count as one.
    pub fn missing_threads(&self) -> usize {
        let slow = self.running.values().filter(|running| running.looks >= SLOW_LOOKS).count();
        let missing = DOCUMENT_THREADS.saturating_sub(self.threads - self.lost - slow);
        missing.min(DOCUMENT_THREADS_MAX - self.threads)
    }

    /// A thread was started.
    pub fn thread_started(&mut self) {
        self.threads += 1;
    }

    /// Whether every thread that there may be is at a job that was given up.
    pub fn is_stuck(&self) -> bool {
        self.lost >= DOCUMENT_THREADS_MAX
    }

    /// Takes out all that waits but what closes a document.
    pub fn give_up_waiting(&mut self) -> Vec<Ticket> {
        let mut given_up = Vec::new();
        for draft in self.drafts.values_mut() {
            for one in std::mem::take(&mut draft.waiting) {
                if let DocJob::Close = one.job {
                    draft.waiting.push_back(one);
                } else {
                    (self.jobs, self.bytes) = (self.jobs - 1, self.bytes - bytes_of(&one.job));
                    given_up.push(one.ticket);
                }
            }
        }
        self.ready.retain(|id| self.drafts.get(id).is_some_and(|draft| !draft.waiting.is_empty()));
        self.drafts.retain(|_, draft| draft.busy || draft.docs.is_some() || !draft.waiting.is_empty());
        given_up
    }

    /// Whether a job may be taken.
    pub fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether nobody has to look: nothing can be taken, nobody works, no thread is missing.
    pub fn is_at_rest(&self) -> bool {
        self.ready.is_empty() && self.running.is_empty() && self.missing_threads() == 0
    }
}

/// How much of what came from outside a job holds.
fn bytes_of(job: &DocJob) -> usize {
    let sum = |updates: &[bytes::Bytes]| updates.iter().map(bytes::Bytes::len).sum::<usize>();
    match job {
        DocJob::Open { snapshot, updates } => snapshot.as_ref().map_or(0, bytes::Bytes::len) + sum(updates),
        DocJob::Replay { updates } | DocJob::Apply { updates } => sum(updates),
        DocJob::Diff { since } => since.as_ref().map_or(0, bytes::Bytes::len),
        DocJob::Restore { to, .. } => to.len(),
        DocJob::Knows { update } => update.len(),
        DocJob::Fold | DocJob::Close => 0,
    }
}

impl<D> std::fmt::Debug for Queue<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { jobs, bytes, threads, lost, .. } = self;
        f.debug_struct("Queue")
            .field("jobs", jobs)
            .field("bytes", bytes)
            .field("running", &self.running.len())
            .field("threads", threads)
            .field("lost", lost)
            .finish_non_exhaustive()
    }
}
