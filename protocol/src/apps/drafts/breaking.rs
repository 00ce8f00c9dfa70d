//! What cannot be done with a document: it broke over something, which is refused, and the rest is done in its next life;
//! or it was lost while it did something, which is done once more.

use super::document::viewers_read;
use super::draft::Task;
use super::{Drafts, fault, not_found};
use crate::context::Context;
use crate::docs::Why;
use crate::door::refusal_response;
use crate::ids::RoomId;
use crate::refusal::{Code, Refusal};

impl Drafts {
    /// The document broke over something, which is refused; the rest is done in the document's next life.
    pub(super) fn on_broken(&mut self, id: &RoomId, task: Task, at: Option<usize>, ctx: &mut Context<'_>) {
        ctx.fx.log(fault(id, "a document broke", task_name(&task)));
        match task {
            Task::Updates(mut updates) => {
                let guilty = at.or((updates.len() == 1).then_some(0)).filter(|at| *at < updates.len());
                if let Some(at) = guilty {
                    let why = Why::Malformed("the document cannot take it".to_string());
                    let incoming = updates.remove(at);
                    self.on_refused(id, &incoming, &why, ctx);
                }
                if let Some(draft) = self.open.get_mut(id).filter(|_| !updates.is_empty()) {
                    // Nobody is to suffer for what somebody else sent.
                    draft.one_by_one = if guilty.is_none() { updates.len() } else { draft.one_by_one };
                    draft.work.push_front(Task::Updates(updates));
                }
            }
            Task::Restore(restoring) => {
                let refusal = Refusal::new(Code::Conflict, "the version cannot be brought back");
                ctx.fx.answered.push((restoring.request, refusal_response(&refusal)));
            }
            Task::Fold(_) => ctx.rooms.find(id).into_iter().for_each(|room| room.drop_snapshot()),
            Task::Foreign(_) => {}
            Task::Known(incoming) => {
                self.readings.answered(incoming.from.connection, &mut ctx.fx);
                self.refuse(&incoming.from, id, &viewers_read(), ctx);
            }
            Task::State(wanted) => {
                let refusal = Refusal::new(Code::ServerError, "the document cannot be written");
                self.refuse_state(id, &wanted, &refusal, ctx);
            }
        }
        self.lose(id, ctx);
    }

    /// A job was done with a document that was lost meanwhile: nothing came of it. What was asked is done in the next
    /// life, unless the draft is closed.
    pub(super) fn on_done_in_vain(&mut self, id: &RoomId, life: u64, task: Task, ctx: &mut Context<'_>) {
        let Some(draft) = self.open.get_mut(id).filter(|draft| draft.born <= life) else {
            return self.drop_task(task, ctx);
        };
        match task {
            Task::Updates(_) | Task::Known(_) | Task::State(_) | Task::Restore(_) => {
                draft.work.push_front(task);
            }
            Task::Fold(_) => ctx.rooms.find(id).into_iter().for_each(|room| room.drop_snapshot()),
            // It is in the log.
            Task::Foreign(_) => {}
        }
        self.go_on(id, ctx);
    }

    /// A draft is closed before this was done.
    pub(super) fn drop_task(&mut self, task: Task, ctx: &mut Context<'_>) {
        match task {
            Task::Updates(updates) => {
                updates.iter().for_each(|one| self.readings.answered(one.from.connection, &mut ctx.fx));
            }
            Task::Known(incoming) => self.readings.answered(incoming.from.connection, &mut ctx.fx),
            Task::Restore(restoring) => {
                ctx.fx.answered.push((restoring.request, refusal_response(&not_found())));
            }
            Task::State(_) | Task::Foreign(_) | Task::Fold(_) => {}
        }
    }
}

fn task_name(task: &Task) -> &'static str {
    match task {
        Task::Updates(_) => "over updates of clients",
        Task::Foreign(_) => "over what others stored",
        Task::Known(_) => "while it was compared with what somebody has",
        Task::State(_) => "while it was written for somebody",
        Task::Fold(_) => "while it was folded",
        Task::Restore(_) => "while a version was brought back",
    }
}
