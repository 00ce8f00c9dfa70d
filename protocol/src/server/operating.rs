//! What operators ask and do (WIRE §0.10): who is connected, and that somebody no longer is.

use super::Parts;
use crate::action::CloseCause;
use crate::connection::{Connection, name};
use crate::door::{Asked, Operation, refused};
use crate::http::{Body, Listed, Response};
use crate::ids::{ConnectionId, RoomId, UserId};
use crate::json;
use crate::refusal::{Code, Refusal};
use serde::Deserialize;
use serde_json::{Value, json};

/// How many connections are shown at once.
const CONNECTIONS_SHOWN_MAX: usize = 200;

/// Who is to be disconnected.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Whom {
    user_id: String,
}

impl Parts<'_> {
    /// Does what an operator asks, and answers it.
    pub(super) fn operate(&mut self, asked: &Asked, operation: Operation) {
        let response = match operation {
            Operation::Metrics => self.metrics(),
            Operation::Connections { user, room, after } => {
                self.listed(user.as_ref(), room.as_deref(), after)
            }
            Operation::Disconnect(id) => {
                let closed = id.filter(|id| self.send_away(*id));
                let none = || Refusal::new(Code::NotFound, "there is no such connection");
                closed.map_or_else(|| refused(404, &none()), |_| Response::empty(204))
            }
            Operation::DisconnectUser => match whom(&asked.body) {
                Ok(user) => {
                    let theirs = self.connections.of_user(&user);
                    let count = theirs.into_iter().filter(|id| self.send_away(*id)).count();
                    Response::json(200, &json!({"disconnected": count}))
                }
                Err(refusal) => refused(refusal.code.status(), &refusal),
            },
        };
        self.door.answer(asked, response, &mut self.ctx);
    }

    /// Ends a connection. False: it is not there, or ends already.
    fn send_away(&mut self, id: ConnectionId) -> bool {
        let there = self.connections.find(id).is_some_and(|known| known.closing.is_none());
        if there {
            self.ctx.fx.close(id, CloseCause::SentAway);
        }
        there
    }

    fn listed(&self, user: Option<&UserId>, room: Option<&str>, after: Option<ConnectionId>) -> Response {
        let is_behind = |id: ConnectionId| after.is_none_or(|after| id.slot > after.slot);
        let is_theirs = |known: &Connection| {
            user.is_none_or(|user| known.user.as_ref().is_some_and(|known| known.id == *user))
        };
        let is_in =
            |id| room.is_none_or(|named| self.ctx.rooms.joined(id).iter().any(|room| is(room, named)));
        let mut found = self
            .connections
            .iter()
            .filter(|(id, known)| is_behind(*id) && is_theirs(known) && is_in(*id))
            .peekable();
        let (mut rows, mut last) = (Vec::new(), None);
        while rows.len() < CONNECTIONS_SHOWN_MAX
            && let Some((id, known)) = found.next()
        {
            rows.push((self.shown(id, known), self.ctx.fx.transports.socket(id)));
            last = Some(name(id));
        }
        let next = last.filter(|_| found.peek().is_some());
        let body = Body::Connections(Box::new(Listed { rows, next }));
        Response { body, ..Response::empty(200) }.with("content-type", "application/json")
    }

    fn shown(&self, id: ConnectionId, known: &Connection) -> Value {
        let (user, transports) = (known.user.as_deref(), &self.ctx.fx.transports);
        let rooms = self.ctx.rooms.joined(id).iter();
        let rooms = rooms.map(|room| json!({"kind": room.kind.as_str(), "id": &*room.name}));
        let permissions = user.into_iter().flat_map(|user| user.permissions.names());
        let mut row = json!({
            "connectionId": name(id),
            "userId": user.map(|user| &user.id),
            "userType": user.map(|user| user.user_type),
            "permissions": permissions.collect::<Vec<_>>(),
            "endpoint": known.endpoint.path(),
            "rooms": rooms.collect::<Vec<_>>(),
            "connectedAt": known.connected_at.to_string(),
            "lastActivity": known.active_at.to_string(),
            "lastHeartbeat": known.last_heard.to_string(),
            "messageCount": known.messages,
            "isAlive": known.closing.is_none() && known.pinged_at.is_none(),
            "queuedBytes": transports.polled_bytes(id),
        });
        if let Some(names) = transports.names(id) {
            row["socketId"] = json!(names.sid);
        }
        row
    }
}

/// Whether a room is called so: by its id, or by its kind and its id.
fn is(room: &RoomId, named: &str) -> bool {
    let by_kind = named.strip_prefix(room.kind.as_str()).and_then(|rest| rest.strip_prefix('/'));
    *room.name == *named || by_kind == Some(&*room.name)
}

fn whom(body: &[u8]) -> Result<UserId, Refusal> {
    let bad = |why: String| Refusal::new(Code::ClientError, format!("bad body: {why}"));
    let text = std::str::from_utf8(body).map_err(|error| bad(error.to_string()))?;
    json::check(body).map_err(bad)?;
    json::object::<Whom>(text).map(|whom| whom.user_id.into()).map_err(bad)
}
