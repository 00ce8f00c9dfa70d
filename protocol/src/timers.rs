//! Deadlines as data: one table for all that the core waits for. A timer is never taken out; whoever it
//! fires for looks whether it still means anything, and sets it again if it is early.

use crate::ids::{ConnectionId, EntryId, RoomId};
use crate::time::Timestamp;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What a deadline is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A connection was silent: ping it, or close it.
    Heartbeat(ConnectionId),
    /// A connection's token ends, or is about to.
    TokenEnds(ConnectionId),
    /// An Engine.IO session pings, or waits no longer.
    Engine(ConnectionId),
    /// Entries that are missing in a room, and could not be read, are asked for again.
    Gap(RoomId),
    /// A document session's next attempt at an AI reply.
    Attempt(RoomId),
    /// A prompt's next attempt, read or save.
    Robot(Box<(RoomId, EntryId)>),
    /// What supervisors are to be told is stored again.
    Desk(RoomId),
    /// Somebody in a room may have stopped typing.
    Typing(RoomId),
    /// A room's joins and leaves are told.
    Presence(RoomId),
    /// Something of a draft is due: who sits in it is told, a client did not answer, its document is opened again.
    Draft(RoomId),
    /// What is asked of dashboards, and was left by a step that judged enough, goes on.
    Boards,
    /// A connection that brought too much may be read again.
    Reading(ConnectionId),
    /// No document of a `/hocuspocus` connection was opened in time.
    Unauthenticated(ConnectionId),
    /// Sessions whose AI reply is overdue are looked for.
    Overdue,
    /// What was left, or is older than it is kept, is removed.
    CleanUp,
    /// What the clean-up has left is tried again.
    CleanUpAgain,
    /// The event hook tries again.
    Hook,
    /// The next connections of a stopping server are closed.
    DrainStep,
    /// What is old is forgotten: rate windows, rooms nobody is in.
    Tidy,
}

/// All deadlines.
#[derive(Debug, Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(Timestamp, u64, Timer)>>,
    set: u64,
}

impl Timers {
    /// Fires `timer` at `at`. Equal times fire in the order in which they were set.
    pub fn set(&mut self, at: Timestamp, timer: Timer) {
        self.set += 1;
        self.heap.push(Reverse((at, self.set, timer)));
    }

    /// The earliest deadline.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes out the earliest timer that is due.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<Timer> {
        match self.heap.peek() {
            Some(Reverse((at, ..))) if *at <= now => self.heap.pop().map(|Reverse((_, _, timer))| timer),
            _ => None,
        }
    }

    /// How many deadlines there are.
    pub fn len(&self) -> usize {
        self.heap.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_by_time_and_then_in_the_order_they_were_set() {
        let mut timers = Timers::default();
        timers.set(Timestamp(2), Timer::Tidy);
        timers.set(Timestamp(1), Timer::Overdue);
        timers.set(Timestamp(1), Timer::DrainStep);
        assert_eq!(timers.next_deadline(), Some(Timestamp(1)));
        assert_eq!(timers.pop_due(Timestamp(1)), Some(Timer::Overdue));
        assert_eq!(timers.pop_due(Timestamp(1)), Some(Timer::DrainStep));
        assert_eq!(timers.pop_due(Timestamp(1)), None);
        assert_eq!(timers.pop_due(Timestamp(9)), Some(Timer::Tidy));
    }
}
