//! Files and drafts over REST (WIRE §0.10, §4): what comes is handed to the app, and so is what is asked for, a file once its
//! row is found. The app answers when it is done.

use super::asking::Asked;
use super::route::{Route, UserCall};
use super::{Decided, Door, refused};
use crate::apps::chat::{Offer, Wanted, no_file};
use crate::apps::drafts::Call;
use crate::auth::User;
use crate::context::Context;
use crate::store::Row;
use std::sync::Arc;

impl Door {
    /// A user asks something of a draft.
    pub(super) fn ask_draft(&mut self, asked: Asked, user: Arc<User>) -> Option<Decided> {
        let Asked { request, origin, route, body, .. } = asked;
        let Route::User(UserCall::Draft { draft, ask }) = route else { return None };
        self.posting.insert(request, origin);
        Some(Decided::Draft(Box::new(Call { request, user, draft, ask, body })))
    }

    /// A user brings a file.
    pub(super) fn offer(&mut self, asked: Asked, user: Arc<User>) -> Option<Decided> {
        let Asked { request, origin, route, key, body, .. } = asked;
        let Route::User(UserCall::Upload { room, name }) = route else { return None };
        self.posting.insert(request, origin);
        Some(Decided::Offered(Box::new(Offer { request, user, room, name, key, body })))
    }

    /// The row of a file that a user asks for was looked for.
    pub(super) fn want(
        &mut self,
        asked: &Asked,
        user: Arc<User>,
        rows: Vec<Row>,
        ctx: &mut Context<'_>,
    ) -> Option<Decided> {
        let file = rows.into_iter().find_map(|row| if let Row::File(file) = row { Some(file) } else { None });
        let Some(file) = file else {
            let refusal = no_file();
            self.answer(asked, refused(refusal.code.status(), &refusal), ctx);
            return None;
        };
        self.posting.insert(asked.request, asked.origin.clone());
        Some(Decided::Wanted(Box::new(Wanted { request: asked.request, user, file })))
    }
}
