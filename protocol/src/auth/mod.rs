//! Who is calling: a token read into a `User` (WIRE §0.2).

mod key_set;
mod service;
mod signature;
mod verify;

pub use key_set::{KEY_SET_BYTES_MAX, KEYS_COUNT_MAX, KeySet};
pub use service::{SIGNATURE_AGE_MAX, Shown, SignedRequest, verify_service};
pub use signature::{SIGNATURE_HEADER, Signed, Stamp};
pub use verify::{AuthFailure, Keys, LEEWAY, verify_token};

use crate::ids::{FirmId, UserId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The largest token, in bytes, before anything of it is decoded.
pub const TOKEN_BYTES_MAX: usize = 4096;

/// A caller whose token was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The token's `sub`.
    pub id: UserId,
    /// The token's `firmId`.
    pub firm: FirmId,
    /// What others see.
    pub name: Option<String>,
    /// What kind of user.
    pub user_type: UserType,
    /// What the token allows.
    pub permissions: Permissions,
    /// The token's `exp`.
    pub expires_at: Timestamp,
}

/// What kind of user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserType {
    /// Works for the firm.
    Employee,
    /// From outside.
    Guest,
    /// May join every room of the firm.
    Supervisor,
}

impl UserType {
    /// The word for it on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Employee => "employee",
            Self::Guest => "guest",
            Self::Supervisor => "supervisor",
        }
    }

    /// What kind this word means, if it means one.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Employee, Self::Guest, Self::Supervisor].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One thing that a token may allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Permission {
    /// `chat:send`
    ChatSend = 1,
    /// `chat:upload`
    ChatUpload = 2,
    /// `chat:robot`
    ChatRobot = 4,
    /// `chat:escalate`
    ChatEscalate = 8,
    /// `room:create`
    RoomCreate = 16,
}

impl Permission {
    const ALL: [(Self, &'static str); 5] = [
        (Self::ChatSend, "chat:send"),
        (Self::ChatUpload, "chat:upload"),
        (Self::ChatRobot, "chat:robot"),
        (Self::ChatEscalate, "chat:escalate"),
        (Self::RoomCreate, "room:create"),
    ];

    /// What this word allows, if it allows something.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(permission, _)| *permission)
    }

    /// The word for it in a token.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(permission, _)| *permission == self).map_or("", |(_, name)| name)
    }
}

/// The set of what a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Permissions(u8);

impl Permissions {
    /// Those that the words name; unknown words name none.
    pub fn named<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        Self(names.fold(0, |set, name| {
            set | Permission::ALL.iter().find(|(_, known)| *known == name).map_or(0, |(one, _)| *one as u8)
        }))
    }

    /// What a token without `permissions` allows.
    pub fn of(user_type: UserType) -> Self {
        match user_type {
            UserType::Employee | UserType::Supervisor => {
                Self(Permission::ALL.iter().fold(0, |set, (one, _)| set | *one as u8))
            }
            UserType::Guest => Self(Permission::ChatSend as u8),
        }
    }

    /// The words for them, in the order in which they are listed.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Permission::ALL.into_iter().filter(move |(one, _)| self.allow(*one)).map(|(_, name)| name)
    }

    /// Whether this one is among them.
    pub fn allow(self, permission: Permission) -> bool {
        self.0 & permission as u8 != 0
    }
}
