//! Where something may be judged, board by board in turns. One step of the core judges so many rounds and no more; what
//! is left goes on soon after, so that whoever asks for much does not hold up the others.

use crate::ids::RoomId;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// How many rounds one step judges.
pub const STEP_ROUNDS_MAX: usize = 4;
/// When what is left goes on.
pub const PAUSE: Duration = Duration::from_millis(1);

/// Boards that wait for a round.
#[derive(Debug, Default)]
pub struct Due {
    order: VecDeque<RoomId>,
    known: BTreeSet<RoomId>,
    /// How many rounds were judged in this step.
    rounds: usize,
    /// Whether it is known already when what is left goes on.
    is_set: bool,
}

impl Due {
    /// A board waits, behind those that do.
    pub fn insert(&mut self, id: RoomId) {
        if self.known.insert(id.clone()) {
            self.order.push_back(id);
        }
    }

    /// A board waits no more.
    pub fn remove(&mut self, id: &RoomId) {
        if self.known.remove(id) {
            self.order.retain(|known| known != id);
        }
    }

    /// The board whose turn it is, if this step judges a further round.
    pub fn next(&mut self) -> Option<RoomId> {
        if !self.goes_on() {
            return None;
        }
        let id = self.order.pop_front()?;
        self.known.remove(&id);
        Some(id)
    }

    /// A round is judged.
    pub fn count_round(&mut self) {
        self.rounds += 1;
    }

    /// Whether a board waits and this step judges a further round.
    pub fn goes_on(&self) -> bool {
        self.rounds < STEP_ROUNDS_MAX && !self.order.is_empty()
    }

    /// A step begins.
    pub fn begin_step(&mut self) {
        self.rounds = 0;
    }

    /// A step ends. Whether it is to be said when what is left goes on.
    pub fn end_step(&mut self) -> bool {
        !self.order.is_empty() && !std::mem::replace(&mut self.is_set, true)
    }

    /// What is left goes on.
    pub fn wake(&mut self) {
        self.is_set = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_judges_so_many_rounds_and_each_board_has_its_turn() {
        let (a, b) = (RoomId::dashboard("a"), RoomId::dashboard("b"));
        let mut due = Due::default();
        [&a, &b, &a].into_iter().for_each(|id| due.insert(id.clone()));
        let mut judged = Vec::new();
        due.begin_step();
        while let Some(id) = due.next() {
            due.count_round();
            judged.push(id.clone());
            due.insert(id);
        }
        assert_eq!(judged, [a.clone(), b.clone(), a.clone(), b]);
        assert!(!due.goes_on());
        assert_eq!((due.end_step(), due.end_step()), (true, false), "it is said once");
        due.wake();
        due.begin_step();
        assert_eq!((due.next(), due.end_step()), (Some(a.clone()), true));
        due.insert(a.clone());
        due.remove(&a);
        assert_eq!((due.order.len(), due.known.len()), (1, 1));
    }
}
