//! A client of Parlor, for programs that sit in chat rooms and follow projects and want to know nothing of lost
//! connections. It speaks the envelope of `/api/connect` and `/chat` (WIRE §0.4).
//!
//! Like the server's core, the client is a pure machine: facts go in, orders come out. A **fact**
//! ([`input::Input`], in the past tense) is that a message was received, a connection lost, a call made, that time
//! has passed. An **order** ([`action::Action`], in the imperative) is to open a connection, to send, to answer a
//! call. [`client::Client`] has two methods that matter: [`handle`](client::Client::handle) and
//! [`next_deadline`](client::Client::next_deadline). It has no clock, no dice and no socket.
//!
//! Two drivers carry its orders out: [`smol`] with tasks, [`threads`] with blocking threads. Both give the same
//! [`connection::Connection`] to call through and the same [`connection::Events`] to listen to; an answer is awaited
//! in the one and [waited for](connection::Answer::wait) in the other.
//!
//! # What it promises
//!
//! * **It comes back.** After a lost connection it waits, anything up to 1 s, 2 s, 4 s … 30 s, and connects again
//!   with a fresh token. Close codes 1000, 1008, 4001, 4401 and 4403, and HTTP refusals other than 408, 425 and 429,
//!   are final. Where the server asks to stay away for a while, it does.
//! * **Every entry once, in order.** A room is joined again behind what was heard in order. What lies out of reach is
//!   told as [`Event::Reset`](action::Event::Reset), never left out in silence. Entries come as events alone, those
//!   of a join's first page too.
//! * **Nothing is sent twice in effect.** A message has an id before it is sent for the first time. What was in flight
//!   and is not safe to repeat is answered with `CONNECTION_LOST`. What is safe to repeat and is refused for the rate, or
//!   because the server is busy, is sent again after the pause that it asks for. A message of one's own is heard by its answer; if
//!   that was lost with the connection, what is caught up with is the answer.
//! * **Every call is answered**, at the latest with `CONNECTION_LOST` when its time is over. The error of a message bears its
//!   `id` in `details`: sent again under this id it is stored once. If it was stored all the same, that is told as
//!   [`Event::AnsweredLate`](action::Event::AnsweredLate), or later as an entry.
//! * **Everything is bounded** ([`config::Config`]): 1 000 calls or 1 MiB wait, beyond that `OVERLOADED`; 128 rooms;
//!   and who does not take events is read no further for.
//!
//! To `wss://` it speaks TLS 1.2 and 1.3, and believes the authorities of [`config::Config::ca`], or those that browsers
//! believe. A server that is not believed is one that cannot be reached: it is tried again.
//!
//! # A whole conversation
//!
//! Here the driver is a test, and the server is a few lines of text.
//!
//! ```
//! use parlor_client::action::{Action, Event, State};
//! use parlor_client::client::Client;
//! use parlor_client::config::Config;
//! use parlor_client::input::{CallId, Input};
//! use parlor_client::room::Room;
//! use serde_json::json;
//! use std::time::Duration;
//!
//! let mut client = Client::new(Config::new("ws://127.0.0.1:8080/chat"), [7; 32]);
//! let mut actions = Vec::new();
//! let mut now = Duration::ZERO;
//! let timeout = Duration::from_secs(30);
//! let room = Room::Chat("lobby".to_string());
//!
//! // A wish waits until there is a connection. At its deadline the machine begins to connect.
//! client.handle(now, Input::Joined { call: CallId(1), room: room.clone(), since: None, timeout }, &mut actions);
//! assert_eq!((actions.len(), client.next_deadline()), (0, Some(Duration::ZERO)));
//! client.handle(now, Input::Tick, &mut actions);
//! assert_eq!(actions, [Action::Tell(Event::State(State::Connecting)), Action::AskToken]);
//! actions.clear();
//! client.handle(now, Input::TokenGiven("token".to_string()), &mut actions);
//! let url = "ws://127.0.0.1:8080/chat".to_string();
//! assert_eq!(actions, [Action::Open { url, token: "token".to_string() }]);
//! actions.clear();
//! client.handle(now, Input::Opened, &mut actions);
//! let join = r#"{"event":"chat:room:join","data":{"roomId":"lobby"},"requestId":"j1","version":"1"}"#;
//! assert_eq!(actions, [Action::Tell(Event::State(State::Open)), Action::Send(join.to_string())]);
//! actions.clear();
//!
//! // Messages of the first page come as events, and then the call is answered.
//! let hello = json!({"id": "m1", "seq": 4, "roomId": "lobby", "senderId": "ada", "content": "Hello"});
//! let page = json!({"roomId": "lobby", "lastSeq": 4, "messages": [hello]});
//! let joined = json!({"event": "chat:room:joined", "data": page, "requestId": "j1", "version": "1"});
//! client.handle(now, Input::Received(joined.to_string()), &mut actions);
//! let answer = json!({"roomId": "lobby", "lastSeq": 4});
//! let name = "chat:message:received".to_string();
//! assert_eq!(actions, [
//!     Action::Tell(Event::Entry { room: room.clone(), seq: 4, name, data: hello }),
//!     Action::Answer { call: CallId(1), result: Ok(answer) },
//! ]);
//! actions.clear();
//!
//! // The connection is lost. After a while, at most a second, the client comes back behind what it has heard.
//! client.handle(now, Input::Closed { code: Some(1012) }, &mut actions);
//! assert!(matches!(actions[..], [Action::Tell(Event::State(State::Waiting(wait)))] if wait <= Duration::from_secs(1)));
//! actions.clear();
//! now = client.next_deadline().expect("it comes back");
//! for fact in [Input::Tick, Input::TokenGiven("fresh".to_string()), Input::Opened] {
//!     client.handle(now, fact, &mut actions);
//! }
//! let join = r#"{"event":"chat:room:join","data":{"roomId":"lobby","since":4},"requestId":"j2","version":"1"}"#;
//! assert_eq!(actions.last(), Some(&Action::Send(join.to_string())));
//! ```
//!
//! # With a driver
//!
//! ```no_run
//! use parlor_client::config::Config;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::new("ws://127.0.0.1:8080/chat");
//! let (connection, mut events) = parlor_client::threads::open(config, || std::env::var("PARLOR_TOKEN"))?;
//! connection.join_room("lobby").wait()?;
//! connection.send_message("lobby", "Good morning").wait()?;
//! while let Some(event) = events.wait() {
//!     if let Some(message) = event.message() {
//!         println!("{}: {}", message.sender_id, message.content);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

pub mod action;
mod calls;
pub mod chat;
pub mod client;
pub mod config;
#[cfg(any(feature = "smol", feature = "threads"))]
pub mod connection;
#[cfg(any(feature = "smol", feature = "threads"))]
mod desk;
mod dice;
mod envelope;
pub mod error;
pub mod input;
pub mod room;
mod rooms;
#[cfg(feature = "smol")]
pub mod smol;
#[cfg(any(feature = "smol", feature = "threads"))]
mod target;
#[cfg(feature = "threads")]
pub mod threads;
#[cfg(any(feature = "smol", feature = "threads"))]
mod tls;
