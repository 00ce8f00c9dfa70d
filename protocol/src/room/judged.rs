//! Appends that were judged against what the log says: they are stored only if nothing else was appended since. One is
//! in flight at a time; who judges is told what became of it, and takes in by itself what was stored, so that answers
//! which are no entries stand in their places between those that are. When the log has moved on, what is missing is read
//! first, and then it can be judged again.

use super::{Room, Waiting};
use crate::context::Effects;
use crate::ids::{EntryId, RoomId, Seq, UserId};
use crate::store::{Append, Entry, NewEntry, StoreReply, StoreRequest};
use crate::tickets::Pending;

/// How often an append of unknown outcome is asked for again.
const TRIES_MAX: u32 = 8;

/// What is on its way.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub out: Vec<NewEntry>,
    tries: u32,
    /// Where the log ends at least; what of it was not told is missing.
    pub known: Seq,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// It is stored: the entries, in their order.
    Stored(Vec<Entry>),
    /// Something else was appended since: nothing is stored.
    Stale,
    /// It is not known to be stored.
    Failed,
}

/// What stands under an author and an id, as far as the room knows by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Under {
    /// This entry.
    This(Entry),
    /// Nothing: the whole log is held.
    Nothing,
    /// The store has to be asked.
    Unknown,
}

/// What became of what a room had on its way, for the app that judged it.
pub type JudgedIn = (RoomId, Appended);

impl Room {
    /// Whether all is known that was appended, and nothing is on its way.
    pub fn can_judge(&self) -> bool {
        self.judged.out.is_empty() && self.missing().is_none()
    }

    /// What stands under an author and an id.
    pub fn under(&self, author: &UserId, id: &EntryId) -> Under {
        let found = self.tail.iter().find(|entry| entry.id == *id && entry.author == *author);
        match found {
            Some(entry) => Under::This(entry.clone()),
            None if self.missing().is_none() && self.held(Seq::ZERO.next()).is_some() => Under::Nothing,
            None if self.missing().is_none() && self.head == Seq::ZERO => Under::Nothing,
            None => Under::Unknown,
        }
    }

    /// The entry at this place, if it is held.
    pub fn held(&self, seq: Seq) -> Option<&Entry> {
        let before = Seq(seq.0.checked_sub(1)?);
        self.tail_after(before)?.next()
    }

    /// Stores entries if nothing was appended since; what becomes of it comes by `Effects::judged`.
    pub fn append_judged(&mut self, entries: Vec<NewEntry>, fx: &mut Effects<'_>) {
        debug_assert!(self.can_judge(), "{:?} judges one append at a time", self.id);
        self.judged.out = entries;
        self.judged.tries = 0;
        self.send_judged(fx);
    }

    /// Who has judged takes in what became of it.
    pub fn end_judged(&mut self) {
        self.judged.out = Vec::new();
    }

    fn send_judged(&mut self, fx: &mut Effects<'_>) {
        self.judged.tries += 1;
        let (room, entries) = (self.id.clone(), self.judged.out.clone());
        let appends = vec![Append { room: room.clone(), expect: Some(self.head), entries }];
        let pending = Pending::Room(Waiting::Judged { room });
        fx.store(StoreRequest::Commit { appends, rows: vec![] }, pending);
    }

    pub(super) fn on_judged(&mut self, reply: StoreReply, fx: &mut Effects<'_>) {
        let appended = match reply {
            // Not into a room that is being deleted: its log would begin anew.
            StoreReply::Unknown if self.judged.tries < TRIES_MAX && !self.closing => {
                return self.send_judged(fx);
            }
            StoreReply::Committed(entries) if entries.len() == self.judged.out.len() => {
                Appended::Stored(entries)
            }
            StoreReply::Stale { head, .. } => {
                self.judged.known = self.judged.known.max(head);
                self.mend(fx);
                Appended::Stale
            }
            StoreReply::Committed(_)
            | StoreReply::Unknown
            | StoreReply::Unavailable
            | StoreReply::Taken(_)
            | StoreReply::Loaded(_)
            | StoreReply::Entries { .. }
            | StoreReply::Heads(_)
            | StoreReply::Found(_)
            | StoreReply::Appended { .. } => Appended::Failed,
        };
        fx.judged.push((self.id.clone(), appended));
    }
}
