//! What somebody lacks: asked for, and told with all that was durable when it was made.

use super::Drafts;
use super::draft::{Task, Wanted};
use super::joining::not_open;
use super::log;
use super::spelling::{Hearers, Speech};
use crate::action::CloseCause;
use crate::context::{Caller, Context};
use crate::envelope::is_written_outside;
use crate::frame::Frame;
use crate::ids::{RoomId, Seq};
use crate::refusal::{Code, Refusal};
use bytes::Bytes;

impl Drafts {
    /// Tells a connection what it lacked; who was coming in is inside with it.
    pub(super) fn show_state(
        &mut self,
        id: &RoomId,
        wanted: Wanted,
        update: Bytes,
        at: Seq,
        ctx: &mut Context<'_>,
    ) {
        let who = wanted.to.connection;
        let Some(seat) = self.seat(id, who) else { return self.refuse_gone(id, &wanted.to, ctx) };
        let envelope = seat.caller.envelope;
        if is_written_outside(envelope, update.len()) {
            let hearers = Hearers::One(wanted, at);
            return self.spell(id, envelope, Speech::State(update), hearers, ctx);
        }
        let to = Caller { envelope, ..wanted.to.clone() };
        let frames = ctx.fx.answer(&to, &log::state(id, update));
        self.hand_state(id, wanted, frames, at, ctx);
    }

    /// What a connection lacked is written.
    pub(super) fn hand_state(
        &mut self,
        id: &RoomId,
        wanted: Wanted,
        frames: Vec<Frame>,
        at: Seq,
        ctx: &mut Context<'_>,
    ) {
        let who = wanted.to.connection;
        let Some(seat) = self.seat(id, who) else { return self.refuse_gone(id, &wanted.to, ctx) };
        let (came, next) = (!seat.inside, seat.asks_next.take());
        (seat.answering, seat.inside) = (false, true);
        let caller = Caller { reply_to: None, ..seat.caller.clone() };
        ctx.rooms.show_frames(who, frames, &mut ctx.fx);
        if came {
            ctx.rooms.enter(id, caller, at, &mut ctx.fx);
            self.on_inside(id, who, ctx);
        }
        if let Some(next) = next {
            self.want(id, next, ctx);
        }
    }

    /// Somebody is not told what it lacks. Who was to come in with it does not.
    pub(super) fn refuse_state(
        &mut self,
        id: &RoomId,
        wanted: &Wanted,
        refusal: &Refusal,
        ctx: &mut Context<'_>,
    ) {
        let who = wanted.to.connection;
        let Some(seat) = self.seat(id, who) else { return self.refuse_gone(id, &wanted.to, ctx) };
        seat.answering = false;
        let (next, inside) = (seat.asks_next.take(), seat.inside);
        self.refuse_unless_provider(&wanted.to, id, refusal, ctx);
        match next {
            Some(next) => self.want(id, next, ctx),
            None if !inside => ctx.fx.close(who, CloseCause::Overloaded),
            None => {}
        }
    }

    /// Who asked sits there no more.
    fn refuse_gone(&self, id: &RoomId, to: &Caller, ctx: &mut Context<'_>) {
        if to.reply_to.is_some() {
            self.refuse(to, id, &not_open(), ctx);
        }
    }

    /// Somebody asks for what it lacks. One answer is under way at a time, and the last question waits for it.
    pub(super) fn want(&mut self, id: &RoomId, wanted: Wanted, ctx: &mut Context<'_>) {
        let Some(draft) = self.open.get_mut(id) else { return };
        let Some(seat) = draft.seats.get_mut(&wanted.to.connection) else { return };
        if !seat.answering {
            seat.answering = true;
            draft.work.push_back(Task::State(wanted));
            return self.go_on(id, ctx);
        }
        if let Some(before) = seat.asks_next.replace(wanted).filter(|before| before.to.reply_to.is_some()) {
            let message = "another request of the state came before this one was answered";
            let refusal = Refusal::new(Code::RateLimited, message);
            self.refuse(&before.to, id, &refusal, ctx);
        }
    }
}
