//! Entries that are older than they are kept. From each room go the oldest, some at a time, and with messages the
//! files that they are. What the room shows from then on begins behind them, and is told so before they are gone.

use super::{Ended, FOUND_MAX, Waiting};
use crate::apps::chat::file_of;
use crate::context::Context;
use crate::ids::{RoomId, RoomKind, Seq};
use crate::store::{Change, Entry, Query, RowKey, StoreReply, StoreRequest};
use crate::tickets::Pending;
use crate::time::Timestamp;
use std::collections::VecDeque;

/// The logs that are not kept for ever. Dashboards and drafts are what all their entries make, and show it as it was;
/// sessions of documents have a clean-up of their own; what supervisors are told stays until it is dealt with.
const KINDS: [RoomKind; 4] = [RoomKind::Chat, RoomKind::Project, RoomKind::User, RoomKind::Everyone];
/// How many entries go at a time.
const ENTRIES_MAX: u32 = 500;
/// How many files go with them: all pieces of a file go in one commit, and what others say waits for it.
const FILES_MAX: usize = 4;

/// A walk through the rooms that keep what is old.
#[derive(Debug)]
pub struct Logs {
    before: Timestamp,
    /// Of which kind rooms are looked for, as a place in `KINDS`.
    kind: usize,
    /// The last room that was found.
    last: Option<RoomId>,
    /// Rooms, each with the last entry that it does not keep.
    found: VecDeque<(RoomId, Seq)>,
    /// Whether there may be more of this kind than were found.
    more: bool,
    ended: Ended,
    stage: Stage,
}

/// What is waited for.
#[derive(Debug, Clone)]
enum Stage {
    Found,
    /// The oldest entries of this room.
    Oldest(RoomId),
    /// That entries of this room go, up to this place: so many, and perhaps more behind them.
    Trimmed {
        room: RoomId,
        upto: Seq,
        count: u64,
        more: bool,
    },
}

/// Begins with what is from before this.
pub(super) fn begin(before: Timestamp, ctx: &mut Context<'_>) {
    let (found, stage) = (VecDeque::new(), Stage::Found);
    let logs = Logs { before, kind: 0, last: None, found, more: true, ended: Ended::default(), stage };
    Box::new(logs).look(RoomKind::Chat, ctx);
}

impl Logs {
    /// The room that is being trimmed, or was if the store has answered.
    pub(super) fn trimmed(&self) -> Option<RoomId> {
        match &self.stage {
            Stage::Trimmed { room, .. } => Some(room.clone()),
            Stage::Found | Stage::Oldest(_) => None,
        }
    }

    /// Goes on with what the store answered. Returns how it ended, when it is over.
    pub(super) fn on_stored(mut self: Box<Self>, reply: StoreReply, ctx: &mut Context<'_>) -> Option<Ended> {
        if let Stage::Trimmed { room, upto, .. } = &self.stage
            && let Some(open) = ctx.rooms.find(room)
        {
            // It may have been opened since, as it was before; and if nobody knows whether they went, they are to go.
            open.keep_after(*upto);
        }
        match (self.stage.clone(), reply) {
            (Stage::Found, StoreReply::Heads(rooms)) => {
                self.more = rooms.len() >= FOUND_MAX as usize;
                self.found.extend(rooms);
                self.next(ctx)
            }
            (Stage::Oldest(room), StoreReply::Entries { entries, .. }) => self.trim(room, entries, ctx),
            (Stage::Trimmed { room, upto, count, more }, StoreReply::Committed(_)) => {
                self.ended.removed += count;
                if more {
                    self.found.push_front((room, upto));
                }
                self.next(ctx)
            }
            // The store has other troubles.
            (Stage::Found | Stage::Oldest(_) | Stage::Trimmed { .. }, _) => {
                Some(Ended { failed: true, ..self.ended })
            }
        }
    }

    fn next(mut self: Box<Self>, ctx: &mut Context<'_>) -> Option<Ended> {
        if let Some((room, after)) = self.found.pop_front() {
            self.last = Some(room.clone());
            let request = StoreRequest::Read { room: room.clone(), after, max: ENTRIES_MAX };
            self.ask(Stage::Oldest(room), request, ctx);
            return None;
        }
        if !self.more {
            (self.kind, self.last) = (self.kind + 1, None);
        }
        let Some(kind) = KINDS.get(self.kind) else { return Some(self.ended) };
        self.look(*kind, ctx);
        None
    }

    fn look(self: Box<Self>, kind: RoomKind, ctx: &mut Context<'_>) {
        let (before, after) = (self.before, self.last.as_ref().map(|room| room.name.clone()));
        let query = Query::Outdated { kind, before, after, max: FOUND_MAX };
        self.ask(Stage::Found, StoreRequest::Look(query), ctx);
    }

    fn trim(mut self: Box<Self>, room: RoomId, entries: Vec<Entry>, ctx: &mut Context<'_>) -> Option<Ended> {
        let all_old = &entries[..entries.partition_point(|entry| entry.at < self.before)];
        let old = with_few_files(all_old);
        let more = all_old.len() == entries.len() || old.len() < all_old.len();
        let Some(upto) = old.last().map(|last| last.seq) else { return self.next(ctx) };
        if let Some(open) = ctx.rooms.find(&room) {
            // Nobody loses what it is about to read.
            if open.is_read_before(upto) {
                self.ended.passed += 1;
                return self.next(ctx);
            }
            if open.closing {
                return self.next(ctx);
            }
            open.keep_after(upto);
        }
        let files = old.iter().filter_map(file_of).map(|file| Change::Remove(RowKey::File(file)));
        let trim = Change::Trim { room: room.clone(), upto };
        let rows = std::iter::once(trim).chain(files).collect();
        let count = old.len() as u64;
        let stage = Stage::Trimmed { room, upto, count, more };
        self.ask(stage, StoreRequest::Commit { appends: vec![], rows }, ctx);
        None
    }

    fn ask(mut self: Box<Self>, stage: Stage, request: StoreRequest, ctx: &mut Context<'_>) {
        self.stage = stage;
        ctx.fx.store(request, Pending::CleanUp(Waiting::Logs(self)));
    }
}

/// As many of these entries as go in one commit: `FILES_MAX` of them may be files.
fn with_few_files(old: &[Entry]) -> &[Entry] {
    let mut files = (0..old.len()).filter(|place| file_of(&old[*place]).is_some());
    let too_many = files.nth(FILES_MAX);
    &old[..too_many.unwrap_or(old.len())]
}
