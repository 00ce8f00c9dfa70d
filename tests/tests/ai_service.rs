//! One attempt at the AI service, against a service that does all that a service can do wrong (WIRE §1).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use parlor_host::ai::AiService;
use parlor_protocol::call::{
    ANSWER_BYTES_MAX, AiReply, CallFailure, Document, NextQuestionRequest, Progress, RobotReply,
    RobotRequest, Role, Said, TemplateBrief, Turn,
};
use parlor_protocol::store::Question;
use parlor_tests::ai_stand_in::{AiStandIn, Play};
use serde_json::json;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// The `Idempotency-Key` of these attempts.
const KEY: &str = "ses_1:1";
const SHORT: Duration = Duration::from_millis(200);

fn request(answers: &[&str]) -> NextQuestionRequest {
    let question = |key: &str, text: &str| Question {
        key: key.into(),
        question: text.into(),
        help: None,
        required: true,
    };
    let template = TemplateBrief {
        id: "trip".into(),
        name: "Trip".into(),
        questions: vec![question("where", "Where to?"), question("why", "What for?")],
        body: String::new(),
    };
    let turns = answers.iter().flat_map(|answer| [(Role::Assistant, "?"), (Role::User, *answer)]);
    let at = "2025-11-20T16:00:00.000Z";
    let turn = |(index, (role, content)): (usize, (Role, &str))| Turn {
        turn: u32::try_from(index + 1).unwrap(),
        role,
        content: content.to_string(),
        at: at.to_string(),
    };
    NextQuestionRequest {
        session_id: "ses_1".into(),
        user_id: "ada".into(),
        template,
        history: turns.enumerate().map(turn).collect(),
        message: answers.last().map(|answer| (*answer).to_string()),
    }
}

fn question(text: &str) -> Said {
    Said::NextQuestion(AiReply::Question { question: text.to_string(), progress: None })
}

fn passing(retry_after: Option<u64>) -> Said {
    Said::Failed(CallFailure::Passing { retry_after: retry_after.map(Duration::from_secs) })
}

/// What one attempt says when the service does this.
fn said(play: Play) -> Said {
    let stand_in = AiStandIn::start([play]).unwrap();
    let said = AiService::new(&stand_in.url(), None).next_question(KEY, &request(&[]));
    assert_eq!(stand_in.asked().len(), 1, "one attempt is one request");
    said
}

fn bad_reply(play: Play) -> String {
    match said(play) {
        Said::Failed(CallFailure::BadReply(why)) => why,
        other @ (Said::NextQuestion(_)
        | Said::Robot(_)
        | Said::Scanned(_)
        | Said::Delivered
        | Said::Failed(_)) => panic!("{other:?}"),
    }
}

#[test]
fn a_request_carries_key_idempotency_key_and_the_session_as_json() {
    let stand_in = AiStandIn::start([]).unwrap();
    let service = AiService::new(&format!("{}/", stand_in.url()), Some("the key"));
    let progress = Some(Progress { answered: 1, total: 2 });
    let expected = AiReply::Question { question: "What for?".into(), progress };
    assert_eq!(service.next_question(KEY, &request(&["Rome"])), Said::NextQuestion(expected));
    let asked = &stand_in.asked()[0];
    assert_eq!(asked.line, "POST /v1/chat/next-question");
    for (name, value) in [
        ("authorization", "Bearer the key"),
        ("idempotency-key", "ses_1:1"),
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("connection", "close"),
    ] {
        assert_eq!(asked.headers.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!(
        asked.body,
        json!({
            "sessionId": "ses_1",
            "userId": "ada",
            "template": {"id": "trip", "name": "Trip", "questions": [
                {"key": "where", "question": "Where to?", "required": true},
                {"key": "why", "question": "What for?", "required": true},
            ]},
            "history": [
                {"turn": 1, "role": "assistant", "content": "?", "at": "2025-11-20T16:00:00.000Z"},
                {"turn": 2, "role": "user", "content": "Rome", "at": "2025-11-20T16:00:00.000Z"},
            ],
            "message": "Rome",
        })
    );
}

#[test]
fn the_first_request_has_no_message_and_without_a_key_there_is_no_authorization() {
    let stand_in = AiStandIn::start([]).unwrap();
    AiService::new(&stand_in.url(), None).next_question(KEY, &request(&[]));
    let asked = &stand_in.asked()[0];
    assert_eq!((&asked.body["message"], asked.headers.get("authorization")), (&json!(null), None));
}

#[test]
fn when_all_is_answered_the_document_comes() {
    let stand_in = AiStandIn::start([]).unwrap();
    let document = Document { title: Some("Trip".into()), markdown: "Rome\n\nArt".into() };
    let expected = AiReply::Complete { document_id: "doc-of-ses_1".into(), document: Some(document) };
    let service = AiService::new(&stand_in.url(), None);
    assert_eq!(service.next_question(KEY, &request(&["Rome", "Art"])), Said::NextQuestion(expected));
}

#[test]
fn a_slow_answer_is_waited_for() {
    let reply = Play::Reply(json!({"type": "next_question", "question": "At last?"}));
    assert_eq!(said(Play::Slowly(SHORT, Box::new(reply))), question("At last?"));
}

#[test]
fn a_service_that_hangs_is_given_up_after_the_patience_as_a_whole() {
    for play in [Play::Hang, Play::Trickle(SHORT / 10)] {
        let stand_in = AiStandIn::start([play]).unwrap();
        let service = AiService::new(&stand_in.url(), None).with_patience(SHORT);
        let begun = Instant::now();
        assert_eq!(service.next_question(KEY, &request(&[])), passing(None));
        assert!((SHORT..SHORT * 20).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }
}

#[test]
fn a_busy_service_may_be_asked_again_and_says_when() {
    for status in [429, 502, 503, 504] {
        assert_eq!(said(Play::Status(status, Some(7))), passing(Some(7)), "{status}");
        assert_eq!(said(Play::Status(status, None)), passing(None), "{status}");
    }
}

#[test]
fn any_other_status_is_not_worth_another_attempt() {
    for status in [201, 204, 400, 401, 403, 404, 418, 500, 501] {
        assert_eq!(said(Play::Status(status, Some(7))), Said::Failed(CallFailure::Refused { status }));
    }
}

#[test]
fn a_redirect_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        assert_eq!(said(Play::Redirect(status)), Said::Failed(CallFailure::Refused { status }));
    }
}

#[test]
fn an_answer_that_is_no_reply_is_a_bad_one() {
    assert!(bad_reply(Play::Babble).starts_with("unknown variant `small_talk`"));
    assert!(bad_reply(Play::NotJson).starts_with("expected value"));
    assert!(!bad_reply(Play::NotHttp).is_empty());
    let nothing = Play::Reply(json!({"type": "next_question", "question": ""}));
    assert_eq!(bad_reply(nothing), "an empty question");
}

#[test]
fn an_answer_over_one_mebibyte_is_a_bad_one_and_is_not_read_to_its_end() {
    let largest = said(Play::Large(ANSWER_BYTES_MAX));
    assert!(matches!(largest, Said::NextQuestion(_)), "exactly at the limit");
    let over = format!("an answer of over {ANSWER_BYTES_MAX} bytes");
    assert_eq!(bad_reply(Play::Large(ANSWER_BYTES_MAX + 1)), over);
    assert_eq!(bad_reply(Play::Large(64 << 20)), over);
}

#[test]
fn a_connection_that_fails_is_worth_another_attempt() {
    assert_eq!(said(Play::Close), passing(None));
    assert_eq!(said(Play::BreakOff), passing(None));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let service = AiService::new(&format!("http://{nobody}"), None);
    assert_eq!(service.next_question(KEY, &request(&[])), passing(None));
}

#[test]
fn a_second_answer_is_never_taken_for_the_answer_to_the_next_request() {
    let reply = |text: &str| json!({"type": "next_question", "question": text});
    let twice = Play::Twice(reply("One?"), reply("Stray?"));
    let stand_in = AiStandIn::start([twice, Play::Reply(reply("Two?"))]).unwrap();
    let service = AiService::new(&stand_in.url(), None);
    assert_eq!(service.next_question(KEY, &request(&[])), question("One?"));
    assert_eq!(service.next_question(KEY, &request(&["Rome"])), question("Two?"));
}

#[test]
fn the_stand_in_hangs_up_when_it_is_dropped() {
    let stand_in = AiStandIn::start([Play::Hang]).unwrap();
    let service = AiService::new(&stand_in.url(), None);
    let attempt = std::thread::spawn(move || service.next_question(KEY, &request(&[])));
    assert_eq!(stand_in.wait_for(1, Duration::from_secs(20)).len(), 1);
    drop(stand_in);
    assert_eq!(attempt.join().unwrap(), passing(None));
}

#[test]
fn a_robot_is_asked_with_the_prompts_key_and_what_was_said_before() {
    let reply = json!({"content": {"kind": "card"}, "metadata": {"model": "m"}, "usage": 7});
    let stand_in =
        AiStandIn::start([Play::Reply(reply), Play::Interview, Play::Status(503, Some(2))]).unwrap();
    let service = AiService::new(&stand_in.url(), Some("the key"));
    let history = vec![json!({"id": "m1", "content": "Hello"})];
    let request =
        RobotRequest { room_id: "lobby".into(), user_id: "ada".into(), prompt: "Well?".into(), history };
    let metadata = json!({"model": "m"}).as_object().cloned();
    let expected = RobotReply { content: json!({"kind": "card"}), metadata };
    assert_eq!(service.robot("prompt-1", &request), Said::Robot(expected));
    let expected = RobotReply { content: json!("You said: Well?"), metadata: None };
    assert_eq!(service.robot("prompt-1", &request), Said::Robot(expected));
    assert_eq!(service.robot("prompt-1", &request), passing(Some(2)));
    let asked = &stand_in.asked()[0];
    assert_eq!(asked.line, "POST /v1/chat/robot");
    for (name, value) in [("authorization", "Bearer the key"), ("idempotency-key", "prompt-1")] {
        assert_eq!(asked.headers.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!(
        asked.body,
        json!({
            "roomId": "lobby",
            "userId": "ada",
            "prompt": "Well?",
            "history": [{"id": "m1", "content": "Hello"}],
        })
    );
}
