//! A whole server over real sockets. A step ends when what is known to follow has come, and then a ping's pong
//! shows that nothing more does.

use super::deed::Deed;
use super::play::{Answer, Heard, Outcome, Scene, World, body_text};
use super::socket::{PATIENCE, Socket, head_text, upgrade_headers};
use super::story::Story;
use crate::ai_stand_in::AiStandIn;
use crate::process::{Folder, Process};
use crate::wire::Wire;
use parlor_host::replay;
use parlor_protocol::time::Timestamp;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How the files are called in which the server is recorded.
const RECORDING: &str = "recording";
/// How many pings a connection may send at once and per second without being taken for a flood.
const PINGS_AT_ONCE: u32 = 12;
const PING_EVERY: Duration = Duration::from_millis(150);

/// A server of one kind, and its clients.
pub struct SocketWorld {
    binary: &'static str,
    process: Process,
    folder: Folder,
    flags: Vec<String>,
    ai: Option<AiStandIn>,
    clients: BTreeMap<String, Client>,
    presence: bool,
    counts_silence: bool,
}

struct Client {
    socket: Socket,
    /// What came before its time.
    early: Vec<Heard>,
    /// When the pings that it sent are forgotten.
    pinged_until: Instant,
}

impl SocketWorld {
    /// The world in which the story begins.
    pub fn new(story: &Story, binary: &'static str) -> Result<Self, String> {
        let ai = match story.has_ai() {
            true => Some(AiStandIn::start([]).map_err(|error| error.to_string())?),
            false => None,
        };
        let flags = story.flags(ai.as_ref().map(AiStandIn::url).as_deref());
        let folder = Folder::new();
        let process = start(binary, &folder, &flags);
        Ok(Self {
            binary,
            process,
            folder,
            flags,
            ai,
            clients: BTreeMap::new(),
            presence: story.presence,
            counts_silence: story.counts_silence(),
        })
    }

    /// Replays every life of the server, which has ended; the error says which went otherwise and where.
    pub fn replay_recordings(&self) -> Result<(), String> {
        let recordings = self.recordings();
        assert!(!recordings.is_empty(), "nothing was recorded");
        for path in recordings {
            let mut file = BufReader::new(File::open(&path).map_err(|error| error.to_string())?);
            let replayed = replay::replay(&mut file, Some(&mut io::sink()))?;
            if !replayed.is_same() || replayed.inputs == 0 {
                return Err(format!("{} is replayed otherwise: {replayed}", path.display()));
            }
        }
        Ok(())
    }

    fn recordings(&self) -> Vec<PathBuf> {
        let listed = fs::read_dir(self.folder.path()).expect("the folder is there").flatten();
        let is_one = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(RECORDING))
        };
        listed.map(|entry| entry.path()).filter(is_one).collect()
    }

    fn client(&mut self, connection: &str) -> &mut Socket {
        match self.clients.get_mut(connection) {
            Some(client) => &mut client.socket,
            None => panic!("{connection} is not connected"),
        }
    }

    fn do_deed(&mut self, scene: &Scene<'_>, outcome: &mut Outcome) {
        let authorization = scene.authorization.as_deref();
        match scene.deed {
            Deed::Connect { connection, target, headers, .. } => {
                self.connect(connection, target, authorization, headers, outcome);
            }
            Deed::Request { method, target, headers, body, .. } => {
                let mut wire = self.ask(method, target, authorization, headers, body);
                outcome.answer = Some(read_answer(&mut wire, method == "HEAD", target));
            }
            Deed::Send(connection, text) => self.client(connection).say(text),
            Deed::Binary(connection, bytes) => self.client(connection).say_binary(bytes),
            Deed::Ping(connection) => self.client(connection).ping(),
            Deed::Deaf(connection) => self.client(connection).deaf = true,
            Deed::Close(connection, code) => self.client(connection).close(*code),
            Deed::Drop(connection) => {
                self.client(connection).cut();
                self.clients.remove(connection);
                self.wait_until_gone();
            }
            Deed::Wait(span) => thread::sleep(*span),
            Deed::Ai(play) => {
                let ai = self.ai.as_ref().expect("the header says ai=service");
                ai.then([play.clone()]);
            }
            Deed::Restart => {
                self.process.kill();
                self.process = start(self.binary, &self.folder, &self.flags);
            }
            Deed::Stop => {
                self.process.terminate();
            }
            Deed::Store(_) => unreachable!("only the core plays a story with faults of the store"),
        }
    }

    fn ask(
        &self,
        method: &str,
        target: &str,
        authorization: Option<&str>,
        headers: &[(String, String)],
        body: &str,
    ) -> Wire {
        let address = self.process.address();
        let head = head_text(method, target, &address.to_string(), authorization, headers, body);
        let mut wire = Wire::connect(address);
        wire.write(head.as_bytes()).and_then(|()| wire.write(body.as_bytes())).expect("the server reads");
        wire
    }

    fn connect(
        &mut self,
        connection: &str,
        target: &str,
        authorization: Option<&str>,
        headers: &[(String, String)],
        outcome: &mut Outcome,
    ) {
        let mut wire = self.ask("GET", target, authorization, &upgrade_headers(headers), "");
        let head = wire.read_head();
        if !head.starts_with("HTTP/1.1 101 ") {
            outcome.answer = Some(answer(&head, &read_body(&mut wire, &head), false));
            return;
        }
        let protocol = header(&head, "sec-websocket-protocol").map(str::to_string);
        outcome.heard.insert(connection.to_string(), vec![Heard::Open(protocol)]);
        let client = Client { socket: Socket::new(wire), early: Vec::new(), pinged_until: Instant::now() };
        self.clients.insert(connection.to_string(), client);
    }

    /// Waits for what is known to follow.
    fn await_known(&mut self, known: &Outcome, outcome: &mut Outcome) {
        let until = Instant::now() + PATIENCE;
        for (connection, known) in &known.heard {
            let Some(client) = self.clients.get_mut(connection) else { continue };
            let heard = outcome.heard.entry(connection.clone()).or_default();
            let mut early = std::mem::take(&mut client.early).into_iter();
            while heard.len() < known.len() {
                let next = early.next().or_else(|| client.socket.next(until));
                match next {
                    Some(next) if self.presence || !next.is_presence() => heard.push(next),
                    Some(_) => {}
                    None => break,
                }
            }
            client.early = early.collect();
        }
    }

    /// Looks whether more follows, unless that would take long or break a silence that counts.
    fn take_rest(&mut self, patient: bool, quick: bool, outcome: &mut Outcome) {
        let (presence, silent) = (self.presence, self.counts_silence || quick);
        for (connection, client) in &mut self.clients {
            if !silent && !client.socket.is_over {
                client.pace();
                client.early.extend(
                    client.socket.rest().into_iter().filter(|heard| presence || !heard.is_presence()),
                );
            }
            if !patient && !client.early.is_empty() {
                outcome.heard.entry(connection.clone()).or_default().append(&mut client.early);
            }
        }
        self.clients.retain(|_, client| !client.socket.is_over || !client.early.is_empty());
        outcome.heard.retain(|_, heard| !heard.is_empty());
    }

    /// A server hears of a cut connection when it does: waits until it counts as many as there are.
    fn wait_until_gone(&self) {
        let open = self.clients.values().filter(|client| !client.socket.is_over).count();
        let counted = format!("\"connections\":{open},");
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let mut wire = self.ask("GET", "/health", None, &[], "");
            let head = wire.read_head();
            if read_body(&mut wire, &head).contains(&counted) {
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
        panic!("the server does not notice that a connection is gone");
    }
}

impl World for SocketWorld {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::default() + since
    }

    fn is_open(&self, connection: &str) -> bool {
        self.clients.contains_key(connection)
    }

    fn perform(&mut self, scene: &Scene<'_>, known: Option<&Outcome>) -> Outcome {
        let mut outcome = Outcome::default();
        self.do_deed(scene, &mut outcome);
        self.await_known(known.unwrap_or(&Outcome::default()), &mut outcome);
        if *scene.deed == Deed::Stop {
            self.clients.clear();
            assert!(
                self.process.wait().success(),
                "{} does not stop well: {}",
                self.binary,
                self.folder.log()
            );
        }
        self.take_rest(scene.patient, scene.again, &mut outcome);
        outcome
    }

    fn finish(&mut self) -> (Outcome, String) {
        let mut outcome = Outcome::default();
        self.take_rest(false, false, &mut outcome);
        self.process.end();
        // What is recorded may hold a credential as little as the log.
        let recorded = self.recordings().into_iter().map(|file| fs::read(file).expect("it is there"));
        let texts = recorded.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (outcome, std::iter::once(self.folder.log()).chain(texts).collect())
    }
}

impl Client {
    /// Waits until one more ping is no flood.
    fn pace(&mut self) {
        let now = Instant::now();
        self.pinged_until = self.pinged_until.max(now) + PING_EVERY;
        let ahead = self.pinged_until.saturating_duration_since(now);
        thread::sleep(ahead.saturating_sub(PING_EVERY * PINGS_AT_ONCE));
    }
}

/// Starts a server that is recorded; every life of it in a file of its own.
fn start(binary: &str, folder: &Folder, flags: &[String]) -> Process {
    let file = folder.path().join(RECORDING).display().to_string();
    let flags = flags.iter().map(String::as_str).chain(["--record", &file]).collect::<Vec<_>>();
    Process::start(binary, folder, &flags)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn read_body(wire: &mut Wire, head: &str) -> String {
    let length = header(head, "content-length").map_or(0, |length| length.parse().expect("a number"));
    body_text(&wire.read_exactly(length).expect("the body is there"))
}

fn read_answer(wire: &mut Wire, is_head: bool, target: &str) -> Answer {
    let head = wire.read_head();
    let body = if is_head { String::new() } else { read_body(wire, &head) };
    let path = target.split('?').next().unwrap_or_default();
    let is_file = head.starts_with("HTTP/1.1 200") && (path == "/" || path.starts_with("/console/"));
    answer(&head, &body, is_file)
}

fn answer(head: &str, body: &str, is_file: bool) -> Answer {
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(": "));
    Answer {
        status: status.expect("a status line"),
        headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_string())).collect(),
        body: if is_file { String::new() } else { body.to_string() },
        is_file,
    }
}
