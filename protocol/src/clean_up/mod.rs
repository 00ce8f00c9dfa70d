//! The daily clean-up: sessions of documents that were left (WIRE §1), and entries of logs that are older than they are
//! kept (WIRE §0.8). It goes step by step, one question to the store after the other, so it holds up nobody; what a
//! crash leaves undone the next one does.

mod logs;
mod sessions;

use crate::apps::documents::Documents;
use crate::context::Context;
use crate::record::{Level, Record};
use crate::store::StoreReply;
use logs::Logs;
use sessions::Sessions;
use std::time::Duration;

/// How long after its start a process cleans up for the first time.
pub const CLEAN_UP_FIRST: Duration = Duration::from_secs(5);
/// How often it does so from there on.
pub const CLEAN_UP_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
/// How many sessions or rooms one look finds.
const FOUND_MAX: u32 = 64;

/// What the clean-up waits for.
#[derive(Debug)]
pub enum Waiting {
    /// Something about sessions.
    Sessions(Box<Sessions>),
    /// Something about logs.
    Logs(Box<Logs>),
}

/// What is under way. Each part is so once: a day that is too short for it goes without.
#[derive(Debug, Default)]
pub struct CleanUp {
    sessions: bool,
    logs: bool,
}

impl CleanUp {
    /// It is time.
    pub fn on_due(&mut self, ctx: &mut Context<'_>) {
        let (now, settings) = (ctx.fx.now, ctx.fx.settings);
        if !settings.session_idle_max.is_zero() && !std::mem::replace(&mut self.sessions, true) {
            sessions::begin(now - settings.session_idle_max, ctx);
        }
        if !settings.retention.is_zero() && !std::mem::replace(&mut self.logs, true) {
            logs::begin(now - settings.retention, ctx);
        }
    }

    /// The store answered.
    pub fn on_stored(
        &mut self,
        waiting: Waiting,
        reply: StoreReply,
        documents: &Documents,
        ctx: &mut Context<'_>,
    ) {
        match waiting {
            Waiting::Sessions(sessions) => {
                if let Some(removed) = sessions.on_stored(reply, documents, ctx) {
                    self.sessions = false;
                    note("cleanup.sessions", removed, ctx);
                }
            }
            Waiting::Logs(logs) => {
                if let Some(removed) = logs.on_stored(reply, ctx) {
                    self.logs = false;
                    note("cleanup.logs", removed, ctx);
                }
            }
        }
    }
}

fn note(action: &str, removed: u64, ctx: &mut Context<'_>) {
    if removed > 0 {
        ctx.fx.log(Record::new(Level::Info, action).with("removed", removed));
    }
}
