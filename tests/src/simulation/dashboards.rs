//! People who change dashboards at once: over `/api/realtime`, `/api/connect` and REST, with stale versions, repeated
//! calls and conflicts that they end, cut off and back, over a store that does not always know, and a process that is
//! killed. What a law is and which fault it catches stands in `suite/laws/dashboards.rs`.

pub mod reference;

use super::socket::Read;
use super::{BEGINNING, Step, World};
use parlor_protocol::http::Body;
use parlor_protocol::ids::{RoomId, SocketId};
use parlor_protocol::input::Input;
use parlor_protocol::settings::Settings;
use parlor_protocol::store::{Append, Change, Entry, NewEntry, RoomRow, Row, StoreRequest, Visibility};
use reference::{Reference, changed_since};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Who is here: users, and where they connect.
const CLIENTS: [(&str, &str); 5] = [
    ("ann", "/api/realtime?dashboardId="),
    ("bob", "/api/realtime?dashboardId="),
    ("ann", "/api/realtime?dashboardId="),
    ("cleo", "/api/realtime?dashboardId="),
    ("bob", "/api/connect"),
];
const BOARDS: [&str; 2] = ["d", "e"];
const FIELDS: [&str; 4] = ["a", "b", "c", "d"];
const REQUESTS_FROM: usize = 1_000;
const SETTLING: Duration = Duration::from_secs(200);

/// Something that was asked, under its own id.
#[derive(Debug, Clone)]
struct Asked {
    user: String,
    board: String,
    name: String,
    payload: Value,
}

/// What a connection knows of its dashboard.
#[derive(Debug, Clone, Default)]
struct Known {
    client: usize,
    board: String,
    /// As it was told, once it asked: widgets and layout as `Reference::state` has them.
    replica: Option<(u64, Value)>,
    /// The last place that was heard, if anything was.
    heard: Option<u64>,
    /// What it has heard, or was answered.
    places: BTreeSet<u64>,
    /// Where it came in.
    from: u64,
    waiting: BTreeSet<String>,
}

/// A whole case.
#[derive(Debug)]
pub struct Dashboards {
    /// The world.
    pub world: World,
    sockets: BTreeMap<usize, SocketId>,
    /// Those who are on their way in.
    coming: BTreeSet<usize>,
    known: BTreeMap<SocketId, Known>,
    asked: BTreeMap<String, Asked>,
    /// How far anybody was told of each dashboard: nobody can have seen more.
    told: BTreeMap<String, u64>,
    /// What was asked in more than one way: who asked on one may hear it from the other.
    twice: BTreeSet<String>,
    /// The answers that were given, by id.
    stored: BTreeMap<String, Value>,
    conflicts: BTreeMap<String, (String, String)>,
    requests: BTreeMap<usize, (String, Vec<String>)>,
    calls: u64,
    /// How many changes were stored, merged, and in conflict.
    pub counts: [usize; 3],
}

fn room(board: &str) -> RoomId {
    RoomId::dashboard(board)
}

impl Dashboards {
    /// Two dashboards, and everybody connected.
    pub fn new(seed: u64) -> Self {
        let settings =
            Settings { rate_limit_dashboard: 0, rate_limit_calls: 0, refusals_max: 0, ..Settings::default() };
        let mut world = World::new(settings, seed);
        world.handle(Input::Started);
        for board in BOARDS {
            let (id, firm) = (room(board), "firm".into());
            let row = Row::Room(RoomRow { id, name: board.into(), firm, visibility: Visibility::Public });
            let rows = vec![Change::Put(row)];
            world.store.answer(BEGINNING, &StoreRequest::Commit { appends: vec![], rows });
        }
        let mut dashboards = Self {
            world,
            sockets: BTreeMap::new(),
            coming: BTreeSet::new(),
            known: BTreeMap::new(),
            asked: BTreeMap::new(),
            told: BTreeMap::new(),
            twice: BTreeSet::new(),
            stored: BTreeMap::new(),
            conflicts: BTreeMap::new(),
            requests: BTreeMap::new(),
            calls: 0,
            counts: [0; 3],
        };
        (0..CLIENTS.len()).for_each(|client| dashboards.connect(client));
        dashboards.wait(Duration::from_secs(2));
        (0..CLIENTS.len()).for_each(|client| dashboards.sync(client));
        dashboards.wait(Duration::from_secs(2));
        dashboards
    }

    /// Plays one step, chosen by four bytes.
    pub fn play(&mut self, [kind, a, b, c]: [u8; 4]) {
        let client = usize::from(a) % CLIENTS.len();
        match kind % 24 {
            0 => self.cut(client),
            1..=2 => self.connect(client),
            3 => self.sync(client),
            4..=5 => self.again(client, b),
            6..=7 => self.resolve(client, c),
            8..=10 => self.post(client, [b, c]),
            11 => self.elsewhere(client, b),
            12 => self.wait(Duration::from_millis(u64::from(c) * 2)),
            _ => self.change(client, [kind, b, c]),
        }
        self.wait(Duration::from_millis(u64::from(b % 4) * 10));
    }

    /// The process is killed, and everybody comes back.
    pub fn kill(&mut self) {
        self.requests.clear();
        self.coming.clear();
        let step = self.world.crash();
        self.look(&step);
        (0..CLIENTS.len()).for_each(|client| self.connect(client));
        self.wait(Duration::from_secs(2));
        (0..CLIENTS.len()).for_each(|client| self.sync(client));
    }

    /// Lets everything come to rest and holds the laws of the end.
    pub fn settle(&mut self, large: bool) {
        self.world.store.fails = false;
        self.wait(SETTLING);
        if large {
            // Enough for a snapshot, and something after it.
            for number in 0..20_u8 {
                self.large(number);
                self.wait(Duration::from_secs(1));
            }
            (0..5).for_each(|kind| self.change(0, [13, kind, kind]));
            self.wait(SETTLING);
        }
        self.end();
        self.kill();
        self.wait(SETTLING);
        // What the process that was killed had folded is judged against again, from versions that are old.
        for bytes in (0..24_u8).map(|step| [7 + step % 3, step, step]) {
            self.change(usize::from(bytes[1] % 2), bytes);
            self.wait(Duration::from_secs(1));
        }
        self.wait(SETTLING);
        self.end();
        (0..CLIENTS.len()).for_each(|client| self.cut(client));
        self.wait(SETTLING);
        let left = self.world.server.counts();
        assert_eq!(left.held(), 0, "after everything has ended nothing is left: {left:?}");
    }

    fn end(&mut self) {
        (0..CLIENTS.len()).for_each(|client| self.connect(client));
        self.wait(SETTLING);
        // What was appended elsewhere is seen at the next append.
        // Without a version that was seen it is stored whatever there is.
        [0, 3].into_iter().for_each(|client| self.post(client, [11, 3]));
        self.wait(SETTLING);
        (0..CLIENTS.len()).for_each(|client| self.sync(client));
        self.wait(SETTLING);
        assert!(self.requests.is_empty(), "no request is left without its answer: {:?}", self.requests);
        let mut seen = 0;
        for known in self.known.values() {
            seen += 1;
            assert!(known.waiting.is_empty(), "no call is left without its answer: {:?}", known.waiting);
            let log = self.log(&known.board);
            let (seq, replica) = known.replica.as_ref().expect("everybody asked");
            assert_eq!(*seq, log.len() as u64, "everybody hears everything");
            assert_eq!(*replica, Reference::of(log).state(), "what everybody sees is what the log says");
            let missed = (known.from + 1..=log.len() as u64).find(|place| !known.places.contains(place));
            assert_eq!(missed, None, "nobody misses what happens while it is here: {known:?}");
        }
        assert_eq!(seen, CLIENTS.len());
        for (id, answer) in &self.stored {
            let asked = &self.asked[id];
            let seq = answer["seq"].as_u64().expect("an answer has its place") as usize;
            let entry = self.log(&asked.board).get(seq - 1);
            let found = entry.map(|entry| (entry.id.as_str(), entry.author.as_str()));
            assert_eq!(found, Some((id.as_str(), asked.user.as_str())), "what is acknowledged is stored");
        }
    }

    fn log(&self, board: &str) -> &[Entry] {
        self.world.store.log(&room(board))
    }

    /// Lets time pass.
    pub fn wait(&mut self, time: Duration) {
        let until = self.world.now + time;
        while let Some(step) = self.world.step(until) {
            self.look(&step);
        }
        self.world.now = until;
    }

    fn board(client: usize) -> &'static str {
        BOARDS[usize::from(client == 3)]
    }

    fn connect(&mut self, client: usize) {
        if self.sockets.contains_key(&client) || !self.coming.insert(client) {
            return;
        }
        let (user, target) = CLIENTS[client];
        let target =
            if target.ends_with('=') { format!("{target}{}", Self::board(client)) } else { target.into() };
        let step = self.world.request(client, "GET", &target, &format!("{user}:firm:employee"), "");
        self.look(&step);
    }

    fn cut(&mut self, client: usize) {
        if let Some(socket) = self.sockets.get(&client) {
            let step = self.world.cut(*socket);
            self.look(&step);
        }
    }

    fn sync(&mut self, client: usize) {
        let heard = self.of(client).and_then(|known| known.replica.as_ref().map(|(seq, _)| *seq));
        let since = heard.filter(|_| self.world.dice.chance(60));
        let payload = since.map_or(json!({}), |since| json!({"since": since}));
        let name = if client == 4 { "open" } else { "SYNC_REQUEST" };
        self.calls += 1;
        self.call(client, format!("sync-{}", self.calls), name, payload);
    }

    fn of(&self, client: usize) -> Option<&Known> {
        self.sockets.get(&client).and_then(|socket| self.known.get(socket))
    }

    fn call(&mut self, client: usize, id: String, name: &str, payload: Value) {
        let Some(socket) = self.sockets.get(&client).copied() else { return };
        let Some(known) = self.known.get_mut(&socket) else { return };
        if !known.waiting.insert(id.clone()) {
            return;
        }
        let text = match client {
            4 => {
                let mut data = payload;
                data["dashboardId"] = json!(known.board);
                data["id"] = json!(id);
                json!({"event": format!("dashboard:{name}"), "data": data, "requestId": id})
            }
            _ => json!({"type": name, "id": id, "payload": payload}),
        };
        let step = self.world.say(socket, text.to_string());
        self.look(&step);
    }

    /// Something to be changed, with a version that may be old.
    fn operation(&mut self, client: usize, [kind, b, c]: [u8; 3]) -> (&'static str, Value) {
        let told = self.told.get(Self::board(client)).copied().unwrap_or(0) as usize;
        let state = Reference::of(&self.log(Self::board(client))[..told]);
        let widget = format!("w{}", b % 3);
        let version = state.widgets.get(&widget).map_or(0, Vec::len) as u64;
        let base = (c % 4 < 3).then(|| version.saturating_sub(u64::from(c % 4)));
        let mut payload = json!({"widgetId": widget});
        if let Some(base) = base {
            payload["baseVersion"] = json!(base);
        }
        self.calls += 1;
        match kind % 16 {
            0..=1 => return ("WIDGET_DELETE", payload),
            2..=3 => {
                let mut payload = json!({"layout": {"n": self.calls}});
                if let Some(base) = base {
                    payload["baseVersion"] = json!((state.layouts.len() as u64).saturating_sub(base % 2));
                }
                return ("LAYOUT_UPDATE", payload);
            }
            4 => return ("LAYOUT_RESTORE", json!({"version": u64::from(b % 4) + 1})),
            5 => {
                // Some are of the same widget, and have seen what stood before all of them.
                let part = |place: u64| {
                    let id = format!("w{}", place % 2);
                    let changes = json!({FIELDS[(place as usize + usize::from(c)) % 4]: self.calls});
                    let mut part = json!({"widgetId": id, "changes": changes});
                    if let Some(back) = (c % 4 < 3).then_some(u64::from(c % 4)) {
                        let version = state.widgets.get(&id).map_or(0, Vec::len) as u64;
                        part["baseVersion"] = json!(version.saturating_sub(back));
                    }
                    json!({"type": "WIDGET_UPDATE", "payload": part})
                };
                let parts: Vec<_> = (0..u64::from(b % 3) + 1).map(part).collect();
                return ("WIDGET_BATCH", json!({"operations": parts}));
            }
            6 => payload["changes"] = json!({FIELDS[usize::from(c / 4) % 4]: null}),
            7 => payload["changes"] = json!({FIELDS[usize::from(c / 4) % 4]: self.calls, "a": self.calls}),
            _ => payload["changes"] = json!({FIELDS[usize::from(c / 4) % 4]: self.calls}),
        }
        ("WIDGET_UPDATE", payload)
    }

    fn new_operation(&mut self, client: usize, bytes: [u8; 3]) -> (String, Asked) {
        let (name, payload) = self.operation(client, bytes);
        let id = format!("op-{}", self.calls);
        let (user, board) = (CLIENTS[client].0.to_string(), Self::board(client).to_string());
        let asked = Asked { user, board, name: name.to_string(), payload };
        self.asked.insert(id.clone(), asked.clone());
        (id, asked)
    }

    fn change(&mut self, client: usize, bytes: [u8; 3]) {
        if self.of(client).is_some_and(|known| client != 4 || known.replica.is_some()) {
            let (id, asked) = self.new_operation(client, bytes);
            self.call(client, id, &asked.name, asked.payload);
        }
    }

    fn large(&mut self, number: u8) {
        let (id, mut asked) = self.new_operation(0, [15, 0, 3]);
        asked.payload = json!({"widgetId": "large", "changes": {"n": number, "text": "x".repeat(60_000)}});
        self.asked.insert(id.clone(), asked.clone());
        self.call(0, id, &asked.name, asked.payload);
    }

    /// Another process appends, behind this one's back: what is on its way here is stale then.
    fn elsewhere(&mut self, client: usize, widget: u8) {
        let (board, id) = (Self::board(client), format!("w{}", widget % 3));
        let state = Reference::of(self.log(board));
        self.calls += 1;
        let version = state.widgets.get(&id).map_or(0, Vec::len) + 1;
        let changes = json!({"a": self.calls});
        let body = json!({"type": "WIDGET_UPDATE", "widgetId": id, "version": version, "changes": changes});
        let entry = NewEntry {
            id: format!("elsewhere-{}", self.calls).into(),
            author: "zed".into(),
            body: body.to_string().into(),
        };
        let appends = vec![Append { room: room(board), expect: None, entries: vec![entry] }];
        let now = self.world.now;
        self.world.store.answer(now, &StoreRequest::Commit { appends, rows: vec![] });
    }

    /// The same again, by the same user, over whatever it has.
    fn again(&mut self, client: usize, place: u8) {
        let board = Self::board(client);
        let own: Vec<_> = self
            .asked
            .iter()
            .filter(|(_, asked)| asked.user == CLIENTS[client].0 && asked.board == board)
            .map(|(id, asked)| (id.clone(), asked.clone()))
            .collect();
        let Some((id, asked)) = own.get(usize::from(place) % own.len().max(1)).cloned() else { return };
        self.twice.insert(id.clone());
        if place.is_multiple_of(2) {
            self.post_these(client, vec![(id, asked)]);
        } else if self.of(client).is_some_and(|known| known.replica.is_some()) {
            self.call(client, id, &asked.name, asked.payload);
        }
    }

    fn resolve(&mut self, client: usize, how: u8) {
        let (user, board) = (CLIENTS[client].0, Self::board(client));
        let own = self.conflicts.iter().find(|(_, (whose, on))| whose == user && on == board);
        let Some(conflict) = own.map(|(id, _)| id.clone()) else { return };
        if self.of(client).is_none_or(|known| known.replica.is_none()) {
            return;
        }
        self.conflicts.remove(&conflict);
        self.calls += 1;
        let resolution = ["mine", "theirs", "merged"][usize::from(how % 3)];
        let mut payload = json!({"conflictId": conflict, "resolution": resolution});
        if how % 3 == 2 {
            payload["value"] = json!({"a": self.calls});
        }
        let (id, name) = (format!("op-{}", self.calls), "CONFLICT_RESOLVED".to_string());
        let asked = Asked { user: user.to_string(), board: board.to_string(), name, payload };
        self.asked.insert(id.clone(), asked.clone());
        self.call(client, id, &asked.name, asked.payload);
    }

    /// Several changes in one request over REST.
    fn post(&mut self, client: usize, [b, c]: [u8; 2]) {
        let count = u8::from(b > 100) + u8::from(b > 200) + 1;
        let operations =
            (0..count).map(|place| self.new_operation(client, [b.wrapping_add(place), c, b])).collect();
        self.post_these(client, operations);
    }

    fn post_these(&mut self, client: usize, operations: Vec<(String, Asked)>) {
        let (user, board) = (CLIENTS[client].0, Self::board(client));
        let spelled: Vec<_> = operations
            .iter()
            .map(|(id, asked)| json!({"id": id, "type": asked.name, "payload": asked.payload}))
            .collect();
        let body = json!({"type": "SYNC", "dashboardId": board, "operations": spelled});
        self.calls += 1;
        let number = REQUESTS_FROM + self.calls as usize;
        let ids = operations.into_iter().map(|(id, _)| id).collect();
        self.requests.insert(number, (board.to_string(), ids));
        let token = format!("{user}:firm:employee");
        let step = self.world.request(number, "POST", "/api/realtime", &token, &body.to_string());
        self.look(&step);
    }

    fn look(&mut self, step: &Step) {
        for (socket, client) in &step.opened {
            let board = Self::board(*client).to_string();
            let from = self.log(&board).len() as u64;
            let known = Known { client: *client, board, from, ..Known::default() };
            self.coming.remove(client);
            self.sockets.insert(*client, *socket);
            self.known.insert(*socket, known);
        }
        for (socket, read) in &step.read {
            if let Read::Text(text) = read {
                self.on_read(*socket, &serde_json::from_slice(text).expect("the core sends JSON"));
            }
        }
        for (number, response) in &step.responded {
            self.coming.remove(number);
            let Some((board, ids)) = self.requests.remove(number) else { continue };
            let Body::Bytes(body) = &response.body else { continue };
            let said: Value = serde_json::from_slice(body).expect("JSON");
            self.on_response(&board, &ids, response.status, &said);
        }
        for (socket, client) in &step.ended {
            if self.sockets.get(client) == Some(socket) {
                self.sockets.remove(client);
            }
            self.known.remove(socket);
        }
    }

    fn on_response(&mut self, board: &str, ids: &[String], status: u16, said: &Value) {
        if status != 200 {
            return;
        }
        let results = said["results"].as_array().expect("results");
        assert_eq!(results.len(), ids.len(), "every operation has its result: {said}");
        for (id, result) in ids.iter().zip(results) {
            assert_eq!(result["id"].as_str(), Some(id.as_str()), "results stand in their order: {said}");
            match (result["ok"].as_bool(), result.get("conflict")) {
                (Some(true), _) => self.on_stored(id, result),
                (_, Some(conflict)) => self.on_conflict(id, conflict),
                _ => {}
            }
        }
        let sync = &said["sync"];
        let seq = sync["seq"].as_u64().expect("a place") as usize;
        let reference = Reference::of(&self.log(board)[..seq]);
        assert_eq!(state_of(sync), reference.state(), "REST and socket tell the same: {said}");
    }

    /// Something was acknowledged: it is stored, once, as it was asked.
    fn on_stored(&mut self, id: &str, answer: &Value) {
        // What is withdrawn has no place in the log.
        let Some(seq) = answer["seq"].as_u64() else { return };
        let asked = &self.asked[id];
        let log = self.log(&asked.board);
        let entry = log
            .get(seq as usize - 1)
            .unwrap_or_else(|| panic!("{id} is acknowledged and not stored: {answer}"));
        assert_eq!((entry.id.as_str(), entry.author.as_str()), (id, asked.user.as_str()), "{answer}");
        let body: Value = serde_json::from_slice(&entry.body).expect("JSON");
        let told = self.told.entry(asked.board.clone()).or_default();
        *told = seq.max(*told);
        if asked.name == "WIDGET_UPDATE" {
            assert_eq!(body["changes"], asked.payload["changes"], "what is stored is what was asked");
        }
        if asked.name.starts_with("WIDGET") || asked.name == "LAYOUT_UPDATE" {
            let base = asked.payload.get("baseVersion");
            assert_eq!(body.get("baseVersion"), base, "it is judged from the version that was seen");
        }
        let told = json!({"seq": seq, "version": answer["version"], "results": answer["results"]});
        if let Some(version) = answer["version"].as_u64() {
            assert_eq!(body["version"].as_u64(), Some(version), "an answer says what is stored: {answer}");
        }
        let merged = usize::from(answer["merged"] == true);
        self.counts = [self.counts[0] + 1, self.counts[1] + merged, self.counts[2]];
        let first = self.stored.entry(id.to_string()).or_insert_with(|| told.clone());
        assert_eq!(*first, told, "an id has one answer");
    }

    /// A conflict: what was asked stands against what others have changed, field by field.
    fn on_conflict(&mut self, id: &str, conflict: &Value) {
        let asked = self.asked[id].clone();
        self.counts[2] += 1;
        let name = conflict["conflictId"].as_str().expect("a conflict has an id").to_string();
        self.conflicts.insert(name, (asked.user, asked.board.clone()));
        let (base, current) = (&conflict["baseVersion"], &conflict["current"]);
        let (base, version) = (base.as_u64().expect("a base"), current["version"].as_u64().unwrap_or(0));
        assert!(base < version, "a conflict is about what has changed since: {conflict}");
        let reference = Reference::of(self.log(&asked.board));
        let Some(widget) = conflict["widgetId"].as_str() else {
            assert_eq!(reference.layouts[version as usize - 1].0, current["value"], "{conflict}");
            return;
        };
        let versions = &reference.widgets[widget][..version as usize];
        let value = versions.last().and_then(|last| last.value.clone()).unwrap_or_default();
        assert_eq!(current["value"], Value::Object(value), "a conflict shows what stands: {conflict}");
        if asked.name == "WIDGET_UPDATE" {
            let names: Vec<String> =
                asked.payload["changes"].as_object().expect("changes").keys().cloned().collect();
            let overlap = changed_since(versions, base, &names);
            assert!(!overlap.is_empty(), "what does not overlap is no conflict: {conflict}");
            assert_eq!(conflict["fields"], json!(overlap), "a conflict names its fields: {conflict}");
        }
    }

    fn on_read(&mut self, socket: SocketId, said: &Value) {
        let Some(client) = self.known.get(&socket).map(|known| known.client) else { return };
        let (name, data, id) = match client {
            4 => (
                said["event"].as_str().and_then(|name| name.strip_prefix("dashboard:")),
                &said["data"],
                &said["requestId"],
            ),
            _ => (said["type"].as_str(), &said["payload"], &said["correlationId"]),
        };
        let (Some(name), id) = (name, id.as_str().map(str::to_string)) else { return };
        if let (Some(id), Some(known)) = (&id, self.known.get_mut(&socket)) {
            assert!(known.waiting.remove(id), "a call is answered once: {said}");
        }
        match (name, id) {
            ("SYNC_RESPONSE", Some(_)) => self.on_sync(socket, data),
            ("ACK", Some(id)) => {
                self.on_stored(&id, data);
                self.on_own(socket, &id, data);
            }
            ("CONFLICT_DETECTED", Some(id)) => self.on_conflict(&id, data),
            ("NACK" | "closed", _) => {}
            (name, None) => self.on_event(socket, name, data),
            (name, Some(_)) => panic!("{name} is no answer: {said}"),
        }
    }

    fn on_sync(&mut self, socket: SocketId, data: &Value) {
        let known = self.known.get_mut(&socket).expect("looked up before");
        let seq = data["seq"].as_u64().expect("a place");
        assert!(known.heard.is_none_or(|heard| heard <= seq), "nobody is told of an older board: {data}");
        let told = state_of(data);
        let state = match (&known.replica, data["full"] == true) {
            (_, true) | (None, false) => told,
            (Some((_, before)), false) => {
                let mut state = before.clone();
                let widgets = state["widgets"].as_object_mut().expect("widgets");
                widgets.extend(told["widgets"].as_object().cloned().unwrap_or_default());
                for removed in data["removed"].as_array().into_iter().flatten() {
                    widgets.remove(removed.as_str().unwrap_or_default());
                }
                state["layout"] = told["layout"].clone();
                state
            }
        };
        if client_opened(known.client) && known.replica.is_none() {
            // It hears from where it opened.
            known.from = seq;
        }
        known.replica = Some((seq, state.clone()));
        let board = known.board.clone();
        let told = self.told.entry(board.clone()).or_default();
        *told = seq.max(*told);
        let reference = Reference::of(&self.log(&board)[..seq as usize]);
        assert_eq!(state, reference.state(), "a board is told as its log says");
    }

    /// A change of its own was stored: it stands in its place among what it hears.
    fn on_own(&mut self, socket: SocketId, id: &str, data: &Value) {
        let Some(seq) = data["seq"].as_u64() else { return };
        let board = self.asked[id].board.clone();
        let known = self.known.get_mut(&socket).expect("looked up before");
        // An answer again stands where the first one did.
        if known.heard.is_some_and(|heard| seq <= heard) || seq <= known.from {
            return;
        }
        assert!(known.places.insert(seq), "nobody hears what it was answered: {data}");
        self.moves_on(socket, seq, &board);
    }

    fn on_event(&mut self, socket: SocketId, name: &str, data: &Value) {
        let known = self.known.get_mut(&socket).expect("looked up before");
        let seq = data["seq"].as_u64().expect("an event has its place");
        let board = known.board.clone();
        assert!(known.places.insert(seq), "everybody hears everything once: {data}");
        let log = self.log(&board);
        let entry = &log[seq as usize - 1];
        let body: Value = serde_json::from_slice(&entry.body).expect("JSON");
        assert_eq!(body["type"].as_str(), Some(name), "what is heard is stored: {data}");
        let known = &self.known[&socket];
        let is_own = known.waiting.contains(entry.id.as_str()) && !self.twice.contains(entry.id.as_str());
        assert!(!is_own, "a sender does not hear its own: {data}");
        assert_eq!(body.get("changes"), data.get("changes"), "what is heard is stored: {data}");
        self.moves_on(socket, seq, &board);
    }

    fn moves_on(&mut self, socket: SocketId, seq: u64, board: &str) {
        let told = self.told.entry(board.to_string()).or_default();
        *told = seq.max(*told);
        let state = Reference::of(&self.log(board)[..seq as usize]).state();
        let known = self.known.get_mut(&socket).expect("looked up before");
        assert!(known.heard.is_none_or(|heard| heard < seq), "everybody hears in order: {seq} {known:?}");
        known.heard = Some(seq);
        if let Some((at, replica)) = known.replica.as_mut().filter(|(at, _)| *at < seq) {
            assert_eq!(*at + 1, seq, "nothing is missing between a board and what follows: {seq}");
            (*at, *replica) = (seq, state);
        }
    }
}

fn client_opened(client: usize) -> bool {
    client == 4
}

/// The state that a `SYNC_RESPONSE` tells, as the reference has it.
fn state_of(sync: &Value) -> Value {
    let widgets = sync["widgets"].as_array().into_iter().flatten().map(|widget| {
        let id = widget["widgetId"].as_str().unwrap_or_default().to_string();
        (id, json!([widget["version"], widget["value"], widget["updatedBy"]]))
    });
    let layout = &sync["layout"];
    let layout = layout.is_object().then(|| json!([layout["version"], layout["value"], layout["updatedBy"]]));
    json!({"widgets": widgets.collect::<Map<_, _>>(), "layout": layout})
}
