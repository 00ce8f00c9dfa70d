//! From a connection to its session: find or make it, read its log, claim it, and go on where it stands.

use super::arrivals::{Arrival, Destination, Way};
use super::holding::{Owner, SESSIONS_PER_CONNECTION_MAX, answer_here, record};
use super::log::Phase;
use super::{
    Documents, Kept, SESSIONS_OPEN_MAX, Session, SessionLog, Waiting, Wish, Work, log, put, refused, room_id,
    superseded,
};
use crate::action::CloseCause;
use crate::auth::User;
use crate::context::{Caller, Context};
use crate::envelope::Event;
use crate::ids::{ConnectionId, EntryId, Seq, SessionId, TemplateId, UserId};
use crate::refusal::{Code, Refusal};
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
    /// Whose it will be is known where all ways are.
    way: Way,
    template: Arc<TemplateRow>,
    wish: Wish,
    tries: u32,
    row: Option<SessionRow>,
    log: SessionLog,
}

impl Documents {
    /// A connection came for a template, and for nothing else. Its reading is off until its session is open.
    pub fn open(&mut self, caller: Caller, template: TemplateRow, wish: Wish, ctx: &mut Context<'_>) {
        ctx.fx.read(caller.connection, false);
        let way = self.set_out(caller, true, &template.id, ctx);
        let template = self.shared(template);
        self.find(Opening::new(way, template, wish), ctx);
    }

    /// A connection asks for one session more.
    pub(super) fn open_one(
        &mut self,
        template: TemplateId,
        wish: Wish,
        caller: &Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        let who = caller.connection;
        if self.arrivals.is_coming(who, &destination(&caller.user, &template)) {
            return Err(Refusal::new(Code::ClientError, "the session is still being opened").recoverable());
        }
        let open = self.holdings.of(who).len() + self.arrivals.count_of(who);
        if open >= SESSIONS_PER_CONNECTION_MAX && !self.has_one_for(who, &template) {
            return Err(too_many(open));
        }
        if ctx.fx.is_busy() {
            return Err(Refusal::busy());
        }
        let way = self.set_out(caller.clone(), false, &template, ctx);
        let query = StoreRequest::Look(Query::Template(template));
        ctx.fx.store(query, Pending::Documents(Waiting::Template(way, wish)));
        Ok(())
    }

    /// A connection is on its way from here on, and whoever was on the same way is not.
    fn set_out(&mut self, caller: Caller, alone: bool, template: &TemplateId, ctx: &mut Context<'_>) -> Way {
        let destination = destination(&caller.user, template);
        let (way, overtaken) = self.arrivals.begin(caller, alone, destination);
        match overtaken {
            Some(Arrival { caller, alone: true, .. }) => {
                ctx.fx.close(caller.connection, CloseCause::Superseded);
            }
            Some(Arrival { caller, .. }) => ctx.fx.reply(&caller, &refused(&superseded())),
            None => {}
        }
        way
    }

    pub(super) fn on_template(&mut self, way: Way, wish: Wish, reply: StoreReply, ctx: &mut Context<'_>) {
        let Some(user) = self.arrivals.find(&way).map(|arrival| arrival.caller.user.clone()) else { return };
        let StoreReply::Found(rows) = reply else {
            return self.give_up(&way, &Refusal::store_unavailable(), ctx);
        };
        let Some(template) = template_for(rows, &user) else {
            return self.give_up(&way, &Refusal::new(Code::NotFound, "there is no such template"), ctx);
        };
        let template = self.shared(template);
        self.find(Opening::new(way, template, wish), ctx);
    }

    fn find(&mut self, mut opening: Opening, ctx: &mut Context<'_>) {
        if !self.is_awaited(&opening) {
            return;
        }
        opening.tries += 1;
        if opening.tries > OPENING_TRIES_MAX || self.sessions.len() >= SESSIONS_OPEN_MAX || ctx.fx.is_busy() {
            return self.give_up(&opening.way, &Refusal::busy(), ctx);
        }
        let (firm, user, template) = opening.way.destination.clone();
        let query = Query::OpenSession { firm, user, template };
        ctx.fx.store(StoreRequest::Look(query), Pending::Documents(Waiting::Find(opening)));
    }

    /// Whether reading a connection is off because its session is being opened.
    pub fn is_unread(&self, who: ConnectionId) -> bool {
        self.arrivals.is_alone(who)
    }

    /// Whether somebody comes for this session. Who is gone, or was overtaken, claims nothing from who came since.
    fn is_awaited(&self, opening: &Opening) -> bool {
        self.arrivals.find(&opening.way).is_some()
    }

    fn give_up(&mut self, way: &Way, refusal: &Refusal, ctx: &mut Context<'_>) {
        if let Some(Arrival { caller, alone, .. }) = self.arrivals.end(way) {
            ctx.fx.reply(&caller, &refused(refusal));
            if alone {
                ctx.fx.close(caller.connection, CloseCause::Overloaded);
            }
        }
    }

    pub(super) fn on_found(&mut self, mut opening: Opening, reply: StoreReply, ctx: &mut Context<'_>) {
        let StoreReply::Found(rows) = reply else {
            return self.give_up(&opening.way, &Refusal::store_unavailable(), ctx);
        };
        if !self.is_awaited(&opening) {
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
        let (firm, user, template) = opening.way.destination.clone();
        let row = SessionRow {
            id: SessionId::from(ctx.fx.rng.id("ses")),
            user,
            firm,
            template,
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
            return self.give_up(&opening.way, &Refusal::store_unavailable(), ctx);
        };
        if !self.is_awaited(&opening) {
            return;
        }
        // Every session has a log from the first: it was removed since it was found.
        if head == Seq::ZERO {
            return self.find(opening, ctx);
        }
        for entry in &entries {
            opening.log.apply(entry);
        }
        match opening.log.phase {
            _ if opening.log.head < head && !entries.is_empty() => self.read_on(opening, ctx),
            // It ended since it was found.
            Phase::Complete | Phase::Abandoned => self.find(opening, ctx),
            Phase::Asking | Phase::Answering { .. } | Phase::Failed if opening.wish.fresh => {
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
        let (Some(row), Some(arrival)) = (&opening.row, self.arrivals.find(&opening.way)) else { return };
        let connection = Some(crate::connection::name(arrival.caller.connection));
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
                self.give_up(&opening.way, &Refusal::store_unavailable(), ctx);
            }
        }
    }

    fn on_claimed(&mut self, opening: Opening, entries: Vec<Entry>, ctx: &mut Context<'_>) {
        let Opening { way, template, wish, row: Some(row), log, .. } = opening else { return };
        let arrival = self.arrivals.end(&way);
        let (id, fresh) = (row.id.clone(), log.head == Seq::ZERO);
        match (&arrival, self.sessions.get(&id).and_then(|session| session.owner.as_ref())) {
            // Who opens again what it has goes on with it.
            (Some(arrival), Some(owner)) if owner.caller.connection == arrival.caller.connection => {
                self.take_owner(&id, ctx);
            }
            (_, _) => self.let_go(&id, CloseCause::Superseded, ctx),
        }
        self.take_in(row, template, log, ctx);
        self.arrive(None, entries, ctx);
        if let Some(arrival) = arrival {
            self.settle(&id, arrival, (fresh, wish.spoken), ctx);
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
                let (ahead, dropped) = session.catch_up(log);
                if ahead {
                    ctx.rooms.remove(&room_id(&row.id), &mut ctx.fx);
                }
                self.drop_caught_up(&row.id, dropped, ctx);
            }
            None => {
                let id = row.id.clone();
                let session = Session { row, template, log, owner: None, work: Work::Idle };
                self.sessions.insert(id, Box::new(session));
            }
        }
    }

    /// What the one before was saving is answered, if it stands in the log that was claimed, and else refused.
    fn drop_caught_up(&mut self, id: &SessionId, dropped: Work, ctx: &mut Context<'_>) {
        let saved = match (&dropped, self.sessions.get(id)) {
            (Work::Saving { entry, .. }, Some(session)) => session.log.answer_under(&entry.id).cloned(),
            (_, _) => None,
        };
        match (dropped, saved) {
            (Work::Saving { callers, .. }, Some(saved)) => {
                answer_here(&callers, &log::answer(&saved), ctx);
            }
            (dropped, _) => self.drop_work(id, dropped, &superseded(), ctx),
        }
    }

    /// The connection has the session: it hears where it stands.
    fn settle(
        &mut self,
        id: &SessionId,
        arrival: Arrival,
        (fresh, spoken): (bool, bool),
        ctx: &mut Context<'_>,
    ) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Arrival { caller: opener, alone, .. } = arrival;
        let caller = Caller { reply_to: None, ..opener.clone() };
        self.holdings.add(caller.connection, id.clone());
        session.owner = Some(Owner { caller: caller.clone(), alone, spoken });
        let mut greeting = json!({
            "sessionId": id.as_str(),
            "templateId": session.template.id.as_str(),
            "templateName": session.template.name,
        });
        let name = if fresh { "session_started" } else { "session_resumed" };
        if !fresh {
            greeting["history"] = json!(session.log.turns);
        }
        ctx.fx.reply(&opener, &Event::new(name, &greeting).of("document"));
        if let Some(question) = session.log.open_question(id.as_str()) {
            ctx.fx.reply(&caller, &question);
        }
        session.repeat_spoken(&mut ctx.fx);
        ctx.fx.log(record("room.join", id, &caller));
        let head = session.log.head;
        if alone {
            ctx.fx.read(caller.connection, true);
        }
        ctx.rooms.enter(&room_id(id), caller, head, &mut ctx.fx);
    }
}

impl Session {
    /// Another connection claimed the session on this log. What the one before was saving did not come in time,
    /// or stands in this log, which is then ahead: whether it is, and what was under way.
    fn catch_up(&mut self, log: SessionLog) -> (bool, Work) {
        let place = |log: &SessionLog| (log.phase.clone(), log.turns.len(), log.attempt);
        let over = place(&self.log) != place(&log) || matches!(self.work, Work::Saving { .. });
        let before = if over { std::mem::replace(&mut self.work, Work::Idle) } else { Work::Idle };
        let ahead = self.log.head < log.head;
        if ahead {
            self.log = log;
        }
        (ahead, before)
    }
}

impl Opening {
    fn new(way: Way, template: Arc<TemplateRow>, wish: Wish) -> Self {
        Self { way, template, wish, tries: 0, row: None, log: SessionLog::default() }
    }
}

/// The template, if this user may open it.
pub fn template_for(rows: Vec<Row>, user: &User) -> Option<TemplateRow> {
    rows.into_iter().find_map(|row| {
        let Row::Template(template) = row else { return None };
        template.firm.as_ref().is_none_or(|firm| *firm == user.firm).then_some(template)
    })
}

fn destination(user: &User, template: &TemplateId) -> Destination {
    (user.firm.clone(), user.id.clone(), template.clone())
}

fn too_many(open: usize) -> Refusal {
    let limit = SESSIONS_PER_CONNECTION_MAX;
    let message = format!("a connection with {open} sessions is at the limit of {limit}");
    Refusal::new(Code::TooLarge, message).with(json!({"limit": limit, "actual": open}))
}

/// An entry that the server itself says.
pub(super) fn by_server(id: EntryId, kept: &Kept) -> NewEntry {
    NewEntry { id, author: UserId::server(), body: kept.body() }
}
