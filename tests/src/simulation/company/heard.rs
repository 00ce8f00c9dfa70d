//! What one connection has heard beside messages, and the laws that hold for it alone.

use serde_json::Value;
use std::collections::BTreeMap;

/// What one connection has heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) user: &'static str,
    /// Who is typing, by room and user.
    pub(super) typing: BTreeMap<(String, String), bool>,
    /// How far others have read, by room and user.
    reads: BTreeMap<(String, String), u64>,
    /// How often it was told, as a supervisor, of each escalation.
    pub(super) created: BTreeMap<String, u32>,
    resolved: BTreeMap<String, u32>,
    /// The robot's replies.
    replies: BTreeMap<String, u32>,
}

impl Heard {
    pub(super) fn new(user: &'static str) -> Self {
        Self { user, ..Self::default() }
    }

    pub(super) fn take(&mut self, name: &str, data: &Value, is_answer: bool) {
        let text = |key: &str| data[key].as_str().unwrap_or_default().to_string();
        let (room, user) = (text("roomId"), text("userId"));
        match name {
            "chat:room:joined" | "chat:room:left" => self.forget(&room),
            "chat:system:notification" if data["kind"] == "room_closed" => self.forget(&room),
            "chat:user:typing" => {
                assert_ne!(user, self.user, "nobody is told of their own typing");
                let typing = data["typing"].as_bool().unwrap_or_default();
                self.typing.insert((room, user), typing);
            }
            "chat:message:read" if !is_answer => {
                let seq = data["seq"].as_u64().unwrap_or_default();
                let before = self.reads.insert((room, user), seq);
                assert!(before.is_none_or(|before| before < seq), "a cursor never goes back: {data}");
            }
            "chat:robot:response" => {
                let times = self.replies.entry(text("id")).or_default();
                *times += 1;
                assert_eq!(*times, 1, "a reply is heard once: {data}");
            }
            // A room's own members hear it with its place in the log, and so does whoever escalates.
            "chat:escalation:created" if is_answer || data.get("seq").is_none() => {
                let times = self.created.entry(text("escalationId")).or_default();
                *times += 1;
                assert_eq!(*times, 1, "a supervisor is told of an escalation once: {data}");
            }
            "chat:escalation:resolved" if data.get("seq").is_none() => {
                let times = self.resolved.entry(text("escalationId")).or_default();
                *times += 1;
                assert_eq!(*times, 1, "a supervisor is told of its end once: {data}");
            }
            _ => {}
        }
    }

    /// It comes into a room, or is out of it: what it heard there is over.
    fn forget(&mut self, room: &str) {
        self.typing.retain(|(of, _), _| of != room);
        self.reads.retain(|(of, _), _| of != room);
        self.replies.clear();
    }
}
