//! The facts that a driver gives to the core, in the past tense.

use crate::call::Said;
use crate::http::RequestHead;
use crate::ids::{RequestId, SocketId, Ticket};
use crate::job::Outcome;
use crate::store::StoreReply;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// One fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// The process has begun. Comes once, before all else.
    Started,
    /// An HTTP request came in whole, an upgrade or not. Its body holds at most `body_bytes_max`.
    Requested {
        /// Names the request in the answer to it.
        request: RequestId,
        /// The other end of the TCP connection.
        peer: IpAddr,
        /// Method, target and headers.
        head: RequestHead,
        /// What followed the head.
        body: Bytes,
    },
    /// The client hung up before its request was answered.
    RequestGone {
        /// The request that nobody waits for any more.
        request: RequestId,
    },
    /// A message came on a socket.
    Received {
        /// Where it came.
        socket: SocketId,
        /// What came.
        message: Message,
    },
    /// A socket has ended. Comes exactly once for every `Upgrade`, also after a `Close`.
    Disconnected {
        /// The socket that is gone.
        socket: SocketId,
        /// How it ended.
        why: Ending,
    },
    /// One group commit of the store, or one read: answers in commit order.
    Stored(Vec<(Ticket, StoreReply)>),
    /// A job is done.
    Worked {
        /// The job's ticket.
        ticket: Ticket,
        /// What came of it.
        outcome: Outcome,
    },
    /// One HTTP attempt told something: deltas, then exactly one end.
    Called {
        /// The call's ticket.
        ticket: Ticket,
        /// What it told.
        said: Said,
    },
    /// A page went out: the socket's outbox is at most half full.
    Flushed {
        /// Whose outbox.
        socket: SocketId,
    },
    /// The keys for users' tokens were fetched, or why they could not be. The driver holds them; the core is told how
    /// it went.
    KeysFetched(Result<KeysFetched, String>),
    /// The process has nearly all the memory that it may take, or has not any more.
    Memory {
        /// Whether there is none for anybody new.
        short: bool,
    },
    /// `next_deadline` has come.
    Tick,
    /// The process was asked to stop: take in nothing new and finish.
    Draining,
}

/// What was found in a set of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysFetched {
    /// How many keys tokens are verified with from now on.
    pub held: usize,
    /// How many more were listed.
    pub left_out: usize,
}

/// A message of RFC 6455, fragments put together. Text is valid UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// A text message.
    Text(Bytes),
    /// A binary message.
    Binary(Bytes),
    /// A ping; the driver has answered it.
    Ping(Bytes),
    /// A pong.
    Pong(Bytes),
    /// A close frame, with its code if it had one. The driver has answered it.
    Close(Option<u16>),
}

/// How a socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// By a close handshake that the client began, with its code if it had one.
    ByClient(Option<u16>),
    /// By a close handshake that the core ordered.
    ByServer,
    /// The TCP connection ended without a close frame.
    Lost,
    /// The client broke the protocol; the driver closed with the code of the fault.
    Faulty(Fault),
    /// Its outbox ran over; the driver closed with 4002.
    TooSlow,
}

/// What a client can break on the level of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// A frame that RFC 6455 does not allow: 1002.
    Protocol,
    /// Text that is not UTF-8: 1007.
    Utf8,
    /// A message over its limit: 1009.
    TooBig,
    /// More fragments than one message may have: 1008.
    Fragments,
    /// A message that took too long to come in: 1008.
    Late,
}
