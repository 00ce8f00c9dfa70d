//! Who of those in a room hears something: all of them, or those with a role. Asked wherever an entry or a signal is
//! told, as it happens and when somebody catches up.

use crate::store::MemberRow;

/// Who hears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// All who are in the room.
    All,
    /// The members with this role.
    Role(String),
}

impl Audience {
    /// The members with this role; without one: all.
    pub fn of(role: Option<String>) -> Self {
        role.map_or(Self::All, Self::Role)
    }

    /// Whether who stands in the room as this member hears it.
    pub fn hears(&self, member: Option<&MemberRow>) -> bool {
        match self {
            Self::All => true,
            Self::Role(role) => member.is_some_and(|member| member.role == *role),
        }
    }
}
