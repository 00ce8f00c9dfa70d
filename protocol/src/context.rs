//! What an app may do: verbs that end in actions. `Effects` is the time, the ids, the dice and the orders;
//! `Context` adds the rooms. Neither gives access to another app.

use crate::action::{Action, Actions, CloseCause, Recipients};
use crate::apps::chat::Upload;
use crate::apps::dashboards::Visited;
use crate::apps::drafts::Submitted;
use crate::apps::projects::Posting;
use crate::auth::User;
use crate::call::{Call, Said};
use crate::connection::{Transports, name};
use crate::envelope::{Envelope, Event, Mark, ReplyId, socket_io};
use crate::frame::Frame;
use crate::http::Response;
use crate::ids::{ConnectionId, RequestId, RoomId, Ticket, UserId};
use crate::job::Job;
use crate::outbox::Class;
use crate::record::{Level, Record};
use crate::refusal::{Code, Refusal};
use crate::rng::Rng;
use crate::room::{Delivered, JudgedIn, PostId, Replayed, Rooms};
use crate::settings::Settings;
use crate::stats::Stats;
use crate::store::{Entry, StoreRequest};
use crate::tickets::{Pending, TICKETS_MAX, Tickets};
use crate::time::Timestamp;
use crate::timers::Timers;
use serde_json::Value;
use std::sync::Arc;

/// Who asks: a connection, its user and how it writes; and where the answer belongs.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The connection.
    pub connection: ConnectionId,
    /// How it writes.
    pub envelope: Envelope,
    /// Who it is.
    pub user: Arc<User>,
    /// The call's own id, if it had one.
    pub reply_to: Option<ReplyId>,
}

/// The time, and where orders go.
pub struct Effects<'a> {
    /// The time of this step.
    pub now: Timestamp,
    /// The settings.
    pub settings: &'a Settings,
    /// The orders so far.
    pub actions: &'a mut Actions,
    /// All deadlines.
    pub timers: &'a mut Timers,
    /// All that is waited for.
    pub tickets: &'a mut Tickets,
    /// How connections are reached.
    pub transports: &'a mut Transports,
    /// The dice.
    pub rng: &'a mut Rng,
    /// What is counted.
    pub stats: &'a mut Stats,
    /// Whose calls were refused in this step; `server.rs` counts them at its end.
    pub refused: &'a mut Vec<ConnectionId>,
    /// Feeds that were opened in this step.
    pub opened_feeds: &'a mut Vec<RoomId>,
    /// Connections that were closed in this step; `server.rs` takes them out of everything at its end.
    pub ended: &'a mut Vec<(ConnectionId, CloseCause)>,
    /// What became of backends' events in this step; `server.rs` answers them at its end.
    pub posted: &'a mut Vec<(PostId, Result<Delivered, Refusal>)>,
    /// What became of files that were submitted; `server.rs` gives it to the chat.
    pub uploaded: &'a mut Vec<(Box<Upload>, Result<Entry, Refusal>)>,
    /// What became of updates of documents; `server.rs` gives it to the drafts.
    pub drafted: &'a mut Vec<(Box<Submitted>, Result<Entry, Refusal>)>,
    /// Connections that are written to in another way from now on.
    pub respelled: &'a mut Vec<(ConnectionId, Envelope)>,
    /// Pages of logs for those who fold them; `server.rs` gives them to their apps.
    pub replayed: &'a mut Vec<Replayed>,
    /// What became of what was judged; `server.rs` gives it to the apps.
    pub judged: &'a mut Vec<JudgedIn>,
    /// Backends' events for dashboards; `server.rs` gives them there.
    pub board_posts: &'a mut Vec<(PostId, Box<Posting>)>,
    /// What became of those who want to become connections for dashboards; `server.rs` gives it to the door.
    pub visited: &'a mut Vec<Visited>,
    /// The answers of apps to requests that they were handed; `server.rs` gives them to the door.
    pub answered: &'a mut Vec<(RequestId, Response)>,
}

/// The rooms and the effects.
pub struct Context<'a> {
    /// Every open room.
    pub rooms: &'a mut Rooms,
    /// The time, and where orders go.
    pub fx: Effects<'a>,
}

impl Context<'_> {
    /// Whether a connection is here: neither gone nor closed in this step.
    pub fn is_here(&self, who: ConnectionId) -> bool {
        self.rooms.knows(who) && self.fx.ended.iter().all(|(ended, _)| *ended != who)
    }
}

impl Effects<'_> {
    /// Sends one connection a frame.
    pub fn send(&mut self, to: ConnectionId, frame: Frame, class: Class) {
        self.stats.messages_out.add(frame.app(), 1);
        match self.transports.socket(to) {
            Some(socket) => self.actions.push(Action::Send { to: Recipients::One(socket), frame, class }),
            None => self.transports.queue(to, frame, class),
        }
    }

    /// What the next frame says of itself: its number, where clients may name it when they come back, or its id and
    /// time.
    pub fn mark(&mut self, envelope: Envelope, class: Class) -> Mark {
        let kept = matches!(class, Class::Kept | Class::Page);
        match envelope {
            Envelope::Realtime => {
                Mark::Message { id: self.rng.id("msg"), at: self.now, by: UserId::server() }
            }
            Envelope::SocketIo if kept && self.recovers(envelope) => {
                Mark::Offset(self.transports.next_offset())
            }
            Envelope::SocketIo
            | Envelope::Fields
            | Envelope::Event
            | Envelope::Draft
            | Envelope::DraftBase64
            | Envelope::YWebsocket
            | Envelope::Hocuspocus => Mark::None,
        }
    }

    /// Whether who writes like this may come back after being cut off.
    pub fn recovers(&self, envelope: Envelope) -> bool {
        envelope == Envelope::SocketIo && !self.settings.recovery_window.is_zero()
    }

    /// The frames that answer a call, under its id if it had one.
    pub fn answer(&mut self, to: &Caller, event: &Event) -> Vec<Frame> {
        event.code.into_iter().for_each(|code| self.stats.refused(code));
        if event.code == Some(Code::ServerError) {
            self.log_fault(to.connection, event);
        }
        let mut mark = self.mark(to.envelope, Class::Kept);
        if let Mark::Message { by, .. } = &mut mark {
            *by = to.user.id.clone();
        }
        let frames = to.envelope.answer(event, to.reply_to.as_ref(), &mark);
        // An ack carries no number.
        if let Some(offset) = mark.offset().filter(|_| frames.iter().any(socket_io::is_event)) {
            self.transports.sent_alone(to.connection, offset);
        }
        frames
    }

    /// Answers a call.
    pub fn reply(&mut self, to: &Caller, event: &Event) {
        for frame in self.answer(to, event) {
            self.send(to.connection, frame, Class::Kept);
        }
    }

    /// Refuses a call. Too many refusals end a connection.
    pub fn refuse(&mut self, to: &Caller, event: &Event) {
        self.reply(to, event);
        self.refused.push(to.connection);
    }

    /// Tells one connection something that is no answer.
    pub fn tell(&mut self, to: ConnectionId, envelope: Envelope, event: &Event, class: Class) {
        let mark = self.mark(envelope, class);
        let Some(frame) = envelope.encode(event, &mark) else { return };
        mark.offset().into_iter().for_each(|offset| self.transports.sent_alone(to, offset));
        self.send(to, frame, class);
    }

    /// Goes on reading a connection that is one socket, or stops.
    pub fn read(&mut self, from: ConnectionId, on: bool) {
        if let Some(socket) = self.transports.socket(from) {
            self.actions.push(Action::Read { socket, on });
        }
    }

    /// Ends a connection after what was sent to it.
    pub fn close(&mut self, connection: ConnectionId, cause: CloseCause) {
        self.ended.push((connection, cause));
    }

    /// Asks the store.
    pub fn store(&mut self, request: StoreRequest, pending: Pending) {
        let commit = matches!(request, StoreRequest::Commit { .. });
        let ticket = self.tickets.issue(self.now, pending, commit);
        self.actions.push(Action::Store { ticket, request });
    }

    /// Runs a job outside the lock.
    pub fn work(&mut self, job: Job, pending: Pending) {
        let ticket = self.tickets.issue(self.now, pending, false);
        self.actions.push(Action::Work { ticket, job });
    }

    /// Makes one HTTP attempt.
    pub fn call(&mut self, call: Call, pending: Pending) -> Ticket {
        let ticket = self.tickets.issue(self.now, pending, false);
        self.actions.push(Action::Call { ticket, call });
        ticket
    }

    /// Forgets a call: nobody waits for it any more.
    pub fn cancel(&mut self, ticket: Ticket) {
        drop(self.tickets.take(ticket));
        self.actions.push(Action::Cancel { ticket });
    }

    /// Whether no more may be waited for now.
    pub fn is_busy(&self) -> bool {
        self.tickets.len() >= TICKETS_MAX
    }

    /// What should not happen has happened to a call.
    fn log_fault(&mut self, connection: ConnectionId, event: &Event) {
        let told = event.refusal.as_ref().and_then(|told| serde_json::from_str::<Value>(told.as_str()).ok());
        let message = told.as_ref().and_then(|told| told["message"].as_str()).unwrap_or_default();
        let record = Record::new(Level::Error, "ws.error").with("error", message);
        self.log(record.with("connectionId", name(connection)).with("context", &*event.name));
    }

    /// An attempt at the AI service ended.
    pub fn note_ai(&mut self, said: &Said) {
        let failure = if let Said::Failed(failure) = said { Some(failure) } else { None };
        if self.stats.ai_service.note(failure.is_some(), self.now) {
            let record = match failure {
                Some(failure) => Record::new(Level::Warn, "ai.down").with("reason", failure.to_string()),
                None => Record::new(Level::Info, "ai.up"),
            };
            self.log(record);
        }
    }

    /// Writes a line to the log.
    pub fn log(&mut self, record: Record) {
        self.actions.push(Action::Log(record));
    }
}
