//! What a connection of `/hocuspocus` says of a document before it was let into it: it waits for the token, which comes
//! behind it or is being looked at, and for the document. Updates do not: the answer to the server's first step brings
//! what they say. With its own first step a provider counts all that it has written as one change; those that come after
//! it are counted here.

use super::command::Asks;
use super::owed::WORDS_MAX;
use crate::ids::{ConnectionId, RoomId};
use bytes::Bytes;
use std::collections::BTreeMap;

/// How many messages of one connection wait (RELIABILITY, "Pre-auth buffer").
const MESSAGES_MAX: usize = 64;
/// How many bytes they have together.
const BYTES_MAX: usize = 64 * 1024;

/// What waits, by connection.
#[derive(Debug, Default)]
pub struct Early(BTreeMap<ConnectionId, Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    said: Vec<Said>,
    bytes: usize,
}

/// Something that was said, and how many updates came after it.
#[derive(Debug)]
struct Said {
    draft: RoomId,
    asks: Asks,
    updates: u32,
}

impl Early {
    /// Lets something wait; false: there is no room for it.
    pub fn keep(&mut self, who: ConnectionId, draft: RoomId, asks: Asks) -> bool {
        if matches!(asks, Asks::Answer(_)) {
            return true;
        }
        if matches!(asks, Asks::Update(..)) {
            return self.pass_over(who, &draft);
        }
        let waiting = self.0.entry(who).or_default();
        let bytes = waiting.bytes + size(&asks);
        if waiting.said.len() >= MESSAGES_MAX || bytes > BYTES_MAX {
            return false;
        }
        waiting.bytes = bytes;
        waiting.said.push(Said { draft, asks, updates: 0 });
        true
    }

    /// An update is counted if a first step came before it; false: they are too many.
    fn pass_over(&mut self, who: ConnectionId, draft: &RoomId) -> bool {
        let said = self.0.get_mut(&who).map(|waiting| waiting.said.iter_mut().rev());
        let step = said.into_iter().flatten().find(|said| said.draft == *draft && is_first_step(&said.asks));
        let Some(step) = step else { return true };
        step.updates += 1;
        step.updates < WORDS_MAX
    }

    /// Takes out what waits for a draft, each with how many updates are to be counted after it.
    pub fn take(&mut self, who: ConnectionId, draft: &RoomId) -> Vec<(Asks, u32)> {
        let Some(waiting) = self.0.get_mut(&who) else { return Vec::new() };
        let said = std::mem::take(&mut waiting.said);
        let (taken, rest): (Vec<Said>, Vec<Said>) = said.into_iter().partition(|said| said.draft == *draft);
        waiting.said = rest;
        waiting.bytes = waiting.said.iter().map(|said| size(&said.asks)).sum();
        taken.into_iter().map(|said| (said.asks, said.updates)).collect()
    }

    /// Nothing of a connection waits any more.
    pub fn forget(&mut self, who: ConnectionId) {
        self.0.remove(&who);
    }

    /// How many connections have something that waits.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

fn is_first_step(asks: &Asks) -> bool {
    matches!(asks, Asks::State(_))
}

fn size(asks: &Asks) -> usize {
    match asks {
        Asks::State(vector) => vector.as_ref().map_or(0, Bytes::len),
        Asks::Answer(bytes) | Asks::Update(bytes, _) | Asks::Awareness(bytes) => bytes.len(),
        Asks::Open
        | Asks::Close
        | Asks::QueryAwareness
        | Asks::Comment(_)
        | Asks::Resolve { .. }
        | Asks::Nothing => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_and_goes_to_its_own_draft_and_no_update_waits() {
        let (who, one, two) =
            (ConnectionId { slot: 1, generation: 0 }, RoomId::draft("1"), RoomId::draft("2"));
        let states = |bytes: usize| Asks::Awareness(vec![0; bytes].into());
        let mut early = Early::default();
        assert!(early.keep(who, one.clone(), Asks::Update(vec![0; BYTES_MAX + 1].into(), None)));
        assert!(early.keep(who, one.clone(), states(BYTES_MAX - 1)));
        assert!(!early.keep(who, two.clone(), states(2)));
        assert!(early.keep(who, two.clone(), states(1)));
        assert_eq!(early.take(who, &one), [(states(BYTES_MAX - 1), 0)]);
        assert!((1..MESSAGES_MAX).all(|_| early.keep(who, one.clone(), Asks::QueryAwareness)));
        assert!(!early.keep(who, one.clone(), Asks::QueryAwareness));
        assert_eq!(early.take(who, &two), [(states(1), 0)]);
        early.forget(who);
        assert_eq!(early.len(), 0);
    }

    #[test]
    fn updates_after_a_first_step_are_counted() {
        let who = ConnectionId { slot: 1, generation: 0 };
        let mut early = Early::default();
        let update = || Asks::Update(vec![0].into(), None);
        let all = [update(), Asks::State(None), update(), Asks::QueryAwareness, update()];
        assert!(all.into_iter().all(|asks| early.keep(who, RoomId::draft("1"), asks)));
        assert!(early.keep(who, RoomId::draft("2"), update()));
        let taken = early.take(who, &RoomId::draft("1"));
        assert_eq!(taken, [(Asks::State(None), 2), (Asks::QueryAwareness, 0)]);
    }
}
