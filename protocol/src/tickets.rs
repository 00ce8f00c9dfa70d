//! What the core waits for: one bounded table of typed continuations, each with a deadline. A reply that
//! comes late finds nothing and is dropped; whoever waited was told so at the deadline.

use crate::apps::{chat, documents};
use crate::connection;
use crate::door;
use crate::ids::{Slots, Ticket};
use crate::room;
use crate::time::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// How many answers may be outstanding; commands beyond it are refused as busy.
pub const TICKETS_MAX: usize = 65_536;
/// How long an answer may take. Longer than a call, which ends by itself.
pub const ANSWER_WAIT_MAX: Duration = Duration::from_secs(45);

/// Who waits, and for what.
#[derive(Debug)]
pub enum Pending {
    /// A request at the door.
    Door(door::Waiting),
    /// A connection's new token.
    Connection(connection::Waiting),
    /// A room's entries.
    Room(room::Waiting),
    /// The documents app.
    Documents(documents::Waiting),
    /// The chat app.
    Chat(chat::Waiting),
}

/// All that is waited for.
#[derive(Debug, Default)]
pub struct Tickets {
    pending: Slots<Ticket, Pending>,
    /// Deadlines in the order in which they were set, which is the order in which they come.
    deadlines: VecDeque<(Timestamp, Ticket)>,
}

impl Tickets {
    /// A ticket for `pending`.
    pub fn issue(&mut self, now: Timestamp, pending: Pending) -> Ticket {
        let ticket = self.pending.insert(pending);
        self.deadlines.push_back((now + ANSWER_WAIT_MAX, ticket));
        ticket
    }

    /// Takes back a ticket whose answer has come.
    pub fn take(&mut self, ticket: Ticket) -> Option<Pending> {
        let pending = self.pending.remove(ticket);
        self.forget_answered();
        pending
    }

    /// Who waits on this ticket.
    pub fn holder(&self, ticket: Ticket) -> Option<&Pending> {
        self.pending.get(ticket)
    }

    /// Takes out one whose deadline has come.
    pub fn take_late(&mut self, now: Timestamp) -> Option<Pending> {
        self.forget_answered();
        let (_, ticket) = self.deadlines.pop_front_if(|(deadline, _)| *deadline <= now)?;
        self.pending.remove(ticket)
    }

    /// The earliest deadline.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.front().map(|(deadline, _)| *deadline)
    }

    /// How many answers are outstanding.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether nothing is waited for.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    fn forget_answered(&mut self) {
        while let Some((_, ticket)) = self.deadlines.front()
            && self.pending.get(*ticket).is_none()
        {
            self.deadlines.pop_front();
        }
    }
}
