//! Projects and feeds (WIRE §5): backends speak, and who may hear it does. What is told to one user or to everyone
//! stands in rooms of its own, like a project's.

mod answers;
mod command;
mod feeds;
mod joining;
mod log;
mod posting;
mod remembered;
mod speaking;

pub use command::Command;
pub use joining::ROLES;
pub use log::{answer, audience, is_repeat, told};
pub use posting::Posting;

use crate::auth::User;
use crate::context::{Caller, Context};
use crate::envelope::Event;
use crate::ids::{RoomId, RoomKind};
use crate::refusal::{Code, Refusal};
use crate::room::{Parking, PostId, Room};
use crate::store::{RoomRecord, StoreReply, StoreRequest};
use crate::tickets::Pending;
use answers::Answers;
use feeds::Listeners;
use remembered::Remembered;

/// What the projects wait for.
#[derive(Debug)]
pub enum Waiting {
    /// A room that something is parked for.
    Load(RoomId),
    /// A project that is being made because it was joined.
    Create {
        /// Which.
        room: RoomId,
        /// How often it was sent.
        tries: u32,
    },
}

/// The projects app.
#[derive(Debug, Default)]
pub struct Projects {
    /// What waits for its room to be loaded.
    parked: Parking<Parked>,
    /// The connections that feeds are told to.
    listeners: Listeners,
    /// The requests of backends that are not answered yet.
    answers: Answers,
    /// The signals whose keys are remembered.
    remembered: Remembered,
}

/// What waits for a room.
#[derive(Debug)]
enum Parked {
    /// A client's command.
    Command(Caller, Command),
    /// A backend's event.
    Posting(PostId, Box<Posting>),
}

/// Why not, in the words of projects: too many calls have a name of their own there, and so have rooms.
pub fn refused(refusal: &Refusal) -> Event {
    let mut refusal = refusal.clone();
    if refusal.code == Code::RateLimited {
        refusal.code = Code::RateLimitExceeded;
    } else if refusal.code == Code::RoomAccessDenied {
        refusal = access_denied();
    }
    Event::refusal("error", &refusal, &refusal)
}

/// The project is closed to the caller, or absent: the same either way.
fn access_denied() -> Refusal {
    Refusal::new(Code::ProjectAccessDenied, "no access to this project")
}

/// Whether this user may hear a project that it was in.
pub fn may_hear(room: &Room, user: &User) -> bool {
    joining::is_open_to(room, user)
}

impl Projects {
    /// Carries out a command, or parks it until its room is loaded.
    pub fn apply(
        &mut self,
        command: Command,
        caller: Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), (Caller, Refusal)> {
        let closed = match &command {
            // Nobody is in a room that is not open.
            Command::Leave { room } => self.parked.holds(room).then(|| room.clone()),
            Command::Join { room, .. } => self.is_closed(room, ctx).then(|| room.clone()),
            Command::Feed { .. } => self.closed_feed(&caller.user.id, ctx),
        };
        match closed {
            Some(_) if self.has_no_place(ctx) => Err((caller, Refusal::busy())),
            Some(room) => {
                self.park(room, Parked::Command(caller, command), ctx);
                Ok(())
            }
            None => self.apply_open(command, caller, ctx),
        }
    }

    fn apply_open(
        &mut self,
        command: Command,
        caller: Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), (Caller, Refusal)> {
        match command {
            Command::Join { room, since } => {
                joining::join(&room, since, &caller, ctx).map_err(|refusal| (caller, refusal))
            }
            Command::Leave { room } => {
                self.leave(&room, &caller, ctx);
                Ok(())
            }
            Command::Feed { since, all } => self.join_feeds(caller, [since, all], ctx),
        }
    }

    /// Whether a room has to be loaded first, or something waits for it that came before.
    fn is_closed(&self, room: &RoomId, ctx: &mut Context<'_>) -> bool {
        self.parked.holds(room) || ctx.rooms.touch(room, ctx.fx.now).is_none()
    }

    fn has_no_place(&self, ctx: &Context<'_>) -> bool {
        self.parked.is_full() || ctx.fx.is_busy() || ctx.rooms.is_full()
    }

    fn park(&mut self, room: RoomId, parked: Parked, ctx: &mut Context<'_>) {
        if self.parked.park(room.clone(), parked) {
            load(room, ctx);
        }
    }

    /// How much waits for rooms, how many connections feeds are told to, and how many requests wait for their answer.
    pub fn held_len(&self) -> usize {
        self.parked.len() + self.listeners.len() + self.answers.len()
    }

    /// A room was made, changed or deleted, or its members were.
    pub fn on_room_changed(&mut self, id: &RoomId) {
        self.parked.room_changed(id);
    }

    /// The store has not answered in time, and may yet: what writes is not sent again.
    pub fn on_late(&mut self, waiting: Waiting, ctx: &mut Context<'_>) {
        match waiting {
            Waiting::Load(room) | Waiting::Create { room, .. } => {
                self.refuse_parked(&room, &Refusal::store_unavailable(), ctx);
            }
        }
    }

    /// The store answered something that the projects wait for.
    pub fn on_stored(&mut self, waiting: Waiting, reply: StoreReply, ctx: &mut Context<'_>) {
        match waiting {
            Waiting::Load(room) => self.on_loaded(room, reply, ctx),
            Waiting::Create { room, tries } => self.on_created(room, tries, &reply, ctx),
        }
    }

    fn on_loaded(&mut self, id: RoomId, reply: StoreReply, ctx: &mut Context<'_>) {
        if self.parked.is_outdated(&id) {
            return load(id, ctx);
        }
        let StoreReply::Loaded(record) = reply else {
            return self.refuse_parked(&id, &Refusal::store_unavailable(), ctx);
        };
        match record {
            Some(record) if is_feed(&id) || record.room.is_some() => self.open(*record, ctx),
            None if is_feed(&id) => self.open(RoomRecord::begun(id, None, vec![]), ctx),
            Some(_) | None if self.creates(&id, ctx) => joining::create(self.parked.waiting(&id), id, 1, ctx),
            Some(_) | None => self.refuse_parked(&id, &access_denied(), ctx),
        }
    }

    /// A room is there: what waited for it goes on.
    fn open(&mut self, record: RoomRecord, ctx: &mut Context<'_>) {
        let id = record.id.clone();
        let was_closed = ctx.rooms.find(&id).is_none();
        ctx.rooms.open(record, ctx.fx.now);
        if was_closed {
            self.on_feed_opened(&id, ctx);
        }
        for parked in self.parked.take(&id) {
            match parked {
                Parked::Command(caller, command) => {
                    if let Err((caller, refusal)) = self.apply(command, caller, ctx) {
                        ctx.fx.reply(&caller, &refused(&refusal));
                    }
                }
                Parked::Posting(post, posting) => self.speak(post, *posting, ctx),
            }
        }
    }

    /// A room is not to be had: whoever waited for it hears why.
    fn refuse_parked(&mut self, id: &RoomId, refusal: &Refusal, ctx: &mut Context<'_>) {
        for parked in self.parked.take(id) {
            match parked {
                Parked::Command(caller, Command::Leave { room }) => self.leave(&room, &caller, ctx),
                Parked::Command(caller, _) => ctx.fx.reply(&caller, &refused(refusal)),
                Parked::Posting(post, _) => ctx.fx.posted.push((post, Err(refusal.clone()))),
            }
        }
    }
}

fn load(room: RoomId, ctx: &mut Context<'_>) {
    ctx.fx.store(StoreRequest::Load { room: room.clone() }, Pending::Projects(Waiting::Load(room)));
}

fn is_feed(id: &RoomId) -> bool {
    matches!(id.kind, RoomKind::User | RoomKind::Everyone)
}
