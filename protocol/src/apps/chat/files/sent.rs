//! A file as somebody sends it, over a socket or over REST, read and checked as far as its bytes are not needed.

use super::super::command::{self, parse};
use super::name::cleaned;
use crate::auth::User;
use crate::context::Caller;
use crate::ids::{EntryId, RequestId, RoomId};
use crate::job::Content;
use crate::refusal::{Code, Refusal};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;

/// A file that is sent.
#[derive(Debug, Clone)]
pub struct Sent {
    pub(super) room: RoomId,
    /// The sender's own id for it.
    pub(super) id: Option<EntryId>,
    pub(super) name: String,
    pub(super) content: Content,
}

/// The same over REST, as it came.
#[derive(Debug)]
pub struct Offer {
    /// The request.
    pub request: RequestId,
    /// Who sends it.
    pub user: Arc<User>,
    /// `roomId`
    pub room: String,
    /// `name`
    pub name: String,
    /// `Idempotency-Key`
    pub key: Option<String>,
    /// The file.
    pub body: Bytes,
}

/// Where it came from, and where it is answered.
#[derive(Debug)]
pub(super) enum Source {
    /// A call.
    Caller(Caller),
    /// A request.
    Request(RequestId, Arc<User>),
}

/// `chat:file:upload`. What the client says of the type is not read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upload<'a> {
    room_id: String,
    id: Option<String>,
    name: String,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Stands for a binary attachment.
#[derive(Deserialize)]
struct Placeholder {
    #[serde(rename = "_placeholder")]
    is_one: bool,
    num: usize,
}

impl Sent {
    /// Reads what came over a socket.
    pub fn read(asked: Upload<'_>, attachments: &[Bytes]) -> Result<Self, Refusal> {
        Ok(Self {
            room: command::room(&asked.room_id)?,
            id: asked.id.map(|asked| Ok(command::id("id", &asked)?.as_ref().into())).transpose()?,
            name: cleaned(&asked.name)?,
            content: content(asked.data, attachments)?,
        })
    }

    pub(super) fn offered(offer: &Offer) -> Result<Self, Refusal> {
        let key = offer.key.as_deref();
        Ok(Self {
            room: command::room(&offer.room)?,
            id: key.map(|key| Ok(command::id("Idempotency-Key", key)?.as_ref().into())).transpose()?,
            name: cleaned(&offer.name)?,
            content: Content::Plain(offer.body.clone()),
        })
    }

    /// How many bytes it takes, as it came and as it is.
    pub(super) fn weight(&self) -> usize {
        match &self.content {
            Content::Plain(bytes) => bytes.len(),
            Content::Base64(text) => text.len() + text.len() / 4 * 3,
        }
    }
}

impl Source {
    pub(super) fn user(&self) -> &Arc<User> {
        match self {
            Self::Caller(caller) => &caller.user,
            Self::Request(_, user) => user,
        }
    }
}

fn content(data: &RawValue, attachments: &[Bytes]) -> Result<Content, Refusal> {
    let text = data.get();
    match text.as_bytes() {
        [b'"', base64 @ .., b'"'] if !base64.contains(&b'\\') => {
            Ok(Content::Base64(Bytes::copy_from_slice(base64)))
        }
        // Some clients write `\/` for a slash.
        [b'"', ..] => {
            let base64: Result<String, _> = serde_json::from_str(text);
            let base64 = base64.map_err(|error| Refusal::new(Code::ClientError, format!("data: {error}")))?;
            Ok(Content::Base64(base64.into()))
        }
        _ => {
            let attachment = parse::<Placeholder>(text).ok().filter(|placeholder| placeholder.is_one);
            let attachment = attachment.and_then(|placeholder| attachments.get(placeholder.num)).cloned();
            attachment.map(Content::Plain).ok_or_else(|| {
                Refusal::new(Code::ClientError, "data is neither base64 nor a binary attachment")
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &str, attachments: &[Bytes]) -> Result<Content, Refusal> {
        let text = format!(r#"{{"roomId":"r","name":"n","mimeType":"text/html","data":{data}}}"#);
        parse(&text).and_then(|asked| Sent::read(asked, attachments)).map(|sent| sent.content)
    }

    #[test]
    fn data_is_base64_or_the_attachment_that_it_names() {
        let attachments = [Bytes::from_static(b"zero"), Bytes::from_static(b"one")];
        let base64 = |text: &'static str| Ok(Content::Base64(Bytes::from_static(text.as_bytes())));
        assert_eq!(read(r#""ab/+""#, &[]), base64("ab/+"));
        assert_eq!(read(r#""ab\/+""#, &[]), base64("ab/+"));
        let named = r#"{"_placeholder":true,"num":1}"#;
        assert_eq!(read(named, &attachments), Ok(Content::Plain(Bytes::from_static(b"one"))));
        for wrong in
            [r#"{"_placeholder":true,"num":2}"#, r#"{"_placeholder":false,"num":0}"#, "[1,2]", "{}", "1"]
        {
            let why = read(wrong, &attachments).expect_err(wrong).message;
            assert_eq!(why, "data is neither base64 nor a binary attachment");
        }
        assert!(read(named, &[]).is_err(), "nothing is attached where nothing can be");
    }
}
