//! The pure core of Parlor.

pub mod action;
pub mod auth;
pub mod call;
pub mod frame;
pub mod http;
pub mod ids;
pub mod input;
pub mod job;
pub mod json;
pub mod outbox;
pub mod record;
pub mod refusal;
pub mod rng;
pub mod server;
pub mod settings;
pub mod store;
pub mod time;
pub mod timers;
pub mod walker;
