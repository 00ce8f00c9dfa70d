//! Who is here, as others are told: joins and leaves are gathered and told at most once a second.

use super::Room;
use crate::context::{Caller, Effects};
use crate::ids::UserId;
use crate::time::Timestamp;
use crate::timers::Timer;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often joins and leaves are told.
pub const PRESENCE_INTERVAL: Duration = Duration::from_secs(1);
/// Above so many users only their number is told.
pub const PRESENCE_NAMES_MAX: usize = 200;

#[derive(Debug, Default)]
pub(super) struct Presence {
    online: BTreeMap<UserId, u32>,
    /// Who came (true) or went since it was last told.
    changes: BTreeMap<UserId, (Option<String>, bool)>,
    told_at: Timestamp,
    scheduled: bool,
}

/// Somebody who came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Who.
    pub user: UserId,
    /// The name that others see.
    pub name: Option<String>,
    /// Whether the user came.
    pub came: bool,
}

impl Room {
    /// How many users are here.
    pub fn online_count(&self) -> usize {
        self.presence.online.len()
    }

    /// Whether this user is here.
    pub fn is_online(&self, user: &UserId) -> bool {
        self.presence.online.contains_key(user)
    }

    /// A connection of this user came. The first one counts as the user's coming.
    pub fn came(&mut self, who: &Caller, fx: &mut Effects<'_>) {
        let connections = self.presence.online.entry(who.user.id.clone()).or_default();
        *connections += 1;
        if *connections == 1 {
            self.change(who, true, fx);
        }
    }

    /// A connection of this user went. The last one counts as the user's going.
    pub fn went(&mut self, who: &Caller, fx: &mut Effects<'_>) {
        let Some(connections) = self.presence.online.get_mut(&who.user.id) else { return };
        *connections -= 1;
        if *connections == 0 {
            self.presence.online.remove(&who.user.id);
            self.change(who, false, fx);
        }
    }

    fn change(&mut self, who: &Caller, came: bool, fx: &mut Effects<'_>) {
        let user = who.user.id.clone();
        if self.presence.changes.get(&user).is_some_and(|(_, before)| *before != came) {
            self.presence.changes.remove(&user);
        } else if self.presence.changes.len() <= PRESENCE_NAMES_MAX {
            self.presence.changes.insert(user, (who.user.name.clone(), came));
        }
        if !self.presence.scheduled {
            self.presence.scheduled = true;
            let at = fx.now.max(self.presence.told_at + PRESENCE_INTERVAL);
            fx.timers.set(at, Timer::Presence(self.id.clone()));
        }
    }

    /// What is to be told now, those who came first.
    pub fn take_changes(&mut self, now: Timestamp) -> Vec<Change> {
        self.presence.scheduled = false;
        self.presence.told_at = now;
        let changes = std::mem::take(&mut self.presence.changes);
        let mut changes: Vec<_> =
            changes.into_iter().map(|(user, (name, came))| Change { user, name, came }).collect();
        changes.sort_by_key(|change| !change.came);
        changes
    }
}
