//! What the application asks: calls, and rooms to be in and to be out of.

use super::{Client, Link, over};
use crate::action::Action;
use crate::calls::{Saying, What};
use crate::envelope;
use crate::error::{CLIENT_ERROR, Error};
use crate::input::CallId;
use crate::room::Room;
use crate::rooms::{ROOMS_MAX, Stage};
use serde_json::{Value, json};
use std::time::Duration;

impl Client {
    pub(super) fn on_called(
        &mut self,
        now: Duration,
        call: CallId,
        (name, data): (&str, Value),
        timeout: Duration,
        actions: &mut Vec<Action>,
    ) {
        let what = What::Say(Saying::new(call, name, data, &mut self.dice));
        self.take_in(now, call, what, timeout, actions);
    }

    pub(super) fn on_join_wish(
        &mut self,
        now: Duration,
        call: CallId,
        room: Room,
        since: Option<u64>,
        timeout: Duration,
        actions: &mut Vec<Action>,
    ) {
        if !self.take_in(now, call, What::Join(room.clone()), timeout, actions) {
            return;
        }
        let Some(seat) = self.rooms.seat_or_new(room, since) else {
            return self.answer(call, Err(Error::overloaded("rooms", ROOMS_MAX + 1, ROOMS_MAX)), actions);
        };
        let left = match seat.stage {
            Stage::Leaving { .. } => std::mem::take(&mut seat.callers),
            Stage::Out | Stage::Joining { .. } | Stage::Pausing { .. } | Stage::In => Vec::new(),
        };
        if matches!(seat.stage, Stage::Leaving { .. } | Stage::In) {
            seat.stage = Stage::Out;
        }
        seat.callers.push(call);
        for call in left {
            self.answer_left(call, actions);
        }
    }

    pub(super) fn on_leave_wish(
        &mut self,
        now: Duration,
        call: CallId,
        room: Room,
        timeout: Duration,
        actions: &mut Vec<Action>,
    ) {
        if !self.take_in(now, call, What::Leave, timeout, actions) {
            return;
        }
        let Some(seat) = self.rooms.seat(&room) else { return self.answer_left(call, actions) };
        if matches!(seat.stage, Stage::Leaving { .. }) {
            return seat.callers.push(call);
        }
        for joining in std::mem::take(&mut seat.callers) {
            let error = Error::new(CLIENT_ERROR, "the room was left meanwhile", true);
            self.answer(joining, Err(error), actions);
        }
        match self.say_goodbye(&room, actions) {
            true => self.rooms.seat(&room).into_iter().for_each(|seat| seat.callers.push(call)),
            false => self.answer_left(call, actions),
        }
    }

    /// Whoever waited to be let in waits no more; a room that was never entered is not entered later either.
    pub(super) fn give_up_join(&mut self, room: &Room, call: CallId, actions: &mut Vec<Action>) {
        let Some(seat) = self.rooms.seat(room) else { return };
        seat.callers.retain(|caller| *caller != call);
        let is_leaving = matches!(seat.stage, Stage::Leaving { .. });
        if seat.callers.is_empty() && !seat.established && !is_leaving {
            self.say_goodbye(room, actions);
        }
    }

    /// Sends what can be sent.
    pub(super) fn send_on(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if !matches!(self.link, Link::Open { .. }) {
            return;
        }
        let until = now + self.config.answer_wait_max;
        for (room, seat) in self.rooms.due_for_joining(now) {
            self.request += 1;
            let (name, data) = seat.join(room);
            actions.push(Action::Send(envelope::write(name, &data, &format!("j{}", self.request))));
            seat.stage = Stage::Joining { request: self.request, until };
        }
        if now < self.pause {
            return;
        }
        self.pause = Duration::ZERO;
        let rooms = &self.rooms;
        let may = |saying: &Saying| !saying.room.as_ref().is_some_and(|room| rooms.holds(room));
        self.calls.send(may, |text| actions.push(Action::Send(text)));
    }

    pub(super) fn refresh(&mut self, token: &str, actions: &mut Vec<Action>) {
        let request = format!("t{}", self.next_request());
        actions.push(Action::Send(envelope::write("auth:refresh", &json!({ "token": token }), &request)));
    }

    pub(super) fn answer_left(&mut self, call: CallId, actions: &mut Vec<Action>) {
        self.answer(call, Ok(json!({})), actions);
    }

    /// Answers a call that still waits.
    pub(super) fn answer(&mut self, call: CallId, result: Result<Value, Error>, actions: &mut Vec<Action>) {
        if self.calls.remove(call).is_some() {
            actions.push(Action::Answer { call, result });
        }
    }

    /// Whether a call may wait; else it is answered at once.
    fn take_in(
        &mut self,
        now: Duration,
        call: CallId,
        what: What,
        timeout: Duration,
        actions: &mut Vec<Action>,
    ) -> bool {
        let until = now.saturating_add(timeout);
        let added = match self.link {
            Link::Ended(end) => Err(over(end)),
            Link::Waiting { .. } | Link::Asking { .. } | Link::Opening { .. } | Link::Open { .. } => {
                self.calls.add(call, what, until, self.is_open(), &self.config)
            }
        };
        let refused = added.err().map(|error| Action::Answer { call, result: Err(error) });
        let is_in = refused.is_none();
        actions.extend(refused);
        is_in
    }

    /// Leaves a room. Whether the server was told: else the room is left with this.
    fn say_goodbye(&mut self, room: &Room, actions: &mut Vec<Action>) -> bool {
        let request = self.next_request();
        let is_open = self.is_open();
        let Some(seat) = self.rooms.seat(room) else { return false };
        let is_known = matches!(seat.stage, Stage::Joining { .. } | Stage::In);
        match room.leave().filter(|_| is_open && is_known) {
            Some((name, data)) => {
                actions.push(Action::Send(envelope::write(name, &data, &format!("j{request}"))));
                seat.stage = Stage::Leaving { request };
                true
            }
            None => self.rooms.remove(room).is_none(),
        }
    }
}
