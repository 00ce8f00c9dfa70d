//! One line of a story, read.

use super::{provider, scripted};
use crate::ai_stand_in::Play;
use parlor_host::transcript::{RECORD, RECORD_SHOWN};
use std::time::Duration;

/// What a line does.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// `+ ada /chat as ada with Name: value`
    Connect {
        /// How the connection is called.
        connection: String,
        /// Path and query.
        target: String,
        /// Whose token it shows.
        caller: Caller,
        /// More headers, or others.
        headers: Vec<(String, String)>,
    },
    /// `> ada {…}`
    Send(String, String),
    /// `* ada binary 00ff`, or in the words of a Yjs provider
    Binary(String, Vec<u8>),
    /// `* ada ping`
    Ping(String),
    /// `* ada deaf`: from here on it answers no ping.
    Deaf(String),
    /// `- ada` or `- ada 4005`
    Close(String, u16),
    /// `! drop ada`
    Drop(String),
    /// `GET /api/documents as ada with Name: value {…}`
    Request {
        /// The method.
        method: String,
        /// Path and query.
        target: String,
        /// Whose credential it shows.
        caller: Caller,
        /// More headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// `@ +250ms`
    Wait(Duration),
    /// `ai: {…}`
    Ai(Play),
    /// `! restart`
    Restart,
    /// `! stop`
    Stop,
    /// `! store …`
    Store(StoreMood),
}

/// Who shows a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Somebody with a token.
    User(String),
    /// A backend.
    Service,
    /// Nobody.
    Nobody,
}

/// What the store does with what it is asked to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreMood {
    /// Keeps it.
    Works,
    /// Keeps nothing, and answers nothing.
    Unavailable,
    /// Keeps the next commit, and says that it does not know; then works.
    Unsure,
    /// Does not keep the next commit, and says that it does not know; then works.
    Forgetful,
}

impl Deed {
    /// The connection on which it is done, if it needs one.
    pub fn connection(&self) -> Option<&str> {
        match self {
            Self::Send(connection, _)
            | Self::Binary(connection, _)
            | Self::Ping(connection)
            | Self::Deaf(connection)
            | Self::Close(connection, _)
            | Self::Drop(connection) => Some(connection),
            Self::Connect { .. }
            | Self::Request { .. }
            | Self::Wait(_)
            | Self::Ai(_)
            | Self::Restart
            | Self::Stop
            | Self::Store(_) => None,
        }
    }

    /// Reads a line. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "+" => connect(rest),
            ">" => {
                let (connection, text) = rest.split_once(' ').ok_or("> connection message")?;
                Ok(Self::Send(connection.to_string(), text.to_string()))
            }
            "*" => gesture(rest),
            "-" => {
                let (connection, code) = rest.split_once(' ').unwrap_or((rest, "1000"));
                let code = code.parse().map_err(|_| format!("{code:?} is no close code"))?;
                Ok(Self::Close(connection.to_string(), code))
            }
            "!" => fault(rest),
            "@" => duration(rest.strip_prefix('+').ok_or("@ +250ms")?).map(Self::Wait),
            "ai:" => scripted::play(rest).map(Self::Ai),
            "GET" | "HEAD" | "PUT" | "POST" | "DELETE" | "OPTIONS" => request(word, rest),
            _ => Err(format!("no line begins with {word:?}")),
        }
    }
}

fn connect(rest: &str) -> Result<Deed, String> {
    let (connection, rest) = rest.split_once(' ').ok_or("+ connection /path")?;
    let (target, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let (caller, headers, body) = circumstances(rest)?;
    match body.is_empty() {
        true => Ok(Deed::Connect {
            connection: connection.to_string(),
            target: target.to_string(),
            caller: caller.unwrap_or_else(|| Caller::User(connection.to_string())),
            headers,
        }),
        false => Err("an upgrade has no body".to_string()),
    }
}

fn request(method: &str, rest: &str) -> Result<Deed, String> {
    let (target, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let (caller, headers, body) = circumstances(rest)?;
    Ok(Deed::Request {
        method: method.to_string(),
        target: target.to_string(),
        caller: caller.unwrap_or(Caller::Nobody),
        headers,
        body,
    })
}

type Circumstances = (Option<Caller>, Vec<(String, String)>, String);

/// `as WHO with NAME: VALUE; NAME: VALUE {BODY}`, each of them or not; a body that is no JSON stands behind `|`.
fn circumstances(rest: &str) -> Result<Circumstances, String> {
    let (mut rest, mut caller, mut headers) = (rest.trim_start(), None, Vec::new());
    if let Some(named) = rest.strip_prefix("as ") {
        let (name, after) = named.split_once(' ').unwrap_or((named, ""));
        caller = Some(match name {
            "service" => Caller::Service,
            "nobody" => Caller::Nobody,
            name => Caller::User(name.to_string()),
        });
        rest = after;
    }
    if let Some(given) = rest.strip_prefix("with ") {
        let end = [" {", " [", " | "].iter().filter_map(|start| given.find(start)).min();
        let (given, after) = given.split_at(end.unwrap_or(given.len()));
        for header in given.split("; ") {
            let (name, value) = header.split_once(": ").ok_or("a header is written Name: value")?;
            headers.push((name.to_string(), value.to_string()));
        }
        rest = after.trim_start();
    }
    if let Some(body) = rest.strip_prefix("| ") {
        return Ok((caller, headers, body.replace(RECORD_SHOWN, RECORD)));
    }
    match rest.is_empty() || rest.starts_with(['{', '[']) {
        true => Ok((caller, headers, rest.to_string())),
        false => Err(format!("{rest:?} is no 'as', no 'with' and no body")),
    }
}

fn gesture(rest: &str) -> Result<Deed, String> {
    let (connection, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let bytes = match word {
        "ping" => return Ok(Deed::Ping(connection.to_string())),
        "deaf" => return Ok(Deed::Deaf(connection.to_string())),
        "binary" => provider::unhex(rest)?.to_vec(),
        "yjs" => provider::y_websocket(rest)?,
        "hocuspocus" => provider::hocuspocus(rest)?,
        _ => {
            return Err(
                "* connection ping, deaf, binary 00ff, yjs WORDS or hocuspocus DRAFT WORDS".to_string()
            );
        }
    };
    Ok(Deed::Binary(connection.to_string(), bytes))
}

fn fault(rest: &str) -> Result<Deed, String> {
    let words: Vec<_> = rest.split_whitespace().collect();
    Ok(match words.as_slice() {
        ["drop", connection] => Deed::Drop((*connection).to_string()),
        ["restart"] => Deed::Restart,
        ["stop"] => Deed::Stop,
        ["store", "works"] => Deed::Store(StoreMood::Works),
        ["store", "unavailable"] => Deed::Store(StoreMood::Unavailable),
        ["store", "unsure"] => Deed::Store(StoreMood::Unsure),
        ["store", "forgetful"] => Deed::Store(StoreMood::Forgetful),
        _ => return Err(format!("nothing known can go wrong like {rest:?}")),
    })
}

/// `250ms`, `30s`, `5m`, `24h`
pub fn duration(text: &str) -> Result<Duration, String> {
    let end = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (count, unit) = text.split_at(end);
    let each = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(format!("{text:?} is no time like 250ms or 30s")),
    };
    let count: u64 = count.parse().map_err(|_| format!("{text:?} is no time like 250ms or 30s"))?;
    Ok(Duration::from_millis(count.saturating_mul(each)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_who_does_what() {
        let line = "+ phone /chat?a=b as nobody with Origin: https://a.example; X-Y: z";
        assert_eq!(
            Deed::parse(line),
            Ok(Deed::Connect {
                connection: "phone".into(),
                target: "/chat?a=b".into(),
                caller: Caller::Nobody,
                headers: vec![("Origin".into(), "https://a.example".into()), ("X-Y".into(), "z".into())],
            })
        );
        assert_eq!(
            Deed::parse(r#"PUT /x as service {"a": 1}"#),
            Ok(Deed::Request {
                method: "PUT".into(),
                target: "/x".into(),
                caller: Caller::Service,
                headers: vec![],
                body: r#"{"a": 1}"#.into(),
            })
        );
        assert_eq!(Deed::parse("@ +30s"), Ok(Deed::Wait(Duration::from_secs(30))));
        assert_eq!(Deed::parse("- ada"), Ok(Deed::Close("ada".into(), 1000)));
        assert!(Deed::parse("@ 30").is_err() && Deed::parse("! nonsense").is_err());
    }
}
