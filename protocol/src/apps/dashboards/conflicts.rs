//! The conflicts that are not settled, by their ids: kept for a while and in memory only, because nothing was changed by
//! them. Whoever's is forgotten asks again and has another.

use super::judging::Clash;
use crate::ids::{RoomId, UserId};
use crate::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How long one is kept (WIRE §3).
const CONFLICT_LIFE: Duration = Duration::from_secs(600);
/// How many of one dashboard are kept; the oldest goes first.
const CONFLICTS_PER_BOARD_MAX: usize = 256;
/// How many are kept in all, and how much of what was asked; the oldest goes first.
const CONFLICTS_MAX: usize = 10_000;
const CONFLICT_BYTES_MAX: usize = 64 << 20;
/// What one costs beside what was asked.
const OVERHEAD_BYTES: usize = 512;

/// All that are kept.
#[derive(Debug, Default)]
pub struct Conflicts {
    known: BTreeMap<Arc<str>, Conflict>,
    by_board: BTreeMap<RoomId, VecDeque<Arc<str>>>,
    /// In the order in which they came; those that are settled stay in it until their turn comes.
    order: VecDeque<(Timestamp, Arc<str>)>,
    bytes: usize,
}

/// One.
#[derive(Debug)]
pub struct Conflict {
    /// Whose.
    user: UserId,
    board: RoomId,
    /// What it is about.
    pub clash: Clash,
    /// Whether its author left it to the others.
    pub withdrawn: bool,
}

impl Conflicts {
    /// Keeps one.
    pub fn keep(&mut self, id: Arc<str>, board: RoomId, user: UserId, clash: Clash, now: Timestamp) {
        self.tidy(now);
        let of_board = self.by_board.entry(board.clone()).or_default();
        of_board.push_back(id.clone());
        let oldest = (of_board.len() > CONFLICTS_PER_BOARD_MAX).then(|| of_board.pop_front()).flatten();
        oldest.into_iter().for_each(|oldest| self.settle(&oldest));
        self.bytes += cost(&clash);
        self.order.push_back((now, id.clone()));
        self.known.insert(id, Conflict { user, board, clash, withdrawn: false });
        while self.order.len() > CONFLICTS_MAX || self.bytes > CONFLICT_BYTES_MAX {
            let Some((_, oldest)) = self.order.pop_front() else { break };
            self.settle(&oldest);
        }
    }

    /// The conflict of this user about this dashboard.
    pub fn find(&mut self, id: &str, board: &RoomId, user: &UserId, now: Timestamp) -> Option<&mut Conflict> {
        self.tidy(now);
        self.known.get_mut(id).filter(|known| known.board == *board && known.user == *user)
    }

    /// Forgets one.
    pub fn settle(&mut self, id: &Arc<str>) {
        let Some(conflict) = self.known.remove(id) else { return };
        self.bytes -= cost(&conflict.clash);
        if let Some(of_board) = self.by_board.get_mut(&conflict.board) {
            of_board.retain(|known| known != id);
            if of_board.is_empty() {
                self.by_board.remove(&conflict.board);
            }
        }
    }

    /// Forgets those of a dashboard that is no more.
    pub fn forget(&mut self, board: &RoomId) {
        for id in self.by_board.get(board).cloned().unwrap_or_default() {
            self.settle(&id);
        }
    }

    /// Forgets those that are too old.
    pub fn tidy(&mut self, now: Timestamp) {
        while let Some((_, id)) = self.order.pop_front_if(|(at, _)| now.since(*at) >= CONFLICT_LIFE) {
            self.settle(&id);
        }
    }

    /// How many are kept.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.known.len()
    }
}

fn cost(clash: &Clash) -> usize {
    OVERHEAD_BYTES + clash.yours.bytes() + clash.fields.iter().map(|name| name.len()).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::super::command::Part;
    use super::*;

    fn clash(bytes: usize) -> Clash {
        let value = serde_json::from_str(&format!("\"{}\"", "x".repeat(bytes))).expect("JSON");
        let yours = Part::Lay { base: Some(1), value };
        Clash { widget: None, base: 1, current: 2, fields: vec![], yours }
    }

    fn keep(conflicts: &mut Conflicts, number: usize, board: &str, bytes: usize) {
        let id = number.to_string().into();
        let now = Timestamp(number as u64);
        conflicts.keep(id, RoomId::dashboard(board), "ada".into(), clash(bytes), now);
    }

    #[test]
    fn a_conflict_is_its_authors_for_ten_minutes() {
        let mut conflicts = Conflicts::default();
        keep(&mut conflicts, 1, "a", 0);
        let (board, ada) = (RoomId::dashboard("a"), UserId::from("ada"));
        let end = Timestamp(1) + CONFLICT_LIFE;
        assert!(conflicts.find("1", &board, &"ben".into(), Timestamp(2)).is_none());
        assert!(conflicts.find("1", &RoomId::dashboard("b"), &ada, Timestamp(2)).is_none());
        assert!(conflicts.find("1", &board, &ada, end - Duration::from_micros(1)).is_some());
        assert!(conflicts.find("1", &board, &ada, end).is_none());
        assert_eq!((conflicts.bytes, conflicts.order.len(), conflicts.by_board.len()), (0, 0, 0));
    }

    #[test]
    fn the_oldest_goes_where_there_are_too_many() {
        let mut conflicts = Conflicts::default();
        (0..=CONFLICTS_PER_BOARD_MAX).for_each(|number| keep(&mut conflicts, number, "a", 0));
        assert_eq!((conflicts.len(), conflicts.known.contains_key("0")), (CONFLICTS_PER_BOARD_MAX, false));
        for number in 0..=CONFLICTS_MAX {
            keep(&mut conflicts, 1_000 + number, &format!("b{number}"), 0);
        }
        assert!(conflicts.len() <= CONFLICTS_MAX && !conflicts.known.contains_key("1000"));
        conflicts.forget(&RoomId::dashboard("b7"));
        assert!(!conflicts.known.contains_key("1007"));
        let mut conflicts = Conflicts::default();
        (0..1_100).for_each(|number| keep(&mut conflicts, number, &number.to_string(), 60_000));
        assert!(conflicts.bytes <= CONFLICT_BYTES_MAX && conflicts.known.contains_key("1099"));
    }
}
