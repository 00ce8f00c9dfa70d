//! The store as the laws want it: late, out of order between rooms, and sometimes without an answer that says
//! what happened. Commits to one room are carried out and answered in the order in which they came.

use super::dice::Dice;
use parlor_protocol::ids::{RoomId, Ticket, UserId};
use parlor_protocol::store::ANSWER_WAIT_MAX;
use parlor_protocol::store::{Change, Entry, Row, RowKey, StoreReply, StoreRequest};
use parlor_protocol::time::Timestamp;
use parlor_store::ModelStore;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a request may wait before it is carried out, and how long its answer may take from there.
const HALF_WAY_MAX: u64 = 100_000;
/// Answers come at such steps, so that some come together.
const ANSWER_STEP: u64 = 5_000;

/// What the store will do to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Carry it out and say so.
    Fair,
    /// Carry it out and answer that nothing is known.
    StoredUnknown,
    /// Do nothing and answer that nothing is known.
    LostUnknown,
    /// Do nothing and say so.
    Unavailable,
}

/// A request on its way.
#[derive(Debug, Clone)]
pub struct OnTheWay {
    /// Whose answer it will be.
    pub ticket: Ticket,
    /// What is asked.
    pub request: StoreRequest,
    /// What will come of it.
    pub fate: Fate,
    /// When it is answered.
    pub answered_at: Timestamp,
    /// Whether nobody waits for the answer any more by then.
    pub late: bool,
}

/// The store, and how bad its day is.
#[derive(Debug, Default)]
pub struct SlowStore {
    /// What is durable.
    pub model: ModelStore,
    /// Every log that ever was, room by room; a room that was deleted begins a new one.
    pub logs: BTreeMap<RoomId, Vec<Vec<Entry>>>,
    /// The rooms that there are.
    pub rooms: BTreeSet<RoomId>,
    /// Who is a member of which.
    pub members: BTreeSet<(RoomId, UserId)>,
    /// Whether it fails at times.
    pub fails: bool,
    /// Until when nothing is carried out.
    pub stands_still_until: Timestamp,
    lanes: BTreeMap<RoomId, (Timestamp, Timestamp)>,
}

impl SlowStore {
    /// When the request will be carried out, and what comes of it.
    pub fn submit(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        request: StoreRequest,
        dice: &mut Dice,
    ) -> (Timestamp, OnTheWay) {
        let fate = if self.fails { fate(dice) } else { Fate::Fair };
        let mut at = now.max(self.stands_still_until) + Duration::from_micros(dice.below(HALF_WAY_MAX));
        let mut answered_at = at + Duration::from_micros(dice.below(HALF_WAY_MAX));
        for room in written_rooms(&request) {
            let lane = self.lanes.entry(room).or_default();
            at = at.max(lane.0 + Duration::from_micros(1));
            answered_at = answered_at.max(lane.1).max(at);
        }
        answered_at = Timestamp(answered_at.0.next_multiple_of(ANSWER_STEP));
        for room in written_rooms(&request) {
            self.lanes.insert(room, (at, answered_at));
        }
        (at, OnTheWay { ticket, request, fate, answered_at, late: answered_at >= now + ANSWER_WAIT_MAX })
    }

    /// Carries a request out, as far as its fate lets it.
    pub fn carry_out(&mut self, now: Timestamp, way: &OnTheWay) -> StoreReply {
        match way.fate {
            Fate::Fair => self.answer(now, &way.request),
            Fate::StoredUnknown => {
                self.answer(now, &way.request);
                StoreReply::Unknown
            }
            Fate::LostUnknown => StoreReply::Unknown,
            Fate::Unavailable => StoreReply::Unavailable,
        }
    }

    /// Carries a request out at once.
    pub fn answer(&mut self, now: Timestamp, request: &StoreRequest) -> StoreReply {
        let reply = self.model.answer(now, request);
        if let (StoreRequest::Commit { rows, .. }, StoreReply::Committed(entries)) = (request, &reply) {
            for change in rows {
                if let Change::Insert(Row::Room(room)) = change {
                    self.logs.entry(room.id.clone()).or_default().push(Vec::new());
                }
            }
            for entry in entries {
                let logs = self.logs.entry(entry.room.clone()).or_insert_with(|| vec![Vec::new()]);
                let log = logs.last_mut().expect("a room has a log from the first");
                if entry.seq.0 > log.len() as u64 {
                    assert_eq!(entry.seq.0, log.len() as u64 + 1, "seq has no gap");
                    log.push(entry.clone());
                }
            }
            rows.iter().for_each(|change| self.note(change));
        }
        reply
    }

    fn note(&mut self, change: &Change) {
        match change {
            Change::Insert(Row::Room(row)) | Change::Put(Row::Room(row)) => {
                self.rooms.insert(row.id.clone());
            }
            Change::Insert(Row::Member(row)) | Change::Put(Row::Member(row)) => {
                self.members.insert((row.room.clone(), row.user.clone()));
            }
            Change::Remove(RowKey::Room(room)) => {
                self.logs.entry(room.clone()).or_default().push(Vec::new());
                self.rooms.remove(room);
                self.members.retain(|(of, _)| of != room);
            }
            Change::Remove(RowKey::Member(room, user)) => {
                self.members.remove(&(room.clone(), user.clone()));
            }
            Change::Insert(_)
            | Change::Put(_)
            | Change::Trim { .. }
            | Change::Remove(
                RowKey::Template(_)
                | RowKey::Session(_)
                | RowKey::Document(_)
                | RowKey::Cursor(..)
                | RowKey::File(_)
                | RowKey::FilePart(..)
                | RowKey::Prompt(..)
                | RowKey::Escalation(_)
                | RowKey::Mark(_)
                | RowKey::SnapshotPart(..),
            ) => {}
        }
    }

    /// The room's log as it is now.
    pub fn log(&self, room: &RoomId) -> &[Entry] {
        self.logs.get(room).and_then(|logs| logs.last()).map_or(&[], Vec::as_slice)
    }

    /// Whether this entry stands, or stood before its room was deleted, in the log.
    pub fn has_stored(&self, room: &RoomId, seq: u64, id: &str) -> bool {
        self.logs.get(room).into_iter().flatten().any(|log| {
            seq.checked_sub(1)
                .and_then(|place| log.get(place as usize))
                .is_some_and(|entry| entry.id.as_str() == id)
        })
    }
}

fn fate(dice: &mut Dice) -> Fate {
    match dice.below(100) {
        0..=4 => Fate::StoredUnknown,
        5..=9 => Fate::LostUnknown,
        10..=12 => Fate::Unavailable,
        _ => Fate::Fair,
    }
}

/// The rooms whose order a request keeps. A session's row belongs to its log.
fn written_rooms(request: &StoreRequest) -> Vec<RoomId> {
    let StoreRequest::Commit { appends, rows } = request else { return Vec::new() };
    let of_row = |row: &Row| match row {
        Row::Room(row) => Some(row.id.clone()),
        Row::Member(row) => Some(row.room.clone()),
        Row::Session(row) => Some(RoomId::document(&row.id)),
        Row::Cursor(row) => Some(row.room.clone()),
        Row::File(row) => Some(row.room.clone()),
        Row::Prompt(row) => Some(row.room.clone()),
        Row::Escalation(row) => Some(row.room.clone()),
        Row::Template(_) | Row::Document(_) | Row::FilePart(_) | Row::Mark(_) | Row::SnapshotPart(_) => None,
    };
    let of_change = |change: &Change| match change {
        Change::Insert(row) | Change::Put(row) => of_row(row),
        Change::Trim { room, .. } => Some(room.clone()),
        Change::Remove(
            RowKey::Room(room) | RowKey::Member(room, _) | RowKey::Cursor(room, _) | RowKey::Prompt(room, _),
        ) => Some(room.clone()),
        Change::Remove(
            RowKey::Template(_)
            | RowKey::Session(_)
            | RowKey::Document(_)
            | RowKey::File(_)
            | RowKey::FilePart(..)
            | RowKey::Escalation(_)
            | RowKey::Mark(_)
            | RowKey::SnapshotPart(..),
        ) => None,
    };
    appends.iter().map(|append| append.room.clone()).chain(rows.iter().filter_map(of_change)).collect()
}
