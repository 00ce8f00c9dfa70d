//! A whole RFC 6455 frame as shared bytes. Frames of a server are not masked (§5.1), so one buffer serves
//! every member of a room that speaks the same envelope.

use crate::metrics::App;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// One frame, header and payload, ready to be written to any number of sockets. It is what is written; whose it is only
/// those want to know who count.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Frame {
    bytes: Bytes,
    #[serde(skip)]
    app: App,
}

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;

/// The largest payload of a control frame (RFC 6455 §5.5).
const CONTROL_BYTES_MAX: usize = 125;

impl Frame {
    /// A text message in one frame.
    pub fn text(payload: &str) -> Self {
        Self::encode(TEXT, payload.as_bytes())
    }

    /// A binary message in one frame.
    pub fn binary(payload: &[u8]) -> Self {
        Self::encode(BINARY, payload)
    }

    /// An empty ping.
    pub fn ping() -> Self {
        Self::encode(PING, &[])
    }

    /// A close frame; a reason of over 123 bytes is cut at a character.
    pub fn close(code: u16, reason: &str) -> Self {
        let mut end = reason.len().min(CONTROL_BYTES_MAX - 2);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        Self::encode(CLOSE, &[&code.to_be_bytes()[..], &reason.as_bytes()[..end]].concat())
    }

    /// Bytes that go out as they are: the head of an HTTP response, or a frame that was encoded elsewhere.
    pub fn raw(bytes: Bytes) -> Self {
        Self { bytes, app: App::Server }
    }

    /// The same as this app's.
    pub fn of(self, app: App) -> Self {
        Self { app, ..self }
    }

    /// Whose it is.
    pub fn app(&self) -> App {
        self.app
    }

    fn encode(opcode: u8, payload: &[u8]) -> Self {
        let mut frame = Vec::with_capacity(payload.len() + 10);
        frame.push(0x80 | opcode);
        match payload.len() {
            length @ 0..=125 => frame.push(length as u8),
            length @ 126..=0xffff => {
                frame.push(126);
                frame.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                frame.push(127);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(payload);
        Self::raw(frame.into())
    }

    /// What is written to the socket.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Header and payload, to be looked at.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What stands behind the header.
    pub fn payload(&self) -> &[u8] {
        let header = match self.bytes.get(1).map_or(0, |byte| byte & 0x7f) {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        self.bytes.get(header..).unwrap_or_default()
    }

    /// How many bytes it puts on the wire.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether it carries a text message.
    pub fn is_text(&self) -> bool {
        self.bytes.first() == Some(&(0x80 | TEXT))
    }

    /// Whether it is a ping.
    pub fn is_ping(&self) -> bool {
        self.bytes.first() == Some(&(0x80 | PING))
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Frame {}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Frame").field(&self.bytes).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_written_in_its_shortest_form() {
        for (length, header) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (65_535, vec![0x81, 126, 0xff, 0xff]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = Frame::text(&"x".repeat(length));
            assert_eq!(frame.bytes()[..header.len()], header);
            assert_eq!(frame.payload().len(), length);
        }
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let frame = Frame::close(1008, &"é".repeat(100));
        assert_eq!(frame.payload().len(), 2 + 122);
    }
}
