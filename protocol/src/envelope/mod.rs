//! How a command or an event is written in a frame (WIRE §0.4). Envelopes know names, data and reply ids; they
//! know no app.

mod draft;
mod event;
mod fields;
mod realtime;
pub mod socket_io;

use crate::frame::Frame;
use crate::ids::UserId;
use crate::json::{self, Json};
use crate::metrics::App;
use crate::refusal::{Code, Refusal};
use crate::time::Timestamp;
use crate::y_sync::hocuspocus::Said;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// The longest name of a command and the longest id, in bytes.
pub const ID_BYTES_MAX: usize = 128;

/// What clients are told: a name and its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Its data; an object where fields are to stand beside the name.
    pub data: Json,
    /// The app before the name, where a connection has several: `document` makes `document:name`.
    pub family: Option<&'static str>,
    /// What an endpoint of one app knows without being told, and others are told in the data.
    pub within: Option<(&'static str, Arc<str>)>,
    /// The error, when it is a refusal.
    pub refusal: Option<Json>,
    /// The error's code, for those who count.
    pub code: Option<Code>,
    /// How it is said in the protocols of Yjs providers. What bytes it brings stand in the data as `data` elsewhere.
    pub said: Option<Arc<Said>>,
    /// Who said it, where that is told beside the data.
    pub by: Option<UserId>,
}

impl Event {
    /// An event with `data` as JSON.
    pub fn new(name: &'static str, data: &impl Serialize) -> Self {
        Self::named(Cow::Borrowed(name), Json::of(data))
    }

    /// An event whose name is not known beforehand.
    pub fn named(name: Cow<'static, str>, data: Json) -> Self {
        Self { name, data, family: None, within: None, refusal: None, code: None, said: None, by: None }
    }

    /// An event that says why not; `data` is what it says where it is told as an event.
    pub fn refusal(name: &'static str, refusal: &Refusal, data: &impl Serialize) -> Self {
        Self { refusal: Some(Json::of(refusal)), code: Some(refusal.code), ..Self::new(name, data) }
    }

    /// The same as one of an app's, where a connection has several.
    pub fn of(self, family: &'static str) -> Self {
        Self { family: Some(family), ..self }
    }

    /// The same, with how it is said in the protocols of Yjs providers.
    pub fn said(self, said: Said) -> Self {
        Self { said: Some(Arc::new(said)), ..self }
    }

    /// The same as said by this user.
    pub fn by(self, user: UserId) -> Self {
        Self { by: Some(user), ..self }
    }

    /// The same about one of several things of an app.
    pub fn within(self, key: &'static str, id: Arc<str>) -> Self {
        Self { within: Some((key, id)), ..self }
    }
}

/// Repeats in an answer what the client wrote in its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyId {
    /// Its `requestId`.
    Request(Arc<str>),
    /// A call over Socket.IO that is answered in a way of its own.
    SocketIo(Arc<socket_io::Emitted>),
}

/// What a client asks, still without meaning: the app that owns the name parses the data.
#[derive(Debug, PartialEq, Eq)]
pub struct Call<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its data, one JSON value.
    pub data: &'a str,
    /// Where the answer belongs.
    pub reply_to: Option<ReplyId>,
    /// The binary attachments that came with it, in the order of their placeholders.
    pub attachments: &'a [Bytes],
}

/// A frame that is not what the envelope asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong with it.
    pub why: String,
    /// Where the answer belongs, as far as that could be read.
    pub reply_to: Option<ReplyId>,
    /// Whether a version was asked for that is not spoken.
    pub version: bool,
}

/// How a connection writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Envelope {
    /// `{"type":name,…fields,"requestId"?}` (000)
    Fields,
    /// `{"event":name,"data":…,"requestId"?,"version":"1"}` (001)
    Event,
    /// Socket.IO v5, default namespace (004)
    SocketIo,
    /// `{"type":name,"data"?,"error"?}` (003), bytes as arrays of integers
    Draft,
    /// The same, bytes in base64
    DraftBase64,
    /// y-protocols, as the `y-websocket` provider speaks them
    YWebsocket,
    /// The protocol of `@hocuspocus/provider`
    Hocuspocus,
    /// `{"type":name,"id","timestamp","userId","payload","correlationId"?}` (002)
    Realtime,
}

/// What a frame says of itself, where its envelope has a place for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// Nothing.
    None,
    /// Its place for connection state recovery.
    Offset(u64),
    /// What every message of 002 says.
    Message {
        /// Its id.
        id: String,
        /// When it is sent.
        at: Timestamp,
        /// Its author, where the event does not say it.
        by: UserId,
    },
}

impl Mark {
    /// The place for connection state recovery, if it is one.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Offset(offset) => Some(*offset),
            Self::None | Self::Message { .. } => None,
        }
    }
}

impl Envelope {
    /// Reads a text message.
    pub fn decode(self, text: &[u8]) -> Result<Call<'_>, Malformed> {
        let text = std::str::from_utf8(text).map_err(Malformed::because)?;
        let is_large = match self {
            Self::Realtime => {
                json::check_with_layouts(text.as_bytes()).map_err(|why| realtime::no_call(text, why))?;
                false
            }
            Self::Event | Self::SocketIo => {
                json::check_with_layouts(text.as_bytes()).map_err(|why| Malformed::no_call(text, why))?
            }
            Self::Fields | Self::Draft | Self::DraftBase64 | Self::YWebsocket | Self::Hocuspocus => {
                json::check(text.as_bytes()).map_err(|why| Malformed::no_call(text, why))?;
                false
            }
        };
        let call = match self {
            Self::Fields => fields::decode(text),
            Self::Event => event::decode(text),
            Self::SocketIo => socket_io::decode(text, None, &[]),
            Self::Draft | Self::DraftBase64 => draft::decode(text),
            Self::YWebsocket | Self::Hocuspocus => {
                Err(Malformed::because("text where only bytes are spoken"))
            }
            Self::Realtime => realtime::decode(text),
        }?;
        call.checked()?.with_layout(is_large)
    }

    /// Writes an event of a draft whole, however large it is; `None`: there is no word for it here.
    pub fn encode_whole(self, event: &Event) -> Option<Frame> {
        let frame = match self {
            Self::Draft => draft::encode(event, None, draft::Spelling::Integers),
            Self::DraftBase64 => draft::encode(event, None, draft::Spelling::Base64),
            Self::Fields
            | Self::Event
            | Self::SocketIo
            | Self::Realtime
            | Self::YWebsocket
            | Self::Hocuspocus => return self.encode(event, &Mark::None),
        };
        Some(frame.of(self.app(event)))
    }

    /// Whose an event is that is written like this.
    fn app(self, event: &Event) -> App {
        match (event.family, self) {
            (Some("document"), _) => App::Documents,
            (Some("draft"), _) => App::Drafts,
            (Some("dashboard"), _) => App::Dashboards,
            _ if SERVER_EVENTS.contains(&&*event.name) => App::Server,
            _ if event.name.starts_with("chat:") => App::Chat,
            (_, Self::Fields) => App::Documents,
            (_, Self::Event | Self::SocketIo) => App::Projects,
            (_, Self::Draft | Self::DraftBase64 | Self::YWebsocket | Self::Hocuspocus) => App::Drafts,
            (_, Self::Realtime) => App::Dashboards,
        }
    }

    /// Writes an event as many hear it; `None`: there is no word for it here, or it is written outside the lock.
    pub fn encode(self, event: &Event, mark: &Mark) -> Option<Frame> {
        if is_written_outside(self, draft::brought(event)) {
            return None;
        }
        let frame = match self {
            Self::Fields => Some(fields::encode(event, None)),
            Self::Event => Some(event::encode(event, None)),
            Self::SocketIo => Some(socket_io::encode(event, mark.offset())),
            Self::Realtime => Some(realtime::encode(event, None, mark)),
            Self::Draft => Some(draft::encode(event, None, draft::Spelling::Integers)),
            Self::DraftBase64 => Some(draft::encode(event, None, draft::Spelling::Base64)),
            Self::YWebsocket => draft::encode_y_websocket(event),
            Self::Hocuspocus => draft::encode_hocuspocus(event),
        };
        frame.map(|frame| frame.of(self.app(event)))
    }

    /// Writes an event as the answer to a call, under its id if it had one: one frame, or an ack and the event besides.
    pub fn answer(self, event: &Event, reply_to: Option<&ReplyId>, mark: &Mark) -> Vec<Frame> {
        let offset = mark.offset();
        let frames = match (self, reply_to) {
            (Self::Fields, reply_to) => vec![fields::encode(event, reply_to)],
            (Self::Event, reply_to) => vec![event::encode(event, reply_to)],
            (Self::Realtime, reply_to) => vec![realtime::encode(event, reply_to, mark)],
            (Self::SocketIo, Some(ReplyId::SocketIo(call))) => socket_io::answer(event, call, offset),
            (Self::SocketIo, Some(ReplyId::Request(_)) | None) => vec![socket_io::encode(event, offset)],
            (Self::Draft, reply_to) => vec![draft::encode(event, reply_to, draft::Spelling::Integers)],
            (Self::DraftBase64, reply_to) => vec![draft::encode(event, reply_to, draft::Spelling::Base64)],
            (Self::YWebsocket | Self::Hocuspocus, _) => self.encode(event, mark).into_iter().collect(),
        };
        frames.into_iter().map(|frame| frame.of(self.app(event))).collect()
    }
}

impl Call<'_> {
    /// The same, unless it has so many keys in one object as only a dashboard's layout may have.
    fn with_layout(self, is_large: bool) -> Result<Self, Malformed> {
        match is_large && !self.name.starts_with(TAKES_LAYOUTS) {
            true => {
                let why = json::too_many_keys(json::KEYS_MAX);
                Err(Malformed { reply_to: self.reply_to, ..Malformed::because(why) })
            }
            false => Ok(self),
        }
    }

    /// The same, unless its name is too long to be one.
    pub fn checked(self) -> Result<Self, Malformed> {
        match self.name.len() <= ID_BYTES_MAX {
            true => Ok(self),
            false => {
                let why = format!("a name of {} bytes, over {ID_BYTES_MAX}", self.name.len());
                Err(Malformed { reply_to: self.reply_to, ..Malformed::because(why) })
            }
        }
    }
}

/// What is told beside all apps.
const SERVER_EVENTS: [&str; 5] = ["pong", "PONG", "auth:expiring", "auth:refreshed", "server_shutdown"];
/// How the names of dashboards' calls begin, where a connection has several apps.
const TAKES_LAYOUTS: &str = "dashboard:";

/// Above so many bytes what a document says is not written as text under the lock.
const WRITTEN_BYTES_MAX: usize = 64 * 1024;

/// Whether what brings so many bytes is written outside the lock for who writes like this.
pub fn is_written_outside(envelope: Envelope, bytes: usize) -> bool {
    matches!(envelope, Envelope::Draft | Envelope::DraftBase64) && bytes > WRITTEN_BYTES_MAX
}

/// An event's name where a connection has several apps.
pub fn general_name(event: &Event) -> Cow<'_, str> {
    match event.family {
        Some(family) => Cow::Owned(format!("{family}:{}", event.name)),
        None => Cow::Borrowed(&event.name),
    }
}

/// An event's data where a connection has several apps: what it is about stands in it.
pub fn general_data(event: &Event) -> Cow<'_, str> {
    let data = draft::data(event, draft::Spelling::Base64);
    let within = event.within.as_ref().and_then(|(key, id)| {
        let begun = format!("{{{}:{}", quoted(key), quoted(id));
        let rest = data.strip_prefix('{')?;
        Some(if rest == "}" { begun + rest } else { format!("{begun},{rest}") })
    });
    within.map_or(data, Cow::Owned)
}

impl Malformed {
    fn because(why: impl fmt::Display) -> Self {
        Self { why: why.to_string(), reply_to: None, version: false }
    }

    /// What is no call, perhaps with an id under which that can be answered. Reading over the other fields takes
    /// no stack, however deep they nest.
    fn no_call(text: &str, why: impl fmt::Display) -> Self {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Id {
            request_id: String,
        }
        let id = json::object::<Id>(text).ok().map(|id| Cow::Owned(id.request_id));
        Self { reply_to: reply_id(id).ok().flatten(), ..Self::because(why) }
    }
}

/// The reply id, unless it is too long to be one.
fn reply_id(id: Option<Cow<'_, str>>) -> Result<Option<ReplyId>, Malformed> {
    match id {
        Some(id) if id.len() > ID_BYTES_MAX => {
            Err(Malformed::because(format!("a requestId of {} bytes, over {ID_BYTES_MAX}", id.len())))
        }
        id => Ok(id.map(|id| ReplyId::Request(id.into()))),
    }
}

/// `text` as a JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_beside_the_type() {
        let call = Envelope::Fields
            .decode(br#"{"type":"user_response","content":"x","requestId":"r"}"#)
            .expect("good");
        assert_eq!(
            (call.name.as_ref(), call.reply_to),
            ("user_response", Some(ReplyId::Request("r".into())))
        );
        let event = Event::new("response_saved", &serde_json::json!({"turn": 2}));
        let frame = Envelope::Fields.answer(&event, Some(&ReplyId::Request("r".into())), &Mark::None);
        assert_eq!(frame, [Frame::text(r#"{"type":"response_saved","turn":2,"requestId":"r"}"#)]);
        let bare = Envelope::Fields.encode(&Event::new("pong", &serde_json::json!({})), &Mark::None);
        assert_eq!(bare, Some(Frame::text(r#"{"type":"pong"}"#)));
    }

    #[test]
    fn events_carry_data_and_version_1() {
        let call = Envelope::Event
            .decode(br#"{"event":"a:b","data":{"x":[1]},"requestId":"\u0072"}"#)
            .expect("good");
        assert_eq!((call.name.as_ref(), call.data), ("a:b", r#"{"x":[1]}"#));
        assert_eq!(call.reply_to, Some(ReplyId::Request("r".into())));
        let frame = Envelope::Event.answer(
            &Event::new("a:c", &[1, 2]),
            Some(&ReplyId::Request("r\"".into())),
            &Mark::None,
        );
        assert_eq!(frame, [Frame::text(r#"{"event":"a:c","data":[1,2],"requestId":"r\"","version":"1"}"#)]);
        assert_eq!(Envelope::Event.decode(br#"{"event":"x"}"#).expect("good").data, "null");
    }

    #[test]
    fn what_is_no_call_is_malformed() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"event":1}"#,
            r#"{"event":"x","event":"y"}"#,
            r#"{"event":"x","requestId":5}"#,
        ] {
            assert!(Envelope::Event.decode(text.as_bytes()).is_err(), "{text}");
        }
        let long = format!(r#"{{"event":"{}"}}"#, "x".repeat(129));
        assert!(Envelope::Event.decode(long.as_bytes()).is_err());
        let other =
            Envelope::Event.decode(br#"{"event":"x","requestId":"r","version":"2"}"#).expect_err("version 2");
        assert_eq!((other.version, other.reply_to), (true, Some(ReplyId::Request("r".into()))));
        for text in [r#"{"content":"x"}"#, r#"{"type":null}"#, "42", "not json"] {
            assert!(Envelope::Fields.decode(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn what_the_gate_refuses_is_answered_under_its_id_where_that_can_be_read() {
        let deep = format!(
            r#"{{"event":"x","requestId":"r","data":{}1{}}}"#,
            "[".repeat(20_000),
            "]".repeat(20_000)
        );
        for text in [deep.as_str(), r#"{"event":"x","requestId":"r","data":{"a":1,"a":2}}"#] {
            let malformed = Envelope::Event.decode(text.as_bytes()).expect_err("the gate refuses it");
            assert_eq!(malformed.reply_to, Some(ReplyId::Request("r".into())), "{}", malformed.why);
        }
    }
    #[test]
    fn only_a_dashboards_layout_has_many_keys() {
        let keys: Vec<_> = (0..1_000).map(|key| format!(r#""w{key}":0"#)).collect();
        let keys = keys.join(",");
        let data = format!(r#"{{"layout":{{{keys}}}}}"#);
        let event = |name: &str, data: &str| format!(r#"{{"event":"{name}","data":{data},"requestId":"r"}}"#);
        assert!(Envelope::Event.decode(event("dashboard:LAYOUT_UPDATE", &data).as_bytes()).is_ok());
        let refused = Envelope::Event.decode(event("chat:message:send", &data).as_bytes()).expect_err("keys");
        assert_eq!(refused.why, "an object of over 256 keys");
        assert_eq!(refused.reply_to, Some(ReplyId::Request("r".into())));
        let other = event("dashboard:LAYOUT_UPDATE", &format!(r#"{{"else":{{{keys}}}}}"#));
        assert!(Envelope::Event.decode(other.as_bytes()).is_err());
        let realtime = format!(r#"{{"type":"LAYOUT_UPDATE","id":"1","payload":{data}}}"#);
        assert!(Envelope::Realtime.decode(realtime.as_bytes()).is_ok());
        assert!(
            Envelope::Fields.decode(format!(r#"{{"type":"x","layout":{{{keys}}}}}"#).as_bytes()).is_err()
        );
        for (name, is_good) in [("dashboard:LAYOUT_UPDATE", true), ("join_project", false)] {
            let arguments = format!(r#"["{name}",{data}]"#);
            assert_eq!(socket_io::decode(&arguments, Some(1), &[]).is_ok(), is_good, "{name}");
            let wrapped = format!(r#"["{name}",{}]"#, event(name, &data));
            assert_eq!(socket_io::decode(&wrapped, Some(1), &[]).is_ok(), is_good, "{name}");
        }
    }
}
