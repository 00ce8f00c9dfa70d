//! How a message stands in the log, and how it is told.

use super::command::Message;
use crate::envelope::Event;
use crate::json::Json;
use crate::store::Entry;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// The kind of a `system` message in which a backend speaks.
const EVENT: &str = "event";

/// A message in the log.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    #[serde(rename = "type")]
    kind: String,
    content: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender_name: Option<String>,
}

/// What a backend said.
#[derive(Deserialize)]
struct Spoken {
    kind: String,
    event: String,
    data: Map<String, Value>,
}

/// A message on the wire (WIRE §2).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChatMessage {
    id: String,
    seq: u64,
    #[serde(rename = "type")]
    kind: String,
    room_id: String,
    sender_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender_name: Option<String>,
    content: Box<RawValue>,
    timestamp: String,
    delivery_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Box<RawValue>>,
}

/// What the sender is answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Delivered<'a> {
    id: &'a str,
    seq: u64,
    timestamp: String,
    delivery_status: &'static str,
}

/// The body of an entry.
pub fn body(message: Message, sender_name: Option<String>) -> Bytes {
    let Message { kind, content, metadata } = message;
    let kept = Kept { kind, content, metadata, sender_name };
    serde_json::to_vec(&kept).expect("strings and valid JSON can be written as JSON").into()
}

/// The body of an entry in which a backend speaks: a message of the type `system`.
pub fn event_body(event: &str, data: &Map<String, Value>) -> Bytes {
    let content = json!({"kind": EVENT, "event": event, "data": data});
    serde_json::to_vec(&json!({"type": "system", "content": content}))
        .expect("strings and JSON can be written as JSON")
        .into()
}

/// The entry as a message; `None` where the log holds something else.
pub fn chat_message(entry: &Entry) -> Option<ChatMessage> {
    let kept: Kept = serde_json::from_slice(&entry.body).ok()?;
    Some(ChatMessage {
        id: entry.id.to_string(),
        seq: entry.seq.0,
        kind: kept.kind,
        room_id: entry.room.name.to_string(),
        sender_id: entry.author.to_string(),
        sender_name: kept.sender_name,
        content: kept.content,
        timestamp: entry.at.to_string(),
        delivery_status: "delivered",
        metadata: kept.metadata,
    })
}

/// What members hear: a message; where a backend spoke, its event, with the message's fields beside its data.
pub fn told(entry: &Entry) -> Option<Event> {
    let message = chat_message(entry)?;
    if message.kind == "system"
        && let Ok(Spoken { kind, event, data }) = serde_json::from_str(message.content.get())
        && kind == EVENT
    {
        return Some(Event::named(event.into(), beside(data, &message)));
    }
    Some(Event::new("chat:message:received", &message))
}

fn beside(mut data: Map<String, Value>, message: &ChatMessage) -> Json {
    if let Ok(Value::Object(fields)) = serde_json::to_value(message) {
        data.extend(fields);
    }
    Json::of(&data)
}

/// What the sender is answered.
pub fn answer(entry: &Entry) -> Event {
    let (id, timestamp) = (entry.id.as_str(), entry.at.to_string());
    let delivered = Delivered { id, seq: entry.seq.0, timestamp, delivery_status: "delivered" };
    Event::new("chat:message:send", &delivered)
}

/// Whether two bodies say the same; the sender's name may have changed meanwhile.
pub fn is_repeat(came: &[u8], stored: &[u8]) -> bool {
    let said = |body: &[u8]| {
        let mut value = serde_json::from_slice::<Value>(body).ok()?;
        value.as_object_mut()?.remove("senderName");
        Some(value)
    };
    came == stored || said(came) == said(stored)
}
