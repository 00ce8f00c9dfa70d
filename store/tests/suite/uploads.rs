//! The laws of files and their pieces.

use crate::subject::*;
use parlor_protocol::store::*;
use parlor_protocol::time::Timestamp;

laws! {
    pieces_come_in_order_whatever_order_they_were_stored_in
    a_look_finds_64_pieces_at_most
    any_bytes_of_a_piece_come_back_as_they_were
    a_file_goes_with_its_pieces
    an_upload_is_forsaken_when_its_last_piece_is_old
    a_file_that_is_complete_was_never_forsaken
    an_upload_that_is_removed_leaves_nothing
    an_upload_ends_with_its_last_piece
}

fn put(store: &mut dyn Subject, now: u64, file: &str, part: u32) {
    let row = Row::FilePart(part_row(file, part, "bytes"));
    assert_eq!(store.commit(now, vec![], vec![Change::Put(row)]), committed());
}

fn parts(store: &mut dyn Subject, file: &str, from: u32, max: u32) -> Vec<u32> {
    let found = store.look(Query::FileParts { file: file.into(), from, max });
    let number = |row: &Row| match row {
        Row::FilePart(part) if part.file.as_str() == file => part.part,
        other => panic!("{other:?}"),
    };
    found.iter().map(number).collect()
}

fn orphans(store: &mut dyn Subject, before: u64, max: u32) -> Vec<String> {
    let found = store.look(Query::OrphanFiles { before: Timestamp(before), max });
    let file = |row: &Row| match row {
        Row::FilePart(FilePartRow { file, part: 0, bytes }) if bytes.is_empty() => file.to_string(),
        other => panic!("{other:?}"),
    };
    found.iter().map(file).collect()
}

fn pieces_come_in_order_whatever_order_they_were_stored_in(store: &mut dyn Subject) {
    for part in [2, 0, u32::MAX, 1] {
        put(store, 1, "f", part);
    }
    put(store, 1, "e", 0);
    assert_eq!(parts(store, "f", 0, 9), [0, 1, 2, u32::MAX]);
    assert_eq!(parts(store, "f", 1, 2), [1, 2]);
    assert_eq!(parts(store, "f", 3, 9), [u32::MAX]);
    assert_eq!(parts(store, "f", 0, 0), [0; 0]);
    assert_eq!(parts(store, "g", 0, 9), [0; 0]);
}

fn a_look_finds_64_pieces_at_most(store: &mut dyn Subject) {
    let rows = (0..=FOUND_PARTS_MAX as u32).map(|part| Change::Put(Row::FilePart(part_row("f", part, ""))));
    store.write(rows.collect());
    assert_eq!(parts(store, "f", 0, u32::MAX).len(), 64);
    assert_eq!(parts(store, "f", 64, u32::MAX), [64]);
}

fn any_bytes_of_a_piece_come_back_as_they_were(store: &mut dyn Subject) {
    let bytes: Vec<u8> = (0..=255).cycle().take(FILE_PART_BYTES_MAX).collect();
    let row = Row::FilePart(FilePartRow { bytes: bytes.into(), ..part_row("f", 0, "") });
    assert_eq!(store.write(vec![Change::Put(row.clone())]), committed());
    assert_eq!(store.look(Query::FileParts { file: "f".into(), from: 0, max: 1 }), [row]);
}

fn a_file_goes_with_its_pieces(store: &mut dyn Subject) {
    for file in ["f", "g"] {
        put(store, 1, file, 0);
        put(store, 1, file, 1);
        store.write(vec![Change::Insert(Row::File(file_row(file, "r")))]);
    }
    assert_eq!(store.write(vec![Change::Remove(RowKey::File("f".into()))]), committed());
    assert_eq!(store.look(Query::File("f".into())), []);
    assert_eq!(store.look(Query::File("g".into())), [Row::File(file_row("g", "r"))]);
    assert_eq!((parts(store, "f", 0, 9), parts(store, "g", 0, 9)), (vec![], vec![0, 1]));
    assert_eq!(orphans(store, u64::MAX, 9), [""; 0]);
}

fn an_upload_is_forsaken_when_its_last_piece_is_old(store: &mut dyn Subject) {
    for (now, file, part) in [(10, "f", 0), (20, "e", 1), (10, "g", 0), (30, "g", 1), (5, "g", 2)] {
        put(store, now, file, part);
    }
    assert_eq!(orphans(store, 10, 9), [""; 0]);
    assert_eq!(orphans(store, 30, 9), ["f", "e"]);
    assert_eq!(orphans(store, 31, 9), ["f", "e", "g"]);
    assert_eq!(orphans(store, 31, 1), ["f"]);
    assert_eq!(orphans(store, 31, 0), [""; 0]);
    put(store, 40, "f", 0);
    assert_eq!(orphans(store, 41, 9), ["e", "g", "f"]);
}

fn a_file_that_is_complete_was_never_forsaken(store: &mut dyn Subject) {
    put(store, 1, "f", 0);
    store.write(vec![Change::Insert(Row::File(file_row("f", "r")))]);
    assert_eq!(orphans(store, u64::MAX, 9), [""; 0]);
    put(store, 2, "f", 1);
    assert_eq!(orphans(store, u64::MAX, 9), [""; 0]);
}

fn an_upload_that_is_removed_leaves_nothing(store: &mut dyn Subject) {
    put(store, 1, "f", 0);
    put(store, 1, "g", 0);
    assert_eq!(store.write(vec![Change::Remove(RowKey::File("f".into()))]), committed());
    assert_eq!(orphans(store, 2, 9), ["g"]);
    assert_eq!(parts(store, "f", 0, 9), [0; 0]);
}

fn an_upload_ends_with_its_last_piece(store: &mut dyn Subject) {
    for part in [0, 1] {
        put(store, 1, "f", part);
    }
    for (part, forsaken) in [(0, vec!["f"]), (1, vec![])] {
        store.write(vec![Change::Remove(RowKey::FilePart("f".into(), part))]);
        assert_eq!(orphans(store, 2, 9), forsaken);
    }
}
