//! What both drivers need from the machine: settings, logs, the time, the store's threads, calls over HTTP, and
//! the engine that carries the core's orders out.

pub mod acceptor;
pub mod ai;
pub mod calls;
pub mod clock;
pub mod commands;
pub mod connection;
mod console;
mod dirty;
pub mod engine;
pub mod hang_up;
pub mod hook;
mod http_client;
mod http_reader;
pub mod incoming;
pub mod jwks;
pub mod keyring;
pub mod line;
mod lock;
pub mod log;
mod measured;
mod patience;
pub mod recording;
pub mod replay;
pub mod scanner;
pub mod seed;
pub mod services;
pub mod settings;
pub mod signals;
pub mod start;
mod stores;
pub mod tls;
pub mod transcript;
mod transport;
pub mod trial;
