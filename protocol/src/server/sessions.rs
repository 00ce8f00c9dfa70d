//! Socket.IO sessions: which connection a request belongs to, the engine's orders carried out, and what a client says
//! made calls. The protocol itself is in `socket_io`; who a client is, in `namespace.rs`.

use super::Parts;
use super::session_ends::{cause_of, code_of, ending};
use crate::action::{Action, CloseCause};
use crate::connection::{Credential, Endpoint, Engine, Recovery, name};
use crate::door::{self, ToEngine};
use crate::envelope::{Event, socket_io};
use crate::ids::{ConnectionId, RequestId, SocketId};
use crate::input::{Fault, Message};
use crate::metrics::{App, Limit};
use crate::outbox::Class;
use crate::record::{Level, Record};
use crate::refusal::Refusal;
use crate::socket_io::engine::{Asked, Config, Ended, Order, Refused, Session, Sid};
use crate::socket_io::namespaces::{Client, Said};
use crate::timers::Timer;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The one namespace.
pub(super) const NAMESPACE: &str = "/";
/// How long a WebSocket may take to become a session's transport.
const UPGRADE_WAIT_MAX: Duration = Duration::from_secs(10);

/// How soon a session's timer fires at the earliest.
const TIMER_WAIT_MIN: Duration = Duration::from_millis(1);

/// Every session by its name, the requests that wait in one, and those who may come back.
#[derive(Debug)]
pub struct Sessions {
    by_sid: BTreeMap<Sid, ConnectionId>,
    /// With the page that asks.
    requests: BTreeMap<RequestId, (ConnectionId, Option<String>)>,
    pub(super) recovery: Recovery,
    config: Arc<Config>,
}

impl Sessions {
    /// None yet.
    pub fn new(settings: &crate::settings::Settings) -> Self {
        let config = Config {
            ping_interval: settings.engine_ping_interval,
            ping_timeout: settings.engine_ping_timeout,
            payload_bytes_max: settings.engine_payload_bytes_max,
            upgrade_timeout: UPGRADE_WAIT_MAX,
        };
        let (by_sid, requests, recovery) = Default::default();
        Self { by_sid, requests, recovery, config: Arc::new(config) }
    }

    /// How many sessions and names in them there are, and how many requests wait in them.
    pub fn len(&self) -> usize {
        self.by_sid.len() + self.requests.len() + self.recovery.connected_len()
    }

    /// How many that were cut off may come back.
    pub fn remembered_len(&self) -> usize {
        self.recovery.len()
    }
}

impl Parts<'_> {
    /// A request for the engine came through the door.
    pub(super) fn on_engine_request(&mut self, to: ToEngine) {
        let now = self.ctx.fx.now;
        let known = |sid: &String| self.sessions.by_sid.get(sid.as_str()).copied();
        let mut orders = Vec::new();
        let id = match &to.asked {
            Asked::PollOpen | Asked::SocketOpen => return self.open_session(to),
            Asked::Poll { sid } | Asked::Post { sid } | Asked::Socket { sid } => known(sid),
        };
        self.show_life(id);
        let Some((id, engine)) = id.and_then(|id| Some((id, self.ctx.fx.transports.engine(id)?))) else {
            return self.refuse_request(to, Refused::UnknownSid);
        };
        match to.asked {
            Asked::Poll { .. } => {
                self.sessions.requests.insert(to.request, (id, to.origin));
                engine.session.on_poll(to.request, now, &mut orders);
            }
            Asked::Post { .. } => {
                self.sessions.requests.insert(to.request, (id, to.origin));
                engine.session.on_post(to.request, to.body, to.text, now, &mut orders);
            }
            // One too many is closed by the session.
            Asked::Socket { .. } => {
                let socket = self.connections.add_socket(id);
                engine.session.on_probe_opened(socket, now, &mut orders);
                self.upgrade_engine(to.request, socket);
            }
            Asked::PollOpen | Asked::SocketOpen => {}
        }
        self.carry_orders(id, orders);
    }

    fn refuse_request(&mut self, to: ToEngine, why: Refused) {
        self.ctx.fx.stats.answered(why.response().status);
        let response = door::dressed(why.response(), to.origin.as_deref(), self.ctx.fx.settings);
        self.ctx.fx.actions.push(Action::Respond { request: to.request, response });
    }

    fn upgrade_engine(&mut self, request: RequestId, socket: SocketId) {
        let limits = Endpoint::SocketIo.limits(self.ctx.fx.settings);
        self.ctx.fx.stats.answered(101);
        self.ctx.fx.actions.push(Action::Upgrade { request, socket, subprotocol: None, limits });
    }

    fn open_session(&mut self, to: ToEngine) {
        let fx = &mut self.ctx.fx;
        let now = fx.now;
        let sid = Sid::from(fx.rng.id("eio").as_str());
        let id = self.connections.open(Endpoint::SocketIo, None, to.address, now);
        self.door.addresses.came(to.address, fx.settings);
        let mut orders = Vec::new();
        let config = self.sessions.config.clone();
        let session = match to.asked {
            Asked::SocketOpen => {
                let socket = self.connections.add_socket(id);
                self.upgrade_engine(to.request, socket);
                Session::open_socket(sid.clone(), socket, now, config, &mut orders)
            }
            Asked::PollOpen | Asked::Poll { .. } | Asked::Post { .. } | Asked::Socket { .. } => {
                self.sessions.requests.insert(to.request, (id, to.origin));
                Session::open_polling(sid.clone(), to.request, now, config, &mut orders)
            }
        };
        let fx = &mut self.ctx.fx;
        let timeout = fx.settings.engine_connect_timeout;
        let client = Client::new(&[NAMESPACE], now, timeout, fx.settings.engine_payload_bytes_max);
        let token = Credential(to.token);
        let engine = Engine { session, client, token, connected: None, owner: None, due: None, last_own: 0 };
        fx.transports.connect_engine(id, engine);
        self.sessions.by_sid.insert(sid, id);
        self.carry_orders(id, orders);
    }

    /// The client hung up on a request that waits in a session.
    pub(super) fn on_engine_request_gone(&mut self, request: RequestId) {
        let Some((id, _)) = self.sessions.requests.remove(&request) else { return };
        self.with_session(id, |engine, _, orders| engine.session.on_request_gone(request, orders));
    }

    /// A message came on a socket of a session.
    pub(super) fn on_engine_message(&mut self, id: ConnectionId, socket: SocketId, message: Message) {
        self.show_life(Some(id));
        self.with_session(id, |engine, now, orders| {
            engine.session.on_message(socket, message, now, orders);
        });
    }

    /// Something came from the client of a session.
    fn show_life(&mut self, id: Option<ConnectionId>) {
        if let Some(connection) = id.and_then(|id| self.connections.find(id)) {
            connection.last_heard = self.ctx.fx.now;
        }
    }

    /// A socket of a session has ended.
    pub(super) fn on_engine_socket_gone(&mut self, id: ConnectionId, socket: SocketId) {
        self.with_session(id, |engine, _, orders| engine.session.on_socket_gone(socket, orders));
    }

    /// A session's timer fired.
    pub(super) fn on_engine_timer(&mut self, id: ConnectionId) {
        let now = self.ctx.fx.now;
        let Some(engine) = self.ctx.fx.transports.engine(id).filter(|engine| engine.due <= Some(now)) else {
            return;
        };
        engine.due = None;
        let overdue = engine.client.on_deadline(now).is_err();
        self.with_session(id, |engine, now, orders| match overdue {
            true => engine.session.close(now, orders),
            false => engine.session.on_deadline(now, orders),
        });
    }

    /// Ends the session of a connection that was closed. Where a client is not to come back by itself it is told why,
    /// and sent away.
    pub(super) fn close_engine(&mut self, id: ConnectionId, cause: CloseCause) {
        let mut dismissed = false;
        if matches!(cause.code(), 1008 | 4001) {
            let refusal = Refusal::new(code_of(cause), cause.reason());
            let frame = socket_io::encode(&Event::refusal("error", &refusal, &refusal), None);
            let client = self.ctx.fx.transports.engine(id);
            let away = client.filter(|engine| engine.connected.is_some());
            if let Some(away) = away.map(|engine| engine.client.disconnected(NAMESPACE)) {
                self.ctx.fx.send(id, frame, Class::Kept);
                self.ctx.fx.send(id, away, Class::Kept);
                dismissed = true;
            }
        }
        let stops = cause == CloseCause::ShuttingDown;
        self.with_session(id, |engine, now, orders| match (dismissed, stops) {
            (true, _) => engine.session.dismiss(now, orders),
            (false, true) => engine.session.stop(now, orders),
            (false, false) => engine.session.close(now, orders),
        });
    }

    pub(super) fn with_session(
        &mut self,
        id: ConnectionId,
        act: impl FnOnce(&mut Engine, crate::time::Timestamp, &mut Vec<Order>),
    ) {
        let now = self.ctx.fx.now;
        let mut orders = Vec::new();
        let Some(engine) = self.ctx.fx.transports.engine(id) else { return };
        let before = engine.session.socket();
        act(engine, now, &mut orders);
        if engine.session.socket() != before {
            self.ctx.rooms.moved(id);
        }
        self.carry_orders(id, orders);
    }

    /// Carries out what sessions were told in this step. Whether there was anything.
    pub(super) fn carry_sessions_out(&mut self) -> bool {
        let orders = self.ctx.fx.transports.flush();
        let any = !orders.is_empty();
        for (id, order) in orders {
            self.carry_orders(id, vec![order]);
        }
        any
    }

    fn carry_orders(&mut self, id: ConnectionId, orders: Vec<Order>) {
        let ended = orders
            .iter()
            .find_map(|order| if let Order::Ended(why) = order { Some(cause_of(why)) } else { None });
        for order in orders {
            match order {
                Order::Respond { request, response } => {
                    let Some((_, origin)) = self.sessions.requests.remove(&request) else { continue };
                    self.ctx.fx.stats.answered(response.status);
                    let response = door::dressed(response, origin.as_deref(), self.ctx.fx.settings);
                    self.ctx.fx.actions.push(Action::Respond { request, response });
                }
                Order::Send { socket, frame, class } => {
                    let to = crate::action::Recipients::One(socket);
                    self.ctx.fx.actions.push(Action::Send { to, frame, class });
                }
                Order::Close { socket } => {
                    let closing = self.connections.find(id).and_then(|connection| connection.closing);
                    let cause = closing.or(ended).unwrap_or(CloseCause::Finished);
                    self.ctx.fx.actions.push(Action::Close { socket, cause });
                }
                Order::Message(message) => self.on_said(id, message),
                Order::Flushed => self.ctx.rooms.pacing.on_flushed(id),
                Order::Ended(why) => self.on_session_ended(id, &why),
            }
        }
        self.set_engine_timer(id);
    }

    fn set_engine_timer(&mut self, id: ConnectionId) {
        let Some(engine) = self.ctx.fx.transports.engine(id) else { return };
        let deadlines = [engine.session.next_deadline(), engine.client.next_deadline()];
        let Some(at) = deadlines.into_iter().flatten().min() else { return };
        // Never at once: what is due now and stays so would keep the step from ending.
        let at = at.max(self.ctx.fx.now + TIMER_WAIT_MIN);
        let Some(engine) = self.ctx.fx.transports.engine(id) else { return };
        if engine.due.is_none_or(|due| at < due) {
            engine.due = Some(at);
            self.ctx.fx.timers.set(at, Timer::Engine(id));
        }
    }

    fn on_said(&mut self, id: ConnectionId, message: Message) {
        let now = self.ctx.fx.now;
        let closed = |known: &mut crate::connection::Connection| known.closing.is_some();
        if self.connections.find(id).is_none_or(closed) || self.is_ending(id) {
            return;
        }
        // What comes in one payload with more than is refused in a minute is not looked at.
        let refusals_max = self.ctx.fx.settings.refusals_max as usize;
        if refusals_max > 0 && self.ctx.fx.refused.len() >= refusals_max {
            return;
        }
        let Some(engine) = self.ctx.fx.transports.engine(id).filter(|engine| !engine.session.is_over())
        else {
            return;
        };
        match engine.client.on_message(message, now) {
            Ok(Some(Said::Connect { auth, .. })) => self.on_connect(id, auth.as_deref()),
            Ok(Some(Said::Unknown { reply })) => {
                self.ctx.fx.send(id, reply, Class::Kept);
                self.count_malformed(id);
            }
            Ok(Some(Said::Event { id: ack, args, attachments, .. })) => {
                let Some(caller) = self.connections.caller(id, None) else { return };
                let decoded = socket_io::decode(&args, ack, &attachments).and_then(|call| call.checked());
                let called = decoded.as_ref().map_or("", |call| &call.name);
                self.heard(id, App::heard(Endpoint::SocketIo, called));
                match decoded {
                    Ok(call) => self.on_call(Endpoint::SocketIo, call, caller),
                    Err(malformed) => self.on_malformed(Endpoint::SocketIo, malformed, caller),
                }
            }
            Ok(Some(Said::Disconnect { .. })) => self.leave_namespace(id),
            // Nothing here asks a client for an answer.
            Ok(Some(Said::Ack { .. }) | None) => {}
            Err(_) => {
                self.ctx.fx.stats.malformed += 1;
                self.ctx.fx.close(id, CloseCause::Faulty(Fault::Protocol));
            }
        }
    }

    /// Whether the connection was closed earlier in this step.
    fn is_ending(&self, id: ConnectionId) -> bool {
        self.ctx.fx.ended.iter().any(|(ended, _)| *ended == id)
    }

    /// A session is over, and the connection with it.
    fn on_session_ended(&mut self, id: ConnectionId, why: &Ended) {
        let (code, reason) = ending(why);
        if matches!(why, Ended::TooSlow) {
            self.ctx.fx.stats.reached(Limit::Outbox);
        }
        let Some(known) = self.connections.find(id) else { return };
        let closing = known.closing;
        if closing.is_none() {
            if !matches!(why, Ended::ByServer) {
                self.remember(id);
            }
            self.take_out(id);
        }
        self.forget_names(id);
        if let Some(engine) = self.ctx.fx.transports.engine(id) {
            let sid = engine.session.sid().clone();
            self.sessions.by_sid.remove(&sid);
        }
        let (code, reason) = closing.map_or((code, reason), |cause| (cause.code(), cause.reason()));
        self.log_left(id, code, reason);
        self.ctx.fx.transports.remove(id);
        if let Some(connection) = self.connections.remove(id) {
            self.ctx.fx.stats.lasted.note(self.ctx.fx.now.since(connection.connected_at));
            self.door.addresses.went(connection.address);
        }
    }

    /// A user has gone, as the log says it; sessions that were nobody's are not told.
    pub(super) fn log_left(&mut self, id: ConnectionId, code: u16, reason: &'static str) {
        let Some(user) = self.connections.find(id).and_then(|known| known.user.clone()) else { return };
        let record = Record::new(Level::Info, "ws.disconnect").with("connectionId", name(id));
        let record = record.with("userId", user.id.as_str());
        self.ctx.fx.log(record.with("code", code).with("reason", reason));
    }
}
