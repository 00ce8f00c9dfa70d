//! Going out of a draft: because somebody says so, because its connection ended, or because it may not be there any more.

use super::joining::{Access, access, not_open, record};
use super::{Drafts, log};
use crate::action::CloseCause;
use crate::context::{Caller, Context};
use crate::envelope::{Envelope, Event};
use crate::ids::{ConnectionId, RoomId, UserId};
use crate::outbox::Class;
use crate::y_sync::hocuspocus::Said;
use serde_json::json;

impl Drafts {
    /// A connection goes out of a draft because it says so.
    pub(super) fn close(&mut self, caller: &Caller, id: &RoomId, ctx: &mut Context<'_>) {
        let is_in = self.open.get(id).is_some_and(|draft| draft.seats.contains_key(&caller.connection));
        if !is_in {
            return self.refuse(caller, id, &not_open(), ctx);
        }
        self.refuse_the_rest(id, caller.connection, ctx);
        self.on_left(id, caller, ctx);
        let closed = match caller.envelope {
            Envelope::Hocuspocus => closed(id, "provider_initiated"),
            Envelope::Fields
            | Envelope::Event
            | Envelope::SocketIo
            | Envelope::Realtime
            | Envelope::Draft
            | Envelope::DraftBase64
            | Envelope::YWebsocket => closed(id, CloseCause::Finished.reason()),
        };
        ctx.fx.reply(caller, &closed);
    }

    /// What a connection asked before it goes out is answered first. A state that is being made for it is refused when it is
    /// there.
    fn refuse_the_rest(&mut self, id: &RoomId, who: ConnectionId, ctx: &mut Context<'_>) {
        let Some(seat) = self.seat(id, who) else { return };
        let owed = seat.owed.take().calls.into_iter().map(|(call, _)| call);
        let waits = (!seat.inside && !seat.answering).then(|| seat.caller.clone());
        let next = seat.asks_next.take().map(|wanted| wanted.to);
        let calls: Vec<Caller> = owed.chain(waits).chain(next).collect();
        for call in calls.into_iter().filter(|call| call.reply_to.is_some()) {
            self.refuse(&call, id, &not_open(), ctx);
        }
    }

    /// A connection is out of a draft, because it left or because it ended.
    pub fn on_left(&mut self, id: &RoomId, caller: &Caller, ctx: &mut Context<'_>) {
        let who = caller.connection;
        ctx.rooms.leave(id, who, &mut ctx.fx);
        if let Some(sat) = self.sittings.get_mut(&who) {
            sat.remove(id);
            if sat.is_empty() {
                self.sittings.remove(&who);
            }
        }
        let Some(draft) = self.open.get_mut(id) else { return };
        let Some(seat) = draft.seats.remove(&who) else { return };
        draft.to_ask.remove(&who);
        if !seat.inside {
            self.readings.release(who, &mut ctx.fx);
            return;
        }
        ctx.fx.log(record("room.leave", id, caller));
        self.state_ended(id, who, ctx);
        self.people_changed(id, ctx);
    }

    /// A connection is gone: it sits nowhere any more, nor waits for it.
    pub fn on_gone(&mut self, caller: &Caller, ctx: &mut Context<'_>) {
        while let Some(id) = self.sittings.get(&caller.connection).and_then(|sat| sat.first().cloned()) {
            self.on_left(&id, caller, ctx);
        }
        self.forget_connection(caller.connection);
    }

    /// Nothing is kept of a connection that sits nowhere.
    pub fn forget_connection(&mut self, who: ConnectionId) {
        self.dedicated.remove(&who);
        self.early.forget(who);
        self.readings.forget(who);
    }

    /// A draft's room or members changed: who may not be there any more is out of it.
    pub fn on_changed(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        self.parked.room_changed(id);
        let (Some(draft), Some(room)) = (self.open.get_mut(id), ctx.rooms.find(id)) else { return };
        let mut out = Vec::new();
        for seat in draft.seats.values_mut() {
            match access(room, &seat.caller.user) {
                Access::None => out.push(seat.caller.clone()),
                now @ (Access::Read | Access::Write) => seat.writes = now == Access::Write,
            }
        }
        for caller in out {
            self.put_out(id, &caller, "access denied", ctx);
        }
    }

    /// A member was taken out.
    pub fn on_member_removed(&mut self, id: &RoomId, user: &UserId, ctx: &mut Context<'_>) {
        if let Some(room) = ctx.rooms.find(id) {
            room.members.remove(user);
        }
        self.on_changed(id, ctx);
    }

    /// A draft was deleted.
    pub fn on_room_removed(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        let seats = self.open.get(id).map(|draft| draft.seats.values());
        let callers: Vec<Caller> = seats.into_iter().flatten().map(|seat| seat.caller.clone()).collect();
        for caller in callers {
            self.put_out(id, &caller, "the draft was deleted", ctx);
        }
        ctx.rooms.remove(id, &mut ctx.fx);
        self.forget(id, ctx);
    }

    fn put_out(&mut self, id: &RoomId, caller: &Caller, reason: &'static str, ctx: &mut Context<'_>) {
        match caller.envelope {
            Envelope::Draft | Envelope::DraftBase64 | Envelope::YWebsocket => {
                ctx.fx.close(caller.connection, CloseCause::AccessDenied);
            }
            Envelope::Fields
            | Envelope::Event
            | Envelope::SocketIo
            | Envelope::Realtime
            | Envelope::Hocuspocus => {
                self.on_left(id, caller, ctx);
                ctx.fx.tell(caller.connection, caller.envelope, &closed(id, reason), Class::Kept);
            }
        }
    }
}

fn closed(id: &RoomId, reason: &'static str) -> Event {
    let event = Event::new("closed", &json!({ "reason": reason }));
    log::of(id, event).said(Said::Close(Some(reason.to_string())))
}
