//! What backends post (WIRE §5.3), read: one event or an array of them, each to somebody.

use super::joining::ROLES;
use super::log::Kept;
use crate::apps::composed;
use crate::apps::dashboards::board_id;
use crate::envelope::ID_BYTES_MAX;
use crate::ids::{RoomId, RoomKind, UserId};
use crate::json;
use crate::refusal::{Code, Refusal};
use crate::socket_io::packet::RESERVED_EVENTS;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// How many events one request may bring.
pub const EVENTS_MAX: usize = 500;
/// The longest name of an event, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// The largest data of an event, in bytes.
const DATA_BYTES_MAX: usize = 64 * 1024;
/// The longest `Idempotency-Key`, in bytes: with a place behind it, it is still an id.
const KEY_BYTES_MAX: usize = 120;
/// What is told while it lasts, and of which only the newest counts.
const PROGRESS: &str = "export_progress";

/// One event on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Posting {
    /// To whom.
    pub room: RoomId,
    /// What, and for which role.
    pub kept: Kept,
    /// Whether it is told and not kept.
    pub volatile: bool,
    /// The backend's own name for it.
    pub key: Option<String>,
}

/// What a request brings.
#[derive(Debug, PartialEq)]
pub struct Batch {
    /// Each event, or what is wrong with it.
    pub postings: Vec<Result<Posting, Refusal>>,
    /// Whether it came in an array, and is answered in one.
    pub array: bool,
}

#[derive(Deserialize)]
struct Wire<'a> {
    event: String,
    #[serde(borrow)]
    data: &'a RawValue,
    to: To,
    role: Option<String>,
    #[serde(default)]
    volatile: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct To {
    project_id: Option<String>,
    user_id: Option<String>,
    room: Option<Place>,
    all: Option<bool>,
}

#[derive(Deserialize)]
struct Place {
    kind: String,
    id: String,
}

impl Batch {
    /// Reads the body of a request with its `Idempotency-Key`, if it has one.
    pub fn read(body: &[u8], key: Option<&str>) -> Result<Self, Refusal> {
        json::check(body).map_err(bad)?;
        let text = std::str::from_utf8(body).map_err(bad)?;
        let key = key.map(checked_key).transpose()?;
        if !text.trim_start().starts_with('[') {
            return Ok(Self { postings: vec![posting(text, key)], array: false });
        }
        let items: Vec<&RawValue> = serde_json::from_str(text).map_err(bad)?;
        if items.len() > EVENTS_MAX {
            let message = format!("{} events are over the limit of {EVENTS_MAX}", items.len());
            let details = serde_json::json!({"limit": EVENTS_MAX, "actual": items.len()});
            return Err(Refusal::new(Code::TooLarge, message).with(details));
        }
        let postings = items.iter().enumerate().map(|(place, item)| {
            let key = key.as_ref().map(|key| format!("{key}:{place}"));
            posting(item.get(), key)
        });
        Ok(Self { postings: postings.collect(), array: true })
    }
}

impl Posting {
    /// For signals of which only the newest counts: what tells them from others.
    pub fn latest_of(&self) -> Option<String> {
        let id = ["exportId", "id"].into_iter().find_map(|name| self.kept.data.get(name));
        let is_progress = self.room.kind == RoomKind::Project && self.kept.event == PROGRESS;
        is_progress.then(|| id.map(Value::to_string).unwrap_or_default())
    }
}

fn posting(text: &str, key: Option<String>) -> Result<Posting, Refusal> {
    let wire: Wire<'_> = json::object(text).map_err(bad)?;
    let Wire { event, data, to, role, volatile } = wire;
    if event.is_empty() || event.len() > NAME_BYTES_MAX || !event.bytes().all(is_of_a_name) {
        let message = format!("event {event:.80?} is not 1 to {NAME_BYTES_MAX} characters of [A-Za-z0-9_:-]");
        return Err(Refusal::new(Code::ClientError, message));
    }
    // Clients of Socket.IO take these for their own, and hang up on whoever sends them.
    if RESERVED_EVENTS.contains(&&*event) {
        return Err(Refusal::new(Code::ClientError, format!("event {event:?} is reserved by Socket.IO")));
    }
    if data.get().len() > DATA_BYTES_MAX {
        return Err(Refusal::too_large("data", data.get().len(), DATA_BYTES_MAX));
    }
    let data: Map<String, Value> =
        json::object(data.get()).map_err(|why| Refusal::new(Code::ClientError, format!("data is {why}")))?;
    let room = to.room()?;
    if let Some(role) = &role {
        check_role(role, &room)?;
    }
    let volatile = volatile || event == PROGRESS;
    Ok(Posting { room, kept: Kept { role, event, data }, volatile, key })
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'-')
}

fn check_role(role: &str, room: &RoomId) -> Result<(), Refusal> {
    match room.kind == RoomKind::Project {
        true if ROLES.contains(&role) => Ok(()),
        true => {
            let message = format!("the role {role:.64?} is none of: {}", ROLES.join(", "));
            Err(Refusal::new(Code::ClientError, message))
        }
        false => Err(Refusal::new(Code::ClientError, "only members of projects have roles")),
    }
}

impl To {
    fn room(self) -> Result<RoomId, Refusal> {
        match self {
            Self { project_id: Some(id), user_id: None, room: None, all: None } => {
                name("projectId", &id).map(|()| RoomId::project(&composed(&id)))
            }
            Self { project_id: None, user_id: Some(id), room: None, all: None } => {
                name("userId", &id).map(|()| RoomId::user(&UserId::from(id)))
            }
            Self { project_id: None, user_id: None, room: Some(Place { kind, id }), all: None } => {
                name("id", &id)?;
                match kind.as_str() {
                    "project" => Ok(RoomId::project(&composed(&id))),
                    "chat" => Ok(RoomId::chat(&composed(&id))),
                    "dashboard" => board_id(&id),
                    kind => {
                        let message = format!(
                            "rooms of kind {kind:.64?} take no events; chat, project and dashboard do"
                        );
                        Err(Refusal::new(Code::ClientError, message))
                    }
                }
            }
            Self { project_id: None, user_id: None, room: None, all: Some(true) } => Ok(RoomId::everyone()),
            Self { .. } => {
                let message = "to is not exactly one of projectId, userId, room and all";
                Err(Refusal::new(Code::ClientError, message))
            }
        }
    }
}

fn name(what: &str, id: &str) -> Result<(), Refusal> {
    if id.len() > ID_BYTES_MAX {
        return Err(Refusal::too_large(what, id.len(), ID_BYTES_MAX));
    }
    match id.is_empty() || id.chars().any(char::is_control) {
        true => Err(Refusal::new(Code::ClientError, format!("{what} is empty or has control characters"))),
        false => Ok(()),
    }
}

fn checked_key(key: &str) -> Result<String, Refusal> {
    match key.len() {
        0 => Err(Refusal::new(Code::ClientError, "Idempotency-Key is empty")),
        1..=KEY_BYTES_MAX => Ok(key.to_string()),
        actual => Err(Refusal::too_large("Idempotency-Key", actual, KEY_BYTES_MAX)),
    }
}

fn bad(why: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::ClientError, format!("bad body: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Result<Posting, Refusal> {
        let mut batch = Batch::read(text.as_bytes(), None)?;
        assert!(!batch.array);
        batch.postings.remove(0)
    }

    fn why(text: &str) -> (Code, String) {
        let refusal = one(text).expect_err(text);
        (refusal.code, refusal.message.into_owned())
    }

    #[test]
    fn an_event_is_to_exactly_one_of_four() {
        let room = |to: &str| one(&format!(r#"{{"event":"e","data":{{}},"to":{to}}}"#)).map(|one| one.room);
        assert_eq!(room(r#"{"projectId":"p"}"#), Ok(RoomId::project("p")));
        assert_eq!(room(r#"{"userId":"ada"}"#), Ok(RoomId::user(&"ada".into())));
        assert_eq!(room(r#"{"room":{"kind":"project","id":"p"}}"#), Ok(RoomId::project("p")));
        assert_eq!(room(r#"{"room":{"kind":"chat","id":"team"}}"#), Ok(RoomId::chat("team")));
        assert_eq!(room(r#"{"all":true}"#), Ok(RoomId::everyone()));
        for to in ["{}", r#"{"all":false}"#, r#"{"all":true,"userId":"ada"}"#, r#"{"team":"x"}"#] {
            let message = "to is not exactly one of projectId, userId, room and all";
            assert_eq!(room(to).expect_err(to).message, message);
        }
        let draft = room(r#"{"room":{"kind":"draft","id":"d"}}"#).expect_err("no such kind yet");
        assert_eq!(draft.message, r#"rooms of kind "draft" take no events; chat, project and dashboard do"#);
        let empty = room(r#"{"userId":""}"#).expect_err("nobody");
        assert_eq!(empty.message, "userId is empty or has control characters");
    }

    #[test]
    fn the_character_and_the_byte_over_a_limit_are_refused() {
        let named = |name: &str| format!(r#"{{"event":"{name}","data":{{}},"to":{{"all":true}}}}"#);
        assert!(one(&named(&"a".repeat(64))).is_ok() && one(&named("A-z_0:9")).is_ok());
        for name in ["", "é", "a b", "a.b", &"a".repeat(65)] {
            assert!(why(&named(name)).1.ends_with("is not 1 to 64 characters of [A-Za-z0-9_:-]"), "{name}");
        }
        let reserved = why(&named("connect")).1;
        assert_eq!(reserved, r#"event "connect" is reserved by Socket.IO"#);
        let sized = |bytes: usize| {
            let text = "x".repeat(bytes - r#"{"a":""}"#.len());
            format!(r#"{{"event":"e","data":{{"a":"{text}"}},"to":{{"all":true}}}}"#)
        };
        assert!(one(&sized(65_536)).is_ok());
        let message = "data of 65537 bytes is over the limit of 65536".to_string();
        assert_eq!(why(&sized(65_537)), (Code::TooLarge, message));
        let message = "data is not an object".to_string();
        assert_eq!(why(r#"{"event":"e","data":[],"to":{"all":true}}"#), (Code::ClientError, message));
    }

    #[test]
    fn a_role_is_one_of_a_projects() {
        let with = |to: &str, role: &str| {
            one(&format!(r#"{{"event":"e","data":{{}},"to":{to},"role":"{role}"}}"#)).map(|one| one.kept.role)
        };
        assert_eq!(with(r#"{"projectId":"p"}"#, "storyteller"), Ok(Some("storyteller".to_string())));
        let king = with(r#"{"projectId":"p"}"#, "king").expect_err("no such role");
        assert_eq!(king.message, r#"the role "king" is none of: facilitator, storyteller"#);
        let all = with(r#"{"all":true}"#, "storyteller").expect_err("no roles there");
        assert_eq!(all.message, "only members of projects have roles");
    }

    #[test]
    fn the_keys_of_a_batch_carry_the_place_of_each_event() {
        let event = r#"{"event":"e","data":{},"to":{"all":true}}"#;
        let batch = Batch::read(format!("[{event},7,{event}]").as_bytes(), Some("k")).expect("a batch");
        let keys: Vec<_> = batch
            .postings
            .iter()
            .map(|posting| posting.as_ref().ok().and_then(|one| one.key.clone()))
            .collect();
        assert_eq!(keys, [Some("k:0".to_string()), None, Some("k:2".to_string())]);
        let many = format!("[{}7]", "7,".repeat(EVENTS_MAX));
        let refusal = Batch::read(many.as_bytes(), None).expect_err("one too many");
        assert_eq!(refusal.message, "501 events are over the limit of 500");
        assert_eq!(
            Batch::read(b"[]", Some(&"k".repeat(121))).expect_err("a long key").message,
            "Idempotency-Key of 121 bytes is over the limit of 120"
        );
    }
}
