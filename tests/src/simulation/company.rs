//! A firm at work beside its messages: people type, read, ask the robot and call their supervisors, while the store and
//! the robot have a bad day and processes are killed. What a law is and which fault it catches stands in
//! `suite/laws/company.rs`.

mod heard;

use super::dice::Dice;
use super::{BEGINNING, Step, World};
use heard::Heard;
use parlor_protocol::call::{Call, CallFailure, RobotReply, Said};
use parlor_protocol::ids::{RoomId, Seq, SocketId};
use parlor_protocol::input::Input;
use parlor_protocol::settings::{Interviewer, Settings};
use parlor_protocol::store::{
    Change, EscalationRow, Query, RoomRow, Row, StoreReply, StoreRequest, Visibility,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Who is here: a client, its user and kind. Two of them are one user's. Supervisors sit in no room besides.
const CLIENTS: [(&str, &str); 6] = [
    ("ann", "employee"),
    ("ann", "employee"),
    ("bob", "employee"),
    ("cleo", "employee"),
    ("sue", "supervisor"),
    ("sam", "supervisor"),
];
/// The clients that are supervisors.
const SUPERVISORS: [usize; 2] = [4, 5];
const ROOMS: [&str; 2] = ["one", "two"];
/// The client that administers.
const ADMIN: usize = 100;
/// How long the world runs until all has settled: longer than every wait and every takeover.
const SETTLING: Duration = Duration::from_secs(617);

/// A whole case.
#[derive(Debug)]
pub struct Company {
    /// The world.
    pub world: World,
    sockets: BTreeMap<usize, SocketId>,
    heard: BTreeMap<SocketId, Heard>,
    /// Calls that wait for their answer.
    asked: BTreeMap<(SocketId, String), (String, Value)>,
    /// Every escalation that anybody heard of.
    escalations: BTreeSet<String>,
    calls: u64,
    /// How many replies of the robot were heard.
    pub replies: usize,
    /// How often a supervisor was told of an escalation.
    pub alarms: usize,
}

impl Company {
    /// Two rooms, and nobody there.
    pub fn new(seed: u64) -> Self {
        let settings = Settings {
            interviewer: Interviewer::Service,
            rate_limit_calls: 0,
            rate_limit_signals: 0,
            rate_limit_dashboard: 0,
            refusals_max: 0,
            ..Settings::default()
        };
        let mut world = World::new(settings, seed);
        world.ai = moody;
        for room in ROOMS {
            let (id, visibility) = (RoomId::chat(room), Visibility::Public);
            let row = RoomRow { id, name: room.into(), firm: "firm".into(), visibility };
            let rows = vec![Change::Put(Row::Room(row))];
            world.store.answer(BEGINNING, &StoreRequest::Commit { appends: vec![], rows });
        }
        world.handle(Input::Started);
        Self {
            world,
            sockets: BTreeMap::new(),
            heard: BTreeMap::new(),
            asked: BTreeMap::new(),
            escalations: BTreeSet::new(),
            calls: 0,
            replies: 0,
            alarms: 0,
        }
    }

    /// Plays one step, chosen by four bytes.
    pub fn play(&mut self, [kind, a, b, c]: [u8; 4]) {
        let (client, room) = (usize::from(a) % CLIENTS.len(), ROOMS[usize::from(b) % ROOMS.len()]);
        match kind % 32 {
            0..=4 => self.connect(client),
            5 => self.cut(client),
            6..=8 => self.join(client, room),
            9 => self.call(client, room, "chat:room:leave", json!({})),
            10..=11 => self.call(client, room, "chat:typing:start", json!({})),
            12 => self.call(client, room, "chat:typing:stop", json!({})),
            13..=14 => self.call(client, room, "chat:message:send", json!({"content": "x"})),
            15..=18 => self.read(client, room, c),
            19..=21 => self.prompt(client, room),
            22..=24 => self.escalate(client, room),
            25 => self.resolve(client, usize::from(c)),
            26 if c < 64 => self.crash(),
            27 if c < 48 => self.administer("DELETE", room, ""),
            27 => self.administer("PUT", room, r#"{"name":"again","firmId":"firm","visibility":"public"}"#),
            28 => {
                let each = if b % 4 == 0 { 400 } else { 8 };
                let still = Duration::from_millis(u64::from(c) * each);
                self.world.store.stands_still_until = self.world.now + still;
            }
            29 => self.wait(Duration::from_secs(u64::from(c) / 8)),
            _ => self.wait(Duration::from_millis(u64::from(c) * u64::from(b % 4))),
        }
        self.wait(Duration::ZERO);
    }

    /// Lets everything come to rest and holds the laws of the end.
    pub fn settle(&mut self) {
        self.world.store.fails = false;
        self.world.ai = kind;
        self.wait(SETTLING);
        assert!(self.asked.is_empty(), "no call is left without its answer: {:?}", self.asked);
        SUPERVISORS.into_iter().for_each(|client| self.connect(client));
        self.wait(SETTLING);
        self.assert_nobody_types();
        self.assert_replies();
        self.assert_escalations();
        for socket in self.world.sockets.keys().copied().collect::<Vec<_>>() {
            let step = self.world.cut(socket);
            self.look(&step);
        }
        self.wait(SETTLING);
        // The look for overdue replies comes every minute and may be out just now.
        if self.world.server.counts().held() > 0 {
            self.wait(Duration::from_secs(1));
        }
        let left = self.world.server.counts();
        assert_eq!(left.held(), 0, "after everything has ended nothing is left: {left:?}");
    }

    fn assert_nobody_types(&self) {
        for heard in self.heard.values() {
            let typing = heard.typing.iter().filter(|(_, typing)| **typing);
            assert_eq!(typing.count(), 0, "whoever is told to type is told to have stopped: {heard:?}");
        }
    }

    fn assert_replies(&mut self) {
        let everything = Query::OverduePrompts { before: self.world.now, max: 1_000 };
        let awaited = self.found(everything);
        assert_eq!(awaited, [], "no prompt is left without its reply");
        for room in ROOMS {
            let log = self.world.store.log(&RoomId::chat(room));
            let bodies: Vec<Value> =
                log.iter().map(|entry| serde_json::from_slice(&entry.body).expect("JSON")).collect();
            for (place, body) in bodies.iter().enumerate() {
                let name = body.to_string();
                assert!(!name.contains("typing"), "typing is not stored: {name}");
                let replies = |prompt: &str| {
                    bodies.iter().filter(|body| body["metadata"]["promptId"] == json!(prompt)).count()
                };
                if body["prompts"] == json!(true) {
                    assert_eq!(replies(log[place].id.as_str()), 1, "a prompt has exactly one reply");
                }
            }
        }
    }

    fn assert_escalations(&mut self) {
        let open = self.found(Query::OpenEscalations { firm: "firm".into() });
        let open: Vec<EscalationRow> = open
            .into_iter()
            .filter_map(|row| if let Row::Escalation(row) = row { Some(row) } else { None })
            .collect();
        let desk: Vec<_> = self.world.store.log(&RoomId::supervisors(&"firm".into())).to_vec();
        for row in &open {
            let announced: Vec<Seq> = desk
                .iter()
                .filter(|entry| entry.id.as_str() == row.id.as_str())
                .map(|entry| entry.seq)
                .collect();
            assert_eq!(announced, [row.announced], "an escalation stands once in the supervisors' log");
            let log = self.world.store.log(&row.room);
            let told = log.iter().filter(|entry| entry.id.as_str() == row.id.as_str()).count();
            assert_eq!(told, 1, "an escalation stands once in its room");
            for client in SUPERVISORS {
                let heard = &self.heard[&self.sockets[&client]];
                let times = heard.created.get(row.id.as_str()).copied().unwrap_or(0);
                assert_eq!(times, 1, "every supervisor is told of what is open, once: {}", row.id);
            }
        }
    }

    fn found(&mut self, query: Query) -> Vec<Row> {
        let reply = self.world.store.answer(self.world.now, &StoreRequest::Look(query));
        let StoreReply::Found(rows) = reply else { panic!("{reply:?}") };
        rows
    }

    /// Lets time pass.
    pub fn wait(&mut self, time: Duration) {
        let until = self.world.now + time;
        while let Some(step) = self.world.step(until) {
            self.look(&step);
        }
        self.world.now = until;
    }

    /// A client comes, unless it is here.
    pub fn connect(&mut self, client: usize) {
        if !self.sockets.contains_key(&client) {
            let (user, kind) = CLIENTS[client];
            let step = self.world.request(client, "GET", "/chat", &format!("{user}:firm:{kind}"), "");
            self.look(&step);
            self.wait(Duration::from_millis(5));
        }
    }

    fn cut(&mut self, client: usize) {
        if let Some(socket) = self.sockets.get(&client) {
            let step = self.world.cut(*socket);
            self.look(&step);
        }
    }

    /// The process is killed, and another one starts.
    pub fn crash(&mut self) {
        let step = self.world.crash();
        self.look(&step);
    }

    /// A client joins a room, unless it is a supervisor.
    pub fn join(&mut self, client: usize, room: &str) {
        if !SUPERVISORS.contains(&client) {
            self.call(client, room, "chat:room:join", json!({}));
        }
    }

    /// A client has read up to some place that it heard of, or beyond.
    fn read(&mut self, client: usize, room: &str, how: u8) {
        let end = self.world.store.log(&RoomId::chat(room)).len() as u64;
        let seq = if how < 16 { end + 1 } else { end * u64::from(how) / 255 };
        self.call(client, room, "chat:message:read", json!({"seq": seq}));
    }

    /// A client asks the robot.
    pub fn prompt(&mut self, client: usize, room: &str) {
        self.call(client, room, "chat:robot:interact", json!({"prompt": "?"}));
    }

    /// A client calls the supervisors.
    pub fn escalate(&mut self, client: usize, room: &str) {
        self.call(client, room, "chat:escalation:create", json!({"reason": "!"}));
    }

    fn resolve(&mut self, client: usize, place: usize) {
        let known = self.escalations.iter().nth(place % self.escalations.len().max(1));
        if let Some(id) = known.cloned() {
            self.call(client, "", "chat:escalation:resolve", json!({"escalationId": id}));
        }
    }

    fn administer(&mut self, method: &str, room: &str, body: &str) {
        let target = format!("/api/admin/rooms/chat/{room}");
        let step = self.world.request(ADMIN, method, &target, "service", body);
        self.look(&step);
    }

    fn call(&mut self, client: usize, room: &str, name: &str, mut data: Value) {
        let Some(socket) = self.sockets.get(&client).copied() else { return };
        self.calls += 1;
        let id = format!("call-{}", self.calls);
        data["roomId"] = json!(room);
        let text = json!({"event": name, "data": data, "requestId": id}).to_string();
        self.asked.insert((socket, id), (name.to_string(), data));
        let step = self.world.say(socket, text);
        self.look(&step);
    }

    fn look(&mut self, step: &Step) {
        for (socket, client) in &step.opened {
            self.sockets.insert(*client, *socket);
            self.heard.insert(*socket, Heard::new(CLIENTS[*client].0));
        }
        for (socket, read) in &step.read {
            if let super::socket::Read::Text(text) = read {
                let said: Value = serde_json::from_slice(text).expect("the core sends JSON");
                self.on_read(*socket, &said);
            }
        }
        for (socket, client) in &step.ended {
            if self.sockets.get(client) == Some(socket) {
                self.sockets.remove(client);
            }
            self.heard.remove(socket);
            self.asked.retain(|(of, _), _| of != socket);
        }
    }

    fn on_read(&mut self, socket: SocketId, said: &Value) {
        let (name, data) = (said["event"].as_str().unwrap_or_default(), &said["data"]);
        let answered = said["requestId"].as_str().map(|id| {
            let asked = self.asked.remove(&(socket, id.to_string()));
            asked.unwrap_or_else(|| panic!("a call is answered once: {said}"))
        });
        if let (Some((_, asked)), "chat:message:read") = (&answered, name) {
            self.assert_read(socket, asked);
        }
        self.replies += usize::from(name == "chat:robot:response");
        if name == "chat:escalation:created" {
            self.escalations.insert(data["escalationId"].as_str().unwrap_or_default().to_string());
            self.alarms += usize::from(answered.is_none() && data.get("seq").is_none());
        }
        if let Some(heard) = self.heard.get_mut(&socket) {
            heard.take(name, data, answered.is_some());
        }
    }

    /// What is acknowledged as read is stored as read.
    fn assert_read(&mut self, socket: SocketId, asked: &Value) {
        let (room, seq) = (RoomId::chat(asked["roomId"].as_str().unwrap_or_default()), asked["seq"].as_u64());
        let user = self.heard[&socket].user;
        // A room that was deleted once may be another one by now.
        if self.world.store.logs.get(&room).is_some_and(|logs| logs.len() > 1) {
            return;
        }
        let loaded = self.world.store.answer(self.world.now, &StoreRequest::Load { room });
        let StoreReply::Loaded(Some(record)) = loaded else { return };
        let cursor = record.cursors.iter().find(|(of, _)| of.as_str() == user).map_or(0, |(_, seq)| seq.0);
        assert!(
            seq.is_some_and(|seq| seq <= cursor),
            "what is acknowledged as read is stored: {asked}, {cursor}"
        );
    }
}

/// A robot on a bad day: it fails, is late, answers twice, or never.
fn moody(dice: &mut Dice, _: &Call) -> Vec<(Duration, Said)> {
    let late = Duration::from_millis(dice.below(3_000));
    let said = match dice.below(12) {
        0..=2 => Said::Failed(CallFailure::Passing { retry_after: None }),
        3 => Said::Failed(CallFailure::Refused { status: 500 }),
        4 => Said::Failed(CallFailure::BadReply("no JSON".into())),
        _ => reply(dice),
    };
    match dice.below(10) {
        0 => vec![(late, said), (late * 2, reply(dice))],
        1 => vec![(Duration::from_secs(40 + dice.below(10)), said)],
        2 => vec![],
        _ => vec![(late, said)],
    }
}

/// A robot on a good day.
fn kind(dice: &mut Dice, _: &Call) -> Vec<(Duration, Said)> {
    vec![(Duration::from_millis(100), reply(dice))]
}

fn reply(dice: &mut Dice) -> Said {
    Said::Robot(RobotReply { content: json!(format!("{}", dice.below(u64::MAX))), metadata: None })
}
