//! What both drivers need from the machine. Bytes come in through a `Connection` and become facts for the
//! `Engine`, which has the core behind one lock; the orders that follow put frames into the outboxes of `Line`s,
//! and a thread that serves sockets writes them out. A driver only waits: for sockets, and for what a line is
//! told.

pub mod acceptor;
pub mod connection;
mod dirty;
pub mod engine;
mod http_reader;
pub mod incoming;
pub mod line;
pub mod signals;
pub mod start;
mod transport;
