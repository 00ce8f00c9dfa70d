//! How a backend's event stands in the log, and how it is told.

use crate::apps::dashboards;
use crate::envelope::Event;
use crate::ids::{RoomId, RoomKind, Seq};
use crate::json::Json;
use crate::room::Audience;
use crate::store::Entry;
use crate::time::Timestamp;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The body of an entry: what a backend said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Who hears it, when not everyone: the role of a member. Stands in front, so that it is seen without reading
    /// the rest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<String>,
    /// The event's name.
    pub event: String,
    /// Its data.
    pub data: Map<String, Value>,
}

/// How a body begins that is not for everyone.
const LIMITED: &[u8] = br#"{"role":"#;

impl Kept {
    /// The body of an entry.
    pub fn body(&self) -> Bytes {
        serde_json::to_vec(self).expect("strings and JSON can be written as JSON").into()
    }

    /// What a body says, if it says something.
    pub fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

/// Which members hear it. What cannot be read is told to nobody anyway.
pub fn audience(entry: &Entry) -> Audience {
    let limited = entry.body.starts_with(LIMITED).then(|| Kept::read(&entry.body)).flatten();
    Audience::of(limited.and_then(|kept| kept.role))
}

/// What members hear: the backend's data with the project, `seq` and `at` beside it.
pub fn told(entry: &Entry) -> Option<Event> {
    let Kept { event, data, .. } = Kept::read(&entry.body)?;
    Some(spelled(&entry.room, event, data, Some(entry.seq), entry.at))
}

/// An event as members hear it; without a place, because it is not kept.
pub fn signalled(room: &RoomId, kept: Kept, at: Timestamp) -> Event {
    if room.kind == RoomKind::Dashboard {
        return dashboards::signalled(room, &kept.event, &dashboards::Raw::of(&kept.data));
    }
    spelled(room, kept.event, kept.data, None, at)
}

fn spelled(
    room: &RoomId,
    event: String,
    mut data: Map<String, Value>,
    seq: Option<Seq>,
    at: Timestamp,
) -> Event {
    match room.kind {
        RoomKind::Project => drop(data.insert("projectId".to_string(), json!(&*room.name))),
        // Both are counted: a client has to know which of them it has heard so far.
        RoomKind::User => drop(data.insert("feed".to_string(), json!("user"))),
        RoomKind::Everyone => drop(data.insert("feed".to_string(), json!("all"))),
        RoomKind::Chat => drop(data.insert("roomId".to_string(), json!(&*room.name))),
        RoomKind::Document | RoomKind::Supervisors | RoomKind::Dashboard | RoomKind::Draft => {}
    }
    match seq {
        Some(seq) => drop(data.insert("seq".to_string(), json!(seq.0))),
        None => drop(data.remove("seq")),
    }
    data.insert("at".to_string(), json!(at.to_string()));
    Event::named(Cow::Owned(event), Json::of(&data))
}

/// A backend is answered over HTTP; what stands here is for the gate alone.
pub fn answer(entry: &Entry) -> Event {
    Event::new("events", &json!({"seq": entry.seq.0}))
}

/// Whether two bodies say the same.
pub fn is_repeat(came: &[u8], stored: &[u8]) -> bool {
    came == stored || Kept::read(came) == Kept::read(stored)
}
