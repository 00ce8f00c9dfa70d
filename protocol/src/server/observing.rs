//! What metrics are made of (WIRE §0.11): the numbers as they are now. They are written as text elsewhere, outside the lock.

use super::Parts;
use crate::http::{Body, Response};
use crate::ids::Ticket;
use crate::metrics::{MEDIA_TYPE, Snapshot};
use crate::refusal::Code;
use std::borrow::Cow;

/// Nobody is let go for whom less waits.
const UNFETCHED_BYTES_MIN: usize = 64 * 1024;

impl Parts<'_> {
    /// The answer to whoever asks for metrics.
    pub(super) fn metrics(&self) -> Response {
        let body = Body::Metrics(Box::new(self.snapshot()));
        Response { body, ..Response::empty(200) }.with("content-type", MEDIA_TYPE)
    }

    fn snapshot(&self) -> Snapshot {
        let (fx, stats) = (&self.ctx.fx, &*self.ctx.fx.stats);
        let told = |code: Code| stats.errors.get(&code).copied().unwrap_or_default();
        Snapshot {
            version: fx.settings.version.clone(),
            started_at: self.started_at,
            draining: self.door.draining,
            connections: self.connections.len() as u64,
            connections_max: u64::from(fx.settings.connections_max),
            rooms: self.ctx.rooms.len() as u64,
            room_members: self.ctx.rooms.members_len() as u64,
            awaited: fx.tickets.len() as u64,
            polled_bytes: fx.transports.all_polled_bytes() as u64,
            draft_bytes: self.drafts.weight() as u64,
            messages_in: stats.messages_in,
            messages_out: stats.messages_out,
            malformed: stats.malformed,
            auth_failures: stats.auth_failures,
            errors: Code::ALL.iter().map(|code| (Cow::Borrowed(code.as_str()), told(*code))).collect(),
            responses: stats.responses,
            limits: stats.limits,
            store_up: !stats.store_down(),
            ai_up: fx.settings.has_ai_service().then_some(!stats.ai_service.down),
            delivery: stats.delivery.spread(),
            ai: stats.ai.spread(),
            lasted: stats.lasted.spread(),
        }
    }

    /// An attempt at the AI service ended: how long it took.
    pub(super) fn note_attempt(&mut self, ticket: Ticket) {
        let fx = &mut self.ctx.fx;
        if let Some(since) = fx.tickets.since(ticket) {
            fx.stats.ai.note(fx.now.since(since));
        }
    }

    /// What waits for all clients together is too much, or is not any more. While it is, those who poll and do not fetch
    /// what waits for them are let go, like those whom the driver sees: they may come back.
    pub(super) fn on_memory(&mut self, short: bool) {
        self.door.short_of_memory = short;
        if short {
            let unfetched = self.ctx.fx.transports.unfetched(UNFETCHED_BYTES_MIN);
            unfetched
                .into_iter()
                .for_each(|id| self.with_session(id, |engine, _, orders| engine.session.give_up(orders)));
        }
    }
}
