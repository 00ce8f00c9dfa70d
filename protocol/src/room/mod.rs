//! A room is a log with people in it. This folder is the gate between the two: every entry, whoever brings it,
//! passes `Room::arrive`, which tells entries once, in the order of their `seq`; whoever comes in reads what it
//! has missed before it hears anything new, at the pace at which its connection reads (`pacing`); an answer waits
//! until its connection has heard what precedes it.

mod appends;
mod audience;
mod folding;
mod gate;
mod judged;
mod live;
mod pacing;
mod parking;
mod presence;
mod readers;
mod rooms;
mod trail;
pub use appends::{Delivered, Origin, PostId, QUEUED_ENTRIES_MAX, QUEUED_EVENTS_MAX, Submission};
pub use audience::Audience;
pub use folding::Replayed;
pub use gate::Told;
pub use judged::{Appended, JudgedIn, Under};
pub use pacing::{Pacing, Turn};
pub use parking::Parking;
pub use presence::{Change, PRESENCE_INTERVAL, PRESENCE_NAMES_MAX};
pub use readers::{FirstPage, NEWEST_ENTRIES_MAX};
pub use rooms::Rooms;

use crate::action::CloseCause;
use crate::context::{Caller, Effects};
use crate::envelope::Event;
use crate::ids::{ConnectionId, RoomId, Seq, UserId};
use crate::outbox::Class;
use crate::store::{Entry, MemberRow, RoomRecord, RoomRow};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

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
    /// The commit of what was judged.
    Judged {
        /// For which room.
        room: RoomId,
    },
    /// A page of what is replayed.
    Replay {
        /// In which room.
        room: RoomId,
        /// After which place.
        after: Seq,
        /// How often it was asked for.
        tries: u32,
    },
    /// The commit of a piece of a snapshot.
    Snapshot {
        /// Of which room.
        room: RoomId,
        /// How often it was sent.
        tries: u32,
    },
}

impl Waiting {
    /// The room that waits.
    fn room(&self) -> &RoomId {
        match self {
            Self::Page { room, .. }
            | Self::Gap { room }
            | Self::Append { room }
            | Self::Judged { room }
            | Self::Replay { room, .. }
            | Self::Snapshot { room, .. } => room,
        }
    }
}

/// One open room.
#[derive(Debug)]
pub struct Room {
    /// Which.
    pub id: RoomId,
    /// Its row in the directory; document sessions have none.
    pub row: Option<Box<RoomRow>>,
    /// Its members, present or not.
    pub members: BTreeMap<UserId, MemberRow>,
    /// How far users have read.
    pub cursors: BTreeMap<UserId, Seq>,
    /// Whether it is being deleted: nothing new is taken in.
    pub closing: bool,
    /// When it was last used.
    pub used_at: Timestamp,
    /// The last entry that was told.
    head: Seq,
    /// The last entry that is not kept any more.
    kept_after: Seq,
    tail: VecDeque<Entry>,
    tail_bytes: usize,
    /// Entries that came before an earlier one, with their origin.
    ahead: BTreeMap<Seq, (Option<ConnectionId>, Entry)>,
    present: BTreeMap<ConnectionId, Box<Present>>,
    /// The live ones by envelope, shared by all that is sent to them. Empty: to be made anew.
    live: Vec<live::Live>,
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
    /// Until when it stays open for who may come back.
    held_until: Timestamp,
    numbers: Option<Box<trail::Numbers>>,
    appends: appends::Appends,
    folding: folding::Folding,
    judged: judged::Judged,
    presence: presence::Presence,
}

/// A connection that listens.
#[derive(Debug)]
struct Present {
    caller: Caller,
    standing: Standing,
    /// Answers that wait until everything before them is heard.
    answers: VecDeque<(Seq, Caller, Event)>,
    /// Set for who may come back after being cut off.
    trail: Option<Box<trail::Trail>>,
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
            row: record.room.map(Box::new),
            members: record.members.into_iter().map(|member| (member.user.clone(), member)).collect(),
            cursors: record.cursors.into_iter().collect(),
            closing: false,
            used_at: now,
            head: record.head,
            kept_after: record.kept_after,
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
            held_until: Timestamp::default(),
            numbers: None,
            appends: appends::Appends::default(),
            folding: folding::Folding::of(record.snapshot, record.head),
            judged: judged::Judged::default(),
            presence: presence::Presence::default(),
        }
    }

    /// The last entry that was told.
    pub fn head(&self) -> Seq {
        self.head
    }

    /// The last entry that is not kept any more: what the room shows begins behind it.
    pub fn kept_after(&self) -> Seq {
        self.kept_after
    }

    /// What stands up to this place is not shown any more, because it is about to go or has gone.
    pub fn keep_after(&mut self, upto: Seq) {
        self.kept_after = self.kept_after.max(upto.min(self.head));
        while let Some(gone) = self.tail.pop_front_if(|first| first.seq <= self.kept_after) {
            self.tail_bytes -= gone.body.len();
        }
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
    pub fn signal(
        &mut self,
        event: &Event,
        class: Class,
        except: Option<ConnectionId>,
        fx: &mut Effects<'_>,
    ) {
        self.signal_to(&Audience::All, event, class, except, fx);
    }

    /// The same to some of them. How many connections it was sent to.
    pub fn signal_to(
        &mut self,
        audience: &Audience,
        event: &Event,
        class: Class,
        except: Option<ConnectionId>,
        fx: &mut Effects<'_>,
    ) -> usize {
        let mut told = 0;
        let behind = self.present.values().filter(|present| present.standing != Standing::Live);
        for Present { caller, .. } in behind.map(|present| &**present) {
            if Some(caller.connection) != except && audience.hears(self.members.get(&caller.user.id)) {
                fx.tell(caller.connection, caller.envelope, event, class);
                told += 1;
            }
        }
        let heard = self.tell_live(audience, event, class, except, fx);
        heard.number.into_iter().for_each(|number| self.number_notice(number));
        told + heard.by
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
