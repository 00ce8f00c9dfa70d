//! What one connection is sent of logs, over all its rooms, goes at the pace at which it reads: the first pages
//! that answer its joins and the pages behind them take turns, and while a page is on its way out none is given.

use crate::ids::{ConnectionId, RoomId};
use crate::outbox::Class;
use std::collections::{BTreeMap, VecDeque};

/// How many bytes of pages a connection is sent before the last of them has to go out. With one more page they
/// fit into the half of an outbox that is free when it says `Flushed`.
pub(super) const UNFLUSHED_BYTES_MAX: usize = 160 * 1024;
/// How many turns may wait for one connection before a further join is refused as busy.
const TURNS_WAITING_MAX: usize = 256;

/// Whose turn it is, among all that one connection waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// The next page of this room.
    Page(RoomId),
    /// The answer to a join of this room, by the join's number.
    Join(RoomId, u64),
}

/// The turns of all connections.
#[derive(Debug, Default)]
pub struct Pacing {
    lines: BTreeMap<ConnectionId, Line>,
    /// Where the next turn may be due; looked at when the step ends.
    stirred: Vec<ConnectionId>,
}

/// The turns of one connection.
#[derive(Debug, Default)]
struct Line {
    /// Whose turn it is; others wait while it reads.
    turn: Option<Turn>,
    waiting: VecDeque<Turn>,
    /// How much was sent since the last `Flushed`.
    bytes: usize,
    /// Whether `Flushed` will come.
    flushing: bool,
}

impl Pacing {
    /// Whether it is this turn already, or is from now on because nothing is before it.
    pub fn is_turn(&mut self, who: ConnectionId, turn: &Turn) -> bool {
        let line = self.lines.entry(who).or_default();
        if line.turn.is_none() && line.waiting.is_empty() && !line.flushing {
            line.turn = Some(turn.clone());
        }
        line.turn.as_ref() == Some(turn)
    }

    /// Whether too many turns wait for this connection.
    pub fn is_full(&self, who: ConnectionId) -> bool {
        self.lines.get(&who).is_some_and(|line| line.waiting.len() >= TURNS_WAITING_MAX)
    }

    /// Waits for a turn.
    pub fn line_up(&mut self, who: ConnectionId, turn: Turn) {
        self.lines.entry(who).or_default().waiting.push_back(turn);
        self.stirred.push(who);
    }

    /// A turn is over, or not wanted any more.
    pub fn end(&mut self, who: ConnectionId, turn: &Turn) {
        let Some(line) = self.lines.get_mut(&who) else { return };
        line.turn.take_if(|now| now == turn);
        line.waiting.retain(|waiting| waiting != turn);
        self.stirred.push(who);
    }

    /// The connection is sent so much of a log. Says how the last frame is to go: as a page if `more` follows, or
    /// if it has been sent enough.
    pub fn sends(&mut self, who: ConnectionId, bytes: usize, more: bool) -> Class {
        let line = self.lines.entry(who).or_default();
        line.bytes += bytes;
        line.flushing |= more || line.bytes >= UNFLUSHED_BYTES_MAX;
        if line.flushing { Class::Page } else { Class::Kept }
    }

    /// What the connection was sent went out.
    pub fn on_flushed(&mut self, who: ConnectionId) {
        if let Some(line) = self.lines.get_mut(&who) {
            (line.bytes, line.flushing) = (0, false);
            self.stirred.push(who);
        }
    }

    /// A connection is gone. Returns the turns that it waited for.
    pub fn forget(&mut self, who: ConnectionId) -> VecDeque<Turn> {
        self.lines.remove(&who).unwrap_or_default().waiting
    }

    /// Begins the next turn that is due, if there is one.
    pub fn begin_next(&mut self) -> Option<(ConnectionId, Turn)> {
        while let Some(who) = self.stirred.pop() {
            let Some(line) = self.lines.get_mut(&who) else { continue };
            if line.turn.is_some() || line.flushing {
                continue;
            }
            if let Some(turn) = line.waiting.pop_front() {
                line.turn = Some(turn.clone());
                return Some((who, turn));
            }
            if line.bytes == 0 {
                self.lines.remove(&who);
            }
        }
        None
    }

    /// How many connections have been sent, or wait for, something that counts.
    pub fn len(&self) -> usize {
        self.lines.len()
    }
}
