//! Ends a call from another thread than the one that makes it.

use crate::lock::locked;
use std::sync::{Arc, Mutex};
use ureq::Agent;

/// Ends one attempt: before it has begun, or while its connection is read. Its copies are the same one.
#[derive(Debug, Clone, Default)]
pub struct HangUp(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    is_over: bool,
    /// Has the connection of this attempt and no other.
    agent: Option<Agent>,
}

impl HangUp {
    /// Hangs up, now and for good. Waits for nobody.
    pub fn now(&self) {
        let agent = {
            let mut state = locked(&self.0);
            state.is_over = true;
            state.agent.take()
        };
        if let Some(agent) = agent {
            agent.shutdown();
        }
    }

    /// An attempt begins, over an agent that nobody else has. Whether it may.
    pub(crate) fn begins(&self, agent: &Agent) -> bool {
        let mut state = locked(&self.0);
        state.agent = Some(agent.clone()).filter(|_| !state.is_over);
        !state.is_over
    }
}
