//! Large documents and updates as frames: in integers 8 MiB are 30 MB of text, so they are written outside the lock, and
//! handed to those who write so when that is done. For a document the order does not matter.

use super::draft::Wanted;
use super::{Drafts, Waiting, log};
use crate::context::Context;
use crate::envelope::{Envelope, is_written_outside};
use crate::frame::Frame;
use crate::ids::{ConnectionId, RoomId, Seq};
use crate::job::Job;
use crate::outbox::Class;
use crate::tickets::Pending;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a document says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Speech {
    /// What somebody lacks.
    State(Bytes),
    /// What is new.
    Update(Bytes),
}

/// Who gets a frame that is being written.
#[derive(Debug)]
pub enum Hearers {
    /// Who asked for it, and perhaps comes in with it, having heard the log up to there.
    One(Wanted, Seq),
    /// All of these.
    These(Vec<ConnectionId>),
}

impl Speech {
    /// The frame; none where there is no word for it.
    pub fn spell(&self, envelope: Envelope, draft: &RoomId) -> Option<Frame> {
        let event = match self {
            Self::State(update) => log::state(draft, update.clone()),
            Self::Update(update) => log::update(draft, update.clone()),
        };
        envelope.encode_whole(&event)
    }
}

impl Drafts {
    /// Has it written for somebody.
    pub(super) fn spell(
        &mut self,
        id: &RoomId,
        envelope: Envelope,
        speech: Speech,
        hearers: Hearers,
        ctx: &mut Context<'_>,
    ) {
        let waiting = Waiting::Spelled { draft: id.clone(), hearers };
        let job = Job::Spell { envelope, draft: id.clone(), speech };
        ctx.fx.work(job, Pending::Drafts(waiting));
    }

    /// It is written, or nobody wrote it in time.
    pub(super) fn on_spelled(
        &mut self,
        id: &RoomId,
        hearers: Hearers,
        frame: Option<Frame>,
        ctx: &mut Context<'_>,
    ) {
        match (hearers, frame) {
            (Hearers::One(wanted, at), Some(frame)) => self.hand_state(id, wanted, vec![frame], at, ctx),
            (Hearers::One(wanted, _), None) => {
                ctx.fx.close(wanted.to.connection, crate::action::CloseCause::Overloaded);
            }
            (Hearers::These(hearers), Some(frame)) => {
                let still = hearers.into_iter().filter(|who| self.sits(id, *who));
                still.for_each(|who| ctx.fx.send(who, frame.clone(), Class::Kept));
            }
            // They have missed something, and come back for it.
            (Hearers::These(hearers), None) => {
                hearers.iter().for_each(|who| ctx.fx.close(*who, crate::action::CloseCause::Overloaded));
            }
        }
    }

    /// A large update was told: those to whom it is not written under the lock have it written.
    pub(super) fn tell_large(
        &mut self,
        id: &RoomId,
        origin: Option<ConnectionId>,
        update: &Bytes,
        ctx: &mut Context<'_>,
    ) {
        let Some(draft) = self.open.get(id) else { return };
        let mut hearers: BTreeMap<Envelope, Vec<ConnectionId>> = BTreeMap::new();
        for (who, seat) in draft.seats.iter().filter(|(who, _)| Some(**who) != origin) {
            if is_written_outside(seat.caller.envelope, update.len()) {
                hearers.entry(seat.caller.envelope).or_default().push(*who);
            }
        }
        for (envelope, hearers) in hearers {
            self.spell(id, envelope, Speech::Update(update.clone()), Hearers::These(hearers), ctx);
        }
    }
}
