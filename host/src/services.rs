//! The services that the core calls, and which of them a call is for.

use crate::ai::AiService;
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
    /// Makes one attempt and waits for its end. The core does not call what its settings say is not there.
    pub fn attempt(&self, call: &Call, now: Timestamp) -> Said {
        let said = match call {
            Call::NextQuestion { idempotency_key, request } => {
                self.ai.as_ref().map(|ai| ai.next_question(idempotency_key, request))
            }
            Call::Robot { idempotency_key, request } => {
                self.ai.as_ref().map(|ai| ai.robot(idempotency_key, request))
            }
            Call::Scan { bytes } => self.scanner.as_ref().map(|scanner| scanner.scan(bytes)),
            Call::Hook { events } => self.hook.as_ref().map(|hook| hook.deliver(events, now)),
        };
        said.unwrap_or(Said::Failed(CallFailure::Passing { retry_after: None }))
    }
}
