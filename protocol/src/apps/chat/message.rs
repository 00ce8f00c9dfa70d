//! How a message stands in the log, and how it is told.

use super::command::Message;
use crate::envelope::Event;
use crate::ids::FileId;
use crate::store::Entry;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

/// The type of a message that is a file.
const FILE: &str = "file";

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
    /// Of a file: what its bytes are known by.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
}

/// The content of a message that is a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileContent {
    /// Which file.
    pub file_id: FileId,
    /// Its name, for people.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// What its bytes are.
    pub mime_type: String,
    /// Where it is.
    pub url: String,
}

/// A file as it is told live: what it is stands beside.
#[derive(Serialize)]
struct Uploaded<'a> {
    #[serde(flatten)]
    file: FileContent,
    #[serde(flatten)]
    message: &'a ChatMessage,
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
    written(&Kept { kind, content, metadata, sender_name, digest: None })
}

/// The body of an entry that is a file.
pub fn file_body(file: &FileContent, digest: String, sender_name: Option<String>) -> Bytes {
    let content = to_raw_value(file).expect("strings and a number can be written as JSON");
    written(&Kept { kind: FILE.to_string(), content, metadata: None, sender_name, digest: Some(digest) })
}

/// The file that an entry is.
pub fn file(entry: &Entry) -> Option<FileContent> {
    let kept: Kept = serde_json::from_slice(&entry.body).ok()?;
    (kept.kind == FILE).then(|| serde_json::from_str(kept.content.get()).ok()).flatten()
}

fn written(kept: &Kept) -> Bytes {
    serde_json::to_vec(kept).expect("strings and valid JSON can be written as JSON").into()
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
    let message = chat_message(entry)?;
    Some(uploaded(&message).unwrap_or_else(|| Event::new("chat:message:received", &message)))
}

fn uploaded(message: &ChatMessage) -> Option<Event> {
    let file = serde_json::from_str(message.content.get()).ok().filter(|_| message.kind == FILE)?;
    Some(Event::new("chat:file:uploaded", &Uploaded { file, message }))
}

/// What the sender is answered.
pub fn answer(entry: &Entry) -> Event {
    if let Some(uploaded) = chat_message(entry).as_ref().and_then(uploaded) {
        return uploaded;
    }
    let (id, timestamp) = (entry.id.as_str(), entry.at.to_string());
    let delivered = Delivered { id, seq: entry.seq.0, timestamp, delivery_status: "delivered" };
    Event::new("chat:message:send", &delivered)
}

/// Whether two bodies say the same; the sender's name may have changed meanwhile, and a file that comes again is
/// known by its digest.
pub fn is_repeat(came: &[u8], stored: &[u8]) -> bool {
    let said = |body: &[u8]| {
        let mut value = serde_json::from_slice::<Value>(body).ok()?;
        let fields = value.as_object_mut()?;
        fields.remove("senderName");
        if fields.get("type").is_some_and(|kind| kind == FILE) {
            let content = fields.get_mut("content")?.as_object_mut()?;
            ["fileId", "url"].iter().for_each(|name| drop(content.remove(*name)));
        }
        Some(value)
    };
    came == stored || said(came) == said(stored)
}
