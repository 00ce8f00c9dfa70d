//! What waits for rooms that are being loaded, in the order in which it came.

use crate::ids::RoomId;
use std::collections::BTreeMap;

/// How much may wait for rooms that are being loaded.
const PARKED_MAX: usize = 10_000;

/// What waits, room by room.
#[derive(Debug)]
pub struct Parking<T> {
    lots: BTreeMap<RoomId, Lot<T>>,
    count: usize,
}

/// What waits for one room.
#[derive(Debug)]
struct Lot<T> {
    waiting: Vec<T>,
    /// Whether the room was changed since it was asked for: what was read of it may be older.
    outdated: bool,
}

impl<T> Default for Parking<T> {
    fn default() -> Self {
        Self { lots: BTreeMap::new(), count: 0 }
    }
}

impl<T> Parking<T> {
    /// Whether something waits for this room: what comes now belongs behind it.
    pub fn holds(&self, room: &RoomId) -> bool {
        self.lots.contains_key(room)
    }

    /// Whether nothing more may wait.
    pub fn is_full(&self) -> bool {
        self.count >= PARKED_MAX
    }

    /// Lets something wait. Whether it is the first for its room, which is then to be loaded.
    pub fn park(&mut self, room: RoomId, waiting: T) -> bool {
        self.count += 1;
        let lot = self.lots.entry(room).or_insert_with(|| Lot { waiting: Vec::new(), outdated: false });
        lot.waiting.push(waiting);
        lot.waiting.len() == 1
    }

    /// A room was made, changed or deleted, or its members were.
    pub fn room_changed(&mut self, room: &RoomId) {
        if let Some(lot) = self.lots.get_mut(room) {
            lot.outdated = true;
        }
    }

    /// Whether what was read of the room may be older than its last change; from now on it is to be read again.
    pub fn is_outdated(&mut self, room: &RoomId) -> bool {
        self.lots.get_mut(room).is_some_and(|lot| std::mem::take(&mut lot.outdated))
    }

    /// What waits for the room, the first in front.
    pub fn waiting(&self, room: &RoomId) -> &[T] {
        self.lots.get(room).map_or(&[], |lot| &lot.waiting)
    }

    /// Takes out what waits for the room.
    pub fn take(&mut self, room: &RoomId) -> Vec<T> {
        let waiting = self.lots.remove(room).map(|lot| lot.waiting).unwrap_or_default();
        self.count -= waiting.len();
        waiting
    }

    /// How much waits.
    pub fn len(&self) -> usize {
        self.count
    }
}
