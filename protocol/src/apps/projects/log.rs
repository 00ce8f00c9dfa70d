//! How a backend's event stands in the log, and how it is told.

use crate::envelope::Event;
use crate::ids::RoomKind;
use crate::json::Json;
use crate::store::Entry;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The body of an entry: what a backend said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The event's name.
    pub event: String,
    /// Its data.
    pub data: Map<String, Value>,
    /// Who hears it, when not everyone: the role of a member.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<String>,
}

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

/// What members hear: the backend's data with the project, `seq` and `at` beside it.
pub fn told(entry: &Entry) -> Option<Event> {
    let Kept { event, mut data, .. } = Kept::read(&entry.body)?;
    if entry.room.kind == RoomKind::Project {
        data.insert("projectId".to_string(), json!(&*entry.room.name));
    }
    data.insert("seq".to_string(), json!(entry.seq.0));
    data.insert("at".to_string(), json!(entry.at.to_string()));
    Some(Event::named(Cow::Owned(event), Json::of(&data)))
}

/// A backend is answered over HTTP; what stands here is for the gate alone.
pub fn answer(entry: &Entry) -> Event {
    Event::new("events", &json!({"seq": entry.seq.0}))
}

/// Whether two bodies say the same.
pub fn is_repeat(came: &[u8], stored: &[u8]) -> bool {
    came == stored || Kept::read(came) == Kept::read(stored)
}
