//! The envelope of `/documents`: the name in `type`, the data's fields beside it.

use super::{Call, Event, Malformed, ReplyId, quoted, reply_id};
use crate::frame::Frame;
use crate::json;
use serde::Deserialize;
use std::borrow::Cow;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spelled<'a> {
    #[serde(borrow, rename = "type")]
    name: Cow<'a, str>,
    #[serde(borrow)]
    request_id: Option<Cow<'a, str>>,
}

pub fn decode(text: &str) -> Result<Call<'_>, Malformed> {
    let spelled: Spelled<'_> = json::object(text).map_err(|why| Malformed::no_call(text, why))?;
    Ok(Call { name: spelled.name, data: text, reply_to: reply_id(spelled.request_id)?, attachments: &[] })
}

pub fn encode(event: &Event, reply_to: Option<&ReplyId>) -> Frame {
    let fields = event.data.as_str().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    debug_assert!(fields.is_some(), "the data of {} is no object", event.name);
    let mut text = format!("{{\"type\":{}", quoted(&event.name));
    if let Some(fields) = fields.filter(|fields| !fields.is_empty()) {
        text.push(',');
        text.push_str(fields);
    }
    if let Some(ReplyId::Request(id)) = reply_to {
        text.push_str(",\"requestId\":");
        text.push_str(&quoted(id));
    }
    text.push('}');
    Frame::text(&text)
}
