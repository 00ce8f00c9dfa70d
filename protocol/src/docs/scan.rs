//! Reads an update (V1) without `yrs`, in a loop: what is in it, or why it is refused.
//!
//! Whatever passes, `yrs` and `yjs` decode alike, without recursion over 32 levels and without an allocation that
//! its bytes do not justify. What no current `yjs` writes, or what the two read differently, does not pass.

use super::lib0::{NUMBER_MAX, Reader};
use super::sieve::Deletes;
use crate::json;
use std::collections::BTreeSet;
use std::ops::Range;

/// No clock is over this: `yrs` counts distances between clocks in 32 bits with a sign.
pub(super) const CLOCK_MAX: u64 = (1 << 31) - 1;
/// The fewest bytes that a client's structs, a struct, a client's deletions and a deletion take.
const SECTION_BYTES_MIN: usize = 5;
const STRUCT_BYTES_MIN: usize = 2;
const DELETES_BYTES_MIN: usize = 2;
const DELETE_BYTES_MIN: usize = 2;

/// About how many bytes of memory a block takes in `yrs` and in the census, a type or a root besides, and a part of JSON.
pub(super) const BLOCK_WEIGHT: usize = 400;
const TYPE_WEIGHT: usize = 300;
const ROOT_WEIGHT: usize = 1_200;
const JSON_PART_WEIGHT: usize = 120;

/// What says of an item that it has neighbours, or a key.
pub(super) const HAS_ORIGIN: u8 = 0x80;
pub(super) const HAS_RIGHT: u8 = 0x40;
pub(super) const HAS_KEY: u8 = 0x20;
pub(super) const REF: u8 = 0x1f;
pub(super) const REF_GC: u8 = 0;
pub(super) const REF_DELETED: u8 = 1;
pub(super) const REF_BINARY: u8 = 3;
pub(super) const REF_STRING: u8 = 4;
pub(super) const REF_EMBED: u8 = 5;
pub(super) const REF_FORMAT: u8 = 6;
pub(super) const REF_TYPE: u8 = 7;
pub(super) const REF_ANY: u8 = 8;
pub(super) const REF_SKIP: u8 = 10;
pub(super) const TYPE_TEXT: u8 = 2;
const TYPE_XML_ELEMENT: u8 = 3;
const TYPE_XML_HOOK: u8 = 5;
pub(super) const TYPE_XML_TEXT: u8 = 6;
const TYPE_MAX: u8 = TYPE_XML_TEXT;

/// A place in the history: a client, and how many characters or values it had written before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) client: u64,
    pub(super) clock: u32,
}

/// What an update says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scanned {
    /// One for each client that wrote something.
    pub(super) sections: Vec<Section>,
    /// What is deleted of which client's: from clock to clock, in order and apart.
    pub(super) deletes: Deletes,
    /// How many structs there are.
    pub(super) structs: usize,
    /// About how many bytes of memory their content takes.
    pub(super) weight: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) client: u64,
    /// By clock; there may be gaps between them.
    pub(super) structs: Vec<Struct>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Struct {
    pub(super) clock: u32,
    pub(super) len: u32,
    pub(super) info: u8,
    pub(super) origin: Option<Id>,
    pub(super) right: Option<Id>,
    pub(super) parent: Parent,
    /// Where the key stands among the bytes.
    pub(super) key: Option<Range<usize>>,
    /// Where all of it stands, and its content.
    pub(super) whole: Range<usize>,
    pub(super) content: Range<usize>,
}

impl Struct {
    pub(super) fn end(&self) -> u32 {
        self.clock + self.len
    }

    pub(super) fn kind(&self) -> u8 {
        self.info & REF
    }

    /// What has to be there before it.
    pub(super) fn needs(&self) -> impl Iterator<Item = Id> + '_ {
        let parent = match &self.parent {
            Parent::Type(id) => Some(*id),
            Parent::Neighbour | Parent::Root(_) => None,
        };
        [self.origin, self.right, parent].into_iter().flatten()
    }
}

/// What an item belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parent {
    /// To what its neighbours belong to.
    Neighbour,
    /// To a root, whose name stands there.
    Root(Range<usize>),
    /// To another item, which is a type.
    Type(Id),
}

/// Reads a whole update of at most so many structs.
pub(super) fn scan(bytes: &[u8], structs_max: usize) -> Result<Scanned, String> {
    let mut scan = Scan { reader: Reader::new(bytes), structs: 0, structs_max, weight: 0, root: None };
    let (mut sections, mut clients) = (Vec::new(), BTreeSet::new());
    for _ in 0..scan.reader.count("clients", SECTION_BYTES_MIN)? {
        let section = scan.section()?;
        if !clients.insert(section.client) {
            return Err(format!("client {} twice", section.client));
        }
        sections.push(section);
    }
    let deletes = deletes(&mut scan.reader)?;
    scan.reader.end()?;
    Ok(Scanned { sections, deletes, structs: scan.structs, weight: scan.weight + bytes.len() })
}

/// Reads a state vector: how far somebody knows each client.
pub(super) fn scan_state_vector(bytes: &[u8]) -> Result<Vec<(u64, u32)>, String> {
    let mut reader = Reader::new(bytes);
    let mut clocks = Vec::new();
    for _ in 0..reader.count("clients", 2)? {
        clocks.push((reader.number()?, reader.number_within("clock", CLOCK_MAX)? as u32));
    }
    reader.end()?;
    Ok(clocks)
}

struct Scan<'a> {
    reader: Reader<'a>,
    structs: usize,
    structs_max: usize,
    weight: usize,
    /// Where the name of the root stands that was met last.
    root: Option<Range<usize>>,
}

impl Scan<'_> {
    fn section(&mut self) -> Result<Section, String> {
        let count = self.reader.count("structs", STRUCT_BYTES_MIN)?;
        if count == 0 {
            return Err("a client without structs".to_string());
        }
        let client = self.reader.number()?;
        let mut clock = self.reader.number_within("clock", CLOCK_MAX)?;
        let mut structs: Vec<Struct> = Vec::new();
        for _ in 0..count {
            let next = self.one(client, clock as u32)?;
            clock += u64::from(next.len);
            if clock > CLOCK_MAX {
                return Err(format!("clock of {clock} is over the limit of {CLOCK_MAX}"));
            }
            match structs.last_mut() {
                _ if next.info == REF_SKIP => {}
                Some(last) if last.info == REF_GC && next.info == REF_GC && last.end() == next.clock => {
                    last.len += next.len;
                }
                _ => {
                    self.structs += 1;
                    if self.structs > self.structs_max {
                        return Err(format!("over the limit of {} structs", self.structs_max));
                    }
                    structs.push(next);
                }
            }
        }
        Ok(Section { client, structs })
    }

    fn one(&mut self, client: u64, clock: u32) -> Result<Struct, String> {
        let start = self.reader.at();
        let info = self.reader.byte()?;
        let (mut origin, mut right, mut parent, mut key) = (None, None, Parent::Neighbour, None);
        if info != REF_GC && info != REF_SKIP {
            origin = (info & HAS_ORIGIN != 0).then(|| self.id()).transpose()?;
            right = (info & HAS_RIGHT != 0).then(|| self.id()).transpose()?;
            if origin.is_none() && right.is_none() {
                parent = match self.reader.byte()? {
                    0 => Parent::Type(self.id()?),
                    1 => Parent::Root(self.root()?),
                    other => return Err(format!("a parent of the unknown kind {other}")),
                };
                key = (info & HAS_KEY != 0).then(|| self.string()).transpose()?;
            }
        }
        let content = self.reader.at();
        let len = self.content(info)?;
        let end = self.reader.at();
        let next =
            Struct { clock, len, info, origin, right, parent, key, whole: start..end, content: content..end };
        // `yjs` looks for these before it knows that they are not there.
        let late = next.needs().find(|id| id.client == client && id.clock >= clock);
        match late {
            Some(id) => Err(format!("struct {clock} of client {client} builds on {}, after it", id.clock)),
            None => Ok(next),
        }
    }

    /// Passes over an item's content; says its length.
    fn content(&mut self, info: u8) -> Result<u32, String> {
        let len = match info & REF {
            REF_GC | REF_SKIP if info & !REF != 0 => {
                return Err(format!("a struct of the unknown kind {info}"));
            }
            REF_GC | REF_SKIP | REF_DELETED => self.reader.number_within("length", CLOCK_MAX)?,
            REF_BINARY => self.reader.buffer().map(|_| 1)?,
            REF_STRING => self.reader.string()?.encode_utf16().count() as u64,
            REF_EMBED => match self.json()?.trim_start().starts_with('"') {
                false => 1,
                // `yrs` does not tell it from the text around it.
                true => return Err("an embed that is text".to_string()),
            },
            REF_FORMAT => {
                self.reader.string()?;
                self.json().map(|_| 1)?
            }
            REF_TYPE => {
                self.weight += TYPE_WEIGHT;
                self.type_ref().map(|()| 1)?
            }
            REF_ANY => {
                let count = self.reader.count("values", 1)?;
                for _ in 0..count {
                    self.weight += self.reader.value()?;
                }
                count
            }
            kind => return Err(format!("content of the kind {kind}, which is not kept")),
        };
        match u32::try_from(len) {
            Ok(0) => Err("a struct of length 0".to_string()),
            Ok(len) => Ok(len),
            Err(_) => Err(format!("length of {len} is over the limit of {CLOCK_MAX}")),
        }
    }

    /// JSON in a string, which `yrs` reads and writes as a value.
    fn json(&mut self) -> Result<&str, String> {
        let text = self.reader.string()?;
        json::check(text.as_bytes())?;
        yrs::Any::from_json(text).map_err(|error| error.to_string())?;
        let parts = text.bytes().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count();
        self.weight += parts * JSON_PART_WEIGHT;
        Ok(text)
    }

    fn type_ref(&mut self) -> Result<(), String> {
        match self.reader.byte()? {
            TYPE_XML_ELEMENT => self.reader.string().map(drop),
            kind if kind <= TYPE_MAX && kind != TYPE_XML_HOOK => Ok(()),
            kind => Err(format!("a type of the kind {kind}, which is not kept")),
        }
    }

    fn id(&mut self) -> Result<Id, String> {
        let client = self.reader.number_within("client", NUMBER_MAX)?;
        Ok(Id { client, clock: self.reader.number_within("clock", CLOCK_MAX)? as u32 })
    }

    /// Passes over the name of a root. It weighs where it is another than that before it.
    fn root(&mut self) -> Result<Range<usize>, String> {
        let name = self.string()?;
        let is_known = self.root.as_ref().is_some_and(|last| self.reader.is_same(last, &name));
        self.weight += if is_known { 0 } else { ROOT_WEIGHT };
        self.root = Some(name.clone());
        Ok(name)
    }

    /// Passes over a string; says where it stands.
    fn string(&mut self) -> Result<Range<usize>, String> {
        let length = self.reader.string()?.len();
        Ok(self.reader.at() - length..self.reader.at())
    }
}

/// Reads a delete set and puts it in order.
fn deletes(reader: &mut Reader<'_>) -> Result<Deletes, String> {
    let (mut all, mut clients) = (Vec::new(), BTreeSet::new());
    for _ in 0..reader.count("clients", DELETES_BYTES_MIN)? {
        let client = reader.number()?;
        if !clients.insert(client) {
            return Err(format!("deletions of client {client} twice"));
        }
        let mut ranges: Vec<Range<u32>> = Vec::new();
        for _ in 0..reader.count("deletions", DELETE_BYTES_MIN)? {
            let start = reader.number_within("clock", CLOCK_MAX)?;
            let end = start + reader.number_within("length", CLOCK_MAX)?;
            if end > CLOCK_MAX {
                return Err(format!("clock of {end} is over the limit of {CLOCK_MAX}"));
            }
            ranges.push(start as u32..end as u32);
        }
        ranges.sort_by_key(|range| range.start);
        let mut apart: Vec<Range<u32>> = Vec::new();
        for range in ranges.into_iter().filter(|range| !range.is_empty()) {
            match apart.last_mut() {
                Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
                _ => apart.push(range),
            }
        }
        all.push((client, apart));
    }
    Ok(all)
}
