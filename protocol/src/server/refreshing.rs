//! A new token for a connection that goes on (WIRE §0.2).

use super::Parts;
use crate::auth::{AuthFailure, TOKEN_BYTES_MAX, User};
use crate::connection::Waiting;
use crate::context::Caller;
use crate::door::Credential;
use crate::envelope::Event;
use crate::input::KeysFetched;
use crate::job::{Job, Outcome};
use crate::metrics::App;
use crate::record::{Level, Record};
use crate::refusal::{Code, Refusal};
use crate::tickets::Pending;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

impl Parts<'_> {
    pub(super) fn on_refresh(&mut self, app: App, data: &str, caller: Caller) {
        #[derive(Deserialize)]
        struct Refresh {
            token: String,
        }
        let address = self.connections.find(caller.connection).map(|known| known.address);
        let listens_not = |from| self.door.listens_not(from, Credential::Refresh, &mut self.ctx.fx);
        if let Some((refusal, _)) = address.and_then(listens_not) {
            return self.refuse(app, &caller, &refusal);
        }
        match crate::json::object::<Refresh>(data) {
            Ok(Refresh { token }) if token.len() <= TOKEN_BYTES_MAX && !self.ctx.fx.is_busy() => {
                self.ctx.fx.work(Job::VerifyToken { token }, Pending::Connection(Waiting::Refresh(caller)));
            }
            Ok(Refresh { token }) if token.len() > TOKEN_BYTES_MAX => {
                self.refuse(app, &caller, &Refusal::too_large("token", token.len(), TOKEN_BYTES_MAX));
            }
            Ok(_) => self.refuse(app, &caller, &Refusal::busy()),
            Err(_) => self.refuse(app, &caller, &Refusal::new(Code::ClientError, "no token to refresh with")),
        }
    }

    /// Nobody has looked at a new token in time.
    pub(super) fn refuse_late(&mut self, caller: &Caller) {
        let Some(endpoint) = self.connections.find(caller.connection).map(|known| known.endpoint) else {
            return;
        };
        self.refuse(App::of(endpoint, "auth:refresh"), caller, &Refusal::busy());
    }

    pub(super) fn on_refreshed(&mut self, caller: Caller, outcome: Outcome) {
        let Some(connection) =
            self.connections.find(caller.connection).filter(|known| known.closing.is_none())
        else {
            return;
        };
        // Who has left the namespace meanwhile, or is somebody else by now, has nothing to refresh.
        let is_same = |user: &User| user.id == caller.user.id && user.firm == caller.user.firm;
        if !connection.user.as_deref().is_some_and(is_same) {
            return;
        }
        let app = App::of(connection.endpoint, "auth:refresh");
        if let Outcome::Token(Err(failure)) = &outcome {
            let shown = (connection.address, Credential::Refresh);
            self.door.addresses.failed(shown, failure, self.ctx.fx.settings, self.ctx.fx.now);
        }
        match outcome {
            Outcome::Token(Ok(user)) if user.id == caller.user.id && user.firm == caller.user.firm => {
                let ends = user.expires_at;
                let user = Arc::new(user);
                connection.user = Some(user.clone());
                let refreshed = Event::new("auth:refreshed", &json!({"expiresAt": ends.to_string()}));
                self.connections.watch_token(caller.connection, &mut self.ctx.fx);
                self.ctx.fx.reply(&caller, &refreshed);
                let before = caller.user.user_type;
                self.chat.on_refreshed(before, Caller { user, reply_to: None, ..caller }, &mut self.ctx);
            }
            Outcome::Token(Err(AuthFailure::NotNow { retry_after })) => {
                self.refuse(app, &caller, &Refusal::keys_unavailable(Code::ServerError, retry_after));
            }
            Outcome::Token(_)
            | Outcome::Service(_)
            | Outcome::Rendered(_)
            | Outcome::Inspected(_)
            | Outcome::Joined(_)
            | Outcome::Doc(_)
            | Outcome::Unpacked(_)
            | Outcome::Spelled(_)
            | Outcome::Board(_)
            | Outcome::Written(..) => {
                self.refuse(app, &caller, &Refusal::new(Code::AuthFailed, "authentication failed"));
            }
        }
    }

    /// The keys for tokens were fetched, or could not be: those that are held stay good meanwhile.
    pub(super) fn on_keys_fetched(&mut self, fetched: Result<KeysFetched, String>) {
        self.ctx.fx.stats.keys_down = fetched.is_err();
        let record = match fetched {
            Ok(KeysFetched { held, left_out }) => {
                Record::new(Level::Info, "auth.keys").with("held", held).with("leftOut", left_out)
            }
            Err(why) => Record::new(Level::Warn, "auth.keys").with("failed", why),
        };
        self.ctx.fx.log(record);
    }
}
