//! A WebSocket client that hides nothing: frames as bytes, right or wrong, in whatever pieces.

use crate::secure::session;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// How long an answer may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);
/// The key of RFC 6455 §1.3 and what a server makes of it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const MASK: [u8; 4] = [0x5a, 0x03, 0xc1, 0x9f];

/// The last frame of a message, or the only one.
pub const FIN: u8 = 0x80;
/// A further frame of a message.
pub const CONTINUATION: u8 = 0;
/// A text message.
pub const TEXT: u8 = 1;
/// A binary message.
pub const BINARY: u8 = 2;
/// A close frame.
pub const CLOSE: u8 = 8;
/// A ping.
pub const PING: u8 = 9;
/// A pong.
pub const PONG: u8 = 10;

/// A masked frame; `first` is its first byte.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The payload of a close frame.
pub fn reason(code: u16, text: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], text].concat()
}

/// An open WebSocket.
#[derive(Debug)]
pub struct Wire {
    stream: Stream,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(bytes),
            Self::Tls(stream) => stream.read(bytes),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

impl Wire {
    /// Connects to `target`; an error where there is no server or it lets nobody in.
    pub fn try_open(address: SocketAddr, target: &str) -> io::Result<Self> {
        let mut wire = Self::of(TcpStream::connect(address)?)?;
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        );
        wire.write(head.as_bytes())?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.extend(wire.read_exactly(1)?);
        }
        match answer.starts_with(b"HTTP/1.1 101 ") {
            true => Ok(wire),
            false => Err(io::Error::other(String::from_utf8_lossy(&answer))),
        }
    }

    /// Connects to `target` and is answered with 101.
    pub fn open(address: SocketAddr, target: &str) -> Self {
        Self::connect(address).upgrade(address, target)
    }

    /// The same over TLS.
    pub fn open_secure(address: SocketAddr, config: &Arc<ClientConfig>, target: &str) -> Self {
        Self::connect_secure(address, config).upgrade(address, target)
    }

    fn upgrade(mut self, address: SocketAddr, target: &str) -> Self {
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        );
        self.write(head.as_bytes()).expect("the server reads");
        let answer = self.read_head();
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        assert!(answer.contains(&format!("sec-websocket-accept: {ACCEPT}\r\n")), "{answer}");
        self
    }

    /// A TCP connection on which nothing was said.
    pub fn connect(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect(address).expect("the server listens")).expect("a TCP socket")
    }

    /// A session of TLS in which nothing was said.
    pub fn connect_secure(address: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        let plain = Self::connect(address);
        let Stream::Plain(stream) = plain.stream else { unreachable!("it was just made") };
        let mut stream = StreamOwned::new(session(config), stream);
        stream.conn.complete_io(&mut stream.sock).expect("the server shakes hands");
        Self { stream: Stream::Tls(Box::new(stream)) }
    }

    fn of(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream: Stream::Plain(stream) })
    }

    /// The session, if it is one.
    pub fn session(&self) -> Option<&ClientConnection> {
        match &self.stream {
            Stream::Plain(_) => None,
            Stream::Tls(stream) => Some(&stream.conn),
        }
    }

    /// The socket under it.
    pub fn tcp(&self) -> &TcpStream {
        self.stream.tcp()
    }

    /// The same connection, for another thread; not over TLS, where all passes one place.
    pub fn other_half(&self) -> Self {
        Self { stream: Stream::Plain(self.stream.tcp().try_clone().expect("a TCP socket")) }
    }

    /// Ends the TCP connection without a word.
    pub fn cut(&self) {
        self.stream.tcp().shutdown(Shutdown::Both).unwrap_or_default();
    }

    /// Says that nothing more comes, in words of TLS, and keeps the TCP connection.
    pub fn take_leave(&mut self) {
        match &mut self.stream {
            Stream::Plain(stream) => stream.shutdown(Shutdown::Write).unwrap_or_default(),
            Stream::Tls(stream) => {
                stream.conn.send_close_notify();
                stream.flush().unwrap_or_default();
            }
        }
    }

    /// Sends bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Reads up to and with an empty line.
    pub fn read_head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).expect("the server answers");
            head.push(byte[0]);
        }
        String::from_utf8(head).expect("ASCII")
    }

    /// Reads a response: its head and its body.
    pub fn read_response(&mut self) -> (String, Vec<u8>) {
        let head = self.read_head();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().expect("a number"));
        let body = self.read_exactly(length).expect("the body is there");
        (head, body)
    }

    /// Reads so many bytes.
    pub fn read_exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads the next frame: its first byte and its payload.
    pub fn read_frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let head = self.read_exactly(2)?;
        assert_eq!(head[1] & 0x80, 0, "a server does not mask");
        let length = match head[1] {
            126 => u64::from(u16::from_be_bytes(self.read_exactly(2)?.try_into().expect("two bytes"))),
            127 => u64::from_be_bytes(self.read_exactly(8)?.try_into().expect("eight bytes")),
            short => u64::from(short),
        };
        Ok((head[0], self.read_exactly(length as usize)?))
    }

    /// Reads until the server ends the TCP connection; over TLS, until it has said so.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => rest,
            Err(error) => panic!("no clean end: {error}"),
        }
    }
}
