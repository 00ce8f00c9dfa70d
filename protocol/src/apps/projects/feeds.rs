//! Feeds: what backends tell one user, or everyone, in rooms of their own. Connections are in them by right: as soon
//! as a feed is open, all that it concerns are in it.

use super::Projects;
use crate::context::{Caller, Context};
use crate::envelope::Event;
use crate::ids::{ConnectionId, RoomId, RoomKind, Seq, UserId};
use crate::refusal::Refusal;
use crate::room::Room;
use serde::Serialize;
use std::collections::BTreeMap;

/// The connections that feeds are told to, by user.
#[derive(Debug, Default)]
pub struct Listeners(BTreeMap<(UserId, ConnectionId), Caller>);

/// `feed:joined`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Joined {
    last_seq: u64,
    all_seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reset: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    all_reset: Option<bool>,
}

impl Listeners {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Those that a feed is for.
    fn of<'a>(&'a self, feed: &RoomId) -> Box<dyn Iterator<Item = &'a Caller> + 'a> {
        match feed.kind {
            RoomKind::Everyone => Box::new(self.0.values()),
            RoomKind::User => {
                let user = UserId(feed.name.clone());
                let first = (user.clone(), ConnectionId { slot: 0, generation: 0 });
                let own = self.0.range(first..).take_while(move |((of, _), _)| *of == user);
                Box::new(own.map(|(_, caller)| caller))
            }
            RoomKind::Document
            | RoomKind::Chat
            | RoomKind::Project
            | RoomKind::Supervisors
            | RoomKind::Dashboard
            | RoomKind::Draft => Box::new(std::iter::empty()),
        }
    }
}

/// The feeds of a user.
fn feeds(user: &UserId) -> [RoomId; 2] {
    [RoomId::user(user), RoomId::everyone()]
}

impl Projects {
    /// A connection is a user's from now on: where all apps are spoken, feeds are told to it.
    pub fn on_user_came(&mut self, caller: &Caller, speaks_all: bool, ctx: &mut Context<'_>) {
        if !speaks_all {
            return;
        }
        for feed in feeds(&caller.user.id) {
            enter_at_head(&feed, caller, ctx);
        }
        self.listeners.0.insert((caller.user.id.clone(), caller.connection), caller.clone());
    }

    /// A connection is gone.
    pub fn on_gone(&mut self, caller: &Caller) {
        self.listeners.0.remove(&(caller.user.id.clone(), caller.connection));
    }

    /// A feed was opened: all whom it concerns are in it from here on.
    pub(super) fn on_feed_opened(&self, feed: &RoomId, ctx: &mut Context<'_>) {
        ctx.fx.opened_feeds.push(feed.clone());
        for caller in self.listeners.of(feed) {
            enter_at_head(feed, caller, ctx);
        }
    }

    /// The first of a user's feeds that has to be loaded before it can be joined.
    pub(super) fn closed_feed(&self, user: &UserId, ctx: &mut Context<'_>) -> Option<RoomId> {
        let now = ctx.fx.now;
        feeds(user).into_iter().find(|feed| self.parked.holds(feed) || ctx.rooms.touch(feed, now).is_none())
    }

    /// Both feeds are open: the caller hears them from where it was before.
    pub(super) fn join_feeds(
        &mut self,
        caller: Caller,
        since: [Option<Seq>; 2],
        ctx: &mut Context<'_>,
    ) -> Result<(), (Caller, Refusal)> {
        let rooms = feeds(&caller.user.id);
        let mut heads = [Seq::ZERO; 2];
        let mut from = [(Seq::ZERO, None); 2];
        for (place, id) in rooms.iter().enumerate() {
            let Some(room) = ctx.rooms.find(id) else { return Err((caller, Refusal::busy())) };
            heads[place] = room.head();
            from[place] = beginning(room, since[place]);
        }
        let [(_, reset), (_, all_reset)] = from;
        let joined = Joined { last_seq: heads[0].0, all_seq: heads[1].0, reset, all_reset };
        ctx.fx.reply(&caller, &Event::new("feed:joined", &joined));
        let caller = Caller { reply_to: None, ..caller };
        for (id, (at, _)) in rooms.iter().zip(from) {
            ctx.rooms.enter(id, caller.clone(), at, &mut ctx.fx);
        }
        Ok(())
    }
}

/// Lets a connection into a feed that is open; one that came back from where it was cut off is in it already.
fn enter_at_head(feed: &RoomId, caller: &Caller, ctx: &mut Context<'_>) {
    let room = ctx.rooms.find(feed).filter(|room| !room.is_present(caller.connection));
    if let Some(head) = room.map(|room| room.head()) {
        ctx.rooms.enter(feed, caller.clone(), head, &mut ctx.fx);
    }
}

/// After which entry somebody is told a room that says it has heard everything up to `since`, and whether that was
/// out of reach. Without it: what comes from now on.
pub(super) fn beginning(room: &Room, since: Option<Seq>) -> (Seq, Option<bool>) {
    match since {
        None => (room.head(), None),
        Some(since) if room.is_out_of_reach(since) => (room.before_newest(), Some(true)),
        Some(since) => (since, None),
    }
}
