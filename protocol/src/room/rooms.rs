//! All open rooms, and who is in which.

use super::{Pacing, Room, Told, Turn, Waiting};
use crate::context::{Caller, Effects};
use crate::envelope::Event;
use crate::frame::Frame;
use crate::ids::{ConnectionId, RoomId, RoomKind, Seq};
use crate::outbox::Class;
use crate::refusal::{Code, Refusal};
use crate::store::{RoomRecord, StoreReply};
use crate::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How long a room stays open with nobody in it; longer than any answer of the store takes.
pub const ROOM_IDLE_MAX: Duration = Duration::from_secs(60);
/// How many rooms may be open at once.
pub const ROOMS_OPEN_MAX: usize = 100_000;
/// How many rooms one connection may join; those that it is in by right do not count.
const ROOMS_PER_CONNECTION_MAX: usize = 128;

/// Every open room, and who is in which.
#[derive(Debug, Default)]
pub struct Rooms {
    // A node of the tree has room for eleven rooms, and few nodes are full.
    open: BTreeMap<RoomId, Box<Room>>,
    /// Every connection that may be in rooms, and those it is in. Who has gone meanwhile is let into none.
    joined: BTreeMap<ConnectionId, Vec<RoomId>>,
    /// Whose turn it is to be sent what it has missed, for each connection.
    pub pacing: Pacing,
    /// Rooms, open or not, that are being deleted, and how many times over.
    removals: BTreeMap<RoomId, u32>,
}

impl Rooms {
    /// The room, if it is open.
    pub fn find(&mut self, id: &RoomId) -> Option<&mut Room> {
        self.open.get_mut(id).map(|room| &mut **room)
    }

    /// The room, if it is open; it is used now.
    pub fn touch(&mut self, id: &RoomId, now: Timestamp) -> Option<&mut Room> {
        let room = self.open.get_mut(id)?;
        room.used_at = now;
        Some(room)
    }

    /// Whether no further room may be opened now.
    pub fn is_full(&self) -> bool {
        self.open.len() >= ROOMS_OPEN_MAX
    }

    /// Opens a room as the store hands it over; one that is open already stays as it is.
    pub fn open(&mut self, record: RoomRecord, now: Timestamp) -> &mut Room {
        let id = record.id.clone();
        let closing = self.removals.contains_key(&record.id);
        let open = || Box::new(Room { closing, ..Room::open(record, now) });
        self.open.entry(id).or_insert_with(open)
    }

    /// A room is to be deleted: from here on nothing new is taken in, whoever opens it.
    pub fn removal_begins(&mut self, id: &RoomId) {
        *self.removals.entry(id.clone()).or_default() += 1;
        if let Some(room) = self.open.get_mut(id) {
            room.closing = true;
        }
    }

    /// A room was deleted, or will not be.
    pub fn removal_ends(&mut self, id: &RoomId) {
        let Some(removals) = self.removals.get_mut(id) else { return };
        *removals -= 1;
        if *removals == 0 {
            self.removals.remove(id);
        }
        let closing = self.removals.contains_key(id);
        if let Some(room) = self.open.get_mut(id) {
            room.closing = closing;
        }
    }

    /// Whether a room, open or not, is being deleted.
    pub fn is_being_removed(&self, id: &RoomId) -> bool {
        self.removals.contains_key(id)
    }

    /// A connection came that may be in rooms.
    pub fn welcome(&mut self, who: ConnectionId) {
        self.joined.insert(who, Vec::new());
    }

    /// A connection is gone and out of all its rooms. Returns the turns that it waited for.
    pub fn forget(&mut self, who: ConnectionId) -> VecDeque<Turn> {
        self.joined.remove(&who);
        self.pacing.forget(who)
    }

    /// Whether the connection may still be in rooms.
    pub fn knows(&self, who: ConnectionId) -> bool {
        self.joined.contains_key(&who)
    }

    /// Lets a connection into an open room, having seen everything up to `at`.
    pub fn enter(&mut self, id: &RoomId, who: Caller, at: Seq, fx: &mut Effects<'_>) {
        self.resume(id, who, (at, Vec::new()), fx);
    }

    /// The same, and what is its own behind `at` it is not to hear.
    pub fn resume(&mut self, id: &RoomId, who: Caller, (at, own): (Seq, Vec<Seq>), fx: &mut Effects<'_>) {
        let Some(room) = self.open.get_mut(id) else { return };
        let Some(joined) = self.joined.get_mut(&who.connection) else { return };
        if !joined.contains(id) {
            // Most are in one.
            if joined.is_empty() {
                joined.reserve_exact(1);
            }
            joined.push(id.clone());
        }
        room.enter(who, (at, own), &mut self.pacing, fx);
    }

    /// Answers a join with what it shows of the log, at the pace at which its connection reads.
    pub fn show(&mut self, to: &Caller, answer: &Event, fx: &mut Effects<'_>) {
        let frames = fx.answer(to, answer);
        self.show_frames(to.connection, frames, fx);
    }

    /// The same, where the answer is written already.
    pub fn show_frames(&mut self, to: ConnectionId, mut frames: Vec<Frame>, fx: &mut Effects<'_>) {
        let bytes = frames.iter().map(Frame::len).sum();
        let class = self.pacing.sends(to, bytes, false);
        let last = frames.pop();
        frames.into_iter().for_each(|frame| fx.send(to, frame, Class::Kept));
        last.into_iter().for_each(|frame| fx.send(to, frame, class));
    }

    /// A room's gap is to be read again.
    pub fn on_gap_due(&mut self, id: &RoomId, fx: &mut Effects<'_>) {
        if let Some(room) = self.open.get_mut(id) {
            room.on_gap_due(fx);
        }
    }

    /// Takes a connection out of one room.
    pub fn leave(&mut self, id: &RoomId, who: ConnectionId, fx: &mut Effects<'_>) -> Option<Caller> {
        if let Some(joined) = self.joined.get_mut(&who) {
            joined.retain(|room| room != id);
        }
        self.pacing.end(who, &Turn::Page(id.clone()));
        let room = self.open.get_mut(id)?;
        room.used_at = fx.now;
        // What it was told of the room cannot be told again to who comes back without it.
        fx.transports.sent_alone(who, fx.transports.last_offset());
        room.leave(who, fx)
    }

    /// A connection is reached in another way from now on.
    pub fn moved(&mut self, who: ConnectionId) {
        for id in self.joined.get(&who).into_iter().flatten() {
            if let Some(room) = self.open.get_mut(id) {
                room.moved();
            }
        }
    }

    /// The rooms that a connection is in.
    pub fn joined(&self, who: ConnectionId) -> &[RoomId] {
        self.joined.get(&who).map_or(&[], Vec::as_slice)
    }

    /// Whether a connection may be in this room too, among as many as it may be in.
    pub fn has_place_for(&self, id: &RoomId, who: ConnectionId) -> Result<(), Refusal> {
        let joined = self.joined(who);
        let by_right =
            |room: &&RoomId| matches!(room.kind, RoomKind::User | RoomKind::Everyone | RoomKind::Supervisors);
        let by_right = joined.iter().filter(by_right).count();
        match joined.len() - by_right >= ROOMS_PER_CONNECTION_MAX && !joined.contains(id) {
            true => {
                let message =
                    format!("a connection may be in {ROOMS_PER_CONNECTION_MAX} rooms, not in one more");
                Err(Refusal::new(Code::ClientError, message))
            }
            false => Ok(()),
        }
    }

    /// Every open room of a kind.
    pub fn of_kind(&self, kind: RoomKind) -> impl Iterator<Item = &Room> {
        let first = RoomId { kind, name: "".into() };
        self.open.range(first..).take_while(move |(id, _)| id.kind == kind).map(|(_, room)| &**room)
    }

    /// How many connections are in rooms, one in two rooms counted twice.
    pub fn members_len(&self) -> usize {
        self.joined.values().map(Vec::len).sum()
    }

    /// How many connections may be in rooms.
    pub fn joined_len(&self) -> usize {
        self.joined.len()
    }

    /// It is a connection's turn to be sent the next page of a room.
    pub fn on_turn(&mut self, id: &RoomId, who: ConnectionId, fx: &mut Effects<'_>) {
        match self.open.get_mut(id) {
            Some(room) => room.on_turn(who, &mut self.pacing, fx),
            None => self.pacing.end(who, &Turn::Page(id.clone())),
        }
    }

    /// Forgets a room at once. Who waits for something to be stored in it hears that there is none.
    pub fn remove(&mut self, id: &RoomId, fx: &mut Effects<'_>) {
        if let Some(mut room) = self.open.remove(id) {
            let turn = Turn::Page(id.clone());
            room.present.keys().for_each(|who| self.pacing.end(*who, &turn));
            room.refuse_appends(fx);
        }
    }

    /// Forgets rooms that nobody has used for a while, and no app needs for its state. Returns those whose app keeps a state.
    pub fn tidy(&mut self, now: Timestamp, is_needed: impl Fn(&RoomId) -> bool) -> Vec<RoomId> {
        let mut forgotten = Vec::new();
        self.open.retain(|id, room| {
            let used = !room.is_unused() || now < room.held_until || now.since(room.used_at) < ROOM_IDLE_MAX;
            let stays = used || (id.kind.is_folded() && is_needed(id));
            if !stays && id.kind.is_folded() {
                forgotten.push(id.clone());
            }
            stays
        });
        forgotten
    }

    /// How many rooms are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// What the store answered to a room. Returns what was told by it, for the room's app.
    pub fn on_stored(&mut self, waiting: Waiting, reply: StoreReply, fx: &mut Effects<'_>) -> Vec<Told> {
        let id = waiting.room();
        let Some(room) = self.open.get_mut(id) else { return Vec::new() };
        room.used_at = fx.now;
        match waiting {
            Waiting::Page { after, tries, .. } => room.on_page((after, tries), reply, &mut self.pacing, fx),
            Waiting::Gap { .. } => room.on_gap(reply, fx),
            Waiting::Append { .. } => room.on_appended(reply, fx),
            Waiting::Judged { .. } => {
                room.on_judged(reply, fx);
                Vec::new()
            }
            Waiting::Replay { after, tries, .. } => {
                room.on_replay((after, tries), reply, fx);
                Vec::new()
            }
            Waiting::Snapshot { tries, .. } => {
                room.on_piece_stored(tries, &reply, fx);
                Vec::new()
            }
        }
    }
}
