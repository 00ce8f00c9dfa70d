//! The store in memory, as plain as its laws. It is what tests compare other stores with, and what simulations
//! run on: a simulator that wants a crash keeps a clone of what was durable and drops the tickets that were
//! not answered.

mod files;
mod rows;
mod snapshots;

use parlor_protocol::ids::{EntryId, RoomId, RoomKind, Seq, SessionId, UserId};
use parlor_protocol::store::{
    Append, Change, Entry, FOUND_ROWS_MAX, NewEntry, PAGE_BYTES_MAX, Query, RoomRecord, Row, RowKey,
    SessionRow, StoreReply, StoreRequest, TAIL_BYTES_MAX, TAIL_ENTRIES_MAX,
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

/// A log that has or had entries.
#[derive(Debug, Clone, Default, PartialEq)]
struct Log {
    /// Those that are kept.
    entries: Vec<Entry>,
    /// The last one that is not.
    kept_after: Seq,
    last_at: Timestamp,
    places: BTreeMap<(UserId, EntryId), Seq>,
}

impl Log {
    fn head(&self) -> Seq {
        Seq(self.kept_after.0 + self.entries.len() as u64)
    }
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
                StoreReply::Entries { entries, head: self.head(room) }
            }
            StoreRequest::Before { room, before, max } => {
                let log = self.entries(room);
                let to = log.partition_point(|entry| entry.seq < *before);
                let mut entries = fitting(log[..to].iter().rev(), *max as usize, PAGE_BYTES_MAX);
                entries.reverse();
                StoreReply::Entries { entries, head: self.head(room) }
            }
            StoreRequest::Heads(rooms) => {
                let head = |room: &RoomId| (room.clone(), self.head(room));
                StoreReply::Heads(rooms.iter().map(head).collect())
            }
            StoreRequest::Look(Query::Appended { after, max }) => self.appended(*after, *max),
            StoreRequest::Look(Query::Entry { room, author, id }) => {
                let entries = self.under(room, author, id).cloned().into_iter().collect();
                StoreReply::Entries { entries, head: self.head(room) }
            }
            StoreRequest::Look(Query::IdleSessions { before, after, max }) => {
                self.idle_sessions(*before, after.as_ref(), *max)
            }
            StoreRequest::Look(Query::Outdated { kind, before, after, max }) => {
                self.outdated(*kind, *before, after.as_deref(), *max)
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
            let head = if begins { Seq::ZERO } else { self.head(&append.room) };
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
        for change in changes {
            if let Change::Trim { room, upto } = change {
                self.trim(room, *upto);
            }
            rows::removed_room(change).into_iter().for_each(|room| self.forget(room));
        }
        StoreReply::Committed(entries)
    }

    /// Takes the room's log away.
    fn forget(&mut self, room: &RoomId) {
        if self.logs.remove(room).is_some() {
            self.appended.retain(|_, entry| entry.room != *room);
        }
    }

    fn trim(&mut self, room: &RoomId, upto: Seq) {
        let Some(log) = self.logs.get_mut(room) else { return };
        let upto = upto.min(log.head());
        log.entries.retain(|entry| entry.seq > upto);
        log.places.retain(|_, seq| *seq > upto);
        log.kept_after = log.kept_after.max(upto);
        self.appended.retain(|_, entry| entry.room != *room || entry.seq > upto);
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
        let (seq, at) = (log.head().next(), log.last_at.max(now));
        log.last_at = at;
        log.places.insert((author.clone(), id.clone()), seq);
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
        let seq = log.places.get(&(author.clone(), id.clone()))?;
        log.entries.get((seq.0 - log.kept_after.0 - 1) as usize)
    }

    fn load(&self, id: &RoomId) -> Option<RoomRecord> {
        let log = self.entries(id);
        let (room, members) = self.rows.room(id);
        let cursors = self.rows.cursors(id);
        if room.is_none() && members.is_empty() && !self.logs.contains_key(id) {
            return None;
        }
        let mut tail = fitting(log.iter().rev(), TAIL_ENTRIES_MAX, TAIL_BYTES_MAX);
        tail.reverse();
        let head = self.head(id);
        let kept_after = self.logs.get(id).map_or(Seq::ZERO, |log| log.kept_after);
        let snapshot = self.rows.snapshot(id, head);
        Some(RoomRecord { id: id.clone(), room, members, cursors, head, kept_after, tail, snapshot })
    }

    fn idle_sessions(&self, before: Timestamp, after: Option<&SessionId>, max: u32) -> StoreReply {
        let last_at = |row: &SessionRow| self.logs.get(&RoomId::document(&row.id)).map(|log| log.last_at);
        let idle = self.rows.untouched(before).filter(|row| {
            after.is_none_or(|after| row.id > *after) && last_at(row).is_none_or(|last| last < before)
        });
        StoreReply::Found(idle.take(FOUND_ROWS_MAX.min(max as usize)).cloned().map(Row::Session).collect())
    }

    fn outdated(&self, kind: RoomKind, before: Timestamp, after: Option<&str>, max: u32) -> StoreReply {
        let outdated = self.logs.iter().filter(|(room, log)| {
            let is_old = log.entries.first().is_some_and(|first| first.at < before);
            room.kind == kind && is_old && &*room.name > after.unwrap_or("")
        });
        let places = outdated.map(|(room, log)| (room.clone(), log.kept_after));
        StoreReply::Heads(places.take(max as usize).collect())
    }

    fn appended(&self, after: u64, max: u32) -> StoreReply {
        let behind = || self.appended.range(after..).filter(|(place, _)| **place > after);
        let page = fitting(behind().map(|(_, entry)| entry), max as usize, PAGE_BYTES_MAX);
        let entries = behind().map(|(place, _)| *place).zip(page).collect();
        StoreReply::Appended { entries, end: self.end }
    }

    fn head(&self, room: &RoomId) -> Seq {
        self.logs.get(room).map_or(Seq::ZERO, Log::head)
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
