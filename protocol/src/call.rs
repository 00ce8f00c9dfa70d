//! Calls to services: one attempt each. Retries and patience are the core's; the address, the key and the socket
//! are the driver's. The thread that calls reads the answer with the pure functions of this module.

mod events;
mod hook;
mod next_question;
mod robot;
mod scan;
mod spoken;

pub use events::{EventReader, ServerEvent};
pub use hook::{HOOK_WAIT_MAX, read_hook};
pub use next_question::{
    AiReply, Document, NextQuestionRequest, Progress, Role, TemplateBrief, Turn, read_next_question,
};
pub use robot::{RobotReply, RobotRequest, read_robot};
pub use scan::{CLAMD_REPLY_BYTES_MAX, SCAN_WAIT_MAX, Scanned, VERDICT_BYTES_MAX, read_clamd, read_verdict};
pub use spoken::SpokenReader;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// One attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Call {
    /// `POST {AI_SERVICE_URL}/v1/chat/next-question` (WIRE §1).
    NextQuestion {
        /// The value of `Idempotency-Key`: the same for every attempt at one turn.
        idempotency_key: String,
        /// What is posted.
        request: Box<NextQuestionRequest>,
        /// Whether somebody hears the question while it is spoken: the service is asked for a stream of events. It
        /// may answer as ever.
        spoken: bool,
    },
    /// `POST {AI_SERVICE_URL}/v1/chat/robot` (WIRE §2).
    Robot {
        /// The value of `Idempotency-Key`: the prompt's id.
        idempotency_key: String,
        /// What is posted.
        request: Box<RobotRequest>,
    },
    /// The scanners are shown a file (WIRE §2). Only `Scanned::Clean` says that it may be let through.
    Scan {
        /// The whole file.
        bytes: Bytes,
    },
    /// `POST EVENT_HOOK_URL` (WIRE §5.3).
    Hook {
        /// A JSON array, as it is posted.
        events: String,
    },
}

/// How long one attempt at the AI service may take as a whole; to its first event, where the reply is spoken.
pub const ATTEMPT_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long a service that speaks may be silent between two events.
pub const SILENCE_WAIT_MAX: Duration = Duration::from_secs(15);
/// How long an attempt may take as a whole where the reply is spoken: whoever drips does not do so for ever.
pub const SPOKEN_WAIT_MAX: Duration = Duration::from_secs(300);
/// The largest answer of the AI service that is read.
pub const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What a call tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Said {
    /// The AI spoke so much more of its next question, and goes on.
    Delta(String),
    /// It ended with the AI's reply to a session.
    NextQuestion(AiReply),
    /// It ended with the AI's reply to a prompt.
    Robot(RobotReply),
    /// It ended with a verdict.
    Scanned(Scanned),
    /// The hook took the events.
    Delivered,
    /// It ended without.
    Failed(CallFailure),
}

impl Said {
    /// Whether nothing follows: all but a delta is the end of a call.
    pub fn is_end(&self) -> bool {
        !matches!(self, Self::Delta(_))
    }
}

/// Why a call brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallFailure {
    /// No connection, no answer in time, or 429, 502, 503, 504: worth another attempt.
    Passing {
        /// What `Retry-After` asked for.
        retry_after: Option<Duration>,
    },
    /// Any other status: not worth another attempt.
    Refused {
        /// The status.
        status: u16,
    },
    /// An answer that is not what it should be.
    BadReply(String),
}

/// For the log: in words of ours, because what a service says may be a user's.
impl fmt::Display for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passing { .. } => f.write_str("no answer in time, or 429, 502, 503, 504"),
            Self::Refused { status } => write!(f, "status {status}"),
            Self::BadReply(_) => f.write_str("an answer that is not what it should be"),
        }
    }
}

/// What a status means, for every service that answers with JSON: what stands behind 200 is for `read`.
fn answered(status: u16, retry_after: Option<&str>, read: impl FnOnce() -> Result<Said, String>) -> Said {
    match status {
        200 => read().unwrap_or_else(|why| Said::Failed(CallFailure::BadReply(why))),
        429 | 502 | 503 | 504 => Said::Failed(CallFailure::Passing { retry_after: seconds(retry_after) }),
        status => Said::Failed(CallFailure::Refused { status }),
    }
}

/// `Retry-After` where it is a number of seconds.
fn seconds(retry_after: Option<&str>) -> Option<Duration> {
    let seconds = retry_after?.trim().parse::<u32>().ok()?;
    Some(Duration::from_secs(seconds.into()))
}

fn within_limit(body: &[u8]) -> Result<(), String> {
    match body.len() > ANSWER_BYTES_MAX {
        true => Err(format!("an answer of over {ANSWER_BYTES_MAX} bytes")),
        false => Ok(()),
    }
}
