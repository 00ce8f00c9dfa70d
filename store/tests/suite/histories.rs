//! Whole random histories: groups of requests over a few rooms, users and ids, with the database closed, or
//! dropped, in between. Both stores answer every request alike.

use crate::subject::*;
use parlor_protocol::auth::UserType;
use parlor_protocol::ids::{RoomId, RoomKind, Seq};
use parlor_protocol::store::*;
use parlor_protocol::time::Timestamp;
use parlor_store::ModelStore;
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

#[derive(Debug, Clone)]
enum Step {
    Group(u64, Vec<StoreRequest>),
    Close,
    Drop,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let group = (0..100u64, vec(request(), 1..8)).prop_map(|(now, group)| Step::Group(now, group));
    vec(prop_oneof![12 => group, 1 => Just(Step::Close), 1 => Just(Step::Drop)], 1..24)
}

fn request() -> impl Strategy<Value = StoreRequest> {
    prop_oneof![
        6 => commit(),
        1 => room().prop_map(|room| StoreRequest::Load { room }),
        1 => (room(), 0..9u64, 0..5u32)
            .prop_map(|(room, after, max)| StoreRequest::Read { room, after: Seq(after), max }),
        1 => (room(), 0..9u64, 0..5u32)
            .prop_map(|(room, before, max)| StoreRequest::Before { room, before: Seq(before), max }),
        1 => vec(room(), 0..3).prop_map(StoreRequest::Heads),
        3 => query().prop_map(StoreRequest::Look),
    ]
}

fn commit() -> impl Strategy<Value = StoreRequest> {
    let append = (option::weighted(0.4, 0..5u64), vec(new_entry(), 0..4));
    let appends = (btree_set(room(), 0..3), vec(append, 3)).prop_map(|(rooms, appends)| {
        let append = |(room, (expect, entries)): (_, (Option<u64>, _))| Append {
            room,
            expect: expect.map(Seq),
            entries,
        };
        rooms.into_iter().zip(appends).map(append).collect()
    });
    (appends, vec(change(), 0..4)).prop_map(|(appends, rows)| StoreRequest::Commit { appends, rows })
}

fn new_entry() -> impl Strategy<Value = NewEntry> {
    let body = prop_oneof![
        9 => vec(any::<u8>(), 0..6),
        1 => select(vec![20_000, TAIL_BYTES_MAX, TAIL_BYTES_MAX + 1, 600_000]).prop_map(|size| vec![b'a'; size]),
    ];
    let id = select(vec!["", "1", "2", "3", "4", "5", "6", "7"]);
    (id, user(), body).prop_map(|(id, author, body)| NewEntry {
        id: id.into(),
        author: author.into(),
        body: body.into(),
    })
}

fn room() -> impl Strategy<Value = RoomId> {
    (select(RoomKind::ALL.to_vec()), select(vec!["a", "b"]))
        .prop_map(|(kind, name)| RoomId { kind, name: name.into() })
}

fn user() -> impl Strategy<Value = &'static str> {
    select(vec!["", "ann", "bob"])
}

fn id() -> impl Strategy<Value = &'static str> {
    select(vec!["1", "2", "3"])
}

fn firm() -> impl Strategy<Value = &'static str> {
    select(vec!["", "firm"])
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        row().prop_map(Change::Insert),
        row().prop_map(Change::Put),
        (room(), 0..5u64).prop_map(|(room, upto)| Change::Trim { room, upto: Seq(upto) }),
        prop_oneof![
            room().prop_map(RowKey::Room),
            (room(), user()).prop_map(|(room, user)| RowKey::Member(room, user.into())),
            id().prop_map(|id| RowKey::Template(id.into())),
            id().prop_map(|id| RowKey::Session(id.into())),
            id().prop_map(|id| RowKey::Document(id.into())),
            (room(), user()).prop_map(|(room, user)| RowKey::Cursor(room, user.into())),
            id().prop_map(|id| RowKey::File(id.into())),
            (id(), 0..3u32).prop_map(|(id, part)| RowKey::FilePart(id.into(), part)),
            (room(), id()).prop_map(|(room, id)| RowKey::Prompt(room, id.into())),
            id().prop_map(|id| RowKey::Escalation(id.into())),
            id().prop_map(|id| RowKey::Mark(id.into())),
            (room(), 0..3u64, 0..3u32).prop_map(|(room, seq, part)| RowKey::SnapshotPart(
                room,
                Seq(seq),
                part
            )),
        ]
        .prop_map(Change::Remove),
    ]
}

fn row() -> impl Strategy<Value = Row> {
    prop_oneof![5 => room_or_document(), 6 => chat_row()]
}

fn chat_row() -> impl Strategy<Value = Row> {
    prop_oneof![
        (room(), user(), 0..9u64).prop_map(|(room, user, seq)| Row::Cursor(CursorRow {
            room,
            user: user.into(),
            seq: Seq(seq)
        })),
        (id(), room(), user(), 0..9u64).prop_map(|(id, room, user, size)| Row::File(FileRow {
            room,
            user: user.into(),
            size,
            ..file_row(id, "")
        })),
        (id(), 0..3u32, vec(any::<u8>(), 0..6)).prop_map(|(id, part, bytes)| Row::FilePart(FilePartRow {
            bytes: bytes.into(),
            ..part_row(id, part, "")
        })),
        (room(), id(), user(), 0..9u64).prop_map(|(room, id, user, since)| Row::Prompt(PromptRow {
            room,
            user: user.into(),
            ..prompt_row("", id, since)
        })),
        (id(), room(), firm(), 0..9u64, any::<bool>()).prop_map(|(id, room, firm, at, resolved)| {
            Row::Escalation(EscalationRow {
                room,
                firm: firm.into(),
                resolved,
                announced: Seq(at),
                ..escalation_row(id, "", at)
            })
        }),
        (id(), 0..9u64).prop_map(|(id, place)| Row::Mark(MarkRow { name: id.into(), place })),
        (room(), 0..3u64, 0..3u32, 1..3u32, vec(any::<u8>(), 0..4)).prop_map(
            |(room, seq, part, parts, bytes)| {
                let (seq, bytes) = (Seq(seq), bytes.into());
                Row::SnapshotPart(SnapshotPartRow { room, seq, part, parts, bytes })
            }
        ),
    ]
}

fn room_or_document() -> impl Strategy<Value = Row> {
    let visibility = select(vec![Visibility::Public, Visibility::Private]);
    let user_type = select(vec![UserType::Employee, UserType::Guest, UserType::Supervisor]);
    let state = select(vec![SessionState::Open, SessionState::Complete, SessionState::Abandoned]);
    let name = || "[a-z\u{0}é]{0,3}";
    prop_oneof![
        (room(), name(), firm(), visibility).prop_map(|(id, name, firm, visibility)| Row::Room(RoomRow {
            id,
            name,
            firm: firm.into(),
            visibility
        })),
        (room(), user(), name(), option::of(name()), user_type).prop_map(
            |(room, user, role, name, user_type)| {
                Row::Member(MemberRow { room, user: user.into(), role, name, user_type })
            }
        ),
        (id(), name(), option::of(firm()), vec(question(), 0..3)).prop_map(|(id, name, firm, questions)| {
            Row::Template(TemplateRow {
                id: id.into(),
                body: name.repeat(3),
                name,
                firm: firm.map(Into::into),
                questions,
            })
        }),
        (id(), user(), id(), state, option::of(0..9u64)).prop_map(|(id, user, template, state, since)| {
            Row::Session(SessionRow {
                user: user.into(),
                template: template.into(),
                ..session_row(id, state, since)
            })
        }),
        (id(), user(), firm(), option::of(name()), 0..9u64).prop_map(|(id, user, firm, markdown, at)| {
            Row::Document(DocumentRow { firm: firm.into(), markdown, ..document_row(id, user, at) })
        }),
    ]
}

fn question() -> impl Strategy<Value = Question> {
    ("[a-z]{0,3}", "[\"\\\\é]{0,3}", option::of("[a-z]{0,3}"), any::<bool>())
        .prop_map(|(key, question, help, required)| Question { key, question, help, required })
}

fn query() -> impl Strategy<Value = Query> {
    prop_oneof![room_or_document_query(), chat_query()]
}

fn chat_query() -> impl Strategy<Value = Query> {
    prop_oneof![
        id().prop_map(|id| Query::File(id.into())),
        (id(), 0..3u32, 0..4u32).prop_map(|(id, from, max)| Query::FileParts { file: id.into(), from, max }),
        (0..100u64, 0..4u32).prop_map(|(before, max)| Query::OrphanFiles { before: Timestamp(before), max }),
        (0..9u64, 0..4u32).prop_map(|(before, max)| Query::OverduePrompts { before: Timestamp(before), max }),
        id().prop_map(|id| Query::Escalation(id.into())),
        firm().prop_map(|firm| Query::OpenEscalations { firm: firm.into() }),
        id().prop_map(|id| Query::Mark(id.into())),
        (0..20u64, 0..9u32).prop_map(|(after, max)| Query::Appended { after, max }),
        (room(), user(), id()).prop_map(|(room, author, id)| Query::Entry {
            room,
            author: author.into(),
            id: id.into()
        }),
    ]
}

fn room_or_document_query() -> impl Strategy<Value = Query> {
    prop_oneof![
        id().prop_map(|id| Query::Template(id.into())),
        option::of(firm()).prop_map(|firm| Query::Templates(firm.map(Into::into))),
        room().prop_map(Query::Room),
        select(RoomKind::ALL.to_vec()).prop_map(Query::Rooms),
        (any::<bool>(), select(RoomKind::ALL.to_vec()), firm(), user()).prop_map(
            |(all, kind, firm, user)| Query::RoomsOf { all, kind, firm: firm.into(), user: user.into() }
        ),
        room().prop_map(Query::Members),
        id().prop_map(|id| Query::Session(id.into())),
        (user(), id()).prop_map(|(user, template)| Query::OpenSession {
            firm: "firm".into(),
            user: user.into(),
            template: template.into()
        }),
        (0..9u64, 0..4u32).prop_map(|(before, max)| Query::Overdue { before: Timestamp(before), max }),
        (0..100u64, option::of(id()), 0..4u32).prop_map(|(before, after, max)| Query::IdleSessions {
            before: Timestamp(before),
            after: after.map(Into::into),
            max,
        }),
        (select(RoomKind::ALL.to_vec()), 0..100u64, option::of(select(vec!["a", "b"])), 0..3u32).prop_map(
            |(kind, before, after, max)| Query::Outdated {
                kind,
                before: Timestamp(before),
                after: after.map(Into::into),
                max,
            }
        ),
        id().prop_map(|id| Query::Document(id.into())),
        (firm(), user()).prop_map(|(firm, user)| Query::Documents { firm: firm.into(), user: user.into() }),
    ]
}

/// Asks for everything there is.
fn everything() -> Vec<StoreRequest> {
    let mut requests = vec![StoreRequest::Look(Query::Templates(None))];
    for kind in RoomKind::ALL {
        requests.push(StoreRequest::Look(Query::Rooms(kind)));
        for name in ["a", "b"] {
            let room = RoomId { kind, name: name.into() };
            requests.push(StoreRequest::Load { room: room.clone() });
            requests.push(StoreRequest::Read { room, after: Seq::ZERO, max: 99 });
        }
    }
    for id in ["1", "2", "3"] {
        requests.push(StoreRequest::Look(Query::Session(id.into())));
        requests.push(StoreRequest::Look(Query::Document(id.into())));
        requests.push(StoreRequest::Look(Query::File(id.into())));
        requests.push(StoreRequest::Look(Query::FileParts { file: id.into(), from: 0, max: 99 }));
        requests.push(StoreRequest::Look(Query::Escalation(id.into())));
        requests.push(StoreRequest::Look(Query::Mark(id.into())));
    }
    let before = Timestamp(u64::MAX);
    requests.push(StoreRequest::Look(Query::OrphanFiles { before, max: 99 }));
    requests.push(StoreRequest::Look(Query::OverduePrompts { before, max: 99 }));
    requests.push(StoreRequest::Look(Query::Appended { after: 0, max: 999 }));
    requests
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn both_stores_answer_every_history_alike(steps in steps()) {
        let (mut model, mut sqlite) = (ModelStore::default(), Sqlite::new());
        for step in steps {
            match step {
                Step::Group(now, group) => {
                    let expected: Vec<_> =
                        group.iter().map(|request| model.answer(Timestamp(now), request)).collect();
                    prop_assert_eq!(sqlite.group(now, &group), expected);
                }
                Step::Close => sqlite.close_and_open(),
                Step::Drop => sqlite.drop_and_open(),
            }
        }
        for request in everything() {
            prop_assert_eq!(Subject::answer(&mut sqlite, 0, &request), model.answer(Timestamp(0), &request));
        }
    }
}
