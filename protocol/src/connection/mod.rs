//! Connections: one session of one client each, with its user, its way of writing, its signs of life and its
//! budget.

mod heartbeat;
mod rate;
mod recovery;
mod transports;

pub use heartbeat::EXPIRY_NOTICE;
pub use rate::{Bucket, WINDOW, Window};
pub use recovery::{Place, Recovery, Resumption};
pub use transports::{Credential, Engine, Names, Transports};

use crate::action::{CloseCause, SocketLimits};
use crate::auth::User;
use crate::context::Caller;
use crate::envelope::{Envelope, ReplyId};
use crate::ids::{ConnectionId, FirmId, Slots, SocketId, UserId};
use crate::settings::Settings;
use crate::time::Timestamp;
use rate::Calls;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// The largest document of a draft, and so the largest message that brings one (WIRE §0.6).
const DOCUMENT_BYTES_MAX: u32 = 8 << 20;

/// What a connection waits for.
#[derive(Debug)]
pub enum Waiting {
    /// A new token is being verified.
    Refresh(Caller),
    /// A large message of `/ws` is taken apart.
    Unpacked(ConnectionId),
    /// The token for a document over `/hocuspocus` is being verified.
    Document {
        /// On which connection.
        connection: ConnectionId,
        /// For which document, as it is named.
        document: Arc<str>,
    },
    /// The token of who connects to the namespace of Socket.IO is being verified.
    Connect {
        /// Who.
        connection: ConnectionId,
        /// What it was before, and the last it heard then.
        recover: Option<(String, u64)>,
    },
}

/// Where a connection came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `/echo`
    Echo,
    /// `/documents`
    Documents,
    /// `/chat`
    Chat,
    /// `/api/connect`
    Connect,
    /// `/socket.io/`
    SocketIo,
    /// `/ws`
    Drafts,
    /// `/yjs/{draftId}`
    YWebsocket,
    /// `/hocuspocus`
    Hocuspocus,
    /// `/api/realtime`
    Realtime,
}

impl Endpoint {
    /// Its path.
    pub fn path(self) -> &'static str {
        match self {
            Self::Echo => "/echo",
            Self::Documents => "/documents",
            Self::Chat => "/chat",
            Self::Connect => "/api/connect",
            Self::SocketIo => "/socket.io/",
            Self::Drafts => "/ws",
            Self::YWebsocket => "/yjs",
            Self::Hocuspocus => "/hocuspocus",
            Self::Realtime => "/api/realtime",
        }
    }

    /// Whether Yjs providers come in there, who are told in their own way to give up.
    pub fn is_providers(self) -> bool {
        matches!(self, Self::YWebsocket | Self::Hocuspocus)
    }

    /// How its connections write.
    pub fn envelope(self) -> Envelope {
        match self {
            Self::Documents => Envelope::Fields,
            Self::Echo | Self::Chat | Self::Connect => Envelope::Event,
            Self::SocketIo => Envelope::SocketIo,
            Self::Drafts => Envelope::Draft,
            Self::YWebsocket => Envelope::YWebsocket,
            Self::Hocuspocus => Envelope::Hocuspocus,
            Self::Realtime => Envelope::Realtime,
        }
    }

    /// What its sockets take.
    pub fn limits(self, settings: &Settings) -> SocketLimits {
        let (message_bytes_max, fragments_max) = match self {
            Self::Echo => (16 << 20, 262_144),
            Self::SocketIo => (settings.engine_payload_bytes_max, 1_024),
            Self::Realtime => (256 << 10, 1_024),
            Self::Documents | Self::Chat | Self::Connect => (64 << 10, 1_024),
            Self::Drafts => (4 * DOCUMENT_BYTES_MAX, 1_024),
            Self::YWebsocket | Self::Hocuspocus => (DOCUMENT_BYTES_MAX, 1_024),
        };
        SocketLimits {
            message_bytes_max,
            fragments_max,
            message_wait_max: settings.message_timeout,
            for_providers: self.is_providers(),
        }
    }
}

/// One session of a client.
#[derive(Debug)]
pub struct Connection {
    /// Where it came in.
    pub endpoint: Endpoint,
    /// How it writes.
    pub envelope: Envelope,
    /// Who it is; `/echo` does not ask.
    pub user: Option<Arc<User>>,
    /// Where it came from.
    pub address: IpAddr,
    /// When it came.
    pub connected_at: Timestamp,
    /// Its last frame.
    pub last_heard: Timestamp,
    /// Its last message.
    pub active_at: Timestamp,
    /// How many messages came.
    pub messages: u32,
    /// When it was pinged, if it was since its last frame.
    pub pinged_at: Option<Timestamp>,
    /// When the end of its token is looked at next.
    pub token_due: Option<Timestamp>,
    /// The end of the token that its user was told of.
    pub expiry_told: Option<Timestamp>,
    /// Why it was closed, if it was: what still comes from it is not read.
    pub closing: Option<CloseCause>,
    /// Bytes echoed since its outbox was last empty enough.
    pub echoing: usize,
    /// Its pings.
    pub pings: Bucket,
    /// Its malformed messages.
    pub malformed: Window,
    /// The calls it was refused.
    pub refusals: Window,
}

impl Connection {
    /// Whether one more ping is answered now, or pong or free call is taken; counts it.
    pub fn may_ping(&mut self, settings: &Settings, now: Timestamp) -> bool {
        let rate = settings.rate_limit_pings;
        rate == 0 || self.pings.take(rate, rate.saturating_mul(2), now)
    }
}

/// Every connection, by itself, by socket and by user.
#[derive(Debug, Default)]
pub struct Connections {
    all: Slots<ConnectionId, Connection>,
    sockets: Slots<SocketId, ConnectionId>,
    users: BTreeMap<(FirmId, UserId), UserUse>,
}

/// What one user uses, over all its connections.
#[derive(Debug, Default)]
struct UserUse {
    connections: u32,
    calls: Calls,
    signals: Bucket,
    dashboards: Bucket,
}

/// What users use together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Their connections.
    pub connections: usize,
    /// Those who have any.
    pub users: usize,
    /// Those with calls in the last 60 s.
    pub active: usize,
}

/// The name of a connection in logs and in claims.
pub fn name(id: ConnectionId) -> String {
    format!("c{}.{}", id.slot, id.generation)
}

/// The connection that is called so.
pub fn named(text: &str) -> Option<ConnectionId> {
    let (slot, generation) = text.strip_prefix('c')?.split_once('.')?;
    let id = ConnectionId { slot: slot.parse().ok()?, generation: generation.parse().ok()? };
    (name(id) == text).then_some(id)
}

impl Connections {
    /// Takes in a connection that was let in at the door.
    pub fn open(
        &mut self,
        endpoint: Endpoint,
        user: Option<Arc<User>>,
        address: IpAddr,
        now: Timestamp,
    ) -> ConnectionId {
        if let Some(user) = &user {
            self.users.entry((user.firm.clone(), user.id.clone())).or_default().connections += 1;
        }
        self.all.insert(Connection {
            endpoint,
            envelope: endpoint.envelope(),
            user,
            address,
            connected_at: now,
            last_heard: now,
            active_at: now,
            messages: 0,
            pinged_at: None,
            token_due: None,
            expiry_told: None,
            closing: None,
            echoing: 0,
            pings: Bucket::default(),
            malformed: Window::default(),
            refusals: Window::default(),
        })
    }

    /// A connection is a user's from now on.
    pub fn enter(&mut self, id: ConnectionId, user: Arc<User>) {
        if let Some(connection) = self.all.get_mut(id) {
            self.users.entry((user.firm.clone(), user.id.clone())).or_default().connections += 1;
            connection.user = Some(user);
        }
    }

    /// A connection is nobody's any more.
    pub fn exit(&mut self, id: ConnectionId) {
        let Some(connection) = self.all.get_mut(id) else { return };
        connection.token_due = None;
        let Some(user) = connection.user.take() else { return };
        if let Some(used) = self.users.get_mut(&(user.firm.clone(), user.id.clone())) {
            used.connections = used.connections.saturating_sub(1);
        }
    }

    /// A socket that belongs to a connection.
    pub fn add_socket(&mut self, id: ConnectionId) -> SocketId {
        self.sockets.insert(id)
    }

    /// A socket has ended: whose it was.
    pub fn remove_socket(&mut self, socket: SocketId) -> Option<ConnectionId> {
        self.sockets.remove(socket)
    }

    /// Forgets a connection that has ended.
    pub fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let user = self.all.get(id)?.user.clone();
        self.exit(id);
        self.all.remove(id).map(|connection| Connection { user, ..connection })
    }

    /// The connection of a socket.
    pub fn by_socket(&mut self, socket: SocketId) -> Option<(ConnectionId, &mut Connection)> {
        let id = *self.sockets.get(socket)?;
        self.all.get_mut(id).map(|connection| (id, connection))
    }

    /// The connection, unless it is gone.
    pub fn find(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.all.get_mut(id)
    }

    /// Who calls on this connection.
    pub fn caller(&self, id: ConnectionId, reply_to: Option<ReplyId>) -> Option<Caller> {
        let connection = self.all.get(id)?;
        let user = connection.user.clone()?;
        let envelope = connection.envelope;
        Some(Caller { connection: id, envelope, user, reply_to })
    }

    /// Counts a call of this user; how long to wait if it is over the limit.
    pub fn count_call(&mut self, user: &User, limit: u32, now: Timestamp) -> Result<(), std::time::Duration> {
        match limit {
            0 => Ok(()),
            limit => {
                self.users.entry((user.firm.clone(), user.id.clone())).or_default().calls.count(limit, now)
            }
        }
    }

    /// Counts a signal of this user; how long to wait if it is over the limit.
    pub fn count_signal(
        &mut self,
        user: &User,
        rate: u32,
        at_once: u32,
        now: Timestamp,
    ) -> Result<(), std::time::Duration> {
        let known = self.users.entry((user.firm.clone(), user.id.clone())).or_default();
        match rate == 0 || known.signals.take(rate, at_once, now) {
            true => Ok(()),
            false => Err(std::time::Duration::from_secs(1) / rate),
        }
    }

    /// Counts a call of this user to a dashboard; how long to wait if it is over the limit.
    pub fn count_dashboard_call(
        &mut self,
        user: &User,
        rate: u32,
        at_once: u32,
        now: Timestamp,
    ) -> Result<(), std::time::Duration> {
        let known = self.users.entry((user.firm.clone(), user.id.clone())).or_default();
        match rate == 0 || known.dashboards.take(rate, at_once, now) {
            true => Ok(()),
            false => Err(std::time::Duration::from_secs(1) / rate),
        }
    }

    /// How many connections this user has.
    pub fn count_of(&self, user: &User) -> u32 {
        self.users.get(&(user.firm.clone(), user.id.clone())).map_or(0, |used| used.connections)
    }

    /// All connections, in the order of their slots.
    pub fn iter(&self) -> impl Iterator<Item = (ConnectionId, &Connection)> {
        self.all.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Those of a user, in whatever firm.
    pub fn of_user(&self, user: &UserId) -> Vec<ConnectionId> {
        let is_theirs = |known: &Connection| known.user.as_ref().is_some_and(|known| known.id == *user);
        self.all.iter().filter(|(_, known)| is_theirs(known)).map(|(id, _)| id).collect()
    }

    /// What the users of a firm use, or all users.
    pub fn usage(&self, firm: Option<&FirmId>, now: Timestamp) -> Usage {
        let mut usage = Usage::default();
        let of_firm = self.users.iter().filter(|((of, _), _)| firm.is_none_or(|firm| of == firm));
        for used in of_firm.map(|(_, used)| used) {
            usage.connections += used.connections as usize;
            usage.users += usize::from(used.connections > 0);
            usage.active += usize::from(used.calls.is_recent(now));
        }
        usage
    }

    /// How many users are known: with connections, or with calls that still count.
    pub fn users_len(&self) -> usize {
        self.users.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Forgets users who have gone and whose calls are long ago.
    pub fn tidy(&mut self, now: Timestamp) {
        self.users.retain(|_, used| {
            used.connections > 0
                || used.calls.is_recent(now)
                || !used.signals.is_full(now)
                || !used.dashboards.is_full(now)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_found_by_its_name_and_by_nothing_like_it() {
        let id = ConnectionId { slot: 12, generation: 3 };
        assert_eq!(named(&name(id)), Some(id));
        for other in ["", "c", "c12", "12.3", "c12.3.4", "c012.3", "c+12.3", "c12.-1", "c4294967296.0"] {
            assert_eq!(named(other), None, "{other}");
        }
    }
}
