//! A dashboard as its log tells it: widgets with the version at which each of their fields changed last, the layout,
//! and what backends said last. Folded entry by entry; what was deleted leaves its version behind, because versions
//! go on.

use super::changes::{Changes, Raw, field_bytes};
use super::command::VALUE_BYTES_MAX;
use super::kept::{Deed, Kept};
use super::step::{Changed, Step};
use crate::ids::{Seq, UserId};
use crate::store::Entry;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// How many fields a widget has at most; as many that were removed are remembered.
pub const FIELDS_MAX: usize = 256;
/// How many bytes of the names of removed fields are remembered of a widget.
pub const REMOVED_BYTES_MAX: usize = 16 * 1024;
/// How many deleted widgets are remembered one by one.
pub const TOMBSTONES_MAX: usize = 1_000;
/// How many versions of the layout can be brought back.
pub const LAYOUTS_RESTORABLE_MAX: usize = 100;
/// How much of what backends said is kept for those who come back: so many events, so many bytes; one at least.
pub const SAID_EVENTS_MAX: usize = 64;
pub const SAID_BYTES_MAX: usize = 64 * 1024;
/// What a widget costs beside its fields: its name, version, author and time as they are sent.
pub const WIDGET_OVERHEAD_BYTES: usize = 256;

/// A dashboard.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Board {
    /// The last entry that was folded in.
    pub seq: Seq,
    /// By their ids, deleted ones too.
    pub widgets: BTreeMap<Arc<str>, Arc<Widget>>,
    /// The layout, once it was set.
    pub layout: Option<Layout>,
    /// Where in the log the layouts stand that can be brought back, by their versions.
    pub layouts: VecDeque<(u64, Seq)>,
    /// What backends said last.
    pub said: VecDeque<Said>,
    /// The last place of what backends said and is not kept any more.
    pub unsaid: Seq,
    /// New widgets begin above this version: it is the largest of those that are forgotten.
    pub floor: u64,
    /// The last place at which a widget was deleted that is forgotten.
    pub forgotten: Seq,
    /// The deleted widgets, by the place at which they were.
    pub(super) graves: BTreeSet<(Seq, Arc<str>)>,
    /// What all widgets and the layout count.
    pub(super) bytes: usize,
    pub(super) said_bytes: usize,
}

/// A widget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Widget {
    /// How often it was changed, deletions too.
    pub version: u64,
    /// The last version at which all of it changed, or may have.
    pub whole: u64,
    /// Its fields, and those that were removed.
    pub fields: BTreeMap<Arc<str>, Field>,
    /// Whether it is deleted.
    pub deleted: bool,
    /// Who changed it last.
    pub by: UserId,
    /// When that was.
    pub at: Timestamp,
    /// Where it stands in the log.
    pub seq: Seq,
    /// What its fields count, those that were removed too.
    pub bytes: usize,
    /// How many of them were removed.
    pub removed: usize,
    /// What those count.
    pub removed_bytes: usize,
}

/// A field of a widget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The version at which it changed last.
    pub version: u64,
    /// Its value; `None`: it was removed then.
    pub value: Option<Raw>,
}

/// The layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// How often it was set.
    pub version: u64,
    /// What it is.
    pub value: Raw,
    /// Who set it.
    pub by: UserId,
    /// When that was.
    pub at: Timestamp,
}

/// What a backend said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Where it stands in the log.
    pub seq: Seq,
    /// The event's name.
    pub event: String,
    /// Its data.
    pub data: Raw,
}

/// Who makes a change, when, and where it stands.
#[derive(Debug, Clone)]
pub struct Made {
    /// Who.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
    /// Where.
    pub seq: Seq,
}

impl Board {
    /// Takes in the next entry. What cannot be read changes nothing but the place.
    pub fn fold(&mut self, entry: &Entry) {
        self.seq = entry.seq;
        let made = Made { by: entry.author.clone(), at: entry.at, seq: entry.seq };
        match Kept::read(&entry.body) {
            Some(Kept::Said { event, data }) => self.hear(Said { seq: entry.seq, event, data }),
            Some(kept) => {
                for deed in kept.deeds() {
                    let mut step = Step::on(self);
                    step.make(deed, &made);
                    let changed = step.changed();
                    self.adopt(changed, entry.seq);
                }
            }
            None => {}
        }
    }

    /// What all widgets and the layout count.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many widgets there are.
    pub fn live_len(&self) -> usize {
        self.widgets.len() - self.graves.len()
    }

    /// Puts together what a snapshot holds: sums and orders follow from the rest.
    pub fn completed(mut self) -> Self {
        let graves = self.widgets.iter().filter(|(_, widget)| widget.deleted);
        self.graves = graves.map(|(id, widget)| (widget.seq, id.clone())).collect();
        self.said_bytes = self.said.iter().map(Said::bytes).sum();
        let widgets: usize = self.widgets.iter().map(|(id, widget)| widget_bytes(id, Some(widget))).sum();
        self.bytes = widgets + layout_bytes(self.layout.as_ref());
        self
    }

    fn adopt(&mut self, changed: Changed, seq: Seq) {
        for (id, widget) in changed.widgets {
            let before = self.widgets.get(&id);
            self.bytes += widget_bytes(&id, Some(&widget));
            self.bytes -= widget_bytes(&id, before.map(|before| &**before));
            if let Some(before) = before.filter(|before| before.deleted) {
                self.graves.remove(&(before.seq, id.clone()));
            }
            if widget.deleted {
                self.graves.insert((widget.seq, id.clone()));
            }
            self.widgets.insert(id, widget);
        }
        if let Some(layout) = changed.layout {
            self.bytes += layout_bytes(Some(&layout));
            self.bytes -= layout_bytes(self.layout.as_ref());
            self.layouts.push_back((layout.version, seq));
            if self.layouts.len() > LAYOUTS_RESTORABLE_MAX {
                self.layouts.pop_front();
            }
            self.layout = Some(layout);
        }
        while self.graves.len() > TOMBSTONES_MAX
            && let Some((seq, id)) = self.graves.pop_first()
        {
            let version = self.widgets.remove(&id).map_or(0, |widget| widget.version);
            (self.floor, self.forgotten) = (self.floor.max(version), self.forgotten.max(seq));
        }
    }

    fn hear(&mut self, said: Said) {
        self.said_bytes += said.bytes();
        self.said.push_back(said);
        while self.said.len() > SAID_EVENTS_MAX || self.said.len() > 1 && self.said_bytes > SAID_BYTES_MAX {
            let Some(oldest) = self.said.pop_front() else { break };
            self.said_bytes -= oldest.bytes();
            self.unsaid = oldest.seq;
        }
    }
}

impl Said {
    fn bytes(&self) -> usize {
        self.event.len() + self.data.as_str().len()
    }
}

impl Widget {
    /// A widget of which nothing is known but what is done to it now.
    pub(super) fn begun(deed: &Deed, made: &Made) -> Self {
        let Made { by, at, seq } = made.clone();
        let (version, whole) = (deed.version, deed.version.saturating_sub(1));
        let (fields, deleted) = (BTreeMap::new(), false);
        Self { version, whole, fields, deleted, by, at, seq, bytes: 0, removed: 0, removed_bytes: 0 }
    }

    /// Changes fields. The removal of what is not there changes nothing. Whether all fields were looked at for it.
    pub(super) fn update(&mut self, version: u64, changes: &Changes, made: &Made) -> bool {
        let Made { by, at, seq } = made.clone();
        (self.version, self.deleted, self.by, self.at, self.seq) = (version, false, by, at, seq);
        for (name, value) in &changes.0 {
            let stands = self.fields.get(name).is_some_and(|field| field.value.is_some());
            if value.is_none() && !stands {
                continue;
            }
            let field = Field { version, value: value.clone() };
            self.count(name, &field);
            if let Some(before) = self.fields.insert(name.clone(), field) {
                self.discount(name, &before);
            }
        }
        self.remembers_too_much() && {
            self.forget_removed();
            true
        }
    }

    fn count(&mut self, name: &str, field: &Field) {
        self.bytes += field.bytes(name);
        if field.value.is_none() {
            self.removed += 1;
            self.removed_bytes += field.bytes(name);
        }
    }

    fn discount(&mut self, name: &str, field: &Field) {
        self.bytes -= field.bytes(name);
        if field.value.is_none() {
            self.removed -= 1;
            self.removed_bytes -= field.bytes(name);
        }
    }

    /// Puts together what a snapshot holds: sums follow from the rest.
    pub(super) fn completed(mut self) -> Self {
        let fields = std::mem::take(&mut self.fields);
        fields.iter().for_each(|(name, field)| self.count(name, field));
        Self { fields, ..self }
    }

    /// What was removed is remembered as long as there is room for it beside what stands.
    fn remembers_too_much(&self) -> bool {
        let limits = self.removed > FIELDS_MAX || self.removed_bytes > REMOVED_BYTES_MAX;
        limits || self.removed > 0 && self.bytes > VALUE_BYTES_MAX
    }

    /// Forgets the fields that were removed the longest ago. Since then all of it may have changed.
    fn forget_removed(&mut self) {
        let removed = self.fields.iter().filter(|(_, field)| field.value.is_none());
        let mut removed: Vec<_> = removed.map(|(name, field)| (field.version, name.clone())).collect();
        removed.sort();
        for (version, name) in removed {
            if !self.remembers_too_much() {
                break;
            }
            if let Some(field) = self.fields.remove(&name) {
                self.discount(&name, &field);
            }
            self.whole = self.whole.max(version);
        }
    }

    /// How many of its fields stand.
    pub fn standing_len(&self) -> usize {
        self.fields.len() - self.removed
    }

    /// Its fields that stand.
    pub fn standing(&self) -> impl Iterator<Item = (&str, &Raw)> {
        self.fields.iter().filter_map(|(name, field)| Some((&**name, field.value.as_ref()?)))
    }
}

impl Field {
    /// What it counts: its name too where it was removed, because that is remembered.
    fn bytes(&self, name: &str) -> usize {
        field_bytes(name, self.value.as_ref())
    }
}

/// What a widget counts; nothing when it is deleted.
pub fn widget_bytes(id: &str, widget: Option<&Widget>) -> usize {
    let live = widget.filter(|widget| !widget.deleted);
    live.map_or(0, |widget| id.len() + WIDGET_OVERHEAD_BYTES + widget.bytes)
}

/// What a layout counts.
pub fn layout_bytes(layout: Option<&Layout>) -> usize {
    layout.map_or(0, |layout| layout.value.as_str().len())
}
