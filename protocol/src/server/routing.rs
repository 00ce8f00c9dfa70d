//! Which part a fact belongs to.

use super::Parts;
use crate::action::{Action, CloseCause, SocketLimits};
use crate::clean_up;
use crate::connection::{Endpoint, Waiting, name};
use crate::context::Caller;
use crate::door::{Admitted, Changed, Decided, Post, refused};
use crate::http::Response;
use crate::ids::{ConnectionId, RoomKind, SocketId, Ticket};
use crate::input::Ending;
use crate::job::Outcome;
use crate::metrics::Limit;
use crate::record::{Level, Record};
use crate::room::Told;
use crate::settings::Interviewer;
use crate::store::{MemberRow, RoomRow, StoreReply};
use crate::tickets::{Awaited, Pending};
use serde_json::json;
use std::borrow::Cow;

impl Parts<'_> {
    pub(super) fn on_stored(&mut self, ticket: Ticket, reply: StoreReply) {
        self.note_store(ticket, &reply);
        let appended = matches!(&reply, StoreReply::Committed(entries) if !entries.is_empty());
        self.dispatch_stored(ticket, reply);
        if appended && self.ctx.fx.settings.hook && !self.door.draining {
            self.hook.on_stored_elsewhere(&mut self.ctx.fx);
        }
    }

    fn dispatch_stored(&mut self, ticket: Ticket, reply: StoreReply) {
        match self.ctx.fx.tickets.take(ticket) {
            Some(Pending::Door(waiting)) => {
                let decided = self.door.on_stored(waiting, reply, &mut self.ctx);
                self.carry_out(decided);
            }
            Some(Pending::Room(waiting)) => {
                let told = self.ctx.rooms.on_stored(waiting, reply, &mut self.ctx.fx);
                told.iter().for_each(|told| self.on_told(told));
            }
            Some(Pending::Documents(waiting)) => self.documents.on_stored(waiting, reply, &mut self.ctx),
            Some(Pending::Chat(waiting)) => self.chat.on_stored(waiting, reply, &mut self.ctx),
            Some(Pending::Projects(waiting)) => self.projects.on_stored(waiting, reply, &mut self.ctx),
            Some(Pending::Drafts(waiting)) => self.drafts.on_stored(waiting, reply, &mut self.ctx),
            Some(Pending::Dashboards(waiting)) => self.dashboards.on_stored(waiting, reply, &mut self.ctx),
            Some(Pending::Hook(waiting)) => self.hook.on_stored(waiting, reply, &mut self.ctx.fx),
            Some(Pending::CleanUp(waiting)) => self.on_cleaned_up(waiting, reply),
            Some(Pending::Connection(_)) | None => {}
        }
    }

    fn on_cleaned_up(&mut self, waiting: clean_up::Waiting, reply: StoreReply) {
        let trimmed = self.clean_up.on_stored(waiting, reply, self.documents, &mut self.ctx);
        if let Some(room) = trimmed {
            // Whoever is loading it may have read where it began before.
            self.chat.on_room_changed(&room);
            self.projects.on_room_changed(&room);
        }
    }

    /// The store is down when its last commit or its last read was in vain: a full disk can still be read.
    fn note_store(&mut self, ticket: Ticket, reply: &StoreReply) {
        let in_vain = matches!(reply, StoreReply::Unavailable | StoreReply::Unknown);
        match self.ctx.fx.tickets.is_commit(ticket) {
            Some(true) => self.ctx.fx.stats.commits_fail = in_vain,
            Some(false) => self.ctx.fx.stats.reads_fail = in_vain,
            None => {}
        }
        let fx = &mut self.ctx.fx;
        let down = fx.stats.store_down();
        if fx.stats.store.note(down, fx.now) {
            let record = if down {
                let why = if fx.stats.commits_fail { "nothing can be stored" } else { "nothing can be read" };
                Record::new(Level::Error, "store.down").with("reason", why)
            } else {
                Record::new(Level::Info, "store.up")
            };
            fx.log(record);
        }
    }

    /// An answer never came: whoever waited hears that nothing is known.
    pub(super) fn on_late(&mut self, pending: Pending) {
        match pending {
            Pending::Door(waiting) => {
                let decided = self.door.on_late(waiting, &mut self.ctx);
                self.carry_out(decided);
            }
            Pending::Room(waiting) => {
                let told = self.ctx.rooms.on_stored(waiting, StoreReply::Unknown, &mut self.ctx.fx);
                told.iter().for_each(|told| self.on_told(told));
            }
            Pending::Documents(waiting) => {
                self.documents.on_stored(waiting, StoreReply::Unknown, &mut self.ctx)
            }
            Pending::Chat(waiting) => self.chat.on_late(waiting, &mut self.ctx),
            Pending::Projects(waiting) => self.projects.on_late(waiting, &mut self.ctx),
            Pending::Drafts(waiting) => self.drafts.on_late(waiting, &mut self.ctx),
            Pending::Connection(Waiting::Unpacked(connection)) => self.on_unpacked(connection, None),
            Pending::Connection(Waiting::Document { connection, .. }) => {
                self.on_token_late(connection);
            }
            Pending::Dashboards(waiting) => self.dashboards.on_late(waiting, &mut self.ctx),
            Pending::Hook(waiting) => self.hook.on_late(waiting, &mut self.ctx.fx),
            Pending::CleanUp(waiting) => self.on_cleaned_up(waiting, StoreReply::Unknown),
            Pending::Connection(Waiting::Refresh(caller)) => self.refuse_late(&caller),
            Pending::Connection(Waiting::Connect { connection, .. }) => self.connect_late(connection),
        }
    }

    fn on_told(&mut self, told: &Told) {
        match told.entry.room.kind {
            RoomKind::Document => self.documents.on_told(told, &mut self.ctx),
            RoomKind::Chat | RoomKind::Supervisors => self.chat.on_told(told, &mut self.ctx),
            RoomKind::Project | RoomKind::User | RoomKind::Everyone => {}
            RoomKind::Draft => self.drafts.on_told(told, &mut self.ctx),
            RoomKind::Dashboard => self.dashboards.on_told(told, &mut self.ctx),
        }
    }

    pub(super) fn on_worked(&mut self, ticket: Ticket, outcome: Outcome) {
        if self.ctx.fx.tickets.holder(ticket).map(Pending::awaits) != Some(Awaited::Worked) {
            return;
        }
        match self.ctx.fx.tickets.take(ticket) {
            Some(Pending::Door(waiting)) => {
                let decided = self.door.on_worked(waiting, outcome, self.connections, &mut self.ctx);
                self.carry_out(decided);
            }
            Some(Pending::Connection(Waiting::Refresh(caller))) => self.on_refreshed(caller, outcome),
            Some(Pending::Connection(Waiting::Connect { connection, recover })) => {
                self.on_connect_verified(connection, recover, outcome);
            }
            Some(Pending::Connection(Waiting::Unpacked(connection))) => {
                self.on_unpacked(connection, Some(outcome));
            }
            Some(Pending::Connection(Waiting::Document { connection, document })) => {
                self.on_document_verified(connection, document, outcome);
            }
            Some(Pending::Chat(waiting)) => self.chat.on_worked(waiting, outcome, &mut self.ctx),
            Some(Pending::Drafts(waiting)) => self.drafts.on_worked(waiting, outcome, &mut self.ctx),
            Some(Pending::Dashboards(waiting)) => {
                self.dashboards.on_worked(waiting, outcome, &mut self.ctx);
            }
            Some(
                Pending::Room(_)
                | Pending::Documents(_)
                | Pending::Projects(_)
                | Pending::Hook(_)
                | Pending::CleanUp(_),
            )
            | None => {}
        }
    }

    pub(super) fn on_flushed(&mut self, socket: SocketId) {
        let Some((id, connection)) = self.connections.by_socket(socket) else { return };
        if std::mem::take(&mut connection.echoing) > 0 {
            self.ctx.fx.actions.push(Action::Read { socket, on: true });
        }
        self.ctx.rooms.pacing.on_flushed(id);
    }

    pub(super) fn carry_out(&mut self, decided: Option<Decided>) {
        match decided {
            Some(Decided::Admitted(admitted) | Decided::TurnedAway(admitted, _))
                if let Some(response) = self.door.crowded(&admitted, self.connections, &mut self.ctx.fx) =>
            {
                self.ctx.fx.stats.answered(response.status);
                self.ctx.fx.actions.push(Action::Respond { request: admitted.request, response });
            }
            Some(Decided::Admitted(admitted)) => self.admit(*admitted),
            Some(Decided::TurnedAway(admitted, cause)) => {
                let id = self.upgrade(&admitted);
                self.ctx.fx.close(id, cause);
            }
            Some(Decided::Engine(to)) => self.on_engine_request(*to),
            Some(Decided::Health(asked)) => {
                let response = self.health();
                self.door.answer(&asked, response, &mut self.ctx);
            }
            Some(Decided::Changed(changed)) => self.on_changed(changed),
            Some(Decided::Operated(asked, operation)) => self.operate(&asked, operation),
            Some(Decided::Posted(post)) => self.on_post(&post),
            Some(Decided::Offered(offer)) => self.chat.on_offer(*offer, &mut self.ctx),
            Some(Decided::Visited(visit)) => self.dashboards.on_visit(*visit, &mut self.ctx),
            Some(Decided::Wanted(wanted)) => self.chat.on_wanted(*wanted, &mut self.ctx),
            Some(Decided::Draft(call)) => self.drafts.on_call(*call, &mut self.ctx),
            Some(Decided::Statistics(asked, user)) => {
                let response = self.statistics(user.as_deref());
                self.door.answer(&asked, response, &mut self.ctx);
            }
            None => {}
        }
    }

    fn upgrade(&mut self, admitted: &Admitted) -> ConnectionId {
        let Admitted { request, endpoint, user, address, bearer, draft, board, .. } = admitted;
        let id = self.connections.open(*endpoint, user.clone(), *address, self.ctx.fx.now);
        let socket = self.connections.add_socket(id);
        self.ctx.fx.transports.connect(id, socket);
        self.door.addresses.came(*address, self.ctx.fx.settings);
        let subprotocol = bearer.then_some(Cow::Borrowed("bearer"));
        let limits = endpoint.limits(self.ctx.fx.settings);
        self.ctx.fx.stats.answered(101);
        self.ctx.fx.actions.push(Action::Upgrade { request: *request, socket, subprotocol, limits });
        let mut record = Record::new(Level::Info, "ws.connect").with("connectionId", name(id));
        record = record.with("endpoint", endpoint.path());
        if let Some(user) = user {
            record = record.with("userId", user.id.as_str()).with("firmId", user.firm.as_str());
        }
        if let Some(room) = draft.as_ref().or(board.as_ref()) {
            record = record.with("room", &*room.name);
        }
        self.ctx.fx.log(record);
        id
    }

    fn admit(&mut self, admitted: Admitted) {
        let id = self.upgrade(&admitted);
        self.connections.watch(id, &mut self.ctx.fx);
        if let Some(caller) = self.connections.caller(id, None) {
            self.ctx.rooms.welcome(id);
            self.on_user_came(&caller);
        }
        self.admit_to_draft(id, &admitted);
        let Some(caller) = self.connections.caller(id, None) else { return };
        if let Some(board) = admitted.board {
            self.dashboards.come(board, &caller, &mut self.ctx);
        }
        if let Some((template, wish)) = admitted.template {
            self.documents.open(caller, template, wish, &mut self.ctx);
        }
    }

    /// A backend posts events.
    fn on_post(&mut self, post: &Post) {
        let Post { request, body, key } = post;
        let answer = match self.projects.post(*request, body, key.as_deref(), &mut self.ctx) {
            Ok(answer) => answer,
            Err(refusal) => Some(refused(refusal.code.status(), &refusal)),
        };
        if let Some(response) = answer {
            self.door.answer_post(*request, response, &mut self.ctx);
        }
    }

    /// A connection is a user's from now on, and in the rooms that are its by right.
    pub(super) fn on_user_came(&mut self, caller: &Caller) {
        let endpoint = self.connections.find(caller.connection).map(|known| known.endpoint);
        let speaks_all = matches!(endpoint, Some(Endpoint::Connect | Endpoint::SocketIo));
        self.projects.on_user_came(caller, speaks_all, &mut self.ctx);
        self.chat.on_user_came(caller, &mut self.ctx);
    }

    fn on_changed(&mut self, changed: Changed) {
        let ctx = &mut self.ctx;
        match &changed {
            Changed::Room(RoomRow { id, .. })
            | Changed::RoomRemoved(id)
            | Changed::MemberRemoved(id, _)
            | Changed::Member(MemberRow { room: id, .. }) => {
                self.chat.on_room_changed(id);
                self.projects.on_room_changed(id);
                self.dashboards.on_room_changed(id);
            }
            Changed::RoomKept(_) | Changed::Else => {}
        }
        match changed {
            Changed::Room(row) => {
                let id = row.id.clone();
                if let Some(room) = ctx.rooms.find(&id) {
                    room.row = Some(Box::new(row));
                }
                if id.kind == RoomKind::Draft {
                    self.drafts.on_changed(&id, ctx);
                }
                if id.kind == RoomKind::Dashboard {
                    self.dashboards.send_away(&id, ctx);
                }
            }
            Changed::Member(row) => {
                if let Some(room) = ctx.rooms.find(&row.room) {
                    let known = room.members.entry(row.user.clone()).or_insert_with(|| row.clone());
                    known.role = row.role;
                }
                if row.room.kind == RoomKind::Draft {
                    self.drafts.on_changed(&row.room, ctx);
                }
            }
            Changed::RoomKept(id) => ctx.rooms.removal_ends(&id),
            Changed::RoomRemoved(id) => {
                match id.kind {
                    RoomKind::Project => self.projects.on_room_removed(&id, ctx),
                    RoomKind::Document
                    | RoomKind::Chat
                    | RoomKind::User
                    | RoomKind::Everyone
                    | RoomKind::Supervisors => self.chat.on_room_removed(&id, ctx),
                    RoomKind::Draft => self.drafts.on_room_removed(&id, ctx),
                    RoomKind::Dashboard => self.dashboards.on_room_removed(&id, ctx),
                }
                ctx.rooms.removal_ends(&id);
            }
            Changed::MemberRemoved(id, user) => match id.kind {
                RoomKind::Project => self.projects.on_member_removed(&id, &user, ctx),
                RoomKind::Document
                | RoomKind::Chat
                | RoomKind::User
                | RoomKind::Everyone
                | RoomKind::Supervisors => {
                    self.chat.on_member_removed(&id, &user, ctx);
                }
                RoomKind::Draft => self.drafts.on_member_removed(&id, &user, ctx),
                RoomKind::Dashboard => self.dashboards.on_member_removed(&id, &user, ctx),
            },
            Changed::Else => {}
        }
    }

    pub(super) fn on_disconnected(&mut self, socket: SocketId, why: Ending) {
        if why == Ending::TooSlow {
            self.ctx.fx.stats.reached(Limit::Outbox);
        }
        if let Some((id, _)) = self.connections.by_socket(socket)
            && self.ctx.fx.transports.engine(id).is_some()
        {
            self.connections.remove_socket(socket);
            return self.on_engine_socket_gone(id, socket);
        }
        if let Some((id, connection)) = self.connections.by_socket(socket)
            && connection.closing.is_none()
        {
            self.take_out(id);
        }
        let Some(id) = self.connections.remove_socket(socket) else { return };
        self.ctx.fx.transports.remove(id);
        let Some(connection) = self.connections.remove(id) else { return };
        self.ctx.fx.stats.lasted.note(self.ctx.fx.now.since(connection.connected_at));
        self.door.addresses.went(connection.address);
        let (code, reason) =
            ending(why, connection.closing, &connection.endpoint.limits(self.ctx.fx.settings));
        let mut record = Record::new(Level::Info, "ws.disconnect").with("connectionId", name(id));
        if let Some(user) = &connection.user {
            record = record.with("userId", user.id.as_str());
        }
        self.ctx.fx.log(record.with("code", code).with("reason", reason));
    }

    /// How the server is (WIRE §0.10).
    fn health(&self) -> Response {
        let (fx, draining) = (&self.ctx.fx, self.door.draining);
        let up = |down: bool| if down { "down" } else { "ok" };
        let ai = match fx.settings.interviewer {
            Interviewer::BuiltIn => "off",
            Interviewer::Service => up(fx.stats.ai_service.down),
        };
        let ok = !fx.stats.store_down() && !fx.stats.keys_down && ai != "down" && !draining;
        let body = json!({
            "status": if ok { "ok" } else { "degraded" },
            "timestamp": fx.now.to_string(),
            "version": fx.settings.version,
            "uptimeSeconds": fx.now.since(self.started_at).as_secs(),
            "websocket": {"connections": self.connections.len(), "rooms": self.ctx.rooms.len()},
            "checks": {"store": up(fx.stats.store_down()), "ai": ai, "bus": "off", "auth": up(fx.stats.keys_down)},
        });
        Response::json(if draining { 503 } else { 200 }, &body).with("cache-control", "no-store")
    }
}

/// The code and the reason for the log; an order of the core says more than that it was carried out.
fn ending(why: Ending, ordered: Option<CloseCause>, limits: &SocketLimits) -> (u16, &'static str) {
    match why {
        Ending::ByClient(code) => (code.unwrap_or(1005), "closed by the client"),
        Ending::ByServer => {
            ordered.map_or((1005, "closed by the server"), |cause| (cause.code(), cause.reason()))
        }
        Ending::Lost => (1006, "connection lost"),
        Ending::Faulty(fault) => (limits.cause(fault).code(), limits.cause(fault).reason()),
        Ending::TooSlow => (CloseCause::TooSlow.code(), CloseCause::TooSlow.reason()),
    }
}
