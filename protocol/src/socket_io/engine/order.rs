//! What a session wants done, and how it ends.

use crate::frame::Frame;
use crate::http::Response;
use crate::ids::{RequestId, SocketId};
use crate::input::Message;
use crate::outbox::Class;
use crate::socket_io::Malformed;

/// What the caller has to do, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Answer this request.
    Respond {
        /// The request.
        request: RequestId,
        /// The answer, but for CORS.
        response: Response,
    },
    /// Send this frame.
    Send {
        /// On this WebSocket.
        socket: SocketId,
        /// One packet.
        frame: Frame,
        /// What may happen to it when the socket is slow.
        class: Class,
    },
    /// End this WebSocket, after what was sent on it.
    Close {
        /// The WebSocket; the session does not know it any more.
        socket: SocketId,
    },
    /// The client said this to the layer above. Nothing that the caller does to the session makes those come
    /// undone that stand behind it: whoever closes the session on one message has to drop them.
    Message(Message),
    /// A page went out by polling, and the outbox is at most half full.
    Flushed,
    /// The session is over, and its id with it.
    Ended(Ended),
}

/// Why a session is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The client did not answer a ping.
    PingTimeout,
    /// The client said so.
    ClientClosed,
    /// The WebSocket is gone, or the client hung up on a GET that waited.
    TransportLost,
    /// The client said what it must not.
    Malformed(Malformed),
    /// A second GET came while one waited.
    PollsOverlap,
    /// More waited for the client's next GET than may.
    TooSlow,
    /// `Session::close` was called, and the client knows or had the time to ask.
    ByServer,
}
