//! Clients that take what they are sent slowly, or not at all. The kernel says that there is room only when a
//! third of what it holds has gone, which takes a slow client longer than a stalled one may take. So it is tried
//! from time to time: a client that took anything since the last time is slow, and goes on.

use super::{Connection, Ready, WRITE_WAIT_MAX, Wait};
use std::time::{Duration, Instant};

/// How often it is tried whether a client has taken something.
pub(super) const WRITE_LOOK: Duration = Duration::from_secs(1);

/// A client whose kernel takes no more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stall {
    /// It has taken nothing since then.
    since: Instant,
    /// When that is looked at next.
    look: Instant,
}

impl Stall {
    fn begun() -> Self {
        let now = Instant::now();
        Self { since: now, look: now + WRITE_LOOK }
    }
}

impl Connection {
    /// When to call `look_for_room` for the open WebSocket at the latest; `None` while nothing waits for its client.
    pub fn look_at(&mut self) -> Option<Instant> {
        if !self.line.is_blocked() {
            self.stall = None;
            return None;
        }
        let line = &self.line;
        let begin = || {
            // What it took before it stalled does not count.
            line.took_some();
            Box::new(Stall::begun())
        };
        Some(self.stall.get_or_insert_with(begin).look)
    }

    /// Writes on for the open WebSocket, because the kernel says that it takes more, or because it is time to try. A
    /// client that has taken nothing for `WRITE_WAIT_MAX` is given up.
    pub fn look_for_room(&mut self) {
        self.flush_writable();
        let took = self.line.took_some();
        let Some(stall) = self.stall.as_mut().filter(|_| self.line.is_blocked()) else { return };
        let since = if took { Instant::now() } else { stall.since };
        if since.elapsed() < WRITE_WAIT_MAX {
            **stall = Stall { since, ..Stall::begun() };
            return;
        }
        self.given_up = true;
        if self.line.give_up() {
            self.engine.mark_dirty(self.line.clone());
        }
    }

    /// Writes what waits; when a wait was for that, even though the kernel has said that it takes no more.
    pub(super) fn write_on(&self, ready: Ready) {
        match ready.late {
            true => self.flush_writable(),
            false => self.flush(),
        }
    }

    /// Waits until there is room to write, or until it is time to try, or until then at the latest.
    pub(super) fn wait_to_write(&self, until: Instant) -> Wait {
        let look = Instant::now() + WRITE_LOOK;
        super::wait(false, &self.line, Some(until.min(look)))
    }
}
