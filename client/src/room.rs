//! What a client can be in, how it asks to be let in, and to which room a stored entry belongs.

use crate::envelope::Heard;
use serde_json::{Map, Value, json};

/// What a client can be in: it hears all that is stored there, in order, over all reconnects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Room {
    /// A chat room (WIRE §2).
    Chat(String),
    /// A project (WIRE §5).
    Project(String),
    /// What backends tell this user and everyone (WIRE §5.3).
    Feed,
}

/// Which of a room's logs: the feed has two, what this user is told and what everyone is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    Own,
    Everyone,
}

/// A place in a room's log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub room: Room,
    pub log: Log,
    pub seq: u64,
}

impl Room {
    /// The call that asks to be let in, with what was heard before of the room's own log and of everyone's.
    pub(crate) fn join(&self, since: Option<u64>, all: Option<u64>) -> (&'static str, Value) {
        let mut data = self.named();
        let heard = [("since", since), ("all", all.filter(|_| *self == Self::Feed))];
        for (key, heard) in heard.into_iter().filter_map(|(key, heard)| Some((key, heard?))) {
            data.insert(key.to_string(), json!(heard));
        }
        let name = match self {
            Self::Chat(_) => "chat:room:join",
            Self::Project(_) => "join_project",
            Self::Feed => "feed:join",
        };
        (name, Value::Object(data))
    }

    /// The call that says goodbye, where there is one.
    pub(crate) fn leave(&self) -> Option<(&'static str, Value)> {
        match self {
            Self::Chat(_) => Some(("chat:room:leave", Value::Object(self.named()))),
            Self::Project(_) => Some(("leave_project", Value::Object(self.named()))),
            Self::Feed => None,
        }
    }

    fn named(&self) -> Map<String, Value> {
        let name = match self {
            Self::Chat(id) => Some(("roomId", id)),
            Self::Project(id) => Some(("projectId", id)),
            Self::Feed => None,
        };
        name.into_iter().map(|(key, id)| (key.to_string(), json!(id))).collect()
    }
}

impl Place {
    /// Where an event is stored; `None`: it is a signal. That somebody has read up to a message is one, though it
    /// has that message's `seq`.
    pub fn of(heard: &Heard) -> Option<Self> {
        let text = |key| heard.data.get(key).and_then(Value::as_str).map(str::to_string);
        let seq = heard.data.get("seq")?.as_u64()?;
        let feed = text("feed");
        let log = if feed.as_deref() == Some("all") { Log::Everyone } else { Log::Own };
        let room = match (feed.as_deref(), text("projectId"), text("roomId")) {
            (Some("user" | "all"), ..) => Room::Feed,
            (_, Some(project), _) => Room::Project(project),
            (_, _, Some(room)) if heard.event.starts_with("chat:") => Room::Chat(room),
            _ => return None,
        };
        (heard.event != "chat:message:read").then_some(Self { room, log, seq })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(event: &str, data: Value) -> Option<Place> {
        Place::of(&Heard::read(&json!({"event": event, "data": data}).to_string()).expect("an event"))
    }

    #[test]
    fn entries_are_told_from_signals() {
        let chat = Room::Chat("a".to_string());
        assert_eq!(
            place("chat:message:received", json!({"roomId": "a", "seq": 3})),
            Some(Place { room: chat, log: Log::Own, seq: 3 })
        );
        let project = Room::Project("p".to_string());
        assert_eq!(
            place("story_uploaded", json!({"projectId": "p", "seq": 4, "at": "t"})),
            Some(Place { room: project, log: Log::Own, seq: 4 })
        );
        let everyone = place("news", json!({"seq": 5, "at": "t", "feed": "all"}));
        assert_eq!(everyone, Some(Place { room: Room::Feed, log: Log::Everyone, seq: 5 }));
        assert_eq!(place("chat:message:read", json!({"roomId": "a", "seq": 3})), None);
        assert_eq!(place("export_progress", json!({"projectId": "p"})), None);
    }

    #[test]
    fn a_room_is_joined_with_what_was_heard_of_it() {
        assert_eq!(Room::Feed.join(Some(2), Some(9)), ("feed:join", json!({"since": 2, "all": 9})));
        let project = Room::Project("p".to_string());
        assert_eq!(project.join(Some(2), Some(9)), ("join_project", json!({"projectId": "p", "since": 2})));
        assert_eq!(project.join(None, None).1, json!({"projectId": "p"}));
    }
}
