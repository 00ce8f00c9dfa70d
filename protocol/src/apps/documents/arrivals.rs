//! Connections on the way to their session. The last one wins from the moment it comes: of those that are on the
//! way to the same session only the newest goes on.

use crate::ids::{ConnectionId, FirmId, TemplateId, UserId};
use std::collections::BTreeMap;

/// The one open session of a firm, user and template.
pub type Destination = (FirmId, UserId, TemplateId);

/// Who is on the way, and where to; one for each destination.
#[derive(Debug, Default)]
pub struct Arrivals {
    by_connection: BTreeMap<ConnectionId, Destination>,
    by_destination: BTreeMap<Destination, ConnectionId>,
}

impl Arrivals {
    /// A connection is on the way. Returns the one that was, and is not any more.
    pub fn begin(&mut self, who: ConnectionId, destination: Destination) -> Option<ConnectionId> {
        let before = self.by_destination.insert(destination.clone(), who);
        if let Some(before) = before {
            self.by_connection.remove(&before);
        }
        self.by_connection.insert(who, destination);
        before
    }

    /// A connection has arrived, or does not come any more. Whether it was on the way.
    pub fn end(&mut self, who: ConnectionId) -> bool {
        let destination = self.by_connection.remove(&who);
        if let Some(destination) = &destination {
            self.by_destination.remove(destination);
        }
        destination.is_some()
    }

    /// Whether this connection is on the way.
    pub fn contains(&self, who: ConnectionId) -> bool {
        self.by_connection.contains_key(&who)
    }

    /// Whether somebody is on the way there.
    pub fn is_awaited(&self, destination: &Destination) -> bool {
        self.by_destination.contains_key(destination)
    }

    /// How many are on the way.
    pub fn len(&self) -> usize {
        self.by_connection.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_on_the_way_to_one_session_the_newer_goes_on() {
        let mut arrivals = Arrivals::default();
        let connection = |slot| ConnectionId { slot, generation: 0 };
        let destination = |user: &str| (FirmId::from("f"), UserId::from(user), TemplateId::from("t"));
        assert_eq!(arrivals.begin(connection(0), destination("a")), None);
        assert_eq!(arrivals.begin(connection(1), destination("b")), None);
        assert_eq!(arrivals.begin(connection(2), destination("a")), Some(connection(0)));
        assert!(!arrivals.end(connection(0)), "it was overtaken");
        assert!(arrivals.is_awaited(&destination("a")) && arrivals.contains(connection(2)));
        assert!(arrivals.end(connection(2)) && !arrivals.is_awaited(&destination("a")));
        assert_eq!(arrivals.len(), 1);
    }
}
