//! Awareness as y-protocols writes it: for each client a clock, and a state that any JSON may be. Nothing of it is
//! kept; a state counts until one with a later clock, and none says that the client is gone.

use super::Malformed;
use super::lib0::{Reader, write_var_string, write_var_uint};
use crate::json;
use std::sync::Arc;

/// How many bytes one state may have.
pub const STATE_BYTES_MAX: usize = 4 * 1024;
/// How many states one message may have. A client sends on all that changed, so many of them are no attack.
pub const STATES_MAX: usize = 1_024;
/// The least that a state takes: the client, the clock, the length and a digit.
const STATE_BYTES_MIN: usize = 4;

/// What a client says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Its id in the document, within 53 bits.
    pub client: u64,
    /// Grows with each state of this client, within 53 bits.
    pub clock: u64,
    /// JSON, if it was [checked](Self::check). `None`, which is written as `null`: the client is gone.
    pub state: Option<Arc<str>>,
}

/// Reads the states of a message, in order. A client may stand there twice.
pub fn read(bytes: &[u8]) -> Result<Vec<State>, Malformed> {
    let mut reader = Reader::new(bytes);
    let count = reader.var_uint()?;
    if count > STATES_MAX as u64 {
        return Err(Malformed::new(format!("awareness of {count} states is over the limit of {STATES_MAX}")));
    }
    if count > (reader.left() / STATE_BYTES_MIN) as u64 {
        return Err(Malformed::new(format!(
            "awareness of {count} states, but {} bytes are left",
            reader.left()
        )));
    }
    let states = (0..count).map(|_| State::read(&mut reader)).collect::<Result<_, _>>()?;
    reader.end()?;
    Ok(states)
}

/// Writes states as one message. There are at most [`STATES_MAX`], or its readers may refuse it.
pub fn write(states: &[State]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_var_uint(&mut bytes, states.len() as u64);
    for State { client, clock, state } in states {
        write_var_uint(&mut bytes, *client);
        write_var_uint(&mut bytes, *clock);
        write_var_string(&mut bytes, state.as_deref().unwrap_or("null"));
    }
    bytes
}

impl State {
    /// Whether it is JSON within the limits of all JSON. Clients repeat the states of others, so it is asked only of those that count.
    pub fn check(&self) -> Result<(), Malformed> {
        let text = self.state.as_deref().unwrap_or("null");
        json::check(text.as_bytes())
            .map_err(|fault| Malformed::new(format!("state that is refused: {fault}")))
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (client, clock, text) = (reader.var_uint()?, reader.var_uint()?, reader.var_string()?);
        if text.is_empty() {
            return Err(Malformed::new("state that is empty"));
        }
        if text.len() > STATE_BYTES_MAX {
            let length = text.len();
            return Err(Malformed::new(format!(
                "state of {length} bytes is over the limit of {STATE_BYTES_MAX}"
            )));
        }
        let state = (text.trim_ascii() != "null").then(|| text.into());
        Ok(Self { client, clock, state })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(client: u64, clock: u64, state: Option<&str>) -> State {
        State { client, clock, state: state.map(Into::into) }
    }

    fn why(bytes: &[u8]) -> String {
        read(bytes).expect_err("it is malformed").why
    }

    #[test]
    fn states_are_read_and_written_in_order() {
        let bytes = b"\x03\x05\x01\x02{}\x80\x01\x07\x04null\x05\x02\x07{\"a\":1}";
        let states = [state(5, 1, Some("{}")), state(128, 7, None), state(5, 2, Some("{\"a\":1}"))];
        assert_eq!(read(bytes).as_deref(), Ok(&states[..]));
        assert_eq!(write(&states), bytes);
        assert_eq!((read(&[0]), write(&[])), (Ok(Vec::new()), vec![0]));
        assert_eq!(read(b"\x01\x05\x01\x06 null\n"), Ok(vec![state(5, 1, None)]));
    }

    #[test]
    fn the_state_over_the_limit_is_refused() {
        let states = |count: usize| write(&vec![state(1, 1, Some("7")); count]);
        assert_eq!(read(&states(STATES_MAX)).map(|states| states.len()), Ok(STATES_MAX));
        assert_eq!(why(&states(STATES_MAX + 1)), "awareness of 1025 states is over the limit of 1024");
    }

    #[test]
    fn the_byte_over_the_limit_of_a_state_is_refused() {
        let long = |length: usize| write(&[state(1, 1, Some(&format!("\"{}\"", "x".repeat(length - 2))))]);
        assert_eq!(read(&long(STATE_BYTES_MAX)).map(|states| states.len()), Ok(1));
        assert_eq!(why(&long(STATE_BYTES_MAX + 1)), "state of 4097 bytes is over the limit of 4096");
    }

    #[test]
    fn a_count_beyond_the_bytes_that_are_there_is_refused() {
        assert_eq!(why(b"\x80\xc2\xd7\x2f"), "awareness of 100000000 states is over the limit of 1024");
        assert_eq!(why(b"\x02\x05\x01\x02{}"), "awareness of 2 states, but 5 bytes are left");
        assert_eq!(why(b"\x01\x05\x01\x02{}\x00"), "1 bytes behind the message");
    }

    #[test]
    fn a_state_that_is_no_json_of_ours_is_refused() {
        let refused = |text: &str| {
            let states = read(&write(&[state(1, 1, Some(text))]));
            states.and_then(|states| states[0].check()).expect_err("it is none").why
        };
        for text in ["", "{", "{\"a\":1,\"a\":2}", "nul", "{} {}"] {
            assert!(refused(text).contains(' '), "{text}");
        }
        let deep = format!("{}{}", "[".repeat(33), "]".repeat(33));
        let why = refused(&deep);
        assert!(why.starts_with("state that is refused: nested deeper than 32"), "{why}");
    }
}
