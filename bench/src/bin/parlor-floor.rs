//! The floor: what a server costs that only accepts, upgrades and writes frames made beforehand. What is said in
//! a room (`/?room=N`) its members hear, the speaker too; all that was read in one turn goes to a member with one
//! write. It checks nothing, stores nothing and believes everybody; for measuring only. An argument is the
//! length to which payloads are filled up.

use parlor_bench::frames::{CLOSE, TEXT, plain, take_masked};
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;

/// How many connections are accepted before others have their turn.
const ACCEPTS_PER_TURN: usize = 64;
/// How many connections one look at the epoll set shows.
const EVENTS_MAX: usize = 1024;
/// What epoll calls the listening socket.
const LISTENER: u64 = u64::MAX;
/// The answer to the key of RFC 6455 §1.3, which is the one that the load generator sends.
const UPGRADED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

fn main() -> io::Result<()> {
    let width = std::env::args().nth(1).and_then(|width| width.parse().ok()).unwrap_or(0);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    rustix::net::listen(&listener, 4_096)?;
    listener.set_nonblocking(true)?;
    println!("listens on http://{}", listener.local_addr()?);
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    Floor { listener, epoll, width, lines: Vec::new(), rooms: BTreeMap::new(), scratch: vec![0; 64 * 1024] }
        .serve()
}

struct Floor {
    listener: TcpListener,
    epoll: OwnedFd,
    width: usize,
    lines: Vec<Option<Line>>,
    rooms: BTreeMap<String, Room>,
    scratch: Vec<u8>,
}

struct Line {
    stream: TcpStream,
    begun: Vec<u8>,
    room: Option<String>,
    /// What the kernel did not take at once.
    unwritten: Vec<u8>,
}

#[derive(Default)]
struct Room {
    members: Vec<usize>,
    said: Vec<u8>,
}

impl Floor {
    fn serve(mut self) -> io::Result<()> {
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS_MAX);
        loop {
            events.clear();
            epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), None)?;
            for event in &events {
                // The fields are packed and have to be copied out.
                let (flags, data) = (event.flags, event.data);
                match data.u64() {
                    LISTENER => self.accept()?,
                    line if flags.contains(EventFlags::OUT) => self.write_on(line as usize)?,
                    line => self.read(line as usize)?,
                }
            }
            self.tell()?;
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        for _ in 0..ACCEPTS_PER_TURN {
            let Ok((stream, _)) = self.listener.accept() else { break };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let data = EventData::new_u64(self.lines.len() as u64);
            epoll::add(&self.epoll, &stream, data, EventFlags::IN)?;
            self.lines.push(Some(Line { stream, begun: Vec::new(), room: None, unwritten: Vec::new() }));
        }
        Ok(())
    }

    fn read(&mut self, at: usize) -> io::Result<()> {
        let Some(line) = &mut self.lines[at] else { return Ok(()) };
        let count = line.stream.read(&mut self.scratch).unwrap_or(0);
        line.begun.extend_from_slice(&self.scratch[..count]);
        if count == 0 {
            return self.forget(at);
        }
        if line.room.is_none() {
            let Some(end) = memchr::memmem::find(&line.begun, b"\r\n\r\n") else { return Ok(()) };
            let head = String::from_utf8_lossy(&line.begun[..end]).into_owned();
            line.begun.drain(..end + 4);
            let path = head.split(' ').nth(1).unwrap_or_default().to_string();
            line.stream.write_all(UPGRADED.as_bytes())?;
            line.room = Some(path.clone());
            self.rooms.entry(path).or_default().members.push(at);
        }
        let Some(room) = line.room.as_ref().and_then(|room| self.rooms.get_mut(room)) else { return Ok(()) };
        while let Some((opcode, mut payload)) = take_masked(&mut line.begun) {
            match opcode {
                TEXT => {
                    payload.resize(payload.len().max(self.width), b'.');
                    room.said.extend_from_slice(&plain(TEXT, &payload));
                }
                CLOSE => return self.forget(at),
                _ => {}
            }
        }
        if line.begun.is_empty() {
            line.begun = Vec::new();
        }
        Ok(())
    }

    /// Writes what was said in this turn, once to each who is to hear it.
    fn tell(&mut self) -> io::Result<()> {
        let mut blocked = Vec::new();
        for room in self.rooms.values_mut().filter(|room| !room.said.is_empty()) {
            for at in &room.members {
                if let Some(line) = &mut self.lines[*at]
                    && line.write(&room.said)?
                {
                    blocked.push(*at);
                }
            }
            room.said.clear();
        }
        blocked.into_iter().try_for_each(|at| self.want(at, EventFlags::IN | EventFlags::OUT))
    }

    fn write_on(&mut self, at: usize) -> io::Result<()> {
        let Some(line) = &mut self.lines[at] else { return Ok(()) };
        let waiting = std::mem::take(&mut line.unwritten);
        if !line.write(&waiting)? {
            self.want(at, EventFlags::IN)?;
        }
        Ok(())
    }

    fn want(&self, at: usize, flags: EventFlags) -> io::Result<()> {
        let Some(line) = &self.lines[at] else { return Ok(()) };
        Ok(epoll::modify(&self.epoll, &line.stream, EventData::new_u64(at as u64), flags)?)
    }

    fn forget(&mut self, at: usize) -> io::Result<()> {
        if let Some(line) = self.lines[at].take() {
            epoll::delete(&self.epoll, &line.stream)?;
            if let Some(room) = line.room.and_then(|room| self.rooms.get_mut(&room)) {
                room.members.retain(|member| *member != at);
            }
        }
        Ok(())
    }
}

impl Line {
    /// Writes, and keeps what the kernel does not take. True: it has to be written later.
    fn write(&mut self, bytes: &[u8]) -> io::Result<bool> {
        if !self.unwritten.is_empty() {
            self.unwritten.extend_from_slice(bytes);
            return Ok(true);
        }
        let count = match self.stream.write(bytes) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            // Who hung up is forgotten when that is read.
            Err(_) => bytes.len(),
        };
        self.unwritten.extend_from_slice(&bytes[count..]);
        Ok(!self.unwritten.is_empty())
    }
}
