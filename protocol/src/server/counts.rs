//! How much the server holds right now: for metrics, and to see that nothing is left behind.

use super::Server;

/// The lengths of the server's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Sockets that have not ended.
    pub connections: usize,
    /// Users with connections or recent calls.
    pub users: usize,
    /// Addresses with connections or recent arrivals.
    pub addresses: usize,
    /// HTTP requests that wait for their answer.
    pub requests: usize,
    /// Open rooms of every kind.
    pub rooms: usize,
    /// Connections that may be in rooms.
    pub joined: usize,
    /// Connections whose turn to be sent pages is kept.
    pub paced: usize,
    /// Socket.IO sessions, and requests that wait in them.
    pub engines: usize,
    /// Socket.IO connections that were cut off and may come back.
    pub remembered: usize,
    /// Commands that wait for their room, and joins under way; all that is held of drafts.
    pub parked: usize,
    /// Open document sessions, those being opened, and those that wait for a call.
    pub sessions: usize,
    /// Answers of the store, of jobs and of services that are outstanding.
    pub tickets: usize,
    /// Deadlines, those that have lost their meaning included.
    pub timers: usize,
}

impl Counts {
    /// All of it but the timers: nothing when nobody is there and nothing is under way.
    pub fn held(&self) -> usize {
        let Self {
            connections,
            users,
            addresses,
            requests,
            rooms,
            joined,
            paced,
            engines,
            remembered: _,
            parked,
            sessions,
            tickets,
            timers: _,
        } = *self;
        connections
            + users
            + addresses
            + requests
            + rooms
            + joined
            + paced
            + engines
            + parked
            + sessions
            + tickets
    }
}

impl Server {
    /// How much is held now.
    pub fn counts(&self) -> Counts {
        Counts {
            connections: self.connections.len(),
            users: self.connections.users_len(),
            addresses: self.door.addresses.len(),
            requests: self.door.waiting_len(),
            rooms: self.rooms.len(),
            joined: self.rooms.joined_len(),
            paced: self.rooms.pacing.len(),
            engines: self.sessions.len(),
            remembered: self.sessions.remembered_len(),
            parked: self.chat.parked_len()
                + self.projects.held_len()
                + self.dashboards.held_len()
                + self.drafts.len(),
            sessions: self.documents.len(),
            tickets: self.tickets.len(),
            timers: self.timers.len(),
        }
    }
}
