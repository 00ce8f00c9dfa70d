//! The door: every HTTP request, upgrade or not, from its arrival to its answer. What is looked at comes in this
//! order: path, method, version, Origin, limits, credential, parameter, resource, access.

mod admin;
mod admitting;
mod answering;
mod asking;
mod crowding;
mod decided;
mod files;
mod limits;
mod origin;
mod rest;
mod route;
mod spending;
mod visiting;
mod writing;

pub use answering::{dressed, refusal_response, refused};
pub use asking::{Asked, no_route};
pub use decided::{Admitted, Changed, Decided, Post, ToEngine};
pub use limits::{Addresses, Credential};
pub use route::{NoRoute, Operation, leads_nowhere};
use route::{Route, UserCall};

use crate::action::CloseCause;
use crate::apps::documents::template_for;
use crate::auth::{AuthFailure, Stamp, User};
use crate::connection::{Connections, Endpoint};
use crate::context::Context;
use crate::http::{RequestHead, Response};
use crate::ids::RequestId;
use crate::job::{Job, Outcome};
use crate::metrics::Limit;
use crate::refusal::{Code, Refusal};
use crate::socket_io::engine;
use crate::store::{Query, Row, StoreReply, StoreRequest};
use crate::tickets::Pending;

use bytes::Bytes;
use spending::Spent;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use writing::Write;

/// How many requests may wait for their answer.
const REQUESTS_MAX: usize = 8_192;

/// When a client should try again that was refused because the server or its store is busy.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// A request between two of its stages.
#[derive(Debug)]
pub struct Waiting {
    asked: Box<Asked>,
    step: Step,
}

/// What a request waits for.
#[derive(Debug)]
enum Step {
    /// Whether its token is good.
    Token,
    /// Whether its service key is good.
    Key,
    /// Whether its signature is good.
    Signature(Stamp),
    /// Whether its signature was good before.
    Spent,
    /// Whether the template is there.
    Template(Arc<User>),
    /// The rows it asks for; `None`: for a backend.
    Rows(Option<Arc<User>>),
    /// Where the logs of the rooms it is shown end.
    Heads(Vec<Row>, Arc<User>),
    /// A document as a page.
    Page,
    /// What stands where it wants to write; how often it has tried to.
    Before(u32),
    /// The members of the room that it wants to write one of.
    Members(u32),
    /// What it wrote.
    Written(Box<Write>),
}

/// The door.
#[derive(Debug, Default)]
pub struct Door {
    waiting: BTreeSet<RequestId>,
    /// The pages from which requests come whose answer is another part's.
    posting: BTreeMap<RequestId, Option<String>>,
    /// Those who want to become connections, and are looked at by another part.
    entering: BTreeMap<RequestId, Box<Asked>>,
    /// Signatures that were used.
    spent: Spent,
    /// What the addresses use.
    pub addresses: Addresses,
    /// Whether nobody new comes in.
    pub draining: bool,
    /// Whether there is no memory for anybody new.
    pub short_of_memory: bool,
}

impl Door {
    /// A request came in.
    pub fn on_requested(
        &mut self,
        request: RequestId,
        peer: IpAddr,
        head: &RequestHead,
        body: Bytes,
        connections: &Connections,
        ctx: &mut Context<'_>,
    ) -> Option<Decided> {
        self.waiting.insert(request);
        let address = limits::address(peer, head, ctx.fx.settings);
        let allowed = origin::is_allowed(head, &ctx.fx.settings.origins);
        let asked = match Asked::read(request, address, head, body) {
            // A page that may not call may not read why, either.
            Ok(asked) => {
                let local = asking::is_local(peer, head);
                Asked { origin: asked.origin.filter(|_| allowed), local, ..asked }
            }
            Err((no_route, origin)) => {
                self.respond(
                    request,
                    origin.filter(|_| allowed).as_deref(),
                    asking::no_route(&no_route),
                    ctx,
                );
                return None;
            }
        };
        if let Some(response) = self.stop(&asked, head, connections, ctx) {
            self.answer(&asked, response, ctx);
            return None;
        }
        self.admit_or_verify(Box::new(asked), ctx)
    }

    /// What stands before any credential: version, Origin, limits.
    fn stop(
        &mut self,
        asked: &Asked,
        head: &RequestHead,
        connections: &Connections,
        ctx: &mut Context<'_>,
    ) -> Option<Response> {
        let settings = ctx.fx.settings;
        let opens = match &asked.route {
            Route::Engine(to) => {
                if let Err(why) = &to.asked {
                    return Some(why.response());
                }
                to.opens()
            }
            Route::Open(_) => true,
            Route::Asset(_) | Route::Health | Route::User(_) | Route::Service(_) => false,
        };
        if matches!(asked.route, Route::Engine(_))
            && head.is_upgrade()
            && let Some(response) = asking::bad_handshake(head)
        {
            return Some(response);
        }
        if let Route::Open(endpoint) = asked.route {
            if endpoint == Endpoint::Echo && !settings.echo {
                return Some(asking::no_route(&NoRoute::Unknown));
            }
            if let Some(response) = asking::bad_handshake(head) {
                return Some(response);
            }
        }
        if !origin::is_allowed(head, &settings.origins) {
            if matches!(asked.route, Route::Engine(_)) {
                return Some(engine::Refused::Forbidden.response());
            }
            return Some(refused(403, &Refusal::new(Code::PermissionDenied, "this Origin is not allowed")));
        }
        if self.waiting.len() > REQUESTS_MAX || ctx.fx.is_busy() {
            ctx.fx.stats.reached(Limit::Waiting);
            return Some(crowding::put_off(&asked.route, (Refusal::busy(), RETRY_WAIT)));
        }
        let not_now = asked.shown().and_then(|shown| self.listens_not(asked.address, shown, &mut ctx.fx));
        let not_now =
            not_now.or_else(|| opens.then(|| self.has_no_room(asked.address, connections, ctx)).flatten());
        not_now.map(|not_now| crowding::put_off(&asked.route, not_now))
    }

    /// A job of a request is done.
    pub fn on_worked(
        &mut self,
        waiting: Waiting,
        outcome: Outcome,
        connections: &mut Connections,
        ctx: &mut Context<'_>,
    ) -> Option<Decided> {
        let Waiting { asked, step } = waiting;
        if !self.waiting.contains(&asked.request) {
            return None;
        }
        match outcome {
            Outcome::Token(Ok(user)) if matches!(step, Step::Token) => {
                self.on_user(asked, Arc::new(user), connections, ctx)
            }
            Outcome::Service(Err(_)) if matches!((&step, &asked.route), (Step::Key, Route::User(_))) => {
                let Ok(Some(token)) = asked.token.clone() else { return None };
                let waiting = Waiting { asked, step: Step::Token };
                ctx.fx.work(Job::VerifyToken { token }, Pending::Door(waiting));
                None
            }
            Outcome::Token(Err(failure)) | Outcome::Service(Err(failure)) => {
                self.turn_away(&asked, &failure, ctx)
            }
            Outcome::Service(Ok(())) if matches!(step, Step::Key) => self.on_service(asked, ctx),
            Outcome::Service(Ok(())) if matches!(step, Step::Signature(_)) => {
                if let Step::Signature(stamp) = step {
                    self.spend(asked, &stamp, ctx);
                }
                None
            }
            Outcome::Rendered(page) if matches!(step, Step::Page) => {
                self.answer(&asked, rest::page(page), ctx);
                None
            }
            Outcome::Token(Ok(_))
            | Outcome::Service(Ok(()))
            | Outcome::Rendered(_)
            | Outcome::Inspected(_)
            | Outcome::Joined(_)
            | Outcome::Doc(_)
            | Outcome::Unpacked(_)
            | Outcome::Spelled(_)
            | Outcome::Board(_)
            | Outcome::Written(..) => {
                let refusal = Refusal::new(Code::ServerError, "another answer than was asked for");
                self.answer(&asked, refused(500, &refusal), ctx);
                None
            }
        }
    }

    fn look(&mut self, asked: Box<Asked>, query: Query, step: Step, ctx: &mut Context<'_>) {
        ctx.fx.store(StoreRequest::Look(query), Pending::Door(Waiting { asked, step }));
    }

    /// The store answered a request's question.
    pub fn on_stored(
        &mut self,
        waiting: Waiting,
        reply: StoreReply,
        ctx: &mut Context<'_>,
    ) -> Option<Decided> {
        let Waiting { asked, step } = waiting;
        let changed = matches!(step, Step::Written(_));
        if !self.waiting.contains(&asked.request) && !changed {
            return None;
        }
        match (step, reply) {
            (Step::Template(user), StoreReply::Found(rows)) => {
                let template = template_for(rows, &user);
                let Some(template) = template else {
                    let refusal = Refusal::new(Code::NotFound, "there is no such template");
                    return self.refuse(&asked, 404, &refusal, CloseCause::ResourceUnknown, ctx);
                };
                let wish = asked.wish.clone().unwrap_or_default();
                self.admit(&asked, Some(user), Some((template, wish)))
            }
            (Step::Rows(Some(user)), StoreReply::Found(rows))
                if matches!(asked.route, Route::User(UserCall::File(_))) =>
            {
                self.want(&asked, user, rows, ctx)
            }
            (Step::Rows(user), StoreReply::Found(rows)) => {
                self.show(asked, user, rows, ctx);
                None
            }
            (Step::Rows(_), StoreReply::Entries { entries, head }) => {
                self.answer(&asked, rest::log(&entries, head), ctx);
                None
            }
            (Step::Heads(rows, user), StoreReply::Heads(heads)) => {
                self.answer(&asked, rest::rooms(&rows, &heads, &user), ctx);
                None
            }
            (Step::Before(tries), StoreReply::Found(rows)) => {
                self.on_before(asked, rows, tries, ctx);
                None
            }
            (Step::Members(tries), StoreReply::Found(rows)) => {
                self.write(asked, rows, tries, ctx);
                None
            }
            (Step::Spent, StoreReply::Committed(_)) => self.on_service(asked, ctx),
            (Step::Spent, StoreReply::Taken(_)) => self.turn_away(&asked, &AuthFailure::Spent, ctx),
            (Step::Written(write), reply) => self.on_written(asked, *write, &reply, ctx),
            (_, _) => {
                self.no_store(&asked, ctx);
                None
            }
        }
    }

    /// How many requests wait for their answer.
    pub fn waiting_len(&self) -> usize {
        self.waiting.len()
    }

    /// The client hung up.
    pub fn on_gone(&mut self, request: RequestId) {
        self.waiting.remove(&request);
        self.posting.remove(&request);
        self.entering.remove(&request);
    }
}
