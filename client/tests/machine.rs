//! One fact in, the exact orders out.

use parlor_client::action::{Action, End, Event, State};
use parlor_client::client::Client;
use parlor_client::config::Config;
use parlor_client::error::{CONNECTION_LOST, Error, OVERLOADED, TOO_LARGE};
use parlor_client::input::{CallId, Input};
use parlor_client::room::Room;
use serde_json::{Value, json};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const TIMEOUT_AFTER: Duration = Duration::from_secs(10);

/// A client, its time, and what it ordered last.
struct Case {
    client: Client,
    now: Duration,
    calls: u64,
}

impl Case {
    fn new(config: Config) -> Self {
        Self { client: Client::new(config, [1; 32]), now: Duration::ZERO, calls: 0 }
    }

    fn open() -> Self {
        let mut case = Self::new(Config::new("ws://model/chat"));
        case.connect();
        case
    }

    fn connect(&mut self) -> Vec<Action> {
        self.tick();
        self.fact(Input::TokenGiven("token".to_string()));
        self.fact(Input::Opened)
    }

    fn fact(&mut self, fact: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        self.client.handle(self.now, fact, &mut actions);
        actions
    }

    /// Goes on to the next deadline.
    fn tick(&mut self) -> Vec<Action> {
        self.now = self.client.next_deadline().expect("something is due").max(self.now);
        self.fact(Input::Tick)
    }

    fn call(&mut self, name: &str, data: Value) -> Vec<Action> {
        let (call, name) = (self.next_call(), name.to_string());
        self.fact(Input::Called { call, name, data, timeout: TIMEOUT_AFTER })
    }

    fn join(&mut self, room: &Room) -> Vec<Action> {
        let (call, room) = (self.next_call(), room.clone());
        self.fact(Input::Joined { call, room, since: None, timeout: TIMEOUT_AFTER })
    }

    fn leave(&mut self, room: &Room) -> Vec<Action> {
        let (call, room) = (self.next_call(), room.clone());
        self.fact(Input::Left { call, room, timeout: TIMEOUT_AFTER })
    }

    fn hear(&mut self, event: &str, data: Value) -> Vec<Action> {
        self.fact(Input::Received(json!({"event": event, "data": data, "version": "1"}).to_string()))
    }

    fn answer(&mut self, request: &str, event: &str, data: Value) -> Vec<Action> {
        self.fact(Input::Received(json!({"event": event, "data": data, "requestId": request}).to_string()))
    }

    fn close(&mut self, code: u16) -> Vec<Action> {
        self.fact(Input::Closed { code: Some(code) })
    }

    fn next_call(&mut self) -> CallId {
        self.calls += 1;
        CallId(self.calls)
    }

    /// In the chat room `a`, up to place 5, by call 1.
    fn inside() -> Self {
        let mut case = Self::open();
        case.join(&chat());
        case.answer("j1", "chat:room:joined", json!({"roomId": "a", "lastSeq": 5, "messages": []}));
        case
    }
}

fn chat() -> Room {
    Room::Chat("a".to_string())
}

/// What is sent, as name, data and id.
fn sent(actions: &[Action]) -> Vec<(String, Value, String)> {
    let texts =
        actions.iter().filter_map(|action| if let Action::Send(text) = action { Some(text) } else { None });
    let calls = texts.map(|text| serde_json::from_str::<Value>(text).expect("JSON"));
    let text = |value: &Value| value.as_str().expect("a text").to_string();
    calls.map(|call| (text(&call["event"]), call["data"].clone(), text(&call["requestId"]))).collect()
}

fn answers(actions: &[Action]) -> Vec<(u64, Result<Value, Error>)> {
    let answer = |action: &Action| {
        let Action::Answer { call, result } = action else { return None };
        Some((call.0, result.clone()))
    };
    actions.iter().filter_map(answer).collect()
}

fn codes(actions: &[Action]) -> Vec<(u64, String)> {
    answers(actions).into_iter().map(|(call, result)| (call, result.expect_err("an error").code)).collect()
}

fn entries(actions: &[Action]) -> Vec<u64> {
    let entry = |action: &Action| {
        let Action::Tell(Event::Entry { seq, .. }) = action else { return None };
        Some(*seq)
    };
    actions.iter().filter_map(entry).collect()
}

fn waits(actions: &[Action]) -> Duration {
    let wait = |action: &Action| {
        let Action::Tell(Event::State(State::Waiting(wait))) = action else { return None };
        Some(*wait)
    };
    actions.iter().find_map(wait).expect("it waits")
}

fn message(seq: u64) -> Value {
    json!({"id": format!("m{seq}"), "seq": seq, "roomId": "a", "content": "x"})
}

#[test]
fn waits_double_up_to_their_limit_and_begin_anew_after_a_connection_that_heard_something() {
    let (mut case, mut most) = (Case::new(Config::new("ws://model/chat")), [Duration::ZERO; 8]);
    for _ in 0..200 {
        for most in &mut most {
            case.tick();
            case.fact(Input::TokenGiven("token".to_string()));
            *most = waits(&case.fact(Input::Failed { status: None, retry_after: None })).max(*most);
        }
        case.connect();
        case.hear("server_hello", json!({}));
        assert!(waits(&case.close(1011)) <= SECOND);
    }
    for (most, limit) in most.into_iter().zip([1, 2, 4, 8, 16, 30, 30, 30]) {
        assert!(most <= SECOND * limit && most >= SECOND * limit * 9 / 10, "{most:?} of {limit} s");
    }
}

#[test]
fn close_codes_and_refusals_that_are_final_end_the_client() {
    for code in [1000, 1008, 4001, 4401, 4403] {
        let end = Action::Tell(Event::State(State::Ended(End::Closed(code))));
        assert_eq!(Case::open().close(code), [end], "{code}");
    }
    for code in [1001, 1006, 1009, 1011, 1012, 1013, 4000, 4002] {
        waits(&Case::open().close(code));
    }
    for (status, is_final) in
        [(401, true), (403, true), (404, true), (408, false), (429, false), (503, false)]
    {
        let mut case = Case::new(Config::new("ws://model/chat"));
        case.tick();
        case.fact(Input::TokenGiven("token".to_string()));
        let after = case.fact(Input::Failed { status: Some(status), retry_after: Some(SECOND * 7) });
        match is_final {
            true => assert_eq!(after, [Action::Tell(Event::State(State::Ended(End::Refused(status))))]),
            false => assert!(waits(&after) >= SECOND * 7),
        }
    }
}

#[test]
fn after_as_many_failures_as_allowed_it_is_over_and_every_call_is_answered() {
    let mut case = Case::new(Config { attempts_max: Some(2), ..Config::new("ws://model/chat") });
    case.call("chat:message:send", json!({"roomId": "a", "content": "x"}));
    case.tick();
    waits(&case.fact(Input::TokenFailed));
    case.tick();
    let over = case.fact(Input::TokenFailed);
    assert_eq!(codes(&over), [(1, CONNECTION_LOST.to_string())]);
    assert_eq!(over.last(), Some(&Action::Tell(Event::State(State::Ended(End::AttemptsOver(2))))));
    assert_eq!(codes(&case.call("ping", json!({}))), [(2, CONNECTION_LOST.to_string())]);
    assert_eq!(case.client.next_deadline(), None);
}

#[test]
fn a_server_that_stops_is_left_alone_for_as_long_as_it_asks() {
    let mut case = Case::open();
    assert_eq!(case.hear("server_shutdown", json!({"reason": "restarting", "reconnectAfterMs": 4_000})), []);
    let wait = waits(&case.close(1012));
    assert!(wait >= SECOND * 4 && wait <= SECOND * 5, "{wait:?}");
    case.connect();
    case.hear("x", json!({}));
    assert!(waits(&case.close(1012)) <= SECOND);
}

#[test]
fn an_error_event_is_the_error_of_its_call() {
    let mut case = Case::open();
    assert_eq!(
        sent(&case.call("chat:room:create", json!({"name": "A"}))),
        [("chat:room:create".to_string(), json!({"name": "A"}), "c1".to_string())]
    );
    let error =
        json!({"code": "RATE_LIMITED", "message": "m", "details": {"retryAfterMs": 5}, "recoverable": true});
    let after = case.answer("c1", "chat:error", error);
    let (details, code) = (Some(json!({"retryAfterMs": 5})), "RATE_LIMITED".to_string());
    let error = Error { code, message: "m".to_string(), details, recoverable: true };
    assert_eq!(after, [Action::Answer { call: CallId(1), result: Err(error.clone()) }]);
    assert_eq!(case.answer("c1", "chat:error", json!({})), [], "it is answered once");
    let alone = case.hear(
        "error",
        json!({"code": "RATE_LIMITED", "message": "m", "details": {"retryAfterMs": 5}, "recoverable": true}),
    );
    assert_eq!(alone, [Action::Tell(Event::Refused(error))]);
}

#[test]
fn what_is_not_safe_to_repeat_is_lost_with_its_connection() {
    let mut case = Case::open();
    for name in ["chat:room:create", "chat:message:history", "chat:typing:start", "chat:message:read"] {
        case.call(name, json!({"roomId": "a"}));
    }
    let lost = CONNECTION_LOST.to_string();
    assert_eq!(codes(&case.close(1011)), [(1, lost.clone()), (3, lost.clone())]);
    assert_eq!(codes(&case.call("chat:typing:stop", json!({"roomId": "a"}))), [(5, lost)]);
    case.call("chat:room:create", json!({"name": "B"}));
    let again: Vec<_> = sent(&case.connect()).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(again, ["chat:message:history", "chat:message:read", "chat:room:create"]);
}

#[test]
fn a_message_is_sent_again_under_the_id_it_had() {
    let mut case = Case::open();
    let first = sent(&case.call("chat:message:send", json!({"roomId": "a", "content": "x"})));
    let id = first[0].1["id"].as_str().expect("an id");
    assert!(id.starts_with("msg_") && id.len() == 36, "{id}");
    case.close(1012);
    assert_eq!(sent(&case.connect()), first);
    let own = sent(&case.call("chat:message:send", json!({"roomId": "a", "content": "x", "id": "mine"})));
    assert_eq!(own[0].1["id"], "mine");
}

#[test]
fn a_message_whose_answer_is_late_is_answered_twice_over_but_told_apart() {
    let mut case = Case::open();
    let id = sent(&case.call("chat:message:send", json!({"roomId": "a", "content": "x"})))[0].1["id"].clone();
    let after = case.tick();
    let (call, result) = &answers(&after)[0];
    let error = result.clone().expect_err("it took too long");
    assert_eq!((*call, error.code.as_str(), error.details), (1, CONNECTION_LOST, Some(json!({"id": id}))));
    assert_eq!((case.now, case.client.load().0), (TIMEOUT_AFTER, 1));
    let data = json!({"id": id, "seq": 1});
    let late = Event::AnsweredLate { call: CallId(1), result: Ok(data.clone()) };
    assert_eq!(case.answer("c1", "chat:message:send", data), [Action::Tell(late)]);
    assert_eq!(case.client.load(), (0, 0));
}

#[test]
fn what_is_safe_to_repeat_is_sent_again_when_the_server_is_ready_for_it() {
    let mut case = Case::open();
    let first = sent(&case.call("chat:message:send", json!({"roomId": "a", "content": "x"})));
    case.call("chat:room:create", json!({"name": "A"}));
    let busy = Error::new("RATE_LIMITED", "no", true);
    let busy = Error { details: Some(json!({"retryAfterMs": 3_000})), ..busy };
    assert_eq!(case.answer("c1", "chat:error", json!(busy)), []);
    assert_eq!(answers(&case.answer("c2", "chat:error", json!(busy))), [(2, Err(busy))]);
    assert_eq!(case.call("ping", json!({})), [], "it waits, too");
    let after = sent(&case.tick());
    assert!(case.now >= SECOND * 3 && case.now <= SECOND * 4, "{:?}", case.now);
    assert_eq!((&after[0], after[1].0.as_str()), (&first[0], "ping"));
}

#[test]
fn queues_are_bounded_in_calls_and_in_bytes() {
    let mut case = Case::new(Config { calls_max: 2, ..Config::new("ws://model/chat") });
    case.call("ping", json!({}));
    case.join(&chat());
    let error = answers(&case.call("ping", json!({})))[0].1.clone().expect_err("the third");
    assert_eq!((error.code.as_str(), error.details), (OVERLOADED, Some(json!({"limit": 2, "actual": 3}))));
    let mut case =
        Case::new(Config { calls_bytes_max: 200, call_bytes_max: 150, ..Config::new("ws://model/chat") });
    case.call("ping", json!("x".repeat(50)));
    let (_, bytes) = case.client.load();
    let error = answers(&case.call("ping", json!("x".repeat(60))))[0].1.clone().expect_err("over in sum");
    let actual = bytes * 2 + 10;
    assert_eq!(
        (error.code.as_str(), error.details),
        (OVERLOADED, Some(json!({"limit": 200, "actual": actual})))
    );
    let error = answers(&case.call("ping", json!("x".repeat(150))))[0].1.clone().expect_err("over alone");
    assert_eq!((error.code.as_str(), error.recoverable), (TOO_LARGE, false));
    assert_eq!(case.client.load(), (1, bytes));
}

#[test]
fn a_room_is_joined_again_behind_what_was_heard_and_calls_to_it_wait_for_that() {
    let mut case = Case::inside();
    assert_eq!(entries(&case.hear("chat:message:received", message(6))), [6]);
    assert_eq!(entries(&case.hear("chat:message:received", message(6))), [0; 0]);
    case.close(1012);
    case.call("chat:message:send", json!({"roomId": "a", "content": "x"}));
    let join = ("chat:room:join".to_string(), json!({"roomId": "a", "since": 6}), "j2".to_string());
    assert_eq!(sent(&case.connect()), [join]);
    let page = json!({"roomId": "a", "lastSeq": 8, "messages": [message(7), message(8)]});
    let after = case.answer("j2", "chat:room:joined", page);
    assert_eq!((entries(&after), sent(&after)[0].0.as_str()), (vec![7, 8], "chat:message:send"));
}

#[test]
fn what_settles_an_escalation_is_heard_by_its_answer_although_its_call_names_no_room() {
    let mut case = Case::inside();
    case.call("chat:escalation:resolve", json!({"escalationId": "e"}));
    case.answer("c2", "chat:escalation:resolved", message(6));
    case.close(1012);
    assert_eq!(sent(&case.connect())[0].1, json!({"roomId": "a", "since": 6}));
}

#[test]
fn the_log_that_goes_back_is_told_as_a_reset() {
    let mut case = Case::inside();
    case.close(1012);
    case.connect();
    let page = json!({"roomId": "a", "lastSeq": 2, "reset": true, "messages": [message(1), message(2)]});
    let after = case.answer("j2", "chat:room:joined", page);
    assert_eq!(after[0], Action::Tell(Event::Reset { room: chat() }));
    assert_eq!(entries(&after), [1, 2]);
    assert_eq!(entries(&case.hear("chat:message:received", message(3))), [3]);
}

#[test]
fn a_room_that_was_joined_before_is_given_up_only_without_hope() {
    let mut case = Case::inside();
    case.close(1012);
    case.connect();
    let busy = json!({"code": "RATE_LIMITED", "message": "m", "details": {"retryAfterMs": 5_000}, "recoverable": true});
    assert_eq!(case.answer("j2", "chat:error", busy), []);
    let begun = case.now;
    assert_eq!(
        sent(&case.tick()),
        [("chat:room:join".to_string(), json!({"roomId": "a", "since": 5}), "j3".to_string())]
    );
    assert!(case.now - begun >= SECOND * 5 && case.now - begun <= SECOND * 6);
    let denied = Error::new("ROOM_ACCESS_DENIED", "no", false);
    let after = case.answer("j3", "chat:error", json!(denied));
    assert_eq!(after, [Action::Tell(Event::RoomLost { room: chat(), error: denied })]);
    case.close(1012);
    assert_eq!(sent(&case.connect()), []);
}

#[test]
fn a_room_that_was_never_entered_is_not_tried_again() {
    let mut case = Case::open();
    case.join(&chat());
    let denied = Error::new("ROOM_ACCESS_DENIED", "no", false);
    assert_eq!(answers(&case.answer("j1", "chat:error", json!(denied))), [(1, Err(denied))]);
    case.join(&chat());
    let given_up = case.tick();
    assert_eq!(codes(&given_up), [(2, CONNECTION_LOST.to_string())]);
    assert_eq!(sent(&given_up)[0].0, "chat:room:leave");
    assert_eq!(case.hear("chat:message:received", message(1)), [], "it is on its way out");
}

#[test]
fn who_leaves_a_room_hears_no_more_of_it() {
    let mut case = Case::inside();
    let goodbye = ("chat:room:leave".to_string(), json!({"roomId": "a"}), "j2".to_string());
    assert_eq!(sent(&case.leave(&chat())), [goodbye]);
    assert_eq!(case.hear("chat:message:received", message(6)), []);
    assert_eq!(answers(&case.answer("j2", "chat:room:left", json!({"roomId": "a"}))), [(2, Ok(json!({})))]);
    case.close(1012);
    assert_eq!(sent(&case.connect()), []);
    assert_eq!(answers(&case.leave(&chat())), [(3, Ok(json!({})))]);
}

#[test]
fn projects_and_the_feed_are_followed_over_reconnects() {
    let (mut case, project) = (Case::open(), Room::Project("p".to_string()));
    assert_eq!(
        sent(&case.join(&project)),
        [("join_project".to_string(), json!({"projectId": "p"}), "j1".to_string())]
    );
    assert_eq!(sent(&case.join(&Room::Feed)), [("feed:join".to_string(), json!({}), "j2".to_string())]);
    case.answer("j1", "joined_project", json!({"projectId": "p", "lastSeq": 3}));
    case.answer("j2", "feed:joined", json!({"lastSeq": 1, "allSeq": 7}));
    let story = |seq| json!({"projectId": "p", "seq": seq, "at": "t"});
    assert_eq!(entries(&case.hear("story_uploaded", story(3))), [0; 0]);
    assert_eq!(entries(&case.hear("story_uploaded", story(6))), [6], "what is hidden leaves gaps");
    let progress = json!({"projectId": "p", "percent": 5});
    let signal = Event::Signal { name: "export_progress".to_string(), data: progress.clone() };
    assert_eq!(case.hear("export_progress", progress), [Action::Tell(signal)]);
    assert_eq!(entries(&case.hear("news", json!({"seq": 8, "at": "t", "feed": "all"}))), [8]);
    assert_eq!(entries(&case.hear("note", json!({"seq": 2, "at": "t", "feed": "user"}))), [2]);
    case.close(1012);
    let again: Vec<_> = sent(&case.connect()).into_iter().map(|(_, data, _)| data).collect();
    assert_eq!(again, [json!({"projectId": "p", "since": 6}), json!({"since": 2, "all": 8})]);
}

#[test]
fn a_token_that_ends_is_refreshed() {
    let mut case = Case::open();
    assert_eq!(case.hear("auth:expiring", json!({"expiresAt": "t"})), [Action::AskToken]);
    assert_eq!(case.hear("auth:expiring", json!({"expiresAt": "t"})), []);
    let refresh = ("auth:refresh".to_string(), json!({"token": "fresh"}), "t1".to_string());
    assert_eq!(sent(&case.fact(Input::TokenGiven("fresh".to_string()))), [refresh]);
    assert_eq!(case.answer("t1", "auth:refreshed", json!({"expiresAt": "t"})), []);
    let denied = Error::new("AUTH_FAILED", "no", false);
    assert_eq!(case.answer("t1", "error", json!(denied)), [Action::Tell(Event::Refused(denied))]);
    assert_eq!(case.fact(Input::TokenGiven("unasked".to_string())), []);
}

#[test]
fn a_silent_connection_is_pinged_and_then_given_up() {
    let mut case = Case::open();
    assert_eq!(case.tick(), [Action::Ping]);
    case.fact(Input::Ponged);
    assert_eq!(case.tick(), [Action::Ping]);
    assert_eq!((case.tick()[0].clone(), case.now), (Action::Close, SECOND * 45 * 3));
    assert!(!case.client.is_open());
}

#[test]
fn a_join_without_an_answer_is_tried_on_another_connection() {
    let mut case = Case::inside();
    case.close(1012);
    case.connect();
    assert_eq!(case.tick()[0], Action::Close);
    assert_eq!(sent(&case.connect())[0].1, json!({"roomId": "a", "since": 5}));
}

#[test]
fn what_makes_no_sense_is_counted_and_dropped() {
    let mut case = Case::inside();
    for text in ["", "[]", "no JSON", r#"{"event":"x","version":"2"}"#, &"[".repeat(100_000)] {
        assert_eq!(case.fact(Input::Received(text.to_string())), [], "{text:.20}");
    }
    assert_eq!(case.client.malformed(), 5);
    assert_eq!(case.answer("j77", "chat:room:joined", json!({})), [], "nobody asked");
    assert_eq!(case.answer("ä", "x", json!({})), []);
}

#[test]
fn who_stops_closes_and_answers_what_waits() {
    let mut case = Case::inside();
    case.call("chat:room:create", json!({"name": "A"}));
    let after = case.fact(Input::Stopped);
    assert_eq!(after[0], Action::Close);
    assert_eq!(codes(&after), [(2, CONNECTION_LOST.to_string())]);
    assert_eq!(after.last(), Some(&Action::Tell(Event::State(State::Ended(End::Stopped)))));
    assert_eq!(case.fact(Input::Stopped), []);
}
