//! Who comes for a dashboard: the door asks the dashboards, which look whether it is there and open to the user, before
//! anything is upgraded.

use super::asking::Asked;
use super::crowding::later;
use super::route::{Route, UserCall};
use super::{Decided, Door, RETRY_WAIT};
use crate::action::CloseCause;
use crate::apps::dashboards::{Visit, Visited, What};
use crate::auth::User;
use crate::connection::Endpoint;
use crate::context::Context;
use crate::refusal::Code;
use std::sync::Arc;

impl Door {
    /// A user comes for a dashboard.
    pub(super) fn visit(&mut self, asked: Box<Asked>, user: Arc<User>, ctx: &Context<'_>) -> Option<Decided> {
        let request = asked.request;
        let what = match &asked.route {
            Route::Open(_) => What::Enter,
            Route::User(UserCall::Sync) => What::Sync(asked.body.clone()),
            Route::User(_) => What::Look(url(&asked, ctx)),
            Route::Asset(_) | Route::Health | Route::Engine(_) | Route::Service(_) => return None,
        };
        let board = asked.dashboard.clone();
        match what {
            What::Enter => drop(self.entering.insert(request, asked)),
            What::Look(_) | What::Sync(_) => drop(self.posting.insert(request, asked.origin)),
        }
        Some(Decided::Visited(Box::new(Visit { request, user, board, what })))
    }

    /// The dashboards have said whether somebody may become a connection.
    pub fn on_visited(&mut self, visited: Visited, ctx: &mut Context<'_>) -> Option<Decided> {
        let (request, user, result) = visited;
        let asked = self.entering.remove(&request).filter(|_| self.waiting.contains(&request))?;
        let refusal = match result {
            Ok(board) => {
                self.waiting.remove(&request);
                let admitted = asked.admitted(Some(user), None)?;
                return Some(Decided::Admitted(Box::new(super::Admitted { board: Some(board), ..admitted })));
            }
            Err(refusal) => refusal,
        };
        let cause = match refusal.code {
            Code::NotFound => CloseCause::ResourceUnknown,
            Code::ClientError | Code::TooLarge => CloseCause::ParameterMissing,
            Code::Overloaded | Code::StoreUnavailable if asked.by_close => CloseCause::Overloaded,
            Code::Overloaded | Code::StoreUnavailable => {
                self.answer(&asked, later(refusal, RETRY_WAIT), ctx);
                return None;
            }
            Code::ProtocolError
            | Code::AuthFailed
            | Code::TokenExpired
            | Code::PermissionDenied
            | Code::RoomAccessDenied
            | Code::Conflict
            | Code::RateLimited
            | Code::RateLimitExceeded
            | Code::ProjectAccessDenied
            | Code::ServerError
            | Code::AiBadReply
            | Code::AiUnavailable => CloseCause::AccessDenied,
        };
        let status = if cause == CloseCause::ParameterMissing { 400 } else { refusal.code.status() };
        self.refuse(&asked, status, &refusal, cause, ctx)
    }
}

/// Where clients connect.
fn url(asked: &Asked, ctx: &Context<'_>) -> String {
    let base = match &ctx.fx.settings.public_url {
        Some(url) => url.replacen("http", "ws", 1),
        None if ctx.fx.settings.tls => format!("wss://{}", asked.host),
        None => format!("ws://{}", asked.host),
    };
    format!("{base}{}", Endpoint::Realtime.path())
}
