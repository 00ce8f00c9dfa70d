//! What clients send: frames become calls, calls become commands of an app.

use super::Parts;
use crate::action::{Action, CloseCause};
use crate::apps::{chat, dashboards, documents, drafts, projects};
use crate::connection::Endpoint;
use crate::context::Caller;
use crate::envelope::{Call, Envelope, Event, Malformed, ReplyId};
use crate::frame::Frame;
use crate::ids::{ConnectionId, SocketId};
use crate::input::Message;
use crate::metrics::{App, Limit};
use crate::outbox::Class;
use crate::record::{Level, Record};
use crate::refusal::{Code, Refusal};
use bytes::Bytes;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Above so many bytes a message is read outside the lock.
const READ_BYTES_MAX: usize = 64 * 1024;
/// Calls that do not count, where they are spoken.
const FREE_CALLS: [&str; 2] = ["ping", "pong"];
/// Calls that are about the connection alone.
const KEEPING_CALLS: [&str; 5] = ["ping", "pong", "PING", "PONG", "auth:refresh"];
/// What clients of `/api/realtime` say that is taken in silence.
const SILENT_CALLS: [&str; 3] = ["PONG", "ACK", "NACK"];
/// How many echoed bytes may wait before reading stops until they are out.
const ECHO_BYTES_MAX: usize = 256 * 1024;

/// A call as its app understands it.
pub(super) enum Asked {
    Documents(Result<documents::Command, Refusal>),
    Chat(Result<chat::Command, Refusal>),
    Projects(Result<projects::Command, Refusal>),
    Drafts(Result<drafts::Command, Refusal>),
    Dashboards(Result<dashboards::Command, Refusal>),
    Unknown,
}

/// What a call is about, where an app has several of it.
type About = Option<(&'static str, Arc<str>)>;

impl Asked {
    fn about(&self) -> About {
        match self {
            Self::Documents(Ok(command)) => command.session().map(|session| ("sessionId", session.0.clone())),
            Self::Drafts(Ok(command)) => Some(("draftId", command.draft.name.clone())),
            Self::Dashboards(Ok(command)) => {
                command.board.as_ref().map(|board| ("dashboardId", board.name.clone()))
            }
            Self::Documents(Err(_))
            | Self::Drafts(Err(_))
            | Self::Dashboards(Err(_))
            | Self::Chat(_)
            | Self::Projects(_)
            | Self::Unknown => None,
        }
    }
}

impl App {
    /// Whose call this is, where it came in. What is nobody's is answered as 004 does.
    pub(super) fn of(endpoint: Endpoint, name: &str) -> Self {
        match endpoint {
            Endpoint::Documents => Self::Documents,
            Endpoint::Chat | Endpoint::Echo => Self::Chat,
            Endpoint::Drafts | Endpoint::YWebsocket | Endpoint::Hocuspocus => Self::Drafts,
            Endpoint::Connect | Endpoint::SocketIo if name.starts_with("document:") => Self::Documents,
            Endpoint::Connect | Endpoint::SocketIo if name.starts_with("chat:") => Self::Chat,
            Endpoint::Connect | Endpoint::SocketIo if name.starts_with("draft:") => Self::Drafts,
            Endpoint::Realtime => Self::Dashboards,
            Endpoint::Connect | Endpoint::SocketIo if name.starts_with("dashboard:") => Self::Dashboards,
            Endpoint::Connect | Endpoint::SocketIo => Self::Projects,
        }
    }

    /// The same for those who count: what keeps a connection is no app's.
    pub(super) fn heard(endpoint: Endpoint, name: &str) -> Self {
        match KEEPING_CALLS.contains(&name) {
            true => Self::Server,
            false => Self::of(endpoint, name),
        }
    }
}

impl Parts<'_> {
    pub(super) fn on_received(&mut self, socket: SocketId, message: Message) {
        let (now, settings) = (self.ctx.fx.now, self.ctx.fx.settings);
        let Some((id, connection)) = self.connections.by_socket(socket) else { return };
        if connection.closing.is_some() {
            return;
        }
        let over_engine = connection.endpoint == Endpoint::SocketIo;
        let is_ping = matches!(message, Message::Ping(_) | Message::Pong(_));
        if over_engine && is_ping && !connection.may_ping(settings, now) {
            return self.end_flood(id);
        }
        if over_engine {
            return self.on_engine_message(id, socket, message);
        }
        connection.last_heard = now;
        connection.pinged_at = None;
        let endpoint = connection.endpoint;
        match message {
            Message::Ping(_) | Message::Pong(_) if !connection.may_ping(settings, now) => {
                self.end_flood(id);
            }
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
            Message::Text(text) if endpoint == Endpoint::Echo => {
                // The driver has seen that it is UTF-8.
                let frame = std::str::from_utf8(&text).map(Frame::text);
                frame.into_iter().for_each(|frame| self.echo(socket, frame));
            }
            Message::Binary(bytes) if endpoint == Endpoint::Echo => self.echo(socket, Frame::binary(&bytes)),
            Message::Text(_) if endpoint.is_providers() => self.ctx.fx.close(id, CloseCause::Unsupported),
            Message::Binary(bytes) if endpoint.is_providers() => self.on_bytes(id, endpoint, &bytes),
            Message::Text(text) => self.on_text(id, &text),
            Message::Binary(_) => self.ctx.fx.close(id, CloseCause::Unsupported),
        }
    }

    fn end_flood(&mut self, id: ConnectionId) {
        self.ctx.fx.stats.reached(Limit::Pings);
        self.ctx.fx.close(id, CloseCause::PingFlood);
    }

    fn echo(&mut self, socket: SocketId, frame: Frame) {
        let Some((id, connection)) = self.connections.by_socket(socket) else { return };
        connection.echoing += frame.len();
        let full = connection.echoing >= ECHO_BYTES_MAX;
        self.ctx.fx.send(id, frame, if full { Class::Page } else { Class::Kept });
        if full {
            self.ctx.fx.actions.push(Action::Read { socket, on: false });
        }
    }

    fn on_text(&mut self, id: ConnectionId, text: &Bytes) {
        let Some(caller) = self.connections.caller(id, None) else { return };
        let Some(endpoint) = self.connections.find(id).map(|connection| connection.endpoint) else { return };
        if endpoint == Endpoint::Drafts && text.len() > READ_BYTES_MAX {
            self.heard(id, App::Drafts);
            return self.unpack(id, text.clone());
        }
        let decoded = caller.envelope.decode(text);
        self.heard(id, App::heard(endpoint, decoded.as_ref().map_or("", |call| &call.name)));
        match decoded {
            Ok(call) => self.on_call(endpoint, call, caller),
            Err(malformed) => self.on_malformed(endpoint, malformed, caller),
        }
    }

    /// A message came that an app or the server itself is to understand.
    pub(super) fn heard(&mut self, id: ConnectionId, app: App) {
        self.ctx.fx.stats.messages_in.add(app, 1);
        let now = self.ctx.fx.now;
        if let Some(connection) = self.connections.find(id) {
            (connection.active_at, connection.messages) = (now, connection.messages.saturating_add(1));
        }
    }

    /// On `/documents` what is malformed is ignored and counted (000); elsewhere it is told, and too much of it
    /// ends the connection.
    pub(super) fn on_malformed(&mut self, endpoint: Endpoint, malformed: Malformed, caller: Caller) {
        self.ctx.fx.stats.malformed += 1;
        if endpoint == Endpoint::Documents {
            return;
        }
        let caller = Caller { reply_to: malformed.reply_to, ..caller };
        let mut refusal = Refusal::new(Code::ProtocolError, malformed.why);
        if malformed.version {
            refusal = refusal.with(json!({"supported": ["1"]}));
        }
        self.ctx.fx.reply(&caller, &refused(App::of(endpoint, ""), &refusal));
        self.count_malformed(caller.connection);
    }

    /// A connection said what is none, or showed it. True: it has done so too often, and is closed.
    pub(super) fn count_malformed(&mut self, id: ConnectionId) -> bool {
        let (now, most) = (self.ctx.fx.now, self.ctx.fx.settings.malformed_max);
        let count = self.connections.find(id).map_or(0, |known| known.malformed.count(now));
        let too_many = most > 0 && count >= most;
        if too_many {
            self.ctx.fx.stats.reached(Limit::Malformed);
            self.ctx.fx.close(id, CloseCause::Abusive);
        }
        too_many
    }

    pub(super) fn on_call(&mut self, endpoint: Endpoint, call: Call<'_>, caller: Caller) {
        let caller = Caller { reply_to: call.reply_to.clone(), ..caller };
        let app = App::of(endpoint, &call.name);
        if endpoint == Endpoint::Realtime && SILENT_CALLS.contains(&&*call.name) {
            return;
        }
        let pings = match endpoint {
            Endpoint::Realtime => call.name == "PING",
            Endpoint::Chat => false,
            Endpoint::Echo
            | Endpoint::Documents
            | Endpoint::Connect
            | Endpoint::SocketIo
            | Endpoint::Drafts
            | Endpoint::YWebsocket
            | Endpoint::Hocuspocus => FREE_CALLS.contains(&&*call.name),
        };
        let free = pings || call.name == "auth:refresh";
        if free && !self.may_call_free(caller.connection) {
            self.ctx.fx.stats.reached(Limit::Pings);
            let (most, span) = (self.ctx.fx.settings.rate_limit_pings, Duration::from_secs(1));
            let refusal = Refusal::rate_limited(most, span, span / most.max(1));
            return self.refuse(app, &caller, &refusal);
        }
        match &*call.name {
            "auth:refresh" => return self.on_refresh(app, call.data, caller),
            "ping" | "PING" if pings => return self.pong(app, &caller),
            "pong" if pings => return,
            _ => {}
        }
        let Some(asked) = self.read(endpoint, app, &call, &caller) else { return };
        let about = asked.about();
        let applied = match self.count(&asked, &caller) {
            Ok(()) => self.apply(asked, &call, caller),
            Err(refusal) => Err((caller, refusal)),
        };
        if let Err((caller, refusal)) = applied {
            self.refuse_about(app, about, &caller, &refusal);
        }
    }

    fn pong(&mut self, app: App, caller: &Caller) {
        let pong = match app {
            App::Documents => Event::new("pong", &json!({})),
            App::Drafts => Event::new("pong", &json!({})).of("draft"),
            App::Dashboards => Event::new("PONG", &json!({})),
            App::Chat | App::Projects | App::Server => {
                Event::new("pong", &json!({"timestamp": self.ctx.fx.now.to_string()}))
            }
        };
        self.ctx.fx.reply(caller, &pong);
    }

    /// What costs nothing of a user's budget is still not without limit: it shares the pings'.
    fn may_call_free(&mut self, id: ConnectionId) -> bool {
        let (now, settings) = (self.ctx.fx.now, self.ctx.fx.settings);
        self.connections.find(id).is_some_and(|known| known.may_ping(settings, now))
    }

    /// Reads a call as its app does; `None`: it is to be ignored, whatever the caller's budget.
    fn read(&mut self, endpoint: Endpoint, app: App, call: &Call<'_>, caller: &Caller) -> Option<Asked> {
        let asked = match app {
            App::Drafts if endpoint == Endpoint::Drafts => {
                let draft = self.drafts.of(caller.connection)?;
                drafts::Command::parse(&draft, &call.name, call.data).map(Asked::Drafts)
            }
            App::Drafts => {
                drafts::Command::parse_among(&call.name, call.data, call.attachments).map(Asked::Drafts)
            }
            App::Documents if endpoint == Endpoint::Documents => {
                match documents::Command::parse(&call.name, call.data) {
                    documents::Parsed::Command(command) => Some(Asked::Documents(Ok(command))),
                    documents::Parsed::Unknown => None,
                    documents::Parsed::Malformed => {
                        self.ctx.fx.stats.malformed += 1;
                        return None;
                    }
                }
            }
            App::Documents => documents::Command::parse_among(&call.name, call.data).map(Asked::Documents),
            App::Chat => chat::Command::parse(&call.name, call.data, call.attachments).map(Asked::Chat),
            App::Projects | App::Server => {
                projects::Command::parse(&call.name, call.data).map(Asked::Projects)
            }
            App::Dashboards if endpoint == Endpoint::Realtime => {
                let id = match &call.reply_to {
                    Some(ReplyId::Request(id)) => Some(&**id),
                    Some(ReplyId::SocketIo(_)) | None => None,
                };
                dashboards::Command::parse(&call.name, call.data, id).map(Asked::Dashboards)
            }
            App::Dashboards => dashboards::Command::parse_among(&call.name, call.data).map(Asked::Dashboards),
        };
        Some(asked.unwrap_or(Asked::Unknown))
    }

    /// Counts a call of its user; signals have a limit of their own.
    pub(super) fn count(&mut self, asked: &Asked, caller: &Caller) -> Result<(), Refusal> {
        let (settings, now) = (self.ctx.fx.settings, self.ctx.fx.now);
        if matches!(asked, Asked::Drafts(Ok(command)) if command.is_unlimited()) {
            return Ok(());
        }
        let is_signal = match asked {
            Asked::Chat(Ok(command)) => command.is_signal(),
            Asked::Drafts(Ok(command)) => command.is_signal(),
            Asked::Chat(Err(_))
            | Asked::Drafts(Err(_))
            | Asked::Documents(_)
            | Asked::Projects(_)
            | Asked::Dashboards(_)
            | Asked::Unknown => false,
        };
        let second = Duration::from_secs(1);
        let (limit, rate, window, counted) = if is_signal {
            let (rate, at_once) = (settings.rate_limit_signals, settings.signals_at_once());
            let counted = self.connections.count_signal(&caller.user, rate, at_once, now);
            (Limit::Signals, rate, second, counted)
        } else if matches!(asked, Asked::Dashboards(_)) || caller.envelope == Envelope::Realtime {
            let (rate, at_once) = (settings.rate_limit_dashboard, settings.dashboard_calls_at_once());
            let counted = self.connections.count_dashboard_call(&caller.user, rate, at_once, now);
            (Limit::DashboardCalls, rate, second, counted)
        } else {
            let calls = settings.rate_limit_calls;
            let counted = self.connections.count_call(&caller.user, calls, now);
            (Limit::Calls, calls, crate::connection::WINDOW, counted)
        };
        counted.map_err(|wait| {
            self.ctx.fx.stats.reached(limit);
            Refusal::rate_limited(rate, window, wait)
        })
    }

    fn apply(&mut self, asked: Asked, call: &Call<'_>, caller: Caller) -> Result<(), (Caller, Refusal)> {
        match asked {
            Asked::Documents(Ok(command)) => {
                let applied = self.documents.apply(command, &caller, &mut self.ctx);
                applied.map_err(|refusal| (caller, refusal))
            }
            Asked::Chat(Ok(ref command)) if !call.attachments.is_empty() && !command.takes_attachments() => {
                Err((caller, Refusal::new(Code::ClientError, "no binary attachment is taken here")))
            }
            Asked::Chat(Ok(command)) => self.chat.apply(command, caller, &mut self.ctx),
            Asked::Projects(Ok(command)) => self.projects.apply(command, caller, &mut self.ctx),
            Asked::Drafts(Ok(ref command))
                if !call.attachments.is_empty() && !command.takes_attachments() =>
            {
                Err((caller, Refusal::new(Code::ClientError, "no binary attachment is taken here")))
            }
            Asked::Drafts(Ok(command)) => {
                self.drafts.apply(command, caller, &mut self.ctx);
                Ok(())
            }
            Asked::Dashboards(Ok(command)) => self.dashboards.apply(command, caller, &mut self.ctx),
            Asked::Documents(Err(refusal))
            | Asked::Chat(Err(refusal))
            | Asked::Projects(Err(refusal))
            | Asked::Drafts(Err(refusal))
            | Asked::Dashboards(Err(refusal)) => Err((caller, refusal)),
            Asked::Unknown => Err(self.unknown(call, caller)),
        }
    }

    fn unknown(&mut self, call: &Call<'_>, caller: Caller) -> (Caller, Refusal) {
        let record = Record::new(Level::Warn, "ws.unknown").with("name", &*call.name);
        self.ctx.fx.log(record.with("connectionId", crate::connection::name(caller.connection)));
        (caller, Refusal::new(Code::ClientError, format!("there is no call {:?}", call.name)))
    }

    pub(super) fn refuse(&mut self, app: App, caller: &Caller, refusal: &Refusal) {
        self.refuse_about(app, None, caller, refusal);
    }

    /// Refuses a call about one of several things of its app.
    fn refuse_about(&mut self, app: App, about: About, caller: &Caller, refusal: &Refusal) {
        let event = Event { within: about, ..refused(app, refusal) };
        self.ctx.fx.refuse(caller, &event);
    }

    /// Counts the refusals of this step, whoever spoke them and whenever the calls came.
    pub(super) fn count_refusals(&mut self) {
        let (most, now) = (self.ctx.fx.settings.refusals_max, self.ctx.fx.now);
        while let Some(id) = self.ctx.fx.refused.pop() {
            let count = self.connections.find(id).map_or(0, |known| known.refusals.count(now));
            if most > 0 && count >= most {
                self.ctx.fx.stats.reached(Limit::Refusals);
                self.ctx.fx.close(id, CloseCause::Abusive);
            }
        }
    }
}

/// Why not, in the words of an app.
fn refused(app: App, refusal: &Refusal) -> Event {
    match app {
        App::Documents => documents::refused(refusal),
        App::Chat => chat::refused(refusal),
        App::Projects | App::Server => projects::refused(refusal),
        App::Drafts => drafts::refused(refusal),
        App::Dashboards => dashboards::refused(refusal),
    }
}
