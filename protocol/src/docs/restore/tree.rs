//! What a type holds, read from `yrs`. It recurses as deep as types may stand in types.

use std::collections::BTreeMap;
use std::sync::Arc;
use yrs::branch::{Branch, BranchPtr};
use yrs::types::text::YChange;
use yrs::{Any, Array, ArrayRef, Map, MapRef, Out, ReadTxn, Text, TextRef, XmlElementRef};

/// What a type holds: a sequence, and values under keys (a map's, or attributes).
#[derive(Debug)]
pub(super) struct Tree {
    /// Where it is; none if it is nowhere.
    pub(super) branch: Option<BranchPtr>,
    pub(super) sequence: Sequence,
    pub(super) keys: BTreeMap<Arc<str>, Value>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Sequence {
    Text(Vec<Piece>),
    List(Vec<Value>),
}

/// A part of a text, and how it is formatted.
#[derive(Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) content: Content,
    pub(super) format: Format,
}

pub(super) type Format = BTreeMap<Arc<str>, Any>;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    Text(Arc<str>),
    /// A value that stands for one character. It is shared, as it is compared in several ways.
    Embed(Arc<Value>),
}

#[derive(Debug, PartialEq)]
pub(super) enum Value {
    Any(Any),
    Type(Kind, Tree),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Array,
    Map,
    XmlElement(Arc<str>),
    XmlFragment,
    XmlText,
}

/// Whatever stands in them, wherever they are.
impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys && self.sequence == other.sequence
    }
}

impl Tree {
    pub(super) fn empty(is_text: bool) -> Self {
        let sequence = if is_text { Sequence::Text(Vec::new()) } else { Sequence::List(Vec::new()) };
        Self { branch: None, sequence, keys: BTreeMap::new() }
    }
}

/// Reads a root, if there is one.
pub(super) fn read_root<T: ReadTxn>(txn: &T, name: &str, is_text: bool) -> Result<Option<Tree>, String> {
    let Some(root) = txn.get(name) else { return Ok(None) };
    match root.try_branch() {
        Some(branch) => read(txn, branch, is_text).map(Some),
        None => Err("it is no type".to_string()),
    }
}

fn read<T: ReadTxn>(txn: &T, branch: &Branch, is_text: bool) -> Result<Tree, String> {
    let at = BranchPtr::from(branch);
    let mut keys = BTreeMap::new();
    for (key, out) in MapRef::from(at).iter(txn) {
        keys.insert(key.into(), value(txn, out)?);
    }
    let sequence = match is_text {
        true => Sequence::Text(pieces(txn, at)?),
        false => {
            Sequence::List(ArrayRef::from(at).iter(txn).map(|out| value(txn, out)).collect::<Result<_, _>>()?)
        }
    };
    Ok(Tree { branch: Some(at), sequence, keys })
}

/// What a text consists of, without the format that says nothing.
pub(super) fn pieces<T: ReadTxn>(txn: &T, at: BranchPtr) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    for part in TextRef::from(at).diff(txn, YChange::identity) {
        let content = match value(txn, part.insert)? {
            Value::Any(Any::String(text)) => Content::Text(text),
            embed @ (Value::Any(_) | Value::Type(..)) => Content::Embed(Arc::new(embed)),
        };
        let format = part.attributes.map(|attributes| *attributes).unwrap_or_default();
        let format = format.into_iter().filter(|(_, value)| *value != Any::Null).collect();
        pieces.push(Piece { content, format });
    }
    Ok(pieces)
}

fn value<T: ReadTxn>(txn: &T, out: Out) -> Result<Value, String> {
    let (kind, is_text) = match &out {
        Out::Any(any) => return Ok(Value::Any(any.clone())),
        Out::YText(_) => (Kind::Text, true),
        Out::YArray(_) => (Kind::Array, false),
        Out::YMap(_) => (Kind::Map, false),
        Out::YXmlElement(element) => (Kind::XmlElement(tag(element)), false),
        Out::YXmlFragment(_) => (Kind::XmlFragment, false),
        Out::YXmlText(_) => (Kind::XmlText, true),
        Out::YDoc(_) | Out::UndefinedRef(_) => return Err("it holds a type of an unknown kind".to_string()),
    };
    match out.try_branch() {
        Some(branch) => Ok(Value::Type(kind, read(txn, branch, is_text)?)),
        None => Err("it holds a type of an unknown kind".to_string()),
    }
}

fn tag(element: &XmlElementRef) -> Arc<str> {
    element.try_tag().cloned().unwrap_or_else(|| "UNDEFINED".into())
}
