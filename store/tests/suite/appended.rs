//! The laws of the one order in which entries of all logs were appended.

use crate::subject::*;
use parlor_protocol::ids::{RoomId, RoomKind};
use parlor_protocol::store::*;

laws! {
    entries_of_all_rooms_have_one_order
    entries_of_a_commit_are_in_its_order
    what_is_not_stored_takes_no_place
    places_are_not_given_again_when_their_room_goes
    a_room_that_begins_anew_has_new_places_only
    an_empty_order_ends_at_zero
    a_page_of_the_order_ends_with_its_bytes_but_holds_one_entry
}

fn say(store: &mut dyn Subject, room: &str, id: &str) -> Entry {
    match store.append(1, to(room, [new("ann", id, "")])) {
        StoreReply::Committed(entries) => entries[0].clone(),
        other => panic!("{other:?}"),
    }
}

fn entries_of_all_rooms_have_one_order(store: &mut dyn Subject) {
    let (a, b, c) = (say(store, "x", "1"), say(store, "y", "1"), say(store, "x", "2"));
    let project = Append { room: RoomId::project("x"), ..to("x", [new("", "1", "d")]) };
    let StoreReply::Committed(d) = store.append(0, project) else { panic!("stored") };
    assert_eq!(d[0].room.kind, RoomKind::Project);
    let all = vec![(1, a), (2, b), (3, c), (4, d[0].clone())];
    assert_eq!(store.appended(0, 9), (all.clone(), 4));
    assert_eq!(store.appended(1, 2), (all[1..3].to_vec(), 4));
    assert_eq!(store.appended(3, u32::MAX), (all[3..].to_vec(), 4));
    assert_eq!(store.appended(0, 0), (vec![], 4));
    assert_eq!(store.appended(4, 9), (vec![], 4));
    assert_eq!(store.appended(u64::MAX, 9), (vec![], 4));
}

fn entries_of_a_commit_are_in_its_order(store: &mut dyn Subject) {
    let (a, b, c) = (new("ann", "1", "a"), new("ann", "2", "b"), new("ann", "1", "c"));
    let appends = vec![to("y", [a.clone(), b.clone()]), to("x", [c.clone()])];
    store.commit(5, appends, vec![]);
    let all = vec![(1, entry("y", 1, 5, a)), (2, entry("y", 2, 5, b)), (3, entry("x", 1, 5, c))];
    assert_eq!(store.appended(0, 9), (all, 3));
}

fn what_is_not_stored_takes_no_place(store: &mut dyn Subject) {
    let a = say(store, "x", "1");
    assert_eq!(say(store, "x", "1"), a);
    let template = || vec![Change::Insert(Row::Template(template_row("t", None)))];
    store.write(template());
    let taken = StoreReply::Taken(RowKey::Template("t".into()));
    assert_eq!(store.commit(1, vec![to("x", [new("ann", "2", "b")])], template()), taken);
    assert!(matches!(store.append(1, at_head("x", 7, [new("ann", "2", "b")])), StoreReply::Stale { .. }));
    assert_eq!(store.appended(0, 9), (vec![(1, a.clone())], 1));
    let mixed = to("x", [new("ann", "1", "a"), new("ann", "3", "c"), new("ann", "1", "a")]);
    store.append(1, mixed);
    assert_eq!(store.appended(0, 9), (vec![(1, a), (2, entry("x", 2, 1, new("ann", "3", "c")))], 2));
}

fn places_are_not_given_again_when_their_room_goes(store: &mut dyn Subject) {
    let a = say(store, "x", "1");
    for id in ["1", "2", "3"] {
        say(store, "y", id);
    }
    store.write(vec![Change::Remove(RowKey::Room(chat("y")))]);
    assert_eq!(store.appended(0, 9), (vec![(1, a.clone())], 4));
    assert_eq!(store.appended(3, 9), (vec![], 4));
    let gone_at_once = vec![Change::Remove(RowKey::Room(chat("z")))];
    store.commit(1, vec![to("z", [new("ann", "1", "a")])], gone_at_once);
    assert_eq!(store.appended(0, 9), (vec![(1, a)], 5));
    let b = say(store, "x", "2");
    assert_eq!(store.appended(4, 9), (vec![(6, b)], 6));
}

fn a_room_that_begins_anew_has_new_places_only(store: &mut dyn Subject) {
    say(store, "x", "1");
    let row = Change::Insert(Row::Room(room_row("x", "firm", Visibility::Public)));
    let a = new("ann", "2", "a");
    store.commit(3, vec![at_head("x", 0, [a.clone()])], vec![row]);
    assert_eq!(store.appended(0, 9), (vec![(2, entry("x", 1, 3, a))], 2));
}

fn an_empty_order_ends_at_zero(store: &mut dyn Subject) {
    assert_eq!(store.appended(0, 9), (vec![], 0));
}

fn a_page_of_the_order_ends_with_its_bytes_but_holds_one_entry(store: &mut dyn Subject) {
    let half = "a".repeat(PAGE_BYTES_MAX / 2);
    for (room, body) in [("x", half.as_str()), ("y", &half), ("x", "b"), ("y", &half.repeat(3)), ("x", "")] {
        let id = body.len().to_string();
        store.append(1, to(room, [new("ann", &id, body)]));
    }
    let mut places = |after| store.appended(after, 9).0.iter().map(|(place, _)| *place).collect::<Vec<_>>();
    assert_eq!(places(0), [1, 2]);
    assert_eq!(places(2), [3]);
    assert_eq!(places(3), [4]);
    assert_eq!(places(4), [5]);
}
