//! What is done with a document, one job at a time: clients' updates as they come, together where several wait; what
//! somebody lacks; the next snapshot. What a job brings is looked at here.

use super::draft::{Folding, Incoming, Restoring, Settled, Stage, Task};
use super::log::{self, Kept};
use super::saving::Whose;
use super::{Drafts, Waiting, fault};
use crate::action::CloseCause;
use crate::context::Context;
use crate::docs::{Applied, DocId, DocJob, DocOutcome, RestoreRefused, Standing, Why};
use crate::door::refusal_response;
use crate::ids::{ConnectionId, RoomId, Seq};
use crate::job::Job;
use crate::outbox::Class;
use crate::refusal::{Code, Refusal};
use crate::tickets::Pending;
use crate::timers::Timer;
use bytes::Bytes;
use serde_json::json;
use std::collections::VecDeque;
use std::time::Duration;

/// How many bytes of updates one job takes.
const JOB_BYTES_MAX: usize = 256 * 1024;
/// How many updates.
const JOB_UPDATES_MAX: usize = 64;
/// How many updates may be on their way to the store before the document takes more.
const UNSETTLED_MAX: usize = 128;
/// So many updates in a row that are none end a connection (WIRE §4).
const UNDECODABLE_MAX: u32 = 3;
/// How long a document waits when nothing more may be waited for.
const BUSY_WAIT: Duration = Duration::from_millis(100);
/// How long a client has to answer what the server asks for (WIRE §4).
pub const ANSWER_WAIT_MAX: Duration = Duration::from_secs(10);

impl Drafts {
    /// Lets the document do the next that waits, unless it is busy or away.
    pub(super) fn go_on(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        let Some(draft) = self.open.get_mut(id) else { return };
        if draft.working || draft.stage != Stage::Ready {
            return;
        }
        if ctx.fx.is_busy() {
            return ctx.fx.timers.set(ctx.fx.now + BUSY_WAIT, Timer::Draft(id.clone()));
        }
        let brings = matches!(draft.work.front(), Some(Task::Updates(_) | Task::Restore(_)));
        if brings && draft.unsettled.len() >= UNSETTLED_MAX {
            return;
        }
        let most = if draft.one_by_one > 0 { 1 } else { JOB_UPDATES_MAX };
        let Some(task) = next(&mut draft.work, most) else { return self.ask_the_dropped(id, ctx) };
        draft.one_by_one -= draft.one_by_one.min(task.updates());
        let job = match &task {
            Task::Updates(updates) => {
                DocJob::Apply { updates: updates.iter().map(|one| one.update.clone()).collect() }
            }
            Task::Known(incoming) => DocJob::Knows { update: incoming.update.clone() },
            Task::Foreign(update) => DocJob::Replay { updates: vec![update.clone()] },
            Task::State(wanted) => DocJob::Diff { since: wanted.since.clone() },
            Task::Fold(_) => DocJob::Fold,
            Task::Restore(restoring) => {
                DocJob::Restore { to: restoring.state.clone(), client: ctx.fx.rng.client_id() }
            }
        };
        // Everything that was told is in the document by the time the job is done.
        let at = ctx.rooms.find(id).map_or(Seq::ZERO, |room| room.head());
        let task = match task {
            Task::Fold(_) => Task::Fold(Folding { seq: at, comments: draft.comments.kept() }),
            Task::Updates(_) | Task::Foreign(_) | Task::Known(_) | Task::State(_) | Task::Restore(_) => task,
        };
        draft.working = true;
        let waiting = Waiting::Task { draft: id.clone(), life: draft.life, task: Box::new(task), at };
        work(id, 0, job, waiting, ctx);
    }

    /// A job of a document is done.
    pub(super) fn on_done(
        &mut self,
        (id, life): (&RoomId, u64),
        task: Task,
        at: Seq,
        outcome: DocOutcome,
        ctx: &mut Context<'_>,
    ) {
        let Some(draft) = self.open.get_mut(id).filter(|draft| draft.life == life) else {
            return self.on_done_in_vain(id, life, task, ctx);
        };
        draft.working = false;
        match (task, outcome) {
            (Task::Updates(updates), DocOutcome::Applied { each, standing })
                if each.len() == updates.len() =>
            {
                self.on_applied(id, updates.into_iter().zip(each), standing, ctx);
            }
            (Task::Known(incoming), DocOutcome::Known(true)) => {
                let given = draft.given;
                let incoming = self.on_taken(id, incoming, false, ctx);
                if let Some(draft) = self.open.get_mut(id) {
                    draft.waiting.push_back((given, Settled::Saved(incoming)));
                }
            }
            (Task::Known(incoming), DocOutcome::Known(false)) => {
                self.readings.answered(incoming.from.connection, &mut ctx.fx);
                self.refuse(&incoming.from, id, &viewers_read(), ctx);
            }
            // Asked again it would be refused again.
            (Task::State(wanted), DocOutcome::DiffRefused(why)) => {
                let fault = if let Why::Malformed(fault) = why { fault } else { why.to_string() };
                let refusal = Refusal::new(Code::ClientError, format!("malformed state vector: {fault}"));
                self.refuse_state(id, &wanted, &refusal, ctx);
            }
            (Task::State(wanted), DocOutcome::Diff { update, state_vector }) => {
                draft.vector = state_vector;
                draft.waiting.push_back((draft.given, Settled::State { wanted, update, at }));
            }
            (Task::Fold(Folding { seq, comments }), DocOutcome::Folded(Ok(document))) => {
                let state = snapshot(&comments, &document);
                draft.waiting.push_back((draft.given, Settled::Snapshot { seq, state }));
            }
            (Task::Fold(_), DocOutcome::Folded(Err(unreadable))) => {
                ctx.fx.log(fault(id, "a snapshot cannot be made", &unreadable.to_string()));
                ctx.rooms.find(id).into_iter().for_each(|room| room.drop_snapshot());
            }
            (Task::Foreign(_), DocOutcome::Opened(Ok(standing))) => self.note(id, standing),
            (Task::Restore(restoring), DocOutcome::Restored(restored)) => {
                self.on_restored(id, *restoring, restored, ctx);
            }
            (task, DocOutcome::Broken { at }) => return self.on_broken(id, task, at, ctx),
            // The worker was replaced, or knows another document: what was asked waits for the next life.
            (task, _) => {
                draft.work.push_front(task);
                return self.lose(id, ctx);
            }
        }
        self.release(id, ctx);
        self.go_on(id, ctx);
    }

    fn on_applied(
        &mut self,
        id: &RoomId,
        updates: impl Iterator<Item = (Incoming, Applied)>,
        standing: Standing,
        ctx: &mut Context<'_>,
    ) {
        self.note(id, standing);
        for (incoming, applied) in updates {
            match applied {
                Applied::New { update, pending } => {
                    let incoming = self.on_taken(id, incoming, pending, ctx);
                    let name = incoming.from.user.name.as_deref().unwrap_or_default().into();
                    let kept = Kept::Update { name, restored: None, update };
                    let author = incoming.from.user.id.clone();
                    let id_told = incoming.id.filter(|_| !pending);
                    let Incoming { from, count, words, .. } = incoming;
                    let whose = Whose::Client { from, id: id_told, whole: !pending, count, words };
                    self.submit(id, &kept, author, whose, ctx);
                }
                Applied::Nothing { pending } => {
                    let incoming = self.on_taken(id, incoming, pending, ctx);
                    match self.open.get_mut(id) {
                        Some(draft) if !pending => {
                            draft.waiting.push_back((draft.given, Settled::Saved(incoming)));
                        }
                        Some(_) | None => self.readings.answered(incoming.from.connection, &mut ctx.fx),
                    }
                }
                Applied::Refused(why) => self.on_refused(id, &incoming, &why, ctx),
            }
        }
    }

    /// An update was good. What it left out is asked for. If it is a whole answer it stands for all that was lost before
    /// it: the words that are owed for that are said with its own, else they are owed still.
    fn on_taken(
        &mut self,
        id: &RoomId,
        mut incoming: Incoming,
        pending: bool,
        ctx: &mut Context<'_>,
    ) -> Incoming {
        let who = incoming.from.connection;
        let Some(draft) = self.open.get_mut(id) else { return incoming };
        let Some(seat) = draft.seats.get_mut(&who) else { return incoming };
        seat.undecodable = 0;
        match (incoming.answers, pending) {
            (Some(answer), false) if seat.owed.is_whole(answer) => {}
            // What even an answer leaves out is missing where it comes from.
            (Some(answer), _) => {
                seat.owed.give_back(std::mem::take(&mut incoming.words));
                if !seat.owed.is_whole(answer) && seat.owed.is_any() && !seat.owed.is_asked() {
                    draft.to_ask.insert(who);
                }
            }
            // With it came what was asked for.
            (None, false) => seat.asked_at = None,
            (None, true) => {
                let is_first = seat.asked_at.is_none();
                seat.asked_at = seat.asked_at.or(Some(ctx.fx.now));
                self.owe(id, &incoming, ctx);
                if is_first {
                    self.ask_for_missing(id, who, ctx);
                    ctx.fx.timers.set(ctx.fx.now + ANSWER_WAIT_MAX, Timer::Draft(id.clone()));
                }
            }
        }
        incoming
    }

    /// Asks a connection for what the document lacks; once it is there, if nobody knows now.
    pub(super) fn ask_for_missing(&mut self, id: &RoomId, who: ConnectionId, ctx: &mut Context<'_>) {
        let Some(draft) = self.open.get_mut(id) else { return };
        let Some(seat) = draft.seats.get_mut(&who) else { return };
        if draft.stage != Stage::Ready {
            draft.to_ask.insert(who);
            return;
        }
        seat.owed.ask();
        let event = log::state_request(id, draft.vector.clone());
        ctx.fx.tell(who, seat.caller.envelope, &event, Class::Kept);
    }

    /// There was no room for something of these, and there is now.
    fn ask_the_dropped(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        let Some(draft) = self.open.get_mut(id) else { return };
        for who in std::mem::take(&mut draft.to_ask) {
            self.ask_for_missing(id, who, ctx);
        }
    }

    pub(super) fn on_refused(&mut self, id: &RoomId, incoming: &Incoming, why: &Why, ctx: &mut Context<'_>) {
        let who = incoming.from.connection;
        self.readings.answered(who, &mut ctx.fx);
        let refusal = match why {
            Why::Malformed(_) => Refusal::new(Code::ClientError, why.to_string()),
            Why::TooLarge { limit, actual } => Refusal::too_large("update", *actual, *limit),
            Why::Full { limit, actual } => Refusal::too_large("document", *actual, *limit),
            Why::TooManyClients { limit, actual } => {
                let details = json!({"limit": limit, "actual": actual});
                Refusal::new(Code::TooLarge, why.to_string()).with(details)
            }
        };
        self.refuse(&incoming.from, id, &refusal, ctx);
        let Some(seat) = self.seat(id, who) else { return };
        seat.owed.give_back(incoming.words.clone());
        if matches!(why, Why::Malformed(_)) {
            seat.undecodable += 1;
            if seat.undecodable >= UNDECODABLE_MAX {
                ctx.fx.close(who, CloseCause::Undecodable);
            }
        }
    }

    fn on_restored(
        &mut self,
        id: &RoomId,
        restoring: Restoring,
        restored: Result<Bytes, RestoreRefused>,
        ctx: &mut Context<'_>,
    ) {
        let Some(draft) = self.open.get_mut(id) else { return };
        match restored {
            Ok(update) if update.is_empty() => {
                draft.waiting.push_back((draft.given, Settled::Restored(restoring.request)));
            }
            Ok(update) => {
                let name = restoring.user.name.as_deref().unwrap_or_default().into();
                let kept = Kept::Update { name, restored: Some(restoring.version), update };
                let author = restoring.user.id.clone();
                self.submit(id, &kept, author, Whose::Restoring(restoring.request), ctx);
            }
            Err(refused) => {
                let refusal = Refusal::new(Code::Conflict, refused.to_string());
                ctx.fx.answered.push((restoring.request, refusal_response(&refusal)));
            }
        }
    }
}

/// What is done next: updates that wait side by side go together, so many at the most.
fn next(work: &mut VecDeque<Task>, most: usize) -> Option<Task> {
    let mut updates = match work.pop_front()? {
        Task::Updates(updates) => updates,
        other @ (Task::Foreign(_) | Task::Known(_) | Task::State(_) | Task::Fold(_) | Task::Restore(_)) => {
            return Some(other);
        }
    };
    if updates.len() > most {
        work.push_front(Task::Updates(updates.split_off(most)));
        return Some(Task::Updates(updates));
    }
    let mut bytes: usize = updates.iter().map(|one| one.update.len()).sum();
    while updates.len() < most
        && bytes < JOB_BYTES_MAX
        && let Some(Task::Updates(more)) = work.front_mut()
    {
        bytes += more.iter().map(|one| one.update.len()).sum::<usize>();
        updates.append(more);
        work.pop_front();
    }
    Some(Task::Updates(updates))
}

/// Why a viewer's update is not taken.
pub(super) fn viewers_read() -> Refusal {
    Refusal::new(Code::PermissionDenied, "viewers cannot change the draft")
}

/// Runs a job of a document.
pub(super) fn work(draft: &RoomId, copy: u64, job: DocJob, waiting: Waiting, ctx: &mut Context<'_>) {
    let doc = DocId { draft: draft.clone(), copy };
    ctx.fx.work(Job::Doc { doc, job }, Pending::Drafts(waiting));
}

/// A snapshot: the comments, their length before them in eight bytes, then the document.
pub(super) fn snapshot(comments: &[u8], document: &[u8]) -> Bytes {
    let mut state = Vec::with_capacity(8 + comments.len() + document.len());
    state.extend((comments.len() as u64).to_be_bytes());
    state.extend_from_slice(comments);
    state.extend_from_slice(document);
    state.into()
}
