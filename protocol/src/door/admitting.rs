//! From a request to who sends it: its credential is looked at, and then it is let in or goes on to what it asks.

use super::asking::{Asked, no_route};
use super::route::{EngineCall, NoRoute, Operation, Route, ServiceCall, UserCall};
use super::{Decided, Door, Step, ToEngine, Waiting, crowding, rest};
use crate::action::CloseCause;
use crate::apps::documents::Wish;
use crate::apps::drafts;
use crate::auth::{AuthFailure, Shown, User};
use crate::connection::{Connections, Endpoint};
use crate::context::Context;
use crate::job::Job;
use crate::refusal::{Code, Refusal};
use crate::store::{Query, TemplateRow};
use crate::tickets::Pending;
use std::sync::Arc;

impl Door {
    pub(super) fn admit_or_verify(&mut self, asked: Box<Asked>, ctx: &mut Context<'_>) -> Option<Decided> {
        match &asked.route {
            Route::Asset(name) => {
                let response = rest::asset(name.clone());
                self.answer(&asked, response, ctx);
                None
            }
            Route::Health => Some(Decided::Health(asked)),
            // Over `/hocuspocus` every document has a token of its own.
            Route::Open(Endpoint::Echo | Endpoint::Hocuspocus) => self.admit(&asked, None, None),
            Route::Open(
                Endpoint::Documents
                | Endpoint::Chat
                | Endpoint::Connect
                | Endpoint::Drafts
                | Endpoint::YWebsocket
                | Endpoint::Realtime,
            )
            | Route::User(_) => self.verify(asked, ctx),
            Route::Open(Endpoint::SocketIo) => None,
            Route::Engine(_) => self.hand_to_engine(*asked, ctx),
            Route::Service(ServiceCall::Operator(Operation::Metrics)) if asked.local => {
                Some(Decided::Operated(asked, Operation::Metrics))
            }
            Route::Service(_) => self.verify_service(asked, ctx),
        }
    }

    /// From here on the request is the engine's: it may wait there for long.
    fn hand_to_engine(&mut self, asked: Asked, ctx: &mut Context<'_>) -> Option<Decided> {
        let Asked { request, address, origin, route, token, body, .. } = asked;
        let Route::Engine(EngineCall { asked: Ok(asked), text }) = route else { return None };
        if !self.waiting.remove(&request) || ctx.fx.is_busy() {
            return None;
        }
        Some(Decided::Engine(Box::new(ToEngine { request, asked, address, origin, token, body, text })))
    }

    pub(super) fn verify(&mut self, asked: Box<Asked>, ctx: &mut Context<'_>) -> Option<Decided> {
        let serves = matches!(&asked.route, Route::User(call) if call.serves_backends());
        if serves && matches!(asked.token, Ok(None)) && !matches!(asked.signed, Ok(None)) {
            return self.verify_service(asked, ctx);
        }
        let token = match &asked.token {
            Ok(Some(token)) => token.clone(),
            Ok(None) => return self.turn_away(&asked, &AuthFailure::Missing, ctx),
            Err(failure) => return self.turn_away(&asked, failure, ctx),
        };
        // A document may be asked for by a backend too: its key is tried first.
        if asked.by_header && serves {
            return self.verify_service(asked, ctx);
        }
        let waiting = Waiting { asked, step: Step::Token };
        ctx.fx.work(Job::VerifyToken { token }, Pending::Door(waiting));
        None
    }

    pub(super) fn verify_service(&mut self, asked: Box<Asked>, ctx: &mut Context<'_>) -> Option<Decided> {
        // Without one, the job still tells whether there is a key that it could have been.
        let shown = match (&asked.token, &asked.signed) {
            (Err(failure), _) => return self.turn_away(&asked, failure, ctx),
            (Ok(Some(key)), _) if asked.by_header => Shown::Key(key.clone()),
            (Ok(_), Err(failure)) => return self.turn_away(&asked, failure, ctx),
            (Ok(_), Ok(Some(signed))) => Shown::Signature(signed.clone()),
            (Ok(_), Ok(None)) => Shown::Key(String::new()),
        };
        let step = match &shown {
            Shown::Key(_) => Step::Key,
            Shown::Signature(signed) => Step::Signature(signed.stamp.clone()),
        };
        ctx.fx.work(Job::VerifyService { shown }, Pending::Door(Waiting { asked, step }));
        None
    }

    pub(super) fn on_user(
        &mut self,
        asked: Box<Asked>,
        user: Arc<User>,
        connections: &mut Connections,
        ctx: &mut Context<'_>,
    ) -> Option<Decided> {
        match &asked.route {
            Route::Open(_)
                if let Some((refusal, wait)) =
                    crowding::too_many_of_user(&user, connections, &mut ctx.fx) =>
            {
                self.answer(&asked, crowding::later(refusal, wait), ctx);
                None
            }
            Route::Open(Endpoint::Documents) => {
                let Some(template) = asked.template.clone() else {
                    let refusal = Refusal::new(Code::ClientError, "templateId is missing");
                    return self.refuse(&asked, 400, &refusal, CloseCause::ParameterMissing, ctx);
                };
                if let Err(refusal) = &asked.wish {
                    return self.refuse(&asked, 400, refusal, CloseCause::ParameterMissing, ctx);
                }
                self.look(asked, Query::Template(template), Step::Template(user), ctx);
                None
            }
            Route::Open(Endpoint::Drafts | Endpoint::YWebsocket) => {
                match asked.draft.as_deref().map(drafts::draft_id) {
                    Some(Ok(_)) => self.admit(&asked, Some(user), None),
                    Some(Err(refusal)) => {
                        self.refuse(&asked, 404, &refusal, CloseCause::ResourceUnknown, ctx)
                    }
                    None => {
                        let refusal = Refusal::new(Code::ClientError, "draftId is missing");
                        self.refuse(&asked, 400, &refusal, CloseCause::ParameterMissing, ctx)
                    }
                }
            }
            Route::Open(Endpoint::Realtime) => self.visit(asked, user, ctx),
            Route::Open(_) => self.admit(&asked, Some(user), None),
            Route::User(_) if let Some(response) = crowding::too_many_calls(&user, connections, ctx) => {
                self.answer(&asked, response, ctx);
                None
            }
            Route::User(UserCall::Realtime | UserCall::Sync) => self.visit(asked, user, ctx),
            Route::User(UserCall::Statistics) => Some(Decided::Statistics(asked, Some(user))),
            Route::User(UserCall::Draft { .. }) => self.ask_draft(*asked, user),
            Route::User(UserCall::Amiss(what)) => self.point_out(&asked, what, ctx),
            Route::User(call) => match rest::query(call, &user) {
                Some(query) => {
                    self.look(asked, query, Step::Rows(Some(user)), ctx);
                    None
                }
                None => self.offer(*asked, user),
            },
            Route::Asset(_) | Route::Health | Route::Service(_) | Route::Engine(_) => None,
        }
    }

    /// A parameter is missing or out of range.
    pub(super) fn point_out(
        &mut self,
        asked: &Asked,
        what: &'static str,
        ctx: &mut Context<'_>,
    ) -> Option<Decided> {
        self.answer(asked, no_route(&NoRoute::Parameter(what)), ctx);
        None
    }

    pub(super) fn admit(
        &mut self,
        asked: &Asked,
        user: Option<Arc<User>>,
        template: Option<(TemplateRow, Wish)>,
    ) -> Option<Decided> {
        self.waiting.remove(&asked.request);
        Some(Decided::Admitted(Box::new(asked.admitted(user, template)?)))
    }
}
