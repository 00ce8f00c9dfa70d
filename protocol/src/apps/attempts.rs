//! Calls of the AI service that fail: which of them are worth another attempt, and when; what is said when none is.

use crate::call::CallFailure;
use crate::context::Effects;
use crate::refusal::{Code, Refusal};
use std::time::Duration;

/// How many calls about documents may be out at once; further sessions wait their turn.
pub const CALLS_MAX: usize = 16;
/// The same for prompts in chat rooms.
pub const ROBOT_CALLS_MAX: usize = 8;
/// How many attempts one request to the AI is worth.
const TRIES_MAX: u32 = 3;
/// The longest wait that `Retry-After` can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);
/// How long after a failed save of a reply it is tried again.
pub const REPLY_RETRY: Duration = Duration::from_secs(1);

/// What follows an attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Another one after this time.
    Again(Duration),
    /// Nothing: that is its end.
    Over(Failure),
}

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whether what was answered is none; else nothing was.
    pub bad_reply: bool,
    /// For people.
    pub message: String,
}

/// What follows when the last of so many attempts ended so.
pub fn after(failure: CallFailure, tries: u32, fx: &mut Effects<'_>) -> Next {
    let (bad_reply, message) = match failure {
        CallFailure::Passing { retry_after } if tries < TRIES_MAX => {
            let settings = fx.settings;
            let wait = if tries == 1 { settings.ai_retry_first } else { settings.ai_retry_second };
            let jittered = fx.rng.jitter(wait);
            let wait = retry_after.map_or(jittered, |asked| asked.min(RETRY_AFTER_MAX).max(jittered));
            return Next::Again(wait);
        }
        CallFailure::Passing { .. } => (false, format!("the AI service did not answer {TRIES_MAX} attempts")),
        CallFailure::Refused { status } => {
            (status < 500, format!("the AI service answered with status {status}"))
        }
        CallFailure::BadReply(why) => (true, format!("the AI service's answer is none: {why}")),
    };
    Next::Over(Failure { bad_reply, message })
}

/// When whoever was told of it may have the service asked again: it was asked for some seconds already.
const AGAIN_WAIT: Duration = Duration::from_secs(5);

/// How it is told (WIRE §0.5).
pub fn refusal(bad_reply: bool, message: String) -> Refusal {
    match bad_reply {
        true => Refusal::new(Code::AiBadReply, message),
        false => Refusal::new(Code::AiUnavailable, message).retry_after(AGAIN_WAIT),
    }
}

impl Failure {
    /// An answer that was begun and not ended.
    pub fn broken_off() -> Self {
        Self { bad_reply: false, message: "the AI service broke off while it spoke".to_string() }
    }

    /// An answer to another call than the one that was made.
    pub fn misplaced() -> Self {
        Self { bad_reply: true, message: "the AI service's answer is one to another call".to_string() }
    }
}
