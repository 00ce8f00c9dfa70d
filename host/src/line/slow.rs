//! Clients that do not take what waits for them.

use super::Line;
use crate::lock::locked;
use parlor_protocol::action::CloseCause;
use parlor_protocol::input::Ending;

impl Line {
    /// Gives up a client that takes nothing: what has not begun to be written is thrown away, and the line ends
    /// as too slow. True: as with `push`.
    #[must_use]
    pub(crate) fn give_up(&self) -> bool {
        locked(&self.outbox).forget_waiting();
        self.close(Some(CloseCause::TooSlow.frame()), Ending::TooSlow)
    }

    /// How many bytes wait for a client whose kernel takes no more now.
    pub(crate) fn stuck_bytes(&self) -> Option<usize> {
        self.is_blocked().then(|| self.queued_bytes())
    }

    /// Gives up a client for which so many bytes or more still wait, unless its line is being closed already: then its
    /// close frame is among them. True: as with `push`; `None`: it stays.
    pub(crate) fn let_go(&self, bytes: usize) -> Option<bool> {
        let mut outbox = locked(&self.outbox);
        if outbox.is_closed() || outbox.queued_bytes() < bytes {
            return None;
        }
        outbox.forget_waiting();
        outbox.close(Some(CloseCause::TooSlow.frame()));
        drop(outbox);
        self.end(Ending::TooSlow);
        Some(self.mark())
    }
}
