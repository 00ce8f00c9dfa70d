//! What happened in one step of the world.

use super::socket::Read;
use parlor_protocol::action::CloseCause;
use parlor_protocol::call::Call;
use parlor_protocol::frame::Frame;
use parlor_protocol::http::Response;
use parlor_protocol::ids::{SocketId, Ticket};
use parlor_protocol::outbox::Class;
use parlor_protocol::store::{StoreReply, StoreRequest};

/// A frame that the core ordered to be sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// To whom.
    pub sockets: Vec<SocketId>,
    /// What.
    pub frame: Frame,
    /// What may happen to it.
    pub class: Class,
}

/// What happened in one step, for whoever holds the laws.
#[derive(Debug, Default)]
pub struct Step {
    /// The store's answers that the core was given.
    pub answered: Vec<(StoreRequest, StoreReply)>,
    /// Whether the step began with room in an outbox or an answer of the store.
    pub paced: bool,
    /// The sockets that were said to be flushed.
    pub flushed: Vec<SocketId>,
    /// What the core ordered to be sent.
    pub sent: Vec<Sent>,
    /// What had waited inside the core before it went out.
    pub waited: Vec<(SocketId, Vec<u8>)>,
    /// Sockets that are taken up again as what an earlier one was.
    pub resumed: Vec<SocketId>,
    /// Sockets whose clients have read that they are connected, where that is said.
    pub came: Vec<SocketId>,
    /// What clients read.
    pub read: Vec<(SocketId, Read)>,
    /// Sockets that came, with their client.
    pub opened: Vec<(SocketId, usize)>,
    /// Sockets that are gone, with their client.
    pub ended: Vec<(SocketId, usize)>,
    /// Sockets that the core closes.
    pub closed: Vec<(SocketId, CloseCause)>,
    /// Requests that were answered, with their client.
    pub responded: Vec<(usize, Response)>,
    /// Calls that were ordered.
    pub called: Vec<Call>,
    /// Calls that nobody waits for any more.
    pub cancelled: Vec<Ticket>,
}
