//! Coming to a dashboard, asking something of it, and going, or being sent away.

use super::access::{absent, access, denied, own, owner};
use super::command::{Ask, Command};
use super::desk::{Origin, Task};
use super::{Dashboards, Parked, spelling};
use crate::action::CloseCause;
use crate::context::{Caller, Context};
use crate::envelope::Event;
use crate::ids::{ConnectionId, RoomId, Seq, UserId};
use crate::json::Json;
use crate::outbox::Class;
use crate::record::{Level, Record};
use crate::refusal::{Code, Refusal};
use serde_json::json;

impl Command {
    /// Whether it opens a dashboard that may not be there yet.
    pub(super) fn opens(&self) -> bool {
        matches!(self.ask, Ask::Open(_))
    }

    /// Whether it ends what may not have begun.
    pub(super) fn closes(&self) -> bool {
        matches!(self.ask, Ask::Close)
    }
}

impl Dashboards {
    /// Carries out a command, or parks it until its dashboard is open.
    pub fn apply(
        &mut self,
        command: Command,
        caller: Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), (Caller, Refusal)> {
        if let Some(id) = self.windows.get(&caller.connection) {
            let id = id.clone();
            if command.closes() {
                ctx.fx.close(caller.connection, CloseCause::Finished);
                return Ok(());
            }
            return self.apply_open(&id, command, caller, ctx);
        }
        let id = command.board.clone().unwrap_or_else(|| own(&caller.user.id));
        if owner(&id).is_some_and(|owner| owner != caller.user.id.as_str()) && !command.closes() {
            return Err((caller, denied()));
        }
        let is_closed = match command.closes() {
            // Nobody is at a dashboard that is not open.
            true => self.parked.holds(&id),
            false => self.is_closed(&id, ctx),
        };
        match is_closed {
            true if self.has_no_place(ctx) => Err((caller, Refusal::busy())),
            true => {
                self.park(id, Parked::Command(caller, command), ctx);
                Ok(())
            }
            false => self.apply_open(&id, command, caller, ctx),
        }
    }

    /// Carries out a command to an open dashboard.
    pub(super) fn apply_open(
        &mut self,
        id: &RoomId,
        command: Command,
        caller: Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), (Caller, Refusal)> {
        let (task, entry) = match command.ask {
            Ask::Open(since) => {
                if let Err(refusal) = self.enter(id, &caller, ctx) {
                    return Err((caller, refusal));
                }
                (Task::Sync(since), None)
            }
            Ask::Close => {
                self.close(id, &caller, ctx);
                return Ok(());
            }
            Ask::Sync(since) => (Task::Sync(since), None),
            Ask::Operate(entry, operation) => (Task::Operate(operation), entry),
        };
        let is_here = ctx.rooms.find(id).is_some_and(|room| room.is_present(caller.connection));
        if !is_here {
            let message = "this dashboard is not open here";
            return Err((caller, Refusal::new(Code::ClientError, message)));
        }
        let key = (caller.user.id.clone(), entry);
        let asked = self.ask(id, Origin::Caller(caller.clone()), key, task, ctx);
        asked.map_err(|refusal| (caller, refusal))
    }

    /// Lets a connection in. It hears what happens from now on.
    pub(super) fn enter(
        &mut self,
        id: &RoomId,
        caller: &Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        ctx.rooms.has_place_for(id, caller.connection)?;
        let room = ctx.rooms.find(id).ok_or_else(absent)?;
        access(room, &caller.user).hears()?;
        if !room.is_present(caller.connection) {
            let head = room.head();
            ctx.rooms.enter(id, Caller { reply_to: None, ..caller.clone() }, head, &mut ctx.fx);
            ctx.fx.log(record("room.join", id, caller));
        }
        Ok(())
    }

    /// A connection came that is for one dashboard, which is open and may be heard by it.
    pub fn come(&mut self, id: RoomId, caller: &Caller, ctx: &mut Context<'_>) {
        match self.enter(&id, caller, ctx) {
            Ok(()) => drop(self.windows.insert(caller.connection, id)),
            Err(_) => ctx.fx.close(caller.connection, CloseCause::AccessDenied),
        }
    }

    /// A connection leaves, and is told so.
    pub(super) fn close(&mut self, id: &RoomId, caller: &Caller, ctx: &mut Context<'_>) {
        self.on_left(id, caller, ctx);
        ctx.fx.reply(caller, &closed(id, CloseCause::Finished));
    }

    /// A connection is out of a dashboard, because it left or because it ended.
    pub fn on_left(&mut self, id: &RoomId, caller: &Caller, ctx: &mut Context<'_>) {
        if ctx.rooms.leave(id, caller.connection, &mut ctx.fx).is_some() {
            ctx.fx.log(record("room.leave", id, caller));
        }
    }

    /// A connection is gone.
    pub fn on_gone(&mut self, who: ConnectionId) {
        self.windows.remove(&who);
    }

    /// A member was taken out: where it may not hear the dashboard any more, its connections are sent away.
    pub fn on_member_removed(&mut self, id: &RoomId, user: &UserId, ctx: &mut Context<'_>) {
        if let Some(room) = ctx.rooms.find(id) {
            room.members.remove(user);
        }
        self.send_away(id, ctx);
    }

    /// Who may not hear a dashboard any more, because it or its members changed, is sent away.
    pub fn send_away(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        let Some(room) = ctx.rooms.find(id) else { return };
        let may_not = |caller: &&Caller| access(room, &caller.user).hears().is_err();
        let gone: Vec<_> = room.present().filter(may_not).cloned().collect();
        gone.iter().for_each(|caller| self.dismiss(id, caller, CloseCause::AccessDenied, ctx));
    }

    /// A dashboard was deleted: told to all, who are then out of it.
    pub fn on_room_removed(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        self.refuse_cases(id, &absent(), ctx);
        self.stop_building(id, &absent(), ctx);
        self.conflicts.forget(id);
        if let Some(room) = ctx.rooms.find(id) {
            let told = json!({"dashboardId": &*id.name});
            let told = Event::named("room_closed".into(), Json::of(&told)).of("dashboard");
            room.signal(&told, Class::Kept, None, &mut ctx.fx);
            let gone: Vec<_> = room.present().cloned().collect();
            gone.iter().for_each(|caller| self.dismiss(id, caller, CloseCause::ResourceUnknown, ctx));
        }
        ctx.rooms.remove(id, &mut ctx.fx);
        self.on_forgotten(id, ctx);
    }

    /// A connection that is for this dashboard alone ends with it; another one is told that it is out of it.
    fn dismiss(&mut self, id: &RoomId, caller: &Caller, cause: CloseCause, ctx: &mut Context<'_>) {
        match self.windows.contains_key(&caller.connection) {
            true => ctx.fx.close(caller.connection, cause),
            false => {
                let told = closed(id, cause);
                ctx.fx.tell(caller.connection, caller.envelope, &told, Class::Kept);
                self.on_left(id, caller, ctx);
            }
        }
    }

    /// A connection that was cut off is at a dashboard again.
    pub fn comes_back(id: &RoomId, caller: &Caller, ctx: &mut Context<'_>) {
        ctx.fx.log(record("room.join", id, caller));
    }

    /// Where the log of a user's default dashboard, or another one, ends.
    pub(super) fn seq(&self, id: &RoomId) -> Seq {
        self.desks.get(id).map_or(Seq::ZERO, |desk| desk.board.seq)
    }
}

fn closed(id: &RoomId, cause: CloseCause) -> Event {
    let data = json!({"code": cause.code(), "reason": cause.reason()});
    spelling::about(id, Event::named("closed".into(), Json::of(&data)))
}

fn record(action: &str, id: &RoomId, caller: &Caller) -> Record {
    Record::new(Level::Info, action)
        .with("userId", caller.user.id.as_str())
        .with("dashboardId", &*id.name)
        .with("connectionId", crate::connection::name(caller.connection))
}
