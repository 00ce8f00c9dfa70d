//! What of a scanned update can go into a document now, and that alone: no struct that is there already, none
//! that builds on what is not there, and nothing that `yrs` and `yjs` would place differently.
//!
//! So `yrs` never keeps anything pending and never fills a gap; both are where it breaks.

mod content;

use super::census::{Census, NOWHERE};
use super::lib0::{Reader, write_number};
use super::scan::{HAS_ORIGIN, Id, REF, REF_ANY, REF_DELETED, REF_GC, Scanned, Section, Struct};
use content::Content;
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
    let mut sections: Vec<_> = scanned.sections.iter().map(Progress::of).collect();
    sections.sort_by_key(|progress| std::cmp::Reverse(progress.section.client));
    let numbers = sections.iter().enumerate().map(|(at, progress)| (progress.section.client, at)).collect();
    let waiting = BTreeMap::new();
    let mut sieve = Sieve { census, bytes, sections, numbers, waiting, open: None, out: Sieved::default() };
    for progress in &sieve.sections {
        let client = progress.section.client;
        let clock = sieve.census.end(client);
        sieve.out.parts.push(Part { client, clock, structs: 0, bytes: Vec::new() });
    }
    // The last is taken first.
    let mut ready: Vec<usize> = (0..sieve.sections.len()).rev().collect();
    while let Some(at) = ready.pop() {
        sieve.section(at, &mut ready)?;
    }
    let is_left = |progress: &Progress<'_>| progress.next < progress.section.structs.len();
    sieve.close();
    sieve.out.pending = sieve.sections.iter().any(is_left);
    sieve.deletes(&scanned.deletes)?;
    Ok(sieve.out)
}

struct Sieve<'a> {
    census: &'a mut Census,
    bytes: &'a [u8],
    sections: Vec<Progress<'a>>,
    /// The place of each client's section.
    numbers: BTreeMap<u64, usize>,
    /// Which sections wait for which client and clock.
    waiting: BTreeMap<(u64, u32), Vec<usize>>,
    /// The struct that was taken in last, which the next may go on with. Its head is written.
    open: Option<Open>,
    out: Sieved,
}

/// How far a section has come.
struct Progress<'a> {
    section: &'a Section,
    next: usize,
    /// Whether it is being taken in, up to where others need it.
    is_underway: bool,
    /// Whether it waits for what nobody can take in now.
    is_stuck: bool,
}

impl<'a> Progress<'a> {
    fn of(section: &'a Section) -> Self {
        Self { section, next: 0, is_underway: false, is_stuck: false }
    }
}

/// What came of the next struct of a section.
enum Step {
    Taken,
    /// There is no other, or it is behind a gap.
    End,
    Needs(Id),
}

struct Open {
    client: u64,
    end: u32,
    right: Option<Id>,
    content: Content,
}

impl Sieve<'_> {
    /// Takes in a section as far as it goes, in the order that `yjs` has: of another client's structs, which one of
    /// these builds on, as few as are needed.
    fn section(&mut self, at: usize, ready: &mut Vec<usize>) -> Result<(), String> {
        let mut underway = vec![at];
        self.sections[at].is_stuck = false;
        while let Some(at) = underway.last().copied() {
            self.sections[at].is_underway = true;
            let done = match self.step(at, ready)? {
                Step::Taken => underway.len() > 1,
                Step::End => true,
                Step::Needs(id) => match self.numbers.get(&id.client) {
                    Some(other) if self.may_give(*other) => {
                        underway.push(*other);
                        false
                    }
                    _ => {
                        self.waiting.entry((id.client, id.clock)).or_default().push(at);
                        self.sections[at].is_stuck = true;
                        true
                    }
                },
            };
            if done {
                self.sections[at].is_underway = false;
                underway.pop();
            }
        }
        Ok(())
    }

    /// Whether more of a section can be taken in for one that needs it.
    fn may_give(&self, at: usize) -> bool {
        let Progress { section, next, is_underway, is_stuck } = &self.sections[at];
        let is_next =
            section.structs.get(*next).is_some_and(|part| part.clock <= self.census.end(section.client));
        is_next && !is_underway && !is_stuck
    }

    /// Takes in the next struct of a section, if what it needs is there.
    fn step(&mut self, at: usize, ready: &mut Vec<usize>) -> Result<Step, String> {
        let Progress { section, next, .. } = self.sections[at];
        let client = section.client;
        let clock = self.census.end(client);
        let Some(part) = section.structs.get(next).filter(|part| part.clock <= clock) else {
            return Ok(Step::End);
        };
        if part.end() > clock {
            if let Some(missing) = part.needs().find(|id| !self.census.is_known(*id)) {
                return Ok(Step::Needs(missing));
            }
            if self.out.order.last().is_none_or(|(last, _)| *last != at) {
                self.close();
                let from = self.out.parts[at].bytes.len();
                self.out.order.push((at, Stretch { clock, structs: 0, bytes: from..from }));
            }
            self.take(at, client, part, clock - part.clock)?;
        }
        self.sections[at].next += 1;
        // Whoever waited for what is there now goes on.
        let end = self.census.end(client);
        while let Some((&place, _)) = self.waiting.range((client, 0)..(client, end)).next() {
            for waiting in self.waiting.remove(&place).into_iter().flatten() {
                self.sections[waiting].is_stuck = false;
                ready.push(waiting);
            }
        }
        Ok(Step::Taken)
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
        let list = self.census.list(self.bytes, &rest)?;
        let is_keyed = self.census.is_keyed(list);
        if is_keyed && rest.kind() == REF_ANY && rest.len > 1 {
            return self.take_under_key(at, client, &rest, list);
        }
        let belongs = list != NOWHERE;
        let goes_on = belongs && !is_keyed && self.goes_on(client, &rest);
        self.census.add(self.bytes, client, &rest, list, goes_on)?;
        if let Some(open) = self.open.as_mut().filter(|_| goes_on) {
            open.end = rest.end();
            return open.content.append(self.bytes, whole, known);
        }
        self.begin(at, &rest, belongs);
        if !belongs {
            return Ok(());
        }
        let mut content = Content::new(rest.kind());
        content.append(self.bytes, whole, known)?;
        self.open = Some(Open { client, end: rest.end(), right: rest.right, content });
        Ok(())
    }

    /// Takes in several values that stand under a key. Only the last can be the key's; those before are deleted as they
    /// come, and so they are taken in as deleted. As one struct with the last, `yrs` would not delete them if something
    /// came between; it then reads what is freed, once the type is deleted.
    fn take_under_key(&mut self, at: usize, client: u64, rest: &Struct, list: u32) -> Result<(), String> {
        let clock = rest.end() - 1;
        let before = Struct { len: rest.len - 1, info: rest.info & !REF | REF_DELETED, ..rest.clone() };
        let origin = Some(Id { client, clock: clock - 1 });
        let last = Struct { clock, len: 1, info: rest.info | HAS_ORIGIN, origin, ..rest.clone() };
        self.census.add(self.bytes, client, &before, list, false)?;
        self.begin(at, &before, true);
        write_number(&mut self.out.parts[at].bytes, u64::from(before.len));
        self.census.add(self.bytes, client, &last, list, false)?;
        self.begin(at, &last, true);
        let mut reader = Reader::new(&self.bytes[rest.content.clone()]);
        for _ in 1..reader.number()? {
            reader.value()?;
        }
        let start = reader.at();
        reader.value()?;
        let out = &mut self.out.parts[at].bytes;
        out.push(1);
        out.extend_from_slice(reader.since(start));
        Ok(())
    }

    /// Whether a struct only goes on with the last one: as one they say the same, and `yrs`, which joins them later,
    /// would copy all of them for each.
    fn goes_on(&self, client: u64, rest: &Struct) -> bool {
        self.open.as_ref().is_some_and(|open| {
            open.client == client
                && open.end == rest.clock
                && rest.origin == Some(Id { client, clock: open.end - 1 })
                && open.right == rest.right
                && open.content.joins(rest.kind())
        })
    }

    /// Writes what stands before a struct's content; of one that belongs to nothing, all.
    fn begin(&mut self, at: usize, part: &Struct, belongs: bool) {
        self.close();
        let out = &mut self.out.parts[at].bytes;
        if !belongs {
            out.push(REF_GC);
            write_number(out, u64::from(part.len));
        } else if part.origin.is_none() {
            out.push(part.info);
            out.extend_from_slice(&self.bytes[part.whole.start + 1..part.content.start]);
        } else {
            out.push(part.info);
            for id in [part.origin, part.right].into_iter().flatten() {
                write_number(out, id.client);
                write_number(out, u64::from(id.clock));
            }
        }
        self.out.parts[at].structs += 1;
        if let Some((_, stretch)) = self.out.order.last_mut() {
            stretch.structs += 1;
        }
    }

    /// Writes what the last struct has become.
    fn close(&mut self) {
        let Some((at, stretch)) = self.out.order.last_mut() else { return };
        let part = &mut self.out.parts[*at];
        if let Some(open) = self.open.take() {
            open.content.write(&mut part.bytes);
        }
        stretch.bytes.end = part.bytes.len();
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
