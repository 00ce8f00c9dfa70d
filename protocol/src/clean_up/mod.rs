//! The daily clean-up: sessions of documents that were left (WIRE §1), and entries of logs that are older than they are
//! kept (WIRE §0.8). It goes step by step, one question to the store after the other, so it holds up nobody; what a
//! crash leaves undone the next one does, and what somebody was reading or the store could not do is tried again soon.

mod logs;
mod sessions;

use crate::apps::documents::Documents;
use crate::context::Context;
use crate::ids::RoomId;
use crate::record::{Level, Record};
use crate::store::StoreReply;
use crate::timers::Timer;
use logs::Logs;
use sessions::Sessions;
use std::time::Duration;

/// How long after its start a process cleans up for the first time.
pub const CLEAN_UP_FIRST: Duration = Duration::from_secs(5);
/// How often it does so from there on.
pub const CLEAN_UP_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
/// How soon it does so again when something was left.
const CLEAN_UP_AGAIN: Duration = Duration::from_secs(10 * 60);
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

/// How a part of the clean-up ended.
#[derive(Debug, Default)]
struct Ended {
    /// How much is gone.
    removed: u64,
    /// How many rooms were passed over because somebody was reading what is to go.
    passed: u64,
    /// Whether the store was in trouble, and the rest is left.
    failed: bool,
}

/// What is under way. Each part is so once: a day that is too short for it goes without.
#[derive(Debug, Default)]
pub struct CleanUp {
    sessions: bool,
    logs: bool,
    /// Whether it will be tried again before the next day.
    again: bool,
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

    /// It is time to try again.
    pub fn on_again(&mut self, ctx: &mut Context<'_>) {
        self.again = false;
        self.on_due(ctx);
    }

    /// The store answered. Returns the room whose log begins later now, or may.
    pub fn on_stored(
        &mut self,
        waiting: Waiting,
        reply: StoreReply,
        documents: &Documents,
        ctx: &mut Context<'_>,
    ) -> Option<RoomId> {
        match waiting {
            Waiting::Sessions(sessions) => {
                if let Some(ended) = sessions.on_stored(reply, documents, ctx) {
                    self.sessions = false;
                    self.ended("cleanup.sessions", &ended, ctx);
                }
                None
            }
            Waiting::Logs(logs) => {
                let trimmed = logs.trimmed();
                if let Some(ended) = logs.on_stored(reply, ctx) {
                    self.logs = false;
                    self.ended("cleanup.logs", &ended, ctx);
                }
                trimmed
            }
        }
    }

    fn ended(&mut self, action: &str, ended: &Ended, ctx: &mut Context<'_>) {
        let Ended { removed, passed, failed } = *ended;
        if removed > 0 || passed > 0 || failed {
            let level = if failed { Level::Warn } else { Level::Info };
            let mut record = Record::new(level, action).with("removed", removed);
            if passed > 0 {
                record = record.with("passed", passed);
            }
            if failed {
                record = record.with("failed", "the store cannot do it now");
            }
            ctx.fx.log(record);
        }
        if (passed > 0 || failed) && !std::mem::replace(&mut self.again, true) {
            ctx.fx.timers.set(ctx.fx.now + CLEAN_UP_AGAIN, Timer::CleanUpAgain);
        }
    }
}
