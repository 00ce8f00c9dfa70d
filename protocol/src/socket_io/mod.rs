//! Socket.IO v5 over Engine.IO v4, for any server: it knows nothing of rooms, users or apps, and like the rest of
//! this crate it opens no socket and reads no clock.
//!
//! Three layers, each usable alone:
//!
//! * [`payload`] and [`engine`]: one Engine.IO session. HTTP requests and WebSocket messages go in, responses,
//!   frames and the messages of the client come out; heartbeats, long-polling, the upgrade, every refusal.
//! * [`packet`]: Socket.IO packets as text, decoded strictly, and written as frames that a whole room can share.
//! * [`namespaces`]: what a client says over a session: it connects, sends events and acknowledgements with
//!   their attachments, disconnects.
//!
//! A server keeps a [`Session`](engine::Session) and a [`Client`](namespaces::Client) for each session id:
//!
//! ```
//! use bytes::Bytes;
//! use parlor_protocol::http::Body;
//! use parlor_protocol::ids::RequestId;
//! use parlor_protocol::outbox::Class;
//! use parlor_protocol::socket_io::engine::{Config, Order, Session, Sid};
//! use parlor_protocol::socket_io::namespaces::{Client, Said};
//! use parlor_protocol::socket_io::packet::ack_frame;
//! use parlor_protocol::time::Timestamp;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! let (now, mut orders) = (Timestamp(0), Vec::new());
//! let request = |slot| RequestId { slot, generation: 0 };
//! let config = Arc::new(Config::default());
//! let mut client = Client::new(&["/"], now, Duration::from_secs(45), config.payload_bytes_max);
//!
//! // `GET ?EIO=4&transport=polling`, and then one request with what the client has to say.
//! let mut session = Session::open_polling(Sid::from("x"), request(0), now, config, &mut orders);
//! session.on_post(request(1), Bytes::from("40{\"token\":\"t\"}\x1e421[\"add\",1,2]"), true, now, &mut orders);
//! for order in std::mem::take(&mut orders) {
//!     let Order::Message(message) = order else { continue };
//!     let reply = match client.on_message(message, now) {
//!         Ok(Some(Said::Connect { namespace, .. })) => client.accepted(namespace, "s1", None),
//!         Ok(Some(Said::Event { namespace, id: Some(id), .. })) => ack_frame(namespace, id, "[3]"),
//!         other => panic!("{other:?}"),
//!     };
//!     session.send(reply, Class::Kept, &mut orders);
//! }
//! session.on_poll(request(2), now, &mut orders);
//! let Some(Order::Respond { response, .. }) = orders.last() else { panic!("{orders:?}") };
//! assert_eq!(response.body, Body::Bytes("40{\"sid\":\"s1\"}\x1e431[3]".into()));
//! ```

pub mod engine;
mod malformed;
pub mod namespaces;
pub mod packet;
pub mod payload;

pub use malformed::Malformed;
