//! What a connection of `/hocuspocus` says of a document before it was let into it: it waits for the token, which comes
//! behind it or is being looked at. Updates do not: when the token was sent, a provider counts all that it has written as
//! one change, which is stored when its answer to the server's first step is. Acknowledged by themselves they would make it
//! believe that sooner.

use super::command::Asks;
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
    said: Vec<(RoomId, Asks)>,
    bytes: usize,
}

impl Early {
    /// Lets something wait; false: there is no room for it.
    pub fn keep(&mut self, who: ConnectionId, draft: RoomId, asks: Asks) -> bool {
        if matches!(asks, Asks::Answer(_) | Asks::Update(..)) {
            return true;
        }
        let waiting = self.0.entry(who).or_default();
        let bytes = waiting.bytes + size(&asks);
        if waiting.said.len() >= MESSAGES_MAX || bytes > BYTES_MAX {
            return false;
        }
        waiting.bytes = bytes;
        waiting.said.push((draft, asks));
        true
    }

    /// Takes out what waits for a draft.
    pub fn take(&mut self, who: ConnectionId, draft: &RoomId) -> Vec<Asks> {
        let Some(waiting) = self.0.get_mut(&who) else { return Vec::new() };
        let (taken, rest) = std::mem::take(&mut waiting.said).into_iter().partition(|(of, _)| of == draft);
        let taken: Vec<(RoomId, Asks)> = taken;
        waiting.said = rest;
        waiting.bytes = waiting.said.iter().map(|(_, asks)| size(asks)).sum();
        taken.into_iter().map(|(_, asks)| asks).collect()
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
        assert_eq!(early.take(who, &one), [states(BYTES_MAX - 1)]);
        assert!((1..MESSAGES_MAX).all(|_| early.keep(who, one.clone(), Asks::QueryAwareness)));
        assert!(!early.keep(who, one.clone(), Asks::QueryAwareness));
        assert_eq!(early.take(who, &two), [states(1)]);
        early.forget(who);
        assert_eq!(early.len(), 0);
    }
}
