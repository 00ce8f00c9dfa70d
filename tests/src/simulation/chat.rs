//! People in chat rooms, and the laws of the room's gate that are held against all they see. What a law is and
//! which fault it catches stands in `suite/laws/chat.rs`.

mod witness;

use super::socket::Pace;
use super::socket_io::{Asks, Lines};
use super::{BEGINNING, Step, World};
use parlor_protocol::ids::{RoomId, Seq, SocketId, Ticket};
use parlor_protocol::settings::Settings;
use parlor_protocol::store::{
    Append, Change, MemberRow, NewEntry, Query, RoomRow, Row, StoreReply, StoreRequest, Visibility,
};
use parlor_protocol::{auth::UserType, input::Input};
use serde_json::{Value, json};
use std::time::Duration;
use witness::Witness;

/// Who is here: a client, its user and kind. Two of them are one user's.
pub const CLIENTS: [(&str, &str); 9] = [
    ("ann", "employee"),
    ("ann", "employee"),
    ("bob", "employee"),
    ("cleo", "guest"),
    ("sue", "supervisor"),
    ("ann", "employee"),
    ("bob", "employee"),
    ("cleo", "guest"),
    ("dora", "employee"),
];
/// The one who speaks over `/api/connect`; those before it over `/chat`, those behind it over Socket.IO.
const ALL_APPS: usize = 5;
/// A client that may come into every room.
const SPEAKER: usize = 4;
/// The rooms: one open to the firm, one for members.
pub const ROOMS: [&str; 2] = ["open", "shut"];
/// The client that administers.
const ADMIN: usize = 100;
/// How long the world runs until all has settled.
const SETTLING: Duration = Duration::from_secs(200);

/// A whole case: chat rooms with a past, and people.
#[derive(Debug)]
pub struct Chat {
    /// The world.
    pub world: World,
    /// Who holds the laws.
    pub witness: Witness,
    /// The clients over Socket.IO.
    pub lines: Lines,
    said: u64,
}

impl Chat {
    /// Two rooms with `past` messages of `size` bytes each.
    pub fn new(seed: u64, past: usize, size: usize) -> Self {
        let settings = Settings { rate_limit_calls: 0, refusals_max: 0, ..Settings::default() };
        let mut world = World::new(settings, seed);
        world.handle(Input::Started);
        let witness = Witness::new(&[("shut", &["ann", "bob", "cleo"])]);
        let mut chat = Self { world, witness, lines: Lines::default(), said: 0 };
        ROOMS.into_iter().for_each(|room| chat.furnish(room, past, size));
        chat
    }

    /// A room with `past` messages of `size` bytes each, as if it had always been there.
    pub fn furnish(&mut self, room: &str, past: usize, size: usize) {
        self.world.store.answer(BEGINNING, &made(room));
        for first in (0..past).step_by(200) {
            let written = (first..past.min(first + 200)).map(|place| NewEntry {
                id: format!("past-{place}").into(),
                author: "past".into(),
                body: json!({"type": "chat", "content": format!("{place:0>size$}")}).to_string().into(),
            });
            let append = Append { room: RoomId::chat(room), expect: None, entries: written.collect() };
            let commit = StoreRequest::Commit { appends: vec![append], rows: vec![] };
            self.world.store.answer(BEGINNING, &commit);
        }
    }

    /// Plays one step, chosen by four bytes.
    pub fn play(&mut self, [kind, a, b, c]: [u8; 4]) {
        let (client, room) = (usize::from(a) % CLIENTS.len(), ROOMS[usize::from(b) % ROOMS.len()]);
        match kind % 42 {
            0..=3 => self.connect(client),
            4..=5 => self.cut(client, c),
            6..=10 => self.join(client, room, c),
            11 => self.call(client, room, "chat:room:leave", json!({"roomId": room})),
            12..=18 => self.send(client, room, c),
            19 => (0..usize::from(c)).for_each(|_| self.send(client, room, 0)),
            20..=21 => self.pace(client, c),
            22 => self.history(client, room, c),
            23 => self.member(client, room, c),
            24 if c < 64 => self.delete(room),
            25 => self.make(room),
            26 => {
                // Now and then for longer than anybody waits for an answer.
                let each = if b % 4 == 0 { 400 } else { 8 };
                let still = Duration::from_millis(u64::from(c) * each);
                self.world.store.stands_still_until = self.world.now + still;
            }
            32..=36 => self.go_on(usize::from(a) % 3 + ALL_APPS + 1, c),
            _ => self.wait(Duration::from_millis(u64::from(c) * u64::from(b % 4))),
        }
        self.wait(Duration::ZERO);
    }

    /// Plays a step of a case about being cut off: so many people over Socket.IO, and some others.
    pub fn play_recovery(&mut self, lines: usize, kind: u8, [a, b, c]: [u8; 3]) {
        let line = usize::from(a) % lines + ALL_APPS + 1;
        let anyone = usize::from(a) % (ALL_APPS + 1 + lines);
        let room = ROOMS[usize::from(b) % ROOMS.len()];
        match kind {
            0 => self.connect(line),
            1 => self.join(line, room, c),
            2..=5 => self.send(anyone, room, 0),
            6 => self.send(line, room, c),
            7..=9 => self.go_on(line, c),
            10 => self.cut(line, c),
            11 if c < 12 => self.delete(room),
            11 if c < 64 => self.make(room),
            11 if c < 96 => self.member(anyone, room, c),
            11 => self.pace(line, c),
            // It has not read yet that it is out.
            12 => {
                self.pace(line, 2);
                self.call(line, room, "chat:room:leave", json!({"roomId": room}));
                self.is_away(line, c);
            }
            // Cut off while it catches up, or before it knows that it is back.
            13 => {
                self.join(line, room, 2);
                self.wait(Duration::from_millis(u64::from(c) / 2));
                self.is_away(line, c);
            }
            14 => {
                self.cut(line, 0);
                self.send(SPEAKER, room, 0);
                self.wait(Duration::from_millis(250));
                self.is_away(line, c);
            }
            _ => self.wait(Duration::from_millis(u64::from(c) * u64::from(b % 4))),
        }
        self.wait(Duration::ZERO);
    }

    /// A client comes, is cut off at once, and comes again; between them time passes.
    fn is_away(&mut self, line: usize, how: u8) {
        self.connect(line);
        self.cut(line, 0);
        self.pace(line, 0);
        self.wait(Duration::from_millis(u64::from(how)));
        self.connect(line);
    }

    /// Lets everything come to rest and holds the laws of the end.
    pub fn settle(&mut self) {
        self.world.store.fails = false;
        let sockets: Vec<_> = self.world.sockets.keys().copied().collect();
        sockets.iter().for_each(|socket| self.world.pace(*socket, Pace::Fast));
        self.lines.eager = true;
        (ALL_APPS + 1..CLIENTS.len()).for_each(|line| self.lines.pace(&mut self.world, line, Pace::Fast));
        self.wait(SETTLING);
        self.witness.assert_all_answered();
        self.assert_nothing_without_a_room();
        for room in ROOMS {
            self.make(room);
        }
        self.wait(SETTLING);
        // One more message in every room: whoever is there hears it, and all before it.
        let speaker = SPEAKER;
        self.connect(speaker);
        self.wait(SETTLING);
        for room in ROOMS {
            self.join(speaker, room, 0);
            self.send(speaker, room, 0);
        }
        self.wait(SETTLING);
        self.witness.assert_all_answered();
        self.witness.assert_all_heard(&self.world);
        let sockets: Vec<_> = self.world.sockets.keys().copied().collect();
        (ALL_APPS + 1..CLIENTS.len()).for_each(|line| self.cut(line, 0));
        for socket in sockets {
            let step = self.world.cut(socket);
            self.look(step);
        }
        self.wait(SETTLING);
        // The look for overdue sessions comes every minute and may be out just now.
        if self.world.server.counts().held() > 0 {
            self.wait(Duration::from_secs(1));
        }
        let left = self.world.server.counts();
        assert_eq!(left.held(), 0, "after everything has ended nothing is left: {left:?}");
    }

    /// What is said in a room that is no more would be read by who has its id next.
    fn assert_nothing_without_a_room(&mut self) {
        for room in ROOMS {
            let id = RoomId::chat(room);
            let found = self.world.store.answer(self.world.now, &StoreRequest::Look(Query::Room(id.clone())));
            let log = self.world.store.log(&id);
            assert!(
                found != StoreReply::Found(vec![]) || log.is_empty(),
                "nothing is kept without a room: {log:?}"
            );
        }
    }

    /// Lets time pass.
    pub fn wait(&mut self, time: Duration) {
        let until = self.world.now + time;
        loop {
            let steps = self.lines.poll(&mut self.world);
            self.witness_all(&steps);
            let steps = self.lines.hurry(&mut self.world);
            self.witness_all(&steps);
            let Some(step) = self.world.step(until) else { break };
            self.look(step);
        }
        self.world.now = until;
    }

    fn look(&mut self, step: Step) {
        let steps = self.lines.see(&mut self.world, step);
        self.witness_all(&steps);
    }

    fn witness_all(&mut self, steps: &[Step]) {
        steps.iter().for_each(|step| self.witness.look(&self.world, step));
    }

    /// A client comes, unless it is here; over Socket.IO sometimes by polling, and mostly as who it was.
    pub fn connect(&mut self, client: usize) {
        let (user, kind) = CLIENTS[client];
        let token = format!("{user}:firm:{kind}");
        if client > ALL_APPS && !self.lines.has_begun(client) {
            let (polls, forgets) = (self.world.dice.chance(60), self.world.dice.chance(15));
            let steps = self.lines.begin(&mut self.world, client, &token, polls, forgets);
            self.witness_all(&steps);
            self.wait(Duration::from_millis(5));
        } else if client <= ALL_APPS && self.witness.socket(client).is_none() {
            let path = if client == ALL_APPS { "/api/connect" } else { "/chat" };
            let step = self.world.request(client, "GET", path, &token, "");
            self.look(step);
            self.wait(Duration::from_millis(5));
        }
    }

    /// A client is cut off; of some the server does not hear it.
    pub fn cut(&mut self, client: usize, how: u8) {
        if client > ALL_APPS {
            let steps = self.lines.cut(&mut self.world, client, how % 8 == 7);
            self.witness_all(&steps);
        } else if let Some(socket) = self.witness.socket(client) {
            let step = self.world.cut(socket);
            self.look(step);
        }
    }

    /// A client over Socket.IO goes on with its upgrade or loses it, says what waits, or is away for a moment.
    fn go_on(&mut self, line: usize, how: u8) {
        let world = &mut self.world;
        let steps = match how % 8 {
            0..=3 => self.lines.upgrade(world, line),
            4 => self.lines.cut_probe(world, line),
            5 => self.lines.flush(world, line),
            _ => {
                self.cut(line, how);
                self.wait(Duration::from_millis(u64::from(how) * 4));
                return self.connect(line);
            }
        };
        self.witness_all(&steps);
    }

    /// A client joins: with what it has heard, some entries before, nothing, or nonsense.
    pub fn join(&mut self, client: usize, room: &str, how: u8) {
        let heard = self.witness.cursor(client, room);
        let since = match how % 8 {
            0..=1 => heard,
            2..=3 => Some(heard.unwrap_or(0) * u64::from(how / 8) / 64),
            4..=5 => heard.map(|heard| heard.saturating_sub(u64::from(how))),
            6 => None,
            _ => Some(u64::from(how) * 1_000_003),
        };
        let mut data = json!({"roomId": room});
        if let Some(since) = since {
            data["since"] = json!(since);
        }
        self.call(client, room, "chat:room:join", data);
    }

    /// A client says something: mostly new, sometimes what was said before, sometimes else under an old id.
    pub fn send(&mut self, client: usize, room: &str, how: u8) {
        self.said += 1;
        let said = self.said;
        let text = format!("said {said} {}", "x".repeat(usize::from(how)));
        let earlier = self.witness.earlier(client, room, usize::from(how));
        let data = match (how % 8, earlier) {
            (5, Some(earlier)) => earlier,
            (6, Some(mut earlier)) => {
                earlier["content"] = json!(text);
                earlier
            }
            (7, _) => json!({"roomId": room, "content": text}),
            _ => json!({"roomId": room, "id": format!("id-{said}"), "content": text}),
        };
        self.call(client, room, "chat:message:send", data);
    }

    fn history(&mut self, client: usize, room: &str, how: u8) {
        let mut data = json!({"roomId": room, "limit": 1 + u64::from(how) % 200});
        match how % 3 {
            0 => data["before"] = json!(how),
            1 => data["after"] = json!(how),
            _ => {}
        }
        self.call(client, room, "chat:message:history", data);
    }

    /// A client calls, if it is connected.
    pub fn call(&mut self, client: usize, room: &str, name: &str, data: Value) {
        if client > ALL_APPS {
            let Some(socket) = self.lines.seen(client) else { return };
            let number = self.witness.calls(socket, client, room, name, data.clone());
            let asks = [Asks::Ack, Asks::Form, Asks::Both][self.world.dice.below(3) as usize];
            let waits = self.world.dice.chance(40);
            let world = &mut self.world;
            let steps = self.lines.say(world, client, number, (name, &data), asks, waits);
            return self.witness_all(&steps);
        }
        let Some(socket) = self.witness.socket(client) else { return };
        let number = self.witness.calls(socket, client, room, name, data.clone());
        let call = json!({"event": name, "data": data, "requestId": format!("call-{number}")});
        let step = self.world.say(socket, call.to_string());
        self.look(step);
    }

    fn pace(&mut self, client: usize, how: u8) {
        let pace = [Pace::Fast, Pace::Slow, Pace::Stalled][usize::from(how) % 3];
        if client > ALL_APPS {
            self.lines.pace(&mut self.world, client, pace);
        } else if let Some(socket) = self.witness.socket(client) {
            self.world.pace(socket, pace);
        }
    }

    fn member(&mut self, client: usize, room: &str, how: u8) {
        let target = format!("/api/admin/rooms/chat/{room}/members/{}", CLIENTS[client].0);
        match how % 2 {
            0 => self.administer("DELETE", &target, ""),
            _ => self.administer("PUT", &target, r#"{"role":"member"}"#),
        }
    }

    /// The room is deleted by a backend.
    pub fn delete(&mut self, room: &str) {
        self.administer("DELETE", &format!("/api/admin/rooms/chat/{room}"), "");
    }

    fn make(&mut self, room: &str) {
        let visibility = if room == "open" { "public" } else { "private" };
        let body = json!({"name": room, "firmId": "firm", "visibility": visibility}).to_string();
        self.administer("PUT", &format!("/api/admin/rooms/chat/{room}"), &body);
    }

    fn administer(&mut self, method: &str, target: &str, body: &str) {
        let step = self.world.request(ADMIN, method, target, "service", body);
        self.look(step);
    }

    /// The entries of a room.
    pub fn log(&self, room: &str) -> Vec<(Seq, String)> {
        let log = self.world.store.log(&RoomId::chat(room));
        log.iter().map(|entry| (entry.seq, entry.id.to_string())).collect()
    }

    /// Whether the client has a connection.
    pub fn socket(&self, client: usize) -> Option<SocketId> {
        self.witness.socket(client)
    }
}

/// A room with its first members.
fn made(room: &str) -> StoreRequest {
    let id = RoomId::chat(room);
    let visibility = if room == "shut" { Visibility::Private } else { Visibility::Public };
    let row = RoomRow { id: id.clone(), name: room.into(), firm: "firm".into(), visibility };
    let members = ["ann", "bob", "cleo"].into_iter().filter(|_| room == "shut").map(|user| {
        Change::Put(Row::Member(MemberRow {
            room: id.clone(),
            user: user.into(),
            role: "member".into(),
            name: None,
            user_type: UserType::Employee,
        }))
    });
    let rows = std::iter::once(Change::Put(Row::Room(row))).chain(members).collect();
    StoreRequest::Commit { appends: vec![], rows }
}

/// A ticket that the core never gave out.
pub const NOBODYS: Ticket = Ticket { slot: u32::MAX, generation: 9 };
