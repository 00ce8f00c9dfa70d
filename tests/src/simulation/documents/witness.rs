//! The witness: sees every frame and every log, and holds the laws against them.

use super::{CLIENTS, GENERAL_FROM, LISTENERS, OPENING};
use crate::simulation::socket::Read;
use crate::simulation::{Sent, Step, World};
use parlor_protocol::ids::{RoomId, RoomKind, SocketId};
use parlor_protocol::store::Entry;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What a connection knows.
#[derive(Debug, Default)]
struct Known {
    client: usize,
    /// Whether another connection of its user was here with it.
    met: bool,
    /// Whether it began a session afresh.
    afresh: bool,
    /// Whether it is there for a session that is begun afresh, alone.
    is_new: bool,
    /// Those it has.
    sessions: BTreeSet<String>,
    /// Those in which a question is open for it.
    asked: BTreeSet<String>,
    /// Whether the core closes it.
    closed: bool,
    calls: BTreeMap<String, Value>,
    answered: BTreeSet<String>,
    /// The last question that was read, by session.
    heard: BTreeMap<String, u64>,
    /// What was heard of the question that is being spoken, by session.
    spoken: BTreeMap<String, String>,
}

/// What has been seen so far.
#[derive(Debug, Default)]
pub struct Witness {
    /// Who is on the way to a connection: how many times over, and whether all of these are to begin afresh.
    coming: BTreeMap<usize, (u32, bool)>,
    sockets: BTreeMap<usize, SocketId>,
    known: BTreeMap<SocketId, Known>,
    /// Everything that a user said under an id.
    said: BTreeMap<&'static str, Vec<Value>>,
    /// Which connections said what.
    speakers: BTreeMap<String, BTreeSet<String>>,
    finished: BTreeSet<usize>,
    calls: u64,
    /// How many documents were made.
    pub completed: usize,
    /// How many connections were closed as superseded.
    pub superseded: usize,
    /// How many turns the last greeting showed.
    pub turns_shown: usize,
    /// How many pieces of questions were heard.
    pub deltas: usize,
}

impl Witness {
    pub(super) fn socket(&self, client: usize) -> Option<SocketId> {
        self.sockets.get(&client).copied()
    }

    /// A client comes, to begin afresh or not.
    pub(super) fn comes(&mut self, client: usize, fresh: bool) {
        let (times, all_fresh) = self.coming.entry(client).or_insert((0, true));
        (*times, *all_fresh) = (*times + 1, *all_fresh && fresh);
    }

    /// One of those on the way has come, or was turned away. Whether it is to begin afresh, as far as that is known.
    fn came(&mut self, client: usize) -> bool {
        let Some((times, all_fresh)) = self.coming.get_mut(&client) else { return false };
        let fresh = *all_fresh;
        *times -= 1;
        if *times == 0 {
            self.coming.remove(&client);
        }
        fresh
    }

    pub(super) fn begins(&mut self, client: usize) {
        self.finished.remove(&client);
    }

    pub(super) fn has_finished(&self, client: usize) -> bool {
        self.finished.contains(&client)
    }

    pub(super) fn is_asked(&self, client: usize) -> bool {
        self.socket(client)
            .and_then(|socket| self.known.get(&socket))
            .is_some_and(|known| !known.asked.is_empty())
    }

    pub(super) fn has_session(&self, client: usize) -> bool {
        let known = self.socket(client).and_then(|socket| self.known.get(&socket));
        known.is_some_and(|known| !known.sessions.is_empty())
    }

    pub(super) fn earlier(&self, client: usize, place: usize) -> Option<Value> {
        let said = self.said.get(CLIENTS[client])?;
        said.get(place % said.len().max(1)).cloned()
    }

    /// Notes a call, and writes it.
    pub(super) fn calls(
        &mut self,
        world: &World,
        socket: SocketId,
        client: usize,
        mut call: Value,
    ) -> String {
        self.calls += 1;
        let id = format!("call-{}", self.calls);
        if call["id"].is_string() {
            self.said.entry(CLIENTS[client]).or_default().push(call.clone());
        }
        if let (Some(content), Some(name)) = (call["content"].as_str(), world.names.get(&socket)) {
            self.speakers.entry(content.to_string()).or_default().insert(name.clone());
        }
        let known = self.known.entry(socket).or_default();
        if client < GENERAL_FROM {
            call["requestId"] = json!(id);
            known.calls.insert(id, call.clone());
            return call.to_string();
        }
        known.afresh |= call["session"].is_string();
        if call["type"] != "open" {
            let place = self.calls as usize % known.sessions.len().max(1);
            let session = known.asked.iter().next().or(known.sessions.iter().nth(place));
            call["sessionId"] = json!(session.map_or("nobody-has-this", String::as_str));
        }
        known.calls.insert(id.clone(), call.clone());
        let name = format!("document:{}", call["type"].as_str().unwrap_or_default());
        json!({"event": name, "data": call, "requestId": id}).to_string()
    }

    pub(super) fn look(&mut self, world: &World, step: &Step) {
        for (socket, client) in &step.opened {
            self.sockets.insert(*client, *socket);
            let others = self.known.values_mut().filter(|known| CLIENTS[known.client] == CLIENTS[*client]);
            let met = others.map(|known| known.met = true).count() > 0;
            let is_new = self.came(*client);
            self.known.insert(*socket, Known { client: *client, met, is_new, ..Known::default() });
        }
        for (client, _) in &step.responded {
            self.came(*client);
        }
        for (socket, client) in &step.ended {
            if self.sockets.get(client) == Some(socket) {
                self.sockets.remove(client);
            }
            self.known.remove(socket);
        }
        for (socket, cause) in &step.closed {
            self.superseded += usize::from(cause.code() == 4001);
            if let Some(known) = self.known.get_mut(socket) {
                known.closed = true;
                assert!(cause.code() != 4001 || known.met, "only another connection supersedes");
            }
        }
        self.look_at_sent(world, &step.sent);
        step.read.iter().for_each(|(socket, read)| self.on_read(*socket, read));
        self.assert_one_owner();
    }

    fn assert_one_owner(&self) {
        let mut owners = BTreeSet::new();
        for known in self.known.values().filter(|known| !known.closed) {
            for session in &known.sessions {
                assert!(owners.insert(session), "a session has one connection, the others are closed");
            }
        }
    }

    fn look_at_sent(&mut self, world: &World, sent: &[Sent]) {
        for Sent { sockets, frame, .. } in sent.iter().filter(|sent| sent.frame.is_text()) {
            let said = plain(frame.payload());
            for socket in sockets {
                let Some(known) = self.known.get_mut(socket) else { continue };
                match said["type"].as_str().unwrap_or_default() {
                    "session_started" | "session_resumed" => {
                        let session = said["sessionId"].as_str();
                        known.sessions.extend(session.map(str::to_string));
                        let log = log_of(world, session);
                        let name = world.names.get(socket).cloned().unwrap_or_default();
                        let claim = log.iter().rposition(|entry| body(entry)["connection"] == json!(name));
                        let claim =
                            claim.unwrap_or_else(|| panic!("a session is shown after its claim: {said}"));
                        let turns = turns(&log[..claim]);
                        let shown = said["history"].as_array().map_or(0, Vec::len);
                        assert!(said["type"] == "session_resumed" || log[..claim].is_empty(), "{said}");
                        assert_eq!(shown, turns.len(), "who comes back is shown every turn: {said}");
                    }
                    "next_question" => {
                        let log = log_of(world, said["sessionId"].as_str());
                        let stored = turns(log)
                            .iter()
                            .any(|turn| turn["turn"] == said["turn"] && turn["question"] == said["question"]);
                        assert!(stored, "a question is asked only after it is stored: {said}");
                    }
                    "response_saved" => {
                        let session = said["sessionId"].as_str();
                        let log = log_of(world, session.or(known.sessions.first().map(String::as_str)));
                        let call = said["requestId"].as_str().and_then(|id| known.calls.get(id));
                        let content = call.map_or(Value::Null, |call| call["content"].clone());
                        let stored = turns(log)
                            .iter()
                            .filter(|turn| turn["turn"] == said["turn"] && turn["content"] == content)
                            .count();
                        assert_eq!(stored, 1, "what is acknowledged is in the log once: {said} {content}");
                    }
                    "closed" => {
                        let superseded = said["code"] == 4001;
                        self.superseded += usize::from(superseded);
                        assert!(
                            !superseded || known.met || known.afresh,
                            "only another connection supersedes"
                        );
                        known.sessions.retain(|session| said["sessionId"] != json!(session));
                    }
                    "document_complete" => {
                        let log = log_of(world, said["sessionId"].as_str());
                        assert!(log.iter().any(|entry| body(entry)["kind"] == "complete"), "{said}");
                    }
                    _ => {}
                }
            }
        }
    }

    fn on_read(&mut self, socket: SocketId, read: &Read) {
        let Read::Text(text) = read else { return };
        let said = plain(text);
        let Some(known) = self.known.get_mut(&socket) else { return };
        if let Some(id) = said["requestId"].as_str() {
            assert!(known.answered.insert(id.to_string()), "a call is answered once: {said}");
            let call = known.calls.remove(id).unwrap_or_else(|| panic!("nobody asked: {said}"));
            let is_old = said["type"] == "session_resumed";
            assert!(!is_old || call["session"].is_null(), "who begins afresh is shown nothing old: {said}");
        }
        let turn = said["turn"].as_u64().unwrap_or(0);
        let named = said["sessionId"].as_str().map(str::to_string);
        let session = named.or(known.sessions.first().cloned()).unwrap_or_default();
        let name = said["type"].as_str().unwrap_or_default();
        if ["session_started", "session_resumed", "next_question", "closed"].contains(&name)
            || (name == "error" && said["requestId"].is_null())
        {
            known.spoken.remove(&session);
        }
        match name {
            "question_delta" => {
                self.deltas += 1;
                assert!(LISTENERS.contains(&known.client), "nobody else hears the AI speak: {said}");
                assert!(
                    known.heard.contains_key(&session),
                    "a question is spoken in an open session: {said}"
                );
                let spoken = known.spoken.entry(session).or_default();
                spoken.push_str(said["text"].as_str().unwrap_or_default());
                assert_eq!(
                    spoken.rfind(OPENING),
                    Some(0),
                    "one question is heard from its beginning: {spoken}"
                );
            }
            "session_started" | "session_resumed" => {
                let is_old = name == "session_resumed";
                assert!(!is_old || !known.is_new, "who begins afresh is shown nothing old: {said}");
                known.heard.insert(session, 0);
                self.turns_shown = said["history"].as_array().map_or(0, Vec::len);
            }
            "next_question" => {
                let before = known.heard.insert(session.clone(), turn);
                let in_order = before.is_some_and(|before| turn > before);
                assert!(in_order, "a question is told once, in order, in an open session: {said}");
                known.asked.insert(session);
            }
            "response_saved" if known.heard.get(&session).is_none_or(|heard| turn >= *heard) => {
                known.asked.remove(&session);
            }
            "closed" => {
                known.heard.remove(&session);
                known.asked.remove(&session);
            }
            "document_complete" => {
                self.finished.insert(known.client);
                self.completed += 1;
            }
            _ => {}
        }
    }

    pub(super) fn assert_all_answered(&self, world: &World) {
        for (socket, known) in &self.known {
            if world.sockets.contains_key(socket) && !known.closed {
                assert!(known.calls.is_empty(), "no call is left without its answer: {:?}", known.calls);
            }
        }
    }

    /// Folds every log and holds the laws of what is stored.
    pub(super) fn assert_logs(&self, world: &World) {
        for (room, logs) in world.store.logs.iter().filter(|(room, _)| room.kind == RoomKind::Document) {
            for log in logs {
                self.assert_log(room, log);
            }
        }
    }

    fn assert_log(&self, room: &RoomId, log: &[Entry]) {
        let (mut turn, mut asking, mut failed, mut over) = (0, true, false, false);
        let mut owner = Value::Null;
        let mut contents = BTreeSet::new();
        for entry in log {
            let kept = body(entry);
            let place = format!("{room:?} {:?} {kept}", entry.seq);
            assert!(!over, "nothing follows the end: {place}");
            match kept["kind"].as_str().unwrap_or_default() {
                "claimed" => owner = kept["connection"].clone(),
                "abandoned" => over = true,
                "question" | "complete" => {
                    assert!(asking && !failed, "exactly one reply follows an answer: {place}");
                    over = kept["kind"] == "complete";
                    asking = false;
                }
                "answer" => {
                    assert!(!asking, "an answer follows a question: {place}");
                    let content = kept["content"].as_str().unwrap_or_default();
                    assert!(contents.insert(content.to_string()), "an answer is stored once: {place}");
                    let by_owner = self
                        .speakers
                        .get(content)
                        .is_some_and(|names| owner.as_str().is_some_and(|owner| names.contains(owner)));
                    assert!(by_owner, "only the connection that has the session writes: {place}, {owner}");
                    (asking, failed) = (true, false);
                }
                "failed" => {
                    assert!(asking && !failed, "a failure is one of a call: {place}");
                    failed = true;
                }
                "retried" => {
                    assert!(failed, "what is asked again has failed: {place}");
                    failed = false;
                }
                other => panic!("what is {other}? {place}"),
            }
            if let Some(number) = kept["turn"].as_u64() {
                turn += 1;
                assert_eq!(number, turn, "turns count from 1 without gaps: {place}");
            }
        }
    }
}

/// What the core says, as it says it on `/documents`.
fn plain(text: &[u8]) -> Value {
    let said: Value = serde_json::from_slice(text).expect("the core sends JSON");
    let Some(name) = said["event"].as_str() else { return said };
    let mut plain = said["data"].clone();
    plain["type"] = json!(name.strip_prefix("document:").unwrap_or(name));
    if said["requestId"].is_string() {
        plain["requestId"] = said["requestId"].clone();
    }
    plain
}

fn body(entry: &Entry) -> Value {
    serde_json::from_slice(&entry.body).expect("an entry is JSON")
}

fn turns(log: &[Entry]) -> Vec<Value> {
    log.iter().map(body).filter(|kept| kept["turn"].is_u64()).collect()
}

fn log_of<'a>(world: &'a World, session: Option<&str>) -> &'a [Entry] {
    let room = session.map(|session| RoomId { kind: RoomKind::Document, name: session.into() });
    room.map_or(&[], |room| world.store.log(&room))
}
