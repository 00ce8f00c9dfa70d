//! Names for what the core and a driver speak of: numbers for what lives a while (slot and generation, so
//! that both sides index arrays and a late fact about something gone is recognised), strings for what is kept.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

macro_rules! slot_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name {
            /// The place in the table.
            pub slot: u32,
            /// How often that place was used before.
            pub generation: u32,
        }
        impl From<(u32, u32)> for $name {
            fn from((slot, generation): (u32, u32)) -> Self {
                Self { slot, generation }
            }
        }
        impl From<$name> for (u32, u32) {
            fn from(id: $name) -> Self {
                (id.slot, id.generation)
            }
        }
    };
}

slot_id!(
    /// One HTTP request that waits for its response. Given out by the driver.
    RequestId
);
slot_id!(
    /// A transport: one WebSocket. Given out by the core.
    SocketId
);
slot_id!(
    /// A session of one client. Given out by the core.
    ConnectionId
);
slot_id!(
    /// Names a pending store request, job or call.
    Ticket
);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Arc<str>);
        impl $name {
            /// The id as it is written on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}

text_id!(
    /// A user, as the token's `sub` names it. The empty one is the server itself (`UserId::server`).
    UserId
);
text_id!(
    /// A tenant, as the token's `firmId` names it; the empty one is a tenant like another.
    FirmId
);
text_id!(
    /// An entry's own id: unique together with its room and author.
    EntryId
);
text_id!(
    /// A document template.
    TemplateId
);
text_id!(
    /// One user's way through one template.
    SessionId
);
text_id!(
    /// A generated document.
    DocumentId
);
text_id!(
    /// A file in a chat room.
    FileId
);
text_id!(
    /// An escalation of a chat room to the supervisors.
    EscalationId
);

impl UserId {
    /// The author of what no user wrote (an AI reply, a claim). No token can name it: `sub` is never empty.
    pub fn server() -> Self {
        Self("".into())
    }
}

/// What a room is for; decides which app reads its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomKind {
    /// A guided document session (WIRE §1).
    Document,
    /// A chat room (WIRE §2).
    Chat,
    /// A project, in which backends speak (WIRE §5).
    Project,
    /// What backends tell one user.
    User,
    /// What backends tell everyone.
    Everyone,
    /// What the supervisors of a firm are told.
    Supervisors,
    /// A dashboard: widgets and their layout (WIRE §3).
    Dashboard,
    /// A shared draft: a Yjs document (WIRE §4).
    Draft,
}

impl RoomKind {
    /// Every kind there is.
    pub const ALL: [Self; 8] = [
        Self::Document,
        Self::Chat,
        Self::Project,
        Self::User,
        Self::Everyone,
        Self::Supervisors,
        Self::Dashboard,
        Self::Draft,
    ];

    /// The kind's name in the store, in the admin API and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Chat => "chat",
            Self::Project => "project",
            Self::User => "user",
            Self::Everyone => "everyone",
            Self::Supervisors => "supervisors",
            Self::Dashboard => "dashboard",
            Self::Draft => "draft",
        }
    }

    /// Whether its app keeps a state that is folded from the log.
    pub fn is_folded(self) -> bool {
        match self {
            Self::Dashboard | Self::Draft => true,
            Self::Document | Self::Chat | Self::Project | Self::User | Self::Everyone | Self::Supervisors => {
                false
            }
        }
    }

    /// The kind with this name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A room: unique by kind and name over all firms.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RoomId {
    /// What the room is for.
    pub kind: RoomKind,
    /// Its id within the kind; at most 128 bytes.
    pub name: Arc<str>,
}

impl RoomId {
    /// The chat room with this id.
    pub fn chat(name: &str) -> Self {
        Self { kind: RoomKind::Chat, name: name.into() }
    }

    /// The project with this id.
    pub fn project(name: &str) -> Self {
        Self { kind: RoomKind::Project, name: name.into() }
    }

    /// What one user is told, whatever firm the token names: the issuer's `sub` stands for one person.
    pub fn user(user: &UserId) -> Self {
        Self { kind: RoomKind::User, name: user.0.clone() }
    }

    /// What everyone is told.
    pub fn everyone() -> Self {
        Self { kind: RoomKind::Everyone, name: "all".into() }
    }

    /// What the supervisors of a firm are told.
    pub fn supervisors(firm: &FirmId) -> Self {
        Self { kind: RoomKind::Supervisors, name: firm.0.clone() }
    }

    /// The dashboard with this id.
    pub fn dashboard(name: &str) -> Self {
        Self { kind: RoomKind::Dashboard, name: name.into() }
    }

    /// The draft with this id.
    pub fn draft(name: &str) -> Self {
        Self { kind: RoomKind::Draft, name: name.into() }
    }

    /// The log of a document session.
    pub fn document(session: &SessionId) -> Self {
        Self { kind: RoomKind::Document, name: session.0.clone() }
    }
}

impl fmt::Debug for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.name)
    }
}

/// An entry's place in its room's log: 1, 2, 3 … without gaps. 0 stands before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// Before the first entry.
    pub const ZERO: Self = Self(0);

    /// The place after this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A bounded table whose keys are slot and generation: a key of something removed finds nothing, until
/// its place was used four thousand million times.
#[derive(Debug, Clone)]
pub struct Slots<K, T> {
    places: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
    key: PhantomData<K>,
}

impl<K, T> Default for Slots<K, T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new(), key: PhantomData }
    }
}

impl<K: From<(u32, u32)> + Into<(u32, u32)>, T> Slots<K, T> {
    /// Keeps what `make` returns for its key.
    pub fn insert_with(&mut self, make: impl FnOnce(&K) -> T) -> K {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.places.push((0, None));
            (self.places.len() - 1) as u32
        });
        let place = &mut self.places[slot as usize];
        place.1 = Some(make(&K::from((slot, place.0))));
        K::from((slot, place.0))
    }

    /// Keeps `value` and returns its key.
    pub fn insert(&mut self, value: T) -> K {
        self.insert_with(|_| value)
    }

    /// What the key names, unless it is gone.
    pub fn get(&self, key: K) -> Option<&T> {
        let (slot, generation) = key.into();
        self.places.get(slot as usize).filter(|place| place.0 == generation)?.1.as_ref()
    }

    /// What the key names, to be changed.
    pub fn get_mut(&mut self, key: K) -> Option<&mut T> {
        let (slot, generation) = key.into();
        self.places.get_mut(slot as usize).filter(|place| place.0 == generation)?.1.as_mut()
    }

    /// Takes out what the key names; the key is dead from then on.
    pub fn remove(&mut self, key: K) -> Option<T> {
        let (slot, generation) = key.into();
        let place = self.places.get_mut(slot as usize).filter(|place| place.0 == generation)?;
        let value = place.1.take()?;
        place.0 = place.0.wrapping_add(1);
        self.free.push(slot);
        Some(value)
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All that is kept, in the order of the slots.
    pub fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        self.places.iter().enumerate().filter_map(|(slot, (generation, value))| {
            value.as_ref().map(|value| (K::from((slot as u32, *generation)), value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_something_removed_finds_nothing() {
        let mut slots = Slots::<Ticket, &str>::default();
        let first = slots.insert("first");
        assert_eq!(slots.remove(first), Some("first"));
        let second = slots.insert("second");
        assert_eq!(second, Ticket { slot: 0, generation: 1 });
        assert_eq!((slots.get(first), slots.get(second), slots.len()), (None, Some(&"second"), 1));
        assert_eq!(slots.remove(first), None);
    }
}
