//! Coming into a room: access, membership, the first page, and from there on live; and going.

use super::message::{ChatMessage, chat_message};
use super::{
    Access, Chat, Command, READ_TRIES_MAX, WRITE_TRIES_MAX, Waiting, access, left, member, refused,
    room_record,
};
use crate::auth::UserType;
use crate::context::{Caller, Context};
use crate::envelope::Event;
use crate::ids::{ConnectionId, RoomId, RoomKind, Seq, UserId};
use crate::refusal::{Code, Refusal};
use crate::room::{FirstPage, Room, Turn};
use crate::store::{Change, Entry, MemberRow, ROOM_MEMBERS_MAX, Row, StoreReply, StoreRequest};
use crate::tickets::Pending;
use serde::Serialize;

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

/// A join under way.
#[derive(Debug)]
pub struct Join {
    caller: Caller,
    room: RoomId,
    /// What was heard before.
    since: Option<Seq>,
    /// Tells it from others of the same connection to the same room.
    number: u64,
    /// How often its present stage was asked for.
    tries: u32,
}

impl Join {
    /// Its membership is not sent again.
    pub(super) fn give_up(&mut self) {
        self.tries = WRITE_TRIES_MAX;
    }
}

impl Chat {
    pub(super) fn join(
        &mut self,
        id: RoomId,
        since: Option<Seq>,
        caller: Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        ctx.rooms.has_place_for(&id, caller.connection)?;
        let room = ctx.rooms.find(&id).ok_or_else(Refusal::room_access_denied)?;
        match access(room, &caller.user) {
            Access::Denied => return Err(Refusal::room_access_denied()),
            Access::MayJoin if room.members.len() >= ROOM_MEMBERS_MAX => {
                return Err(Refusal::room_full(room.members.len() + 1, ROOM_MEMBERS_MAX));
            }
            Access::MayJoin if ctx.fx.is_busy() => return Err(Refusal::busy()),
            Access::Inside => {
                let join = self.begin_join(id, since, caller);
                self.show(join, ctx);
            }
            Access::MayJoin => {
                let member = member(&id, &caller.user);
                let join = self.begin_join(id, since, caller);
                store_member(join, member, ctx);
            }
        }
        Ok(())
    }

    pub(super) fn begin_join(&mut self, room: RoomId, since: Option<Seq>, caller: Caller) -> Join {
        self.joins += 1;
        self.joining.insert((caller.connection, room.clone(), self.joins));
        Join { caller, room, since, number: self.joins, tries: 0 }
    }

    /// The join is over. Whether it still stood: else its connection left meanwhile, which it is told.
    fn end_join(&mut self, join: &Join, ctx: &mut Context<'_>) -> bool {
        let stood = self.joining.remove(&(join.caller.connection, join.room.clone(), join.number));
        ctx.rooms.pacing.end(join.caller.connection, &Turn::Join(join.room.clone(), join.number));
        if !self.is_joining(join.caller.connection, &join.room) {
            self.behind.release(join.caller.connection, &join.room);
        }
        if !stood {
            let refusal = Refusal::new(Code::ClientError, "the room was left meanwhile").recoverable();
            ctx.fx.refuse(&join.caller, &refused(&refusal));
        }
        stood
    }

    pub(super) fn refuse_join(&mut self, join: &Join, refusal: &Refusal, ctx: &mut Context<'_>) {
        if self.end_join(join, ctx) {
            ctx.fx.refuse(&join.caller, &refused(refusal));
        }
    }

    /// Somebody else made the room that the join was about to make: then it is there to be joined.
    pub(super) fn join_again(&mut self, join: Join, ctx: &mut Context<'_>) {
        if self.end_join(&join, ctx) {
            let Join { caller, room, since, .. } = join;
            if let Err((caller, refusal)) = self.apply(Command::Join { room, since }, caller, ctx) {
                ctx.fx.refuse(&caller, &refused(&refusal));
            }
        }
    }

    pub(super) fn on_membership(
        &mut self,
        join: Join,
        member: MemberRow,
        reply: StoreReply,
        ctx: &mut Context<'_>,
    ) {
        match ctx.rooms.find(&join.room).filter(|room| !room.closing) {
            Some(room) if matches!(reply, StoreReply::Committed(_)) => {
                room.members.insert(member.user.clone(), member);
                self.show(Join { tries: 0, ..join }, ctx);
            }
            // Written twice it is the same.
            Some(_) if reply == StoreReply::Unknown && join.tries < WRITE_TRIES_MAX => {
                store_member(join, member, ctx);
            }
            Some(_) => self.refuse_join(&join, &Refusal::store_unavailable(), ctx),
            None => self.refuse_join(&join, &Refusal::room_access_denied(), ctx),
        }
    }

    /// It is a join's turn. While it waited its room may have been changed, closed or left.
    pub fn on_turn(&mut self, place: (ConnectionId, RoomId, u64), ctx: &mut Context<'_>) {
        if place.1.kind == RoomKind::Supervisors {
            return self.on_desk_turn(place, ctx);
        }
        let Some(join) = self.in_line.remove(&place) else {
            let (who, room, number) = place;
            return ctx.rooms.pacing.end(who, &Turn::Join(room, number));
        };
        match ctx.rooms.touch(&join.room, ctx.fx.now).map(|room| access(room, &join.caller.user)) {
            Some(Access::Inside) => self.show(join, ctx),
            Some(Access::MayJoin | Access::Denied) | None => self.join_again(join, ctx),
        }
    }

    /// Whoever joined is gone before it was the join's turn.
    pub fn on_gone(&mut self, place: &(ConnectionId, RoomId, u64)) {
        self.in_line.remove(place);
        self.joining.remove(place);
        self.behind.forget(place.0, &place.1);
        self.on_comer_gone(&(place.0, place.2));
    }

    /// Shows a room to who may come in, when it is its turn: the first page at once, or when it is read.
    pub(super) fn show(&mut self, mut join: Join, ctx: &mut Context<'_>) {
        let who = join.caller.connection;
        if !ctx.rooms.knows(who) {
            self.end_join(&join, ctx);
            return;
        }
        let turn = Turn::Join(join.room.clone(), join.number);
        if !ctx.rooms.pacing.is_turn(who, &turn) {
            if ctx.rooms.pacing.is_full(who) {
                return self.refuse_join(&join, &Refusal::busy(), ctx);
            }
            ctx.rooms.pacing.line_up(who, turn);
            self.in_line.insert((who, join.room.clone(), join.number), join);
            return;
        }
        let Some(room) = ctx.rooms.find(&join.room) else {
            return self.refuse_join(&join, &Refusal::room_access_denied(), ctx);
        };
        // Who does not say what it has heard goes on where its user has read to, or where what is kept begins.
        let read = room.cursors.get(&join.caller.user.id).map(|read| (*read).max(room.kept_after()));
        let since = join.since.or(read);
        let reset = since.is_some_and(|since| room.is_out_of_reach(since));
        let since = since.filter(|_| !reset);
        match room.first_page(since) {
            FirstPage::Ready(entries) => self.let_in(join, since, reset, &entries, ctx),
            FirstPage::Read(request) => {
                join.tries += 1;
                ctx.fx.store(request, Pending::Chat(Waiting::FirstPage { join, since, reset }));
            }
        }
    }

    pub(super) fn on_first_page(
        &mut self,
        join: Join,
        since: Option<Seq>,
        reset: bool,
        reply: StoreReply,
        ctx: &mut Context<'_>,
    ) {
        let Some(room) = ctx.rooms.find(&join.room) else {
            return self.refuse_join(&join, &Refusal::room_access_denied(), ctx);
        };
        room.first_page_came();
        if access(room, &join.caller.user) != Access::Inside {
            return self.refuse_join(&join, &Refusal::room_access_denied(), ctx);
        }
        if let StoreReply::Entries { entries, head } = reply {
            if let Some(gone) = gone_between(since, &entries, head) {
                room.keep_after(gone);
                return self.show(join, ctx);
            }
            self.let_in(join, since, reset, &entries, ctx);
        } else if join.tries < READ_TRIES_MAX {
            self.show(join, ctx);
        } else {
            self.refuse_join(&join, &Refusal::store_unavailable(), ctx);
        }
    }

    /// Answers a join with its first page, and lets the caller in behind it.
    fn let_in(&mut self, join: Join, since: Option<Seq>, reset: bool, page: &[Entry], ctx: &mut Context<'_>) {
        if !self.end_join(&join, ctx) {
            return;
        }
        let Join { caller, room: id, .. } = join;
        // Whoever hung up while its page was read is not let in: nobody would ever take it out again.
        if !ctx.rooms.knows(caller.connection) {
            return;
        }
        // Other joins may have ended since this one began.
        if let Err(refusal) = ctx.rooms.has_place_for(&id, caller.connection) {
            return ctx.fx.refuse(&caller, &refused(&refusal));
        }
        let Some(room) = ctx.rooms.find(&id) else { return };
        let page = &page[..page.partition_point(|entry| entry.seq <= room.head())];
        let at = page.last().map(|last| last.seq).or(since).unwrap_or(room.head());
        let first = page.first().map_or(at.next(), |first| first.seq);
        let messages = page.iter().filter_map(chat_message).collect();
        if !room.is_present(caller.connection) {
            room.came(&caller, &mut ctx.fx);
            ctx.fx.log(room_record("room.join", &id, &caller));
        }
        // Whoever is made a member by a backend is known by id only until it comes.
        if let Some(member) = room.members.get_mut(&caller.user.id) {
            (member.name, member.user_type) = (caller.user.name.clone(), caller.user.user_type);
        }
        let answer = joined(room, messages, first > room.kept_after().next(), reset);
        ctx.rooms.show(&caller, &answer, &mut ctx.fx);
        self.show_typing(&id, &caller, ctx);
        ctx.rooms.enter(&id, caller, at, &mut ctx.fx);
    }

    pub(super) fn leave(&mut self, id: &RoomId, caller: &Caller, ctx: &mut Context<'_>) {
        let who = caller.connection;
        let under_way = (who, id.clone(), 0)..=(who, id.clone(), u64::MAX);
        let overtaken: Vec<_> = self.joining.range(under_way).cloned().collect();
        for place in &overtaken {
            self.joining.remove(place);
            if let Some(join) = self.in_line.remove(place) {
                self.end_join(&join, ctx);
            }
        }
        self.behind.release(who, id);
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
        self.stops_typing_on(id, caller, ctx);
    }
}

/// The last entry that went while a first page was read, if what was to follow did.
fn gone_between(since: Option<Seq>, entries: &[Entry], head: Seq) -> Option<Seq> {
    let first = entries.first().map_or(head.next(), |first| first.seq);
    since.filter(|since| *since < head && first > since.next()).map(|_| Seq(first.0 - 1))
}

fn store_member(mut join: Join, member: MemberRow, ctx: &mut Context<'_>) {
    join.tries += 1;
    let rows = vec![Change::Put(Row::Member(member.clone()))];
    let waiting = Waiting::Membership { join, member };
    ctx.fx.store(StoreRequest::Commit { appends: vec![], rows }, Pending::Chat(waiting));
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
