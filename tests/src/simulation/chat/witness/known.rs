//! What the witness knows of one connection.

use parlor_protocol::store::Entry;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A call that a client made.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) room: String,
    pub(super) name: String,
    pub(super) data: Value,
    /// Whether the same user said something under this id before.
    pub(super) again: bool,
}

/// What a connection knows.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) client: usize,
    /// The rooms it is in, and up to where it has heard them.
    pub(super) heard: BTreeMap<String, u64>,
    pub(super) asked: BTreeMap<String, Asked>,
    pub(super) answered: BTreeSet<String>,
    /// The last call that left each room and was answered.
    pub(super) left: BTreeMap<String, u64>,
    /// The rooms that the core has let it into and not out of.
    pub(super) listens: BTreeSet<String>,
    /// What it heard as an event since it last came into the room.
    pub(super) events: BTreeSet<(String, u64)>,
    /// Whether its client knows that it is connected.
    pub(super) came: bool,
    /// What it said before it was cut off and had no answer to: stored perhaps, and then not told to it again.
    pub(super) perhaps: BTreeSet<String>,
    /// How often each room was deleted when it was cut off.
    pub(super) deletions: BTreeMap<String, usize>,
}

impl Known {
    /// What is left of it when it is cut off.
    pub(super) fn left_behind(mut self, deletions: &BTreeMap<String, usize>) -> Self {
        let sends = self.asked.values().filter(|asked| asked.name == "chat:message:send");
        self.perhaps.extend(sends.map(|asked| asked.data["content"].to_string()));
        Self { asked: BTreeMap::new(), answered: BTreeSet::new(), deletions: deletions.clone(), ..self }
    }

    /// Passes over its own entries after the place in the room that it was cut off from, up to `before`.
    pub(super) fn pass_own(&mut self, room: &str, log: &[Entry], before: u64) {
        let Some(at) = self.heard.get_mut(room) else { return };
        while *at < before
            && log.get(*at as usize).is_some_and(|entry| {
                let body: Value = serde_json::from_slice(&entry.body).expect("a message");
                self.perhaps.contains(&body["content"].to_string())
            })
        {
            *at += 1;
        }
    }
}
