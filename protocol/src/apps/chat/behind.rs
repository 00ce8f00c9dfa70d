//! What a connection asks of a room that it is still coming into waits for its join: a client may join and speak at
//! once, without waiting for the answer in between.

use super::{Access, Chat, Command, access, refused};
use crate::context::{Caller, Context};
use crate::ids::{ConnectionId, RoomId};
use crate::refusal::Refusal;
use std::collections::{BTreeMap, VecDeque};

/// How many commands of one connection may wait for its joins of one room, and how many in all.
const BEHIND_JOIN_MAX: usize = 64;
const BEHIND_MAX: usize = 10_000;

/// The commands that wait for joins, and those whose join is over.
#[derive(Debug, Default)]
pub(super) struct Behind {
    waiting: BTreeMap<(ConnectionId, RoomId), Vec<(Caller, Command)>>,
    count: usize,
    due: VecDeque<(Caller, Command)>,
}

impl Behind {
    /// How many wait.
    pub fn len(&self) -> usize {
        self.count + self.due.len()
    }

    /// The joins of this connection to this room are over.
    pub fn release(&mut self, who: ConnectionId, room: &RoomId) {
        let waiting = self.waiting.remove(&(who, room.clone())).unwrap_or_default();
        self.count -= waiting.len();
        self.due.extend(waiting);
    }

    /// The connection is gone.
    pub fn forget(&mut self, who: ConnectionId, room: &RoomId) {
        self.release(who, room);
        self.due.retain(|(caller, _)| caller.connection != who);
    }
}

/// Whether only who is inside may do it.
fn needs_membership(command: &Command) -> bool {
    match command {
        Command::Send { .. }
        | Command::History { .. }
        | Command::Read { .. }
        | Command::Type { .. }
        | Command::Prompt { .. }
        | Command::Escalate { .. } => true,
        Command::Create { .. }
        | Command::Join { .. }
        | Command::Leave { .. }
        | Command::Resolve { .. }
        | Command::Settle { .. }
        | Command::Upload(_) => false,
    }
}

impl Chat {
    /// Keeps a command back that belongs behind a join; hands it over again if it does not.
    pub(super) fn keep_behind(
        &mut self,
        command: Command,
        caller: &Caller,
        ctx: &mut Context<'_>,
    ) -> Result<Option<Command>, Refusal> {
        let Some(room) = command.room().filter(|_| needs_membership(&command)) else {
            return Ok(Some(command));
        };
        let is_inside = ctx.rooms.find(room).is_some_and(|room| access(room, &caller.user) == Access::Inside);
        if is_inside || !self.is_joining(caller.connection, room) {
            return Ok(Some(command));
        }
        let place = (caller.connection, room.clone());
        let waiting = self.behind.waiting.entry(place).or_default();
        if waiting.len() >= BEHIND_JOIN_MAX || self.behind.count >= BEHIND_MAX {
            return Err(Refusal::busy());
        }
        waiting.push((caller.clone(), command));
        self.behind.count += 1;
        Ok(None)
    }

    /// Carries out the commands whose join is over.
    pub fn run_due(&mut self, ctx: &mut Context<'_>) {
        while let Some((caller, command)) = self.behind.due.pop_front() {
            if let Err((caller, refusal)) = self.apply(command, caller, ctx) {
                ctx.fx.refuse(&caller, &refused(&refusal));
            }
        }
    }

    pub(super) fn is_joining(&self, who: ConnectionId, room: &RoomId) -> bool {
        let under_way = (who, room.clone(), 0)..=(who, room.clone(), u64::MAX);
        self.joining.range(under_way).next().is_some()
    }
}
