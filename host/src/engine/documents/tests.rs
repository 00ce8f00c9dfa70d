use super::*;
use bytes::Bytes;
use parlor_protocol::docs::Standing;
use parlor_protocol::ids::RoomId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Documents that count what is applied to them, and do as they are told.
#[derive(Default)]
struct Counting(BTreeMap<DocId, usize>);

/// The drafts whose jobs need not wait any more.
static LET_GO: (Mutex<BTreeSet<String>>, Condvar) = (Mutex::new(BTreeSet::new()), Condvar::new());

fn let_go(draft: &str) {
    locked(&LET_GO.0).insert(draft.to_string());
    LET_GO.1.notify_all();
}

impl Held for Counting {
    fn run(&mut self, doc: &DocId, job: &DocJob) -> DocOutcome {
        match job {
            DocJob::Open { .. } => {
                self.0.insert(doc.clone(), 0);
                DocOutcome::Opened(Ok(standing(0)))
            }
            DocJob::Close => {
                self.0.remove(doc);
                DocOutcome::Closed
            }
            DocJob::Fold => panic!("as it was told to"),
            DocJob::Diff { .. } => {
                let mut go = locked(&LET_GO.0);
                while !go.contains(&*doc.draft.name) {
                    go = LET_GO.1.wait(go).unwrap_or_else(PoisonError::into_inner);
                }
                DocOutcome::Diff { update: Bytes::new(), state_vector: Bytes::new() }
            }
            DocJob::Replay { .. } | DocJob::Apply { .. } | DocJob::Restore { .. } | DocJob::Knows { .. } => {
                match self.0.get_mut(doc) {
                    None => DocOutcome::Absent,
                    Some(count) => {
                        *count += 1;
                        DocOutcome::Opened(Ok(standing(*count)))
                    }
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn standing(bytes: usize) -> Standing {
    Standing { state_vector: Bytes::new(), bytes, weight: 0, full: false }
}

#[derive(Clone)]
struct Ear(Sender<(Ticket, DocOutcome)>, Sender<Record>);

impl Told for Ear {
    fn answer(&self, ticket: Ticket, outcome: DocOutcome) {
        // Nobody listens any more when the test is over.
        self.0.send((ticket, outcome)).unwrap_or_default();
    }

    fn log(&self, record: Record) {
        self.1.send(record).unwrap_or_default();
    }
}

struct Bench {
    documents: Arc<Documents<Counting>>,
    answers: Receiver<(Ticket, DocOutcome)>,
    records: Receiver<Record>,
}

/// Threads for which 20 ms are slow.
fn bench(job_max: Duration) -> Bench {
    let documents = Arc::new(Documents::looking_every(Duration::from_millis(10), job_max));
    let (answers, records) = (channel(), channel());
    documents.start(Ear(answers.0, records.0)).unwrap();
    Bench { documents, answers: answers.1, records: records.1 }
}

impl Bench {
    fn add(&self, slot: u32, draft: &str, job: DocJob) -> Result<(), DocOutcome> {
        self.documents.add(ticket(slot), doc(draft), job)
    }

    fn next(&self) -> (u32, DocOutcome) {
        let (ticket, outcome) = self.answers.recv_timeout(PATIENCE).expect("every job is answered");
        (ticket.slot, outcome)
    }

    fn until(&self, mut holds: impl FnMut(&Queue<Counting>) -> bool) {
        let begun = Instant::now();
        while !holds(&locked(&self.documents.state).queue) {
            assert!(begun.elapsed() < PATIENCE, "{:?}", self.documents);
            thread::yield_now();
        }
    }
}

fn ticket(slot: u32) -> Ticket {
    Ticket { slot, generation: 0 }
}

fn doc(draft: &str) -> DocId {
    DocId { draft: RoomId::chat(draft), copy: 0 }
}

fn open() -> DocJob {
    DocJob::Open { snapshot: None, updates: Vec::new() }
}

fn apply(bytes: usize) -> DocJob {
    DocJob::Apply { updates: vec![vec![0; bytes].into()] }
}

fn wait() -> DocJob {
    DocJob::Diff { since: None }
}

fn counted(count: usize) -> DocOutcome {
    DocOutcome::Opened(Ok(standing(count)))
}

const BROKEN: DocOutcome = DocOutcome::Broken { at: None };

#[test]
fn the_jobs_of_a_draft_are_done_and_answered_in_order() {
    let bench = bench(PATIENCE);
    let drafts: Vec<_> = (0..20).map(|draft| format!("in order {draft}")).collect();
    for job in 0..100 {
        for (draft, name) in (0..).zip(&drafts) {
            bench.add(draft * 100 + job, name, if job == 0 { open() } else { apply(1) }).unwrap();
        }
    }
    let mut done = [0; 20];
    for _ in 0..2_000 {
        let (slot, outcome) = bench.next();
        let (draft, job) = (slot as usize / 100, slot as usize % 100);
        assert_eq!((job, outcome), (done[draft], counted(job)));
        done[draft] += 1;
    }
}

#[test]
fn drafts_whose_jobs_are_slow_do_not_hold_up_others() {
    let bench = bench(PATIENCE);
    for (slot, draft) in [(0, "slow a"), (1, "slow b"), (2, "slow c")] {
        bench.add(slot, draft, wait()).unwrap();
        bench.add(slot + 10, draft, open()).unwrap();
    }
    bench.add(20, "quick", open()).unwrap();
    bench.add(21, "quick", apply(1)).unwrap();
    assert_eq!([bench.next(), bench.next()], [(20, counted(0)), (21, counted(1))]);
    ["slow a", "slow b", "slow c"].into_iter().for_each(let_go);
    let mut answers: Vec<_> = (0..6).map(|_| bench.next().0).collect();
    answers.sort();
    assert_eq!(answers, [0, 1, 2, 10, 11, 12]);
    bench.until(|queue| format!("{queue:?}").contains("threads: 2, lost: 0"));
    assert_eq!(bench.documents.given_up(), 0);
}

#[test]
fn a_job_over_the_limit_is_given_up_with_the_documents_of_its_draft_and_no_others() {
    let bench = bench(Duration::from_millis(200));
    for (slot, draft) in [(0, "bomb"), (1, "bystander")] {
        bench.add(slot, draft, open()).unwrap();
        assert_eq!(bench.next(), (slot, counted(0)));
    }
    bench.add(2, "bomb", wait()).unwrap();
    bench.add(3, "bomb", apply(1)).unwrap();
    bench.add(4, "bomb", apply(1)).unwrap();
    let expected = [(2, BROKEN), (3, DocOutcome::Absent), (4, DocOutcome::Absent)];
    assert_eq!([bench.next(), bench.next(), bench.next()], expected);
    let record = bench.records.recv_timeout(PATIENCE).expect("it is logged");
    assert_eq!((record.action.as_str(), record.level), ("docs.abandoned", Level::Warn));
    assert_eq!(record.fields[0], ("draftId".to_string(), "bomb".into()));
    assert!(record.fields[1].1.as_f64() >= Some(0.2), "{record:?}");
    assert_eq!(bench.documents.given_up(), 1);

    let_go("bomb");
    bench.until(|queue| format!("{queue:?}").contains("threads: 2, lost: 0"));
    bench.add(5, "bystander", apply(1)).unwrap();
    assert_eq!(bench.next(), (5, counted(1)), "what was given up is not answered twice");
    bench.add(6, "bomb", open()).unwrap();
    bench.add(7, "bomb", apply(1)).unwrap();
    assert_eq!([bench.next(), bench.next()], [(6, counted(0)), (7, counted(1))]);
}

#[test]
fn when_all_threads_are_lost_jobs_are_refused_until_one_comes_back() {
    let bench = bench(Duration::from_millis(50));
    bench.add(0, "kept", open()).unwrap();
    assert_eq!(bench.next(), (0, counted(0)));
    let lost: Vec<_> = (0..DOCUMENT_THREADS_MAX).map(|thread| format!("lost {thread}")).collect();
    for (slot, draft) in (100..).zip(&lost) {
        bench.add(slot, draft, wait()).unwrap();
    }
    let mut broken: Vec<_> = lost.iter().map(|_| bench.next()).collect();
    broken.sort_by_key(|(slot, _)| *slot);
    let expected: Vec<_> = (100..).zip(&lost).map(|(slot, _)| (slot, BROKEN)).collect();
    assert_eq!(broken, expected);
    let logged: Vec<_> = (0..9).map(|_| bench.records.recv_timeout(PATIENCE).unwrap().action).collect();
    assert_eq!((&*logged[7], &*logged[8]), ("docs.abandoned", "docs.stuck"));
    assert_eq!(bench.add(1, "kept", apply(1)), Err(BROKEN));
    assert_eq!(bench.add(2, "kept", DocJob::Close), Ok(()), "what closes is taken in");

    let_go("lost 0");
    assert_eq!(bench.next(), (2, DocOutcome::Closed));
    assert_eq!(bench.add(3, "kept", open()), Ok(()));
    assert_eq!(bench.next(), (3, counted(0)));
    lost.iter().for_each(|draft| let_go(draft));
}

#[test]
fn what_waits_when_the_last_thread_is_lost_is_refused() {
    let bench = bench(Duration::from_millis(200));
    let lost: Vec<_> = (0..DOCUMENT_THREADS_MAX).map(|thread| format!("last {thread}")).collect();
    for (slot, draft) in (100..).zip(&lost) {
        bench.add(slot, draft, wait()).unwrap();
    }
    bench.until(|queue| format!("{queue:?}").contains("jobs: 0"));
    bench.add(1, "waits", open()).unwrap();
    bench.add(2, "waits", DocJob::Close).unwrap();
    let answers: BTreeMap<_, _> = (0..9).map(|_| bench.next()).collect();
    assert_eq!(answers.keys().copied().collect::<Vec<_>>(), [1, 100, 101, 102, 103, 104, 105, 106, 107]);
    assert_eq!(answers.values().filter(|outcome| **outcome == BROKEN).count(), 9);
    let_go("last 7");
    assert_eq!(bench.next(), (2, DocOutcome::Closed));
    lost.iter().for_each(|draft| let_go(draft));
}

#[test]
fn a_panic_breaks_the_documents_of_its_draft_and_leaves_the_thread() {
    let bench = bench(PATIENCE);
    for round in 0..4 {
        bench.add(round, "panics", open()).unwrap();
        bench.add(10 + round, "panics", DocJob::Fold).unwrap();
        bench.add(20 + round, "panics", apply(1)).unwrap();
        let answers = [bench.next(), bench.next(), bench.next()];
        assert_eq!(answers, [(round, counted(0)), (10 + round, BROKEN), (20 + round, DocOutcome::Absent)]);
    }
}

#[test]
fn the_job_over_the_limit_of_the_queue_is_absent_at_once_unless_it_closes() {
    let mut queue = Queue::<Counting>::new(1);
    for slot in 0..DOCUMENT_JOBS_MAX as u32 {
        assert_eq!(queue.add(ticket(slot), doc("a"), apply(0)), Ok(()));
    }
    assert_eq!(queue.add(ticket(0), doc("b"), open()), Err(DocOutcome::Absent));
    assert_eq!(queue.add(ticket(0), doc("b"), DocJob::Close), Ok(()));
    assert!(queue.take().is_some_and(|work| work.doc == doc("a")));
    assert_eq!(
        queue.add(ticket(0), doc("b"), open()),
        Err(DocOutcome::Absent),
        "one too many is there still"
    );
    assert!(queue.take().is_some_and(|work| work.doc == doc("b")), "a second job of the draft has to wait");
    assert_eq!(queue.add(ticket(0), doc("b"), open()), Ok(()));
}

#[test]
fn the_byte_over_the_limit_of_the_queue_is_refused_unless_nothing_waits() {
    let mut queue = Queue::<Counting>::new(1);
    let huge = Bytes::from(vec![0; DOCUMENT_JOBS_BYTES_MAX + 1]);
    let apply = |updates: &[Bytes]| DocJob::Apply { updates: updates.to_vec() };
    assert_eq!(queue.add(ticket(0), doc("a"), apply(std::slice::from_ref(&huge))), Ok(()));
    assert_eq!(queue.add(ticket(1), doc("b"), apply(&[huge.slice(..1)])), Err(DocOutcome::Absent));
    let work = queue.take().unwrap();
    assert_eq!(
        queue.add(ticket(1), doc("b"), apply(&[huge.slice(..9), huge.slice(9..huge.len() - 1)])),
        Ok(())
    );
    assert_eq!(
        queue.add(ticket(2), doc("c"), DocJob::Restore { to: huge.slice(..1), client: 1 }),
        Err(DocOutcome::Absent)
    );
    assert_eq!(queue.add(ticket(2), doc("c"), wait()), Ok(()));
    assert_eq!((work.doc, work.ticket), (doc("a"), ticket(0)));
}
