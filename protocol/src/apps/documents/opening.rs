//! From a connection to its session: find or make it, read its log, claim it, and go on where it stands.

use super::log::Phase;
use super::{Documents, Kept, SESSIONS_OPEN_MAX, Session, SessionLog, Waiting, Work, put, refused, room_id};
use crate::action::CloseCause;
use crate::auth::User;
use crate::context::{Caller, Context};
use crate::envelope::Event;
use crate::ids::{ConnectionId, EntryId, FirmId, Seq, SessionId, UserId};
use crate::refusal::Refusal;
use crate::store::{
    Append, Change, Entry, NewEntry, Query, Row, RowKey, SessionRow, SessionState, StoreReply, StoreRequest,
    TemplateRow,
};
use crate::tickets::Pending;
use serde_json::json;
use std::sync::Arc;

/// How often an opening begins again because somebody else was faster.
pub(super) const OPENING_TRIES_MAX: u32 = 5;
/// How many entries one read of a session's log asks for.
pub(super) const LOG_ENTRIES_MAX: u32 = 1_000;

/// A session on its way to being open.
#[derive(Debug)]
pub struct Opening {
    /// Whose it will be.
    caller: Caller,
    user: UserId,
    firm: FirmId,
    template: Arc<TemplateRow>,
    /// Whether an incomplete session is abandoned for a fresh one.
    fresh: bool,
    tries: u32,
    row: Option<SessionRow>,
    log: SessionLog,
}

impl Documents {
    /// A connection came for a template. Its reading is off until its session is open.
    pub fn open(&mut self, caller: Caller, template: TemplateRow, fresh: bool, ctx: &mut Context<'_>) {
        ctx.fx.read(caller.connection, false);
        let User { id: user, firm, .. } = (*caller.user).clone();
        let destination = (firm.clone(), user.clone(), template.id.clone());
        if let Some(older) = self.arrivals.begin(caller.connection, destination) {
            ctx.fx.close(older, CloseCause::Superseded);
        }
        let template = self.shared(template);
        self.find(
            Opening { caller, user, firm, template, fresh, tries: 0, row: None, log: SessionLog::default() },
            ctx,
        );
    }

    fn find(&mut self, mut opening: Opening, ctx: &mut Context<'_>) {
        if !self.is_coming(opening.caller.connection) {
            return;
        }
        opening.tries += 1;
        if opening.tries > OPENING_TRIES_MAX || self.sessions.len() >= SESSIONS_OPEN_MAX || ctx.fx.is_busy() {
            return self.give_up(opening, Refusal::busy(), ctx);
        }
        let Opening { firm, user, template, .. } = &opening;
        let query =
            Query::OpenSession { firm: firm.clone(), user: user.clone(), template: template.id.clone() };
        ctx.fx.store(StoreRequest::Look(query), Pending::Documents(Waiting::Find(opening)));
    }

    /// Whether the connection is on the way to its session. Who is gone, or was overtaken, claims nothing from who
    /// came since.
    pub fn is_coming(&self, who: ConnectionId) -> bool {
        self.arrivals.contains(who)
    }

    fn give_up(&mut self, opening: Opening, refusal: Refusal, ctx: &mut Context<'_>) {
        let caller = opening.caller;
        if self.arrivals.end(caller.connection) {
            ctx.fx.reply(&caller, &refused(&refusal));
            ctx.fx.close(caller.connection, CloseCause::Overloaded);
        }
    }

    pub(super) fn on_found(&mut self, mut opening: Opening, reply: StoreReply, ctx: &mut Context<'_>) {
        let StoreReply::Found(rows) = reply else {
            return self.give_up(opening, Refusal::store_unavailable(), ctx);
        };
        if !self.is_coming(opening.caller.connection) {
            return;
        }
        opening.log = SessionLog::default();
        match rows.into_iter().next() {
            Some(Row::Session(row)) => {
                opening.row = Some(row);
                self.read_on(opening, ctx);
            }
            Some(_) | None => self.begin(opening, None, ctx),
        }
    }

    /// Makes a session and claims it, and abandons the one before in the same commit, unless something came to
    /// its log meanwhile: it might be complete.
    fn begin(&mut self, mut opening: Opening, before: Option<SessionRow>, ctx: &mut Context<'_>) {
        let head = std::mem::take(&mut opening.log).head;
        let row = SessionRow {
            id: SessionId::from(ctx.fx.rng.id("ses")),
            user: opening.user.clone(),
            firm: opening.firm.clone(),
            template: opening.template.id.clone(),
            state: SessionState::Open,
            awaiting_since: Some(ctx.fx.now),
            created_at: ctx.fx.now,
            touched_at: ctx.fx.now,
        };
        let (mut appends, mut rows) = (Vec::new(), Vec::new());
        if let Some(before) = before {
            let entry = by_server(ctx.fx.rng.id("end").into(), &Kept::Abandoned);
            appends.push(Append { room: room_id(&before.id), expect: Some(head), entries: vec![entry] });
            rows.push(put(SessionRow { state: SessionState::Abandoned, awaiting_since: None, ..before }));
        }
        rows.push(Change::Insert(Row::Session(row.clone())));
        opening.row = Some(row);
        self.claim(opening, appends, rows, ctx);
    }

    fn read_on(&mut self, opening: Opening, ctx: &mut Context<'_>) {
        let Some(row) = &opening.row else { return };
        let (room, after) = (room_id(&row.id), opening.log.head);
        let request = StoreRequest::Read { room, after, max: LOG_ENTRIES_MAX };
        ctx.fx.store(request, Pending::Documents(Waiting::Log(opening)));
    }

    pub(super) fn on_log(&mut self, mut opening: Opening, reply: StoreReply, ctx: &mut Context<'_>) {
        let StoreReply::Entries { entries, head } = reply else {
            return self.give_up(opening, Refusal::store_unavailable(), ctx);
        };
        if !self.is_coming(opening.caller.connection) {
            return;
        }
        for entry in &entries {
            opening.log.apply(entry);
        }
        match opening.log.phase {
            _ if opening.log.head < head && !entries.is_empty() => self.read_on(opening, ctx),
            // It ended since it was found.
            Phase::Complete | Phase::Abandoned => self.find(opening, ctx),
            Phase::Asking | Phase::Answering { .. } | Phase::Failed if opening.fresh => {
                let before = opening.row.take();
                self.begin(opening, before, ctx);
            }
            Phase::Asking | Phase::Answering { .. } | Phase::Failed => {
                self.claim(opening, Vec::new(), Vec::new(), ctx);
            }
        }
    }

    fn claim(
        &mut self,
        opening: Opening,
        mut appends: Vec<Append>,
        rows: Vec<Change>,
        ctx: &mut Context<'_>,
    ) {
        let Some(row) = &opening.row else { return };
        let connection = Some(crate::connection::name(opening.caller.connection));
        let entry = by_server(ctx.fx.rng.id("claim").into(), &Kept::Claimed { connection });
        appends.push(Append { room: room_id(&row.id), expect: Some(opening.log.head), entries: vec![entry] });
        ctx.fx.store(StoreRequest::Commit { appends, rows }, Pending::Documents(Waiting::Claim(opening)));
    }

    pub(super) fn on_claim(&mut self, opening: Opening, reply: StoreReply, ctx: &mut Context<'_>) {
        match reply {
            StoreReply::Committed(entries) => self.on_claimed(opening, entries, ctx),
            StoreReply::Stale { .. } | StoreReply::Taken(RowKey::Session(_)) | StoreReply::Unknown => {
                self.find(opening, ctx);
            }
            StoreReply::Unavailable
            | StoreReply::Taken(_)
            | StoreReply::Loaded(_)
            | StoreReply::Entries { .. }
            | StoreReply::Heads(_)
            | StoreReply::Found(_)
            | StoreReply::Appended { .. } => {
                self.give_up(opening, Refusal::store_unavailable(), ctx);
            }
        }
    }

    fn on_claimed(&mut self, opening: Opening, entries: Vec<Entry>, ctx: &mut Context<'_>) {
        let Opening { caller, template, row: Some(row), log, .. } = opening else { return };
        let awaited = self.arrivals.end(caller.connection);
        let (id, fresh) = (row.id.clone(), log.head == Seq::ZERO);
        self.let_go(&id, CloseCause::Superseded, ctx);
        self.take_in(row, template, log, ctx);
        self.arrive(None, entries, ctx);
        if awaited {
            self.settle(&id, caller, fresh, ctx);
        }
        self.go_on(&id, ctx);
    }

    /// The session is claimed for this node: it is open here, as its log tells it.
    pub(super) fn take_in(
        &mut self,
        row: SessionRow,
        template: Arc<TemplateRow>,
        log: SessionLog,
        ctx: &mut Context<'_>,
    ) {
        match self.sessions.get_mut(&row.id) {
            Some(session) => {
                if session.catch_up(log) {
                    ctx.rooms.remove(&room_id(&row.id), &mut ctx.fx);
                }
            }
            None => {
                let id = row.id.clone();
                let session = Session { row, template, log, owner: None, work: Work::Idle };
                self.sessions.insert(id, Box::new(session));
            }
        }
    }

    /// The connection has the session: it hears where it stands.
    fn settle(&mut self, id: &SessionId, caller: Caller, fresh: bool, ctx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        self.by_connection.insert(caller.connection, id.clone());
        session.owner = Some(caller.clone());
        let mut greeting = json!({
            "sessionId": id.as_str(),
            "templateId": session.template.id.as_str(),
            "templateName": session.template.name,
        });
        let name = if fresh { "session_started" } else { "session_resumed" };
        if !fresh {
            greeting["history"] = json!(session.log.turns);
        }
        ctx.fx.reply(&caller, &Event::new(name, &greeting));
        if let Some(question) = session.log.open_question(id.as_str()) {
            ctx.fx.reply(&caller, &question);
        }
        let head = session.log.head;
        ctx.fx.read(caller.connection, true);
        ctx.rooms.enter(&room_id(id), caller, head, &mut ctx.fx);
    }
}

impl Session {
    /// Another connection claimed the session on this log. What the one before was saving did not come in time,
    /// or stands in this log, which is then ahead: whether it is.
    fn catch_up(&mut self, log: SessionLog) -> bool {
        let place = |log: &SessionLog| (log.phase.clone(), log.turns.len(), log.attempt);
        if place(&self.log) != place(&log) || matches!(self.work, Work::Saving { .. }) {
            self.work = Work::Idle;
        }
        let ahead = self.log.head < log.head;
        if ahead {
            self.log = log;
        }
        ahead
    }
}

/// An entry that the server itself says.
pub(super) fn by_server(id: EntryId, kept: &Kept) -> NewEntry {
    NewEntry { id, author: UserId::server(), body: kept.body() }
}
