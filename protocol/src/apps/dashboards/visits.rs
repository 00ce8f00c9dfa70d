//! Who comes to a dashboard by HTTP: to become a connection that is for it, to ask how it is, or to bring operations
//! where no WebSocket can be had (WIRE §3.4).

use super::access::{access, denied, own, owner};
use super::board::Said;
use super::command::{Operation, board_id};
use super::desk::{Origin, Task};
use super::{Dashboards, Parked};
use crate::apps::projects::Posting;
use crate::auth::User;
use crate::context::Context;
use crate::envelope::ID_BYTES_MAX;
use crate::http::Response;
use crate::ids::{EntryId, RequestId, RoomId, Seq};
use crate::json::{self, Json};
use crate::refusal::{Code, Refusal};
use crate::room::PostId;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many operations one request brings at the most (WIRE §3.4).
const OPERATIONS_MAX: usize = 500;
/// How many requests may wait for their answer; each may hold some megabytes.
const REQUESTS_MAX: usize = 256;
/// After how many bytes of results conflicts are told without both sides, which the board beside them shows, and without
/// their fields. What is left of a result is not longer than what was asked by much.
const RESULTS_BYTES_MAX: usize = 1 << 20;

/// Somebody at the door.
#[derive(Debug)]
pub struct Visit {
    /// The request.
    pub request: RequestId,
    /// Who.
    pub user: Arc<User>,
    /// Which dashboard, as it is spelled there; the user's own where that is left out.
    pub board: Option<String>,
    /// What for.
    pub what: What,
}

/// What somebody comes for.
#[derive(Debug)]
pub enum What {
    /// To become a connection.
    Enter,
    /// To ask how it is; with where connections are made.
    Look(String),
    /// To bring operations.
    Sync(Bytes),
}

/// What became of somebody who wants to become a connection.
pub type Visited = (RequestId, Arc<User>, Result<RoomId, Refusal>);

/// Requests that wait.
#[derive(Debug, Default)]
pub struct Requests(BTreeMap<RequestId, Waiting>);

#[derive(Debug)]
struct Waiting {
    board: RoomId,
    since: Option<Seq>,
    ids: Vec<Option<String>>,
    results: Vec<Option<String>>,
    bytes: usize,
    left: usize,
}

/// The body of a request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sync<'a> {
    #[serde(rename = "type", borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    dashboard_id: Option<Cow<'a, str>>,
    since: Option<u64>,
    #[serde(borrow)]
    operations: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(rename = "type", borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

impl Requests {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Dashboards {
    /// Somebody is at the door.
    pub fn on_visit(&mut self, visit: Visit, ctx: &mut Context<'_>) {
        let named = match &visit.what {
            What::Sync(body) => sync(body).map(|sync| sync.dashboard_id.map(Cow::into_owned)),
            What::Enter | What::Look(_) => Ok(visit.board.clone()),
        };
        let named = named.and_then(|named| named.map(|id| board_id(&id)).transpose());
        let id = match named.map(|named| named.unwrap_or_else(|| own(&visit.user.id))) {
            Ok(id) => id,
            Err(refusal) => return self.turn_away(visit, refusal, ctx),
        };
        if owner(&id).is_some_and(|owner| owner != visit.user.id.as_str()) {
            return self.turn_away(visit, denied(), ctx);
        }
        match self.is_closed(&id, ctx) {
            true if self.has_no_place(ctx) => self.turn_away(visit, Refusal::busy(), ctx),
            true => self.park(id, Parked::Visit(Box::new(visit)), ctx),
            false => self.receive(visit, &id, ctx),
        }
    }

    /// The dashboard is open.
    pub(super) fn receive(&mut self, visit: Visit, id: &RoomId, ctx: &mut Context<'_>) {
        let allowed = match ctx.rooms.find(id) {
            Some(room) => access(room, &visit.user).hears(),
            None => Err(Refusal::busy()),
        };
        if let Err(refusal) = allowed {
            return self.turn_away(visit, refusal, ctx);
        }
        let Visit { request, user, what, .. } = visit;
        match what {
            What::Enter => ctx.fx.visited.push((request, user, Ok(id.clone()))),
            What::Look(url) => {
                let named = json!({"id": user.id.as_str(), "name": user.name});
                let seq = self.seq(id).0;
                let body = json!({"status": "ok", "wsUrl": url, "user": named, "seq": seq});
                ctx.fx.answered.push((request, Response::json(200, &body)));
            }
            What::Sync(body) => self.begin_request(request, user, id, &body, ctx),
        }
    }

    /// Whoever is at the door is not let in.
    pub(super) fn turn_away(&mut self, visit: Visit, refusal: Refusal, ctx: &mut Context<'_>) {
        let Visit { request, user, what, .. } = visit;
        match what {
            What::Enter => ctx.fx.visited.push((request, user, Err(refusal))),
            What::Look(_) | What::Sync(_) => {
                ctx.fx.answered.push((request, crate::door::refusal_response(&refusal)));
            }
        }
    }

    fn begin_request(
        &mut self,
        request: RequestId,
        user: Arc<User>,
        id: &RoomId,
        body: &Bytes,
        ctx: &mut Context<'_>,
    ) {
        let sync = match sync(body) {
            Ok(_) if self.requests.0.len() >= REQUESTS_MAX => Err(Refusal::busy()),
            other => other,
        };
        let sync = match sync {
            Ok(sync) => sync,
            Err(refusal) => {
                return ctx.fx.answered.push((request, crate::door::refusal_response(&refusal)));
            }
        };
        let asked: Vec<_> = sync.operations.iter().map(|operation| asked(operation.get())).collect();
        let ids = asked.iter().map(|(id, _)| id.clone()).collect();
        let waiting = Waiting {
            board: id.clone(),
            since: sync.since.map(Seq),
            ids,
            results: vec![None; asked.len()],
            bytes: 0,
            left: asked.len(),
        };
        self.requests.0.insert(request, waiting);
        for (place, (entry, operation)) in asked.into_iter().enumerate() {
            let asked = operation.map_err(|refusal| (place, refusal)).and_then(|operation| {
                let (origin, key) = (
                    Origin::Request(request, place, user.clone()),
                    (user.id.clone(), entry.map(EntryId::from)),
                );
                let asked = self.ask(id, origin, key, Task::Operate(Box::new(operation)), ctx);
                asked.map_err(|refusal| (place, refusal))
            });
            if let Err((place, refusal)) = asked {
                self.request_replied(
                    request,
                    place,
                    Err((Json::of(&refusal).as_str().to_string(), None)),
                    ctx,
                );
            }
        }
        self.finish_request(request, ctx);
    }

    /// What became of an operation: its answer, or an error and perhaps a conflict.
    pub(super) fn request_replied(
        &mut self,
        request: RequestId,
        place: usize,
        result: Result<String, (String, Option<String>)>,
        ctx: &mut Context<'_>,
    ) {
        let Some(waiting) = self.requests.0.get_mut(&request) else { return };
        let id = waiting.ids.get(place).and_then(Option::as_deref).map(|id| Json::of(&id));
        let mut text = String::from("{");
        if let Some(id) = id {
            text.push_str(&format!(r#""id":{},"#, id.as_str()));
        }
        match result {
            Ok(answer) => {
                text.push_str(r#""ok":true"#);
                let fields = answer.strip_prefix('{').filter(|fields| *fields != "}");
                text.push_str(&fields.map_or_else(|| "}".to_string(), |fields| format!(",{fields}")));
            }
            Err((error, conflict)) => {
                text.push_str(&format!(r#""ok":false,"error":{error}"#));
                if let Some(conflict) = conflict {
                    text.push_str(&format!(r#","conflict":{conflict}"#));
                }
                text.push('}');
            }
        }
        waiting.bytes += text.len();
        if let Some(result) = waiting.results.get_mut(place)
            && result.replace(text).is_none()
        {
            waiting.left -= 1;
        }
        self.finish_request(request, ctx);
    }

    /// A client has hung up on its request: what it brought is done, and answered to nobody.
    pub fn on_request_gone(&mut self, request: RequestId) {
        self.requests.0.remove(&request);
    }

    /// Whether a request holds so much that conflicts are told without both sides, or nobody reads them.
    pub(super) fn is_wordy(&self, origin: &Origin) -> bool {
        match origin {
            Origin::Request(request, ..) => {
                self.requests.0.get(request).is_none_or(|waiting| waiting.bytes > RESULTS_BYTES_MAX)
            }
            Origin::Caller(_) | Origin::Post(_) => false,
        }
    }

    /// Answers a request for which nothing is waited any more.
    fn finish_request(&mut self, request: RequestId, ctx: &mut Context<'_>) {
        if self.requests.0.get(&request).is_none_or(|waiting| waiting.left > 0) {
            return;
        }
        let Some(Waiting { board, since, results, .. }) = self.requests.0.remove(&request) else { return };
        let results: Vec<String> = results.into_iter().flatten().collect();
        let sync = self.desks.get(&board).map_or_else(
            || "null".to_string(),
            |desk| {
                let said: Vec<_> = desk.board.said_since(since).map(Said::payload).collect();
                let sync = desk.board.since(since);
                match said.is_empty() {
                    true => sync,
                    false => format!(r#"{},"updates":[{}]}}"#, &sync[..sync.len() - 1], said.join(",")),
                }
            },
        );
        let body = format!(r#"{{"results":[{}],"sync":{sync}}}"#, results.join(","));
        let response = Response::new(200, "application/json", body);
        ctx.fx.answered.push((request, response));
    }

    /// A backend's event for a dashboard. Handed back when it is only to be told, and can be.
    pub fn on_posting(
        &mut self,
        post: PostId,
        posting: Box<Posting>,
        ctx: &mut Context<'_>,
    ) -> Option<Box<Posting>> {
        let id = posting.room.clone();
        if self.is_closed(&id, ctx) {
            match self.has_no_place(ctx) {
                true => ctx.fx.posted.push((post, Err(Refusal::busy()))),
                false => self.park(id, Parked::Posting(post, posting), ctx),
            }
            return None;
        }
        if posting.volatile {
            return Some(posting);
        }
        let Posting { kept, key, .. } = *posting;
        let operation = Operation::Say { event: kept.event, data: super::Raw::of(&kept.data) };
        let key = (crate::ids::UserId::server(), key.map(EntryId::from));
        let asked = self.ask(&id, Origin::Post(post), key, Task::Operate(Box::new(operation)), ctx);
        if let Err(refusal) = asked {
            ctx.fx.posted.push((post, Err(refusal)));
        }
        None
    }
}

/// The body of a request, as far as it is no operation's.
fn sync(body: &[u8]) -> Result<Sync<'_>, Refusal> {
    let bad = |why: String| Refusal::new(Code::ClientError, format!("bad body: {why}"));
    json::check_with_layouts(body).map_err(bad)?;
    let text = std::str::from_utf8(body).map_err(|error| bad(error.to_string()))?;
    let sync: Sync<'_> = json::object(text).map_err(bad)?;
    if sync.name != "SYNC" {
        return Err(Refusal::new(Code::ClientError, format!("the type {:.64?} is not SYNC", sync.name)));
    }
    match sync.operations.len() {
        0..=OPERATIONS_MAX => Ok(sync),
        actual => {
            let message = format!("{actual} operations are over the limit of {OPERATIONS_MAX}");
            let details = json!({"limit": OPERATIONS_MAX, "actual": actual});
            Err(Refusal::new(Code::TooLarge, message).with(details))
        }
    }
}

/// An operation with its id, as far as either can be read.
fn asked(text: &str) -> (Option<String>, Result<Operation, Refusal>) {
    let asked: Asked<'_> = match json::object(text) {
        Ok(asked) => asked,
        Err(why) => return (None, Err(Refusal::new(Code::ClientError, format!("bad operation: {why}")))),
    };
    let id = asked.id.map(Cow::into_owned);
    match &id {
        Some(id) if id.len() > ID_BYTES_MAX => {
            return (None, Err(Refusal::too_large("id", id.len(), ID_BYTES_MAX)));
        }
        Some(id) if id.is_empty() || id.chars().any(char::is_control) => {
            let message = "the id is empty or has control characters";
            return (None, Err(Refusal::new(Code::ClientError, message)));
        }
        Some(_) | None => {}
    }
    (id, Operation::parse(&asked.name, asked.payload.map_or("null", RawValue::get)))
}
