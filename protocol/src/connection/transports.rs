//! How each connection is reached: a connection is a session, a socket is a transport. What is sent to a connection
//! goes to its socket, or into the queue of a session that polls.

use crate::ids::{ConnectionId, SocketId};

/// The ways to all connections, by the place of the connection.
#[derive(Debug, Default)]
pub struct Transports {
    places: Vec<Option<(u32, Transport)>>,
    /// How many frames were numbered for connection state recovery.
    offsets: u64,
}

/// The way to one connection.
#[derive(Debug)]
enum Transport {
    /// A WebSocket, from the beginning to the end.
    Socket(SocketId),
}

impl Transports {
    /// A connection came that is one socket.
    pub fn connect(&mut self, id: ConnectionId, socket: SocketId) {
        self.insert(id, Transport::Socket(socket));
    }

    fn insert(&mut self, id: ConnectionId, transport: Transport) {
        let slot = id.slot as usize;
        if self.places.len() <= slot {
            self.places.resize_with(slot + 1, || None);
        }
        self.places[slot] = Some((id.generation, transport));
    }

    /// A connection is gone.
    pub fn remove(&mut self, id: ConnectionId) {
        if self.find(id).is_some() {
            self.places[id.slot as usize] = None;
        }
    }

    /// The socket that a connection is reached by now; `None`: it polls, or is gone.
    pub fn socket(&self, id: ConnectionId) -> Option<SocketId> {
        match self.find(id)? {
            Transport::Socket(socket) => Some(*socket),
        }
    }

    /// The number of the next frame that a client may name when it comes back.
    pub fn next_offset(&mut self) -> u64 {
        self.offsets += 1;
        self.offsets
    }

    fn find(&self, id: ConnectionId) -> Option<&Transport> {
        let (generation, transport) = self.places.get(id.slot as usize)?.as_ref()?;
        (*generation == id.generation).then_some(transport)
    }
}
