//! The orders that the machine gives to a driver, in the imperative, and what it tells the application.

use crate::error::Error;
use crate::input::CallId;
use crate::room::Room;
use serde_json::Value;
use std::time::Duration;

/// One order. Carried out in sequence.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Ask the application for a token; `TokenGiven` or `TokenFailed` is to follow.
    AskToken,
    /// Open a connection; `Opened` or `Failed` is to follow.
    Open {
        /// Where.
        url: String,
        /// Who comes; for the header `Authorization: Bearer`.
        token: String,
    },
    /// Send a text message.
    Send(String),
    /// Send a WebSocket ping.
    Ping,
    /// Close the connection, or give up opening it, after what was sent to it. Nothing more is reported of it.
    Close,
    /// Answer a call; each is answered once.
    Answer {
        /// Which.
        call: CallId,
        /// With what.
        result: Result<Value, Error>,
    },
    /// Tell the application.
    Tell(Event),
}

/// What the application is told besides answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// What is stored in a room: each once, in the order of its `seq`, whether it came live or was caught up with.
    Entry {
        /// In which room.
        room: Room,
        /// Its place there.
        seq: u64,
        /// The event's name.
        name: String,
        /// Its data.
        data: Value,
    },
    /// What is not stored: who types, who is here, how far a job is.
    Signal {
        /// The event's name.
        name: String,
        /// Its data.
        data: Value,
    },
    /// A room goes on from its newest page: what lies between that and what was heard is out of reach.
    Reset {
        /// Which room.
        room: Room,
    },
    /// The client is in a room no longer, and does not try again.
    RoomLost {
        /// Which.
        room: Room,
        /// Why not.
        error: Error,
    },
    /// A message's answer came after its time was over.
    AnsweredLate {
        /// Which call.
        call: CallId,
        /// With what.
        result: Result<Value, Error>,
    },
    /// The server refuses something that no call waits for.
    Refused(Error),
    /// The connection is another than before.
    State(State),
}

/// How the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// On its way.
    Connecting,
    /// Open.
    Open,
    /// Lost; it will be tried again after this wait.
    Waiting(Duration),
    /// Over for good.
    Ended(End),
}

/// Why a connection is over for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The application wanted no more.
    Stopped,
    /// The server closed with a code that says not to come back.
    Closed(u16),
    /// The server refused the connection with an HTTP status that says not to come back.
    Refused(u16),
    /// As many connections failed in a row as the settings allow.
    AttemptsOver(u32),
}
