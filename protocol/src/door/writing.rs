//! A backend's change on its way into the store: what stands there is looked at, then it is written, and what came
//! of it is told. Between the look and the write others write too; what was new then must be new still.

use super::asking::Asked;
use super::route::{Route, ServiceCall};
use super::{Changed, Decided, Door, Step, Waiting, admin, refused};
use crate::context::Context;
use crate::refusal::{Code, Refusal};
use crate::store::{Change, Query, Row, StoreReply, StoreRequest};
use crate::tickets::Pending;

/// How often a change is tried whose outcome is unknown, or that came too late for what stood there.
const WRITE_TRIES_MAX: u32 = 8;

/// A change on its way.
#[derive(Debug)]
pub(super) struct Write {
    pub change: Change,
    pub changed: Changed,
    /// How often it was sent.
    pub tries: u32,
    /// Whether it came too late and only what waits behind it is waited for.
    pub late: bool,
}

impl Door {
    /// The store has not answered a request's question in time, and may yet.
    pub fn on_late(&mut self, waiting: Waiting, ctx: &mut Context<'_>) -> Option<Decided> {
        let Waiting { asked, step } = waiting;
        match step {
            Step::Written(write) => self.on_written_late(asked, *write, ctx),
            Step::Token
            | Step::Key
            | Step::Signature(_)
            | Step::Spent
            | Step::Template(_)
            | Step::Rows(_)
            | Step::Heads(..)
            | Step::Page
            | Step::Before(_)
            | Step::Members(_) => {
                self.no_store(&asked, ctx);
                None
            }
        }
    }

    /// What stands where a backend wants to write is known. A room's member needs the others too.
    pub(super) fn on_before(&mut self, asked: Box<Asked>, rows: Vec<Row>, tries: u32, ctx: &mut Context<'_>) {
        match &asked.route {
            Route::Service(ServiceCall::PutMember(room, _)) if !rows.is_empty() => {
                let query = Query::Members(room.clone());
                self.look(asked, query, Step::Members(tries), ctx);
            }
            Route::Service(ServiceCall::PutMember(..)) => {
                let refusal = Refusal::new(Code::NotFound, "there is no such room");
                self.answer(&asked, refused(404, &refusal), ctx);
            }
            Route::Service(_)
            | Route::User(_)
            | Route::Asset(_)
            | Route::Health
            | Route::Open(_)
            | Route::Engine(_) => {
                self.write(asked, rows, tries, ctx);
            }
        }
    }

    /// The store said what came of a change.
    pub(super) fn on_written(
        &mut self,
        asked: Box<Asked>,
        write: Write,
        reply: &StoreReply,
        ctx: &mut Context<'_>,
    ) -> Option<Decided> {
        // Whatever was said of the commit behind it, nothing of this change waits any more.
        if write.late {
            return self.give_up(&asked, write, ctx);
        }
        match reply {
            StoreReply::Committed(_) => {
                self.answer(&asked, admin::written(&write.changed), ctx);
                return Some(Decided::Changed(write.changed));
            }
            // Written twice it is the same; not knowing, a room might live on that is no more.
            StoreReply::Unknown if write.tries < WRITE_TRIES_MAX => {
                send(asked, write, ctx);
                return None;
            }
            // Somebody else made it since it was looked for.
            StoreReply::Taken(_) if write.tries < WRITE_TRIES_MAX => {
                if let Route::Service(call) = &asked.route {
                    let (query, _) = admin::look(call);
                    self.look(asked, query, Step::Before(write.tries), ctx);
                }
                return None;
            }
            StoreReply::Unknown => return self.give_up(&asked, write, ctx),
            // Perhaps written by a try before this one.
            StoreReply::Unavailable if write.tries > 1 => return self.give_up(&asked, write, ctx),
            StoreReply::Taken(_)
            | StoreReply::Unavailable
            | StoreReply::Stale { .. }
            | StoreReply::Loaded(_)
            | StoreReply::Entries { .. }
            | StoreReply::Heads(_)
            | StoreReply::Found(_)
            | StoreReply::Appended { .. } => {}
        }
        self.no_store(&asked, ctx);
        admin::undone(write.changed).map(Decided::Changed)
    }

    /// The store has not said in time what came of a change. It is not sent again: the first may wait still, and a
    /// second would undo what was done in between. A removal keeps its room closed until an empty commit, which the
    /// store carries out after it, is answered.
    pub(super) fn on_written_late(
        &mut self,
        asked: Box<Asked>,
        write: Write,
        ctx: &mut Context<'_>,
    ) -> Option<Decided> {
        self.no_store(&asked, ctx);
        if matches!(write.change, Change::Remove(_)) {
            let behind = StoreRequest::Commit { appends: vec![], rows: vec![] };
            let step = Step::Written(Box::new(Write { late: true, ..write }));
            ctx.fx.store(behind, Pending::Door(Waiting { asked, step }));
        }
        None
    }

    /// Nobody knows what came of it. What was to be removed is taken for gone: if it is not, the store has it
    /// still, and it is loaded from there when it is asked for.
    fn give_up(&mut self, asked: &Asked, write: Write, ctx: &mut Context<'_>) -> Option<Decided> {
        self.no_store(asked, ctx);
        match write.change {
            Change::Remove(_) => Some(Decided::Changed(write.changed)),
            Change::Insert(_) | Change::Put(_) | Change::Trim { .. } => None,
        }
    }
}

/// Sends a change to the store.
pub(super) fn send(asked: Box<Asked>, mut write: Write, ctx: &mut Context<'_>) {
    write.tries += 1;
    let request = StoreRequest::Commit { appends: vec![], rows: vec![write.change.clone()] };
    ctx.fx.store(request, Pending::Door(Waiting { asked, step: Step::Written(Box::new(write)) }));
}
