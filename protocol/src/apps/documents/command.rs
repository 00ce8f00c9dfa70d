//! What a client can ask about sessions: of its one session on `/documents`, where what is malformed is ignored, and
//! of several on connections that speak every app, where it is told.

use crate::envelope::ID_BYTES_MAX;
use crate::ids::{EntryId, SessionId, TemplateId};
use crate::json;
use crate::refusal::{Code, Refusal};
use serde::Deserialize;

/// What stands before the names of this app where a connection has several.
const FAMILY: &str = "document:";

/// One command. A session that is not named is the one that the connection is there for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `document:open`
    Open {
        /// The way through which template.
        template: TemplateId,
        /// How.
        wish: Wish,
    },
    /// `user_response`
    Answer {
        /// In which session.
        session: Option<SessionId>,
        /// What the user wrote.
        content: String,
        /// The client's own id for it.
        id: Option<EntryId>,
    },
    /// `retry`
    Retry {
        /// In which session.
        session: Option<SessionId>,
    },
    /// `document:close`
    Close {
        /// Which session.
        session: SessionId,
    },
}

/// How a session is to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wish {
    /// Whether an incomplete session is abandoned for a fresh one.
    pub fresh: bool,
    /// Whether questions are heard while the AI speaks them.
    pub spoken: bool,
}

impl Wish {
    /// Reads `session` and `stream` as they stand in a query; the refusal names the one that is wrong.
    pub fn read(session: Option<&str>, stream: Option<&str>) -> Result<Self, Refusal> {
        let fresh = match session {
            None => false,
            Some("new") => true,
            Some(other) => {
                return Err(no_wish(format!("session is \"new\" or left out, not {}", shown(other))));
            }
        };
        let spoken = match stream {
            None | Some("0" | "false") => false,
            Some("1" | "true") => true,
            Some(other) => return Err(no_wish(format!("stream is 1 or left out, not {}", shown(other)))),
        };
        Ok(Self { fresh, spoken })
    }
}

/// The most of a wrong value that is repeated, in characters.
const SHOWN_CHARS_MAX: usize = 64;

fn shown(value: &str) -> String {
    format!("{:?}", value.chars().take(SHOWN_CHARS_MAX).collect::<String>())
}

fn no_wish(message: String) -> Refusal {
    Refusal::new(Code::ClientError, message)
}

/// What became of reading a command on `/documents`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// It is one.
    Command(Command),
    /// It has a known name, and data that is not what it should be: ignored (000).
    Malformed,
    /// No command has this name.
    Unknown,
}

#[derive(Deserialize)]
struct Answer {
    content: String,
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Open {
    template_id: String,
    session: Option<String>,
    stream: Option<Stream>,
}

/// `stream` where it stands in JSON.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stream {
    Said(bool),
    Number(i64),
    Word(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    session_id: String,
}

impl Command {
    /// Reads a command to the one session of a connection.
    pub fn parse(name: &str, data: &str) -> Parsed {
        match name {
            "user_response" => match json::object::<Answer>(data) {
                Ok(answer) => Parsed::Command(Self::answer(None, answer)),
                Err(_) => Parsed::Malformed,
            },
            "retry" => Parsed::Command(Self::Retry { session: None }),
            _ => Parsed::Unknown,
        }
    }

    /// Reads a command where a connection has several apps, and several sessions of this one; `None`: there is none
    /// of this name.
    pub fn parse_among(name: &str, data: &str) -> Option<Result<Self, Refusal>> {
        Some(match name.strip_prefix(FAMILY)? {
            "open" => read(data).and_then(Self::open),
            "user_response" => session(data).and_then(|session| Ok(Self::answer(Some(session), read(data)?))),
            "retry" => session(data).map(|session| Self::Retry { session: Some(session) }),
            "close" => session(data).map(|session| Self::Close { session }),
            _ => return None,
        })
    }

    /// The session that it names.
    pub fn session(&self) -> Option<&SessionId> {
        match self {
            Self::Open { .. } => None,
            Self::Answer { session, .. } | Self::Retry { session } => session.as_ref(),
            Self::Close { session } => Some(session),
        }
    }

    fn open(asked: Open) -> Result<Self, Refusal> {
        let stream = asked.stream.map(|stream| match stream {
            Stream::Said(said) => said.to_string(),
            Stream::Number(number) => number.to_string(),
            Stream::Word(word) => word,
        });
        let wish = Wish::read(asked.session.as_deref(), stream.as_deref())?;
        Ok(Self::Open { template: id("templateId", asked.template_id)?.into(), wish })
    }

    fn answer(session: Option<SessionId>, Answer { content, id }: Answer) -> Self {
        Self::Answer { session, content, id: id.map(EntryId::from) }
    }
}

fn read<'a, T: Deserialize<'a>>(data: &'a str) -> Result<T, Refusal> {
    json::object(data).map_err(|why| Refusal::new(Code::ClientError, format!("bad data: {why}")))
}

fn session(data: &str) -> Result<SessionId, Refusal> {
    read::<Named>(data).and_then(|named| Ok(id("sessionId", named.session_id)?.into()))
}

fn id(what: &str, id: String) -> Result<String, Refusal> {
    match id.len() {
        0 => Err(Refusal::new(Code::ClientError, format!("{what} is empty"))),
        length if length > ID_BYTES_MAX => Err(Refusal::too_large(what, length, ID_BYTES_MAX)),
        _ => Ok(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(name: &str, data: &str) -> (Code, String) {
        let refusal = Command::parse_among(name, data).expect("a known name").expect_err("bad data");
        (refusal.code, refusal.message.into_owned())
    }

    #[test]
    fn a_command_among_several_sessions_names_its_own() {
        let read = |name, data| Command::parse_among(name, data);
        let session = SessionId::from("s");
        let answer =
            Command::Answer { session: Some(session.clone()), content: "x".into(), id: Some("1".into()) };
        let data = r#"{"sessionId":"s","content":"x","id":"1"}"#;
        assert_eq!(read("document:user_response", data), Some(Ok(answer)));
        let retry = Command::Retry { session: Some(session.clone()) };
        assert_eq!(read("document:retry", r#"{"sessionId":"s"}"#), Some(Ok(retry)));
        let close = Command::Close { session };
        assert_eq!(read("document:close", r#"{"sessionId":"s"}"#), Some(Ok(close)));
        let open =
            |fresh, spoken| Some(Ok(Command::Open { template: "t".into(), wish: Wish { fresh, spoken } }));
        assert_eq!(read("document:open", r#"{"templateId":"t"}"#), open(false, false));
        assert_eq!(read("document:open", r#"{"templateId":"t","stream":true}"#), open(false, true));
        assert_eq!(read("document:open", r#"{"templateId":"t","stream":1}"#), open(false, true));
        assert_eq!(read("document:open", r#"{"templateId":"t","stream":"0"}"#), open(false, false));
        assert_eq!(read("document:open", r#"{"templateId":"t","session":"new"}"#), open(true, false));
        assert_eq!(read("document:nothing", "{}"), None);
        assert_eq!(read("user_response", data), None, "the name of another endpoint");
    }

    #[test]
    fn bad_data_is_told_among_several_apps_and_ignored_on_documents() {
        assert_eq!(Command::parse("user_response", r#"{"content":7}"#), Parsed::Malformed);
        assert_eq!(Command::parse("open", r#"{"templateId":"t"}"#), Parsed::Unknown);
        let (code, message) = refused("document:open", "{}");
        assert_eq!(code, Code::ClientError);
        assert!(message.starts_with("bad data: missing field `templateId`"), "{message}");
        assert_eq!(
            refused("document:open", r#"{"templateId":""}"#),
            (Code::ClientError, "templateId is empty".into())
        );
        assert_eq!(
            refused("document:open", r#"{"templateId":"t","session":"old"}"#),
            (Code::ClientError, "session is \"new\" or left out, not \"old\"".into())
        );
        assert_eq!(
            refused("document:open", r#"{"templateId":"t","stream":2}"#),
            (Code::ClientError, "stream is 1 or left out, not \"2\"".into())
        );
        assert_eq!(
            refused("document:close", &json!({"sessionId": "s".repeat(129)}).to_string()),
            (Code::TooLarge, "sessionId of 129 bytes is over the limit of 128".into())
        );
        assert_eq!(refused("document:retry", "null"), (Code::ClientError, "bad data: not an object".into()));
    }
}
