//! The envelope of `/api/realtime` (002): every message has an id, a time and an author, and an answer names the message
//! that it answers.

use super::{Call, Event, ID_BYTES_MAX, Malformed, Mark, ReplyId, quoted};
use crate::frame::Frame;
use crate::ids::UserId;
use crate::json;
use crate::time::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What is read of a message. Its time and its author are the server's to say.
#[derive(Deserialize)]
struct Spelled<'a> {
    #[serde(borrow, rename = "type")]
    name: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

pub fn decode(text: &str) -> Result<Call<'_>, Malformed> {
    let spelled: Spelled<'_> = json::object(text).map_err(|why| no_call(text, why))?;
    let reply_to = match spelled.id {
        Some(id) if id.len() > ID_BYTES_MAX => {
            return Err(Malformed::because(format!("an id of {} bytes, over {ID_BYTES_MAX}", id.len())));
        }
        id => id.map(|id| ReplyId::Request(id.into())),
    };
    let data = spelled.payload.map_or("null", RawValue::get);
    Ok(Call { name: spelled.name, data, reply_to, attachments: &[] })
}

/// What is no call, under its id where that can be read.
pub fn no_call(text: &str, why: impl std::fmt::Display) -> Malformed {
    #[derive(Deserialize)]
    struct Id {
        id: String,
    }
    let id = json::object::<Id>(text).ok().map(|id| id.id).filter(|id| id.len() <= ID_BYTES_MAX);
    Malformed { reply_to: id.map(|id| ReplyId::Request(id.into())), ..Malformed::because(why) }
}

pub fn encode(event: &Event, reply_to: Option<&ReplyId>, mark: &Mark) -> Frame {
    let (id, at, by) = match mark {
        Mark::Message { id, at, by } => (id.as_str(), *at, by.clone()),
        Mark::None | Mark::Offset(_) => {
            debug_assert!(false, "a message without its id");
            ("", Timestamp::default(), UserId::server())
        }
    };
    let by = event.by.as_ref().unwrap_or(&by);
    let data = event.data.as_str();
    let mut text = String::with_capacity(data.len() + 256);
    for (field, value) in [("{\"type\":", &*event.name), (",\"id\":", id)] {
        text.push_str(field);
        text.push_str(&quoted(value));
    }
    text.push_str(",\"timestamp\":\"");
    text.push_str(&at.to_string());
    text.push_str("\",\"userId\":");
    text.push_str(&quoted(by.as_str()));
    text.push_str(",\"payload\":");
    text.push_str(data);
    if let Some(ReplyId::Request(id)) = reply_to {
        text.push_str(",\"correlationId\":");
        text.push_str(&quoted(id));
    }
    text.push('}');
    Frame::text(&text)
}
