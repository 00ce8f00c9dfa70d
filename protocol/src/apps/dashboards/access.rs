//! Who may come to a dashboard, and who may change it (WIRE §3): everyone of the firm but guests where it is public, its
//! members where it is not, and to a user's own the user alone.

use super::command::OWN_PREFIX;
use crate::auth::{User, UserType};
use crate::ids::{RoomId, UserId};
use crate::refusal::{Code, Refusal};
use crate::room::Room;
use crate::store::Visibility;

/// What members may be.
pub const ROLES: [&str; 2] = [EDITOR, VIEWER];
/// The role of a member who may change it.
pub const EDITOR: &str = "editor";
/// The role of a member who may not.
pub const VIEWER: &str = "viewer";

/// What a user may do there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// There is none, for this user.
    Absent,
    /// Nothing.
    Denied,
    /// Hear it.
    View,
    /// Change it.
    Edit,
}

/// The user's own dashboard.
pub fn own(user: &UserId) -> RoomId {
    RoomId::dashboard(&format!("{OWN_PREFIX}{}", user.as_str()))
}

/// Whose own dashboard it is, if it is somebody's.
pub fn owner(id: &RoomId) -> Option<&str> {
    id.name.strip_prefix(OWN_PREFIX)
}

/// What a user may do there.
pub fn access(room: &Room, user: &User) -> Access {
    if room.closing {
        return Access::Absent;
    }
    if let Some(owner) = owner(&room.id) {
        return if owner == user.id.as_str() { Access::Edit } else { Access::Denied };
    }
    let Some(row) = room.row.as_ref().filter(|row| row.firm == user.firm) else { return Access::Absent };
    match room.members.get(&user.id).map(|member| member.role.as_str()) {
        Some(EDITOR) => Access::Edit,
        Some(VIEWER) => Access::View,
        Some(_) | None if row.visibility == Visibility::Public && user.user_type != UserType::Guest => {
            Access::Edit
        }
        Some(_) | None => Access::Denied,
    }
}

impl Access {
    /// Whether the user may hear it; else why not.
    pub fn hears(self) -> Result<(), Refusal> {
        match self {
            Self::View | Self::Edit => Ok(()),
            Self::Denied => Err(denied()),
            Self::Absent => Err(absent()),
        }
    }

    /// Whether the user may change it; else why not.
    pub fn changes(self) -> Result<(), Refusal> {
        match self {
            Self::View => Err(Refusal::new(Code::PermissionDenied, "viewers do not change a dashboard")),
            Self::Edit | Self::Denied | Self::Absent => self.hears(),
        }
    }
}

/// It is closed to the user.
pub fn denied() -> Refusal {
    Refusal::new(Code::RoomAccessDenied, "no access to this dashboard")
}

/// There is none, or it is another firm's.
pub fn absent() -> Refusal {
    Refusal::new(Code::NotFound, "there is no such dashboard")
}
