//! How a dashboard is told: what members hear of an entry, what its author is answered, the whole board or what is new
//! of it, and a conflict. Written by hand, because values are carried as they came.

use super::board::{Board, Layout, Said, Widget};
use super::changes::{Raw, write_object, write_text};
use super::command::Part;
use super::judging::Clash;
use super::kept::{Deed, Kept};
use crate::envelope::Event;
use crate::ids::{RoomId, Seq, UserId};
use crate::json::Json;
use crate::refusal::{Code, Refusal};
use crate::store::Entry;
use serde_json::{Value, json};
use std::fmt::Write;

/// The app, where a connection has several.
const FAMILY: &str = "dashboard";

/// What members hear of an entry.
pub fn told(entry: &Entry) -> Option<Event> {
    let mut data = String::with_capacity(entry.body.len() + 64);
    let name = match Kept::read(&entry.body)? {
        Kept::One(deed) => {
            deed.write_told(&mut data);
            deed.name()
        }
        Kept::Batch(deeds) => {
            data.push_str(r#"{"operations":["#);
            for (place, deed) in deeds.iter().enumerate() {
                let comma = if place > 0 { "," } else { "" };
                write!(data, r#"{comma}{{"type":"{}","payload":"#, deed.name()).expect(TAKES_ALL);
                deed.write_told(&mut data);
                data.push_str("}}");
            }
            data.push(']');
            "WIDGET_BATCH"
        }
        Kept::Said { event, data: said } => {
            write_said(&mut data, &event, &said);
            "SYNC_UPDATE"
        }
    };
    write!(data, r#","seq":{}}}"#, entry.seq.0).expect(TAKES_ALL);
    Some(about(&entry.room, Event::named(name.into(), Json::written(data))).by(entry.author.clone()))
}

/// What a backend says and is not kept.
pub fn signalled(room: &RoomId, event: &str, data: &Raw) -> Event {
    let mut text = String::new();
    write_said(&mut text, event, data);
    text.push('}');
    about(room, Event::named("SYNC_UPDATE".into(), Json::written(text)))
}

/// What its author is answered: a function of what is stored.
pub fn answer(entry: &Entry) -> Event {
    let seq = entry.seq.0;
    let data = match Kept::read(&entry.body) {
        Some(Kept::One(deed)) => {
            let mut data = result(&deed);
            data["seq"] = json!(seq);
            if let Some(resolves) = &deed.resolves {
                data["conflictId"] = json!(&*resolves.conflict);
            }
            data
        }
        Some(Kept::Batch(deeds)) => {
            json!({"seq": seq, "results": deeds.iter().map(result).collect::<Vec<_>>()})
        }
        Some(Kept::Said { .. }) | None => json!({"seq": seq}),
    };
    about(&entry.room, Event::new("ACK", &data))
}

/// Why not.
pub fn refused(refusal: &Refusal) -> Event {
    Event::refusal("NACK", refusal, &json!({"error": refusal})).of(FAMILY)
}

/// An event of a dashboard.
pub fn about(room: &RoomId, event: Event) -> Event {
    event.of(FAMILY).within("dashboardId", room.name.clone())
}

/// The conflict as its author is told, with both sides and the fields that they differ in, or without.
pub fn clash_json(id: Option<&str>, clash: &Clash, board: &Board, with_sides: bool) -> String {
    let mut text = String::from("{");
    if let Some(id) = id {
        text.push_str(r#""conflictId":"#);
        write_text(&mut text, id);
        text.push(',');
    }
    text.push_str(r#""widgetId":"#);
    match &clash.widget {
        Some(id) => write_text(&mut text, id),
        None => text.push_str("null"),
    }
    write!(text, r#","baseVersion":{}"#, clash.base).expect(TAKES_ALL);
    if with_sides {
        text.push_str(r#","current":"#);
        match &clash.widget {
            Some(id) => match board.widgets.get(id) {
                Some(widget) => write_widget(&mut text, id, widget),
                None => write_absent(&mut text, id),
            },
            None => write_layout(&mut text, board.layout.as_ref()),
        }
        if id.is_some() {
            text.push_str(r#","yours":"#);
            match &clash.yours {
                Part::Update { changes, .. } => changes.write(&mut text),
                Part::Delete { .. } => text.push_str("null"),
                Part::Lay { value, .. } => text.push_str(value.as_str()),
            }
        }
        let fields: Vec<&str> = clash.fields.iter().map(|name| &**name).collect();
        write!(text, r#","fields":{}"#, Json::of(&fields).as_str()).expect(TAKES_ALL);
    }
    text.push('}');
    text
}

/// The conflict as an event; under a call's id an error.
pub fn detected(room: &RoomId, text: String) -> Event {
    let error = format!(
        r#"{{"code":"CONFLICT","message":"{CONFLICT_MESSAGE}","details":{text},"recoverable":true}}"#
    );
    let event = Event {
        refusal: Some(Json::written(error)),
        code: Some(Code::Conflict),
        ..Event::named("CONFLICT_DETECTED".into(), Json::written(text))
    };
    about(room, event)
}

/// A batch that was left undone because of these.
pub fn batch_conflicts(clashes: &[Clash], board: &Board, with_sides: bool) -> String {
    let clashes: Vec<_> = clashes.iter().map(|clash| clash_json(None, clash, board, with_sides)).collect();
    let details = format!(r#"{{"conflicts":[{}]}}"#, clashes.join(","));
    format!(r#"{{"code":"CONFLICT","message":"{CONFLICT_MESSAGE}","details":{details},"recoverable":true}}"#)
}

/// An error that is written already, as an event.
pub fn refused_with(room: &RoomId, error: String) -> Event {
    let event = Event {
        code: Some(Code::Conflict),
        ..Event::named("NACK".into(), Json::written(format!(r#"{{"error":{error}}}"#)))
    };
    about(room, Event { refusal: Some(Json::written(error)), ..event })
}

pub const CONFLICT_MESSAGE: &str = "somebody else has changed this since";
const TAKES_ALL: &str = "a string takes all";

impl Board {
    /// The payload of `SYNC_RESPONSE`: everything, or what changed after a place where that is known.
    pub fn since(&self, since: Option<Seq>) -> String {
        let since =
            since.filter(|since| *since <= self.seq && *since >= self.forgotten && *since >= self.unsaid);
        let after = since.unwrap_or(Seq::ZERO);
        let mut text = String::with_capacity(if since.is_none() { self.bytes() + 1_024 } else { 1_024 });
        write!(text, r#"{{"seq":{},"full":{},"widgets":["#, self.seq.0, since.is_none()).expect(TAKES_ALL);
        let changed = self.widgets.iter().filter(|(_, widget)| widget.seq > after);
        for (place, (id, widget)) in changed.clone().filter(|(_, widget)| !widget.deleted).enumerate() {
            text.push_str(if place > 0 { "," } else { "" });
            write_widget(&mut text, id, widget);
        }
        text.push_str(r#"],"removed":["#);
        let removed = changed.filter(|(_, widget)| widget.deleted && since.is_some());
        for (place, (id, _)) in removed.enumerate() {
            text.push_str(if place > 0 { "," } else { "" });
            write_text(&mut text, id);
        }
        text.push_str(r#"],"layout":"#);
        write_layout(&mut text, self.layout.as_ref());
        text.push('}');
        text
    }

    /// What backends said after a place, as far as it is kept; to who comes for the first time nothing.
    pub fn said_since(&self, since: Option<Seq>) -> impl Iterator<Item = &Said> {
        self.said.iter().filter(move |said| since.is_some_and(|since| said.seq > since))
    }
}

impl Said {
    /// As members hear it.
    pub fn told(&self, room: &RoomId) -> Event {
        let told = Event::named("SYNC_UPDATE".into(), Json::written(self.payload()));
        about(room, told).by(UserId::server())
    }

    /// The payload of `SYNC_UPDATE`.
    pub fn payload(&self) -> String {
        let mut text = String::new();
        write_said(&mut text, &self.event, &self.data);
        write!(text, r#","seq":{}}}"#, self.seq.0).expect(TAKES_ALL);
        text
    }
}

fn write_said(to: &mut String, event: &str, data: &Raw) {
    to.push_str(r#"{"event":"#);
    write_text(to, event);
    to.push_str(r#","data":"#);
    to.push_str(data.as_str());
}

fn write_widget(to: &mut String, id: &str, widget: &Widget) {
    to.push_str(r#"{"widgetId":"#);
    write_text(to, id);
    write!(to, r#","version":{},"value":"#, widget.version).expect(TAKES_ALL);
    write_object(to, widget.standing().map(|(name, value)| (name, value.as_str())));
    if widget.deleted {
        to.push_str(r#","deleted":true"#);
    }
    to.push_str(r#","updatedBy":"#);
    write_text(to, widget.by.as_str());
    write!(to, r#","updatedAt":"{}"}}"#, widget.at).expect(TAKES_ALL);
}

/// A widget that never was, where somebody says to have seen it.
fn write_absent(to: &mut String, id: &str) {
    to.push_str(r#"{"widgetId":"#);
    write_text(to, id);
    to.push_str(r#","version":0,"value":{},"deleted":true}"#);
}

fn write_layout(to: &mut String, layout: Option<&Layout>) {
    let Some(Layout { version, value, by, at }) = layout else { return to.push_str("null") };
    write!(to, r#"{{"version":{version},"value":{},"updatedBy":"#, value.as_str()).expect(TAKES_ALL);
    write_text(to, by.as_str());
    write!(to, r#","updatedAt":"{at}"}}"#).expect(TAKES_ALL);
}

fn result(deed: &Deed) -> Value {
    let mut result = json!({"version": deed.version});
    if let Some(widget) = deed.widget() {
        result["widgetId"] = json!(&**widget);
    }
    if deed.merged {
        result["merged"] = json!(true);
    }
    result
}
