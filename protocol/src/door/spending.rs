//! A signature is good once (WIRE §0.2): the first use is written down before the request goes on, so that neither
//! a restart nor another process takes it again, and is struck out when its time has passed.

use super::asking::Asked;
use super::{Door, Step, Waiting};
use crate::auth::{LEEWAY, SIGNATURE_AGE_MAX, Stamp};
use crate::context::Context;
use crate::store::{Change, MarkRow, Row, RowKey, StoreRequest};
use crate::tickets::Pending;
use std::collections::VecDeque;

/// How many used signatures this process remembers to strike out. Of more, the marks stay: they cost room, and
/// nobody gets in by them.
const REMEMBERED_MAX: usize = 100_000;
/// How many are struck out at most with each that is written down.
const STRUCK_OUT_MAX: usize = 8;

/// Signatures that were used, in the order of their use.
#[derive(Debug, Default)]
pub struct Spent(VecDeque<Stamp>);

impl Spent {
    fn remember(&mut self, stamp: &Stamp) {
        if self.0.len() < REMEMBERED_MAX {
            self.0.push_back(stamp.clone());
        }
    }

    /// Those whose time has passed, in the order of their use, a few at a time.
    fn take_old(&mut self, now: u64) -> Vec<Stamp> {
        let kept = SIGNATURE_AGE_MAX.as_secs() + LEEWAY.as_secs();
        let is_old = |stamp: &mut Stamp| now.saturating_sub(stamp.at) > kept;
        std::iter::from_fn(|| self.0.pop_front_if(is_old)).take(STRUCK_OUT_MAX).collect()
    }
}

impl Door {
    /// A good signature: the request waits until it is certain that nobody has used it.
    pub(super) fn spend(&mut self, asked: Box<Asked>, stamp: &Stamp, ctx: &mut Context<'_>) {
        let mark = MarkRow { name: stamp.name(), place: stamp.at };
        let old = self.spent.take_old(ctx.fx.now.unix_seconds());
        let struck_out = old.iter().map(|stamp| Change::Remove(RowKey::Mark(stamp.name())));
        let rows = std::iter::once(Change::Insert(Row::Mark(mark))).chain(struck_out).collect();
        self.spent.remember(stamp);
        let waiting = Waiting { asked, step: Step::Spent };
        ctx.fx.store(StoreRequest::Commit { appends: vec![], rows }, Pending::Door(waiting));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_is_struck_out_a_few_at_a_time_and_never_what_could_be_used_again() {
        let mut spent = Spent::default();
        let stamp = |at: u64| Stamp { at, hex: format!("{at:064x}") };
        (0..20).for_each(|at| spent.remember(&stamp(at)));
        assert_eq!(spent.take_old(330), []);
        assert_eq!(spent.take_old(331), [stamp(0)]);
        assert_eq!(spent.take_old(1_000).len(), STRUCK_OUT_MAX);
        (0..REMEMBERED_MAX as u64 + 9).for_each(|at| spent.remember(&stamp(at)));
        assert_eq!(spent.0.len(), REMEMBERED_MAX);
    }
}
