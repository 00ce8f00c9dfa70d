//! The store in memory, as plain as its laws. It is what tests compare other stores with, and what simulations
//! run on: a simulator that wants a crash keeps a clone of what was durable and drops the tickets that were
//! not answered.

mod files;
mod rows;
mod snapshots;

use parlor_protocol::ids::{EntryId, RoomId, Seq, UserId};
use parlor_protocol::store::{
    Append, Change, Entry, NewEntry, PAGE_BYTES_MAX, Query, RoomRecord, RowKey, StoreReply, StoreRequest,
    TAIL_BYTES_MAX, TAIL_ENTRIES_MAX,
};
use parlor_protocol::time::Timestamp;
use rows::Rows;
use std::collections::BTreeMap;

/// Rooms and rows in memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelStore {
    logs: BTreeMap<RoomId, Log>,
    appended: BTreeMap<u64, Entry>,
    /// The last place that was given to an entry.
    end: u64,
    rows: Rows,
}

/// A log that has entries.
#[derive(Debug, Clone, Default, PartialEq)]
struct Log {
    entries: Vec<Entry>,
    places: BTreeMap<(UserId, EntryId), usize>,
}

impl ModelStore {
    /// Carries out one request. Never `Unavailable`, never `Unknown`: such faults are the simulator's to make.
    pub fn answer(&mut self, now: Timestamp, request: &StoreRequest) -> StoreReply {
        match request {
            StoreRequest::Commit { appends, rows } => self.commit(now, appends, rows),
            StoreRequest::Load { room } => StoreReply::Loaded(self.load(room).map(Box::new)),
            StoreRequest::Read { room, after, max } => {
                let log = self.entries(room);
                let from = log.partition_point(|entry| entry.seq <= *after);
                let entries = fitting(log[from..].iter(), *max as usize, PAGE_BYTES_MAX);
                StoreReply::Entries { entries, head: Seq(log.len() as u64) }
            }
            StoreRequest::Before { room, before, max } => {
                let log = self.entries(room);
                let to = log.partition_point(|entry| entry.seq < *before);
                let mut entries = fitting(log[..to].iter().rev(), *max as usize, PAGE_BYTES_MAX);
                entries.reverse();
                StoreReply::Entries { entries, head: Seq(log.len() as u64) }
            }
            StoreRequest::Heads(rooms) => {
                let head = |room: &RoomId| (room.clone(), Seq(self.entries(room).len() as u64));
                StoreReply::Heads(rooms.iter().map(head).collect())
            }
            StoreRequest::Look(Query::Appended { after, max }) => self.appended(*after, *max),
            StoreRequest::Look(Query::Entry { room, author, id }) => {
                let entries = self.under(room, author, id).cloned().into_iter().collect();
                StoreReply::Entries { entries, head: Seq(self.entries(room).len() as u64) }
            }
            StoreRequest::Look(query) => StoreReply::Found(self.rows.look(query)),
        }
    }

    fn commit(&mut self, now: Timestamp, appends: &[Append], changes: &[Change]) -> StoreReply {
        let new =
            |append: &Append| append.entries.iter().any(|entry| self.standing(&append.room, entry).is_none());
        let any = appends.iter().any(|append| !append.entries.is_empty());
        if any && !appends.iter().any(new) {
            return StoreReply::Committed(self.append(now, appends));
        }
        let begun = self.rows.begun(changes);
        for append in appends {
            let begins = begun.contains(&&append.room);
            let head = if begins { Seq::ZERO } else { Seq(self.entries(&append.room).len() as u64) };
            let judged = begins || new(append) || append.entries.is_empty();
            if judged && append.expect.is_some_and(|expect| expect != head) {
                return StoreReply::Stale { room: append.room.clone(), head };
            }
        }
        let mut rows = self.rows.clone();
        begun.iter().for_each(|room| rows.remove(&RowKey::Room((*room).clone())));
        for change in changes {
            if let Some(key) = rows.write(now, change) {
                return StoreReply::Taken(key);
            }
        }
        self.rows = rows;
        begun.iter().for_each(|room| self.forget(room));
        let entries = self.append(now, appends);
        changes.iter().filter_map(rows::removed_room).for_each(|room| self.forget(room));
        StoreReply::Committed(entries)
    }

    /// Takes the room's log away.
    fn forget(&mut self, room: &RoomId) {
        if self.logs.remove(room).is_some() {
            self.appended.retain(|_, entry| entry.room != *room);
        }
    }

    fn append(&mut self, now: Timestamp, appends: &[Append]) -> Vec<Entry> {
        let mut entries = Vec::new();
        for Append { room, entries: new, .. } in appends {
            entries.extend(new.iter().map(|new| self.keep(now, room, new)));
        }
        entries
    }

    /// The entry as it stands in the log, where it is put unless its author used its id before.
    fn keep(&mut self, now: Timestamp, room: &RoomId, new: &NewEntry) -> Entry {
        if let Some(entry) = self.standing(room, new) {
            return entry.clone();
        }
        let log = self.logs.entry(room.clone()).or_default();
        let NewEntry { id, author, body } = new.clone();
        let seq = Seq(log.entries.len() as u64).next();
        let at = log.entries.last().map_or(now, |last| last.at.max(now));
        log.places.insert((author.clone(), id.clone()), log.entries.len());
        let entry = Entry { room: room.clone(), seq, id, author, at, body };
        log.entries.push(entry.clone());
        self.end += 1;
        self.appended.insert(self.end, entry.clone());
        entry
    }

    fn standing(&self, room: &RoomId, new: &NewEntry) -> Option<&Entry> {
        self.under(room, &new.author, &new.id)
    }

    fn under(&self, room: &RoomId, author: &UserId, id: &EntryId) -> Option<&Entry> {
        let log = self.logs.get(room)?;
        log.entries.get(*log.places.get(&(author.clone(), id.clone()))?)
    }

    fn load(&self, id: &RoomId) -> Option<RoomRecord> {
        let log = self.entries(id);
        let (room, members) = self.rows.room(id);
        let cursors = self.rows.cursors(id);
        if room.is_none() && members.is_empty() && log.is_empty() {
            return None;
        }
        let mut tail = fitting(log.iter().rev(), TAIL_ENTRIES_MAX, TAIL_BYTES_MAX);
        tail.reverse();
        let head = Seq(log.len() as u64);
        let snapshot = self.rows.snapshot(id, head);
        Some(RoomRecord { id: id.clone(), room, members, cursors, head, tail, snapshot })
    }

    fn appended(&self, after: u64, max: u32) -> StoreReply {
        let behind = || self.appended.range(after..).filter(|(place, _)| **place > after);
        let page = fitting(behind().map(|(_, entry)| entry), max as usize, PAGE_BYTES_MAX);
        let entries = behind().map(|(place, _)| *place).zip(page).collect();
        StoreReply::Appended { entries, end: self.end }
    }

    fn entries(&self, room: &RoomId) -> &[Entry] {
        self.logs.get(room).map_or(&[], |log| &log.entries)
    }
}

/// The first of the entries: at most so many, at most so many bytes of bodies, but one if there is one.
fn fitting<'a>(entries: impl Iterator<Item = &'a Entry>, max: usize, bytes_max: usize) -> Vec<Entry> {
    let mut bytes = 0;
    entries
        .take(max)
        .enumerate()
        .take_while(|(place, entry)| {
            bytes += entry.body.len();
            *place == 0 || bytes <= bytes_max
        })
        .map(|(_, entry)| entry.clone())
        .collect()
}
