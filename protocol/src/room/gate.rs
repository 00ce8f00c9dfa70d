//! Entries come in, are put in order, and are told once.

use super::{Appended, Room, Standing, Waiting};
use crate::apps;
use crate::context::Effects;
use crate::ids::{ConnectionId, RoomKind, Seq};
use crate::outbox::Class;
use crate::store::{Entry, StoreReply, StoreRequest, TAIL_BYTES_MAX, TAIL_ENTRIES_MAX};
use crate::tickets::Pending;
use crate::timers::Timer;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How many entries that came too early are held; further ones are read from the log when their turn comes.
const AHEAD_ENTRIES_MAX: usize = 1_024;
/// How much of the log is held while somebody reads up to it.
const TAIL_BYTES_WHILE_READ_MAX: usize = 1 << 20;
/// How long after a read for a gap that brought nothing it is asked for again.
const GAP_RETRY: Duration = Duration::from_secs(1);
/// How many entries one read for a gap asks for.
const GAP_ENTRIES_MAX: u32 = 1_000;

/// An entry that was told just now, and the connection it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Whose command it was, on this node.
    pub origin: Option<ConnectionId>,
    /// What was told.
    pub entry: Entry,
    /// How many connections were sent it at once.
    pub delivered: usize,
}

impl Room {
    /// Takes in entries, in any order and any number of times, and tells those whose turn it is to all who are
    /// live but their origin. Returns these. What is missing before the others is read from the log.
    pub fn arrive(
        &mut self,
        origin: Option<ConnectionId>,
        entries: Vec<Entry>,
        fx: &mut Effects<'_>,
    ) -> Vec<Told> {
        let mut told = Vec::new();
        for entry in entries {
            if entry.seq == self.head.next() {
                // Whoever brought it first is its origin.
                let (origin, entry) = self.ahead.remove(&entry.seq).unwrap_or((origin, entry));
                told.push(self.tell(origin, entry, fx));
            } else if entry.seq > self.head && self.ahead.len() < AHEAD_ENTRIES_MAX {
                self.ahead.entry(entry.seq).or_insert((origin, entry));
            }
        }
        while let Some((origin, entry)) = self.ahead.remove(&self.head.next()) {
            told.push(self.tell(origin, entry, fx));
        }
        if self.ahead.is_empty() {
            // An emptied map would keep a node of eleven entries for as long as the room is open.
            self.ahead = BTreeMap::new();
        }
        self.mend(fx);
        told
    }

    /// The place after which entries are missing, if some came ahead of them, or are known to be stored.
    pub fn missing(&self) -> Option<Seq> {
        (!self.ahead.is_empty() || self.judged.known > self.head).then_some(self.head)
    }

    fn tell(&mut self, origin: Option<ConnectionId>, entry: Entry, fx: &mut Effects<'_>) -> Told {
        self.head = entry.seq;
        let delivered = self.tell_entry(origin, &entry, fx);
        self.note_for_folding(&entry);
        self.keep(entry.clone());
        self.release_answers(fx);
        Told { origin, entry, delivered }
    }

    fn tell_entry(&mut self, origin: Option<ConnectionId>, entry: &Entry, fx: &mut Effects<'_>) -> usize {
        // The chat tells it: it knows which supervisors have heard it in the room that it is about.
        if self.id.kind == RoomKind::Supervisors {
            return 0;
        }
        let Some(event) = apps::told(entry) else { return 0 };
        let heard = self.tell_live(&apps::audience(entry), &event, Class::Kept, origin, fx);
        if let Some(number) = heard.number {
            self.number(entry.seq, number, origin);
        }
        heard.by
    }

    fn keep(&mut self, entry: Entry) {
        // A session's one reader has read its log before it comes in.
        if self.id.kind == RoomKind::Document && !self.is_being_read() {
            (self.tail, self.tail_bytes) = (VecDeque::new(), 0);
            return;
        }
        self.tail_bytes += entry.body.len();
        self.tail.push_back(entry);
        let (entries_max, bytes_max) = match self.is_being_read() {
            true => (usize::MAX, TAIL_BYTES_WHILE_READ_MAX),
            false => (TAIL_ENTRIES_MAX, TAIL_BYTES_MAX),
        };
        while self.tail.len() > 1 && (self.tail.len() > entries_max || self.tail_bytes > bytes_max) {
            self.tail_bytes -= self.tail.pop_front().map_or(0, |entry| entry.body.len());
        }
    }

    /// Whether somebody is on the way to what is told now.
    pub(super) fn is_being_read(&self) -> bool {
        self.behind > 0 || self.first_pages > 0 || !self.reading.is_empty()
    }

    /// Whether somebody is on the way to what is told now, and has not come to this place yet.
    pub fn is_read_before(&self, upto: Seq) -> bool {
        let mut present = self.present.values();
        self.first_pages > 0
            || self.reading.first().is_some_and(|at| *at < upto)
            || self.behind > 0 && present.any(|present| present.heard(self.head) < upto)
    }

    /// Whether nobody is here and nothing is under way.
    pub(super) fn is_unused(&self) -> bool {
        self.present.is_empty()
            && !self.is_being_read()
            && !self.mending
            && !self.folding.is_under_way()
            && self.appends_nothing()
    }

    /// The held entries after a place, if the tail reaches back to it.
    pub(super) fn tail_after(&self, after: Seq) -> Option<impl Iterator<Item = &Entry>> {
        let first = self.tail.front().map_or(self.head.next(), |entry| entry.seq);
        let skipped = after.next().0.checked_sub(first.0)?;
        Some(self.tail.iter().skip(skipped as usize))
    }

    /// Sends the answers of those who are live and have heard what precedes them.
    fn release_answers(&mut self, fx: &mut Effects<'_>) {
        if !self.holds_answers {
            return;
        }
        for present in self.present.values_mut().filter(|present| present.standing == Standing::Live) {
            present.release(self.head, fx);
        }
        self.holds_answers = self.present.values().any(|present| !present.answers.is_empty());
    }

    /// Reads what is missing, one read at a time.
    pub(super) fn mend(&mut self, fx: &mut Effects<'_>) {
        let Some(after) = self.missing().filter(|_| !self.mending) else { return };
        self.mending = true;
        let request = StoreRequest::Read { room: self.id.clone(), after, max: GAP_ENTRIES_MAX };
        fx.store(request, Pending::Room(Waiting::Gap { room: self.id.clone() }));
    }

    pub(super) fn on_gap(&mut self, reply: StoreReply, fx: &mut Effects<'_>) -> Vec<Told> {
        if let StoreReply::Entries { mut entries, head } = reply {
            self.judged.known = self.judged.known.min(head);
            if self.missing().is_none() {
                self.mending = false;
                if self.judged.out.is_empty() {
                    // Whoever waits for it to judge again need not wait any more.
                    fx.judged.push((self.id.clone(), Appended::Stale));
                }
                return Vec::new();
            }
            // What is being stored here comes with its answer, which its sender has before anything that follows.
            entries.truncate(entries.iter().take_while(|entry| !self.is_on_its_way(entry)).count());
            if !entries.is_empty() {
                self.mending = false;
                return self.arrive(None, entries, fx);
            }
        }
        fx.timers.set(fx.now + GAP_RETRY, Timer::Gap(self.id.clone()));
        Vec::new()
    }

    /// The wait after a read for a gap that brought nothing is over.
    pub(super) fn on_gap_due(&mut self, fx: &mut Effects<'_>) {
        self.mending = false;
        self.mend(fx);
    }
}
