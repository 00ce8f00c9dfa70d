//! Connections on the way to their sessions. The last one wins from the moment it comes: of those that are on the
//! way to the same session only the newest goes on.

use crate::context::Caller;
use crate::ids::{ConnectionId, FirmId, TemplateId, UserId};
use std::collections::BTreeMap;

/// The one open session of a firm, user and template.
pub type Destination = (FirmId, UserId, TemplateId);

/// Who is on the way, and where to; one for each destination.
#[derive(Debug, Default)]
pub struct Arrivals {
    by_destination: BTreeMap<Destination, Arrival>,
    by_connection: BTreeMap<ConnectionId, Vec<Destination>>,
    begun: u64,
}

/// A connection on the way.
#[derive(Debug)]
pub struct Arrival {
    number: u64,
    /// Which, and the call that is answered at the end of the way.
    pub caller: Caller,
    /// Whether the connection is there for this session alone.
    pub alone: bool,
}

/// What somebody on the way knows: a connection may set out again for where it was overtaken before.
#[derive(Debug)]
pub struct Way {
    /// Where to.
    pub destination: Destination,
    number: u64,
}

impl Arrivals {
    /// A connection sets out. Returns its way, and who was on the way there and is not any more.
    pub fn begin(&mut self, caller: Caller, alone: bool, destination: Destination) -> (Way, Option<Arrival>) {
        self.begun += 1;
        let (who, number) = (caller.connection, self.begun);
        let before = self.by_destination.insert(destination.clone(), Arrival { number, caller, alone });
        if let Some(before) = &before {
            self.forget(before.caller.connection, &destination);
        }
        self.by_connection.entry(who).or_default().push(destination.clone());
        (Way { destination, number }, before)
    }

    /// Who is on this way, unless it is gone or was overtaken.
    pub fn find(&self, way: &Way) -> Option<&Arrival> {
        self.by_destination.get(&way.destination).filter(|arrival| arrival.number == way.number)
    }

    /// A connection has arrived, or does not come any more: who it was, if it was still on the way.
    pub fn end(&mut self, way: &Way) -> Option<Arrival> {
        self.find(way)?;
        let arrival = self.by_destination.remove(&way.destination)?;
        self.forget(arrival.caller.connection, &way.destination);
        Some(arrival)
    }

    /// A connection is gone, and on no way any more.
    pub fn end_all(&mut self, who: ConnectionId) {
        for destination in self.by_connection.remove(&who).unwrap_or_default() {
            self.by_destination.remove(&destination);
        }
    }

    /// How many sessions this connection is on the way to.
    pub fn count_of(&self, who: ConnectionId) -> usize {
        self.by_connection.get(&who).map_or(0, Vec::len)
    }

    /// Whether this connection is on the way there.
    pub fn is_coming(&self, who: ConnectionId, destination: &Destination) -> bool {
        self.by_destination.get(destination).is_some_and(|arrival| arrival.caller.connection == who)
    }

    /// Whether this connection is on the way to the session that it is there for alone.
    pub fn is_alone(&self, who: ConnectionId) -> bool {
        let destinations = self.by_connection.get(&who).into_iter().flatten();
        destinations.filter_map(|place| self.by_destination.get(place)).any(|arrival| arrival.alone)
    }

    /// Whether somebody is on the way there.
    pub fn is_awaited(&self, destination: &Destination) -> bool {
        self.by_destination.contains_key(destination)
    }

    /// How many are on the way.
    pub fn len(&self) -> usize {
        self.by_destination.len()
    }

    fn forget(&mut self, who: ConnectionId, destination: &Destination) {
        let Some(destinations) = self.by_connection.get_mut(&who) else { return };
        destinations.retain(|place| place != destination);
        if destinations.is_empty() {
            self.by_connection.remove(&who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Permissions, User, UserType};
    use crate::envelope::Envelope;
    use crate::time::Timestamp;
    use std::sync::Arc;

    fn caller(slot: u32) -> Caller {
        let user = Arc::new(User {
            id: "a".into(),
            firm: "f".into(),
            name: None,
            user_type: UserType::Employee,
            permissions: Permissions::of(UserType::Employee),
            expires_at: Timestamp(0),
        });
        let connection = ConnectionId { slot, generation: 0 };
        Caller { connection, envelope: Envelope::Event, user, reply_to: None }
    }

    fn destination(template: &str) -> Destination {
        (FirmId::from("f"), UserId::from("a"), TemplateId::from(template))
    }

    #[test]
    fn of_two_on_the_way_to_one_session_the_newer_goes_on() {
        let mut arrivals = Arrivals::default();
        let (first, none) = arrivals.begin(caller(0), true, destination("t"));
        assert!(none.is_none() && arrivals.is_alone(caller(0).connection));
        let (other, none) = arrivals.begin(caller(1), false, destination("u"));
        assert!(none.is_none() && !arrivals.is_alone(caller(1).connection));
        let (second, overtaken) = arrivals.begin(caller(1), false, destination("t"));
        let overtaken = overtaken.expect("one was on the way");
        assert_eq!((overtaken.caller.connection, overtaken.alone), (caller(0).connection, true));
        assert!(arrivals.end(&first).is_none(), "it was overtaken");
        assert_eq!((arrivals.len(), arrivals.count_of(caller(1).connection)), (2, 2));
        assert!(arrivals.end(&second).is_some() && !arrivals.is_awaited(&destination("t")));
        arrivals.end_all(caller(1).connection);
        assert!(arrivals.find(&other).is_none());
        assert_eq!((arrivals.len(), arrivals.by_connection.len()), (0, 0));
    }

    #[test]
    fn who_sets_out_again_is_not_on_the_way_on_which_it_was_overtaken() {
        let mut arrivals = Arrivals::default();
        let (first, _) = arrivals.begin(caller(0), false, destination("t"));
        arrivals.begin(caller(1), false, destination("t"));
        let (again, _) = arrivals.begin(caller(0), false, destination("t"));
        assert!(arrivals.find(&first).is_none() && arrivals.find(&again).is_some());
        assert!(arrivals.is_coming(caller(0).connection, &destination("t")));
    }
}
