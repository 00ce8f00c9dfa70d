//! One append in flight for each room. What is submitted meanwhile goes together in the next, so that a
//! connection's messages are stored in the order in which it sent them, and a burst costs one commit.

use super::{Room, Told, Waiting};
use crate::apps::{self, chat, drafts};
use crate::context::{Caller, Effects};
use crate::ids::{ConnectionId, RequestId, RoomKind, Seq};
use crate::refusal::{Code, Refusal};
use crate::store::{Append, Change, Entry, NewEntry, StoreReply, StoreRequest};
use crate::tickets::Pending;
use crate::time::Timestamp;
use std::collections::VecDeque;

/// How many entries may wait for the append in flight.
pub const QUEUED_ENTRIES_MAX: usize = 256;
/// The same where backends speak, who bring up to 500 events at once.
pub const QUEUED_EVENTS_MAX: usize = 1_024;
/// How often an append of unknown outcome is asked for again.
const APPEND_TRIES_MAX: u32 = 8;

/// An entry, and who is to be answered when it is stored.
#[derive(Debug)]
pub struct Submission {
    /// Who.
    pub origin: Origin,
    /// What.
    pub entry: NewEntry,
    /// What is to be stored together with it.
    pub rows: Vec<Change>,
}

/// Who brings an entry, and is answered when it is stored.
#[derive(Debug)]
pub enum Origin {
    /// A connection.
    Caller(Caller),
    /// A backend's request.
    Post(PostId),
    /// Whoever uploads a file; the chat hears of its end.
    Upload(Box<chat::Upload>),
    /// A draft's document; the drafts hear of its end.
    Draft(Box<drafts::Submitted>),
}

/// One of the events that a backend's request brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PostId {
    /// The request.
    pub request: RequestId,
    /// Its place among them.
    pub place: usize,
}

/// What became of a backend's event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// Where it stands, if it is kept.
    pub seq: Option<Seq>,
    /// How many connections were sent it.
    pub delivered: usize,
}

impl Origin {
    fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Caller(caller) => Some(caller.connection),
            Self::Upload(upload) => upload.caller().map(|caller| caller.connection),
            Self::Draft(submitted) => submitted.connection(),
            Self::Post(_) => None,
        }
    }

    fn queued_max(&self) -> usize {
        match self {
            Self::Caller(_) | Self::Upload(_) => QUEUED_ENTRIES_MAX,
            Self::Post(_) | Self::Draft(_) => QUEUED_EVENTS_MAX,
        }
    }

    fn refuse(self, kind: RoomKind, refusal: Refusal, fx: &mut Effects<'_>) {
        match self {
            Self::Caller(caller) => apps::refuse(kind, &caller, refusal, fx),
            Self::Post(id) => fx.posted.push((id, Err(refusal))),
            Self::Upload(upload) => fx.uploaded.push((upload, Err(refusal))),
            Self::Draft(submitted) => fx.drafted.push((submitted, Err(refusal))),
        }
    }
}

/// A submission on its way, and since when.
#[derive(Debug)]
struct Queued {
    submission: Submission,
    since: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Appends {
    out: Vec<Queued>,
    tries: u32,
    queued: VecDeque<Queued>,
}

impl Appends {
    /// What goes together in one commit. An entry with rows goes alone: when it was stored before, its rows are
    /// left as they are, which the store can tell of whole commits only.
    fn next(&mut self) -> Vec<Queued> {
        let alone = self.queued.iter().position(|queued| !queued.submission.rows.is_empty());
        let count = alone.map_or(self.queued.len(), |place| place.max(1));
        self.queued.drain(..count).collect()
    }
}

impl Room {
    /// Appends an entry and answers its caller with the app's answer once it is durable and everything before
    /// it was heard. An entry whose id the user used before in this room is answered from the first.
    pub fn submit(&mut self, submission: Submission, fx: &mut Effects<'_>) -> Result<(), Refusal> {
        self.takes_more(submission.origin.queued_max(), fx)?;
        self.take(submission, fx);
        Ok(())
    }

    /// Whether something may be submitted now, where so much may wait.
    pub fn takes_more(&self, queued_max: usize, fx: &Effects<'_>) -> Result<(), Refusal> {
        if self.closing {
            return Err(Refusal::room_access_denied());
        }
        match self.appends.queued.len() >= queued_max || fx.is_busy() {
            true => Err(Refusal::busy()),
            false => Ok(()),
        }
    }

    /// The same as `submit`, for who has just heard that more is taken.
    pub fn take(&mut self, submission: Submission, fx: &mut Effects<'_>) {
        self.appends.queued.push_back(Queued { submission, since: fx.now });
        self.send_queued(fx);
    }

    /// Refuses all that is not known to be stored.
    pub(super) fn refuse_appends(&mut self, fx: &mut Effects<'_>) {
        let out = std::mem::take(&mut self.appends.out);
        for queued in out.into_iter().chain(self.appends.queued.drain(..)) {
            queued.submission.origin.refuse(self.id.kind, Refusal::room_access_denied(), fx);
        }
    }

    /// Whether something is being stored, or waits to be.
    pub fn is_appending(&self) -> bool {
        !self.appends_nothing()
    }

    /// Whether nothing is being stored.
    pub(super) fn appends_nothing(&self) -> bool {
        self.appends.out.is_empty() && self.appends.queued.is_empty() && self.judged.out.is_empty()
    }

    /// Whether an entry is on its way to the store, or its answer on its way back.
    pub(super) fn is_on_its_way(&self, entry: &Entry) -> bool {
        let submitted = self.appends.out.iter().map(|queued| &queued.submission.entry);
        let mut out = submitted.chain(&self.judged.out);
        out.any(|out| out.id == entry.id && out.author == entry.author)
    }

    fn send_queued(&mut self, fx: &mut Effects<'_>) {
        if self.appends.out.is_empty() && !self.appends.queued.is_empty() {
            self.appends.out = self.appends.next();
            self.appends.tries = 0;
            self.send_out(fx);
        }
    }

    fn send_out(&mut self, fx: &mut Effects<'_>) {
        self.appends.tries += 1;
        let entries = self.appends.out.iter().map(|queued| queued.submission.entry.clone()).collect();
        let appends = vec![Append { room: self.id.clone(), expect: None, entries }];
        let waiting = Waiting::Append { room: self.id.clone() };
        let rows = self.appends.out.iter().flat_map(|queued| queued.submission.rows.clone()).collect();
        fx.store(StoreRequest::Commit { appends, rows }, Pending::Room(waiting));
    }

    pub(super) fn on_appended(&mut self, reply: StoreReply, fx: &mut Effects<'_>) -> Vec<Told> {
        // Not into a room that is being deleted: its log would begin anew.
        if reply == StoreReply::Unknown && self.appends.tries < APPEND_TRIES_MAX && !self.closing {
            self.send_out(fx);
            return Vec::new();
        }
        let mut told = Vec::new();
        if let StoreReply::Committed(entries) = reply
            && entries.len() == self.appends.out.len()
        {
            told = self.on_committed(entries, fx);
        } else {
            // An update of a document makes sense only behind those before it.
            let builds_on = |queued: &Queued| matches!(queued.submission.origin, Origin::Draft(_));
            let mut failed = std::mem::take(&mut self.appends.out);
            if failed.iter().any(builds_on) {
                let (behind, others): (VecDeque<_>, VecDeque<_>) =
                    std::mem::take(&mut self.appends.queued).into_iter().partition(builds_on);
                failed.extend(behind);
                self.appends.queued = others;
            }
            for queued in failed {
                queued.submission.origin.refuse(self.id.kind, Refusal::store_unavailable(), fx);
            }
        }
        match self.closing {
            true => self.refuse_appends(fx),
            false => self.send_queued(fx),
        }
        told
    }

    fn on_committed(&mut self, entries: Vec<Entry>, fx: &mut Effects<'_>) -> Vec<Told> {
        let out = std::mem::take(&mut self.appends.out);
        let mut told = Vec::new();
        // One by one: who sent an entry has its answer before it hears what follows it.
        for (Queued { submission, since }, entry) in out.into_iter().zip(entries) {
            let Submission { origin, entry: came, rows: _ } = submission;
            let arrived = self.arrive(origin.connection(), vec![entry.clone()], fx);
            let delivered = arrived.iter().find(|told| told.entry.seq == entry.seq);
            let delivered = delivered.map_or(0, |told| told.delivered);
            told.extend(arrived);
            fx.stats.delivery.note(fx.now.since(since));
            if apps::is_repeat(self.id.kind, &came.body, &entry.body) {
                self.answer_stored(origin, entry, delivered, fx);
            } else {
                let message = format!("the id {:?} stands for something else already", entry.id.as_str());
                origin.refuse(self.id.kind, Refusal::new(Code::Conflict, message), fx);
            }
        }
        told
    }

    fn answer_stored(&mut self, origin: Origin, entry: Entry, delivered: usize, fx: &mut Effects<'_>) {
        match origin {
            Origin::Caller(caller) => self.answer(caller, entry.seq, apps::answer(&entry), fx),
            Origin::Upload(upload) => {
                if let Some(caller) = upload.caller() {
                    self.answer(caller.clone(), entry.seq, apps::answer(&entry), fx);
                }
                fx.uploaded.push((upload, Ok(entry)));
            }
            Origin::Draft(submitted) => fx.drafted.push((submitted, Ok(entry))),
            Origin::Post(id) => {
                fx.posted.push((id, Ok(Delivered { seq: Some(entry.seq), delivered })));
            }
        }
    }
}
