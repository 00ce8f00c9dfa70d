//! How what is said in a room stands in the log, and how it is told: messages of people, prompts to the robot and
//! its replies, escalations. Live, each kind has an event name of its own; in pages all are messages.

use super::command::Message;
use crate::call::RobotReply;
use crate::envelope::Event;
use crate::ids::{EntryId, EscalationId, FileId, UserId};
use crate::json::Json;
use crate::refusal::Refusal;
use crate::store::{Entry, EscalationRow, NewEntry};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

/// The type of a message that is a file.
const FILE: &str = "file";
/// What follows a prompt's id in the id of its reply: there can be but one.
const REPLY: &str = ":reply";
/// What follows an escalation's id in the id of what settles it.
const RESOLVED: &str = ":resolved";

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
    /// Whether the robot is asked by it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    prompts: bool,
    /// Why the robot has no reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Box<RawValue>>,
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

/// A message on the wire (WIRE §2). A robot's has two fields more.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Box<RawValue>>,
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

/// What a message of the system says.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
enum Notice {
    Escalation {
        escalation_id: EscalationId,
        by: UserId,
        reason: String,
    },
    EscalationResolved {
        escalation_id: EscalationId,
        by: UserId,
    },
    /// A backend spoke.
    Event {
        event: String,
        data: Map<String, Value>,
    },
}

/// A message of the system as it is told live: what it says stands beside.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Noted<'a> {
    escalation_id: EscalationId,
    by: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(flatten)]
    message: &'a ChatMessage,
}

/// The body of what somebody says.
pub fn body(message: Message, sender_name: Option<String>) -> Bytes {
    let Message { kind, content, metadata } = message;
    written(&Kept { metadata, sender_name, ..kept(&kind, content) })
}

/// The body of what somebody asks the robot.
pub fn prompt_body(prompt: &str, sender_name: Option<String>) -> Bytes {
    written(&Kept { sender_name, prompts: true, ..kept("chat", raw(&prompt)) })
}

/// The body of an entry that is a file.
pub fn file_body(file: &FileContent, digest: String, sender_name: Option<String>) -> Bytes {
    written(&Kept { sender_name, digest: Some(digest), ..kept(FILE, raw(file)) })
}

/// The file that an entry is.
pub fn file(entry: &Entry) -> Option<FileContent> {
    let kept: Kept = serde_json::from_slice(&entry.body).ok()?;
    (kept.kind == FILE).then(|| serde_json::from_str(kept.content.get()).ok()).flatten()
}

/// Which file an entry is.
pub fn file_of(entry: &Entry) -> Option<FileId> {
    file(entry).map(|file| file.file_id)
}

/// Whether an entry asks the robot.
pub fn prompts(entry: &Entry) -> bool {
    // Most entries do not, and need not be read for that: it is the last that is written of those that do.
    entry.body.ends_with(b"\"prompts\":true}")
        && serde_json::from_slice::<Kept>(&entry.body).is_ok_and(|kept| kept.prompts)
}

/// The text of a message that is text.
pub fn text(entry: &Entry) -> Option<String> {
    let kept: Kept = serde_json::from_slice(&entry.body).ok()?;
    serde_json::from_str(kept.content.get()).ok()
}

/// The robot's reply to a prompt, or why there is none.
pub fn reply(prompt: &EntryId, reply: Result<RobotReply, &Refusal>) -> NewEntry {
    let (content, metadata, error) = match reply {
        Ok(RobotReply { content, metadata }) => (raw(&content), metadata.unwrap_or_default(), None),
        Err(refusal) => (raw(&refusal.message), Map::new(), Some(raw(refusal))),
    };
    let mut metadata = metadata;
    metadata.insert("promptId".to_string(), json!(prompt.as_str()));
    let body = written(&Kept { metadata: Some(raw(&metadata)), error, ..kept("robot", content) });
    NewEntry { id: format!("{prompt}{REPLY}").into(), author: UserId::server(), body }
}

/// What a room is told of its escalation.
pub fn escalated(row: &EscalationRow, sender_name: Option<String>) -> NewEntry {
    let EscalationRow { id, by, reason, .. } = row.clone();
    let content = raw(&Notice::Escalation { escalation_id: id.clone(), by: by.clone(), reason });
    let body = written(&Kept { sender_name, ..kept("system", content) });
    NewEntry { id: id.as_str().into(), author: by, body }
}

/// What a room is told when its escalation is dealt with.
pub fn resolved(row: &EscalationRow, by: UserId) -> NewEntry {
    let content = raw(&Notice::EscalationResolved { escalation_id: row.id.clone(), by });
    let body = written(&kept("system", content));
    NewEntry { id: format!("{}{RESOLVED}", row.id).into(), author: UserId::server(), body }
}

/// The body of an entry in which a backend speaks: a message of the type `system`.
pub fn event_body(event: &str, data: &Map<String, Value>) -> Bytes {
    let content = raw(&Notice::Event { event: event.to_string(), data: data.clone() });
    written(&kept("system", content))
}

/// The entry as a message; `None` where the log holds something else.
pub fn chat_message(entry: &Entry) -> Option<ChatMessage> {
    let kept: Kept = serde_json::from_slice(&entry.body).ok()?;
    let is_reply = kept.kind == "robot";
    let sender_id = match entry.author == UserId::server() {
        true if is_reply => "robot".to_string(),
        true => "system".to_string(),
        false => entry.author.to_string(),
    };
    Some(ChatMessage {
        id: entry.id.to_string(),
        seq: entry.seq.0,
        kind: kept.kind,
        room_id: entry.room.name.to_string(),
        sender_id,
        sender_name: kept.sender_name,
        content: kept.content,
        timestamp: entry.at.to_string(),
        delivery_status: delivery_status(kept.prompts),
        metadata: kept.metadata,
        prompt_id: entry.id.as_str().strip_suffix(REPLY).filter(|_| is_reply).map(str::to_string),
        error: kept.error,
    })
}

/// What members hear: a message; where a backend spoke, its event, with the message's fields beside its data.
pub fn told(entry: &Entry) -> Option<Event> {
    let message = chat_message(entry)?;
    Some(match message.kind.as_str() {
        "robot" => Event::new("chat:robot:response", &message),
        FILE => uploaded(&message).unwrap_or_else(|| Event::new("chat:message:received", &message)),
        "system" => noted(&message),
        _ => Event::new("chat:message:received", &message),
    })
}

fn uploaded(message: &ChatMessage) -> Option<Event> {
    let file = serde_json::from_str(message.content.get()).ok().filter(|_| message.kind == FILE)?;
    Some(Event::new("chat:file:uploaded", &Uploaded { file, message }))
}

fn noted(message: &ChatMessage) -> Event {
    match serde_json::from_str(message.content.get()) {
        Ok(Notice::Escalation { escalation_id, by, reason }) => {
            Event::new("chat:escalation:created", &Noted { escalation_id, by, reason: Some(reason), message })
        }
        Ok(Notice::EscalationResolved { escalation_id, by }) => {
            Event::new("chat:escalation:resolved", &Noted { escalation_id, by, reason: None, message })
        }
        Ok(Notice::Event { event, data }) => Event::named(event.into(), beside(data, message)),
        Err(_) => Event::new("chat:message:received", message),
    }
}

fn beside(mut data: Map<String, Value>, message: &ChatMessage) -> Json {
    if let Ok(Value::Object(fields)) = serde_json::to_value(message) {
        data.extend(fields);
    }
    Json::of(&data)
}

/// What the sender is answered.
pub fn answer(entry: &Entry) -> Event {
    if let Some(uploaded) = chat_message(entry).as_ref().and_then(uploaded) {
        return uploaded;
    }
    let (id, timestamp, prompts) = (entry.id.as_str(), entry.at.to_string(), prompts(entry));
    let name = if prompts { "chat:robot:interact" } else { "chat:message:send" };
    let delivery_status = delivery_status(prompts);
    Event::new(name, &Delivered { id, seq: entry.seq.0, timestamp, delivery_status })
}

/// A prompt is still being worked on when it is stored, and is told so for ever: its reply is an entry of its own.
fn delivery_status(prompts: bool) -> &'static str {
    if prompts { "batch-delay" } else { "delivered" }
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

fn kept(kind: &str, content: Box<RawValue>) -> Kept {
    let kind = kind.to_string();
    Kept { kind, content, metadata: None, sender_name: None, digest: None, prompts: false, error: None }
}

fn written(kept: &Kept) -> Bytes {
    serde_json::to_vec(kept).expect("strings and valid JSON can be written as JSON").into()
}

fn raw(value: &impl Serialize) -> Box<RawValue> {
    to_raw_value(value).expect("strings, and objects whose keys are strings, can be written as JSON")
}
