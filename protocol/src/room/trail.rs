//! What a room keeps so that a connection that was cut off can go on where it was (`connection/recovery.rs`): the
//! numbers of the last entries that were told, and what was a connection's own.

use super::{Present, Room, Standing};
use crate::connection::Place;
use crate::ids::{ConnectionId, Seq};
use crate::time::Timestamp;
use std::collections::VecDeque;

/// How many numbers are kept, for a room and for a connection in it.
const NUMBERS_MAX: usize = 32;

/// The numbers of what was told last to those who may come back.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    told: VecDeque<(u64, Seq)>,
    cut: bool,
    last_notice: u64,
}

/// How one connection that may come back has heard the room.
#[derive(Debug, Default)]
pub(super) struct Trail {
    pub live_since: u64,
    own: VecDeque<(u64, Seq)>,
    cut: bool,
    /// Its own entries among what it is still to read: it was answered before it was cut off.
    pub skip: Vec<Seq>,
}

impl Trail {
    pub fn skipping(own: Vec<Seq>) -> Self {
        Self { skip: own, ..Self::default() }
    }
}

impl Room {
    /// An entry was told with this number; these were left out.
    pub(super) fn number(&mut self, seq: Seq, number: u64, left_out: impl IntoIterator<Item = ConnectionId>) {
        let numbers = self.numbers.get_or_insert_default();
        numbers.cut |= push(&mut numbers.told, (number, seq));
        for who in left_out {
            let trail = self.present.get_mut(&who).and_then(|present| present.trail.as_deref_mut());
            if let Some(trail) = trail {
                trail.cut |= push(&mut trail.own, (number, seq));
            }
        }
    }

    /// Something was told to all that stands in no log.
    pub(super) fn number_notice(&mut self, number: u64) {
        self.numbers.get_or_insert_default().last_notice = number;
    }

    /// How far a connection is that may come back; `None`: not far enough to be certain.
    pub fn place(&self, who: ConnectionId) -> Option<Place> {
        let present = self.present.get(&who).filter(|present| present.standing == Standing::Live)?;
        let trail = present.trail.as_deref()?;
        let numbers = self.numbers.as_deref();
        Some(Place {
            room: self.id.clone(),
            head: self.head,
            told: numbers.map_or(Vec::new(), |numbers| numbers.told.iter().copied().collect()),
            cut: numbers.is_some_and(|numbers| numbers.cut),
            live_since: trail.live_since,
            last_notice: numbers.map_or(0, |numbers| numbers.last_notice),
            own: trail.own.iter().copied().collect(),
            own_cut: trail.cut,
        })
    }

    /// The room stays open for somebody who may come back.
    pub fn hold(&mut self, until: Timestamp) {
        self.held_until = self.held_until.max(until);
    }
}

impl Present {
    /// Whether an entry is the connection's own, which it is not to read.
    pub(super) fn skips(&self, seq: Seq) -> bool {
        self.trail.as_deref().is_some_and(|trail| trail.skip.contains(&seq))
    }
}

/// Says whether an older number was dropped.
fn push(numbers: &mut VecDeque<(u64, Seq)>, number: (u64, Seq)) -> bool {
    numbers.push_back(number);
    numbers.len() > NUMBERS_MAX && numbers.pop_front().is_some()
}
