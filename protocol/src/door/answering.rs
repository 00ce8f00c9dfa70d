//! The end of every request: an answer, or a refusal in the form that was asked for.

use super::asking::Asked;
use super::crowding::later;
use super::{Decided, Door, RETRY_WAIT, Route, origin};
use crate::action::{Action, CloseCause};
use crate::auth::AuthFailure;
use crate::context::Context;
use crate::http::Response;
use crate::ids::RequestId;
use crate::record::{Level, Record};
use crate::refusal::{Code, Refusal};
use crate::settings::Settings;
use serde_json::json;
use std::time::Duration;

impl Door {
    pub(super) fn turn_away(
        &mut self,
        asked: &Asked,
        failure: &AuthFailure,
        ctx: &mut Context<'_>,
    ) -> Option<Decided> {
        if let AuthFailure::NotNow { retry_after } = failure {
            return self.put_off(asked, *retry_after, ctx);
        }
        ctx.fx.stats.auth_failures += 1;
        if let Some(shown) = asked.shown() {
            self.addresses.failed((asked.address, shown), failure, ctx.fx.settings, ctx.fx.now);
        }
        let record = Record::new(Level::Warn, "auth.failed").with("reason", failure.to_string());
        ctx.fx.log(record.with("address", asked.address.to_string()));
        let (status, refusal) = match failure {
            AuthFailure::NotConfigured if matches!(asked.route, Route::Service(_)) => {
                (403, Refusal::new(Code::PermissionDenied, "no service key is configured"))
            }
            AuthFailure::Expired => (401, Refusal::new(Code::TokenExpired, "the token has expired")),
            AuthFailure::NotConfigured
            | AuthFailure::Missing
            | AuthFailure::Disagreeing
            | AuthFailure::Bad
            | AuthFailure::Claim(_)
            | AuthFailure::Spent
            | AuthFailure::UnknownKey
            | AuthFailure::NotNow { .. } => (401, Refusal::new(Code::AuthFailed, "authentication failed")),
        };
        self.refuse(asked, status, &refusal, CloseCause::AuthenticationFailed, ctx)
    }

    /// Whether the token is good cannot be said now, which is nothing against the token.
    fn put_off(&mut self, asked: &Asked, wait: Duration, ctx: &mut Context<'_>) -> Option<Decided> {
        let refusal = Refusal::keys_unavailable(Code::Overloaded, wait);
        if asked.by_close && matches!(asked.route, Route::Open(_)) {
            return self.refuse(asked, refusal.code.status(), &refusal, CloseCause::Overloaded, ctx);
        }
        self.answer(asked, later(refusal, wait), ctx);
        None
    }

    /// Refuses with a status or, where that was asked for, with an upgrade and a close.
    pub(super) fn refuse(
        &mut self,
        asked: &Asked,
        status: u16,
        refusal: &Refusal,
        cause: CloseCause,
        ctx: &mut Context<'_>,
    ) -> Option<Decided> {
        match asked.admitted(None, None).filter(|_| asked.by_close) {
            Some(admitted) => {
                self.waiting.remove(&asked.request);
                Some(Decided::TurnedAway(Box::new(admitted), cause))
            }
            None => {
                self.answer(asked, refused(status, refusal), ctx);
                None
            }
        }
    }

    /// The store does not answer a request, or cannot do what it asks.
    pub(super) fn no_store(&mut self, asked: &Asked, ctx: &mut Context<'_>) {
        self.answer(asked, later(Refusal::store_unavailable(), RETRY_WAIT), ctx);
    }

    /// Answers a request.
    pub fn answer(&mut self, asked: &Asked, response: Response, ctx: &mut Context<'_>) {
        self.respond(asked.request, asked.origin.as_deref(), response, ctx);
    }

    /// Answers a request that another part has dealt with, unless its client hung up meanwhile.
    pub fn answer_post(&mut self, request: RequestId, response: Response, ctx: &mut Context<'_>) {
        if let Some(origin) = self.posting.remove(&request) {
            self.respond(request, origin.as_deref(), response, ctx);
        }
    }

    pub(super) fn respond(
        &mut self,
        request: RequestId,
        origin: Option<&str>,
        response: Response,
        ctx: &mut Context<'_>,
    ) {
        if self.waiting.remove(&request) {
            ctx.fx.stats.answered(response.status);
            let response = dressed(response, origin, ctx.fx.settings);
            ctx.fx.actions.push(Action::Respond { request, response });
        }
    }
}

/// A response with what every one of ours carries.
pub fn dressed(response: Response, origin: Option<&str>, settings: &Settings) -> Response {
    origin::with_cors(unkept(response), origin, &settings.origins)
}

/// What is answered is for the one who asked, now: nobody keeps it, unless the answer says otherwise, and no page
/// tells another where it came from.
pub(super) fn unkept(response: Response) -> Response {
    let says = |response: &Response, name| response.headers.iter().any(|(known, _)| known == name);
    let response = match says(&response, "cache-control") {
        true => response,
        false => response.with("cache-control", "no-store"),
    };
    match says(&response, "referrer-policy") {
        true => response,
        false => response.with("referrer-policy", "no-referrer"),
    }
}

/// A refusal as a REST answer, with when to try again in a header too where the refusal says it.
pub fn refusal_response(refusal: &Refusal) -> Response {
    let response = refused(refusal.code.status(), refusal);
    let wait = refusal.details.as_ref().and_then(|details| details["retryAfterMs"].as_u64());
    match wait {
        Some(wait) => response.with("retry-after", wait.div_ceil(1_000).to_string()),
        None => response,
    }
}

/// A refusal as a REST answer with this status.
pub fn refused(status: u16, refusal: &Refusal) -> Response {
    Response::json(status, &json!({"error": refusal}))
}
