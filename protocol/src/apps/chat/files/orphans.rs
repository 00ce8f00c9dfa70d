//! Pieces of files that were never completed, because the server ended in between or the store could not say what
//! became of them. They are looked for at the start and from time to time.

use super::super::Chat;
use super::{Waiting, pending};
use crate::context::Context;
use crate::store::{Change, Query, Row, RowKey, StoreReply, StoreRequest};
use crate::time::Timestamp;
use std::time::Duration;

/// How long nothing came of a file that is taken for forsaken.
const FORSAKEN_AFTER: Duration = Duration::from_secs(3_600);
/// How often they are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(600);
/// How many are taken away at once.
const SWEEP_FILES_MAX: usize = 8;

/// One sweep.
#[derive(Debug)]
pub struct Sweep {
    before: Timestamp,
    /// Whether there may be more.
    more: bool,
}

impl Chat {
    /// Whatever was coming when the process before this one ended is nobody's now.
    pub fn on_started(&mut self, ctx: &mut Context<'_>) {
        self.files.swept_at = ctx.fx.now;
        look(Sweep { before: ctx.fx.now, more: false }, ctx);
    }

    /// Looks for what was forsaken, if that was not done just now.
    pub fn tidy(&mut self, ctx: &mut Context<'_>) {
        if ctx.fx.now.since(self.files.swept_at) >= SWEEP_INTERVAL && !ctx.fx.is_busy() {
            self.files.swept_at = ctx.fx.now;
            look(Sweep { before: ctx.fx.now - FORSAKEN_AFTER, more: false }, ctx);
        }
    }
}

fn look(sweep: Sweep, ctx: &mut Context<'_>) {
    let query = Query::OrphanFiles { before: sweep.before, max: SWEEP_FILES_MAX as u32 };
    ctx.fx.store(StoreRequest::Look(query), pending(Waiting::Orphans(sweep)));
}

pub(super) fn on_found(sweep: Sweep, reply: StoreReply, ctx: &mut Context<'_>) {
    let StoreReply::Found(rows) = reply else { return };
    let removals = rows.iter().filter_map(|row| {
        let Row::FilePart(part) = row else { return None };
        Some(Change::Remove(RowKey::File(part.file.clone())))
    });
    let rows: Vec<_> = removals.collect();
    if !rows.is_empty() {
        let more = rows.len() >= SWEEP_FILES_MAX;
        let request = StoreRequest::Commit { appends: vec![], rows };
        ctx.fx.store(request, pending(Waiting::Swept(Sweep { more, ..sweep })));
    }
}

pub(super) fn on_swept(sweep: Sweep, reply: &StoreReply, ctx: &mut Context<'_>) {
    if sweep.more && matches!(reply, StoreReply::Committed(_)) {
        look(sweep, ctx);
    }
}
