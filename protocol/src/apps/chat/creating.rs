//! A new room: stored with its members, and joined at once where joining made it.

use super::joining::Join;
use super::{Chat, MEMBER, WRITE_TRIES_MAX, Waiting, member, permitted, refused};
use crate::auth::{Permission, UserType};
use crate::context::{Caller, Context};
use crate::envelope::Event;
use crate::ids::UserId;
use crate::refusal::{Code, Refusal};
use crate::store::{Change, MemberRow, RoomRecord, RoomRow, Row, RowKey, StoreReply, StoreRequest};
use crate::tickets::Pending;
use serde_json::json;

/// A room that is being made.
#[derive(Debug)]
pub struct Making {
    caller: Caller,
    row: RoomRow,
    members: Vec<MemberRow>,
    /// Set when it is made by joining it.
    join: Option<Join>,
    tries: u32,
}

impl Making {
    /// It is not sent again.
    pub(super) fn give_up(&mut self) {
        self.tries = WRITE_TRIES_MAX;
    }
}

impl Chat {
    pub(super) fn create(
        &mut self,
        row: RoomRow,
        members: Vec<UserId>,
        caller: &Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        permitted(&caller.user, Permission::RoomCreate)?;
        if ctx.fx.is_busy() {
            return Err(Refusal::busy());
        }
        if ctx.rooms.is_being_removed(&row.id) {
            return Err(being_deleted(&row));
        }
        let invited = members.into_iter().filter(|user| *user != caller.user.id).map(|user| MemberRow {
            room: row.id.clone(),
            user,
            role: MEMBER.to_string(),
            name: None,
            user_type: UserType::Employee,
        });
        let members = invited.collect();
        store_room(row, members, None, caller, ctx);
        Ok(())
    }

    pub(super) fn on_created(&mut self, making: Box<Making>, reply: StoreReply, ctx: &mut Context<'_>) {
        match reply {
            StoreReply::Committed(_) => {
                let Making { row, members, .. } = &*making;
                let (id, room, members) = (row.id.clone(), Some(row.clone()), members.clone());
                let record = RoomRecord::begun(id, room, members);
                self.show_made(*making, record, ctx);
            }
            // Behind a removal it might be made anew, or the removal take it away again.
            StoreReply::Unknown if ctx.rooms.is_being_removed(&making.row.id) => {
                self.refuse_made(&making, &being_deleted(&making.row), ctx);
            }
            StoreReply::Unknown if making.tries < WRITE_TRIES_MAX => send(making, ctx),
            // Perhaps by the try before this one.
            StoreReply::Taken(RowKey::Room(room)) if making.tries > 1 => {
                ctx.fx.store(StoreRequest::Load { room }, Pending::Chat(Waiting::Made(making)));
            }
            StoreReply::Taken(_) => self.on_taken(*making, ctx),
            StoreReply::Unknown
            | StoreReply::Unavailable
            | StoreReply::Stale { .. }
            | StoreReply::Loaded(_)
            | StoreReply::Entries { .. }
            | StoreReply::Heads(_)
            | StoreReply::Found(_)
            | StoreReply::Appended { .. } => {
                self.refuse_made(&making, &Refusal::store_unavailable(), ctx);
            }
        }
    }

    /// What stands under the id: what was to be made, or something else.
    pub(super) fn on_made(&mut self, making: Making, reply: StoreReply, ctx: &mut Context<'_>) {
        let StoreReply::Loaded(record) = reply else {
            return self.refuse_made(&making, &Refusal::store_unavailable(), ctx);
        };
        let is_own = |record: &RoomRecord| {
            record.room.as_ref() == Some(&making.row)
                && making.members.iter().all(|member| record.members.contains(member))
        };
        match record {
            Some(record) if is_own(&record) => self.show_made(making, *record, ctx),
            Some(_) | None => self.on_taken(making, ctx),
        }
    }

    fn show_made(&mut self, making: Making, record: RoomRecord, ctx: &mut Context<'_>) {
        ctx.rooms.open(record, ctx.fx.now);
        let Making { caller, row, join, .. } = making;
        match join {
            Some(join) => self.show(join, ctx),
            None => {
                let created = json!({"roomId": &*row.id.name, "name": row.name});
                ctx.fx.reply(&caller, &Event::new("chat:room:created", &created));
            }
        }
    }

    fn on_taken(&mut self, making: Making, ctx: &mut Context<'_>) {
        match making.join {
            Some(join) => self.join_again(join, ctx),
            None => {
                let message = format!("a room with the id {:?} exists already", &*making.row.id.name);
                ctx.fx.refuse(&making.caller, &refused(&Refusal::new(Code::Conflict, message)));
            }
        }
    }

    fn refuse_made(&mut self, making: &Making, refusal: &Refusal, ctx: &mut Context<'_>) {
        match &making.join {
            Some(join) => self.refuse_join(join, refusal, ctx),
            None => ctx.fx.refuse(&making.caller, &refused(refusal)),
        }
    }
}

fn being_deleted(row: &RoomRow) -> Refusal {
    Refusal::new(Code::Conflict, format!("a room with the id {:?} is being deleted", &*row.id.name))
}

/// Makes a room with its members, the caller among them.
pub(super) fn store_room(
    row: RoomRow,
    mut members: Vec<MemberRow>,
    join: Option<Join>,
    caller: &Caller,
    ctx: &mut Context<'_>,
) {
    members.push(member(&row.id, &caller.user));
    send(Box::new(Making { caller: caller.clone(), row, members, join, tries: 0 }), ctx);
}

fn send(mut making: Box<Making>, ctx: &mut Context<'_>) {
    making.tries += 1;
    let rows = std::iter::once(Change::Insert(Row::Room(making.row.clone())))
        .chain(making.members.iter().cloned().map(|member| Change::Put(Row::Member(member))));
    let request = StoreRequest::Commit { appends: vec![], rows: rows.collect() };
    ctx.fx.store(request, Pending::Chat(Waiting::Create(making)));
}
