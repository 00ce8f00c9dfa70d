//! What of a document has to be known to judge an update before `yrs` sees it: how far each client is known, in which
//! list each struct stands, and in which order. It holds no content.
//!
//! The order is found as `yrs` finds it, but counting its steps: so an update that would keep `yrs` busy for long is
//! refused instead, and so is an item whose neighbours are none, which `yrs` and `yjs` would place one way now and
//! another way after loading.

mod order;

use super::scan::{
    Id, Parent, REF_ANY, REF_BINARY, REF_DELETED, REF_EMBED, REF_FORMAT, REF_GC, REF_STRING, REF_TYPE,
    Struct, TYPE_TEXT, TYPE_XML_TEXT,
};
use order::{Cell, NONE};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How deep types may stand in types. `yrs` and `yjs` delete by recursion.
pub(super) const TYPES_DEPTH_MAX: u16 = 100;
/// The list of what belongs to nothing any more.
pub(super) const NOWHERE: u32 = 0;
/// How many items an update may have `yrs` pass in search of places, and for each of its bytes besides. A step takes up
/// to 200 ns.
const STEPS: usize = 50_000;
const STEPS_PER_BYTE: usize = 4;
/// Items that are only looked at cost less: so many as much as one step.
const PASSED_PER_STEP: usize = 16;
/// How many characters it may have `yrs` copy to cut texts, and for each of its bytes besides. One takes up to 1 ns.
const COPIES: usize = 256 * 1024 * 1024;
const COPIES_PER_BYTE: usize = 4096;
/// A struct of a client that is moved aside for another costs as much as so many characters.
const COPIES_PER_MOVE: usize = 4;

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
    Text,
    Values,
    /// What nothing is joined with.
    Single,
    Type,
    /// A type that holds text.
    TextType,
}

/// What a list may hold besides types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// A root's: nothing says what it is.
    Anything,
    Text,
    /// Values. Of text there `yrs` reads some without end.
    Values,
}

#[derive(Debug, Default)]
struct Client {
    /// By clock.
    cells: Vec<u32>,
    end: u32,
}

/// What is known of a list by its number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    depth: u16,
    holds: Holds,
    is_keyed: bool,
    /// Which kinds of content it has had: a bit for each.
    pub(super) kinds: u16,
    first: u32,
    /// How many cells stand in it.
    cells: usize,
}

impl Known {
    fn new(depth: u16, holds: Holds, is_keyed: bool) -> Self {
        Self { depth, holds, is_keyed, kinds: 0, first: NONE, cells: 0 }
    }
}

/// The census of one document.
#[derive(Debug)]
pub(super) struct Census {
    clients: BTreeMap<u64, Client>,
    cells: Vec<Cell>,
    lists: Vec<Known>,
    numbers: BTreeMap<List, u32>,
    /// How to go back to where the update began that is being judged.
    undo: Vec<Undo>,
    /// Whether it comes from our own log.
    is_own: bool,
    /// How many steps and copies it may still cost.
    steps_left: usize,
    copies_left: usize,
    /// Marks the cells that a search has passed.
    mark: u32,
    /// Which update is being judged: they are counted.
    update: u32,
}

#[derive(Debug)]
enum Undo {
    /// The last cell was cut off the one to its left.
    Cut,
    /// The last cell was added.
    Added,
    /// The last cell of a client has grown.
    Grown {
        client: u64,
        by: u32,
    },
    NewList(List),
    Kinds {
        list: u32,
        kinds: u16,
    },
}

impl Default for Census {
    fn default() -> Self {
        Self {
            clients: BTreeMap::new(),
            cells: Vec::new(),
            lists: vec![Known::new(0, Holds::Anything, false)],
            numbers: BTreeMap::new(),
            undo: Vec::new(),
            is_own: false,
            steps_left: 0,
            copies_left: 0,
            mark: 0,
            update: 0,
        }
    }
}

impl Census {
    /// An update of so many bytes is to be judged. What our own log holds was judged before.
    pub(super) fn begin(&mut self, bytes: Option<usize>) {
        self.is_own = bytes.is_none();
        self.update = self.update.wrapping_add(1);
        self.steps_left = bytes.map_or(usize::MAX, |bytes| STEPS + bytes * STEPS_PER_BYTE);
        self.copies_left = bytes.map_or(usize::MAX, |bytes| COPIES + bytes * COPIES_PER_BYTE);
    }

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

    /// How many blocks `yrs` has at most.
    pub(super) fn blocks(&self) -> usize {
        self.cells.len()
    }

    /// The lists without a key or with one, in order.
    pub(super) fn lists(&self) -> impl Iterator<Item = (&List, Known)> {
        self.numbers.iter().map(|(list, number)| (list, self.lists[*number as usize]))
    }

    /// Puts a struct in its place in its list. It begins where its client is known to, and what it needs is known.
    /// If it goes on with the one before, both reach `yrs` as one.
    pub(super) fn add(
        &mut self,
        bytes: &[u8],
        client: u64,
        part: &Struct,
        list: u32,
        goes_on: bool,
    ) -> Result<(), String> {
        let kind = match part.kind() {
            _ if list == NOWHERE => Kind::Gone,
            REF_DELETED => Kind::Deleted,
            REF_TYPE if matches!(bytes[part.content.start], TYPE_TEXT | TYPE_XML_TEXT) => Kind::TextType,
            REF_TYPE => Kind::Type,
            REF_STRING => Kind::Text,
            REF_ANY => Kind::Values,
            _ => Kind::Single,
        };
        let Known { depth, kinds, holds, .. } = self.lists[list as usize];
        match (holds, part.kind()) {
            (_, REF_TYPE) if kind != Kind::Gone && depth >= TYPES_DEPTH_MAX => {
                return Err(format!("types nested deeper than {TYPES_DEPTH_MAX}"));
            }
            (Holds::Values, REF_STRING | REF_EMBED | REF_FORMAT) => {
                return Err("text where values belong".to_string());
            }
            (Holds::Text, REF_ANY | REF_BINARY) => return Err("values where text belongs".to_string()),
            _ => {}
        }
        let bit = 1 << part.kind();
        if list != NOWHERE && kinds & bit == 0 {
            self.undo.push(Undo::Kinds { list, kinds });
            self.lists[list as usize].kinds |= bit;
        }
        self.place(client, part, list, kind, goes_on)
    }

    /// Whether what stands in a list stands under a key.
    pub(super) fn is_keyed(&self, list: u32) -> bool {
        self.lists[list as usize].is_keyed
    }

    /// In which list a struct goes.
    pub(super) fn list(&mut self, bytes: &[u8], part: &Struct) -> Result<u32, String> {
        if part.kind() == REF_GC {
            return Ok(NOWHERE);
        }
        let mut lists = [part.origin, part.right].into_iter().flatten().map(|id| self.cell(id).list);
        let owner = match (lists.next(), lists.next(), &part.parent) {
            (Some(NOWHERE), ..) | (_, Some(NOWHERE), _) => return Ok(NOWHERE),
            (Some(left), Some(right), _) if left != right => {
                return Err("an item whose neighbours stand in different lists".to_string());
            }
            (Some(list), ..) => return Ok(list),
            (None, _, Parent::Root(name)) => Owner::Root(text(bytes, name)),
            (None, _, Parent::Type(id)) => match self.cell(*id).kind {
                Kind::Gone | Kind::Deleted => return Ok(NOWHERE),
                Kind::Text | Kind::Values | Kind::Single => {
                    return Err("an item in what is no type".to_string());
                }
                Kind::Type | Kind::TextType => Owner::Type(*id),
            },
            (None, _, Parent::Neighbour) => return Err("an item that belongs to nothing".to_string()),
        };
        let key = part.key.as_ref().map(|key| text(bytes, key));
        let (depth, holds) = match &owner {
            Owner::Root(_) => (0, Holds::Anything),
            Owner::Type(id) => {
                let owner = self.cell(*id);
                let holds = if owner.kind == Kind::TextType { Holds::Text } else { Holds::Values };
                (self.lists[owner.list as usize].depth + 1, holds)
            }
        };
        let holds = if key.is_some() { Holds::Values } else { holds };
        Ok(self.number(List { owner, key }, depth, holds))
    }

    fn number(&mut self, list: List, depth: u16, holds: Holds) -> u32 {
        if let Some(number) = self.numbers.get(&list) {
            return *number;
        }
        let number = self.lists.len() as u32;
        self.lists.push(Known::new(depth, holds, list.key.is_some()));
        self.numbers.insert(list.clone(), number);
        self.undo.push(Undo::NewList(list));
        number
    }

    /// What was noted since `begin` stays.
    pub(super) fn keep(&mut self) {
        self.undo.clear();
    }

    /// What was noted since `begin` is forgotten.
    pub(super) fn forget(&mut self) {
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Cut => self.uncut(),
                Undo::Added => self.remove_last(),
                Undo::Grown { client, by } => self.shrink(client, by),
                Undo::NewList(list) => {
                    self.numbers.remove(&list);
                    self.lists.pop();
                }
                Undo::Kinds { list, kinds } => self.lists[list as usize].kinds = kinds,
            }
        }
    }
}

fn text(bytes: &[u8], at: &std::ops::Range<usize>) -> Arc<str> {
    String::from_utf8_lossy(&bytes[at.clone()]).into()
}
