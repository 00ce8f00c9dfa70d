//! Statistics (WIRE §5.4): what is counted, and who is where now. A backend sees all; a user what is its firm's, and
//! of projects by name only its own.

use super::Parts;
use crate::auth::User;
use crate::connection::WINDOW;
use crate::http::{Body, Response};
use crate::ids::{FirmId, RoomKind};
use crate::room::Room;
use crate::stats::Histogram;
use serde_json::{Map, Value, json};

/// How many projects are named at the most.
const PROJECTS_NAMED_MAX: usize = 1_000;
/// Rooms of these kinds are counted, each under the name of its app.
const COUNTED: [(&str, &[RoomKind]); 6] = [
    ("documents", &[RoomKind::Document]),
    ("chat", &[RoomKind::Chat]),
    ("projects", &[RoomKind::Project]),
    ("dashboards", &[RoomKind::Dashboard]),
    ("drafts", &[RoomKind::Draft]),
    ("feeds", &[RoomKind::User, RoomKind::Everyone]),
];

impl Parts<'_> {
    /// The statistics for this user; without one: for a backend.
    pub(super) fn statistics(&self, user: Option<&User>) -> Response {
        let (fx, firm) = (&self.ctx.fx, user.map(|user| &user.firm));
        let usage = self.connections.usage(firm, fx.now);
        let total = if firm.is_some() { usage.connections } else { self.connections.len() };
        let in_projects: Vec<_> = self
            .ctx
            .rooms
            .of_kind(RoomKind::Project)
            .filter_map(|room| Some((room, members(room, firm).filter(|count| *count > 0)?)))
            .collect();
        let own = in_projects
            .iter()
            .filter(|(room, _)| user.is_none_or(|user| room.members.contains_key(&user.id)))
            .map(|(room, count)| json!({"projectId": &*room.id.name, "connectionCount": count}));
        let errors: Map<_, _> =
            fx.stats.errors.iter().map(|(code, count)| (code.as_str().to_string(), json!(count))).collect();
        let statistics = json!({
            "totalConnections": total,
            "projectCount": in_projects.len(),
            "userCount": usage.users,
            "projectConnections": own.take(PROJECTS_NAMED_MAX).collect::<Vec<_>>(),
            "rateLimitStats": {
                "activeUsers": usage.active,
                "rateLimitWindow": WINDOW.as_millis() as u64,
                "maxEventsPerWindow": fx.settings.rate_limit_calls,
            },
            "messages": {"in": fx.stats.messages_in.total(), "out": fx.stats.messages_out.total()},
            "latencyMs": percentiles(&fx.stats.delivery, 1_000.0),
            "connectionSeconds": percentiles(&fx.stats.lasted, 1_000_000.0),
            "errorsByCode": errors,
            "rooms": self.rooms_by_app(firm),
        });
        Response { body: Body::Statistics(statistics), ..Response::empty(200) }
            .with("content-type", "application/json")
    }

    fn rooms_by_app(&self, firm: Option<&FirmId>) -> Map<String, Value> {
        let counted = COUNTED.iter().map(|(app, kinds)| {
            let open = kinds.iter().flat_map(|kind| self.ctx.rooms.of_kind(*kind));
            let counts: Vec<_> = open.filter_map(|room| members(room, firm)).collect();
            let (members, max) = (counts.iter().sum::<usize>(), counts.iter().max().unwrap_or(&0));
            ((*app).to_string(), json!({"rooms": counts.len(), "members": members, "max": max}))
        });
        counted.collect()
    }
}

/// How many connections are in a room; of a firm: where at least one is.
fn members(room: &Room, firm: Option<&FirmId>) -> Option<usize> {
    match firm {
        None => Some(room.present().count()),
        Some(firm) => {
            let count = room.present().filter(|caller| caller.user.firm == *firm).count();
            (count > 0).then_some(count)
        }
    }
}

/// The middle and the end of a histogram, in units of so many microseconds.
fn percentiles(histogram: &Histogram, unit: f64) -> Value {
    let at = |percent| histogram.percentile(percent).as_micros() as f64 / unit;
    json!({"p50": at(50), "p99": at(99)})
}
