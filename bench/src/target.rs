//! The servers that are measured, and how a client speaks to each: where it connects, what it says to come into
//! a room, and how it says something there.

use crate::process::{Cores, Process};
use serde_json::json;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// What the tokens of the measured servers are signed with.
const SECRET: &str = "a secret for measuring on one machine";
/// What the admin calls of the measured servers ask for.
const SERVICE_KEY: &str = "a key for measuring on one machine";
/// How long the tokens are good.
const TOKEN_SECONDS: u64 = 3_600;

/// A server to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Ours, on smol.
    Parlor,
    /// The same, spoken to over Socket.IO.
    ParlorIo,
    /// The same, its drafts as `@hocuspocus/provider` speaks.
    ParlorHocuspocus,
    /// Ours, on threads.
    ParlorThreads,
    /// The same, spoken to over Socket.IO.
    ParlorThreadsIo,
    /// The same, its drafts as `@hocuspocus/provider` speaks.
    ParlorThreadsHocuspocus,
    /// Nothing but accepting, upgrading and writing frames made beforehand.
    Floor,
    /// The same with frames as long as ours are with their envelope.
    FloorWide,
    /// npm ws.
    Ws,
    /// npm socket.io.
    SocketIo,
    /// The server of npm y-websocket.
    YWebsocket,
    /// npm @hocuspocus/server.
    Hocuspocus,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A member of this room, which hears what is said in it.
    Room(usize),
    /// A member of one of several rooms.
    Rooms,
    /// It hears what it says itself.
    Echo,
    /// A session of a guided document; the peers have no such thing.
    Document,
    /// An editor of this shared draft.
    Draft(usize),
}

impl Target {
    /// Every one of them.
    pub const ALL: [Self; 12] = [
        Self::Parlor,
        Self::ParlorIo,
        Self::ParlorHocuspocus,
        Self::ParlorThreads,
        Self::ParlorThreadsIo,
        Self::ParlorThreadsHocuspocus,
        Self::Floor,
        Self::FloorWide,
        Self::Ws,
        Self::SocketIo,
        Self::YWebsocket,
        Self::Hocuspocus,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parlor => "parlor",
            Self::ParlorIo => "parlor-io",
            Self::ParlorHocuspocus => "parlor-hocuspocus",
            Self::ParlorThreads => "parlor-threads",
            Self::ParlorThreadsIo => "parlor-threads-io",
            Self::ParlorThreadsHocuspocus => "parlor-threads-hocuspocus",
            Self::Floor => "floor",
            Self::FloorWide => "floor-wide",
            Self::Ws => "ws",
            Self::SocketIo => "socket.io",
            Self::YWebsocket => "y-websocket",
            Self::Hocuspocus => "hocuspocus",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// Whether it is one of our servers, with a store and tokens.
    pub fn is_ours(self) -> bool {
        match self {
            Self::Parlor
            | Self::ParlorIo
            | Self::ParlorHocuspocus
            | Self::ParlorThreads
            | Self::ParlorThreadsIo
            | Self::ParlorThreadsHocuspocus => true,
            Self::Floor
            | Self::FloorWide
            | Self::Ws
            | Self::SocketIo
            | Self::YWebsocket
            | Self::Hocuspocus => false,
        }
    }

    fn tongue(self) -> Tongue {
        match self {
            Self::Parlor | Self::ParlorThreads => Tongue::Envelope,
            Self::ParlorIo | Self::ParlorThreadsIo => Tongue::Chat,
            Self::Floor | Self::FloorWide | Self::Ws => Tongue::Bare,
            Self::SocketIo => Tongue::Events,
            Self::YWebsocket => Tongue::Draft,
            Self::ParlorHocuspocus | Self::ParlorThreadsHocuspocus | Self::Hocuspocus => Tongue::Drafts,
        }
    }

    /// Starts it with an empty store, if it has one.
    pub fn start(self, cores: Cores) -> io::Result<Process> {
        let programs = programs()?;
        Process::start(cores, |folder| self.command(&programs, folder))
    }

    /// Starts it over the store that this process has left.
    pub fn start_again(self, cores: Cores, process: &mut Process) -> io::Result<()> {
        let programs = programs()?;
        process.start_again(cores, |folder| self.command(&programs, folder))
    }

    fn command(self, beside: &Path, folder: &Path) -> Command {
        match self {
            Self::Parlor | Self::ParlorIo | Self::ParlorHocuspocus => ours(beside.join("parlor"), folder),
            Self::ParlorThreads | Self::ParlorThreadsIo | Self::ParlorThreadsHocuspocus => {
                ours(beside.join("parlor-threads"), folder)
            }
            Self::Floor => Command::new(beside.join("parlor-floor")),
            Self::FloorWide => {
                let mut floor = Command::new(beside.join("parlor-floor"));
                floor.arg(WIDE_BYTES.to_string());
                floor
            }
            Self::Ws => node("ws.mjs"),
            Self::SocketIo => node("socket-io.mjs"),
            Self::YWebsocket => node("y-websocket.mjs"),
            Self::Hocuspocus => node("hocuspocus.mjs"),
        }
    }

    /// Whether there is such a place in the way in which it is spoken to.
    pub fn has(self, place: Place) -> bool {
        match (self.tongue(), place) {
            (Tongue::Envelope, _) => true,
            (Tongue::Draft | Tongue::Drafts, _) => matches!(place, Place::Draft(_)),
            (Tongue::Chat, _) => matches!(place, Place::Room(_) | Place::Rooms),
            (Tongue::Bare | Tongue::Events, _) => !matches!(place, Place::Draft(_)),
        }
    }

    /// Whether an editor names its draft in each message, and shows its token in one.
    pub fn names_drafts(self) -> bool {
        self.tongue() == Tongue::Drafts
    }

    /// The path on which user number `user` connects.
    pub fn path(self, place: Place, user: usize) -> String {
        let room = match place {
            Place::Room(room) | Place::Draft(room) => room,
            Place::Rooms => user / 1_000,
            Place::Echo | Place::Document => user,
        };
        match (self.tongue(), place) {
            (Tongue::Bare, _) => format!("/?room={room}"),
            (Tongue::Events, _) => format!("/socket.io/?EIO=4&transport=websocket&room={room}"),
            (Tongue::Chat, _) => format!("/socket.io/?EIO=4&transport=websocket&token={}", token(user)),
            (Tongue::Draft, _) => format!("/{}", draft(room)),
            (Tongue::Drafts, _) => "/hocuspocus".to_string(),
            (Tongue::Envelope, Place::Draft(_)) => format!("/yjs/{}?token={}", draft(room), token(user)),
            (Tongue::Envelope, Place::Room(_) | Place::Rooms) => format!("/chat?token={}", token(user)),
            (Tongue::Envelope, Place::Echo) => "/echo".to_string(),
            (Tongue::Envelope, Place::Document) => {
                format!("/documents?templateId={TEMPLATE}&token={}", token(user))
            }
        }
    }

    /// What a client says once it is upgraded.
    pub fn hello(self, place: Place) -> Option<String> {
        match (self.tongue(), place) {
            (Tongue::Envelope, Place::Room(room)) => {
                Some(format!(r#"{{"event":"chat:room:join","data":{{"roomId":"r{room}"}},"requestId":"j"}}"#))
            }
            (Tongue::Chat | Tongue::Events, _) => Some("40".to_string()),
            (Tongue::Envelope | Tongue::Bare | Tongue::Draft | Tongue::Drafts, _) => None,
        }
    }

    /// Whether this message says that the client is where it wanted to be; without a hello that is so at once.
    pub fn is_welcome(self, text: &[u8]) -> bool {
        match self.tongue() {
            Tongue::Envelope => starts(text, r#"{"event":"chat:room:joined""#),
            Tongue::Chat => starts(text, r#"42["chat:room:joined""#),
            Tongue::Events => starts(text, "40"),
            Tongue::Bare | Tongue::Draft | Tongue::Drafts => false,
        }
    }

    /// What has to be answered to this message: a ping, or the word that the client may go into its room now.
    pub fn reply(self, place: Place, text: &[u8]) -> Option<String> {
        match (self.tongue(), place) {
            (Tongue::Chat | Tongue::Events, _) if text == b"2" => Some("3".to_string()),
            (Tongue::Chat, Place::Room(room)) if starts(text, "40") => {
                Some(format!(r#"42["chat:room:join",{{"roomId":"r{room}"}}]"#))
            }
            _ => None,
        }
    }

    /// How a body is said in a room, or to be heard back. `call` tells the answers of one client apart.
    pub fn saying(self, place: Place, call: u32, body: &str) -> String {
        match (self.tongue(), place) {
            (Tongue::Envelope, Place::Room(room)) => format!(
                r#"{{"event":"chat:message:send","data":{{"roomId":"r{room}","id":"{body:.16}","content":"{body}"}},"requestId":"{call}"}}"#
            ),
            (Tongue::Chat, Place::Room(room)) => format!(
                r#"42{call}["chat:message:send",{{"roomId":"r{room}","id":"{body:.16}","content":"{body}"}}]"#
            ),
            (Tongue::Events, _) => format!(r#"42["m","{body}"]"#),
            _ => body.to_string(),
        }
    }

    /// Whether this message, which has a `seq`, is the answer to who said it.
    pub fn is_answer(self, text: &[u8]) -> bool {
        match self.tongue() {
            Tongue::Envelope => starts(text, r#"{"event":"chat:message:send""#),
            Tongue::Chat => starts(text, "43"),
            Tongue::Bare | Tongue::Events | Tongue::Draft | Tongue::Drafts => false,
        }
    }
}

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tongue {
    /// Our chat in its own envelope.
    Envelope,
    /// Our chat over Socket.IO.
    Chat,
    /// Bodies and nothing else.
    Bare,
    /// Bodies as events of Socket.IO.
    Events,
    /// One draft, as the provider of y-websocket speaks.
    Draft,
    /// Several drafts, as `@hocuspocus/provider` speaks.
    Drafts,
}

/// The document template of the measurements.
pub const TEMPLATE: &str = "bench";
/// How long the wide floor's frames are: about what ours are with 64 bytes in them.
const WIDE_BYTES: usize = 330;

/// Where the programs lie: beside this one.
fn programs() -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.parent().unwrap_or(Path::new(".")).to_path_buf())
}

fn starts(text: &[u8], with: &str) -> bool {
    text.starts_with(with.as_bytes())
}

fn ours(program: PathBuf, folder: &Path) -> Command {
    let mut command = Command::new(program);
    let database = format!("sqlite:{}", folder.join("bench.db").display());
    command.current_dir(folder).args(["--host", "127.0.0.1", "--websocket-port", "0"]);
    command.args(["--database-url", &database, "--durability", "power-loss"]);
    command.args(["--jwt-secret", SECRET, "--service-api-key", SERVICE_KEY]);
    command.args(["--create-on-open", "true", "--echo", "true", "--rate-limit-calls", "0"]);
    command.args(["--connections-per-user", "0", "--connections-max", "20000", "--log-format", "json"]);
    command
}

/// Peers lie in the working folder's `bench/peers`, where `npm ci` has put what they need.
fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(Path::new("bench/peers").join(script)).env("NODE_ENV", "production");
    command
}

/// The name of a draft.
pub fn draft(number: usize) -> String {
    format!("d{number}")
}

/// A token of this user.
pub fn token(user: usize) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let claims = json!({"sub": format!("user-{user}"), "iat": now, "exp": now + TOKEN_SECONDS});
    parlor_host::trial::token(SECRET.as_bytes(), &claims)
}

/// Puts a template with so many questions into one of our servers.
pub fn put_template(address: SocketAddr, questions: usize) -> io::Result<()> {
    let questions: Vec<_> = (1..=questions)
        .map(|number| json!({"key": format!("q{number}"), "question": format!("What about point {number}?")}))
        .collect();
    let body = json!({"name": "Measured", "questions": questions, "body": "# Done\n\n{{q1}}\n"}).to_string();
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "PUT /api/admin/templates/{TEMPLATE} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Authorization: Bearer {SERVICE_KEY}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.starts_with("HTTP/1.1 2") {
        true => Ok(()),
        false => Err(io::Error::other(answer)),
    }
}
