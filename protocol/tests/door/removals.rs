//! Removals whose outcome nobody knows.

use crate::world::{World, room};
use parlor_protocol::settings::Settings;
use parlor_protocol::store::ANSWER_WAIT_MAX;
use parlor_protocol::store::{Change, Row, RowKey, StoreReply, StoreRequest};

fn removal() -> StoreRequest {
    let rows = vec![Change::Remove(RowKey::Room(room("x", "").id))];
    StoreRequest::Commit { appends: vec![], rows }
}

#[test]
fn a_removal_that_may_still_wait_is_not_sent_again() {
    let mut world = World::new(Settings::default());
    let request = world.ask_as_service("DELETE /api/admin/rooms/chat/x", "");
    world.answer(StoreReply::Found(vec![Row::Room(room("x", "acme"))]));
    assert_eq!(world.asked().map(|(_, asked)| asked), Some(removal()));
    world.wait(ANSWER_WAIT_MAX);
    assert_eq!(world.said(request).0, 503);
    let mut again = std::iter::from_fn(|| world.asked());
    assert!(!again.any(|(_, asked)| asked == removal()));
}

#[test]
fn a_removal_of_unknown_outcome_is_sent_again_and_given_up_after_eight_times() {
    let mut world = World::new(Settings::default());
    let request = world.ask_as_service("DELETE /api/admin/rooms/chat/x", "");
    world.answer(StoreReply::Found(vec![Row::Room(room("x", "acme"))]));
    for _ in 0..8 {
        assert_eq!(world.response(request), None);
        assert_eq!(world.answer(StoreReply::Unknown), removal());
    }
    assert_eq!((world.said(request).0, world.asked()), (503, None));
}

#[test]
fn a_late_removal_waits_for_what_the_store_carries_out_behind_it_however_long() {
    let mut world = World::new(Settings::default());
    world.ask_as_service("DELETE /api/admin/rooms/chat/x", "");
    world.answer(StoreReply::Found(vec![Row::Room(room("x", "acme"))]));
    assert_eq!(world.asked().map(|(_, asked)| asked), Some(removal()));
    let behind = StoreRequest::Commit { appends: vec![], rows: vec![] };
    for _ in 0..3 {
        world.wait(ANSWER_WAIT_MAX);
        let asked = std::iter::from_fn(|| world.asked()).map(|(_, asked)| asked);
        let commits: Vec<_> = asked.filter(|asked| matches!(asked, StoreRequest::Commit { .. })).collect();
        assert_eq!(commits, std::slice::from_ref(&behind));
    }
}
