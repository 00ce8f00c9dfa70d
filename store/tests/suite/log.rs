//! The laws of the room log.

use crate::subject::*;
use parlor_protocol::ids::{RoomId, Seq};
use parlor_protocol::store::*;

laws! {
    entries_are_counted_from_one_without_gaps_in_each_room
    a_commit_stores_in_several_rooms_at_once
    a_repeated_id_is_answered_with_the_first_entry_and_stored_once
    an_id_repeated_within_a_commit_is_stored_once
    the_same_id_of_another_author_or_in_another_room_is_another_entry
    an_entry_is_found_by_its_author_and_id
    an_append_that_expects_another_end_stores_nothing
    a_stale_append_takes_the_whole_commit_with_it
    ids_are_looked_up_before_the_end_is_judged
    one_new_entry_among_repeated_ones_is_judged
    an_append_without_entries_only_judges_the_end
    rows_of_a_commit_that_was_stored_before_are_left_alone
    rows_of_a_commit_with_one_new_entry_are_written
    time_never_goes_back_within_a_room
    a_room_of_which_nothing_is_known_is_loaded_as_none
    a_loaded_room_ends_with_its_last_128_entries
    a_loaded_room_ends_with_64_kib_of_bodies
    a_loaded_room_has_its_last_entry_however_large
    a_page_is_read_forward_from_a_place
    a_page_is_read_back_from_a_place
    a_page_ends_with_one_mib_of_bodies
    a_page_holds_one_entry_however_large
    any_text_and_any_bytes_come_back_as_they_were
}

fn entries_are_counted_from_one_without_gaps_in_each_room(store: &mut dyn Subject) {
    let (a, b, c) = (new("ann", "1", "a"), new("bob", "2", "b"), new("ann", "3", "c"));
    assert_eq!(
        store.append(10, to("x", [a.clone(), b.clone()])),
        StoreReply::Committed(vec![entry("x", 1, 10, a.clone()), entry("x", 2, 10, b.clone())])
    );
    assert_eq!(
        store.append(11, to("y", [a.clone()])),
        StoreReply::Committed(vec![entry("y", 1, 11, a.clone())])
    );
    assert_eq!(
        store.append(12, to("x", [c.clone()])),
        StoreReply::Committed(vec![entry("x", 3, 12, c.clone())])
    );
    let whole = vec![entry("x", 1, 10, a), entry("x", 2, 10, b), entry("x", 3, 12, c)];
    assert_eq!(store.read(&chat("x"), 0, 9), (whole, 3));
}

fn an_entry_is_found_by_its_author_and_id(store: &mut dyn Subject) {
    let (a, b) = (new("ann", "1", "a"), new("bob", "1", "b"));
    store.append(5, to("x", [a.clone(), b]));
    store.append(5, to("y", [a.clone()]));
    let mut under = |room: &str, author: &str, id: &str| {
        let query = Query::Entry { room: chat(room), author: author.into(), id: id.into() };
        page(store.answer(0, &StoreRequest::Look(query)))
    };
    assert_eq!(under("x", "ann", "1"), (vec![entry("x", 1, 5, a.clone())], 2));
    assert_eq!(under("y", "ann", "1"), (vec![entry("y", 1, 5, a)], 1));
    assert_eq!(under("x", "ann", "2"), (vec![], 2));
    assert_eq!(under("y", "bob", "1"), (vec![], 1));
    assert_eq!(under("z", "ann", "1"), (vec![], 0));
}

fn a_commit_stores_in_several_rooms_at_once(store: &mut dyn Subject) {
    let (a, b) = (new("ann", "1", "a"), new("ann", "2", "b"));
    let row = Row::Room(room_row("y", "firm", Visibility::Public));
    let reply =
        store.commit(5, vec![to("x", [a.clone()]), to("y", [b.clone()])], vec![Change::Insert(row.clone())]);
    assert_eq!(reply, StoreReply::Committed(vec![entry("x", 1, 5, a.clone()), entry("y", 1, 5, b.clone())]));
    assert_eq!(store.read(&chat("x"), 0, 9), (vec![entry("x", 1, 5, a)], 1));
    assert_eq!(store.read(&chat("y"), 0, 9), (vec![entry("y", 1, 5, b)], 1));
    assert_eq!(store.look(Query::Room(chat("y"))), [row]);
}

fn a_repeated_id_is_answered_with_the_first_entry_and_stored_once(store: &mut dyn Subject) {
    let (a, b) = (new("ann", "1", "first"), new("ann", "2", "b"));
    store.append(10, to("x", [a.clone()]));
    let again = store.append(20, to("x", [new("ann", "1", "second"), b.clone()]));
    assert_eq!(
        again,
        StoreReply::Committed(vec![entry("x", 1, 10, a.clone()), entry("x", 2, 20, b.clone())])
    );
    assert_eq!(store.read(&chat("x"), 0, 9), (vec![entry("x", 1, 10, a), entry("x", 2, 20, b)], 2));
}

fn an_id_repeated_within_a_commit_is_stored_once(store: &mut dyn Subject) {
    let a = new("ann", "1", "first");
    let stored = entry("x", 1, 10, a.clone());
    assert_eq!(
        store.append(10, to("x", [a, new("ann", "1", "second")])),
        StoreReply::Committed(vec![stored.clone(), stored.clone()])
    );
    assert_eq!(store.read(&chat("x"), 0, 9), (vec![stored], 1));
}

fn the_same_id_of_another_author_or_in_another_room_is_another_entry(store: &mut dyn Subject) {
    store.append(1, to("x", [new("ann", "1", "a")]));
    store.append(2, to("x", [new("bob", "1", "b")]));
    store.append(3, to("y", [new("ann", "1", "c")]));
    let x = vec![entry("x", 1, 1, new("ann", "1", "a")), entry("x", 2, 2, new("bob", "1", "b"))];
    assert_eq!(store.read(&chat("x"), 0, 9), (x, 2));
    assert_eq!(store.read(&chat("y"), 0, 9), (vec![entry("y", 1, 3, new("ann", "1", "c"))], 1));
    let twin = RoomId { kind: parlor_protocol::ids::RoomKind::Document, name: "x".into() };
    assert_eq!(store.read(&twin, 0, 9), (vec![], 0));
}

fn an_append_that_expects_another_end_stores_nothing(store: &mut dyn Subject) {
    let stale = |head| StoreReply::Stale { room: chat("x"), head: Seq(head) };
    assert_eq!(store.append(1, at_head("x", 1, [new("ann", "1", "a")])), stale(0));
    assert_eq!(store.load(&chat("x")), None);
    let a = new("ann", "1", "a");
    assert_eq!(
        store.append(1, at_head("x", 0, [a.clone()])),
        StoreReply::Committed(vec![entry("x", 1, 1, a.clone())])
    );
    assert_eq!(store.append(2, at_head("x", 0, [new("ann", "2", "b")])), stale(1));
    assert_eq!(store.append(2, at_head("x", u64::MAX, [new("ann", "2", "b")])), stale(1));
    assert_eq!(store.read(&chat("x"), 0, 9), (vec![entry("x", 1, 1, a)], 1));
}

fn a_stale_append_takes_the_whole_commit_with_it(store: &mut dyn Subject) {
    let row = Change::Put(Row::Template(template_row("t", None)));
    let appends = vec![to("x", [new("ann", "1", "a")]), at_head("y", 3, [new("ann", "2", "b")])];
    let stale = StoreReply::Stale { room: chat("y"), head: Seq(0) };
    assert_eq!(store.commit(1, appends, vec![row]), stale);
    assert_eq!((store.load(&chat("x")), store.load(&chat("y"))), (None, None));
    assert_eq!(store.look(Query::Templates(None)), []);
}

fn ids_are_looked_up_before_the_end_is_judged(store: &mut dyn Subject) {
    let a = new("ann", "1", "a");
    let stored = entry("x", 1, 1, a.clone());
    store.append(1, at_head("x", 0, [a.clone()]));
    store.append(2, to("x", [new("bob", "2", "b")]));
    assert_eq!(store.append(3, at_head("x", 0, [a.clone()])), StoreReply::Committed(vec![stored.clone()]));
    let guard = at_head("y", 7, []);
    assert_eq!(
        store.commit(4, vec![guard, at_head("x", 0, [a.clone()])], vec![]),
        StoreReply::Committed(vec![stored.clone()])
    );
    let b = new("ann", "3", "c");
    assert_eq!(
        store.commit(5, vec![at_head("x", 0, [a]), to("y", [b.clone()])], vec![]),
        StoreReply::Committed(vec![stored, entry("y", 1, 5, b)])
    );
}

fn one_new_entry_among_repeated_ones_is_judged(store: &mut dyn Subject) {
    let a = new("ann", "1", "a");
    store.append(1, to("x", [a.clone()]));
    let mixed = at_head("x", 0, [a, new("ann", "2", "b")]);
    assert_eq!(store.append(2, mixed), StoreReply::Stale { room: chat("x"), head: Seq(1) });
    assert_eq!(store.read(&chat("x"), 1, 9), (vec![], 1));
}

fn an_append_without_entries_only_judges_the_end(store: &mut dyn Subject) {
    let row = Row::Template(template_row("t", None));
    let put = || vec![Change::Put(row.clone())];
    let stale = StoreReply::Stale { room: chat("x"), head: Seq(0) };
    assert_eq!(store.commit(1, vec![at_head("x", 1, [])], put()), stale);
    assert_eq!(store.look(Query::Templates(None)), []);
    assert_eq!(store.commit(1, vec![at_head("x", 0, [])], put()), StoreReply::Committed(vec![]));
    assert_eq!(store.look(Query::Template("t".into())), std::slice::from_ref(&row));
    assert_eq!(store.load(&chat("x")), None);
    let appends = vec![to("y", [new("ann", "1", "a")]), at_head("x", 1, [])];
    assert_eq!(store.commit(1, appends, vec![]), stale);
    assert_eq!(store.load(&chat("y")), None);
}

fn rows_of_a_commit_that_was_stored_before_are_left_alone(store: &mut dyn Subject) {
    let a = new("ann", "1", "a");
    let open = Row::Session(session_row("s", SessionState::Open, None));
    let done = Row::Session(session_row("s", SessionState::Complete, None));
    let first = store.commit(1, vec![to("x", [a.clone()])], vec![Change::Insert(open.clone())]);
    assert_eq!(first, StoreReply::Committed(vec![entry("x", 1, 1, a.clone())]));
    store.write(vec![Change::Put(done.clone())]);
    let again = store.commit(2, vec![to("x", [a])], vec![Change::Insert(open)]);
    assert_eq!(again, first);
    assert_eq!(store.look(Query::Session("s".into())), [done]);
}

fn rows_of_a_commit_with_one_new_entry_are_written(store: &mut dyn Subject) {
    let a = new("ann", "1", "a");
    store.append(1, to("x", [a.clone()]));
    let row = Row::Session(session_row("s", SessionState::Open, None));
    store.commit(2, vec![to("x", [a, new("ann", "2", "b")])], vec![Change::Insert(row.clone())]);
    assert_eq!(store.look(Query::Session("s".into())), [row]);
}

fn time_never_goes_back_within_a_room(store: &mut dyn Subject) {
    for (now, id) in [(50, "1"), (20, "2"), (60, "3")] {
        store.append(now, to("x", [new("ann", id, "")]));
    }
    store.append(20, to("y", [new("ann", "1", "")]));
    let times = |(entries, _): (Vec<Entry>, u64)| entries.iter().map(|entry| entry.at.0).collect::<Vec<_>>();
    assert_eq!(times(store.read(&chat("x"), 0, 9)), [50, 50, 60]);
    assert_eq!(times(store.read(&chat("y"), 0, 9)), [20]);
}

fn a_room_of_which_nothing_is_known_is_loaded_as_none(store: &mut dyn Subject) {
    assert_eq!(store.load(&chat("x")), None);
    assert_eq!(store.read(&chat("x"), 0, 9), (vec![], 0));
    assert_eq!(store.before(&chat("x"), 9, 9), (vec![], 0));
    store.append(1, to("x", [new("ann", "1", "a")]));
    let record = RoomRecord {
        id: chat("x"),
        room: None,
        members: vec![],
        cursors: vec![],
        head: Seq(1),
        kept_after: Seq::ZERO,
        tail: vec![entry("x", 1, 1, new("ann", "1", "a"))],
        snapshot: None,
    };
    assert_eq!(store.load(&chat("x")), Some(record));
}

fn fill(store: &mut dyn Subject, count: u64, body: &str) {
    let entries: Vec<_> = (1..=count).map(|seq| new("ann", &seq.to_string(), body)).collect();
    assert!(
        matches!(store.append(1, to("x", entries)), StoreReply::Committed(stored) if stored.len() as u64 == count)
    );
}

fn places(entries: &[Entry]) -> (u64, u64, usize) {
    (entries[0].seq.0, entries[entries.len() - 1].seq.0, entries.len())
}

fn a_loaded_room_ends_with_its_last_128_entries(store: &mut dyn Subject) {
    fill(store, 130, "a");
    let record = store.load(&chat("x")).unwrap();
    assert_eq!((record.head, places(&record.tail)), (Seq(130), (3, 130, 128)));
}

fn a_loaded_room_ends_with_64_kib_of_bodies(store: &mut dyn Subject) {
    fill(store, 10, &"a".repeat(16 * 1024));
    assert_eq!(places(&store.load(&chat("x")).unwrap().tail), (7, 10, 4));
    store.append(1, to("x", [new("bob", "one byte", "b")]));
    assert_eq!(places(&store.load(&chat("x")).unwrap().tail), (8, 11, 4));
}

fn a_loaded_room_has_its_last_entry_however_large(store: &mut dyn Subject) {
    fill(store, 2, &"a".repeat(TAIL_BYTES_MAX + 1));
    assert_eq!(places(&store.load(&chat("x")).unwrap().tail), (2, 2, 1));
}

fn a_page_is_read_forward_from_a_place(store: &mut dyn Subject) {
    fill(store, 10, "a");
    let mut page = |after, max| store.read(&chat("x"), after, max);
    assert_eq!(places(&page(0, 3).0), (1, 3, 3));
    assert_eq!(places(&page(3, 3).0), (4, 6, 3));
    assert_eq!(places(&page(8, 3).0), (9, 10, 2));
    assert_eq!(page(10, 3), (vec![], 10));
    assert_eq!(page(u64::MAX, 3), (vec![], 10));
    assert_eq!(page(0, 0), (vec![], 10));
}

fn a_page_is_read_back_from_a_place(store: &mut dyn Subject) {
    fill(store, 10, "a");
    let mut page = |before, max| store.before(&chat("x"), before, max);
    assert_eq!(places(&page(u64::MAX, 3).0), (8, 10, 3));
    assert_eq!(places(&page(8, 3).0), (5, 7, 3));
    assert_eq!(places(&page(3, 3).0), (1, 2, 2));
    assert_eq!(page(1, 3), (vec![], 10));
    assert_eq!(page(0, 3), (vec![], 10));
    assert_eq!(page(5, 0), (vec![], 10));
}

fn a_page_ends_with_one_mib_of_bodies(store: &mut dyn Subject) {
    fill(store, 12, &"a".repeat(PAGE_BYTES_MAX / 8));
    assert_eq!(places(&store.read(&chat("x"), 1, 99).0), (2, 9, 8));
    assert_eq!(places(&store.before(&chat("x"), 12, 99).0), (4, 11, 8));
    store.append(1, to("x", [new("bob", "one byte", "b")]));
    assert_eq!(places(&store.before(&chat("x"), 99, 99).0), (6, 13, 8));
}

fn a_page_holds_one_entry_however_large(store: &mut dyn Subject) {
    fill(store, 3, &"a".repeat(PAGE_BYTES_MAX + 1));
    assert_eq!(places(&store.read(&chat("x"), 1, 99).0), (2, 2, 1));
    assert_eq!(places(&store.before(&chat("x"), 99, 99).0), (3, 3, 1));
}

fn any_text_and_any_bytes_come_back_as_they_were(store: &mut dyn Subject) {
    let body: Vec<u8> = (0..=255).collect();
    let odd = NewEntry { id: "nul \0 and ' and é 🦀".into(), author: "".into(), body: body.into() };
    let room = "a \0 b";
    let stored = entry(room, 1, 1, odd.clone());
    assert_eq!(store.append(1, to(room, [odd.clone()])), StoreReply::Committed(vec![stored.clone()]));
    assert_eq!(store.append(2, to(room, [odd.clone()])), StoreReply::Committed(vec![stored.clone()]));
    let longer = NewEntry { id: "nul \0 and".into(), ..odd };
    assert_eq!(
        store.append(2, to(room, [longer.clone()])),
        StoreReply::Committed(vec![entry(room, 2, 2, longer)])
    );
    assert_eq!(store.read(&chat(room), 0, 1), (vec![stored], 2));
    assert_eq!(store.read(&chat("a "), 0, 1), (vec![], 0));
}
