//! The answers to backends: a request is answered when all of its events are, in their order.

use crate::http::Response;
use crate::ids::RequestId;
use crate::refusal::{Code, Refusal};
use crate::room::{Delivered, PostId};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many requests of backends may wait for their answer; each may hold a megabyte.
const REQUESTS_MAX: usize = 256;

/// The requests that wait.
#[derive(Debug, Default)]
pub struct Answers(BTreeMap<RequestId, Waiting>);

#[derive(Debug)]
struct Waiting {
    results: Vec<Option<Result<Delivered, Refusal>>>,
    left: usize,
    array: bool,
}

impl Answers {
    /// Whether no further request may wait.
    pub fn is_full(&self) -> bool {
        self.0.len() >= REQUESTS_MAX
    }

    /// A request waits for so many events.
    pub fn begin(&mut self, request: RequestId, count: usize, array: bool) {
        self.0.insert(request, Waiting { results: vec![None; count], left: count, array });
    }

    /// What became of one event; the answer to its request, if it was the last.
    pub fn on_posted(&mut self, id: PostId, result: Result<Delivered, Refusal>) -> Option<Response> {
        let waiting = self.0.get_mut(&id.request)?;
        let place = waiting.results.get_mut(id.place)?;
        if place.replace(result.map_err(as_posted)).is_none() {
            waiting.left -= 1;
        }
        self.finished(id.request)
    }

    /// The answer to a request for which nothing is waited any more.
    pub fn finished(&mut self, request: RequestId) -> Option<Response> {
        self.0.get(&request).filter(|waiting| waiting.left == 0)?;
        let Waiting { results, array, .. } = self.0.remove(&request)?;
        let mut results = results.into_iter().flatten();
        if array {
            return Some(Response::json(202, &results.map(|result| spelled(&result)).collect::<Vec<_>>()));
        }
        let result = results.next()?;
        let status = result.as_ref().map_or_else(|refusal| refusal.code.status(), |_| 202);
        Some(Response::json(status, &spelled(&result)))
    }

    /// How many requests wait.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// To a backend nothing is closed: what looks so to users is not there.
fn as_posted(refusal: Refusal) -> Refusal {
    match matches!(refusal.code, Code::RoomAccessDenied | Code::ProjectAccessDenied) {
        true => Refusal::new(Code::NotFound, "there is no such room"),
        false => refusal,
    }
}

fn spelled(result: &Result<Delivered, Refusal>) -> Value {
    match result {
        Ok(Delivered { seq: Some(seq), delivered }) => json!({"seq": seq, "delivered": delivered}),
        Ok(Delivered { seq: None, delivered }) => json!({"delivered": delivered}),
        Err(refusal) => json!({"error": refusal}),
    }
}
