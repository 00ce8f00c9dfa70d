//! The sessions of one path: facts from the connections' threads go in under one lock, and what the sessions order
//! is carried out before it is let go of, so that everything is in order.

use crate::app::{App, Endpoint, PAYLOAD_BYTES_MAX};
use crate::exchange::Exchange;
use bytes::Bytes;
use parlor_host::clock::Clock;
use parlor_host::seed;
use parlor_protocol::frame::Frame;
use parlor_protocol::http::RequestHead;
use parlor_protocol::ids::{RequestId, SocketId};
use parlor_protocol::input::Message;
use parlor_protocol::outbox::Class;
use parlor_protocol::socket_io::engine::{
    Asked, Config, Order, Refused, Session, Sid, is_text, read_request,
};
use parlor_protocol::time::Timestamp;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The most sessions at a time; a request for another is refused.
const SESSIONS_MAX: usize = 1_024;
/// How long the timer sleeps when there is nothing to wait for.
const IDLE_WAIT: Duration = Duration::from_secs(1);

/// Where one WebSocket is written to, a frame at a time.
pub type Writer = Arc<Mutex<TcpStream>>;

/// The server of one path.
pub struct Server {
    endpoint: Endpoint,
    clock: Clock,
    state: Mutex<State>,
    stepped: Condvar,
}

struct State {
    config: Arc<Config>,
    held: BTreeMap<Sid, Held>,
    waiting: BTreeMap<RequestId, Arc<Exchange>>,
    sockets: BTreeMap<SocketId, (Sid, Writer)>,
    names: Names,
}

struct Held {
    session: Session,
    app: App,
}

/// What is never given out twice.
#[derive(Default)]
struct Names {
    given: u32,
}

impl Server {
    pub fn new(endpoint: Endpoint) -> Self {
        let config = Config {
            ping_interval: Duration::from_millis(300),
            ping_timeout: Duration::from_millis(200),
            payload_bytes_max: PAYLOAD_BYTES_MAX,
            ..Config::default()
        };
        let state = State {
            config: Arc::new(config),
            held: BTreeMap::new(),
            waiting: BTreeMap::new(),
            sockets: BTreeMap::new(),
            names: Names::default(),
        };
        Self { endpoint, clock: Clock::start(), state: Mutex::new(state), stepped: Condvar::new() }
    }

    /// A request came whole; its answer goes to the exchange.
    pub fn on_request(&self, head: &RequestHead, body: Bytes, exchange: &Arc<Exchange>) -> RequestId {
        let (mut state, now) = self.enter();
        let request = RequestId { slot: state.names.next(), generation: 0 };
        state.waiting.insert(request, exchange.clone());
        let asked = read_request(head).and_then(|asked| match asked {
            Asked::PollOpen => state.room().map(|()| {
                let (sid, mut orders) = (state.names.sid(), Vec::new());
                let config = state.config.clone();
                let session = Session::open_polling(sid, request, now, config, &mut orders);
                state.hold(session, self.endpoint, now, orders);
            }),
            Asked::Poll { sid } => {
                state.step(&sid, now, |session, orders| session.on_poll(request, now, orders))
            }
            Asked::Post { sid } => state.step(&sid, now, |session, orders| {
                session.on_post(request, body, is_text(head), now, orders);
            }),
            Asked::SocketOpen | Asked::Socket { .. } => Err(Refused::BadRequest),
        });
        if let Err(refused) = asked {
            exchange.answer(refused.response());
        }
        request
    }

    /// A request's thread has its response, or the client has hung up.
    pub fn on_request_over(&self, request: RequestId, answered: bool) {
        let (mut state, now) = self.enter();
        state.waiting.remove(&request);
        if !answered {
            let sids: Vec<_> = state.held.keys().cloned().collect();
            for sid in sids {
                state.step_known(&sid, now, |session, orders| session.on_request_gone(request, orders));
            }
        }
    }

    /// A WebSocket is asked for: `switch` writes that it is granted, before the first frame.
    pub fn on_upgrade(
        &self,
        head: &RequestHead,
        writer: Writer,
        switch: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<Result<SocketId, Refused>> {
        let (mut state, now) = self.enter();
        let asked = read_request(head).and_then(|asked| match &asked {
            Asked::SocketOpen => state.room().map(|()| asked),
            Asked::Socket { sid } if !state.held.contains_key(sid.as_str()) => Err(Refused::UnknownSid),
            Asked::Socket { .. } => Ok(asked),
            Asked::PollOpen | Asked::Poll { .. } | Asked::Post { .. } => Err(Refused::BadRequest),
        });
        let asked = match asked {
            Ok(asked) => asked,
            Err(refused) => return Ok(Err(refused)),
        };
        switch()?;
        let socket = SocketId { slot: state.names.next(), generation: 0 };
        if let Asked::Socket { sid } = asked {
            let sid = Sid::from(&*sid);
            state.sockets.insert(socket, (sid.clone(), writer));
            state.step_known(&sid, now, |session, orders| session.on_probe_opened(socket, now, orders));
        } else {
            let (sid, mut orders) = (state.names.sid(), Vec::new());
            state.sockets.insert(socket, (sid.clone(), writer));
            let session = Session::open_socket(sid, socket, now, state.config.clone(), &mut orders);
            state.hold(session, self.endpoint, now, orders);
        }
        Ok(Ok(socket))
    }

    /// A message came.
    pub fn on_message(&self, socket: SocketId, message: Message) {
        let (mut state, now) = self.enter();
        if let Some((sid, _)) = state.sockets.get(&socket) {
            let sid = sid.clone();
            state.step_known(&sid, now, |session, orders| session.on_message(socket, message, now, orders));
        }
    }

    /// A WebSocket is gone.
    pub fn on_socket_gone(&self, socket: SocketId) {
        let (mut state, now) = self.enter();
        if let Some((sid, _)) = state.sockets.remove(&socket) {
            state.step_known(&sid, now, |session, orders| session.on_socket_gone(socket, orders));
        }
    }

    /// Meets deadlines, for ever.
    pub fn keep_time(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let wait = match state.next_deadline() {
                Some((due, sid)) if due <= self.clock.now() => {
                    state.on_deadline(&sid, self.clock.now());
                    continue;
                }
                Some((due, _)) => self.clock.until(due),
                None => IDLE_WAIT,
            };
            let waited = self.stepped.wait_timeout(state, wait);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The state and the time; the timer looks again once the state is left.
    fn enter(&self) -> (MutexGuard<'_, State>, Timestamp) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.stepped.notify_one();
        (state, self.clock.now())
    }
}

impl Names {
    fn next(&mut self) -> u32 {
        self.given = self.given.wrapping_add(1);
        self.given
    }

    fn sid(&mut self) -> Sid {
        let chance = seed::draw().expect("a system that can draw no random bytes cannot serve anybody");
        let text: String = chance[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        Sid::from(&*text)
    }
}

impl State {
    fn room(&self) -> Result<(), Refused> {
        if self.held.len() < SESSIONS_MAX { Ok(()) } else { Err(Refused::Forbidden) }
    }

    fn hold(&mut self, session: Session, endpoint: Endpoint, now: Timestamp, orders: Vec<Order>) {
        let sid = session.sid().clone();
        self.held.insert(sid.clone(), Held { session, app: App::new(endpoint, now) });
        self.carry_out(&sid, now, orders);
    }

    fn step(
        &mut self,
        sid: &str,
        now: Timestamp,
        fact: impl FnOnce(&mut Session, &mut Vec<Order>),
    ) -> Result<(), Refused> {
        let known = self.held.get(sid).map(|held| held.session.sid().clone());
        self.step_known(&known.ok_or(Refused::UnknownSid)?, now, fact);
        Ok(())
    }

    fn step_known(&mut self, sid: &Sid, now: Timestamp, fact: impl FnOnce(&mut Session, &mut Vec<Order>)) {
        let mut orders = Vec::new();
        if let Some(held) = self.held.get_mut(sid) {
            fact(&mut held.session, &mut orders);
        }
        self.carry_out(sid, now, orders);
        let mut orders = Vec::new();
        if let Some(held) = self.held.get_mut(sid) {
            held.session.flush(&mut orders);
        }
        self.carry_out(sid, now, orders);
    }

    fn carry_out(&mut self, sid: &Sid, now: Timestamp, orders: Vec<Order>) {
        let mut closed = false;
        for order in orders {
            match order {
                Order::Respond { request, response } => {
                    if let Some(exchange) = self.waiting.remove(&request) {
                        exchange.answer(response);
                    }
                }
                Order::Send { socket, frame, .. } => self.write(socket, frame),
                Order::Close { socket } => {
                    self.write(socket, Frame::close(1000, ""));
                    if let Some((_, writer)) = self.sockets.remove(&socket) {
                        let stream = writer.lock().unwrap_or_else(PoisonError::into_inner);
                        // It may be gone already.
                        stream.shutdown(Shutdown::Write).unwrap_or_default();
                    }
                }
                Order::Message(message) if !closed => closed = self.hear(sid, message, now),
                Order::Message(_) | Order::Flushed => {}
                Order::Ended(_) => drop(self.held.remove(sid)),
            }
        }
    }

    /// True: the session is closed.
    fn hear(&mut self, sid: &Sid, message: Message, now: Timestamp) -> bool {
        let Some(held) = self.held.get_mut(sid) else { return true };
        let (names, mut orders) = (&mut self.names, Vec::new());
        let said = held.app.hear(message, now, || names.sid().as_str().to_string());
        let closed = said.is_err();
        for frame in said.unwrap_or_default() {
            held.session.send(frame, Class::Kept, &mut orders);
        }
        if closed {
            held.session.close(now, &mut orders);
        }
        self.carry_out(sid, now, orders);
        closed
    }

    /// A client that does not take its frames in time is hung up on.
    fn write(&self, socket: SocketId, frame: Frame) {
        let Some((_, writer)) = self.sockets.get(&socket) else { return };
        let mut stream = writer.lock().unwrap_or_else(PoisonError::into_inner);
        if stream.write_all(&frame.into_bytes()).is_err() {
            stream.shutdown(Shutdown::Both).unwrap_or_default();
        }
    }

    fn next_deadline(&self) -> Option<(Timestamp, Sid)> {
        let due = |(sid, held): (&Sid, &Held)| {
            let both = held.session.next_deadline().into_iter().chain(held.app.next_deadline());
            both.min().map(|due| (due, sid.clone()))
        };
        self.held.iter().filter_map(due).min()
    }

    fn on_deadline(&mut self, sid: &Sid, now: Timestamp) {
        let Some(held) = self.held.get_mut(sid) else { return };
        if held.app.is_late(now) {
            // What it is late with does not matter any more.
            held.app = App::Echo;
            self.step_known(sid, now, |session, orders| session.close(now, orders));
        } else {
            self.step_known(sid, now, |session, orders| session.on_deadline(now, orders));
        }
    }
}
