//! What the server says: answers, what is stored in rooms, signals, and what concerns the connection itself.

use super::{Client, Link, RECONNECT_AFTER_MAX, Wanted};
use crate::action::{Action, Event};
use crate::calls::{self, Saying, What};
use crate::envelope::Heard;
use crate::error::Error;
use crate::input::CallId;
use crate::room::{Log, Place, Room};
use crate::rooms::Stage;
use serde_json::{Value, json};
use std::time::Duration;

/// The first pause before the server is asked again for what it was not able to do; for a room, each further one is
/// twice as long.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest such pause, also when the server asks for a longer one.
const PAUSE_MAX: Duration = Duration::from_secs(60);

impl Client {
    pub(super) fn on_received(&mut self, now: Duration, text: &str, actions: &mut Vec<Action>) {
        if !self.is_open() {
            return;
        }
        self.live(now);
        let Some(mut heard) = Heard::read(text) else {
            self.malformed = self.malformed.saturating_add(1);
            return;
        };
        match heard.request_id.take() {
            Some(request) => self.on_answer(now, &request, heard, actions),
            None => self.on_event(heard, actions),
        }
    }

    /// An answer that nobody waits for any more is not told.
    fn on_answer(&mut self, now: Duration, request: &str, heard: Heard, actions: &mut Vec<Action>) {
        let result = if heard.is_error() { Err(Error::read(heard.data)) } else { Ok(heard.data) };
        let Some(number) = request.get(1..).and_then(|number| number.parse().ok()) else { return };
        match (&request[..1], result) {
            ("c", Err(error)) if error.is_passing() && self.calls.send_again(CallId(number)) => {
                self.pause = self.pause.max(now + self.asked_pause(&error, 0));
            }
            ("c", result) => self.on_call_answer(CallId(number), result, actions),
            ("j", Ok(data)) => self.on_let_in(number, data, actions),
            ("j", Err(error)) => self.on_refused(now, number, error, actions),
            ("t", Err(error)) => actions.push(Action::Tell(Event::Refused(error))),
            _ => {}
        }
    }

    fn on_call_answer(&mut self, call: CallId, result: Result<Value, Error>, actions: &mut Vec<Action>) {
        let Some(answered) = self.calls.answered(call) else { return };
        if let (What::Say(Saying { room, stores: true, .. }), Ok(data)) = (&answered.what, &result) {
            self.on_stored(room.clone(), data);
        }
        actions.push(match answered.stage {
            calls::Stage::Overdue => Action::Tell(Event::AnsweredLate { call, result }),
            calls::Stage::Queued | calls::Stage::InFlight | calls::Stage::Wished => {
                Action::Answer { call, result }
            }
        });
    }

    /// An own entry is heard by the answer to its call.
    fn on_stored(&mut self, room: Option<Room>, answer: &Value) {
        let named = || Some(Room::Chat(answer.get("roomId")?.as_str()?.to_string()));
        let Some(room) = room.or_else(named) else { return };
        if let (Some(seat), Some(seq)) = (self.rooms.seat(&room), answer.get("seq").and_then(Value::as_u64)) {
            seat.hear(&Place { room, log: Log::Own, seq });
        }
    }

    /// A join or a goodbye is answered. What was stored meanwhile is told in front of the answer to a join.
    fn on_let_in(&mut self, number: u64, mut data: Value, actions: &mut Vec<Action>) {
        let Some(room) = self.rooms.asked(number) else { return };
        let Some(seat) = self.rooms.seat(&room) else { return };
        if matches!(seat.stage, Stage::Leaving { .. }) {
            let left = self.rooms.remove(&room).map(|seat| seat.callers).unwrap_or_default();
            return left.into_iter().for_each(|call| self.answer_left(call, actions));
        }
        (seat.stage, seat.established, seat.tries) = (Stage::In, true, 0);
        if data.get("reset").and_then(Value::as_bool) == Some(true) {
            seat.reset();
            actions.push(Action::Tell(Event::Reset { room: room.clone() }));
        }
        let messages = match data.as_object_mut().and_then(|data| data.remove("messages")) {
            Some(Value::Array(messages)) => messages,
            Some(_) | None => Vec::new(),
        };
        for data in messages {
            match data.get("seq").and_then(Value::as_u64) {
                Some(seq) => {
                    let place = Place { room: room.clone(), log: Log::Own, seq };
                    self.on_entry(place, "chat:message:received", data, actions);
                }
                None => self.malformed = self.malformed.saturating_add(1),
            }
        }
        self.begin(&room, data, actions);
    }

    fn begin(&mut self, room: &Room, data: Value, actions: &mut Vec<Action>) {
        let Some(seat) = self.rooms.seat(room) else { return };
        let number = |key| data.get(key).and_then(Value::as_u64);
        seat.begin(number("lastSeq"), number("allSeq"));
        for call in std::mem::take(&mut seat.callers) {
            self.answer(call, Ok(data.clone()), actions);
        }
    }

    /// A room that the client was in before is asked for again, unless there is no hope.
    fn on_refused(&mut self, now: Duration, number: u64, error: Error, actions: &mut Vec<Action>) {
        let Some(room) = self.rooms.asked(number) else { return };
        let Some(seat) = self.rooms.seat(&room) else { return };
        let callers = std::mem::take(&mut seat.callers);
        if matches!(seat.stage, Stage::Leaving { .. }) {
            self.rooms.remove(&room);
        } else if seat.established && error.recoverable {
            let tries = seat.tries;
            seat.tries = tries.saturating_add(1);
            let until = now + self.asked_pause(&error, tries);
            self.rooms.seat(&room).into_iter().for_each(|seat| seat.stage = Stage::Pausing { until });
        } else {
            if seat.established {
                let (room, error) = (room.clone(), error.clone());
                actions.push(Action::Tell(Event::RoomLost { room, error }));
            }
            self.rooms.remove(&room);
        }
        callers.into_iter().for_each(|call| self.answer(call, Err(error.clone()), actions));
    }

    /// As long as the server asks for, and something more, so that not all come back together.
    fn asked_pause(&mut self, error: &Error, tries: u32) -> Duration {
        let doubled = 1_u32.checked_shl(tries).unwrap_or(u32::MAX);
        let wait = self.dice.up_to(PAUSE_FIRST.saturating_mul(doubled).min(PAUSE_MAX));
        wait + Duration::from_millis(error.retry_after_ms().unwrap_or(0)).min(PAUSE_MAX)
    }

    fn on_event(&mut self, heard: Heard, actions: &mut Vec<Action>) {
        match heard.event.as_str() {
            "server_shutdown" => {
                let asked = heard.data.get("reconnectAfterMs").and_then(Value::as_u64).unwrap_or(0);
                self.stay_away = Duration::from_millis(asked).min(RECONNECT_AFTER_MAX);
            }
            "auth:expiring" if self.token.is_none() && matches!(self.link, Link::Open { .. }) => {
                self.token = Some(Wanted::ToRefresh);
                actions.push(Action::AskToken);
            }
            "auth:expiring" | "auth:refreshed" => {}
            "error" | "chat:error" => actions.push(Action::Tell(Event::Refused(Error::read(heard.data)))),
            _ => match Place::of(&heard) {
                Some(place) if self.rooms.seat(&place.room).is_some() => {
                    self.on_entry(place, &heard.event, heard.data, actions);
                }
                _ => actions.push(Action::Tell(Event::Signal { name: heard.event, data: heard.data })),
            },
        }
    }

    /// An entry of a room that the client wishes to be in. A message of its own that it did not hear the answer to is
    /// the answer; the sender does not hear its own messages otherwise.
    fn on_entry(&mut self, place: Place, name: &str, data: Value, actions: &mut Vec<Action>) {
        let Some(seat) = self.rooms.seat(&place.room) else { return };
        if matches!(seat.stage, Stage::Leaving { .. }) || !seat.hear(&place) {
            return;
        }
        let Place { room, seq, .. } = place;
        let id = data.get("id").and_then(Value::as_str);
        let sender = id
            .and_then(|id| self.calls.sender_of(id))
            .and_then(|call| Some((call, self.calls.remove(call)?)));
        match sender {
            Some((call, sent)) if sent.stage != calls::Stage::Overdue => {
                let result = Ok(json!({
                    "id": id,
                    "seq": seq,
                    "timestamp": data.get("timestamp"),
                    "deliveryStatus": data.get("deliveryStatus"),
                }));
                actions.push(Action::Answer { call, result });
            }
            Some(_) | None => {
                actions.push(Action::Tell(Event::Entry { room, seq, name: name.to_string(), data }));
            }
        }
    }
}
