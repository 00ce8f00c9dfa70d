//! The services that the core calls, and which of them a call is for.

use crate::ai::AiService;
use crate::calls::Hearing;
use crate::hook::EventHook;
use crate::scanner::Scanner;
use parlor_protocol::call::{Call, CallFailure, Said};
use parlor_protocol::time::Timestamp;

/// The services that are configured.
#[derive(Debug, Clone, Default)]
pub struct Services {
    /// Asks the questions of documents, and is the robot of the chat.
    pub ai: Option<AiService>,
    /// Looks at files.
    pub scanner: Option<Scanner>,
    /// Hears what happens in rooms.
    pub hook: Option<EventHook>,
}

impl Services {
    /// Makes one attempt and waits for its end; what it tells before goes to `hearing`. The core does not call what its settings say is not there.
    pub fn attempt(&self, call: &Call, hearing: &Hearing<'_>, now: Timestamp) -> Said {
        let hang_up = hearing.hang_up;
        let said = match call {
            Call::NextQuestion { idempotency_key: key, request, spoken } => {
                self.ai.as_ref().map(|ai| match spoken {
                    true => ai.speak(key, request, hang_up, hearing.delta),
                    false => ai.next_question(key, request, hang_up),
                })
            }
            Call::Robot { idempotency_key, request } => {
                self.ai.as_ref().map(|ai| ai.robot(idempotency_key, request, hang_up))
            }
            Call::Scan { bytes } => self.scanner.as_ref().map(|scanner| scanner.scan(bytes)),
            Call::Hook { events } => self.hook.as_ref().map(|hook| hook.deliver(events, now)),
        };
        said.unwrap_or(Said::Failed(CallFailure::Passing { retry_after: None }))
    }
}
