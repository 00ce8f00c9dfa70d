//! Coming into a draft and going: on an endpoint of its own as the connection does, elsewhere by calls. A draft belongs
//! to a firm; who is of the firm or a member comes in, and who is a member as a viewer changes nothing.

use super::command::Asks;
use super::draft::{Seat, Stage, Wanted};
use super::log;
use super::{Drafts, Parked, Waiting, not_found};
use crate::action::CloseCause;
use crate::auth::{Permission, User, UserType};
use crate::connection::{EXPIRY_NOTICE, name};
use crate::context::{Caller, Context};
use crate::envelope::{Envelope, Event};
use crate::ids::{ConnectionId, RoomId};
use crate::outbox::Class;
use crate::record::{Level, Record};
use crate::refusal::{Code, Refusal};
use crate::room::Room;
use crate::store::{Change, RoomRecord, RoomRow, Row, StoreReply, StoreRequest, Visibility};
use crate::tickets::Pending;
use crate::y_sync::hocuspocus::Said;
use serde_json::json;

/// What members of a draft may be.
pub const ROLES: [&str; 2] = ["editor", VIEWER];
/// Who reads and comments.
const VIEWER: &str = "viewer";
/// How many may sit in one draft.
const SEATS_MAX: usize = 1_000;
/// How often a write of unknown outcome is looked after.
const WRITE_TRIES_MAX: u32 = 8;

/// What a user may do in a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    None,
    /// Read and comment.
    Read,
    /// All of it.
    Write,
}

/// What a user may do in a draft that is open.
pub fn access(room: &Room, user: &User) -> Access {
    let Some(row) = room.row.as_ref().filter(|_| !room.closing) else { return Access::None };
    let of_firm = row.firm == user.firm && row.visibility == Visibility::Public;
    match room.members.get(&user.id) {
        Some(member) if member.role == VIEWER => Access::Read,
        Some(_) => Access::Write,
        None if of_firm => Access::Write,
        None => Access::None,
    }
}

impl Drafts {
    /// A connection that is there for one draft came in.
    pub fn on_came(&mut self, caller: Caller, draft: RoomId, ctx: &mut Context<'_>) {
        self.dedicated.insert(caller.connection, draft.clone());
        self.open_for(caller, draft, ctx);
    }

    /// Somebody comes in. Until it is inside nothing more is read of it.
    pub fn open_for(&mut self, caller: Caller, draft: RoomId, ctx: &mut Context<'_>) {
        self.readings.hold(caller.connection, &mut ctx.fx);
        self.enter(caller, draft, ctx);
    }

    /// The one draft that a connection is there for.
    pub fn of(&self, who: ConnectionId) -> Option<RoomId> {
        self.dedicated.get(&who).cloned()
    }

    /// Whether a connection sits in a draft.
    pub fn sits(&self, draft: &RoomId, who: ConnectionId) -> bool {
        self.open.get(draft).is_some_and(|draft| draft.seats.contains_key(&who))
    }

    /// Whether it sits in any.
    pub fn sits_anywhere(&self, who: ConnectionId) -> bool {
        self.sittings.contains_key(&who)
    }

    /// Whether it is let into it, too.
    pub fn is_inside(&self, draft: &RoomId, who: ConnectionId) -> bool {
        let seat = self.open.get(draft).and_then(|draft| draft.seats.get(&who));
        seat.is_some_and(|seat| seat.inside)
    }

    /// What somebody says of a document that it was not let into yet waits for that; false: it is too much.
    pub fn wait_to_come_in(&mut self, who: ConnectionId, draft: RoomId, asks: Asks) -> bool {
        self.early.keep(who, draft, asks)
    }

    /// Nothing more is read of a connection until `read_on`.
    pub fn stop_reading(&mut self, who: ConnectionId, ctx: &mut Context<'_>) {
        self.readings.hold(who, &mut ctx.fx);
    }

    /// What was looked at before more may be read is known.
    pub fn read_on(&mut self, who: ConnectionId, ctx: &mut Context<'_>) {
        self.readings.release(who, &mut ctx.fx);
    }

    /// The token of somebody who sits in a draft was renewed there.
    pub fn authenticated(&self, id: &RoomId, caller: &Caller, ctx: &mut Context<'_>) {
        let who = caller.connection;
        let Some(seat) = self.open.get(id).and_then(|draft| draft.seats.get(&who)) else { return };
        let event = log::of(id, Event::new("authenticated", &json!({})));
        let event = event.said(Said::Authenticated { read_only: !seat.writes });
        ctx.fx.tell(who, Envelope::Hocuspocus, &event, Class::Kept);
    }

    /// A token ends soon. Over `/hocuspocus` it is asked for again, for every document.
    pub fn ask_for_tokens(&self, who: ConnectionId, ctx: &mut Context<'_>) {
        for id in self.sittings.get(&who).into_iter().flatten() {
            let seat = self.open.get(id).and_then(|draft| draft.seats.get(&who));
            if seat.is_some_and(|seat| seat.caller.envelope == Envelope::Hocuspocus) {
                let event = log::of(id, Event::new("auth:expiring", &json!({}))).said(Said::AskToken);
                ctx.fx.tell(who, Envelope::Hocuspocus, &event, Class::Kept);
            }
        }
    }

    /// Somebody comes in, as soon as the draft's room is open.
    pub(super) fn enter(&mut self, caller: Caller, draft: RoomId, ctx: &mut Context<'_>) {
        let is_open = !self.parked.holds(&draft) && ctx.rooms.touch(&draft, ctx.fx.now).is_some();
        if is_open {
            return self.take_seat(caller, &draft, ctx);
        }
        if let Some(refusal) = self.takes_no_more(ctx) {
            return self.put_off(&caller, &draft, &refusal, ctx);
        }
        if self.parked.park(draft.clone(), Parked::Coming(caller)) {
            self.load(draft, ctx);
        }
    }

    pub(super) fn load(&mut self, draft: RoomId, ctx: &mut Context<'_>) {
        let waiting = Waiting::Load(draft.clone());
        ctx.fx.store(StoreRequest::Load { room: draft }, Pending::Drafts(waiting));
    }

    /// A room that something waits for was read.
    pub(super) fn on_loaded(&mut self, id: RoomId, reply: StoreReply, ctx: &mut Context<'_>) {
        if self.parked.is_outdated(&id) {
            return self.load(id, ctx);
        }
        let StoreReply::Loaded(record) = reply else {
            return self.refuse_parked(&id, &Refusal::store_unavailable(), ctx);
        };
        match record {
            Some(record) if record.room.is_some() => self.open_room(*record, ctx),
            Some(_) | None if ctx.fx.settings.create_on_open && self.maker(&id).is_some() => {
                self.create(id, 1, ctx);
            }
            Some(_) | None => self.refuse_parked(&id, &not_found(), ctx),
        }
    }

    fn open_room(&mut self, mut record: RoomRecord, ctx: &mut Context<'_>) {
        let (id, snapshot) = (record.id.clone(), record.snapshot.take());
        ctx.rooms.open(record, ctx.fx.now);
        if !self.open.contains_key(&id) {
            self.begin(&id, snapshot, ctx);
        }
        for parked in self.parked.take(&id) {
            match parked {
                Parked::Coming(caller) => self.take_seat(caller, &id, ctx),
                Parked::Calling(call) => self.answer_call(*call, ctx),
            }
        }
    }

    /// Nothing that waits for a draft will have it.
    pub(super) fn refuse_parked(&mut self, id: &RoomId, refusal: &Refusal, ctx: &mut Context<'_>) {
        for parked in self.parked.take(id) {
            match parked {
                Parked::Coming(caller) if refusal.code == Code::NotFound => {
                    self.turn_away(&caller, id, refusal, ctx);
                }
                Parked::Coming(caller) => self.put_off(&caller, id, refusal, ctx),
                Parked::Calling(call) => super::rest::refuse(&call, refusal, ctx),
            }
        }
    }

    /// Makes the draft for the first who came and may.
    fn create(&mut self, room: RoomId, tries: u32, ctx: &mut Context<'_>) {
        let Some(user) = self.maker(&room) else { return };
        let row = new_row(&room, user);
        let rows = vec![Change::Insert(Row::Room(row))];
        let waiting = Waiting::Create { draft: room, tries };
        ctx.fx.store(StoreRequest::Commit { appends: vec![], rows }, Pending::Drafts(waiting));
    }

    /// The store said what came of a draft that was to be made.
    pub(super) fn on_created(&mut self, id: RoomId, tries: u32, reply: &StoreReply, ctx: &mut Context<'_>) {
        match reply {
            StoreReply::Committed(_) => match self.maker(&id).map(|user| new_row(&id, user)) {
                Some(row) => self.open_room(RoomRecord::begun(id, Some(row), vec![]), ctx),
                None => self.refuse_parked(&id, &not_found(), ctx),
            },
            StoreReply::Unknown if tries < WRITE_TRIES_MAX => self.create(id, tries + 1, ctx),
            // By somebody else, or by the try before this one.
            StoreReply::Taken(_) => self.load(id, ctx),
            StoreReply::Unknown
            | StoreReply::Unavailable
            | StoreReply::Stale { .. }
            | StoreReply::Loaded(_)
            | StoreReply::Entries { .. }
            | StoreReply::Heads(_)
            | StoreReply::Found(_)
            | StoreReply::Appended { .. } => self.refuse_parked(&id, &Refusal::store_unavailable(), ctx),
        }
    }

    fn maker(&self, id: &RoomId) -> Option<&User> {
        self.parked.waiting(id).iter().find_map(|parked| match parked {
            Parked::Coming(caller) => {
                let user = &*caller.user;
                let may = user.user_type != UserType::Guest && user.permissions.allow(Permission::RoomCreate);
                may.then_some(user)
            }
            Parked::Calling(_) => None,
        })
    }

    /// Somebody comes into an open room, if it may.
    fn take_seat(&mut self, caller: Caller, id: &RoomId, ctx: &mut Context<'_>) {
        let who = caller.connection;
        if !ctx.rooms.knows(who) {
            return self.readings.forget(who);
        }
        let access = ctx.rooms.find(id).map_or(Access::None, |room| access(room, &caller.user));
        let has_place = ctx.rooms.has_place_for(id, who);
        let Some(draft) = self.open.get_mut(id) else {
            return self.put_off(&caller, id, &Refusal::busy(), ctx);
        };
        let refusal = match (access, has_place) {
            (Access::None, _) => Some(not_found()),
            (_, Err(refusal)) => Some(refusal),
            (_, Ok(())) if draft.seats.contains_key(&who) => {
                Some(Refusal::new(Code::Conflict, "the draft is open on this connection already"))
            }
            (_, Ok(())) if draft.seats.len() >= SEATS_MAX => {
                let message = format!("over the limit of {SEATS_MAX} connections in one draft");
                Some(Refusal { recoverable: true, ..Refusal::new(Code::Overloaded, message) })
            }
            (Access::Read | Access::Write, Ok(())) => None,
        };
        if let Some(refusal) = refusal {
            return self.turn_away(&caller, id, &refusal, ctx);
        }
        let writes = access == Access::Write;
        draft.seats.insert(who, Seat::new(caller, writes));
        self.sittings.entry(who).or_default().insert(id.clone());
        if draft.stage == Stage::Ready {
            self.come_in(id, who, ctx);
        }
    }

    /// The document is there for somebody who came. A provider says itself what it has; else all of it is told.
    pub(super) fn come_in(&mut self, id: &RoomId, who: ConnectionId, ctx: &mut Context<'_>) {
        let Some(seat) = self.open.get_mut(id).and_then(|draft| draft.seats.get_mut(&who)) else { return };
        let caller = seat.caller.clone();
        match caller.envelope {
            Envelope::YWebsocket | Envelope::Hocuspocus => {
                seat.inside = true;
                if caller.envelope == Envelope::Hocuspocus {
                    self.authenticated(id, &caller, ctx);
                }
                let head = ctx.rooms.find(id).map(|room| room.head()).unwrap_or_default();
                ctx.rooms.enter(id, caller, head, &mut ctx.fx);
                self.on_inside(id, who, ctx);
            }
            Envelope::Fields
            | Envelope::Event
            | Envelope::SocketIo
            | Envelope::Realtime
            | Envelope::Draft
            | Envelope::DraftBase64 => self.want(id, Wanted { since: None, to: caller }, ctx),
        }
    }

    /// Somebody is in: it is asked for what it has, and told who is there and where.
    pub(super) fn on_inside(&mut self, id: &RoomId, who: ConnectionId, ctx: &mut Context<'_>) {
        let Some(draft) = self.open.get_mut(id) else { return };
        let Some(seat) = draft.seats.get_mut(&who) else { return };
        seat.caller.reply_to = None;
        let caller = seat.caller.clone();
        ctx.fx.log(record("room.join", id, &caller));
        self.readings.release(who, &mut ctx.fx);
        // Over `/hocuspocus` every first step of the client is answered with one: more would be acknowledged too often.
        if caller.envelope != Envelope::Hocuspocus {
            self.ask_for_missing(id, who, ctx);
        } else if caller.user.expires_at <= ctx.fx.now + EXPIRY_NOTICE {
            self.ask_for_tokens(who, ctx);
        }
        self.tell_states(id, who, ctx);
        self.tell_people_to(id, who, ctx);
        self.people_changed(id, ctx);
        for (asks, updates) in self.early.take(who, id) {
            self.say(id, asks, caller.clone(), ctx);
            if let Some(seat) = self.seat(id, who) {
                seat.owed.passed_over(updates);
            }
        }
    }

    /// Somebody may come in later. A provider of `/hocuspocus` that is denied a document never asks again, so it has to
    /// connect anew.
    fn put_off(&mut self, caller: &Caller, id: &RoomId, refusal: &Refusal, ctx: &mut Context<'_>) {
        if caller.envelope != Envelope::Hocuspocus {
            return self.turn_away(caller, id, refusal, ctx);
        }
        ctx.fx.close(caller.connection, CloseCause::Overloaded);
        self.readings.release(caller.connection, &mut ctx.fx);
    }

    /// Why somebody does not come in.
    fn turn_away(&mut self, caller: &Caller, id: &RoomId, refusal: &Refusal, ctx: &mut Context<'_>) {
        let who = caller.connection;
        let for_good = refusal.code == Code::NotFound;
        let cause = if for_good { CloseCause::AccessDenied } else { CloseCause::Overloaded };
        match caller.envelope {
            Envelope::Draft | Envelope::DraftBase64 | Envelope::YWebsocket => ctx.fx.close(who, cause),
            Envelope::Hocuspocus => {
                let event = log::of(id, Event::new("denied", &json!({})));
                let event = event.said(Said::Denied(refusal.message.to_string()));
                ctx.fx.tell(who, caller.envelope, &event, Class::Kept);
            }
            Envelope::Fields | Envelope::Event | Envelope::SocketIo | Envelope::Realtime => {
                self.refuse(caller, id, refusal, ctx)
            }
        }
        self.readings.release(who, &mut ctx.fx);
    }
}

/// A draft is not open on the connection that speaks of it.
pub fn not_open() -> Refusal {
    Refusal::new(Code::NotFound, "the draft is not open on this connection")
}

fn new_row(id: &RoomId, user: &User) -> RoomRow {
    let (name, firm) = (id.name.to_string(), user.firm.clone());
    RoomRow { id: id.clone(), name, firm, visibility: Visibility::Public }
}

pub(super) fn record(action: &str, id: &RoomId, caller: &Caller) -> Record {
    Record::new(Level::Info, action)
        .with("userId", caller.user.id.as_str())
        .with("draftId", &*id.name)
        .with("connectionId", name(caller.connection))
}

/// Whether a user who was in a draft may be there again.
pub fn may_hear(room: &Room, user: &User) -> bool {
    access(room, user) != Access::None
}
