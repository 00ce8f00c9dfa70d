//! The binary messages of Yjs providers in words: `update 010201…`, `awareness 1 2 {"x":1}`; over `/hocuspocus` the draft
//! stands in front.

use bytes::Bytes;
use parlor_protocol::y_sync::awareness::{self, State};
use parlor_protocol::y_sync::hocuspocus::{Frame, Said, Token};
use parlor_protocol::y_sync::{Message, SyncMessage};

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

#[cfg(test)]
mod tests {
    use super::*;
    use parlor_host::transcript::{shown_hocuspocus, shown_y_websocket};

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
