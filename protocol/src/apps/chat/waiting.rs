//! What the chat waits for, and where it goes on when that has come or has not.

use super::Chat;
use super::creating::Making;
use super::escalations::Sought;
use super::files;
use super::history::{self, Looking};
use super::joining::Join;
use super::robot::PromptKey;
use super::supervisors::Coming;
use crate::call::Said;
use crate::context::Context;
use crate::ids::{RoomId, Seq};
use crate::store::{MemberRow, StoreReply};

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
    /// The commit of how far users have read in a room.
    Reads(RoomId),
    /// What was said up to a prompt.
    Prompted(PromptKey),
    /// An attempt at a prompt's reply.
    Attempt(PromptKey),
    /// The commit of a prompt's reply.
    Replied(PromptKey),
    /// Prompts whose reply is overdue.
    Overdue,
    /// An escalation that is to be resolved.
    Sought(Sought),
    /// The commit of an escalation, at its supervisors' room.
    Deed(RoomId),
    /// A supervisors' room that is being opened.
    Desk(RoomId),
    /// What is not known of a supervisors' log.
    DeskRead(RoomId),
    /// What is open when a supervisor comes.
    Open(RoomId, Box<Coming>),
    /// A file on its way.
    File(files::Waiting),
}

impl Waiting {
    /// Whether it is a service that is waited for.
    pub fn is_call(&self) -> bool {
        matches!(self, Self::Attempt(_) | Self::File(files::Waiting::Verdict(_)))
    }

    /// Whether it is the AI service that is waited for.
    pub fn is_attempt(&self) -> bool {
        matches!(self, Self::Attempt(_))
    }

    /// Whether it is a job that is waited for.
    pub fn is_job(&self) -> bool {
        matches!(self, Self::File(files::Waiting::Inspection(_) | files::Waiting::Joined(_)))
    }
}

impl Chat {
    /// The store has not answered in time, and may yet. What writes is not sent again: it would undo what was done
    /// in between.
    pub fn on_late(&mut self, mut waiting: Waiting, ctx: &mut Context<'_>) {
        match &mut waiting {
            Waiting::Create(making) => making.give_up(),
            Waiting::Membership { join, .. } => join.give_up(),
            Waiting::Reads(room) => self.give_up_reads(room),
            Waiting::Deed(desk) => self.on_deed_late(desk, ctx),
            Waiting::Load(_)
            | Waiting::Made(_)
            | Waiting::FirstPage { .. }
            | Waiting::History(_)
            | Waiting::Prompted(_)
            | Waiting::Attempt(_)
            | Waiting::Replied(_)
            | Waiting::Overdue
            | Waiting::Sought(_)
            | Waiting::Desk(_)
            | Waiting::DeskRead(_)
            | Waiting::Open(..)
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
            Waiting::Reads(room) => self.on_reads(&room, &reply, ctx),
            Waiting::Prompted(key) => self.on_prompted(key, reply, ctx),
            Waiting::Attempt(key) => self.on_attempt_lost(&key, ctx),
            Waiting::Replied(key) => self.on_replied(key, reply, ctx),
            Waiting::Overdue => self.on_overdue(reply, ctx),
            Waiting::Sought(sought) => self.on_sought(sought, reply, ctx),
            Waiting::Deed(desk) => self.on_deed(&desk, reply, ctx),
            Waiting::Desk(desk) => self.on_desk_loaded(&desk, reply, ctx),
            Waiting::DeskRead(desk) => self.on_desk_read(&desk, reply, ctx),
            Waiting::Open(desk, coming) => self.on_open(&desk, *coming, reply, ctx),
            Waiting::File(waiting) => self.on_file_stored(waiting, reply, ctx),
        }
    }

    /// A service answered something that the chat waits for.
    pub fn on_called(&mut self, waiting: Waiting, said: Said, ctx: &mut Context<'_>) {
        match waiting {
            Waiting::Attempt(key) => self.on_attempted(&key, said, ctx),
            Waiting::File(files::Waiting::Verdict(upload)) => self.on_verdict(upload, said, ctx),
            Waiting::Load(_)
            | Waiting::Create(_)
            | Waiting::Made(_)
            | Waiting::Membership { .. }
            | Waiting::FirstPage { .. }
            | Waiting::History(_)
            | Waiting::Reads(_)
            | Waiting::Prompted(_)
            | Waiting::Replied(_)
            | Waiting::Overdue
            | Waiting::Sought(_)
            | Waiting::Deed(_)
            | Waiting::Desk(_)
            | Waiting::DeskRead(_)
            | Waiting::Open(..)
            | Waiting::File(_) => {}
        }
    }
}
