//! Rooms whose app keeps a state that is folded from the log: the state begins with a snapshot, the entries after it
//! are replayed, and now and then what it has become is stored as the next snapshot, in pieces that delay nobody. The
//! log stays whole: a snapshot saves time, and nothing is lost without it.

use super::{Room, Waiting};
use crate::context::Effects;
use crate::ids::{RoomId, Seq};
use crate::store::{
    Change, Entry, FILE_PART_BYTES_MAX, Row, Snapshot, SnapshotPartRow, StoreReply, StoreRequest,
};
use crate::tickets::Pending;
use bytes::Bytes;
use std::collections::VecDeque;

/// After how many entries the next snapshot is due.
pub const FOLD_ENTRIES: u32 = 500;
/// After how many bytes of entries it is.
pub const FOLD_BYTES: usize = 1 << 20;
/// How many entries one read of a replay asks for.
const REPLAY_ENTRIES_MAX: u32 = 1_000;
/// How often a page is asked for, and a piece is sent.
const TRIES_MAX: u32 = 3;

/// What a room that was loaded begins with.
#[derive(Debug, Default)]
pub(super) struct Folding {
    /// Taken by the app.
    begins_with: Option<Box<Snapshot>>,
    /// What was told since the last snapshot was begun.
    entries: u32,
    bytes: usize,
    /// Whether a snapshot is being made or stored.
    under_way: bool,
    /// The pieces that are still to be stored.
    pieces: VecDeque<SnapshotPartRow>,
    replaying: bool,
}

/// A page of what is replayed: the entries, or none where the store does not answer.
pub type Replayed = (RoomId, Option<Vec<Entry>>);

impl Folding {
    /// What a room begins with whose log ends there.
    pub(super) fn of(snapshot: Option<Snapshot>, head: Seq) -> Self {
        let folded = snapshot.as_ref().map_or(Seq::ZERO, |snapshot| snapshot.seq);
        let entries = u32::try_from(head.0.saturating_sub(folded.0)).unwrap_or(u32::MAX);
        Self { begins_with: snapshot.map(Box::new), entries, ..Self::default() }
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.under_way || self.replaying
    }
}

impl Room {
    /// The snapshot that the room was loaded with, for who builds the state from it. It is handed over once.
    pub fn take_snapshot(&mut self) -> Option<Snapshot> {
        self.folding.begins_with.take().map(|snapshot| *snapshot)
    }

    /// What follows in the log after a place, for who folds it: the next entries, none when that is all; or `None`: they are
    /// being read, and come by `Effects::replayed`.
    pub fn replay(&mut self, after: Seq, fx: &mut Effects<'_>) -> Option<Vec<Entry>> {
        let held = self.tail_after(after).map(|entries| entries.cloned().collect());
        if held.is_none() {
            self.folding.replaying = true;
            self.read_replay(after, 1, fx);
        }
        held
    }

    fn read_replay(&self, after: Seq, tries: u32, fx: &mut Effects<'_>) {
        let request = StoreRequest::Read { room: self.id.clone(), after, max: REPLAY_ENTRIES_MAX };
        let waiting = Waiting::Replay { room: self.id.clone(), after, tries };
        fx.store(request, Pending::Room(waiting));
    }

    pub(super) fn on_replay(&mut self, (after, tries): (Seq, u32), reply: StoreReply, fx: &mut Effects<'_>) {
        let page = match reply {
            StoreReply::Entries { mut entries, .. } => {
                // What was not told yet comes in its turn.
                entries.retain(|entry| entry.seq <= self.head);
                entries.first().is_some_and(|first| first.seq == after.next()).then_some(entries)
            }
            StoreReply::Committed(_)
            | StoreReply::Stale { .. }
            | StoreReply::Taken(_)
            | StoreReply::Loaded(_)
            | StoreReply::Heads(_)
            | StoreReply::Found(_)
            | StoreReply::Appended { .. }
            | StoreReply::Unavailable
            | StoreReply::Unknown => None,
        };
        if page.is_none() && tries < TRIES_MAX {
            return self.read_replay(after, tries + 1, fx);
        }
        self.folding.replaying = false;
        fx.replayed.push((self.id.clone(), page));
    }

    /// Counts an entry that was told.
    pub(super) fn note_for_folding(&mut self, entry: &Entry) {
        if self.id.kind.is_folded() {
            self.folding.entries += 1;
            self.folding.bytes += entry.body.len();
        }
    }

    /// Whether a snapshot is to be made now of all that was told. If so it is begun: `keep_snapshot` or `drop_snapshot`
    /// has to follow.
    pub fn begin_snapshot(&mut self) -> bool {
        let folding = &mut self.folding;
        let due = folding.entries >= FOLD_ENTRIES || folding.bytes >= FOLD_BYTES;
        if !due || folding.under_way || self.closing {
            return false;
        }
        *folding = Folding { replaying: folding.replaying, under_way: true, ..Folding::default() };
        true
    }

    /// Stores the snapshot that was begun: the state as it was after this entry.
    pub fn keep_snapshot(&mut self, seq: Seq, state: &Bytes, fx: &mut Effects<'_>) {
        let parts = state.len().div_ceil(FILE_PART_BYTES_MAX).max(1) as u32;
        let piece = |part: u32| {
            let from = part as usize * FILE_PART_BYTES_MAX;
            let bytes = state.slice(from..state.len().min(from + FILE_PART_BYTES_MAX));
            SnapshotPartRow { room: self.id.clone(), seq, part, parts, bytes }
        };
        self.folding.pieces = (0..parts).map(piece).collect();
        self.store_piece(1, fx);
    }

    /// The snapshot that was begun cannot be made; the next one is due as if it had been.
    pub fn drop_snapshot(&mut self) {
        self.folding.under_way = false;
        self.folding.pieces = VecDeque::new();
    }

    fn store_piece(&mut self, tries: u32, fx: &mut Effects<'_>) {
        match self.folding.pieces.front() {
            // Not into a room that is being deleted.
            Some(piece) if !self.closing && !fx.is_busy() => {
                let rows = vec![Change::Put(Row::SnapshotPart(piece.clone()))];
                let waiting = Waiting::Snapshot { room: self.id.clone(), tries };
                fx.store(StoreRequest::Commit { appends: vec![], rows }, Pending::Room(waiting));
            }
            Some(_) | None => self.drop_snapshot(),
        }
    }

    pub(super) fn on_piece_stored(&mut self, tries: u32, reply: &StoreReply, fx: &mut Effects<'_>) {
        match reply {
            StoreReply::Committed(_) => {
                self.folding.pieces.pop_front();
                self.store_piece(1, fx);
            }
            StoreReply::Unknown if tries < TRIES_MAX => self.store_piece(tries + 1, fx),
            StoreReply::Unknown
            | StoreReply::Unavailable
            | StoreReply::Stale { .. }
            | StoreReply::Taken(_)
            | StoreReply::Loaded(_)
            | StoreReply::Entries { .. }
            | StoreReply::Heads(_)
            | StoreReply::Found(_)
            | StoreReply::Appended { .. } => self.drop_snapshot(),
        }
    }
}
