//! The envelopes of drafts: 003's JSON on `/ws`, and the binary protocols of Yjs providers. What brings bytes has them
//! in `data`, in 003's way as an array of integers or, to who writes so itself, in base64.

use super::{Call, Event, Malformed, ReplyId, fields};
use crate::frame::Frame;
use crate::json::Json;
use crate::y_sync::hocuspocus::{self, Said};
use crate::y_sync::{Message, SyncMessage};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::LazyLock;

/// The app whose events are spelled as 003 asks; those of others have their data in `data`.
const FAMILY: &str = "draft";

/// How bytes stand in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// As an array of integers.
    Integers,
    /// As a string.
    Base64,
}

/// Reads a call on `/ws`. What is about the connection has its data in `data`; a draft's calls have fields beside it.
pub fn decode(text: &str) -> Result<Call<'_>, Malformed> {
    #[derive(Deserialize)]
    struct Inner<'a> {
        #[serde(borrow)]
        data: Option<&'a RawValue>,
    }
    let call = fields::decode(text)?;
    if !call.name.starts_with("auth:") {
        return Ok(call);
    }
    let inner: Inner<'_> = crate::json::object(text).map_err(|why| Malformed::no_call(text, why))?;
    Ok(Call { data: inner.data.map_or("null", RawValue::get), ..call })
}

/// Writes an event for `/ws`.
pub fn encode(event: &Event, reply_to: Option<&ReplyId>, spelling: Spelling) -> Frame {
    match event.family {
        Some(FAMILY) => {
            let data = Json::written(data(event, spelling).into_owned());
            fields::encode(&Event { data, said: None, ..event.clone() }, reply_to)
        }
        Some(_) | None => {
            let data = Json::written(format!("{{\"data\":{}}}", event.data.as_str()));
            fields::encode(&Event { data, ..event.clone() }, reply_to)
        }
    }
}

/// An event's data, with the bytes that it brings.
pub fn data(event: &Event, spelling: Spelling) -> Cow<'_, str> {
    match event.said.as_deref().and_then(bytes_of) {
        Some(bytes) => Cow::Owned(spelled(bytes, spelling)),
        None => Cow::Borrowed(event.data.as_str()),
    }
}

/// How many bytes an event brings.
pub fn brought(event: &Event) -> usize {
    event.said.as_deref().and_then(bytes_of).map_or(0, Bytes::len)
}

/// `{"data":…}`
fn spelled(bytes: &Bytes, spelling: Spelling) -> String {
    match spelling {
        Spelling::Base64 => {
            let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4 + 11);
            text.push_str("{\"data\":\"");
            STANDARD.encode_string(bytes, &mut text);
            text.push_str("\"}");
            text
        }
        Spelling::Integers => {
            static NUMBERS: LazyLock<Vec<String>> =
                LazyLock::new(|| (0..=255).map(|byte| format!("{byte},")).collect());
            let mut text = String::with_capacity(bytes.len() * 4 + 11);
            text.push_str("{\"data\":[");
            bytes.iter().for_each(|byte| text.push_str(&NUMBERS[usize::from(*byte)]));
            if !bytes.is_empty() {
                text.pop();
            }
            text.push_str("]}");
            text
        }
    }
}

fn bytes_of(said: &Said) -> Option<&Bytes> {
    match said {
        Said::Sync(SyncMessage::Step1(bytes) | SyncMessage::Step2(bytes) | SyncMessage::Update(bytes))
        | Said::Awareness(bytes) => Some(bytes),
        Said::SyncReply(_)
        | Said::QueryAwareness
        | Said::Auth { .. }
        | Said::AskToken
        | Said::Authenticated { .. }
        | Said::Denied(_)
        | Said::Stateless(_)
        | Said::BroadcastStateless(_)
        | Said::Close(_)
        | Said::SyncStatus(_) => None,
    }
}

/// Writes an event for `/yjs`, if it has a word there.
pub fn encode_y_websocket(event: &Event) -> Option<Frame> {
    let message = match event.said.as_deref()? {
        Said::Sync(message) => Message::Sync(message.clone()),
        Said::Awareness(bytes) => Message::Awareness(bytes.clone()),
        Said::Denied(reason) => Message::Denied(reason.clone()),
        Said::SyncReply(_)
        | Said::QueryAwareness
        | Said::Auth { .. }
        | Said::AskToken
        | Said::Authenticated { .. }
        | Said::Stateless(_)
        | Said::BroadcastStateless(_)
        | Said::Close(_)
        | Said::SyncStatus(_) => return None,
    };
    Some(Frame::binary(&message.write()))
}

/// Writes an event for `/hocuspocus`, if it has a word there and is about a document.
pub fn encode_hocuspocus(event: &Event) -> Option<Frame> {
    let (said, (_, document)) = (event.said.as_deref()?, event.within.as_ref()?);
    let frame = hocuspocus::Frame::Said { document: document.clone(), said: said.clone() };
    Some(Frame::binary(&frame.write()))
}
