//! How far users have read. Reads of one room that come together are stored together, each user's furthest, while
//! at most one commit of them is under way.

use super::{Chat, WRITE_TRIES_MAX, Waiting, done, inside, refused};
use crate::context::{Caller, Context};
use crate::envelope::Event;
use crate::ids::{ConnectionId, RoomId, Seq, UserId};
use crate::outbox::Class;
use crate::refusal::{Code, Refusal};
use crate::store::{Change, CursorRow, ROOM_MEMBERS_MAX, Row, StoreReply, StoreRequest};
use crate::tickets::Pending;
use serde_json::json;
use std::collections::BTreeMap;

/// How many reads of one room may wait for the commit under way.
const QUEUED_READS_MAX: usize = 256;

/// The reads of one room.
#[derive(Debug, Default)]
pub(super) struct Reads {
    out: Vec<(Caller, Seq)>,
    tries: u32,
    queued: Vec<(Caller, Seq)>,
}

impl Reads {
    /// How many wait.
    pub fn len(&self) -> usize {
        self.out.len() + self.queued.len()
    }
}

impl Chat {
    pub(super) fn read(
        &mut self,
        id: &RoomId,
        seq: Seq,
        caller: &Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        let room = inside(id, caller, ctx.rooms)?;
        if seq > room.head() {
            let message = format!("{} is beyond the end of the log, {}", seq.0, room.head().0);
            return Err(Refusal::new(Code::ClientError, message));
        }
        if room.cursors.get(&caller.user.id).is_some_and(|cursor| seq <= *cursor) {
            done(caller, "chat:message:read", &mut ctx.fx);
            return Ok(());
        }
        if ctx.fx.is_busy() || self.reads.get(id).is_some_and(|reads| reads.queued.len() >= QUEUED_READS_MAX)
        {
            return Err(Refusal::busy());
        }
        self.reads.entry(id.clone()).or_default().queued.push((caller.clone(), seq));
        self.store_reads(id, ctx);
        Ok(())
    }

    fn store_reads(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        let Some(reads) = self.reads.get_mut(id) else { return };
        if !reads.out.is_empty() {
            return;
        }
        (reads.out, reads.tries) = (std::mem::take(&mut reads.queued), 0);
        match reads.out.is_empty() {
            true => drop(self.reads.remove(id)),
            false => self.send_reads(id, ctx),
        }
    }

    fn send_reads(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        if ctx.rooms.is_being_removed(id) || ctx.rooms.find(id).is_none() {
            self.refuse_reads(id, &Refusal::room_access_denied(), ctx);
            return self.store_reads(id, ctx);
        }
        let Some(reads) = self.reads.get_mut(id) else { return };
        reads.tries += 1;
        let row = |(user, (seq, _))| Row::Cursor(CursorRow { room: id.clone(), user, seq });
        let rows = furthest(&reads.out).into_iter().map(row).map(Change::Put).collect();
        let request = StoreRequest::Commit { appends: vec![], rows };
        ctx.fx.store(request, Pending::Chat(Waiting::Reads(id.clone())));
    }

    /// The commit is not sent again.
    pub(super) fn give_up_reads(&mut self, id: &RoomId) {
        if let Some(reads) = self.reads.get_mut(id) {
            reads.tries = WRITE_TRIES_MAX;
        }
    }

    pub(super) fn on_reads(&mut self, id: &RoomId, reply: &StoreReply, ctx: &mut Context<'_>) {
        let tries = self.reads.get(id).map_or(0, |reads| reads.tries);
        match reply {
            StoreReply::Committed(_) => self.on_read(id, ctx),
            // Written twice it is the same.
            StoreReply::Unknown if tries < WRITE_TRIES_MAX => return self.send_reads(id, ctx),
            StoreReply::Unknown
            | StoreReply::Unavailable
            | StoreReply::Stale { .. }
            | StoreReply::Taken(_)
            | StoreReply::Loaded(_)
            | StoreReply::Entries { .. }
            | StoreReply::Heads(_)
            | StoreReply::Found(_)
            | StoreReply::Appended { .. } => self.refuse_reads(id, &Refusal::store_unavailable(), ctx),
        }
        self.store_reads(id, ctx);
    }

    fn on_read(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        let Some(reads) = self.reads.get_mut(id) else { return };
        let out = std::mem::take(&mut reads.out);
        if let Some(room) = ctx.rooms.find(id) {
            for (user, (seq, connection)) in furthest(&out) {
                let before = room.cursors.get(&user).copied().unwrap_or_default();
                let has_place = before > Seq::ZERO || room.cursors.len() < ROOM_MEMBERS_MAX;
                if seq > before && has_place {
                    room.cursors.insert(user.clone(), seq);
                }
                if seq > before {
                    let data = json!({"roomId": &*id.name, "userId": user.as_str(), "seq": seq.0});
                    let event = Event::new("chat:message:read", &data);
                    room.signal(&event, Class::Signal, Some(connection), &mut ctx.fx);
                }
            }
        }
        out.iter().for_each(|(caller, _)| done(caller, "chat:message:read", &mut ctx.fx));
    }

    fn refuse_reads(&mut self, id: &RoomId, refusal: &Refusal, ctx: &mut Context<'_>) {
        let Some(reads) = self.reads.get_mut(id) else { return };
        for (caller, _) in std::mem::take(&mut reads.out) {
            ctx.fx.refuse(&caller, &refused(refusal));
        }
    }
}

/// How far each user has read, and on which connection.
fn furthest(reads: &[(Caller, Seq)]) -> BTreeMap<UserId, (Seq, ConnectionId)> {
    let mut furthest = BTreeMap::new();
    for (caller, seq) in reads {
        let read = furthest.entry(caller.user.id.clone()).or_insert((*seq, caller.connection));
        *read = (*read).max((*seq, caller.connection));
    }
    furthest
}
