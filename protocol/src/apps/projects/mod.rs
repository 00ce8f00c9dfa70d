//! Projects and feeds (WIRE §5): backends speak, and who may hear it does. What is told to one user or to everyone
//! stands in rooms of its own, like a project's.

mod command;
mod log;

pub use command::Command;
pub use log::{answer, is_repeat, told};

use crate::auth::User;
use crate::context::{Caller, Context};
use crate::envelope::Event;
use crate::ids::RoomId;
use crate::refusal::{Code, Refusal};
use crate::room::Room;
use crate::store::StoreReply;

/// What the projects wait for.
#[derive(Debug)]
pub enum Waiting {
    /// A room that is being loaded.
    Load(RoomId),
}

/// The projects app.
#[derive(Debug, Default)]
pub struct Projects {}

/// Why not, in the words of projects: too many calls have a name of their own there.
pub fn refused(refusal: &Refusal) -> Event {
    let mut refusal = refusal.clone();
    if refusal.code == Code::RateLimited {
        refusal.code = Code::RateLimitExceeded;
    }
    Event::refusal("error", &refusal, &refusal)
}

/// Whether this user may hear a project that it was in.
pub fn may_hear(room: &Room, user: &User) -> bool {
    let row = room.row.as_ref().filter(|row| row.firm == user.firm && !room.closing);
    row.is_some() && room.members.contains_key(&user.id)
}

impl Projects {
    /// Carries out a command.
    pub fn apply(
        &mut self,
        command: Command,
        caller: Caller,
        _ctx: &mut Context<'_>,
    ) -> Result<(), (Caller, Refusal)> {
        match command {
            Command::Join { .. } | Command::Leave { .. } | Command::Feed { .. } => {
                Err((caller, Refusal::room_access_denied()))
            }
        }
    }

    /// A connection is a user's from now on.
    pub fn on_user_came(&mut self, _caller: &Caller, _ctx: &mut Context<'_>) {}

    /// The store answered something that the projects wait for.
    pub fn on_stored(&mut self, waiting: Waiting, _reply: StoreReply, _ctx: &mut Context<'_>) {
        match waiting {
            Waiting::Load(_) => {}
        }
    }

    /// A connection is out of a room, because it left or because it ended.
    pub fn on_left(&mut self, id: &RoomId, caller: &Caller, ctx: &mut Context<'_>) {
        ctx.rooms.leave(id, caller.connection, &mut ctx.fx);
    }
}
