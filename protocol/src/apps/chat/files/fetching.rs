//! A file on its way out: for who is inside its room, piece by piece from the store, as one answer. What is kept is
//! never shown as a page of ours: it is saved, whatever it is.

use super::super::{Chat, READ_TRIES_MAX, room_for};
use super::name::disposition;
use super::{Errand, Waiting, pending};
use crate::auth::User;
use crate::context::Context;
use crate::door::refusal_response;
use crate::http::Response;
use crate::ids::{RequestId, RoomId};
use crate::job::{Job, TEXT};
use crate::refusal::{Code, Refusal};
use crate::store::{FileRow, Query, Row, StoreReply, StoreRequest};
use bytes::Bytes;
use std::sync::Arc;

/// How many pieces are read at once: between two looks others have their turn.
const PIECES_PER_LOOK: u32 = 16;

/// A file that is asked for.
#[derive(Debug)]
pub struct Wanted {
    /// The request.
    pub request: RequestId,
    /// Who asks.
    pub user: Arc<User>,
    /// Which file.
    pub file: FileRow,
}

/// A file on its way out.
#[derive(Debug)]
pub struct Fetch {
    wanted: Wanted,
    pieces: Vec<Bytes>,
    read: u64,
    tries: u32,
}

impl Fetch {
    pub(super) fn room(&self) -> &RoomId {
        &self.wanted.file.room
    }

    /// What it takes of the budget.
    fn weight(&self) -> usize {
        self.wanted.file.size as usize
    }
}

impl Chat {
    /// A file is asked for that is there, in a room that its asker may not know.
    pub fn on_wanted(&mut self, wanted: Wanted, ctx: &mut Context<'_>) {
        let fetch = Box::new(Fetch { wanted, pieces: Vec::new(), read: 0, tries: 0 });
        match self.files.going.take(&fetch.wanted.user, fetch.weight()) {
            Ok(()) => self.visit(Errand::Fetch(fetch), ctx),
            Err(refusal) => ctx.fx.answered.push((fetch.wanted.request, refusal_response(&refusal))),
        }
    }

    /// Its room is open, or not there.
    pub(super) fn read_pieces(&mut self, fetch: Box<Fetch>, ctx: &mut Context<'_>) {
        match room_for(fetch.room(), &fetch.wanted.user, ctx.rooms) {
            Ok(_) => look(fetch, ctx),
            Err(_) => self.refuse_fetch(&fetch, &no_file(), ctx),
        }
    }

    pub(super) fn on_pieces(&mut self, mut fetch: Box<Fetch>, reply: StoreReply, ctx: &mut Context<'_>) {
        let StoreReply::Found(rows) = reply else {
            return match fetch.tries < READ_TRIES_MAX {
                true => look(fetch, ctx),
                false => self.refuse_fetch(&fetch, &Refusal::store_unavailable(), ctx),
            };
        };
        let before = fetch.pieces.len();
        for row in rows {
            if let Row::FilePart(part) = row {
                fetch.read += part.bytes.len() as u64;
                fetch.pieces.push(part.bytes);
            }
        }
        fetch.tries = 0;
        if fetch.read < fetch.wanted.file.size && fetch.pieces.len() > before {
            return look(fetch, ctx);
        }
        // It went with its room while it was read.
        if fetch.read != fetch.wanted.file.size {
            return self.refuse_fetch(&fetch, &no_file(), ctx);
        }
        // Membership may have ended meanwhile.
        let open = ctx.rooms.find(fetch.room()).is_some();
        if open && room_for(fetch.room(), &fetch.wanted.user, ctx.rooms).is_err() {
            return self.refuse_fetch(&fetch, &no_file(), ctx);
        }
        match fetch.pieces.as_slice() {
            [whole] => {
                let whole = whole.clone();
                self.show_file(&fetch, whole, ctx);
            }
            _ => {
                let job = Job::Join { pieces: std::mem::take(&mut fetch.pieces) };
                ctx.fx.work(job, pending(Waiting::Joined(fetch)));
            }
        }
    }

    pub(super) fn show_file(&mut self, fetch: &Fetch, bytes: Bytes, ctx: &mut Context<'_>) {
        self.files.going.give_back(&fetch.wanted.user, fetch.weight());
        ctx.fx.answered.push((fetch.wanted.request, response(&fetch.wanted.file, bytes)));
    }

    pub(super) fn refuse_fetch(&mut self, fetch: &Fetch, refusal: &Refusal, ctx: &mut Context<'_>) {
        self.files.going.give_back(&fetch.wanted.user, fetch.weight());
        ctx.fx.answered.push((fetch.wanted.request, refusal_response(refusal)));
    }
}

/// There is none, or none for the one who asks: the same either way.
pub fn no_file() -> Refusal {
    Refusal::new(Code::NotFound, "there is no such file")
}

fn look(mut fetch: Box<Fetch>, ctx: &mut Context<'_>) {
    fetch.tries += 1;
    let (file, from) = (fetch.wanted.file.id.clone(), fetch.pieces.len() as u32);
    let query = Query::FileParts { file, from, max: PIECES_PER_LOOK };
    ctx.fx.store(StoreRequest::Look(query), pending(Waiting::Pieces(fetch)));
}

fn response(file: &FileRow, bytes: Bytes) -> Response {
    let media_type = match file.mime_type.as_str() {
        TEXT => "text/plain; charset=utf-8",
        other => other,
    };
    Response::new(200, media_type, bytes)
        .with("content-disposition", disposition(&file.name))
        .with("content-security-policy", "default-src 'none'; sandbox")
        .with("cache-control", "private, max-age=3600")
        .with("vary", "Authorization")
}
