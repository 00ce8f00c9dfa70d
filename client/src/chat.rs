//! What chat and projects say, as types (WIRE §2, §5).

use crate::action::Event;
use crate::room::Room;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A message of a chat room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChatMessage {
    /// Unique together with the sender.
    pub id: String,
    /// Its place in the room: 1, 2, 3 … without gaps.
    pub seq: u64,
    /// `chat`, `robot`, `system`, `file`, `image` or `graph`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it was said.
    pub room_id: String,
    /// Who said it.
    pub sender_id: String,
    /// How the sender is called.
    #[serde(default)]
    pub sender_name: Option<String>,
    /// What was said: a text, or an object.
    pub content: Value,
    /// When, as RFC 3339 writes it.
    pub timestamp: String,
    /// `delivered`, or `batch-delay` for what is still being worked on.
    pub delivery_status: String,
    /// What the sender added.
    #[serde(default)]
    pub metadata: Option<Value>,
}

/// Somebody in a chat room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Who.
    pub user_id: String,
    /// How they are called.
    #[serde(default)]
    pub name: Option<String>,
    /// `employee`, `guest` or `supervisor`.
    pub user_type: String,
    /// Whether they are here.
    pub online: bool,
}

/// The answer to joining a chat room. Its messages come as events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinedRoom {
    /// Which.
    pub room_id: String,
    /// How it is called.
    #[serde(default)]
    pub name: String,
    /// The first members.
    #[serde(default)]
    pub members: Vec<Member>,
    /// How many there are.
    #[serde(default)]
    pub member_count: u64,
    /// The place of its newest message.
    pub last_seq: u64,
    /// Whether there are older messages than those that come as events.
    #[serde(default)]
    pub has_more: bool,
}

/// The answer to a message: it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivered {
    /// Its id.
    pub id: String,
    /// Its place in the room.
    pub seq: u64,
    /// When it was stored, as RFC 3339 writes it.
    pub timestamp: String,
}

/// A page of a chat room's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// In the order of their places.
    pub messages: Vec<ChatMessage>,
    /// Whether there are more in that direction.
    pub has_more: bool,
}

/// Which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Span {
    /// Only what is stored before this place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Only what is stored after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// At most so many; the server gives 200 at the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// The answer to joining a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinedProject {
    /// Which.
    pub project_id: String,
    /// The place of its newest event.
    pub last_seq: u64,
}

/// The answer to joining the feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinedFeed {
    /// The place of the newest that this user was told.
    pub last_seq: u64,
    /// The place of the newest that everyone was told.
    #[serde(default)]
    pub all_seq: u64,
}

impl Event {
    /// The message of a chat room that this is.
    pub fn message(&self) -> Option<ChatMessage> {
        match self {
            Self::Entry { room: Room::Chat(_), data, .. } => serde_json::from_value(data.clone()).ok(),
            Self::Entry { room: Room::Project(_) | Room::Feed, .. }
            | Self::Signal { .. }
            | Self::Reset { .. }
            | Self::RoomLost { .. }
            | Self::AnsweredLate { .. }
            | Self::Refused(_)
            | Self::State(_) => None,
        }
    }
}
