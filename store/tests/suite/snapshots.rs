//! The laws of snapshots: what rooms' logs were folded to.

use crate::subject::*;
use bytes::Bytes;
use parlor_protocol::ids::Seq;
use parlor_protocol::store::*;

laws! {
    a_snapshot_is_there_when_the_last_of_its_pieces_is
    the_newest_snapshot_stays_whichever_is_stored_last
    a_snapshot_without_a_piece_is_none
    a_room_goes_with_its_snapshot_and_begins_without_one
    a_snapshot_beyond_the_end_of_the_log_is_another_rooms
    a_snapshot_leaves_the_log_as_it_is
}

fn piece(seq: u64, part: u32, parts: u32, bytes: &'static str) -> Change {
    let (room, seq, bytes) = (chat("x"), Seq(seq), Bytes::from_static(bytes.as_bytes()));
    Change::Put(Row::SnapshotPart(SnapshotPartRow { room, seq, part, parts, bytes }))
}

fn write(store: &mut dyn Subject, change: Change) {
    assert_eq!(store.commit(9, vec![], vec![change]), committed());
}

fn fill(store: &mut dyn Subject) {
    for id in ["1", "2", "3"] {
        store.append(1, to("x", [new("ann", id, "body")]));
    }
}

fn found(store: &mut dyn Subject) -> Option<(u64, String)> {
    let snapshot = store.load(&chat("x"))?.snapshot?;
    Some((snapshot.seq.0, String::from_utf8(snapshot.state.to_vec()).unwrap()))
}

fn is(seq: u64, state: &str) -> Option<(u64, String)> {
    Some((seq, state.to_string()))
}

fn a_snapshot_is_there_when_the_last_of_its_pieces_is(store: &mut dyn Subject) {
    fill(store);
    assert_eq!(found(store), None);
    write(store, piece(2, 0, 2, "ab"));
    assert_eq!(found(store), None);
    write(store, piece(2, 1, 2, "c"));
    assert_eq!(found(store), is(2, "abc"));
    write(store, piece(3, 0, 2, "xy"));
    assert_eq!(found(store), is(2, "abc"), "the next one is not whole yet");
    write(store, piece(3, 1, 2, "z"));
    assert_eq!(found(store), is(3, "xyz"));
}

fn the_newest_snapshot_stays_whichever_is_stored_last(store: &mut dyn Subject) {
    fill(store);
    write(store, piece(3, 0, 1, "new"));
    write(store, piece(2, 0, 1, "old"));
    assert_eq!(found(store), is(3, "new"));
    write(store, piece(3, 0, 1, "again"));
    assert_eq!(found(store), is(3, "again"));
}

fn a_snapshot_without_a_piece_is_none(store: &mut dyn Subject) {
    fill(store);
    write(store, piece(2, 1, 2, "b"));
    assert_eq!(found(store), None);
    write(store, piece(2, 0, 2, "a"));
    write(store, piece(2, 1, 2, "b"));
    assert_eq!(found(store), is(2, "ab"));
    write(store, Change::Remove(RowKey::SnapshotPart(chat("x"), Seq(2), 0)));
    assert_eq!(found(store), None);
}

fn a_room_goes_with_its_snapshot_and_begins_without_one(store: &mut dyn Subject) {
    fill(store);
    write(store, piece(1, 0, 1, "state"));
    write(store, Change::Remove(RowKey::Room(chat("x"))));
    fill(store);
    assert_eq!(found(store), None);
}

fn a_snapshot_beyond_the_end_of_the_log_is_another_rooms(store: &mut dyn Subject) {
    fill(store);
    write(store, piece(4, 0, 1, "late"));
    assert_eq!(found(store), None);
}

fn a_snapshot_leaves_the_log_as_it_is(store: &mut dyn Subject) {
    fill(store);
    let before = store.read(&chat("x"), 0, 9);
    write(store, piece(3, 0, 1, "all"));
    assert_eq!((before.1, store.read(&chat("x"), 0, 9)), (3, before));
}
