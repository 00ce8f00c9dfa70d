//! The laws of what goes with a room besides its members: cursors, prompts, escalations.

use crate::subject::*;
use parlor_protocol::ids::{RoomId, Seq, UserId};
use parlor_protocol::store::*;
use parlor_protocol::time::Timestamp;

laws! {
    a_cursor_never_goes_back
    a_loaded_room_has_its_cursors_by_user
    cursors_alone_make_no_room
    a_cursor_stays_when_its_member_goes
    a_loaded_room_has_ten_thousand_cursors_at_most
    overdue_prompts_come_the_longest_waiting_first
    a_prompt_goes_with_the_reply_that_is_stored
    open_escalations_of_a_firm_come_the_oldest_first
    everything_goes_with_its_room
    a_room_begins_without_what_went_with_another
}

fn put_cursor(store: &mut dyn Subject, room: &str, user: &str, seq: u64) {
    assert_eq!(store.write(vec![Change::Put(Row::Cursor(cursor_row(room, user, seq)))]), committed());
}

fn cursors(store: &mut dyn Subject, room: &str) -> Vec<(UserId, Seq)> {
    store.load(&chat(room)).map(|record| record.cursors).unwrap()
}

fn make(store: &mut dyn Subject, room: &str) {
    let row = Row::Room(room_row(room, "firm", Visibility::Public));
    assert_eq!(store.write(vec![Change::Insert(row)]), committed());
}

fn a_cursor_never_goes_back(store: &mut dyn Subject) {
    make(store, "r");
    for (put, stands) in [(5, 5), (3, 5), (5, 5), (6, 6), (0, 6)] {
        put_cursor(store, "r", "ann", put);
        assert_eq!(cursors(store, "r"), [("ann".into(), Seq(stands))]);
    }
    let taken = StoreReply::Taken(RowKey::Cursor(chat("r"), "ann".into()));
    assert_eq!(store.write(vec![Change::Insert(Row::Cursor(cursor_row("r", "ann", 9)))]), taken);
    assert_eq!(store.write(vec![Change::Remove(RowKey::Cursor(chat("r"), "ann".into()))]), committed());
    assert_eq!(cursors(store, "r"), []);
    put_cursor(store, "r", "ann", 0);
    assert_eq!(cursors(store, "r"), [("ann".into(), Seq(0))]);
}

fn a_loaded_room_has_its_cursors_by_user(store: &mut dyn Subject) {
    for room in ["r", "s"] {
        make(store, room);
    }
    put_cursor(store, "r", "cid", 3);
    put_cursor(store, "r", "ann", 2);
    put_cursor(store, "s", "bob", 9);
    assert_eq!(cursors(store, "r"), [("ann".into(), Seq(2)), ("cid".into(), Seq(3))]);
    assert_eq!(cursors(store, "s"), [("bob".into(), Seq(9))]);
}

fn cursors_alone_make_no_room(store: &mut dyn Subject) {
    put_cursor(store, "r", "ann", 3);
    assert_eq!(store.load(&chat("r")), None);
}

fn a_cursor_stays_when_its_member_goes(store: &mut dyn Subject) {
    make(store, "r");
    store.write(vec![Change::Put(Row::Member(member_row("r", "ann", "member")))]);
    put_cursor(store, "r", "ann", 3);
    store.write(vec![Change::Remove(RowKey::Member(chat("r"), "ann".into()))]);
    assert_eq!(cursors(store, "r"), [("ann".into(), Seq(3))]);
}

fn a_loaded_room_has_ten_thousand_cursors_at_most(store: &mut dyn Subject) {
    make(store, "r");
    let user = |number: usize| format!("{number:05}");
    let row = |number| Change::Put(Row::Cursor(cursor_row("r", &user(number), 1)));
    store.write((0..=ROOM_MEMBERS_MAX).map(row).collect());
    let found = cursors(store, "r");
    assert_eq!(found.len(), ROOM_MEMBERS_MAX);
    assert_eq!(found[ROOM_MEMBERS_MAX - 1].0.as_str(), user(ROOM_MEMBERS_MAX - 1));
}

fn overdue_prompts_come_the_longest_waiting_first(store: &mut dyn Subject) {
    let (a, b, c) = (prompt_row("r", "1", 30), prompt_row("s", "1", 10), prompt_row("s", "2", 10));
    let project = PromptRow { room: RoomId::project("a"), ..prompt_row("r", "0", 10) };
    let document = PromptRow { room: RoomId::document(&"z".into()), ..project.clone() };
    let rows = [&a, &c, &project, &document, &b].map(|row| Change::Insert(Row::Prompt(row.clone())));
    store.write(rows.into());
    let mut overdue = |before, max| store.look(Query::OverduePrompts { before: Timestamp(before), max });
    let all = [b, c, document, project, a].map(Row::Prompt);
    assert_eq!(overdue(31, 9), all);
    assert_eq!(overdue(30, 9), all[..4]);
    assert_eq!(overdue(11, 1), all[..1]);
    assert_eq!(overdue(10, 9), []);
    assert_eq!(overdue(u64::MAX, 0), []);
}

fn a_prompt_goes_with_the_reply_that_is_stored(store: &mut dyn Subject) {
    let waiting = Query::OverduePrompts { before: Timestamp(u64::MAX), max: 9 };
    let prompt = || Row::Prompt(prompt_row("r", "p", 4));
    let (question, reply) = (new("ann", "p", "?"), new("robot", "p", "!"));
    let answer = || vec![Change::Remove(RowKey::Prompt(chat("r"), "p".into()))];
    store.commit(1, vec![to("r", [question])], vec![Change::Put(prompt())]);
    assert_eq!(store.look(waiting.clone()), [prompt()]);
    store.commit(2, vec![to("r", [reply.clone()])], answer());
    assert_eq!(store.look(waiting.clone()), []);
    // A prompt that came later under the same id is not taken away by the reply that is sent again.
    store.write(vec![Change::Put(prompt())]);
    let again = store.commit(3, vec![to("r", [reply.clone()])], answer());
    assert_eq!(again, StoreReply::Committed(vec![entry("r", 2, 2, reply)]));
    assert_eq!(store.look(waiting), [prompt()]);
}

fn open_escalations_of_a_firm_come_the_oldest_first(store: &mut dyn Subject) {
    let (a, b, c) = (escalation_row("a", "r", 3), escalation_row("b", "s", 1), escalation_row("c", "r", 1));
    let resolved = EscalationRow { resolved: true, ..escalation_row("d", "r", 0) };
    let foreign = EscalationRow { firm: "other".into(), ..escalation_row("e", "r", 0) };
    let rows = [&a, &c, &b, &resolved, &foreign].map(|row| Change::Insert(Row::Escalation(row.clone())));
    store.write(rows.into());
    let mut open = |firm: &str| store.look(Query::OpenEscalations { firm: firm.into() });
    assert_eq!(open("firm"), [b.clone(), c.clone(), a.clone()].map(Row::Escalation));
    assert_eq!(open("other"), [Row::Escalation(foreign)]);
    assert_eq!(open(""), []);
    store.write(vec![Change::Put(Row::Escalation(EscalationRow { resolved: true, ..b }))]);
    assert_eq!(store.look(Query::OpenEscalations { firm: "firm".into() }), [c, a].map(Row::Escalation));
    let rows = (0..=FOUND_ROWS_MAX).map(|number| escalation_row(&format!("{number:04}"), "r", 4));
    store.write(rows.map(|row| Change::Insert(Row::Escalation(row))).collect());
    assert_eq!(store.look(Query::OpenEscalations { firm: "firm".into() }).len(), FOUND_ROWS_MAX);
}

/// Everything that goes with a room, and the piece of an upload, which no room has yet.
fn fill(store: &mut dyn Subject, room: &str) {
    let rows = [
        Row::Cursor(cursor_row(room, "ann", 3)),
        Row::Prompt(prompt_row(room, room, 4)),
        Row::Escalation(escalation_row(room, room, 5)),
        Row::FilePart(part_row(room, 0, "one")),
        Row::FilePart(part_row(room, 1, "two")),
        Row::File(file_row(room, room)),
        Row::FilePart(part_row("upload", 0, "three")),
    ];
    assert_eq!(store.write(rows.map(Change::Put).into()), committed());
}

/// What there is of it: rows, and pieces of the file and of the upload.
fn left(store: &mut dyn Subject, room: &str) -> (usize, usize, usize) {
    let waiting = store.look(Query::OverduePrompts { before: Timestamp(u64::MAX), max: 9 });
    let of_room = |row: &&Row| matches!(row, Row::Prompt(prompt) if prompt.room == chat(room));
    let mut rows = waiting.iter().filter(of_room).count();
    rows += store.load(&chat(room)).map_or(0, |record| record.cursors.len());
    rows += store.look(Query::Escalation(room.into())).len() + store.look(Query::File(room.into())).len();
    let mut parts = |file: &str| store.look(Query::FileParts { file: file.into(), from: 0, max: 9 }).len();
    (rows, parts(room), parts("upload"))
}

fn everything_goes_with_its_room(store: &mut dyn Subject) {
    for room in ["r", "s"] {
        make(store, room);
        fill(store, room);
    }
    assert_eq!(left(store, "r"), (4, 2, 1));
    assert_eq!(store.write(vec![Change::Remove(RowKey::Room(chat("r")))]), committed());
    assert_eq!((left(store, "r"), left(store, "s")), ((0, 0, 1), (4, 2, 1)));
    make(store, "r");
    assert_eq!(cursors(store, "r"), []);
}

fn a_room_begins_without_what_went_with_another(store: &mut dyn Subject) {
    for room in ["r", "s"] {
        fill(store, room);
    }
    store.append(1, to("s", [new("ann", "1", "a")]));
    make(store, "r");
    assert_eq!((left(store, "r"), left(store, "s")), ((0, 0, 1), (4, 2, 1)));
}
