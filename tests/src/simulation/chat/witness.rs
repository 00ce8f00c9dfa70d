//! The witness: sees every frame that is sent and every frame that is read, and holds the laws against them.

mod known;

use super::CLIENTS;
use crate::simulation::socket::Read;
use crate::simulation::socket_io::answer_to;
use crate::simulation::{Sent, Step, World};
use known::{Asked, Known};
use parlor_protocol::ids::{RoomId, SocketId};
use parlor_protocol::outbox::Class;
use parlor_protocol::store::{Change, Row, RowKey, StoreReply, StoreRequest};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// How many messages of one room one page may hold.
const PAGE_ENTRIES_MAX: usize = 200;

/// What has been seen so far.
#[derive(Debug, Default)]
pub struct Witness {
    sockets: BTreeMap<usize, SocketId>,
    known: BTreeMap<SocketId, Known>,
    /// Up to where each client has heard each room, over all its connections.
    cursors: BTreeMap<(usize, String), u64>,
    /// The members of each room as the store last told the core.
    members: BTreeMap<String, BTreeSet<String>>,
    deleted: BTreeSet<String>,
    /// How often each room was, as far as the core knows.
    deletions: BTreeMap<String, usize>,
    /// What each client knew when it was cut off.
    left: BTreeMap<usize, Known>,
    /// Rooms that were deleted once, perhaps just now: a page of them may be empty.
    emptied: BTreeSet<String>,
    /// Everything that was said under an id, by user and room.
    said: BTreeMap<(String, String), Vec<Value>>,
    /// The first answer to each id, by user, room and id.
    answers: BTreeMap<(String, String, String), Value>,
    /// Rooms whose page is on its way out to a socket.
    paged: BTreeSet<(SocketId, String)>,
    calls: u64,
    /// How often each code was answered.
    pub codes: BTreeMap<String, usize>,
    /// How many messages were heard as events, and how many joins were answered.
    pub heard: usize,
    /// How many joins were answered.
    pub joined: usize,
}

impl Witness {
    pub(super) fn new(members: &[(&str, &[&str])]) -> Self {
        let members = members.iter().map(|(room, members)| {
            ((*room).to_string(), members.iter().map(|member| (*member).to_string()).collect())
        });
        Self { members: members.collect(), ..Self::default() }
    }

    pub(super) fn socket(&self, client: usize) -> Option<SocketId> {
        self.sockets.get(&client).copied()
    }

    pub(super) fn cursor(&self, client: usize, room: &str) -> Option<u64> {
        self.cursors.get(&(client, room.to_string())).copied()
    }

    /// Something that this client's user said before under an id.
    pub(super) fn earlier(&self, client: usize, room: &str, place: usize) -> Option<Value> {
        let said = self.said.get(&(CLIENTS[client].0.to_string(), room.to_string()))?;
        said.get(place % said.len().max(1)).cloned()
    }

    /// Notes a call, and numbers it.
    pub(super) fn calls(
        &mut self,
        socket: SocketId,
        client: usize,
        room: &str,
        name: &str,
        data: Value,
    ) -> u64 {
        self.calls += 1;
        let id = format!("call-{}", self.calls);
        let mut again = false;
        if name == "chat:message:send" && data["id"].is_string() {
            let said = self.said.entry((CLIENTS[client].0.to_string(), room.to_string())).or_default();
            again = said.iter().any(|said| said["id"] == data["id"]);
            said.push(data.clone());
        }
        let asked = Asked { room: room.into(), name: name.into(), data, again };
        self.known.entry(socket).or_default().asked.insert(id, asked);
        self.calls
    }

    pub(super) fn look(&mut self, world: &World, step: &Step) {
        for (socket, client) in &step.opened {
            self.sockets.insert(*client, *socket);
            let known = match step.resumed.contains(socket) {
                true => self.taken_up(*client),
                false => Known { client: *client, ..Known::default() },
            };
            self.known.insert(*socket, known);
        }
        for socket in &step.came {
            self.known.entry(*socket).and_modify(|known| known.came = true);
        }
        let emptied = world.store.logs.iter().filter(|(_, logs)| logs.len() > 1);
        self.emptied.extend(emptied.map(|(room, _)| room.name.to_string()));
        step.answered.iter().for_each(|(request, reply)| self.learn(request, reply));
        step.flushed.iter().for_each(|socket| self.paged.retain(|(paged, _)| paged != socket));
        self.look_at_sent(world, step);
        step.waited.iter().for_each(|(socket, said)| self.look_at_waited(world, *socket, said));
        step.read.iter().for_each(|(socket, read)| self.on_read(world, *socket, read));
        for (socket, client) in &step.ended {
            if self.sockets.get(client) == Some(socket) {
                self.sockets.remove(client);
            }
            if let Some(known) = self.known.remove(socket).filter(|known| known.came) {
                self.left.insert(*client, known.left_behind(&self.deletions));
            }
        }
    }

    /// A client that was cut off is told that it is who it was: it has lost nothing.
    fn taken_up(&self, client: usize) -> Known {
        let known = self.left.get(&client).cloned().expect("it was here before");
        for room in known.heard.keys() {
            let (before, now) = (known.deletions.get(room), self.deletions.get(room));
            assert_eq!(before, now, "who is taken up again is in the rooms that it was in: {room}");
        }
        Known { came: false, ..known }
    }

    /// What waited in the core before it went out: it may be from before its reader was taken out.
    fn look_at_waited(&mut self, world: &World, socket: SocketId, said: &[u8]) {
        let said: Value = serde_json::from_slice(said).expect("the core sends JSON");
        let (name, data) = (said["event"].as_str().unwrap_or_default(), &said["data"]);
        let room = data["roomId"].as_str().unwrap_or_default();
        if name == "chat:message:received" {
            assert_stored(world, room, data);
        }
        self.note_listening(socket, name, room, data);
    }

    /// What the store has told the core of rooms and members.
    fn learn(&mut self, request: &StoreRequest, reply: &StoreReply) {
        let StoreRequest::Commit { rows, .. } = request else { return };
        let (known, perhaps) = (matches!(reply, StoreReply::Committed(_)), *reply == StoreReply::Unknown);
        for row in rows.iter().filter(|_| known || perhaps) {
            match row {
                // What was perhaps taken away is still there for the core; what perhaps came, perhaps came.
                Change::Remove(_) if perhaps => {}
                Change::Insert(Row::Member(member)) | Change::Put(Row::Member(member)) => {
                    self.members
                        .entry(member.room.name.to_string())
                        .or_default()
                        .insert(member.user.to_string());
                }
                Change::Insert(Row::Room(room)) | Change::Put(Row::Room(room)) => {
                    self.deleted.remove(&*room.id.name);
                }
                Change::Remove(RowKey::Member(room, user)) => {
                    self.members.entry(room.name.to_string()).or_default().remove(user.as_str());
                }
                Change::Remove(RowKey::Room(room)) => {
                    self.members.remove(&*room.name);
                    self.deleted.insert(room.name.to_string());
                    *self.deletions.entry(room.name.to_string()).or_default() += 1;
                    self.cursors.retain(|(_, of), _| **of != *room.name);
                    self.said.retain(|(_, of), _| **of != *room.name);
                    self.answers.retain(|(_, of, _), _| **of != *room.name);
                }
                Change::Insert(_)
                | Change::Put(_)
                | Change::Trim { .. }
                | Change::Remove(
                    RowKey::Template(_)
                    | RowKey::Session(_)
                    | RowKey::Document(_)
                    | RowKey::Cursor(..)
                    | RowKey::File(_)
                    | RowKey::FilePart(..)
                    | RowKey::Prompt(..)
                    | RowKey::Escalation(_)
                    | RowKey::Mark(_)
                    | RowKey::SnapshotPart(..),
                ) => {}
            }
        }
    }

    /// As it stands in the store; or as it stood, while the core has not been told otherwise.
    fn may_hear(&self, world: &World, client: usize, room: &str) -> bool {
        let (user, kind) = CLIENTS[client];
        let id = RoomId::chat(room);
        let known = self.members.get(room).is_some_and(|members| members.contains(user));
        let member = known || world.store.members.contains(&(id.clone(), user.into()));
        let there = world.store.rooms.contains(&id) || !self.deleted.contains(room);
        there && (member || kind == "supervisor")
    }

    fn look_at_sent(&mut self, world: &World, step: &Step) {
        let mut counts: BTreeMap<(SocketId, String), usize> = BTreeMap::new();
        for Sent { sockets, frame, class } in &step.sent {
            if !frame.is_text() {
                continue;
            }
            let said: Value = serde_json::from_slice(frame.payload()).expect("the core sends JSON");
            let (name, data) = (said["event"].as_str().unwrap_or_default(), &said["data"]);
            let room = data["roomId"].as_str().unwrap_or_default().to_string();
            if matches!(data["kind"].as_str(), Some("member_removed" | "room_closed")) {
                assert_eq!(*class, Class::Kept, "who is slow hears, too, that a room is not theirs any more");
            }
            if name == "chat:message:received" {
                assert_stored(world, &room, data);
            }
            for socket in sockets {
                let Some(client) = self.known.get(socket).map(|known| known.client) else { continue };
                self.look_at_one(world, *socket, client, &room, &said);
                if name == "chat:message:received" {
                    *counts.entry((*socket, room.clone())).or_default() += 1;
                    assert!(
                        !self.paged.contains(&(*socket, room.clone())),
                        "after a page nothing more is sent until it went out"
                    );
                    if *class == Class::Page {
                        self.paged.insert((*socket, room.clone()));
                    }
                }
                if name == "chat:room:joined" {
                    self.paged.remove(&(*socket, room.clone()));
                }
                self.note_listening(*socket, name, &room, data);
            }
        }
        if step.paced {
            let most = counts.values().max().copied().unwrap_or(0);
            assert!(most <= PAGE_ENTRIES_MAX, "a reader is sent a page at a time, not {most}");
        }
    }

    fn note_listening(&mut self, socket: SocketId, name: &str, room: &str, data: &Value) {
        let Some(known) = self.known.get_mut(&socket) else { return };
        let out = match data["kind"].as_str() {
            Some("member_removed") => data["userId"] == CLIENTS[known.client].0,
            Some("room_closed") => true,
            _ => name == "chat:room:left",
        };
        if out {
            known.listens.remove(room);
        }
        if name == "chat:room:joined" {
            known.listens.insert(room.to_string());
        }
    }

    /// What is sent to one client, seen when it is sent.
    fn look_at_one(&self, world: &World, socket: SocketId, client: usize, room: &str, said: &Value) {
        let name = said["event"].as_str().unwrap_or_default();
        let hears = match name {
            "chat:message:received" | "chat:room:joined" => true,
            "chat:system:notification" => {
                let kind = said["data"]["kind"].as_str().unwrap_or_default();
                !matches!(kind, "member_removed" | "room_closed")
            }
            _ => false,
        };
        if hears {
            assert!(
                self.may_hear(world, client, room),
                "nobody hears a room they may not: {} hears {said}",
                CLIENTS[client].0
            );
        }
        let asked = said["requestId"].as_str().and_then(|id| self.known.get(&socket)?.asked.get(id));
        if let Some(asked) = asked.filter(|_| name == "chat:message:send") {
            let data = &said["data"];
            let (seq, id) = (data["seq"].as_u64().unwrap_or(0), data["id"].as_str().unwrap_or_default());
            assert!(
                world.store.has_stored(&RoomId::chat(&asked.room), seq, id),
                "a message is acknowledged only after it is stored: {said}"
            );
        }
        if let Some(asked) = asked.filter(|_| name == "chat:message:history") {
            assert!(
                self.may_hear(world, client, &asked.room),
                "nobody reads the history of a room they may not"
            );
        }
    }

    fn on_read(&mut self, world: &World, socket: SocketId, read: &Read) {
        let Read::Text(text) = read else { return };
        let said: Value = serde_json::from_slice(text).expect("the core sends JSON");
        let (name, data) = (said["event"].as_str().unwrap_or_default(), &said["data"]);
        if let Some(id) = said["requestId"].as_str() {
            self.on_answer(world, socket, id, name, data);
        }
        match (name, data["kind"].as_str()) {
            ("chat:message:received", _) => self.on_event(world, socket, data),
            (_, Some("room_closed")) => self.is_out(socket, data),
            (_, Some("member_removed")) if self.is_about(socket, data) => self.is_out(socket, data),
            _ => {}
        }
    }

    fn is_about(&self, socket: SocketId, data: &Value) -> bool {
        self.known.get(&socket).is_some_and(|known| data["userId"] == CLIENTS[known.client].0)
    }

    fn is_out(&mut self, socket: SocketId, data: &Value) {
        if let Some(known) = self.known.get_mut(&socket) {
            known.heard.remove(data["roomId"].as_str().unwrap_or_default());
        }
    }

    fn on_event(&mut self, world: &World, socket: SocketId, data: &Value) {
        self.heard += 1;
        let Some(known) = self.known.get_mut(&socket) else { return };
        let (room, seq) = (data["roomId"].as_str().unwrap_or_default().to_string(), number(data, "seq"));
        known.pass_own(&room, world.store.log(&RoomId::chat(&room)), seq - 1);
        let Some(at) = known.heard.get_mut(&room) else {
            panic!("who is not in a room hears nothing of it: {data}");
        };
        assert_eq!(seq, *at + 1, "everybody hears everything once, in order: {data}");
        *at = seq;
        known.events.insert((room.clone(), seq));
        let client = known.client;
        self.cursors.insert((client, room), seq);
    }

    fn on_answer(&mut self, world: &World, socket: SocketId, id: &str, name: &str, data: &Value) {
        let Some(known) = self.known.get_mut(&socket) else { return };
        assert!(known.answered.insert(id.to_string()), "a call is answered once: {id} {data}");
        let asked = known.asked.remove(id).unwrap_or_else(|| panic!("nobody asked {id}: {data}"));
        if name == "chat:error" {
            *self.codes.entry(data["code"].to_string()).or_default() += 1;
            return;
        }
        assert_eq!(name, answer_to(&asked.name), "the answer is the call's");
        let overtaken = known.left.get(&asked.room).is_some_and(|left| call_number(id) < *left);
        assert!(
            name != "chat:room:joined" || !overtaken,
            "who left is not let in by an earlier join: {data}"
        );
        match name {
            "chat:room:joined" => self.on_joined(socket, &asked, data),
            "chat:room:left" => {
                known.heard.remove(&asked.room);
                known.left.insert(asked.room.clone(), call_number(id));
            }
            "chat:message:send" => self.on_sent(world, socket, &asked, data),
            _ => {}
        }
    }

    fn on_joined(&mut self, socket: SocketId, asked: &Asked, data: &Value) {
        self.joined += 1;
        let Some(known) = self.known.get_mut(&socket) else { return };
        let messages = data["messages"].as_array().cloned().unwrap_or_default();
        let seqs: Vec<u64> = messages.iter().map(|message| number(message, "seq")).collect();
        assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "a page has no gap: {seqs:?}");
        let (last, reset) = (number(data, "lastSeq"), data["reset"] == json!(true));
        let since = asked.data["since"].as_u64();
        let begins = match since {
            Some(since) if !reset => since,
            _ => seqs.first().map_or(last, |first| first - 1),
        };
        if let Some(first) = seqs.first() {
            assert_eq!(*first, begins + 1, "who comes back hears what follows what it heard: {data}");
        }
        if (since.is_none() || reset) && !self.emptied.contains(&asked.room) {
            assert!(seqs.len() as u64 == last.min(50) || last > begins, "the newest page is shown: {data}");
        }
        assert!(reset || since.is_none_or(|since| since <= last), "beyond the end is told reset: {data}");
        let at = seqs.last().copied().unwrap_or(begins);
        known.heard.insert(asked.room.clone(), at);
        known.events.retain(|(room, _)| *room != asked.room);
        let client = known.client;
        self.cursors.insert((client, asked.room.clone()), at);
    }

    fn on_sent(&mut self, world: &World, socket: SocketId, asked: &Asked, data: &Value) {
        let Some(known) = self.known.get_mut(&socket) else { return };
        let (client, seq) = (known.client, number(data, "seq"));
        let listens = known.listens.contains(&asked.room);
        known.pass_own(&asked.room, world.store.log(&RoomId::chat(&asked.room)), seq - 1);
        if let Some(at) = known.heard.get_mut(&asked.room) {
            // Who was taken out does not wait for the others any more, and may not have read so yet.
            assert!(
                !listens || seq <= *at + 1,
                "an answer comes after what precedes it: {seq} after {at}, {data}"
            );
            if seq == *at + 1 {
                *at = seq;
                self.cursors.insert((client, asked.room.clone()), seq);
            }
            assert!(
                asked.again || !known.events.contains(&(asked.room.clone(), seq)),
                "a sender does not hear its own message: {data}"
            );
        }
        let id = data["id"].as_str().unwrap_or_default().to_string();
        let key = (CLIENTS[client].0.to_string(), asked.room.clone(), id);
        let first = self.answers.entry(key).or_insert_with(|| data.clone());
        assert_eq!(first, data, "an id has one answer");
    }

    pub(super) fn assert_all_answered(&self) {
        for (socket, known) in &self.known {
            if self.sockets.get(&known.client) == Some(socket) {
                assert!(known.asked.is_empty(), "no call is left without its answer: {:?}", known.asked);
            }
        }
    }

    pub(super) fn assert_all_heard(&self, world: &World) {
        for known in self.known.values() {
            for room in known.heard.keys() {
                let mut known = known.clone();
                known.pass_own(room, world.store.log(&RoomId::chat(room)), u64::MAX);
                let at = &known.heard[room];
                if known.listens.contains(room) && self.may_hear(world, known.client, room) {
                    let log = world.store.log(&RoomId::chat(room));
                    assert_eq!(*at, log.len() as u64, "whoever is in a room hears all of it: {room}");
                }
            }
        }
        for logs in world.store.logs.values() {
            for log in logs {
                let mut contents = BTreeSet::new();
                for entry in log.iter().filter(|entry| entry.author.as_str() != "past") {
                    let body: Value = serde_json::from_slice(&entry.body).expect("a message");
                    assert!(contents.insert(body["content"].to_string()), "what is said once is stored once");
                }
            }
        }
    }
}

fn assert_stored(world: &World, room: &str, data: &Value) {
    let (seq, id) = (data["seq"].as_u64().unwrap_or(0), data["id"].as_str().unwrap_or_default());
    assert!(
        world.store.has_stored(&RoomId::chat(room), seq, id),
        "others hear a message only after it is stored: {data}"
    );
}

fn call_number(id: &str) -> u64 {
    id.trim_start_matches("call-").parse().expect("calls are numbered")
}

fn number(data: &Value, name: &str) -> u64 {
    data[name].as_u64().unwrap_or_else(|| panic!("{name} is missing in {data}"))
}
