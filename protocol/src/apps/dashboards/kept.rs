//! What stands in a dashboard's log: a change to a widget or the layout, several of them at once, or what a backend
//! said. Judged once, before it was stored, and read by everybody in the same way.

use super::changes::{Changes, Raw, write_text};
use super::command::{Operation, Part, Resolution};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// One change.
    One(Deed),
    /// Several, all or nothing.
    Batch(Vec<Deed>),
    /// What a backend said.
    Said {
        /// The event's name.
        event: String,
        /// Its data.
        data: Raw,
    },
}

/// A change that was made, and what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// The version that the widget or the layout has from then on.
    pub version: u64,
    /// What was done.
    pub done: Done,
    /// The version that its author had seen, if that was said.
    pub base: Option<u64>,
    /// Whether it was put together with what others had done since.
    pub merged: bool,
    /// The conflict that it ends.
    pub resolves: Option<Resolves>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// Fields of a widget were changed.
    Updated(Arc<str>, Changes),
    /// A widget was deleted.
    Deleted(Arc<str>),
    /// The layout was changed.
    Laid(Raw),
    /// The layout of this version was brought back.
    Restored(u64, Raw),
}

/// The conflict that a change ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolves {
    /// Which.
    pub conflict: Arc<str>,
    /// Whether both sides were merged by hand; else its author's own side was taken.
    pub merged: bool,
}

/// A body as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spelled<'a> {
    #[serde(rename = "type", borrow)]
    name: Cow<'a, str>,
    #[serde(default)]
    version: u64,
    #[serde(borrow)]
    widget_id: Option<Cow<'a, str>>,
    changes: Option<Changes>,
    #[serde(borrow)]
    layout: Option<&'a RawValue>,
    from: Option<u64>,
    base_version: Option<u64>,
    #[serde(default)]
    merged: bool,
    #[serde(borrow)]
    resolves: Option<SpelledResolves<'a>>,
    #[serde(borrow)]
    operations: Option<Vec<Spelled<'a>>>,
    #[serde(borrow)]
    event: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpelledResolves<'a> {
    #[serde(borrow)]
    conflict_id: Cow<'a, str>,
    merged: bool,
}

impl Kept {
    /// The body of an entry.
    pub fn body(&self) -> String {
        let mut body = String::new();
        match self {
            Self::One(deed) => deed.write(&mut body),
            Self::Batch(deeds) => {
                body.push_str(r#"{"type":"WIDGET_BATCH","operations":["#);
                for (place, deed) in deeds.iter().enumerate() {
                    body.push_str(if place > 0 { "," } else { "" });
                    deed.write(&mut body);
                }
                body.push_str("]}");
            }
            Self::Said { event, data } => {
                body.push_str(r#"{"type":"SYNC_UPDATE","event":"#);
                write_text(&mut body, event);
                body.push_str(r#","data":"#);
                body.push_str(data.as_str());
                body.push('}');
            }
        }
        body
    }

    /// What a body says, if it says something.
    pub fn read(body: &[u8]) -> Option<Self> {
        let spelled: Spelled<'_> = serde_json::from_slice(body).ok()?;
        match &*spelled.name {
            "WIDGET_BATCH" => {
                let deeds = spelled.operations?.into_iter().map(Deed::read);
                deeds.collect::<Option<Vec<_>>>().map(Self::Batch)
            }
            "SYNC_UPDATE" => {
                Some(Self::Said { event: spelled.event?.into_owned(), data: Raw::from(spelled.data?) })
            }
            _ => Deed::read(spelled).map(Self::One),
        }
    }

    /// The changes, in their order.
    pub fn deeds(&self) -> &[Deed] {
        match self {
            Self::One(deed) => std::slice::from_ref(deed),
            Self::Batch(deeds) => deeds,
            Self::Said { .. } => &[],
        }
    }

    /// Whether this is what an operation with the same id asked for.
    pub fn answers(&self, asked: &Operation) -> bool {
        match (self, asked) {
            (Self::One(deed), Operation::Part(part)) => deed.resolves.is_none() && deed.answers(part),
            (Self::One(deed), Operation::Restore { version }) => {
                matches!(&deed.done, Done::Restored(from, _) if from == version)
            }
            (Self::One(deed), Operation::Resolve { conflict, resolution }) => {
                let resolves = deed.resolves.as_ref().filter(|resolves| resolves.conflict == *conflict);
                resolves.is_some_and(|resolves| match resolution {
                    Resolution::Mine => !resolves.merged,
                    Resolution::Theirs => false,
                    Resolution::Merged(value) => resolves.merged && deed.sets(value),
                })
            }
            (Self::Batch(deeds), Operation::Batch(parts)) => {
                deeds.len() == parts.len() && deeds.iter().zip(parts).all(|(deed, part)| deed.answers(part))
            }
            (Self::Said { event, data }, Operation::Say { event: said, data: with }) => {
                event == said && data.says(with)
            }
            (Self::One(_) | Self::Batch(_) | Self::Said { .. }, _) => false,
        }
    }
}

impl Deed {
    /// Its name on the wire.
    pub fn name(&self) -> &'static str {
        match self.done {
            Done::Updated(..) => "WIDGET_UPDATE",
            Done::Deleted(_) => "WIDGET_DELETE",
            Done::Laid(_) => "LAYOUT_UPDATE",
            Done::Restored(..) => "LAYOUT_RESTORE",
        }
    }

    /// The widget that it is about; `None`: the layout.
    pub fn widget(&self) -> Option<&Arc<str>> {
        match &self.done {
            Done::Updated(widget, _) | Done::Deleted(widget) => Some(widget),
            Done::Laid(_) | Done::Restored(..) => None,
        }
    }

    /// Writes what others hear of it, the last brace left out.
    pub fn write_told(&self, to: &mut String) {
        to.push('{');
        if let Some(widget) = self.widget() {
            to.push_str(r#""widgetId":"#);
            write_text(to, widget);
            to.push(',');
        }
        write!(to, r#""version":{}"#, self.version).expect("a string takes all");
        match &self.done {
            Done::Updated(_, changes) => {
                to.push_str(r#","changes":"#);
                changes.write(to);
            }
            Done::Laid(value) | Done::Restored(_, value) => {
                to.push_str(r#","layout":"#);
                to.push_str(value.as_str());
            }
            Done::Deleted(_) => {}
        }
    }

    fn write(&self, to: &mut String) {
        write!(to, r#"{{"type":"{}","#, self.name()).expect("a string takes all");
        let mut told = String::new();
        self.write_told(&mut told);
        to.push_str(&told[1..]);
        if let Done::Restored(from, _) = &self.done {
            write!(to, r#","from":{from}"#).expect("a string takes all");
        }
        if let Some(base) = self.base {
            write!(to, r#","baseVersion":{base}"#).expect("a string takes all");
        }
        if self.merged {
            to.push_str(r#","merged":true"#);
        }
        if let Some(Resolves { conflict, merged }) = &self.resolves {
            to.push_str(r#","resolves":{"conflictId":"#);
            write_text(to, conflict);
            write!(to, r#","merged":{merged}}}"#).expect("a string takes all");
        }
        to.push('}');
    }

    fn read(spelled: Spelled<'_>) -> Option<Self> {
        let done = match &*spelled.name {
            "WIDGET_UPDATE" => Done::Updated(Arc::from(spelled.widget_id?), spelled.changes?),
            "WIDGET_DELETE" => Done::Deleted(Arc::from(spelled.widget_id?)),
            "LAYOUT_UPDATE" => Done::Laid(Raw::from(spelled.layout?)),
            "LAYOUT_RESTORE" => Done::Restored(spelled.from?, Raw::from(spelled.layout?)),
            _ => return None,
        };
        let resolves = spelled
            .resolves
            .map(|resolves| Resolves { conflict: Arc::from(resolves.conflict_id), merged: resolves.merged });
        let Spelled { version, base_version: base, merged, .. } = spelled;
        Some(Self { version, done, base, merged, resolves })
    }

    fn answers(&self, part: &Part) -> bool {
        match (&self.done, part) {
            (Done::Updated(widget, changes), Part::Update { widget: of, base, changes: asked }) => {
                widget == of && self.base == *base && changes.says(asked)
            }
            (Done::Deleted(widget), Part::Delete { widget: of, base }) => widget == of && self.base == *base,
            (Done::Laid(value), Part::Lay { base, value: asked }) => self.base == *base && value.says(asked),
            (Done::Updated(..) | Done::Deleted(_) | Done::Laid(_) | Done::Restored(..), _) => false,
        }
    }

    /// Whether it set the whole value to this.
    fn sets(&self, value: &Raw) -> bool {
        match &self.done {
            Done::Updated(_, changes) => {
                value.fields().is_some_and(|fields| fields.says(&changes.standing()))
            }
            Done::Laid(laid) => laid.says(value),
            Done::Deleted(_) | Done::Restored(..) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw {
        serde_json::from_str(text).expect("JSON")
    }

    fn changes(text: &str) -> Changes {
        serde_json::from_str(text).expect("an object")
    }

    fn deed(version: u64, done: Done) -> Deed {
        Deed { version, done, base: None, merged: false, resolves: None }
    }

    #[test]
    fn a_body_says_what_was_written() {
        let resolves = Some(Resolves { conflict: "cnf_1".into(), merged: true });
        let updated = Deed {
            base: Some(2),
            merged: true,
            resolves,
            ..deed(3, Done::Updated("w\"1".into(), changes(r#"{"a": {"b":[1]},"c":null}"#)))
        };
        assert_eq!(
            Kept::One(updated.clone()).body(),
            r#"{"type":"WIDGET_UPDATE","widgetId":"w\"1","version":3,"changes":{"a":{"b":[1]},"c":null},"baseVersion":2,"merged":true,"resolves":{"conflictId":"cnf_1","merged":true}}"#
        );
        for kept in [
            Kept::One(updated.clone()),
            Kept::One(deed(1, Done::Deleted("w".into()))),
            Kept::One(deed(7, Done::Laid(raw("[1, 2]")))),
            Kept::One(deed(8, Done::Restored(2, raw(r#""wide""#)))),
            Kept::Batch(vec![updated, deed(9, Done::Laid(raw("{}")))]),
            Kept::Said { event: "e".into(), data: raw(r#"{"x":1}"#) },
        ] {
            let body = kept.body();
            assert_eq!(Kept::read(body.as_bytes()), Some(kept), "{body}");
        }
        for body in ["", "{}", r#"{"type":"WIDGET_UPDATE"}"#, r#"{"type":"DANCE","version":1}"#] {
            assert_eq!(Kept::read(body.as_bytes()), None, "{body}");
        }
    }
}
