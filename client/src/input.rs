//! The facts that a driver, or the application through it, reports to the machine, in the past tense.

use crate::room::Room;
use serde_json::Value;
use std::time::Duration;

/// Names a call until it is answered. The driver gives out rising numbers, each once: calls go out in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// One fact.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The connection that was ordered is open.
    Opened,
    /// It could not be opened.
    Failed {
        /// The HTTP status, if the server answered with one.
        status: Option<u16>,
        /// Its `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// A text message came.
    Received(String),
    /// A ping or a pong came: a sign of life.
    Ponged,
    /// The connection ended; with this code, if a close frame came.
    Closed {
        /// The close code.
        code: Option<u16>,
    },
    /// The application called the server.
    Called {
        /// Comes back with the answer.
        call: CallId,
        /// The call's name.
        name: String,
        /// Its data.
        data: Value,
        /// How long the answer is waited for.
        timeout: Duration,
    },
    /// The application wishes to be in a room from now on, over all reconnects.
    Joined {
        /// Comes back with the answer.
        call: CallId,
        /// Which.
        room: Room,
        /// What it has heard already, when it comes back from elsewhere.
        since: Option<u64>,
        /// How long the answer is waited for.
        timeout: Duration,
    },
    /// The application wishes to be in a room no longer.
    Left {
        /// Comes back with the answer.
        call: CallId,
        /// Which.
        room: Room,
        /// How long the answer is waited for.
        timeout: Duration,
    },
    /// The token that was asked for.
    TokenGiven(String),
    /// The application has no token now.
    TokenFailed,
    /// Time has passed.
    Tick,
    /// The application wants no more.
    Stopped,
}
