//! The endpoints of Yjs providers: binary frames become commands of the drafts. Over `/hocuspocus` each document is opened
//! with a token of its own; the first that is good says whose the connection is.

use super::Parts;
use super::calls::Asked;
use crate::action::CloseCause;
use crate::apps::drafts::{self, Asks, Drafts};
use crate::auth::{AuthFailure, TOKEN_BYTES_MAX, User};
use crate::connection::{Connection, Endpoint, Waiting};
use crate::context::Caller;
use crate::door::{Admitted, Credential};
use crate::envelope::{Envelope, Event, Malformed};
use crate::frame::Frame;
use crate::ids::ConnectionId;
use crate::job::{Job, Outcome};
use crate::metrics::{App, Limit};
use crate::outbox::Class;
use crate::record::{Level, Record};
use crate::refusal::{Code, Refusal};
use crate::tickets::Pending;
use crate::timers::Timer;
use crate::y_sync::hocuspocus::{self, Said};
use crate::y_sync::{self, Message, SyncMessage};
use bytes::Bytes;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// How long a `/hocuspocus` connection may last without a document that it was let into (WIRE §0.3).
const AUTHENTICATE_WAIT_MAX: Duration = Duration::from_secs(60);
/// What a client is told whose token is not good.
const DENIED: &str = "permission-denied";

impl Parts<'_> {
    /// A connection that is there for a draft, or for documents that it will name, came in.
    pub(super) fn admit_to_draft(&mut self, id: ConnectionId, admitted: &Admitted) {
        if admitted.endpoint == Endpoint::Hocuspocus {
            let at = self.ctx.fx.now + AUTHENTICATE_WAIT_MAX;
            self.ctx.fx.timers.set(at, Timer::Unauthenticated(id));
        }
        if let (Some(draft), Some(caller)) = (&admitted.draft, self.connections.caller(id, None)) {
            self.drafts.on_came(caller, draft.clone(), &mut self.ctx);
        }
    }

    pub(super) fn on_unauthenticated(&mut self, id: ConnectionId) {
        let nobody =
            |known: &mut crate::connection::Connection| known.user.is_none() && known.closing.is_none();
        if self.connections.find(id).is_some_and(nobody) {
            self.ctx.fx.close(id, CloseCause::AuthenticationFailed);
        }
    }

    /// A large message is taken apart outside the lock; until then nothing more is read.
    pub(super) fn unpack(&mut self, id: ConnectionId, text: Bytes) {
        self.drafts.stop_reading(id, &mut self.ctx);
        self.ctx.fx.work(Job::Unpack { text }, Pending::Connection(Waiting::Unpacked(id)));
    }

    /// A large message was taken apart, or nobody did it in time.
    pub(super) fn on_unpacked(&mut self, id: ConnectionId, outcome: Option<Outcome>) {
        self.drafts.read_on(id, &mut self.ctx);
        let (Some(caller), Some(draft)) = (self.connections.caller(id, None), self.drafts.of(id)) else {
            return;
        };
        let command = match outcome {
            Some(Outcome::Unpacked(Ok(unpacked))) => drafts::Command::unpacked(draft, unpacked),
            Some(Outcome::Unpacked(Err(why))) => {
                let malformed = Malformed { why, reply_to: None, version: false };
                return self.on_malformed(Endpoint::Drafts, malformed, caller);
            }
            Some(_) | None => return self.ctx.fx.close(id, CloseCause::Overloaded),
        };
        let refusal = match command {
            Some(Ok(command)) => return self.on_asks(command, caller),
            Some(Err(refusal)) => refusal,
            None => Refusal::new(Code::ClientError, "there is no call of this type that brings bytes"),
        };
        self.ctx.fx.refuse(&caller, &drafts::refused(&refusal));
    }

    /// A binary message of a provider.
    pub(super) fn on_bytes(&mut self, id: ConnectionId, endpoint: Endpoint, bytes: &Bytes) {
        self.heard(id, App::Drafts);
        match endpoint {
            Endpoint::YWebsocket => match y_sync::read(bytes) {
                Ok(message) => self.on_y_websocket(id, message),
                Err(_) => self.on_bad_bytes(id),
            },
            Endpoint::Hocuspocus => match hocuspocus::Frame::read(bytes) {
                Ok(frame) => self.on_hocuspocus(id, frame),
                Err(_) => self.on_bad_bytes(id),
            },
            Endpoint::Echo
            | Endpoint::Documents
            | Endpoint::Chat
            | Endpoint::Connect
            | Endpoint::SocketIo
            | Endpoint::Realtime
            | Endpoint::Drafts => {}
        }
    }

    /// There is no word for what is malformed; too much of it ends the connection.
    fn on_bad_bytes(&mut self, id: ConnectionId) {
        self.ctx.fx.stats.malformed += 1;
        if !self.count_malformed(id) && self.connections.find(id).is_some_and(|known| known.user.is_none()) {
            // It says nothing that would let it in.
            self.ctx.fx.close(id, CloseCause::AuthenticationFailed);
        }
    }

    fn on_y_websocket(&mut self, id: ConnectionId, message: Message) {
        let (Some(caller), Some(draft)) = (self.connections.caller(id, None), self.drafts.of(id)) else {
            return;
        };
        let asks = match message {
            Message::Sync(SyncMessage::Step1(vector)) => Asks::State(Some(vector)),
            Message::Sync(SyncMessage::Step2(update)) => Asks::Answer(update),
            Message::Sync(SyncMessage::Update(update)) => Asks::Update(update, None),
            Message::Awareness(states) => Asks::Awareness(states),
            Message::QueryAwareness => Asks::QueryAwareness,
            Message::Denied(_) => return,
        };
        self.on_asks(drafts::Command { draft, asks, base64: false }, caller);
    }

    fn on_hocuspocus(&mut self, id: ConnectionId, frame: hocuspocus::Frame) {
        let (document, said) = match frame {
            hocuspocus::Frame::Ping => {
                let pong = Frame::binary(&hocuspocus::Frame::Pong.write());
                return self.ctx.fx.send(id, pong, Class::Kept);
            }
            hocuspocus::Frame::Pong => return,
            hocuspocus::Frame::Said { document, said } => (document, said),
        };
        if let Said::Auth { token, .. } = said {
            return self.verify_document(id, document, token.0);
        }
        if matches!(said, Said::BroadcastStateless(_)) {
            return self.on_bad_bytes(id);
        }
        let Some(asks) = Drafts::heard(said) else { return };
        let Ok(draft) = drafts::draft_id(&document) else { return self.on_bad_bytes(id) };
        let caller = self.connections.caller(id, None);
        if let Some(caller) = caller.clone().filter(|_| self.drafts.is_inside(&draft, id)) {
            return self.on_asks(drafts::Command { draft, asks, base64: false }, caller);
        }
        // Who nobody knows yet is not to fill the memory; others come again.
        if !self.drafts.wait_to_come_in(id, draft, asks) {
            let cause = if caller.is_none() { CloseCause::Abusive } else { CloseCause::Overloaded };
            self.ctx.fx.close(id, cause);
        }
    }

    fn on_asks(&mut self, command: drafts::Command, caller: Caller) {
        let asked = Asked::Drafts(Ok(command));
        // What is too much of a signal is passed over: there is no word for it.
        if self.count(&asked, &caller).is_err() {
            return self.ctx.fx.refused.push(caller.connection);
        }
        if let Asked::Drafts(Ok(command)) = asked {
            self.drafts.apply(command, caller, &mut self.ctx);
        }
    }

    /// A token for a document. Until it is looked at nothing more is read: what follows would be for nobody.
    fn verify_document(&mut self, id: ConnectionId, document: Arc<str>, token: String) {
        if token.len() > TOKEN_BYTES_MAX || drafts::draft_id(&document).is_err() {
            return self.deny(id, document, DENIED);
        }
        if self.ctx.fx.is_busy() {
            return self.on_token_late(id);
        }
        let from = self.connections.find(id).map(|known| (known.address, shown_by(known)));
        let listens_not = |(from, shown)| self.door.listens_not(from, shown, &mut self.ctx.fx);
        if from.and_then(listens_not).is_some() {
            return self.on_token_late(id);
        }
        self.drafts.stop_reading(id, &mut self.ctx);
        let waiting = Waiting::Document { connection: id, document };
        self.ctx.fx.work(Job::VerifyToken { token }, Pending::Connection(waiting));
    }

    fn deny(&mut self, id: ConnectionId, document: Arc<str>, reason: &str) {
        let event = Event::new("denied", &json!({})).within("draftId", document);
        let event = event.said(Said::Denied(reason.to_string()));
        self.ctx.fx.tell(id, Envelope::Hocuspocus, &event, Class::Kept);
    }

    /// Nobody has looked at the token in time. A provider that is denied never asks again, so it has to connect anew.
    pub(super) fn on_token_late(&mut self, id: ConnectionId) {
        self.ctx.fx.close(id, CloseCause::Overloaded);
        self.drafts.read_on(id, &mut self.ctx);
    }

    /// The token for a document was looked at.
    pub(super) fn on_document_verified(&mut self, id: ConnectionId, document: Arc<str>, outcome: Outcome) {
        let Some(connection) = self.connections.find(id).filter(|known| known.closing.is_none()) else {
            return;
        };
        let is_other = |user: &User| {
            connection.user.as_ref().is_some_and(|known| known.id != user.id || known.firm != user.firm)
        };
        if matches!(outcome, Outcome::Token(Err(AuthFailure::NotNow { .. }))) {
            return self.on_token_late(id);
        }
        let failure =
            if let Outcome::Token(Err(failure)) = &outcome { failure } else { &AuthFailure::Disagreeing };
        let (failure, user) =
            (failure.clone(), if let Outcome::Token(Ok(user)) = outcome { Some(user) } else { None });
        let Some(user) = user.filter(|user| !is_other(user)).map(Arc::new) else {
            self.ctx.fx.stats.auth_failures += 1;
            let address = connection.address;
            let shown = (address, shown_by(connection));
            self.door.addresses.failed(shown, &failure, self.ctx.fx.settings, self.ctx.fx.now);
            let record = Record::new(Level::Warn, "auth.failed").with("reason", "a document's token is bad");
            self.ctx.fx.log(record.with("address", address.to_string()));
            self.deny(id, document, DENIED);
            return self.drafts.read_on(id, &mut self.ctx);
        };
        if connection.user.is_none() {
            let most = self.ctx.fx.settings.connections_per_user;
            if most > 0 && self.connections.count_of(&user) >= most {
                self.ctx.fx.stats.reached(Limit::ConnectionsPerUser);
                self.deny(id, document, &format!("over the limit of {most} connections of one user"));
                return self.drafts.read_on(id, &mut self.ctx);
            }
            self.connections.enter(id, user);
            self.ctx.rooms.welcome(id);
        } else {
            connection.user = Some(user);
        }
        self.connections.watch_token(id, &mut self.ctx.fx);
        let (Some(caller), Ok(draft)) = (self.connections.caller(id, None), drafts::draft_id(&document))
        else {
            return;
        };
        // A token that was asked for again is for a draft that is open.
        match self.drafts.sits(&draft, id) {
            true => self.drafts.authenticated(&draft, &caller, &mut self.ctx),
            false => self.drafts.open_for(caller, draft, &mut self.ctx),
        }
        self.drafts.read_on(id, &mut self.ctx);
    }
}

/// What kind of credential a token for a document is: whoever has shown one before is in.
fn shown_by(connection: &Connection) -> Credential {
    if connection.user.is_some() { Credential::Refresh } else { Credential::Token }
}
