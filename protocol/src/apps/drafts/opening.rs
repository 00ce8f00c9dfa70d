//! From the log to the document: a snapshot, then what was stored since, page by page; and again from the beginning
//! where a document was lost.

use super::comments::Comments;
use super::document::{ANSWER_WAIT_MAX, work};
use super::draft::{Draft, Incoming, Settled, Stage, Task};
use super::log::Kept;
use super::saving::Whose;
use super::{Drafts, Waiting, fault};
use crate::context::Context;
use crate::docs::{DocJob, DocOutcome};
use crate::door::refusal_response;
use crate::ids::{RoomId, Seq};
use crate::refusal::Refusal;
use crate::store::{Entry, Snapshot, StoreReply, StoreRequest};
use crate::tickets::Pending;
use crate::timers::Timer;
use bytes::Bytes;
use std::time::Duration;

/// How long after a document was lost it is opened again; twice as long each time.
const REOPEN_WAIT: Duration = Duration::from_millis(100);
/// At the most.
const REOPEN_WAIT_MAX: Duration = Duration::from_secs(10);

impl Drafts {
    /// A draft's room was loaded: its document is made from what is stored.
    pub(super) fn begin(&mut self, id: &RoomId, snapshot: Option<Snapshot>, ctx: &mut Context<'_>) {
        self.lives += 1;
        let life = self.lives;
        let draft = self.open.entry(id.clone()).or_insert_with(|| Box::new(Draft::new(life)));
        (draft.life, draft.stage) = (life, Stage::Opening);
        (draft.at, draft.comments_read) = (Seq::ZERO, Comments::default());
        let mut document = None;
        if let Some(snapshot) = snapshot.filter(|_| draft.skipped.is_empty()) {
            match read(&snapshot.state) {
                Some((comments, bytes)) => {
                    (draft.at, draft.comments_read) = (snapshot.seq, comments);
                    document = Some(bytes);
                }
                None => ctx.fx.log(fault(id, "a snapshot is unreadable", "it is passed over")),
            }
        }
        let whole = document.is_none();
        let job = DocJob::Open { snapshot: document, updates: Vec::new() };
        let waiting = Waiting::Opened { draft: id.clone(), life, from_log: whole };
        work(id, 0, job, waiting, ctx);
    }

    /// The document was begun.
    pub(super) fn on_opened(
        &mut self,
        (id, life): (&RoomId, u64),
        from_log: bool,
        outcome: DocOutcome,
        ctx: &mut Context<'_>,
    ) {
        if self.open.get(id).is_none_or(|draft| draft.life != life) {
            return;
        }
        if let DocOutcome::Opened(Ok(standing)) = outcome {
            self.note(id, standing);
            return self.replay(id, ctx);
        }
        let why = if let DocOutcome::Opened(Err(unreadable)) = &outcome {
            Some(unreadable.to_string())
        } else {
            matches!(outcome, DocOutcome::Broken { .. }).then(|| "it broke".to_string())
        };
        match why.filter(|_| !from_log) {
            // The log is whole without it.
            Some(why) => {
                ctx.fx.log(fault(id, "a snapshot is unreadable", &why));
                self.begin(id, None, ctx);
            }
            None => self.lose(id, ctx),
        }
    }

    /// Takes the next entries into the document, until it has all.
    fn replay(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        let (Some(draft), Some(room)) = (self.open.get_mut(id), ctx.rooms.find(id)) else { return };
        if draft.at >= room.head() {
            return self.ready(id, ctx);
        }
        if let Some(entries) = room.replay(draft.at, &mut ctx.fx) {
            self.fold(id, &entries, ctx);
        }
    }

    /// A page of the log was read.
    pub fn on_replayed(&mut self, id: &RoomId, page: Option<Vec<Entry>>, ctx: &mut Context<'_>) {
        let Some(draft) = self.open.get(id).filter(|draft| draft.stage == Stage::Opening) else { return };
        match page {
            Some(entries) if entries.first().is_some_and(|first| first.seq == draft.at.next()) => {
                self.fold(id, &entries, ctx);
            }
            Some(_) | None => self.lose(id, ctx),
        }
    }

    fn fold(&mut self, id: &RoomId, entries: &[Entry], ctx: &mut Context<'_>) {
        let (Some(draft), Some(last)) = (self.open.get_mut(id), entries.last()) else { return };
        let (mut updates, mut seqs) = (Vec::new(), Vec::new());
        for entry in entries {
            match Kept::read(&entry.body) {
                Some(Kept::Update { update, .. }) if !draft.skipped.contains(&entry.seq) => {
                    updates.push(update);
                    seqs.push(entry.seq);
                }
                Some(Kept::Said(words)) => draft.comments_read.fold(entry, &words),
                Some(Kept::Update { .. }) | None => {}
            }
        }
        let waiting = Waiting::Replayed { draft: id.clone(), life: draft.life, seqs, at: last.seq };
        work(id, 0, DocJob::Replay { updates }, waiting, ctx);
    }

    /// Entries were taken into the document. One that it cannot take is passed over in its next life: everybody
    /// else's work is worth more than it.
    pub(super) fn on_folded(
        &mut self,
        (id, life): (&RoomId, u64),
        (seqs, at): (Vec<Seq>, Seq),
        outcome: DocOutcome,
        ctx: &mut Context<'_>,
    ) {
        let Some(draft) = self.open.get_mut(id).filter(|draft| draft.life == life) else { return };
        if let DocOutcome::Opened(Ok(standing)) = outcome {
            draft.at = at;
            self.note(id, standing);
            return self.replay(id, ctx);
        }
        let bad = if let DocOutcome::Opened(Err(unreadable)) = &outcome {
            unreadable.at
        } else if let DocOutcome::Broken { at } = outcome {
            at
        } else {
            None
        };
        if let Some(seq) = bad.and_then(|bad| seqs.get(bad)) {
            draft.skipped.insert(*seq);
            ctx.fx.log(fault(id, "an entry is unreadable", &format!("{} is passed over", seq.0)));
        }
        self.lose(id, ctx);
    }

    fn ready(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        let Some(draft) = self.open.get_mut(id) else { return };
        draft.stage = Stage::Ready;
        draft.losses = 0;
        draft.comments = std::mem::take(&mut draft.comments_read);
        let asked = std::mem::take(&mut draft.to_ask);
        let calls = std::mem::take(&mut draft.calls);
        let coming: Vec<_> = draft
            .seats
            .iter()
            .filter(|(_, seat)| !seat.inside && !seat.answering)
            .map(|(who, _)| *who)
            .collect();
        for who in asked {
            if let Some(since) = self.seat(id, who).and_then(|seat| seat.asked_at.as_mut()) {
                *since = ctx.fx.now;
                ctx.fx.timers.set(ctx.fx.now + ANSWER_WAIT_MAX, Timer::Draft(id.clone()));
            }
            self.ask_for_missing(id, who, ctx);
        }
        for who in coming {
            self.come_in(id, who, ctx);
        }
        for call in calls {
            self.answer_call(call, ctx);
        }
        self.go_on(id, ctx);
    }

    /// The document is not what the log says any more, or is gone: it is made anew from the log. What waits for it
    /// stays; whose updates are lost is asked for them.
    pub(super) fn lose(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        self.lives += 1;
        let Some(draft) = self.open.get_mut(id) else { return };
        let times = draft.losses.max(draft.unstored.saturating_sub(1)).min(16);
        let wait = (REOPEN_WAIT * 2u32.pow(times)).min(REOPEN_WAIT_MAX);
        let until = ctx.fx.now + wait;
        draft.stage = Stage::Lost { until };
        draft.losses += 1;
        (draft.life, draft.working) = (self.lives, false);
        (draft.given, draft.settled) = (0, 0);
        draft.unsettled.clear();
        let waiting = std::mem::take(&mut draft.waiting);
        let folds = draft.work.iter().any(|task| matches!(task, Task::Fold(_)));
        draft.work.retain(|task| !matches!(task, Task::Fold(_) | Task::Foreign(_)));
        let mut folding = folds;
        for (_, settled) in waiting.into_iter().rev() {
            folding |= matches!(settled, Settled::Snapshot { .. });
            self.take_back(id, settled, ctx);
        }
        if folding && let Some(room) = ctx.rooms.find(id) {
            room.drop_snapshot();
        }
        self.ask_again(id);
        ctx.fx.timers.set(until, Timer::Draft(id.clone()));
    }

    /// What somebody was asked for said that the document has what it lost.
    fn ask_again(&mut self, id: &RoomId) {
        let Some(draft) = self.open.get_mut(id) else { return };
        for (who, seat) in &mut draft.seats {
            if seat.owed.is_asked() || seat.owed.is_any() {
                draft.to_ask.insert(*who);
            }
            if draft.to_ask.contains(who) {
                seat.owed.outdate();
            }
        }
    }

    fn take_back(&mut self, id: &RoomId, settled: Settled, ctx: &mut Context<'_>) {
        match settled {
            Settled::Saved(Incoming { from, count, words, .. }) => {
                let whose = Whose::Client { from, id: None, whole: true, count, words };
                self.on_unsaved(id, whose, &Refusal::store_unavailable(), ctx);
            }
            Settled::State { wanted, .. } => {
                if let Some(draft) = self.open.get_mut(id) {
                    draft.work.push_front(Task::State(wanted));
                }
            }
            Settled::Snapshot { .. } => {}
            Settled::Restored(request) => {
                ctx.fx.answered.push((request, refusal_response(&Refusal::store_unavailable())));
            }
        }
    }

    /// The wait after a loss is over. As long as something is on its way to the log nobody knows what it says.
    pub(super) fn reopen(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        let Some(draft) = self.open.get_mut(id) else { return };
        let Stage::Lost { until } = draft.stage else { return };
        if ctx.fx.now < until {
            return;
        }
        if ctx.fx.is_busy() || ctx.rooms.find(id).is_some_and(|room| room.is_appending()) {
            let until = ctx.fx.now + REOPEN_WAIT;
            draft.stage = Stage::Lost { until };
            return ctx.fx.timers.set(until, Timer::Draft(id.clone()));
        }
        let waiting = Waiting::Reload { draft: id.clone(), life: draft.life };
        ctx.fx.store(StoreRequest::Load { room: id.clone() }, Pending::Drafts(waiting));
    }

    /// The room was read once more.
    pub(super) fn on_reloaded(
        &mut self,
        (id, life): (&RoomId, u64),
        reply: StoreReply,
        ctx: &mut Context<'_>,
    ) {
        if self.open.get(id).is_none_or(|draft| draft.life != life) {
            return;
        }
        let StoreReply::Loaded(Some(record)) = reply else { return self.lose(id, ctx) };
        let head = ctx.rooms.find(id).map_or(Seq::ZERO, |room| room.head());
        // What is in the log and was never told comes in now; what is being stored comes with its answer.
        let unheard = record.tail.into_iter().filter(|entry| entry.seq > head).collect();
        let room = ctx.rooms.find(id).filter(|room| !room.is_appending());
        let told = room.map(|room| room.arrive(None, unheard, &mut ctx.fx));
        self.begin(id, record.snapshot, ctx);
        told.into_iter().flatten().for_each(|told| self.on_told(&told, ctx));
    }
}

/// The comments of a snapshot, and its document.
pub(super) fn read(state: &Bytes) -> Option<(Comments, Bytes)> {
    let (length, rest) = state.split_at_checked(8)?;
    let length = usize::try_from(u64::from_be_bytes(length.try_into().ok()?)).ok()?;
    let (comments, document) = rest.split_at_checked(length)?;
    Some((Comments::read(comments)?, state.slice(state.len() - document.len()..)))
}
