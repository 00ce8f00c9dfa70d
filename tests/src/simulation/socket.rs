//! One socket as a driver keeps it: the outbox in front, frames on the wire behind it, and a client that reads
//! as fast or as slowly as it likes.

use parlor_protocol::frame::Frame;
use parlor_protocol::input::Message;
use parlor_protocol::outbox::{Class, Outbox, Pushed};
use std::collections::VecDeque;
use std::io::IoSlice;

/// How fast a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// All at once.
    Fast,
    /// A few kilobytes now and then.
    Slow,
    /// Nothing.
    Stalled,
}

/// What a client reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// A text message.
    Text(Vec<u8>),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping.
    Ping,
    /// A close frame with its code.
    Close(u16),
}

/// A socket.
#[derive(Debug)]
pub struct Socket {
    /// Whose it is: the caller's own number.
    pub client: usize,
    /// How fast its client reads.
    pub pace: Pace,
    /// What waits to be written.
    pub outbox: Outbox,
    /// Whether the core reads it; what comes meanwhile waits.
    pub reads: bool,
    /// What came while it was not read.
    pub inbox: VecDeque<Message>,
    /// Whether its end is on its way to the core.
    pub ends: bool,
    wire: Vec<u8>,
}

impl Socket {
    /// A fresh socket.
    pub fn new(client: usize, pace: Pace) -> Self {
        Self {
            client,
            pace,
            outbox: Outbox::default(),
            reads: true,
            inbox: VecDeque::new(),
            ends: false,
            wire: Vec::new(),
        }
    }

    /// Puts a frame into the outbox.
    pub fn push(&mut self, frame: &Frame, class: Class) -> Pushed {
        self.outbox.push(frame.clone(), class)
    }

    /// Writes at most `limit` bytes. Says what the client then read, and whether `Flushed` is due.
    pub fn write(&mut self, limit: usize) -> (Vec<Read>, bool) {
        let mut slices = [IoSlice::new(&[]); 16];
        let (mut left, mut flushed) = (limit, false);
        while left > 0 && !self.outbox.is_empty() {
            let used = self.outbox.gather(&mut slices);
            let before = self.wire.len();
            for slice in &slices[..used] {
                let taken = slice.len().min(left - (self.wire.len() - before));
                self.wire.extend_from_slice(&slice[..taken]);
            }
            let written = self.wire.len() - before;
            slices = [IoSlice::new(&[]); 16];
            left -= written;
            flushed |= self.outbox.advance(written);
        }
        let mut read = Vec::new();
        let mut from = 0;
        while let Some((frame, length)) = unframed(&self.wire[from..]) {
            read.push(frame);
            from += length;
        }
        self.wire.drain(..from);
        (read, flushed)
    }
}

/// The first whole frame, and its length on the wire.
fn unframed(wire: &[u8]) -> Option<(Read, usize)> {
    let (length, header) = match *wire.get(1)? {
        126 => (u64::from(u16::from_be_bytes(wire.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(wire.get(2..10)?.try_into().ok()?), 10),
        short => (u64::from(short), 2),
    };
    let end = header + usize::try_from(length).ok()?;
    let payload = wire.get(header..end)?;
    let read = match wire[0] {
        0x81 => Read::Text(payload.to_vec()),
        0x82 => Read::Binary(payload.to_vec()),
        0x89 => Read::Ping,
        0x88 => Read::Close(u16::from_be_bytes([payload[0], payload[1]])),
        other => panic!("no server sends frames that begin with {other:#x}"),
    };
    Some((read, end))
}
