//! Who is typing: a signal, told when it begins and when it ends, to everybody else, and never kept.

use super::{Chat, done, inside, permitted};
use crate::auth::Permission;
use crate::context::{Caller, Context};
use crate::envelope::Event;
use crate::ids::{ConnectionId, RoomId, UserId};
use crate::outbox::Class;
use crate::refusal::Refusal;
use crate::time::Timestamp;
use crate::timers::Timer;
use serde_json::json;
use std::collections::BTreeMap;

/// How many of one room are told to be typing at a time; of others nothing is told.
const TYPISTS_PER_ROOM_MAX: usize = 200;
/// The same for all rooms.
const TYPISTS_MAX: usize = 20_000;

/// Everybody who is typing.
#[derive(Debug, Default)]
pub(super) struct Typing {
    rooms: BTreeMap<RoomId, Typists>,
    count: usize,
}

/// Who is typing in one room. It stands here for as long as its timer runs, which is one timer at a time.
#[derive(Debug, Default)]
struct Typists {
    by_user: BTreeMap<UserId, Typist>,
}

#[derive(Debug)]
struct Typist {
    connection: ConnectionId,
    name: Option<String>,
    ends_at: Timestamp,
}

impl Typing {
    /// How many are typing.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Nobody is typing in a room that is no more.
    pub fn forget(&mut self, room: &RoomId) {
        if let Some(typists) = self.rooms.get_mut(room) {
            self.count -= std::mem::take(&mut typists.by_user).len();
        }
    }

    /// Whether the caller did not type before; `None`: too many do.
    fn begin(&mut self, room: &RoomId, caller: &Caller, ends_at: Timestamp) -> Option<Begun> {
        let is_first = !self.rooms.contains_key(room);
        let known = self.rooms.get(room).is_some_and(|typists| typists.by_user.contains_key(&caller.user.id));
        let in_room = self.rooms.get(room).map_or(0, |typists| typists.by_user.len());
        if !known && (in_room >= TYPISTS_PER_ROOM_MAX || self.count >= TYPISTS_MAX) {
            return None;
        }
        let typist = Typist { connection: caller.connection, name: caller.user.name.clone(), ends_at };
        let typists = self.rooms.entry(room.clone()).or_default();
        typists.by_user.insert(caller.user.id.clone(), typist);
        self.count += usize::from(!known);
        Some(Begun { is_new: !known, is_first })
    }

    fn end(&mut self, room: &RoomId, user: &UserId) -> Option<Typist> {
        let typist = self.rooms.get_mut(room)?.by_user.remove(user)?;
        self.count -= 1;
        Some(typist)
    }
}

/// What a beginning asks for.
struct Begun {
    /// Others are to hear of it.
    is_new: bool,
    /// The room needs a timer.
    is_first: bool,
}

impl Chat {
    pub(super) fn types(
        &mut self,
        id: &RoomId,
        begins: bool,
        caller: &Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        inside(id, caller, ctx.rooms)?;
        permitted(&caller.user, Permission::ChatSend)?;
        match begins {
            true => self.begins_typing(id, caller, ctx),
            false => self.stops_typing(id, &caller.user.id, ctx),
        }
        done(caller, if begins { "chat:typing:start" } else { "chat:typing:stop" }, &mut ctx.fx);
        Ok(())
    }

    fn begins_typing(&mut self, id: &RoomId, caller: &Caller, ctx: &mut Context<'_>) {
        let ends_at = ctx.fx.now + ctx.fx.settings.typing_ends;
        let Some(begun) = self.typing.begin(id, caller, ends_at) else { return };
        if begun.is_first {
            ctx.fx.timers.set(ends_at, Timer::Typing(id.clone()));
        }
        if begun.is_new {
            tell(id, &caller.user.id, caller.user.name.as_deref(), true, ctx);
        }
    }

    /// A user says that it has stopped, or has said what it was typing.
    pub(super) fn stops_typing(&mut self, id: &RoomId, user: &UserId, ctx: &mut Context<'_>) {
        if let Some(typist) = self.typing.end(id, user) {
            tell(id, user, typist.name.as_deref(), false, ctx);
        }
    }

    /// A connection is out of a room: what was being typed on it is not any more.
    pub(super) fn stops_typing_on(&mut self, id: &RoomId, caller: &Caller, ctx: &mut Context<'_>) {
        let user = &caller.user.id;
        let typists = self.typing.rooms.get(id);
        let typist = typists.and_then(|typists| typists.by_user.get(user));
        if typist.is_some_and(|typist| typist.connection == caller.connection) {
            self.stops_typing(id, user, ctx);
        }
    }

    /// Who comes in is told who is typing.
    pub(super) fn show_typing(&self, id: &RoomId, caller: &Caller, ctx: &mut Context<'_>) {
        let Some(typists) = self.typing.rooms.get(id) else { return };
        for (user, typist) in typists.by_user.iter().filter(|(user, _)| **user != caller.user.id) {
            let event = event(id, user, typist.name.as_deref(), true);
            ctx.fx.tell(caller.connection, caller.envelope, &event, Class::Signal);
        }
    }

    /// Somebody in a room may have said nothing for so long that the typing has ended.
    pub fn on_typing_due(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        let Some(typists) = self.typing.rooms.get(id) else { return };
        let now = ctx.fx.now;
        let due = typists.by_user.iter().filter(|(_, typist)| typist.ends_at <= now);
        let due: Vec<_> = due.map(|(user, _)| user.clone()).collect();
        due.iter().for_each(|user| self.stops_typing(id, user, ctx));
        let typists = self.typing.rooms.get(id);
        match typists.and_then(|typists| typists.by_user.values().map(|typist| typist.ends_at).min()) {
            Some(next) => ctx.fx.timers.set(next, Timer::Typing(id.clone())),
            None => drop(self.typing.rooms.remove(id)),
        }
    }
}

/// Tells all but the user's own connections.
fn tell(id: &RoomId, user: &UserId, name: Option<&str>, typing: bool, ctx: &mut Context<'_>) {
    let Some(room) = ctx.rooms.find(id) else { return };
    let event = event(id, user, name, typing);
    // A signal has no number.
    room.tell_but(&event, Class::Signal, |caller| caller.user.id == *user, &mut ctx.fx);
}

fn event(id: &RoomId, user: &UserId, name: Option<&str>, typing: bool) -> Event {
    let mut data = json!({"roomId": &*id.name, "userId": user.as_str(), "typing": typing});
    if let Some(name) = name {
        data["name"] = json!(name);
    }
    Event::new("chat:user:typing", &data)
}
