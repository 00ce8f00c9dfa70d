//! The Yjs documents of drafts: a second pure machine beside the server's. It alone knows `yrs`.
//!
//! A driver keeps a [`Docs`] for each draft that is open and runs [`DocJob`]s on it, never under the core's lock. What clients send
//! is hostile until shown otherwise: it is scanned before `yrs` sees a byte of it, applied, and what is new in it
//! is written again, from the document; only that is stored and relayed.

mod census;
mod document;
mod job;
mod lib0;
mod restore;
mod scan;
mod settle;
mod sieve;

pub use job::{
    Applied, DOCUMENT_BYTES_MAX, DocId, DocJob, DocOutcome, RestoreRefused, Standing, UPDATE_BYTES_MAX,
    Unreadable, WEIGHT_MAX, Why,
};

use bytes::Bytes;
use document::{Document, Fault, Taken};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The documents of a draft: its own, and copies of older versions that are being looked at.
#[derive(Default)]
pub struct Docs {
    documents: BTreeMap<DocId, Document>,
}

impl std::fmt::Debug for Docs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Docs").field("len", &self.len()).field("weight", &self.weight()).finish()
    }
}

impl Docs {
    /// Runs a job. The same jobs in the same order: the same outcomes. Never panics.
    pub fn run(&mut self, doc: &DocId, job: &DocJob) -> DocOutcome {
        // Which update it is at, for when it breaks.
        let mut at = None;
        let outcome = catch_unwind(AssertUnwindSafe(|| self.run_unguarded(doc, job, &mut at)));
        let outcome = outcome.unwrap_or(DocOutcome::Broken { at });
        if let DocOutcome::Broken { .. } | DocOutcome::Opened(Err(_)) | DocOutcome::Closed = outcome {
            let document = self.documents.remove(doc);
            // What broke may break once more.
            drop(catch_unwind(AssertUnwindSafe(|| drop(document))));
        }
        outcome
    }

    /// What a document holds, as JSON of our own, for comparing it with what others make of the same updates: under
    /// each root its `text` (pieces with their formats) or its `list`, and its `keys`.
    pub fn content(&self, doc: &DocId) -> Option<Result<serde_json::Value, String>> {
        self.documents.get(doc).map(Document::content)
    }

    /// How many documents are open.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// About how many bytes of memory all of them take.
    pub fn weight(&self) -> usize {
        self.documents.values().map(Document::weight).sum()
    }

    fn run_unguarded(&mut self, doc: &DocId, job: &DocJob, at: &mut Option<usize>) -> DocOutcome {
        if let DocJob::Close = job {
            return DocOutcome::Closed;
        }
        if let DocJob::Open { snapshot, updates } = job {
            self.documents.remove(doc);
            let document = match snapshot.as_deref().map_or_else(|| Ok(Document::default()), Document::load) {
                Ok(document) => self.documents.entry(doc.clone()).or_insert(document),
                Err(fault) => return DocOutcome::Opened(Err(Unreadable { at: None, fault })),
            };
            return DocOutcome::Opened(replay(document, updates, at));
        }
        let Some(document) = self.documents.get_mut(doc) else { return DocOutcome::Absent };
        match job {
            DocJob::Open { .. } | DocJob::Close => DocOutcome::Absent,
            DocJob::Replay { updates } => DocOutcome::Opened(replay(document, updates, at)),
            DocJob::Apply { updates } => apply(document, updates, at),
            DocJob::Diff { since } => match document.diff(since.as_deref().unwrap_or_default()) {
                Ok(update) => {
                    DocOutcome::Diff { update: update.into(), state_vector: document.state_vector().into() }
                }
                Err(Fault::Refused(why)) => DocOutcome::DiffRefused(why),
                Err(Fault::Broken) => DocOutcome::Broken { at: None },
            },
            DocJob::Knows { update } => DocOutcome::Known(document.knows(update)),
            DocJob::Fold => {
                let folded = document.fold().map(Bytes::from);
                DocOutcome::Folded(folded.map_err(|fault| Unreadable { at: None, fault }))
            }
            DocJob::Restore { to, client } => restore::restore(document, to, *client),
        }
    }
}

fn replay(
    document: &mut Document,
    updates: &[Bytes],
    at: &mut Option<usize>,
) -> Result<Standing, Unreadable> {
    for (index, update) in updates.iter().enumerate() {
        *at = Some(index);
        document.replay(update).map_err(|fault| Unreadable { at: *at, fault })?;
    }
    Ok(standing(document))
}

fn apply(document: &mut Document, updates: &[Bytes], at: &mut Option<usize>) -> DocOutcome {
    let mut each = Vec::with_capacity(updates.len());
    for (index, update) in updates.iter().enumerate() {
        *at = Some(index);
        each.push(match document.apply(update) {
            Ok(Taken { update, pending }) if update.is_empty() => Applied::Nothing { pending },
            Ok(Taken { update, pending }) => Applied::New { update, pending },
            Err(Fault::Refused(why)) => Applied::Refused(why),
            Err(Fault::Broken) => return DocOutcome::Broken { at: *at },
        });
    }
    DocOutcome::Applied { each, standing: standing(document) }
}

fn standing(document: &Document) -> Standing {
    Standing {
        state_vector: document.state_vector().into(),
        bytes: document.bytes(),
        weight: document.weight(),
        full: document.full().is_some(),
    }
}
