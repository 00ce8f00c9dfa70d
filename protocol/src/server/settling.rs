//! The end of a step: what it has brought about in one part is carried out in the others, until nothing more follows.

use super::Parts;
use crate::action::Action;
use crate::connection::Endpoint;
use crate::ids::{ConnectionId, RoomId, RoomKind};
use crate::room::Turn;
use crate::time::Timestamp;

impl Parts<'_> {
    /// Carries out what the step has brought about in all parts.
    pub(super) fn settle(&mut self) {
        self.dashboards.begin_step();
        loop {
            self.take_turns();
            self.take_uploaded();
            self.take_replayed();
            self.take_drafted();
            self.run_dashboards();
            self.chat.run_due(&mut self.ctx);
            self.count_refusals();
            for feed in std::mem::take(self.ctx.fx.opened_feeds) {
                self.sessions.recovery.feed_opened(&feed);
            }
            self.take_out_ended();
            if !self.carry_sessions_out() {
                break;
            }
        }
        self.dashboards.end_step(&mut self.ctx.fx);
        for (request, response) in std::mem::take(self.ctx.fx.answered) {
            self.door.answer_post(request, response, &mut self.ctx);
        }
    }

    fn take_uploaded(&mut self) {
        for (upload, result) in std::mem::take(self.ctx.fx.uploaded) {
            self.chat.on_uploaded(upload, result, &mut self.ctx);
        }
    }

    fn take_drafted(&mut self) {
        while !self.ctx.fx.drafted.is_empty() {
            for (submitted, result) in std::mem::take(self.ctx.fx.drafted) {
                self.drafts.on_drafted(*submitted, result, &mut self.ctx);
            }
        }
        for (who, envelope) in std::mem::take(self.ctx.fx.respelled) {
            if let Some(connection) = self.connections.find(who) {
                connection.envelope = envelope;
            }
        }
    }

    /// Gives pages of logs to the apps that fold them.
    fn take_replayed(&mut self) {
        for (room, page) in std::mem::take(self.ctx.fx.replayed) {
            match room.kind {
                RoomKind::Draft => self.drafts.on_replayed(&room, page, &mut self.ctx),
                RoomKind::Dashboard => self.dashboards.on_replayed((room, page), &mut self.ctx),
                RoomKind::Document
                | RoomKind::Chat
                | RoomKind::Project
                | RoomKind::User
                | RoomKind::Everyone
                | RoomKind::Supervisors => debug_assert!(false, "{room:?} keeps no state"),
            }
        }
    }

    /// Dashboards go on as far as they can at once: what was stored is told, what waits is judged, and those at the door
    /// come in.
    fn run_dashboards(&mut self) {
        loop {
            let judged = std::mem::take(self.ctx.fx.judged);
            let posts = std::mem::take(self.ctx.fx.board_posts);
            let visited = std::mem::take(self.ctx.fx.visited);
            if judged.is_empty() && posts.is_empty() && visited.is_empty() && !self.dashboards.is_due() {
                return;
            }
            for (room, appended) in judged {
                // Other rooms do not judge.
                if room.kind == RoomKind::Dashboard {
                    self.dashboards.on_judged(&room, appended, &mut self.ctx);
                }
            }
            for (post, posting) in posts {
                if let Some(posting) = self.dashboards.on_posting(post, posting, &mut self.ctx) {
                    self.projects.speak(post, *posting, &mut self.ctx);
                }
            }
            for visited in visited {
                let decided = self.door.on_visited(visited, &mut self.ctx);
                self.carry_out(decided);
            }
            self.dashboards.run_due(&mut self.ctx);
        }
    }

    /// Forgets rooms that nobody has used for a while, with the states that apps keep of them.
    pub(super) fn forget_rooms(&mut self, now: Timestamp) {
        let (drafts, dashboards) = (&*self.drafts, &*self.dashboards);
        let is_needed = |room: &RoomId| match room.kind {
            RoomKind::Draft => drafts.needs(room),
            RoomKind::Dashboard => dashboards.needs(room),
            RoomKind::Document
            | RoomKind::Chat
            | RoomKind::Project
            | RoomKind::User
            | RoomKind::Everyone
            | RoomKind::Supervisors => false,
        };
        for room in self.ctx.rooms.tidy(now, is_needed) {
            match room.kind {
                RoomKind::Draft => self.drafts.forget(&room, &mut self.ctx),
                RoomKind::Dashboard => self.dashboards.on_forgotten(&room, &mut self.ctx),
                RoomKind::Document
                | RoomKind::Chat
                | RoomKind::Project
                | RoomKind::User
                | RoomKind::Everyone
                | RoomKind::Supervisors => debug_assert!(false, "{room:?} keeps no state"),
            }
        }
    }

    /// Closes what was ended in this step, and takes it out of everything.
    fn take_out_ended(&mut self) {
        while let Some((id, cause)) = self.ctx.fx.ended.pop() {
            let Some(connection) =
                self.connections.find(id).filter(|connection| connection.closing.is_none())
            else {
                continue;
            };
            let endpoint = connection.endpoint;
            let cause = if endpoint.is_providers() { cause.for_providers() } else { cause };
            if endpoint == Endpoint::SocketIo && !matches!(cause.code(), 1008 | 4001) {
                self.remember(id);
            }
            if let Some(connection) = self.connections.find(id) {
                connection.closing = Some(cause);
            }
            self.take_out(id);
            if endpoint == Endpoint::SocketIo {
                self.close_engine(id, cause);
            } else if let Some(socket) = self.ctx.fx.transports.socket(id) {
                self.ctx.fx.actions.push(Action::Close { socket, cause });
            }
        }
    }

    /// Answers backends whose events were dealt with in this step.
    pub(super) fn answer_posted(&mut self) {
        for (id, result) in std::mem::take(self.ctx.fx.posted) {
            if let Some(response) = self.projects.on_posted(id, result) {
                self.door.answer_post(id.request, response, &mut self.ctx);
            }
        }
    }

    /// Sends what connections have waited for, where its turn has come.
    fn take_turns(&mut self) {
        while let Some((who, turn)) = self.ctx.rooms.pacing.begin_next() {
            match turn {
                Turn::Page(room) => self.ctx.rooms.on_turn(&room, who, &mut self.ctx.fx),
                Turn::Join(room, number) => self.chat.on_turn((who, room, number), &mut self.ctx),
            }
        }
    }

    /// A connection is out of its rooms and its session.
    pub(super) fn take_out(&mut self, id: ConnectionId) {
        self.documents.on_gone(id, &mut self.ctx);
        self.dashboards.on_gone(id);
        let Some(caller) = self.connections.caller(id, None) else {
            return self.drafts.forget_connection(id);
        };
        self.projects.on_gone(&caller);
        self.drafts.on_gone(&caller, &mut self.ctx);
        for room in self.ctx.rooms.joined(id).to_vec() {
            match room.kind {
                RoomKind::Chat => self.chat.on_left(&room, &caller, &mut self.ctx),
                RoomKind::Project | RoomKind::User | RoomKind::Everyone => {
                    self.projects.on_left(&room, &caller, &mut self.ctx);
                }
                RoomKind::Draft => self.drafts.on_left(&room, &caller, &mut self.ctx),
                RoomKind::Dashboard => self.dashboards.on_left(&room, &caller, &mut self.ctx),
                RoomKind::Document | RoomKind::Supervisors => {
                    self.ctx.rooms.leave(&room, id, &mut self.ctx.fx);
                }
            }
        }
        for turn in self.ctx.rooms.forget(id) {
            if let Turn::Join(room, number) = turn {
                self.chat.on_gone(&(id, room, number));
            }
        }
    }
}
