//! What a client can ask of a draft, in 003's JSON or over a connection of several apps. The binary protocols of Yjs
//! providers say the same (`y_sync`).

use crate::apps::composed;
use crate::envelope::ID_BYTES_MAX;
use crate::ids::{EntryId, RoomId};
use crate::job::Unpacked;
use crate::json;
use crate::refusal::{Code, Refusal};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;

/// The longest text of a comment, in bytes.
pub const COMMENT_BYTES_MAX: usize = 16 * 1024;
/// The longest relative position that a comment is anchored at, in bytes of base64.
const ANCHOR_BYTES_MAX: usize = 1_024;

/// Some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One command about one draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Which draft.
    pub draft: RoomId,
    /// What.
    pub asks: Asks,
    /// Whether its bytes came in base64: its sender is told bytes in the same way from then on.
    pub base64: bool,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asks {
    /// To come in.
    Open,
    /// To go.
    Close,
    /// What it lacks, having what this state vector says; `None`: everything.
    State(Option<Bytes>),
    /// To take in what the server asked for.
    Answer(Bytes),
    /// To take in an update; its answer repeats the id.
    Update(Bytes, Option<Arc<str>>),
    /// To tell where it is.
    Awareness(Bytes),
    /// Where everybody is.
    QueryAwareness,
    /// To keep a comment.
    Comment(NewComment),
    /// To settle a thread, or take that back.
    Resolve {
        /// Which.
        thread: Arc<str>,
        /// Whether it is settled.
        resolved: bool,
    },
    /// Nothing: a pong.
    Nothing,
}

/// A comment on its way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewComment {
    /// Its own id.
    pub id: Option<EntryId>,
    /// The thread that it continues; without one it begins its own.
    pub thread: Option<Arc<str>>,
    /// Where it stands: two relative positions of Yjs in base64.
    pub anchor: Option<Anchor>,
    /// What it says.
    pub text: String,
}

/// A span of the document.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, serde::Serialize)]
pub struct Anchor {
    /// Its beginning.
    pub from: String,
    /// Its end.
    pub to: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Frame<'a> {
    draft_id: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CommentData {
    id: Option<String>,
    thread_id: Option<String>,
    anchor: Option<Anchor>,
    text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResolveData {
    thread_id: String,
    resolved: bool,
}

impl Command {
    /// Reads a command about the one draft that a connection is there for; `None`: there is none of this name.
    pub fn parse(draft: &RoomId, name: &str, text: &str) -> Option<Result<Self, Refusal>> {
        Some(match name {
            "yjs-update" | "yjs-state-request" | "yjs-state-response" | "awareness-update"
            | "comment-add" | "comment-resolve" | "pong" => {
                read(text).and_then(|frame| of(draft.clone(), name, frame, &[]))
            }
            _ => return None,
        })
    }

    /// Reads a command where a connection has several drafts; `None`: there is none of this name.
    pub fn parse_among(name: &str, data: &str, attachments: &[Bytes]) -> Option<Result<Self, Refusal>> {
        let name = name.strip_prefix("draft:")?;
        let known = matches!(
            name,
            "open"
                | "close"
                | "yjs-update"
                | "yjs-state-request"
                | "yjs-state-response"
                | "awareness-update"
                | "awareness-query"
                | "comment-add"
                | "comment-resolve"
        );
        known.then(|| {
            let mut frame = read(data)?;
            let id = frame.draft_id.take().ok_or_else(|| bad("the data names no draftId"))?;
            of(draft_id(&id)?, name, frame, attachments)
        })
    }

    /// A command of which a job has read the bytes; `None`: there is none of this name that brings any.
    pub fn unpacked(draft: RoomId, unpacked: Unpacked) -> Option<Result<Self, Refusal>> {
        let Unpacked { name, bytes, base64, id: own } = unpacked;
        let asks = match name.as_str() {
            "yjs-update" => own.map(id).transpose().map(|own| Asks::Update(bytes, own)),
            "yjs-state-response" => Ok(Asks::Answer(bytes)),
            "yjs-state-request" => Ok(Asks::State(Some(bytes))),
            "awareness-update" => Ok(Asks::Awareness(bytes)),
            _ => return None,
        };
        Some(asks.map(|asks| Self { draft, asks, base64 }))
    }

    /// Whether its bytes may come as a binary attachment.
    pub fn takes_attachments(&self) -> bool {
        match self.asks {
            Asks::State(_) | Asks::Answer(_) | Asks::Update(..) | Asks::Awareness(_) => true,
            Asks::Open
            | Asks::Close
            | Asks::QueryAwareness
            | Asks::Comment(_)
            | Asks::Resolve { .. }
            | Asks::Nothing => false,
        }
    }

    /// Whether it is never refused for its rate: its client would not say it again.
    pub fn is_unlimited(&self) -> bool {
        match self.asks {
            Asks::Update(..) | Asks::Answer(_) | Asks::State(_) | Asks::Nothing => true,
            Asks::Open
            | Asks::Close
            | Asks::Awareness(_)
            | Asks::QueryAwareness
            | Asks::Comment(_)
            | Asks::Resolve { .. } => false,
        }
    }

    /// Whether it is a signal, which has a rate of its own.
    pub fn is_signal(&self) -> bool {
        matches!(self.asks, Asks::Awareness(_) | Asks::QueryAwareness)
    }
}

/// The draft that a client names.
pub fn draft_id(id: &str) -> Result<RoomId, Refusal> {
    let id = composed(id);
    if id.len() > ID_BYTES_MAX {
        return Err(Refusal::too_large("draftId", id.len(), ID_BYTES_MAX));
    }
    match id.is_empty() || id.chars().any(char::is_control) {
        true => Err(bad("draftId is empty or has control characters")),
        false => Ok(RoomId::draft(&id)),
    }
}

fn bad(message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(Code::ClientError, message)
}

fn read(text: &str) -> Result<Frame<'_>, Refusal> {
    json::object(text).map_err(|why| bad(format!("bad data: {why}")))
}

fn of(draft: RoomId, name: &str, frame: Frame<'_>, attachments: &[Bytes]) -> Result<Command, Refusal> {
    let data = frame.data.map_or("null", RawValue::get);
    let bytes = || read_bytes(data, attachments);
    let (asks, base64) = match name {
        "open" => (Asks::Open, false),
        "close" => (Asks::Close, false),
        "yjs-update" => {
            let (update, base64) = bytes()?;
            (Asks::Update(update, frame.id.map(id).transpose()?), base64)
        }
        "yjs-state-response" => bytes().map(|(update, base64)| (Asks::Answer(update), base64))?,
        "yjs-state-request" if data == "null" => (Asks::State(None), false),
        "yjs-state-request" => bytes().map(|(vector, base64)| (Asks::State(Some(vector)), base64))?,
        "awareness-update" => bytes().map(|(update, base64)| (Asks::Awareness(update), base64))?,
        "awareness-query" => (Asks::QueryAwareness, false),
        "comment-add" => (comment(data)?, false),
        "comment-resolve" => {
            let ResolveData { thread_id, resolved } =
                json::object(data).map_err(|why| bad(format!("bad data: {why}")))?;
            (Asks::Resolve { thread: id(thread_id)?, resolved }, false)
        }
        _ => (Asks::Nothing, false),
    };
    Ok(Command { draft, asks, base64 })
}

fn comment(data: &str) -> Result<Asks, Refusal> {
    let CommentData { id: own, thread_id, anchor, text } =
        json::object(data).map_err(|why| bad(format!("bad data: {why}")))?;
    let text = crate::apps::stripped(&text);
    if text.len() > COMMENT_BYTES_MAX {
        return Err(Refusal::too_large("text", text.len(), COMMENT_BYTES_MAX));
    }
    if text.trim().is_empty() {
        return Err(bad("text is empty"));
    }
    for side in anchor.iter().flat_map(|anchor| [&anchor.from, &anchor.to]) {
        if side.len() > ANCHOR_BYTES_MAX {
            return Err(Refusal::too_large("anchor", side.len(), ANCHOR_BYTES_MAX));
        }
        if BASE64.decode(side).is_err() {
            return Err(bad("anchor is not base64"));
        }
    }
    let (own, thread) = (own.map(id).transpose()?, thread_id.map(id).transpose()?);
    Ok(Asks::Comment(NewComment { id: own.map(EntryId), thread, anchor, text }))
}

fn id(text: String) -> Result<Arc<str>, Refusal> {
    if text.len() > ID_BYTES_MAX {
        return Err(Refusal::too_large("id", text.len(), ID_BYTES_MAX));
    }
    match text.is_empty() || text.chars().any(char::is_control) {
        true => Err(bad("an id is empty or has control characters")),
        false => Ok(composed(&text).into()),
    }
}

/// Bytes as integers, as base64 or as the one binary attachment; and whether they were base64.
pub fn read_bytes(data: &str, attachments: &[Bytes]) -> Result<(Bytes, bool), Refusal> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Spelled<'a> {
        Integers(Vec<u8>),
        Base64(#[serde(borrow)] std::borrow::Cow<'a, str>),
        Attached {
            #[serde(rename = "_placeholder")]
            _placeholder: bool,
        },
    }
    match serde_json::from_str(data) {
        Ok(Spelled::Integers(bytes)) => Ok((bytes.into(), false)),
        Ok(Spelled::Base64(text)) => match BASE64.decode(text.as_bytes()) {
            Ok(bytes) => Ok((bytes.into(), true)),
            Err(why) => Err(bad(format!("data is not base64: {why}"))),
        },
        Ok(Spelled::Attached { .. }) if attachments.len() == 1 => Ok((attachments[0].clone(), true)),
        Ok(Spelled::Attached { .. }) | Err(_) => {
            Err(bad("data is no array of integers from 0 to 255, no base64 and no attachment"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(name: &str, data: &str) -> Result<Asks, String> {
        let parsed = Command::parse(&RoomId::draft("d"), name, data).expect("a known name");
        parsed.map(|command| command.asks).map_err(|refusal| refusal.message.into_owned())
    }

    #[test]
    fn bytes_come_as_integers_or_in_base64() {
        let update = |id: Option<&str>| Ok(Asks::Update(Bytes::from_static(&[0, 255]), id.map(Into::into)));
        assert_eq!(asks("yjs-update", r#"{"type":"yjs-update","data":[0,255]}"#), update(None));
        assert_eq!(asks("yjs-update", r#"{"data":"AP8=","id":"1"}"#), update(Some("1")));
        assert_eq!(asks("yjs-update", r#"{"data":"AP8"}"#), update(None));
        let none = "data is no array of integers from 0 to 255, no base64 and no attachment";
        for data in [r#"{"data":[256]}"#, r#"{"data":[-1]}"#, r#"{"data":[0.5]}"#, r#"{"data":{}}"#, "{}"] {
            assert_eq!(asks("yjs-update", data), Err(none.to_string()), "{data}");
        }
        assert!(
            asks("yjs-update", r#"{"data":"?"}"#).expect_err("no base64").starts_with("data is not base64")
        );
        let among = |data: &str, attachments: &[Bytes]| {
            Command::parse_among("draft:yjs-update", data, attachments).expect("a known name")
        };
        let attached = r#"{"draftId":"d","data":{"_placeholder":true,"num":0}}"#;
        let command = among(attached, &[Bytes::from_static(&[0, 255])]).expect("a good command");
        assert_eq!((command.draft, Ok(command.asks)), (RoomId::draft("d"), update(None)));
        assert!(among(attached, &[]).is_err());
        assert_eq!(among("{}", &[]).expect_err("no draft").message, "the data names no draftId");
    }

    #[test]
    fn a_request_of_the_state_may_say_what_is_known() {
        assert_eq!(asks("yjs-state-request", "{}"), Ok(Asks::State(None)));
        assert_eq!(
            asks("yjs-state-request", r#"{"data":[0]}"#),
            Ok(Asks::State(Some(Bytes::from_static(&[0]))))
        );
    }

    #[test]
    fn a_comment_has_a_text_and_perhaps_a_place() {
        let comment =
            asks("comment-add", r#"{"data":{"id":"c","text":"Hi\u0007","anchor":{"from":"AA","to":"AQ"}}}"#);
        let anchor = Some(Anchor { from: "AA".into(), to: "AQ".into() });
        let new = NewComment { id: Some("c".into()), thread: None, anchor, text: "Hi".into() };
        assert_eq!(comment, Ok(Asks::Comment(new)));
        assert_eq!(asks("comment-add", r#"{"data":{"text":" "}}"#), Err("text is empty".to_string()));
        let long = format!(r#"{{"data":{{"text":"{}"}}}}"#, "x".repeat(COMMENT_BYTES_MAX + 1));
        let message = "text of 16385 bytes is over the limit of 16384";
        assert_eq!(asks("comment-add", &long), Err(message.to_string()));
        let anchor = r#"{"data":{"text":"x","anchor":{"from":"?","to":"AA"}}}"#;
        assert_eq!(asks("comment-add", anchor), Err("anchor is not base64".to_string()));
    }
}
