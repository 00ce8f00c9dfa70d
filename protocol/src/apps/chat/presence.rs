//! What others hear of who comes and goes, of members taken out and of rooms deleted.

use super::Chat;
use crate::context::Context;
use crate::envelope::Event;
use crate::ids::{RoomId, UserId};
use crate::outbox::Class;
use crate::room::{Change, PRESENCE_NAMES_MAX};
use serde_json::{Value, json};

impl Chat {
    /// Joins and leaves of the last second are told.
    pub fn on_presence(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        let Some(room) = ctx.rooms.find(id) else { return };
        let changes = room.take_changes(ctx.fx.now);
        let online = room.online_count();
        if changes.is_empty() {
            return;
        }
        if online > PRESENCE_NAMES_MAX || changes.len() > PRESENCE_NAMES_MAX {
            let event = notification("members", id, &[("online", json!(online))]);
            return room.signal(&event, Class::Signal, None, &mut ctx.fx);
        }
        let (came, went): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| change.came);
        for (kind, changes) in [("user_joined", came), ("user_left", went)] {
            if !changes.is_empty() {
                let users: Vec<_> = changes.iter().map(named).collect();
                let event = notification(kind, id, &[("users", json!(users)), ("online", json!(online))]);
                room.signal(&event, Class::Signal, None, &mut ctx.fx);
            }
        }
    }

    /// A member was taken out: told to all, and its connections hear nothing more.
    pub fn on_member_removed(&mut self, id: &RoomId, user: &UserId, ctx: &mut Context<'_>) {
        let Some(room) = ctx.rooms.find(id) else { return };
        if room.members.remove(user).is_none() {
            return;
        }
        let event = notification("member_removed", id, &[("userId", json!(user.as_str()))]);
        room.signal(&event, Class::Kept, None, &mut ctx.fx);
        let gone: Vec<_> = room.present().filter(|caller| caller.user.id == *user).cloned().collect();
        gone.iter().for_each(|caller| self.on_left(id, caller, ctx));
    }

    /// A room was deleted: told to all, who are then out of it.
    pub fn on_room_removed(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        self.forget_prompts(id);
        self.forget_deeds(id);
        self.typing.forget(id);
        let Some(room) = ctx.rooms.find(id) else { return };
        let event = notification("room_closed", id, &[]);
        room.signal(&event, Class::Kept, None, &mut ctx.fx);
        let gone: Vec<_> = room.present().cloned().collect();
        gone.iter().for_each(|caller| self.on_left(id, caller, ctx));
        ctx.rooms.remove(id, &mut ctx.fx);
    }
}

fn named(change: &Change) -> Value {
    match &change.name {
        Some(name) => json!({"userId": change.user.as_str(), "name": name}),
        None => json!({"userId": change.user.as_str()}),
    }
}

fn notification(kind: &str, room: &RoomId, more: &[(&str, Value)]) -> Event {
    let mut data = json!({"kind": kind, "roomId": &*room.name});
    for (name, value) in more {
        data[name] = value.clone();
    }
    Event::new("chat:system:notification", &data)
}
