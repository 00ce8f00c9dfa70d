//! Who changed a draft when: its updates as runs, each of one author without a long pause, read from the end of the log.

use super::log::Kept;
use super::rest::{Call, refuse};
use super::{Drafts, Waiting};
use crate::context::Context;
use crate::http::Response;
use crate::ids::{RoomId, Seq, UserId};
use crate::refusal::Refusal;
use crate::store::{Entry, StoreReply, StoreRequest};
use crate::tickets::Pending;
use crate::time::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// After how long a pause of its author a run ends.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// How many entries one read asks for.
const PAGE_ENTRIES: u32 = 1_000;
/// How many pages are read for one answer.
const PAGES_MAX: u32 = 20;
/// How often a page is asked for.
const TRIES_MAX: u32 = 3;

/// A history that is being read.
#[derive(Debug)]
pub struct Reading {
    call: Call,
    draft: RoomId,
    limit: usize,
    before: Seq,
    /// The newest in front.
    runs: Vec<Run>,
    pages: u32,
    tries: u32,
}

/// What one author changed without a long pause.
#[derive(Debug)]
struct Run {
    author: UserId,
    name: Arc<str>,
    from: Seq,
    to: Seq,
    started_at: Timestamp,
    ended_at: Timestamp,
    updates: u64,
    bytes: u64,
    restored: Option<Seq>,
}

impl Drafts {
    pub(super) fn read_history(
        &mut self,
        call: Call,
        draft: RoomId,
        (before, limit): (Option<Seq>, usize),
        ctx: &mut Context<'_>,
    ) {
        let head = ctx.rooms.find(&draft).map_or(Seq::ZERO, |room| room.head());
        let before = before.map_or(head.next(), |before| before.min(head.next()));
        read(Reading { call, draft, limit, before, runs: Vec::new(), pages: 0, tries: 0 }, ctx);
    }

    /// A page of the log came.
    pub(super) fn on_history(&mut self, mut reading: Reading, reply: StoreReply, ctx: &mut Context<'_>) {
        let StoreReply::Entries { entries, .. } = reply else {
            return match reading.tries < TRIES_MAX {
                true => read(reading, ctx),
                false => refuse(&reading.call, &Refusal::store_unavailable(), ctx),
            };
        };
        (reading.tries, reading.pages) = (0, reading.pages + 1);
        let more = entries.iter().rev().any(|entry| !reading.take(entry));
        let first = reading.before <= Seq::ZERO.next() || entries.is_empty();
        if !more && !first && reading.pages < PAGES_MAX {
            return read(reading, ctx);
        }
        let runs: Vec<Value> = reading.runs.iter().rev().map(Run::shown).collect();
        let answer = json!({"runs": runs, "hasMore": more || !first});
        ctx.fx.answered.push((reading.call.request, Response::json(200, &answer)));
    }
}

fn read(mut reading: Reading, ctx: &mut Context<'_>) {
    reading.tries += 1;
    let (room, before) = (reading.draft.clone(), reading.before);
    let waiting = Pending::Drafts(Waiting::History(Box::new(reading)));
    ctx.fx.store(StoreRequest::Before { room, before, max: PAGE_ENTRIES }, waiting);
}

impl Reading {
    /// Takes in the entry before all others; false: it begins a run more than is asked for.
    fn take(&mut self, entry: &Entry) -> bool {
        if let Some(Kept::Update { name, restored, update }) = Kept::read(&entry.body) {
            let count = self.runs.len();
            match self.runs.last_mut().filter(|run| run.continues(entry, restored)) {
                Some(run) => run.add(entry, update.len()),
                None if count >= self.limit => return false,
                None => self.runs.push(Run::of(entry, name, restored, update.len())),
            }
        }
        self.before = entry.seq;
        true
    }
}

impl Run {
    fn of(entry: &Entry, name: Arc<str>, restored: Option<Seq>, bytes: usize) -> Self {
        Self {
            author: entry.author.clone(),
            name,
            from: entry.seq,
            to: entry.seq,
            started_at: entry.at,
            ended_at: entry.at,
            updates: 1,
            bytes: bytes as u64,
            restored,
        }
    }

    /// Whether an earlier entry belongs to it. What brings a version back stands alone.
    fn continues(&self, entry: &Entry, restored: Option<Seq>) -> bool {
        self.author == entry.author
            && self.started_at.since(entry.at) <= PAUSE_MAX
            && restored.is_none()
            && self.restored.is_none()
    }

    fn add(&mut self, entry: &Entry, bytes: usize) {
        (self.from, self.started_at) = (entry.seq, entry.at);
        self.updates += 1;
        self.bytes += bytes as u64;
    }

    fn shown(&self) -> Value {
        let mut shown = json!({
            "userId": self.author,
            "fromSeq": self.from,
            "toSeq": self.to,
            "startedAt": self.started_at.to_string(),
            "endedAt": self.ended_at.to_string(),
            "updates": self.updates,
            "bytes": self.bytes,
        });
        if !self.name.is_empty() {
            shown["name"] = json!(&*self.name);
        }
        if let Some(version) = self.restored {
            shown["restored"] = json!(version);
        }
        shown
    }
}
