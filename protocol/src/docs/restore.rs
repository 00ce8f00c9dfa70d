//! Bringing a document back to what it held before, as new operations.
//!
//! Both states are read as trees and compared. What is the same stays; of lists only the middle that differs is
//! written again, and a type that is of the same kind in both is changed in place. All of it happens on a copy: what
//! comes of it goes into the document as any client's update does.

mod content;
mod tree;
mod write;

use super::document::{Document, Fault, Taken};
use super::job::{DocOutcome, RestoreRefused};
use super::lib0::NUMBER_MAX;
use super::scan::{REF_ANY, REF_BINARY, REF_DELETED, REF_EMBED, REF_FORMAT, REF_STRING, REF_TYPE};
use super::settle::settle;
use bytes::Bytes;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tree::{Tree, read_root};
use yrs::{Transact, WriteTxn};

const TEXTS: u16 = 1 << REF_STRING | 1 << REF_EMBED | 1 << REF_FORMAT;
const VALUES: u16 = 1 << REF_ANY | 1 << REF_BINARY;
const TYPES: u16 = 1 << REF_TYPE;
const NOTHING: u16 = 1 << REF_DELETED;

/// Restores a document to an older state. The update is applied to it already.
pub(super) fn restore(document: &mut Document, to: &[u8], client: u64) -> DocOutcome {
    let update = match operations(document, to, client) {
        Ok(update) => update,
        Err(refused) => return DocOutcome::Restored(Err(refused)),
    };
    match document.apply(&update) {
        Ok(Taken { update, pending: false }) => DocOutcome::Restored(Ok(update)),
        Err(Fault::Refused(why)) => DocOutcome::Restored(Err(RestoreRefused::Refused(why))),
        Ok(Taken { pending: true, .. }) | Err(Fault::Broken) => DocOutcome::Broken { at: None },
    }
}

fn operations(document: &Document, to: &[u8], client: u64) -> Result<Bytes, RestoreRefused> {
    if client > NUMBER_MAX {
        return Err(RestoreRefused::Unreadable(format!("client {client} is over the limit of {NUMBER_MAX}")));
    }
    let unreadable = RestoreRefused::Unreadable;
    let now = document.whole().ok_or_else(|| unreadable("yrs broke".to_string()))?;
    let now = Document::load_as(&now, client).map_err(unreadable)?;
    let then = Document::load(to).map_err(unreadable)?;
    let roots = roots(&now, &then)?;
    let mut transaction = now.doc().transact_mut();
    let written = catch_unwind(AssertUnwindSafe(|| {
        let older = then.doc().transact();
        for (name, is_text) in roots {
            let refused = |why| RestoreRefused::Root { name: name.to_string(), why };
            // So the root is there, whatever it is.
            transaction.get_or_insert_array(name.clone());
            let wanted = read_root(&older, &name, is_text).map_err(refused)?;
            let wanted = wanted.unwrap_or_else(|| Tree::empty(is_text));
            if let Some(there) = read_root(&transaction, &name, is_text).map_err(refused)? {
                write::change(&mut transaction, &there, &wanted);
            }
            let there = read_root(&transaction, &name, is_text).map_err(refused)?;
            if there.is_none_or(|there| content::tree(&there) != content::tree(&wanted)) {
                return Err(refused("it does not become what it was".to_string()));
            }
        }
        transaction.commit();
        Ok(transaction.encode_update_v1())
    }));
    // It commits as it goes, which may break again.
    let gone = catch_unwind(AssertUnwindSafe(|| drop(transaction)));
    let broke = || RestoreRefused::Unreadable("yrs broke".to_string());
    let written = written.map_err(|_| broke())??;
    gone.map_err(|_| broke())?;
    settle(&written).map(Bytes::from).map_err(RestoreRefused::Unreadable)
}

/// The roots of both, and whether each is a text. Nothing says what a root is but what stands in it.
fn roots(now: &Document, then: &Document) -> Result<Vec<(Arc<str>, bool)>, RestoreRefused> {
    let (kinds_now, kinds_then) = (now.root_kinds(), then.root_kinds());
    let names: BTreeSet<&Arc<str>> = kinds_now.keys().chain(kinds_then.keys()).collect();
    let mut roots = Vec::new();
    for name in names {
        let held = [&kinds_now, &kinds_then].map(|kinds| kinds.get(name).copied().unwrap_or(NOTHING));
        let all = held[0] | held[1];
        if all & TEXTS != 0 && all & VALUES != 0 {
            let why = "it holds text and values, so that it is no text and no array".to_string();
            return Err(RestoreRefused::Root { name: name.to_string(), why });
        }
        debug_assert_eq!(all & !(TEXTS | VALUES | TYPES | NOTHING), 0);
        roots.push((name.clone(), all & TEXTS != 0));
    }
    Ok(roots)
}

/// Kinds of content, by root.
pub(super) type RootKinds = BTreeMap<Arc<str>, u16>;

/// Reads all that a document holds, to see whether it can be read.
pub(super) fn read_through(document: &Document) -> Result<(), String> {
    let reader = document.doc().transact();
    for (name, kinds) in document.root_kinds() {
        read_root(&reader, &name, kinds & TEXTS != 0)?;
    }
    Ok(())
}

/// What a document holds, as JSON. `like` is another one in the same state, that was loaded from it: what a root is
/// that held something else before is told by what is left.
pub(super) fn content(document: &Document, like: &Document) -> Result<Json, String> {
    let reader = document.doc().transact();
    let mut trees = BTreeMap::new();
    for (name, kinds) in like.root_kinds() {
        if let Some(tree) = read_root(&reader, &name, kinds & TEXTS != 0)? {
            trees.insert(name, tree);
        }
    }
    Ok(content::roots(trees))
}
