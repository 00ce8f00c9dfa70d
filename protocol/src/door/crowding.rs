//! Whether there is room for one more connection. It is looked at when a request comes, so that nothing is done
//! for one that cannot be let in, and again when it has been verified: many may have been on their way at once.

use super::answering::unkept;
use super::{Admitted, Door, RETRY_WAIT, refused};
use crate::auth::User;
use crate::connection::{Connections, WINDOW};
use crate::context::Context;
use crate::http::Response;
use crate::refusal::{Code, Refusal};
use crate::settings::Settings;
use std::net::IpAddr;
use std::time::Duration;

/// When a client that found no room should try again, at the earliest.
const FULL_WAIT: Duration = Duration::from_secs(5);

impl Door {
    /// Whether a connection that asks to come in finds no room: the answer to it.
    pub(super) fn has_no_room(
        &mut self,
        address: IpAddr,
        connections: &Connections,
        ctx: &Context<'_>,
    ) -> Option<Response> {
        let settings = ctx.fx.settings;
        if let Some(response) = self.is_full(connections, settings) {
            return Some(response);
        }
        (!self.addresses.may_come(address, settings, ctx.fx.now)).then(too_many_of_address)
    }

    /// Whether one that was let in finds no room any more.
    pub fn crowded(
        &self,
        admitted: &Admitted,
        connections: &Connections,
        settings: &Settings,
    ) -> Option<Response> {
        let by_user = || too_many_of_user(admitted.user.as_deref()?, connections, settings);
        let by_address = || self.addresses.is_full(admitted.address, settings).then(too_many_of_address);
        self.is_full(connections, settings).or_else(by_user).or_else(by_address).map(unkept)
    }

    fn is_full(&self, connections: &Connections, settings: &Settings) -> Option<Response> {
        if self.draining {
            return Some(later(Refusal::busy(), RETRY_WAIT));
        }
        let most = settings.connections_max;
        let full = most > 0 && connections.len() >= most as usize;
        let refusal = || Refusal::new(Code::Overloaded, format!("over the limit of {most} connections"));
        full.then(|| later(refusal(), FULL_WAIT))
    }
}

/// Whether this user has as many connections as one may have.
pub(super) fn too_many_of_user(
    user: &User,
    connections: &Connections,
    settings: &Settings,
) -> Option<Response> {
    let most = settings.connections_per_user;
    let full = most > 0 && connections.count_of(user) >= most;
    let message = || format!("over the limit of {most} connections of one user");
    full.then(|| later(Refusal::new(Code::RateLimited, message()), FULL_WAIT))
}

fn too_many_of_address() -> Response {
    let message = "over the limit of connections from one address";
    later(Refusal::new(Code::RateLimited, message), RETRY_WAIT)
}

/// Counts a call over REST among the calls of its user, and says if it is one too many.
pub(super) fn too_many_calls(
    user: &User,
    connections: &mut Connections,
    ctx: &Context<'_>,
) -> Option<Response> {
    let limit = ctx.fx.settings.rate_limit_calls;
    let wait = connections.count_call(user, limit, ctx.fx.now).err()?;
    Some(later(Refusal::rate_limited(limit, WINDOW, wait), wait))
}

/// A refusal that says in its details and in its header when to try again.
pub(super) fn later(refusal: Refusal, wait: Duration) -> Response {
    let seconds = wait.as_millis().div_ceil(1_000);
    refused(refusal.code.status(), &refusal.retry_after(wait)).with("retry-after", seconds.to_string())
}
