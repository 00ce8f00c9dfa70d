//! The pure core of Parlor: a whole real-time server without sockets, clock, dice or threads.
//!
//! Facts go in, orders come out. A **fact** ([`input::Input`], in the past tense) is that a request came, a frame
//! was received, the store answered, time has passed. An **order** ([`action::Action`], in the imperative) is to
//! send a frame, to store an entry, to call a service. [`server::Server`] has two methods:
//!
//! * [`handle`](server::Server::handle) takes in one fact, with the time it happened, and appends the orders that
//!   follow from it;
//! * [`next_deadline`](server::Server::next_deadline) says when [`Input::Tick`](input::Input::Tick) is due, unless
//!   something else happens first.
//!
//! The same settings, seed and facts give the same orders, byte for byte. So a server can be tested, fuzzed,
//! simulated and replayed in one thread; and a driver is a loop:
//!
//! 1. wait for a fact, at the longest until `next_deadline`;
//! 2. call `handle` with the time and the fact;
//! 3. carry out each order: put frames into outboxes ([`outbox::Outbox`]), give requests to the store, run jobs
//!    ([`job::Job::run`]), make calls; what comes of them are facts again.
//!
//! # A whole conversation
//!
//! Here the driver is a test. Its store keeps a `Vec`, its token check believes everybody, and its sockets are
//! names.
//!
//! ```
//! use bytes::Bytes;
//! use parlor_protocol::action::{Action, Recipients};
//! use parlor_protocol::auth::{Permissions, User, UserType};
//! use parlor_protocol::http::RequestHead;
//! use parlor_protocol::ids::{RequestId, RoomId, Seq, SocketId};
//! use parlor_protocol::input::{Input, Message};
//! use parlor_protocol::job::{Job, Outcome};
//! use parlor_protocol::server::Server;
//! use parlor_protocol::settings::Settings;
//! use parlor_protocol::store::{Entry, RoomRecord, RoomRow, StoreReply, StoreRequest, Visibility};
//! use parlor_protocol::time::Timestamp;
//! use std::collections::VecDeque;
//!
//! /// Carries out a fact and all that follows from it; returns what was sent to whom.
//! fn run(server: &mut Server, log: &mut Vec<Entry>, fact: Input) -> Vec<(SocketId, String)> {
//!     let (mut facts, mut heard) = (VecDeque::from([fact]), Vec::new());
//!     while let Some(fact) = facts.pop_front() {
//!         let mut actions = Vec::new();
//!         server.handle(Timestamp(1_800_000_000_000_000), fact, &mut actions);
//!         for action in actions {
//!             match action {
//!                 Action::Send { to: Recipients::One(socket), frame, .. } => {
//!                     heard.push((socket, String::from_utf8_lossy(frame.payload()).into_owned()));
//!                 }
//!                 Action::Send { to: Recipients::Many { sockets, except }, frame, .. } => {
//!                     for socket in sockets.iter().filter(|socket| Some(**socket) != except) {
//!                         heard.push((*socket, String::from_utf8_lossy(frame.payload()).into_owned()));
//!                     }
//!                 }
//!                 Action::Store { ticket, request } => {
//!                     facts.push_back(Input::Stored(vec![(ticket, store(log, request))]));
//!                 }
//!                 Action::Work { ticket, job: Job::VerifyToken { token } } => {
//!                     facts.push_back(Input::Worked { ticket, outcome: Outcome::Token(Ok(user(&token))) });
//!                 }
//!                 _ => {} // upgrades, logs: this driver has nothing to do for them
//!             }
//!         }
//!     }
//!     heard
//! }
//!
//! /// One public room, `lobby`, in which nobody is a member yet.
//! fn store(log: &mut Vec<Entry>, request: StoreRequest) -> StoreReply {
//!     match request {
//!         StoreRequest::Load { room: id } => {
//!             let row = RoomRow {
//!                 id: id.clone(),
//!                 name: "Lobby".into(),
//!                 firm: "".into(),
//!                 visibility: Visibility::Public,
//!             };
//!             let (head, tail) = (Seq(log.len() as u64), log.clone());
//!             let begun = RoomRecord::begun(id, Some(row), vec![]);
//!             StoreReply::Loaded(Some(Box::new(RoomRecord { head, tail, ..begun })))
//!         }
//!         StoreRequest::Commit { appends, .. } => {
//!             let first = log.len();
//!             for append in appends {
//!                 for new in append.entries {
//!                     let (room, seq) = (append.room.clone(), Seq(log.len() as u64 + 1));
//!                     let at = Timestamp(1_800_000_000_000_000);
//!                     log.push(Entry { room, seq, id: new.id, author: new.author, at, body: new.body });
//!                 }
//!             }
//!             StoreReply::Committed(log[first..].to_vec())
//!         }
//!         _ => StoreReply::Found(vec![]),
//!     }
//! }
//!
//! fn user(token: &str) -> User {
//!     User {
//!         id: token.into(),
//!         firm: "".into(),
//!         name: None,
//!         user_type: UserType::Employee,
//!         permissions: Permissions::of(UserType::Employee),
//!         expires_at: Timestamp(u64::MAX),
//!     }
//! }
//!
//! fn connect(slot: u32, token: &str) -> Input {
//!     let headers = [
//!         ("host", "parlor.example"),
//!         ("connection", "Upgrade"),
//!         ("upgrade", "websocket"),
//!         ("sec-websocket-version", "13"),
//!         ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
//!     ];
//!     let head = RequestHead {
//!         method: "GET".into(),
//!         target: format!("/chat?token={token}"),
//!         headers: headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
//!         keep_alive: true,
//!     };
//!     Input::Requested {
//!         request: RequestId { slot, generation: 0 },
//!         peer: [127, 0, 0, 1].into(),
//!         head,
//!         body: Bytes::new(),
//!     }
//! }
//!
//! fn text(socket: SocketId, text: &'static str) -> Input {
//!     Input::Received { socket, message: Message::Text(Bytes::from_static(text.as_bytes())) }
//! }
//!
//! let mut server = Server::new(Settings::default(), [7; 32]);
//! let mut log = Vec::new();
//! run(&mut server, &mut log, Input::Started);
//! for (slot, name) in [(0, "ada"), (1, "ben")] {
//!     run(&mut server, &mut log, connect(slot, name));
//! }
//! let (ada, ben) = (SocketId { slot: 0, generation: 0 }, SocketId { slot: 1, generation: 0 });
//! for socket in [ada, ben] {
//!     let join = text(socket, r#"{"event":"chat:room:join","data":{"roomId":"lobby"}}"#);
//!     let heard = run(&mut server, &mut log, join);
//!     assert!(heard[0].1.starts_with(r#"{"event":"chat:room:joined""#));
//! }
//! let say = r#"{"event":"chat:message:send","data":{"roomId":"lobby","id":"m1","content":"Hello!"},"requestId":"r1"}"#;
//! let heard = run(&mut server, &mut log, text(ada, say));
//!
//! // Ben hears the message, Ada has her answer: both only after it was stored.
//! assert_eq!(log[0].room, RoomId::chat("lobby"));
//! assert_eq!(heard.len(), 2);
//! assert_eq!(heard[0].0, ben);
//! assert!(heard[0].1.starts_with(r#"{"event":"chat:message:received","data":{"id":"m1","seq":1,"#));
//! assert_eq!(heard[1].0, ada);
//! assert!(heard[1].1.ends_with(r#""deliveryStatus":"delivered"},"requestId":"r1","version":"1"}"#));
//! ```
//!
//! # The parts
//!
//! | part | what it knows |
//! | --- | --- |
//! | [`server`] | routing, and nothing else |
//! | `door` | who may come in: HTTP, upgrades, REST, refusals, limits |
//! | `connection` | one session of one client: its user, signs of life, budget |
//! | [`envelope`] | how calls and events are written in frames; no app |
//! | `room` | the gate: entries told once in order, readers caught up, answers held |
//! | `apps` | what an entry means: documents, chat |
//! | [`auth`], [`job`] | credentials checked outside, so that no secret is in the core |
//! | [`store`], [`call`] | what is asked of the store and of services, as data |
//! | [`docs`] | the Yjs documents of drafts; it alone knows `yrs` |
//! | [`socket_io`] | Engine.IO and Socket.IO, and nothing of the rest |
//! | [`y_sync`] | the binary frames of Yjs clients, and nothing of the rest |
//! | [`outbox`], [`walker`], [`http`] | pure pieces that drivers use |

pub mod action;
mod apps;
pub mod auth;
pub mod call;
mod clean_up;
mod connection;
mod context;
pub mod docs;
mod door;
pub mod envelope;
pub mod frame;
mod hook;
pub mod http;
pub mod ids;
pub mod input;
pub mod job;
pub mod json;
pub mod metrics;
pub mod outbox;
pub mod record;
pub mod refusal;
mod rng;
mod room;
pub mod server;
pub mod settings;
pub mod socket_io;
mod stats;
pub mod store;
mod tickets;
pub mod time;
mod timers;
pub mod walker;
pub mod y_sync;
