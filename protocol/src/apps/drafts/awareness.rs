//! Where everybody is in a draft: the awareness of y-protocols, with owners. A connection speaks for one client id, the
//! first it gives a state that nobody else speaks for; what it repeats of others, as providers do, is passed over. When it goes, its
//! state goes. Nothing of it is stored.

use crate::ids::ConnectionId;
use crate::y_sync::Malformed;
use crate::y_sync::awareness::State;
use std::collections::{BTreeMap, VecDeque};

/// How many client ids of those who have gone are remembered, so that who comes back is not ignored by the others.
const GONE_MAX: usize = 256;

/// The states of one draft.
#[derive(Debug, Default)]
pub struct Awareness {
    here: BTreeMap<u64, Here>,
    owners: BTreeMap<ConnectionId, u64>,
    /// The last clocks of those who have gone, the first gone in front.
    gone: VecDeque<(u64, u64)>,
}

#[derive(Debug)]
struct Here {
    owner: ConnectionId,
    state: State,
}

/// What follows from what a connection said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    /// What all are told: what was its own and new.
    pub tell: Vec<State>,
    /// What the speaker itself is told: that others take it for gone, so that it says where it is once more.
    pub back: Vec<State>,
}

impl Awareness {
    /// A connection said where it is, and perhaps what it heard of others.
    pub fn hear(&mut self, who: ConnectionId, said: Vec<State>) -> Result<Heard, Malformed> {
        let mut heard = Heard::default();
        for state in said {
            match self.owners.get(&who) {
                Some(own) if *own == state.client => {
                    state.check()?;
                    self.renew(state, &mut heard);
                }
                Some(_) => {}
                None if state.state.is_none() || self.here.contains_key(&state.client) => {}
                None => {
                    state.check()?;
                    self.begin(who, state, &mut heard);
                }
            }
        }
        Ok(heard)
    }

    fn begin(&mut self, who: ConnectionId, state: State, heard: &mut Heard) {
        let before = self.gone.iter().position(|(client, _)| *client == state.client);
        if let Some((client, clock)) = before.and_then(|place| self.gone.remove(place))
            && clock >= state.clock
        {
            heard.back.push(State { client, clock, state: None });
        }
        self.owners.insert(who, state.client);
        self.here.insert(state.client, Here { owner: who, state: state.clone() });
        heard.tell.push(state);
    }

    /// Newer is what has a greater clock, or the same and is the end (y-protocols, `applyAwarenessUpdate`).
    fn renew(&mut self, state: State, heard: &mut Heard) {
        let Some(here) = self.here.get_mut(&state.client) else { return };
        let ends = state.state.is_none() && here.state.state.is_some();
        if state.clock > here.state.clock || (state.clock == here.state.clock && ends) {
            here.state = state.clone();
            heard.tell.push(state);
        }
    }

    /// A connection has gone: the end of its state, for the others.
    pub fn leave(&mut self, who: ConnectionId) -> Option<State> {
        let client = self.owners.remove(&who)?;
        let here = self.here.remove(&client)?;
        debug_assert_eq!(here.owner, who);
        self.gone.push_back((client, here.state.clock));
        if self.gone.len() > GONE_MAX {
            self.gone.pop_front();
        }
        here.state.state.is_some().then_some(State { state: None, ..here.state })
    }

    /// The states of all who are somewhere.
    pub fn all(&self) -> Vec<State> {
        self.here.values().filter(|here| here.state.state.is_some()).map(|here| here.state.clone()).collect()
    }

    /// How many speak.
    pub fn len(&self) -> usize {
        self.here.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: ConnectionId = ConnectionId { slot: 0, generation: 0 };
    const BEN: ConnectionId = ConnectionId { slot: 1, generation: 0 };

    fn at(client: u64, clock: u64, state: &str) -> State {
        State { client, clock, state: Some(state.into()) }
    }

    fn end(client: u64, clock: u64) -> State {
        State { client, clock, state: None }
    }

    fn hear(awareness: &mut Awareness, who: ConnectionId, said: Vec<State>) -> Heard {
        awareness.hear(who, said).expect("JSON")
    }

    #[test]
    fn a_connection_speaks_for_one_id_that_nobody_else_speaks_for() {
        let mut awareness = Awareness::default();
        let told = |states: &[State]| Heard { tell: states.to_vec(), back: vec![] };
        assert_eq!(hear(&mut awareness, ADA, vec![at(1, 0, "{}")]), told(&[at(1, 0, "{}")]));
        assert_eq!(hear(&mut awareness, BEN, vec![at(1, 9, "9"), at(2, 0, "{}")]), told(&[at(2, 0, "{}")]));
        assert_eq!(hear(&mut awareness, BEN, vec![end(1, 9), at(3, 0, "{}")]), told(&[]));
        assert_eq!(hear(&mut awareness, ADA, vec![at(1, 0, "1"), at(1, 1, "2")]), told(&[at(1, 1, "2")]));
        assert_eq!(hear(&mut awareness, ADA, vec![end(1, 1), end(1, 1)]), told(&[end(1, 1)]));
        assert_eq!(awareness.all(), [at(2, 0, "{}")]);
        assert_eq!((awareness.leave(ADA), awareness.leave(BEN)), (None, Some(end(2, 0))));
        assert_eq!(awareness.len(), 0);
    }

    #[test]
    fn only_what_a_connection_says_of_itself_has_to_be_json() {
        let mut awareness = Awareness::default();
        assert!(awareness.hear(ADA, vec![at(1, 0, "{")]).is_err());
        hear(&mut awareness, ADA, vec![at(1, 0, "{}")]);
        assert_eq!(
            awareness.hear(BEN, vec![at(1, 1, "{"), at(2, 0, "{}")]).map(|heard| heard.tell.len()),
            Ok(1)
        );
        assert!(awareness.hear(ADA, vec![at(1, 1, "{")]).is_err());
    }

    #[test]
    fn who_comes_back_with_an_old_clock_is_told_that_it_was_taken_for_gone() {
        let mut awareness = Awareness::default();
        hear(&mut awareness, ADA, vec![at(1, 4, "{}")]);
        awareness.leave(ADA);
        let heard = hear(&mut awareness, BEN, vec![at(1, 4, "{}")]);
        assert_eq!(heard, Heard { tell: vec![at(1, 4, "{}")], back: vec![end(1, 4)] });
        awareness.leave(BEN);
        assert_eq!(hear(&mut awareness, BEN, vec![at(1, 5, "{}")]).back, []);
        for client in 2..300 {
            hear(&mut awareness, ADA, vec![at(client, 1, "{}")]);
            awareness.leave(ADA);
        }
        assert_eq!(awareness.gone.len(), GONE_MAX);
    }
}
