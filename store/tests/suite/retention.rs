//! What is kept no more: entries of a log, and sessions that were left.

use crate::subject::*;
use parlor_protocol::ids::{RoomId, RoomKind, Seq};
use parlor_protocol::store::*;
use parlor_protocol::time::Timestamp;
use parlor_store::ModelStore;

/// Says a message at a time.
fn says(store: &mut impl Subject, room: &RoomId, now: u64, id: &str) -> StoreReply {
    let entries = vec![NewEntry { id: id.into(), author: "ann".into(), body: id.to_string().into() }];
    store.append(now, Append { room: room.clone(), expect: None, entries })
}

fn trim(store: &mut impl Subject, room: &RoomId, upto: u64) {
    let trimmed = store.write(vec![Change::Trim { room: room.clone(), upto: Seq(upto) }]);
    assert_eq!(trimmed, StoreReply::Committed(vec![]));
}

fn seqs(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.seq.0).collect()
}

fn a_trimmed_log_goes_on_counting_in(store: &mut impl Subject) {
    let room = RoomId::chat("r");
    for (now, id) in [(10, "1"), (20, "2"), (30, "3")] {
        says(store, &room, now, id);
    }
    trim(store, &room, 2);
    assert_eq!(seqs(&store.read(&room, 0, 9).0), [3]);
    assert_eq!(seqs(&store.before(&room, 3, 9).0), Vec::<u64>::new());
    let record = store.load(&room).unwrap();
    assert_eq!((record.kept_after, record.head, seqs(&record.tail)), (Seq(2), Seq(3), vec![3]));
    assert_eq!(store.appended(0, 9), (vec![(3, store.read(&room, 0, 9).0[0].clone())], 3));
    // An id is known as long as its message is.
    assert_eq!(seqs(&committed(says(store, &room, 40, "3"))), [3]);
    assert_eq!(seqs(&committed(says(store, &room, 40, "1"))), [4]);
    trim(store, &room, 9);
    let record = store.load(&room).unwrap();
    assert_eq!((record.kept_after, record.head, record.tail), (Seq(4), Seq(4), vec![]));
    let expect = |seq| Append { expect: Some(Seq(seq)), ..append("5") };
    assert_eq!(store.append(0, expect(0)), StoreReply::Stale { room: room.clone(), head: Seq(4) });
    let said = committed(store.append(0, expect(4)));
    assert_eq!((seqs(&said), said[0].at), (vec![5], Timestamp(40)), "time does not go back");
    assert_eq!(store.load(&room).unwrap().kept_after, Seq(4));
    // Only with its room a log ends.
    store.write(vec![Change::Remove(RowKey::Room(room.clone()))]);
    assert_eq!(seqs(&committed(says(store, &room, 50, "6"))), [1]);
}

fn append(id: &str) -> Append {
    let entries = vec![NewEntry { id: id.into(), author: "ann".into(), body: id.to_string().into() }];
    Append { room: RoomId::chat("r"), expect: None, entries }
}

fn committed(reply: StoreReply) -> Vec<Entry> {
    match reply {
        StoreReply::Committed(entries) => entries,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_trimmed_log_goes_on_counting() {
    a_trimmed_log_goes_on_counting_in(&mut ModelStore::default());
    let mut sqlite = Sqlite::new();
    a_trimmed_log_goes_on_counting_in(&mut sqlite);
    says(&mut sqlite, &RoomId::chat("s"), 1, "1");
    trim(&mut sqlite, &RoomId::chat("s"), 1);
    sqlite.close_and_open();
    assert_eq!(seqs(&committed(says(&mut sqlite, &RoomId::chat("s"), 2, "2"))), [2], "after a start too");
}

fn outdated_rooms_in(store: &mut impl Subject) {
    for (kind, name, now) in [
        (RoomKind::Chat, "b", 10),
        (RoomKind::Chat, "a", 20),
        (RoomKind::Chat, "c", 30),
        (RoomKind::Project, "p", 1),
    ] {
        let room = RoomId { kind, name: name.into() };
        says(store, &room, now, "1");
        says(store, &room, now + 5, "2");
    }
    let outdated = |store: &mut dyn FnMut(&StoreRequest) -> StoreReply, before, after: Option<&str>, max| {
        let (kind, after) = (RoomKind::Chat, after.map(Into::into));
        let query = Query::Outdated { kind, before: Timestamp(before), after, max };
        match store(&StoreRequest::Look(query)) {
            StoreReply::Heads(found) => {
                found.into_iter().map(|(room, seq)| (room.name.to_string(), seq.0)).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        }
    };
    let place = |name: &str, seq| (name.to_string(), seq);
    let mut ask = |request: &StoreRequest| store.answer(0, request);
    assert_eq!(outdated(&mut ask, 10, None, 9), []);
    assert_eq!(outdated(&mut ask, 30, None, 9), [place("a", 0), place("b", 0)]);
    assert_eq!(outdated(&mut ask, 31, None, 2), [place("a", 0), place("b", 0)]);
    assert_eq!(outdated(&mut ask, 31, Some("b"), 2), [place("c", 0)]);
    trim(store, &RoomId::chat("b"), 1);
    let mut ask = |request: &StoreRequest| store.answer(0, request);
    assert_eq!(outdated(&mut ask, 15, None, 9), [], "what is left is newer");
    assert_eq!(outdated(&mut ask, 16, None, 9), [place("b", 1)]);
    trim(store, &RoomId::chat("b"), 2);
    let mut ask = |request: &StoreRequest| store.answer(0, request);
    assert_eq!(outdated(&mut ask, 99, None, 9), [place("a", 0), place("c", 0)], "nothing is left");
}

#[test]
fn rooms_that_keep_what_is_old_are_found_by_their_names() {
    outdated_rooms_in(&mut ModelStore::default());
    outdated_rooms_in(&mut Sqlite::new());
}

fn session(id: &str, state: SessionState, awaiting: Option<u64>, touched: u64) -> Change {
    Change::Put(Row::Session(SessionRow {
        id: id.into(),
        user: id.into(),
        firm: "firm".into(),
        template: "t".into(),
        state,
        awaiting_since: awaiting.map(Timestamp),
        created_at: Timestamp(0),
        touched_at: Timestamp(touched),
    }))
}

fn idle_sessions_in(store: &mut impl Subject) {
    store.write(vec![
        session("e", SessionState::Open, None, 10),
        session("d", SessionState::Complete, None, 10),
        session("c", SessionState::Abandoned, None, 10),
        session("b", SessionState::Open, Some(1), 10),
        session("a", SessionState::Open, None, 20),
    ]);
    let idle = |store: &mut dyn FnMut(&StoreRequest) -> StoreReply, before, after: Option<&str>, max| {
        let query = Query::IdleSessions { before: Timestamp(before), after: after.map(Into::into), max };
        match store(&StoreRequest::Look(query)) {
            StoreReply::Found(rows) => rows
                .into_iter()
                .map(|row| match row {
                    Row::Session(row) => row.id.to_string(),
                    other => panic!("{other:?}"),
                })
                .collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    let mut ask = |request: &StoreRequest| store.answer(0, request);
    assert_eq!(idle(&mut ask, 10, None, 9), Vec::<String>::new());
    assert_eq!(idle(&mut ask, 11, None, 9), ["c", "e"], "neither complete nor awaiting a reply");
    assert_eq!(idle(&mut ask, 21, None, 2), ["a", "c"]);
    assert_eq!(idle(&mut ask, 21, Some("c"), 2), ["e"]);
    says(store, &RoomId::document(&"e".into()), 15, "1");
    let mut ask = |request: &StoreRequest| store.answer(0, request);
    assert_eq!(idle(&mut ask, 15, None, 9), ["c"], "somebody came back to it");
    assert_eq!(idle(&mut ask, 16, None, 9), ["c", "e"]);
}

#[test]
fn sessions_that_were_left_are_found_by_their_ids() {
    idle_sessions_in(&mut ModelStore::default());
    idle_sessions_in(&mut Sqlite::new());
}

fn a_session_goes_unless_its_log_went_on_in(store: &mut impl Subject) {
    let room = RoomId::document(&"s".into());
    store.write(vec![session("s", SessionState::Open, None, 10)]);
    says(store, &room, 10, "claim");
    let mut remove = |head| {
        let entries = vec![NewEntry { id: "end".into(), author: "ann".into(), body: "end".into() }];
        let append = Append { room: room.clone(), expect: Some(Seq(head)), entries };
        let rows =
            vec![Change::Remove(RowKey::Session("s".into())), Change::Remove(RowKey::Room(room.clone()))];
        store.commit(20, vec![append], rows)
    };
    assert_eq!(remove(0), StoreReply::Stale { room: room.clone(), head: Seq(1) });
    assert!(matches!(remove(1), StoreReply::Committed(_)));
    assert_eq!(remove(1), StoreReply::Stale { room: room.clone(), head: Seq(0) });
    assert_eq!((store.look(Query::Session("s".into())), store.read(&room, 0, 9)), (vec![], (vec![], 0)));
}

#[test]
fn a_session_goes_unless_its_log_went_on() {
    a_session_goes_unless_its_log_went_on_in(&mut ModelStore::default());
    a_session_goes_unless_its_log_went_on_in(&mut Sqlite::new());
}
