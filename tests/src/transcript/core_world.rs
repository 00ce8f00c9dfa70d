//! The core alone: a virtual clock, a store in memory, jobs run at once, an AI that says what the story says.
//! What a driver does by itself (it answers pings and closes, and enforces the size of messages) is done here
//! in its place.

use super::deed::{Deed, StoreMood};
use super::play::{Answer, Heard, Outcome, Scene, World, body_text};
use super::scripted;
use super::socket::{head_text, upgrade_headers};
use super::story::Story;
use crate::ai_stand_in::Play;
use bytes::Bytes;
use parlor_host::engine::Held;
use parlor_host::settings::{Configuration, Surroundings};
use parlor_protocol::action::{Action, CloseCause, Recipients, SocketLimits};
use parlor_protocol::call::{Call, Said};
use parlor_protocol::docs::Docs;
use parlor_protocol::frame::Frame;
use parlor_protocol::http::{Body, Response, parse_head};
use parlor_protocol::ids::{RequestId, SocketId, Ticket};
use parlor_protocol::input::{Ending, Fault, Input, Message};
use parlor_protocol::metrics::{Buckets, Measured, statistics, text};
use parlor_protocol::outbox::Class;
use parlor_protocol::server::Server;
use parlor_protocol::store::{StoreReply, StoreRequest};
use parlor_protocol::time::Timestamp;
use parlor_store::ModelStore;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// When every story begins: 2026-01-01T00:00:00Z.
const BEGINNING: Timestamp = Timestamp(1_767_225_600_000_000);
/// What passes from one step to the next.
const STEP: Duration = Duration::from_millis(1);
/// How many facts one step may lead to.
const FACTS_MAX: usize = 100_000;

/// The core and all that is around it.
pub struct CoreWorld {
    configuration: Configuration,
    server: Server,
    now: Timestamp,
    store: ModelStore,
    /// The documents of drafts.
    docs: Docs,
    mood: StoreMood,
    script: VecDeque<Play>,
    calls: Vec<(Timestamp, Ticket, Said)>,
    facts: VecDeque<Input>,
    requests: u32,
    /// What the request of this step becomes.
    asking: Option<String>,
    sockets: BTreeMap<SocketId, Socket>,
    presence: bool,
    starts: u8,
    log: String,
    outcome: Outcome,
}

struct Socket {
    connection: String,
    limits: SocketLimits,
    reading: bool,
    waiting: VecDeque<Message>,
    deaf: bool,
}

impl CoreWorld {
    /// The world in which the story begins.
    pub fn new(story: &Story) -> Result<Self, String> {
        let flags = story.flags(Some("http://127.0.0.1:1"));
        let surroundings = Surroundings {
            program: "parlor",
            arguments: std::iter::once("parlor".to_string()).chain(flags).map(Into::into).collect(),
            environment: Vec::new(),
            folder: std::env::temp_dir().join("nothing-is-configured-here"),
        };
        let configuration = Configuration::load(&surroundings).map_err(|stop| stop.to_string())?;
        let server = Server::new(configuration.core.clone(), [0; 32]);
        let mut world = Self {
            configuration,
            server,
            now: BEGINNING,
            store: ModelStore::default(),
            docs: Docs::default(),
            mood: StoreMood::Works,
            script: VecDeque::new(),
            calls: Vec::new(),
            facts: VecDeque::new(),
            requests: 0,
            asking: None,
            sockets: BTreeMap::new(),
            presence: story.presence,
            starts: 0,
            log: String::new(),
            outcome: Outcome::default(),
        };
        world.tell(Input::Started);
        Ok(world)
    }

    /// Gives the core a fact, and all that follows from it.
    fn tell(&mut self, fact: Input) {
        self.facts.push_back(fact);
        for _ in 0..FACTS_MAX {
            let due = self.calls.iter().position(|(at, ..)| *at <= self.now);
            let fact = if let Some(fact) = self.facts.pop_front() {
                fact
            } else if let Some(due) = due {
                let (_, ticket, said) = self.calls.remove(due);
                Input::Called { ticket, said }
            } else if self.server.next_deadline().is_some_and(|at| at <= self.now) {
                Input::Tick
            } else {
                return;
            };
            let mut actions = Vec::new();
            self.server.handle(self.now, fact, &mut actions);
            actions.into_iter().for_each(|action| self.carry_out(action));
        }
        panic!("{FACTS_MAX} facts follow from one step, and more");
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Respond { response, .. } => self.outcome.answer = Some(answer(response)),
            Action::Upgrade { socket, subprotocol, limits, .. } => {
                let connection = self.asking.take().expect("an upgrade was asked for");
                self.hear(&connection, Heard::Open(subprotocol.map(|name| name.into_owned())));
                let waiting = VecDeque::new();
                self.sockets
                    .insert(socket, Socket { connection, limits, reading: true, waiting, deaf: false });
            }
            Action::Send { to, frame, class } => self.send(&to, &frame, class),
            Action::Read { socket, on } => {
                if let Some(open) = self.sockets.get_mut(&socket) {
                    open.reading = on;
                    self.deliver(socket);
                }
            }
            Action::Close { socket, cause } => self.close(socket, cause, Ending::ByServer),
            Action::Store { ticket, request } => {
                let reply = self.ask_store(&request);
                self.facts.push_back(Input::Stored(vec![(ticket, reply)]));
            }
            Action::Work { ticket, job } => {
                let outcome = job.run(&self.configuration.keys, self.now, &mut self.docs);
                self.facts.push_back(Input::Worked { ticket, outcome });
            }
            Action::Call { ticket, call } => self.call(ticket, &call),
            Action::Cancel { ticket } => self.calls.retain(|(_, known, _)| *known != ticket),
            Action::Log(record) => self.log.push_str(&format!("{record:?}\n")),
            Action::Drained => self.sockets.clear(),
        }
    }

    fn send(&mut self, to: &Recipients, frame: &Frame, class: Class) {
        let (sockets, except) = match to {
            Recipients::One(socket) => (std::slice::from_ref(socket), None),
            Recipients::Many { sockets, except } => (&sockets[..], *except),
        };
        for socket in sockets.iter().filter(|socket| Some(**socket) != except) {
            let Some(open) = self.sockets.get(socket) else { continue };
            let (connection, deaf) = (open.connection.clone(), open.deaf);
            let payload = frame.payload();
            self.hear(
                &connection,
                match (frame.is_text(), frame.is_ping()) {
                    (true, _) => Heard::Text(String::from_utf8_lossy(payload).into_owned()),
                    (false, true) => Heard::Ping,
                    (false, false) => Heard::Binary(payload.to_vec()),
                },
            );
            if frame.is_ping() && !deaf {
                self.facts
                    .push_back(Input::Received { socket: *socket, message: Message::Pong(Bytes::new()) });
            }
            if class == Class::Page {
                self.facts.push_back(Input::Flushed { socket: *socket });
            }
        }
    }

    fn close(&mut self, socket: SocketId, cause: CloseCause, why: Ending) {
        if let Some(open) = self.sockets.remove(&socket) {
            self.hear(&open.connection, Heard::Close(cause.code(), cause.reason().to_string()));
            self.facts.push_back(Input::Disconnected { socket, why });
        }
    }

    fn ask_store(&mut self, request: &StoreRequest) -> StoreReply {
        let commits = matches!(request, StoreRequest::Commit { .. });
        match self.mood {
            StoreMood::Works => self.store.answer(self.now, request),
            StoreMood::Unavailable => StoreReply::Unavailable,
            StoreMood::Unsure | StoreMood::Forgetful if commits => {
                if self.mood == StoreMood::Unsure {
                    self.store.answer(self.now, request);
                }
                self.mood = StoreMood::Works;
                StoreReply::Unknown
            }
            StoreMood::Unsure | StoreMood::Forgetful => self.store.answer(self.now, request),
        }
    }

    fn call(&mut self, ticket: Ticket, call: &Call) {
        if let Call::Scan { .. } | Call::Hook { .. } = call {
            return self.calls.push((self.now, ticket, scripted::at_once(call)));
        }
        let play = self.script.pop_front().unwrap_or(Play::Interview);
        let said = scripted::said(play, call).into_iter();
        self.calls.extend(said.map(|(wait, said)| (self.now + wait, ticket, said)));
    }

    fn hear(&mut self, connection: &str, heard: Heard) {
        if self.presence || !heard.is_presence() {
            self.outcome.heard.entry(connection.to_string()).or_default().push(heard);
        }
    }

    fn socket(&self, connection: &str) -> SocketId {
        let found = self.sockets.iter().find(|(_, open)| open.connection == connection);
        *found.unwrap_or_else(|| panic!("{connection} is not connected")).0
    }

    /// A message comes; too large a one does not reach the core.
    fn receive(&mut self, connection: &str, message: Message) {
        let socket = self.socket(connection);
        let open = self.sockets.get_mut(&socket).expect("it was found just now");
        let length = match &message {
            Message::Text(bytes) | Message::Binary(bytes) => bytes.len(),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => 0,
        };
        if length > open.limits.message_bytes_max as usize {
            return self.close(socket, CloseCause::Faulty(Fault::TooBig), Ending::Faulty(Fault::TooBig));
        }
        open.waiting.push_back(message);
        self.deliver(socket);
    }

    /// Gives the core what waits, while reading is on.
    fn deliver(&mut self, socket: SocketId) {
        let Some(open) = self.sockets.get_mut(&socket).filter(|open| open.reading) else { return };
        let messages = open.waiting.drain(..);
        self.facts.extend(messages.map(|message| Input::Received { socket, message }));
    }

    fn request(&mut self, head: &str, body: &str) {
        self.requests += 1;
        let request = RequestId { slot: self.requests, generation: 0 };
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let is_head = head.starts_with("HEAD ");
        match parse_head(head.as_bytes()) {
            Ok((head, _)) => {
                let body = Bytes::copy_from_slice(body.as_bytes());
                self.tell(Input::Requested { request, peer, head, body });
            }
            Err(fault) => self.outcome.answer = Some(answer(fault.response())),
        }
        if let Some(answer) = self.outcome.answer.as_mut().filter(|_| is_head) {
            answer.body.clear();
        }
    }

    fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        loop {
            let call = self.calls.iter().map(|(at, ..)| *at).min();
            let next = [self.server.next_deadline(), call].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            self.tell(Input::Tick);
        }
        self.now = until;
    }

    fn restart(&mut self) {
        for open in std::mem::take(&mut self.sockets).into_values() {
            self.hear(&open.connection, Heard::Lost);
        }
        self.starts += 1;
        self.server = Server::new(self.configuration.core.clone(), [self.starts; 32]);
        self.docs = Docs::default();
        self.calls.clear();
        self.tell(Input::Started);
    }

    fn do_deed(&mut self, scene: &Scene<'_>) {
        let authorization = scene.authorization.as_deref();
        match scene.deed {
            Deed::Connect { connection, target, headers, .. } => {
                let headers = upgrade_headers(headers);
                self.asking = Some(connection.clone());
                self.request(&head_text("GET", target, "127.0.0.1:8080", authorization, &headers, ""), "");
                self.asking = None;
            }
            Deed::Request { method, target, headers, body, .. } => {
                self.request(
                    &head_text(method, target, "127.0.0.1:8080", authorization, headers, body),
                    body,
                );
            }
            Deed::Send(connection, text) => {
                self.receive(connection, Message::Text(Bytes::copy_from_slice(text.as_bytes())));
            }
            Deed::Binary(connection, bytes) => {
                self.receive(connection, Message::Binary(Bytes::copy_from_slice(bytes)));
            }
            Deed::Ping(connection) => {
                self.hear(connection, Heard::Pong);
                self.receive(connection, Message::Ping(Bytes::new()));
            }
            Deed::Deaf(connection) => {
                let socket = self.socket(connection);
                self.sockets.get_mut(&socket).expect("it was found just now").deaf = true;
            }
            Deed::Close(connection, code) => {
                let socket = self.socket(connection);
                self.tell(Input::Received { socket, message: Message::Close(Some(*code)) });
                self.sockets.remove(&socket);
                self.hear(connection, Heard::Close(*code, String::new()));
                self.tell(Input::Disconnected { socket, why: Ending::ByClient(Some(*code)) });
            }
            Deed::Drop(connection) => {
                let socket = self.socket(connection);
                self.sockets.remove(&socket);
                self.tell(Input::Disconnected { socket, why: Ending::Lost });
            }
            Deed::Wait(span) => self.wait(*span),
            Deed::Ai(play) => self.script.push_back(play.clone()),
            Deed::Restart => self.restart(),
            Deed::Stop => self.tell(Input::Draining),
            Deed::Store(mood) => self.mood = *mood,
        }
    }
}

impl World for CoreWorld {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn is_open(&self, connection: &str) -> bool {
        self.sockets.values().any(|open| open.connection == connection)
    }

    fn perform(&mut self, scene: &Scene<'_>, _: Option<&Outcome>) -> Outcome {
        self.now = self.now + STEP;
        self.do_deed(scene);
        if let Some(fact) = self.facts.pop_front() {
            self.tell(fact);
        }
        std::mem::take(&mut self.outcome)
    }

    fn finish(&mut self) -> (Outcome, String) {
        (std::mem::take(&mut self.outcome), std::mem::take(&mut self.log))
    }
}

fn answer(response: Response) -> Answer {
    let (body, is_file) = match response.body {
        Body::Bytes(bytes) => (body_text(&bytes), false),
        Body::Asset(_) => (String::new(), true),
        Body::Statistics(counted) => (body_text(&statistics(&counted, &Measured::default())), false),
        Body::Metrics(snapshot) => {
            let (held, appends) = (Held::default().spread(), Buckets::of_moments().spread());
            (text(&snapshot, &Measured { held, appends, ..Measured::default() }), false)
        }
        Body::Connections(listed) => (body_text(&listed.json(|_| 0)), false),
    };
    let headers = response.headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
    Answer { status: response.status, headers: headers.collect(), body, is_file }
}
