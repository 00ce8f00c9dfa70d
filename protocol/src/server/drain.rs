//! Stopping: nobody new comes in, everybody is told, what is being stored is finished, and connections are
//! closed over some seconds, so that not all come back at once.

use super::Parts;
use crate::action::{Action, CloseCause};
use crate::envelope::Event;
use crate::ids::ConnectionId;
use crate::outbox::Class;
use crate::time::Timestamp;
use crate::timers::Timer;
use serde_json::json;
use std::time::Duration;

/// How many steps the closing of connections is spread over.
const STEPS: u32 = 20;
/// How long after the last close order the process ends in any case.
const LAST_WAIT_MAX: Duration = Duration::from_secs(10);
/// When a client should come back, at the earliest.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// How far the stopping is.
#[derive(Debug, Default)]
pub struct Drain {
    closing: Vec<ConnectionId>,
    per_step: usize,
    ends_at: Option<Timestamp>,
    done: bool,
}

impl Parts<'_> {
    pub(super) fn on_draining(&mut self) {
        if self.door.draining {
            return;
        }
        self.door.draining = true;
        let spread = self.ctx.fx.settings.drain_spread;
        let told = json!({"reason": "restarting", "reconnectAfterMs": RECONNECT_AFTER.as_millis() as u64});
        let event = Event::new("server_shutdown", &told);
        for (id, connection) in self.connections.iter().filter(|(_, connection)| connection.closing.is_none())
        {
            self.drain.closing.push(id);
            if connection.user.is_some() {
                self.ctx.fx.tell(id, connection.envelope, &event, Class::Kept);
            }
        }
        self.drain.per_step = self.drain.closing.len().div_ceil(STEPS as usize).max(1);
        self.drain.ends_at = Some(self.ctx.fx.now + spread + LAST_WAIT_MAX);
        self.ctx.fx.timers.set(self.ctx.fx.now + spread / STEPS, Timer::DrainStep);
    }

    pub(super) fn on_drain_step(&mut self) {
        for _ in 0..self.drain.per_step {
            if let Some(id) = self.drain.closing.pop() {
                self.ctx.fx.close(id, CloseCause::ShuttingDown);
            }
        }
        let (now, spread) = (self.ctx.fx.now, self.ctx.fx.settings.drain_spread);
        match self.drain.ends_at {
            Some(_) if !self.drain.closing.is_empty() => {
                self.ctx.fx.timers.set(now + spread / STEPS, Timer::DrainStep);
            }
            Some(ends_at) if now < ends_at => self.ctx.fx.timers.set(ends_at, Timer::DrainStep),
            Some(_) | None => {}
        }
    }

    /// All is finished when nobody is connected and nothing is being stored, or when it takes too long. A reply
    /// of the AI is not waited for: whoever starts next asks again.
    pub(super) fn finish_drain(&mut self) {
        let Some(ends_at) = self.drain.ends_at.filter(|_| !self.drain.done) else { return };
        let waits = self.ctx.fx.tickets.len() > self.documents.calls_out() + self.hook.calls_out();
        let finished = self.connections.is_empty() && !waits;
        if finished || self.ctx.fx.now >= ends_at {
            self.drain.done = true;
            self.ctx.fx.actions.push(Action::Drained);
        }
    }
}
