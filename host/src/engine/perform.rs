//! Carries out the core's orders: those for sockets and queues while the lock is held, the rest right after.

use super::late::{Late, is_late};
use super::{Core, Engine, Tell};
use crate::line::{Decision, Line};
use bytes::Bytes;
use parlor_protocol::action::{Action, Recipients};
use parlor_protocol::frame::Frame;
use parlor_protocol::http::{Body, Response, switching_head};
use parlor_protocol::ids::{RequestId, SocketId, Ticket};
use parlor_protocol::input::{Ending, Input};
use parlor_protocol::job::{Job, Outcome};
use parlor_protocol::outbox::Class;
use parlor_protocol::record::Record;
use parlor_protocol::refusal::{Code, Refusal};
use parlor_protocol::store::StoreReply;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::iter::Peekable;
use std::sync::Arc;

/// From this size on a body is not copied behind its head.
const LARGE_BODY_BYTES_MIN: usize = 64 * 1024;

/// A request that the core has not decided.
#[derive(Debug)]
pub(super) struct Pending {
    pub line: Arc<Line>,
    /// The value of `Sec-WebSocket-Accept`, if the request has a key.
    pub accept: Option<String>,
    pub keep_alive: bool,
    /// A HEAD request is answered without the body.
    pub without_body: bool,
}

/// What is left to do once the lock is free.
#[derive(Debug, Default)]
pub(super) struct After {
    inputs: VecDeque<Input>,
    jobs: VecDeque<(Ticket, Job)>,
    woken: Vec<Arc<Line>>,
    records: Vec<Record>,
    late: Vec<Late>,
    drained: bool,
}

impl After {
    /// The next fact that followed: an answer that needs nobody else, or the outcome of a job that takes less
    /// than handing it to another thread would.
    pub fn next_input(&mut self, engine: &Arc<Engine>) -> Option<Input> {
        while let Some((ticket, job)) = self.jobs.pop_front() {
            if let Some(done) = engine.run(ticket, job) {
                return Some(done);
            }
        }
        self.inputs.pop_front()
    }

    pub fn tell_others(&mut self, engine: &Engine) {
        for line in self.woken.drain(..) {
            line.wake();
        }
        for late in self.late.drain(..) {
            engine.answer_late(late);
        }
        for record in self.records.drain(..) {
            (engine.outside.log)(record);
        }
        if std::mem::take(&mut self.drained) {
            engine.shutdown.end();
        }
    }
}

/// A frame for many.
struct Told {
    frame: Frame,
    class: Class,
    except: Option<SocketId>,
}

/// The next order, if it sends something to exactly these sockets.
fn next_told(rest: &mut Peekable<impl Iterator<Item = Action>>, members: &Arc<[SocketId]>) -> Option<Told> {
    let is_theirs = |action: &Action| matches!(action, Action::Send { to: Recipients::Many { sockets, .. }, .. } if Arc::ptr_eq(sockets, members));
    let Action::Send { to: Recipients::Many { except, .. }, frame, class } = rest.next_if(is_theirs)? else {
        return None;
    };
    Some(Told { frame, class, except })
}

impl Core {
    /// Carries out `self.actions` in order.
    pub(super) fn perform(&mut self, engine: &Arc<Engine>, after: &mut After) {
        let mut actions = std::mem::take(&mut self.actions);
        let mut rest = actions.drain(..).peekable();
        while let Some(action) = rest.next() {
            if let Action::Send { to: Recipients::Many { sockets, except }, frame, class } = action {
                let mut burst = vec![Told { frame, class, except }];
                burst.extend(std::iter::from_fn(|| next_told(&mut rest, &sockets)));
                self.send_many(&sockets, &burst);
            } else {
                self.perform_one(action, engine, after);
            }
        }
        drop(rest);
        self.actions = actions;
    }

    fn perform_one(&mut self, action: Action, engine: &Arc<Engine>, after: &mut After) {
        match action {
            Action::Respond { request, response } => self.respond(request, response, engine, after),
            Action::Upgrade { request, socket, subprotocol, limits } => {
                let Some(pending) = self.requests.remove(request) else {
                    after.inputs.push_back(Input::Disconnected { socket, why: Ending::Lost });
                    return;
                };
                let accept = pending.accept.unwrap_or_default();
                let head = switching_head(&accept, subprotocol.as_deref());
                self.push(&pending.line, &Frame::raw(head.into()), Class::Kept);
                pending.line.decide(Decision::Upgraded { socket, limits });
                self.sockets.put(socket, pending.line.clone());
                after.woken.push(pending.line);
            }
            Action::Send { to: Recipients::One(socket), frame, class } => {
                if let Some(line) = self.sockets.line(socket)
                    && line.push(&frame, class)
                {
                    self.dirty.push(line.clone());
                }
            }
            Action::Send { to: Recipients::Many { sockets, except }, frame, class } => {
                self.send_many(&sockets, &[Told { frame, class, except }]);
            }
            Action::Read { socket, on } => {
                if let Some(line) = self.sockets.line(socket) {
                    line.pause(!on);
                    after.woken.push(line.clone());
                }
            }
            Action::Close { socket, cause } => {
                if let Some(line) = self.sockets.line(socket)
                    && line.close(Some(cause.frame()), Ending::ByServer)
                {
                    self.dirty.push(line.clone());
                }
            }
            Action::Store { ticket, request } => {
                if !engine.store.add(ticket, request) {
                    after.inputs.push_back(Input::Stored(vec![(ticket, StoreReply::Unavailable)]));
                }
            }
            Action::Work { ticket, job } if engine.is_cheap(&job) => after.jobs.push_back((ticket, job)),
            Action::Work { ticket, job: Job::Doc { doc, job } } => {
                let refused = engine.documents.add(ticket, doc, job).err().map(Outcome::Doc);
                after.inputs.extend(refused.map(|outcome| Input::Worked { ticket, outcome }));
            }
            // Where the workers do not keep up, whoever brings more has to wait.
            Action::Work { ticket, job } => after.jobs.extend(engine.work.add(ticket, job)),
            Action::Call { ticket, call } => {
                engine.outside.calls.start(call, Tell { engine: Arc::downgrade(engine), ticket });
            }
            Action::Cancel { ticket } => engine.outside.calls.cancel(ticket),
            Action::Log(record) => after.records.push(record),
            Action::Drained => after.drained = true,
        }
    }

    fn respond(&mut self, request: RequestId, response: Response, engine: &Arc<Engine>, after: &mut After) {
        let Some(pending) = self.requests.remove(request) else { return };
        let keep_alive = pending.keep_alive && !engine.shutdown.has_begun();
        if is_late(&response) {
            return after.late.push(self.late(pending, response, keep_alive));
        }
        let body = large_body(&response).filter(|_| !pending.without_body);
        let head = engine.response_frame(&response, keep_alive, pending.without_body || body.is_some());
        if pending.line.push_all([head].iter().chain(&body).map(|frame| (frame, Class::Kept))) {
            self.dirty.push(pending.line.clone());
        }
        pending.line.decide(Decision::Responded { keep_alive });
        after.woken.push(pending.line);
    }

    /// What follows each other to the same members goes to one after another of them, because looking up a
    /// member costs more than handing it a frame.
    fn send_many(&mut self, sockets: &[SocketId], burst: &[Told]) {
        for socket in sockets {
            let Some(line) = self.sockets.line(*socket) else { continue };
            let theirs = burst.iter().filter(|told| told.except != Some(*socket));
            let mut frames = theirs.map(|told| (&told.frame, told.class)).peekable();
            if frames.peek().is_some() && line.push_all(frames) {
                self.dirty.push(line.clone());
            }
        }
    }

    fn push(&mut self, line: &Arc<Line>, frame: &Frame, class: Class) {
        if line.push(frame, class) {
            self.dirty.push(line.clone());
        }
    }
}

/// The body of a response that is too large to be copied behind its head while the lock is held.
fn large_body(response: &Response) -> Option<Frame> {
    match &response.body {
        Body::Bytes(bytes) if bytes.len() >= LARGE_BODY_BYTES_MIN => Some(Frame::raw(bytes.clone())),
        Body::Bytes(_) | Body::Asset(_) | Body::Statistics(_) | Body::Metrics(_) | Body::Connections(_) => {
            None
        }
    }
}

impl Engine {
    /// A whole response. Head and body are one frame, because an outbox takes one that exceeds its limit only
    /// when nothing else waits.
    pub(crate) fn response_frame(&self, response: &Response, keep_alive: bool, without_body: bool) -> Frame {
        let (head, body) = match &response.body {
            Body::Bytes(bytes) => (response.head(bytes.len(), keep_alive), bytes.clone()),
            // These are completed first.
            Body::Statistics(_) | Body::Metrics(_) | Body::Connections(_) => {
                debug_assert!(false, "a body that is not complete");
                (response.head(0, keep_alive), Bytes::new())
            }
            Body::Asset(name) => match (self.outside.asset)(name) {
                Some((media_type, bytes)) => {
                    let mut response = response.clone();
                    if !response.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                        response.headers.push((Cow::Borrowed("content-type"), media_type.to_string()));
                    }
                    (response.head(bytes.len(), keep_alive), Bytes::from_static(bytes))
                }
                None => {
                    let refusal = Refusal::new(Code::NotFound, "no such file");
                    let missing = Response::json(404, &serde_json::json!({ "error": refusal }));
                    return self.response_frame(&missing, keep_alive, without_body);
                }
            },
        };
        let mut bytes = Vec::with_capacity(head.len() + body.len());
        bytes.extend_from_slice(head.as_bytes());
        if !without_body {
            bytes.extend_from_slice(&body);
        }
        Frame::raw(bytes.into())
    }
}

/// The lines of the sockets, by slot; a line is there until the core was told that its socket is gone.
#[derive(Debug, Default)]
pub(super) struct Sockets(Vec<Option<(u32, Arc<Line>)>>);

impl Sockets {
    pub fn put(&mut self, socket: SocketId, line: Arc<Line>) {
        let slot = socket.slot as usize;
        if self.0.len() <= slot {
            self.0.resize(slot + 1, None);
        }
        self.0[slot] = Some((socket.generation, line));
    }

    pub fn line(&self, socket: SocketId) -> Option<&Arc<Line>> {
        let (generation, line) = self.0.get(socket.slot as usize)?.as_ref()?;
        (*generation == socket.generation).then_some(line)
    }

    /// Those of so many places; `None`: there are no such places.
    pub fn lines(&self, from: usize, count: usize) -> Option<Vec<Arc<Line>>> {
        let places = self.0.get(from..).filter(|places| !places.is_empty())?;
        Some(places.iter().take(count).flatten().map(|(_, line)| line.clone()).collect())
    }

    pub fn remove(&mut self, socket: SocketId) {
        if self.line(socket).is_some() {
            self.0[socket.slot as usize] = None;
        }
    }
}

#[cfg(test)]
mod tests;
