//! One suite for every store: each law is a sentence, held against SQLite and against the model; then whole
//! random histories, which both have to answer alike. Last come the laws of files: starts, crashes and faults.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "what is not expected fails the test"
)]

mod appended;
mod chat;
mod files;
mod histories;
mod log;
mod migration;
mod retention;
mod rows;
mod snapshots;
mod subject;
mod uploads;
