//! One Engine.IO v4 session: a conversation that travels by long-polling, by a WebSocket, or by the one and then
//! the other.
//!
//! While it polls, what the server sends waits in an [`Outbox`](crate::outbox::Outbox); the client's GET takes all
//! of it, or waits until there is something. A WebSocket with the session's id is a *probe* until it has said
//! `2probe` and `5`: then the queue goes out on it, in order, and polling is over. Nothing is sent twice or out of
//! order in between, because every GET is answered at once from `2probe` on and the client says `5` only when it
//! has no GET open.
//!
//! Every request that the session is given is answered, exactly once, also when the session ends; every session
//! ends with exactly one [`Ended`]. The path, CORS and the table of session ids are the caller's.

mod asking;
mod heartbeat;
mod opening;
mod order;
mod polling;

pub use asking::{Asked, Refused, is_text, not_now, read_request};
pub use opening::{Config, Sid};
pub use order::{Ended, Order};

use super::Malformed;
use super::payload::{self, Packet};
use crate::frame::Frame;
use crate::http::Response;
use crate::ids::{RequestId, SocketId};
use crate::input::Message;
use crate::outbox::{Class, Pushed};
use crate::time::Timestamp;
use heartbeat::Heartbeat;
use opening::opening;
use polling::{Farewell, Polling, ok, polled};
use std::sync::Arc;
use std::time::Duration;

/// How long after the end a client may still come with a GET, where it has closed or the server stops. The two requests travel by two connections, and
/// either may be first.
const LAST_POLL_WAIT: Duration = Duration::from_millis(100);

/// One session.
#[derive(Debug)]
pub struct Session {
    sid: Sid,
    config: Arc<Config>,
    heartbeat: Heartbeat,
    transport: Transport,
}

#[derive(Debug)]
enum Transport {
    Polling(Box<Polling>),
    Socket(SocketId),
    Over,
}

impl Session {
    /// A session that a GET has opened, which is answered.
    pub fn open_polling(
        sid: Sid,
        request: RequestId,
        now: Timestamp,
        config: Arc<Config>,
        orders: &mut Vec<Order>,
    ) -> Self {
        let session = Self::new(sid, now, config, Transport::Polling(Box::default()));
        let packet = Frame::text(&opening(&session.sid, &session.config, &["websocket"]));
        orders.push(Order::Respond { request, response: polled([packet]) });
        session
    }

    /// A session that a WebSocket has opened.
    pub fn open_socket(
        sid: Sid,
        socket: SocketId,
        now: Timestamp,
        config: Arc<Config>,
        orders: &mut Vec<Order>,
    ) -> Self {
        let session = Self::new(sid, now, config, Transport::Socket(socket));
        let frame = Frame::text(&opening(&session.sid, &session.config, &[]));
        orders.push(Order::Send { socket, frame, class: Class::Kept });
        session
    }

    fn new(sid: Sid, now: Timestamp, config: Arc<Config>, transport: Transport) -> Self {
        Self { sid, heartbeat: Heartbeat::new(now, &config), config, transport }
    }

    /// Its id.
    pub fn sid(&self) -> &Sid {
        &self.sid
    }

    /// The WebSocket that it travels by; `None` while it polls, and when it is over.
    pub fn socket(&self) -> Option<SocketId> {
        match self.transport {
            Transport::Socket(socket) => Some(socket),
            Transport::Polling(_) | Transport::Over => None,
        }
    }

    /// How many bytes wait for a client that polls.
    pub fn queued_bytes(&self) -> usize {
        match &self.transport {
            Transport::Polling(polling) => polling.queued_bytes(),
            Transport::Socket(_) | Transport::Over => 0,
        }
    }

    /// Whether `Ended` was said.
    pub fn is_over(&self) -> bool {
        matches!(self.transport, Transport::Over)
    }

    /// A GET with the session's id came. It waits until there is something to say.
    pub fn on_poll(&mut self, request: RequestId, now: Timestamp, orders: &mut Vec<Order>) {
        // A session whose time is over is over, also when nobody has had the time to say so.
        self.on_deadline(now, orders);
        match &mut self.transport {
            Transport::Polling(polling) => match polling.wait(request) {
                true => self.flush(orders),
                false => {
                    orders.push(Order::Respond { request, response: Refused::BadRequest.response() });
                    self.end(Ended::PollsOverlap, orders);
                }
            },
            Transport::Socket(_) | Transport::Over => self.refuse(request, orders),
        }
    }

    /// A POST with the session's id came whole; `text` as [`is_text`] says. It is answered at once: what it held is
    /// taken in, or all of it refused.
    pub fn on_post(
        &mut self,
        request: RequestId,
        body: bytes::Bytes,
        text: bool,
        now: Timestamp,
        orders: &mut Vec<Order>,
    ) {
        let Transport::Polling(polling) = &self.transport else { return self.refuse(request, orders) };
        if polling.has_left() {
            return orders.push(Order::Respond { request, response: Refused::UnknownSid.response() });
        }
        if body.len() > self.config.payload_bytes_max as usize {
            let response = Response::empty(413).with("cache-control", "no-store");
            return orders.push(Order::Respond { request, response });
        }
        let closing = polling.is_closing();
        let packets = match text {
            true => payload::decode(&body).and_then(only_of_polling),
            false => Err(Malformed::MediaType),
        };
        match packets {
            Ok(packets) => {
                orders.push(Order::Respond { request, response: ok() });
                // Once the server has closed, only a client that closes too has something to say.
                for packet in packets.into_iter().filter(|packet| !closing || *packet == Packet::Close) {
                    let last = packet == Packet::Close;
                    self.hear(packet, now, orders);
                    if last {
                        break;
                    }
                }
            }
            Err(why) => {
                orders.push(Order::Respond { request, response: Refused::BadRequest.response() });
                self.end(Ended::Malformed(why), orders);
            }
        }
    }

    /// The client hung up before this request was answered.
    pub fn on_request_gone(&mut self, request: RequestId, orders: &mut Vec<Order>) {
        if let Transport::Polling(polling) = &mut self.transport
            && polling.forget(request)
        {
            self.end(Ended::TransportLost, orders);
        }
    }

    /// The client is elsewhere by now: this transport was lost, though nobody saw it break.
    pub fn lose(&mut self, orders: &mut Vec<Order>) {
        self.end(Ended::TransportLost, orders);
    }

    /// The client does not fetch what waits for it: it is let go, and all of that with it.
    pub fn give_up(&mut self, orders: &mut Vec<Order>) {
        self.end(Ended::TooSlow, orders);
    }

    /// A WebSocket with the session's id has opened. One that may not take over is let in all the same, and then closed
    /// here: so does the reference, and clients take a refusal for a fault of the server.
    pub fn on_probe_opened(&mut self, socket: SocketId, now: Timestamp, orders: &mut Vec<Order>) {
        let until = now + self.config.upgrade_timeout;
        match &mut self.transport {
            Transport::Polling(polling) if polling.may_probe() => polling.probe(socket, until),
            Transport::Polling(_) | Transport::Socket(_) | Transport::Over => {
                orders.push(Order::Close { socket });
            }
        }
    }

    /// A message came on a WebSocket of the session.
    pub fn on_message(
        &mut self,
        socket: SocketId,
        message: Message,
        now: Timestamp,
        orders: &mut Vec<Order>,
    ) {
        match &mut self.transport {
            Transport::Socket(known) if *known == socket => match Packet::decode(message) {
                Ok(Some(packet)) => self.hear(packet, now, orders),
                Ok(None) => {}
                Err(why) => self.end(Ended::Malformed(why), orders),
            },
            Transport::Polling(polling) if polling.probes(socket) => {
                if polling.hear_probe(Packet::decode(message), orders) {
                    self.upgrade(socket, orders);
                } else {
                    self.flush(orders);
                }
            }
            Transport::Polling(_) | Transport::Socket(_) | Transport::Over => {}
        }
    }

    /// A WebSocket of the session is gone.
    pub fn on_socket_gone(&mut self, socket: SocketId, orders: &mut Vec<Order>) {
        match &mut self.transport {
            Transport::Socket(known) if *known == socket => {
                self.transport = Transport::Over;
                orders.push(Order::Ended(Ended::TransportLost));
            }
            Transport::Polling(polling) => polling.lose_probe(socket),
            Transport::Socket(_) | Transport::Over => {}
        }
    }

    /// Sends a frame whose payload is a whole Engine.IO packet. While the session polls it waits for `flush`; if
    /// there is no room for it the session ends.
    pub fn send(&mut self, frame: Frame, class: Class, orders: &mut Vec<Order>) -> Pushed {
        match &mut self.transport {
            Transport::Socket(socket) => {
                orders.push(Order::Send { socket: *socket, frame, class });
                Pushed::Queued
            }
            Transport::Polling(polling) => {
                let pushed = polling.push(frame, class, orders);
                if pushed == Pushed::Overflowed {
                    self.end(Ended::TooSlow, orders);
                }
                pushed
            }
            Transport::Over => Pushed::Dropped,
        }
    }

    /// The end of a step in which something was sent: a GET that waits is answered with all of it, in one payload.
    pub fn flush(&mut self, orders: &mut Vec<Order>) {
        if let Transport::Polling(polling) = &mut self.transport
            && polling.flush(orders)
            && let Some(why) = polling.told()
        {
            self.end(why, orders);
        }
    }

    /// Ends the session after what was sent. A polling client hears of it by its GET, for which there is a ping
    /// interval's time; until then the session stays.
    pub fn close(&mut self, now: Timestamp, orders: &mut Vec<Order>) {
        self.close_as(Farewell::Together, now + self.config.ping_interval, orders);
    }

    /// The same when the server stops: no GET comes any more but those that are on their way. Nobody is told to close,
    /// because some clients take that for good (python-socketio); without it all come back.
    pub fn stop(&mut self, now: Timestamp, orders: &mut Vec<Order>) {
        self.close_as(Farewell::Silent, now + LAST_POLL_WAIT, orders);
    }

    /// The same for a client that was told to go (`41`). One that polls hears of the end by the GET after that: beside
    /// it, it would take the connection for lost, and come back.
    pub fn dismiss(&mut self, now: Timestamp, orders: &mut Vec<Order>) {
        self.close_as(Farewell::Apart, now + self.config.ping_interval, orders);
    }

    fn close_as(&mut self, how: Farewell, until: Timestamp, orders: &mut Vec<Order>) {
        match &mut self.transport {
            Transport::Polling(polling) => {
                polling.close(until, how);
                self.flush(orders);
            }
            Transport::Socket(_) => self.end(Ended::ByServer, orders),
            Transport::Over => {}
        }
    }

    /// When `on_deadline` is due.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        match &self.transport {
            Transport::Polling(polling) => Some(polling.next_deadline(self.heartbeat.due())),
            Transport::Socket(_) => Some(self.heartbeat.due()),
            Transport::Over => None,
        }
    }

    /// Time has passed; nothing happens if it was too little.
    pub fn on_deadline(&mut self, now: Timestamp, orders: &mut Vec<Order>) {
        match &mut self.transport {
            Transport::Over => return,
            Transport::Polling(polling) => {
                polling.drop_late_probe(now, orders);
                if let Some((until, why)) = polling.ending() {
                    if until <= now {
                        self.end(why, orders);
                    }
                    return;
                }
            }
            Transport::Socket(_) => {}
        }
        match self.heartbeat.beat(now, &self.config) {
            heartbeat::Beat::Early => {}
            heartbeat::Beat::Ping => {
                self.send(Frame::text("2"), Class::Kept, orders);
                self.flush(orders);
            }
            heartbeat::Beat::Missed => self.end(Ended::PingTimeout, orders),
        }
    }

    /// A packet came by the session's transport.
    fn hear(&mut self, packet: Packet, now: Timestamp, orders: &mut Vec<Order>) {
        match packet {
            Packet::Close => {
                if let Transport::Polling(polling) = &mut self.transport
                    && !polling.leave(now + LAST_POLL_WAIT, orders)
                {
                    return;
                }
                self.end(Ended::ClientClosed, orders);
            }
            Packet::Pong => self.heartbeat.hear(now, &self.config),
            Packet::Message(message) => orders.push(Order::Message(message)),
            Packet::Noop => {}
            Packet::Probe | Packet::Upgrade => self.end(Ended::Malformed(Malformed::PacketType), orders),
        }
    }

    /// From polling to the WebSocket that was the probe.
    fn upgrade(&mut self, socket: SocketId, orders: &mut Vec<Order>) {
        if let Transport::Polling(polling) = std::mem::replace(&mut self.transport, Transport::Socket(socket))
        {
            let closing = polling.is_closing();
            polling.move_to(socket, orders);
            if closing {
                self.end(Ended::ByServer, orders);
            }
        }
    }

    fn end(&mut self, why: Ended, orders: &mut Vec<Order>) {
        match std::mem::replace(&mut self.transport, Transport::Over) {
            Transport::Polling(polling) => polling.end(why == Ended::ClientClosed, orders),
            Transport::Socket(socket) => orders.push(Order::Close { socket }),
            Transport::Over => return,
        }
        orders.push(Order::Ended(why));
    }

    /// A request by polling, which the session does not do any more.
    fn refuse(&self, request: RequestId, orders: &mut Vec<Order>) {
        let refused = if self.is_over() { Refused::UnknownSid } else { Refused::BadRequest };
        orders.push(Order::Respond { request, response: refused.response() });
    }
}

/// A probe is a matter of WebSockets.
fn only_of_polling(packets: Vec<Packet>) -> Result<Vec<Packet>, Malformed> {
    match packets.iter().any(|packet| matches!(packet, Packet::Probe | Packet::Upgrade)) {
        true => Err(Malformed::PacketType),
        false => Ok(packets),
    }
}

// There is one for every client that is connected.
const _: () = assert!(size_of::<Session>() <= 64);
