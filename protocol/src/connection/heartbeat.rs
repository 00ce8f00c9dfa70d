//! Signs of life: a connection that is silent is pinged, and closed when it stays silent (WIRE §0.7).

use super::{Connection, Connections, name};
use crate::action::CloseCause;
use crate::context::Effects;
use crate::envelope::Event;
use crate::frame::Frame;
use crate::ids::ConnectionId;
use crate::outbox::Class;
use crate::record::{Level, Record};
use crate::time::Timestamp;
use crate::timers::Timer;
use serde_json::json;
use std::time::Duration;

/// How long before its end a token's user is told.
pub const EXPIRY_NOTICE: Duration = Duration::from_secs(60);
/// How long a timer for the end of a token is set ahead: the connection is mostly gone long before, and its
/// timer should not stay for the month that a token may last.
const EXPIRY_LOOK_INTERVAL: Duration = Duration::from_secs(300);

impl Connections {
    /// Sets the timers of a new connection.
    pub fn watch(&mut self, id: ConnectionId, fx: &mut Effects<'_>) {
        self.watch_heartbeat(id, fx);
        self.watch_token(id, fx);
    }

    /// Sets the heartbeat timer of a connection from now on, as if it had just been heard.
    pub fn watch_heartbeat(&mut self, id: ConnectionId, fx: &mut Effects<'_>) {
        if let Some(connection) = self.all.get_mut(id) {
            connection.pinged_at = None;
        }
        if fx.settings.heartbeat_interval > Duration::ZERO {
            fx.timers.set(fx.now + fx.settings.heartbeat_interval, Timer::Heartbeat(id));
        }
    }

    /// A connection has a token, its first or a new one: the timer for its end is set, unless an earlier one is.
    pub fn watch_token(&mut self, id: ConnectionId, fx: &mut Effects<'_>) {
        let Some(connection) = self.all.get_mut(id) else { return };
        let Some(ends) = connection.user.as_ref().map(|user| user.expires_at) else { return };
        let due = (ends - EXPIRY_NOTICE).max(fx.now);
        if connection.token_due.is_none_or(|set| due < set) {
            connection.set_token_timer(id, due, fx);
        }
    }

    /// A connection's heartbeat timer fired.
    pub fn on_heartbeat(&mut self, id: ConnectionId, fx: &mut Effects<'_>) {
        let Some(connection) = self.all.get_mut(id).filter(|connection| connection.closing.is_none()) else {
            return;
        };
        let (interval, timeout) = (fx.settings.heartbeat_interval, fx.settings.heartbeat_timeout);
        let due = match connection.pinged_at {
            // Only an unanswered ping counts: a machine that slept has heard nobody, and pinged nobody either.
            Some(pinged) if fx.now.since(pinged) >= timeout => {
                return fx.close(id, CloseCause::HeartbeatMissed);
            }
            Some(pinged) => pinged + timeout,
            None if fx.now.since(connection.last_heard) >= interval => {
                connection.pinged_at = Some(fx.now);
                fx.send(id, Frame::ping(), Class::Kept);
                fx.log(Record::new(Level::Debug, "ws.heartbeat").with("connectionId", name(id)));
                fx.now + timeout
            }
            None => connection.last_heard + interval,
        };
        fx.timers.set(due, Timer::Heartbeat(id));
    }

    /// A connection's token ends now, or in a minute. Whether it was told so.
    pub fn on_token_ends(&mut self, id: ConnectionId, fx: &mut Effects<'_>) -> bool {
        let Some(connection) = self.all.get_mut(id).filter(|connection| connection.closing.is_none()) else {
            return false;
        };
        // A timer that another took the place of means nothing any more.
        if connection.token_due.is_some_and(|due| fx.now < due) {
            return false;
        }
        let Some(ends) = connection.user.as_ref().map(|user| user.expires_at) else { return false };
        let mut told = false;
        let closes = ends + crate::auth::LEEWAY;
        if fx.now >= closes {
            fx.close(id, CloseCause::TokenExpired);
        } else if fx.now >= ends - EXPIRY_NOTICE {
            if connection.expiry_told.replace(ends) != Some(ends) {
                tell_expiring(id, connection, ends, fx);
                told = true;
            }
            connection.set_token_timer(id, closes, fx);
        } else {
            connection.set_token_timer(id, ends - EXPIRY_NOTICE, fx);
        }
        told
    }
}

impl Connection {
    fn set_token_timer(&mut self, id: ConnectionId, due: Timestamp, fx: &mut Effects<'_>) {
        let due = due.min(fx.now + EXPIRY_LOOK_INTERVAL);
        self.token_due = Some(due);
        fx.timers.set(due, Timer::TokenEnds(id));
    }
}

fn tell_expiring(id: ConnectionId, connection: &Connection, ends: Timestamp, fx: &mut Effects<'_>) {
    let event = Event::new("auth:expiring", &json!({"expiresAt": ends.to_string()}));
    fx.tell(id, connection.envelope, &event, Class::Kept);
}
