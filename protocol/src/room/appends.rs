//! One append in flight for each room. What is submitted meanwhile goes together in the next, so that a
//! connection's messages are stored in the order in which it sent them, and a burst costs one commit.

use super::{Room, Told, Waiting};
use crate::apps::{self, chat};
use crate::context::{Caller, Effects};
use crate::ids::{ConnectionId, RoomKind};
use crate::refusal::{Code, Refusal};
use crate::store::{Append, Change, Entry, NewEntry, StoreReply, StoreRequest};
use crate::tickets::Pending;
use std::collections::VecDeque;

/// How many entries may wait for the append in flight.
pub const QUEUED_ENTRIES_MAX: usize = 256;
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
    /// Whoever uploads a file; the chat hears of its end.
    Upload(Box<chat::Upload>),
}

impl Origin {
    fn caller(&self) -> Option<&Caller> {
        match self {
            Self::Caller(caller) => Some(caller),
            Self::Upload(upload) => upload.caller(),
        }
    }

    fn connection(&self) -> Option<ConnectionId> {
        self.caller().map(|caller| caller.connection)
    }

    fn refuse(self, kind: RoomKind, refusal: Refusal, fx: &mut Effects<'_>) {
        match self {
            Self::Caller(caller) => apps::refuse(kind, &caller, refusal, fx),
            Self::Upload(upload) => fx.uploaded.push((upload, Err(refusal))),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Appends {
    out: Vec<Submission>,
    tries: u32,
    queued: VecDeque<Submission>,
}

impl Appends {
    /// What goes together in one commit. An entry with rows goes alone: when it was stored before, its rows are
    /// left as they are, which the store can tell of whole commits only.
    fn next(&mut self) -> Vec<Submission> {
        let alone = self.queued.iter().position(|submission| !submission.rows.is_empty());
        let count = alone.map_or(self.queued.len(), |place| place.max(1));
        self.queued.drain(..count).collect()
    }
}

impl Room {
    /// Appends an entry and answers its caller with the app's answer once it is durable and everything before
    /// it was heard. An entry whose id the user used before in this room is answered from the first.
    pub fn submit(&mut self, submission: Submission, fx: &mut Effects<'_>) -> Result<(), Refusal> {
        self.takes_more(fx)?;
        self.take(submission, fx);
        Ok(())
    }

    /// Whether something may be submitted now.
    pub fn takes_more(&self, fx: &Effects<'_>) -> Result<(), Refusal> {
        if self.closing {
            return Err(Refusal::room_access_denied());
        }
        match self.appends.queued.len() >= QUEUED_ENTRIES_MAX || fx.is_busy() {
            true => Err(Refusal::busy()),
            false => Ok(()),
        }
    }

    /// The same as `submit`, for who has just heard that more is taken.
    pub fn take(&mut self, submission: Submission, fx: &mut Effects<'_>) {
        self.appends.queued.push_back(submission);
        self.send_queued(fx);
    }

    /// Refuses all that is not known to be stored.
    pub(super) fn refuse_appends(&mut self, fx: &mut Effects<'_>) {
        let out = std::mem::take(&mut self.appends.out);
        for submission in out.into_iter().chain(self.appends.queued.drain(..)) {
            submission.origin.refuse(self.id.kind, Refusal::room_access_denied(), fx);
        }
    }

    /// Whether nothing is being stored.
    pub(super) fn appends_nothing(&self) -> bool {
        self.appends.out.is_empty() && self.appends.queued.is_empty()
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
        let entries = self.appends.out.iter().map(|submission| submission.entry.clone()).collect();
        let appends = vec![Append { room: self.id.clone(), expect: None, entries }];
        let waiting = Waiting::Append { room: self.id.clone() };
        let rows = self.appends.out.iter().flat_map(|submission| submission.rows.clone()).collect();
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
            for submission in std::mem::take(&mut self.appends.out) {
                submission.origin.refuse(self.id.kind, Refusal::store_unavailable(), fx);
            }
        }
        match self.closing {
            true => self.refuse_appends(fx),
            false => self.send_queued(fx),
        }
        told
    }

    fn on_committed(&mut self, entries: Vec<Entry>, fx: &mut Effects<'_>) -> Vec<Told> {
        let submissions = std::mem::take(&mut self.appends.out);
        let mut told = Vec::new();
        // One by one: who sent an entry has its answer before it hears what follows it.
        for (Submission { origin, entry: came, .. }, entry) in submissions.into_iter().zip(entries) {
            told.extend(self.arrive(origin.connection(), vec![entry.clone()], fx));
            if apps::is_repeat(self.id.kind, &came.body, &entry.body) {
                self.answer_stored(origin, entry, fx);
            } else {
                let message = format!("the id {:?} stands for something else already", entry.id.as_str());
                origin.refuse(self.id.kind, Refusal::new(Code::Conflict, message), fx);
            }
        }
        told
    }

    fn answer_stored(&mut self, origin: Origin, entry: Entry, fx: &mut Effects<'_>) {
        if let Some(caller) = origin.caller() {
            self.answer(caller.clone(), entry.seq, apps::answer(&entry), fx);
        }
        if let Origin::Upload(upload) = origin {
            fx.uploaded.push((upload, Ok(entry)));
        }
    }
}
