//! Escalations: a room calls its firm's supervisors. What the room is told, what the supervisors are told and the row
//! that says whether it is dealt with are one commit, so that none of them is ever without the others. The row knows
//! its place in the supervisors' log, which is therefore expected to end where it is known to.

use super::supervisors::Notice;
use super::{Chat, READ_TRIES_MAX, WRITE_TRIES_MAX, Waiting, inside, message, permitted, refused};
use crate::auth::{Permission, UserType};
use crate::context::{Caller, Context};
use crate::ids::{EscalationId, RoomId, Seq};
use crate::refusal::{Code, Refusal};
use crate::store::{Append, Change, Entry, EscalationRow, NewEntry, Query, Row, StoreReply, StoreRequest};
use crate::tickets::Pending;
use crate::timers::Timer;
use std::time::Duration;

/// How many escalations of one firm may wait for the one that is being stored.
pub(super) const DEEDS_QUEUED_MAX: usize = 256;
/// How long after a commit of unknown outcome that was late it is sent again.
const DEED_RETRY: Duration = Duration::from_secs(1);

/// An escalation, or its end, on its way into the store.
#[derive(Debug)]
pub(super) struct Deed {
    caller: Caller,
    row: EscalationRow,
    /// What the room is told.
    entry: NewEntry,
    /// What the supervisors are told.
    notice: NewEntry,
    tries: u32,
    /// Whether it is being stored.
    out: bool,
    /// Whether a commit of it was not answered in time and may still wait. Its caller was told so; the deed stays, and
    /// is sent again under the same ids, until its outcome is known: else nobody would ever be told of it.
    late: bool,
    /// Whether its room was deleted.
    gone: bool,
}

/// An escalation that is looked for to be resolved.
#[derive(Debug)]
pub struct Sought {
    caller: Caller,
    escalation: EscalationId,
    tries: u32,
}

impl Deed {
    fn new(caller: &Caller, row: EscalationRow, entry: NewEntry, notice: NewEntry) -> Self {
        let (caller, tries) = (caller.clone(), 0);
        Self { caller, row, entry, notice, tries, out: false, late: false, gone: false }
    }
}

impl Chat {
    pub(super) fn escalate(
        &mut self,
        id: &RoomId,
        reason: String,
        caller: &Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        inside(id, caller, ctx.rooms)?;
        permitted(&caller.user, Permission::ChatEscalate)?;
        let row = EscalationRow {
            id: ctx.fx.rng.id("esc").into(),
            room: id.clone(),
            firm: caller.user.firm.clone(),
            by: caller.user.id.clone(),
            reason,
            created_at: ctx.fx.now,
            announced: Seq::ZERO,
            resolved: false,
        };
        let entry = message::escalated(&row, caller.user.name.clone());
        let notice = Notice::created(&row).entry();
        self.queue(Deed::new(caller, row, entry, notice), ctx)?;
        self.stops_typing(id, &caller.user.id, ctx);
        Ok(())
    }

    pub(super) fn resolve(
        &mut self,
        escalation: EscalationId,
        caller: &Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        if ctx.fx.is_busy() {
            return Err(Refusal::busy());
        }
        seek(Sought { caller: caller.clone(), escalation, tries: 0 }, ctx);
        Ok(())
    }

    /// The escalation is found, or there is none. What is another firm's looks as if it were not there.
    pub(super) fn on_sought(&mut self, sought: Sought, reply: StoreReply, ctx: &mut Context<'_>) {
        let StoreReply::Found(rows) = reply else {
            return match sought.tries < READ_TRIES_MAX {
                true => seek(sought, ctx),
                false => ctx.fx.refuse(&sought.caller, &refused(&Refusal::store_unavailable())),
            };
        };
        let found = rows.into_iter().find_map(Row::escalation);
        let found = found.filter(|row| row.firm == sought.caller.user.firm);
        let applied = match found {
            Some(row) => self.apply(super::Command::Settle { escalation: Box::new(row) }, sought.caller, ctx),
            None => Err((sought.caller, no_escalation())),
        };
        if let Err((caller, refusal)) = applied {
            ctx.fx.refuse(&caller, &refused(&refusal));
        }
    }

    /// Supervisors settle the escalations of their firm; so may whoever could have escalated.
    pub(super) fn settle(
        &mut self,
        mut row: EscalationRow,
        caller: &Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        inside(&row.room, caller, ctx.rooms).map_err(|_| no_escalation())?;
        if caller.user.user_type != UserType::Supervisor {
            permitted(&caller.user, Permission::ChatEscalate)?;
        }
        row.resolved = true;
        // Where it was resolved before, what was told then is found under these ids, and answered.
        let entry = message::resolved(&row, caller.user.id.clone());
        let notice = Notice::resolved(&row, caller.user.id.clone()).entry();
        self.queue(Deed::new(caller, row, entry, notice), ctx)
    }

    fn queue(&mut self, deed: Deed, ctx: &mut Context<'_>) -> Result<(), Refusal> {
        let desk = RoomId::supervisors(&deed.row.firm);
        let queued = self.desks.get(&desk).map_or(0, |known| known.deeds.len());
        if queued >= DEEDS_QUEUED_MAX || ctx.fx.is_busy() {
            return Err(Refusal::busy());
        }
        self.desks.entry(desk.clone()).or_default().deeds.push_back(deed);
        self.desk_goes_on(&desk, ctx);
        Ok(())
    }

    /// Stores what is first in line, where nothing is being stored and the supervisors' log is known.
    pub(super) fn store_deed(&mut self, desk: &RoomId, ctx: &mut Context<'_>) {
        let Some(head) = ctx.rooms.find(desk).map(|room| room.head()) else { return };
        let Some(known) = self.desks.get_mut(desk) else { return };
        let Some(deed) = known.deeds.front_mut().filter(|deed| !deed.out) else { return };
        // Behind a removal the room's log would begin anew.
        let is_closing = deed.gone || ctx.rooms.is_being_removed(&deed.row.room);
        if is_closing || ctx.rooms.touch(&deed.row.room, ctx.fx.now).is_none() {
            self.end_deed(desk, Err(Refusal::room_access_denied()), ctx);
            return self.store_deed(desk, ctx);
        }
        (deed.tries, deed.out) = (deed.tries + 1, true);
        if !deed.row.resolved {
            deed.row.announced = head.next();
        }
        let append = |room: &RoomId, expect, entry: &NewEntry| Append {
            room: room.clone(),
            expect,
            entries: vec![entry.clone()],
        };
        let appends = vec![append(&deed.row.room, None, &deed.entry), append(desk, Some(head), &deed.notice)];
        let rows = vec![Change::Put(Row::Escalation(deed.row.clone()))];
        ctx.fx.store(StoreRequest::Commit { appends, rows }, Pending::Chat(Waiting::Deed(desk.clone())));
    }

    /// What is being stored was not answered in time.
    pub(super) fn on_deed_late(&mut self, desk: &RoomId, ctx: &mut Context<'_>) {
        let Some(deed) = self.desks.get_mut(desk).and_then(|known| known.deeds.front_mut()) else { return };
        if !std::mem::replace(&mut deed.late, true) {
            ctx.fx.refuse(&deed.caller, &refused(&Refusal::store_unavailable()));
        }
    }

    /// A room is no more, and nothing is stored in it.
    pub(super) fn forget_deeds(&mut self, room: &RoomId) {
        let deeds = self.desks.values_mut().flat_map(|desk| &mut desk.deeds);
        deeds.filter(|deed| deed.row.room == *room).for_each(|deed| deed.gone = true);
    }

    pub(super) fn on_deed(&mut self, desk: &RoomId, reply: StoreReply, ctx: &mut Context<'_>) {
        let Some(deed) = self.desks.get_mut(desk).and_then(|known| known.deeds.front_mut()) else { return };
        deed.out = false;
        let again = deed.late || deed.tries < WRITE_TRIES_MAX;
        match reply {
            StoreReply::Committed(entries) => self.end_deed(desk, Ok(entries), ctx),
            StoreReply::Unknown | StoreReply::Unavailable if deed.late => {
                return ctx.fx.timers.set(ctx.fx.now + DEED_RETRY, Timer::Desk(desk.clone()));
            }
            StoreReply::Unknown if again => {}
            // Somebody else told them something that is not known here.
            StoreReply::Stale { .. } if again => return self.read_desk(desk, ctx),
            StoreReply::Unknown
            | StoreReply::Stale { .. }
            | StoreReply::Unavailable
            | StoreReply::Taken(_)
            | StoreReply::Loaded(_)
            | StoreReply::Entries { .. }
            | StoreReply::Heads(_)
            | StoreReply::Found(_)
            | StoreReply::Appended { .. } => {
                self.end_deed(desk, Err(Refusal::store_unavailable()), ctx);
                // Perhaps it is stored all the same: then it is told.
                return self.read_desk(desk, ctx);
            }
        }
        self.desk_goes_on(desk, ctx);
    }

    /// Refuses all that waits: what supervisors know cannot be read.
    pub(super) fn refuse_deeds(&mut self, desk: &RoomId, ctx: &mut Context<'_>) {
        let deeds = self.desks.get_mut(desk).map(|known| std::mem::take(&mut known.deeds));
        for deed in deeds.into_iter().flatten().filter(|deed| !deed.late) {
            ctx.fx.refuse(&deed.caller, &refused(&Refusal::store_unavailable()));
        }
    }

    /// Tells what was stored and answers it, in the room and to the supervisors.
    fn end_deed(&mut self, desk: &RoomId, stored: Result<Vec<Entry>, Refusal>, ctx: &mut Context<'_>) {
        let deed = self.desks.get_mut(desk).and_then(|known| known.deeds.pop_front());
        let Some(Deed { caller, row, late, .. }) = deed else { return };
        let entries = match stored {
            Ok(entries) => entries,
            Err(_) if late => return,
            Err(refusal) => return ctx.fx.refuse(&caller, &refused(&refusal)),
        };
        let (of_desk, of_room): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.room == *desk);
        // Who was told that it is not known hears it like the others.
        let origin = (!late).then_some(caller.connection);
        for entry in of_room {
            let (at, answer) = (entry.seq, message::told(&entry).filter(|_| !late));
            self.bring(&row.room, origin, vec![entry], ctx);
            match (ctx.rooms.find(&row.room), answer) {
                (Some(room), Some(answer)) => room.answer(caller.clone(), at, answer, &mut ctx.fx),
                (None, Some(answer)) => ctx.fx.reply(&caller, &answer),
                (_, None) => {}
            }
        }
        self.bring(desk, origin, of_desk, ctx);
    }
}

fn seek(mut sought: Sought, ctx: &mut Context<'_>) {
    sought.tries += 1;
    let query = Query::Escalation(sought.escalation.clone());
    ctx.fx.store(StoreRequest::Look(query), Pending::Chat(Waiting::Sought(sought)));
}

pub(super) fn no_escalation() -> Refusal {
    Refusal::new(Code::NotFound, "there is no such escalation")
}
