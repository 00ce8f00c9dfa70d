//! The server: facts in, orders out. It matches and routes; what follows from a fact is decided in the parts.

mod binary;
mod called;
mod calls;
mod counts;
mod drain;
mod namespace;
mod observing;
mod operating;
mod refreshing;
mod routing;
mod session_ends;
mod sessions;
mod settling;
mod statistics;

pub use counts::Counts;

use crate::action::{Actions, CloseCause};
use crate::apps::chat::{Chat, Upload};
use crate::apps::dashboards::{Dashboards, Visited};
use crate::apps::documents::Documents;
use crate::apps::drafts::{Drafts, Submitted};
use crate::apps::projects::{Posting, Projects};
use crate::clean_up::{CLEAN_UP_FIRST, CLEAN_UP_INTERVAL, CleanUp};
use crate::connection::{Connections, Transports};
use crate::context::{Context, Effects};
use crate::door::Door;
use crate::envelope::Envelope;
use crate::hook::Hook;
use crate::http::Response;
use crate::ids::{ConnectionId, RequestId, RoomId};
use crate::input::Input;
use crate::refusal::Refusal;
use crate::rng::Rng;
use crate::room::{Delivered, JudgedIn, PostId, Replayed, Rooms};
use crate::settings::Settings;
use crate::stats::Stats;
use crate::store::Entry;
use crate::tickets::Tickets;
use crate::time::Timestamp;
use crate::timers::{Timer, Timers};
use std::time::Duration;

/// How often what is old is forgotten.
const TIDY_INTERVAL: Duration = Duration::from_secs(30);
/// How often overdue AI replies are looked for.
const OVERDUE_INTERVAL: Duration = Duration::from_secs(60);

/// A whole Parlor server without sockets, clock, dice or threads.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    door: Door,
    connections: Connections,
    rooms: Rooms,
    documents: Documents,
    chat: Chat,
    projects: Projects,
    drafts: Drafts,
    dashboards: Dashboards,
    hook: Hook,
    clean_up: CleanUp,
    timers: Timers,
    transports: Transports,
    tickets: Tickets,
    rng: Rng,
    stats: Stats,
    started_at: Timestamp,
    drain: drain::Drain,
    /// Whose calls were refused in this step.
    refused: Vec<ConnectionId>,
    sessions: sessions::Sessions,
    /// Feeds that were opened in this step.
    opened_feeds: Vec<RoomId>,
    /// Connections that were closed in this step.
    ended: Vec<(ConnectionId, CloseCause)>,
    /// What became of backends' events in this step.
    posted: Vec<(PostId, Result<Delivered, Refusal>)>,
    /// What became of files that were submitted.
    uploaded: Vec<(Box<Upload>, Result<Entry, Refusal>)>,
    /// What became of updates of documents.
    drafted: Vec<(Box<Submitted>, Result<Entry, Refusal>)>,
    /// Connections that are written to in another way from now on.
    respelled: Vec<(ConnectionId, Envelope)>,
    /// Pages of logs for those who fold them.
    replayed: Vec<Replayed>,
    /// What became of what was judged.
    judged: Vec<JudgedIn>,
    /// Backends' events for dashboards.
    board_posts: Vec<(PostId, Box<Posting>)>,
    /// What became of those who want to become connections for dashboards.
    visited: Vec<Visited>,
    /// The answers of apps to requests.
    answered: Vec<(RequestId, Response)>,
}

/// The parts of the server that one step may change, each by itself.
struct Parts<'a> {
    door: &'a mut Door,
    connections: &'a mut Connections,
    documents: &'a mut Documents,
    chat: &'a mut Chat,
    projects: &'a mut Projects,
    drafts: &'a mut Drafts,
    dashboards: &'a mut Dashboards,
    hook: &'a mut Hook,
    clean_up: &'a mut CleanUp,
    drain: &'a mut drain::Drain,
    sessions: &'a mut sessions::Sessions,
    started_at: Timestamp,
    ctx: Context<'a>,
}

impl Server {
    /// A server at rest. The same settings, seed and inputs give the same actions, byte for byte.
    pub fn new(settings: Settings, seed: [u8; 32]) -> Self {
        Self {
            sessions: sessions::Sessions::new(&settings),
            settings,
            door: Door::default(),
            connections: Connections::default(),
            rooms: Rooms::default(),
            documents: Documents::default(),
            chat: Chat::default(),
            projects: Projects::default(),
            drafts: Drafts::default(),
            dashboards: Dashboards::default(),
            hook: Hook::default(),
            clean_up: CleanUp::default(),
            timers: Timers::default(),
            transports: Transports::default(),
            tickets: Tickets::default(),
            rng: Rng::new(seed),
            stats: Stats::default(),
            started_at: Timestamp::default(),
            drain: drain::Drain::default(),
            refused: Vec::new(),
            ended: Vec::new(),
            opened_feeds: Vec::new(),
            posted: Vec::new(),
            uploaded: Vec::new(),
            drafted: Vec::new(),
            respelled: Vec::new(),
            replayed: Vec::new(),
            judged: Vec::new(),
            board_posts: Vec::new(),
            visited: Vec::new(),
            answered: Vec::new(),
        }
    }

    /// Takes in one fact and appends to `actions` the orders that follow from it.
    pub fn handle(&mut self, now: Timestamp, input: Input, actions: &mut Actions) {
        if matches!(input, Input::Started) {
            self.started_at = now;
        }
        let mut parts = self.parts(now, actions);
        parts.route(input);
        parts.settle();
        parts.answer_posted();
        parts.finish_drain();
    }

    /// When `Input::Tick` is due, unless something else happens first.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        [self.timers.next_deadline(), self.tickets.next_deadline()].into_iter().flatten().min()
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How many bytes wait for those who poll.
    pub fn polled_bytes(&self) -> usize {
        self.transports.all_polled_bytes()
    }

    fn parts<'a>(&'a mut self, now: Timestamp, actions: &'a mut Actions) -> Parts<'a> {
        let fx = Effects {
            now,
            settings: &self.settings,
            actions,
            timers: &mut self.timers,
            tickets: &mut self.tickets,
            transports: &mut self.transports,
            rng: &mut self.rng,
            stats: &mut self.stats,
            refused: &mut self.refused,
            ended: &mut self.ended,
            opened_feeds: &mut self.opened_feeds,
            posted: &mut self.posted,
            uploaded: &mut self.uploaded,
            drafted: &mut self.drafted,
            respelled: &mut self.respelled,
            replayed: &mut self.replayed,
            judged: &mut self.judged,
            board_posts: &mut self.board_posts,
            visited: &mut self.visited,
            answered: &mut self.answered,
        };
        Parts {
            door: &mut self.door,
            connections: &mut self.connections,
            documents: &mut self.documents,
            chat: &mut self.chat,
            projects: &mut self.projects,
            drafts: &mut self.drafts,
            dashboards: &mut self.dashboards,
            hook: &mut self.hook,
            clean_up: &mut self.clean_up,
            drain: &mut self.drain,
            sessions: &mut self.sessions,
            started_at: self.started_at,
            ctx: Context { rooms: &mut self.rooms, fx },
        }
    }
}

impl Parts<'_> {
    fn route(&mut self, input: Input) {
        match input {
            Input::Started => self.on_started(),
            Input::Requested { request, peer, head, body } => {
                let decided =
                    self.door.on_requested(request, peer, &head, body, self.connections, &mut self.ctx);
                self.carry_out(decided);
            }
            Input::RequestGone { request } => {
                self.door.on_gone(request);
                self.dashboards.on_request_gone(request);
                self.on_engine_request_gone(request);
            }
            Input::Received { socket, message } => self.on_received(socket, message),
            Input::Disconnected { socket, why } => self.on_disconnected(socket, why),
            Input::Stored(replies) => {
                replies.into_iter().for_each(|(ticket, reply)| self.on_stored(ticket, reply))
            }
            Input::Worked { ticket, outcome } => self.on_worked(ticket, outcome),
            Input::Called { ticket, said } => self.on_called(ticket, said),
            Input::Flushed { socket } => self.on_flushed(socket),
            Input::KeysFetched(fetched) => self.on_keys_fetched(fetched),
            Input::Memory { short } => self.on_memory(short),
            Input::Tick => self.on_tick(),
            Input::Draining => self.on_draining(),
        }
    }

    fn on_started(&mut self) {
        let now = self.ctx.fx.now;
        self.ctx.fx.timers.set(now + TIDY_INTERVAL, Timer::Tidy);
        self.ctx.fx.timers.set(now + OVERDUE_INTERVAL, Timer::Overdue);
        self.ctx.fx.timers.set(now + CLEAN_UP_FIRST, Timer::CleanUp);
        // Whatever awaited a reply when the process before this one ended is nobody's now.
        self.documents.look_for_overdue(now, &mut self.ctx);
        self.chat.look_for_overdue(now, &mut self.ctx);
        self.chat.on_started(&mut self.ctx);
        if self.ctx.fx.settings.hook {
            self.hook.start(&mut self.ctx.fx);
        }
    }

    fn on_tick(&mut self) {
        let now = self.ctx.fx.now;
        while let Some(pending) = self.ctx.fx.tickets.take_late(now) {
            self.on_late(pending);
        }
        while let Some(timer) = self.ctx.fx.timers.pop_due(now) {
            self.on_timer(timer);
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        let now = self.ctx.fx.now;
        match timer {
            // Reading is off until its session is open: what it says cannot be heard yet.
            Timer::Heartbeat(connection) if self.documents.is_unread(connection) => {
                self.connections.watch_heartbeat(connection, &mut self.ctx.fx);
            }
            Timer::Heartbeat(connection) if self.drafts.is_unread(connection, self.ctx.fx.settings) => {
                self.connections.watch_heartbeat(connection, &mut self.ctx.fx);
            }
            Timer::Heartbeat(connection) => self.connections.on_heartbeat(connection, &mut self.ctx.fx),
            Timer::Engine(connection) => self.on_engine_timer(connection),
            Timer::TokenEnds(connection) => {
                if self.connections.on_token_ends(connection, &mut self.ctx.fx) {
                    self.drafts.ask_for_tokens(connection, &mut self.ctx);
                }
            }
            Timer::Attempt(room) => self.documents.on_attempt(&room, &mut self.ctx),
            Timer::Robot(key) => self.chat.on_robot_due(*key, &mut self.ctx),
            Timer::Desk(room) => self.chat.desk_goes_on(&room, &mut self.ctx),
            Timer::Typing(room) => self.chat.on_typing_due(&room, &mut self.ctx),
            Timer::Gap(room) => self.ctx.rooms.on_gap_due(&room, &mut self.ctx.fx),
            Timer::Presence(room) => self.chat.on_presence(&room, &mut self.ctx),
            Timer::Boards => self.dashboards.on_due(),
            Timer::Draft(room) => self.drafts.on_due(&room, &mut self.ctx),
            Timer::Reading(connection) => self.drafts.on_reading_due(connection, &mut self.ctx),
            Timer::Unauthenticated(connection) => self.on_unauthenticated(connection),
            Timer::Overdue => {
                self.ctx.fx.timers.set(now + OVERDUE_INTERVAL, Timer::Overdue);
                let before = now - self.ctx.fx.settings.ai_overdue;
                self.documents.look_for_overdue(before, &mut self.ctx);
                self.chat.look_for_overdue(before, &mut self.ctx);
            }
            Timer::Hook | Timer::CleanUp | Timer::CleanUpAgain if self.door.draining => {}
            Timer::CleanUp => {
                self.ctx.fx.timers.set(now + CLEAN_UP_INTERVAL, Timer::CleanUp);
                self.clean_up.on_due(&mut self.ctx);
            }
            Timer::CleanUpAgain => self.clean_up.on_again(&mut self.ctx),
            Timer::Hook => self.hook.on_due(&mut self.ctx.fx),
            Timer::DrainStep => self.on_drain_step(),
            Timer::Tidy => {
                self.ctx.fx.timers.set(now + TIDY_INTERVAL, Timer::Tidy);
                self.connections.tidy(now);
                self.door.addresses.tidy(now);
                self.forget_rooms(now);
                self.projects.tidy(now);
                self.dashboards.tidy(now);
                self.chat.tidy(&mut self.ctx);
                self.sessions.recovery.tidy(now);
            }
        }
    }
}
