//! How each connection is reached: a connection is a session, a socket is a transport. What is sent to a connection
//! goes to its socket, or into the queue of a session that polls.

use crate::auth::AuthFailure;
use crate::frame::Frame;
use crate::ids::{ConnectionId, FirmId, SocketId, UserId};
use crate::outbox::Class;
use crate::socket_io::engine::{Order, Session};
use crate::socket_io::namespaces::Client;
use crate::time::Timestamp;
use std::sync::Arc;

/// The ways to all connections, by the place of the connection.
#[derive(Debug, Default)]
pub struct Transports {
    places: Vec<Option<(u32, Transport)>>,
    /// How many frames were numbered for connection state recovery.
    offsets: u64,
    /// Sessions that poll and were sent something in this step.
    dirty: Vec<ConnectionId>,
    /// What came of it, for the end of the step.
    orders: Vec<(ConnectionId, Order)>,
}

/// The way to one connection.
#[derive(Debug)]
enum Transport {
    /// A WebSocket, from the beginning to the end.
    Socket(SocketId),
    /// An Engine.IO session.
    Engine(Box<Engine>),
}

impl Transport {
    fn polled_bytes(&self) -> usize {
        match self {
            Self::Engine(engine) => engine.session.queued_bytes(),
            Self::Socket(_) => 0,
        }
    }
}

/// A connection over Engine.IO.
#[derive(Debug)]
pub struct Engine {
    /// Its transports.
    pub session: Session,
    /// What is said over them.
    pub client: Client,
    /// The credential of the request that opened it; the one in CONNECT must be the same.
    pub token: Credential,
    /// How the client is known while it is connected to the namespace: `sid`, and the secret `pid`.
    pub connected: Option<Arc<Names>>,
    /// Whose the session was first: it is nobody else's afterwards.
    pub owner: Option<(FirmId, UserId)>,
    /// When the timer that is set fires.
    pub due: Option<Timestamp>,
    /// The number of the last frame that was for this connection alone.
    pub last_own: u64,
}

/// How a client is known over Socket.IO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Its public name.
    pub sid: String,
    /// What it proves itself with when it comes back; `None` where there is no connection state recovery.
    pub pid: Option<String>,
}

/// A credential that must not be printed.
pub struct Credential(pub Result<Option<String>, AuthFailure>);

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential")
    }
}

impl Transports {
    /// A connection came that is one socket.
    pub fn connect(&mut self, id: ConnectionId, socket: SocketId) {
        self.insert(id, Transport::Socket(socket));
    }

    /// A connection came over Engine.IO.
    pub fn connect_engine(&mut self, id: ConnectionId, engine: Engine) {
        self.insert(id, Transport::Engine(Box::new(engine)));
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
            Transport::Engine(engine) => engine.session.socket(),
        }
    }

    /// The Engine.IO session of a connection, if it is one.
    pub fn engine(&mut self, id: ConnectionId) -> Option<&mut Engine> {
        let (generation, transport) = self.places.get_mut(id.slot as usize)?.as_mut()?;
        match transport {
            Transport::Engine(engine) if *generation == id.generation => Some(engine),
            Transport::Engine(_) | Transport::Socket(_) => None,
        }
    }

    /// How a client is known over Socket.IO, while it is connected there.
    pub fn names(&self, id: ConnectionId) -> Option<&Names> {
        match self.find(id)? {
            Transport::Engine(engine) => engine.connected.as_deref(),
            Transport::Socket(_) => None,
        }
    }

    /// Queues a frame for a session that polls.
    pub fn queue(&mut self, id: ConnectionId, frame: Frame, class: Class) {
        let mut orders = Vec::new();
        let Some(engine) = self.engine(id) else { return };
        engine.session.send(frame, class, &mut orders);
        self.orders.extend(orders.into_iter().map(|order| (id, order)));
        self.dirty.push(id);
    }

    /// Answers the polls that wait and have something to be answered with. Returns what is to be carried out.
    pub fn flush(&mut self) -> Vec<(ConnectionId, Order)> {
        let mut flushed = std::mem::take(&mut self.orders);
        let mut orders = Vec::new();
        for id in std::mem::take(&mut self.dirty) {
            if let Some(engine) = self.engine(id) {
                engine.session.flush(&mut orders);
                flushed.extend(orders.drain(..).map(|order| (id, order)));
            }
        }
        flushed
    }

    /// How many bytes wait for a connection that polls.
    pub fn polled_bytes(&self, id: ConnectionId) -> usize {
        self.find(id).map_or(0, Transport::polled_bytes)
    }

    /// Those who poll and for whom so many bytes wait, or more.
    pub fn unfetched(&self, bytes: usize) -> Vec<ConnectionId> {
        let places = self.places.iter().enumerate();
        let found = places.filter_map(|(slot, place)| {
            let (generation, transport) = place.as_ref()?;
            let id = ConnectionId { slot: slot as u32, generation: *generation };
            (transport.polled_bytes() >= bytes).then_some(id)
        });
        found.collect()
    }

    /// How many bytes wait for all who poll.
    pub fn all_polled_bytes(&self) -> usize {
        self.places.iter().flatten().map(|(_, transport)| transport.polled_bytes()).sum()
    }

    /// The number of the next frame that a client may name when it comes back.
    pub fn next_offset(&mut self) -> u64 {
        self.offsets += 1;
        self.offsets
    }

    /// The number of the last such frame.
    pub fn last_offset(&self) -> u64 {
        self.offsets
    }

    /// A connection was sent such a frame, and nobody else.
    pub fn sent_alone(&mut self, id: ConnectionId, offset: u64) {
        if let Some(engine) = self.engine(id) {
            engine.last_own = offset;
        }
    }

    fn find(&self, id: ConnectionId) -> Option<&Transport> {
        let (generation, transport) = self.places.get(id.slot as usize)?.as_ref()?;
        (*generation == id.generation).then_some(transport)
    }
}
