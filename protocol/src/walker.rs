//! Walks over the frames that a client sends, under the WebSocket library: it enforces what the library does not (the
//! number of fragments, lengths in their shortest form), and what the library looks at only when a frame is whole (what
//! a header may say, and whether text is text), as soon as the byte is there that decides.

mod utf8;

use crate::action::SocketLimits;
use crate::input::Fault;
use utf8::Utf8;

/// The longest payload of a control frame (RFC 6455 §5.5).
const CONTROL_BYTES_MAX: u64 = 125;

/// Where in the stream of frames a connection is.
#[derive(Debug, Clone, Default)]
pub struct Walker {
    /// The header as far as it came: at most 2 + 8 + 4 bytes.
    header: [u8; 14],
    held: u8,
    /// How much of the payload is still to come.
    payload: u64,
    /// How much of it there was.
    passed: u64,
    /// Whether the frame has text in it.
    has_text: bool,
    /// Whether the message is one of text, and where in it one is.
    is_text: bool,
    text: Utf8,
    mask: [u8; 4],
    /// Fragments of the message so far; 0 between messages.
    fragments: u32,
    /// Messages so far, and control frames outside of them.
    begun: u32,
    /// Payload bytes of the message so far.
    message: u64,
}

impl Walker {
    /// Looks at the next bytes from the client, in whatever pieces they come. An error stands for all that
    /// follows: nothing from the faulty frame's header on may be used.
    pub fn walk(&mut self, mut bytes: &[u8], limits: &SocketLimits) -> Result<(), Fault> {
        while !bytes.is_empty() {
            if self.payload > 0 {
                let (come, rest) =
                    bytes.split_at(bytes.len().min(usize::try_from(self.payload).unwrap_or(usize::MAX)));
                if self.has_text && !self.text.take_masked(come, self.mask, self.passed as usize % 4) {
                    return Err(Fault::Utf8);
                }
                self.passed += come.len() as u64;
                self.payload -= come.len() as u64;
                bytes = rest;
                continue;
            }
            self.header[usize::from(self.held)] = bytes[0];
            self.held += 1;
            bytes = &bytes[1..];
            if self.held >= 2 && usize::from(self.held) == self.header_length() {
                self.enter(limits)?;
                self.held = 0;
            }
        }
        Ok(())
    }

    /// Whether a message has begun and is not whole.
    pub fn is_within(&self) -> bool {
        self.held > 0 || self.payload > 0 || self.fragments > 0
    }

    /// Which message one is in: another number than of the one before.
    pub fn number(&self) -> u32 {
        self.begun
    }

    /// The length of the header, as far as its first two bytes tell (RFC 6455 §5.2).
    fn header_length(&self) -> usize {
        let extended = match self.header[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + extended + if self.header[1] & 0x80 == 0 { 0 } else { 4 }
    }

    fn enter(&mut self, limits: &SocketLimits) -> Result<(), Fault> {
        let length = self.payload_length()?;
        let (last, opcode) = (self.header[0] & 0x80 != 0, self.header[0] & 0x0f);
        if !self.is_sound(length) {
            return Err(Fault::Protocol);
        }
        (self.payload, self.passed) = (length, 0);
        self.begun = self.begun.wrapping_add(u32::from(self.fragments == 0));
        if opcode >= 8 {
            self.has_text = false;
            return Ok(());
        }
        if self.fragments == 0 {
            (self.is_text, self.text) = (opcode == 1, Utf8::default());
        }
        self.has_text = self.is_text;
        let from = usize::from(self.held) - self.mask.len();
        self.mask.copy_from_slice(&self.header[from..from + 4]);
        self.fragments += 1;
        self.message += length;
        if self.message > u64::from(limits.message_bytes_max) {
            return Err(Fault::TooBig);
        }
        if self.fragments > limits.fragments_max {
            return Err(Fault::Fragments);
        }
        if last {
            (self.fragments, self.message) = (0, 0);
        }
        Ok(())
    }

    /// Whether a client may send such a frame here (RFC 6455 §5.2, §5.4, §5.5): without reserved bits, of a kind that
    /// there is, masked; a control frame short and whole, a continuation in a message and a beginning outside of one.
    fn is_sound(&self, length: u64) -> bool {
        let [first, second, ..] = self.header;
        let stands_right = match first & 0x0f {
            0 => self.fragments > 0,
            1 | 2 => self.fragments == 0,
            8..=10 => first & 0x80 != 0 && length <= CONTROL_BYTES_MAX,
            _ => false,
        };
        first & 0x70 == 0 && second & 0x80 != 0 && stands_right
    }

    fn payload_length(&self) -> Result<u64, Fault> {
        let (length, shortest) = match self.header[1] & 0x7f {
            126 => (u64::from(u16::from_be_bytes([self.header[2], self.header[3]])), 126),
            127 => {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(&self.header[2..10]);
                (u64::from_be_bytes(bytes), 1 << 16)
            }
            short => (u64::from(short), 0),
        };
        match length >= shortest && length < 1 << 63 {
            true => Ok(length),
            false => Err(Fault::Protocol),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LIMITS: SocketLimits = SocketLimits {
        message_bytes_max: 70_000,
        fragments_max: 3,
        message_wait_max: Duration::ZERO,
        for_providers: false,
    };

    fn walk(bytes: &[u8]) -> Result<(), Fault> {
        let whole = Walker::default().walk(bytes, &LIMITS);
        let mut piecewise = Walker::default();
        let by_byte = bytes.iter().try_for_each(|byte| piecewise.walk(&[*byte], &LIMITS));
        assert_eq!(whole, by_byte, "the pieces must not matter");
        whole
    }

    #[test]
    fn lengths_in_a_longer_form_than_needed_are_refused() {
        assert_eq!(walk(&[0x81, 0xfe, 0, 125]), Ok(()), "the mask is still to come");
        assert_eq!(walk(&[0x81, 0xfe, 0, 125, 1, 2, 3, 4]), Err(Fault::Protocol));
        assert_eq!(walk(&[0x81, 0xfe, 0, 126, 1, 2, 3, 4]), Ok(()));
        assert_eq!(walk(&[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4]), Err(Fault::Protocol));
        assert_eq!(walk(&[0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4]), Ok(()));
        assert_eq!(walk(&[0x81, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4]), Err(Fault::Protocol));
    }

    #[test]
    fn the_fragment_over_the_limit_is_refused_and_empty_ones_count() {
        let (first, more, last) =
            ([0x01, 0x80, 0, 0, 0, 0], [0x00, 0x80, 0, 0, 0, 0], [0x80, 0x80, 0, 0, 0, 0]);
        assert_eq!(walk(&[first, more, last].concat()), Ok(()));
        assert_eq!(walk(&[first, more, more, last].concat()), Err(Fault::Fragments));
        let ping = [0x89, 0x80, 0, 0, 0, 0];
        assert_eq!(walk(&[first, ping, more, ping, last, first, more, last].concat()), Ok(()));
    }

    #[test]
    fn a_message_lasts_from_its_first_byte_to_its_last() {
        let mut walker = Walker::default();
        let mut within = |bytes: &[u8]| {
            walker.walk(bytes, &LIMITS).unwrap();
            walker.is_within()
        };
        assert!(within(&[0x01]) && within(&[0x82, 1, 2, 3, 4]) && within(b"a") && within(b"b"));
        assert!(within(&[0x89, 0x80, 1, 2, 3, 4]), "a ping within a message is not its end");
        assert!(!within(&[0x80, 0x80, 1, 2, 3, 4]));
        assert!(!within(&[0x81, 0x81, 1, 2, 3, 4, b'c']));
    }

    #[test]
    fn a_message_over_the_limit_is_refused_at_the_header_that_declares_it() {
        assert_eq!(walk(&[0x81, 0xff, 0, 0, 0, 0, 0, 1, 0x11, 0x71, 1, 2, 3, 4]), Err(Fault::TooBig));
        let half = [&[0x01, 0xfe, 0x88, 0xb8, 1, 2, 3, 4][..], &[0; 35_000]].concat();
        let rest = [&[0x80, 0xfe, 0x88, 0xb9, 1, 2, 3, 4][..]].concat();
        assert_eq!(walk(&[half, rest].concat()), Err(Fault::TooBig));
    }

    #[test]
    fn a_header_that_no_client_may_send_is_refused_when_it_is_there() {
        let mask = [0; 4];
        let header = |first: u8, length: u8| [&[first, 0x80 | length][..], &mask].concat();
        for first in [0x91, 0xa1, 0xc1, 0x83, 0x87, 0x8b, 0x8f, 0x80, 0x00, 0x09, 0x08, 0x0a] {
            assert_eq!(walk(&header(first, 5)), Err(Fault::Protocol), "{first:#x}");
        }
        assert_eq!(walk(&[0x81, 5]), Err(Fault::Protocol), "without a mask");
        assert_eq!(walk(&[0x89, 0xfe, 0, 126, 0, 0, 0, 0]), Err(Fault::Protocol), "a long ping");
        let begun = header(0x01, 0);
        assert_eq!(walk(&[begun.clone(), header(0x82, 9)].concat()), Err(Fault::Protocol), "amid a message");
        assert_eq!(walk(&[begun, header(0x89, 0), header(0x80, 0)].concat()), Ok(()));
    }

    #[test]
    fn a_byte_with_which_no_text_goes_on_is_refused_when_it_comes() {
        let frame = |first: u8, payload: &[u8]| [&[first, 0x80 | 60, 0, 0, 0, 0][..], payload].concat();
        assert_eq!(walk(&frame(0x81, &[b'a', 0xff])), Err(Fault::Utf8), "long before the frame ends");
        assert_eq!(walk(&frame(0x82, &[b'a', 0xff])), Ok(()), "bytes are no text");
        let mut cut = frame(0x01, &[b' '; 60]);
        cut[65] = 0xf4;
        let ping = [0x89, 0x81, 0, 0, 0, 0, 0xff];
        let rest = |byte: u8| [&cut[..], &ping, &[0x00, 0x80 | 9, 0, 0, 0, 0, byte]].concat();
        assert_eq!(walk(&rest(0x8f)), Ok(()));
        assert_eq!(walk(&rest(0x90)), Err(Fault::Utf8), "in the middle of a character");
    }
}
