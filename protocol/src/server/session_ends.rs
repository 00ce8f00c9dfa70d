//! What the end of a Socket.IO session is called elsewhere, and what the end of a connection is called there.

use crate::action::CloseCause;
use crate::input::Fault;
use crate::refusal::Code;
use crate::socket_io::engine::Ended;

/// What a session's end is called in the log.
pub(super) fn ending(why: &Ended) -> (u16, &'static str) {
    match why {
        Ended::PingTimeout => (4000, "heartbeat missed"),
        Ended::ClientClosed => (1000, "closed by the client"),
        Ended::TransportLost => (1006, "connection lost"),
        Ended::Malformed(_) => (1002, "protocol error"),
        Ended::PollsOverlap => (1002, "overlapping polls"),
        Ended::TooSlow => (4002, "too slow"),
        Ended::ByServer => (1000, "closed by the server"),
    }
}

/// What a WebSocket is closed with at a session's end.
pub(super) fn cause_of(why: &Ended) -> CloseCause {
    match why {
        Ended::PingTimeout => CloseCause::HeartbeatMissed,
        Ended::Malformed(_) | Ended::PollsOverlap => CloseCause::Faulty(Fault::Protocol),
        Ended::TooSlow => CloseCause::TooSlow,
        Ended::ClientClosed | Ended::TransportLost | Ended::ByServer => CloseCause::Finished,
    }
}

pub(super) fn code_of(cause: CloseCause) -> Code {
    match cause {
        CloseCause::TokenExpired => Code::TokenExpired,
        CloseCause::AuthenticationFailed => Code::AuthFailed,
        CloseCause::Abusive | CloseCause::PingFlood => Code::RateLimited,
        CloseCause::AccessDenied => Code::RoomAccessDenied,
        CloseCause::SentAway => Code::PermissionDenied,
        CloseCause::ParameterMissing
        | CloseCause::ResourceUnknown
        | CloseCause::Undecodable
        | CloseCause::Superseded => Code::ClientError,
        CloseCause::Finished
        | CloseCause::ShuttingDown
        | CloseCause::Faulty(_)
        | CloseCause::Unsupported
        | CloseCause::Overloaded
        | CloseCause::HeartbeatMissed
        | CloseCause::TooSlow
        | CloseCause::Final(_) => Code::ServerError,
    }
}
