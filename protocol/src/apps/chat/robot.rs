//! The robot of a room: exactly one reply for each prompt. That a reply is awaited is stored together with the
//! prompt, and stands until the reply is: an entry, good or bad, whose id can be stored once. So a prompt belongs to
//! no connection, and whoever starts after a crash asks again.

use super::message::{self, chat_message};
use super::{Chat, Waiting, inside, permitted};
use crate::apps::attempts::{self, Failure, Next, REPLY_RETRY, ROBOT_CALLS_MAX};
use crate::auth::Permission;
use crate::call::{Call, CallFailure, RobotReply, RobotRequest, Said};
use crate::context::{Caller, Context};
use crate::ids::{EntryId, RoomId, Seq, UserId};
use crate::refusal::Refusal;
use crate::room::{Origin, Submission, Told};
use crate::store::{
    Append, Change, Entry, FOUND_ROWS_MAX, NewEntry, PromptRow, Query, Row, RowKey, StoreReply, StoreRequest,
};
use crate::tickets::Pending;
use crate::time::Timestamp;
use crate::timers::Timer;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How many replies may be awaited at once; further prompts are refused as busy.
const PROMPTS_MAX: usize = 1_000;
/// How many messages the robot is shown, the prompt the last of them.
const HISTORY_ENTRIES_MAX: u32 = 20;
/// How many messages at a time are looked through for a prompt.
const SOUGHT_ENTRIES_MAX: u32 = 200;
/// How much before it was awaited a prompt cannot have been stored, whatever the clocks say.
const CLOCKS_DIFFER_MAX: Duration = Duration::from_secs(600);

/// A prompt, wherever it comes up.
pub(super) type PromptKey = (RoomId, EntryId);

/// Every reply that is awaited here.
#[derive(Debug, Default)]
pub(super) struct Robot {
    prompts: BTreeMap<PromptKey, Prompt>,
    /// Prompts whose attempt waits for a call to be free.
    queued: VecDeque<PromptKey>,
    calls: usize,
}

#[derive(Debug)]
struct Prompt {
    user: UserId,
    since: Timestamp,
    work: Work,
}

/// What is under way for a prompt.
#[derive(Debug)]
enum Work {
    /// It is looked for in the log, before this place.
    Finding(Seq),
    /// What was said up to it is being read.
    Reading(Seq),
    /// The robot is asked: so many attempts were made, and one is out or not.
    Asking { request: Box<RobotRequest>, tries: u32, out: bool },
    /// The reply is being stored, or waits to be.
    Replying(NewEntry),
}

impl Robot {
    /// How many replies are awaited.
    pub fn len(&self) -> usize {
        self.prompts.len()
    }
}

impl Chat {
    pub(super) fn prompt(
        &mut self,
        id: &RoomId,
        prompt: &str,
        caller: &Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        let room = inside(id, caller, ctx.rooms)?;
        permitted(&caller.user, Permission::ChatRobot)?;
        if self.robot.prompts.len() >= PROMPTS_MAX {
            return Err(Refusal::busy());
        }
        let (user, since) = (caller.user.id.clone(), ctx.fx.now);
        // The robot is asked under the prompt's id: no client's own may be repeated there.
        let entry_id = EntryId::from(ctx.fx.rng.id("msg"));
        let row = PromptRow { room: id.clone(), id: entry_id.clone(), user: user.clone(), since, tries: 0 };
        let body = message::prompt_body(prompt, caller.user.name.clone());
        let entry = NewEntry { id: entry_id, author: user.clone(), body };
        let rows = vec![Change::Put(Row::Prompt(row))];
        room.submit(Submission { origin: Origin::Caller(caller.clone()), entry, rows }, &mut ctx.fx)?;
        self.stops_typing(id, &user, ctx);
        Ok(())
    }

    /// Something was told in a room. Where it is a prompt of somebody here, the robot is asked.
    pub(super) fn on_prompt_told(&mut self, told: &Told, ctx: &mut Context<'_>) {
        let entry = &told.entry;
        if told.origin.is_some() && message::prompts(entry) {
            let key = (entry.room.clone(), entry.id.clone());
            self.take_up(key, entry.author.clone(), entry.at, Work::Reading(entry.seq), ctx);
        }
    }

    fn take_up(&mut self, key: PromptKey, user: UserId, since: Timestamp, work: Work, ctx: &mut Context<'_>) {
        // What finds no place here is overdue some time.
        if self.robot.prompts.len() >= PROMPTS_MAX || self.robot.prompts.contains_key(&key) {
            return;
        }
        self.robot.prompts.insert(key.clone(), Prompt { user, since, work });
        match ctx.fx.settings.has_ai_service() {
            true => self.read_for_robot(key, ctx),
            false => {
                let message = "there is no AI service".to_string();
                self.keep_failure(&key, Failure { bad_reply: false, message }, ctx);
            }
        }
    }

    fn read_for_robot(&mut self, key: PromptKey, ctx: &mut Context<'_>) {
        let (before, max) = match self.robot.prompts.get(&key).map(|prompt| &prompt.work) {
            Some(Work::Finding(before)) => (*before, SOUGHT_ENTRIES_MAX),
            Some(Work::Reading(seq)) => (seq.next(), HISTORY_ENTRIES_MAX),
            Some(Work::Asking { .. } | Work::Replying(_)) | None => return,
        };
        let request = StoreRequest::Before { room: key.0.clone(), before, max };
        ctx.fx.store(request, Pending::Chat(Waiting::Prompted(key)));
    }

    pub(super) fn on_prompted(&mut self, key: PromptKey, reply: StoreReply, ctx: &mut Context<'_>) {
        let Some(prompt) = self.robot.prompts.get_mut(&key) else { return };
        let StoreReply::Entries { entries, .. } = reply else {
            return ctx.fx.timers.set(ctx.fx.now + REPLY_RETRY, Timer::Robot(Box::new(key)));
        };
        match &mut prompt.work {
            Work::Reading(seq) => {
                let asked = entries.iter().find(|entry| entry.seq == *seq && entry.id == key.1);
                let Some(asked) = asked.and_then(message::text) else {
                    return self.forget_prompt(key, ctx);
                };
                let request = RobotRequest {
                    room_id: key.0.name.to_string(),
                    user_id: prompt.user.clone(),
                    prompt: asked,
                    history: shown(&entries, *seq),
                };
                prompt.work = Work::Asking { request: Box::new(request), tries: 0, out: false };
                self.attempt(key, ctx);
            }
            Work::Finding(before) => {
                let found = entries.iter().find(|entry| entry.id == key.1 && entry.author == prompt.user);
                match (found, entries.first()) {
                    (Some(found), _) => prompt.work = Work::Reading(found.seq),
                    (None, Some(first))
                        if first.seq > Seq(1) && first.at + CLOCKS_DIFFER_MAX > prompt.since =>
                    {
                        *before = first.seq;
                    }
                    // Its room was made anew: nobody waits any more.
                    (None, Some(_) | None) => return self.forget_prompt(key, ctx),
                }
                self.read_for_robot(key, ctx);
            }
            Work::Asking { .. } | Work::Replying(_) => {}
        }
    }

    fn forget_prompt(&mut self, key: PromptKey, ctx: &mut Context<'_>) {
        self.robot.prompts.remove(&key);
        let rows = vec![Change::Remove(RowKey::Prompt(key.0.clone(), key.1.clone()))];
        ctx.fx.store(StoreRequest::Commit { appends: vec![], rows }, Pending::Chat(Waiting::Replied(key)));
    }

    /// One attempt, now or when a call is free.
    fn attempt(&mut self, key: PromptKey, ctx: &mut Context<'_>) {
        let Some(prompt) = self.robot.prompts.get_mut(&key) else { return };
        let Work::Asking { request, tries, out: out @ false } = &mut prompt.work else { return };
        if self.robot.calls >= ROBOT_CALLS_MAX {
            self.robot.queued.push_back(key);
            return;
        }
        (*tries, *out) = (*tries + 1, true);
        self.robot.calls += 1;
        let call = Call::Robot { idempotency_key: key.1.to_string(), request: request.clone() };
        ctx.fx.call(call, Pending::Chat(Waiting::Attempt(key)));
    }

    /// An attempt ended.
    pub(super) fn on_attempted(&mut self, key: &PromptKey, said: Said, ctx: &mut Context<'_>) {
        self.robot.calls = self.robot.calls.saturating_sub(1);
        while self.robot.calls < ROBOT_CALLS_MAX
            && let Some(next) = self.robot.queued.pop_front()
        {
            self.attempt(next, ctx);
        }
        ctx.fx.note_ai(&said);
        let Some(prompt) = self.robot.prompts.get_mut(key) else { return };
        let Work::Asking { tries, out, .. } = &mut prompt.work else { return };
        *out = false;
        match said {
            Said::Robot(reply) => self.keep_reply(key, Ok(reply), ctx),
            Said::Failed(failure) => match attempts::after(failure, *tries, &mut ctx.fx) {
                Next::Again(wait) => {
                    ctx.fx.timers.set(ctx.fx.now + wait, Timer::Robot(Box::new(key.clone())));
                }
                Next::Over(failure) => self.keep_failure(key, failure, ctx),
            },
            Said::Delta(_) | Said::NextQuestion(_) | Said::Scanned(_) | Said::Delivered => {
                self.keep_failure(key, Failure::misplaced(), ctx);
            }
        }
    }

    /// An attempt's end never came.
    pub(super) fn on_attempt_lost(&mut self, key: &PromptKey, ctx: &mut Context<'_>) {
        self.on_attempted(key, Said::Failed(CallFailure::Passing { retry_after: None }), ctx);
    }

    fn keep_failure(&mut self, key: &PromptKey, failure: Failure, ctx: &mut Context<'_>) {
        self.keep_reply(key, Err(&attempts::refusal(failure.bad_reply, failure.message)), ctx);
    }

    fn keep_reply(&mut self, key: &PromptKey, reply: Result<RobotReply, &Refusal>, ctx: &mut Context<'_>) {
        let Some(prompt) = self.robot.prompts.get_mut(key) else { return };
        prompt.work = Work::Replying(message::reply(&key.1, reply));
        self.send_reply(key, ctx);
    }

    fn send_reply(&mut self, key: &PromptKey, ctx: &mut Context<'_>) {
        let Some(Prompt { work: Work::Replying(entry), .. }) = self.robot.prompts.get(key) else { return };
        let (room, id) = key.clone();
        // Behind the removal its log would begin anew.
        if ctx.rooms.is_being_removed(&room) {
            return ctx.fx.timers.set(ctx.fx.now + REPLY_RETRY, Timer::Robot(Box::new((room, id))));
        }
        let appends = vec![Append { room: room.clone(), expect: None, entries: vec![entry.clone()] }];
        let rows = vec![Change::Remove(RowKey::Prompt(room, id))];
        ctx.fx.store(StoreRequest::Commit { appends, rows }, Pending::Chat(Waiting::Replied(key.clone())));
    }

    pub(super) fn on_replied(&mut self, key: PromptKey, reply: StoreReply, ctx: &mut Context<'_>) {
        if !self.robot.prompts.contains_key(&key) {
            return;
        }
        let StoreReply::Committed(entries) = reply else {
            return ctx.fx.timers.set(ctx.fx.now + REPLY_RETRY, Timer::Robot(Box::new(key)));
        };
        self.robot.prompts.remove(&key);
        self.bring(&key.0, None, entries, ctx);
    }

    /// A wait of a prompt is over: the next attempt, read or save.
    pub fn on_robot_due(&mut self, key: PromptKey, ctx: &mut Context<'_>) {
        match self.robot.prompts.get(&key).map(|prompt| &prompt.work) {
            Some(Work::Finding(_) | Work::Reading(_)) => self.read_for_robot(key, ctx),
            Some(Work::Asking { .. }) => self.attempt(key, ctx),
            Some(Work::Replying(_)) => self.send_reply(&key, ctx),
            None => {}
        }
    }

    /// Replies that have been awaited since before this are looked for, so that somebody asks again.
    pub fn look_for_overdue(&mut self, before: Timestamp, ctx: &mut Context<'_>) {
        let query = Query::OverduePrompts { before, max: FOUND_ROWS_MAX as u32 };
        ctx.fx.store(StoreRequest::Look(query), Pending::Chat(Waiting::Overdue));
    }

    pub(super) fn on_overdue(&mut self, reply: StoreReply, ctx: &mut Context<'_>) {
        let StoreReply::Found(rows) = reply else { return };
        for row in rows {
            if ctx.fx.is_busy() {
                return;
            }
            if let Row::Prompt(PromptRow { room, id, user, since, .. }) = row {
                self.take_up((room, id), user, since, Work::Finding(Seq(u64::MAX)), ctx);
            }
        }
    }

    /// Nothing is awaited in a room that is no more.
    pub(super) fn forget_prompts(&mut self, room: &RoomId) {
        self.robot.prompts.retain(|(of, _), _| of != room);
    }
}

/// What the robot is shown of a page.
fn shown(entries: &[Entry], up_to: Seq) -> Vec<serde_json::Value> {
    let entries = entries.iter().filter(|entry| entry.seq <= up_to);
    entries.filter_map(chat_message).filter_map(|message| serde_json::to_value(message).ok()).collect()
}
