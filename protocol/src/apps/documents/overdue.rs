//! Sessions that nobody has and that await a reply of the AI for too long: the server takes them over and asks.
//! Never from somebody: whose user has the session, or is on the way to it, asks without help.

use super::asking::reply_id;
use super::log::Phase;
use super::opening::{LOG_ENTRIES_MAX, OPENING_TRIES_MAX, by_server};
use super::{Documents, Kept, SESSIONS_OPEN_MAX, SessionLog, Waiting, put, room_id};
use crate::context::Context;
use crate::ids::SessionId;
use crate::store::{Append, FOUND_ROWS_MAX, Query, Row, SessionRow, StoreReply, StoreRequest, TemplateRow};
use crate::tickets::Pending;
use crate::time::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many overdue sessions are looked for first; twice as many while so many were found.
const OVERDUE_FIRST: u32 = 64;
/// How many are looked for at the most; the next look finds the others, because these await nothing then.
const OVERDUE_MAX: u32 = FOUND_ROWS_MAX as u32;

/// A look for overdue sessions.
#[derive(Debug)]
pub struct Look {
    before: Timestamp,
    max: u32,
    /// Those that the looks before this one found.
    seen: BTreeSet<SessionId>,
}

/// An overdue session on its way to being asked for.
#[derive(Debug)]
pub struct Takeover {
    row: SessionRow,
    /// `None`: it is no more, and nothing can be asked.
    template: Option<Arc<TemplateRow>>,
    log: SessionLog,
    tries: u32,
    stage: Stage,
}

/// What a takeover waits for.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Template,
    Log,
    Claim,
    /// That its reply is given up is being stored.
    GivenUp,
}

impl Documents {
    /// Sessions whose reply is overdue are looked for, so that somebody asks again.
    pub fn look_for_overdue(&mut self, before: Timestamp, ctx: &mut Context<'_>) {
        look(Look { before, max: OVERDUE_FIRST, seen: BTreeSet::new() }, ctx);
    }

    pub(super) fn on_overdue(&mut self, mut looked: Look, reply: StoreReply, ctx: &mut Context<'_>) {
        let StoreReply::Found(rows) = reply else { return };
        let is_full = rows.len() >= looked.max as usize;
        for row in rows {
            let Row::Session(row) = row else { continue };
            if ctx.fx.is_busy() || self.sessions.len() >= SESSIONS_OPEN_MAX {
                return;
            }
            if !looked.seen.insert(row.id.clone()) || self.has_somebody(&row) {
                continue;
            }
            let query = StoreRequest::Look(Query::Template(row.template.clone()));
            let log = SessionLog::default();
            let takeover = Takeover { row, template: None, log, tries: 0, stage: Stage::Template };
            ctx.fx.store(query, Pending::Documents(Waiting::Takeover(Box::new(takeover))));
        }
        // Those that wait the longest may be open here already: the others are not to wait for them.
        if is_full && looked.max < OVERDUE_MAX {
            look(Look { max: OVERDUE_MAX.min(looked.max * 2), ..looked }, ctx);
        }
    }

    /// Whether the session is open here or its user is on the way to it.
    pub fn has_somebody(&self, row: &SessionRow) -> bool {
        let destination = (row.firm.clone(), row.user.clone(), row.template.clone());
        self.sessions.contains_key(&row.id) || self.arrivals.is_awaited(&destination)
    }

    pub(super) fn on_takeover(
        &mut self,
        mut takeover: Box<Takeover>,
        reply: StoreReply,
        ctx: &mut Context<'_>,
    ) {
        match (takeover.stage, reply) {
            (Stage::Template | Stage::Log, _) if self.has_somebody(&takeover.row) => {}
            (Stage::Template, StoreReply::Found(rows)) => {
                let template = rows.into_iter().next();
                takeover.template = template.and_then(|row| match row {
                    Row::Template(template) => Some(self.shared(template)),
                    Row::Room(_)
                    | Row::Member(_)
                    | Row::Session(_)
                    | Row::Document(_)
                    | Row::Cursor(_)
                    | Row::File(_)
                    | Row::FilePart(_)
                    | Row::Prompt(_)
                    | Row::Escalation(_)
                    | Row::Mark(_)
                    | Row::SnapshotPart(_) => None,
                });
                read_on(takeover, ctx);
            }
            (Stage::Log, StoreReply::Entries { entries, head }) => {
                entries.iter().for_each(|entry| drop(takeover.log.apply(entry)));
                match takeover.log.phase {
                    _ if takeover.log.head < head && !entries.is_empty() => read_on(takeover, ctx),
                    Phase::Asking => claim(takeover, ctx),
                    Phase::Answering { .. } | Phase::Failed | Phase::Complete | Phase::Abandoned => {}
                }
            }
            (Stage::Claim, StoreReply::Committed(entries)) => {
                let Takeover { row, template: Some(template), log, .. } = *takeover else { return };
                let id = row.id.clone();
                if !self.sessions.contains_key(&id) {
                    self.take_in(row, template, log, ctx);
                }
                self.arrive(None, entries, ctx);
                self.go_on(&id, ctx);
            }
            // Whether it is claimed stands in the log.
            (Stage::Claim, StoreReply::Unknown)
                if takeover.tries < OPENING_TRIES_MAX && !self.has_somebody(&takeover.row) =>
            {
                takeover.log = SessionLog::default();
                read_on(takeover, ctx);
            }
            // Somebody was faster, or the store does not answer now: the next look finds what is overdue then.
            (Stage::Template | Stage::Log | Stage::Claim | Stage::GivenUp, _) => {}
        }
    }
}

fn look(looked: Look, ctx: &mut Context<'_>) {
    let query = Query::Overdue { before: looked.before, max: looked.max };
    ctx.fx.store(StoreRequest::Look(query), Pending::Documents(Waiting::Overdue(looked)));
}

fn read_on(mut takeover: Box<Takeover>, ctx: &mut Context<'_>) {
    takeover.stage = Stage::Log;
    let (room, after) = (room_id(&takeover.row.id), takeover.log.head);
    let request = StoreRequest::Read { room, after, max: LOG_ENTRIES_MAX };
    ctx.fx.store(request, Pending::Documents(Waiting::Takeover(takeover)));
}

/// Claims the session for the server; without its template it is told that there will be no reply, and is
/// overdue no more.
fn claim(mut takeover: Box<Takeover>, ctx: &mut Context<'_>) {
    let (mut entries, mut rows) = (Vec::new(), Vec::new());
    if takeover.template.is_some() {
        takeover.stage = Stage::Claim;
        entries.push(by_server(ctx.fx.rng.id("claim").into(), &Kept::Claimed { connection: None }));
    } else {
        takeover.stage = Stage::GivenUp;
        let kept = Kept::Failed { bad_reply: false, message: "the template is no more".to_string() };
        entries.push(by_server(reply_id(&takeover.row.id, &takeover.log), &kept));
        rows.push(put(SessionRow { awaiting_since: None, ..takeover.row.clone() }));
    }
    takeover.tries += 1;
    let append = Append { room: room_id(&takeover.row.id), expect: Some(takeover.log.head), entries };
    let request = StoreRequest::Commit { appends: vec![append], rows };
    ctx.fx.store(request, Pending::Documents(Waiting::Takeover(takeover)));
}
