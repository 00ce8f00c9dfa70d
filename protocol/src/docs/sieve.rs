//! What of a scanned update can go into a document now, and that alone: no struct that is there already, none
//! that builds on what is not there, and nothing that `yrs` and `yjs` would place differently.
//!
//! So `yrs` never keeps anything pending and never fills a gap; both are where it breaks.

use super::census::Census;
use super::lib0::{Reader, write_buffer, write_number};
use super::scan::{HAS_ORIGIN, Id, REF_ANY, REF_DELETED, REF_GC, REF_STRING, Scanned, Section, Struct};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

/// What goes into the document.
#[derive(Debug, Default)]
pub(super) struct Sieved {
    /// What each client wrote, that with the highest id first.
    pub(super) parts: Vec<Part>,
    /// In which order it can be taken in: which part, and how far into it.
    pub(super) order: Vec<(usize, Stretch)>,
    /// What is deleted of what was there before, and of what comes with it.
    pub(super) deletes_before: Deletes,
    pub(super) deletes_after: Deletes,
    /// Whether something was left out that builds on what is not there.
    pub(super) pending: bool,
}

/// From clock to clock of each client, in order and apart.
pub(super) type Deletes = Vec<(u64, Vec<Range<u32>>)>;

/// Structs of one client, encoded one after another.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) client: u64,
    pub(super) clock: u32,
    pub(super) structs: u64,
    pub(super) bytes: Vec<u8>,
}

impl Part {
    /// All of it.
    pub(super) fn stretch(&self) -> Stretch {
        Stretch { clock: self.clock, structs: self.structs, bytes: 0..self.bytes.len() }
    }
}

/// Some structs of a part that follow each other.
#[derive(Debug, Clone)]
pub(super) struct Stretch {
    pub(super) clock: u32,
    pub(super) structs: u64,
    pub(super) bytes: Range<usize>,
}

/// Sieves an update. The census has taken note of what passed; on a fault it has to forget.
pub(super) fn sieve(census: &mut Census, bytes: &[u8], scanned: &Scanned) -> Result<Sieved, String> {
    let mut sections: Vec<&Section> = scanned.sections.iter().collect();
    sections.sort_by_key(|section| std::cmp::Reverse(section.client));
    let mut sieve = Sieve { census, bytes, waiting: BTreeMap::new(), open: None, out: Sieved::default() };
    let mut next = vec![0; sections.len()];
    for section in &sections {
        let clock = sieve.census.end(section.client);
        sieve.out.parts.push(Part { client: section.client, clock, structs: 0, bytes: Vec::new() });
    }
    // The last is taken first.
    let mut ready: Vec<usize> = (0..sections.len()).rev().collect();
    while let Some(at) = ready.pop() {
        sieve.section(at, sections[at], &mut next[at])?;
        // Whoever waited for what is there now goes on.
        let client = sections[at].client;
        let end = sieve.census.end(client);
        while let Some((&place, _)) = sieve.waiting.range((client, 0)..(client, end)).next() {
            ready.extend(sieve.waiting.remove(&place).into_iter().flatten());
        }
    }
    sieve.out.pending = next.iter().zip(&sections).any(|(next, section)| *next < section.structs.len());
    sieve.deletes(&scanned.deletes)?;
    Ok(sieve.out)
}

struct Sieve<'a> {
    census: &'a mut Census,
    bytes: &'a [u8],
    /// Which sections wait for which client and clock.
    waiting: BTreeMap<(u64, u32), Vec<usize>>,
    /// The struct that was taken in last, which the next may go on with. Its head is written.
    open: Option<Open>,
    out: Sieved,
}

struct Open {
    client: u64,
    end: u32,
    right: Option<Id>,
    content: Content,
}

/// The content of one struct, or of several that are joined.
enum Content {
    Deleted(u64),
    Text(String),
    Values {
        count: u64,
        bytes: Vec<u8>,
    },
    /// Which nothing is joined with.
    Other(Vec<u8>),
}

impl Content {
    fn new(kind: u8) -> Self {
        match kind {
            REF_DELETED => Self::Deleted(0),
            REF_STRING => Self::Text(String::new()),
            REF_ANY => Self::Values { count: 0, bytes: Vec::new() },
            _ => Self::Other(Vec::new()),
        }
    }

    fn joins(&self, kind: u8) -> bool {
        match self {
            Self::Deleted(_) => kind == REF_DELETED,
            Self::Text(_) => kind == REF_STRING,
            Self::Values { .. } => kind == REF_ANY,
            Self::Other(_) => false,
        }
    }

    /// Adds the content of a struct without its first `known`, cut as `yjs` cuts it.
    fn append(&mut self, bytes: &[u8], part: &Struct, known: u32) -> Result<(), String> {
        let content = &bytes[part.content.clone()];
        let mut reader = Reader::new(content);
        match self {
            Self::Deleted(len) => *len += u64::from(part.len - known),
            Self::Text(text) => *text += &rest_of(reader.string()?, known),
            Self::Values { count, bytes } => {
                *count += reader.number()? - u64::from(known);
                for _ in 0..known {
                    reader.value()?;
                }
                bytes.extend_from_slice(&content[reader.at()..]);
            }
            Self::Other(_) if known > 0 => {
                return Err(format!("content of the kind {} cannot be cut", part.kind()));
            }
            Self::Other(bytes) => bytes.extend_from_slice(content),
        }
        Ok(())
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Deleted(len) => write_number(out, *len),
            Self::Text(text) => write_buffer(out, text.as_bytes()),
            Self::Values { count, bytes } => {
                write_number(out, *count);
                out.extend_from_slice(bytes);
            }
            Self::Other(bytes) => out.extend_from_slice(bytes),
        }
    }
}

impl Sieve<'_> {
    /// Goes on with a section as far as it goes.
    fn section(&mut self, at: usize, section: &Section, next: &mut usize) -> Result<(), String> {
        let client = section.client;
        let (from, first) = (self.out.parts[at].bytes.len(), self.out.parts[at].structs);
        let clock = self.census.end(client);
        while let Some(part) = section.structs.get(*next) {
            let end = self.census.end(client);
            if part.end() > end {
                if part.clock > end {
                    break;
                }
                if let Some(missing) = part.needs().find(|id| !self.census.is_known(*id)) {
                    self.waiting.entry((missing.client, missing.clock)).or_default().push(at);
                    break;
                }
                self.take(at, client, part, end - part.clock)?;
            }
            *next += 1;
        }
        self.close(at);
        let part = &self.out.parts[at];
        if part.structs > first {
            let stretch = Stretch { clock, structs: part.structs - first, bytes: from..part.bytes.len() };
            self.out.order.push((at, stretch));
        }
        Ok(())
    }

    /// Takes in a struct without its first `known`, which are there already.
    fn take(&mut self, at: usize, client: u64, whole: &Struct, known: u32) -> Result<(), String> {
        let mut rest = whole.clone();
        rest.clock += known;
        rest.len -= known;
        if known > 0 && rest.kind() != REF_GC {
            rest.info |= HAS_ORIGIN;
            rest.origin = Some(Id { client, clock: rest.clock - 1 });
        }
        let is_keyed = self.census.is_keyed(self.bytes, &rest)?;
        if is_keyed && rest.kind() == REF_ANY && rest.len > 1 {
            return self.take_one_by_one(at, client, &rest);
        }
        let belongs = self.census.add(self.bytes, client, &rest)?;
        if belongs && !is_keyed && self.joins(client, &rest) {
            return self.open.as_mut().map_or(Ok(()), |open| open.content.append(self.bytes, whole, known));
        }
        self.close(at);
        let out = &mut self.out.parts[at].bytes;
        if !belongs {
            out.push(REF_GC);
            write_number(out, u64::from(rest.len));
        } else if known == 0 {
            out.extend_from_slice(&self.bytes[whole.whole.start..whole.content.start]);
        } else {
            write_head(out, &rest);
        }
        self.out.parts[at].structs += 1;
        if !belongs {
            return Ok(());
        }
        let mut content = Content::new(rest.kind());
        content.append(self.bytes, whole, known)?;
        self.open = Some(Open { client, end: rest.end(), right: rest.right, content });
        if is_keyed {
            self.close(at);
        }
        Ok(())
    }

    /// Takes in the values that stand under a key one by one, the last of which is the key's. As one struct `yrs` would
    /// not delete the first of them if something came between; it then reads what is freed, once the type is deleted.
    fn take_one_by_one(&mut self, at: usize, client: u64, rest: &Struct) -> Result<(), String> {
        let content = &self.bytes[rest.content.clone()];
        let mut reader = Reader::new(content);
        let known = reader.number()? - u64::from(rest.len);
        for _ in 0..known {
            reader.value()?;
        }
        for clock in rest.clock..rest.end() {
            let mut one = Struct { clock, len: 1, ..rest.clone() };
            if clock > rest.clock {
                one.info |= HAS_ORIGIN;
                one.origin = Some(Id { client, clock: clock - 1 });
            }
            self.census.add(self.bytes, client, &one)?;
            self.close(at);
            let out = &mut self.out.parts[at].bytes;
            match one.info & HAS_ORIGIN == 0 {
                true => out.extend_from_slice(&self.bytes[rest.whole.start..rest.content.start]),
                false => write_head(out, &one),
            }
            let start = reader.at();
            reader.value()?;
            out.push(1);
            out.extend_from_slice(reader.since(start));
            self.out.parts[at].structs += 1;
        }
        Ok(())
    }

    /// Whether a struct only goes on with the last one: as one they say the same, and `yrs`, which joins them later,
    /// would copy all of them for each.
    fn joins(&mut self, client: u64, rest: &Struct) -> bool {
        let Some(open) = &mut self.open else { return false };
        let follows = open.client == client
            && open.end == rest.clock
            && rest.origin == Some(Id { client, clock: open.end - 1 })
            && open.right == rest.right;
        let joins = follows && open.content.joins(rest.kind());
        open.end = if joins { rest.end() } else { open.end };
        joins
    }

    /// Writes what the last struct has become.
    fn close(&mut self, at: usize) {
        if let Some(open) = self.open.take() {
            open.content.write(&mut self.out.parts[at].bytes);
        }
    }

    /// Deletions of what is there, or will be.
    fn deletes(&mut self, deletes: &Deletes) -> Result<(), String> {
        let befores: BTreeMap<u64, u32> =
            self.out.parts.iter().map(|part| (part.client, part.clock)).collect();
        let within = |ranges: &[Range<u32>], from: u32, to: u32| -> Vec<Range<u32>> {
            let cut = ranges.iter().map(|range| range.start.max(from)..range.end.min(to));
            cut.filter(|range| !range.is_empty()).collect()
        };
        for (client, ranges) in deletes {
            let after = self.census.end(*client);
            let before = befores.get(client).copied().unwrap_or(after);
            self.out.pending |= ranges.last().is_some_and(|last| last.end > after);
            for (out, from, to) in
                [(&mut self.out.deletes_before, 0, before), (&mut self.out.deletes_after, before, after)]
            {
                let there = within(ranges, from, to);
                if !there.is_empty() {
                    out.push((*client, there));
                }
            }
        }
        for deletes in [&self.out.deletes_before, &self.out.deletes_after] {
            for (client, ranges) in rounds(deletes).iter().flatten() {
                self.census.cut_deleted(*client, ranges)?;
            }
        }
        Ok(())
    }
}

/// Deletions in an order in which no text is cut more often than its length has digits: each of a client's ranges
/// only after those that stand in the middle of more of them.
pub(super) fn rounds(deletes: &Deletes) -> Vec<Deletes> {
    let mut rounds: BTreeMap<u32, Deletes> = BTreeMap::new();
    for (client, ranges) in deletes {
        for (at, range) in ranges.iter().enumerate() {
            let round = rounds.entry((at + 1).trailing_zeros()).or_default();
            match round.last_mut() {
                Some((last, ranges)) if last == client => ranges.push(range.clone()),
                _ => round.push((*client, vec![range.clone()])),
            }
        }
    }
    rounds.into_values().rev().collect()
}

/// What stands before the content of an item with a neighbour.
fn write_head(out: &mut Vec<u8>, part: &Struct) {
    out.push(part.info);
    for id in [part.origin, part.right].into_iter().flatten() {
        write_number(out, id.client);
        write_number(out, u64::from(id.clock));
    }
}

/// A string without its first so many UTF-16 units. Of a character that is cut through, a replacement is left.
fn rest_of(text: &str, units: u32) -> Cow<'_, str> {
    if units == 0 {
        return text.into();
    }
    let (mut left, mut cut) = (units as usize, false);
    let from = text.char_indices().find(|(_, character)| {
        let done = left == 0;
        cut |= left == 1 && character.len_utf16() == 2;
        left = left.saturating_sub(character.len_utf16());
        done
    });
    let rest = from.map_or("", |(at, _)| &text[at..]);
    if cut { format!("\u{fffd}{rest}").into() } else { rest.into() }
}
