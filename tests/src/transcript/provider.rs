//! The binary messages of Yjs providers in words: `update 010201…`, `awareness 1 2 {"x":1}`; over `/hocuspocus` the draft
//! stands in front.

use bytes::Bytes;
use parlor_protocol::y_sync::awareness::{self, State};
use parlor_protocol::y_sync::hocuspocus::{Frame, Said, Token};
use parlor_protocol::y_sync::{Message, SyncMessage, read};
use std::fmt::Write;

/// What `words` say in a frame of `y-websocket`.
pub fn y_websocket(words: &str) -> Result<Vec<u8>, String> {
    let (word, rest) = words.split_once(' ').unwrap_or((words, ""));
    let message = match word {
        "awareness" => Message::Awareness(states(rest)?),
        "query-awareness" => Message::QueryAwareness,
        _ => Message::Sync(sync(word, rest)?),
    };
    Ok(message.write())
}

/// What `words` say in a frame of `@hocuspocus/provider`: `letter update 0102`, or `ping`.
pub fn hocuspocus(words: &str) -> Result<Vec<u8>, String> {
    let Some((document, words)) = words.split_once(' ') else {
        return match words {
            "ping" => Ok(Frame::Ping.write()),
            _ => Err(format!("{words:?} is nothing without a draft")),
        };
    };
    let (word, rest) = words.split_once(' ').unwrap_or((words, ""));
    let said = match word {
        "auth" => Said::Auth { token: Token(rest.to_string()), version: None },
        "awareness" => Said::Awareness(states(rest)?),
        "query-awareness" => Said::QueryAwareness,
        "close" => Said::Close(None),
        _ => Said::Sync(sync(word, rest)?),
    };
    Ok(Frame::Said { document: document.into(), said }.write())
}

fn sync(word: &str, digits: &str) -> Result<SyncMessage, String> {
    let bytes = unhex(digits)?;
    match word {
        "step1" => Ok(SyncMessage::Step1(bytes)),
        "step2" => Ok(SyncMessage::Step2(bytes)),
        "update" => Ok(SyncMessage::Update(bytes)),
        _ => Err(format!("no provider says {word:?}")),
    }
}

/// `1 2 {"x":1}`: a client, its clock, its state.
fn states(words: &str) -> Result<Bytes, String> {
    let mut words = words.splitn(3, ' ');
    let mut number = || words.next()?.parse::<u64>().ok();
    let (Some(client), Some(clock)) = (number(), number()) else {
        return Err("awareness CLIENT CLOCK STATE".to_string());
    };
    let state = words.next().filter(|state| *state != "null").map(Into::into);
    Ok(awareness::write(&[State { client, clock, state }]).into())
}

/// Bytes of pairs of hexadecimal digits.
pub fn unhex(digits: &str) -> Result<Bytes, String> {
    let byte = |at| digits.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
    bytes.map(Bytes::from).ok_or_else(|| "bytes are written as pairs of hexadecimal digits".to_string())
}

/// Bytes as pairs of hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A frame of a server of `y-websocket` in words, if it is one.
pub fn shown_y_websocket(frame: &[u8]) -> Option<String> {
    Some(match read(&Bytes::copy_from_slice(frame)).ok()? {
        Message::Sync(sync) => shown_sync(&sync),
        Message::Awareness(states) => shown_states(&states),
        Message::QueryAwareness => "query-awareness".to_string(),
        Message::Denied(reason) => format!("denied {reason}"),
    })
}

/// A frame of a Hocuspocus server in words, if it is one.
pub fn shown_hocuspocus(frame: &[u8]) -> Option<String> {
    let (document, said) = match Frame::read(&Bytes::copy_from_slice(frame)).ok()? {
        Frame::Ping => return Some("ping".to_string()),
        Frame::Pong => return Some("pong".to_string()),
        Frame::Said { document, said } => (document, said),
    };
    let words = match said {
        Said::Sync(sync) => shown_sync(&sync),
        Said::SyncReply(sync) => format!("reply {}", shown_sync(&sync)),
        Said::Awareness(states) => shown_states(&states),
        Said::QueryAwareness => "query-awareness".to_string(),
        Said::Auth { .. } => "auth".to_string(),
        Said::AskToken => "token?".to_string(),
        Said::Authenticated { read_only } => {
            format!("authenticated {}", if read_only { "readonly" } else { "read-write" })
        }
        Said::Denied(reason) => format!("denied {reason}"),
        Said::Stateless(text) | Said::BroadcastStateless(text) => format!("stateless {text}"),
        Said::Close(reason) => format!("close {}", reason.unwrap_or_default()),
        Said::SyncStatus(taken) => format!("sync-status {}", u8::from(taken)),
    };
    Some(format!("{document} {words}"))
}

fn shown_sync(sync: &SyncMessage) -> String {
    match sync {
        SyncMessage::Step1(vector) => format!("step1 {}", hex(vector)),
        SyncMessage::Step2(update) => format!("step2 {}", hex(update)),
        SyncMessage::Update(update) => format!("update {}", hex(update)),
    }
}

fn shown_states(states: &[u8]) -> String {
    let mut text = "awareness".to_string();
    for State { client, clock, state } in awareness::read(states).unwrap_or_default() {
        let state = state.as_deref().unwrap_or("null");
        write!(text, " {client} {clock} {state}").expect("a String takes all");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_words_is_shown_in_the_same() {
        for words in
            ["step1 00", "step2 0000", "update 010203", "awareness 1 2 {\"x\":1}", "awareness 1 3 null"]
        {
            let frame = y_websocket(words).expect("words");
            assert_eq!(shown_y_websocket(&frame).as_deref(), Some(words));
            let named = format!("letter {words}");
            let frame = hocuspocus(&named).expect("words");
            assert_eq!(shown_hocuspocus(&frame), Some(named));
        }
        assert_eq!(hocuspocus("ping"), Ok(vec![9]));
        assert!(y_websocket("update 0").is_err() && y_websocket("hello 00").is_err());
    }
}
