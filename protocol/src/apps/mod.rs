//! The apps. Each owns its commands, its events and its state; what a room needs to know of its app (how an
//! entry is told, whether it repeats another) is listed here and nowhere else.

mod attempts;
pub mod chat;
pub mod dashboards;
pub mod documents;
pub mod drafts;
pub mod projects;

use crate::auth::{User, UserType};
use crate::context::{Caller, Context, Effects};
use crate::envelope::Event;
use crate::ids::{RoomId, RoomKind};
use crate::refusal::Refusal;
use crate::room::{Audience, Room};
use crate::store::Entry;
use bytes::Bytes;
use serde_json::Value;
use std::borrow::Cow;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// What members hear of an entry, as it happens or when they catch up, if it has words.
pub fn told(entry: &Entry) -> Option<Event> {
    match entry.room.kind {
        RoomKind::Document => documents::told(entry),
        RoomKind::Chat => chat::told(entry),
        RoomKind::Supervisors => chat::told_to_supervisors(entry),
        RoomKind::Project | RoomKind::User | RoomKind::Everyone => projects::told(entry),
        RoomKind::Dashboard => dashboards::told(entry),
        RoomKind::Draft => drafts::told(entry),
    }
}

/// What an entry says, for a backend that reads the log.
pub fn shown(entry: &Entry) -> Value {
    match entry.room.kind {
        RoomKind::Draft => drafts::shown(&entry.body),
        RoomKind::Document
        | RoomKind::Chat
        | RoomKind::Project
        | RoomKind::User
        | RoomKind::Everyone
        | RoomKind::Supervisors
        | RoomKind::Dashboard => serde_json::from_slice(&entry.body).unwrap_or(Value::Null),
    }
}

/// Which of a room's members hear an entry.
pub fn audience(entry: &Entry) -> Audience {
    match entry.room.kind {
        RoomKind::Project => projects::audience(entry),
        RoomKind::Document
        | RoomKind::Chat
        | RoomKind::User
        | RoomKind::Everyone
        | RoomKind::Supervisors
        | RoomKind::Dashboard
        | RoomKind::Draft => Audience::All,
    }
}

/// What the author of an entry is answered: a function of what is stored.
pub fn answer(entry: &Entry) -> Event {
    match entry.room.kind {
        RoomKind::Document => documents::answer(entry),
        RoomKind::Chat | RoomKind::Supervisors => chat::answer(entry),
        RoomKind::Project | RoomKind::User | RoomKind::Everyone => projects::answer(entry),
        RoomKind::Dashboard => dashboards::answer(entry),
        RoomKind::Draft => drafts::answer(entry),
    }
}

/// Whether what came under an id says the same as what is stored under it.
pub fn is_repeat(kind: RoomKind, came: &Bytes, stored: &Bytes) -> bool {
    match kind {
        RoomKind::Document => documents::is_repeat(came, stored),
        RoomKind::Chat | RoomKind::Supervisors => chat::is_repeat(came, stored),
        RoomKind::Project | RoomKind::User | RoomKind::Everyone => projects::is_repeat(came, stored),
        RoomKind::Dashboard => dashboards::is_repeat(came, stored),
        RoomKind::Draft => drafts::is_repeat(came, stored),
    }
}

/// Whether a user who was in a room may hear it again.
pub fn may_hear(room: &Room, user: &User) -> bool {
    match room.id.kind {
        RoomKind::Chat => chat::may_hear(room, user),
        RoomKind::Project => projects::may_hear(room, user),
        RoomKind::User => *room.id.name == *user.id.as_str(),
        RoomKind::Everyone => true,
        RoomKind::Supervisors => {
            user.user_type == UserType::Supervisor && *room.id.name == *user.firm.as_str()
        }
        RoomKind::Dashboard => dashboards::may_hear(room, user),
        RoomKind::Draft => drafts::may_hear(room, user),
        RoomKind::Document => false,
    }
}

/// A connection that was cut off is in a room again.
pub fn comes_back(room: &RoomId, caller: &Caller, ctx: &mut Context<'_>) {
    match room.kind {
        RoomKind::Chat => chat::comes_back(room, caller, ctx),
        RoomKind::Dashboard => dashboards::Dashboards::comes_back(room, caller, ctx),
        RoomKind::Project
        | RoomKind::User
        | RoomKind::Everyone
        | RoomKind::Supervisors
        | RoomKind::Draft
        | RoomKind::Document => {}
    }
}

/// Tells a caller why not, in its app's words.
pub fn refuse(kind: RoomKind, to: &Caller, refusal: Refusal, fx: &mut Effects<'_>) {
    let event = match kind {
        RoomKind::Document => documents::refused(&refusal),
        RoomKind::Chat | RoomKind::Supervisors => chat::refused(&refusal),
        RoomKind::Project | RoomKind::User | RoomKind::Everyone => projects::refused(&refusal),
        RoomKind::Dashboard => dashboards::refused(&refusal),
        RoomKind::Draft => drafts::refused(&refusal),
    };
    fx.refuse(to, &event);
}

/// What members of a room may be, as a backend says.
pub fn roles(kind: RoomKind) -> &'static [&'static str] {
    match kind {
        RoomKind::Project => &projects::ROLES,
        RoomKind::Dashboard => &dashboards::ROLES,
        RoomKind::Draft => &drafts::ROLES,
        RoomKind::Chat | RoomKind::Document | RoomKind::User | RoomKind::Everyone | RoomKind::Supervisors => {
            &[chat::MEMBER]
        }
    }
}

/// A name as it is compared and kept: in Unicode's composed form (NFC), so that what looks the same is the same.
pub fn composed(name: &str) -> Cow<'_, str> {
    match is_nfc_quick(name.chars()) {
        IsNormalized::Yes => Cow::Borrowed(name),
        IsNormalized::No | IsNormalized::Maybe => Cow::Owned(name.nfc().collect()),
    }
}

/// Text as it is kept: control characters other than newline and tab are left out.
pub fn stripped(text: &str) -> String {
    text.chars().filter(|char| !char.is_control() || matches!(char, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_the_same_is_the_same_name() {
        assert_eq!(composed("cafe\u{301}"), "caf\u{e9}");
        assert_eq!(composed("\u{1100}\u{1161}\u{11a8}"), "\u{ac01}");
        assert!(matches!(composed("caf\u{e9} — 角"), Cow::Borrowed("caf\u{e9} — 角")));
    }
}
