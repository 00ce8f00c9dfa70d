//! The rooms that the application wishes to be in: how far each is, and what was heard of it in order.

use crate::input::CallId;
use crate::room::{Log, Place, Room};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// How many rooms a server lets one connection be in.
pub const ROOMS_MAX: usize = 128;

/// All of them.
#[derive(Debug, Default)]
pub struct Rooms {
    by_room: BTreeMap<Room, Seat>,
}

/// One of them.
#[derive(Debug)]
pub struct Seat {
    pub stage: Stage,
    /// Whether the server has ever let the client in. Who was never let in is not brought back.
    pub established: bool,
    /// Who waits for the present stage to end.
    pub callers: Vec<CallId>,
    /// How often in a row the server was not able to let the client in.
    pub tries: u32,
    heard: Option<u64>,
    heard_of_everyone: Option<u64>,
}

/// How far a room is on the present connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Not asked for yet.
    Out,
    /// Asked for, under this number.
    Joining { request: u64, until: Duration },
    /// Asked for again then.
    Pausing { until: Duration },
    /// The client hears what is stored.
    In,
    /// The goodbye is said, under this number.
    Leaving { request: u64 },
}

impl Rooms {
    pub fn seat(&mut self, room: &Room) -> Option<&mut Seat> {
        self.by_room.get_mut(room)
    }

    /// The room's seat, made if there is none; `None`: there are too many.
    pub fn seat_or_new(&mut self, room: Room, since: Option<u64>) -> Option<&mut Seat> {
        if self.by_room.len() >= ROOMS_MAX && !self.by_room.contains_key(&room) {
            return None;
        }
        Some(self.by_room.entry(room).or_insert_with(|| Seat::new(since)))
    }

    pub fn remove(&mut self, room: &Room) -> Option<Seat> {
        self.by_room.remove(room)
    }

    /// The room whose join or goodbye has this number.
    pub fn asked(&self, number: u64) -> Option<Room> {
        let has = |seat: &Seat| match seat.stage {
            Stage::Joining { request, .. } | Stage::Leaving { request } => request == number,
            Stage::Out | Stage::Pausing { .. } | Stage::In => false,
        };
        self.by_room.iter().find(|(_, seat)| has(seat)).map(|(room, _)| room.clone())
    }

    /// The rooms that can be asked for now.
    pub fn due_for_joining(&mut self, now: Duration) -> impl Iterator<Item = (&Room, &mut Seat)> {
        self.by_room.iter_mut().filter(move |(_, seat)| match seat.stage {
            Stage::Out => true,
            Stage::Pausing { until } => until <= now,
            Stage::Joining { .. } | Stage::In | Stage::Leaving { .. } => false,
        })
    }

    /// Whether calls to the room have to wait: what they store comes behind what is caught up with.
    pub fn holds(&self, room: &Room) -> bool {
        self.by_room.get(room).is_some_and(|seat| match seat.stage {
            Stage::Out | Stage::Joining { .. } | Stage::Pausing { .. } => true,
            Stage::In | Stage::Leaving { .. } => false,
        })
    }

    /// Whether the server has not answered a join in time.
    pub fn is_overdue(&self, now: Duration) -> bool {
        self.by_room.values().any(|seat| matches!(seat.stage, Stage::Joining { until, .. } if until <= now))
    }

    /// The connection is gone. Returns who waited for a goodbye: that is done with it.
    pub fn lose(&mut self) -> Vec<CallId> {
        let is_leaving = |seat: &mut Seat| matches!(seat.stage, Stage::Leaving { .. });
        let left = self.by_room.extract_if(.., |_, seat| is_leaving(seat));
        let left = left.flat_map(|(_, seat)| seat.callers).collect();
        self.by_room.values_mut().for_each(|seat| seat.stage = Stage::Out);
        left
    }

    pub fn next_deadline(&self, is_open: bool) -> Option<Duration> {
        let deadlines = self.by_room.values().filter_map(|seat| match seat.stage {
            Stage::Joining { until, .. } | Stage::Pausing { until } if is_open => Some(until),
            Stage::Joining { .. } | Stage::Pausing { .. } => None,
            Stage::Out | Stage::In | Stage::Leaving { .. } => None,
        });
        deadlines.min()
    }

    pub fn clear(&mut self) {
        self.by_room.clear();
    }
}

impl Seat {
    fn new(since: Option<u64>) -> Self {
        Self {
            stage: Stage::Out,
            established: false,
            callers: Vec::new(),
            tries: 0,
            heard: since,
            heard_of_everyone: None,
        }
    }

    /// The call that brings the client in behind what it has heard.
    pub fn join(&self, room: &Room) -> (&'static str, Value) {
        room.join(self.heard, self.heard_of_everyone)
    }

    /// Forgets what was heard: the room goes on from its newest page.
    pub fn reset(&mut self) {
        (self.heard, self.heard_of_everyone) = (Some(0), Some(0));
    }

    /// The server let the client in, and nothing before these is to come.
    pub fn begin(&mut self, last: Option<u64>, last_of_everyone: Option<u64>) {
        self.heard = self.heard.or(last);
        self.heard_of_everyone = self.heard_of_everyone.or(last_of_everyone);
    }

    /// Whether this is the first time that the place is heard of.
    pub fn hear(&mut self, place: &Place) -> bool {
        let heard = match place.log {
            Log::Own => &mut self.heard,
            Log::Everyone => &mut self.heard_of_everyone,
        };
        let is_new = heard.is_none_or(|heard| heard < place.seq);
        if is_new {
            *heard = Some(place.seq);
        }
        is_new
    }
}
