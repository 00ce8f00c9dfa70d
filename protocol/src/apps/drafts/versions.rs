//! What a draft was: a copy of its document is made from the log up to a place, apart from the one that everybody edits.

use super::document::work;
use super::draft::{Restoring, Task};
use super::log::Kept;
use super::rest::{Ask, Call, refuse};
use super::{Drafts, Waiting, fault};
use crate::context::Context;
use crate::docs::{DocJob, DocOutcome};
use crate::http::Response;
use crate::ids::{RoomId, Seq};
use crate::refusal::{Code, Refusal};
use crate::store::{StoreReply, StoreRequest};
use crate::tickets::Pending;

/// How many older versions are looked at at once.
const COPIES_MAX: usize = 4;
/// How many entries one read asks for.
const PAGE_ENTRIES: u32 = 1_000;

/// A copy that is being made.
#[derive(Debug)]
pub struct Copying {
    call: Call,
    draft: RoomId,
    /// Which copy it is.
    copy: u64,
    version: Seq,
    /// What is in it.
    at: Seq,
    step: Step,
}

/// What a copy waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The newest snapshot, which may be of use.
    Snapshot,
    /// Its document is begun.
    Begin,
    /// A page of the log.
    Page,
    /// The page is taken in.
    Fold,
    /// The whole state is written.
    Write,
}

impl Copying {
    /// Whether a job is waited for.
    pub fn is_job(&self) -> bool {
        match self.step {
            Step::Snapshot | Step::Page => false,
            Step::Begin | Step::Fold | Step::Write => true,
        }
    }

    fn work(mut self, step: Step, job: DocJob, ctx: &mut Context<'_>) {
        self.step = step;
        let (draft, copy) = (self.draft.clone(), self.copy);
        work(&draft, copy, job, Waiting::Version(Box::new(self)), ctx);
    }

    fn store(mut self, step: Step, request: StoreRequest, ctx: &mut Context<'_>) {
        self.step = step;
        ctx.fx.store(request, Pending::Drafts(Waiting::Version(Box::new(self))));
    }
}

impl Drafts {
    /// Makes a copy of a draft as it was, for who asked.
    pub(super) fn copy(&mut self, call: Call, draft: RoomId, version: Seq, ctx: &mut Context<'_>) {
        let head = ctx.rooms.find(&draft).map_or(Seq::ZERO, |room| room.head());
        if version > head {
            let message = format!("there is no version {}: the newest is {}", version.0, head.0);
            return refuse(&call, &Refusal::new(Code::NotFound, message), ctx);
        }
        if self.copies >= COPIES_MAX || ctx.fx.is_busy() {
            return refuse(&call, &Refusal::busy(), ctx);
        }
        self.copies += 1;
        self.lives += 1;
        let request = StoreRequest::Load { room: draft.clone() };
        let (copy, at, step) = (self.lives, Seq::ZERO, Step::Snapshot);
        Copying { call, draft, copy, version, at, step }.store(step, request, ctx);
    }

    /// The store answered.
    pub(super) fn on_page(&mut self, mut copying: Copying, reply: StoreReply, ctx: &mut Context<'_>) {
        match (copying.step, reply) {
            (Step::Snapshot, StoreReply::Loaded(Some(record))) => {
                let usable = record.snapshot.filter(|snapshot| snapshot.seq <= copying.version);
                let read = usable.and_then(|found| Some((found.seq, super::opening::read(&found.state)?.1)));
                let (at, snapshot) = read.map_or((Seq::ZERO, None), |(at, state)| (at, Some(state)));
                copying.at = at;
                copying.work(Step::Begin, DocJob::Open { snapshot, updates: Vec::new() }, ctx);
            }
            (Step::Page, StoreReply::Entries { entries, .. }) if !entries.is_empty() => {
                let wanted = entries.iter().take_while(|entry| entry.seq <= copying.version);
                let updates = wanted.filter_map(|entry| match Kept::read(&entry.body) {
                    Some(Kept::Update { update, .. }) => Some(update),
                    Some(Kept::Said(_)) | None => None,
                });
                let updates = updates.collect();
                copying.at = entries.last().map_or(copying.version, |last| last.seq);
                copying.work(Step::Fold, DocJob::Replay { updates }, ctx);
            }
            (_, _) => self.give_up(copying, &Refusal::store_unavailable(), ctx),
        }
    }

    /// A job is done.
    pub(super) fn on_copied(&mut self, copying: Copying, outcome: DocOutcome, ctx: &mut Context<'_>) {
        match (copying.step, outcome) {
            (Step::Begin | Step::Fold, DocOutcome::Opened(Ok(_))) if copying.at < copying.version => {
                let (room, after) = (copying.draft.clone(), copying.at);
                copying.store(Step::Page, StoreRequest::Read { room, after, max: PAGE_ENTRIES }, ctx);
            }
            (Step::Begin | Step::Fold, DocOutcome::Opened(Ok(_))) => {
                copying.work(Step::Write, DocJob::Diff { since: None }, ctx);
            }
            (Step::Write, DocOutcome::Diff { update, .. }) => {
                self.end_copy(&copying, ctx);
                let Copying { call, draft, version, .. } = copying;
                if call.ask != Ask::Restore {
                    let response = Response::new(200, "application/octet-stream", update);
                    return ctx.fx.answered.push((call.request, response));
                }
                let (request, user) = (call.request, call.user.clone());
                let restoring = Box::new(Restoring { request, user, version, state: update });
                match self.open.get_mut(&draft) {
                    Some(open) => open.work.push_back(Task::Restore(restoring)),
                    None => refuse(&call, &Refusal::busy(), ctx),
                }
                self.go_on(&draft, ctx);
            }
            (_, _) => {
                ctx.fx.log(fault(&copying.draft, "a version cannot be made", &copying.version.0.to_string()));
                let refusal = Refusal::new(Code::ServerError, "the version cannot be made now");
                self.give_up(copying, &refusal, ctx);
            }
        }
    }

    fn give_up(&mut self, copying: Copying, refusal: &Refusal, ctx: &mut Context<'_>) {
        self.end_copy(&copying, ctx);
        refuse(&copying.call, refusal, ctx);
    }

    fn end_copy(&mut self, copying: &Copying, ctx: &mut Context<'_>) {
        self.copies -= 1;
        work(&copying.draft, copying.copy, DocJob::Close, Waiting::Closed, ctx);
    }
}
