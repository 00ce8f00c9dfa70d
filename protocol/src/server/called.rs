//! What calls tell: to whom it goes.

use super::Parts;
use crate::call::Said;
use crate::ids::Ticket;
use crate::tickets::{Awaited, Pending};

impl Parts<'_> {
    pub(super) fn on_called(&mut self, ticket: Ticket, said: Said) {
        let awaited = self.ctx.fx.tickets.holder(ticket).map(Pending::awaits);
        if !matches!(awaited, Some(Awaited::Attempt | Awaited::Called)) {
            return;
        }
        if let Said::Delta(text) = &said {
            return self.on_delta(ticket, text);
        }
        if awaited == Some(Awaited::Attempt) {
            self.note_attempt(ticket);
        }
        match self.ctx.fx.tickets.take(ticket) {
            Some(Pending::Documents(waiting)) => self.documents.on_called(&waiting, said, &mut self.ctx),
            Some(Pending::Chat(waiting)) => self.chat.on_called(waiting, said, &mut self.ctx),
            Some(Pending::Hook(_)) => self.hook.on_called(&said, &mut self.ctx.fx),
            Some(
                Pending::Door(_)
                | Pending::Connection(_)
                | Pending::Room(_)
                | Pending::Projects(_)
                | Pending::Drafts(_)
                | Pending::Dashboards(_)
                | Pending::CleanUp(_),
            )
            | None => {}
        }
    }

    /// A call goes on: it is waited for from here on.
    fn on_delta(&mut self, ticket: Ticket, text: &str) {
        let Some(Pending::Documents(waiting)) = self.ctx.fx.tickets.holder(ticket) else { return };
        if let Some(attempt) = waiting.attempt() {
            self.ctx.fx.tickets.extend(self.ctx.fx.now, ticket);
            self.documents.on_delta(&attempt, text, &mut self.ctx);
        }
    }
}
