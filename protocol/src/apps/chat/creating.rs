//! A new room: stored with its members, and joined at once where joining made it.

use super::{Chat, Command, MEMBER, Waiting, member, permitted, refused};
use crate::auth::{Permission, UserType};
use crate::context::{Caller, Context};
use crate::envelope::Event;
use crate::ids::{Seq, UserId};
use crate::refusal::{Code, Refusal};
use crate::store::{Change, MemberRow, RoomRecord, RoomRow, Row, RowKey, StoreReply, StoreRequest};
use crate::tickets::Pending;
use serde_json::json;

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

    pub(super) fn on_created(
        &mut self,
        row: RoomRow,
        members: Vec<MemberRow>,
        join: Option<Option<Seq>>,
        caller: Caller,
        reply: StoreReply,
        ctx: &mut Context<'_>,
    ) {
        let refusal = match (reply, join) {
            (StoreReply::Committed(_), join) => {
                let (id, name) = (row.id.clone(), row.name.clone());
                let record =
                    RoomRecord { id: id.clone(), room: Some(row), members, head: Seq::ZERO, tail: vec![] };
                ctx.rooms.open(record, ctx.fx.now);
                match join {
                    Some(since) => self.show(&id, since, caller, ctx),
                    None => {
                        let created = json!({"roomId": &*id.name, "name": name});
                        ctx.fx.reply(&caller, &Event::new("chat:room:created", &created));
                    }
                }
                return;
            }
            // Somebody else made it meanwhile: then it is there to be joined.
            (StoreReply::Taken(RowKey::Room(room)), Some(since)) => {
                match self.apply(Command::Join { room, since }, caller.clone(), ctx) {
                    Ok(()) => return,
                    Err((_, refusal)) => refusal,
                }
            }
            (StoreReply::Taken(_), _) => {
                Refusal::new(Code::Conflict, format!("a room with the id {:?} exists already", &*row.id.name))
            }
            (_, _) => Refusal::store_unavailable(),
        };
        ctx.fx.reply(&caller, &refused(&refusal));
    }
}

/// Makes a room with its members, the caller among them.
pub(super) fn store_room(
    row: RoomRow,
    mut members: Vec<MemberRow>,
    join: Option<Option<Seq>>,
    caller: &Caller,
    ctx: &mut Context<'_>,
) {
    members.push(member(&row.id, &caller.user));
    let rows = std::iter::once(Change::Insert(Row::Room(row.clone())))
        .chain(members.iter().cloned().map(|member| Change::Put(Row::Member(member))));
    let request = StoreRequest::Commit { appends: vec![], rows: rows.collect() };
    ctx.fx.store(request, Pending::Chat(Waiting::Create { caller: caller.clone(), row, members, join }));
}
