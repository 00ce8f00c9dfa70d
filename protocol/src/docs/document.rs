//! One Yjs document, in `yrs`. What reaches `yrs` was scanned and sieved; what leaves it is settled.

use super::census::{Census, Owner};
use super::job::{DOCUMENT_BYTES_MAX, UPDATE_BYTES_MAX, WEIGHT_MAX, Why};
use super::lib0::write_number;
use super::restore::{RootKinds, content, read_through};
use super::scan::{BLOCK_WEIGHT, Scanned, scan, scan_state_vector};
use super::settle::settle;
use super::sieve::{Deletes, Sieved, Stretch, rounds, sieve};
use bytes::Bytes;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use yrs::updates::decoder::Decode;
use yrs::{ClientID, Doc, OffsetKind, Options, ReadTxn, StateVector, Transact, TransactionMut, Update};

/// About how many bytes of memory each client takes.
const CLIENT_WEIGHT: usize = 200;
/// The most clients that may have written to a document: `yrs` lists them all again and again.
const CLIENTS_MAX: usize = 1 << 16;
/// The client id that nobody writes with.
const NOBODY: u64 = 0;

/// One document.
pub(super) struct Document {
    doc: Doc,
    census: Census,
    bytes: usize,
    /// How much memory its content takes, without the blocks.
    content_weight: usize,
    /// At which weight and size both are counted anew.
    count_at: usize,
    count_bytes_at: usize,
    full: Option<Why>,
}

impl Default for Document {
    fn default() -> Self {
        Self::new(NOBODY)
    }
}

/// What came of an update.
pub(super) struct Taken {
    /// What was new in it; empty if nothing was.
    pub(super) update: Bytes,
    /// Whether something was left out.
    pub(super) pending: bool,
}

/// Why it did not go in.
pub(super) enum Fault {
    /// It was refused, and the document is as it was.
    Refused(Why),
    /// The document is not to be used any more.
    Broken,
}

impl Document {
    /// An empty one that writes with this client id.
    fn new(client: u64) -> Self {
        let guid = "00000000-0000-0000-0000-000000000000".into();
        let mut options = Options::with_guid_and_client_id(guid, ClientID::new(client));
        options.offset_kind = OffsetKind::Utf16;
        options.cleanup_formatting = false;
        Self {
            doc: Doc::with_options(options),
            census: Census::default(),
            bytes: 0,
            content_weight: 0,
            count_at: WEIGHT_MAX,
            count_bytes_at: DOCUMENT_BYTES_MAX,
            full: None,
        }
    }

    /// One that holds this state.
    pub(super) fn load(state: &[u8]) -> Result<Self, String> {
        Self::load_as(state, NOBODY)
    }

    /// One that holds this state and writes with this client id.
    pub(super) fn load_as(state: &[u8], client: u64) -> Result<Self, String> {
        let mut document = Self::new(client);
        // It is measured when all of it is there.
        (document.count_at, document.count_bytes_at) = (usize::MAX, usize::MAX);
        document.replay(state)?;
        document.measure(state.len());
        Ok(document)
    }

    /// Takes in what our own log holds.
    pub(super) fn replay(&mut self, update: &[u8]) -> Result<(), String> {
        let scanned = scan(update, usize::MAX)?;
        self.census.begin(None);
        match self.take(update, &scanned) {
            Ok(Taken { pending: false, .. }) => Ok(()),
            Ok(Taken { pending: true, .. }) => Err("it builds on what is not there".to_string()),
            Err(Fault::Refused(why)) => Err(why.to_string()),
            Err(Fault::Broken) => Err("yrs broke".to_string()),
        }
    }

    /// Takes in what a client sent.
    pub(super) fn apply(&mut self, update: &[u8]) -> Result<Taken, Fault> {
        if let Some(full) = &self.full {
            return Err(Fault::Refused(full.clone()));
        }
        if update.len() > UPDATE_BYTES_MAX {
            let actual = update.len();
            return Err(Fault::Refused(Why::TooLarge { limit: UPDATE_BYTES_MAX, actual }));
        }
        let malformed = |fault| Fault::Refused(Why::Malformed(fault));
        let scanned = scan(update, WEIGHT_MAX / BLOCK_WEIGHT).map_err(malformed)?;
        let actual = self.weight() + scanned.weight + scanned.structs * BLOCK_WEIGHT;
        if actual > WEIGHT_MAX {
            return Err(Fault::Refused(Why::Full { limit: WEIGHT_MAX, actual }));
        }
        self.census.begin(Some(update.len()));
        self.take(update, &scanned)
    }

    /// Whether all that an update says is here. What is no update is not.
    pub(super) fn knows(&mut self, update: &[u8]) -> bool {
        let Ok(scanned) = scan(update, WEIGHT_MAX / BLOCK_WEIGHT) else { return false };
        self.census.begin(Some(update.len()));
        let sieved = sieve(&mut self.census, update, &scanned);
        self.census.forget();
        let Ok(sieved) = sieved else { return false };
        if sieved.pending || sieved.parts.iter().any(|part| part.structs > 0) {
            return false;
        }
        let gone = self.doc.transact().snapshot().delete_set;
        let gone: BTreeMap<u64, Vec<Range<u32>>> =
            gone.iter().map(|(client, ranges)| (client.get(), ranges.iter().cloned().collect())).collect();
        // They are in order and apart.
        let is_gone = |client: u64, range: &Range<u32>| {
            let ranges = gone.get(&client).map(Vec::as_slice).unwrap_or_default();
            let after = ranges.partition_point(|known| known.start <= range.start);
            after > 0 && range.end <= ranges[after - 1].end
        };
        let mut deletes = sieved.deletes_before.iter().chain(&sieved.deletes_after);
        deletes.all(|(client, ranges)| ranges.iter().all(|range| is_gone(*client, range)))
    }

    fn take(&mut self, update: &[u8], scanned: &Scanned) -> Result<Taken, Fault> {
        let sieved = match sieve(&mut self.census, update, scanned) {
            Ok(sieved) => sieved,
            Err(fault) => {
                self.census.forget();
                return Err(Fault::Refused(Why::Malformed(fault)));
            }
        };
        self.census.keep();
        let deleted = self.integrate(&sieved).ok_or(Fault::Broken)?;
        let update = encode(&sieved, &deleted);
        if !update.is_empty() {
            self.grow(update.len(), scanned, &sieved)?;
        }
        Ok(Taken { update, pending: sieved.pending })
    }

    /// Has `yrs` take it in; says what was deleted by it. None if `yrs` broke.
    fn integrate(&mut self, sieved: &Sieved) -> Option<Deletes> {
        let mut transaction = self.doc.transact_mut();
        let deleted = catch_unwind(AssertUnwindSafe(|| {
            // What is there is deleted first: so long texts are cut in halves, not slice by slice, and what is
            // written in place of the deleted finds them cut.
            apply_deletes(&mut transaction, &sieved.deletes_before)?;
            for (at, stretch) in &sieved.order {
                let part = &sieved.parts[*at];
                let mut update = write_structs([(part.client, stretch, &part.bytes[stretch.bytes.clone()])]);
                update.push(0);
                apply(&mut transaction, &update)?;
            }
            apply_deletes(&mut transaction, &sieved.deletes_after)?;
            transaction.commit();
            (!transaction.has_missing_updates()).then(|| {
                let ranges = transaction.delete_set().iter();
                ranges.map(|(client, ranges)| (client.get(), ranges.iter().cloned().collect())).collect()
            })
        }));
        // It commits as it goes, which may break again.
        let gone = catch_unwind(AssertUnwindSafe(|| drop(transaction)));
        deleted.ok().flatten().filter(|_| gone.is_ok())
    }

    /// The document is larger now.
    fn grow(&mut self, bytes: usize, scanned: &Scanned, sieved: &Sieved) -> Result<(), Fault> {
        let written = sieved.parts.iter().any(|part| part.structs > 0);
        self.bytes += bytes;
        self.content_weight += if written { scanned.weight } else { 0 };
        if self.weight() > self.count_at || self.bytes > self.count_bytes_at {
            self.count().ok_or(Fault::Broken)?;
        }
        Ok(())
    }

    /// Counts how large it is. What was estimated before is too much, as deleted content is forgotten and blocks are
    /// joined: so it goes on as one that is loaded.
    fn count(&mut self) -> Option<()> {
        *self = Self::load(&self.whole()?).ok()?;
        Some(())
    }

    /// Takes note of how large it is, whose state has so many bytes.
    fn measure(&mut self, bytes: usize) {
        let (weight, clients) = (self.weight(), self.census.ends().len());
        self.bytes = bytes;
        self.count_at = (weight + WEIGHT_MAX / 8).max(WEIGHT_MAX);
        self.count_bytes_at = (bytes + DOCUMENT_BYTES_MAX / 8).max(DOCUMENT_BYTES_MAX);
        self.full = if bytes > DOCUMENT_BYTES_MAX {
            Some(Why::Full { limit: DOCUMENT_BYTES_MAX, actual: bytes })
        } else if weight > WEIGHT_MAX {
            Some(Why::Full { limit: WEIGHT_MAX, actual: weight })
        } else if clients > CLIENTS_MAX {
            Some(Why::TooManyClients { limit: CLIENTS_MAX, actual: clients })
        } else {
            None
        };
    }

    /// What is missing to who has this state vector.
    pub(super) fn diff(&self, since: &[u8]) -> Result<Vec<u8>, Fault> {
        let clocks = match since {
            [] => Vec::new(),
            since => scan_state_vector(since).map_err(|fault| Fault::Refused(Why::Malformed(fault)))?,
        };
        let since = clocks.into_iter().map(|(client, clock)| (ClientID::new(client), clock)).collect();
        self.since(&since).ok_or(Fault::Broken)
    }

    /// The whole state. None if `yrs` broke.
    pub(super) fn whole(&self) -> Option<Vec<u8>> {
        self.since(&StateVector::default())
    }

    fn since(&self, since: &StateVector) -> Option<Vec<u8>> {
        let encoded = catch_unwind(AssertUnwindSafe(|| self.doc.transact().encode_diff_v1(since)));
        settle(&encoded.ok()?).ok()
    }

    /// The whole state, read back by a document that is empty, and which this one is from now on: so it holds what it
    /// holds for whoever loads it.
    pub(super) fn fold(&mut self) -> Result<Vec<u8>, String> {
        let state = self.whole().ok_or("yrs broke")?;
        let read = Self::load(&state)?;
        if !read.census.ends().eq(self.census.ends()) {
            return Err("it says less than the document".to_string());
        }
        read_through(&read)?;
        *self = read;
        Ok(state)
    }

    /// What it holds, as JSON.
    pub(super) fn content(&self) -> Result<Json, String> {
        content(self, &Self::load(&self.whole().ok_or("yrs broke")?)?)
    }

    pub(super) fn doc(&self) -> &Doc {
        &self.doc
    }

    /// Which kinds of content each root has had, without what stands under keys.
    pub(super) fn root_kinds(&self) -> RootKinds {
        let mut kinds = RootKinds::new();
        for (list, known) in self.census.lists() {
            if let Owner::Root(name) = &list.owner {
                let kind = if list.key.is_none() { known.kinds } else { 0 };
                *kinds.entry(name.clone()).or_default() |= kind;
            }
        }
        kinds
    }

    pub(super) fn state_vector(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write_number(&mut out, self.census.ends().len() as u64);
        for (client, end) in self.census.ends() {
            write_number(&mut out, client);
            write_number(&mut out, u64::from(end));
        }
        out
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn weight(&self) -> usize {
        self.content_weight + self.census.blocks() * BLOCK_WEIGHT + self.census.ends().len() * CLIENT_WEIGHT
    }

    pub(super) fn full(&self) -> Option<&Why> {
        self.full.as_ref()
    }
}

fn apply(transaction: &mut TransactionMut<'_>, update: &[u8]) -> Option<()> {
    transaction.apply_update(Update::decode_v1(update).ok()?).ok()
}

fn apply_deletes(transaction: &mut TransactionMut<'_>, deletes: &Deletes) -> Option<()> {
    for deletes in rounds(deletes) {
        let mut update = vec![0];
        write_deletes(&mut update, &deletes);
        apply(transaction, &update)?;
    }
    Some(())
}

/// What was new, as an update; empty if nothing was.
fn encode(sieved: &Sieved, deleted: &Deletes) -> Bytes {
    let parts: Vec<_> = sieved.parts.iter().map(|part| (part, part.stretch())).collect();
    let parts = parts.iter().filter(|(part, _)| part.structs > 0);
    let mut update = write_structs(parts.map(|(part, whole)| (part.client, whole, &part.bytes[..])));
    if update == [0] && deleted.is_empty() {
        return Bytes::new();
    }
    write_deletes(&mut update, deleted);
    update.into()
}

fn write_structs<'a>(parts: impl IntoIterator<Item = (u64, &'a Stretch, &'a [u8])>) -> Vec<u8> {
    let (mut body, mut count) = (Vec::new(), 0);
    for (client, stretch, bytes) in parts {
        count += 1;
        for number in [stretch.structs, client, u64::from(stretch.clock)] {
            write_number(&mut body, number);
        }
        body.extend_from_slice(bytes);
    }
    let mut out = Vec::with_capacity(body.len() + 8);
    write_number(&mut out, count);
    out.append(&mut body);
    out
}

/// Writes a delete set, the client with the highest id first as `yjs` does.
pub(super) fn write_deletes(out: &mut Vec<u8>, deletes: &[(u64, Vec<Range<u32>>)]) {
    let mut deletes: Vec<_> = deletes.iter().collect();
    deletes.sort_by_key(|(client, _)| std::cmp::Reverse(*client));
    write_number(out, deletes.len() as u64);
    for (client, ranges) in deletes {
        write_number(out, *client);
        write_number(out, ranges.len() as u64);
        for range in ranges {
            write_number(out, u64::from(range.start));
            write_number(out, u64::from(range.end - range.start));
        }
    }
}
