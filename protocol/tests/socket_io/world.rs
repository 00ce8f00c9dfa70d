//! A server in the test mode of the official suites, without a network: its sessions, the requests that wait and
//! the WebSockets that are open. It holds every order against what the engine promises, so each test does.

use bytes::Bytes;
use parlor_protocol::frame::Frame;
use parlor_protocol::http::{Body, RequestHead};
use parlor_protocol::ids::{RequestId, SocketId};
use parlor_protocol::input::Message;
use parlor_protocol::outbox::Class;
use parlor_protocol::socket_io::engine::{
    Asked, Config, Ended, Order, Refused, Session, Sid, is_text, read_request,
};
use parlor_protocol::socket_io::namespaces::{Client, Said};
use parlor_protocol::socket_io::packet::{Packet, event_frame};
use parlor_protocol::socket_io::payload::message_frame;
use parlor_protocol::time::Timestamp;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub const PING_INTERVAL: Duration = Duration::from_millis(300);
pub const PING_TIMEOUT: Duration = Duration::from_millis(200);
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(1000);
pub const PAYLOAD_BYTES_MAX: u32 = 1_000_000;

/// What stands above the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum App {
    /// Every message is sent back as it came.
    Echo,
    /// Namespaces `/` and `/custom`, which send events back.
    SocketIo,
    /// Messages are kept for the test to look at.
    Silent,
}

pub struct World {
    pub now: Timestamp,
    pub heard: Vec<Message>,
    pub flushed: usize,
    app: App,
    config: Arc<Config>,
    sessions: BTreeMap<Sid, (Session, Client)>,
    /// The session of each WebSocket that is open, and what was sent on it.
    sockets: BTreeMap<SocketId, (Sid, VecDeque<String>)>,
    waiting: BTreeSet<RequestId>,
    responses: BTreeMap<RequestId, (u16, String)>,
    ended: BTreeMap<Sid, Ended>,
    given: u32,
}

impl World {
    pub fn new(app: App) -> Self {
        let config = Config {
            ping_interval: PING_INTERVAL,
            ping_timeout: PING_TIMEOUT,
            payload_bytes_max: PAYLOAD_BYTES_MAX,
            ..Config::default()
        };
        Self {
            now: Timestamp(1_800_000_000_000_000),
            heard: Vec::new(),
            flushed: 0,
            app,
            config: Arc::new(config),
            sessions: BTreeMap::new(),
            sockets: BTreeMap::new(),
            waiting: BTreeSet::new(),
            responses: BTreeMap::new(),
            ended: BTreeMap::new(),
            given: 0,
        }
    }

    /// A session by polling.
    pub fn open(&mut self) -> String {
        let opened = self.get("?EIO=4&transport=polling");
        let (status, body) = self.response(opened).expect("it is answered at once");
        assert_eq!((status, &body[..8]), (200, "0{\"sid\":"));
        body[8..].split('"').nth(1).expect("a session id").to_string()
    }

    /// A session by WebSocket, and its id.
    pub fn open_socket(&mut self) -> (SocketId, String) {
        let socket = self.upgrade("?EIO=4&transport=websocket").expect("it is let in");
        let opening = self.heard_on(socket);
        let sid = opening[0][8..].split('"').nth(1).expect("a session id").to_string();
        (socket, sid)
    }

    /// A Socket.IO session by WebSocket, connected to `/`.
    pub fn open_connected(&mut self) -> SocketId {
        let (socket, _) = self.open_socket();
        self.say(socket, "40");
        assert_eq!(self.heard_on(socket).len(), 2);
        socket
    }

    pub fn get(&mut self, query: &str) -> RequestId {
        self.request("GET", query, "text/plain", Bytes::new())
    }

    pub fn poll(&mut self, sid: &str) -> RequestId {
        self.get(&format!("?EIO=4&transport=polling&sid={sid}"))
    }

    /// What a GET is answered with at once.
    pub fn polled(&mut self, sid: &str) -> (u16, String) {
        let request = self.poll(sid);
        self.response(request).expect("there is something to say")
    }

    pub fn post(&mut self, sid: &str, body: &str) -> (u16, String) {
        self.post_bytes(sid, "text/plain;charset=UTF-8", Bytes::copy_from_slice(body.as_bytes()))
    }

    pub fn post_bytes(&mut self, sid: &str, media_type: &str, body: Bytes) -> (u16, String) {
        let query = format!("?EIO=4&transport=polling&sid={sid}");
        let request = self.request("POST", &query, media_type, body);
        self.response(request).expect("a POST is answered at once")
    }

    pub fn request(&mut self, method: &str, query: &str, media_type: &str, body: Bytes) -> RequestId {
        let head = RequestHead {
            method: method.into(),
            target: format!("/engine.io/{query}"),
            headers: vec![("content-type".into(), media_type.into())],
            keep_alive: true,
        };
        let request = RequestId { slot: self.next(), generation: 0 };
        self.waiting.insert(request);
        let mut orders = Vec::new();
        let sid = match read_request(&head) {
            Ok(Asked::PollOpen) => {
                let sid = self.new_sid();
                let session =
                    Session::open_polling(sid.clone(), request, self.now, self.config.clone(), &mut orders);
                self.keep(session);
                sid
            }
            Ok(Asked::Poll { sid }) if self.sessions.contains_key(sid.as_str()) => {
                let now = self.now;
                self.session(&sid).on_poll(request, now, &mut orders);
                Sid::from(&*sid)
            }
            Ok(Asked::Post { sid }) if self.sessions.contains_key(sid.as_str()) => {
                let now = self.now;
                self.session(&sid).on_post(request, body, is_text(&head), now, &mut orders);
                Sid::from(&*sid)
            }
            Ok(Asked::SocketOpen | Asked::Socket { .. }) => unreachable!("no upgrade was asked for"),
            Ok(_) => return self.refuse(request, Refused::UnknownSid),
            Err(refused) => return self.refuse(request, refused),
        };
        self.carry_out(&sid, orders);
        request
    }

    /// A WebSocket, unless its request is refused.
    pub fn upgrade(&mut self, query: &str) -> Result<SocketId, Refused> {
        let headers = [("connection", "Upgrade"), ("upgrade", "websocket")];
        let head = RequestHead {
            method: "GET".into(),
            target: format!("/engine.io/{query}"),
            headers: headers.map(|(name, value)| (name.into(), value.into())).into(),
            keep_alive: true,
        };
        let asked = read_request(&head)?;
        let socket = SocketId { slot: self.next(), generation: 0 };
        let mut orders = Vec::new();
        let sid = match asked {
            Asked::SocketOpen => {
                let sid = self.new_sid();
                self.sockets.insert(socket, (sid.clone(), VecDeque::new()));
                let session =
                    Session::open_socket(sid.clone(), socket, self.now, self.config.clone(), &mut orders);
                self.keep(session);
                sid
            }
            Asked::Socket { sid } => {
                let now = self.now;
                let (session, _) = self.sessions.get_mut(sid.as_str()).ok_or(Refused::UnknownSid)?;
                self.sockets.insert(socket, (Sid::from(&*sid), VecDeque::new()));
                session.on_probe_opened(socket, now, &mut orders);
                Sid::from(&*sid)
            }
            Asked::PollOpen | Asked::Poll { .. } | Asked::Post { .. } => {
                unreachable!("an upgrade was asked for")
            }
        };
        self.carry_out(&sid, orders);
        Ok(socket)
    }

    pub fn probe(&mut self, sid: &str) -> SocketId {
        self.upgrade(&format!("?EIO=4&transport=websocket&sid={sid}")).expect("it may probe")
    }

    pub fn say(&mut self, socket: SocketId, text: &str) {
        self.say_message(socket, Message::Text(Bytes::copy_from_slice(text.as_bytes())));
    }

    pub fn say_binary(&mut self, socket: SocketId, bytes: &[u8]) {
        self.say_message(socket, Message::Binary(Bytes::copy_from_slice(bytes)));
    }

    pub fn say_message(&mut self, socket: SocketId, message: Message) {
        let Some((sid, _)) = self.sockets.get(&socket) else { return };
        let (sid, now, mut orders) = (sid.clone(), self.now, Vec::new());
        self.session(sid.as_str()).on_message(socket, message, now, &mut orders);
        self.carry_out(&sid, orders);
    }

    /// The client ends the TCP connection of a request that waits.
    pub fn hang_up(&mut self, request: RequestId) {
        assert!(self.waiting.remove(&request), "it waits");
        let sids: Vec<_> = self.sessions.keys().cloned().collect();
        for sid in sids {
            let mut orders = Vec::new();
            self.session(sid.as_str()).on_request_gone(request, &mut orders);
            self.carry_out(&sid, orders);
        }
    }

    /// The client ends a WebSocket.
    pub fn lose(&mut self, socket: SocketId) {
        let Some((sid, _)) = self.sockets.remove(&socket) else { return };
        self.tell_gone(&sid, socket);
    }

    /// The server sends something, and this is the end of its step.
    pub fn send(&mut self, sid: &str, frame: Frame, class: Class) {
        let mut orders = Vec::new();
        let session = self.session(sid);
        session.send(frame, class, &mut orders);
        session.flush(&mut orders);
        self.carry_out(&Sid::from(sid), orders);
    }

    /// The server closes a session.
    pub fn close(&mut self, sid: &str) {
        let (now, mut orders) = (self.now, Vec::new());
        self.session(sid).close(now, &mut orders);
        self.carry_out(&Sid::from(sid), orders);
    }

    pub fn dismiss(&mut self, sid: &str) {
        let (now, mut orders) = (self.now, Vec::new());
        self.session(sid).dismiss(now, &mut orders);
        self.carry_out(&Sid::from(sid), orders);
    }

    pub fn stop(&mut self, sid: &str) {
        let (now, mut orders) = (self.now, Vec::new());
        self.session(sid).stop(now, &mut orders);
        self.carry_out(&Sid::from(sid), orders);
    }

    pub fn give_up(&mut self, sid: &str) {
        let mut orders = Vec::new();
        self.session(sid).lose(&mut orders);
        self.carry_out(&Sid::from(sid), orders);
    }

    /// Time passes; every deadline is met in its order.
    pub fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((due, sid)) = self.next_deadline().filter(|(due, _)| *due <= end) {
            self.now = due;
            self.meet_deadline(&sid);
        }
        self.now = end;
    }

    pub fn response(&self, request: RequestId) -> Option<(u16, String)> {
        self.responses.get(&request).cloned()
    }

    /// What was sent on a WebSocket since; binary messages in angle brackets.
    pub fn heard_on(&mut self, socket: SocketId) -> Vec<String> {
        self.sockets.get_mut(&socket).map(|(_, sent)| sent.drain(..).collect()).expect("it is open")
    }

    pub fn is_open(&self, socket: SocketId) -> bool {
        self.sockets.contains_key(&socket)
    }

    pub fn ended(&self, sid: &str) -> Option<&Ended> {
        self.ended.get(sid)
    }

    /// Time passes until every session is over: then nobody waits any more, and no WebSocket is left.
    pub fn settle(&mut self) {
        self.wait(Duration::from_secs(60));
        assert!(self.sessions.is_empty() && self.waiting.is_empty() && self.sockets.is_empty());
    }

    fn next(&mut self) -> u32 {
        self.given += 1;
        self.given
    }

    fn new_sid(&mut self) -> Sid {
        Sid::from(&*format!("session-{}", self.next()))
    }

    fn keep(&mut self, session: Session) {
        let client = Client::new(&["/", "/custom"], self.now, CONNECT_TIMEOUT, PAYLOAD_BYTES_MAX);
        self.sessions.insert(session.sid().clone(), (session, client));
    }

    fn session(&mut self, sid: &str) -> &mut Session {
        &mut self.sessions.get_mut(sid).expect("it is not over").0
    }

    fn refuse(&mut self, request: RequestId, refused: Refused) -> RequestId {
        self.answer(request, refused.response());
        request
    }

    fn answer(&mut self, request: RequestId, response: parlor_protocol::http::Response) {
        assert!(self.waiting.remove(&request), "a request is answered once");
        let no_store =
            response.headers.iter().any(|(name, value)| name == "cache-control" && value == "no-store");
        assert!(no_store, "nothing of a session may be kept on the way");
        let Body::Bytes(body) = response.body else { panic!("a file") };
        let body = String::from_utf8(body.into()).expect("a payload is text");
        self.responses.insert(request, (response.status, body));
    }

    fn next_deadline(&self) -> Option<(Timestamp, Sid)> {
        let due = |(sid, (session, client)): (&Sid, &(Session, Client))| {
            let of_client =
                client.next_deadline().filter(|_| self.app == App::SocketIo && !session.is_over());
            session
                .next_deadline()
                .into_iter()
                .chain(of_client)
                .min()
                .map(|due| (due.max(self.now), sid.clone()))
        };
        self.sessions.iter().filter_map(due).min()
    }

    fn meet_deadline(&mut self, sid: &Sid) {
        let (now, mut orders) = (self.now, Vec::new());
        let (session, client) = self.sessions.get_mut(sid).expect("it is not over");
        if self.app == App::SocketIo && client.on_deadline(now).is_err() {
            *client = Client::new(&[], now, Duration::from_secs(3600), 0);
            session.close(now, &mut orders);
        } else {
            session.on_deadline(now, &mut orders);
            assert!(session.next_deadline().is_none_or(|next| next > now), "what is due is done");
        }
        self.carry_out(sid, orders);
    }

    fn carry_out(&mut self, sid: &Sid, orders: Vec<Order>) {
        let mut orders = VecDeque::from(orders);
        let mut closed = false;
        while let Some(order) = orders.pop_front() {
            match order {
                Order::Respond { request, response } => self.answer(request, response),
                Order::Send { socket, frame, .. } => {
                    let (_, sent) = self.sockets.get_mut(&socket).expect("only what is open is sent on");
                    sent.push_back(shown(&frame));
                }
                Order::Close { socket } => {
                    let (closed, _) = self.sockets.remove(&socket).expect("only what is open is closed");
                    self.tell_gone(&closed, socket);
                }
                Order::Flushed => self.flushed += 1,
                Order::Message(message) if !closed => {
                    let (more, closes) = self.hear(sid, message);
                    closed = closes;
                    // What the app has to say comes after what is ordered already, but for the messages.
                    let at = orders.iter().position(|order| matches!(order, Order::Message(_)));
                    let rest = at.map(|at| orders.split_off(at)).unwrap_or_default();
                    orders.extend(more.into_iter().chain(rest));
                }
                Order::Message(_) => {}
                Order::Ended(why) => {
                    assert!(self.ended.insert(sid.clone(), why).is_none(), "a session ends once");
                    assert!(self.sessions[sid].0.is_over() && self.sessions[sid].0.next_deadline().is_none());
                    self.sessions.remove(sid);
                }
            }
        }
        if let Some((session, _)) = self.sessions.get_mut(sid) {
            let mut orders = Vec::new();
            session.flush(&mut orders);
            if !orders.is_empty() {
                self.carry_out(sid, orders);
            }
        }
    }

    fn tell_gone(&mut self, sid: &Sid, socket: SocketId) {
        let mut orders = Vec::new();
        if let Some((session, _)) = self.sessions.get_mut(sid) {
            session.on_socket_gone(socket, &mut orders);
            self.carry_out(sid, orders);
        }
    }

    /// The layer above; says also whether it has closed the session.
    fn hear(&mut self, sid: &Sid, message: Message) -> (Vec<Order>, bool) {
        let (now, mut orders) = (self.now, Vec::new());
        self.heard.push(message.clone());
        let Some((session, client)) = self.sessions.get_mut(sid) else { return (orders, true) };
        let frames = match (self.app, message) {
            (App::Silent, _) => Ok(Vec::new()),
            (App::Echo, Message::Text(text)) => {
                Ok(vec![message_frame(std::str::from_utf8(&text).expect("it was checked"))])
            }
            (App::Echo, Message::Binary(bytes)) => Ok(vec![Frame::binary(&bytes)]),
            (App::Echo, other) => panic!("{other:?} is no message"),
            (App::SocketIo, message) => client.on_message(message, now).map(|said| answer(said, client)),
        };
        let closes = frames.is_err();
        for frame in frames.unwrap_or_default() {
            session.send(frame, Class::Kept, &mut orders);
        }
        if closes {
            session.close(now, &mut orders);
        }
        (orders, closes)
    }
}

fn answer(said: Option<Said>, client: &mut Client) -> Vec<Frame> {
    match said {
        Some(Said::Connect { namespace, auth }) => {
            let auth = auth.unwrap_or_else(|| "{}".to_string());
            let granted = client.accepted(namespace, "of-the-namespace", None);
            vec![granted, event_frame(namespace, None, &format!("[\"auth\",{auth}]"))]
        }
        Some(Said::Unknown { reply }) => vec![reply],
        Some(Said::Event { namespace, id, args, attachments }) => {
            let args: Vec<&RawValue> = serde_json::from_str(&args).expect("an array");
            let rest: Vec<_> = args[1..].iter().map(|arg| arg.get()).collect();
            let count = attachments.len() as u8;
            match (args[0].get(), id) {
                ("\"message\"", _) => {
                    let args = [&["\"message-back\""], &rest[..]].concat().join(",");
                    Packet::event(namespace, None, &format!("[{args}]"), count).frames(&attachments)
                }
                ("\"message-with-ack\"", Some(id)) => {
                    Packet::ack(namespace, id, &format!("[{}]", rest.join(",")), count).frames(&attachments)
                }
                _ => Vec::new(),
            }
        }
        Some(Said::Ack { .. } | Said::Disconnect { .. }) | None => Vec::new(),
    }
}

/// A frame as a test writes it.
fn shown(frame: &Frame) -> String {
    match frame.is_text() {
        true => String::from_utf8(frame.payload().to_vec()).expect("text"),
        false => format!("{:?}", frame.payload()).replace('[', "<").replace(']', ">"),
    }
}
