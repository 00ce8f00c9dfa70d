//! Who sits in a draft and where: told to those who come, and to all when it changes, at most once a second.

use super::{Drafts, log};
use crate::context::{Caller, Context};
use crate::envelope::{Envelope, Event};
use crate::ids::{ConnectionId, RoomId, UserId};
use crate::outbox::Class;
use crate::refusal::{Code, Refusal};
use crate::room::{PRESENCE_INTERVAL, PRESENCE_NAMES_MAX};
use crate::timers::Timer;
use crate::y_sync::awareness::{self, STATE_BYTES_MAX, State};
use bytes::Bytes;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// One who sits in a draft.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Person<'a> {
    user_id: &'a UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    connections: u32,
}

impl Drafts {
    /// Somebody said where it is.
    pub(super) fn on_awareness(&mut self, id: &RoomId, from: &Caller, bytes: &Bytes, ctx: &mut Context<'_>) {
        let who = from.connection;
        // One state is a signal and counts as one; more of them are read as updates are.
        if bytes.len() > STATE_BYTES_MAX {
            self.readings.brought(who, bytes.len(), &mut ctx.fx);
        }
        let Some(draft) = self.open.get_mut(id) else { return };
        let Some(seat) = draft.seats.get(&who) else { return };
        let envelope = seat.caller.envelope;
        let heard = match awareness::read(bytes).and_then(|states| draft.awareness.hear(who, states)) {
            Ok(heard) => heard,
            Err(malformed) => {
                let refusal = Refusal::new(Code::ClientError, malformed.why);
                return self.refuse_unless_provider(from, id, &refusal, ctx);
            }
        };
        if !heard.back.is_empty() {
            ctx.fx.tell(who, envelope, &event(id, &heard.back), Class::Kept);
        }
        // A provider hears its own, too: it takes a socket for dead on which nothing comes (CONFORMANCE §3).
        let except = Some(who).filter(|_| !is_provider(envelope));
        self.tell_all(id, &heard.tell, except, ctx);
        self.done(id, from, "awareness-update", ctx);
    }

    /// Somebody asks where everybody is.
    pub(super) fn on_query(&mut self, id: &RoomId, from: &Caller, ctx: &mut Context<'_>) {
        self.tell_states(id, from.connection, ctx);
        self.done(id, from, "awareness-query", ctx);
    }

    /// A call that was carried out and has nothing to say is answered by its name (WIRE §0.4).
    fn done(&self, id: &RoomId, from: &Caller, name: &'static str, ctx: &mut Context<'_>) {
        if from.reply_to.is_some() {
            ctx.fx.reply(from, &log::of(id, Event::new(name, &json!({}))));
        }
    }

    /// Tells somebody where everybody is.
    pub(super) fn tell_states(&mut self, id: &RoomId, who: ConnectionId, ctx: &mut Context<'_>) {
        let Some(draft) = self.open.get(id) else { return };
        let (Some(seat), states) = (draft.seats.get(&who), draft.awareness.all()) else { return };
        if !states.is_empty() {
            ctx.fx.tell(who, seat.caller.envelope, &event(id, &states), Class::Kept);
        }
    }

    /// Somebody is nowhere any more.
    pub(super) fn state_ended(&mut self, id: &RoomId, who: ConnectionId, ctx: &mut Context<'_>) {
        let ended = self.open.get_mut(id).and_then(|draft| draft.awareness.leave(who));
        if let Some(state) = ended {
            self.tell_all(id, &[state], None, ctx);
        }
    }

    fn tell_all(&self, id: &RoomId, states: &[State], except: Option<ConnectionId>, ctx: &mut Context<'_>) {
        let [first, rest @ ..] = states else { return };
        let class = match (rest, &first.state) {
            // Of where somebody is only the newest counts; that it went must come through.
            ([], Some(_)) => Class::Latest(hash((id, first.client))),
            (_, None) => Class::Kept,
            (_, Some(_)) => Class::Signal,
        };
        if let Some(room) = ctx.rooms.find(id) {
            room.signal(&event(id, states), class, except, &mut ctx.fx);
        }
    }

    /// Tells one connection who sits in the draft.
    pub(super) fn tell_people_to(&self, id: &RoomId, who: ConnectionId, ctx: &mut Context<'_>) {
        let Some(seat) = self.open.get(id).and_then(|draft| draft.seats.get(&who)) else { return };
        let envelope = seat.caller.envelope;
        if let Some(event) = self.people(id) {
            ctx.fx.tell(who, envelope, &event, Class::Latest(hash((id, "people"))));
        }
    }

    /// Somebody came or went.
    pub(super) fn people_changed(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        let Some(draft) = self.open.get_mut(id).filter(|draft| draft.people_due.is_none()) else { return };
        let due = ctx.fx.now.max(draft.people_told + PRESENCE_INTERVAL);
        draft.people_due = Some(due);
        ctx.fx.timers.set(due, Timer::Draft(id.clone()));
    }

    /// Those who sit in the draft may have to be told who does.
    pub(super) fn tell_people(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        let now = ctx.fx.now;
        let Some(draft) = self.open.get_mut(id) else { return };
        if draft.people_due.is_none_or(|due| now < due) {
            return;
        }
        (draft.people_due, draft.people_told) = (None, now);
        if let (Some(event), Some(room)) = (self.people(id), ctx.rooms.find(id)) {
            room.signal(&event, Class::Latest(hash((id, "people"))), None, &mut ctx.fx);
        }
    }

    fn people(&self, id: &RoomId) -> Option<Event> {
        let mut people: BTreeMap<&UserId, Person<'_>> = BTreeMap::new();
        for seat in self.open.get(id)?.seats.values().filter(|seat| seat.inside) {
            let user = &*seat.caller.user;
            let person = people.entry(&user.id).or_insert(Person {
                user_id: &user.id,
                name: user.name.as_deref(),
                connections: 0,
            });
            person.connections += 1;
        }
        let shown: Vec<_> = people.values().take(PRESENCE_NAMES_MAX).collect();
        Some(log::of(id, Event::new("active-users", &json!({ "data": shown }))))
    }
}

/// Whether it is a Yjs provider, whose protocol has no word for errors.
pub(super) fn is_provider(envelope: Envelope) -> bool {
    matches!(envelope, Envelope::YWebsocket | Envelope::Hocuspocus)
}

fn event(id: &RoomId, states: &[State]) -> Event {
    log::awareness(id, awareness::write(states).into())
}

/// The same in every run of one build, which is all that is asked of it.
fn hash(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
