//! How a message stands in the log, and how it is told.

use super::command::Message;
use crate::envelope::Event;
use crate::store::Entry;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

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

/// What members hear.
pub fn told(entry: &Entry) -> Option<Event> {
    chat_message(entry).map(|message| Event::new("chat:message:received", &message))
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
