//! Changes a type so that it holds what another one holds. Whatever order there is to choose is that of the keys, as
//! `yrs` would choose another one each time.

use super::tree::{Content, Format, Kind, Piece, Sequence, Tree, Value, pieces};
use std::collections::BTreeSet;
use std::sync::Arc;
use yrs::branch::BranchPtr;
use yrs::types::Attrs;
use yrs::types::text::DeltaPrelim;
use yrs::types::xml::XmlDeltaPrelim;
use yrs::{
    Any, Array, ArrayPrelim, ArrayRef, In, Map, MapPrelim, MapRef, Out, Text, TextRef, TransactionMut,
    XmlElementPrelim, XmlFragmentPrelim,
};

/// How often a text is formatted until it is as it should be.
const FORMAT_ROUNDS_MAX: usize = 8;

/// Changes what is there to what is wanted.
pub(super) fn change(txn: &mut TransactionMut<'_>, there: &Tree, wanted: &Tree) {
    let Some(at) = there.branch else { return };
    change_keys(txn, at, there, wanted);
    match (&there.sequence, &wanted.sequence) {
        (Sequence::List(there), Sequence::List(wanted)) => change_list(txn, at, there, wanted),
        (Sequence::Text(there), Sequence::Text(wanted)) => change_text(txn, at, there, wanted),
        (Sequence::List(_), Sequence::Text(_)) | (Sequence::Text(_), Sequence::List(_)) => {
            unreachable!("both were read as the same kind")
        }
    }
}

fn change_keys(txn: &mut TransactionMut<'_>, at: BranchPtr, there: &Tree, wanted: &Tree) {
    let map = MapRef::from(at);
    let keys: BTreeSet<&Arc<str>> = there.keys.keys().chain(wanted.keys.keys()).collect();
    for key in keys {
        match (there.keys.get(key), wanted.keys.get(key)) {
            (there, wanted) if there == wanted => {}
            (Some(Value::Type(kind, there)), Some(Value::Type(wanted_kind, wanted)))
                if kind == wanted_kind =>
            {
                change(txn, there, wanted);
            }
            (_, Some(wanted)) => {
                let inserted = map.insert(txn, key.clone(), seed(wanted));
                fill(txn, &inserted, wanted);
            }
            (_, None) => drop(map.remove(txn, key)),
        }
    }
}

fn change_list(txn: &mut TransactionMut<'_>, at: BranchPtr, there: &[Value], wanted: &[Value]) {
    let list = ArrayRef::from(at);
    let (first, there, wanted) = differing(there, wanted);
    let in_place = there.iter().zip(wanted).take_while(|pair| match pair {
        (Value::Type(kind, _), Value::Type(wanted, _)) => kind == wanted,
        (Value::Any(_) | Value::Type(..), _) => false,
    });
    let mut kept = 0;
    for pair in in_place {
        if let (Value::Type(_, there), Value::Type(_, wanted)) = pair {
            change(txn, there, wanted);
        }
        kept += 1;
    }
    let (index, gone) = ((first + kept) as u32, (there.len() - kept) as u32);
    if gone > 0 {
        list.remove_range(txn, index, gone);
    }
    for (index, wanted) in (index..).zip(&wanted[kept..]) {
        let inserted = list.insert(txn, index, seed(wanted));
        fill(txn, &inserted, wanted);
    }
}

fn change_text(txn: &mut TransactionMut<'_>, at: BranchPtr, there: &[Piece], wanted: &[Piece]) {
    let (text, list) = (TextRef::from(at), ArrayRef::from(at));
    let (there_units, wanted_units) = (units(there), units(wanted));
    let (first, gone, come) = differing(&there_units, &wanted_units);
    let mut index: u32 = there_units[..first].iter().map(Unit::len).sum();
    let gone = gone.iter().map(Unit::len).sum();
    if gone > 0 {
        text.remove_range(txn, index, gone);
    }
    let mut characters = String::new();
    for unit in come.iter().map(Some).chain([None]) {
        if let Some(Unit::Character(character)) = unit {
            characters.push(*character);
            continue;
        }
        if !characters.is_empty() {
            text.insert(txn, index, &characters);
            index += characters.encode_utf16().count() as u32;
            characters.clear();
        }
        match unit {
            Some(Unit::Embed(Value::Any(any))) => drop(text.insert_embed(txn, index, any.clone())),
            Some(Unit::Embed(wanted)) => {
                let inserted = list.insert(txn, index, seed(wanted));
                fill(txn, &inserted, wanted);
            }
            Some(Unit::Character(_)) | None => {}
        }
        index += 1;
    }
    // What is formatted first can change how the next stands: then once more.
    (0..FORMAT_ROUNDS_MAX).any(|_| !change_format(txn, at, wanted));
}

/// Formats a text that holds what is wanted already; says whether there was anything to do.
fn change_format(txn: &mut TransactionMut<'_>, at: BranchPtr, wanted: &[Piece]) -> bool {
    let text = TextRef::from(at);
    let (mut index, mut changed) = (0, false);
    let mut wanted = wanted.iter().map(|piece| (piece.content.len(), &piece.format));
    let there = pieces(txn, at).unwrap_or_default();
    let mut want: (u32, &Format) = (0, &Format::new());
    for piece in there {
        let (mut left, end) = (piece.content.len(), index + piece.content.len());
        while left > 0 {
            if want.0 == 0 {
                match wanted.next() {
                    Some(next) => want = next,
                    None => return changed,
                }
            }
            let len = left.min(want.0);
            let keys: BTreeSet<&Arc<str>> = piece.format.keys().chain(want.1.keys()).collect();
            for key in keys {
                if piece.format.get(key) != want.1.get(key) {
                    changed = true;
                    let value = want.1.get(key).cloned().unwrap_or(Any::Null);
                    text.format(txn, index, len, Attrs::from([(key.clone(), value)]));
                }
            }
            (index, left, want.0) = (index + len, left - len, want.0 - len);
        }
        debug_assert_eq!(index, end);
    }
    changed
}

/// A character, or what stands for one.
#[derive(PartialEq)]
enum Unit<'a> {
    Character(char),
    Embed(&'a Value),
}

impl Unit<'_> {
    fn len(&self) -> u32 {
        match self {
            Self::Character(character) => character.len_utf16() as u32,
            Self::Embed(_) => 1,
        }
    }
}

impl Content {
    /// How many UTF-16 units it counts for.
    fn len(&self) -> u32 {
        match self {
            Self::Text(text) => text.encode_utf16().count() as u32,
            Self::Embed(_) => 1,
        }
    }
}

fn units(pieces: &[Piece]) -> Vec<Unit<'_>> {
    let mut units = Vec::new();
    for piece in pieces {
        match &piece.content {
            Content::Text(text) => units.extend(text.chars().map(Unit::Character)),
            Content::Embed(value) => units.push(Unit::Embed(value)),
        }
    }
    units
}

/// Where two lists begin to differ, and what differs in each until they end alike.
fn differing<'a, T: PartialEq>(one: &'a [T], other: &'a [T]) -> (usize, &'a [T], &'a [T]) {
    let first = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let (one, other) = (&one[first..], &other[first..]);
    let last = one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count();
    (first, &one[..one.len() - last], &other[..other.len() - last])
}

/// A value to insert: a type is empty at first.
fn seed(value: &Value) -> In {
    match value {
        Value::Any(any) => In::Any(any.clone()),
        Value::Type(kind, _) => match kind {
            Kind::Text => In::Text(DeltaPrelim::default()),
            Kind::Array => In::Array(ArrayPrelim::default()),
            Kind::Map => In::Map(MapPrelim::default()),
            Kind::XmlElement(tag) => In::XmlElement(XmlElementPrelim::empty(tag.clone())),
            Kind::XmlFragment => In::XmlFragment(XmlFragmentPrelim::default()),
            Kind::XmlText => In::XmlText(XmlDeltaPrelim::default()),
        },
    }
}

/// Fills a type that was inserted empty.
fn fill(txn: &mut TransactionMut<'_>, inserted: &Out, value: &Value) {
    if let (Some(branch), Value::Type(_, wanted)) = (inserted.try_branch(), value) {
        let mut there = Tree::empty(matches!(wanted.sequence, Sequence::Text(_)));
        there.branch = Some(BranchPtr::from(branch));
        change(txn, &there, wanted);
    }
}
