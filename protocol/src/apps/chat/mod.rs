//! Chat rooms (WIRE §2): people talk, everyone hears the same in the same order, whoever was away catches up.

mod behind;
mod command;
mod creating;
mod cursors;
mod escalations;
mod files;
mod history;
mod joining;
mod message;
mod presence;
mod robot;
mod supervisors;
mod typing;
mod waiting;

pub use command::Command;
pub use files::{Offer, Upload, Wanted, no_file};
pub use message::{answer, event_body, file_of, is_repeat, told};
pub use supervisors::told_to_supervisors;
pub use waiting::Waiting;

use crate::auth::{Permission, User, UserType};
use crate::context::{Caller, Context, Effects};
use crate::envelope::Event;
use crate::ids::{ConnectionId, EntryId, RoomId, RoomKind};
use crate::record::{Level, Record};
use crate::refusal::{Code, Refusal};
use crate::room::{Origin, Parking, Room, Rooms, Submission, Told};
use crate::store::{Entry, MemberRow, NewEntry, RoomRow, StoreReply, StoreRequest, Visibility};
use crate::tickets::Pending;
use behind::Behind;
use command::Message;
use creating::store_room;
use cursors::Reads;
use files::{Errand, Files};
use joining::Join;
use robot::Robot;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use supervisors::{Aside, Coming, Desk};
use typing::Typing;

/// How often what only reads is asked for before it is refused.
const READ_TRIES_MAX: u32 = 3;
/// How often a write of unknown outcome is asked for.
const WRITE_TRIES_MAX: u32 = 8;
/// The role of everyone who is in a chat room.
pub const MEMBER: &str = "member";

/// The chat app.
#[derive(Debug, Default)]
pub struct Chat {
    /// Commands that wait for their room to be loaded.
    parked: Parking<Parked>,
    files: Files,
    /// The joins under way; one that stands here no more was overtaken by a leave.
    joining: BTreeSet<(ConnectionId, RoomId, u64)>,
    joins: u64,
    /// Joins that wait until their connection has read what it was sent before.
    in_line: BTreeMap<(ConnectionId, RoomId, u64), Join>,
    /// Commands that wait for joins.
    behind: Behind,
    typing: Typing,
    reads: BTreeMap<RoomId, Reads>,
    robot: Robot,
    /// The supervisors' rooms in which something is under way.
    desks: BTreeMap<RoomId, Desk>,
    /// Supervisors who wait for their turn to be told what is open.
    coming: BTreeMap<(ConnectionId, u64), Coming>,
    /// What supervisors on the way in have heard otherwise.
    asides: BTreeMap<(ConnectionId, u64), Aside>,
}

/// What waits for its room to be loaded.
#[derive(Debug)]
enum Parked {
    Command(Caller, Command),
    Errand(Errand),
}

/// What a user may do in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Everything: a member, or a supervisor of the firm.
    Inside,
    /// Join, and thereby become a member.
    MayJoin,
    /// Nothing, as if the room were not there.
    Denied,
}

/// Why not, in the chat's words.
pub fn refused(refusal: &Refusal) -> Event {
    Event::refusal("chat:error", refusal, refusal)
}

impl Chat {
    /// Carries out a command, or parks it until its room is loaded.
    pub fn apply(
        &mut self,
        command: Command,
        caller: Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), (Caller, Refusal)> {
        let command = match self.keep_behind(command, &caller, ctx) {
            Ok(Some(command)) => command,
            Ok(None) => return Ok(()),
            Err(refusal) => return Err((caller, refusal)),
        };
        match command.room() {
            // What came before it for the same room goes first.
            Some(room) if self.parked.holds(room) || ctx.rooms.touch(room, ctx.fx.now).is_none() => {
                self.park(room.clone(), caller, command, ctx)
            }
            Some(_) | None => self.apply_open(command, &caller, ctx).map_err(|refusal| (caller, refusal)),
        }
    }

    fn apply_open(
        &mut self,
        command: Command,
        caller: &Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        match command {
            Command::Create { room, name, visibility, members } => {
                let id = room.unwrap_or_else(|| RoomId::chat(&ctx.fx.rng.id("room")));
                let row = RoomRow { id, name, firm: caller.user.firm.clone(), visibility };
                self.create(row, members, caller, ctx)
            }
            Command::Join { room, since } => self.join(room, since, caller.clone(), ctx),
            Command::Leave { room } => {
                self.leave(&room, caller, ctx);
                Ok(())
            }
            Command::Send { room, id, message } => self.send(&room, id, message, caller, ctx),
            Command::History { room, span, limit } => history::look(room, span, limit, caller, ctx),
            Command::Read { room, seq } => self.read(&room, seq, caller, ctx),
            Command::Type { room, begins } => self.types(&room, begins, caller, ctx),
            Command::Prompt { room, prompt } => self.prompt(&room, &prompt, caller, ctx),
            Command::Escalate { room, reason } => self.escalate(&room, reason, caller, ctx),
            Command::Resolve { escalation } => self.resolve(escalation, caller, ctx),
            Command::Settle { escalation } => self.settle(*escalation, caller, ctx),
            Command::Upload(sent) => self.upload(sent, caller, ctx),
        }
    }

    fn park(
        &mut self,
        room: RoomId,
        caller: Caller,
        command: Command,
        ctx: &mut Context<'_>,
    ) -> Result<(), (Caller, Refusal)> {
        if self.parked.is_full() || ctx.fx.is_busy() || ctx.rooms.is_full() {
            return Err((caller, Refusal::busy()));
        }
        self.park_for(room, Parked::Command(caller, command), ctx);
        Ok(())
    }

    /// The same with an errand; it comes back when there is no room for it.
    fn park_errand(&mut self, room: RoomId, errand: Errand, ctx: &mut Context<'_>) -> Result<(), Errand> {
        if self.parked.is_full() || ctx.fx.is_busy() || ctx.rooms.is_full() {
            return Err(errand);
        }
        self.park_for(room, Parked::Errand(errand), ctx);
        Ok(())
    }

    /// Lets something wait for its room, which is loaded for the first.
    fn park_for(&mut self, room: RoomId, parked: Parked, ctx: &mut Context<'_>) {
        if self.parked.park(room.clone(), parked) {
            ctx.fx.store(StoreRequest::Load { room: room.clone() }, Pending::Chat(Waiting::Load(room)));
        }
    }

    /// How many commands wait for their room, how many joins are under way, and how many of these are in line; and
    /// what else is under way.
    pub fn parked_len(&self) -> usize {
        let reads: usize = self.reads.values().map(Reads::len).sum();
        let desks: usize = self.desks.values().map(Desk::len).sum();
        let joins = self.joining.len() + self.in_line.len() + self.behind.len() + self.files.len();
        let supervisors = desks + self.coming.len() + self.asides.len();
        self.parked.len() + joins + self.typing.len() + reads + self.robot.len() + supervisors
    }

    /// Takes in entries that the chat stored or read by itself, and goes on with what they tell.
    fn bring(
        &mut self,
        id: &RoomId,
        origin: Option<ConnectionId>,
        entries: Vec<Entry>,
        ctx: &mut Context<'_>,
    ) {
        match ctx.rooms.find(id).map(|room| room.arrive(origin, entries, &mut ctx.fx)) {
            Some(told) => told.iter().for_each(|told| self.on_told(told, ctx)),
            // Whoever is loading it may have read its log as it was before.
            None => self.on_room_changed(id),
        }
    }

    /// Something was told in a room.
    pub fn on_told(&mut self, told: &Told, ctx: &mut Context<'_>) {
        match told.entry.room.kind {
            RoomKind::Supervisors => self.tell_supervisors(told, ctx),
            RoomKind::Chat => self.on_prompt_told(told, ctx),
            RoomKind::Document
            | RoomKind::Project
            | RoomKind::User
            | RoomKind::Everyone
            | RoomKind::Dashboard
            | RoomKind::Draft => {}
        }
    }

    /// A room was made, changed or deleted, or its members were.
    pub fn on_room_changed(&mut self, id: &RoomId) {
        self.parked.room_changed(id);
    }

    fn on_loaded(&mut self, id: RoomId, reply: StoreReply, ctx: &mut Context<'_>) {
        if self.parked.is_outdated(&id) {
            return ctx.fx.store(StoreRequest::Load { room: id.clone() }, Pending::Chat(Waiting::Load(id)));
        }
        let parked = self.parked.take(&id);
        let exists = if let StoreReply::Loaded(record) = reply {
            let record = record.filter(|record| record.room.is_some());
            Ok(record.map(|record| ctx.rooms.open(*record, ctx.fx.now)).is_some())
        } else {
            Err(Refusal::store_unavailable())
        };
        for parked in parked {
            let (caller, command) = match (parked, &exists) {
                (Parked::Command(caller, command), _) => (caller, command),
                (Parked::Errand(errand), Ok(_)) => {
                    self.run(errand, ctx);
                    continue;
                }
                (Parked::Errand(errand), Err(refusal)) => {
                    self.give_up(errand, refusal.clone(), ctx);
                    continue;
                }
            };
            let applied = match (self.keep_behind(command, &caller, ctx), &exists) {
                (Ok(Some(command)), Ok(true)) => self.apply_open(command, &caller, ctx),
                (Ok(Some(command)), Ok(false)) => self.apply_absent(command, &caller, ctx),
                (Ok(None), _) => Ok(()),
                (Ok(Some(_)), Err(refusal)) => Err(refusal.clone()),
                (Err(refusal), _) => Err(refusal),
            };
            if let Err(refusal) = applied {
                ctx.fx.refuse(&caller, &refused(&refusal));
            }
        }
    }

    /// A command about a room that does not exist.
    fn apply_absent(
        &mut self,
        command: Command,
        caller: &Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        match command {
            Command::Join { room, since }
                if ctx.fx.settings.create_on_open
                    && !ctx.rooms.is_being_removed(&room)
                    && caller.user.user_type != UserType::Guest
                    && caller.user.permissions.allow(Permission::RoomCreate) =>
            {
                let (name, firm) = (room.name.to_string(), caller.user.firm.clone());
                let row = RoomRow { id: room.clone(), name, firm, visibility: Visibility::Public };
                let join = self.begin_join(room, since, caller.clone());
                store_room(row, vec![], Some(join), caller, ctx);
                Ok(())
            }
            Command::Leave { room } => {
                self.leave(&room, caller, ctx);
                Ok(())
            }
            Command::Settle { .. } => Err(escalations::no_escalation()),
            Command::Create { .. }
            | Command::Join { .. }
            | Command::Send { .. }
            | Command::History { .. }
            | Command::Read { .. }
            | Command::Type { .. }
            | Command::Prompt { .. }
            | Command::Escalate { .. }
            | Command::Resolve { .. }
            | Command::Upload(_) => Err(Refusal::room_access_denied()),
        }
    }

    fn send(
        &mut self,
        id: &RoomId,
        entry: Option<EntryId>,
        message: Message,
        caller: &Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        let room = inside(id, caller, ctx.rooms)?;
        permitted(&caller.user, Permission::ChatSend)?;
        let body = message::body(message, caller.user.name.clone());
        let entry_id = entry.unwrap_or_else(|| ctx.fx.rng.id("msg").into());
        let entry = NewEntry { id: entry_id, author: caller.user.id.clone(), body };
        let origin = Origin::Caller(caller.clone());
        room.submit(Submission { origin, entry, rows: vec![] }, &mut ctx.fx)?;
        self.stops_typing(id, &caller.user.id, ctx);
        Ok(())
    }
}

fn member(room: &RoomId, user: &User) -> MemberRow {
    MemberRow {
        room: room.clone(),
        user: user.id.clone(),
        role: MEMBER.to_string(),
        name: user.name.clone(),
        user_type: user.user_type,
    }
}

fn permitted(user: &User, permission: Permission) -> Result<(), Refusal> {
    match user.permissions.allow(permission) {
        true => Ok(()),
        false => Err(Refusal::new(
            Code::PermissionDenied,
            format!("the token does not allow {}", permission.as_str()),
        )),
    }
}

/// Whether this user may hear a room that it was in.
pub fn may_hear(room: &Room, user: &User) -> bool {
    access(room, user) == Access::Inside
}

/// A connection that was cut off is in a room again.
pub fn comes_back(id: &RoomId, caller: &Caller, ctx: &mut Context<'_>) {
    if let Some(room) = ctx.rooms.find(id) {
        room.came(caller, &mut ctx.fx);
        ctx.fx.log(room_record("room.join", id, caller));
    }
}

fn access(room: &Room, user: &User) -> Access {
    let Some(row) = room.row.as_ref().filter(|row| row.firm == user.firm && !room.closing) else {
        return Access::Denied;
    };
    match (room.members.contains_key(&user.id), user.user_type) {
        (true, _) | (false, UserType::Supervisor) => Access::Inside,
        (false, UserType::Employee) if row.visibility == Visibility::Public => Access::MayJoin,
        (false, UserType::Employee | UserType::Guest) => Access::Denied,
    }
}

/// The room, for who is inside.
fn inside<'a>(id: &RoomId, caller: &Caller, rooms: &'a mut Rooms) -> Result<&'a mut Room, Refusal> {
    room_for(id, &caller.user, rooms)
}

fn room_for<'a>(id: &RoomId, user: &User, rooms: &'a mut Rooms) -> Result<&'a mut Room, Refusal> {
    let room = rooms.find(id).filter(|room| access(room, user) == Access::Inside);
    room.ok_or_else(Refusal::room_access_denied)
}

/// Answers a call that is done and has no more to say, under its id if it has one.
fn done(caller: &Caller, name: &'static str, fx: &mut Effects<'_>) {
    if caller.reply_to.is_some() {
        fx.reply(caller, &Event::new(name, &json!({})));
    }
}

fn left(room: &RoomId) -> Event {
    Event::new("chat:room:left", &json!({"roomId": &*room.name}))
}

fn room_record(action: &str, room: &RoomId, caller: &Caller) -> Record {
    Record::new(Level::Info, action)
        .with("userId", caller.user.id.as_str())
        .with("room", &*room.name)
        .with("connectionId", crate::connection::name(caller.connection))
}
