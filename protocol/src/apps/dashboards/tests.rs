use super::board::{
    Board, FIELDS_MAX, LAYOUTS_RESTORABLE_MAX, REMOVED_BYTES_MAX, SAID_EVENTS_MAX, TOMBSTONES_MAX,
};
use super::changes::NAME_BYTES_MAX;
use super::command::{Ask, BATCH_OPERATIONS_MAX, Command, Operation, VALUE_BYTES_MAX};
use super::desk::{self, Beside, Case, JUDGED_CASES_MAX, JUDGED_EFFORT_MAX, Origin, Standing, Task, Wanted};
use super::judging::{BOARD_BYTES_MAX, Clash, Known, Verdict, WIDGETS_MAX};
use super::kept::Kept;
use super::spelling;
use super::step::Step;
use crate::ids::{EntryId, RequestId, RoomId, Seq, UserId};
use crate::refusal::{Code, Refusal};
use crate::room::PostId;
use crate::store::Entry;
use crate::time::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A board with its log, which stores what it is asked at once.
#[derive(Default)]
struct Desk {
    board: Board,
    log: Vec<Entry>,
}

fn operation(name: &str, payload: &Value) -> Operation {
    let command = Command::parse(name, &payload.to_string(), None).expect("a name").expect("a command");
    let Ask::Operate(None, operation) = command.ask else { panic!("{command:?} is no operation") };
    *operation
}

impl Desk {
    fn judge(&mut self, name: &str, payload: Value, known: Known<'_>) -> Verdict {
        let verdict = Step::on(&self.board).judge(&operation(name, &payload), known);
        if let Verdict::Append(kept) = &verdict {
            self.append(kept);
        }
        verdict
    }

    fn append(&mut self, kept: &Kept) {
        let seq = self.board.seq.next();
        let entry = Entry {
            room: RoomId::dashboard("d"),
            seq,
            id: EntryId::from(format!("e{}", seq.0)),
            author: "ada".into(),
            at: Timestamp(seq.0 * 1_000_000),
            body: kept.body().into(),
        };
        self.board.fold(&entry);
        self.log.push(entry);
    }

    fn ask(&mut self, name: &str, payload: Value) -> Verdict {
        self.judge(name, payload, Known::default())
    }

    /// What its author is answered, or why nothing was done.
    fn done(&mut self, name: &str, payload: Value) -> Value {
        match self.ask(name, payload) {
            Verdict::Append(_) => {
                let answer = spelling::answer(self.log.last().expect("it was stored"));
                serde_json::from_str(answer.data.as_str()).expect("JSON")
            }
            Verdict::Conflict(clash) => json!({"conflict": clash.fields, "current": clash.current}),
            Verdict::Conflicts(clashes) => {
                json!({"conflicts": clashes.iter().map(|clash| &clash.widget).collect::<Vec<_>>()})
            }
            Verdict::Refused(refusal) => json!({"refused": refusal.code.as_str()}),
            Verdict::Withdrawn => json!("withdrawn"),
        }
    }

    fn sync(&self, since: Option<u64>) -> Value {
        serde_json::from_str(&self.board.since(since.map(Seq))).expect("JSON")
    }

    fn clash(&mut self, name: &str, payload: Value) -> Clash {
        let verdict = self.ask(name, payload);
        let Verdict::Conflict(clash) = verdict else { panic!("{verdict:?} is no conflict") };
        *clash
    }
}

fn update(widget: &str, base: Option<u64>, changes: Value) -> Value {
    match base {
        Some(base) => json!({"widgetId": widget, "baseVersion": base, "changes": changes}),
        None => json!({"widgetId": widget, "changes": changes}),
    }
}

#[test]
fn changes_of_different_fields_are_merged_and_of_the_same_conflict() {
    let mut desk = Desk::default();
    assert_eq!(
        desk.done("WIDGET_UPDATE", update("w", Some(0), json!({"a": 1, "b": 1}))),
        json!({"widgetId": "w", "version": 1, "seq": 1})
    );
    assert_eq!(
        desk.done("WIDGET_UPDATE", update("w", Some(1), json!({"a": 2}))),
        json!({"widgetId": "w", "version": 2, "seq": 2})
    );
    assert_eq!(
        desk.done("WIDGET_UPDATE", update("w", Some(1), json!({"b": 2, "c": 2}))),
        json!({"widgetId": "w", "version": 3, "seq": 3, "merged": true})
    );
    assert_eq!(
        desk.done("WIDGET_UPDATE", update("w", Some(1), json!({"a": 9, "d": 9}))),
        json!({"conflict": ["a"], "current": 3})
    );
    assert_eq!(
        desk.done("WIDGET_UPDATE", update("w", None, json!({"a": 9, "b": null}))),
        json!({"widgetId": "w", "version": 4, "seq": 4})
    );
    // A removed field was changed too.
    assert_eq!(
        desk.done("WIDGET_UPDATE", update("w", Some(3), json!({"b": 5}))),
        json!({"conflict": ["b"], "current": 4})
    );
    assert_eq!(desk.sync(None)["widgets"][0]["value"], json!({"a": 9, "c": 2}));
}

#[test]
fn what_was_seen_in_a_version_that_is_still_to_come_conflicts() {
    let mut desk = Desk::default();
    assert_eq!(
        desk.done("WIDGET_UPDATE", update("w", Some(5), json!({"a": 1}))),
        json!({"conflict": ["a"], "current": 0})
    );
    let layout = json!({"baseVersion": 1, "layout": {}});
    assert_eq!(desk.done("LAYOUT_UPDATE", layout), json!({"conflict": [], "current": 0}));
}

#[test]
fn versions_go_on_after_a_delete_and_a_stale_delete_conflicts() {
    let mut desk = Desk::default();
    desk.done("WIDGET_UPDATE", update("w", None, json!({"a": 1})));
    desk.done("WIDGET_UPDATE", update("w", None, json!({"b": 1})));
    let delete = |base: u64| json!({"widgetId": "w", "baseVersion": base});
    assert_eq!(desk.done("WIDGET_DELETE", delete(1)), json!({"conflict": ["b"], "current": 2}));
    assert_eq!(desk.done("WIDGET_DELETE", delete(2)), json!({"widgetId": "w", "version": 3, "seq": 3}));
    assert_eq!(desk.done("WIDGET_DELETE", delete(2)), json!({"conflict": [], "current": 3}));
    assert_eq!(desk.done("WIDGET_DELETE", delete(3)), json!({"refused": "NOT_FOUND"}));
    assert_eq!(desk.done("WIDGET_DELETE", json!({"widgetId": "x"})), json!({"refused": "NOT_FOUND"}));
    assert_eq!(
        desk.done("WIDGET_UPDATE", update("w", Some(2), json!({"c": 1}))),
        json!({"conflict": ["c"], "current": 3})
    );
    assert_eq!(
        desk.done("WIDGET_UPDATE", update("w", Some(3), json!({"c": 1}))),
        json!({"widgetId": "w", "version": 4, "seq": 4})
    );
    assert_eq!(desk.sync(None)["widgets"][0]["value"], json!({"c": 1}));
}

#[test]
fn the_layout_is_one_value_and_its_versions_come_back() {
    let mut desk = Desk::default();
    let lay = |base: Option<u64>, value: &str| json!({"baseVersion": base, "layout": value});
    assert_eq!(desk.done("LAYOUT_UPDATE", lay(Some(0), "one")), json!({"version": 1, "seq": 1}));
    assert_eq!(desk.done("LAYOUT_UPDATE", lay(None, "two")), json!({"version": 2, "seq": 2}));
    assert_eq!(desk.done("LAYOUT_UPDATE", lay(Some(1), "three")), json!({"conflict": [], "current": 2}));
    assert_eq!(desk.done("LAYOUT_RESTORE", json!({"version": 1})), json!({"refused": "NOT_FOUND"}));
    let one = serde_json::from_str(r#""one""#).expect("JSON");
    let known = Known { restored: Some(&one), ..Known::default() };
    assert!(matches!(desk.judge("LAYOUT_RESTORE", json!({"version": 1}), known), Verdict::Append(_)));
    let layout = &desk.sync(None)["layout"];
    assert_eq!((&layout["version"], &layout["value"]), (&json!(3), &json!("one")));
    assert_eq!(desk.board.layouts, [(1, Seq(1)), (2, Seq(2)), (3, Seq(3))]);
    for _ in 0..LAYOUTS_RESTORABLE_MAX {
        desk.done("LAYOUT_UPDATE", lay(None, "more"));
    }
    assert_eq!(desk.board.layouts.front(), Some(&(4, Seq(4))));
}

#[test]
fn a_batch_is_done_as_a_whole_or_not_at_all() {
    let mut desk = Desk::default();
    let part = |name: &str, payload: Value| json!({"type": name, "payload": payload});
    let batch = |parts: &[Value]| json!({"operations": parts});
    let all = batch(&[
        part("WIDGET_UPDATE", update("a", Some(0), json!({"x": 1}))),
        part("WIDGET_UPDATE", update("a", Some(1), json!({"x": 2}))),
        part("LAYOUT_UPDATE", json!({"layout": ["a"]})),
        part("WIDGET_DELETE", json!({"widgetId": "a"})),
    ]);
    let results = json!([
        {"widgetId": "a", "version": 1},
        {"widgetId": "a", "version": 2},
        {"version": 1},
        {"widgetId": "a", "version": 3},
    ]);
    assert_eq!(desk.done("WIDGET_BATCH", all), json!({"seq": 1, "results": results}));
    let before = desk.board.clone();
    let stale = batch(&[
        part("WIDGET_UPDATE", update("b", None, json!({"x": 1}))),
        part("WIDGET_UPDATE", update("a", Some(1), json!({"x": 1}))),
        part("WIDGET_UPDATE", update("a", Some(2), json!({"x": 1}))),
        part("LAYOUT_UPDATE", json!({"baseVersion": 0, "layout": []})),
    ]);
    assert_eq!(desk.done("WIDGET_BATCH", stale), json!({"conflicts": ["a", null]}));
    let refused = batch(&[
        part("WIDGET_UPDATE", update("b", None, json!({"x": 1}))),
        part("WIDGET_DELETE", json!({"widgetId": "nothing"})),
    ]);
    assert_eq!(desk.done("WIDGET_BATCH", refused), json!({"refused": "NOT_FOUND"}));
    assert_eq!(desk.board, before);
}

#[test]
fn a_conflict_ends_with_mine_theirs_or_both_and_begins_anew_after_a_further_change() {
    let mut desk = Desk::default();
    desk.done("WIDGET_UPDATE", update("w", None, json!({"a": 1, "b": 1})));
    desk.done("WIDGET_UPDATE", update("w", None, json!({"a": 2})));
    let clash = desk.clash("WIDGET_UPDATE", update("w", Some(1), json!({"a": 3, "c": 3})));
    let known = Known { conflict: Some(&clash), ..Known::default() };
    let resolve = |resolution: &str| json!({"conflictId": "c", "resolution": resolution});
    assert_eq!(desk.judge("CONFLICT_RESOLVED", resolve("theirs"), known), Verdict::Withdrawn);
    let withdrawn = Known { withdrawn: true, ..known };
    assert!(matches!(
        desk.judge("CONFLICT_RESOLVED", resolve("mine"), withdrawn),
        Verdict::Refused(refusal) if refusal.code == Code::NotFound
    ));
    assert_eq!(desk.done("CONFLICT_RESOLVED", resolve("mine")), json!({"refused": "NOT_FOUND"}));
    assert!(matches!(desk.judge("CONFLICT_RESOLVED", resolve("mine"), known), Verdict::Append(_)));
    assert_eq!(desk.sync(None)["widgets"][0]["value"], json!({"a": 3, "b": 1, "c": 3}));

    // It has changed by this; the conflict that is told now is about that change.
    let Verdict::Conflict(again) = desk.judge("CONFLICT_RESOLVED", resolve("mine"), known) else {
        panic!("a further change conflicts")
    };
    assert_eq!((again.base, again.current), (2, 3));
    let known = Known { conflict: Some(&again), ..Known::default() };
    let both = json!({"conflictId": "c", "resolution": "merged", "value": {"a": 4, "d": 4, "e": null}});
    assert!(matches!(desk.judge("CONFLICT_RESOLVED", both.clone(), known), Verdict::Append(_)));
    assert_eq!(desk.sync(None)["widgets"][0]["value"], json!({"a": 4, "d": 4}));
    let last = desk.log.last().expect("it was stored");
    let kept = Kept::read(&last.body).expect("an entry");
    assert!(kept.answers(&operation("CONFLICT_RESOLVED", &both)));
    assert!(!kept.answers(&operation("CONFLICT_RESOLVED", &resolve("mine"))));
    assert_eq!(
        spelling::answer(last).data.as_str(),
        r#"{"conflictId":"c","seq":4,"version":4,"widgetId":"w"}"#
    );
}

#[test]
fn the_same_asked_again_is_known_by_what_it_says() {
    let mut desk = Desk::default();
    desk.done("WIDGET_UPDATE", update("w", Some(0), json!({"a": {"x": 1, "y": 2}})));
    let kept = Kept::read(&desk.log[0].body).expect("an entry");
    let again = r#"{"widgetId":"w","baseVersion":0,"changes":{"a":{"y":2, "x":1}}}"#;
    let again = Command::parse("WIDGET_UPDATE", again, None).expect("a name").expect("a command");
    assert!(matches!(again.ask, Ask::Operate(_, operation) if kept.answers(&operation)));
    for other in [
        update("w", None, json!({"a": {"x": 1, "y": 2}})),
        update("v", Some(0), json!({"a": {"x": 1, "y": 2}})),
        update("w", Some(0), json!({"a": {"x": 1, "y": 3}})),
    ] {
        assert!(!kept.answers(&operation("WIDGET_UPDATE", &other)), "{other}");
    }
    assert!(!kept.answers(&operation("WIDGET_DELETE", &json!({"widgetId": "w", "baseVersion": 0}))));
}

#[test]
fn who_comes_back_is_told_what_is_new_and_else_everything() {
    let mut desk = Desk::default();
    desk.done("WIDGET_UPDATE", update("a", None, json!({"x": 1})));
    desk.done("WIDGET_UPDATE", update("b", None, json!({"x": 1})));
    desk.done("WIDGET_DELETE", json!({"widgetId": "a"}));
    desk.done("LAYOUT_UPDATE", json!({"layout": [1]}));
    let ids = |sync: &Value| -> Vec<Value> {
        sync["widgets"].as_array().expect("a list").iter().map(|widget| widget["widgetId"].clone()).collect()
    };
    let all = desk.sync(None);
    assert_eq!((&all["seq"], &all["full"], ids(&all)), (&json!(4), &json!(true), vec![json!("b")]));
    assert_eq!(
        all["widgets"][0],
        json!({"widgetId": "b", "version": 1, "value": {"x": 1}, "updatedBy": "ada", "updatedAt": "1970-01-01T00:00:02.000Z"})
    );
    assert_eq!(all["removed"], json!([]));
    let new = desk.sync(Some(1));
    assert_eq!((&new["full"], ids(&new), &new["removed"]), (&json!(false), vec![json!("b")], &json!(["a"])));
    let new = desk.sync(Some(2));
    assert_eq!((ids(&new), &new["removed"]), (vec![], &json!(["a"])));
    assert_eq!(desk.sync(Some(5))["full"], json!(true), "above the log's end");
    assert_eq!(
        Desk::default().sync(None),
        json!({"seq": 0, "full": true, "widgets": [], "removed": [], "layout": null})
    );
}

#[test]
fn what_backends_said_last_is_kept_for_those_who_come_back() {
    let mut desk = Desk::default();
    for number in 0..=SAID_EVENTS_MAX {
        let data = serde_json::from_str(&number.to_string()).expect("JSON");
        desk.append(&Kept::Said { event: "e".into(), data });
    }
    let seqs = |since| desk.board.said_since(since).map(|said| said.seq.0).collect::<Vec<_>>();
    assert_eq!(seqs(None), Vec::<u64>::new());
    assert_eq!(seqs(Some(Seq(63))), [64, 65]);
    assert_eq!(
        (desk.sync(Some(0))["full"].clone(), desk.sync(Some(1))["full"].clone()),
        (json!(true), json!(false))
    );
    assert_eq!(
        desk.board.said.back().map(|said| said.payload()),
        Some(r#"{"event":"e","data":64,"seq":65}"#.to_string())
    );
    let big = serde_json::from_str(&json!("x".repeat(60_000)).to_string()).expect("JSON");
    let big = Kept::Said { event: "e".into(), data: big };
    desk.append(&big);
    desk.append(&big);
    assert_eq!((desk.board.said.len(), desk.board.unsaid), (1, Seq(66)));
}

#[test]
fn the_widget_the_field_and_the_byte_over_a_limit_are_refused() {
    let mut desk = Desk::default();
    let fields = |count: usize| -> Value {
        (0..count).map(|field| (format!("f{field}"), json!(0))).collect::<serde_json::Map<_, _>>().into()
    };
    assert_eq!(desk.done("WIDGET_UPDATE", update("f", None, fields(FIELDS_MAX)))["version"], json!(1));
    assert_eq!(
        desk.done("WIDGET_UPDATE", update("f", None, json!({"one": 0}))),
        json!({"refused": "TOO_LARGE"})
    );
    assert_eq!(
        desk.done("WIDGET_UPDATE", update("f", None, json!({"one": 0, "f0": null})))["version"],
        json!(2)
    );

    let text = |bytes: usize| "x".repeat(bytes - 2);
    assert_eq!(
        desk.done("WIDGET_UPDATE", update("b", None, json!({"a": text(VALUE_BYTES_MAX - 1)})))["version"],
        json!(1)
    );
    assert_eq!(
        desk.done("WIDGET_UPDATE", update("b", None, json!({"b": 1}))),
        json!({"refused": "TOO_LARGE"})
    );
    let mut filled = 0;
    while desk.done("WIDGET_UPDATE", update(&format!("w{filled}"), None, json!({"a": text(60_000)})))["version"]
        == json!(1)
    {
        filled += 1;
    }
    assert!(desk.board.bytes() <= BOARD_BYTES_MAX && desk.board.bytes() + 60_500 > BOARD_BYTES_MAX);
    assert!(desk.sync(None).to_string().len() < (1 << 20));
    // Where there is no room, there is still room for less.
    assert_eq!(desk.done("WIDGET_UPDATE", update("b", None, json!({"a": 1})))["version"], json!(2));

    let mut desk = Desk::default();
    for widget in 0..WIDGETS_MAX {
        desk.done("WIDGET_UPDATE", update(&format!("w{widget}"), None, json!({})));
    }
    assert_eq!(desk.done("WIDGET_UPDATE", update("more", None, json!({}))), json!({"refused": "TOO_LARGE"}));
    assert_eq!(desk.done("WIDGET_DELETE", json!({"widgetId": "w0"}))["version"], json!(2));
    assert_eq!(desk.done("WIDGET_UPDATE", update("more", None, json!({})))["version"], json!(1));
}

#[test]
fn the_longest_deleted_widget_is_forgotten_and_versions_go_on_above_it() {
    let mut desk = Desk::default();
    for widget in 0..=TOMBSTONES_MAX {
        desk.done("WIDGET_UPDATE", update(&format!("w{widget}"), None, json!({"a": 1})));
        desk.done("WIDGET_DELETE", json!({"widgetId": format!("w{widget}")}));
    }
    assert_eq!((desk.board.widgets.len(), desk.board.floor), (TOMBSTONES_MAX, 2));
    assert_eq!(desk.board.forgotten, Seq(2));
    assert_eq!(
        (desk.sync(Some(1))["full"].clone(), desk.sync(Some(2))["full"].clone()),
        (json!(true), json!(false))
    );
    assert_eq!(
        desk.done("WIDGET_UPDATE", update("w0", Some(1), json!({"b": 1}))),
        json!({"conflict": ["b"], "current": 0})
    );
    assert_eq!(desk.done("WIDGET_UPDATE", update("w0", Some(0), json!({"b": 1})))["version"], json!(3));
    assert_eq!(
        desk.done("WIDGET_UPDATE", update("w0", Some(1), json!({"c": 1}))),
        json!({"conflict": ["c"], "current": 3})
    );
}

#[test]
fn a_field_that_was_removed_long_ago_counts_as_changed() {
    let mut desk = Desk::default();
    for field in 0..=FIELDS_MAX {
        desk.done("WIDGET_UPDATE", update("w", None, json!({format!("f{field}"): 1})));
        desk.done("WIDGET_UPDATE", update("w", None, json!({format!("f{field}"): null})));
    }
    let widget = desk.board.widgets["w"].clone();
    assert_eq!((widget.fields.len(), widget.whole), (FIELDS_MAX, 2));
    assert_eq!(
        desk.done("WIDGET_UPDATE", update("w", Some(1), json!({"new": 1})))["conflict"],
        json!(["new"])
    );
    assert_eq!(desk.done("WIDGET_UPDATE", update("w", Some(2), json!({"new": 1})))["merged"], json!(true));
}

#[test]
fn what_a_call_does_not_have_is_ignored_whatever_it_holds() {
    let read = |name: &str, payload: Value| {
        Command::parse(name, &payload.to_string(), Some("id")).expect("a name").is_ok()
    };
    let foreign = json!({"since": "x", "dashboardId": 7, "id": [], "else": 1});
    let with = |own: Value, others: &[&str]| {
        let mut payload = foreign.clone();
        others.iter().for_each(|name| payload[*name] = json!({"no": ["such"]}));
        own.as_object().expect("an object").iter().for_each(|(name, value)| payload[name] = value.clone());
        payload
    };
    assert!(read(
        "WIDGET_UPDATE",
        with(update("w", None, json!({"a": 1})), &["layout", "version", "operations"])
    ));
    assert!(read("WIDGET_DELETE", with(json!({"widgetId": "w"}), &["version", "resolution", "operations"])));
    assert!(read("WIDGET_DELETE", json!({"widgetId": "w", "changes": 7})));
    assert!(read("LAYOUT_UPDATE", with(json!({"layout": 1}), &["widgetId", "version", "operations"])));
    assert!(read("LAYOUT_RESTORE", with(json!({"version": 1}), &["widgetId", "baseVersion", "conflictId"])));
    let part = with(json!({"widgetId": "w"}), &["version", "operations"]);
    let parts = json!({"operations": [{"type": "WIDGET_DELETE", "payload": part}]});
    assert!(read("WIDGET_BATCH", with(parts, &["widgetId", "baseVersion", "version"])));
    let resolve = json!({"conflictId": "c", "resolution": "mine"});
    assert!(read("CONFLICT_RESOLVED", with(resolve, &["widgetId", "baseVersion", "version"])));
    assert!(read("SYNC_REQUEST", json!({"since": 1, "widgetId": 7, "changes": [], "operations": {}})));
    assert!(read("DISCONNECT", foreign.clone()));
    let among = |name: &str, payload: Value| Command::parse_among(name, &payload.to_string());
    for name in ["dashboard:close", "dashboard:SYNC_REQUEST"] {
        let read = among(name, json!({"dashboardId": "d", "id": 7, "version": "x"}));
        assert!(matches!(read, Some(Ok(_))), "{name}: {read:?}");
    }
    // What it has is looked at.
    assert!(!read("SYNC_REQUEST", json!({"since": "x"})));
    assert!(!read("LAYOUT_RESTORE", json!({"version": "x"})));
    assert!(matches!(among("dashboard:close", json!({"dashboardId": 7})), Some(Err(_))));
}

#[test]
fn the_name_of_a_field_has_a_limit_and_what_is_not_there_is_not_remembered() {
    let mut desk = Desk::default();
    let long = "n".repeat(NAME_BYTES_MAX + 1);
    let refused = |name: &str, payload: Value| {
        let read = Command::parse(name, &payload.to_string(), None).expect("a name");
        let refusal = read.expect_err("a name that is too long");
        (refusal.code, refusal.message.into_owned(), refusal.details)
    };
    let too_large = (
        Code::TooLarge,
        "name of a field of 256 bytes is over the limit of 255".to_string(),
        Some(json!({"limit": 255, "actual": 256})),
    );
    for value in [json!(1), json!(null)] {
        let payload = update("w", None, json!({long.clone(): value}));
        assert_eq!(refused("WIDGET_UPDATE", payload.clone()), too_large);
        let parts = json!({"operations": [{"type": "WIDGET_UPDATE", "payload": payload}]});
        assert_eq!(refused("WIDGET_BATCH", parts), too_large);
    }
    let name = |field: usize| format!("{field:0255}");
    assert_eq!(desk.done("WIDGET_UPDATE", update("w", None, json!({name(0): 1})))["version"], json!(1));
    desk.done("WIDGET_UPDATE", update("w", None, json!({"a": 1})));
    let clash = desk.clash("WIDGET_UPDATE", update("w", Some(0), json!({"a": 2})));
    let known = Known { conflict: Some(&clash), ..Known::default() };
    let merged = json!({"conflictId": "c", "resolution": "merged", "value": {long: 1}});
    assert!(matches!(
        desk.judge("CONFLICT_RESOLVED", merged, known),
        Verdict::Refused(refusal) if refusal.code == Code::TooLarge
    ));

    // What never was is not removed, and nobody is in conflict with that.
    let bytes = desk.board.bytes();
    let nothing: serde_json::Map<_, _> = (1..200).map(|field| (name(field), json!(null))).collect();
    desk.done("WIDGET_UPDATE", update("w", None, nothing.into()));
    assert_eq!((desk.board.bytes(), desk.board.widgets["w"].fields.len()), (bytes, 2));
    assert_eq!(desk.done("WIDGET_UPDATE", update("w", Some(2), json!({name(7): 1})))["merged"], json!(true));

    // What was removed counts, as far as it is remembered.
    let bytes = desk.board.bytes();
    desk.done("WIDGET_UPDATE", update("w", None, json!({name(7): null})));
    assert_eq!(desk.board.bytes(), bytes - 1);
    for field in 0..100 {
        desk.done("WIDGET_UPDATE", update("w", None, json!({name(field): 1})));
        desk.done("WIDGET_UPDATE", update("w", None, json!({name(field): null})));
    }
    let widget = desk.board.widgets["w"].clone();
    assert_eq!((widget.removed, widget.removed_bytes), (64, 64 * 255));
    assert!(widget.removed_bytes <= REMOVED_BYTES_MAX && widget.whole > 1);
    // It gives way to what stands.
    let text = "x".repeat(VALUE_BYTES_MAX - 300);
    desk.done("WIDGET_UPDATE", update("w", None, json!({"a": null})));
    assert!(desk.done("WIDGET_UPDATE", update("w", None, json!({"b": text})))["version"].is_u64());
    let widget = &desk.board.widgets["w"];
    assert!(widget.bytes <= VALUE_BYTES_MAX && widget.removed == 2, "{} {}", widget.bytes, widget.removed);
}

/// A batch that changes so many widgets.
fn batch_of(widgets: impl Iterator<Item = String>, field: &str) -> Value {
    let parts: Vec<_> = widgets
        .map(|id| json!({"type": "WIDGET_UPDATE", "payload": update(&id, None, json!({field: 1}))}))
        .collect();
    json!({"operations": parts})
}

#[test]
fn what_judging_looks_at_grows_with_what_is_asked_and_no_faster() {
    let mut desk = Desk::default();
    let ids = |range: std::ops::Range<usize>| range.map(|number| format!("w{number}"));
    for first in (0..WIDGETS_MAX).step_by(BATCH_OPERATIONS_MAX) {
        desk.done("WIDGET_BATCH", batch_of(ids(first..first + BATCH_OPERATIONS_MAX), "a"));
    }
    // One step goes on over ten batches, and the tenth costs what the first did.
    let mut step = Step::on(&desk.board);
    let mut efforts = Vec::new();
    for first in (0..WIDGETS_MAX).step_by(BATCH_OPERATIONS_MAX) {
        let before = step.effort();
        let batch = operation("WIDGET_BATCH", &batch_of(ids(first..first + BATCH_OPERATIONS_MAX), "b"));
        assert!(matches!(step.judge(&batch, Known::default()), Verdict::Append(_)));
        efforts.push(step.effort() - before);
    }
    // A part, the one field that was copied, and the one that was changed.
    assert_eq!(efforts, [3 * BATCH_OPERATIONS_MAX; 10]);

    // The same widget is copied once for all parts of a batch.
    let fields: serde_json::Map<_, _> = (0..FIELDS_MAX - 1).map(|at| (format!("f{at}"), json!(0))).collect();
    desk.done("WIDGET_UPDATE", update("w0", None, fields.into()));
    let mut step = Step::on(&desk.board);
    let batch = batch_of((0..BATCH_OPERATIONS_MAX).map(|_| "w0".to_string()), "a");
    assert!(matches!(step.judge(&operation("WIDGET_BATCH", &batch), Known::default()), Verdict::Append(_)));
    assert_eq!(step.effort(), FIELDS_MAX + 2 * BATCH_OPERATIONS_MAX);

    // What is taken back leaves the sums as they were.
    let size = step.size();
    let parts = json!([
        {"type": "WIDGET_UPDATE", "payload": update("new", None, json!({"a": "text"}))},
        {"type": "WIDGET_DELETE", "payload": {"widgetId": "w0"}},
        {"type": "LAYOUT_UPDATE", "payload": {"layout": [1, 2, 3]}},
        {"type": "WIDGET_DELETE", "payload": {"widgetId": "nothing"}},
    ]);
    let refused = step.judge(&operation("WIDGET_BATCH", &json!({"operations": parts})), Known::default());
    assert!(matches!(refused, Verdict::Refused(_)), "{refused:?}");
    assert_eq!((step.size(), step.widget("new"), step.layout()), (size, None, None));
    assert!(step.widget("w0").is_some_and(|widget| !widget.deleted));
}

struct Anyone;

impl Beside for Anyone {
    fn may_change(&mut self, _: &Origin) -> Result<(), Refusal> {
        Ok(())
    }

    fn growth_max(&self) -> usize {
        usize::MAX
    }

    fn conflict(&mut self, _: &str, _: &UserId) -> Known<'_> {
        Known::default()
    }
}

#[test]
fn a_round_ends_after_so_many_cases_so_much_effort_and_so_much_to_show() {
    let request = RequestId { slot: 0, generation: 0 };
    let rounds = |board: &Board, name: &str, payload: &Value| -> Vec<usize> {
        let mut desk = desk::Desk::of(board.clone());
        for number in 0..64 {
            let entry = EntryId::from(format!("case-{number}"));
            desk.queue.push_back(Case {
                number,
                origin: Origin::Post(PostId { request, place: number as usize }),
                key: ("ada".into(), entry),
                task: Task::Operate(Box::new(operation(name, payload))),
                standing: Standing::Absent,
                layout: Wanted::Unsought,
                since: Timestamp::default(),
            });
        }
        let round = std::iter::from_fn(|| Some(desk.judge(&mut Anyone).judged.len()).filter(|len| *len > 0));
        round.collect()
    };
    let mut desk = Desk::default();
    assert_eq!(rounds(&desk.board, "WIDGET_UPDATE", &update("w", None, json!({}))), [JUDGED_CASES_MAX; 2]);
    let parts = batch_of((0..BATCH_OPERATIONS_MAX).map(|at| format!("w{at}")), "a");
    let fields: serde_json::Map<_, _> = (0..60).map(|at| (format!("f{at}"), json!(0))).collect();
    for widget in 0..BATCH_OPERATIONS_MAX {
        desk.done("WIDGET_UPDATE", update(&format!("w{widget}"), None, fields.clone().into()));
    }
    let effort = BATCH_OPERATIONS_MAX * 61;
    let few = rounds(&desk.board, "WIDGET_BATCH", &parts);
    assert!(few.iter().all(|cases| *cases <= JUDGED_EFFORT_MAX / effort + 1), "{few:?}");
    assert_eq!(few.iter().sum::<usize>(), 64);

    let mut desk = Desk::default();
    for widget in 0..10 {
        let text = "x".repeat(60_000);
        desk.done("WIDGET_UPDATE", update(&format!("w{widget}"), None, json!({"a": text})));
    }
    let part = |at: usize| json!({"type": "WIDGET_UPDATE", "payload": update(&format!("w{at}"), Some(0), json!({"a": 1}))});
    let stale = json!({"operations": (0..10).map(part).collect::<Vec<_>>()});
    assert_eq!(rounds(&desk.board, "WIDGET_BATCH", &stale), [1; 64]);
}

#[test]
fn parts_of_a_batch_conflict_with_others_and_apply_to_each_other_in_order() {
    let mut desk = Desk::default();
    let part = |name: &str, payload: Value| json!({"type": name, "payload": payload});
    let batch = |parts: &[Value]| json!({"operations": parts});
    desk.done("WIDGET_UPDATE", update("w", None, json!({"a": 1, "b": 1})));
    desk.done("LAYOUT_UPDATE", json!({"layout": [1]}));
    let lay = |value: u8| part("LAYOUT_UPDATE", json!({"baseVersion": 1, "layout": [value]}));
    let all = batch(&[
        part("WIDGET_UPDATE", update("w", Some(1), json!({"a": 2}))),
        part("WIDGET_UPDATE", update("w", Some(1), json!({"a": 3, "b": 3}))),
        part("WIDGET_UPDATE", update("new", Some(0), json!({"a": 1}))),
        part("WIDGET_UPDATE", update("new", Some(0), json!({"a": 2}))),
        lay(2),
        lay(3),
        part("WIDGET_DELETE", json!({"widgetId": "new", "baseVersion": 0})),
    ]);
    let results = json!([
        {"widgetId": "w", "version": 2},
        {"widgetId": "w", "version": 3},
        {"widgetId": "new", "version": 1},
        {"widgetId": "new", "version": 2},
        {"version": 2},
        {"version": 3},
        {"widgetId": "new", "version": 3},
    ]);
    assert_eq!(desk.done("WIDGET_BATCH", all), json!({"seq": 3, "results": results}));
    let sync = desk.sync(None);
    assert_eq!(
        (&sync["widgets"][0]["value"], &sync["layout"]["value"]),
        (&json!({"a": 3, "b": 3}), &json!([3]))
    );

    // What others did is in conflict behind parts of one's own too, and told as it stands.
    let stale = batch(&[
        part("WIDGET_UPDATE", update("w", None, json!({"c": 1}))),
        part("WIDGET_UPDATE", update("w", Some(2), json!({"b": 9}))),
        part("WIDGET_UPDATE", update("w", Some(7), json!({"b": 9}))),
        lay(9),
    ]);
    let Verdict::Conflicts(clashes) = desk.ask("WIDGET_BATCH", stale) else { panic!("no conflict") };
    let told: Value =
        serde_json::from_str(&spelling::batch_conflicts(&clashes, &desk.board, true)).expect("JSON");
    let told = &told["details"]["conflicts"];
    assert_eq!(clashes.iter().map(|clash| clash.current).collect::<Vec<_>>(), [3, 3]);
    assert_eq!((&told[0]["current"]["version"], &told[0]["fields"]), (&json!(3), &json!(["b"])));
    assert_eq!((&told[1]["current"]["version"], &told[1]["baseVersion"]), (&json!(3), &json!(1)));
    // A version that is still to come was seen on another board.
    let future = batch(&[
        part("WIDGET_UPDATE", update("w", Some(3), json!({"c": 1}))),
        part("WIDGET_UPDATE", update("w", Some(5), json!({"c": 2}))),
    ]);
    assert_eq!(desk.done("WIDGET_BATCH", future), json!({"conflicts": ["w"]}));
}

#[test]
fn where_boards_have_no_room_together_nothing_grows() {
    let mut desk = Desk::default();
    desk.done("WIDGET_UPDATE", update("w", None, json!({"a": "some text"})));
    let judge = |growth: usize, payload: Value| {
        let verdict = Step::on(&desk.board)
            .growing(growth)
            .judge(&operation("WIDGET_UPDATE", &payload), Known::default());
        match verdict {
            Verdict::Append(_) => None,
            Verdict::Refused(refusal) => Some(refusal.code),
            Verdict::Conflict(_) | Verdict::Conflicts(_) | Verdict::Withdrawn => {
                panic!("nobody else is here")
            }
        }
    };
    assert_eq!(judge(8, update("w", None, json!({"b": "1234567"}))), Some(Code::Overloaded));
    assert_eq!(judge(10, update("w", None, json!({"b": "1234567"}))), None);
    assert_eq!(judge(0, update("w", None, json!({"a": "more text"}))), None);
    assert_eq!(judge(0, update("w", None, json!({"a": "less"}))), None);
}

fn any_step() -> impl Strategy<Value = (u8, u8, u8, u8)> {
    (0..9_u8, 0..3_u8, 0..4_u8, 0..4_u8)
}

fn played(steps: &[(u8, u8, u8, u8)]) -> Desk {
    let mut desk = Desk::default();
    for (kind, widget, field, back) in steps {
        let id = format!("w{widget}");
        let version = desk.board.widgets.get(&*id).map_or(0, |widget| widget.version);
        let base = (*back < 3).then(|| version.saturating_sub(u64::from(*back)));
        let name = ["a", "b", "c", "d\""][usize::from(*field)];
        match kind {
            0..=4 => drop(desk.done("WIDGET_UPDATE", update(&id, base, json!({name: version})))),
            5 => drop(desk.done("WIDGET_UPDATE", update(&id, base, json!({name: null})))),
            6 => drop(desk.done("WIDGET_DELETE", json!({"widgetId": id, "baseVersion": base}))),
            7 => drop(desk.done("LAYOUT_UPDATE", json!({"layout": [field]}))),
            _ => {
                let data = serde_json::from_str("{}").expect("JSON");
                desk.append(&Kept::Said { event: "e".into(), data });
            }
        }
    }
    desk
}

proptest! {
    #[test]
    fn a_snapshot_and_the_rest_of_the_log_are_the_same_as_all_of_it(
        steps in proptest::collection::vec(any_step(), 0..120),
        cut: prop::sample::Index,
    ) {
        let desk = played(&steps);
        let cut = cut.index(desk.log.len() + 1);
        let mut board = Board::default();
        desk.log[..cut].iter().for_each(|entry| board.fold(entry));
        let mut board = Board::restored(&board.snapshot()).expect("a snapshot");
        desk.log[cut..].iter().for_each(|entry| board.fold(entry));
        prop_assert_eq!(&board, &desk.board);
        prop_assert_eq!(Board::restored(b"{}"), None);
    }
}
