//! People who edit drafts at once, each with a copy of the document in `yrs`: in 003's JSON, with both Yjs providers, and
//! where a connection has several drafts; cut off with changes that never arrive and back, over a store that does not always
//! know, workers that lose documents, and a process that is killed.

#![allow(clippy::wildcard_enum_match_arm, reason = "a client does not know all that there is to hear")]

pub mod copy;
pub mod dialect;
pub mod witness;

use super::socket::{Pace, Read};
use super::{BEGINNING, Step, World};
use copy::{Copy, update_in};
use dialect::{Dialect, Word};
use parlor_protocol::auth::UserType;
use parlor_protocol::http::{Body, Response};
use parlor_protocol::ids::{RoomId, SocketId};
use parlor_protocol::input::Input;
use parlor_protocol::settings::Settings;
use parlor_protocol::store::{Change, Entry, MemberRow, RoomRow, Row, StoreReply, StoreRequest, Visibility};
use parlor_protocol::y_sync::awareness::{self, State};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use witness::{Listener, Seat, Witness};

/// Somebody at a window.
#[derive(Debug)]
struct Person {
    user: &'static str,
    firm: &'static str,
    dialect: Dialect,
    drafts: &'static [&'static str],
}

const fn person(
    user: &'static str,
    firm: &'static str,
    dialect: Dialect,
    drafts: &'static [&'static str],
) -> Person {
    Person { user, firm, dialect, drafts }
}

const JSON: Dialect = Dialect::Json { base64: false };
const PEOPLE: [Person; 10] = [
    person("ann", "firm", JSON, &["d"]),
    person("bob", "firm", Dialect::YWebsocket, &["d"]),
    person("cat", "firm", Dialect::Hocuspocus, &["d", "e"]),
    person("dan", "firm", Dialect::Connect, &["d", "e"]),
    person("ann", "firm", Dialect::SocketIo, &["d"]),
    person("bad", "firm", JSON, &["d"]),
    person("vic", "firm", Dialect::YWebsocket, &["d"]),
    person("eve", "other", JSON, &["d"]),
    person("bob", "firm", Dialect::Json { base64: true }, &["e"]),
    person("eve", "other", Dialect::Hocuspocus, &["d"]),
];
/// Who never answers what the server asks for.
const BAD: usize = 5;
/// Who reads and comments.
const VIEWER: &str = "vic";
/// Who comes in only as a member.
const STRANGER: &str = "eve";
const DRAFTS: [&str; 2] = ["d", "e"];
const REQUESTS_FROM: usize = 1_000;
const SETTLING: Duration = Duration::from_secs(200);
/// How much of everything the server holds at the most, in these cases.
const HELD_MAX: usize = 2_000;

/// What a request is for.
#[derive(Debug, Clone, PartialEq)]
enum Asked {
    Version(String, usize),
    Comments(String),
    History(String),
    Restore(String),
    /// Whether the stranger is a member then.
    Member(bool),
}

/// A connection.
#[derive(Debug)]
struct Line {
    client: usize,
    /// Over Socket.IO, whether it has heard that it is.
    is_connected: bool,
    /// What was sent in drafts that it left and not answered.
    earlier: BTreeMap<&'static str, BTreeMap<String, Vec<u8>>>,
    seats: BTreeMap<&'static str, Seat>,
}

/// A whole case.
#[derive(Debug)]
pub struct Drafts {
    /// The world.
    pub world: World,
    lines: BTreeMap<SocketId, Line>,
    copies: BTreeMap<(usize, &'static str), Copy>,
    witnesses: BTreeMap<&'static str, Witness>,
    requests: BTreeMap<usize, Asked>,
    /// What the server asked for and has not been told yet.
    answers: Vec<(SocketId, &'static str, Vec<u8>)>,
    numbers: u64,
    /// Whether the stranger may hear drafts: certainly not, or perhaps.
    stranger_may: bool,
    /// Whether everybody was told everything.
    at_rest: bool,
    /// How many versions, comments, histories and versions brought back were looked at.
    pub looked: [usize; 4],
}

fn room(draft: &str) -> RoomId {
    RoomId::draft(draft)
}

impl Drafts {
    /// Two drafts, and everybody connected.
    pub fn new(seed: u64) -> Self {
        let settings = Settings {
            rate_limit_signals: 0,
            rate_limit_calls: 0,
            refusals_max: 0,
            connection_rate_per_address: 0,
            ..Settings::default()
        };
        let mut world = World::new(settings, seed);
        world.is_doubled(true);
        world.handle(Input::Started);
        for draft in DRAFTS {
            let (id, firm) = (room(draft), "firm".into());
            let row = Row::Room(RoomRow { id, name: draft.into(), firm, visibility: Visibility::Public });
            let viewer = Row::Member(MemberRow {
                room: room(draft),
                user: VIEWER.into(),
                role: "viewer".into(),
                name: None,
                user_type: UserType::Employee,
            });
            let rows = vec![Change::Put(row), Change::Put(viewer)];
            world.store.answer(BEGINNING, &StoreRequest::Commit { appends: vec![], rows });
        }
        let mut drafts = Self {
            world,
            lines: BTreeMap::new(),
            copies: BTreeMap::new(),
            witnesses: DRAFTS.iter().map(|draft| (*draft, Witness::default())).collect(),
            requests: BTreeMap::new(),
            answers: Vec::new(),
            numbers: 0,
            stranger_may: false,
            at_rest: false,
            looked: [0; 4],
        };
        for (client, person) in PEOPLE.iter().enumerate() {
            person.drafts.iter().for_each(|draft| drafts.forget(client, draft));
        }
        drafts.all_come();
        drafts.wait(Duration::from_secs(2));
        drafts
    }

    /// How often updates, saved, states, awareness and comments were heard.
    pub fn counts(&self) -> [usize; 5] {
        let sum = |place: usize| self.witnesses.values().map(|witness| witness.counts[place]).sum();
        [sum(0), sum(1), sum(2), sum(3), sum(4)]
    }

    /// Up to where a draft's log is folded in the store, if it is.
    pub fn folded(&mut self, draft: &str) -> Option<u64> {
        let request = StoreRequest::Load { room: room(draft) };
        match self.world.store.answer(self.world.now, &request) {
            StoreReply::Loaded(Some(record)) => record.snapshot.map(|snapshot| snapshot.seq.0),
            _ => None,
        }
    }

    /// Plays one step, chosen by four bytes.
    pub fn play(&mut self, [kind, a, b, c]: [u8; 4]) {
        let client = usize::from(a) % PEOPLE.len();
        let drafts = PEOPLE[client].drafts;
        let draft = drafts[usize::from(b) % drafts.len()];
        match kind % 40 {
            0 => self.cut(client),
            1..=3 => self.come(client),
            4 => self.want(client, draft, b > 100),
            5..=6 => self.be_somewhere(client, draft, b),
            7..=8 => self.comment(client, draft, b),
            9 => self.leave(client, draft),
            10 => self.ask(draft, a / 16, c),
            11..=12 => self.wait(Duration::from_millis(u64::from(c) * 4)),
            13 => self.pace(client, b),
            14 => self.admit_stranger(b > 127),
            15..=16 => self.lose(client, draft),
            17 => self.babble(client, draft, b),
            18 if !self.is_here(client) => self.forget(client, draft),
            _ => self.change(client, draft),
        }
        self.wait(Duration::from_millis(u64::from(b % 4) * 10));
        self.answer(60);
    }

    /// The process is killed, and everybody comes back.
    pub fn kill(&mut self) {
        self.requests.clear();
        let step = self.world.crash();
        self.look(&step);
        self.all_come();
        self.wait(Duration::from_secs(2));
    }

    /// Lets everything come to rest and holds the laws of the end. `many`: so much is changed that the log is folded.
    pub fn settle(&mut self, many: bool) {
        self.world.store.fails = false;
        let breaks = std::mem::take(&mut self.world.workers.breaks) > 0;
        self.world.workers.losses = 0;
        self.lines.keys().copied().collect::<Vec<_>>().iter().for_each(|at| self.world.pace(*at, Pace::Fast));
        self.rest();
        if breaks {
            // What was refused because a document broke over it is said again by who comes back.
            (0..PEOPLE.len()).for_each(|client| self.cut(client));
        }
        if many {
            self.all_come();
            self.rest();
            (0..560).for_each(|time| {
                self.change([0, 1, 3, 4][time % 4], "d");
                self.wait(Duration::from_millis(20));
                self.answer(100);
            });
        }
        DRAFTS.iter().for_each(|draft| self.ask(draft, 3, 130));
        self.end();
        self.kill();
        self.end();
        self.at_rest = true;
        for draft in DRAFTS {
            self.ask(draft, 0, 255);
            self.ask(draft, 1, 0);
            self.ask(draft, 2, 0);
            self.ask(draft, 0, 100);
        }
        self.rest();
        assert!(self.requests.is_empty(), "no request is left without its answer: {:?}", self.requests);
        (0..PEOPLE.len()).for_each(|client| self.cut(client));
        self.wait(SETTLING);
        let left = self.world.server.counts();
        assert_eq!(left.held(), 0, "after everything has ended nothing is left: {left:?}");
        assert!(self.world.docs.is_empty(), "and no document: {:?}", self.world.docs);
    }

    fn rest(&mut self) {
        for _ in 0..40 {
            self.answer(100);
            self.wait(SETTLING / 40);
        }
    }

    fn end(&mut self) {
        for _ in 0..4 {
            self.all_come();
            self.rest();
        }
        for (client, person) in PEOPLE.iter().enumerate() {
            for draft in person.drafts {
                self.be_somewhere(client, draft, 0);
            }
        }
        self.rest();
        let mut here: BTreeMap<&str, BTreeMap<u64, Value>> = BTreeMap::new();
        for line in self.lines.values() {
            for draft in line.seats.keys() {
                let client = self.copies[&(line.client, *draft)].client;
                here.entry(draft).or_default().insert(client, json!(line.client));
            }
        }
        let mut seen = 0;
        for line in self.lines.values() {
            for (draft, seat) in &line.seats {
                let log = self.world.store.log(&room(draft));
                let person = &PEOPLE[line.client];
                let copy = &self.copies[&(line.client, *draft)];
                let agrees = line.client != BAD;
                let witness = self.witnesses.get_mut(draft).expect("every draft");
                witness.at_rest(seat, person.dialect, Some(copy).filter(|_| agrees), log);
                assert!(copy.has_all_of(&witness.reference.copy), "everybody hears every update");
                let mut others = here[draft].clone();
                let mut told: BTreeMap<_, _> =
                    seat.here.iter().map(|(client, (_, said))| (*client, said["by"].clone())).collect();
                others.remove(&copy.client);
                told.remove(&copy.client);
                assert_eq!(told, others, "everybody knows who is where: client {} of {draft}", line.client);
                seen += 1;
            }
        }
        let all =
            |person: &Person| usize::from(person.user != STRANGER || self.stranger_may) * person.drafts.len();
        let expected: usize = PEOPLE.iter().map(all).sum();
        assert!(
            seen >= expected - 2 * usize::from(self.stranger_may),
            "everybody comes in: {seen} of {expected}"
        );
        for draft in DRAFTS {
            let by_viewer = self
                .log(draft)
                .iter()
                .find(|entry| update_in(entry).is_some() && [VIEWER].contains(&entry.author.as_str()));
            assert_eq!(by_viewer, None, "viewers change nothing");
        }
    }

    fn log(&self, draft: &str) -> &[Entry] {
        self.world.store.log(&room(draft))
    }

    /// Lets time pass.
    pub fn wait(&mut self, time: Duration) {
        let until = self.world.now + time;
        while let Some(step) = self.world.step(until) {
            self.look(&step);
        }
        self.world.now = until;
        let counts = self.world.server.counts();
        assert!(counts.held() <= HELD_MAX, "every table has its limit: {counts:?}");
    }

    fn of(&self, client: usize) -> Option<SocketId> {
        self.lines.iter().find(|(_, line)| line.client == client).map(|(socket, _)| *socket)
    }

    fn is_here(&self, client: usize) -> bool {
        self.of(client).is_some()
    }

    fn seat(&mut self, client: usize, draft: &str) -> Option<(SocketId, &mut Seat)> {
        let (socket, line) = self.lines.iter_mut().find(|(_, line)| line.client == client)?;
        Some((*socket, line.seats.get_mut(draft)?))
    }

    fn token(client: usize) -> String {
        format!("{}:{}:employee", PEOPLE[client].user, PEOPLE[client].firm)
    }

    fn all_come(&mut self) {
        (0..PEOPLE.len()).for_each(|client| self.come(client));
    }

    /// Connects; or, where that was refused, asks once more to come in.
    fn come(&mut self, client: usize) {
        let dialect = PEOPLE[client].dialect;
        if let Some(socket) = self.of(client) {
            let is_ready = match dialect {
                Dialect::Json { .. } | Dialect::YWebsocket => false,
                Dialect::Hocuspocus | Dialect::Connect => true,
                Dialect::SocketIo => self.lines[&socket].is_connected,
            };
            if is_ready {
                self.open_all(socket, client);
            }
            return;
        }
        let token = Self::token(client);
        let target = dialect.target(PEOPLE[client].drafts[0]);
        let step = self.world.request(client, "GET", &target, &token, "");
        self.look(&step);
    }

    fn open_all(&mut self, socket: SocketId, client: usize) {
        for draft in PEOPLE[client].drafts {
            let line = self.lines.get_mut(&socket);
            if line.is_none_or(|line| line.seats.contains_key(draft)) {
                continue;
            }
            let word = match PEOPLE[client].dialect {
                Dialect::Hocuspocus => Word::Auth(Self::token(client)),
                _ => Word::Open,
            };
            self.sit(socket, draft);
            self.say(socket, draft, word);
        }
    }

    fn sit(&mut self, socket: SocketId, draft: &'static str) {
        if let Some(line) = self.lines.get_mut(&socket) {
            let earlier = line.earlier.remove(draft).unwrap_or_default();
            line.seats.insert(draft, Seat { earlier, ..Seat::default() });
        }
    }

    fn cut(&mut self, client: usize) {
        if let Some(socket) = self.of(client) {
            let step = self.world.cut(socket);
            self.look(&step);
        }
    }

    fn leave(&mut self, client: usize, draft: &'static str) {
        if matches!(PEOPLE[client].dialect, Dialect::Hocuspocus | Dialect::Connect | Dialect::SocketIo)
            && let Some((socket, Seat { inside: true, .. })) = self.seat(client, draft)
        {
            self.say(socket, draft, Word::Out);
        }
    }

    fn pace(&mut self, client: usize, how: u8) {
        if let Some(socket) = self.of(client).filter(|_| PEOPLE[client].user != STRANGER) {
            self.world.pace(socket, if how.is_multiple_of(2) { Pace::Fast } else { Pace::Slow });
        }
    }

    /// A page is loaded anew: with an empty copy, that writes as somebody else.
    fn forget(&mut self, client: usize, draft: &'static str) {
        self.numbers += 1;
        self.copies.insert((client, draft), Copy::new(100 + self.numbers));
    }

    fn say(&mut self, socket: SocketId, draft: &str, word: Word) {
        let Some(line) = self.lines.get(&socket) else { return };
        for message in PEOPLE[line.client].dialect.spell(draft, word) {
            let step = self.world.say_message(socket, message);
            self.look(&step);
        }
    }

    /// Changes a copy, and says how.
    fn edit(&mut self, client: usize, draft: &'static str) -> Option<Vec<u8>> {
        let is_known = PEOPLE[client].user != VIEWER && PEOPLE[client].user != STRANGER;
        let copy = self.copies.get_mut(&(client, draft)).filter(|_| is_known)?;
        Some(copy.edit(&mut self.world.dice))
    }

    fn change(&mut self, client: usize, draft: &'static str) {
        if PEOPLE[client].user == VIEWER {
            return self.try_as_viewer(client, draft);
        }
        // Who is not in yet has nothing to show, or tells it then.
        if self.seat(client, draft).is_none_or(|(_, seat)| !seat.inside) {
            return;
        }
        let Some(update) = self.edit(client, draft) else { return };
        self.numbers += 1;
        let id = (self.world.dice.chance(80)).then(|| format!("u{}", self.numbers));
        let id = id.filter(|_| !PEOPLE[client].dialect.is_provider());
        let Some((socket, seat)) = self.seat(client, draft) else { return };
        if let Some(id) = &id {
            seat.unsaved.insert(id.clone(), update.clone());
        }
        if PEOPLE[client].dialect == Dialect::Hocuspocus {
            seat.unsynced += 1;
            seat.sent.push(update.clone());
        }
        self.say(socket, draft, Word::Update(update, id));
    }

    /// Changes something that never arrives.
    fn lose(&mut self, client: usize, draft: &'static str) {
        if self.edit(client, draft).is_some() {
            self.cut(client);
        }
    }

    /// What a viewer changes it keeps to itself, here in a copy of its copy.
    fn try_as_viewer(&mut self, client: usize, draft: &'static str) {
        self.numbers += 1;
        let mut copy = Copy::new(100 + self.numbers);
        copy.apply(&self.copies[&(client, draft)].state());
        let update = copy.edit(&mut self.world.dice);
        if let Some((socket, _)) = self.seat(client, draft) {
            self.say(socket, draft, Word::Update(update, None));
        }
    }

    fn want(&mut self, client: usize, draft: &'static str, all: bool) {
        let vector = self.copies[&(client, draft)].vector();
        if PEOPLE[client].user == STRANGER || PEOPLE[client].dialect == Dialect::Hocuspocus {
            return;
        }
        if let Some((socket, Seat { inside: true, .. })) = self.seat(client, draft) {
            self.say(socket, draft, Word::Wants((!all).then_some(vector)));
        }
    }

    /// Says where somebody is; and now and then, of another, where that one is not.
    fn be_somewhere(&mut self, client: usize, draft: &'static str, how: u8) {
        let own = self.copies[&(client, draft)].client;
        self.numbers += 1;
        let numbers = self.numbers;
        let Some((socket, seat)) = self.seat(client, draft) else { return };
        if !seat.inside {
            return;
        }
        seat.clock = numbers;
        let state = json!({"by": client, "at": numbers}).to_string();
        let mut states = vec![State { client: own, clock: numbers, state: Some(state.clone().into()) }];
        // It speaks for itself first: who speaks for nobody yet may say who it is.
        if how.is_multiple_of(3)
            && let Some((other, (clock, _))) = seat.here.iter().find(|(other, _)| **other != own)
        {
            states.push(State { client: *other, clock: clock + 1, state: Some(state.into()) });
            states.push(State { client: *other, clock: clock + 1, state: None });
        }
        self.say(socket, draft, Word::Awareness(awareness::write(&states)));
    }

    fn comment(&mut self, client: usize, draft: &'static str, how: u8) {
        if PEOPLE[client].dialect.is_provider() {
            return;
        }
        self.numbers += 1;
        let id = format!("c{}", self.numbers);
        let threads = Witness::comments(self.log(draft));
        let thread =
            threads.as_array().and_then(|all| all.get(usize::from(how % 4))).map(|it| &it["threadId"]);
        let word = match thread {
            Some(thread) if how.is_multiple_of(3) => {
                Word::Said("comment-resolve", json!({"threadId": thread, "resolved": how.is_multiple_of(2)}))
            }
            Some(thread) => Word::Said("comment-add", json!({"id": id, "threadId": thread, "text": "more"})),
            None => Word::Said("comment-add", json!({"id": id, "text": "first"})),
        };
        if let Some((socket, Seat { inside: true, .. })) = self.seat(client, draft) {
            self.say(socket, draft, word);
        }
    }

    /// Sends what is no update, or no state vector.
    fn babble(&mut self, client: usize, draft: &'static str, how: u8) {
        if let Some((socket, Seat { inside: true, .. })) = self.seat(client, draft)
            && client != 2
        {
            let word = match how.is_multiple_of(3) {
                true => Word::Wants(Some(vec![how | 1, 255])),
                false => Word::Update(vec![how, 255, 255, 255], None),
            };
            self.say(socket, draft, word);
        }
    }

    /// Whoever is good answers what the server asked for, in order, so many times in a hundred.
    fn answer(&mut self, percent: u64) {
        for (socket, draft, vector) in std::mem::take(&mut self.answers) {
            let waits = self.answers.iter().any(|(other, of, _)| (*other, *of) == (socket, draft));
            if waits || !self.world.dice.chance(percent) {
                self.answers.push((socket, draft, vector));
                continue;
            }
            let Some(line) = self.lines.get(&socket) else { continue };
            if line.client != BAD {
                let update = self.copies[&(line.client, draft)].diff(&vector);
                self.say(socket, draft, Word::State(update));
            }
        }
    }

    fn request(&mut self, asked: Asked, call: (&str, String, &str), body: &str) {
        self.numbers += 1;
        let number = REQUESTS_FROM + self.numbers as usize;
        self.requests.insert(number, asked);
        let step = self.world.request(number, call.0, &call.1, call.2, body);
        self.look(&step);
    }

    fn ask(&mut self, draft: &'static str, what: u8, which: u8) {
        let length = self.log(draft).len();
        let version = length * usize::from(which) / 255;
        let (path, name, by) = (format!("/api/drafts/{draft}"), draft.to_string(), "dan:firm:employee");
        match what % 4 {
            0 => self.request(
                Asked::Version(name, version),
                ("GET", format!("{path}/versions/{version}"), by),
                "",
            ),
            1 => self.request(Asked::Comments(name), ("GET", format!("{path}/comments"), by), ""),
            2 => self.request(Asked::History(name), ("GET", format!("{path}/history?limit=200"), by), ""),
            _ => {
                let body = json!({"seq": version}).to_string();
                self.request(Asked::Restore(name), ("POST", format!("{path}/restore"), by), &body);
            }
        }
    }

    fn admit_stranger(&mut self, in_or_out: bool) {
        let target = format!("/api/admin/rooms/draft/d/members/{STRANGER}");
        if self.requests.values().any(|asked| matches!(asked, Asked::Member(_))) {
            return;
        }
        if in_or_out {
            self.stranger_may = true;
            self.request(Asked::Member(true), ("PUT", target, "service"), r#"{"role":"editor"}"#);
        } else {
            self.request(Asked::Member(false), ("DELETE", target, "service"), "");
        }
    }

    fn look(&mut self, step: &Step) {
        for (socket, client) in &step.opened {
            self.lines.insert(
                *socket,
                Line {
                    client: *client,
                    is_connected: false,
                    earlier: BTreeMap::new(),
                    seats: BTreeMap::new(),
                },
            );
            match PEOPLE[*client].dialect {
                Dialect::Json { .. } | Dialect::YWebsocket => self.sit(*socket, PEOPLE[*client].drafts[0]),
                Dialect::Hocuspocus | Dialect::Connect => self.open_all(*socket, *client),
                Dialect::SocketIo => {}
            }
        }
        for (socket, read) in &step.read {
            self.on_read(*socket, read);
        }
        for (number, response) in &step.responded {
            if let Some(asked) = self.requests.remove(number) {
                self.on_response(asked, response);
            }
        }
        for (socket, _) in &step.ended {
            self.lines.remove(socket);
            self.answers.retain(|(of, ..)| of != socket);
        }
    }

    fn on_read(&mut self, socket: SocketId, read: &Read) {
        let Some(line) = self.lines.get_mut(&socket) else { return };
        let (client, person) = (line.client, &PEOPLE[line.client]);
        let Some((draft, word)) = person.dialect.read(read) else { return };
        match word {
            Word::Engine("") => return self.say(socket, "", Word::Auth(Self::token(client))),
            Word::Engine(answer) => {
                let step = self.world.say(socket, answer.to_string());
                return self.look(&step);
            }
            Word::Connected => {
                line.is_connected = true;
                return self.open_all(socket, client);
            }
            _ => {}
        }
        let draft = match draft {
            Some(name) => {
                DRAFTS.into_iter().find(|draft| *draft == name).expect("a draft that was asked for")
            }
            None => person.drafts[0],
        };
        let Some(seat) = line.seats.get_mut(draft) else { return };
        let pace = self.world.sockets.get(&socket).map(|socket| socket.pace);
        let may = person.user != STRANGER || self.stranger_may;
        let listener = Listener { dialect: person.dialect, is_fast: pace == Some(Pace::Fast), may };
        let log = self.world.store.log(&room(draft));
        let came = match (&word, person.dialect) {
            _ if seat.inside => false,
            (Word::State(_), Dialect::Json { .. } | Dialect::Connect | Dialect::SocketIo)
            | (Word::Inside, Dialect::Hocuspocus)
            | (Word::Wants(_), Dialect::YWebsocket) => true,
            _ => false,
        };
        if came {
            (seat.inside, seat.from) = (true, log.len());
        }
        self.witnesses.get_mut(draft).expect("every draft").hear(seat, listener, &word, log);
        self.take(socket, draft, word, came);
    }

    /// What a client does with what it hears.
    fn take(&mut self, socket: SocketId, draft: &'static str, word: Word, came: bool) {
        let Some(line) = self.lines.get_mut(&socket) else { return };
        let (client, dialect) = (line.client, PEOPLE[line.client].dialect);
        let copy = self.copies.get_mut(&(client, draft)).expect("everybody has a copy");
        match word {
            Word::Update(update, _) | Word::State(update) => copy.apply(&update),
            Word::Wants(Some(vector)) => self.answers.push((socket, draft, vector)),
            Word::Out => {
                if let Some(Seat { unsaved, mut earlier, .. }) = line.seats.remove(draft) {
                    earlier.extend(unsaved);
                    line.earlier.insert(draft, earlier);
                }
            }
            // It never came in: the call was refused.
            Word::Refused(..) if !line.seats[draft].inside => drop(line.seats.remove(draft)),
            Word::Refused(code, text) if code == "CONFLICT" && text == "reload" => {
                assert_eq!(client, BAD, "who answers need not load anew");
                self.cut(client);
                self.forget(client, draft);
            }
            _ => {}
        }
        if came && dialect.is_provider() {
            let vector = self.copies[&(client, draft)].vector();
            if let Some((_, seat)) = self.seat(client, draft).filter(|_| dialect == Dialect::Hocuspocus) {
                seat.unsynced = 1;
            }
            self.say(socket, draft, Word::Wants(Some(vector)));
        }
    }

    fn on_response(&mut self, asked: Asked, response: &Response) {
        let Body::Bytes(body) = &response.body else { return };
        if let Asked::Member(in_or_out) = asked {
            let done = response.status < 300;
            // What failed may have been done.
            self.stranger_may = (in_or_out || !done) && self.stranger_may;
            return;
        }
        if response.status != 200 {
            // Of a version that is stored and not heard of yet nobody knows.
            assert!([404, 409, 500, 503].contains(&response.status), "{asked:?}: {response:?}");
            return;
        }
        let said = || serde_json::from_slice::<Value>(body).expect("JSON");
        match asked {
            Asked::Version(draft, version) => {
                self.looked[0] += 1;
                let copy = Copy::of(self.log(&draft)[..version].iter().filter_map(update_in));
                let came = Copy::of([&body[..]]);
                assert_eq!(came.content(), copy.content(), "a version is what the log said then");
                assert_eq!(came.snapshot(), copy.snapshot(), "a version is what the log said then");
            }
            Asked::Comments(draft) => {
                self.looked[1] += 1;
                let mut said = said();
                for thread in said.as_array_mut().expect("threads") {
                    for comment in thread["comments"].as_array_mut().expect("comments") {
                        *comment =
                            json!([comment["commentId"], comment["userId"], comment["text"], comment["seq"]]);
                    }
                }
                let log = self.log(&draft);
                // It may have been asked before some of the log was told.
                let from = if self.at_rest { log.len() } else { 0 };
                let some = (from..=log.len()).any(|length| Witness::comments(&log[..length]) == said);
                assert!(some, "the comments are what the log says: {said}");
            }
            Asked::History(draft) => {
                self.looked[2] += 1;
                self.check_history(&draft, &said());
            }
            Asked::Restore(draft) => {
                self.looked[3] += 1;
                let seq = said()["seq"].as_u64().expect("a place") as usize;
                assert!(seq <= self.log(&draft).len(), "what is brought back is stored");
            }
            Asked::Member(_) => {}
        }
    }

    /// Runs cover all updates up to some place, each once, with its author.
    fn check_history(&self, draft: &str, said: &Value) {
        let (mut updates, log) = (0, self.log(draft));
        for run in said["runs"].as_array().expect("runs") {
            let place = |key: &str| run[key].as_u64().expect("a place") as usize;
            let of = log[place("fromSeq") - 1..place("toSeq")].iter().filter(|it| update_in(it).is_some());
            let of: Vec<_> = of.collect();
            let other = of.iter().find(|entry| run["userId"] != entry.author.as_str());
            assert_eq!(other, None, "a run has one author: {run}");
            assert_eq!(run["updates"].as_u64(), Some(of.len() as u64), "a run has all of its updates: {run}");
            updates += of.len();
        }
        let runs = said["runs"].as_array().expect("runs");
        let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return };
        let from = if said["hasMore"] == true { first["fromSeq"].as_u64() } else { Some(1) };
        let shown = from.expect("a place") as usize - 1..last["toSeq"].as_u64().expect("a place") as usize;
        let all = log[shown].iter().filter(|entry| update_in(entry).is_some()).count();
        assert_eq!(updates, all, "every update stands in one run");
    }
}
