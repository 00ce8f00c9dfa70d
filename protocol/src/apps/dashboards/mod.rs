//! Dashboards (WIRE §3): widgets and a layout that several people change at once. The log is the truth; the board is
//! what it is folded to. What is asked is judged against the board, looked up by its id before that, and answered when
//! everything that the answer depends on is stored.

mod access;
mod board;
mod changes;
mod command;
mod conflicts;
mod desk;
mod due;
mod joining;
mod judging;
mod kept;
mod lookups;
mod opening;
mod parsing;
mod rounds;
mod snapshot;
mod spelling;
mod step;
#[cfg(test)]
mod tests;
mod visits;

pub use access::ROLES;
pub use board::Board;
pub use changes::Raw;
pub use command::{Command, board_id};
pub use opening::{Base, fold};
pub use spelling::{answer, refused, signalled, told};
pub use visits::{Visit, Visited, What};

use crate::apps::projects::Posting;
use crate::auth::User;
use crate::context::{Caller, Context};
use crate::ids::{ConnectionId, RoomId};
use crate::job::Outcome;
use crate::refusal::Refusal;
use crate::room::{Parking, PostId, Room};
use crate::store::StoreReply;
use access::access;
use conflicts::Conflicts;
use desk::Desk;
use due::Due;
use opening::Building;
use std::collections::BTreeMap;
use visits::Requests;

/// How many bytes of boards are open before another one is refused as busy.
const BOARDS_BYTES_MAX: usize = 512 << 20;

/// What dashboards wait for.
#[derive(Debug)]
pub enum Waiting {
    /// A room that something is parked for.
    Load(RoomId),
    /// A dashboard that is being made because it was opened.
    Create {
        /// Which.
        room: RoomId,
        /// How often it was sent.
        tries: u32,
    },
    /// A board that is folded, and which of all that were.
    Folded(RoomId, u64),
    /// A board that is written as a snapshot.
    Written(RoomId),
    /// Whether a case was stored before.
    Standing {
        /// Of which room.
        room: RoomId,
        /// Which case.
        case: u64,
        /// How often it was asked.
        tries: u32,
    },
    /// The layout that a case brings back.
    Layout {
        /// Of which room.
        room: RoomId,
        /// Which case.
        case: u64,
        /// How often it was asked for.
        tries: u32,
    },
}

impl Waiting {
    /// Whether a job is waited for.
    pub fn is_job(&self) -> bool {
        match self {
            Self::Folded(..) | Self::Written(_) => true,
            Self::Load(_) | Self::Create { .. } | Self::Standing { .. } | Self::Layout { .. } => false,
        }
    }
}

/// The dashboards app.
#[derive(Debug, Default)]
pub struct Dashboards {
    /// What waits for its dashboard to be open.
    parked: Parking<Parked>,
    /// The open ones.
    desks: BTreeMap<RoomId, Box<Desk>>,
    /// Those that are being folded.
    building: BTreeMap<RoomId, Building>,
    conflicts: Conflicts,
    /// The dashboard of each connection that is for one.
    windows: BTreeMap<ConnectionId, RoomId>,
    /// Requests over REST that are not answered yet.
    requests: Requests,
    /// Where something may be judged.
    due: Due,
    /// What the boards count together.
    bytes: usize,
    /// How many cases, and boards, there were.
    numbers: u64,
}

/// What waits for a dashboard.
#[derive(Debug)]
enum Parked {
    /// A client's command.
    Command(Caller, Command),
    /// Somebody at the door.
    Visit(Box<Visit>),
    /// A backend's event.
    Posting(PostId, Box<Posting>),
}

/// Whether a user who was at a dashboard may hear it again.
pub fn may_hear(room: &Room, user: &User) -> bool {
    access(room, user).hears().is_ok()
}

/// Whether two bodies say the same: dashboards look that up before they store.
pub fn is_repeat(came: &[u8], stored: &[u8]) -> bool {
    came == stored
}

impl Dashboards {
    /// The store answered something that dashboards wait for.
    pub fn on_stored(&mut self, waiting: Waiting, reply: StoreReply, ctx: &mut Context<'_>) {
        match waiting {
            Waiting::Load(room) => self.on_loaded(room, reply, ctx),
            Waiting::Create { room, tries } => self.on_created(room, tries, &reply, ctx),
            Waiting::Standing { room, case, tries } => self.on_standing((room, case, tries), reply, ctx),
            Waiting::Layout { room, case, tries } => self.on_layout((room, case, tries), reply, ctx),
            Waiting::Folded(..) | Waiting::Written(_) => {}
        }
    }

    /// A job is done.
    pub fn on_worked(&mut self, waiting: Waiting, outcome: Outcome, ctx: &mut Context<'_>) {
        match (waiting, outcome) {
            (Waiting::Folded(room, number), Outcome::Board(board)) => {
                self.on_folded(room, number, board.map(|board| *board), ctx);
            }
            (Waiting::Folded(room, number), _) => self.on_folded(room, number, None, ctx),
            (Waiting::Written(room), outcome) => self.on_written(&room, outcome, ctx),
            (
                Waiting::Load(_) | Waiting::Create { .. } | Waiting::Standing { .. } | Waiting::Layout { .. },
                _,
            ) => {}
        }
    }

    /// The store or a job has not answered in time, and may yet: what writes is not sent again.
    pub fn on_late(&mut self, waiting: Waiting, ctx: &mut Context<'_>) {
        match waiting {
            Waiting::Load(room) | Waiting::Create { room, .. } => {
                self.refuse_parked(&room, &Refusal::store_unavailable(), ctx);
            }
            Waiting::Folded(room, _) => self.stop_building(&room, &Refusal::busy(), ctx),
            Waiting::Written(room) => {
                if let Some(room) = ctx.rooms.find(&room) {
                    room.drop_snapshot();
                }
            }
            waiting @ (Waiting::Standing { .. } | Waiting::Layout { .. }) => {
                self.on_stored(waiting, StoreReply::Unknown, ctx);
            }
        }
    }

    /// How much waits, and how many boards are open or being opened, connections have one, and requests wait.
    pub fn held_len(&self) -> usize {
        self.parked.len() + self.desks.len() + self.building.len() + self.windows.len() + self.requests.len()
    }

    /// Whether something is asked of a dashboard, or waits for it, and is not answered yet.
    pub fn needs(&self, room: &RoomId) -> bool {
        let is_asked = self.desks.get(room).is_some_and(|desk| !desk.is_idle());
        is_asked || self.building.contains_key(room) || self.parked.holds(room)
    }

    /// Forgets what is old.
    pub fn tidy(&mut self, now: crate::time::Timestamp) {
        self.conflicts.tidy(now);
    }

    fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}
