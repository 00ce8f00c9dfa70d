//! From a case to its answer: what is asked is looked up by its id, judged in rounds, stored, and answered in the order
//! in which it was judged.

use super::access::access;
use super::conflicts::Conflicts;
use super::desk::{Beside, Case, Desk, Judged, Origin, Said, Standing, Task, Wanted};
use super::due::PAUSE;
use super::judging::{Clash, Known, Verdict};
use super::kept::Kept;
use super::lookups::{look, read_layout};
use super::{BOARDS_BYTES_MAX, Dashboards, spelling};
use crate::context::{Context, Effects};
use crate::envelope::Event;
use crate::ids::{EntryId, RoomId, Seq, UserId};
use crate::json::Json;
use crate::refusal::{Code, Refusal};
use crate::room::{Appended, Delivered, QUEUED_ENTRIES_MAX, QUEUED_EVENTS_MAX, Room, Under};
use crate::store::Entry;
use crate::time::Timestamp;
use crate::timers::Timer;
use serde_json::json;
use std::sync::Arc;

/// What judging needs beside the board.
struct Around<'a> {
    room: &'a Room,
    conflicts: &'a mut Conflicts,
    now: Timestamp,
    growth_max: usize,
}

impl Beside for Around<'_> {
    fn may_change(&mut self, origin: &Origin) -> Result<(), Refusal> {
        match origin.user() {
            Some(user) => access(self.room, user).changes(),
            None if self.room.closing => Err(Refusal::room_access_denied()),
            None => Ok(()),
        }
    }

    fn growth_max(&self) -> usize {
        self.growth_max
    }

    fn conflict(&mut self, id: &str, user: &UserId) -> Known<'_> {
        let conflict = self.conflicts.find(id, &self.room.id, user, self.now);
        conflict.map_or_else(Known::default, |conflict| Known {
            conflict: Some(&conflict.clash),
            withdrawn: conflict.withdrawn,
            restored: None,
        })
    }
}

/// What a case is answered, where nothing of it is stored.
enum Reply {
    /// An event, which is a refusal or not.
    Said(Event),
    /// A refusal.
    Refused(Refusal),
    /// A conflict, under an id that it has from now on.
    Conflict(String),
    /// The board.
    Sync(Option<Seq>),
}

impl Dashboards {
    /// Takes in what is asked of an open dashboard.
    pub(super) fn ask(
        &mut self,
        id: &RoomId,
        origin: Origin,
        key: (UserId, Option<EntryId>),
        task: Task,
        ctx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        let Some(desk) = self.desks.get(id) else { return Err(Refusal::busy()) };
        // What asks for nothing that is judged waits only behind what its connection asked before.
        if let (Task::Sync(since), Some(who)) = (&task, origin.connection())
            && !desk.holds(who)
        {
            self.reply(id, origin, Reply::Sync(*since), ctx);
            return Ok(());
        }
        let queued_max = match origin {
            Origin::Caller(_) => QUEUED_ENTRIES_MAX,
            Origin::Request(..) | Origin::Post(_) => QUEUED_EVENTS_MAX,
        };
        if desk.queue.len() >= queued_max || ctx.fx.is_busy() {
            return Err(Refusal::busy());
        }
        let (author, entry) = key;
        let named = entry.is_some() && matches!(task, Task::Operate(_));
        let entry = entry.unwrap_or_else(|| ctx.fx.rng.id("opn").into());
        let number = self.next_number();
        let standing = match ctx.rooms.find(id).filter(|_| named).map(|room| room.under(&author, &entry)) {
            None | Some(Under::Nothing) => Standing::Absent,
            Some(Under::This(entry)) => Standing::Stored(Box::new(entry)),
            Some(Under::Unknown) => {
                look(id.clone(), (author.clone(), entry.clone()), number, 1, ctx);
                Standing::Asked
            }
        };
        let (key, since) = ((author, entry), ctx.fx.now);
        let case = Case { number, origin, key, task, standing, layout: Wanted::Unsought, since };
        if let Some(desk) = self.desks.get_mut(id) {
            desk.queue.push_back(case);
        }
        self.due.insert(id.clone());
        Ok(())
    }

    /// Judges wherever something may be judged now, as far as this step goes.
    pub fn run_due(&mut self, ctx: &mut Context<'_>) {
        while let Some(id) = self.due.next() {
            if self.judge(&id, ctx) {
                self.due.insert(id);
            }
        }
    }

    /// Whether something is left to judge in this step.
    pub fn is_due(&self) -> bool {
        self.due.goes_on()
    }

    /// A step of the core begins.
    pub fn begin_step(&mut self) {
        self.due.begin_step();
    }

    /// A step of the core ends: what is left to judge goes on soon.
    pub fn end_step(&mut self, fx: &mut Effects<'_>) {
        if self.due.end_step() {
            fx.timers.set(fx.now + PAUSE, Timer::Boards);
        }
    }

    /// What was left to judge goes on.
    pub fn on_due(&mut self) {
        self.due.wake();
    }

    /// Judges one round. Whether the next may follow at once.
    fn judge(&mut self, id: &RoomId, ctx: &mut Context<'_>) -> bool {
        let (Some(desk), Some(room)) = (self.desks.get_mut(id), ctx.rooms.find(id)) else { return false };
        if !room.can_judge() || desk.queue.is_empty() || !desk.out.is_empty() {
            return false;
        }
        self.due.count_round();
        let growth_max = BOARDS_BYTES_MAX.saturating_sub(self.bytes);
        let mut around = Around { room, conflicts: &mut self.conflicts, now: ctx.fx.now, growth_max };
        let round = desk.judge(&mut around);
        if let Some((number, seq)) = round.reads {
            match room.held(seq) {
                Some(entry) => desk.layout_came(number, entry),
                None => read_layout(id.clone(), (number, 1), seq, ctx),
            }
        }
        if !round.entries.is_empty() {
            desk.out = round.judged;
            if let Some(room) = ctx.rooms.find(id) {
                room.append_judged(round.entries, &mut ctx.fx);
            }
            return false;
        }
        let goes_on = !round.judged.is_empty() || round.reads.is_some();
        self.conclude(id, round.judged, Vec::new(), ctx);
        goes_on
    }

    /// What became of what was judged and sent to the store.
    pub fn on_judged(&mut self, id: &RoomId, appended: Appended, ctx: &mut Context<'_>) {
        if let Some(room) = ctx.rooms.find(id) {
            room.end_judged();
        }
        let Some(desk) = self.desks.get_mut(id) else { return };
        let out = std::mem::take(&mut desk.out);
        self.due.insert(id.clone());
        match appended {
            Appended::Stored(entries) => self.conclude(id, out, entries, ctx),
            Appended::Stale => out.into_iter().rev().for_each(|judged| desk.queue.push_front(judged.case)),
            Appended::Failed => {
                let stands = out.iter().take_while(|judged| !matches!(judged.said, Said::Append(_))).count();
                let mut out = out;
                let failed = out.split_off(stands);
                self.conclude(id, out, Vec::new(), ctx);
                let refused = |judged: Judged| Judged {
                    said: Said::Verdict(Verdict::Refused(Refusal::store_unavailable())),
                    ..judged
                };
                self.conclude(id, failed.into_iter().map(refused).collect(), Vec::new(), ctx);
            }
        }
    }

    /// Answers what was judged, in order; what was stored is told to the others in its place.
    fn conclude(&mut self, id: &RoomId, judged: Vec<Judged>, entries: Vec<Entry>, ctx: &mut Context<'_>) {
        let mut entries = entries.into_iter();
        for Judged { case, said } in judged {
            let reply = match said {
                Said::Append(kept) => {
                    if let Some(entry) = entries.next() {
                        self.stored(id, case, &kept, entry, ctx);
                    }
                    continue;
                }
                Said::Repeat(entry) => {
                    let same = case.was_asked_in(&entry);
                    self.answer_stored(id, case, &entry, (same, 0), ctx);
                    continue;
                }
                Said::Sync(since) => Reply::Sync(since),
                Said::Verdict(Verdict::Refused(refusal)) => Reply::Refused(refusal),
                Said::Verdict(Verdict::Withdrawn) => Reply::Said(self.withdraw(id, &case, ctx.fx.now)),
                Said::Verdict(Verdict::Conflict(clash)) => {
                    Reply::Conflict(self.keep_conflict(id, &case, *clash, &mut ctx.fx))
                }
                Said::Verdict(Verdict::Conflicts(clashes)) => match self.desks.get(id) {
                    Some(desk) => {
                        let sides = !self.is_wordy(&case.origin);
                        let error = spelling::batch_conflicts(&clashes, &desk.board, sides);
                        Reply::Said(spelling::refused_with(id, error))
                    }
                    None => Reply::Refused(Refusal::busy()),
                },
                Said::Verdict(Verdict::Append(_)) => continue,
            };
            self.reply(id, case.origin, reply, ctx);
        }
    }

    fn stored(&mut self, id: &RoomId, case: Case, kept: &Kept, entry: Entry, ctx: &mut Context<'_>) {
        let Some(room) = ctx.rooms.find(id) else { return };
        let told = room.arrive(case.origin.connection(), vec![entry.clone()], &mut ctx.fx);
        ctx.fx.stats.delivery.note(ctx.fx.now.since(case.since));
        let delivered = told.iter().find(|told| told.entry.seq == entry.seq).map_or(0, |told| told.delivered);
        told.iter().for_each(|told| self.on_told(told, ctx));
        for deed in kept.deeds() {
            deed.resolves.iter().for_each(|resolves| self.conflicts.settle(&resolves.conflict));
        }
        // What was stored under its id when nobody knew that may have been judged otherwise.
        let same = *entry.body == *kept.body().as_bytes() || case.was_asked_in(&entry);
        self.answer_stored(id, case, &entry, (same, delivered), ctx);
    }

    /// Answers from what is stored, unless it is something else under the same id.
    fn answer_stored(
        &mut self,
        id: &RoomId,
        case: Case,
        entry: &Entry,
        (same, delivered): (bool, usize),
        ctx: &mut Context<'_>,
    ) {
        if !same {
            let message = format!("the id {:?} stands for something else already", entry.id.as_str());
            let refusal = Refusal::new(Code::Conflict, message);
            return self.reply(id, case.origin, Reply::Refused(refusal), ctx);
        }
        match case.origin {
            Origin::Caller(caller) => match ctx.rooms.find(id) {
                Some(room) => room.answer(caller, entry.seq, spelling::answer(entry), &mut ctx.fx),
                None => ctx.fx.reply(&caller, &spelling::answer(entry)),
            },
            Origin::Post(post) => {
                ctx.fx.posted.push((post, Ok(Delivered { seq: Some(entry.seq), delivered })));
            }
            Origin::Request(request, place, _) => {
                let answer = spelling::answer(entry).data.as_str().to_string();
                self.request_replied(request, place, Ok(answer), ctx);
            }
        }
    }

    fn withdraw(&mut self, id: &RoomId, case: &Case, now: Timestamp) -> Event {
        let mut data = json!({});
        if let Some(conflict) = case.resolves()
            && let Some(known) = self.conflicts.find(conflict, id, &case.key.0, now)
        {
            known.withdrawn = true;
            data["conflictId"] = json!(&**conflict);
            data["version"] = json!(known.clash.current);
            if let Some(widget) = &known.clash.widget {
                data["widgetId"] = json!(&**widget);
            }
        }
        spelling::about(id, Event::named("ACK".into(), Json::of(&data)))
    }

    /// Keeps a conflict, and spells it. One that came of ending another takes its place.
    fn keep_conflict(&mut self, id: &RoomId, case: &Case, clash: Clash, fx: &mut Effects<'_>) -> String {
        let (name, sides) = (Arc::<str>::from(fx.rng.id("cnf")), !self.is_wordy(&case.origin));
        let text = match self.desks.get(id) {
            Some(desk) => spelling::clash_json(Some(&name), &clash, &desk.board, sides),
            None => "{}".to_string(),
        };
        case.resolves().into_iter().for_each(|conflict| self.conflicts.settle(conflict));
        self.conflicts.keep(name, id.clone(), case.key.0.clone(), clash, fx.now);
        text
    }

    fn reply(&mut self, id: &RoomId, origin: Origin, reply: Reply, ctx: &mut Context<'_>) {
        let caller = match origin {
            Origin::Caller(caller) => caller,
            Origin::Post(post) => {
                let refusal = if let Reply::Refused(refusal) = reply { refusal } else { Refusal::busy() };
                return ctx.fx.posted.push((post, Err(refusal)));
            }
            Origin::Request(request, place, _) => {
                return self.request_replied(request, place, reply.spelled(), ctx);
            }
        };
        let at = self.desks.get(id).map_or(Seq::ZERO, |desk| desk.board.seq);
        let (events, refused) = match reply {
            Reply::Said(event) => (vec![event], false),
            Reply::Conflict(text) => (vec![spelling::detected(id, text)], false),
            Reply::Refused(refusal) => (vec![spelling::about(id, spelling::refused(&refusal))], true),
            Reply::Sync(since) => {
                let events = self.desks.get(id).map(|desk| desk.synced(id, since));
                (events.unwrap_or_default(), false)
            }
        };
        if refused {
            ctx.fx.refused.push(caller.connection);
        }
        for (place, event) in events.into_iter().enumerate() {
            let reply_to = caller.reply_to.clone().filter(|_| place == 0);
            let caller = crate::context::Caller { reply_to, ..caller.clone() };
            match ctx.rooms.find(id) {
                Some(room) => room.answer(caller, at, event, &mut ctx.fx),
                None => ctx.fx.reply(&caller, &event),
            }
        }
    }

    /// Refuses all that is asked of a dashboard that is no more.
    pub(super) fn refuse_cases(&mut self, id: &RoomId, refusal: &Refusal, ctx: &mut Context<'_>) {
        let Some(desk) = self.desks.get_mut(id) else { return };
        let out = std::mem::take(&mut desk.out).into_iter().map(|judged| judged.case);
        let cases: Vec<_> = out.chain(std::mem::take(&mut desk.queue)).collect();
        for case in cases {
            self.reply(id, case.origin, Reply::Refused(refusal.clone()), ctx);
        }
    }
}

impl Desk {
    /// What is new, as it is told: the board, and what backends said since.
    fn synced(&self, id: &RoomId, since: Option<Seq>) -> Vec<Event> {
        let board = Event::named("SYNC_RESPONSE".into(), Json::written(self.board.since(since)));
        let said = self.board.said_since(since).map(|said| said.told(id));
        std::iter::once(spelling::about(id, board)).chain(said).collect()
    }
}

impl Reply {
    /// As the result of an operation over REST: whether it went well, and what stands beside.
    fn spelled(self) -> Result<String, (String, Option<String>)> {
        match self {
            Self::Said(Event { refusal: Some(refusal), .. }) => Err((refusal.as_str().to_string(), None)),
            Self::Said(event) => Ok(event.data.as_str().to_string()),
            Self::Refused(refusal) => Err((Json::of(&refusal).as_str().to_string(), None)),
            Self::Conflict(text) => {
                let refusal = Refusal::new(Code::Conflict, spelling::CONFLICT_MESSAGE);
                Err((Json::of(&refusal).as_str().to_string(), Some(text)))
            }
            Self::Sync(_) => Ok("{}".to_string()),
        }
    }
}
