//! The stream under the WebSocket library. What the library reads has passed the walker, and what it writes
//! (pongs, the answer to a close) goes through the outbox like everything else, so it never waits and never
//! overtakes.

use crate::engine::Engine;
use crate::line::Line;
use bytes::Bytes;
use parlor_protocol::action::SocketLimits;
use parlor_protocol::frame::Frame;
use parlor_protocol::input::{Ending, Fault, Input, Message};
use parlor_protocol::outbox::Class;
use parlor_protocol::walker::Walker;
use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tungstenite::error::{Error, ProtocolError};
use tungstenite::protocol::WebSocketConfig;

/// How much is read with one call; what the library does not take at once waits in the connection's own rest.
const SCRATCH_BYTES: usize = 64 * 1024;
/// What the library asks for at once: enough for most messages, little enough for every connection to hold.
const LIBRARY_BUFFER_BYTES: usize = 256;

/// While a message comes in, each such stretch that brings `ALIVE_BYTES_MIN` is a sign of life: its client cannot answer
/// a ping before the message is whole.
const ALIVE_STRETCH: Duration = Duration::from_secs(1);
const ALIVE_BYTES_MIN: usize = 1024;
/// How long a message may take at most, in such stretches, whatever it brings.
const STRETCHES_MAX: u32 = 300;

thread_local! {
    // Only pages that bytes came into are resident, so a thread for one quiet connection costs little.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(SCRATCH_BYTES));
}

/// What comes in on one WebSocket.
#[derive(Debug)]
pub struct Incoming {
    engine: Arc<Engine>,
    line: Arc<Line>,
    limits: SocketLimits,
    walker: Walker,
    /// What was received and walked over, and not yet taken.
    rest: Vec<u8>,
    taken: usize,
    /// Comes when `rest` is taken.
    fault: Option<Fault>,
    /// The socket may have more to read.
    readable: bool,
    arriving: Option<Box<Arriving>>,
}

/// A message that takes more than one read.
#[derive(Debug)]
struct Arriving {
    /// Which message it is.
    number: u32,
    began: Instant,
    /// What came of it.
    bytes: usize,
    stretch_began: Instant,
    /// What came in this stretch.
    stretch_bytes: usize,
}

impl Arriving {
    /// Whether it has taken too long: longer than may be with under 1 KiB a second, or five minutes with more.
    fn is_late(&self, wait_max: Duration) -> bool {
        let took = self.began.elapsed();
        let due = took.as_millis() * ALIVE_BYTES_MIN as u128 / ALIVE_STRETCH.as_millis();
        took >= wait_max && (self.bytes as u128) < due || took >= ALIVE_STRETCH * STRETCHES_MAX
    }
}

impl Incoming {
    /// `early` came behind the head of the request.
    pub(crate) fn new(engine: Arc<Engine>, line: Arc<Line>, limits: SocketLimits, early: &[u8]) -> Self {
        let readable = line.holds_input();
        let mut incoming = Self {
            engine,
            line,
            limits,
            walker: Walker::default(),
            rest: Vec::new(),
            taken: 0,
            fault: None,
            readable,
            arriving: None,
        };
        incoming.take_in(early, &mut []);
        incoming
    }

    /// How the library is to be set up for this socket.
    pub fn config(&self) -> WebSocketConfig {
        let bytes_max = Some(self.limits.message_bytes_max as usize);
        WebSocketConfig::default()
            .read_buffer_size(LIBRARY_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(bytes_max)
            .max_frame_size(bytes_max)
    }

    /// The socket has something to read.
    pub fn set_readable(&mut self) {
        self.readable = true;
    }

    /// What the socket takes.
    pub(crate) fn limits(&self) -> &SocketLimits {
        &self.limits
    }

    /// What was wrong with the frames, if the walker found something.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Walks over `bytes`, puts what fits into `out` and keeps the rest. Returns how much it put there.
    fn take_in(&mut self, bytes: &[u8], out: &mut [u8]) -> usize {
        let before = self.walker.clone();
        let good = match self.walker.walk(bytes, &self.limits) {
            Ok(()) => bytes.len(),
            Err(fault) => {
                self.fault = Some(fault);
                good_length(before, bytes, &self.limits)
            }
        };
        let count = good.min(out.len());
        out[..count].copy_from_slice(&bytes[..count]);
        self.rest.extend_from_slice(&bytes[count..good]);
        count
    }

    fn take_rest(&mut self, out: &mut [u8]) -> usize {
        let count = out.len().min(self.rest.len() - self.taken);
        out[..count].copy_from_slice(&self.rest[self.taken..self.taken + count]);
        self.taken += count;
        if self.taken == self.rest.len() {
            (self.rest, self.taken) = (Vec::new(), 0);
        }
        count
    }

    fn receive(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let (received, taken) = SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            let received = self.line.receive(scratch);
            self.readable = received.as_ref().is_ok_and(|received| received.more);
            (received.map(|received| received.count), self.take_in(scratch, out))
        });
        match (received?, taken) {
            (0, _) => Ok(0),
            (_, 0) => Err(io::ErrorKind::InvalidData.into()),
            (received, taken) => {
                self.note_arriving(received);
                Ok(taken)
            }
        }
    }

    /// Lets the core know that a client is alive that sends a long message, and ends one that never ends. A client
    /// that sends nothing at all meanwhile does not answer a ping, either.
    fn note_arriving(&mut self, received: usize) {
        if !self.walker.is_within() {
            self.arriving = None;
            return;
        }
        let (now, number) = (Instant::now(), self.walker.number());
        let begun = Arriving { number, began: now, bytes: 0, stretch_began: now, stretch_bytes: 0 };
        // While the core does not read, a message takes as long as that takes.
        let was_paused = self.line.take_was_paused();
        self.arriving.take_if(|arriving| was_paused || arriving.number != number);
        let arriving = self.arriving.get_or_insert_with(|| Box::new(begun));
        arriving.bytes += received;
        arriving.stretch_bytes += received;
        if arriving.is_late(self.limits.message_wait_max) {
            self.fault.get_or_insert(Fault::Late);
            return;
        }
        if now.duration_since(arriving.stretch_began) < ALIVE_STRETCH {
            return;
        }
        let is_alive = arriving.stretch_bytes >= ALIVE_BYTES_MIN;
        (arriving.stretch_began, arriving.stretch_bytes) = (now, 0);
        if let Some(socket) = self.line.socket().filter(|_| is_alive) {
            self.engine.handle(Input::Received { socket, message: Message::Pong(Bytes::new()) });
        }
    }
}

/// How much of `bytes` stands before the last byte of the faulty header: messages that came before it count.
fn good_length(mut walker: Walker, bytes: &[u8], limits: &SocketLimits) -> usize {
    let faulty = bytes.iter().position(|byte| walker.walk(&[*byte], limits).is_err());
    faulty.unwrap_or(bytes.len())
}

/// Never waits: `WouldBlock` until `set_readable`.
impl Read for Incoming {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if !self.rest.is_empty() {
            Ok(self.take_rest(out))
        } else if self.fault.is_some() {
            Err(io::ErrorKind::InvalidData.into())
        } else if self.readable {
            self.receive(out)
        } else {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }
}

/// Never waits: the outbox takes it or the connection ends.
impl Write for Incoming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.line.push(&Frame::raw(Bytes::copy_from_slice(bytes)), Class::Kept) {
            self.engine.mark_dirty(self.line.clone());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A message as the core knows it. The bytes are copied: the library's are a slice of a larger buffer that
/// would live as long as they do.
pub(crate) fn to_core(message: tungstenite::Message) -> Option<Message> {
    use tungstenite::Message as Read;
    let copy = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
    match message {
        Read::Text(text) => Some(Message::Text(copy(text.as_bytes()))),
        Read::Binary(bytes) => Some(Message::Binary(copy(&bytes))),
        Read::Ping(bytes) => Some(Message::Ping(copy(&bytes))),
        Read::Pong(bytes) => Some(Message::Pong(copy(&bytes))),
        Read::Close(frame) => Some(Message::Close(frame.map(|frame| frame.code.into()))),
        Read::Frame(_) => None,
    }
}

/// How a socket ends whose reading failed; `walked` is what the walker found.
pub(crate) fn ending_of(error: &Error, walked: Option<Fault>) -> Ending {
    match error {
        Error::Io(_) => walked.map_or(Ending::Lost, Ending::Faulty),
        Error::Utf8(_) => Ending::Faulty(Fault::Utf8),
        Error::Capacity(_) => Ending::Faulty(Fault::TooBig),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Ending::Lost,
        Error::Protocol(_) | Error::AttackAttempt => Ending::Faulty(Fault::Protocol),
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Tls(_)
        | Error::WriteBufferFull(_)
        | Error::Url(_)
        | Error::Http(_)
        | Error::HttpFormat(_) => Ending::Lost,
    }
}
