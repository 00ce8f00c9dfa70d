//! The laws of the rows beside the logs.

use crate::subject::*;
use parlor_protocol::auth::UserType;
use parlor_protocol::ids::{RoomKind, Seq};
use parlor_protocol::store::*;
use parlor_protocol::time::Timestamp;

laws! {
    a_row_is_inserted_once_and_put_as_often_as_one_likes
    a_taken_key_takes_the_whole_commit_with_it
    rows_are_written_in_order
    only_one_session_of_a_firm_user_and_template_is_open
    a_session_makes_room_for_another_in_the_same_commit
    removing_what_is_not_there_changes_nothing
    a_room_goes_with_its_members_and_its_log
    a_log_without_a_row_in_the_directory_goes_too
    a_room_begins_without_what_is_left_under_its_id
    a_room_goes_with_what_the_same_commit_appended
    a_loaded_room_has_its_row_and_its_members_by_user
    a_room_never_goes_to_another_firm
    templates_are_those_of_a_firm_and_everyones
    rooms_of_a_user_are_the_public_ones_and_its_own
    overdue_sessions_come_the_longest_waiting_first
    documents_come_the_newest_first
    a_list_ends_after_a_thousand_rows_of_a_kind
}

fn a_row_is_inserted_once_and_put_as_often_as_one_likes(store: &mut dyn Subject) {
    let room = room_row("r", "firm", Visibility::Private);
    let member = MemberRow { name: Some("Ann".into()), ..member_row("r", "ann", "member") };
    let session = session_row("s", SessionState::Complete, Some(3));
    let template = template_row("t", Some("firm"));
    let document = document_row("d", "ann", 4);
    let other = document_row("d", "ann", 5);
    for (row, next, key, query) in [
        (
            Row::Room(room.clone()),
            Row::Room(RoomRow { visibility: Visibility::Public, name: "".into(), ..room }),
            RowKey::Room(chat("r")),
            Query::Room(chat("r")),
        ),
        (
            Row::Member(member.clone()),
            Row::Member(MemberRow {
                role: "x".into(),
                name: None,
                user_type: UserType::Supervisor,
                ..member
            }),
            RowKey::Member(chat("r"), "ann".into()),
            Query::Members(chat("r")),
        ),
        (
            Row::Template(template.clone()),
            Row::Template(TemplateRow { firm: None, questions: vec![], ..template }),
            RowKey::Template("t".into()),
            Query::Template("t".into()),
        ),
        (
            Row::Session(session.clone()),
            Row::Session(SessionRow { awaiting_since: None, touched_at: Timestamp(9), ..session }),
            RowKey::Session("s".into()),
            Query::Session("s".into()),
        ),
        (
            Row::Document(document),
            Row::Document(DocumentRow { markdown: None, title: "T".into(), ..other }),
            RowKey::Document("d".into()),
            Query::Document("d".into()),
        ),
        (
            Row::File(file_row("f", "r")),
            Row::File(FileRow { name: "".into(), mime_type: "".into(), size: 0, ..file_row("f", "s") }),
            RowKey::File("f".into()),
            Query::File("f".into()),
        ),
        (
            Row::FilePart(part_row("f", 7, "one")),
            Row::FilePart(part_row("f", 7, "")),
            RowKey::FilePart("f".into(), 7),
            Query::FileParts { file: "f".into(), from: 0, max: 9 },
        ),
        (
            Row::Prompt(prompt_row("r", "p", 4)),
            Row::Prompt(PromptRow { user: "bob".into(), tries: u32::MAX, ..prompt_row("r", "p", 5) }),
            RowKey::Prompt(chat("r"), "p".into()),
            Query::OverduePrompts { before: Timestamp(u64::MAX), max: 9 },
        ),
        (
            Row::Escalation(escalation_row("e", "r", 4)),
            Row::Escalation(EscalationRow {
                by: "bob".into(),
                reason: "".into(),
                announced: Seq(9),
                resolved: true,
                firm: "other".into(),
                ..escalation_row("e", "s", 5)
            }),
            RowKey::Escalation("e".into()),
            Query::Escalation("e".into()),
        ),
        (
            Row::Mark(MarkRow { name: "hook".into(), place: 9 }),
            Row::Mark(MarkRow { name: "hook".into(), place: 3 }),
            RowKey::Mark("hook".into()),
            Query::Mark("hook".into()),
        ),
    ] {
        assert_eq!(store.look(query.clone()), []);
        assert_eq!(store.write(vec![Change::Insert(row.clone())]), committed());
        assert_eq!(store.write(vec![Change::Insert(next.clone())]), StoreReply::Taken(key.clone()));
        assert_eq!(store.look(query.clone()), [row]);
        assert_eq!(store.write(vec![Change::Put(next.clone()), Change::Put(next.clone())]), committed());
        assert_eq!(store.look(query.clone()), [next]);
        assert_eq!(store.write(vec![Change::Remove(key)]), committed());
        assert_eq!(store.look(query), []);
    }
}

fn a_taken_key_takes_the_whole_commit_with_it(store: &mut dyn Subject) {
    let template = |id: &str| Row::Template(template_row(id, None));
    store.write(vec![Change::Insert(template("b"))]);
    let rows = vec![
        Change::Insert(template("a")),
        Change::Remove(RowKey::Template("c".into())),
        Change::Insert(template("b")),
    ];
    let taken = StoreReply::Taken(RowKey::Template("b".into()));
    assert_eq!(store.commit(1, vec![to("x", [new("ann", "1", "a")])], rows), taken);
    assert_eq!(store.look(Query::Templates(None)), [without_text(template("b"))]);
    assert_eq!(store.load(&chat("x")), None);
}

fn rows_are_written_in_order(store: &mut dyn Subject) {
    let template = |firm| Row::Template(template_row("t", Some(firm)));
    let rows = vec![
        Change::Insert(template("one")),
        Change::Remove(RowKey::Template("t".into())),
        Change::Insert(template("two")),
    ];
    assert_eq!(store.write(rows), committed());
    assert_eq!(store.look(Query::Template("t".into())), [template("two")]);
}

fn only_one_session_of_a_firm_user_and_template_is_open(store: &mut dyn Subject) {
    let session = |id: &str, state| session_row(id, state, None);
    let open = || Query::OpenSession { firm: "firm".into(), user: "ann".into(), template: "letter".into() };
    let taken = StoreReply::Taken(RowKey::Session("s1".into()));
    assert_eq!(store.look(open()), []);
    store.write(vec![Change::Insert(Row::Session(session("s1", SessionState::Open)))]);
    assert_eq!(store.write(vec![Change::Insert(Row::Session(session("s2", SessionState::Open)))]), taken);
    assert_eq!(
        store.write(vec![Change::Insert(Row::Session(session("s2", SessionState::Complete)))]),
        committed()
    );
    assert_eq!(store.write(vec![Change::Put(Row::Session(session("s2", SessionState::Open)))]), taken);
    assert_eq!(store.look(open()), [Row::Session(session("s1", SessionState::Open))]);
    for other in [
        SessionRow { firm: "other".into(), ..session("s3", SessionState::Open) },
        SessionRow { user: "bob".into(), ..session("s4", SessionState::Open) },
        SessionRow { template: "other".into(), ..session("s5", SessionState::Open) },
        session("s1", SessionState::Open),
    ] {
        assert_eq!(store.write(vec![Change::Put(Row::Session(other))]), committed());
    }
}

fn a_session_makes_room_for_another_in_the_same_commit(store: &mut dyn Subject) {
    let session = |id: &str, state| Row::Session(session_row(id, state, None));
    store.write(vec![Change::Insert(session("s1", SessionState::Open))]);
    let rows = vec![
        Change::Put(session("s1", SessionState::Abandoned)),
        Change::Insert(session("s2", SessionState::Open)),
    ];
    assert_eq!(store.write(rows), committed());
    let open = Query::OpenSession { firm: "firm".into(), user: "ann".into(), template: "letter".into() };
    assert_eq!(store.look(open), [session("s2", SessionState::Open)]);
    assert_eq!(store.look(Query::Session("s1".into())), [session("s1", SessionState::Abandoned)]);
}

fn removing_what_is_not_there_changes_nothing(store: &mut dyn Subject) {
    for key in [
        RowKey::Room(chat("r")),
        RowKey::Member(chat("r"), "ann".into()),
        RowKey::Template("t".into()),
        RowKey::Session("s".into()),
        RowKey::Document("d".into()),
        RowKey::Cursor(chat("r"), "ann".into()),
        RowKey::File("f".into()),
        RowKey::FilePart("f".into(), 0),
        RowKey::Prompt(chat("r"), "p".into()),
        RowKey::Escalation("e".into()),
        RowKey::Mark("m".into()),
    ] {
        assert_eq!(store.write(vec![Change::Remove(key)]), committed());
    }
    assert_eq!(store.load(&chat("r")), None);
}

fn a_room_goes_with_its_members_and_its_log(store: &mut dyn Subject) {
    let make = |room: &str| {
        let row = Row::Room(room_row(room, "firm", Visibility::Public));
        vec![Change::Insert(row), Change::Insert(Row::Member(member_row(room, "ann", "member")))]
    };
    let a = new("ann", "1", "a");
    for room in ["r", "s"] {
        store.commit(50, vec![to(room, [a.clone(), new("ann", "2", "b")])], make(room));
    }
    let kept = store.load(&chat("s"));
    assert_eq!(store.write(vec![Change::Remove(RowKey::Room(chat("r")))]), committed());
    assert_eq!(store.load(&chat("r")), None);
    assert_eq!(store.look(Query::Members(chat("r"))), []);
    assert_eq!(store.load(&chat("s")), kept);
    let again = StoreReply::Committed(vec![entry("r", 1, 7, a.clone())]);
    assert_eq!(store.commit(7, vec![at_head("r", 0, [a])], make("r")), again);
}

fn a_log_without_a_row_in_the_directory_goes_too(store: &mut dyn Subject) {
    store.append(1, to("r", [new("ann", "1", "a")]));
    assert_eq!(store.write(vec![Change::Remove(RowKey::Room(chat("r")))]), committed());
    assert_eq!(store.load(&chat("r")), None);
}

fn a_room_begins_without_what_is_left_under_its_id(store: &mut dyn Subject) {
    let room = Row::Room(room_row("r", "firm", Visibility::Public));
    let (ann, bob) = (member_row("r", "ann", "member"), member_row("r", "bob", "member"));
    let (a, b) = (new("ann", "1", "a"), new("bob", "2", "b"));
    store.commit(1, vec![to("r", [a.clone(), b.clone()])], vec![Change::Put(Row::Member(ann))]);
    let make = |more: Row| vec![Change::Insert(room.clone()), Change::Insert(more)];
    // What is refused leaves all as it was.
    let stale = StoreReply::Stale { room: chat("r"), head: Seq::ZERO };
    assert_eq!(
        store.commit(2, vec![at_head("r", 2, [a.clone()])], make(Row::Member(bob.clone()))),
        StoreReply::Committed(vec![entry("r", 1, 1, a)])
    );
    assert_eq!(
        store.commit(2, vec![at_head("r", 2, [new("bob", "3", "c")])], make(Row::Member(bob.clone()))),
        stale
    );
    assert_eq!(store.write(make(room.clone())), StoreReply::Taken(RowKey::Room(chat("r"))));
    assert_eq!(store.load(&chat("r")).map(|record| (record.members.len(), record.head)), Some((1, Seq(2))));
    let c = new("bob", "3", "c");
    let reply =
        store.commit(3, vec![at_head("r", 0, [c.clone(), b.clone()])], make(Row::Member(bob.clone())));
    let tail = vec![entry("r", 1, 3, c), entry("r", 2, 3, b)];
    assert_eq!(reply, StoreReply::Committed(tail.clone()));
    let Row::Room(row) = room.clone() else { panic!("a room") };
    let record = RoomRecord {
        id: chat("r"),
        room: Some(row),
        members: vec![bob],
        cursors: vec![],
        head: Seq(2),
        kept_after: Seq::ZERO,
        tail,
        snapshot: None,
    };
    assert_eq!(store.load(&chat("r")), Some(record));
}

fn a_room_goes_with_what_the_same_commit_appended(store: &mut dyn Subject) {
    let a = new("ann", "1", "a");
    let remove = vec![Change::Remove(RowKey::Room(chat("r")))];
    let reply = store.commit(1, vec![to("r", [a.clone()])], remove);
    assert_eq!(reply, StoreReply::Committed(vec![entry("r", 1, 1, a)]));
    assert_eq!(store.load(&chat("r")), None);
}

fn a_loaded_room_has_its_row_and_its_members_by_user(store: &mut dyn Subject) {
    let row = room_row("r", "firm", Visibility::Private);
    let (ann, bob) = (member_row("r", "ann", "editor"), member_row("r", "bob", "viewer"));
    let mut record = RoomRecord {
        id: chat("r"),
        room: None,
        members: vec![bob.clone()],
        cursors: vec![],
        head: Seq::ZERO,
        kept_after: Seq::ZERO,
        tail: vec![],
        snapshot: None,
    };
    store.write(vec![Change::Insert(Row::Member(bob.clone()))]);
    assert_eq!(store.load(&chat("r")), Some(record.clone()));
    store.write(vec![Change::Insert(Row::Member(ann.clone())), Change::Put(Row::Room(row.clone()))]);
    record = RoomRecord { room: Some(row), members: vec![ann, bob], ..record };
    assert_eq!(store.load(&chat("r")), Some(record));
}

fn a_room_never_goes_to_another_firm(store: &mut dyn Subject) {
    let room = |firm| Row::Room(room_row("r", firm, Visibility::Public));
    let taken = StoreReply::Taken(RowKey::Room(chat("r")));
    assert_eq!(store.write(vec![Change::Put(room("one"))]), committed());
    let appends = vec![to("r", [new("ann", "1", "a")])];
    assert_eq!(store.commit(1, appends, vec![Change::Put(room("two"))]), taken);
    assert_eq!(store.look(Query::Room(chat("r"))), [room("one")]);
    assert_eq!(store.read(&chat("r"), 0, 9), (vec![], 0));
    assert_eq!(store.write(vec![Change::Put(room("one"))]), committed());
    let anew = vec![Change::Remove(RowKey::Room(chat("r"))), Change::Put(room("two"))];
    assert_eq!(store.write(anew), committed());
    assert_eq!(store.look(Query::Room(chat("r"))), [room("two")]);
}

fn templates_are_those_of_a_firm_and_everyones(store: &mut dyn Subject) {
    let rows = [("c", None), ("b", Some("two")), ("a", Some("one")), ("d", Some(""))]
        .map(|(id, firm)| Row::Template(template_row(id, firm)));
    store.write(rows.iter().cloned().map(Change::Insert).collect());
    let [c, b, a, d] = rows.map(without_text);
    let mut found = |firm: Option<&str>| store.look(Query::Templates(firm.map(Into::into)));
    assert_eq!(found(Some("one")), [a.clone(), c.clone()]);
    assert_eq!(found(Some("")), [c.clone(), d.clone()]);
    assert_eq!(found(None), [a, b, c, d]);
}

fn rooms_of_a_user_are_the_public_ones_and_its_own(store: &mut dyn Subject) {
    let room = |id, firm, visibility| Row::Room(room_row(id, firm, visibility));
    let member = |id, user| Row::Member(member_row(id, user, "member"));
    let public = room("public", "firm", Visibility::Public);
    let private = room("own", "firm", Visibility::Private);
    let closed = room("closed", "firm", Visibility::Private);
    let foreign = room("foreign", "other", Visibility::Public);
    let (own, of_public) = (member("own", "ann"), member("public", "ann"));
    let rows = [&public, &private, &closed, &foreign, &of_public, &own];
    store.write(rows.into_iter().cloned().map(Change::Insert).collect());
    store.write(
        [member("closed", "bob"), member("foreign", "ann"), member("nowhere", "ann")]
            .map(Change::Insert)
            .into(),
    );
    let kind = RoomKind::Chat;
    let all = store.look(Query::RoomsOf { all: true, kind, firm: "firm".into(), user: "guest".into() });
    assert_eq!(all, [closed.clone(), private.clone(), public.clone()]);
    let mut of =
        |user: &str| store.look(Query::RoomsOf { all: false, kind, firm: "firm".into(), user: user.into() });
    assert_eq!(of("ann"), [private.clone(), public.clone(), own, of_public]);
    assert_eq!(of("guest"), std::slice::from_ref(&public));
    assert_eq!(store.look(Query::Rooms(kind)), [closed, foreign, private, public]);
    assert_eq!(store.look(Query::Rooms(RoomKind::Document)), []);
}

fn overdue_sessions_come_the_longest_waiting_first(store: &mut dyn Subject) {
    let session = |id: &str, state, since| {
        Row::Session(SessionRow { template: id.into(), ..session_row(id, state, since) })
    };
    let (a, b) = (session("a", SessionState::Open, Some(30)), session("b", SessionState::Open, Some(10)));
    let c = session("c", SessionState::Open, Some(10));
    let others = [
        session("d", SessionState::Open, None),
        session("e", SessionState::Abandoned, Some(5)),
        session("f", SessionState::Open, Some(31)),
    ];
    store.write([a.clone(), c.clone(), b.clone()].into_iter().chain(others).map(Change::Insert).collect());
    let mut overdue = |before, max| store.look(Query::Overdue { before: Timestamp(before), max });
    assert_eq!(overdue(31, 9), [b.clone(), c, a]);
    assert_eq!(overdue(11, 1), [b]);
    assert_eq!(overdue(10, 9), []);
    assert_eq!(overdue(u64::MAX, 0), []);
}

fn documents_come_the_newest_first(store: &mut dyn Subject) {
    let rows = [document_row("a", "ann", 1), document_row("b", "ann", 3), document_row("c", "ann", 2)];
    let [a, b, c] = rows.map(Row::Document);
    let other = Row::Document(document_row("d", "bob", 9));
    store.write([&a, &b, &c, &other].map(|row| Change::Insert(row.clone())).into());
    let mut of =
        |firm: &str, user: &str| store.look(Query::Documents { firm: firm.into(), user: user.into() });
    assert_eq!(of("firm", "ann"), [b.clone(), c, a].map(without_text));
    assert_eq!(of("firm", "bob"), [without_text(other)]);
    assert_eq!(of("other", "ann"), []);
    assert_eq!(store.look(Query::Document("b".into())), [b]);
}

fn a_list_ends_after_a_thousand_rows_of_a_kind(store: &mut dyn Subject) {
    let name = |number: usize| format!("{number:04}");
    let room = |number| Row::Room(room_row(&name(number), "firm", Visibility::Public));
    let member = |number| Row::Member(member_row(&name(number), "ann", "member"));
    let rows = (0..=FOUND_ROWS_MAX).flat_map(|number| {
        let template = Row::Template(template_row(&name(number), None));
        let document = Row::Document(document_row(&name(number), "ann", number as u64));
        [room(number), member(number), template, document].map(Change::Insert)
    });
    store.write(rows.collect());
    let kind = RoomKind::Chat;
    assert_eq!(store.look(Query::Rooms(kind)).len(), FOUND_ROWS_MAX);
    assert_eq!(store.look(Query::Templates(None)).len(), FOUND_ROWS_MAX);
    let (firm, user) = ("firm", "ann");
    let documents = store.look(Query::Documents { firm: firm.into(), user: user.into() });
    assert_eq!(documents.len(), FOUND_ROWS_MAX);
    let of_user = store.look(Query::RoomsOf { all: false, kind, firm: firm.into(), user: user.into() });
    let expected: Vec<Row> = (0..FOUND_ROWS_MAX).map(room).chain((0..FOUND_ROWS_MAX).map(member)).collect();
    assert!(of_user == expected, "{} rows", of_user.len());
}

/// A row as lists show it.
fn without_text(row: Row) -> Row {
    match row {
        Row::Template(template) => Row::Template(TemplateRow { body: String::new(), ..template }),
        Row::Document(document) => Row::Document(DocumentRow { markdown: None, ..document }),
        other => other,
    }
}
