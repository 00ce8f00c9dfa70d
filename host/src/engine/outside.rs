//! What the engine needs from others: the time, the log, the store, and services to call.

use super::Engine;
use crate::jwks::Jwks;
use crate::keyring::Keyring;
use crate::recording::Recorder;
use parlor_protocol::call::{Call, Said};
use parlor_protocol::ids::Ticket;
use parlor_protocol::input::Input;
use parlor_protocol::record::Record;
use parlor_protocol::store::{StoreReply, StoreRequest};
use parlor_protocol::time::Timestamp;
use std::fmt;
use std::sync::Weak;
use std::time::Duration;

/// What the engine has from others. None of it may wait: it is called by threads that serve sockets.
pub struct Outside {
    /// The time; never goes back.
    pub now: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// Takes a line for the log.
    pub log: Box<dyn Fn(Record) + Send + Sync>,
    /// Makes calls.
    pub calls: Box<dyn Calls>,
    /// What credentials are checked with.
    pub keys: Keyring,
    /// Where keys are fetched, if they are. A thread of its own waits for it.
    pub jwks: Option<Jwks>,
    /// How long a job of a document may take.
    pub document_job_max: Duration,
    /// How many bytes of memory the process may take; 0: what the system gives.
    pub memory_max: u64,
    /// Takes down what the core is told, when it is recorded.
    pub recorder: Option<Recorder>,
    /// Finds a file of the console.
    pub asset: fn(&str) -> Option<Asset>,
}

/// A file that the binary carries: its media type and its content.
pub type Asset = (&'static str, &'static [u8]);

/// Calls services over HTTP, on threads of its own.
pub trait Calls: Send + Sync {
    /// Begins an attempt; what it says goes to `tell`.
    fn start(&self, call: Call, tell: Tell);
    /// Nobody waits for it any more.
    fn cancel(&self, ticket: Ticket);
}

/// Where a call says what it heard.
#[derive(Debug, Clone)]
pub struct Tell {
    pub(super) engine: Weak<Engine>,
    pub(super) ticket: Ticket,
}

impl Tell {
    /// Names the call.
    pub fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Gives the core what the call heard.
    pub fn said(&self, said: Said) {
        if let Some(engine) = self.engine.upgrade() {
            engine.tell(Input::Called { ticket: self.ticket, said });
        }
    }
}

/// Stores, and says so only when it is durable.
pub trait Commit: Send {
    /// Commits all that waits in one transaction; the replies in commit order.
    fn commit(
        &mut self,
        now: Timestamp,
        batch: Vec<(Ticket, StoreRequest)>,
    ) -> Result<Vec<(Ticket, StoreReply)>, Fatal>;

    /// Nothing more will be stored; says why if that could not be put in order.
    fn close(self: Box<Self>) -> Result<(), String>;
}

/// Reads what is stored.
pub trait Answer: Send {
    /// Answers one read.
    fn answer(&mut self, request: &StoreRequest) -> StoreReply;
}

/// The store cannot know any more what it holds: the process ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fatal(pub String);

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside").finish_non_exhaustive()
    }
}
