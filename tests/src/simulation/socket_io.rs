//! People over Socket.IO: a client of Engine.IO that polls, upgrades when it likes and is cut off, and the glasses
//! through which a witness sees its session as one socket that speaks the plain envelope.

use super::socket::{Pace, Read};
use super::{Sent, Step, World};
use parlor_protocol::frame::Frame;
use parlor_protocol::http::{Body, Response};
use parlor_protocol::ids::SocketId;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Numbers of requests and sockets, above those of all clients.
const TOKENS_FROM: usize = 10_000;
/// Where the sockets begin that witnesses see in place of sessions.
const SEEN_FROM: u32 = 1 << 30;
const PATH: &str = "/socket.io/?EIO=4&transport=";

/// What a request or socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Errand {
    Open,
    Poll,
    Post,
    Socket,
    Probe,
}

/// How far an upgrade is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    Opening,
    Opened(SocketId),
    Asked(SocketId),
    Answered(SocketId),
}

/// One client and its session.
#[derive(Debug, Default)]
struct Line {
    user: String,
    /// How many sessions it has begun.
    session: u32,
    begun: bool,
    eio: Option<String>,
    socket: Option<SocketId>,
    probe: Option<Probe>,
    poll: Option<usize>,
    /// What waits to be posted, or for the upgrade.
    queue: Vec<String>,
    stalled: bool,
    connected: bool,
    /// What it proves itself with, and the last it has heard.
    pid: Option<String>,
    offset: Option<String>,
    /// What CONNECT said.
    tried: Option<String>,
    /// Its calls by their numbers.
    calls: BTreeMap<u64, String>,
    /// Those that asked for their answer twice.
    twice: BTreeSet<u64>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Lines {
    lines: BTreeMap<usize, Line>,
    errands: BTreeMap<usize, (usize, u32, Errand)>,
    next: usize,
    sessions: u32,
    /// Whether everybody polls at once, and nobody comes back as who it was.
    pub eager: bool,
    /// How often a session was taken up again, and how often that was refused.
    pub recovered: usize,
    /// How often it was refused.
    pub refused: usize,
    /// How many sessions moved to a WebSocket.
    pub upgraded: usize,
}

/// How a call asks for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// By an ack.
    Ack,
    /// By a `WebSocketEvent` with a `requestId`.
    Form,
    /// By both.
    Both,
}

impl Lines {
    /// Whether the client has a session, connected to the namespace or not.
    pub fn has_begun(&self, client: usize) -> bool {
        self.lines.get(&client).is_some_and(|line| line.begun)
    }

    /// Whether the client has heard that it is connected.
    pub fn is_connected(&self, client: usize) -> bool {
        self.lines.get(&client).is_some_and(|line| line.connected)
    }

    /// The socket that the witness sees.
    pub fn seen(&self, client: usize) -> Option<SocketId> {
        self.lines.get(&client).filter(|line| line.connected).map(Line::seen)
    }

    /// A client comes, over a WebSocket or by polling, as who it was or afresh.
    pub fn begin(
        &mut self,
        world: &mut World,
        client: usize,
        user: &str,
        polls: bool,
        forgets: bool,
    ) -> Vec<Step> {
        self.sessions += 1;
        let line = self.lines.entry(client).or_default();
        let (pid, offset) = match forgets {
            true => (None, None),
            false => (line.pid.take(), line.offset.take()),
        };
        let session = self.sessions;
        *line = Line { user: user.into(), session, begun: true, pid, offset, ..Line::default() };
        let (errand, target) = match polls {
            true => (Errand::Open, format!("{PATH}polling")),
            false => (Errand::Socket, format!("{PATH}websocket")),
        };
        let (step, _) = self.go(world, client, errand, "GET", &target, "");
        self.see(world, step)
    }

    /// The network is gone. Now and then nobody tells the server.
    pub fn cut(&mut self, world: &mut World, client: usize, silently: bool) -> Vec<Step> {
        let Some(line) = self.lines.get_mut(&client).filter(|line| line.begun) else { return Vec::new() };
        let (socket, poll) = (line.socket, line.poll.filter(|_| !silently));
        let probe = line.probe.and_then(Probe::socket);
        let mut steps = vec![line.end(client)];
        for socket in socket.into_iter().chain(probe) {
            let step = world.cut(socket);
            steps.extend(self.see(world, step));
        }
        if let Some(poll) = poll {
            let step = world.hang_up(poll);
            steps.extend(self.see(world, step));
        }
        steps
    }

    /// The WebSocket that was to take over is gone, and nothing else.
    pub fn cut_probe(&mut self, world: &mut World, client: usize) -> Vec<Step> {
        let probe = self.lines.get(&client).and_then(|line| line.probe.and_then(Probe::socket));
        let Some(probe) = probe else { return Vec::new() };
        let step = world.cut(probe);
        self.see(world, step)
    }

    /// A client reads faster or slower.
    pub fn pace(&mut self, world: &mut World, client: usize, pace: Pace) {
        let Some(line) = self.lines.get_mut(&client) else { return };
        line.stalled = pace == Pace::Stalled;
        line.socket.into_iter().for_each(|socket| world.pace(socket, pace));
    }

    /// Says something now, or with what comes next.
    pub fn say(
        &mut self,
        world: &mut World,
        client: usize,
        number: u64,
        (name, data): (&str, &Value),
        asks: Asks,
        waits: bool,
    ) -> Vec<Step> {
        let Some(line) = self.lines.get_mut(&client).filter(|line| line.connected) else { return Vec::new() };
        line.calls.insert(number, name.into());
        line.twice.extend((asks == Asks::Both).then_some(number));
        let ack = if asks == Asks::Form { String::new() } else { number.to_string() };
        let form =
            json!({"event": name, "data": data, "requestId": format!("call-{number}"), "version": "1"});
        let data = if asks == Asks::Ack { data } else { &form };
        line.queue.push(format!("42{ack}{}", json!([name, data])));
        if waits && line.socket.is_none() { Vec::new() } else { self.flush(world, client) }
    }

    /// Posts what waits, or says it, unless an upgrade is about to happen.
    pub fn flush(&mut self, world: &mut World, client: usize) -> Vec<Step> {
        let Some(line) = self.lines.get_mut(&client) else { return Vec::new() };
        if line.queue.is_empty() || matches!(line.probe, Some(Probe::Answered(_))) {
            return Vec::new();
        }
        if let Some(socket) = line.socket {
            let mut steps = Vec::new();
            for packet in std::mem::take(&mut line.queue) {
                let step = world.say(socket, packet);
                steps.extend(self.see(world, step));
            }
            return steps;
        }
        let Some(sid) = line.eio.clone() else { return Vec::new() };
        let body = std::mem::take(&mut line.queue).join("\u{1e}");
        let target = format!("{PATH}polling&sid={sid}");
        let (step, _) = self.go(world, client, Errand::Post, "POST", &target, &body);
        self.see(world, step)
    }

    /// Goes a step on with the upgrade.
    pub fn upgrade(&mut self, world: &mut World, client: usize) -> Vec<Step> {
        let Some(line) = self.lines.get_mut(&client).filter(|line| line.socket.is_none()) else {
            return Vec::new();
        };
        match line.probe {
            None => {
                let Some(sid) = line.eio.clone() else { return Vec::new() };
                line.probe = Some(Probe::Opening);
                let target = format!("{PATH}websocket&sid={sid}");
                let (step, _) = self.go(world, client, Errand::Probe, "GET", &target, "");
                self.see(world, step)
            }
            Some(Probe::Opened(socket)) => {
                line.probe = Some(Probe::Asked(socket));
                let step = world.say(socket, "2probe".into());
                self.see(world, step)
            }
            Some(Probe::Answered(socket)) if line.poll.is_none() => {
                (line.probe, line.socket) = (None, Some(socket));
                self.upgraded += 1;
                let mut step = world.say(socket, "5".into());
                // What waited for a poll goes out now.
                for Sent { frame, .. } in std::mem::take(&mut step.sent) {
                    step.waited.push((socket, frame.payload().to_vec()));
                }
                let mut steps = self.see(world, step);
                steps.extend(self.flush(world, client));
                steps
            }
            Some(Probe::Opening | Probe::Asked(_) | Probe::Answered(_)) => Vec::new(),
        }
    }

    /// In a hurry everybody says what waits, and ends what upgrade was begun.
    pub fn hurry(&mut self, world: &mut World) -> Vec<Step> {
        let clients: Vec<_> = self.lines.keys().copied().filter(|_| self.eager).collect();
        let mut steps = Vec::new();
        for client in clients {
            if self.lines[&client].probe.is_some() {
                steps.extend(self.upgrade(world, client));
            }
            steps.extend(self.flush(world, client));
        }
        steps
    }

    /// Everybody who polls and has no poll open may begin one; all do, or some.
    pub fn poll(&mut self, world: &mut World) -> Vec<Step> {
        let mut steps = Vec::new();
        for client in self.lines.keys().copied().collect::<Vec<_>>() {
            let eager = self.eager || world.dice.chance(50);
            if let Some(sid) = self.lines[&client].may_poll().filter(|_| eager) {
                let target = format!("{PATH}polling&sid={sid}");
                let (step, token) = self.go(world, client, Errand::Poll, "GET", &target, "");
                if let Some(line) = self.lines.get_mut(&client) {
                    line.poll = Some(token);
                }
                steps.extend(self.see(world, step));
            }
        }
        steps
    }

    fn go(
        &mut self,
        world: &mut World,
        client: usize,
        errand: Errand,
        method: &str,
        target: &str,
        body: &str,
    ) -> (Step, usize) {
        self.next += 1;
        let token = TOKENS_FROM + self.next;
        let line = &self.lines[&client];
        self.errands.insert(token, (client, line.session, errand));
        let user = line.user.clone();
        (world.request(token, method, target, &user, body), token)
    }

    /// Makes of what happened what a witness of plain sockets sees; and lets the clients do at once what clients do
    /// at once.
    pub fn see(&mut self, world: &mut World, mut step: Step) -> Vec<Step> {
        let mut replies = Vec::new();
        let (opened, ended) = (std::mem::take(&mut step.opened), std::mem::take(&mut step.ended));
        for (socket, token) in opened {
            match self.errands.get(&token).copied() {
                None => step.opened.push((socket, token)),
                Some((client, session, errand)) => self.on_opened(world, client, session, errand, socket),
            }
        }
        self.translate_sent(&mut step);
        for (token, response) in std::mem::take(&mut step.responded) {
            match self.errands.remove(&token) {
                None => step.responded.push((token, response)),
                Some((client, session, errand)) => {
                    self.on_response(client, session, errand, &response, &mut step, &mut replies);
                }
            }
        }
        for (socket, read) in std::mem::take(&mut step.read) {
            match (self.owner(socket), &read) {
                (Some((client, probes)), Read::Text(text)) => {
                    let text = String::from_utf8_lossy(text).into_owned();
                    if probes && text == "3probe" {
                        self.lines
                            .entry(client)
                            .and_modify(|line| line.probe = Some(Probe::Answered(socket)));
                    } else {
                        self.on_packet(client, &text, &mut step, &mut replies);
                    }
                }
                (Some(_), _) => {}
                (None, _) => step.read.push((socket, read)),
            }
        }
        for socket in &mut step.flushed {
            if let Some(client) = self.lines.values().find(|line| line.socket == Some(*socket)) {
                *socket = client.seen();
            }
        }
        for (socket, token) in ended {
            match self.errands.remove(&token) {
                None => step.ended.push((socket, token)),
                Some((client, session, _)) => self.on_ended(client, session, socket, &mut step),
            }
        }
        let mut steps = vec![step];
        for (client, packet) in replies {
            self.lines.entry(client).and_modify(|line| line.queue.push(packet));
            steps.extend(self.flush(world, client));
        }
        steps
    }

    fn on_opened(
        &mut self,
        world: &mut World,
        client: usize,
        session: u32,
        errand: Errand,
        socket: SocketId,
    ) {
        let Some(line) = self.lines.get_mut(&client).filter(|line| line.session == session) else { return };
        match errand {
            Errand::Probe => line.probe = Some(Probe::Opened(socket)),
            Errand::Open | Errand::Poll | Errand::Post | Errand::Socket => line.socket = Some(socket),
        }
        if line.stalled {
            world.pace(socket, Pace::Stalled);
        }
    }

    fn on_response(
        &mut self,
        client: usize,
        session: u32,
        errand: Errand,
        response: &Response,
        step: &mut Step,
        replies: &mut Vec<(usize, String)>,
    ) {
        let Some(line) = self.lines.get_mut(&client).filter(|line| line.session == session) else { return };
        if errand == Errand::Poll {
            line.poll = None;
        }
        if response.status != 200 {
            // A socket that comes too late for its session is told so by its end.
            step.ended.extend(line.end(client).ended);
            return;
        }
        let Body::Bytes(body) = &response.body else { panic!("the engine answers with bytes") };
        if errand == Errand::Post {
            assert_eq!(&body[..], b"ok");
            return;
        }
        for packet in String::from_utf8_lossy(body).split('\u{1e}') {
            self.wait_for(client, packet, step);
            self.on_packet(client, packet, step, replies);
        }
    }

    /// A packet that had waited for its poll.
    fn wait_for(&mut self, client: usize, packet: &str, step: &mut Step) {
        let Some(line) = self.lines.get(&client) else { return };
        if packet.starts_with("40") {
            line.come(client, packet, step);
        } else if let Some(plain) = line.plain(packet) {
            step.waited.push((line.seen(), plain.to_string().into_bytes()));
        }
    }

    /// What was ordered for sockets of sessions, as if it were ordered for the sockets that the witness sees.
    fn translate_sent(&mut self, step: &mut Step) {
        let waited = std::mem::take(&mut step.waited);
        for (socket, payload) in waited {
            if let Some((client, false)) = self.owner(socket) {
                self.wait_for(client, &String::from_utf8_lossy(&payload), step);
            }
        }
        for mut sent in std::mem::take(&mut step.sent) {
            let owners: Vec<_> = sent.sockets.iter().filter_map(|socket| self.owner(*socket)).collect();
            sent.sockets.retain(|socket| self.owner(*socket).is_none());
            let text = String::from_utf8_lossy(sent.frame.payload()).into_owned();
            for (client, _) in owners.into_iter().filter(|(_, probes)| !probes) {
                let Some(line) = self.lines.get(&client) else { continue };
                if text.starts_with("40") {
                    line.come(client, &text, step);
                } else if let Some(plain) = line.plain(&text) {
                    let (sockets, frame) = (vec![line.seen()], Frame::text(&plain.to_string()));
                    step.sent.push(Sent { sockets, frame, class: sent.class });
                }
            }
            // What goes to a session that nobody has any more is no plain envelope.
            if !sent.sockets.is_empty() && text.starts_with('{') {
                step.sent.push(sent);
            }
        }
    }

    /// Whose socket it is, and whether it is about to take over only.
    fn owner(&self, socket: SocketId) -> Option<(usize, bool)> {
        self.lines.iter().find_map(|(client, line)| match line.socket == Some(socket) {
            true => Some((*client, false)),
            false => (line.probe.and_then(Probe::socket) == Some(socket)).then_some((*client, true)),
        })
    }

    fn on_packet(
        &mut self,
        client: usize,
        packet: &str,
        step: &mut Step,
        replies: &mut Vec<(usize, String)>,
    ) {
        let Some(line) = self.lines.get_mut(&client).filter(|line| line.begun) else { return };
        match packet.as_bytes() {
            [b'0', ..] => {
                let open: Value = serde_json::from_str(&packet[1..]).expect("an opening");
                line.eio = open["sid"].as_str().map(str::to_string);
                let mut auth = json!({"token": line.user});
                if let (Some(pid), Some(offset)) = (&line.pid, &line.offset) {
                    (auth["pid"], auth["offset"]) = (json!(pid), json!(offset));
                    line.tried = Some(pid.clone());
                }
                replies.push((client, format!("40{auth}")));
            }
            b"2" => replies.push((client, "3".into())),
            b"1" | b"41" => step.ended.extend(line.end(client).ended),
            [b'4', b'0', ..] => {
                let names: Value = serde_json::from_str(&packet[2..]).expect("its names");
                let pid = names["pid"].as_str().map(str::to_string);
                let recovered = pid.is_some() && pid == line.tried;
                self.recovered += usize::from(recovered);
                self.refused += usize::from(!recovered && line.tried.is_some());
                (line.connected, line.pid) = (true, pid);
                step.came.push(line.seen());
                if !recovered {
                    line.offset = None;
                }
            }
            [b'4', b'2' | b'3', ..] => {
                assert!(line.connected, "nothing is said before the client is connected: {packet}");
                let plain = line.plain(packet).expect("an event or an ack");
                step.read.push((line.seen(), Read::Text(plain.to_string().into_bytes())));
                line.note(packet);
            }
            _ => {}
        }
    }

    fn on_ended(&mut self, client: usize, session: u32, socket: SocketId, step: &mut Step) {
        let Some(line) = self.lines.get_mut(&client).filter(|line| line.session == session) else { return };
        if line.probe.and_then(Probe::socket) == Some(socket) {
            line.probe = None;
        } else if line.socket == Some(socket) {
            step.ended.extend(line.end(client).ended);
        }
    }
}

impl Line {
    fn seen(&self) -> SocketId {
        SocketId { slot: SEEN_FROM + self.session, generation: 0 }
    }

    /// Its session is over for the client, which keeps what it may come back with.
    fn end(&mut self, client: usize) -> Step {
        let ended = if self.begun { vec![(self.seen(), client)] } else { vec![] };
        *self = Self {
            user: std::mem::take(&mut self.user),
            session: self.session,
            pid: self.pid.take(),
            offset: self.offset.take(),
            stalled: self.stalled,
            ..Self::default()
        };
        Step { ended, ..Step::default() }
    }

    fn may_poll(&self) -> Option<&str> {
        let upgrades = matches!(self.probe, Some(Probe::Answered(_)));
        let free = self.socket.is_none() && self.poll.is_none() && !self.stalled && !upgrades;
        self.eio.as_deref().filter(|_| free)
    }

    /// The namespace has let it in.
    fn come(&self, client: usize, packet: &str, step: &mut Step) {
        let names: Value = serde_json::from_str(&packet[2..]).expect("its names");
        step.opened.push((self.seen(), client));
        if self.tried.is_some() && names["pid"].as_str() == self.tried.as_deref() {
            step.resumed.push(self.seen());
        }
    }

    /// An event or an ack as it would be on a plain socket.
    fn plain(&self, packet: &str) -> Option<Value> {
        let array = packet.find('[')?;
        let number = packet.get(2..array)?;
        let values: Value = serde_json::from_str(&packet[array..]).ok()?;
        if packet.starts_with("42") {
            let (name, data) = (values[0].clone(), values[1].clone());
            if data["event"] != name || data["requestId"].is_null() {
                return Some(json!({"event": name, "data": data}));
            }
            // Who asked for both has its answer with the ack.
            let asked = data["requestId"].as_str().and_then(|id| id.strip_prefix("call-")?.parse().ok());
            let both = asked.is_some_and(|number: u64| self.twice.contains(&number));
            return Some(if both { json!({"event": name, "data": data["data"]}) } else { data });
        }
        let number: u64 = packet.starts_with("43").then(|| number.parse().ok())??;
        let mut data = values[0].clone();
        let id = format!("call-{number}");
        if data["ok"] == json!(false) {
            return Some(json!({"event": "chat:error", "data": data["error"], "requestId": id}));
        }
        data.as_object_mut().expect("an answer").remove("ok");
        let name = self.calls.get(&number).map(|name| answer_to(name));
        Some(json!({"event": name, "data": data, "requestId": id}))
    }

    /// The client has read it.
    fn note(&mut self, packet: &str) {
        let array = packet.find('[').unwrap_or(0);
        let values: Value = serde_json::from_str(&packet[array..]).unwrap_or_default();
        let offset = values.as_array().and_then(|values| values.last()?.as_str());
        if let Some(offset) = offset.filter(|_| packet.starts_with("42")) {
            self.offset = Some(offset.to_string());
        }
    }
}

impl Probe {
    fn socket(self) -> Option<SocketId> {
        match self {
            Self::Opening => None,
            Self::Opened(socket) | Self::Asked(socket) | Self::Answered(socket) => Some(socket),
        }
    }
}

/// The event that answers a call.
pub fn answer_to(call: &str) -> &str {
    match call {
        "chat:room:join" => "chat:room:joined",
        "chat:room:leave" => "chat:room:left",
        "chat:room:create" => "chat:room:created",
        "join_project" => "joined_project",
        "leave_project" => "left_project",
        "feed:join" => "feed:joined",
        other => other,
    }
}
