//! An AI service that answers what it should not. What it does to one attempt, drip and patience among it, is in
//! tests/tests/ai_service.rs; here whole servers bear it: who waits is told once, nothing of it is kept, and the session goes on.

use crate::on_each;
use parlor_tests::ai_stand_in::{AiStandIn, Play};
use parlor_tests::client::{Client, Heard, KEYS, admin};
use parlor_tests::process::{Folder, Process};
use serde_json::{Value, json};

fn next_of(client: &mut Client, kind: &str) -> Value {
    loop {
        match client.hear().expect("it is open") {
            Heard::Event(event) if event["type"] == kind => return event,
            Heard::Event(event) => assert_ne!(event["type"], "error", "{event}"),
            Heard::Close(code) => panic!("closed with {code}"),
        }
    }
}

#[test]
fn an_answer_that_is_elsewhere_too_large_or_none_is_told_once_and_the_session_goes_on() {
    on_each(|binary| {
        let plays = || {
            [
                Play::Redirect(302),
                Play::Redirect(307),
                Play::Large(4 << 20),
                Play::NotJson,
                Play::NotHttp,
                Play::Babble,
                Play::Status(500, None),
            ]
        };
        let ai = AiStandIn::start(plays()).expect("a port is free");
        let folder = Folder::new();
        let flags = ["--ai-service-url", &ai.url(), "--ai-retry-first", "1", "--ai-retry-second", "1"];
        let process = Process::start(binary, &folder, &[&KEYS[..], &flags].concat());
        let template = json!({"name": "T", "questions": [{"key": "k", "question": "Q?"}], "body": "{{k}}"});
        admin(process.address(), "PUT", "templates/t", &template).expect("it is made");
        let mut client =
            Client::open(process.address(), "/documents?templateId=t", "ada").expect("she is let in");
        for number in 0..plays().len() {
            let error = next_of(&mut client, "error");
            let code = error["error"]["code"].as_str().unwrap_or_default().to_string();
            assert!(code.starts_with("AI_"), "{number}: {error}");
            client.say([&json!({"type": "retry"})]).expect("it is open");
        }
        let question = next_of(&mut client, "next_question");
        assert_eq!(question["question"], "Q?", "{question}");
        assert_eq!(ai.asked().len(), plays().len() + 1, "nothing of this is worth another attempt");
        let log = folder.log();
        assert_eq!(log.matches("ai.down").count(), 1, "{log}");
    });
}
