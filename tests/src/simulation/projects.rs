//! Backends and the members of projects: events with keys, roles and in batches, over a store that does not always
//! know; and members who join, leave, are cut off, are taken out, over every envelope that projects are spoken in.
//! What a law is and which fault it catches stands in `suite/laws/projects.rs`.

use super::socket::{Pace, Read};
use super::socket_io::{Asks, Lines};
use super::{BEGINNING, Step, World};
use parlor_protocol::http::Body;
use parlor_protocol::ids::{RoomId, SocketId};
use parlor_protocol::input::Input;
use parlor_protocol::settings::Settings;
use parlor_protocol::store::{Change, Entry, RoomRow, Row, RowKey, StoreReply, StoreRequest, Visibility};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Who is here: users with their firm. Those from `LINES_FROM` on come over Socket.IO, the others over `/api/connect`.
const CLIENTS: [(&str, &str); 7] = [
    ("ann", "firm"),
    ("bob", "firm"),
    ("eve", "other"),
    ("ann", "firm"),
    ("bob", "firm"),
    ("cleo", "firm"),
    ("eve", "other"),
];
const LINES_FROM: usize = 3;
const PROJECTS: [&str; 2] = ["p", "q"];
const ROLES: [&str; 2] = ["facilitator", "storyteller"];
/// What administers and posts; the numbers of posts follow.
const ADMIN: usize = 100;
const POSTS_FROM: usize = 1_000;
const SETTLING: Duration = Duration::from_secs(200);

/// What a connection has heard of a project that it is in.
#[derive(Debug, Clone, Default)]
struct Heard {
    at: u64,
}

/// What is known of one connection.
#[derive(Debug, Clone, Default)]
struct Known {
    client: usize,
    came: bool,
    rooms: BTreeMap<String, Heard>,
    asked: BTreeMap<String, (String, String)>,
}

/// A whole case.
#[derive(Debug)]
pub struct Projects {
    /// The world.
    pub world: World,
    lines: Lines,
    sockets: BTreeMap<usize, SocketId>,
    known: BTreeMap<SocketId, Known>,
    left: BTreeMap<usize, Known>,
    /// The place up to which each client has heard each project.
    cursors: BTreeMap<(usize, String), u64>,
    /// The members of each project and their roles, as the core was last told.
    members: BTreeMap<(String, String), String>,
    /// Those that each member ever had, by project and user.
    roles: BTreeMap<(String, String), BTreeSet<String>>,
    /// What waits for its answer: the key of each post, and how many events it has.
    posts: BTreeMap<usize, (Option<String>, String, usize)>,
    /// The places that were answered, by key.
    stored: BTreeMap<String, Vec<u64>>,
    /// The keys under which something was said again.
    again: BTreeSet<String>,
    said: u64,
    calls: u64,
    posted: usize,
    /// How many events were heard.
    pub heard: usize,
}

impl Projects {
    /// Two projects with their members.
    pub fn new(seed: u64) -> Self {
        let settings = Settings { rate_limit_calls: 0, refusals_max: 0, ..Settings::default() };
        let mut world = World::new(settings, seed);
        world.handle(Input::Started);
        for id in PROJECTS {
            let room = RoomId::project(id);
            let row =
                RoomRow { id: room, name: id.into(), firm: "firm".into(), visibility: Visibility::Private };
            let rows = vec![Change::Put(Row::Room(row))];
            world.store.answer(BEGINNING, &StoreRequest::Commit { appends: vec![], rows });
        }
        let mut projects = Self {
            world,
            lines: Lines::default(),
            sockets: BTreeMap::new(),
            known: BTreeMap::new(),
            left: BTreeMap::new(),
            cursors: BTreeMap::new(),
            members: BTreeMap::new(),
            roles: BTreeMap::new(),
            posts: BTreeMap::new(),
            stored: BTreeMap::new(),
            again: BTreeSet::new(),
            said: 0,
            calls: 0,
            posted: 0,
            heard: 0,
        };
        for (place, user) in ["ann", "bob", "cleo", "eve"].into_iter().enumerate() {
            PROJECTS.into_iter().for_each(|id| projects.member(id, user, Some(ROLES[place % 2])));
        }
        projects.wait(Duration::from_secs(1));
        (0..CLIENTS.len()).for_each(|client| projects.connect(client));
        projects.wait(Duration::from_millis(200));
        for client in 0..CLIENTS.len() {
            PROJECTS.into_iter().for_each(|id| projects.join(client, id, 3));
        }
        projects.wait(Duration::from_millis(200));
        projects
    }

    /// Plays one step, chosen by four bytes.
    pub fn play(&mut self, [kind, a, b, c]: [u8; 4]) {
        let (client, project) = (usize::from(a) % CLIENTS.len(), PROJECTS[usize::from(b) % 2]);
        match kind % 24 {
            0..=2 => self.connect(client),
            3 => self.cut(client, c),
            4..=6 => self.join(client, project, c),
            7 => self.call(client, project, "leave_project", json!(project)),
            8..=13 => self.post(project, c),
            14 => self.post_again(a),
            15 => {
                let role = [None, Some(ROLES[0]), Some(ROLES[1])][usize::from(c) % 3];
                self.member(project, CLIENTS[client].0, role);
            }
            16..=17 => {
                let steps = self.lines.upgrade(&mut self.world, client);
                self.look_at_all(&steps);
            }
            18 => {
                self.cut(client, 0);
                self.wait(Duration::from_millis(u64::from(c)));
                self.connect(client);
            }
            19 => {
                let pace = [Pace::Fast, Pace::Slow, Pace::Stalled][usize::from(c) % 3];
                match self.sockets.get(&client) {
                    Some(socket) if client < LINES_FROM => self.world.pace(*socket, pace),
                    _ => self.lines.pace(&mut self.world, client, pace),
                }
            }
            _ => self.wait(Duration::from_millis(u64::from(c) * u64::from(b % 4))),
        }
        self.wait(Duration::ZERO);
    }

    /// Lets everything come to rest and holds the laws of the end.
    pub fn settle(&mut self) {
        self.world.store.fails = false;
        self.lines.eager = true;
        let sockets: Vec<_> = self.world.sockets.keys().copied().collect();
        sockets.iter().for_each(|socket| self.world.pace(*socket, Pace::Fast));
        (LINES_FROM..CLIENTS.len()).for_each(|line| self.lines.pace(&mut self.world, line, Pace::Fast));
        self.wait(SETTLING);
        for project in PROJECTS {
            self.post(project, 0);
        }
        self.wait(SETTLING);
        assert!(self.posts.is_empty(), "no backend is left without its answer: {:?}", self.posts);
        for known in self.known.values() {
            assert!(known.asked.is_empty(), "no call is left without its answer: {:?}", known.asked);
            for (project, heard) in &known.rooms {
                let missed = self.due(known.client, project, heard.at);
                assert_eq!(missed, None, "every member hears what its role may: {project} {heard:?}");
            }
        }
        self.assert_logs();
        (0..CLIENTS.len()).for_each(|client| self.cut(client, 0));
        self.wait(SETTLING);
        if self.world.server.counts().held() > 0 {
            self.wait(Duration::from_secs(1));
        }
        let left = self.world.server.counts();
        assert_eq!(left.held(), 0, "after everything has ended nothing is left: {left:?}");
    }

    fn assert_logs(&self) {
        for project in PROJECTS {
            let log = self.log(project);
            let seqs: Vec<u64> = log.iter().map(|entry| entry.seq.0).collect();
            assert_eq!(seqs, (1..=log.len() as u64).collect::<Vec<_>>(), "the places of a log have no gaps");
            let mut said: Vec<_> = log.iter().map(|entry| body(entry)["data"]["said"].clone()).collect();
            let before = said.len();
            said.sort_by_key(Value::to_string);
            said.dedup();
            assert_eq!(said.len(), before, "what a backend says once under a key is stored once");
        }
    }

    fn log(&self, project: &str) -> &[Entry] {
        self.world.store.log(&RoomId::project(project))
    }

    fn role(&self, client: usize, project: &str) -> Option<&String> {
        self.members.get(&(project.to_string(), CLIENTS[client].0.to_string()))
    }

    /// The role of a member that never had another one.
    fn steady_role(&self, client: usize, project: &str) -> Option<&str> {
        let roles = self.roles.get(&(project.to_string(), CLIENTS[client].0.to_string()))?;
        roles.first().filter(|role| roles.len() == 1 && !role.is_empty()).map(String::as_str)
    }

    /// The first entry after a place that the client's role may hear.
    fn due(&self, client: usize, project: &str, after: u64) -> Option<u64> {
        let role = self.role(client, project)?;
        let entries = self.log(project).iter().skip(after as usize);
        let hears = |entry: &&Entry| body(entry)["role"].as_str().is_none_or(|limit| limit == role);
        entries.into_iter().find(hears).map(|entry| entry.seq.0)
    }

    /// Lets time pass.
    pub fn wait(&mut self, time: Duration) {
        let until = self.world.now + time;
        loop {
            let mut steps = self.lines.poll(&mut self.world);
            steps.extend(self.lines.hurry(&mut self.world));
            self.look_at_all(&steps);
            let Some(step) = self.world.step(until) else { break };
            self.look(step);
        }
        self.world.now = until;
    }

    fn connect(&mut self, client: usize) {
        let (user, firm) = CLIENTS[client];
        let token = format!("{user}:{firm}:employee");
        if client >= LINES_FROM && !self.lines.has_begun(client) {
            let (polls, forgets) = (self.world.dice.chance(60), self.world.dice.chance(15));
            let steps = self.lines.begin(&mut self.world, client, &token, polls, forgets);
            self.look_at_all(&steps);
        } else if client < LINES_FROM && !self.sockets.contains_key(&client) {
            let step = self.world.request(client, "GET", "/api/connect", &token, "");
            self.look(step);
        }
        self.wait(Duration::from_millis(5));
    }

    fn cut(&mut self, client: usize, how: u8) {
        if client >= LINES_FROM {
            let steps = self.lines.cut(&mut self.world, client, how % 8 == 7);
            self.look_at_all(&steps);
        } else if let Some(socket) = self.sockets.get(&client) {
            let step = self.world.cut(*socket);
            self.look(step);
        }
    }

    /// A client joins: from where it was, a little before, or now.
    fn join(&mut self, client: usize, project: &str, how: u8) {
        let heard = self.cursors.get(&(client, project.to_string())).copied();
        let since = match how % 4 {
            0..=1 => heard,
            2 => heard.map(|heard| heard.saturating_sub(u64::from(how / 4))),
            _ => None,
        };
        let mut data = json!({"projectId": project});
        if let Some(since) = since {
            data["since"] = json!(since);
        }
        self.call(client, project, "join_project", data);
    }

    fn call(&mut self, client: usize, project: &str, name: &str, data: Value) {
        let lines = client >= LINES_FROM;
        let socket = if lines { self.lines.seen(client) } else { self.sockets.get(&client).copied() };
        let Some(socket) = socket else { return };
        self.calls += 1;
        let (number, since) = (self.calls, data["since"].as_u64());
        let asked = (name.to_string(), since.map_or(String::new(), |since| since.to_string()));
        self.known.entry(socket).or_default().asked.insert(format!("call-{number}"), asked);
        if lines {
            let asks = [Asks::Ack, Asks::Both][self.world.dice.below(2) as usize];
            let steps = self.lines.say(&mut self.world, client, number, (name, &data), asks, false);
            return self.look_at_all(&steps);
        }
        let call = json!({"event": name, "data": data, "requestId": format!("call-{number}")});
        assert!(!project.is_empty());
        let step = self.world.say(socket, call.to_string());
        self.look(step);
    }

    /// A backend says one thing, or several; for all, or for a role; stored, or not.
    fn post(&mut self, project: &str, how: u8) {
        let count = if how % 5 == 4 { usize::from(how) % 7 + 1 } else { 1 };
        let volatile = how % 16 == 15;
        let events: Vec<Value> = (0..count)
            .map(|place| {
                self.said += 1;
                let data = json!({"said": self.said});
                let mut event =
                    json!({"event": "story_uploaded", "data": data, "to": {"projectId": project}});
                match (usize::from(how) + place) % 4 {
                    role @ 0..=1 if how > 0 => event["role"] = json!(ROLES[role]),
                    _ => {}
                }
                if volatile {
                    event["volatile"] = json!(true);
                }
                event
            })
            .collect();
        let body = if count == 1 { events[0].clone() } else { json!(events) };
        let key = (!volatile).then(|| format!("key-{}", self.said));
        self.post_body(key, body.to_string(), count);
    }

    /// A backend that is not sure says the same again.
    fn post_again(&mut self, place: u8) {
        let waiting = self.posts.values().nth(usize::from(place) % self.posts.len().max(1)).cloned();
        if let Some((key, body, count)) = waiting {
            self.again.extend(key.clone());
            self.post_body(key, body, count);
        }
    }

    fn post_body(&mut self, key: Option<String>, body: String, count: usize) {
        self.posted += 1;
        let token = POSTS_FROM + self.posted;
        self.posts.insert(token, (key.clone(), body.clone(), count));
        let step = self.world.request_with(
            token,
            ("POST", "/api/events", "service"),
            &body,
            key.iter().map(|key| ("idempotency-key", key.as_str())),
        );
        self.look(step);
    }

    fn member(&mut self, project: &str, user: &str, role: Option<&str>) {
        let target = format!("/api/admin/rooms/project/{project}/members/{user}");
        let key = (project.to_string(), user.to_string());
        self.roles.entry(key).or_default().insert(role.unwrap_or_default().to_string());
        let step = match role {
            None => self.world.request(ADMIN, "DELETE", &target, "service", ""),
            Some(role) => {
                let body = json!({"role": role}).to_string();
                self.world.request(ADMIN, "PUT", &target, "service", &body)
            }
        };
        self.look(step);
    }

    fn look(&mut self, step: Step) {
        let steps = self.lines.see(&mut self.world, step);
        self.look_at_all(&steps);
    }

    fn look_at_all(&mut self, steps: &[Step]) {
        steps.iter().for_each(|step| self.look_at(step));
    }

    fn look_at(&mut self, step: &Step) {
        step.answered.iter().for_each(|(request, reply)| self.learn(request, reply));
        for (socket, client) in &step.opened {
            let known = match step.resumed.contains(socket) {
                true => Known { came: false, asked: BTreeMap::new(), ..self.left[client].clone() },
                false => Known { client: *client, came: *client < LINES_FROM, ..Known::default() },
            };
            self.sockets.insert(*client, *socket);
            self.known.insert(*socket, known);
        }
        for socket in &step.came {
            self.known.entry(*socket).and_modify(|known| known.came = true);
        }
        for sent in &step.sent {
            let said: Value = serde_json::from_slice(sent.frame.payload()).unwrap_or_default();
            for socket in &sent.sockets {
                self.look_at_sent(*socket, &said);
            }
        }
        for (socket, read) in &step.read {
            if let Read::Text(text) = read {
                self.on_read(*socket, &serde_json::from_slice(text).expect("the core sends JSON"));
            }
        }
        for (client, response) in &step.responded {
            if let (Some((key, _, count)), Body::Bytes(body)) = (self.posts.remove(client), &response.body) {
                self.on_posted(key, count, response.status, &serde_json::from_slice(body).expect("JSON"));
            }
        }
        for (socket, client) in &step.ended {
            if self.sockets.get(client) == Some(socket) {
                self.sockets.remove(client);
            }
            if let Some(known) = self.known.remove(socket).filter(|known| known.came) {
                self.left.insert(*client, known);
            }
        }
    }

    fn learn(&mut self, request: &StoreRequest, reply: &StoreReply) {
        let StoreRequest::Commit { rows, .. } = request else { return };
        if !matches!(reply, StoreReply::Committed(_)) {
            return;
        }
        for row in rows {
            if let Change::Insert(Row::Member(member)) | Change::Put(Row::Member(member)) = row {
                let key = (member.room.name.to_string(), member.user.to_string());
                self.members.insert(key, member.role.clone());
            } else if let Change::Remove(RowKey::Member(room, user)) = row {
                self.members.remove(&(room.name.to_string(), user.to_string()));
            }
        }
    }

    /// Seen when it is sent: it is stored, and its reader is a member of the firm and may hear it.
    fn look_at_sent(&self, socket: SocketId, said: &Value) {
        let (Some(known), "story_uploaded") = (self.known.get(&socket), said["event"].as_str().unwrap_or(""))
        else {
            return;
        };
        let (data, (user, firm)) = (&said["data"], CLIENTS[known.client]);
        let project = data["projectId"].as_str().unwrap_or_default();
        assert_eq!(firm, "firm", "nobody hears another firm's: {user} {said}");
        let in_store = (RoomId::project(project), user.into());
        let member =
            self.role(known.client, project).is_some() || self.world.store.members.contains(&in_store);
        assert!(member, "nobody hears a project that they were taken out of: {user} {said}");
        if let Some(seq) = data["seq"].as_u64() {
            let entry = self.log(project).get(seq as usize - 1);
            let stored = entry.map(|entry| body(entry)["data"]["said"].clone());
            assert_eq!(stored.as_ref(), Some(&data["said"]), "an event is told when it is stored: {said}");
        }
    }

    fn on_read(&mut self, socket: SocketId, said: &Value) {
        let (name, data) = (said["event"].as_str().unwrap_or_default(), &said["data"]);
        let Some(known) = self.known.get_mut(&socket) else { return };
        let asked = said["requestId"]
            .as_str()
            .map(|id| known.asked.remove(id).unwrap_or_else(|| panic!("a call is answered once: {said}")));
        let project = data["projectId"].as_str().unwrap_or_default().to_string();
        let client = known.client;
        match (name, asked) {
            ("joined_project", Some((_, since))) => {
                assert_eq!(CLIENTS[client].1, "firm", "nobody joins another firm's: {said}");
                let last = data["lastSeq"].as_u64().unwrap_or(0);
                let at = since.parse().unwrap_or(last);
                assert!(at <= last && data["reset"].is_null(), "nobody is too far away here: {said}");
                known.rooms.insert(project.clone(), Heard { at });
                self.cursors.insert((client, project), at);
            }
            ("left_project", _) => drop(known.rooms.remove(&project)),
            ("story_uploaded", _) => self.on_event(socket, &project, data),
            _ => {}
        }
    }

    fn on_event(&mut self, socket: SocketId, project: &str, data: &Value) {
        let Some(seq) = data["seq"].as_u64() else { return };
        self.heard += 1;
        let known = self.known.get_mut(&socket).expect("looked up before");
        let client = known.client;
        let Some(heard) = known.rooms.get_mut(project) else {
            panic!("who is not in a project hears nothing of it: {data}");
        };
        assert!(seq > heard.at, "every member hears everything once, in order: {data} after {}", heard.at);
        let from = std::mem::replace(&mut heard.at, seq);
        self.cursors.insert((client, project.to_string()), seq);
        let log = self.log(project);
        let steady = self.steady_role(client, project);
        let hides = |entry: &Entry| match (body(entry)["role"].as_str(), steady) {
            (Some(limit), Some(role)) => limit != role,
            (limit, _) => limit.is_some(),
        };
        let hidden = log[from as usize..seq as usize - 1].iter().all(hides);
        assert!(hidden, "no member misses what its role may hear: {from} to {seq}");
        let limit = body(&log[seq as usize - 1])["role"].as_str().map(str::to_string);
        let may = limit.is_none() || steady.is_none() || limit.as_deref() == steady;
        assert!(may, "no member hears what is for another role: {data} is for {limit:?}");
    }

    fn on_posted(&mut self, key: Option<String>, count: usize, status: u16, body: &Value) {
        let results =
            if count == 1 { vec![body.clone()] } else { body.as_array().cloned().unwrap_or_default() };
        assert_eq!(results.len(), count, "each event of a batch has its answer: {status} {body}");
        let Some(key) = key else { return };
        let seqs: Option<Vec<u64>> = results.iter().map(|result| result["seq"].as_u64()).collect();
        let Some(seqs) = seqs else { return };
        // What the store refused of it is stored when it is said again.
        let again = self.again.contains(&key);
        let ordered = seqs.windows(2).all(|pair| pair[0] < pair[1]);
        assert!(again || ordered, "a batch is stored in its order: {body}");
        let first = self.stored.entry(key).or_insert_with(|| seqs.clone());
        assert_eq!(*first, seqs, "a key has one answer");
    }
}

fn body(entry: &Entry) -> Value {
    serde_json::from_slice(&entry.body).expect("an entry is JSON")
}
