//! A board as it would be after some changes: what is judged is judged against it. Only what changes is copied, sums are
//! carried along, and of what one operation replaces is remembered what it was, so that the operation can be taken back
//! and its parts are not held against each other.

use super::board::{Board, Layout, Made, Widget, layout_bytes, widget_bytes};
use super::kept::{Deed, Done};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A board as it would be.
#[derive(Debug)]
pub struct Step<'a> {
    /// As it is.
    pub board: &'a Board,
    changed: Changed,
    /// What the operation that is being judged has replaced.
    replaced: Replaced,
    live: usize,
    bytes: usize,
    /// How much the board may grow, because of all that are open.
    growth_max: usize,
    effort: usize,
}

/// What differs from the board as it is.
#[derive(Debug, Default)]
pub struct Changed {
    /// Widgets.
    pub widgets: BTreeMap<Arc<str>, Arc<Widget>>,
    /// The layout, if it does.
    pub layout: Option<Layout>,
}

/// What there was before an operation, of what it has changed.
#[derive(Debug, Default)]
struct Replaced {
    widgets: BTreeMap<Arc<str>, Option<Arc<Widget>>>,
    layout: Option<Option<Layout>>,
    live: usize,
    bytes: usize,
}

impl<'a> Step<'a> {
    /// A board as it is.
    pub fn on(board: &'a Board) -> Self {
        let (live, bytes) = (board.live_len(), board.bytes());
        let replaced = Replaced { live, bytes, ..Replaced::default() };
        let changed = Changed::default();
        Self { board, changed, replaced, live, bytes, growth_max: usize::MAX, effort: 0 }
    }

    /// The same, where it may grow by so many bytes because of all that are open.
    pub fn growing(self, growth_max: usize) -> Self {
        Self { growth_max, ..self }
    }

    /// Whether it has grown by more than it may.
    pub fn has_outgrown(&self) -> bool {
        self.bytes.saturating_sub(self.board.bytes()) > self.growth_max
    }

    /// What was changed.
    pub fn changed(self) -> Changed {
        self.changed
    }

    /// The widget with this id, if there ever was one.
    pub fn widget(&self, id: &str) -> Option<&Arc<Widget>> {
        self.changed.widgets.get(id).or_else(|| self.board.widgets.get(id))
    }

    /// The layout, if it was set.
    pub fn layout(&self) -> Option<&Layout> {
        self.changed.layout.as_ref().or(self.board.layout.as_ref())
    }

    /// The widget as it was before the operation that is being judged.
    pub fn widget_before(&self, id: &str) -> Option<&Arc<Widget>> {
        self.replaced.widgets.get(id).map_or_else(|| self.widget(id), Option::as_ref)
    }

    /// The layout as it was before the operation that is being judged.
    pub fn layout_before(&self) -> Option<&Layout> {
        self.replaced.layout.as_ref().map_or_else(|| self.layout(), Option::as_ref)
    }

    /// An operation begins.
    pub fn begin(&mut self) {
        self.replaced = Replaced { live: self.live, bytes: self.bytes, ..Replaced::default() };
    }

    /// Takes back what the operation has changed.
    pub fn take_back(&mut self) {
        let Replaced { widgets, layout, live, bytes } = std::mem::take(&mut self.replaced);
        for (id, before) in widgets {
            match before {
                Some(before) => drop(self.changed.widgets.insert(id, before)),
                None => drop(self.changed.widgets.remove(&id)),
            }
        }
        if let Some(before) = layout {
            self.changed.layout = before;
        }
        (self.live, self.bytes) = (live, bytes);
        self.begin();
    }

    /// How many widgets there are, and what all of it counts.
    pub fn size(&self) -> (usize, usize) {
        (self.live, self.bytes)
    }

    /// How much was looked at: parts, and the fields of widgets that were copied or searched for them.
    pub fn effort(&self) -> usize {
        self.effort
    }

    /// A part is looked at.
    pub fn count_part(&mut self) {
        self.effort += 1;
    }

    /// Makes a change.
    pub fn make(&mut self, deed: &Deed, made: &Made) {
        let version = deed.version;
        match &deed.done {
            Done::Updated(id, changes) => {
                let mut widget = self.taken(id).unwrap_or_else(|| Arc::new(Widget::begun(deed, made)));
                // What this operation has changed before is nobody else's, and need not be copied again.
                if Arc::get_mut(&mut widget).is_none() {
                    self.effort += widget.fields.len();
                }
                let own = Arc::make_mut(&mut widget);
                let fields = own.fields.len();
                if own.update(version, changes, made) {
                    self.effort += fields;
                }
                self.effort += changes.0.len();
                self.put(id, widget);
            }
            Done::Deleted(id) => {
                self.taken(id);
                let widget = Widget { whole: version, deleted: true, ..Widget::begun(deed, made) };
                self.put(id, Arc::new(widget));
            }
            Done::Laid(value) | Done::Restored(_, value) => {
                let Made { by, at, .. } = made.clone();
                let before = self.layout().cloned();
                self.bytes -= layout_bytes(before.as_ref());
                self.replaced.layout.get_or_insert(before);
                let layout = Layout { version, value: value.clone(), by, at };
                self.bytes += layout_bytes(Some(&layout));
                self.changed.layout = Some(layout);
            }
        }
    }
    /// Takes a widget out to change it.
    fn taken(&mut self, id: &Arc<str>) -> Option<Arc<Widget>> {
        let before = self.changed.widgets.remove(id).or_else(|| self.board.widgets.get(id).cloned());
        self.bytes -= widget_bytes(id, before.as_deref());
        self.live -= usize::from(before.as_ref().is_some_and(|before| !before.deleted));
        if !self.replaced.widgets.contains_key(id) {
            self.replaced.widgets.insert(id.clone(), before.clone());
        }
        before
    }

    fn put(&mut self, id: &Arc<str>, widget: Arc<Widget>) {
        self.bytes += widget_bytes(id, Some(&widget));
        self.live += usize::from(!widget.deleted);
        self.changed.widgets.insert(id.clone(), widget);
    }
}
