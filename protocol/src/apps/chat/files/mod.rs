//! Files in chat rooms (WIRE §2, Upload). A file is looked at and scanned before anything of it is kept; then it is
//! stored piece by piece, and last comes the message that it is, in one commit with its row. Whatever ends before
//! that leaves nothing behind: its pieces are taken away, or found later as orphans.

mod budget;
mod fetching;
mod name;
mod orphans;
mod sent;
mod upload;

pub use fetching::{Fetch, Wanted, no_file};
pub use sent::{Offer, Sent};
pub use upload::Upload;

use super::{Chat, Waiting as ChatWaiting};
use crate::context::Context;
use crate::ids::{FileId, RoomId, Ticket};
use crate::job::Outcome;
use crate::refusal::Refusal;
use crate::store::StoreReply;
use crate::tickets::Pending;
use crate::time::Timestamp;
use budget::Budget;
use orphans::Sweep;
use std::collections::BTreeMap;

/// What is waited for on the way of a file.
#[derive(Debug)]
pub enum Waiting {
    /// What it is.
    Inspection(Box<Upload>),
    /// What the scanners say of it.
    Verdict(Box<Upload>),
    /// A piece of it that is being stored.
    Piece(Box<Upload>),
    /// Pieces that are being read.
    Pieces(Box<Fetch>),
    /// Its pieces as one.
    Joined(Box<Fetch>),
    /// Pieces of a file that came to nothing are taken away.
    Removal,
    /// Files that were never completed are looked for.
    Orphans(Sweep),
    /// They are taken away.
    Swept(Sweep),
}

/// What needs an open room to go on.
#[derive(Debug)]
pub enum Errand {
    /// A file comes.
    Upload(Box<Upload>),
    /// A file is wanted.
    Fetch(Box<Fetch>),
}

/// The files that are under way.
#[derive(Debug, Default)]
pub struct Files {
    coming: Budget,
    going: Budget,
    /// The scanners' calls.
    scans: BTreeMap<FileId, Ticket>,
    swept_at: Timestamp,
}

impl Files {
    /// How many are under way.
    pub fn len(&self) -> usize {
        self.coming.len() + self.going.len()
    }
}

impl Errand {
    fn room(&self) -> &RoomId {
        match self {
            Self::Upload(upload) => upload.room(),
            Self::Fetch(fetch) => fetch.room(),
        }
    }
}

impl Chat {
    /// Goes on with an errand, now or when its room is open.
    pub(super) fn visit(&mut self, errand: Errand, ctx: &mut Context<'_>) {
        let room = errand.room().clone();
        if self.parked.holds(&room) || ctx.rooms.touch(&room, ctx.fx.now).is_none() {
            if let Err(errand) = self.park_errand(room, errand, ctx) {
                self.give_up(errand, Refusal::busy(), ctx);
            }
            return;
        }
        self.run(errand, ctx);
    }

    /// The room of an errand is open, or not there.
    pub(super) fn run(&mut self, errand: Errand, ctx: &mut Context<'_>) {
        match errand {
            Errand::Upload(upload) => self.go_on(upload, ctx),
            Errand::Fetch(fetch) => self.read_pieces(fetch, ctx),
        }
    }

    /// An errand cannot go on.
    pub(super) fn give_up(&mut self, errand: Errand, refusal: Refusal, ctx: &mut Context<'_>) {
        match errand {
            Errand::Upload(upload) => self.refuse_upload(upload, refusal, ctx),
            Errand::Fetch(fetch) => self.refuse_fetch(&fetch, &refusal, ctx),
        }
    }

    pub(super) fn on_file_stored(&mut self, waiting: Waiting, reply: StoreReply, ctx: &mut Context<'_>) {
        match waiting {
            Waiting::Piece(upload) => self.on_piece_stored(upload, reply, ctx),
            Waiting::Pieces(fetch) => self.on_pieces(fetch, reply, ctx),
            Waiting::Orphans(sweep) => orphans::on_found(sweep, reply, ctx),
            Waiting::Swept(sweep) => orphans::on_swept(sweep, &reply, ctx),
            Waiting::Removal => {}
            Waiting::Inspection(_) | Waiting::Verdict(_) | Waiting::Joined(_) => {
                self.on_file_late(waiting, ctx)
            }
        }
    }

    /// An answer never came. What was sent to the store may still wait there; what follows it is carried out after it.
    pub(super) fn on_file_late(&mut self, waiting: Waiting, ctx: &mut Context<'_>) {
        match waiting {
            Waiting::Inspection(upload) => self.refuse_upload(upload, Refusal::busy(), ctx),
            Waiting::Verdict(upload) => self.on_verdict_late(upload, ctx),
            Waiting::Piece(upload) => self.refuse_upload(upload, Refusal::store_unavailable(), ctx),
            Waiting::Pieces(fetch) => self.refuse_fetch(&fetch, &Refusal::store_unavailable(), ctx),
            Waiting::Joined(fetch) => self.refuse_fetch(&fetch, &Refusal::busy(), ctx),
            Waiting::Removal | Waiting::Orphans(_) | Waiting::Swept(_) => {}
        }
    }

    /// A job that the chat waits for is done.
    pub fn on_worked(&mut self, waiting: ChatWaiting, outcome: Outcome, ctx: &mut Context<'_>) {
        match (waiting, outcome) {
            (ChatWaiting::File(Waiting::Inspection(upload)), Outcome::Inspected(inspected)) => {
                self.on_inspected(upload, inspected, ctx);
            }
            (ChatWaiting::File(Waiting::Joined(fetch)), Outcome::Joined(bytes)) => {
                self.show_file(&fetch, bytes, ctx);
            }
            (waiting, _) => self.on_late(waiting, ctx),
        }
    }
}

fn pending(waiting: Waiting) -> Pending {
    Pending::Chat(ChatWaiting::File(waiting))
}

#[cfg(test)]
mod tests;
