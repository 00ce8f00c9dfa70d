//! Files through the whole core, with a store that answers what it is told to, and scanners that take their time.

#![expect(clippy::wildcard_enum_match_arm, reason = "this world answers what is asked here")]

use crate::action::{Action, Actions};
use crate::auth::{Permissions, User, UserType};
use crate::call::{Call, CallFailure, Said, Scanned};
use crate::http::{Body, Response, parse_head};
use crate::ids::{RequestId, RoomId, Seq, Ticket};
use crate::input::Input;
use crate::job::{Job, Outcome};
use crate::server::Server;
use crate::settings::Settings;
use crate::store::{
    Change, Entry, FilePartRow, MemberRow, Query, RoomRecord, RoomRow, Row, RowKey, StoreReply, StoreRequest,
    Visibility,
};
use crate::time::Timestamp;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Duration;

struct World {
    server: Server,
    now: Timestamp,
    is_member: bool,
    /// How many commits are still carried out; those after them are not.
    commits_left: usize,
    /// What was committed.
    committed: Vec<Vec<String>>,
    orphans: usize,
    requests: u32,
    scans: Vec<(Ticket, Bytes)>,
    cancelled: Vec<Ticket>,
    answers: Vec<(u32, Response)>,
}

impl World {
    fn new(scanner: bool, orphans: usize) -> Self {
        let settings = Settings { scanner, ..Settings::default() };
        let mut world = Self {
            server: Server::new(settings, [1; 32]),
            now: Timestamp(1_800_000_000_000_000),
            is_member: true,
            commits_left: usize::MAX,
            committed: Vec::new(),
            orphans,
            requests: 0,
            scans: Vec::new(),
            cancelled: Vec::new(),
            answers: Vec::new(),
        };
        world.tell(Input::Started);
        world
    }

    fn tell(&mut self, fact: Input) {
        let mut facts = VecDeque::from([fact]);
        while let Some(fact) = facts.pop_front() {
            let mut actions = Actions::new();
            self.server.handle(self.now, fact, &mut actions);
            facts.extend(actions.into_iter().filter_map(|action| self.carry_out(action)));
        }
    }

    fn carry_out(&mut self, action: Action) -> Option<Input> {
        match action {
            Action::Work { ticket, job } => {
                let outcome = match &job {
                    Job::VerifyToken { token } => Outcome::Token(Ok(user(token))),
                    Job::VerifyService { .. } => Outcome::Service(Ok(())),
                    Job::Render { .. }
                    | Job::Inspect { .. }
                    | Job::Join { .. }
                    | Job::Doc { .. }
                    | Job::Unpack { .. }
                    | Job::Spell { .. }
                    | Job::FoldBoard { .. }
                    | Job::WriteBoard { .. } => {
                        job.run(&Default::default(), self.now, &mut Default::default())
                    }
                };
                return Some(Input::Worked { ticket, outcome });
            }
            Action::Store { ticket, request } => {
                return Some(Input::Stored(vec![(ticket, self.store(request))]));
            }
            Action::Call { ticket, call: Call::Scan { bytes } } => self.scans.push((ticket, bytes)),
            Action::Cancel { ticket } => self.cancelled.push(ticket),
            Action::Respond { request, response } => self.answers.push((request.slot, response)),
            _ => {}
        }
        None
    }

    fn store(&mut self, request: StoreRequest) -> StoreReply {
        match request {
            StoreRequest::Load { room } => StoreReply::Loaded(Some(Box::new(RoomRecord {
                room: Some(row(&room)),
                members: self.is_member.then(|| member(&room)).into_iter().collect(),
                ..RoomRecord::begun(room, None, vec![])
            }))),
            StoreRequest::Look(Query::Room(room)) => StoreReply::Found(vec![Row::Room(row(&room))]),
            StoreRequest::Look(Query::OrphanFiles { max, .. }) => {
                let found = self.orphans.min(max as usize);
                self.orphans -= found;
                let part =
                    |place| FilePartRow { file: format!("o{place}").into(), part: 0, bytes: Bytes::new() };
                StoreReply::Found((0..found).map(|place| Row::FilePart(part(place))).collect())
            }
            StoreRequest::Commit { .. } if self.commits_left == 0 => {
                self.commits_left = usize::MAX;
                StoreReply::Unavailable
            }
            StoreRequest::Commit { appends, rows } => {
                self.commits_left -= 1;
                let entries: Vec<_> = appends.iter().flat_map(|append| &append.entries).collect();
                let names = rows.iter().map(name).chain(entries.iter().map(|_| "entry".to_string()));
                self.committed.push(names.collect());
                let stored = entries.into_iter().map(|entry| Entry {
                    room: RoomId::chat("team"),
                    seq: Seq(1),
                    id: entry.id.clone(),
                    author: entry.author.clone(),
                    at: self.now,
                    body: entry.body.clone(),
                });
                StoreReply::Committed(stored.collect())
            }
            _ => StoreReply::Found(vec![]),
        }
    }

    fn ask(&mut self, call: &str, body: Bytes) {
        self.requests += 1;
        let head = format!("{call} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ada\r\n\r\n");
        let request = RequestId { slot: self.requests, generation: 0 };
        let (head, _) = parse_head(head.as_bytes()).expect("a good head");
        self.tell(Input::Requested { request, peer: [127, 0, 0, 1].into(), head, body });
    }

    fn upload(&mut self, bytes: usize) {
        self.ask("POST /api/files?roomId=team&name=n", vec![b'.'; bytes].into());
    }

    /// The status of the last answer and its error's code.
    fn answered(&mut self) -> (u16, Value) {
        let (_, response) = self.answers.pop().expect("it was answered");
        let Body::Bytes(body) = response.body else { panic!("no body") };
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        (response.status, body["error"]["code"].clone())
    }
}

fn user(name: &str) -> User {
    User {
        id: name.into(),
        firm: "".into(),
        name: None,
        user_type: UserType::Employee,
        permissions: Permissions::of(UserType::Employee),
        expires_at: Timestamp(u64::MAX),
    }
}

fn row(room: &RoomId) -> RoomRow {
    RoomRow { id: room.clone(), name: "Team".into(), firm: "".into(), visibility: Visibility::Private }
}

fn member(room: &RoomId) -> MemberRow {
    let (room, user_type) = (room.clone(), UserType::Employee);
    MemberRow { room, user: "ada".into(), role: "member".into(), name: None, user_type }
}

fn name(change: &Change) -> String {
    match change {
        Change::Put(Row::FilePart(part)) => format!("part {} of {} bytes", part.part, part.bytes.len()),
        Change::Insert(Row::File(file)) => format!("file of {} bytes", file.size),
        Change::Remove(RowKey::File(_)) => "no file".to_string(),
        Change::Remove(RowKey::Member(..)) => "no member".to_string(),
        _ => format!("{change:?}"),
    }
}

#[test]
fn a_file_is_stored_piece_by_piece_and_its_message_last() {
    let mut world = World::new(false, 0);
    world.upload(600 * 1024);
    let expected = [
        vec!["part 0 of 262144 bytes"],
        vec!["part 1 of 262144 bytes"],
        vec!["part 2 of 90112 bytes"],
        vec!["file of 614400 bytes", "entry"],
    ];
    assert_eq!(
        (world.committed.clone(), world.answered()),
        (expected.map(strings).into(), (201, Value::Null))
    );
    assert_eq!(world.server.counts().parked, 0);
}

fn strings(texts: Vec<&str>) -> Vec<String> {
    texts.into_iter().map(str::to_string).collect()
}

#[test]
fn what_was_stored_of_a_file_is_taken_away_when_the_rest_cannot_be() {
    let mut world = World::new(false, 0);
    world.commits_left = 1;
    world.upload(600 * 1024);
    assert_eq!(world.committed, [["part 0 of 262144 bytes"], ["no file"]]);
    assert_eq!(world.answered(), (503, json!("STORE_UNAVAILABLE")));
    assert_eq!(world.server.counts().parked, 0);
}

#[test]
fn nothing_of_a_file_is_stored_before_the_scanners_call_it_clean() {
    let mut world = World::new(true, 0);
    let failed = Said::Failed(CallFailure::Passing { retry_after: None });
    let infected = Said::Scanned(Scanned::Infected { signature: None });
    for (said, status, code) in [
        (failed, 500, json!("SERVER_ERROR")),
        (Said::Delivered, 500, json!("SERVER_ERROR")),
        (infected, 403, json!("PERMISSION_DENIED")),
    ] {
        world.upload(5);
        let (ticket, bytes) = world.scans.pop().expect("it is shown to them");
        assert_eq!((bytes, world.answers.len()), (Bytes::from_static(b"....."), 0));
        world.tell(Input::Called { ticket, said });
        assert_eq!(world.answered(), (status, code));
        assert_eq!(world.committed.len(), 0);
    }
    world.upload(5);
    let (ticket, _) = world.scans.pop().expect("it is shown to them");
    world.tell(Input::Called { ticket, said: Said::Scanned(Scanned::Clean) });
    assert_eq!((world.answered(), world.committed.len()), ((201, Value::Null), 2));
}

#[test]
fn who_is_no_member_any_more_when_the_scanners_are_done_is_refused() {
    let mut world = World::new(true, 0);
    world.upload(5);
    world.is_member = false;
    world.ask("DELETE /api/admin/rooms/chat/team/members/ada", Bytes::new());
    assert_eq!((world.answered().0, world.committed.clone()), (204, vec![strings(vec!["no member"])]));
    let (ticket, _) = world.scans.pop().expect("it is shown to them");
    world.tell(Input::Called { ticket, said: Said::Scanned(Scanned::Clean) });
    assert_eq!((world.answered(), world.committed.len()), ((403, json!("ROOM_ACCESS_DENIED")), 1));
    assert_eq!(world.server.counts().parked, 0);
}

#[test]
fn scanners_that_never_answer_let_nothing_through_and_are_not_waited_for() {
    let mut world = World::new(true, 0);
    world.upload(5);
    world.now = world.now + Duration::from_secs(45);
    world.tell(Input::Tick);
    assert_eq!(world.answered(), (500, json!("SERVER_ERROR")));
    let (ticket, _) = world.scans.pop().expect("it is shown to them");
    assert_eq!(world.cancelled, [ticket]);
    world.tell(Input::Called { ticket, said: Said::Scanned(Scanned::Clean) });
    assert_eq!((world.committed.len(), world.answers.len(), world.server.counts().parked), (0, 0, 0));
}

#[test]
fn the_fifth_file_of_a_user_at_once_is_told_to_come_later() {
    let mut world = World::new(true, 0);
    (0..4).for_each(|_| world.upload(5));
    assert_eq!((world.answers.len(), world.server.counts().parked), (0, 4));
    world.upload(5);
    let (_, response) = world.answers.last().expect("it was answered");
    assert!(response.headers.contains(&("retry-after".into(), "1".to_string())), "{response:?}");
    assert_eq!(world.answered(), (503, json!("OVERLOADED")));
}

#[test]
fn what_was_never_completed_is_taken_away_at_the_start_and_from_time_to_time() {
    let mut world = World::new(false, 9);
    let removals = |world: &World| world.committed.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(removals(&world), [8, 1]);
    assert_eq!(world.committed[1], ["no file"]);
    world.orphans = 1;
    for _ in 0..20 {
        assert_eq!(removals(&world), [8, 1]);
        world.now = world.now + Duration::from_secs(30);
        world.tell(Input::Tick);
    }
    assert_eq!(removals(&world), [8, 1, 1]);
}
