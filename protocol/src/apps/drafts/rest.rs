//! Calls about drafts over REST (WIRE §4): what was said about one, who changed it when, what it was, and bringing that back.

use super::document::viewers_read;
use super::draft::Stage;
use super::joining::{Access, access};
use super::{Drafts, Parked, draft_id, not_found};
use crate::auth::User;
use crate::context::Context;
use crate::door::refusal_response;
use crate::http::Response;
use crate::ids::{RequestId, RoomId, Seq};
use crate::json;
use crate::refusal::{Code, Refusal};
use bytes::Bytes;
use serde::Deserialize;
use std::sync::Arc;

/// How many calls may wait for one draft.
const CALLS_MAX: usize = 64;

/// A call about a draft.
#[derive(Debug)]
pub struct Call {
    /// The request.
    pub request: RequestId,
    /// Who asks.
    pub user: Arc<User>,
    /// The draft, as it is named.
    pub draft: String,
    /// What is asked.
    pub ask: Ask,
    /// What came with it.
    pub body: Bytes,
}

/// What is asked of a draft over REST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// `GET /api/drafts/{id}/history?before=&limit=`
    History {
        /// Before this place.
        before: Option<Seq>,
        /// At most so many runs.
        limit: usize,
    },
    /// `GET /api/drafts/{id}/versions/{seq}`
    Version(Seq),
    /// `POST /api/drafts/{id}/restore`
    Restore,
    /// `GET /api/drafts/{id}/comments`
    Comments,
}

impl Call {
    fn id(&self) -> Result<RoomId, Refusal> {
        draft_id(&self.draft)
    }
}

/// Answers a call with why not.
pub(super) fn refuse(call: &Call, refusal: &Refusal, ctx: &mut Context<'_>) {
    ctx.fx.answered.push((call.request, refusal_response(refusal)));
}

impl Drafts {
    /// Somebody calls.
    pub fn on_call(&mut self, call: Call, ctx: &mut Context<'_>) {
        let id = match call.id() {
            Ok(id) => id,
            Err(refusal) => return refuse(&call, &refusal, ctx),
        };
        if !self.parked.holds(&id) && ctx.rooms.touch(&id, ctx.fx.now).is_some() {
            return self.answer_call(call, ctx);
        }
        if let Some(refusal) = self.takes_no_more(ctx) {
            return refuse(&call, &refusal, ctx);
        }
        if self.parked.park(id.clone(), Parked::Calling(Box::new(call))) {
            self.load(id, ctx);
        }
    }

    /// The draft's room is open: who asks may, and then the draft has to be.
    pub(super) fn answer_call(&mut self, call: Call, ctx: &mut Context<'_>) {
        let Ok(id) = call.id() else { return };
        let access = ctx.rooms.find(&id).map_or(Access::None, |room| access(room, &call.user));
        let Some(draft) = self.open.get_mut(&id).filter(|_| access != Access::None) else {
            return refuse(&call, &not_found(), ctx);
        };
        if call.ask == Ask::Restore && access == Access::Read {
            return refuse(&call, &viewers_read(), ctx);
        }
        if draft.stage != Stage::Ready {
            match draft.calls.len() < CALLS_MAX {
                true => draft.calls.push(call),
                false => refuse(&call, &Refusal::busy(), ctx),
            }
            return;
        }
        match call.ask {
            Ask::Comments => {
                let listed = Response::json(200, &draft.comments.listed());
                ctx.fx.answered.push((call.request, listed));
            }
            Ask::History { before, limit } => self.read_history(call, id, (before, limit), ctx),
            Ask::Version(version) => self.copy(call, id, version, ctx),
            Ask::Restore => match wanted_version(&call.body) {
                Ok(version) => self.copy(call, id, version, ctx),
                Err(refusal) => refuse(&call, &refusal, ctx),
            },
        }
    }
}

fn wanted_version(body: &[u8]) -> Result<Seq, Refusal> {
    #[derive(Deserialize)]
    struct Wanted {
        seq: u64,
    }
    let bad = |why: String| Refusal::new(Code::ClientError, format!("bad body: {why}"));
    json::check(body).map_err(bad)?;
    let text = std::str::from_utf8(body).map_err(|why| bad(why.to_string()))?;
    json::object::<Wanted>(text).map(|wanted| Seq(wanted.seq)).map_err(bad)
}
