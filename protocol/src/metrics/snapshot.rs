//! The numbers at one time: the core's, and the driver's.

use super::{ByApp, ByLimit, Spread};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What the core counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The program's version.
    pub version: String,
    /// When the process began.
    pub started_at: Timestamp,
    /// Whether nobody new is let in.
    pub draining: bool,
    /// Connections by now.
    pub connections: u64,
    /// How many there may be; 0: any number.
    pub connections_max: u64,
    /// Rooms in memory.
    pub rooms: u64,
    /// Connections in rooms, one in two rooms counted twice.
    pub room_members: u64,
    /// Answers of the store, of jobs and of services that are waited for.
    pub awaited: u64,
    /// How many bytes wait for clients that poll.
    pub polled_bytes: u64,
    /// About how much memory the open documents of drafts take.
    pub draft_bytes: u64,
    /// Messages of clients.
    pub messages_in: ByApp,
    /// Frames to clients.
    pub messages_out: ByApp,
    /// Messages that were not what their endpoint speaks.
    pub malformed: u64,
    /// Tokens and keys that were refused.
    pub auth_failures: u64,
    /// What clients were refused, by code; codes that nobody was told are among them.
    pub errors: Vec<(Cow<'static, str>, u64)>,
    /// Answers over HTTP, by the first digit of their status, from 1 on.
    pub responses: [u64; 5],
    /// Limits that were reached.
    pub limits: ByLimit,
    /// Whether the store did what it was asked last.
    pub store_up: bool,
    /// Whether the AI service did; `None`: there is none.
    pub ai_up: Option<bool>,
    /// From a message taken in to its frames queued.
    pub delivery: Spread,
    /// Attempts at the AI service.
    pub ai: Spread,
    /// How long connections lasted.
    pub lasted: Spread,
}

/// What only the driver knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Measured {
    /// Resident memory of the process, in bytes.
    pub memory_bytes: u64,
    /// How much it may take, as far as the system says; 0: it does not.
    pub memory_max_bytes: u64,
    /// Signals that were dropped because their receivers were slow.
    pub dropped: ByApp,
    /// Limits of the driver that were reached.
    pub limits: ByLimit,
    /// How long facts held the lock.
    pub held: Spread,
    /// From a commit queued to its outcome.
    pub appends: Spread,
    /// TCP connections.
    pub lines: u64,
    /// Bytes that wait to be written to sockets.
    pub outbox_bytes: u64,
    /// Bytes of request bodies in memory.
    pub body_bytes: u64,
    /// What waits for a thread.
    pub jobs: JobsWaiting,
    /// Jobs of documents that took too long.
    pub documents_given_up: u64,
    /// Lines of the log that nobody could write.
    pub log_lines_dropped: u64,
    /// When the certificate of TLS ends, in seconds since 1970; 0: there is none.
    pub certificate_expiry: u64,
}

/// How much waits for a thread, by queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobsWaiting {
    /// For the workers.
    pub work: u64,
    /// For the workers of documents.
    pub documents: u64,
    /// For the store's writer.
    pub commits: u64,
    /// For the store's readers.
    pub reads: u64,
}
