//! One client over a real socket: a thread reads frames, and whoever plays takes them with patience that ends.

use super::play::Heard;
use crate::wire::{BINARY, CLOSE, FIN, PING, PONG, TEXT, Wire, frame, reason};
use std::fmt::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long a frame may take that is to come.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// What the pings say that look whether more follows; and the one that a story sends.
const BARRIER: &[u8] = b"is there more";
const ASKED: &[u8] = b"asked";

/// The text of a request's head.
pub fn head_text(
    method: &str,
    target: &str,
    host: &str,
    authorization: Option<&str>,
    headers: &[(String, String)],
    body: &str,
) -> String {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n");
    let mut add = |name: &str, value: &str| write!(head, "{name}: {value}\r\n").expect("a String takes all");
    if let Some(credential) = authorization {
        add("Authorization", &format!("Bearer {credential}"));
    }
    headers.iter().for_each(|(name, value)| add(name, value));
    if !body.is_empty() {
        add("Content-Length", &body.len().to_string());
    }
    head + "\r\n"
}

/// The headers of an upgrade, but where the story has its own.
pub fn upgrade_headers(own: &[(String, String)]) -> Vec<(String, String)> {
    let usual = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let missing = usual.iter().filter(|(name, _)| !own.iter().any(|(given, _)| given == name));
    let missing = missing.map(|(name, value)| ((*name).to_string(), (*value).to_string()));
    missing.chain(own.iter().cloned()).collect()
}

/// An open WebSocket.
#[derive(Debug)]
pub struct Socket {
    wire: Wire,
    frames: Receiver<Came>,
    /// Whether it leaves pings unanswered.
    pub deaf: bool,
    /// Whether its end has come.
    pub is_over: bool,
    closing: bool,
    barriers: u32,
}

#[derive(Debug)]
enum Came {
    Frame(u8, Vec<u8>),
    End,
}

impl Socket {
    /// A client on a connection that was answered with 101.
    pub fn new(wire: Wire) -> Self {
        let (tell, frames) = channel();
        let mut half = wire.other_half();
        thread::spawn(move || {
            while let Ok((first, payload)) = half.read_frame() {
                if tell.send(Came::Frame(first, payload)).is_err() {
                    return;
                }
            }
            tell.send(Came::End).unwrap_or_default();
        });
        Self { wire, frames, deaf: false, is_over: false, closing: false, barriers: 0 }
    }

    /// Sends a frame; a server that has hung up already does not take it.
    pub fn send(&mut self, opcode: u8, payload: &[u8]) {
        self.wire.write(&frame(FIN | opcode, payload)).unwrap_or_default();
    }

    /// Sends a text message.
    pub fn say(&mut self, text: &str) {
        self.send(TEXT, text.as_bytes());
    }

    /// Sends a binary message.
    pub fn say_binary(&mut self, bytes: &[u8]) {
        self.send(BINARY, bytes);
    }

    /// Sends a ping whose pong is told.
    pub fn ping(&mut self) {
        self.send(PING, ASKED);
    }

    /// Begins a close handshake.
    pub fn close(&mut self, code: u16) {
        self.closing = true;
        self.send(CLOSE, &reason(code, b""));
    }

    /// Cuts the TCP connection.
    pub fn cut(&mut self) {
        self.is_over = true;
        self.wire.cut();
    }

    /// Takes what comes next, until then at the latest.
    pub fn next(&mut self, until: Instant) -> Option<Heard> {
        loop {
            match self.take(until)? {
                Came::Frame(first, payload) => match (first & 0x0f, payload) {
                    (TEXT, text) => return Some(Heard::Text(String::from_utf8_lossy(&text).into_owned())),
                    (PING, payload) => {
                        if !self.deaf {
                            self.send(PONG, &payload);
                        }
                        return Some(Heard::Ping);
                    }
                    (PONG, payload) if payload == ASKED => return Some(Heard::Pong),
                    (PONG, _) => self.barriers = self.barriers.saturating_sub(1),
                    (CLOSE, payload) => {
                        let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                        if !std::mem::replace(&mut self.closing, true) {
                            self.send(CLOSE, &reason(code, b""));
                        }
                        let text = String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned();
                        self.wait_for_end();
                        return Some(Heard::Close(code, text));
                    }
                    (_, bytes) => return Some(Heard::Binary(bytes)),
                },
                Came::End if self.is_over => return None,
                Came::End => {
                    self.is_over = true;
                    return Some(Heard::Lost);
                }
            }
        }
    }

    /// What comes before the pong of a ping: nothing more follows after it.
    pub fn rest(&mut self) -> Vec<Heard> {
        let (mut rest, until) = (Vec::new(), Instant::now() + PATIENCE);
        self.barriers = 1;
        self.send(PING, BARRIER);
        while self.barriers > 0 && !self.is_over {
            match self.take_until_barrier(until) {
                Some(heard) => rest.push(heard),
                None => break,
            }
        }
        rest
    }

    fn take_until_barrier(&mut self, until: Instant) -> Option<Heard> {
        while self.barriers > 0 {
            let soon = until.min(Instant::now() + Duration::from_millis(2));
            if let Some(heard) = self.next(soon) {
                return Some(heard);
            }
            if Instant::now() >= until || self.is_over {
                return None;
            }
        }
        None
    }

    fn take(&mut self, until: Instant) -> Option<Came> {
        match self.frames.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(came) => Some(came),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                self.is_over = true;
                None
            }
        }
    }

    /// After the close frames the server ends the TCP connection: then it knows of the end itself.
    fn wait_for_end(&mut self) {
        let until = Instant::now() + PATIENCE;
        while let Some(came) = self.take(until) {
            if matches!(came, Came::End) {
                break;
            }
        }
        self.is_over = true;
    }
}
