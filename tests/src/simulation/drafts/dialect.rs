//! What is said about drafts, and how it is spelled: in 003's JSON, in the two binary protocols of Yjs providers, and
//! on connections that have several drafts.

#![allow(clippy::wildcard_enum_match_arm, reason = "a client does not know all that there is to hear")]

use super::super::socket::Read;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use parlor_protocol::input::Message;
use parlor_protocol::y_sync::hocuspocus::{Frame, Said, Token};
use parlor_protocol::y_sync::{self, SyncMessage};
use serde_json::{Value, json};

/// How a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `/ws`; with base64 or integers.
    Json {
        /// Whether it writes base64.
        base64: bool,
    },
    /// `/yjs/{draftId}`
    YWebsocket,
    /// `/hocuspocus`
    Hocuspocus,
    /// `/api/connect`
    Connect,
    /// `/socket.io/` over a WebSocket; bytes as attachments.
    SocketIo,
}

/// Something that is said by either side.
#[derive(Debug, Clone, PartialEq)]
pub enum Word {
    /// Somebody wants to come in.
    Open,
    /// Somebody proves who it is; over Socket.IO, for the connection.
    Auth(String),
    /// Somebody is in, where that is said.
    Inside,
    /// Somebody is out of it.
    Out,
    /// What is lacked by who has this.
    Wants(Option<Vec<u8>>),
    /// What was lacked.
    State(Vec<u8>),
    /// A change, perhaps with an id.
    Update(Vec<u8>, Option<String>),
    /// It is durable.
    Saved(Option<String>),
    /// Something was not taken.
    Refused(String, String),
    /// Where people are.
    Awareness(Vec<u8>),
    /// A comment, or that a thread is settled, with its name and data.
    Said(&'static str, Value),
    /// Who is there.
    People,
    /// The connection's own: has to be answered with this.
    Engine(&'static str),
    /// The connection is there.
    Connected,
}

impl Dialect {
    /// Where it connects.
    pub fn target(self, draft: &str) -> String {
        match self {
            Self::Json { .. } => format!("/ws?draftId={draft}"),
            Self::YWebsocket => format!("/yjs/{draft}"),
            Self::Hocuspocus => "/hocuspocus".into(),
            Self::Connect => "/api/connect".into(),
            Self::SocketIo => "/socket.io/?EIO=4&transport=websocket".into(),
        }
    }

    /// Whether it is a Yjs provider, which has no words for much.
    pub fn is_provider(self) -> bool {
        matches!(self, Self::YWebsocket | Self::Hocuspocus)
    }

    /// Spells a word.
    pub fn spell(self, draft: &str, word: Word) -> Vec<Message> {
        match self {
            Self::YWebsocket => {
                let message = match word {
                    Word::Awareness(states) => y_sync::Message::Awareness(states.into()),
                    word => match sync(word) {
                        Some(sync) => y_sync::Message::Sync(sync),
                        None => return Vec::new(),
                    },
                };
                vec![Message::Binary(message.write().into())]
            }
            Self::Hocuspocus => {
                let said = match word {
                    Word::Auth(token) => Said::Auth { token: Token(token), version: None },
                    Word::Out => Said::Close(None),
                    Word::Awareness(states) => Said::Awareness(states.into()),
                    word => match sync(word) {
                        Some(sync) => Said::Sync(sync),
                        None => return Vec::new(),
                    },
                };
                vec![Message::Binary(Frame::Said { document: draft.into(), said }.write().into())]
            }
            Self::Json { base64 } => {
                let Some((name, data, id)) = named(&word) else { return Vec::new() };
                let mut call = json!({"type": name});
                call["data"] = match data {
                    Data::Bytes(bytes) if base64 => json!(STANDARD.encode(bytes)),
                    Data::Bytes(bytes) => json!(bytes),
                    Data::Value(value) => value,
                };
                if let Some(id) = id {
                    call["id"] = json!(id);
                }
                vec![Message::Text(call.to_string().into())]
            }
            Self::Connect => {
                let Some((name, data, id)) = named(&word) else { return Vec::new() };
                let (mut inner, bytes) =
                    (json!({"draftId": draft, "id": id}), matches!(data, Data::Bytes(_)));
                inner["data"] = match data {
                    Data::Bytes(bytes) => json!(STANDARD.encode(bytes)),
                    Data::Value(value) => value,
                };
                let mut call = json!({"event": format!("draft:{name}"), "data": inner});
                if let Some(id) = id.filter(|_| bytes) {
                    call["requestId"] = json!(format!("call-{id}"));
                }
                vec![Message::Text(call.to_string().into())]
            }
            Self::SocketIo => {
                if let Word::Auth(token) = &word {
                    return vec![Message::Text(format!("40{}", json!({ "token": token })).into())];
                }
                let Some((name, data, id)) = named(&word) else { return Vec::new() };
                let mut inner = json!({"draftId": draft, "id": id});
                let (kind, attachment) = match data {
                    Data::Bytes(bytes) => {
                        inner["data"] = json!({"_placeholder": true, "num": 0});
                        ("451-", Some(bytes))
                    }
                    Data::Value(value) => {
                        inner["data"] = value;
                        ("42", None)
                    }
                };
                let text = format!("{kind}{}", json!([format!("draft:{name}"), inner]));
                let attachment = attachment.map(|bytes| Message::Binary(bytes.into()));
                std::iter::once(Message::Text(text.into())).chain(attachment).collect()
            }
        }
    }

    /// Reads what was heard, and of which draft, where that is said.
    pub fn read(self, read: &Read) -> Option<(Option<String>, Word)> {
        match (self, read) {
            (_, Read::Ping | Read::Close(_)) => None,
            (Self::YWebsocket, Read::Binary(bytes)) => {
                let message =
                    y_sync::read(&Bytes::copy_from_slice(bytes)).expect("the server sends messages");
                let word = match message {
                    y_sync::Message::Sync(sync) => heard(sync),
                    y_sync::Message::Awareness(states) => Word::Awareness(states.to_vec()),
                    other => panic!("{other:?} is not said by this server"),
                };
                Some((None, word))
            }
            (Self::Hocuspocus, Read::Binary(bytes)) => {
                let frame = Frame::read(&Bytes::copy_from_slice(bytes)).expect("the server sends frames");
                let Frame::Said { document, said } = frame else { return None };
                let word = match said {
                    Said::Sync(sync) | Said::SyncReply(sync) => heard(sync),
                    Said::Awareness(states) => Word::Awareness(states.to_vec()),
                    Said::Authenticated { .. } => Word::Inside,
                    Said::Denied(_) | Said::Close(_) => Word::Out,
                    Said::SyncStatus(true) => Word::Saved(None),
                    Said::SyncStatus(false) => Word::Refused(String::new(), String::new()),
                    other => panic!("{other:?} is not said by this server"),
                };
                Some((Some(document.to_string()), word))
            }
            (Self::Json { .. }, Read::Text(text)) => {
                let said: Value = serde_json::from_slice(text).expect("the server sends JSON");
                Some((None, word_of(said["type"].as_str().expect("a type"), &said)))
            }
            (Self::Connect, Read::Text(text)) => {
                let said: Value = serde_json::from_slice(text).expect("the server sends JSON");
                general(said["event"].as_str().expect("an event"), &said["data"])
            }
            (Self::SocketIo, Read::Text(text)) => {
                let text = String::from_utf8_lossy(text);
                match text.as_bytes() {
                    [b'0', ..] => Some((None, Word::Engine(""))),
                    b"2" => Some((None, Word::Engine("3"))),
                    [b'4', b'0', ..] => Some((None, Word::Connected)),
                    _ => {
                        let said: Value = serde_json::from_str(text.strip_prefix("42")?).expect("an event");
                        general(said[0].as_str().expect("a name"), &said[1])
                    }
                }
            }
            (dialect, read) => panic!("{read:?} is not spoken in {dialect:?}"),
        }
    }
}

enum Data {
    Bytes(Vec<u8>),
    Value(Value),
}

/// A client's word under its name in JSON, with its data and id.
fn named(word: &Word) -> Option<(&'static str, Data, Option<String>)> {
    let bytes = |bytes: &[u8]| Data::Bytes(bytes.to_vec());
    Some(match word {
        Word::Open => ("open", Data::Value(Value::Null), None),
        Word::Out => ("close", Data::Value(Value::Null), None),
        Word::Wants(None) => ("yjs-state-request", Data::Value(Value::Null), None),
        Word::Wants(Some(vector)) => ("yjs-state-request", bytes(vector), None),
        Word::State(update) => ("yjs-state-response", bytes(update), None),
        Word::Update(update, id) => ("yjs-update", bytes(update), id.clone()),
        Word::Awareness(states) => ("awareness-update", bytes(states), None),
        Word::Said(name, data) => (*name, Data::Value(data.clone()), None),
        Word::Auth(_)
        | Word::Inside
        | Word::Saved(_)
        | Word::Refused(..)
        | Word::People
        | Word::Engine(_)
        | Word::Connected => return None,
    })
}

/// A client's word in the sync protocol.
fn sync(word: Word) -> Option<SyncMessage> {
    match word {
        Word::Wants(vector) => Some(SyncMessage::Step1(vector.unwrap_or_else(|| vec![0]).into())),
        Word::State(update) => Some(SyncMessage::Step2(update.into())),
        Word::Update(update, _) => Some(SyncMessage::Update(update.into())),
        _ => None,
    }
}

fn heard(sync: SyncMessage) -> Word {
    match sync {
        SyncMessage::Step1(vector) => Word::Wants(Some(vector.to_vec())),
        SyncMessage::Step2(update) => Word::State(update.to_vec()),
        SyncMessage::Update(update) => Word::Update(update.to_vec(), None),
    }
}

/// An event where there are several drafts; `None`: it is about something else.
fn general(name: &str, data: &Value) -> Option<(Option<String>, Word)> {
    let name = name.strip_prefix("draft:")?;
    Some((data["draftId"].as_str().map(str::to_string), word_of(name, data)))
}

fn word_of(name: &str, said: &Value) -> Word {
    let bytes = || match &said["data"] {
        Value::String(text) => STANDARD.decode(text).expect("base64"),
        Value::Array(numbers) => numbers.iter().map(|byte| byte.as_u64().expect("a byte") as u8).collect(),
        other => panic!("{other} is no bytes"),
    };
    let text = |key: &str| said[key].as_str().unwrap_or_default().to_string();
    match name {
        "yjs-state-request" => Word::Wants(Some(bytes())),
        "yjs-state-response" => Word::State(bytes()),
        "yjs-update" => Word::Update(bytes(), None),
        "yjs-update-saved" => Word::Saved(said["id"].as_str().map(str::to_string)),
        "awareness-update" => Word::Awareness(bytes()),
        "active-users" => Word::People,
        "comment-added" => Word::Said("comment-added", said["data"].clone()),
        "comment-resolved" => Word::Said("comment-resolved", said["data"].clone()),
        "error" => Word::Refused(text("code"), text("error")),
        "closed" => Word::Out,
        other => panic!("{other} is not said by this server: {said}"),
    }
}
