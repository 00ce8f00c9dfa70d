//! A board as it is stored, so that who opens it need not read its whole log.

use super::board::{Board, Field, Layout, Said, Widget};
use super::changes::{Raw, write_text};
use crate::ids::{Seq, UserId};
use crate::time::Timestamp;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

const TAKES_ALL: &str = "a string takes all";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SpelledBoard {
    seq: Seq,
    floor: u64,
    forgotten: Seq,
    unsaid: Seq,
    layouts: Vec<(u64, Seq)>,
    layout: Option<SpelledLayout>,
    said: Vec<(Seq, String, Raw)>,
    widgets: Vec<SpelledWidget>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SpelledLayout {
    version: u64,
    by: UserId,
    at: Timestamp,
    value: Raw,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SpelledWidget {
    id: Arc<str>,
    version: u64,
    whole: u64,
    deleted: bool,
    by: UserId,
    at: Timestamp,
    seq: Seq,
    /// A field's name, its version, and its value if it has one.
    fields: Vec<(Arc<str>, u64, Vec<Raw>)>,
}

impl Board {
    /// The board as it is stored.
    pub fn snapshot(&self) -> Bytes {
        let mut text = String::with_capacity(2 * self.bytes() + 1_024);
        let Self { seq, floor, forgotten, unsaid, .. } = self;
        write!(
            text,
            r#"{{"seq":{},"floor":{floor},"forgotten":{},"unsaid":{},"layouts":["#,
            seq.0, forgotten.0, unsaid.0
        )
        .expect(TAKES_ALL);
        for (place, (version, seq)) in self.layouts.iter().enumerate() {
            write!(text, "{}[{version},{}]", comma(place), seq.0).expect(TAKES_ALL);
        }
        text.push_str(r#"],"layout":"#);
        match &self.layout {
            Some(Layout { version, value, by, at }) => {
                write!(text, r#"{{"version":{version},"at":{},"by":"#, at.0).expect(TAKES_ALL);
                write_text(&mut text, by.as_str());
                write!(text, r#","value":{}}}"#, value.as_str()).expect(TAKES_ALL);
            }
            None => text.push_str("null"),
        }
        text.push_str(r#","said":["#);
        for (place, Said { seq, event, data }) in self.said.iter().enumerate() {
            write!(text, "{}[{},", comma(place), seq.0).expect(TAKES_ALL);
            write_text(&mut text, event);
            write!(text, ",{}]", data.as_str()).expect(TAKES_ALL);
        }
        text.push_str(r#"],"widgets":["#);
        for (place, (id, widget)) in self.widgets.iter().enumerate() {
            text.push_str(comma(place));
            widget.write_snapshot(&mut text, id);
        }
        text.push_str("]}");
        text.into()
    }

    /// The board that was stored; `None`: it cannot be read, and is folded from the log anew.
    pub fn restored(snapshot: &[u8]) -> Option<Self> {
        let spelled: SpelledBoard = serde_json::from_slice(snapshot).ok()?;
        let layout =
            spelled.layout.map(|SpelledLayout { version, by, at, value }| Layout { version, value, by, at });
        let said = spelled.said.into_iter().map(|(seq, event, data)| Said { seq, event, data });
        let widgets =
            spelled.widgets.into_iter().map(|spelled| (spelled.id.clone(), Arc::new(spelled.widget())));
        let board = Self {
            seq: spelled.seq,
            widgets: widgets.collect(),
            layout,
            layouts: spelled.layouts.into(),
            said: said.collect(),
            unsaid: spelled.unsaid,
            floor: spelled.floor,
            forgotten: spelled.forgotten,
            ..Self::default()
        };
        Some(board.completed())
    }
}

impl Widget {
    fn write_snapshot(&self, to: &mut String, id: &str) {
        let Self { version, whole, deleted, at, seq, .. } = self;
        to.push_str(r#"{"id":"#);
        write_text(to, id);
        to.push_str(r#","by":"#);
        write_text(to, self.by.as_str());
        write!(
            to,
            r#","version":{version},"whole":{whole},"deleted":{deleted},"at":{},"seq":{},"fields":["#,
            at.0, seq.0
        )
        .expect(TAKES_ALL);
        for (place, (name, field)) in self.fields.iter().enumerate() {
            write!(to, "{}[", comma(place)).expect(TAKES_ALL);
            write_text(to, name);
            let value = field.value.as_ref().map_or("", Raw::as_str);
            write!(to, ",{},[{value}]]", field.version).expect(TAKES_ALL);
        }
        to.push_str("]}");
    }
}

impl SpelledWidget {
    fn widget(self) -> Widget {
        let Self { id: _, version, whole, deleted, by, at, seq, fields } = self;
        let field = |(name, version, value): (Arc<str>, u64, Vec<Raw>)| {
            (name, Field { version, value: value.into_iter().next() })
        };
        let fields: BTreeMap<_, _> = fields.into_iter().map(field).collect();
        let (bytes, removed, removed_bytes) = (0, 0, 0);
        Widget { version, whole, fields, deleted, by, at, seq, bytes, removed, removed_bytes }.completed()
    }
}

fn comma(place: usize) -> &'static str {
    if place > 0 { "," } else { "" }
}

/// A board goes through recordings as its snapshot.
impl Serialize for Board {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.snapshot().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Board {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let snapshot = Bytes::deserialize(reader)?;
        Self::restored(&snapshot).ok_or_else(|| de::Error::custom("a board that cannot be read"))
    }
}
