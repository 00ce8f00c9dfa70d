//! How fast the servers are, and against what: a load generator that costs little (one thread, frames made
//! beforehand, answers counted by their headers), and peers that are measured in the same rounds, because
//! figures of one machine and one hour mean something only beside each other.
//!
//! A [`target::Target`] is started as a [`process::Process`]; a [`crowd::Crowd`] of connections plays a script
//! against it; what came of it is a [`report::Sample`], and the report compares those of the same round.

pub mod answers;
pub mod crowd;
pub mod drafts;
pub mod echo;
pub mod editors;
pub mod fanout;
pub mod frames;
pub mod idle;
mod members;
pub mod order;
pub mod process;
pub mod provider;
pub mod report;
pub mod room;
pub mod siege;
pub mod target;
pub mod times;
pub mod writing;
