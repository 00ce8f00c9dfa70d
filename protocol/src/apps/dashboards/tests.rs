use super::board::{Board, FIELDS_MAX, LAYOUTS_RESTORABLE_MAX, SAID_EVENTS_MAX, Step, TOMBSTONES_MAX};
use super::command::{Ask, Command, Operation, VALUE_BYTES_MAX};
use super::judging::{BOARD_BYTES_MAX, Clash, Known, Verdict, WIDGETS_MAX};
use super::kept::Kept;
use super::spelling;
use crate::ids::{EntryId, RoomId, Seq};
use crate::refusal::Code;
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
