//! One attempt at the AI service, against a service that does all that a service can do wrong (WIRE §1).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use parlor_host::ai::{AiService, Patience};
use parlor_host::hang_up::HangUp;
use parlor_protocol::call::{
    ANSWER_BYTES_MAX, AiReply, CallFailure, Document, NextQuestionRequest, Progress, RobotReply,
    RobotRequest, Role, Said, TemplateBrief, Turn,
};
use parlor_protocol::store::Question;
use parlor_tests::ai_stand_in::{AiStandIn, Play, Speech};
use serde_json::json;
use std::cell::RefCell;
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

/// Who waits so long, but no longer in silence than half of that.
fn patient(attempt: Duration) -> Patience {
    Patience { attempt, silence: attempt / 2, spoken: attempt * 4 }
}

/// What one attempt says when the service does this.
fn said(play: Play) -> Said {
    let stand_in = AiStandIn::start([play]).unwrap();
    let said = AiService::new(&stand_in.url(), None).next_question(KEY, &request(&[]), &HangUp::default());
    assert_eq!(stand_in.asked().len(), 1, "one attempt is one request");
    said
}

fn bad_reply(play: Play) -> String {
    match said(play) {
        Said::Failed(CallFailure::BadReply(why)) => why,
        other @ (Said::Delta(_)
        | Said::NextQuestion(_)
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
    assert_eq!(
        service.next_question(KEY, &request(&["Rome"]), &HangUp::default()),
        Said::NextQuestion(expected)
    );
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
    AiService::new(&stand_in.url(), None).next_question(KEY, &request(&[]), &HangUp::default());
    let asked = &stand_in.asked()[0];
    assert_eq!((&asked.body["message"], asked.headers.get("authorization")), (&json!(null), None));
}

#[test]
fn when_all_is_answered_the_document_comes() {
    let stand_in = AiStandIn::start([]).unwrap();
    let document = Document { title: Some("Trip".into()), markdown: "Rome\n\nArt".into() };
    let expected = AiReply::Complete { document_id: "doc-of-ses_1".into(), document: Some(document) };
    let service = AiService::new(&stand_in.url(), None);
    assert_eq!(
        service.next_question(KEY, &request(&["Rome", "Art"]), &HangUp::default()),
        Said::NextQuestion(expected)
    );
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
        let service = AiService::new(&stand_in.url(), None).with_patience(patient(SHORT));
        let begun = Instant::now();
        assert_eq!(service.next_question(KEY, &request(&[]), &HangUp::default()), passing(None));
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
    assert_eq!(service.next_question(KEY, &request(&[]), &HangUp::default()), passing(None));
}

#[test]
fn a_second_answer_is_never_taken_for_the_answer_to_the_next_request() {
    let reply = |text: &str| json!({"type": "next_question", "question": text});
    let twice = Play::Twice(reply("One?"), reply("Stray?"));
    let stand_in = AiStandIn::start([twice, Play::Reply(reply("Two?"))]).unwrap();
    let service = AiService::new(&stand_in.url(), None);
    assert_eq!(service.next_question(KEY, &request(&[]), &HangUp::default()), question("One?"));
    assert_eq!(service.next_question(KEY, &request(&["Rome"]), &HangUp::default()), question("Two?"));
}

#[test]
fn the_stand_in_hangs_up_when_it_is_dropped() {
    let stand_in = AiStandIn::start([Play::Hang]).unwrap();
    let service = AiService::new(&stand_in.url(), None);
    let attempt = std::thread::spawn(move || service.next_question(KEY, &request(&[]), &HangUp::default()));
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
    assert_eq!(service.robot("prompt-1", &request, &HangUp::default()), Said::Robot(expected));
    let expected = RobotReply { content: json!("You said: Well?"), metadata: None };
    assert_eq!(service.robot("prompt-1", &request, &HangUp::default()), Said::Robot(expected));
    assert_eq!(service.robot("prompt-1", &request, &HangUp::default()), passing(Some(2)));
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

/// What is heard of one attempt that asks to hear the AI speak: what came before its end, and the end.
fn spoken_within(patience: Patience, speech: Speech) -> (Vec<String>, Said) {
    let stand_in = AiStandIn::start([Play::Speak(speech)]).unwrap();
    let service = AiService::new(&stand_in.url(), None).with_patience(patience);
    let heard = speak(&service, &HangUp::default());
    let asked = stand_in.asked();
    assert_eq!(asked.len(), 1, "one attempt is one request");
    assert_eq!(asked[0].headers.get("accept").map(String::as_str), Some("text/event-stream"));
    heard
}

fn spoken(speech: Speech) -> (Vec<String>, Said) {
    spoken_within(Patience::default(), speech)
}

fn speak(service: &AiService, hang_up: &HangUp) -> (Vec<String>, Said) {
    let heard = RefCell::new(Vec::new());
    let end = service.speak(KEY, &request(&[]), hang_up, &|said| {
        assert!(!said.is_end(), "no end is told as a delta: {said:?}");
        heard.borrow_mut().extend(if let Said::Delta(text) = said { Some(text) } else { None });
    });
    (heard.into_inner(), end)
}

fn asks(text: &str) -> serde_json::Value {
    json!({"type": "next_question", "question": text})
}

fn refused(why: &str) -> Said {
    Said::Failed(CallFailure::BadReply(why.to_string()))
}

#[test]
fn a_question_is_heard_while_it_is_spoken() {
    let pause = SHORT / 4;
    let speech = Speech::default().delta("Whe").pause(pause).delta("re").pause(pause).delta(" to?");
    let speech = speech.bytes(b": alive\n\n").reply(&asks("Where to?"));
    assert_eq!(spoken(speech), (vec!["Whe".into(), "re".into(), " to?".into()], question("Where to?")));
}

#[test]
fn a_character_may_come_in_two_pieces_and_the_last_event_without_its_end() {
    let speech = Speech::default().bytes(b"event: delta\r\ndata: {\"text\":\"\xc3").pause(SHORT / 4);
    let speech = speech.bytes(b"\xa4\"}\r\n\r\nevent: next_question\r\ndata: {\"type\":\"next_question\",");
    let speech = speech.bytes(b"\"question\":\"?\"}");
    assert_eq!(spoken(speech), (vec!["\u{e4}".into()], question("?")));
}

#[test]
fn a_service_that_does_not_speak_answers_as_ever() {
    for (play, end) in [
        (Play::Reply(asks("Where?")), question("Where?")),
        (Play::Status(503, Some(7)), passing(Some(7))),
        (Play::Redirect(302), Said::Failed(CallFailure::Refused { status: 302 })),
        (Play::NotJson, refused("expected value at line 1 column 1")),
        (Play::Close, passing(None)),
    ] {
        let stand_in = AiStandIn::start([play]).unwrap();
        let service = AiService::new(&stand_in.url(), None);
        assert_eq!(speak(&service, &HangUp::default()), (vec![], end));
        assert_eq!(stand_in.asked().len(), 1);
    }
}

#[test]
fn who_did_not_ask_for_it_gets_the_reply_as_a_whole() {
    assert_eq!(said(Play::Speak(Speech::default().delta("Whe").reply(&asks("Where?")))), question("Where?"));
}

#[test]
fn a_service_that_speaks_unasked_is_heard_to_its_reply() {
    let speech = || Speech::default().delta("Whe").delta("re?");
    assert_eq!(said(Play::SpeakUnasked(speech().reply(&asks("Where?")))), question("Where?"));
    assert_eq!(said(Play::SpeakUnasked(speech())), passing(None));
}

#[test]
fn a_stream_that_is_none_is_a_bad_reply() {
    let begun = Speech::default().delta("Whe");
    let garbage = begun.clone().bytes(b"event: delta\ndata: re\n\n").reply(&asks("Where?"));
    let why = "a delta that is none: expected value at line 1 column 1";
    assert_eq!(spoken(garbage), (vec!["Whe".into()], refused(why)));
    let no_utf8 = begun.clone().bytes(b"data: \xff\n\n").reply(&asks("Where?"));
    assert_eq!(spoken(no_utf8), (vec!["Whe".into()], refused("a stream that is not UTF-8")));
    let huge = begun.bytes(&vec![b'x'; ANSWER_BYTES_MAX]).reply(&asks("Where?"));
    let why = format!("a stream of over {ANSWER_BYTES_MAX} bytes");
    assert_eq!(spoken(huge), (vec!["Whe".into()], refused(&why)));
    let other = Speech::default().event("next_question", &json!({"type": "small_talk"}));
    assert!(
        matches!(spoken(other), (_, Said::Failed(CallFailure::BadReply(why))) if why.contains("small_talk"))
    );
}

#[test]
fn a_stream_that_is_broken_off_or_has_no_reply_has_failed() {
    let begun = Speech::default().delta("Whe");
    for speech in [begun.clone().broken_off(), begun.clone(), begun.bytes(b"event: next_question\n\n")] {
        assert_eq!(spoken(speech), (vec!["Whe".into()], passing(None)));
    }
    assert_eq!(spoken(Speech::default()), (vec![], passing(None)));
}

#[test]
fn a_service_may_speak_for_longer_than_an_attempt_but_not_be_silent_as_long() {
    let patience = patient(SHORT);
    let mut speech = Speech::default();
    for _ in 0..6 {
        speech = speech.pause(SHORT / 4).delta("x");
    }
    let whole = speech.reply(&asks("x"));
    assert_eq!(spoken_within(patience, whole), (vec!["x".to_string(); 6], question("x")), "a slow one");
    let begun = Instant::now();
    let silent = Speech::default().delta("x").pause(SHORT * 20).reply(&asks("x"));
    assert_eq!(spoken_within(patience, silent), (vec!["x".into()], passing(None)));
    assert!(begun.elapsed() < SHORT * 10, "{:?}", begun.elapsed());
}

#[test]
fn comments_and_bytes_that_drip_are_no_events() {
    for bytes in [&b": alive\n\n"[..], b"x", b"event: ping\ndata: x\n\n"] {
        let mut speech = Speech::default();
        for _ in 0..100 {
            speech = speech.bytes(bytes).pause(SHORT / 10);
        }
        let begun = Instant::now();
        let heard = spoken_within(patient(SHORT), speech.reply(&asks("x")));
        assert_eq!(heard, (vec![], passing(None)));
        assert!((SHORT..SHORT * 5).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }
}

#[test]
fn a_service_that_never_ends_is_given_up() {
    let mut speech = Speech::default();
    for _ in 0..100 {
        speech = speech.delta("x").pause(SHORT / 10);
    }
    let begun = Instant::now();
    let (heard, end) = spoken_within(Patience { spoken: SHORT * 2, ..patient(SHORT) }, speech);
    assert_eq!((heard.len() > 5, end), (true, passing(None)));
    assert!((SHORT * 2..SHORT * 6).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}

#[test]
fn who_hangs_up_does_not_wait_for_the_service() {
    let speech = Speech::default().delta("x").pause(Duration::from_secs(60));
    for (play, spoken) in [(Play::Hang, true), (Play::Hang, false), (Play::Speak(speech), true)] {
        let stand_in = AiStandIn::start([play]).unwrap();
        let service = AiService::new(&stand_in.url(), None);
        let hang_up = HangUp::default();
        let theirs = hang_up.clone();
        let attempt = std::thread::spawn(move || match spoken {
            true => speak(&service, &theirs).1,
            false => service.next_question(KEY, &request(&[]), &theirs),
        });
        assert_eq!(stand_in.wait_for(1, Duration::from_secs(20)).len(), 1);
        let begun = Instant::now();
        hang_up.now();
        assert_eq!(attempt.join().unwrap(), passing(None));
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
}

#[test]
fn what_was_hung_up_on_is_not_begun() {
    let stand_in = AiStandIn::start([]).unwrap();
    let (service, hang_up) = (AiService::new(&stand_in.url(), None), HangUp::default());
    hang_up.now();
    assert_eq!(service.next_question(KEY, &request(&[]), &hang_up), passing(None));
    assert_eq!(speak(&service, &hang_up), (vec![], passing(None)));
    assert_eq!(stand_in.asked(), vec![]);
}
