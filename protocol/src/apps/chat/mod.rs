//! Chat rooms (WIRE §2): people talk, everyone hears the same in the same order, whoever was away catches up.

mod command;
mod creating;
mod files;
mod history;
mod joining;
mod message;
mod presence;

pub use command::Command;
pub use files::{Offer, Upload, Wanted, no_file};
pub use message::{answer, is_repeat, told};

use crate::auth::{Permission, User, UserType};
use crate::context::{Caller, Context};
use crate::envelope::Event;
use crate::ids::{ConnectionId, EntryId, RoomId, Seq};
use crate::record::{Level, Record};
use crate::refusal::{Code, Refusal};
use crate::room::{Origin, Room, Rooms, Submission};
use crate::store::{MemberRow, NewEntry, RoomRow, StoreReply, StoreRequest, Visibility};
use crate::tickets::Pending;
use command::Message;
use creating::{Making, store_room};
use files::{Errand, Files};
use history::Looking;
use joining::Join;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// How many commands may wait for rooms that are being loaded.
const PARKED_MAX: usize = 10_000;
/// How often what only reads is asked for before it is refused.
const READ_TRIES_MAX: u32 = 3;
/// How often a write of unknown outcome is asked for.
const WRITE_TRIES_MAX: u32 = 8;
/// The role of everyone who is in a chat room.
const MEMBER: &str = "member";

/// What the chat waits for.
#[derive(Debug)]
pub enum Waiting {
    /// A room that commands are parked for.
    Load(RoomId),
    /// A room that is being made.
    Create(Box<Making>),
    /// A room that was perhaps made by what was sent before.
    Made(Box<Making>),
    /// A member that is being added by joining.
    Membership {
        /// The join.
        join: Join,
        /// Who is a member then.
        member: MemberRow,
    },
    /// The first page of who joins.
    FirstPage {
        /// The join.
        join: Join,
        /// What was heard before, unless it was out of reach.
        since: Option<Seq>,
        /// Whether it was out of reach.
        reset: bool,
    },
    /// A stretch of history.
    History(Looking),
    /// A file on its way.
    File(files::Waiting),
}

impl Waiting {
    /// Whether it is a job that is waited for.
    pub fn is_job(&self) -> bool {
        matches!(self, Self::File(files::Waiting::Inspection(_) | files::Waiting::Joined(_)))
    }

    /// Whether it is a call that is waited for.
    pub fn is_call(&self) -> bool {
        matches!(self, Self::File(files::Waiting::Verdict(_)))
    }
}

/// The chat app.
#[derive(Debug, Default)]
pub struct Chat {
    /// Commands that wait for their room to be loaded.
    parked: BTreeMap<RoomId, Parked>,
    parked_count: usize,
    /// The joins under way; one that stands here no more was overtaken by a leave.
    joining: BTreeSet<(ConnectionId, RoomId, u64)>,
    joins: u64,
    /// Joins that wait until their connection has read what it was sent before.
    in_line: BTreeMap<(ConnectionId, RoomId, u64), Join>,
    files: Files,
}

/// Commands that wait for one room.
#[derive(Debug, Default)]
struct Parked {
    commands: Vec<(Caller, Command)>,
    errands: Vec<Errand>,
    /// Whether the room was changed since it was asked for: what was read of it may be older.
    outdated: bool,
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
        match command.room() {
            // What came before it for the same room goes first.
            Some(room) if self.parked.contains_key(room) || ctx.rooms.touch(room, ctx.fx.now).is_none() => {
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
        if self.parked_count >= PARKED_MAX || ctx.fx.is_busy() || ctx.rooms.is_full() {
            return Err((caller, Refusal::busy()));
        }
        self.parked_for(room, ctx).commands.push((caller, command));
        Ok(())
    }

    /// The same with an errand; it comes back when there is no room for it.
    fn park_errand(&mut self, room: RoomId, errand: Errand, ctx: &mut Context<'_>) -> Result<(), Errand> {
        if self.parked_count >= PARKED_MAX || ctx.fx.is_busy() || ctx.rooms.is_full() {
            return Err(errand);
        }
        self.parked_for(room, ctx).errands.push(errand);
        Ok(())
    }

    /// Where the next waits for a room, which is loaded for the first.
    fn parked_for(&mut self, room: RoomId, ctx: &mut Context<'_>) -> &mut Parked {
        self.parked_count += 1;
        if !self.parked.contains_key(&room) {
            let load = StoreRequest::Load { room: room.clone() };
            ctx.fx.store(load, Pending::Chat(Waiting::Load(room.clone())));
        }
        self.parked.entry(room).or_default()
    }

    fn is_parked(&self, room: &RoomId) -> bool {
        self.parked.contains_key(room)
    }

    /// A connection is a user's from now on.
    pub fn on_user_came(&mut self, _caller: &Caller, _ctx: &mut Context<'_>) {}

    /// How many commands wait for their room, how many joins are under way, how many of these are in line, and how
    /// many files are on their way.
    pub fn parked_len(&self) -> usize {
        self.parked_count + self.joining.len() + self.in_line.len() + self.files.len()
    }

    /// The store has not answered in time, and may yet. What writes is not sent again: it would undo what was done
    /// in between.
    pub fn on_late(&mut self, mut waiting: Waiting, ctx: &mut Context<'_>) {
        match &mut waiting {
            Waiting::Create(making) => making.give_up(),
            Waiting::Membership { join, .. } => join.give_up(),
            Waiting::Load(_)
            | Waiting::Made(_)
            | Waiting::FirstPage { .. }
            | Waiting::History(_)
            | Waiting::File(_) => {}
        }
        if let Waiting::File(waiting) = waiting {
            return self.on_file_late(waiting, ctx);
        }
        self.on_stored(waiting, StoreReply::Unknown, ctx);
    }

    /// The store answered something that the chat waits for.
    pub fn on_stored(&mut self, waiting: Waiting, reply: StoreReply, ctx: &mut Context<'_>) {
        match waiting {
            Waiting::Load(room) => self.on_loaded(room, reply, ctx),
            Waiting::Create(making) => self.on_created(making, reply, ctx),
            Waiting::Made(making) => self.on_made(*making, reply, ctx),
            Waiting::Membership { join, member } => self.on_membership(join, member, reply, ctx),
            Waiting::FirstPage { join, since, reset } => self.on_first_page(join, since, reset, reply, ctx),
            Waiting::History(looking) => history::on_history(looking, reply, ctx),
            Waiting::File(waiting) => self.on_file_stored(waiting, reply, ctx),
        }
    }

    /// A room was made, changed or deleted, or its members were.
    pub fn on_room_changed(&mut self, id: &RoomId) {
        if let Some(parked) = self.parked.get_mut(id) {
            parked.outdated = true;
        }
    }

    fn on_loaded(&mut self, id: RoomId, reply: StoreReply, ctx: &mut Context<'_>) {
        if let Some(parked) = self.parked.get_mut(&id)
            && std::mem::take(&mut parked.outdated)
        {
            return ctx.fx.store(StoreRequest::Load { room: id.clone() }, Pending::Chat(Waiting::Load(id)));
        }
        let Parked { commands, errands, .. } = self.parked.remove(&id).unwrap_or_default();
        self.parked_count -= commands.len() + errands.len();
        let exists = if let StoreReply::Loaded(record) = reply {
            let record = record.filter(|record| record.room.is_some());
            Ok(record.map(|record| ctx.rooms.open(*record, ctx.fx.now)).is_some())
        } else {
            Err(Refusal::store_unavailable())
        };
        for (caller, command) in commands {
            let applied = match &exists {
                Ok(true) => self.apply_open(command, &caller, ctx),
                Ok(false) => self.apply_absent(command, &caller, ctx),
                Err(refusal) => Err(refusal.clone()),
            };
            if let Err(refusal) = applied {
                ctx.fx.reply(&caller, &refused(&refusal));
            }
        }
        for errand in errands {
            match &exists {
                Ok(_) => self.run(errand, ctx),
                Err(refusal) => self.give_up(errand, refusal.clone(), ctx),
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
            Command::Create { .. }
            | Command::Join { .. }
            | Command::Send { .. }
            | Command::History { .. }
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
        room.submit(Submission { origin, entry, rows: Vec::new() }, &mut ctx.fx)
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

fn left(room: &RoomId) -> Event {
    Event::new("chat:room:left", &json!({"roomId": &*room.name}))
}

fn room_record(action: &str, room: &RoomId, caller: &Caller) -> Record {
    Record::new(Level::Info, action)
        .with("userId", caller.user.id.as_str())
        .with("room", &*room.name)
        .with("connectionId", crate::connection::name(caller.connection))
}
