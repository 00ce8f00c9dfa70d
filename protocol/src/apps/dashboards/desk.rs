//! What is asked of one dashboard, in the order in which it came. Each case is looked up by its id before it is judged,
//! those that are known go together in the next append, and every answer leaves in its place: an entry's when it is
//! stored, and what was judged behind it after it.

use super::board::Board;
use super::changes::Raw;
use super::command::Operation;
use super::judging::{Known, Verdict};
use super::kept::{Done, Kept};
use super::step::Step;
use crate::auth::User;
use crate::context::Caller;
use crate::ids::{ConnectionId, EntryId, RequestId, Seq, UserId};
use crate::refusal::Refusal;
use crate::room::PostId;
use crate::store::{Entry, NewEntry};
use crate::time::Timestamp;
use std::collections::VecDeque;
use std::sync::Arc;

/// How many cases are judged together: they are one commit, and one step of the core.
pub const JUDGED_CASES_MAX: usize = 32;
/// How many bytes of entries and answers after which no further case is judged with them.
pub const JUDGED_BYTES_MAX: usize = 256 * 1024;
/// After how much effort no further case is judged with them: parts, and fields that were copied or looked at for them.
pub const JUDGED_EFFORT_MAX: usize = 16 * 1024;

/// One open dashboard.
#[derive(Debug, Default)]
pub struct Desk {
    /// As far as its log was told.
    pub board: Board,
    /// What waits to be judged.
    pub queue: VecDeque<Case>,
    /// What was judged and waits for the append that it was judged with.
    pub out: Vec<Judged>,
}

/// Something that is asked.
#[derive(Debug)]
pub struct Case {
    /// Tells it from others.
    pub number: u64,
    /// By whom.
    pub origin: Origin,
    /// The author and the id of the entry that it may become.
    pub key: (UserId, EntryId),
    /// What.
    pub task: Task,
    /// Whether it was stored before.
    pub standing: Standing,
    /// The layout that it brings back.
    pub layout: Wanted,
    /// Since when.
    pub since: Timestamp,
}

/// What is asked.
#[derive(Debug)]
pub enum Task {
    /// Something that is judged.
    Operate(Box<Operation>),
    /// How the board is, behind what the same connection asked before.
    Sync(Option<Seq>),
}

/// Who asks, and is answered.
#[derive(Debug)]
pub enum Origin {
    /// A connection.
    Caller(Caller),
    /// A user's request over REST, and the place of the operation in it.
    Request(RequestId, usize, Arc<User>),
    /// A backend's event.
    Post(PostId),
}

/// Whether something was stored under an id.
#[derive(Debug)]
pub enum Standing {
    /// It is being looked up.
    Asked,
    /// Nothing was.
    Absent,
    /// This was.
    Stored(Box<Entry>),
    /// The store does not say.
    Lost,
}

/// A layout that is to come back.
#[derive(Debug)]
pub enum Wanted {
    /// None is, or it was not looked for.
    Unsought,
    /// It is being read.
    Asked,
    /// This one; `None`: there is none of its version.
    Found(Option<Raw>),
    /// The store does not say.
    Lost,
}

/// A case that was judged.
#[derive(Debug)]
pub struct Judged {
    /// The case.
    pub case: Case,
    /// What becomes of it.
    pub said: Said,
}

/// What becomes of a case.
#[derive(Debug)]
pub enum Said {
    /// It is stored first.
    Append(Kept),
    /// It was stored before.
    Repeat(Box<Entry>),
    /// It is answered with this.
    Verdict(Verdict),
    /// It is told how the board is.
    Sync(Option<Seq>),
}

/// What the next round brings.
#[derive(Debug, Default)]
pub struct Round {
    /// What was judged, in order.
    pub judged: Vec<Judged>,
    /// What is to be stored.
    pub entries: Vec<NewEntry>,
    /// The case in front that needs a layout from this place of the log before anything can be judged.
    pub reads: Option<(u64, Seq)>,
}

/// What is known beside the board where a case is judged.
pub trait Beside {
    /// Whether its origin may change the board.
    fn may_change(&mut self, origin: &Origin) -> Result<(), Refusal>;
    /// How many bytes the board may grow, because of all that are open.
    fn growth_max(&self) -> usize;
    /// The conflict that a user wants to end.
    fn conflict(&mut self, id: &str, user: &UserId) -> Known<'_>;
}

impl Origin {
    /// The connection that does not hear what it did.
    pub fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Caller(caller) => Some(caller.connection),
            Self::Request(..) | Self::Post(_) => None,
        }
    }

    /// The user, if it is one.
    pub fn user(&self) -> Option<&User> {
        match self {
            Self::Caller(caller) => Some(&caller.user),
            Self::Request(_, _, user) => Some(user),
            Self::Post(_) => None,
        }
    }
}

impl Desk {
    /// A dashboard as far as its log was told.
    pub fn of(board: Board) -> Self {
        Self { board, ..Self::default() }
    }

    /// Whether nothing waits here.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.out.is_empty()
    }

    /// Whether something of this connection waits here.
    pub fn holds(&self, who: ConnectionId) -> bool {
        let waiting = self.queue.iter().chain(self.out.iter().map(|judged| &judged.case));
        waiting.into_iter().any(|case| case.origin.connection() == Some(who))
    }

    /// Takes in an entry that was told. Who asks for the same is answered from it.
    pub fn fold(&mut self, entry: &Entry) {
        if entry.seq == self.board.seq.next() {
            self.board.fold(entry);
        }
        for case in self.queue.iter_mut().filter(|case| case.is(entry)) {
            case.standing = Standing::Stored(Box::new(entry.clone()));
        }
    }

    /// The layout that a case brings back was found in this entry, or not.
    pub fn layout_came(&mut self, number: u64, entry: &Entry) {
        if let Some(case) = self.queue.iter_mut().find(|case| case.number == number)
            && let Some(version) = case.restores()
        {
            case.layout = Wanted::Found(layout_in(entry, version));
        }
    }

    /// Judges what can be judged now, each case after those before it.
    pub fn judge(&mut self, beside: &mut impl Beside) -> Round {
        let (mut round, mut bytes) = (Round::default(), 0);
        let mut step = Step::on(&self.board).growing(beside.growth_max());
        while round.judged.len() < JUDGED_CASES_MAX
            && bytes < JUDGED_BYTES_MAX
            && step.effort() < JUDGED_EFFORT_MAX
        {
            match self.queue.front_mut().map(|case| case.readiness(&round, &self.board)) {
                Some(Ready::Judge) => {}
                Some(Ready::Read(number, seq)) => {
                    round.reads = Some((number, seq));
                    break;
                }
                Some(Ready::Wait) | None => break,
            }
            let Some(case) = self.queue.pop_front() else { break };
            let said = case.judged(&mut step, beside);
            bytes += said.shown_bytes(&self.board);
            if let Said::Append(kept) = &said {
                let (author, id) = case.key.clone();
                let body: bytes::Bytes = kept.body().into();
                bytes += body.len();
                round.entries.push(NewEntry { id, author, body });
            }
            round.judged.push(Judged { case, said });
        }
        round
    }
}

/// Whether a case can be judged.
enum Ready {
    Judge,
    Wait,
    Read(u64, Seq),
}

impl Case {
    /// Whether an entry is what it may become.
    fn is(&self, entry: &Entry) -> bool {
        self.key.1 == entry.id && self.key.0 == entry.author
    }

    fn readiness(&mut self, round: &Round, board: &Board) -> Ready {
        if matches!(self.standing, Standing::Asked) {
            return Ready::Wait;
        }
        // What is about to be stored under its id will answer it.
        if round.entries.iter().any(|entry| (&entry.author, &entry.id) == (&self.key.0, &self.key.1)) {
            return Ready::Wait;
        }
        match &self.task {
            Task::Operate(operation) => match (&**operation, &self.standing) {
                (Operation::Restore { version }, Standing::Absent) => {
                    let version = *version;
                    self.seek_layout(version, round, board)
                }
                // What ends a conflict is judged when what ended one before it has become of it.
                (Operation::Resolve { .. }, Standing::Absent) if round.resolves() => Ready::Wait,
                _ => Ready::Judge,
            },
            Task::Sync(_) => Ready::Judge,
        }
    }

    /// A layout is looked for when all before it is stored: it may be among that.
    fn seek_layout(&mut self, version: u64, round: &Round, board: &Board) -> Ready {
        match &self.layout {
            Wanted::Found(_) | Wanted::Lost => return Ready::Judge,
            Wanted::Asked => return Ready::Wait,
            Wanted::Unsought if !round.entries.is_empty() => return Ready::Wait,
            Wanted::Unsought => {}
        }
        if let Some(layout) = board.layout.as_ref().filter(|layout| layout.version == version) {
            self.layout = Wanted::Found(Some(layout.value.clone()));
            return Ready::Judge;
        }
        match board.layouts.iter().find(|(known, _)| *known == version) {
            Some((_, seq)) => {
                self.layout = Wanted::Asked;
                Ready::Read(self.number, *seq)
            }
            None => {
                self.layout = Wanted::Found(None);
                Ready::Judge
            }
        }
    }

    fn judged(&self, step: &mut Step<'_>, beside: &mut impl Beside) -> Said {
        let operation = match &self.task {
            Task::Operate(operation) => operation,
            Task::Sync(since) => return Said::Sync(*since),
        };
        match &self.standing {
            Standing::Stored(entry) => return Said::Repeat(entry.clone()),
            Standing::Lost => return Said::Verdict(Verdict::Refused(Refusal::store_unavailable())),
            Standing::Asked | Standing::Absent => {}
        }
        if let Err(refusal) = beside.may_change(&self.origin) {
            return Said::Verdict(Verdict::Refused(refusal));
        }
        let mut known = match &**operation {
            Operation::Resolve { conflict, .. } => beside.conflict(conflict, &self.key.0),
            Operation::Part(_) | Operation::Batch(_) | Operation::Restore { .. } | Operation::Say { .. } => {
                Known::default()
            }
        };
        match &self.layout {
            Wanted::Lost => return Said::Verdict(Verdict::Refused(Refusal::store_unavailable())),
            Wanted::Found(layout) => known.restored = layout.as_ref(),
            Wanted::Unsought | Wanted::Asked => {}
        }
        match step.judge(operation, known) {
            Verdict::Append(kept) => Said::Append(kept),
            verdict @ (Verdict::Conflict(_)
            | Verdict::Conflicts(_)
            | Verdict::Withdrawn
            | Verdict::Refused(_)) => Said::Verdict(verdict),
        }
    }
}

impl Case {
    /// Whether an entry is what this asks for.
    pub fn was_asked_in(&self, entry: &Entry) -> bool {
        let Task::Operate(operation) = &self.task else { return false };
        Kept::read(&entry.body).is_some_and(|kept| kept.answers(operation))
    }

    /// The conflict that it is to end.
    pub fn resolves(&self) -> Option<&Arc<str>> {
        let Task::Operate(operation) = &self.task else { return None };
        match &**operation {
            Operation::Resolve { conflict, .. } => Some(conflict),
            Operation::Part(_) | Operation::Batch(_) | Operation::Restore { .. } | Operation::Say { .. } => {
                None
            }
        }
    }

    /// The version of the layout that it brings back.
    pub fn restores(&self) -> Option<u64> {
        let Task::Operate(operation) = &self.task else { return None };
        match &**operation {
            Operation::Restore { version } => Some(*version),
            Operation::Part(_) | Operation::Batch(_) | Operation::Resolve { .. } | Operation::Say { .. } => {
                None
            }
        }
    }
}

impl Said {
    /// How much of the board, and of what was asked, its answer shows at the most.
    fn shown_bytes(&self, board: &Board) -> usize {
        match self {
            Self::Append(_) => 0,
            Self::Repeat(entry) => entry.body.len(),
            Self::Sync(_) => board.bytes(),
            Self::Verdict(Verdict::Conflict(clash)) => clash.shown_bytes(board),
            Self::Verdict(Verdict::Conflicts(clashes)) => {
                clashes.iter().map(|clash| clash.shown_bytes(board)).sum()
            }
            Self::Verdict(Verdict::Append(_) | Verdict::Withdrawn | Verdict::Refused(_)) => 0,
        }
    }
}

impl Round {
    fn resolves(&self) -> bool {
        self.judged.iter().any(|judged| judged.case.resolves().is_some())
    }
}

/// The layout that an entry set under this version.
pub fn layout_in(entry: &Entry, version: u64) -> Option<Raw> {
    let kept = Kept::read(&entry.body)?;
    kept.deeds().iter().rev().find_map(|deed| match &deed.done {
        Done::Laid(value) | Done::Restored(_, value) if deed.version == version => Some(value.clone()),
        Done::Laid(_) | Done::Restored(..) | Done::Updated(..) | Done::Deleted(_) => None,
    })
}
