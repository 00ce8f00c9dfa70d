//! What the witness knows of one connection.

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
#[derive(Debug, Default)]
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
}
