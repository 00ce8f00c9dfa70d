//! Coming into a project: its members do, and hear it from where they were before; and going, or being taken out.

use super::feeds::beginning;
use super::{Command, Parked, Projects, Waiting, access_denied, load};
use crate::auth::{Permission, User, UserType};
use crate::context::{Caller, Context};
use crate::envelope::Event;
use crate::ids::{RoomId, RoomKind, Seq, UserId};
use crate::outbox::Class;
use crate::record::{Level, Record};
use crate::refusal::Refusal;
use crate::room::Room;
use crate::store::{Change, MemberRow, RoomRecord, RoomRow, Row, StoreReply, StoreRequest, Visibility};
use crate::tickets::Pending;
use serde::Serialize;
use serde_json::json;

/// The roles of a project's members; whoever made it has the first.
pub const ROLES: [&str; 2] = ["facilitator", "storyteller"];
/// How often a write of unknown outcome is looked after.
const WRITE_TRIES_MAX: u32 = 8;

/// `joined_project`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Joined<'a> {
    project_id: &'a str,
    last_seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reset: Option<bool>,
}

/// Whether members of a project may have this role.
fn is_role(role: &str) -> bool {
    ROLES.contains(&role)
}

/// Lets a member in.
pub(super) fn join(
    id: &RoomId,
    since: Option<Seq>,
    caller: &Caller,
    ctx: &mut Context<'_>,
) -> Result<(), Refusal> {
    if !ctx.rooms.knows(caller.connection) {
        return Ok(());
    }
    ctx.rooms.has_place_for(id, caller.connection)?;
    let room = ctx.rooms.find(id).filter(|room| is_open_to(room, &caller.user)).ok_or_else(access_denied)?;
    let is_back = room.is_present(caller.connection);
    let (from, reset) = beginning(room, since);
    let joined = Joined { project_id: &id.name, last_seq: room.head().0, reset };
    ctx.fx.reply(caller, &Event::new("joined_project", &joined));
    ctx.rooms.enter(id, Caller { reply_to: None, ..caller.clone() }, from, &mut ctx.fx);
    if !is_back {
        ctx.fx.log(room_record("room.join", id, caller));
    }
    Ok(())
}

pub(super) fn is_open_to(room: &Room, user: &User) -> bool {
    let is_of_firm = room.row.as_ref().is_some_and(|row| row.firm == user.firm);
    let is_member = room.members.get(&user.id).is_some_and(|member| is_role(&member.role));
    is_of_firm && is_member && !room.closing
}

impl Projects {
    /// Whether a project that does not exist is made, because who joined it first may make it.
    pub(super) fn creates(&self, id: &RoomId, ctx: &Context<'_>) -> bool {
        let settings = ctx.fx.settings;
        settings.create_on_open && id.kind == RoomKind::Project && maker(self.parked.waiting(id)).is_some()
    }

    /// The store said what came of a project that was to be made.
    pub(super) fn on_created(&mut self, id: RoomId, tries: u32, reply: &StoreReply, ctx: &mut Context<'_>) {
        match reply {
            StoreReply::Committed(_) => match made(self.parked.waiting(&id), &id) {
                Some((row, member)) => {
                    self.open(RoomRecord::begun(id, Some(row), vec![member]), ctx);
                }
                None => self.refuse_parked(&id, &access_denied(), ctx),
            },
            StoreReply::Unknown if tries < WRITE_TRIES_MAX => {
                create(self.parked.waiting(&id), id, tries + 1, ctx);
            }
            // By somebody else, or by the try before this one.
            StoreReply::Taken(_) => load(id, ctx),
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

    pub(super) fn leave(&mut self, id: &RoomId, caller: &Caller, ctx: &mut Context<'_>) {
        self.on_left(id, caller, ctx);
        ctx.fx.reply(caller, &left(id));
    }

    /// A connection is out of a room, because it left or because it ended.
    pub fn on_left(&mut self, id: &RoomId, caller: &Caller, ctx: &mut Context<'_>) {
        let was_in = ctx.rooms.leave(id, caller.connection, &mut ctx.fx).is_some();
        if was_in && id.kind == RoomKind::Project {
            ctx.fx.log(room_record("room.leave", id, caller));
        }
    }

    /// A member was taken out: its connections are told, and hear nothing more.
    pub fn on_member_removed(&mut self, id: &RoomId, user: &UserId, ctx: &mut Context<'_>) {
        let Some(room) = ctx.rooms.find(id) else { return };
        room.members.remove(user);
        let gone: Vec<_> = room.present().filter(|caller| caller.user.id == *user).cloned().collect();
        for caller in gone {
            ctx.fx.tell(caller.connection, caller.envelope, &left(id), Class::Kept);
            self.on_left(id, &caller, ctx);
        }
    }

    /// A project was deleted: told to all, who are then out of it.
    pub fn on_room_removed(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        let Some(room) = ctx.rooms.find(id) else { return };
        let closed = Event::new("room_closed", &json!({"projectId": &*id.name}));
        room.signal(&closed, Class::Kept, None, &mut ctx.fx);
        let gone: Vec<_> = room.present().cloned().collect();
        gone.iter().for_each(|caller| self.on_left(id, caller, ctx));
        ctx.rooms.remove(id, &mut ctx.fx);
    }
}

/// Makes a project for the first who joined it and may.
pub(super) fn create(parked: &[Parked], room: RoomId, tries: u32, ctx: &mut Context<'_>) {
    let Some((row, member)) = made(parked, &room) else { return };
    let rows = vec![Change::Insert(Row::Room(row)), Change::Put(Row::Member(member))];
    let waiting = Waiting::Create { room, tries };
    ctx.fx.store(StoreRequest::Commit { appends: vec![], rows }, Pending::Projects(waiting));
}

fn made(parked: &[Parked], room: &RoomId) -> Option<(RoomRow, MemberRow)> {
    let user = maker(parked)?;
    let (id, name, firm) = (room.clone(), room.name.to_string(), user.firm.clone());
    let member = MemberRow {
        room: room.clone(),
        user: user.id.clone(),
        role: ROLES[0].to_string(),
        name: user.name.clone(),
        user_type: user.user_type,
    };
    Some((RoomRow { id, name, firm, visibility: Visibility::Private }, member))
}

fn maker(parked: &[Parked]) -> Option<&User> {
    parked.iter().find_map(|parked| match parked {
        Parked::Command(caller, Command::Join { .. }) => {
            let user = &*caller.user;
            let may = user.user_type != UserType::Guest && user.permissions.allow(Permission::RoomCreate);
            may.then_some(user)
        }
        Parked::Command(_, Command::Leave { .. } | Command::Feed { .. }) | Parked::Posting(..) => None,
    })
}

fn left(id: &RoomId) -> Event {
    Event::new("left_project", &json!({"projectId": &*id.name}))
}

fn room_record(action: &str, room: &RoomId, caller: &Caller) -> Record {
    Record::new(Level::Info, action)
        .with("userId", caller.user.id.as_str())
        .with("projectId", &*room.name)
        .with("connectionId", crate::connection::name(caller.connection))
}
