//! What both drivers need from the machine.

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
