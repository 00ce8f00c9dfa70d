//! Snapshots of rooms: the pieces of the whole one, and of those that are being stored.

use bytes::Bytes;
use parlor_protocol::ids::{RoomId, Seq};
use parlor_protocol::store::{Snapshot, SnapshotPartRow};
use std::collections::BTreeMap;

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Snapshots {
    whole: BTreeMap<RoomId, (Seq, u32)>,
    parts: BTreeMap<(RoomId, Seq, u32), Bytes>,
}

impl Snapshots {
    pub(super) fn find(&self, room: &RoomId, head: Seq) -> Option<Snapshot> {
        let (seq, parts) = self.whole.get(room).copied().filter(|(seq, _)| *seq <= head)?;
        let parts = (0..parts).filter_map(|part| self.parts.get(&(room.clone(), seq, part)));
        Some(Snapshot { seq, state: parts.flat_map(|bytes| bytes.iter().copied()).collect() })
    }

    pub(super) fn has(&self, room: &RoomId, seq: Seq, part: u32) -> bool {
        self.parts.contains_key(&(room.clone(), seq, part))
    }

    pub(super) fn put(&mut self, row: SnapshotPartRow) {
        let SnapshotPartRow { room, seq, part, parts, bytes } = row;
        self.parts.insert((room.clone(), seq, part), bytes);
        if part + 1 < parts {
            return;
        }
        if self.whole.get(&room).is_some_and(|(newest, _)| *newest > seq) {
            return self.parts.retain(|(of, at, _), _| *of != room || *at != seq);
        }
        if (0..parts).any(|part| !self.has(&room, seq, part)) {
            return;
        }
        self.parts.retain(|(of, at, part), _| *of != room || (*at == seq && *part < parts));
        self.whole.insert(room, (seq, parts));
    }

    pub(super) fn remove(&mut self, room: &RoomId, seq: Seq, part: u32) {
        self.parts.remove(&(room.clone(), seq, part));
        if self.whole.get(room).is_some_and(|(whole, parts)| *whole == seq && *parts > part) {
            self.whole.remove(room);
        }
    }

    pub(super) fn remove_room(&mut self, room: &RoomId) {
        self.whole.remove(room);
        self.parts.retain(|(of, ..), _| of != room);
    }
}
