//! Whether there is room for one more connection. It is looked at when a request comes, so that nothing is done
//! for one that cannot be let in, and again when it has been verified: many may have been on their way at once.

use super::answering::unkept;
use super::{Admitted, Credential, Door, RETRY_WAIT, Route, refused};
use crate::auth::User;
use crate::connection::{Connections, WINDOW};
use crate::context::{Context, Effects};
use crate::http::Response;
use crate::metrics::Limit;
use crate::refusal::{Code, Refusal};
use crate::socket_io::engine;
use std::net::IpAddr;
use std::time::Duration;

/// When a client that found no room should try again, at the earliest.
const FULL_WAIT: Duration = Duration::from_secs(5);

/// Why somebody is not served now, and when to try again at the earliest.
pub type NotNow = (Refusal, Duration);

impl Door {
    /// Whether a connection that asks to come in finds no room.
    pub(super) fn has_no_room(
        &mut self,
        address: IpAddr,
        connections: &Connections,
        ctx: &mut Context<'_>,
    ) -> Option<NotNow> {
        if let Some(full) = self.is_full(connections, &mut ctx.fx) {
            return Some(full);
        }
        let may_come = self.addresses.may_come(address, ctx.fx.settings, ctx.fx.now);
        (!may_come).then(|| too_many_of_address(&mut ctx.fx))
    }

    /// Whether such a credential from this address is not looked at, because too many before it were none: the refusal,
    /// and how long that holds.
    pub fn listens_not(&self, address: IpAddr, shown: Credential, fx: &mut Effects<'_>) -> Option<NotNow> {
        let wait = self.addresses.failures_end((address, shown), fx.settings, fx.now)?;
        fx.stats.reached(Limit::AuthFailures);
        let message = match shown {
            Credential::Token | Credential::Refresh => "too many tokens from this address were none",
            Credential::Service => "too many service keys from this address were none",
        };
        Some((Refusal::new(Code::RateLimited, message).retry_after(wait), wait))
    }

    /// Whether one that was let in finds no room any more.
    pub fn crowded(
        &self,
        admitted: &Admitted,
        connections: &Connections,
        fx: &mut Effects<'_>,
    ) -> Option<Response> {
        let full = self.is_full(connections, fx);
        let full = full.or_else(|| too_many_of_user(admitted.user.as_deref()?, connections, fx));
        let by_address = self.addresses.is_full(admitted.address, fx.settings);
        let full = full.or_else(|| by_address.then(|| too_many_of_address(fx)));
        full.map(|(refusal, wait)| unkept(later(refusal, wait)))
    }

    fn is_full(&self, connections: &Connections, fx: &mut Effects<'_>) -> Option<NotNow> {
        if self.draining {
            return Some((Refusal::busy(), RETRY_WAIT));
        }
        if self.short_of_memory {
            fx.stats.reached(Limit::Memory);
            let message = "there is no memory for another connection";
            return Some((Refusal::new(Code::Overloaded, message), FULL_WAIT));
        }
        let most = fx.settings.connections_max;
        let full = most > 0 && connections.len() >= most as usize;
        full.then(|| {
            fx.stats.reached(Limit::Connections);
            let refusal = Refusal::new(Code::Overloaded, format!("over the limit of {most} connections"));
            (refusal, FULL_WAIT)
        })
    }
}

/// Whether this user has as many connections as one may have.
pub(super) fn too_many_of_user(
    user: &User,
    connections: &Connections,
    fx: &mut Effects<'_>,
) -> Option<NotNow> {
    let most = fx.settings.connections_per_user;
    let full = most > 0 && connections.count_of(user) >= most;
    full.then(|| {
        fx.stats.reached(Limit::ConnectionsPerUser);
        let message = format!("over the limit of {most} connections of one user");
        (Refusal::new(Code::RateLimited, message), FULL_WAIT)
    })
}

fn too_many_of_address(fx: &mut Effects<'_>) -> NotNow {
    fx.stats.reached(Limit::ConnectionsPerAddress);
    let message = "over the limit of connections from one address";
    (Refusal::new(Code::RateLimited, message), RETRY_WAIT)
}

/// Counts a call over REST among the calls of its user, and says if it is one too many.
pub(super) fn too_many_calls(
    user: &User,
    connections: &mut Connections,
    ctx: &mut Context<'_>,
) -> Option<Response> {
    let limit = ctx.fx.settings.rate_limit_calls;
    let wait = connections.count_call(user, limit, ctx.fx.now).err()?;
    ctx.fx.stats.reached(Limit::Calls);
    Some(later(Refusal::rate_limited(limit, WINDOW, wait), wait))
}

/// The same in the form of who asked: the engine's clients have one of their own (WIRE §0.5).
pub(super) fn put_off(route: &Route, (refusal, wait): NotNow) -> Response {
    match route {
        Route::Engine(_) => with_wait(engine::not_now(refusal.code.status(), &refusal.message), wait),
        Route::Asset(_) | Route::Health | Route::Open(_) | Route::User(_) | Route::Service(_) => {
            later(refusal, wait)
        }
    }
}

fn with_wait(response: Response, wait: Duration) -> Response {
    response.with("retry-after", wait.as_millis().div_ceil(1_000).to_string())
}

/// A refusal that says in its details and in its header when to try again.
pub(super) fn later(refusal: Refusal, wait: Duration) -> Response {
    with_wait(refused(refusal.code.status(), &refusal.retry_after(wait)), wait)
}
