//! Catching up: pages from the tail or the log until a reader has reached what is told now.

use super::trail::Trail;
use super::{Pacing, Present, Room, Standing, Told, Turn, Waiting};
use crate::action::CloseCause;
use crate::apps;
use crate::context::{Caller, Effects};
use crate::envelope::Envelope;
use crate::frame::Frame;
use crate::ids::{ConnectionId, Seq};
use crate::outbox::Class;
use crate::store::{Entry, MemberRow, PAGE_BYTES_MAX, StoreReply, StoreRequest};
use crate::tickets::Pending;
use std::collections::BTreeMap;

/// How many entries a page holds.
pub const PAGE_ENTRIES_MAX: usize = 200;
/// How many entries who comes for the first time is shown.
pub const NEWEST_ENTRIES_MAX: usize = 50;
/// Who is further behind than this is shown the newest page and told so.
pub const BEHIND_MAX: u64 = 10_000;
/// How often a page is asked for before its readers are let go.
const READ_TRIES_MAX: u32 = 3;

/// The frames of a page by envelope; `None`: an entry that nobody is told.
type Frames = BTreeMap<(Envelope, Seq), Option<Frame>>;

/// What a room shows to who comes in.
#[derive(Debug)]
pub enum FirstPage {
    /// These entries.
    Ready(Vec<Entry>),
    /// What this request brings.
    Read(StoreRequest),
}

impl Room {
    /// Whether `since` is too far away for catching up: beyond the log's end, before what is kept, or too many entries
    /// behind.
    pub fn is_out_of_reach(&self, since: Seq) -> bool {
        since > self.head || since < self.kept_after || self.head.0 - since.0 > BEHIND_MAX
    }

    /// After which place the newest entries are.
    pub fn before_newest(&self) -> Seq {
        Seq(self.head.0.saturating_sub(NEWEST_ENTRIES_MAX as u64)).max(self.kept_after)
    }

    /// The first entries after `since`, or the newest. While they are read the tail is held; the answer to
    /// the read goes with `first_page_came`.
    pub fn first_page(&mut self, since: Option<Seq>) -> FirstPage {
        let (after, max) = match since {
            Some(since) => (since, PAGE_ENTRIES_MAX),
            None => (self.before_newest(), NEWEST_ENTRIES_MAX),
        };
        if let Some(entries) = self.tail_after(after) {
            return FirstPage::Ready(bounded(entries.cloned(), max));
        }
        self.first_pages += 1;
        let room = self.id.clone();
        FirstPage::Read(match since {
            Some(after) => StoreRequest::Read { room, after, max: max as u32 },
            None => StoreRequest::Before { room, before: self.head.next(), max: max as u32 },
        })
    }

    /// A first page was read, or could not be.
    pub fn first_page_came(&mut self) {
        // The room may be another one of the same name by now.
        self.first_pages = self.first_pages.saturating_sub(1);
    }

    /// Lets a connection in that has seen everything up to `at`. What came since follows, before anything new.
    pub(super) fn enter(
        &mut self,
        who: Caller,
        (at, own): (Seq, Vec<Seq>),
        pacing: &mut Pacing,
        fx: &mut Effects<'_>,
    ) {
        let connection = who.connection;
        pacing.end(connection, &Turn::Page(self.id.clone()));
        let answers = self.take_out(connection).map(|before| before.answers).unwrap_or_default();
        self.behind += 1;
        let keeps_trail = fx.recovers(who.envelope) || !own.is_empty();
        let trail = keeps_trail.then(|| Box::new(Trail::skipping(own)));
        let present = Present { caller: who, standing: Standing::Waiting(at), answers, trail };
        self.present.insert(connection, Box::new(present));
        match at >= self.head {
            true => self.set_standing(connection, Standing::Live, fx),
            false => pacing.line_up(connection, Turn::Page(self.id.clone())),
        }
    }

    /// Brings a reader whose turn it is one step on: to the end of the tail, where it becomes live; to the end of
    /// a page, which must go out first; or to a read of the log.
    pub(super) fn on_turn(&mut self, who: ConnectionId, pacing: &mut Pacing, fx: &mut Effects<'_>) {
        let standing = self.present.get(&who).map(|present| present.standing);
        let Some(Standing::Waiting(at)) = standing else {
            return pacing.end(who, &Turn::Page(self.id.clone()));
        };
        let Some(entries) = self.tail_after(at) else {
            self.set_standing(who, Standing::Reading(at), fx);
            if self.reading.insert(at) {
                self.read_page(at, 1, fx);
            }
            return;
        };
        let page = bounded(entries.cloned(), PAGE_ENTRIES_MAX);
        self.deliver(&page, &[who], pacing, fx);
    }

    fn read_page(&mut self, after: Seq, tries: u32, fx: &mut Effects<'_>) {
        let request = StoreRequest::Read { room: self.id.clone(), after, max: PAGE_ENTRIES_MAX as u32 };
        fx.store(request, Pending::Room(Waiting::Page { room: self.id.clone(), after, tries }));
    }

    pub(super) fn on_page(
        &mut self,
        (after, tries): (Seq, u32),
        reply: StoreReply,
        pacing: &mut Pacing,
        fx: &mut Effects<'_>,
    ) -> Vec<Told> {
        let waits = |present: &Present| present.standing == Standing::Reading(after);
        let readers: Vec<_> =
            self.present.iter().filter(|(_, present)| waits(present)).map(|(who, _)| *who).collect();
        let failed = matches!(reply, StoreReply::Unavailable | StoreReply::Unknown);
        if failed && tries < READ_TRIES_MAX && !readers.is_empty() {
            self.read_page(after, tries + 1, fx);
            return Vec::new();
        }
        self.reading.remove(&after);
        let mut page = if let StoreReply::Entries { entries, .. } = reply { entries } else { Vec::new() };
        if page.first().is_some_and(|first| first.seq == after.next()) {
            page.retain(|entry| entry.seq <= self.head);
            self.deliver(&page, &readers, pacing, fx);
        } else {
            readers.iter().for_each(|reader| fx.close(*reader, CloseCause::Overloaded));
        }
        Vec::new()
    }

    /// Sends a page to readers that wait at its beginning. Who has then heard everything is live, unless it has
    /// been sent so much that it must go out first; for the others the next page follows at their next turn.
    fn deliver(
        &mut self,
        page: &[Entry],
        readers: &[ConnectionId],
        pacing: &mut Pacing,
        fx: &mut Effects<'_>,
    ) {
        let reached = page.last().map_or(self.head, |last| last.seq);
        let mut frames = BTreeMap::new();
        for reader in readers {
            let Some(present) = self.present.get_mut(reader) else { continue };
            let member = self.members.get(&present.caller.user.id);
            let class = present.hear(page, member, reached < self.head, &mut frames, pacing, fx);
            let turn = Turn::Page(self.id.clone());
            pacing.end(*reader, &turn);
            if reached >= self.head && class != Some(Class::Page) {
                self.set_standing(*reader, Standing::Live, fx);
            } else {
                self.set_standing(*reader, Standing::Waiting(reached), fx);
                pacing.line_up(*reader, turn);
            }
        }
    }

    fn set_standing(&mut self, who: ConnectionId, standing: Standing, fx: &mut Effects<'_>) {
        let Some(present) = self.present.get_mut(&who) else { return };
        let (was_live, is_live) = (present.standing == Standing::Live, standing == Standing::Live);
        present.standing = standing;
        if !was_live && is_live {
            self.behind -= 1;
            self.live.clear();
            if let Some(trail) = &mut present.trail {
                trail.live_since = fx.transports.last_offset();
                trail.skip = Vec::new();
            }
            present.release(self.head, fx);
        }
    }
}

impl Present {
    /// Sends a page, encoded once for each envelope, with the answers that stand in it. How the last frame went, if
    /// anything was sent.
    fn hear(
        &mut self,
        page: &[Entry],
        member: Option<&MemberRow>,
        more: bool,
        frames: &mut Frames,
        pacing: &mut Pacing,
        fx: &mut Effects<'_>,
    ) -> Option<Class> {
        let envelope = self.caller.envelope;
        let mut sending = Vec::new();
        // Numbers grow along a connection, so what stands between answers is not shared.
        let (mut own, shares) = (Frames::new(), self.answers.is_empty());
        let frames = if shares { frames } else { &mut own };
        for entry in page {
            let hears = apps::audience(entry).hears(member);
            if self.answers_at(entry.seq, &mut sending, fx) || self.skips(entry.seq) || !hears {
                continue;
            }
            let frame = frames.entry((envelope, entry.seq)).or_insert_with(|| {
                apps::told(entry).and_then(|event| {
                    let mark = fx.mark(envelope, Class::Kept);
                    envelope.encode(&event, &mark)
                })
            });
            sending.extend(frame.clone());
        }
        let bytes = sending.iter().map(Frame::len).sum();
        let last = sending.pop()?;
        for frame in sending {
            fx.send(self.caller.connection, frame, Class::Kept);
        }
        let class = pacing.sends(self.caller.connection, bytes, more);
        fx.send(self.caller.connection, last, class);
        Some(class)
    }

    /// The answers that stand at `at` or before; who has its answer does not hear the entry besides.
    fn answers_at(&mut self, at: Seq, sending: &mut Vec<Frame>, fx: &mut Effects<'_>) -> bool {
        let mut answered = false;
        while let Some((place, to, event)) = self.answers.pop_front_if(|(place, ..)| *place <= at) {
            answered |= place == at;
            sending.extend(fx.answer(&to, &event));
        }
        answered
    }

    /// Sends the answers that have nothing before them any more, for who has heard all up to `head`.
    pub(super) fn release(&mut self, head: Seq, fx: &mut Effects<'_>) {
        while let Some((_, to, event)) = self.answers.pop_front_if(|(at, ..)| *at <= head) {
            fx.reply(&to, &event);
        }
    }
}

/// The first of the entries, as many as a page holds; one at least.
fn bounded(entries: impl Iterator<Item = Entry>, max: usize) -> Vec<Entry> {
    let mut bytes = 0;
    entries
        .take(max)
        .enumerate()
        .take_while(|(place, entry)| {
            bytes += entry.body.len();
            *place == 0 || bytes <= PAGE_BYTES_MAX
        })
        .map(|(_, entry)| entry)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps::chat::event_body;
    use crate::envelope::Mark;
    use crate::ids::{RoomId, RoomKind, UserId};
    use crate::outbox::OUTBOX_BYTES_MAX;
    use crate::room::pacing::UNFLUSHED_BYTES_MAX;
    use crate::time::Timestamp;
    use serde_json::json;

    /// How many bytes a page of events with so much data each is on the wire.
    fn on_the_wire(data_bytes: usize) -> usize {
        let room = RoomId { kind: RoomKind::Chat, name: "team".into() };
        let data = json!({"story": "x".repeat(data_bytes)});
        let body = event_body("story_uploaded", data.as_object().expect("an object"));
        let entry = |seq| Entry {
            room: room.clone(),
            seq: Seq(seq),
            id: format!("event-{seq}").as_str().into(),
            author: UserId::server(),
            at: Timestamp(1_767_225_600_000_000),
            body: body.clone(),
        };
        let page = bounded((1..).map(entry), PAGE_ENTRIES_MAX);
        let mark = Mark::None;
        let frames = page.iter().filter_map(apps::told).map(|event| Envelope::Event.encode(&event, &mark));
        frames.flatten().map(|frame| frame.len()).sum()
    }

    #[test]
    fn a_page_fits_into_what_is_free_of_an_outbox_however_its_entries_are_written() {
        for data_bytes in [1, 300, 1_200, 2_000, 16_000, 60_000] {
            let bytes = on_the_wire(data_bytes);
            assert!(UNFLUSHED_BYTES_MAX + bytes <= OUTBOX_BYTES_MAX / 2, "{data_bytes}: {bytes}");
        }
    }
}
