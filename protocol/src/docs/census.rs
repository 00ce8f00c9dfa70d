//! What of a document has to be known to judge an update before `yrs` sees it: how far each client is known, and
//! in which list each struct stands. It holds no content, and of neighbours in one list it knows the first only.

use super::scan::{Id, Parent, REF_DELETED, REF_GC, REF_TYPE, Struct};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How deep types may stand in types. `yrs` and `yjs` delete by recursion.
pub(super) const TYPES_DEPTH_MAX: u16 = 100;
/// The list of what belongs to nothing any more.
pub(super) const NOWHERE: u32 = 0;

/// A list of items: what stands in a root or a type, or what a key of it had one after another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct List {
    pub(super) owner: Owner,
    pub(super) key: Option<Arc<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    Root(Arc<str>),
    Type(Id),
}

/// What a struct is, as far as others build on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gone,
    Deleted,
    Value,
    Type,
}

/// Structs of one client, one after another in their clocks, in one list and of one kind. It ends where the next
/// begins.
#[derive(Debug, Clone, Copy)]
struct Run {
    clock: u32,
    list: u32,
    kind: Kind,
}

#[derive(Debug, Default)]
struct Client {
    runs: Vec<Run>,
    end: u32,
    /// Whether it is noted how to go back.
    noted: bool,
}

/// What is known of a list by its number.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    depth: u16,
    /// Which kinds of content it has had: a bit for each.
    pub(super) kinds: u16,
}

/// The census of one document.
#[derive(Debug)]
pub(super) struct Census {
    clients: BTreeMap<u64, Client>,
    lists: Vec<Known>,
    numbers: BTreeMap<List, u32>,
    /// How to go back to where the update began that is being judged.
    undo: Vec<Undo>,
}

#[derive(Debug)]
enum Undo {
    NewClient(u64),
    Client { client: u64, runs: usize, end: u32 },
    NewList(List),
    Kinds { list: u32, kinds: u16 },
}

impl Default for Census {
    fn default() -> Self {
        let nowhere = Known::default();
        Self { clients: BTreeMap::new(), lists: vec![nowhere], numbers: BTreeMap::new(), undo: Vec::new() }
    }
}

impl Census {
    /// How far a client is known.
    pub(super) fn end(&self, client: u64) -> u32 {
        self.clients.get(&client).map_or(0, |client| client.end)
    }

    /// How far each client is known.
    pub(super) fn ends(&self) -> impl ExactSizeIterator<Item = (u64, u32)> + '_ {
        self.clients.iter().map(|(id, client)| (*id, client.end))
    }

    pub(super) fn is_known(&self, id: Id) -> bool {
        id.clock < self.end(id.client)
    }

    /// The lists without a key or with one, in order.
    pub(super) fn lists(&self) -> impl Iterator<Item = (&List, Known)> {
        self.numbers.iter().map(|(list, number)| (list, self.lists[*number as usize]))
    }

    /// In which list a struct goes, or `NOWHERE`. What it needs is known.
    pub(super) fn place(&mut self, bytes: &[u8], part: &Struct) -> Result<u32, String> {
        if part.kind() == REF_GC {
            return Ok(NOWHERE);
        }
        let mut lists = [part.origin, part.right].into_iter().flatten().map(|id| self.run(id).list);
        let owner = match (lists.next(), lists.next(), &part.parent) {
            (Some(NOWHERE), ..) | (_, Some(NOWHERE), _) => return Ok(NOWHERE),
            (Some(left), Some(right), _) if left != right => {
                return Err("an item whose neighbours stand in different lists".to_string());
            }
            (Some(list), ..) => return Ok(list),
            (None, _, Parent::Root(name)) => Owner::Root(text(bytes, name)),
            (None, _, Parent::Type(id)) => match self.run(*id).kind {
                Kind::Gone | Kind::Deleted => return Ok(NOWHERE),
                Kind::Value => return Err("an item in what is no type".to_string()),
                Kind::Type => Owner::Type(*id),
            },
            (None, _, Parent::Neighbour) => return Err("an item that belongs to nothing".to_string()),
        };
        let depth = match owner {
            Owner::Root(_) => 0,
            Owner::Type(id) => self.lists[self.run(id).list as usize].depth + 1,
        };
        let list = List { owner, key: part.key.as_ref().map(|key| text(bytes, key)) };
        Ok(self.number(list, depth))
    }

    /// Takes note of a struct, which begins where its client is known to. Another one tells whether it was within
    /// the limits.
    pub(super) fn add(&mut self, client: u64, part: &Struct, list: u32) -> Result<(), String> {
        let Known { depth, kinds } = self.lists[list as usize];
        let kind = match part.kind() {
            _ if list == NOWHERE => Kind::Gone,
            REF_DELETED => Kind::Deleted,
            REF_TYPE => Kind::Type,
            _ => Kind::Value,
        };
        if kind == Kind::Type && depth >= TYPES_DEPTH_MAX {
            return Err(format!("types nested deeper than {TYPES_DEPTH_MAX}"));
        }
        let bit = 1 << part.kind();
        if list != NOWHERE && kinds & bit == 0 {
            self.undo.push(Undo::Kinds { list, kinds });
            self.lists[list as usize].kinds |= bit;
        }
        let known = self.clients.entry(client).or_default();
        if !std::mem::replace(&mut known.noted, true) {
            self.undo.push(match known.end {
                0 => Undo::NewClient(client),
                end => Undo::Client { client, runs: known.runs.len(), end },
            });
        }
        if known.runs.last().is_none_or(|run| (run.list, run.kind) != (list, kind) || kind == Kind::Type) {
            known.runs.push(Run { clock: known.end, list, kind });
        }
        known.end = part.end();
        Ok(())
    }

    /// What was noted since stays.
    pub(super) fn keep(&mut self) {
        for undo in self.undo.drain(..) {
            if let Undo::NewClient(client) | Undo::Client { client, .. } = undo
                && let Some(known) = self.clients.get_mut(&client)
            {
                known.noted = false;
            }
        }
    }

    /// What was noted since the last `keep` is forgotten.
    pub(super) fn forget(&mut self) {
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::NewClient(client) => drop(self.clients.remove(&client)),
                Undo::Client { client, runs, end } => {
                    let known = self.clients.entry(client).or_default();
                    known.runs.truncate(runs);
                    (known.end, known.noted) = (end, false);
                }
                Undo::NewList(list) => {
                    self.numbers.remove(&list);
                    self.lists.pop();
                }
                Undo::Kinds { list, kinds } => self.lists[list as usize].kinds = kinds,
            }
        }
    }

    fn number(&mut self, list: List, depth: u16) -> u32 {
        if let Some(number) = self.numbers.get(&list) {
            return *number;
        }
        let number = self.lists.len() as u32;
        self.lists.push(Known { depth, kinds: 0 });
        self.numbers.insert(list.clone(), number);
        self.undo.push(Undo::NewList(list));
        number
    }

    /// The run in which a struct stands that is known.
    fn run(&self, id: Id) -> Run {
        let gone = Run { clock: 0, list: NOWHERE, kind: Kind::Gone };
        let Some(client) = self.clients.get(&id.client) else { return gone };
        let next = client.runs.partition_point(|run| run.clock <= id.clock);
        client.runs[..next].last().copied().unwrap_or(gone)
    }
}

fn text(bytes: &[u8], at: &std::ops::Range<usize>) -> Arc<str> {
    String::from_utf8_lossy(&bytes[at.clone()]).into()
}
