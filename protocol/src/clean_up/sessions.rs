//! Sessions that were left. One goes by a commit that ends its log where it was seen to end: whoever comes back to
//! it meanwhile has claimed it there, and then nothing is removed; or comes too late, and begins another.

use super::{Ended, FOUND_MAX, Waiting};
use crate::apps::documents::{Documents, ended};
use crate::context::Context;
use crate::ids::{RoomId, Seq, SessionId};
use crate::store::{Append, Change, Query, Row, RowKey, SessionRow, SessionState, StoreReply, StoreRequest};
use crate::tickets::Pending;
use crate::time::Timestamp;
use std::collections::VecDeque;

/// A walk through the sessions that were left.
#[derive(Debug)]
pub struct Sessions {
    before: Timestamp,
    /// The last one that was found.
    last: Option<SessionId>,
    found: VecDeque<SessionRow>,
    /// Whether there may be more than were found.
    more: bool,
    ended: Ended,
    stage: Stage,
}

/// What is waited for.
#[derive(Debug, Clone)]
enum Stage {
    Found,
    /// Where this one's log ends.
    Head(RoomId),
    Removed,
}

/// Begins with those that were not touched since.
pub(super) fn begin(before: Timestamp, ctx: &mut Context<'_>) {
    let (found, stage) = (VecDeque::new(), Stage::Found);
    Box::new(Sessions { before, last: None, found, more: true, ended: Ended::default(), stage }).look(ctx);
}

impl Sessions {
    /// Goes on with what the store answered. Returns how it ended, when it is over.
    pub(super) fn on_stored(
        mut self: Box<Self>,
        reply: StoreReply,
        documents: &Documents,
        ctx: &mut Context<'_>,
    ) -> Option<Ended> {
        match (self.stage.clone(), reply) {
            (Stage::Found, StoreReply::Found(rows)) => {
                self.more = rows.len() >= FOUND_MAX as usize;
                let sessions = rows
                    .into_iter()
                    .filter_map(|row| if let Row::Session(row) = row { Some(row) } else { None });
                self.found.extend(sessions);
                self.next(documents, ctx)
            }
            (Stage::Head(room), StoreReply::Heads(heads)) => match heads.first() {
                Some((_, head)) => self.remove(room, *head, documents, ctx),
                None => self.next(documents, ctx),
            },
            (Stage::Removed, StoreReply::Committed(_)) => {
                self.ended.removed += 1;
                self.next(documents, ctx)
            }
            // Somebody came back to it.
            (Stage::Removed, StoreReply::Stale { .. }) => self.next(documents, ctx),
            // The store has other troubles.
            (Stage::Found | Stage::Head(_) | Stage::Removed, _) => Some(Ended { failed: true, ..self.ended }),
        }
    }

    fn next(mut self: Box<Self>, documents: &Documents, ctx: &mut Context<'_>) -> Option<Ended> {
        while let Some(row) = self.found.front() {
            self.last = Some(row.id.clone());
            if documents.has_somebody(row) {
                self.found.pop_front();
                continue;
            }
            let room = RoomId::document(&row.id);
            self.ask(Stage::Head(room.clone()), StoreRequest::Heads(vec![room]), ctx);
            return None;
        }
        if !self.more {
            return Some(self.ended);
        }
        self.look(ctx);
        None
    }

    fn look(self: Box<Self>, ctx: &mut Context<'_>) {
        let (before, after) = (self.before, self.last.clone());
        let query = Query::IdleSessions { before, after, max: FOUND_MAX };
        self.ask(Stage::Found, StoreRequest::Look(query), ctx);
    }

    fn remove(
        mut self: Box<Self>,
        room: RoomId,
        head: Seq,
        documents: &Documents,
        ctx: &mut Context<'_>,
    ) -> Option<Ended> {
        match self.found.pop_front() {
            Some(row) if !documents.has_somebody(&row) => {
                // What the user began afresh has its end, and nobody comes back to it.
                let end = (row.state == SessionState::Open).then(|| {
                    let entries = vec![ended(ctx.fx.rng.id("end").into())];
                    Append { room: room.clone(), expect: Some(head), entries }
                });
                let appends = end.into_iter().collect();
                let rows = vec![Change::Remove(RowKey::Session(row.id)), Change::Remove(RowKey::Room(room))];
                self.ask(Stage::Removed, StoreRequest::Commit { appends, rows }, ctx);
                None
            }
            Some(_) | None => self.next(documents, ctx),
        }
    }

    fn ask(mut self: Box<Self>, stage: Stage, request: StoreRequest, ctx: &mut Context<'_>) {
        self.stage = stage;
        ctx.fx.store(request, Pending::CleanUp(Waiting::Sessions(self)));
    }
}
