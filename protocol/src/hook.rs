//! The event hook (WIRE §5.3): what happens in rooms is told to a backend, in the order in which it was stored, at
//! least once. How far it was told is a mark in the store; it moves when the backend has taken what stands before it.
//! One read, call or write is under way at a time, and nothing is asked while nothing is stored.

use crate::apps;
use crate::call::{Call, CallFailure, Said};
use crate::context::Effects;
use crate::envelope::{general_data, general_name};
use crate::ids::UserId;
use crate::json::Json;
use crate::store::{Change, Entry, MarkRow, Query, Row, StoreReply, StoreRequest};
use crate::tickets::Pending;
use crate::timers::Timer;
use serde_json::json;
use serde_json::value::RawValue;
use std::time::Duration;

/// How many entries one delivery brings at the most.
const EVENTS_MAX: usize = 100;
/// How many bytes one delivery has, unless its first event alone has more.
const BYTES_MAX: usize = 256 * 1024;
/// The wait after a first failure; it doubles with each further one.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest wait after a failure.
const RETRY_MAX: Duration = Duration::from_secs(60);
/// The mark's name in the store.
const MARK: &str = "event-hook";
/// Behind every entry there will be.
const END: u64 = i64::MAX as u64;

/// What the hook waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Its mark.
    Mark,
    /// Where the log ends now, because there is no mark yet.
    End,
    /// The entries behind the mark.
    Entries,
    /// The end of a delivery.
    Delivery,
    /// The mark to be moved.
    Moved,
}

/// How far the hook is.
#[derive(Debug, Default)]
pub struct Hook {
    /// Everything up to here was taken; `None`: the mark is not read yet.
    at: Option<u64>,
    /// Whether something is waited for, an answer or the time after a failure.
    busy: bool,
    /// Whether something was stored that a read under way may have missed.
    stirred: bool,
    /// What is to be delivered.
    batch: Option<Batch>,
    failures: u32,
    calling: bool,
}

/// What one delivery brings.
#[derive(Debug, Clone)]
struct Batch {
    events: String,
    /// The place of its last entry.
    place: u64,
}

impl Hook {
    /// Finds out how far it was when the process before this one ended.
    pub fn start(&mut self, fx: &mut Effects<'_>) {
        self.busy = true;
        fx.store(StoreRequest::Look(Query::Mark(MARK.to_string())), Pending::Hook(Waiting::Mark));
    }

    /// Something was stored.
    pub fn on_stored_elsewhere(&mut self, fx: &mut Effects<'_>) {
        self.stirred = true;
        if !self.busy && self.at.is_some() {
            self.go_on(fx);
        }
    }

    /// How many calls are under way.
    pub fn calls_out(&self) -> usize {
        usize::from(self.calling)
    }

    /// The store answered.
    pub fn on_stored(&mut self, waiting: Waiting, reply: StoreReply, fx: &mut Effects<'_>) {
        match (waiting, reply) {
            (Waiting::Mark, StoreReply::Found(rows)) => {
                let mark = rows
                    .into_iter()
                    .find_map(|row| if let Row::Mark(mark) = row { Some(mark.place) } else { None });
                match mark {
                    Some(place) => {
                        self.at = Some(place);
                        self.go_on(fx);
                    }
                    None => look(END, Waiting::End, fx),
                }
            }
            (Waiting::End, StoreReply::Appended { end, .. }) => self.move_to(end, fx),
            (Waiting::Entries, StoreReply::Appended { entries, .. }) => self.on_entries(&entries, fx),
            // Where the mark could not be moved, the next one tells as much.
            (Waiting::Moved, _) => self.go_on(fx),
            (Waiting::Mark | Waiting::End | Waiting::Entries | Waiting::Delivery, _) => {
                self.wait(None, fx);
            }
        }
    }

    /// A delivery has ended.
    pub fn on_called(&mut self, said: &Said, fx: &mut Effects<'_>) {
        self.calling = false;
        match said {
            Said::Delivered => {
                self.failures = 0;
                if let Some(batch) = self.batch.take() {
                    self.move_to(batch.place, fx);
                }
            }
            Said::Failed(CallFailure::Passing { retry_after }) => self.wait(*retry_after, fx),
            Said::Failed(CallFailure::Refused { .. } | CallFailure::BadReply(_))
            | Said::Delta(_)
            | Said::NextQuestion(_)
            | Said::Robot(_)
            | Said::Scanned(_) => self.wait(None, fx),
        }
    }

    /// No answer came in time.
    pub fn on_late(&mut self, waiting: Waiting, fx: &mut Effects<'_>) {
        self.calling = false;
        match waiting {
            Waiting::Moved => self.go_on(fx),
            Waiting::Mark | Waiting::End | Waiting::Entries | Waiting::Delivery => self.wait(None, fx),
        }
    }

    /// The wait after a failure is over.
    pub fn on_due(&mut self, fx: &mut Effects<'_>) {
        match self.at {
            Some(_) => self.go_on(fx),
            None => self.start(fx),
        }
    }

    /// Delivers what is to be delivered, or looks for it.
    fn go_on(&mut self, fx: &mut Effects<'_>) {
        self.busy = true;
        match (&self.batch, self.at) {
            (Some(batch), _) => {
                let events = batch.events.clone();
                self.calling = true;
                fx.call(Call::Hook { events }, Pending::Hook(Waiting::Delivery));
            }
            (None, Some(at)) => {
                self.stirred = false;
                look(at, Waiting::Entries, fx);
            }
            (None, None) => self.start(fx),
        }
    }

    fn on_entries(&mut self, entries: &[(u64, Entry)], fx: &mut Effects<'_>) {
        self.failures = 0;
        let (events, place) = batch(entries);
        let Some(place) = place else {
            self.busy = false;
            // Between the read and its answer something may have been stored.
            return if self.stirred {
                self.go_on(fx)
            };
        };
        match events.is_empty() {
            true => self.move_to(place, fx),
            false => {
                self.batch = Some(Batch { events: format!("[{}]", events.join(",")), place });
                self.go_on(fx);
            }
        }
    }

    fn move_to(&mut self, place: u64, fx: &mut Effects<'_>) {
        self.at = Some(place);
        let mark = MarkRow { name: MARK.to_string(), place };
        let rows = vec![Change::Put(Row::Mark(mark))];
        fx.store(StoreRequest::Commit { appends: vec![], rows }, Pending::Hook(Waiting::Moved));
    }

    fn wait(&mut self, asked: Option<Duration>, fx: &mut Effects<'_>) {
        let doubled = RETRY_FIRST * 2_u32.saturating_pow(self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        let wait = doubled.max(asked.unwrap_or_default()).min(RETRY_MAX);
        fx.timers.set(fx.now + wait, Timer::Hook);
    }
}

fn look(after: u64, waiting: Waiting, fx: &mut Effects<'_>) {
    let query = Query::Appended { after, max: EVENTS_MAX as u32 };
    fx.store(StoreRequest::Look(query), Pending::Hook(waiting));
}

/// The events of as many entries as one delivery takes, and the place of the last of them. What is told to nobody
/// is left out.
fn batch(entries: &[(u64, Entry)]) -> (Vec<String>, Option<u64>) {
    let (mut events, mut bytes, mut reached) = (Vec::new(), 0, None);
    for (place, entry) in entries.iter().take(EVENTS_MAX) {
        if let Some(event) = spelled(entry) {
            bytes += event.len() + 1;
            if bytes > BYTES_MAX && !events.is_empty() {
                break;
            }
            events.push(event);
        }
        reached = Some(*place);
    }
    (events, reached)
}

fn spelled(entry: &Entry) -> Option<String> {
    let event = apps::told(entry)?;
    let data = RawValue::from_string(general_data(&event).into_owned()).ok()?;
    let user = Some(&entry.author).filter(|author| **author != UserId::server());
    let spelled = Json::of(&Spelled {
        event: &general_name(&event),
        room: json!({"kind": entry.room.kind.as_str(), "id": &*entry.room.name}),
        user_id: user,
        seq: entry.seq.0,
        at: entry.at.to_string(),
        data: &data,
    });
    Some(spelled.as_str().to_string())
}

/// An event as the hook is told it; `userId` is null where the server or a backend spoke.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Spelled<'a> {
    event: &'a str,
    room: serde_json::Value,
    user_id: Option<&'a UserId>,
    seq: u64,
    at: String,
    data: &'a RawValue,
}
