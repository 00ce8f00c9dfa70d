//! Backends speak: what they post is kept in the log of its room and told to who is there, or only told.

use super::log::{Kept, signalled};
use super::posting::{Batch, Posting};
use super::{Parked, Projects};
use crate::apps::chat;
use crate::context::Context;
use crate::http::Response;
use crate::ids::{RequestId, RoomId, RoomKind, UserId};
use crate::outbox::Class;
use crate::refusal::{Code, Refusal};
use crate::room::{Audience, Delivered, Origin, PostId, Submission};
use crate::store::NewEntry;
use std::hash::{DefaultHasher, Hash, Hasher};

impl Projects {
    /// Takes in what a backend posts. Its answer, if it is known at once: that nothing of it is taken.
    pub fn post(
        &mut self,
        request: RequestId,
        body: &[u8],
        key: Option<&str>,
        ctx: &mut Context<'_>,
    ) -> Result<Option<Response>, Refusal> {
        if self.answers.is_full() {
            return Err(Refusal::busy());
        }
        let Batch { postings, array } = Batch::read(body, key)?;
        self.answers.begin(request, postings.len(), array);
        for (place, posting) in postings.into_iter().enumerate() {
            let id = PostId { request, place };
            match posting {
                Ok(posting) if posting.room.kind == RoomKind::Dashboard => {
                    ctx.fx.board_posts.push((id, Box::new(posting)));
                }
                Ok(posting) if !self.is_closed(&posting.room, ctx) => self.speak(id, posting, ctx),
                Ok(_) if self.has_no_place(ctx) => ctx.fx.posted.push((id, Err(Refusal::busy()))),
                Ok(posting) => {
                    self.park(posting.room.clone(), Parked::Posting(id, Box::new(posting)), ctx);
                }
                Err(refusal) => ctx.fx.posted.push((id, Err(refusal))),
            }
        }
        Ok(self.answers.finished(request))
    }

    /// One event was dealt with; the answer to its request, if it was the last.
    pub fn on_posted(&mut self, id: PostId, result: Result<Delivered, Refusal>) -> Option<Response> {
        self.answers.on_posted(id, result)
    }

    /// Says something in an open room.
    pub fn speak(&mut self, id: PostId, posting: Posting, ctx: &mut Context<'_>) {
        let result = match posting.volatile {
            true => self.signal(posting, ctx).map(Some),
            false => submit(id, posting, ctx).map(|()| None),
        };
        if let Some(result) = result.transpose() {
            ctx.fx.posted.push((id, result));
        }
    }

    fn signal(&mut self, posting: Posting, ctx: &mut Context<'_>) -> Result<Delivered, Refusal> {
        let hash = hash((&posting.room, &posting.kept.body()));
        if let Some(key) = &posting.key
            && let Some((said, delivered)) = self.remembered.find(key)
        {
            let message = format!("the key {key:?} stands for something else already");
            return if said == hash { Ok(delivered) } else { Err(Refusal::new(Code::Conflict, message)) };
        }
        let room = ctx.rooms.find(&posting.room).filter(|room| !room.closing);
        let room = room.ok_or_else(Refusal::room_access_denied)?;
        let class =
            posting.latest_of().map_or(Class::Signal, |id| Class::Latest(hash_of(&posting.room, &id)));
        let audience = Audience::of(posting.kept.role.clone());
        let event = signalled(&posting.room, posting.kept, ctx.fx.now);
        let delivered = room.signal_to(&audience, &event, class, None, &mut ctx.fx);
        let delivered = Delivered { seq: None, delivered };
        if let Some(key) = posting.key {
            self.remembered.keep(key, hash, delivered, ctx.fx.now);
        }
        Ok(delivered)
    }

    /// Forgets what is old.
    pub fn tidy(&mut self, now: crate::time::Timestamp) {
        self.remembered.tidy(now);
    }
}

fn submit(id: PostId, posting: Posting, ctx: &mut Context<'_>) -> Result<(), Refusal> {
    let Posting { room, kept, key, .. } = posting;
    let body = match room.kind {
        RoomKind::Chat => chat::event_body(&kept.event, &kept.data),
        RoomKind::Document
        | RoomKind::Project
        | RoomKind::User
        | RoomKind::Everyone
        | RoomKind::Supervisors
        | RoomKind::Dashboard
        | RoomKind::Draft => Kept::body(&kept),
    };
    let entry_id = key.unwrap_or_else(|| ctx.fx.rng.id("evt")).into();
    let entry = NewEntry { id: entry_id, author: UserId::server(), body };
    let room = ctx.rooms.find(&room).ok_or_else(Refusal::room_access_denied)?;
    room.submit(Submission { origin: Origin::Post(id), entry, rows: vec![] }, &mut ctx.fx)
}

/// Tells signals of which only the newest counts from each other.
fn hash_of(room: &RoomId, id: &str) -> u64 {
    hash((room, id))
}

/// The same in every run of one build, which is all that is asked of it.
fn hash(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
