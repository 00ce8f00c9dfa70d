//! What becomes of an operation: judged against the board as it would be by then, it is an entry, a conflict, or
//! refused (WIRE §3). Pure, and so the same wherever it is asked.

use super::board::{Board, FIELDS_MAX, Layout, Made, Widget, layout_bytes, widget_bytes};
use super::changes::{Changes, Raw};
use super::command::{Operation, Part, Resolution, VALUE_BYTES_MAX};
use super::kept::{Deed, Done, Kept, Resolves};
use super::step::Step;
use crate::ids::{Seq, UserId};
use crate::refusal::{Code, Refusal};
use crate::time::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many widgets a dashboard has at most.
pub const WIDGETS_MAX: usize = 1_000;
/// The largest dashboard, as it is sent whole: it fits into an outbox with room for what happens meanwhile.
pub const BOARD_BYTES_MAX: usize = 768 * 1024;

/// What becomes of an operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It is to be stored.
    Append(Kept),
    /// Somebody else has changed the same since; nothing is done.
    Conflict(Box<Clash>),
    /// All of a batch is left undone because of these.
    Conflicts(Vec<Clash>),
    /// The other side of a conflict stays; nothing is done.
    Withdrawn,
    /// It is refused.
    Refused(Refusal),
}

/// What stands against what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// Which widget; `None`: the layout.
    pub widget: Option<Arc<str>>,
    /// The version that was seen.
    pub base: u64,
    /// The version that it has.
    pub current: u64,
    /// The fields that others have changed since, or all that were to be changed.
    pub fields: Vec<Arc<str>>,
    /// What was asked.
    pub yours: Part,
}

impl Clash {
    /// How much of the board, and of what was asked, it shows.
    pub fn shown_bytes(&self, board: &Board) -> usize {
        let current = match &self.widget {
            Some(id) => widget_bytes(id, board.widgets.get(id).map(|widget| &**widget)),
            None => layout_bytes(board.layout.as_ref()),
        };
        current + self.yours.bytes() + self.fields.iter().map(|name| name.len()).sum::<usize>()
    }
}

/// What an operation needs to know beside the board.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The conflict that is to end, if it is still known.
    pub conflict: Option<&'a Clash>,
    /// Whether it was withdrawn before.
    pub withdrawn: bool,
    /// The layout that is to come back, if it was found.
    pub restored: Option<&'a Raw>,
}

/// Why a change is not made.
#[derive(Debug)]
enum Not {
    Clash(Clash),
    Refused(Refusal),
}

impl From<Refusal> for Not {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Step<'_> {
    /// Judges an operation. What is to be stored is done in the step, so that what follows is judged after it.
    pub fn judge(&mut self, operation: &Operation, known: Known<'_>) -> Verdict {
        self.begin();
        let verdict = self.judged(operation, known);
        if !matches!(verdict, Verdict::Append(_)) {
            self.take_back();
        }
        verdict
    }

    fn judged(&mut self, operation: &Operation, known: Known<'_>) -> Verdict {
        let judged = match operation {
            Operation::Part(part) => self.part(part).map(Kept::One),
            Operation::Batch(parts) => return self.batch(parts),
            Operation::Restore { version } => self.restore(*version, known.restored).map(Kept::One),
            Operation::Resolve { resolution: Resolution::Theirs, .. } if known.conflict.is_some() => {
                return Verdict::Withdrawn;
            }
            Operation::Resolve { conflict, resolution } => {
                let clash = known.conflict.filter(|_| !known.withdrawn);
                clash
                    .ok_or_else(|| no_conflict(conflict).into())
                    .and_then(|clash| self.resolve(clash, resolution, conflict).map(Kept::One))
            }
            Operation::Say { event, data } => Ok(Kept::Said { event: event.clone(), data: data.clone() }),
        };
        match judged {
            Ok(kept) => Verdict::Append(kept),
            Err(Not::Clash(clash)) => Verdict::Conflict(Box::new(clash)),
            Err(Not::Refused(refusal)) => Verdict::Refused(refusal),
        }
    }

    /// All or nothing. Its parts apply in order to each other, and conflict with what stood before all of them; of each
    /// widget the first conflict is told. What cannot be done behind a conflict may well be because of it.
    fn batch(&mut self, parts: &[Part]) -> Verdict {
        let (mut deeds, mut clashes, mut clashed) = (Vec::new(), Vec::new(), BTreeSet::new());
        for part in parts {
            match self.part(part) {
                Ok(deed) => deeds.push(deed),
                Err(Not::Clash(clash)) if clashed.insert(clash.widget.clone()) => clashes.push(clash),
                Err(Not::Refused(refusal)) if clashes.is_empty() => return Verdict::Refused(refusal),
                Err(Not::Clash(_) | Not::Refused(_)) => {}
            }
        }
        match clashes.is_empty() {
            true => Verdict::Append(Kept::Batch(deeds)),
            false => Verdict::Conflicts(clashes),
        }
    }

    fn part(&mut self, part: &Part) -> Result<Deed, Not> {
        self.count_part();
        let deed = match part {
            Part::Update { widget, base, changes } => self.update(part, widget, *base, changes)?,
            Part::Delete { widget, base } => self.delete(part, widget, *base)?,
            Part::Lay { base, value } => self.lay(part, *base, value)?,
        };
        self.done(deed)
    }

    fn update(&self, part: &Part, id: &Arc<str>, base: Option<u64>, changes: &Changes) -> Result<Deed, Not> {
        let (before, current) = (self.widget_before(id), version(self.widget(id)));
        let seen = base.unwrap_or(current);
        let touched = changes.0.keys().filter(|name| before.is_some_and(|at| at.changed_since(name, seen)));
        let fields: Vec<_> = match seen > current {
            true => changes.0.keys().cloned().collect(),
            false => touched.cloned().collect(),
        };
        let all_changed = before.is_some_and(|before| seen < before.whole);
        if seen > current || all_changed || !fields.is_empty() {
            let (widget, current) = (Some(id.clone()), version(before));
            return Err(Not::Clash(Clash { widget, base: seen, current, fields, yours: part.clone() }));
        }
        let (version, merged) = (self.next_version(id), seen < version(before));
        let done = Done::Updated(id.clone(), changes.clone());
        Ok(Deed { version, done, base, merged, resolves: None })
    }

    fn delete(&self, part: &Part, id: &Arc<str>, base: Option<u64>) -> Result<Deed, Not> {
        let absent = || Refusal::new(Code::NotFound, format!("there is no widget {id:?}"));
        let widget = self.widget(id).ok_or_else(absent)?;
        let (before, seen) = (self.widget_before(id), base.unwrap_or(widget.version));
        if seen < version(before) || seen > widget.version {
            let fields = before.into_iter().flat_map(|before| &before.fields);
            let since = fields.filter(|(_, field)| field.version > seen);
            let fields = since.map(|(name, _)| name.clone()).collect();
            let (widget, current) = (Some(id.clone()), version(before));
            return Err(Not::Clash(Clash { widget, base: seen, current, fields, yours: part.clone() }));
        }
        if widget.deleted {
            return Err(absent().into());
        }
        Ok(plain(widget.version + 1, Done::Deleted(id.clone()), base))
    }

    fn lay(&self, part: &Part, base: Option<u64>, value: &Raw) -> Result<Deed, Not> {
        let version = |layout: Option<&Layout>| layout.map_or(0, |layout| layout.version);
        let (before, current) = (version(self.layout_before()), version(self.layout()));
        let seen = base.unwrap_or(current);
        if seen < before || seen > current {
            let (widget, fields, yours) = (None, Vec::new(), part.clone());
            return Err(Not::Clash(Clash { widget, base: seen, current: before, fields, yours }));
        }
        Ok(plain(current + 1, Done::Laid(value.clone()), base))
    }

    fn restore(&mut self, version: u64, value: Option<&Raw>) -> Result<Deed, Not> {
        let gone = || {
            let message = format!("version {version} of the layout cannot be brought back");
            Refusal::new(Code::NotFound, message)
        };
        let next = self.layout().map_or(0, |layout| layout.version) + 1;
        let value = value.ok_or_else(gone)?.clone();
        self.done(plain(next, Done::Restored(version, value), None))
    }

    fn resolve(&mut self, clash: &Clash, resolution: &Resolution, conflict: &Arc<str>) -> Result<Deed, Not> {
        let current = match &clash.widget {
            Some(id) => self.widget(id).map_or(0, |widget| widget.version),
            None => self.layout().map_or(0, |layout| layout.version),
        };
        if current != clash.current {
            return Err(Not::Clash(self.again(clash, current)));
        }
        let part = match resolution {
            Resolution::Merged(value) => self.merged(clash, value)?,
            // What is withdrawn was seen to before.
            Resolution::Mine | Resolution::Theirs => clash.yours.clone().without_base(),
        };
        let deed = self.part(&part)?;
        let merged = matches!(resolution, Resolution::Merged(_));
        Ok(Deed { resolves: Some(Resolves { conflict: conflict.clone(), merged }), ..deed })
    }

    /// The conflict as it is after a further change.
    fn again(&self, clash: &Clash, current: u64) -> Clash {
        let widget = clash.widget.as_ref().and_then(|id| self.widget(id));
        let changed = |name: &&Arc<str>| widget.is_some_and(|at| at.changed_since(name, clash.current));
        let mut fields: Vec<_> = match &clash.yours {
            Part::Update { changes, .. } => changes.0.keys().filter(changed).cloned().collect(),
            Part::Delete { .. } | Part::Lay { .. } => Vec::new(),
        };
        if fields.is_empty() {
            fields = clash.fields.clone();
        }
        Clash { base: clash.current, current, fields, ..clash.clone() }
    }

    /// What sets the whole value of what there is a conflict about.
    fn merged(&self, clash: &Clash, value: &Raw) -> Result<Part, Not> {
        let Some(id) = &clash.widget else { return Ok(Part::Lay { base: None, value: value.clone() }) };
        let no_object = || Refusal::new(Code::ClientError, "the value of a widget is an object");
        let changes = value.fields().ok_or_else(no_object)?;
        changes.checked_names()?;
        let Changes(mut changes) = changes;
        for (name, _) in self.widget(id).iter().flat_map(|widget| widget.standing()) {
            changes.entry(name.into()).or_insert(None);
        }
        Ok(Part::Update { widget: id.clone(), base: None, changes: Changes(changes) })
    }

    /// Does it, unless something becomes too large by it. Whoever asked takes it back then.
    fn done(&mut self, deed: Deed) -> Result<Deed, Not> {
        let before = self.size();
        // Who is the author, when and where, is the store's to say, and nothing depends on it here.
        let made = Made { by: UserId::server(), at: Timestamp::default(), seq: Seq::ZERO };
        self.make(&deed, &made);
        match self.too_large(&deed, before) {
            None => Ok(deed),
            Some(refusal) => Err(refusal.into()),
        }
    }

    /// What is over its limit after a change. What makes nothing larger is let through.
    fn too_large(&self, deed: &Deed, (widgets_before, bytes_before): (usize, usize)) -> Option<Refusal> {
        let (widgets, bytes) = self.size();
        if let Some(widget) = deed.widget().and_then(|id| self.widget(id)) {
            let fields = widget.standing_len();
            if fields > FIELDS_MAX {
                return Some(too_many("fields of a widget", fields, FIELDS_MAX));
            }
            if widget.bytes > VALUE_BYTES_MAX {
                return Some(Refusal::too_large("widget", widget.bytes, VALUE_BYTES_MAX));
            }
        }
        if widgets > WIDGETS_MAX && widgets > widgets_before {
            return Some(too_many("widgets", widgets, WIDGETS_MAX));
        }
        if bytes <= bytes_before {
            return None;
        }
        if bytes > BOARD_BYTES_MAX {
            return Some(Refusal::too_large("dashboard", bytes, BOARD_BYTES_MAX));
        }
        self.has_outgrown().then(Refusal::busy)
    }

    fn next_version(&self, id: &str) -> u64 {
        self.widget(id).map_or(self.board.floor, |widget| widget.version) + 1
    }
}

impl Widget {
    /// Whether a field changed after a version, as far as is remembered.
    fn changed_since(&self, name: &str, version: u64) -> bool {
        version < self.whole || self.fields.get(name).is_some_and(|field| field.version > version)
    }
}

impl Part {
    fn without_base(mut self) -> Self {
        match &mut self {
            Self::Update { base, .. } | Self::Delete { base, .. } | Self::Lay { base, .. } => *base = None,
        }
        self
    }
}

fn version(widget: Option<&Arc<Widget>>) -> u64 {
    widget.map_or(0, |widget| widget.version)
}

fn plain(version: u64, done: Done, base: Option<u64>) -> Deed {
    Deed { version, done, base, merged: false, resolves: None }
}

fn no_conflict(id: &str) -> Refusal {
    Refusal::new(Code::NotFound, format!("there is no conflict {id:?}"))
}

fn too_many(what: &str, actual: usize, limit: usize) -> Refusal {
    let message = format!("{actual} {what} are over the limit of {limit}");
    Refusal::new(Code::TooLarge, message).with(json!({"limit": limit, "actual": actual}))
}
