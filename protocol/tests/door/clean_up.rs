//! The daily clean-up beside people who come and read while the store takes its time.

use crate::world::{World, room, user};
use parlor_protocol::action::Action;
use parlor_protocol::auth::UserType;
use parlor_protocol::ids::{RoomId, RoomKind, Seq, SocketId};
use parlor_protocol::input::{Input, Message};
use parlor_protocol::settings::Settings;
use parlor_protocol::store::{Change, Entry, MemberRow, Query, RoomRecord, StoreReply, StoreRequest};
use parlor_protocol::time::Timestamp;
use serde_json::json;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// When a process cleans up for the first time.
const FIRST: Duration = Duration::from_secs(5);
/// After how long it comes back to what was in use.
const AGAIN: Duration = Duration::from_secs(10 * 60);
/// Where the log ends, and up to where it is old.
const HEAD: Seq = Seq(100);
const OLD: Seq = Seq(40);

fn id() -> RoomId {
    room("team", "").id
}

fn ada() -> MemberRow {
    let (user, user_type) = ("ada".into(), UserType::Employee);
    MemberRow { room: id(), user, role: "member".to_string(), name: None, user_type }
}

fn world() -> World {
    World::new(Settings { retention: DAY, session_idle_max: Duration::ZERO, ..Settings::default() })
}

fn entry(world: &World, seq: u64) -> Entry {
    let at = if Seq(seq) <= OLD { Timestamp(1) } else { world.now };
    let body = json!({"chat": {"content": "hello"}}).to_string().into();
    Entry { room: id(), seq: Seq(seq), id: format!("m{seq}").as_str().into(), author: "ben".into(), at, body }
}

/// The room as it is read while this is the last entry that it does not keep.
fn record(world: &World, kept_after: Seq) -> StoreReply {
    let tail = (HEAD.0 - 4..=HEAD.0).map(|seq| entry(world, seq)).collect();
    let begun = RoomRecord::begun(id(), Some(room("team", "acme")), vec![ada()]);
    StoreReply::Loaded(Some(Box::new(RoomRecord { head: HEAD, kept_after, tail, ..begun })))
}

fn come(world: &mut World) -> SocketId {
    let (request, ticket) = world.knock("/chat");
    world.verified(ticket, user("ada"));
    world.upgraded(request).expect("she is let in")
}

fn join(world: &mut World, socket: SocketId, since: u64) {
    let call =
        json!({"event": "chat:room:join", "data": {"roomId": "team", "since": since}, "requestId": "j"});
    world.tell(Input::Received { socket, message: Message::Text(call.to_string().into()) });
}

/// Goes through the clean-up up to where it removes something, or ends.
fn clean_up(world: &mut World) -> Option<StoreRequest> {
    loop {
        let read = match world.peek()? {
            StoreRequest::Look(Query::Outdated { kind: RoomKind::Chat, after: None, .. }) => {
                StoreReply::Heads(vec![(id(), Seq::ZERO)])
            }
            StoreRequest::Look(Query::Outdated { .. }) => StoreReply::Heads(vec![]),
            StoreRequest::Look(_) => StoreReply::Found(vec![]),
            StoreRequest::Read { .. } => StoreReply::Entries {
                entries: (1..=HEAD.0).map(|seq| entry(world, seq)).collect(),
                head: HEAD,
            },
            other @ (StoreRequest::Commit { .. }
            | StoreRequest::Load { .. }
            | StoreRequest::Before { .. }
            | StoreRequest::Heads(_)) => return Some(other),
        };
        world.answer(read);
    }
}

fn trim() -> StoreRequest {
    StoreRequest::Commit { appends: vec![], rows: vec![Change::Trim { room: id(), upto: OLD }] }
}

fn logged(world: &World, action: &str) -> Vec<String> {
    let lines = world.actions.iter().filter_map(|action| {
        let Action::Log(record) = action else { return None };
        Some(format!("{record:?}"))
    });
    lines.filter(|line| line.contains(action)).collect()
}

#[test]
fn a_room_that_was_read_before_its_log_was_trimmed_is_read_again() {
    let mut world = world();
    let ada = come(&mut world);
    join(&mut world, ada, 20);
    let (load, request) = world.asked().expect("a load");
    assert_eq!(request, StoreRequest::Load { room: id() });
    world.wait(FIRST);
    assert_eq!(clean_up(&mut world), Some(trim()));
    world.answer(StoreReply::Committed(vec![]));
    assert_eq!(clean_up(&mut world), None);
    let before = record(&world, Seq::ZERO);
    world.tell(Input::Stored(vec![(load, before)]));
    let now = record(&world, OLD);
    assert_eq!(world.answer(now), StoreRequest::Load { room: id() });
    // What she asks for is gone: she is shown the newest page.
    assert_eq!(
        world.asked().map(|(_, request)| request),
        Some(StoreRequest::Before { room: id(), before: HEAD.next(), max: 50 })
    );
}

#[test]
fn what_somebody_has_yet_to_read_is_left_for_ten_minutes() {
    let mut world = world();
    let ada = come(&mut world);
    join(&mut world, ada, 20);
    let read_now = record(&world, Seq::ZERO);
    world.answer(read_now);
    let (page, request) = world.asked().expect("a page");
    assert_eq!(request, StoreRequest::Read { room: id(), after: Seq(20), max: 200 });
    world.wait(FIRST);
    assert_eq!(clean_up(&mut world), None);
    assert!(logged(&world, "cleanup.logs").concat().contains("passed"));
    let entries = (21..=HEAD.0).map(|seq| entry(&world, seq)).collect();
    world.tell(Input::Stored(vec![(page, StoreReply::Entries { entries, head: HEAD })]));
    world.wait(AGAIN);
    assert_eq!(clean_up(&mut world), Some(trim()));
    world.answer(StoreReply::Committed(vec![]));
    assert_eq!(clean_up(&mut world), None);
    assert_eq!(logged(&world, "cleanup.logs").len(), 2);
}

#[test]
fn a_clean_up_that_the_store_cannot_do_is_tried_again_in_ten_minutes() {
    let mut world = world();
    world.wait(FIRST);
    assert_eq!(clean_up(&mut world), Some(trim()));
    world.answer(StoreReply::Unavailable);
    assert_eq!(clean_up(&mut world), None);
    assert!(logged(&world, "cleanup.logs").concat().contains("failed"));
    for _ in 0..20 {
        world.wait(AGAIN);
        assert_eq!(clean_up(&mut world), Some(trim()), "once each time");
        world.answer(StoreReply::Unavailable);
        assert_eq!(clean_up(&mut world), None);
    }
    let timers = world.server.counts().timers;
    world.wait(AGAIN);
    assert_eq!(clean_up(&mut world), Some(trim()));
    world.answer(StoreReply::Unavailable);
    assert_eq!(world.server.counts().timers, timers, "no try leaves a timer behind");
}

#[test]
fn who_reads_behind_what_goes_holds_nothing_up() {
    let mut world = world();
    let ada = come(&mut world);
    join(&mut world, ada, OLD.0 + 10);
    let read_now = record(&world, Seq::ZERO);
    world.answer(read_now);
    // Her first page does not reach the end: she goes on reading.
    let entries = (OLD.0 + 11..=OLD.0 + 20).map(|seq| entry(&world, seq)).collect();
    world.answer(StoreReply::Entries { entries, head: HEAD });
    world.wait(FIRST);
    assert_eq!(clean_up(&mut world), Some(trim()));
}
