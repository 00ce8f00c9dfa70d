//! Many WebSocket clients on one thread: one epoll set, one buffer to read into, and for each connection only
//! what stands between two pieces of a frame. So ten thousand of them cost the machine little, and what is
//! measured is the server.

use crate::frames::{BINARY, CLOSE, PING, PONG, Scanner, TEXT, masked};
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How many connections may be on their way at once.
pub const OPENING_MAX: usize = 256;
/// How much is read with one call.
const SCRATCH_BYTES: usize = 256 * 1024;
/// How many connections one look at the epoll set shows.
const EVENTS_MAX: usize = 1024;
/// How long the server may leave everybody without a byte before a run counts as stuck.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long a write may wait for room.
const WRITE_WAIT_MAX: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };
/// The key of RFC 6455 §1.3: nobody here doubts that the server can hash.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// What the clients do.
pub trait Script {
    /// A connection was upgraded.
    fn opened(&mut self, line: usize, say: &mut Say);
    /// A message came.
    fn heard(&mut self, line: usize, message: &[u8], say: &mut Say);
    /// The server closed a connection.
    fn closed(&mut self, line: usize, code: u16) -> io::Result<()> {
        Err(io::Error::other(format!("connection {line} was closed with {code}")))
    }
    /// How many connections are where they wanted to be.
    fn ready(&self) -> usize;
    /// What went wrong, once something has: the run ends with it.
    fn fault(&self) -> Option<&str> {
        None
    }
}

/// What clients say, in order.
#[derive(Debug, Default)]
pub struct Say(Vec<(usize, Vec<u8>)>);

impl Say {
    /// Says a text message on a connection.
    pub fn text(&mut self, line: usize, text: &str) {
        self.frame(line, masked(TEXT, text.as_bytes()));
    }

    /// Sends a frame that was made before.
    pub fn frame(&mut self, line: usize, frame: Vec<u8>) {
        self.0.push((line, frame));
    }
}

/// The clients.
pub struct Crowd {
    address: SocketAddr,
    epoll: OwnedFd,
    lines: Vec<Line>,
    scratch: Vec<u8>,
    events: Vec<Event>,
    heard_at: Instant,
}

#[derive(Debug)]
struct Line {
    stream: TcpStream,
    scanner: Scanner,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Upgrading(Vec<u8>),
    Open,
    Closed,
}

impl std::fmt::Debug for Crowd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crowd").field("lines", &self.lines.len()).finish_non_exhaustive()
    }
}

impl Crowd {
    /// Clients of the server at `address`.
    pub fn new(address: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            address,
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            lines: Vec::new(),
            scratch: vec![0; SCRATCH_BYTES],
            events: Vec::with_capacity(EVENTS_MAX),
            heard_at: Instant::now(),
        })
    }

    /// Connects to each path and runs until the script finds them all ready, at most [`OPENING_MAX`] at a time.
    pub fn gather(&mut self, paths: &[String], script: &mut impl Script) -> io::Result<()> {
        self.heard_at = Instant::now();
        let before = self.lines.len();
        while script.ready() < before + paths.len() {
            while self.lines.len() < before + paths.len() && self.lines.len() - script.ready() < OPENING_MAX {
                self.connect(&paths[self.lines.len() - before])?;
            }
            self.turn(script, Instant::now() + Duration::from_millis(100))?;
        }
        Ok(())
    }

    /// Runs until `over`, which is asked after each turn, or until `until`.
    pub fn run<S: Script>(
        &mut self,
        script: &mut S,
        until: Instant,
        mut over: impl FnMut(&S) -> bool,
    ) -> io::Result<()> {
        self.heard_at = Instant::now();
        while !over(script) && Instant::now() < until {
            self.turn(script, until)?;
        }
        Ok(())
    }

    /// Says things that no message gave rise to.
    pub fn speak(&mut self, say: Say) -> io::Result<()> {
        // What one client says at once goes out at once, or the server would see a burst as single messages.
        for said in say.0.chunk_by(|one, next| one.0 == next.0) {
            match said {
                [(line, frame)] => self.write(*line, frame)?,
                many => {
                    let bytes: Vec<u8> = many.iter().flat_map(|(_, frame)| frame).copied().collect();
                    self.write(many[0].0, &bytes)?;
                }
            }
        }
        Ok(())
    }

    fn connect(&mut self, path: &str) -> io::Result<()> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n",
            self.address
        );
        stream.write_all(head.as_bytes())?;
        stream.set_nonblocking(true)?;
        epoll::add(&self.epoll, &stream, EventData::new_u64(self.lines.len() as u64), EventFlags::IN)?;
        self.lines.push(Line { stream, scanner: Scanner::default(), stage: Stage::Upgrading(Vec::new()) });
        Ok(())
    }

    /// Waits for the server to say something, and plays on.
    fn turn(&mut self, script: &mut impl Script, until: Instant) -> io::Result<()> {
        let wait = until.saturating_duration_since(Instant::now()).min(Duration::from_millis(100));
        let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&wait))?;
        match events.is_empty() {
            false => self.heard_at = Instant::now(),
            true if self.heard_at.elapsed() > SILENCE_MAX => {
                let message = format!("nothing came for {SILENCE_MAX:?}; {} are ready", script.ready());
                return Err(io::Error::other(message));
            }
            true => {}
        }
        let mut say = Say::default();
        for event in &events {
            let data = event.data;
            self.read(data.u64() as usize, script, &mut say)?;
        }
        self.events = events;
        match script.fault() {
            Some(fault) => Err(io::Error::other(fault)),
            None => self.speak(say),
        }
    }

    fn read(&mut self, at: usize, script: &mut impl Script, say: &mut Say) -> io::Result<()> {
        let line = &mut self.lines[at];
        let count = match line.stream.read(&mut self.scratch) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        if count == 0 {
            epoll::delete(&self.epoll, &line.stream)?;
            return match std::mem::replace(&mut line.stage, Stage::Closed) {
                Stage::Closed => Ok(()),
                Stage::Open | Stage::Upgrading(_) => script.closed(at, 1006),
            };
        }
        let bytes = &self.scratch[..count];
        let Some(early) = line.upgraded(bytes)? else { return Ok(()) };
        if let Some(early) = &early {
            script.opened(at, say);
            return line.scan(at, early, script, say);
        }
        line.scan(at, bytes, script, say)
    }

    fn write(&mut self, at: usize, mut bytes: &[u8]) -> io::Result<()> {
        let mut stream = &self.lines[at].stream;
        while !bytes.is_empty() {
            match stream.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut files = [PollFd::new(&stream, PollFlags::OUT)];
                    if poll(&mut files, Some(&WRITE_WAIT_MAX))? == 0 {
                        return Err(io::Error::other(format!("connection {at} takes nothing any more")));
                    }
                }
                // Whoever was closed meanwhile is told so by what is read.
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }
}

impl Line {
    /// `None`: the answer to the upgrade is not whole. `Some(Some(early))`: it is, just now, and this came behind.
    fn upgraded(&mut self, bytes: &[u8]) -> io::Result<Option<Option<Vec<u8>>>> {
        let Stage::Upgrading(head) = &mut self.stage else { return Ok(Some(None)) };
        head.extend_from_slice(bytes);
        let Some(end) = memchr::memmem::find(head, b"\r\n\r\n") else { return Ok(None) };
        if !head.starts_with(b"HTTP/1.1 101 ") {
            return Err(io::Error::other(String::from_utf8_lossy(head).into_owned()));
        }
        let early = head[end + 4..].to_vec();
        self.stage = Stage::Open;
        Ok(Some(Some(early)))
    }

    fn scan(&mut self, at: usize, bytes: &[u8], script: &mut impl Script, say: &mut Say) -> io::Result<()> {
        let mut closed = None;
        self.scanner.scan(bytes, |opcode, payload| match opcode {
            TEXT | BINARY => script.heard(at, payload, say),
            PING => say.frame(at, masked(PONG, payload)),
            CLOSE => closed = Some(payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code))),
            _ => {}
        });
        match closed {
            None => Ok(()),
            Some(code) => {
                self.stage = Stage::Closed;
                say.frame(at, masked(CLOSE, &code.to_be_bytes()));
                script.closed(at, code)
            }
        }
    }
}
