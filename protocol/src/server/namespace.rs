//! Who a Socket.IO session is: CONNECT with its token, what was there before and is taken up again, and leaving.

use super::Parts;
use super::sessions::NAMESPACE;
use crate::apps;
use crate::auth::{AuthFailure, TOKEN_BYTES_MAX, User};
use crate::connection::{Endpoint, Names, Resumption, Waiting, name};
use crate::door::Credential;
use crate::frame::Frame;
use crate::ids::ConnectionId;
use crate::job::{Job, Outcome};
use crate::metrics::Limit;
use crate::outbox::Class;
use crate::record::{Level, Record};
use crate::refusal::{Code, Refusal};
use crate::tickets::Pending;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// What CONNECT may carry.
#[derive(Default, Deserialize)]
struct Auth {
    token: Option<String>,
    pid: Option<String>,
    offset: Option<String>,
}

impl Parts<'_> {
    pub(super) fn on_connect(&mut self, id: ConnectionId, auth: Option<&str>) {
        let auth = match auth.map(serde_json::from_str::<Auth>).transpose() {
            Ok(auth) => auth.unwrap_or_default(),
            Err(_) => return self.refuse_connect(id, &AuthFailure::Bad),
        };
        let address = self.connections.find(id).map(|known| known.address);
        let listens_not = |from| self.door.listens_not(from, Credential::Token, &mut self.ctx.fx);
        if let Some((refusal, _)) = address.and_then(listens_not) {
            self.connect_error(id, &refusal.message.clone(), &json!(refusal));
            self.count_malformed(id);
            return;
        }
        let Some(engine) = self.ctx.fx.transports.engine(id) else { return };
        let token = match (&engine.token.0, &auth.token) {
            (Err(failure), _) => Err(failure.clone()),
            (Ok(Some(head)), Some(token)) if head != token => Err(AuthFailure::Disagreeing),
            (Ok(Some(token)), _) | (Ok(None), Some(token)) => Ok(token.clone()),
            (Ok(None), None) => Err(AuthFailure::Missing),
        };
        match token {
            Ok(token) if token.len() > TOKEN_BYTES_MAX => self.refuse_connect(id, &AuthFailure::Bad),
            Ok(token) if !self.ctx.fx.is_busy() => {
                let recover = auth.pid.and_then(|pid| Some((pid, auth.offset?.parse().ok()?)));
                let waiting = Waiting::Connect { connection: id, recover };
                self.ctx.fx.work(Job::VerifyToken { token }, Pending::Connection(waiting));
            }
            Ok(_) => self.connect_late(id),
            Err(failure) => self.refuse_connect(id, &failure),
        }
    }

    fn refuse_connect(&mut self, id: ConnectionId, failure: &AuthFailure) {
        self.ctx.fx.stats.auth_failures += 1;
        let record = Record::new(Level::Warn, "auth.failed").with("reason", failure.to_string());
        let address = self.connections.find(id).map(|known| known.address);
        if let Some(address) = address {
            let shown = (address, Credential::Token);
            self.door.addresses.failed(shown, failure, self.ctx.fx.settings, self.ctx.fx.now);
        }
        self.ctx
            .fx
            .log(record.with("address", address.map(|address| address.to_string()).unwrap_or_default()));
        self.connect_error(id, "authentication failed", &json!({"code": Code::AuthFailed.as_str()}));
        self.count_malformed(id);
    }

    fn connect_error(&mut self, id: ConnectionId, message: &str, data: &Value) {
        let error = format!("{{\"message\":{},\"data\":{data}}}", json!(message));
        let engine = self.ctx.fx.transports.engine(id);
        if let Some(frame) = engine.map(|engine| engine.client.refused(NAMESPACE, &error)) {
            self.ctx.fx.send(id, frame, Class::Kept);
        }
    }

    /// Nobody has looked at the token in time.
    pub(super) fn connect_late(&mut self, id: ConnectionId) {
        let refusal = Refusal::busy();
        self.connect_error(id, &refusal.message.clone(), &json!(refusal));
    }

    /// Whether the token is good cannot be said now: the client is to try again.
    fn put_off_connect(&mut self, id: ConnectionId, wait: Duration) {
        let refusal = Refusal::keys_unavailable(Code::ServerError, wait);
        self.connect_error(id, &refusal.message.clone(), &json!(refusal));
    }

    /// The token of who connects was looked at.
    pub(super) fn on_connect_verified(
        &mut self,
        id: ConnectionId,
        recover: Option<(String, u64)>,
        outcome: Outcome,
    ) {
        if self.connections.find(id).is_none_or(|known| known.closing.is_some() || known.user.is_some()) {
            return;
        }
        match outcome {
            Outcome::Token(Ok(user)) => {
                let owner = (user.firm.clone(), user.id.clone());
                let engine = self.ctx.fx.transports.engine(id);
                if engine.is_some_and(|engine| *engine.owner.get_or_insert(owner.clone()) != owner) {
                    // What was under way for the one before would be told to this one.
                    return self.refuse_connect(id, &AuthFailure::Disagreeing);
                }
                if let Some((pid, _)) = &recover {
                    self.lose_former(&user, pid);
                }
                let most = self.ctx.fx.settings.connections_per_user;
                if most > 0 && self.connections.count_of(&user) >= most {
                    self.ctx.fx.stats.reached(Limit::ConnectionsPerUser);
                    let message = format!("over the limit of {most} connections of one user");
                    let refusal = Refusal::new(Code::RateLimited, message);
                    return self.connect_error(id, &refusal.message.clone(), &json!(refusal));
                }
                self.enter_namespace(id, user, recover);
            }
            Outcome::Token(Err(AuthFailure::NotNow { retry_after })) => self.put_off_connect(id, retry_after),
            Outcome::Token(Err(failure)) => self.refuse_connect(id, &failure),
            Outcome::Service(_)
            | Outcome::Rendered(_)
            | Outcome::Inspected(_)
            | Outcome::Joined(_)
            | Outcome::Doc(_)
            | Outcome::Unpacked(_)
            | Outcome::Spelled(_)
            | Outcome::Board(_)
            | Outcome::Written(..) => {
                self.refuse_connect(id, &AuthFailure::Bad);
            }
        }
    }

    fn enter_namespace(&mut self, id: ConnectionId, user: User, recover: Option<(String, u64)>) {
        let user = Arc::new(user);
        self.connections.enter(id, user.clone());
        let (names, places) = match recover.and_then(|(pid, heard)| self.recovered(&user, &pid, heard)) {
            Some((names, places)) => (names, places),
            None => (Arc::new(self.new_names()), Vec::new()),
        };
        let Some(engine) = self.ctx.fx.transports.engine(id) else { return };
        engine.connected = Some(names.clone());
        self.sessions.recovery.came(&names, id);
        let frame: Frame = engine.client.accepted(NAMESPACE, &names.sid, names.pid.as_deref());
        self.ctx.fx.send(id, frame, Class::Kept);
        let record = Record::new(Level::Info, "ws.connect").with("connectionId", name(id));
        let record = record.with("endpoint", Endpoint::SocketIo.path()).with("userId", user.id.as_str());
        self.ctx.fx.log(record.with("firmId", user.firm.as_str()));
        self.ctx.rooms.welcome(id);
        self.connections.watch_token(id, &mut self.ctx.fx);
        let Some(caller) = self.connections.caller(id, None) else { return };
        for Resumption { room, at, own } in places {
            apps::comes_back(&room, &caller, &mut self.ctx);
            self.ctx.rooms.resume(&room, caller.clone(), (at, own), &mut self.ctx.fx);
        }
        self.on_user_came(&caller);
    }

    /// A client comes back to a connection that nobody has seen break: between two requests of a client that polls,
    /// or on a line that died silently. It is lost from now on.
    fn lose_former(&mut self, user: &User, pid: &str) {
        let Some(former) = self.sessions.recovery.connected(pid) else { return };
        let owns = |known: &User| known.id == user.id && known.firm == user.firm;
        let known = self.connections.find(former).filter(|known| known.closing.is_none());
        if known.and_then(|known| known.user.as_deref()).is_some_and(owns) {
            self.with_session(former, |engine, _, orders| engine.session.lose(orders));
        }
    }

    fn new_names(&mut self) -> Names {
        let recovers = !self.ctx.fx.settings.recovery_window.is_zero();
        let sid = self.ctx.fx.rng.id("sio");
        Names { sid, pid: recovers.then(|| self.ctx.fx.rng.id("pid")) }
    }

    /// What a client had before it was cut off, where it is certain what it has missed, and all of it is still there
    /// and open to its user.
    fn recovered(&mut self, user: &User, pid: &str, heard: u64) -> Option<(Arc<Names>, Vec<Resumption>)> {
        self.sessions.recovery.tidy(self.ctx.fx.now);
        let remembered = self.sessions.recovery.take(pid, user)?;
        if heard > self.ctx.fx.transports.last_offset() {
            return None;
        }
        let places = remembered.resume(heard)?;
        let open = places.iter().all(|place| {
            let room = self.ctx.rooms.find(&place.room);
            room.is_some_and(|room| apps::may_hear(room, user) && place.at <= room.head())
        });
        open.then_some((remembered.names, places))
    }

    /// The client has left the namespace; its session goes on without it.
    pub(super) fn leave_namespace(&mut self, id: ConnectionId) {
        self.take_out(id);
        self.log_left(id, 1000, "left by the client");
        self.connections.exit(id);
        self.forget_names(id);
    }

    /// Nobody is known by the names of this connection any more.
    pub(super) fn forget_names(&mut self, id: ConnectionId) {
        let engine = self.ctx.fx.transports.engine(id);
        if let Some(names) = engine.and_then(|engine| engine.connected.take()) {
            self.sessions.recovery.went(&names);
        }
    }

    /// Remembers a connection that was cut off, if all it had can be taken up again.
    pub(super) fn remember(&mut self, id: ConnectionId) {
        let ends = self.ctx.fx.now + self.ctx.fx.settings.recovery_window;
        let Some(caller) = self.connections.caller(id, None) else { return };
        let Some(engine) = self.ctx.fx.transports.engine(id) else { return };
        let (Some(names), last_own) = (engine.connected.clone(), engine.last_own) else { return };
        // Who sits in a draft is asked for what it has when it comes in; that is done by opening it again.
        if names.pid.is_none() || self.documents.has_session(id) || self.drafts.sits_anywhere(id) {
            return;
        }
        let rooms = self.ctx.rooms.joined(id).to_vec();
        let mut places = Vec::with_capacity(rooms.len());
        for room in &rooms {
            let Some(room) = self.ctx.rooms.find(room) else { return };
            let Some(place) = room.place(id) else { return };
            places.push(place);
        }
        for room in &rooms {
            if let Some(room) = self.ctx.rooms.find(room) {
                room.hold(ends);
            }
        }
        self.sessions.recovery.remember(names, &caller.user, last_own, places, ends);
    }
}
