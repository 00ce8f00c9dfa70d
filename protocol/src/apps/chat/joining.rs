//! Coming into a room: access, membership, the first page, and from there on live; and going.

use super::message::{ChatMessage, chat_message};
use super::{Access, Chat, Waiting, access, left, member, refused, room_record};
use crate::auth::UserType;
use crate::context::{Caller, Context};
use crate::envelope::Event;
use crate::ids::{RoomId, Seq, UserId};
use crate::refusal::{Code, Refusal};
use crate::room::{FirstPage, Room};
use crate::store::{Change, Entry, MemberRow, ROOM_MEMBERS_MAX, Row, StoreReply, StoreRequest};
use crate::tickets::Pending;
use serde::Serialize;

/// How many rooms one connection may be in.
const ROOMS_PER_CONNECTION_MAX: usize = 128;
/// How many members are listed to who joins.
const MEMBERS_LISTED_MAX: usize = 200;

/// `chat:room:joined`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Joined<'a> {
    room_id: &'a str,
    name: &'a str,
    members: Vec<Member<'a>>,
    member_count: usize,
    last_seq: u64,
    messages: Vec<ChatMessage>,
    has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reset: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Member<'a> {
    user_id: &'a UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    user_type: UserType,
    online: bool,
}

impl Chat {
    pub(super) fn join(
        &mut self,
        id: RoomId,
        since: Option<Seq>,
        caller: Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        let joined = ctx.rooms.joined(caller.connection);
        if joined.len() >= ROOMS_PER_CONNECTION_MAX && !joined.contains(&id) {
            let message = format!("a connection may be in {ROOMS_PER_CONNECTION_MAX} rooms, not in one more");
            return Err(Refusal::new(Code::ClientError, message));
        }
        let room = ctx.rooms.find(&id).ok_or_else(Refusal::room_access_denied)?;
        match access(room, &caller.user) {
            Access::Denied => Err(Refusal::room_access_denied()),
            Access::Inside => {
                self.show(&id, since, caller, ctx);
                Ok(())
            }
            Access::MayJoin if room.members.len() >= ROOM_MEMBERS_MAX => {
                Err(Refusal::room_full(room.members.len() + 1, ROOM_MEMBERS_MAX))
            }
            Access::MayJoin if ctx.fx.is_busy() => Err(Refusal::busy()),
            Access::MayJoin => {
                let member = member(&id, &caller.user);
                let rows = vec![Change::Put(Row::Member(member.clone()))];
                let waiting = Waiting::Membership { caller, member, since };
                ctx.fx.store(StoreRequest::Commit { appends: vec![], rows }, Pending::Chat(waiting));
                Ok(())
            }
        }
    }

    pub(super) fn on_membership(
        &mut self,
        member: MemberRow,
        since: Option<Seq>,
        caller: Caller,
        reply: StoreReply,
        ctx: &mut Context<'_>,
    ) {
        let id = member.room.clone();
        match ctx.rooms.find(&id).filter(|room| !room.closing) {
            Some(room) if matches!(reply, StoreReply::Committed(_)) => {
                room.members.insert(member.user.clone(), member);
                self.show(&id, since, caller, ctx);
            }
            Some(_) => ctx.fx.reply(&caller, &refused(&Refusal::store_unavailable())),
            None => ctx.fx.reply(&caller, &refused(&Refusal::room_access_denied())),
        }
    }

    /// Shows a room to who may come in: the first page at once, or when it is read.
    pub(super) fn show(&mut self, id: &RoomId, since: Option<Seq>, caller: Caller, ctx: &mut Context<'_>) {
        let Some(room) = ctx.rooms.find(id) else { return };
        let reset = since.is_some_and(|since| room.is_out_of_reach(since));
        let since = since.filter(|_| !reset);
        match room.first_page(since) {
            FirstPage::Ready(entries) => self.let_in(id, since, reset, caller, &entries, ctx),
            FirstPage::Read(request) => {
                let waiting = Waiting::FirstPage { caller, room: id.clone(), since, reset };
                ctx.fx.store(request, Pending::Chat(waiting));
            }
        }
    }

    pub(super) fn on_first_page(
        &mut self,
        id: &RoomId,
        since: Option<Seq>,
        reset: bool,
        caller: Caller,
        reply: StoreReply,
        ctx: &mut Context<'_>,
    ) {
        let Some(room) = ctx.rooms.find(id) else {
            return ctx.fx.reply(&caller, &refused(&Refusal::room_access_denied()));
        };
        room.first_page_came();
        if access(room, &caller.user) != Access::Inside {
            return ctx.fx.reply(&caller, &refused(&Refusal::room_access_denied()));
        }
        let StoreReply::Entries { entries, .. } = reply else {
            return ctx.fx.reply(&caller, &refused(&Refusal::store_unavailable()));
        };
        self.let_in(id, since, reset, caller, &entries, ctx);
    }

    /// Answers a join with its first page, and lets the caller in behind it.
    fn let_in(
        &mut self,
        id: &RoomId,
        since: Option<Seq>,
        reset: bool,
        caller: Caller,
        page: &[Entry],
        ctx: &mut Context<'_>,
    ) {
        // Whoever hung up while its page was read is not let in: nobody would ever take it out again.
        if !ctx.rooms.knows(caller.connection) {
            return;
        }
        let Some(room) = ctx.rooms.find(id) else { return };
        let page = &page[..page.partition_point(|entry| entry.seq <= room.head())];
        let at = page.last().map(|last| last.seq).or(since).unwrap_or(room.head());
        let first = page.first().map_or(at.next(), |first| first.seq);
        let messages = page.iter().filter_map(chat_message).collect();
        if !room.is_present(caller.connection) {
            room.came(&caller, &mut ctx.fx);
            ctx.fx.log(room_record("room.join", id, &caller));
        }
        // Whoever is made a member by a backend is known by id only until it comes.
        if let Some(member) = room.members.get_mut(&caller.user.id) {
            (member.name, member.user_type) = (caller.user.name.clone(), caller.user.user_type);
        }
        ctx.fx.reply(&caller, &joined(room, messages, first > Seq(1), reset));
        ctx.rooms.enter(id, caller, at, &mut ctx.fx);
    }

    pub(super) fn leave(&mut self, id: &RoomId, caller: &Caller, ctx: &mut Context<'_>) {
        self.on_left(id, caller, ctx);
        ctx.fx.reply(caller, &left(id));
    }

    /// A connection is out of a room, because it left or because it ended.
    pub fn on_left(&mut self, id: &RoomId, caller: &Caller, ctx: &mut Context<'_>) {
        if ctx.rooms.leave(id, caller.connection, &mut ctx.fx).is_none() {
            return;
        }
        if let Some(room) = ctx.rooms.find(id) {
            room.went(caller, &mut ctx.fx);
            ctx.fx.log(room_record("room.leave", id, caller));
        }
    }
}

fn joined(room: &Room, messages: Vec<ChatMessage>, has_more: bool, reset: bool) -> Event {
    let members = room.members.values().take(MEMBERS_LISTED_MAX).map(|member| Member {
        user_id: &member.user,
        name: member.name.as_deref(),
        user_type: member.user_type,
        online: room.is_online(&member.user),
    });
    let joined = Joined {
        room_id: &room.id.name,
        name: room.row.as_ref().map_or("", |row| &row.name),
        members: members.collect(),
        member_count: room.members.len(),
        last_seq: room.head().0,
        messages,
        has_more,
        reset: reset.then_some(true),
    };
    Event::new("chat:room:joined", &joined)
}
