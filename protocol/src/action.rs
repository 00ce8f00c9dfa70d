//! The orders that the core gives to a driver, in the imperative. Carried out in sequence.

use crate::call::Call;
use crate::frame::Frame;
use crate::http::Response;
use crate::ids::{RequestId, SocketId, Ticket};
use crate::input::Fault;
use crate::job::Job;
use crate::outbox::Class;
use crate::record::Record;
use crate::store::StoreRequest;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// The orders of one or more steps, in order.
pub type Actions = Vec<Action>;

/// One order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// Answer a request.
    Respond {
        /// Which.
        request: RequestId,
        /// With what.
        response: Response,
    },
    /// Answer a request with 101 and turn its TCP connection into a WebSocket.
    Upgrade {
        /// Which.
        request: RequestId,
        /// The socket's name from now on.
        socket: SocketId,
        /// The value of `Sec-WebSocket-Protocol` in the response.
        subprotocol: Option<Cow<'static, str>>,
        /// What the socket takes.
        limits: SocketLimits,
    },
    /// Put a frame into one outbox or many.
    Send {
        /// Whose.
        to: Recipients,
        /// What.
        frame: Frame,
        /// What may happen to it there.
        class: Class,
    },
    /// Go on reading a socket, or stop: backpressure.
    Read {
        /// Which.
        socket: SocketId,
        /// Whether to read.
        on: bool,
    },
    /// Close a socket after what was sent to it.
    Close {
        /// Which.
        socket: SocketId,
        /// Why.
        cause: CloseCause,
    },
    /// Ask the store.
    Store {
        /// Comes back with the reply.
        ticket: Ticket,
        /// What is asked.
        request: StoreRequest,
    },
    /// Run a pure function outside the lock.
    Work {
        /// Comes back with the outcome.
        ticket: Ticket,
        /// What to run.
        job: Job,
    },
    /// Make one HTTP attempt.
    Call {
        /// Comes back with what was said.
        ticket: Ticket,
        /// Whom to call with what.
        call: Call,
    },
    /// Forget a call: nobody waits for it any more.
    Cancel {
        /// The call's ticket.
        ticket: Ticket,
    },
    /// Write a line to the log.
    Log(Record),
    /// All is finished after `Draining`: the process may end.
    Drained,
}

/// Who gets a frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recipients {
    /// One socket.
    One(SocketId),
    /// Many, but perhaps one: the list is shared by all that is sent to the same members.
    Many {
        /// The sockets, each once.
        sockets: Arc<[SocketId]>,
        /// The one that is left out.
        except: Option<SocketId>,
    },
}

/// What a socket takes; what it does not take closes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketLimits {
    /// The largest message, in bytes: 1009 above it.
    pub message_bytes_max: u32,
    /// The most fragments that one message may come in, empty ones counted: 1008 above it.
    pub fragments_max: u32,
    /// How long a message may take that comes in slowly: 1008 after that.
    pub message_wait_max: Duration,
    /// Whether causes are told as Yjs providers are told them: 4403 in place of 1008.
    pub for_providers: bool,
}

impl SocketLimits {
    /// How what the client has broken closes the socket.
    pub fn cause(&self, fault: Fault) -> CloseCause {
        let cause = CloseCause::Faulty(fault);
        if self.for_providers { cause.for_providers() } else { cause }
    }
}

/// Why the server closes a socket. Decides the code and the reason of the close frame (WIRE §0.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CloseCause {
    /// A document is complete, or the client asked: 1000.
    Finished,
    /// The server stops: 1012.
    ShuttingDown,
    /// The client broke RFC 6455 or sent what is too big: 1002, 1007, 1008, 1009.
    Faulty(Fault),
    /// A kind of frame that the endpoint does not take: 1003.
    Unsupported,
    /// The token is missing, bad or expired: 1008.
    AuthenticationFailed,
    /// The token ended while the connection lived: 1008.
    TokenExpired,
    /// A required parameter is missing: 1008.
    ParameterMissing,
    /// The resource is unknown: 1008.
    ResourceUnknown,
    /// The user may not be there, or not any more: 1008.
    AccessDenied,
    /// Too many updates in a row that are none: 1008.
    Undecodable,
    /// Too many malformed messages or refusals in a minute: 1008.
    Abusive,
    /// More pings in a second than are answered: 1008.
    PingFlood,
    /// An operator ended it: 1008.
    SentAway,
    /// The server or its store has no room now: 1013.
    Overloaded,
    /// Silent too long: 4000.
    HeartbeatMissed,
    /// A newer connection has the session: 4001.
    Superseded,
    /// The outbox ran over: 4002.
    TooSlow,
    /// What elsewhere is 1008, said so that a Yjs provider gives up: 4401 or 4403.
    Final(Final),
}

/// Why a Yjs provider is to give up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Final {
    /// 4401
    AuthenticationFailed,
    /// 4401
    TokenExpired,
    /// 4403
    ParameterMissing,
    /// 4403
    ResourceUnknown,
    /// 4403
    AccessDenied,
    /// 4403
    Undecodable,
    /// 4403
    Abusive,
    /// 4403
    PingFlood,
    /// 4403
    SentAway,
    /// 4403
    Fragments,
    /// 4403
    Late,
}

impl Final {
    fn code(self) -> u16 {
        match self {
            Self::AuthenticationFailed | Self::TokenExpired => 4401,
            Self::ParameterMissing
            | Self::ResourceUnknown
            | Self::AccessDenied
            | Self::Undecodable
            | Self::Abusive
            | Self::PingFlood
            | Self::SentAway
            | Self::Fragments
            | Self::Late => 4403,
        }
    }

    fn elsewhere(self) -> CloseCause {
        match self {
            Self::AuthenticationFailed => CloseCause::AuthenticationFailed,
            Self::TokenExpired => CloseCause::TokenExpired,
            Self::ParameterMissing => CloseCause::ParameterMissing,
            Self::ResourceUnknown => CloseCause::ResourceUnknown,
            Self::AccessDenied => CloseCause::AccessDenied,
            Self::Undecodable => CloseCause::Undecodable,
            Self::Abusive => CloseCause::Abusive,
            Self::PingFlood => CloseCause::PingFlood,
            Self::SentAway => CloseCause::SentAway,
            Self::Fragments => CloseCause::Faulty(Fault::Fragments),
            Self::Late => CloseCause::Faulty(Fault::Late),
        }
    }
}

impl CloseCause {
    /// The close code.
    pub fn code(self) -> u16 {
        match self {
            Self::Finished => 1000,
            Self::Faulty(Fault::Protocol) => 1002,
            Self::Unsupported => 1003,
            Self::Faulty(Fault::Utf8) => 1007,
            Self::AuthenticationFailed
            | Self::TokenExpired
            | Self::ParameterMissing
            | Self::ResourceUnknown
            | Self::AccessDenied
            | Self::Undecodable
            | Self::Abusive
            | Self::PingFlood
            | Self::SentAway
            | Self::Faulty(Fault::Fragments | Fault::Late) => 1008,
            Self::Faulty(Fault::TooBig) => 1009,
            Self::ShuttingDown => 1012,
            Self::Overloaded => 1013,
            Self::HeartbeatMissed => 4000,
            Self::Superseded => 4001,
            Self::TooSlow => 4002,
            Self::Final(cause) => cause.code(),
        }
    }

    /// The reason, for people; clients go by the code.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::ShuttingDown => "server shutting down",
            Self::Faulty(Fault::Protocol) => "protocol error",
            Self::Faulty(Fault::Utf8) => "invalid UTF-8",
            Self::Faulty(Fault::TooBig) => "message too big",
            Self::Faulty(Fault::Fragments) => "too many fragments",
            Self::Faulty(Fault::Late) => "the message took too long",
            Self::Unsupported => "unsupported kind of frame",
            Self::AuthenticationFailed => "authentication failed",
            Self::TokenExpired => "token expired",
            Self::ParameterMissing => "required parameter missing",
            Self::ResourceUnknown => "resource not found",
            Self::AccessDenied => "access denied",
            Self::Undecodable => "too many updates that cannot be decoded",
            Self::Abusive => "too many bad messages",
            Self::PingFlood => "too many pings",
            Self::SentAway => "disconnected by an operator",
            Self::Overloaded => "overloaded, try again later",
            Self::HeartbeatMissed => "heartbeat missed",
            Self::Superseded => "superseded by a newer connection",
            Self::TooSlow => "too slow",
            Self::Final(cause) => cause.elsewhere().reason(),
        }
    }

    /// The same, as Yjs providers are told it: they give up on 4400 to 4499 and come back after all else.
    pub fn for_providers(self) -> Self {
        match self {
            Self::AuthenticationFailed => Self::Final(Final::AuthenticationFailed),
            Self::TokenExpired => Self::Final(Final::TokenExpired),
            Self::ParameterMissing => Self::Final(Final::ParameterMissing),
            Self::ResourceUnknown => Self::Final(Final::ResourceUnknown),
            Self::AccessDenied => Self::Final(Final::AccessDenied),
            Self::Undecodable => Self::Final(Final::Undecodable),
            Self::Abusive => Self::Final(Final::Abusive),
            Self::PingFlood => Self::Final(Final::PingFlood),
            Self::SentAway => Self::Final(Final::SentAway),
            Self::Faulty(Fault::Fragments) => Self::Final(Final::Fragments),
            Self::Faulty(Fault::Late) => Self::Final(Final::Late),
            Self::Finished
            | Self::ShuttingDown
            | Self::Faulty(Fault::Protocol | Fault::Utf8 | Fault::TooBig)
            | Self::Unsupported
            | Self::Overloaded
            | Self::HeartbeatMissed
            | Self::Superseded
            | Self::TooSlow
            | Self::Final(_) => self,
        }
    }

    /// The close frame.
    pub fn frame(self) -> Frame {
        Frame::close(self.code(), self.reason())
    }
}
