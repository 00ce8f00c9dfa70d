//! What the store is asked before a case can be judged: whether it was stored before, and the layout that it brings back.

use super::desk::{Case, Standing, Wanted, layout_in};
use super::{Dashboards, Waiting};
use crate::context::Context;
use crate::ids::{EntryId, RoomId, Seq, UserId};
use crate::store::{Query, StoreReply, StoreRequest};
use crate::tickets::Pending;

/// How often the store is asked before a case is given up.
const READ_TRIES_MAX: u32 = 3;

impl Dashboards {
    /// The store said whether a case was stored before.
    pub(super) fn on_standing(
        &mut self,
        (id, number, tries): (RoomId, u64, u32),
        reply: StoreReply,
        ctx: &mut Context<'_>,
    ) {
        let Some(case) = self.case(&id, number) else { return };
        // What was told meanwhile under its id has answered it.
        if !matches!(case.standing, Standing::Asked) {
            return;
        }
        if let StoreReply::Entries { entries, .. } = reply {
            let first = entries.into_iter().next();
            case.standing = first.map_or(Standing::Absent, |entry| Standing::Stored(Box::new(entry)));
        } else if tries < READ_TRIES_MAX && !ctx.fx.is_busy() {
            let key = case.key.clone();
            return look(id, key, number, tries + 1, ctx);
        } else {
            case.standing = Standing::Lost;
        }
        self.due.insert(id);
    }

    /// The store read the layout that a case brings back.
    pub(super) fn on_layout(
        &mut self,
        (id, number, tries): (RoomId, u64, u32),
        reply: StoreReply,
        ctx: &mut Context<'_>,
    ) {
        let Some(desk) = self.desks.get_mut(&id) else { return };
        let Some(case) = desk.queue.iter_mut().find(|case| case.number == number) else { return };
        let Some(version) = case.restores() else { return };
        let place = desk.board.layouts.iter().find(|(known, _)| *known == version).map(|(_, seq)| *seq);
        case.layout = match (reply, place) {
            (StoreReply::Entries { entries, .. }, Some(seq)) => {
                let entry = entries.into_iter().find(|entry| entry.seq == seq);
                Wanted::Found(entry.and_then(|entry| layout_in(&entry, version)))
            }
            (_, Some(seq)) if tries < READ_TRIES_MAX && !ctx.fx.is_busy() => {
                return read_layout(id, (number, tries + 1), seq, ctx);
            }
            (_, Some(_)) => Wanted::Lost,
            (_, None) => Wanted::Found(None),
        };
        self.due.insert(id);
    }

    fn case(&mut self, id: &RoomId, number: u64) -> Option<&mut Case> {
        self.desks.get_mut(id)?.queue.iter_mut().find(|case| case.number == number)
    }
}

pub(super) fn look(room: RoomId, key: (UserId, EntryId), case: u64, tries: u32, ctx: &mut Context<'_>) {
    let (author, id) = key;
    let query = Query::Entry { room: room.clone(), author, id };
    let waiting = Waiting::Standing { room, case, tries };
    ctx.fx.store(StoreRequest::Look(query), Pending::Dashboards(waiting));
}

pub(super) fn read_layout(room: RoomId, (case, tries): (u64, u32), seq: Seq, ctx: &mut Context<'_>) {
    let after = Seq(seq.0.saturating_sub(1));
    let request = StoreRequest::Read { room: room.clone(), after, max: 1 };
    let waiting = Waiting::Layout { room, case, tries };
    ctx.fx.store(request, Pending::Dashboards(waiting));
}
