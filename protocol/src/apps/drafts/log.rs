//! What the entries of a draft's log say, and how they are told. Updates are bytes, with the name that their author had;
//! all else is JSON.

use super::command::Anchor;
use crate::envelope::Event;
use crate::ids::{RoomId, Seq};
use crate::refusal::Refusal;
use crate::store::Entry;
use crate::y_sync::SyncMessage;
use crate::y_sync::hocuspocus::Said;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// How much of a name an update keeps, in bytes.
const NAME_BYTES_MAX: usize = 255;
/// How an update begins; JSON never begins so.
const UPDATE: u8 = 1;
/// The same for one that brings an older version back; its place follows in eight bytes.
const RESTORE: u8 = 2;

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// The document changed.
    Update {
        /// The name that its author had; empty: none.
        name: Arc<str>,
        /// The version that it brought back, if that is what it did.
        restored: Option<Seq>,
        /// The change, a canonical update of Yjs.
        update: Bytes,
    },
    /// Something was said about the document.
    Said(Words),
}

/// What is said about a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Words {
    /// A comment; its id is the entry's.
    #[serde(rename_all = "camelCase")]
    Comment {
        /// Its thread: the id of the comment that began it.
        thread_id: Arc<str>,
        /// The name that its author had.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<Arc<str>>,
        /// Where it stands.
        #[serde(skip_serializing_if = "Option::is_none")]
        anchor: Option<Anchor>,
        /// What it says.
        text: String,
    },
    /// A thread was settled, or that was taken back.
    #[serde(rename_all = "camelCase")]
    Resolve {
        /// Which.
        thread_id: Arc<str>,
        /// Whether it is settled.
        resolved: bool,
        /// The name that its author had.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<Arc<str>>,
    },
}

impl Kept {
    /// Reads an entry's body; `None`: it is none of ours.
    pub fn read(body: &Bytes) -> Option<Self> {
        let (kind, rest) = body.split_first()?;
        let header = match *kind {
            UPDATE => 0,
            RESTORE => 8,
            _ => return serde_json::from_slice(body).ok().map(Self::Said),
        };
        let (version, rest) = rest.split_at_checked(header)?;
        let (length, rest) = rest.split_first()?;
        let (name, update) = rest.split_at_checked(usize::from(*length))?;
        let name = std::str::from_utf8(name).ok()?.into();
        let restored = version.try_into().ok().map(|bytes| Seq(u64::from_be_bytes(bytes)));
        Some(Self::Update { name, restored, update: body.slice(body.len() - update.len()..) })
    }

    /// The body that reads as this.
    pub fn body(&self) -> Bytes {
        match self {
            Self::Update { name, restored, update } => {
                let mut end = name.len().min(NAME_BYTES_MAX);
                while !name.is_char_boundary(end) {
                    end -= 1;
                }
                let mut body = Vec::with_capacity(update.len() + end + 10);
                body.push(if restored.is_some() { RESTORE } else { UPDATE });
                restored.iter().for_each(|version| body.extend(version.0.to_be_bytes()));
                body.push(end as u8);
                body.extend_from_slice(&name.as_bytes()[..end]);
                body.extend_from_slice(update);
                body.into()
            }
            Self::Said(words) => crate::json::Json::of(words).as_str().to_string().into(),
        }
    }
}

/// What members hear of an entry.
pub fn told(entry: &Entry) -> Option<Event> {
    match Kept::read(&entry.body)? {
        Kept::Update { update, .. } => Some(self::update(&entry.room, update)),
        Kept::Said(words) => Some(words_event(entry, &words)),
    }
}

/// What the author of an entry is answered. Updates are answered by `saving.rs`, which knows under what id.
pub fn answer(entry: &Entry) -> Event {
    match Kept::read(&entry.body) {
        Some(Kept::Said(words)) => words_event(entry, &words),
        Some(Kept::Update { .. }) | None => saved(&entry.room, None),
    }
}

/// Whether what came under an id says the same as what stands under it; names may have changed.
pub fn is_repeat(came: &Bytes, stored: &Bytes) -> bool {
    let nameless = |body| {
        Kept::read(body).map(|kept| match kept {
            Kept::Said(Words::Comment { thread_id, anchor, text, .. }) => {
                Kept::Said(Words::Comment { thread_id, name: None, anchor, text })
            }
            Kept::Said(Words::Resolve { thread_id, resolved, .. }) => {
                Kept::Said(Words::Resolve { thread_id, resolved, name: None })
            }
            Kept::Update { restored, update, .. } => Kept::Update { name: "".into(), restored, update },
        })
    };
    nameless(came) == nameless(stored)
}

/// An entry's body for a backend that reads the log.
pub fn shown(body: &Bytes) -> Value {
    match Kept::read(body) {
        Some(Kept::Update { name, restored, update }) => {
            let mut shown = json!({"kind": "update", "update": STANDARD.encode(update)});
            if !name.is_empty() {
                shown["name"] = json!(&*name);
            }
            if let Some(version) = restored {
                shown["restored"] = json!(version);
            }
            shown
        }
        Some(Kept::Said(words)) => json!(words),
        None => Value::Null,
    }
}

fn words_event(entry: &Entry, words: &Words) -> Event {
    let mut data = match words {
        Words::Comment { thread_id, anchor, text, .. } => {
            let mut data = json!({"threadId": thread_id, "commentId": entry.id, "text": text});
            if let Some(anchor) = anchor {
                data["anchor"] = json!(anchor);
            }
            data
        }
        Words::Resolve { thread_id, resolved, .. } => json!({"threadId": thread_id, "resolved": resolved}),
    };
    let (event, name) = match words {
        Words::Comment { name, .. } => ("comment-added", name),
        Words::Resolve { name, .. } => ("comment-resolved", name),
    };
    data["userId"] = json!(entry.author);
    if let Some(name) = name {
        data["name"] = json!(name);
    }
    data["seq"] = json!(entry.seq);
    data["at"] = json!(entry.at.to_string());
    of(&entry.room, Event::new(event, &json!({ "data": data })))
}

/// An event of a draft.
pub fn of(draft: &RoomId, event: Event) -> Event {
    event.of("draft").within("draftId", draft.name.clone())
}

/// Something that has bytes, and a word in the protocols of Yjs providers.
fn with_bytes(draft: &RoomId, name: &'static str, said: Said) -> Event {
    of(draft, Event::new(name, &json!({}))).said(said)
}

/// The document changed.
pub fn update(draft: &RoomId, update: Bytes) -> Event {
    with_bytes(draft, "yjs-update", Said::Sync(SyncMessage::Update(update)))
}

/// What somebody lacks.
pub fn state(draft: &RoomId, update: Bytes) -> Event {
    with_bytes(draft, "yjs-state-response", Said::Sync(SyncMessage::Step2(update)))
}

/// The server asks for what it lacks.
pub fn state_request(draft: &RoomId, vector: Bytes) -> Event {
    with_bytes(draft, "yjs-state-request", Said::Sync(SyncMessage::Step1(vector)))
}

/// Where somebody is.
pub fn awareness(draft: &RoomId, states: Bytes) -> Event {
    with_bytes(draft, "awareness-update", Said::Awareness(states))
}

/// What was sent is durable.
pub fn saved(draft: &RoomId, id: Option<&str>) -> Event {
    let data = id.map_or(json!({}), |id| json!({ "id": id }));
    of(draft, Event::new("yjs-update-saved", &data)).said(Said::SyncStatus(true))
}

/// Why not, in the words of drafts. An update that was not taken has a word in one of the binary protocols.
pub fn refused(refusal: &Refusal) -> Event {
    let mut data = json!({"error": refusal.message, "code": refusal.code.as_str()});
    if let Some(details) = &refusal.details {
        data["details"] = details.clone();
    }
    Event::refusal("error", refusal, &data).of("draft").said(Said::SyncStatus(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_reads_as_what_it_was_made_of() {
        let update = Bytes::from_static(&[1, 2, 3]);
        let words = Words::Resolve { thread_id: "t".into(), resolved: true, name: None };
        for kept in [
            Kept::Update { name: "Ada".into(), restored: None, update: update.clone() },
            Kept::Update { name: "".into(), restored: Some(Seq(u64::MAX)), update: update.clone() },
            Kept::Update { name: "é".into(), restored: None, update: Bytes::new() },
            Kept::Said(words),
        ] {
            assert_eq!(Kept::read(&kept.body()), Some(kept));
        }
        let long = Kept::Update { name: "é".repeat(200).into(), restored: None, update };
        let Some(Kept::Update { name, .. }) = Kept::read(&long.body()) else { panic!("an update") };
        assert_eq!(&*name, "é".repeat(127));
        for bad in [&b""[..], b"\x01", b"\x01\x05ab", b"\x02\0\0", b"{}", b"\x01\x01\xff"] {
            assert_eq!(Kept::read(&Bytes::from_static(bad)), None, "{bad:?}");
        }
    }

    #[test]
    fn a_comment_is_told_with_its_place_in_the_log() {
        let words = Words::Comment {
            thread_id: "c".into(),
            name: Some("Ada".into()),
            anchor: None,
            text: "Hi".into(),
        };
        let entry = Entry {
            room: RoomId::draft("d"),
            seq: Seq(3),
            id: "c".into(),
            author: "ada".into(),
            at: crate::time::Timestamp(0),
            body: Kept::Said(words).body(),
        };
        let event = told(&entry).expect("it has words");
        let expected = json!({"data": {"threadId": "c", "commentId": "c", "text": "Hi", "userId": "ada", "name": "Ada",
            "seq": 3, "at": "1970-01-01T00:00:00.000Z"}});
        let data: Value = serde_json::from_str(event.data.as_str()).expect("JSON");
        assert_eq!((event.name.as_ref(), data), ("comment-added", expected));
    }
}
