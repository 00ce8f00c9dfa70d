//! What a client can ask of the chat, and the limits it is held to.

use super::files::Sent;
use crate::apps::{composed, stripped};
use crate::envelope::ID_BYTES_MAX;
use crate::ids::{EntryId, EscalationId, RoomId, Seq, UserId};
use crate::json;
use crate::refusal::{Code, Refusal};
use crate::store::{EscalationRow, Visibility};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The longest name of a room, in bytes.
pub const NAME_BYTES_MAX: usize = 255;
/// The largest content of a message, in bytes.
pub const CONTENT_BYTES_MAX: usize = 16 * 1024;
/// The largest metadata of a message, in bytes.
pub const METADATA_BYTES_MAX: usize = 4 * 1024;
/// The longest prompt, in bytes.
pub const PROMPT_BYTES_MAX: usize = 16 * 1024;
/// The longest reason of an escalation, in bytes.
pub const REASON_BYTES_MAX: usize = 4 * 1024;
/// The most messages that one look into the history shows.
pub const HISTORY_ENTRIES_MAX: u32 = 200;
/// The most members that a room is made with.
pub const FIRST_MEMBERS_MAX: usize = 200;

/// One command.
#[derive(Debug, Clone)]
pub enum Command {
    /// `chat:room:create`
    Create {
        /// The id that was asked for.
        room: Option<RoomId>,
        /// The name, for people.
        name: String,
        /// Who may come in.
        visibility: Visibility,
        /// Members from the beginning, besides the caller.
        members: Vec<UserId>,
    },
    /// `chat:room:join`
    Join {
        /// Which room.
        room: RoomId,
        /// What was heard before.
        since: Option<Seq>,
    },
    /// `chat:room:leave`
    Leave {
        /// Which room.
        room: RoomId,
    },
    /// `chat:message:send`
    Send {
        /// To which room.
        room: RoomId,
        /// The client's own id for it.
        id: Option<EntryId>,
        /// What is said.
        message: Message,
    },
    /// `chat:message:history`
    History {
        /// Of which room.
        room: RoomId,
        /// From where to where.
        span: Span,
        /// At most so many.
        limit: u32,
    },
    /// `chat:message:read`
    Read {
        /// In which room.
        room: RoomId,
        /// The last message that was read.
        seq: Seq,
    },
    /// `chat:typing:start`, `chat:typing:stop`
    Type {
        /// In which room.
        room: RoomId,
        /// Whether it begins.
        begins: bool,
    },
    /// `chat:robot:interact`
    Prompt {
        /// In which room.
        room: RoomId,
        /// What the robot is asked.
        prompt: String,
    },
    /// `chat:escalation:create`
    Escalate {
        /// Which room.
        room: RoomId,
        /// Why.
        reason: String,
    },
    /// `chat:escalation:resolve`
    Resolve {
        /// Which escalation.
        escalation: EscalationId,
    },
    /// The same, when it is known what the escalation is about.
    Settle {
        /// Which escalation.
        escalation: Box<EscalationRow>,
    },
    /// `chat:file:upload`
    Upload(Sent),
}

/// What a client says in a message.
#[derive(Debug, Clone)]
pub struct Message {
    /// What kind of message.
    pub kind: String,
    /// Its content: a string or an object, as JSON.
    pub content: Box<RawValue>,
    /// More about it: an object, as JSON.
    pub metadata: Option<Box<RawValue>>,
}

/// A stretch of history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// The newest before this place; `None`: the newest of all.
    Before(Option<Seq>),
    /// The oldest after this place.
    After(Seq),
}

impl Command {
    /// Reads a command with the attachments that its data names; `None`: the chat has none of this name.
    pub fn parse(name: &str, data: &str, attachments: &[Bytes]) -> Option<Result<Self, Refusal>> {
        Some(match name {
            "chat:room:create" => parse(data).and_then(Self::create),
            "chat:room:join" => parse::<Join>(data)
                .and_then(|join| Ok(Self::Join { room: room(&join.room_id)?, since: join.since.map(Seq) })),
            "chat:room:leave" => {
                parse::<Named>(data).and_then(|named| Ok(Self::Leave { room: room(&named.room_id)? }))
            }
            "chat:message:send" => parse(data).and_then(Self::send),
            "chat:message:history" => parse(data).and_then(Self::history),
            "chat:message:read" => parse::<Read>(data)
                .and_then(|read| Ok(Self::Read { room: room(&read.room_id)?, seq: Seq(read.seq) })),
            "chat:typing:start" | "chat:typing:stop" => parse::<Named>(data).and_then(|named| {
                Ok(Self::Type { room: room(&named.room_id)?, begins: name == "chat:typing:start" })
            }),
            "chat:robot:interact" => parse::<Prompt>(data).and_then(|asked| {
                let prompt = text("prompt", &asked.prompt, PROMPT_BYTES_MAX)?;
                Ok(Self::Prompt { room: room(&asked.room_id)?, prompt })
            }),
            "chat:escalation:create" => parse::<Escalate>(data).and_then(|asked| {
                let reason = text("reason", &asked.reason, REASON_BYTES_MAX)?;
                Ok(Self::Escalate { room: room(&asked.room_id)?, reason })
            }),
            "chat:escalation:resolve" => parse::<Resolve>(data).and_then(|asked| {
                Ok(Self::Resolve { escalation: id("escalationId", &asked.escalation_id)?.as_ref().into() })
            }),
            "chat:file:upload" => {
                parse(data).and_then(|asked| Sent::read(asked, attachments)).map(Self::Upload)
            }
            _ => return None,
        })
    }

    /// The room that has to be open for it; `None` where it makes one, names none or sees to that by itself.
    pub fn room(&self) -> Option<&RoomId> {
        match self {
            Self::Create { .. } | Self::Resolve { .. } | Self::Upload(_) => None,
            Self::Join { room, .. }
            | Self::Leave { room }
            | Self::Send { room, .. }
            | Self::History { room, .. }
            | Self::Read { room, .. }
            | Self::Type { room, .. }
            | Self::Prompt { room, .. }
            | Self::Escalate { room, .. } => Some(room),
            Self::Settle { escalation } => Some(&escalation.room),
        }
    }

    /// Whether binary attachments may come with it.
    pub fn takes_attachments(&self) -> bool {
        matches!(self, Self::Upload(_))
    }

    /// Whether it is a signal, which has a limit of its own.
    pub fn is_signal(&self) -> bool {
        matches!(self, Self::Type { .. })
    }

    fn create(asked: Create) -> Result<Self, Refusal> {
        let name = composed(stripped(&asked.name).trim()).into_owned();
        if name.is_empty() {
            return Err(Refusal::new(Code::ClientError, "the name is empty"));
        }
        if name.len() > NAME_BYTES_MAX {
            return Err(Refusal::too_large("name", name.len(), NAME_BYTES_MAX));
        }
        let members = asked.members.unwrap_or_default();
        if members.len() > FIRST_MEMBERS_MAX {
            let message = format!("{} members are over the limit of {FIRST_MEMBERS_MAX}", members.len());
            let details = serde_json::json!({"limit": FIRST_MEMBERS_MAX, "actual": members.len()});
            return Err(Refusal::new(Code::TooLarge, message).with(details));
        }
        let members = members
            .iter()
            // Users are called as their tokens call them.
            .map(|user| named("a member's id", user).map(UserId::from))
            .collect::<Result<_, _>>()?;
        let room = asked.room_id.as_deref().map(room).transpose()?;
        Ok(Self::Create { room, name, visibility: asked.visibility, members })
    }

    fn send(asked: Send) -> Result<Self, Refusal> {
        let kind = asked.kind.unwrap_or_else(|| "chat".to_string());
        match kind.as_str() {
            "chat" | "image" | "graph" => {}
            "file" | "robot" | "system" => {
                return Err(Refusal::new(
                    Code::PermissionDenied,
                    format!("clients do not send messages of type {kind}"),
                ));
            }
            _ => return Err(Refusal::new(Code::ClientError, format!("unknown message type {kind:.64?}"))),
        }
        let metadata = asked.metadata.filter(|metadata| metadata.get() != "null");
        if let Some(metadata) = &metadata {
            if !metadata.get().starts_with('{') {
                return Err(Refusal::new(Code::ClientError, "metadata is not an object"));
            }
            limit("metadata", metadata.get().len(), METADATA_BYTES_MAX)?;
        }
        let message = Message { kind, content: content(&asked.content)?, metadata };
        let id = asked.id.map(|asked| Ok(id("id", &asked)?.as_ref().into())).transpose()?;
        Ok(Self::Send { room: room(&asked.room_id)?, id, message })
    }

    fn history(asked: History) -> Result<Self, Refusal> {
        let span = match (asked.before, asked.after) {
            (Some(_), Some(_)) => return Err(Refusal::new(Code::ClientError, "both before and after")),
            (None, Some(after)) => Span::After(Seq(after)),
            (before, None) => Span::Before(before.map(Seq)),
        };
        let limit = asked.limit.unwrap_or(crate::room::NEWEST_ENTRIES_MAX as u32);
        if !(1..=HISTORY_ENTRIES_MAX).contains(&limit) {
            let message = format!("a limit of {limit} is not 1 to {HISTORY_ENTRIES_MAX}");
            return Err(Refusal::new(Code::ClientError, message));
        }
        Ok(Self::History { room: room(&asked.room_id)?, span, limit })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    room_id: Option<String>,
    name: String,
    visibility: Visibility,
    members: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Join {
    room_id: String,
    since: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    room_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read {
    room_id: String,
    seq: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Prompt {
    room_id: String,
    prompt: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Escalate {
    room_id: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resolve {
    escalation_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Send {
    room_id: String,
    id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    content: Box<RawValue>,
    metadata: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct History {
    room_id: String,
    before: Option<u64>,
    after: Option<u64>,
    limit: Option<u32>,
}

/// Reads the data of a command.
pub fn parse<'a, T: Deserialize<'a>>(data: &'a str) -> Result<T, Refusal> {
    json::object(data).map_err(|why| Refusal::new(Code::ClientError, format!("bad data: {why}")))
}

/// A chat room's id, as a client may write it.
pub fn room(name: &str) -> Result<RoomId, Refusal> {
    id("roomId", name).map(|id| RoomId::chat(&id))
}

/// What clients call something, in one spelling.
pub fn id<'a>(what: &str, text: &'a str) -> Result<Cow<'a, str>, Refusal> {
    named(what, &composed(text))?;
    Ok(composed(text))
}

fn named<'a>(what: &str, text: &'a str) -> Result<&'a str, Refusal> {
    limit(what, text.len(), ID_BYTES_MAX)?;
    match text.is_empty() || text.chars().any(char::is_control) {
        true => Err(Refusal::new(Code::ClientError, format!("{what} is empty or has control characters"))),
        false => Ok(text),
    }
}

/// Text without control characters, and not empty.
fn text(what: &str, raw: &str, bytes_max: usize) -> Result<String, Refusal> {
    let text = stripped(raw);
    limit(what, text.len(), bytes_max)?;
    match text.trim().is_empty() {
        true => Err(Refusal::new(Code::ClientError, format!("the {what} is empty"))),
        false => Ok(text),
    }
}

fn limit(what: &str, actual: usize, limit: usize) -> Result<(), Refusal> {
    match actual > limit {
        true => Err(Refusal::too_large(what, actual, limit)),
        false => Ok(()),
    }
}

/// Text without control characters and not empty; or an object, not empty, as it came: what stands in it is for
/// the clients that understand it, and control characters in it stay escaped as JSON has them.
fn content(raw: &RawValue) -> Result<Box<RawValue>, Refusal> {
    let kept = match raw.get().as_bytes().first() {
        Some(b'"') => {
            let text = serde_json::from_str::<String>(raw.get());
            let text =
                text.map_err(|error| Refusal::new(Code::ClientError, format!("bad content: {error}")))?;
            serde_json::value::to_raw_value(&self::text("content", &text, CONTENT_BYTES_MAX)?)
        }
        Some(b'{') => {
            limit("content", raw.get().len(), CONTENT_BYTES_MAX)?;
            if raw.get()[1..].trim_start().starts_with('}') {
                return Err(Refusal::new(Code::ClientError, "the content is empty"));
            }
            return Ok(raw.to_owned());
        }
        Some(_) | None => {
            return Err(Refusal::new(Code::ClientError, "the content is neither text nor an object"));
        }
    };
    kept.map_err(|error| Refusal::new(Code::ClientError, format!("bad content: {error}")))
}
