//! A room is a log with people in it. This folder is the gate between the two: every entry, whoever brings it,
//! passes `Room::arrive`, which tells entries once, in the order of their `seq`; whoever comes in reads what it
//! has missed before it hears anything new, at the pace at which its connection reads (`pacing`); an answer waits
//! until its connection has heard what precedes it.

mod appends;
mod gate;
mod pacing;
mod presence;
mod readers;
pub use appends::Submission;
pub use gate::Told;
pub use pacing::{Pacing, Turn};
pub use presence::{Change, PRESENCE_NAMES_MAX};
pub use readers::{FirstPage, NEWEST_ENTRIES_MAX};

use crate::action::{CloseCause, Recipients};
use crate::context::{Caller, Effects};
use crate::envelope::{Envelope, Event};
use crate::ids::{ConnectionId, RoomId, Seq, SocketId, UserId};
use crate::outbox::Class;
use crate::store::{Entry, MemberRow, RoomRecord, RoomRow, StoreReply};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How many rooms may be open at once.
pub const ROOMS_OPEN_MAX: usize = 100_000;
/// How long a room stays open with nobody in it; longer than any answer of the store takes.
pub const ROOM_IDLE_MAX: Duration = Duration::from_secs(60);

/// How many answers wait for one connection to hear what precedes them; with one more it is too slow.
pub const ANSWERS_HELD_MAX: usize = 1_024;

/// What a room waits for.
#[derive(Debug)]
pub enum Waiting {
    /// A page for the readers that wait at this place.
    Page {
        /// In which room.
        room: RoomId,
        /// After which place.
        after: Seq,
        /// How often it was asked for.
        tries: u32,
    },
    /// The entries that are missing between what was told and what came ahead.
    Gap {
        /// In which room.
        room: RoomId,
    },
    /// The commit of what was submitted.
    Append {
        /// To which room.
        room: RoomId,
    },
}

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
        let Some(room) = self.open.get_mut(id) else { return };
        let Some(joined) = self.joined.get_mut(&who.connection) else { return };
        if !joined.contains(id) {
            joined.push(id.clone());
        }
        room.enter(who, at, &mut self.pacing, fx);
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
        room.leave(who, fx)
    }

    /// The rooms that a connection is in.
    pub fn joined(&self, who: ConnectionId) -> &[RoomId] {
        self.joined.get(&who).map_or(&[], Vec::as_slice)
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

    /// Forgets rooms that nobody has used for a while.
    pub fn tidy(&mut self, now: Timestamp) {
        self.open.retain(|_, room| !room.is_unused() || now.since(room.used_at) < ROOM_IDLE_MAX);
    }

    /// How many rooms are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// What the store answered to a room. Returns what was told by it, for the room's app.
    pub fn on_stored(&mut self, waiting: Waiting, reply: StoreReply, fx: &mut Effects<'_>) -> Vec<Told> {
        let (Waiting::Page { room: id, .. } | Waiting::Gap { room: id } | Waiting::Append { room: id }) =
            &waiting;
        let Some(room) = self.open.get_mut(id) else { return Vec::new() };
        room.used_at = fx.now;
        match waiting {
            Waiting::Page { after, tries, .. } => room.on_page((after, tries), reply, &mut self.pacing, fx),
            Waiting::Gap { .. } => room.on_gap(reply, fx),
            Waiting::Append { .. } => room.on_appended(reply, fx),
        }
    }
}

/// One open room.
#[derive(Debug)]
pub struct Room {
    /// Which.
    pub id: RoomId,
    /// Its row in the directory; document sessions have none.
    pub row: Option<RoomRow>,
    /// Its members, present or not.
    pub members: BTreeMap<UserId, MemberRow>,
    /// Whether it is being deleted: nothing new is taken in.
    pub closing: bool,
    /// When it was last used.
    pub used_at: Timestamp,
    /// The last entry that was told.
    head: Seq,
    tail: VecDeque<Entry>,
    tail_bytes: usize,
    /// Entries that came before an earlier one, with their origin.
    ahead: BTreeMap<Seq, (Option<ConnectionId>, Entry)>,
    present: BTreeMap<ConnectionId, Box<Present>>,
    /// The sockets of the live ones by envelope, shared by all that is sent to them. Empty: to be made anew.
    live: Vec<(Envelope, Arc<[SocketId]>)>,
    /// Whether somebody's answer waits.
    holds_answers: bool,
    /// How many are readers.
    behind: usize,
    /// How many first pages are being read.
    first_pages: usize,
    /// The places from which a page is being read.
    reading: BTreeSet<Seq>,
    /// Whether what is missing is being read.
    mending: bool,
    appends: appends::Appends,
    presence: presence::Presence,
}

/// A connection that listens.
#[derive(Debug)]
struct Present {
    caller: Caller,
    standing: Standing,
    /// Answers that wait until everything before them is heard.
    answers: VecDeque<(Seq, Caller, Event)>,
}

/// How far a connection has heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// All that was told.
    Live,
    /// Up to this place; a page is being read for it.
    Reading(Seq),
    /// Up to this place; its turn is to come.
    Waiting(Seq),
}

impl Room {
    /// A room as the store hands it over, with nobody in it.
    pub fn open(record: RoomRecord, now: Timestamp) -> Self {
        let tail_bytes = record.tail.iter().map(|entry| entry.body.len()).sum();
        Self {
            id: record.id,
            row: record.room,
            members: record.members.into_iter().map(|member| (member.user.clone(), member)).collect(),
            closing: false,
            used_at: now,
            head: record.head,
            tail: record.tail.into(),
            tail_bytes,
            ahead: BTreeMap::new(),
            present: BTreeMap::new(),
            live: Vec::new(),
            holds_answers: false,
            behind: 0,
            first_pages: 0,
            reading: BTreeSet::new(),
            mending: false,
            appends: appends::Appends::default(),
            presence: presence::Presence::default(),
        }
    }

    /// The last entry that was told.
    pub fn head(&self) -> Seq {
        self.head
    }

    /// The connections that listen.
    pub fn present(&self) -> impl Iterator<Item = &Caller> {
        self.present.values().map(|present| &present.caller)
    }

    /// Whether this connection listens.
    pub fn is_present(&self, who: ConnectionId) -> bool {
        self.present.contains_key(&who)
    }

    /// Answers a call whose result stands at `at`: now, or when its connection has heard what precedes it.
    pub fn answer(&mut self, to: Caller, at: Seq, event: Event, fx: &mut Effects<'_>) {
        let head = self.head;
        match self.present.get_mut(&to.connection) {
            Some(present) if present.heard(head) < at && present.answers.len() >= ANSWERS_HELD_MAX => {
                fx.close(to.connection, CloseCause::TooSlow);
            }
            Some(present) if present.heard(head) < at => {
                present.answers.push_back((at, to, event));
                self.holds_answers = true;
            }
            Some(_) | None => fx.reply(&to, &event),
        }
    }

    /// Tells everybody here something that is not kept, `except` left out.
    pub fn signal(&mut self, event: &Event, class: Class, except: Option<SocketId>, fx: &mut Effects<'_>) {
        let behind = self.present.values().filter(|present| present.standing != Standing::Live);
        for present in behind.filter(|present| Some(present.caller.socket) != except) {
            fx.tell(&present.caller, event, class);
        }
        self.tell_live(event, class, except, fx);
    }

    /// Encodes once for every envelope that is spoken here, and sends it to all who are live.
    fn tell_live(&mut self, event: &Event, class: Class, except: Option<SocketId>, fx: &mut Effects<'_>) {
        if self.live.is_empty() {
            self.list_live();
        }
        for (envelope, sockets) in &self.live {
            let frame = envelope.encode(event, None);
            fx.stats.messages_out += sockets.len() as u64;
            let to = Recipients::Many { sockets: sockets.clone(), except };
            fx.actions.push(crate::action::Action::Send { to, frame, class });
        }
    }

    fn list_live(&mut self) {
        let mut lists: BTreeMap<Envelope, Vec<SocketId>> = BTreeMap::new();
        for present in self.present.values().filter(|present| present.standing == Standing::Live) {
            lists.entry(present.caller.envelope).or_default().push(present.caller.socket);
        }
        self.live = Vec::with_capacity(lists.len());
        self.live.extend(lists.into_iter().map(|(envelope, sockets)| (envelope, sockets.into())));
    }

    /// Takes a connection out. Its answers that still wait are sent: nothing more precedes them for it.
    pub fn leave(&mut self, who: ConnectionId, fx: &mut Effects<'_>) -> Option<Caller> {
        let present = self.take_out(who)?;
        present.answers.iter().for_each(|(_, to, event)| fx.reply(to, event));
        Some(present.caller)
    }

    fn take_out(&mut self, who: ConnectionId) -> Option<Box<Present>> {
        let present = self.present.remove(&who)?;
        if present.standing == Standing::Live {
            self.live.clear();
        } else {
            self.behind -= 1;
        }
        Some(present)
    }
}

impl Present {
    /// How far it has heard, when `head` is how far was told.
    fn heard(&self, head: Seq) -> Seq {
        match self.standing {
            Standing::Live => head,
            Standing::Reading(at) | Standing::Waiting(at) => at,
        }
    }
}
