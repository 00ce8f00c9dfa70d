//! Somebody's copy of a document, in `yrs`: edited at random, brought up to date with what is heard, and compared.

use super::super::dice::Dice;
use parlor_protocol::store::Entry;
use std::collections::BTreeSet;
use yrs::types::ToJson;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{
    Array, ArrayRef, ClientID, Doc, GetString, ID, IdSet, Map, MapRef, OffsetKind, Options, ReadTxn,
    Snapshot, StateVector, Text, TextRef, Transact, Update,
};

const WORDS: [&str; 4] = ["a", "bc", "ö", "long words "];
const KEYS: [&str; 3] = ["k", "l", "m"];

/// A copy.
pub struct Copy {
    doc: Doc,
    text: TextRef,
    map: MapRef,
    array: ArrayRef,
    /// Whom it writes as.
    pub client: u64,
}

impl std::fmt::Debug for Copy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Copy").field("client", &self.client).field("content", &self.content()).finish()
    }
}

impl Copy {
    /// An empty one.
    pub fn new(client: u64) -> Self {
        let guid = "00000000-0000-0000-0000-000000000000".into();
        let mut options = Options::with_guid_and_client_id(guid, ClientID::new(client));
        options.offset_kind = OffsetKind::Utf16;
        let doc = Doc::with_options(options);
        let (text, map, array) =
            (doc.get_or_insert_text("t"), doc.get_or_insert_map("m"), doc.get_or_insert_array("a"));
        Self { doc, text, map, array, client }
    }

    /// One that has what these updates say.
    pub fn of<'a>(updates: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut copy = Self::new(1);
        updates.into_iter().for_each(|update| copy.apply(update));
        copy
    }

    /// Changes something, and says it as an update.
    pub fn edit(&mut self, dice: &mut Dice) -> Vec<u8> {
        let mut txn = self.doc.transact_mut();
        let length = self.text.len(&txn);
        let key = KEYS[dice.below(3) as usize];
        match dice.below(12) {
            0..=2 if length > 0 => {
                let from = dice.below(u64::from(length)) as u32;
                self.text.remove_range(
                    &mut txn,
                    from,
                    1 + dice.below(u64::from(length - from).min(8)) as u32,
                );
            }
            3 => drop(self.map.remove(&mut txn, key)),
            4..=5 => drop(self.map.insert(&mut txn, key, dice.below(1_000) as i64)),
            6 => {
                let place = dice.below(u64::from(self.array.len(&txn)) + 1) as u32;
                self.array.insert(&mut txn, place, dice.below(1_000) as i64);
            }
            7 if self.array.len(&txn) > 0 => {
                let place = dice.below(u64::from(self.array.len(&txn))) as u32;
                self.array.remove(&mut txn, place);
            }
            _ => {
                let word = WORDS[dice.below(4) as usize];
                self.text.insert(&mut txn, dice.below(u64::from(length) + 1) as u32, word);
            }
        }
        txn.encode_update_v1()
    }

    /// Takes in an update.
    pub fn apply(&mut self, update: &[u8]) {
        let update = Update::decode_v1(update).expect("the server sends updates");
        self.doc.transact_mut().apply_update(update).expect("an update that can be applied");
    }

    /// Its state vector.
    pub fn vector(&self) -> Vec<u8> {
        self.doc.transact().state_vector().encode_v1()
    }

    /// What somebody lacks who has this state vector.
    pub fn diff(&self, vector: &[u8]) -> Vec<u8> {
        let vector = StateVector::decode_v1(vector).expect("the server sends state vectors");
        self.doc.transact().encode_diff_v1(&vector)
    }

    /// All it has.
    pub fn state(&self) -> Vec<u8> {
        self.diff(&[0])
    }

    /// Whether all that an update says is in it.
    pub fn contains(&self, update: &[u8]) -> bool {
        let update = Update::decode_v1(update).expect("an update");
        let own = self.snapshot();
        let mut known = IdSet::new();
        own.state_map.iter().for_each(|(client, clock)| known.insert(ID::new(*client, 0), *clock));
        let inserts = update.insertions(true);
        inserts.diff(&known).is_empty() && update.delete_set().diff(&own.delete_set).is_empty()
    }

    /// Whether it has everything that another one has.
    pub fn has_all_of(&self, other: &Self) -> bool {
        self.contains(&other.state())
    }

    /// What was inserted and deleted.
    pub fn snapshot(&self) -> Snapshot {
        self.doc.transact().snapshot()
    }

    /// What it says.
    pub fn content(&self) -> String {
        let txn = self.doc.transact();
        let mut said = String::new();
        said.push_str(&self.text.get_string(&txn));
        self.array.to_json(&txn).to_json(&mut said);
        for key in KEYS {
            said.push_str(&format!(" {key}={:?}", self.map.get(&txn, key).map(|value| value.to_json(&txn))));
        }
        said
    }
}

/// The change that an entry keeps, if it keeps one: one byte says so, then follow the version that it brings back
/// where it does, and the name.
pub fn update_in(entry: &Entry) -> Option<&[u8]> {
    let header = match entry.body.first()? {
        1 => 1,
        2 => 9,
        _ => return None,
    };
    entry.body.get(header + 1 + usize::from(*entry.body.get(header)?)..)
}

/// A document as its log says it, entry by entry.
#[derive(Debug)]
pub struct Reference {
    /// The document.
    pub copy: Copy,
    /// How many entries are in it.
    pub length: usize,
    updates: BTreeSet<Vec<u8>>,
}

impl Default for Reference {
    fn default() -> Self {
        Self { copy: Copy::new(1), length: 0, updates: BTreeSet::new() }
    }
}

impl Reference {
    /// Takes in what a log has more. Every entry makes sense with those before it.
    pub fn catch_up(&mut self, log: &[Entry]) {
        for entry in &log[self.length..] {
            self.length += 1;
            assert_eq!(entry.seq.0, self.length as u64, "the places of a log have no gaps");
            let Some(update) = update_in(entry) else { continue };
            assert!(!self.copy.contains(update), "what is stored is new: {entry:?}");
            self.copy.apply(update);
            assert!(self.copy.contains(update), "an entry builds on those before it: {}", entry.seq.0);
            self.updates.insert(update.to_vec());
        }
    }

    /// Whether all that an update says is in the log.
    pub fn contains(&self, update: &[u8]) -> bool {
        self.updates.contains(update) || self.copy.contains(update)
    }
}
