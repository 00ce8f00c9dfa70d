//! What backends write while others write too.

use crate::world::{World, room};
use parlor_protocol::auth::UserType;
use parlor_protocol::settings::Settings;
use parlor_protocol::store::{
    Change, MemberRow, Query, ROOM_MEMBERS_MAX, Row, RowKey, StoreReply, StoreRequest,
};
use serde_json::json;

fn written(request: StoreRequest) -> Change {
    let StoreRequest::Commit { rows, .. } = request else { panic!("{request:?}") };
    let [change] = rows.try_into().expect("one change");
    change
}

#[test]
fn a_room_that_another_firm_made_meanwhile_stays_its_own() {
    let mut world = World::new(Settings::default());
    let mine = room("x", "acme");
    let request = world.ask_as_service("PUT /api/admin/rooms/chat/x", r#"{"name":"Room","firmId":"acme"}"#);
    assert_eq!(world.answer(StoreReply::Found(vec![])), StoreRequest::Look(Query::Room(mine.id.clone())));
    let write = world.answer(StoreReply::Taken(RowKey::Room(mine.id.clone())));
    assert_eq!(written(write), Change::Insert(Row::Room(mine.clone())));
    let theirs = StoreReply::Found(vec![Row::Room(room("x", "other"))]);
    assert_eq!(world.answer(theirs), StoreRequest::Look(Query::Room(mine.id)));
    let (status, body) = world.said(request);
    assert_eq!((status, &body["error"]["code"]), (409, &json!("CONFLICT")));
    assert_eq!(world.asked(), None);
}

#[test]
fn a_room_that_the_own_firm_made_meanwhile_is_written_over() {
    let mut world = World::new(Settings::default());
    let mine = room("x", "acme");
    let request = world.ask_as_service("PUT /api/admin/rooms/chat/x", r#"{"name":"Room","firmId":"acme"}"#);
    world.answer(StoreReply::Found(vec![]));
    world.answer(StoreReply::Taken(RowKey::Room(mine.id.clone())));
    world.answer(StoreReply::Found(vec![Row::Room(mine.clone())]));
    assert_eq!(written(world.answer(StoreReply::Committed(vec![]))), Change::Put(Row::Room(mine)));
    assert_eq!(world.said(request).0, 200);
}

fn member(user: &str, name: Option<&str>, user_type: UserType) -> MemberRow {
    let name = name.map(str::to_string);
    MemberRow { room: room("x", "").id, user: user.into(), role: "member".to_string(), name, user_type }
}

#[test]
fn the_ten_thousand_and_first_member_is_refused_and_one_that_is_there_is_not() {
    let mut world = World::new(Settings::default());
    let full: Vec<Row> = (0..ROOM_MEMBERS_MAX)
        .map(|number| Row::Member(member(&format!("u{number}"), Some("Uma"), UserType::Guest)))
        .collect();
    let mut put = |user: &str, members: &[Row]| {
        let line = format!("PUT /api/admin/rooms/chat/x/members/{user}");
        let request = world.ask_as_service(&line, r#"{"role":"member"}"#);
        world.answer(StoreReply::Found(vec![Row::Room(room("x", "acme"))]));
        let look = world.answer(StoreReply::Found(members.to_vec()));
        assert_eq!(look, StoreRequest::Look(Query::Members(room("x", "").id)));
        let is_written = world.asked().is_some();
        (is_written, world.response(request).map(|response| response.status))
    };
    let (is_written, status) = put("new", &full);
    assert_eq!((is_written, status), (false, Some(413)));
    let (is_written, status) = put("u7", &full);
    assert_eq!((is_written, status), (true, None));
    let (is_written, status) = put("new", &full[1..]);
    assert_eq!((is_written, status), (true, None));
}

#[test]
fn a_room_that_is_full_names_the_limit_and_the_value() {
    let mut world = World::new(Settings::default());
    let full = vec![Row::Member(member("u", None, UserType::Guest)); ROOM_MEMBERS_MAX];
    let request = world.ask_as_service("PUT /api/admin/rooms/chat/x/members/new", r#"{"role":"member"}"#);
    world.answer(StoreReply::Found(vec![Row::Room(room("x", "acme"))]));
    world.answer(StoreReply::Found(full));
    let (status, body) = world.said(request);
    assert_eq!((status, &body["error"]["details"]), (413, &json!({"limit": 10_000, "actual": 10_001})));
}

#[test]
fn a_member_that_is_written_again_keeps_its_name_and_type() {
    let mut world = World::new(Settings::default());
    let uma = member("uma", Some("Uma"), UserType::Guest);
    world.ask_as_service("PUT /api/admin/rooms/chat/x/members/uma", r#"{"role":"member"}"#);
    world.answer(StoreReply::Found(vec![Row::Room(room("x", "acme"))]));
    world.answer(StoreReply::Found(vec![Row::Member(uma.clone())]));
    assert_eq!(written(world.answer(StoreReply::Committed(vec![]))), Change::Put(Row::Member(uma)));
}
