//! Stories that are played. A story is a text that says who connects, what they send, what backends ask, what
//! the AI says and how time passes; what follows is the same whether the core plays it alone or a whole server
//! over sockets. `tests/transcripts/README.md` describes how a story is written.

mod core_world;
mod deed;
mod people;
mod play;
mod provider;
mod render;
mod scripted;
mod socket;
mod socket_world;
mod story;

pub use core_world::CoreWorld;
pub use deed::{Caller, Deed, StoreMood};
pub use play::{Outcome, Played, World, play, replay};
pub use provider::y_websocket;
pub use socket_world::SocketWorld;
pub use story::Story;
