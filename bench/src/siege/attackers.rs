//! Those who mean harm, a thread for each kind, below everybody else when the machine decides who runs:
//!
//! * slow readers: members of a loud room who read next to nothing, and come anew when they have been there for a while;
//! * pingers: connections that say nothing but pings, as many at once as a write takes, until they are closed;
//! * knockers: handshakes with a bad token, half a head, bytes that are no HTTP, and good ones that vanish at once;
//! * the dead: connections that neither answer a ping nor close.

use crate::frames::{CLOSE, PING, Scanner, TEXT, masked};
use crate::report::Sample;
use crate::room;
use crate::target::{Place, Target};
use rustix::net::{AddressFamily, SocketType, sockopt};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How patient an attacker is where it waits at all.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a slow reader's kernel holds for it: little, so that the server feels it soon.
const SLOW_BUFFER_BYTES: usize = 4 * 1024;
/// How much a slow reader reads in a second.
const SLOW_READ_BYTES: usize = 512;
/// How long a slow reader stays before it comes anew.
const SLOW_STAY: Duration = Duration::from_secs(20);
/// How long each thing said in the loud room is, and how often something is said.
const LOUD_BYTES: usize = 8 * 1024;
const LOUD_PAUSE: Duration = Duration::from_millis(50);
/// How many pings go out with one write.
const PINGS: usize = 200;
/// How long half a head is left alone.
const HALF_STAY: Duration = Duration::from_secs(6);
/// The most halves of heads at a time.
const HALVES_MAX: usize = 4_000;

/// How many of each kind.
#[derive(Debug, Clone, Copy)]
pub struct Attack {
    /// Slow readers at a time.
    pub slow: usize,
    /// Rounds of pings in a second.
    pub pings: usize,
    /// Handshakes in a second.
    pub handshakes: usize,
    /// Dead connections.
    pub dead: usize,
}

/// What they did.
#[derive(Debug, Default)]
pub struct Done {
    slow: AtomicU64,
    loud: AtomicU64,
    pings: AtomicU64,
    handshakes: AtomicU64,
    refused: AtomicU64,
    dead: AtomicU64,
}

impl Done {
    pub fn shown(&self, sample: Sample) -> Sample {
        let shown = |count: &AtomicU64| count.load(Relaxed) as f64;
        sample
            .with("slow readers", shown(&self.slow))
            .with("said to them", shown(&self.loud))
            .with("pings", shown(&self.pings))
            .with("handshakes", shown(&self.handshakes))
            .with("of them refused", shown(&self.refused))
            .with("dead", shown(&self.dead))
    }
}

/// The running attack.
pub struct Attackers {
    over: Arc<AtomicBool>,
    done: Arc<Done>,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

/// What every attacker knows.
#[derive(Clone)]
struct Aim {
    target: Target,
    address: SocketAddr,
    /// A room, and the first of the users, that nobody else uses.
    room: usize,
    user: usize,
    over: Arc<AtomicBool>,
    done: Arc<Done>,
}

impl Attackers {
    /// Starts the attack on a server whose rooms and users are those of `others`.
    pub fn start(
        target: Target,
        address: SocketAddr,
        attack: Attack,
        others: &room::Work,
    ) -> io::Result<Self> {
        let (over, done) = (Arc::<AtomicBool>::default(), Arc::<Done>::default());
        let user = others.rooms * others.members + others.rooms;
        let aim = Aim { target, address, room: others.rooms, user, over: over.clone(), done: done.clone() };
        let mut threads = Vec::new();
        let mut begin = |name: &'static str, work: fn(&Aim, usize) -> io::Result<()>, count| {
            let aim = aim.clone();
            let attacks = move || {
                rustix::process::nice(19)?;
                work(&aim, count).map_err(|error| io::Error::other(format!("{name}: {error}")))
            };
            threads.push(thread::Builder::new().name(name.into()).spawn(attacks)?);
            io::Result::Ok(())
        };
        begin("slow", read_slowly, attack.slow)?;
        begin("pings", ping, attack.pings)?;
        begin("knocks", knock, attack.handshakes)?;
        begin("dead", play_dead, attack.dead)?;
        Ok(Self { over, done, threads })
    }

    /// Ends the attack; what went wrong with it otherwise than it was meant to is an error.
    pub fn stop(self) -> io::Result<Arc<Done>> {
        self.over.store(true, Relaxed);
        for thread in self.threads {
            thread.join().map_err(|_| io::Error::other("an attacker has panicked"))??;
        }
        Ok(self.done)
    }
}

impl Aim {
    fn goes_on(&self) -> bool {
        !self.over.load(Relaxed)
    }

    fn head(&self, path: &str) -> String {
        format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            self.address
        )
    }

    /// An open connection of this user, of those that nobody else is, with so much room in its kernel.
    fn open(&self, user: usize, buffer: Option<usize>) -> io::Result<TcpStream> {
        let mut stream = connect(self.address, buffer)?;
        let path = self.target.path(Place::Room(self.room), self.user + user);
        stream.write_all(self.head(&path).as_bytes())?;
        read_until(&mut stream, |bytes| memchr::memmem::find(bytes, b"\r\n\r\n").is_some())?;
        Ok(stream)
    }

    /// The same, and it is a member of the loud room.
    fn join(&self, user: usize, buffer: Option<usize>) -> io::Result<TcpStream> {
        let mut stream = self.open(user, buffer)?;
        let hello = self.target.hello(Place::Room(self.room)).unwrap_or_default();
        stream.write_all(&masked(TEXT, hello.as_bytes()))?;
        read_until(&mut stream, |bytes| memchr::memmem::find(bytes, b"chat:room:joined").is_some())?;
        Ok(stream)
    }
}

fn connect(address: SocketAddr, buffer: Option<usize>) -> io::Result<TcpStream> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    if let Some(bytes) = buffer {
        sockopt::set_socket_recv_buffer_size(&socket, bytes)?;
    }
    rustix::net::connect(&socket, &address)?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn read_until(stream: &mut TcpStream, is_there: impl Fn(&[u8]) -> bool) -> io::Result<()> {
    let (mut heard, mut bytes) = (Vec::new(), [0; 4096]);
    while !is_there(&heard) {
        match stream.read(&mut bytes)? {
            0 => return Err(io::Error::other(String::from_utf8_lossy(&heard).into_owned())),
            count => heard.extend_from_slice(&bytes[..count]),
        }
    }
    Ok(())
}

fn read_slowly(aim: &Aim, count: usize) -> io::Result<()> {
    let mut loud = aim.join(0, None)?;
    loud.set_nonblocking(true)?;
    let mut readers = VecDeque::new();
    let body = ".".repeat(LOUD_BYTES);
    let (mut due, mut user, mut heard) = (Instant::now(), 0, vec![0; 64 * 1024]);
    let mut turn = 0;
    while aim.goes_on() && count > 0 {
        while let Ok(1..) = loud.read(&mut heard) {}
        let id = format!("{:016}", aim.done.loud.fetch_add(1, Relaxed));
        let saying = aim.target.saying(Place::Room(aim.room), 0, &format!("{id}{body}"));
        loud.write_all(&masked(TEXT, saying.as_bytes()))?;
        due += LOUD_PAUSE;
        while Instant::now() < due {
            let is_old = |(_, since): &(TcpStream, Instant)| since.elapsed() > SLOW_STAY;
            if readers.len() >= count && readers.front().is_none_or(is_old) {
                readers.pop_front();
            }
            if readers.len() < count {
                user += 1;
                let reader = aim.join(1 + user % (count * 2), Some(SLOW_BUFFER_BYTES))?;
                reader.set_nonblocking(true)?;
                readers.push_back((reader, Instant::now()));
                aim.done.slow.fetch_add(1, Relaxed);
            } else {
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        }
        // A twentieth of them each time, which is each of them once in a second.
        for _ in 0..readers.len().div_ceil(20) {
            turn = (turn + 1) % readers.len();
            readers[turn].0.read(&mut heard[..SLOW_READ_BYTES]).unwrap_or_default();
        }
    }
    Ok(())
}

fn ping(aim: &Aim, rate: usize) -> io::Result<()> {
    let pings: Vec<u8> = (0..PINGS).flat_map(|_| masked(PING, &[0x5a; 125])).collect();
    let mut heard = vec![0; 64 * 1024];
    each(aim, rate, |number| {
        let mut stream = aim.open(number % 1_000, None)?;
        // It may be closed in the middle of them.
        stream.write_all(&pings).unwrap_or_default();
        aim.done.pings.fetch_add(PINGS as u64, Relaxed);
        let (mut scanner, mut closed) = (Scanner::default(), false);
        while !closed && let Ok(count @ 1..) = stream.read(&mut heard) {
            scanner.scan(&heard[..count], |opcode, _| closed |= opcode == CLOSE);
        }
        Ok(())
    })
}

fn knock(aim: &Aim, rate: usize) -> io::Result<()> {
    let mut halves: VecDeque<(TcpStream, Instant)> = VecDeque::new();
    each(aim, rate, |number| {
        while halves.front().is_some_and(|(_, since)| since.elapsed() > HALF_STAY)
            || halves.len() > HALVES_MAX
        {
            halves.pop_front();
        }
        let mut stream = connect(aim.address, None)?;
        aim.done.handshakes.fetch_add(1, Relaxed);
        match number % 4 {
            0 => {
                let path = format!("/chat?token=bad.{number}.token");
                stream.write_all(aim.head(&path).as_bytes())?;
                read_until(&mut stream, |bytes| bytes.starts_with(b"HTTP/1.1 4"))?;
                aim.done.refused.fetch_add(1, Relaxed);
            }
            1 => {
                stream.write_all(b"GET /chat HTTP/1.1\r\nHost: a\r\nX-Half: ")?;
                halves.push_back((stream, Instant::now()));
            }
            2 => {
                stream.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0xff, b'\r', b'\n'].repeat(20))?;
                halves.push_back((stream, Instant::now()));
            }
            _ => {
                let path = aim.target.path(Place::Room(aim.room), aim.user + number % 1_000);
                stream.write_all(aim.head(&path).as_bytes())?;
                sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
            }
        }
        Ok(())
    })
}

fn play_dead(aim: &Aim, count: usize) -> io::Result<()> {
    let mut dead = Vec::new();
    for number in 0..count {
        dead.push(aim.open(number, None)?);
        aim.done.dead.fetch_add(1, Relaxed);
    }
    while aim.goes_on() {
        thread::sleep(Duration::from_millis(100));
    }
    drop(dead);
    Ok(())
}

/// Does something so often in a second until the attack is over; what was missed is not made up for.
fn each(aim: &Aim, rate: usize, mut once: impl FnMut(usize) -> io::Result<()>) -> io::Result<()> {
    let Some(pause) = Duration::from_secs(1).checked_div(u32::try_from(rate).unwrap_or(u32::MAX)) else {
        return Ok(());
    };
    let mut number = 0;
    while aim.goes_on() {
        let due = Instant::now() + pause;
        once(number)?;
        number += 1;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}
