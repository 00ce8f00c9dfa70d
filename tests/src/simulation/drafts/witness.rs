//! What everybody hears of drafts, held against the logs. Which fault each law catches stands in
//! `suite/laws/drafts.rs`.

use super::copy::{Copy, Reference};
use super::dialect::{Dialect, Word};
use parlor_protocol::store::Entry;
use parlor_protocol::y_sync::awareness;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What a connection knows of a draft.
#[derive(Debug, Default)]
pub struct Seat {
    /// Whether it is in.
    pub inside: bool,
    /// How long the log was when it heard that.
    pub from: usize,
    /// What it says where it is with, and how often it said so.
    pub clock: u64,
    /// Updates that it sent under ids that were not answered.
    pub unsaved: BTreeMap<String, Vec<u8>>,
    /// The same of its earlier sittings on this connection: they may be answered yet.
    pub earlier: BTreeMap<String, Vec<u8>>,
    /// How many changes a Hocuspocus provider counts as unsynced.
    pub unsynced: u32,
    /// What it sent since that was none.
    pub sent: Vec<Vec<u8>>,
    /// Where others are, as it was told last.
    pub here: BTreeMap<u64, (u64, Value)>,
    /// Places of what was said about the document.
    pub said: BTreeSet<u64>,
    /// How often something of it was refused.
    pub refusals: usize,
    /// Whether it was told to load the document anew.
    pub reloads: bool,
}

/// Who listens.
#[derive(Debug, Clone, Copy)]
pub struct Listener {
    /// How it speaks.
    pub dialect: Dialect,
    /// Whether it reads all at once, so that what it hears was said just now.
    pub is_fast: bool,
    /// Whether it may hear this draft.
    pub may: bool,
}

/// A draft's log, and what is held against it.
#[derive(Debug, Default)]
pub struct Witness {
    /// The document as the log says it.
    pub reference: Reference,
    /// How often each of these was heard: updates, saved, states, awareness, comments.
    pub counts: [usize; 5],
}

impl Witness {
    /// Something was heard. The log is what is stored by now.
    pub fn hear(&mut self, seat: &mut Seat, listener: Listener, word: &Word, log: &[Entry]) {
        self.reference.catch_up(log);
        let tells = matches!(
            word,
            Word::State(_)
                | Word::Update(..)
                | Word::Awareness(_)
                | Word::Said(..)
                | Word::People
                | Word::Wants(_)
        );
        assert!(
            !tells || listener.may || !listener.is_fast,
            "nobody hears a draft that it may not: {word:?}"
        );
        match word {
            Word::Update(update, _) => {
                self.counts[0] += 1;
                assert!(seat.inside, "an update is told to who is in");
                assert!(self.reference.contains(update), "nobody hears an update that is not in the log");
            }
            Word::State(update) => {
                self.counts[2] += 1;
                assert!(self.reference.contains(update), "nobody is told a state that is not in the log");
            }
            Word::Saved(Some(id)) => {
                self.counts[1] += 1;
                let update = seat.unsaved.remove(id).or_else(|| seat.earlier.remove(id));
                let update = update.expect("what is saved was sent, and is answered once");
                assert!(self.reference.contains(&update), "what is saved is in the log");
            }
            Word::Saved(None) => self.on_status(seat),
            Word::Awareness(states) => self.on_awareness(seat, states),
            Word::Said(name, data) => self.on_said(seat, name, data, log),
            Word::Refused(code, text) if code == "CONFLICT" && text == "reload" => {
                assert!(!seat.reloads, "who does not answer hears it once");
                seat.reloads = true;
            }
            Word::Refused(..) => seat.refusals += 1,
            Word::Open
            | Word::Auth(_)
            | Word::Inside
            | Word::Out
            | Word::Wants(_)
            | Word::People
            | Word::Engine(_)
            | Word::Connected => {}
        }
    }

    /// As the provider counts: when it takes all for synced, all of it has to be in the log.
    fn on_status(&mut self, seat: &mut Seat) {
        self.counts[1] += 1;
        seat.unsynced = seat.unsynced.saturating_sub(1);
        if seat.unsynced == 0 {
            for update in seat.sent.drain(..) {
                assert!(self.reference.contains(&update), "what a provider takes for synced is in the log");
            }
        }
    }

    /// A state says who spoke: nobody speaks for somebody else who is there.
    fn on_awareness(&mut self, seat: &mut Seat, states: &[u8]) {
        self.counts[3] += 1;
        for state in awareness::read(states).expect("states") {
            let Some(text) = state.state else {
                seat.here.remove(&state.client);
                continue;
            };
            let said: Value = serde_json::from_str(&text).expect("JSON");
            if let Some((clock, before)) = seat.here.get(&state.client) {
                assert_eq!(before["by"], said["by"], "nobody speaks for another who is there: {said}");
                assert!(state.clock >= *clock, "nobody goes back: {said}");
            }
            seat.here.insert(state.client, (state.clock, said));
        }
    }

    fn on_said(&mut self, seat: &mut Seat, name: &str, data: &Value, log: &[Entry]) {
        self.counts[4] += 1;
        let seq = data["seq"].as_u64().expect("a place");
        assert!(seat.said.last().is_none_or(|last| *last < seq), "once and in order: {data} {:?}", seat.said);
        seat.said.insert(seq);
        let entry = &log[seq as usize - 1];
        let body: Value = serde_json::from_slice(&entry.body).expect("JSON");
        assert_eq!(data["userId"], json!(entry.author.as_str()), "who said it is who is told");
        assert_eq!(body["threadId"], data["threadId"], "what is told is stored");
        match name {
            "comment-added" => assert_eq!(
                (&body["text"], data["commentId"].as_str()),
                (&data["text"], Some(entry.id.as_str())),
                "what is told is stored"
            ),
            _ => assert_eq!(body["resolved"], data["resolved"], "what is told is stored"),
        }
    }

    /// When all is quiet: what somebody has who was there.
    pub fn at_rest(&mut self, seat: &Seat, dialect: Dialect, copy: Option<&Copy>, log: &[Entry]) {
        self.reference.catch_up(log);
        assert!(seat.inside, "who comes in is in: {seat:?}");
        if let Some(copy) = copy {
            assert_eq!(copy.content(), self.reference.copy.content(), "all that stay have the same document");
            assert_eq!(copy.snapshot(), self.reference.copy.snapshot(), "and the same state");
            let unanswered = seat.unsaved.len();
            assert!(unanswered <= seat.refusals, "every update is answered: {:?}", seat.unsaved.keys());
            assert_eq!(seat.unsynced, 0, "a provider knows that all is synced");
        }
        if !dialect.is_provider() {
            let missed = log[seat.from..]
                .iter()
                .find(|entry| entry.body.first() == Some(&b'{') && !seat.said.contains(&entry.seq.0));
            assert_eq!(missed, None, "nobody misses what is said while it is there");
        }
    }

    /// What the REST API lists as comments, from the log alone.
    pub fn comments(log: &[Entry]) -> Value {
        let mut threads: Vec<Value> = Vec::new();
        for entry in log.iter().filter(|entry| entry.body.first() == Some(&b'{')) {
            let body: Value = serde_json::from_slice(&entry.body).expect("JSON");
            let place = threads.iter().position(|thread| thread["threadId"] == body["threadId"]);
            if body["kind"] == "resolve" {
                threads[place.expect("its thread")]["resolved"] = body["resolved"].clone();
                continue;
            }
            let place = place.unwrap_or_else(|| {
                threads.push(json!({"threadId": body["threadId"], "resolved": false, "comments": []}));
                threads.len() - 1
            });
            let comment = json!([entry.id.as_str(), entry.author.as_str(), body["text"], entry.seq.0]);
            threads[place]["comments"].as_array_mut().expect("a list").push(comment);
        }
        json!(threads)
    }
}
