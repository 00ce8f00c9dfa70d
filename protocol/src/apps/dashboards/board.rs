//! A dashboard as its log tells it: widgets with the version at which each of their fields changed last, the layout,
//! and what backends said last. Folded entry by entry; what was deleted leaves its version behind, because versions
//! go on.

use super::changes::{Changes, Raw, field_bytes};
use super::kept::{Deed, Done, Kept};
use crate::ids::{Seq, UserId};
use crate::store::Entry;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// How many fields a widget has at most; as many that were removed are remembered.
pub const FIELDS_MAX: usize = 256;
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
    /// What its fields count.
    pub bytes: usize,
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

/// A board as it would be after some changes: what is judged is judged against it.
#[derive(Debug)]
pub struct Step<'a> {
    /// As it is.
    pub board: &'a Board,
    changed: Changed,
}

/// What differs from the board as it is.
#[derive(Debug, Clone, Default)]
pub struct Changed {
    widgets: BTreeMap<Arc<str>, Arc<Widget>>,
    layout: Option<Layout>,
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
                    let changed = step.changed;
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

impl<'a> Step<'a> {
    /// A board as it is.
    pub fn on(board: &'a Board) -> Self {
        Self { board, changed: Changed::default() }
    }

    /// The widget with this id, if there ever was one.
    pub fn widget(&self, id: &str) -> Option<&Arc<Widget>> {
        self.changed.widgets.get(id).or_else(|| self.board.widgets.get(id))
    }

    /// The layout, if it was set.
    pub fn layout(&self) -> Option<&Layout> {
        self.changed.layout.as_ref().or(self.board.layout.as_ref())
    }

    /// What was changed so far, to come back to it.
    pub fn mark(&self) -> Changed {
        self.changed.clone()
    }

    /// Takes back what was changed since.
    pub fn back_to(&mut self, mark: Changed) {
        self.changed = mark;
    }

    /// How many widgets there are, and what all of it counts.
    pub fn size(&self) -> (usize, usize) {
        let (mut live, mut bytes) = (self.board.live_len(), self.board.bytes);
        for (id, widget) in &self.changed.widgets {
            let before = self.board.widgets.get(id).map(|before| &**before);
            live += usize::from(!widget.deleted);
            live -= usize::from(before.is_some_and(|before| !before.deleted));
            bytes += widget_bytes(id, Some(widget));
            bytes -= widget_bytes(id, before);
        }
        if let Some(layout) = &self.changed.layout {
            bytes += layout_bytes(Some(layout));
            bytes -= layout_bytes(self.board.layout.as_ref());
        }
        (live, bytes)
    }

    /// Makes a change.
    pub fn make(&mut self, deed: &Deed, made: &Made) {
        let version = deed.version;
        match &deed.done {
            Done::Updated(id, changes) => {
                let widget = self.widget(id).map_or_else(|| Widget::begun(deed, made), |at| (**at).clone());
                let widget = widget.updated(version, changes, made);
                self.changed.widgets.insert(id.clone(), Arc::new(widget));
            }
            Done::Deleted(id) => {
                let widget = Widget { whole: version, deleted: true, ..Widget::begun(deed, made) };
                self.changed.widgets.insert(id.clone(), Arc::new(widget));
            }
            Done::Laid(value) | Done::Restored(_, value) => {
                let Made { by, at, .. } = made.clone();
                self.changed.layout = Some(Layout { version, value: value.clone(), by, at });
            }
        }
    }
}

impl Widget {
    /// A widget of which nothing is known but what is done to it now.
    fn begun(deed: &Deed, made: &Made) -> Self {
        let Made { by, at, seq } = made.clone();
        let (version, whole) = (deed.version, deed.version.saturating_sub(1));
        Self { version, whole, fields: BTreeMap::new(), deleted: false, by, at, seq, bytes: 0 }
    }

    fn updated(mut self, version: u64, changes: &Changes, made: &Made) -> Self {
        let Made { by, at, seq } = made.clone();
        (self.version, self.deleted, self.by, self.at, self.seq) = (version, false, by, at, seq);
        for (name, value) in &changes.0 {
            let field = Field { version, value: value.clone() };
            self.bytes += field.bytes(name);
            if let Some(before) = self.fields.insert(name.clone(), field) {
                self.bytes -= before.bytes(name);
            }
        }
        self.forget_removed();
        self
    }

    /// Forgets the fields that were removed the longest ago. Since then all of it may have changed.
    fn forget_removed(&mut self) {
        let mut removed: Vec<_> = self
            .fields
            .iter()
            .filter(|(_, field)| field.value.is_none())
            .map(|(name, field)| (field.version, name.clone()))
            .collect();
        if removed.len() <= FIELDS_MAX {
            return;
        }
        removed.sort();
        for (version, name) in &removed[..removed.len() - FIELDS_MAX] {
            self.fields.remove(name);
            self.whole = self.whole.max(*version);
        }
    }

    /// Its fields that stand.
    pub fn standing(&self) -> impl Iterator<Item = (&str, &Raw)> {
        self.fields.iter().filter_map(|(name, field)| Some((&**name, field.value.as_ref()?)))
    }
}

impl Field {
    /// What it counts.
    pub fn bytes(&self, name: &str) -> usize {
        self.value.as_ref().map_or(0, |value| field_bytes(name, Some(value)))
    }
}

/// What a widget counts; nothing when it is deleted.
pub fn widget_bytes(id: &str, widget: Option<&Widget>) -> usize {
    let live = widget.filter(|widget| !widget.deleted);
    live.map_or(0, |widget| id.len() + WIDGET_OVERHEAD_BYTES + widget.bytes)
}

fn layout_bytes(layout: Option<&Layout>) -> usize {
    layout.map_or(0, |layout| layout.value.as_str().len())
}
