//! Engine.IO v4 packets: a digit and its data on a WebSocket; in the body of a long-polling request several of
//! them between U+001E, binary ones as `b` and base64.

use super::Malformed;
use crate::frame::Frame;
use crate::input::Message;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

/// The most packets of one payload.
pub const PACKETS_MAX: usize = 32_768;
/// What stands between two packets of a payload. JSON never holds it but escaped, so no packet does.
const SEPARATOR: u8 = 0x1e;

/// A packet of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// `1`: the session is over.
    Close,
    /// `2probe`: does this WebSocket work?
    Probe,
    /// `3`: a sign of life.
    Pong,
    /// `4…`, or binary: for the layer above, without the digit.
    Message(Message),
    /// `5`: this WebSocket is the session's from now on.
    Upgrade,
    /// `6`: nothing.
    Noop,
}

impl Packet {
    /// Reads a message of a WebSocket. `None`: a frame that is no message.
    pub fn decode(message: Message) -> Result<Option<Self>, Malformed> {
        match message {
            Message::Text(text) => Self::decode_text(text).map(Some),
            Message::Binary(_) => Ok(Some(Self::Message(message))),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => Ok(None),
        }
    }

    fn decode_text(text: Bytes) -> Result<Self, Malformed> {
        match (text.first(), text.get(1..).unwrap_or_default()) {
            (Some(b'1'), b"") => Ok(Self::Close),
            (Some(b'2'), b"probe") => Ok(Self::Probe),
            (Some(b'3'), b"") => Ok(Self::Pong),
            (Some(b'4'), _) => Ok(Self::Message(Message::Text(text.slice(1..)))),
            (Some(b'5'), b"") => Ok(Self::Upgrade),
            (Some(b'6'), b"") => Ok(Self::Noop),
            (Some(b'1' | b'3' | b'5' | b'6'), _) => Err(Malformed::UnexpectedData),
            _ => Err(Malformed::PacketType),
        }
    }
}

/// Reads the body of a POST: all of its packets, or none.
pub fn decode(body: &Bytes) -> Result<Vec<Packet>, Malformed> {
    if std::str::from_utf8(body).is_err() {
        return Err(Malformed::Utf8);
    }
    let mut packets = Vec::new();
    for record in body.split(|byte| *byte == SEPARATOR) {
        if packets.len() == PACKETS_MAX {
            return Err(Malformed::PacketCount);
        }
        packets.push(match record.strip_prefix(b"b") {
            Some(binary) => {
                let binary = STANDARD.decode(binary).map_err(|_| Malformed::Base64)?;
                Packet::Message(Message::Binary(binary.into()))
            }
            // `slice_ref` would not find the place of an empty record.
            None if record.is_empty() => return Err(Malformed::PacketType),
            None => Packet::decode_text(body.slice_ref(record))?,
        });
    }
    Ok(packets)
}

/// Writes the body of a response: each frame's payload is a packet.
pub fn encode(frames: impl IntoIterator<Item = Frame>) -> Vec<u8> {
    let mut body = Vec::new();
    for frame in frames {
        if !body.is_empty() {
            body.push(SEPARATOR);
        }
        if frame.is_text() {
            body.extend_from_slice(frame.payload());
        } else {
            body.push(b'b');
            body.extend_from_slice(STANDARD.encode(frame.payload()).as_bytes());
        }
    }
    body
}

/// The frame of a text message for the layer above, with the `4`; that of a binary one is [`Frame::binary`]. On
/// long-polling a text must not hold U+001E.
pub fn message_frame(text: &str) -> Frame {
    Frame::text(&["4", text].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Vec<Packet>, Malformed> {
        decode(&Bytes::copy_from_slice(body.as_bytes()))
    }

    fn text(text: &'static str) -> Packet {
        Packet::Message(Message::Text(text.into()))
    }

    #[test]
    fn a_payload_holds_packets_of_every_type_that_clients_send() {
        let binary = Packet::Message(Message::Binary(Bytes::from_static(&[1, 2, 3, 4])));
        assert_eq!(read("4hello\x1ebAQIDBA=="), Ok(vec![text("hello"), binary]));
        assert_eq!(read("4\x1e4é\x1e3"), Ok(vec![text(""), text("é"), Packet::Pong]));
        assert_eq!(
            read("1\x1e2probe\x1e5\x1e6"),
            Ok(vec![Packet::Close, Packet::Probe, Packet::Upgrade, Packet::Noop,])
        );
        assert_eq!(read("b"), Ok(vec![Packet::Message(Message::Binary(Bytes::new()))]));
    }

    #[test]
    fn a_payload_with_one_wrong_packet_is_refused_whole() {
        for wrong in
            ["", "abc", "4a\x1e", "\x1e4a", "4a\x1e\x1e4b", "0{}", "2", "2probes", "7", "9", " 4a", "2é"]
        {
            assert_eq!(read(wrong), Err(Malformed::PacketType), "{wrong:?}");
        }
        for wrong in ["11", "3probe", "5 ", "6x"] {
            assert_eq!(read(wrong), Err(Malformed::UnexpectedData), "{wrong:?}");
        }
        for wrong in ["bA", "bAQIDBA", "bAQIDBB==", "b_-8=", "b====", "bAQ ID"] {
            assert_eq!(read(wrong), Err(Malformed::Base64), "{wrong:?}");
        }
        assert_eq!(decode(&Bytes::from_static(b"4\xff")), Err(Malformed::Utf8));
    }

    #[test]
    fn the_packet_over_the_limit_is_refused() {
        let body = |count: usize| vec!["6"; count].join("\x1e");
        assert_eq!(read(&body(PACKETS_MAX)).map(|packets| packets.len()), Ok(PACKETS_MAX));
        assert_eq!(read(&body(PACKETS_MAX + 1)), Err(Malformed::PacketCount));
    }

    #[test]
    fn a_body_joins_the_payloads_of_frames() {
        let frames = [message_frame("hello"), Frame::binary(&[1, 2, 3, 4]), Frame::text("6")];
        assert_eq!(encode(frames), b"4hello\x1ebAQIDBA==\x1e6");
        assert_eq!(encode([]), b"");
    }

    #[test]
    fn frames_of_websocket_itself_are_no_packets() {
        for message in [Message::Ping(Bytes::new()), Message::Pong(Bytes::new()), Message::Close(None)] {
            assert_eq!(Packet::decode(message), Ok(None));
        }
    }
}
