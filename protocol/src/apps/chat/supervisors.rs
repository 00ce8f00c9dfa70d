//! The supervisors of a firm sit in a room of their own, whose log says what was escalated and what is dealt with.
//! Who comes is told what is open, and then all that the log says from the place on at which it was asked what is
//! open: so each escalation is told once, and none is missed.

use super::escalations::Deed;
use super::{Chat, READ_TRIES_MAX, Waiting};
use crate::action::CloseCause;
use crate::auth::UserType;
use crate::context::{Caller, Context};
use crate::envelope::{Envelope, Event};
use crate::frame::Frame;
use crate::ids::{ConnectionId, EscalationId, RoomId, Seq, UserId};
use crate::outbox::Class;
use crate::room::{Told, Turn};
use crate::store::{Entry, EscalationRow, NewEntry, Query, RoomRecord, Row, StoreReply, StoreRequest};
use crate::tickets::Pending;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::VecDeque;

/// How many bytes of open escalations a supervisor is sent at a time.
const PAGE_BYTES_MAX: usize = 128 * 1024;
/// How many entries a supervisor on the way in may have heard otherwise; of more it is told twice.
const ASIDE_ENTRIES_MAX: usize = 256;
/// How many entries one read of what is not known yet asks for.
const READ_ENTRIES_MAX: u32 = 200;

/// What a supervisors' log says, and what supervisors hear. It names the room it is about, but no place in that
/// room's log: who is not in there keeps none.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(super) enum Notice {
    Created { escalation_id: EscalationId, room_id: String, by: UserId, reason: String, timestamp: String },
    Resolved { escalation_id: EscalationId, room_id: String, by: UserId },
}

/// One firm's supervisors: what they are to be told, and who of them is on the way in.
#[derive(Debug, Default)]
pub(super) struct Desk {
    /// Escalations on their way into the store, one at a time.
    pub deeds: VecDeque<Deed>,
    comers: Vec<Coming>,
    /// How often the room was asked for since it is being opened.
    loads: u32,
    /// Whether what is not known of its log is being read.
    reads: bool,
}

/// What a supervisor on the way in has heard otherwise: its own, and what was told in its rooms.
#[derive(Debug)]
pub(super) struct Aside {
    desk: RoomId,
    heard: Vec<Seq>,
}

/// A supervisor on the way in.
#[derive(Debug)]
pub struct Coming {
    caller: Caller,
    /// Tells it from others of the same connection.
    number: u64,
    /// From where on the log is told.
    at: Seq,
    /// What is open and still to be told; `None`: not asked for yet.
    open: Option<VecDeque<EscalationRow>>,
    tries: u32,
}

/// What a supervisor hears of an entry.
pub fn told_to_supervisors(entry: &Entry) -> Option<Event> {
    Notice::read(entry).map(|notice| notice.event())
}

impl Notice {
    pub fn created(row: &EscalationRow) -> Self {
        let (escalation_id, room_id) = (row.id.clone(), row.room.name.to_string());
        let (by, reason, timestamp) = (row.by.clone(), row.reason.clone(), row.created_at.to_string());
        Self::Created { escalation_id, room_id, by, reason, timestamp }
    }

    pub fn resolved(row: &EscalationRow, by: UserId) -> Self {
        Self::Resolved { escalation_id: row.id.clone(), room_id: row.room.name.to_string(), by }
    }

    pub fn entry(&self) -> NewEntry {
        let id = match self {
            Self::Created { escalation_id, .. } => escalation_id.to_string(),
            Self::Resolved { escalation_id, .. } => format!("{escalation_id}:resolved"),
        };
        let body = serde_json::to_vec(self).expect("strings can be written as JSON");
        NewEntry { id: id.into(), author: UserId::server(), body: Bytes::from(body) }
    }

    fn read(entry: &Entry) -> Option<Self> {
        serde_json::from_slice(&entry.body).ok()
    }

    fn room(&self) -> RoomId {
        match self {
            Self::Created { room_id, .. } | Self::Resolved { room_id, .. } => RoomId::chat(room_id),
        }
    }

    fn event(&self) -> Event {
        match self {
            Self::Created { escalation_id, room_id, by, reason, timestamp } => Event::new(
                "chat:escalation:created",
                &json!({"escalationId": escalation_id, "roomId": room_id, "by": by, "reason": reason, "timestamp": timestamp}),
            ),
            Self::Resolved { escalation_id, room_id, by } => Event::new(
                "chat:escalation:resolved",
                &json!({"escalationId": escalation_id, "roomId": room_id, "by": by}),
            ),
        }
    }
}

impl Desk {
    /// How much is under way.
    pub fn len(&self) -> usize {
        self.deeds.len() + self.comers.len()
    }
}

impl Chat {
    /// A connection is a user's from now on: a supervisor is told what is open, now and later. Who comes back to what
    /// it had when it was cut off is told the rest from the log.
    pub fn on_user_came(&mut self, caller: &Caller, ctx: &mut Context<'_>) {
        let desk = RoomId::supervisors(&caller.user.firm);
        // Nothing but documents is spoken in this envelope.
        let speaks_chat = caller.envelope != Envelope::Fields;
        let is_supervisor = caller.user.user_type == UserType::Supervisor;
        if !speaks_chat || !is_supervisor || ctx.rooms.joined(caller.connection).contains(&desk) {
            return;
        }
        if ctx.fx.is_busy() {
            return ctx.fx.close(caller.connection, CloseCause::Overloaded);
        }
        self.joins += 1;
        let caller = Caller { reply_to: None, ..caller.clone() };
        let aside = Aside { desk: desk.clone(), heard: vec![] };
        self.asides.insert((caller.connection, self.joins), aside);
        let coming = Coming { caller, number: self.joins, at: Seq::ZERO, open: None, tries: 0 };
        self.desks.entry(desk.clone()).or_default().comers.push(coming);
        self.desk_goes_on(&desk, ctx);
    }

    /// A connection shows another token of its user, who may be a supervisor from now on or not any more.
    pub fn on_refreshed(&mut self, before: UserType, caller: Caller, ctx: &mut Context<'_>) {
        let desk = RoomId::supervisors(&caller.user.firm);
        match (before, caller.user.user_type) {
            (UserType::Supervisor, UserType::Supervisor) => {}
            (UserType::Supervisor, UserType::Employee | UserType::Guest) => {
                ctx.rooms.leave(&desk, caller.connection, &mut ctx.fx);
            }
            (UserType::Employee | UserType::Guest, _) => self.on_user_came(&caller, ctx),
        }
    }

    /// Does what there is to do, once the supervisors' room is open.
    pub fn desk_goes_on(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        let Some(desk) = self.desks.get_mut(id).filter(|desk| desk.loads == 0 && !desk.reads) else { return };
        if desk.len() == 0 {
            self.desks.remove(id);
        } else if ctx.rooms.touch(id, ctx.fx.now).is_none() {
            desk.loads = 1;
            load(id, ctx);
        } else {
            let comers = std::mem::take(&mut desk.comers);
            comers.into_iter().for_each(|coming| self.comes_in(id, coming, ctx));
            self.store_deed(id, ctx);
            if self.desks.get(id).is_some_and(|desk| desk.len() == 0) {
                self.desks.remove(id);
            }
        }
    }

    pub(super) fn on_desk_loaded(&mut self, id: &RoomId, reply: StoreReply, ctx: &mut Context<'_>) {
        let Some(desk) = self.desks.get_mut(id) else { return };
        if let StoreReply::Loaded(record) = reply {
            desk.loads = 0;
            ctx.rooms.open(
                record.map_or_else(|| RoomRecord::begun(id.clone(), None, vec![]), |record| *record),
                ctx.fx.now,
            );
        } else if desk.loads < READ_TRIES_MAX {
            desk.loads += 1;
            return load(id, ctx);
        } else {
            desk.loads = 0;
            for coming in std::mem::take(&mut desk.comers) {
                self.turns_back(&coming, ctx);
            }
            self.refuse_deeds(id, ctx);
        }
        self.desk_goes_on(id, ctx);
    }

    /// Reads what the supervisors' log says that is not known here.
    pub(super) fn read_desk(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        let Some(after) = ctx.rooms.find(id).map(|room| room.head()) else { return };
        self.desks.entry(id.clone()).or_default().reads = true;
        let request = StoreRequest::Read { room: id.clone(), after, max: READ_ENTRIES_MAX };
        ctx.fx.store(request, Pending::Chat(Waiting::DeskRead(id.clone())));
    }

    pub(super) fn on_desk_read(&mut self, id: &RoomId, reply: StoreReply, ctx: &mut Context<'_>) {
        if let Some(desk) = self.desks.get_mut(id) {
            desk.reads = false;
        }
        if let StoreReply::Entries { entries, .. } = reply {
            self.bring(id, None, entries, ctx);
        }
        self.desk_goes_on(id, ctx);
    }

    /// The room is open: what is open is asked for, told, or told already.
    fn comes_in(&mut self, id: &RoomId, mut coming: Coming, ctx: &mut Context<'_>) {
        let who = coming.caller.connection;
        if !ctx.rooms.knows(who) {
            self.asides.remove(&(who, coming.number));
            return;
        }
        match &coming.open {
            None => {
                // What is announced from here on is heard from the log, however late the answer is.
                coming.at = ctx.rooms.find(id).map_or(Seq::ZERO, |room| room.head());
                coming.tries += 1;
                let query = Query::OpenEscalations { firm: coming.caller.user.firm.clone() };
                let waiting = Waiting::Open(id.clone(), Box::new(coming));
                ctx.fx.store(StoreRequest::Look(query), Pending::Chat(waiting));
            }
            Some(open) if open.is_empty() => {
                let aside = self.asides.remove(&(who, coming.number));
                let heard = aside.map_or(Vec::new(), |aside| aside.heard);
                ctx.rooms.resume(id, coming.caller, (coming.at, heard), &mut ctx.fx);
            }
            Some(_) => self.tell_open(id, coming, ctx),
        }
    }

    pub(super) fn on_open(
        &mut self,
        id: &RoomId,
        mut coming: Coming,
        reply: StoreReply,
        ctx: &mut Context<'_>,
    ) {
        if let StoreReply::Found(rows) = reply {
            let aside = self.asides.get(&(coming.caller.connection, coming.number));
            let heard = aside.map_or(&[][..], |aside| &aside.heard);
            let open = rows.into_iter().filter_map(Row::escalation);
            let open = open.filter(|row| row.announced <= coming.at && !heard.contains(&row.announced));
            coming.open = Some(open.collect());
        } else if coming.tries >= READ_TRIES_MAX {
            return self.turns_back(&coming, ctx);
        }
        self.comes(id, coming, ctx);
    }

    /// What a supervisor is to be told cannot be: it comes again.
    fn turns_back(&mut self, coming: &Coming, ctx: &mut Context<'_>) {
        self.asides.remove(&(coming.caller.connection, coming.number));
        ctx.fx.close(coming.caller.connection, CloseCause::Overloaded);
    }

    /// A supervisor is gone before it was its turn.
    pub(super) fn on_comer_gone(&mut self, place: &(ConnectionId, u64)) {
        self.coming.remove(place);
        self.asides.remove(place);
    }

    fn comes(&mut self, id: &RoomId, coming: Coming, ctx: &mut Context<'_>) {
        self.desks.entry(id.clone()).or_default().comers.push(coming);
        self.desk_goes_on(id, ctx);
    }

    /// Tells a page of what is open, when it is its turn among all that the connection is sent.
    fn tell_open(&mut self, id: &RoomId, mut coming: Coming, ctx: &mut Context<'_>) {
        let (who, turn) = (coming.caller.connection, Turn::Join(id.clone(), coming.number));
        if !ctx.rooms.pacing.is_turn(who, &turn) {
            return self.lines_up(coming, turn, ctx);
        }
        let open = coming.open.get_or_insert_default();
        let (mut frames, mut bytes) = (Vec::new(), 0);
        while bytes < PAGE_BYTES_MAX
            && let Some(row) = open.pop_front()
        {
            let told = ctx.fx.answer(&coming.caller, &Notice::created(&row).event());
            bytes += told.iter().map(Frame::len).sum::<usize>();
            frames.extend(told);
        }
        let more = !open.is_empty();
        send(&frames, who, ctx.rooms.pacing.sends(who, bytes, more), ctx);
        ctx.rooms.pacing.end(who, &turn);
        match more {
            true => self.lines_up(coming, turn, ctx),
            false => self.comes(id, coming, ctx),
        }
    }

    fn lines_up(&mut self, coming: Coming, turn: Turn, ctx: &mut Context<'_>) {
        let who = coming.caller.connection;
        if ctx.rooms.pacing.is_full(who) {
            return self.turns_back(&coming, ctx);
        }
        ctx.rooms.pacing.line_up(who, turn);
        self.coming.insert((who, coming.number), coming);
    }

    /// It is a supervisor's turn.
    pub(super) fn on_desk_turn(
        &mut self,
        (who, id, number): (ConnectionId, RoomId, u64),
        ctx: &mut Context<'_>,
    ) {
        match self.coming.remove(&(who, number)) {
            Some(coming) => self.comes(&id, coming, ctx),
            None => ctx.rooms.pacing.end(who, &Turn::Join(id, number)),
        }
    }

    /// Supervisors were told something: all but those who hear it in the room that it is about, and whose call it was.
    pub(super) fn tell_supervisors(&mut self, told: &Told, ctx: &mut Context<'_>) {
        let Some(notice) = Notice::read(&told.entry) else { return };
        let about = notice.room();
        let Some(desk) = ctx.rooms.find(&told.entry.room) else { return };
        let present: Vec<_> = desk.present().map(|caller| caller.connection).collect();
        let hears = |who: &ConnectionId| ctx.rooms.joined(*who).contains(&about) || told.origin == Some(*who);
        let skipped: Vec<_> = present.into_iter().filter(hears).collect();
        let asides = self.asides.iter_mut().filter(|(_, aside)| aside.desk == told.entry.room);
        for (_, aside) in asides.filter(|((who, _), _)| hears(who)) {
            if aside.heard.len() < ASIDE_ENTRIES_MAX {
                aside.heard.push(told.entry.seq);
            }
        }
        let Some(desk) = ctx.rooms.find(&told.entry.room) else { return };
        desk.tell_entry_but(told.entry.seq, &notice.event(), &skipped, &mut ctx.fx);
    }
}

fn send(frames: &[Frame], to: ConnectionId, last: Class, ctx: &mut Context<'_>) {
    for (place, frame) in frames.iter().enumerate() {
        let class = if place + 1 == frames.len() { last } else { Class::Kept };
        ctx.fx.send(to, frame.clone(), class);
    }
}

fn load(id: &RoomId, ctx: &mut Context<'_>) {
    ctx.fx.store(StoreRequest::Load { room: id.clone() }, Pending::Chat(Waiting::Desk(id.clone())));
}
