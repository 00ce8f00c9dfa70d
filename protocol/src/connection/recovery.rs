//! Connection state recovery (Socket.IO): who was cut off and comes back within the window is in its rooms again and
//! hears what it missed from their logs. Every frame that is kept carries a number, the client names the last one it
//! has heard, and from it follows a place in each log. Where that is not certain there is no recovery, and the
//! client joins again with `since`.

use super::Names;
use crate::auth::User;
use crate::ids::{ConnectionId, FirmId, RoomId, RoomKind, Seq, UserId};
use crate::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// How many connections that were cut off are remembered; of further ones the oldest is forgotten.
pub const REMEMBERED_MAX: usize = 10_000;

/// What a connection had when it was cut off.
#[derive(Debug)]
pub struct Remembered {
    /// Its names, which it keeps.
    pub names: Arc<Names>,
    user: UserId,
    firm: FirmId,
    /// The number of the last frame that was for it alone.
    last_own: u64,
    places: Vec<Place>,
    /// When it is forgotten.
    ends: Timestamp,
}

/// How far a connection was in one room when it was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which room.
    pub room: RoomId,
    /// The end of what was told.
    pub head: Seq,
    /// The numbers of the last entries that were told, the oldest first.
    pub told: Vec<(u64, Seq)>,
    /// Whether entries were told before these that have no number here.
    pub cut: bool,
    /// The number from which on everything was told as it happened.
    pub live_since: u64,
    /// The number of the last that was told to all and stands in no log.
    pub last_notice: u64,
    /// The entries that were the connection's own, the oldest first: it was answered and did not hear them.
    pub own: Vec<(u64, Seq)>,
    /// Whether there were more of these before.
    pub own_cut: bool,
}

/// Where a connection goes on in one room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumption {
    /// Which room.
    pub room: RoomId,
    /// It has heard everything up to here.
    pub at: Seq,
    /// What it is not to hear behind that: its own.
    pub own: Vec<Seq>,
}

/// Everybody who was cut off a short while ago, by the secret they prove themselves with.
#[derive(Debug, Default)]
pub struct Recovery {
    /// Those who are connected. One of them may have been cut off unnoticed, and come back before it is missed.
    connected: BTreeMap<String, ConnectionId>,
    remembered: BTreeMap<String, Remembered>,
    /// In the order in which they are forgotten.
    ends: VecDeque<(Timestamp, String)>,
}

impl Recovery {
    /// A client is connected by these names.
    pub fn came(&mut self, names: &Names, id: ConnectionId) {
        if let Some(pid) = &names.pid {
            self.connected.insert(pid.clone(), id);
        }
    }

    /// It is not any more.
    pub fn went(&mut self, names: &Names) {
        if let Some(pid) = &names.pid {
            self.connected.remove(pid);
        }
    }

    /// The connection that a secret belongs to, if it is there still.
    pub fn connected(&self, pid: &str) -> Option<ConnectionId> {
        self.connected.get(pid).copied()
    }

    /// How many may be cut off unnoticed.
    pub fn connected_len(&self) -> usize {
        self.connected.len()
    }

    /// Remembers a connection that was cut off, until `ends`.
    pub fn remember(
        &mut self,
        names: Arc<Names>,
        user: &User,
        last_own: u64,
        places: Vec<Place>,
        ends: Timestamp,
    ) {
        let Some(pid) = names.pid.clone() else { return };
        while self.remembered.len() >= REMEMBERED_MAX
            && let Some((ends, oldest)) = self.ends.pop_front()
        {
            self.forget(&oldest, ends);
        }
        self.ends.push_back((ends, pid.clone()));
        let (user, firm) = (user.id.clone(), user.firm.clone());
        self.remembered.insert(pid, Remembered { names, user, firm, last_own, places, ends });
    }

    /// Takes out what is remembered under a secret: it is good once.
    pub fn take(&mut self, pid: &str, user: &User) -> Option<Remembered> {
        let remembered = self.remembered.get(pid)?;
        if remembered.user != user.id || remembered.firm != user.firm {
            return None;
        }
        let taken = self.remembered.remove(pid)?;
        self.ends.retain(|(ends, of)| *ends != taken.ends || of != pid);
        Some(taken)
    }

    /// Forgets those whose time is over.
    pub fn tidy(&mut self, now: Timestamp) {
        while let Some((ends, pid)) = self.ends.pop_front_if(|(ends, _)| *ends <= now) {
            self.forget(&pid, ends);
        }
    }

    /// A feed is told from now on: who is away and was not in it would come back behind its first entries, and has to
    /// ask for them.
    pub fn feed_opened(&mut self, feed: &RoomId) {
        self.remembered.retain(|_, known| {
            let concerns = feed.kind == RoomKind::Everyone || *feed.name == *known.user.as_str();
            !concerns || known.places.iter().any(|place| place.room == *feed)
        });
    }

    /// The same client may have been remembered again since.
    fn forget(&mut self, pid: &str, ends: Timestamp) {
        if self.remembered.get(pid).is_some_and(|known| known.ends == ends) {
            self.remembered.remove(pid);
        }
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.remembered.len()
    }
}

impl Remembered {
    /// Where it goes on in each room, having heard the frame with this number last; `None`: not certain.
    pub fn resume(&self, heard: u64) -> Option<Vec<Resumption>> {
        if heard < self.last_own {
            return None;
        }
        self.places.iter().map(|place| place.resume(heard)).collect()
    }
}

impl Place {
    fn resume(&self, heard: u64) -> Option<Resumption> {
        if heard < self.live_since || heard < self.last_notice {
            return None;
        }
        let before = self.told.partition_point(|(number, _)| *number <= heard);
        // What has no number between two that have was told while nobody was here who may come back.
        let at = match self.told.get(before) {
            Some(_) if before == 0 && self.cut => return None,
            Some((_, missed)) => Seq(missed.0 - 1),
            None => self.head,
        };
        let missed_own = self.own.partition_point(|(number, _)| *number <= heard);
        if missed_own == 0 && self.own_cut {
            return None;
        }
        let own = self.own[missed_own..].iter().map(|(_, seq)| *seq).collect();
        Some(Resumption { room: self.room.clone(), at, own })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            room: RoomId::chat("r"),
            head: Seq(7),
            told: vec![(10, Seq(5)), (14, Seq(6)), (15, Seq(7))],
            cut: false,
            live_since: 8,
            last_notice: 0,
            own: vec![(14, Seq(6))],
            own_cut: false,
        }
    }

    fn at(place: &Place, heard: u64) -> Option<(u64, Vec<u64>)> {
        let resumed = place.resume(heard)?;
        Some((resumed.at.0, resumed.own.iter().map(|seq| seq.0).collect()))
    }

    #[test]
    fn the_last_number_that_was_heard_is_a_place_in_the_log() {
        for (heard, expected) in [
            (8, Some((4, vec![6]))),
            (9, Some((4, vec![6]))),
            (10, Some((5, vec![6]))),
            (13, Some((5, vec![6]))),
            (14, Some((6, vec![]))),
            (15, Some((7, vec![]))),
            (99, Some((7, vec![]))),
        ] {
            assert_eq!(at(&place(), heard), expected, "{heard}");
        }
        assert_eq!(at(&Place { told: vec![], own: vec![], ..place() }, 8), Some((7, vec![])));
        let unnumbered = Place { told: vec![(10, Seq(4)), (14, Seq(7))], own: vec![], ..place() };
        assert_eq!(at(&unnumbered, 12), Some((6, vec![])), "it was let in when 5 and 6 were told already");
    }

    #[test]
    fn what_is_not_certain_is_no_place() {
        assert_eq!(at(&place(), 7), None);
        assert_eq!(at(&Place { cut: true, ..place() }, 9), None);
        assert_eq!(at(&Place { cut: true, ..place() }, 10), Some((5, vec![6])));
        assert_eq!(at(&Place { own_cut: true, ..place() }, 13), None);
        assert_eq!(at(&Place { last_notice: 11, ..place() }, 10), None);
        let own = Remembered {
            names: Arc::new(Names { sid: "s".into(), pid: None }),
            user: "ada".into(),
            firm: "".into(),
            last_own: 12,
            places: vec![],
            ends: Timestamp::default(),
        };
        assert_eq!((own.resume(11), own.resume(12)), (None, Some(vec![])));
    }
}
