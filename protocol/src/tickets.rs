//! What the core waits for: one bounded table of typed continuations, each with a deadline. A reply that
//! comes late finds nothing and is dropped; whoever waited was told so at the deadline.

use crate::apps::{chat, dashboards, documents, drafts, projects};
use crate::clean_up;
use crate::connection;
use crate::door;
use crate::hook;
use crate::ids::{Slots, Ticket};
use crate::room;
use crate::store::ANSWER_WAIT_MAX;
use crate::time::Timestamp;
use std::collections::VecDeque;

/// How many answers may be outstanding; commands beyond it are refused as busy.
pub const TICKETS_MAX: usize = 65_536;

/// How many deadlines of answered tickets are kept at least before they are swept out.
const ANSWERED_DEADLINES_MAX: usize = 1_024;

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
    /// The projects app.
    Projects(projects::Waiting),
    /// The drafts app.
    Drafts(drafts::Waiting),
    /// The dashboards app.
    Dashboards(dashboards::Waiting),
    /// The event hook.
    Hook(hook::Waiting),
    /// The daily clean-up.
    CleanUp(clean_up::Waiting),
}

/// What somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// An answer of the store.
    Stored,
    /// The end of a job.
    Worked,
    /// A call of the AI service.
    Attempt,
    /// Another call.
    Called,
}

impl Pending {
    /// What this waits for.
    pub fn awaits(&self) -> Awaited {
        match self {
            Self::Documents(documents::Waiting::Attempt(_)) => Awaited::Attempt,
            Self::Chat(waiting) if waiting.is_attempt() => Awaited::Attempt,
            Self::Chat(waiting) if waiting.is_call() => Awaited::Called,
            Self::Hook(hook::Waiting::Delivery) => Awaited::Called,
            // Their steps tell a job's end from the store's answer themselves.
            Self::Door(_) | Self::Connection(_) => Awaited::Worked,
            Self::Chat(waiting) if waiting.is_job() => Awaited::Worked,
            Self::Drafts(waiting) if waiting.is_job() => Awaited::Worked,
            Self::Dashboards(waiting) if waiting.is_job() => Awaited::Worked,
            Self::Chat(_)
            | Self::Drafts(_)
            | Self::Dashboards(_)
            | Self::Documents(_)
            | Self::Hook(_)
            | Self::Room(_)
            | Self::Projects(_)
            | Self::CleanUp(_) => Awaited::Stored,
        }
    }
}

/// All that is waited for.
#[derive(Debug, Default)]
pub struct Tickets {
    pending: Slots<Ticket, Held>,
    /// Deadlines in the order in which they were set, which is the order in which they come.
    deadlines: VecDeque<(Timestamp, Ticket)>,
}

/// Who waits, and whether for a commit.
#[derive(Debug)]
struct Held {
    pending: Pending,
    commit: bool,
    since: Timestamp,
    deadline: Timestamp,
}

impl Tickets {
    /// A ticket for `pending`, which waits for a commit or for something else.
    pub fn issue(&mut self, now: Timestamp, pending: Pending, commit: bool) -> Ticket {
        let deadline = now + ANSWER_WAIT_MAX;
        let ticket = self.pending.insert(Held { pending, commit, since: now, deadline });
        self.set_deadline(deadline, ticket);
        ticket
    }

    /// The answer has begun to come: it is waited for as long again.
    pub fn extend(&mut self, now: Timestamp, ticket: Ticket) {
        let deadline = now + ANSWER_WAIT_MAX;
        if let Some(held) = self.pending.get_mut(ticket).filter(|held| held.deadline < deadline) {
            held.deadline = deadline;
            self.set_deadline(deadline, ticket);
        }
    }

    fn set_deadline(&mut self, deadline: Timestamp, ticket: Ticket) {
        self.deadlines.push_back((deadline, ticket));
        // One slow call in front would keep the deadlines of all that was answered behind it.
        if self.deadlines.len() > 2 * self.pending.len() + ANSWERED_DEADLINES_MAX {
            let pending = &self.pending;
            self.deadlines.retain(|(at, ticket)| is_due(pending, *at, *ticket));
        }
    }

    /// Whether a commit is waited for on this ticket, or something else; `None`: nothing is.
    pub fn is_commit(&self, ticket: Ticket) -> Option<bool> {
        self.pending.get(ticket).map(|held| held.commit)
    }

    /// Since when this ticket is waited on.
    pub fn since(&self, ticket: Ticket) -> Option<Timestamp> {
        self.pending.get(ticket).map(|held| held.since)
    }

    /// Takes back a ticket whose answer has come.
    pub fn take(&mut self, ticket: Ticket) -> Option<Pending> {
        let held = self.pending.remove(ticket);
        self.forget_answered();
        held.map(|held| held.pending)
    }

    /// Who waits on this ticket.
    pub fn holder(&self, ticket: Ticket) -> Option<&Pending> {
        self.pending.get(ticket).map(|held| &held.pending)
    }

    /// Takes out one whose deadline has come.
    pub fn take_late(&mut self, now: Timestamp) -> Option<Pending> {
        self.forget_answered();
        let (_, ticket) = self.deadlines.pop_front_if(|(deadline, _)| *deadline <= now)?;
        self.pending.remove(ticket).map(|held| held.pending)
    }

    /// The earliest deadline.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.front().map(|(deadline, _)| *deadline)
    }

    /// How many answers are outstanding.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    fn forget_answered(&mut self) {
        while let Some((at, ticket)) = self.deadlines.front()
            && !is_due(&self.pending, *at, *ticket)
        {
            self.deadlines.pop_front();
        }
    }
}

/// Whether this is when a ticket is late: it was neither answered meanwhile nor given more time.
fn is_due(pending: &Slots<Ticket, Held>, at: Timestamp, ticket: Ticket) -> bool {
    pending.get(ticket).is_some_and(|held| held.deadline == at)
}
