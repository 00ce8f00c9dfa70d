//! The envelope of `/chat` and `/api/connect`: 001's `WebSocketEvent`.

use super::{Call, Event, Malformed, ReplyId, general_data, general_name, quoted, reply_id};
use crate::frame::Frame;
use crate::json;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The one version that is spoken; also meant where none is given.
const VERSION: &str = "1";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spelled<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    request_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    version: Option<Cow<'a, str>>,
}

pub fn decode(text: &str) -> Result<Call<'_>, Malformed> {
    let spelled: Spelled<'_> = json::object(text).map_err(|why| Malformed::no_call(text, why))?;
    let reply_to = reply_id(spelled.request_id)?;
    match spelled.version {
        Some(version) if version != VERSION => Err(Malformed {
            why: format!("version {version:.16} is not spoken here"),
            reply_to,
            version: true,
        }),
        _ => {
            let data = spelled.data.map_or("null", RawValue::get);
            Ok(Call { name: spelled.event, data, reply_to, attachments: &[] })
        }
    }
}

pub fn encode(event: &Event, reply_to: Option<&ReplyId>) -> Frame {
    let id = match reply_to {
        Some(ReplyId::Request(id)) => Some(&**id),
        Some(ReplyId::SocketIo(_)) | None => None,
    };
    Frame::text(&spelled(event, id))
}

/// An event as a `WebSocketEvent`.
pub fn spelled(event: &Event, request_id: Option<&str>) -> String {
    let mut text = format!("{{\"event\":{},\"data\":{}", quoted(&general_name(event)), general_data(event));
    if let Some(id) = request_id {
        text.push_str(",\"requestId\":");
        text.push_str(&quoted(id));
    }
    text.push_str(",\"version\":\"1\"}");
    text
}
