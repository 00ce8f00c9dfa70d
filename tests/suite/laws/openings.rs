//! Sessions that are opened on connections that speak every app, while the store takes its time: who is overtaken on
//! the way, who asks too early, and what is still waited for.

use parlor_protocol::call::{AiReply, Call, Said};
use parlor_protocol::ids::SocketId;
use parlor_protocol::settings::Interviewer;
use parlor_tests::simulation::dice::Dice;
use parlor_tests::simulation::documents::Documents;
use parlor_tests::simulation::socket::Read;
use parlor_tests::simulation::{Step, World};
use serde_json::{Value, json};
use std::time::Duration;

/// A world, and all that has been heard and was not looked at yet.
struct Stage {
    world: World,
    heard: Vec<(SocketId, Read)>,
    cancelled: usize,
    called: usize,
}

impl Stage {
    fn new(interviewer: Interviewer) -> Self {
        let world = Documents::new(1, interviewer).world;
        Self { world, heard: Vec::new(), cancelled: 0, called: 0 }
    }

    fn look(&mut self, step: Step) {
        self.heard.extend(step.read);
        self.cancelled += step.cancelled.len();
        self.called += step.called.len();
    }

    fn wait(&mut self, time: Duration) {
        let until = self.world.now + time;
        while let Some(step) = self.world.step(until) {
            self.look(step);
        }
        self.world.now = until;
    }

    fn connect(&mut self, target: &str) -> SocketId {
        let step = self.world.request(0, "GET", target, "ann:firm:employee", "");
        self.look(step);
        while let Some(step) = self.world.step(self.world.now + Duration::from_secs(1)) {
            let opened = step.opened.first().map(|(socket, _)| *socket);
            self.look(step);
            if let Some(socket) = opened {
                return socket;
            }
        }
        panic!("nobody was let in at {target}");
    }

    /// A connection whose template is there at once, and whose session is not.
    fn connect_late(&mut self, target: &str) -> SocketId {
        let still = std::mem::replace(&mut self.world.store.stands_still_until, self.world.now);
        let socket = self.connect(target);
        self.world.store.stands_still_until = still;
        socket
    }

    /// A call under an id; nothing is waited for.
    fn call(&mut self, socket: SocketId, id: &str, name: &str, data: &Value) {
        let text = json!({"event": name, "data": data, "requestId": id}).to_string();
        let step = self.world.say(socket, text);
        self.look(step);
    }

    fn open(&mut self, socket: SocketId, id: &str) {
        self.call(socket, id, "document:open", &json!({"templateId": "t"}));
    }

    /// What a connection heard since the last look: the id, or the name where there is none, and what is said.
    fn heard(&mut self, socket: SocketId) -> Vec<(String, String)> {
        let heard = std::mem::take(&mut self.heard);
        let (its, others) = heard.into_iter().partition(|(of, _)| *of == socket);
        self.heard = others;
        let its: Vec<(SocketId, Read)> = its;
        its.into_iter().map(|(_, read)| shown(&read)).collect()
    }
}

fn shown(read: &Read) -> (String, String) {
    let Read::Text(text) = read else { return (format!("{read:?}"), String::new()) };
    let said: Value = serde_json::from_slice(text).expect("the core sends JSON");
    let word = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let name = word(&said["event"]);
    let error = &said["data"]["error"];
    let what = match error["code"].as_str() {
        Some(code) => format!("{code} {}", error["recoverable"]),
        None => name.clone(),
    };
    (said["requestId"].as_str().map_or(name, str::to_string), what)
}

fn pairs(said: &[(&str, &str)]) -> Vec<(String, String)> {
    said.iter().map(|(id, what)| (id.to_string(), what.to_string())).collect()
}

const ASKED: (&str, &str) = ("document:next_question", "document:next_question");

#[test]
fn what_is_asked_of_a_session_that_is_being_opened_may_be_asked_again_later() {
    let mut stage = Stage::new(Interviewer::BuiltIn);
    let app = stage.connect("/api/connect");
    stage.open(app, "first");
    stage.open(app, "second");
    stage.call(app, "early", "document:user_response", &json!({"sessionId": "s", "content": "x"}));
    assert_eq!(stage.heard(app), pairs(&[("second", "CLIENT_ERROR true"), ("early", "CLIENT_ERROR true")]));
    stage.wait(Duration::from_secs(5));
    assert_eq!(stage.heard(app), pairs(&[("first", "document:session_started"), ASKED]));
    stage.call(app, "late", "document:user_response", &json!({"sessionId": "s", "content": "x"}));
    assert_eq!(stage.heard(app), pairs(&[("late", "NOT_FOUND false")]));
}

#[test]
fn of_those_on_the_way_to_one_session_the_newest_arrives_and_the_others_are_told() {
    let mut stage = Stage::new(Interviewer::BuiltIn);
    let (one, other) = (stage.connect("/api/connect"), stage.connect("/api/connect"));
    stage.world.store.stands_still_until = stage.world.now + Duration::from_secs(1);
    stage.open(one, "a1");
    stage.open(other, "b1");
    stage.open(one, "a2");
    assert_eq!(stage.heard(one), pairs(&[("a1", "CONFLICT true")]));
    assert_eq!(stage.heard(other), pairs(&[("b1", "CONFLICT true")]));
    stage.wait(Duration::from_secs(5));
    assert_eq!(stage.heard(one), pairs(&[("a2", "document:session_started"), ASKED]));
    assert_eq!(stage.heard(other), []);

    // One that is there for the session alone goes with it.
    stage.world.store.stands_still_until = stage.world.now + Duration::from_secs(1);
    let page = stage.connect_late("/documents?templateId=t");
    stage.open(other, "b2");
    assert_eq!(stage.heard(page), pairs(&[("Close(4001)", "")]));
    stage.wait(Duration::from_secs(5));
    assert_eq!(stage.heard(one), pairs(&[("document:closed", "document:closed")]));
    assert_eq!(stage.heard(other), pairs(&[("b2", "document:session_resumed"), ASKED]));
}

#[test]
fn a_connection_is_read_and_pinged_while_a_session_is_opened_on_it() {
    let mut stage = Stage::new(Interviewer::BuiltIn);
    let app = stage.connect("/api/connect");
    stage.world.store.stands_still_until = stage.world.now + Duration::from_secs(600);
    stage.open(app, "never");
    stage.call(app, "meanwhile", "ping", &Value::Null);
    assert_eq!(stage.heard(app), pairs(&[("meanwhile", "pong")]));
    stage.wait(Duration::from_secs(31));
    assert_eq!(stage.heard(app), pairs(&[("Ping", "")]));
}

#[test]
fn a_call_to_the_ai_that_nobody_waits_for_any_more_is_cancelled_and_makes_room() {
    fn slow(_: &mut Dice, _: &Call) -> Vec<(Duration, Said)> {
        let reply = AiReply::Question { question: "?".into(), progress: None };
        vec![(Duration::from_secs(20), Said::NextQuestion(reply))]
    }
    let mut stage = Stage::new(Interviewer::Service);
    stage.world.ai = slow;
    let app = stage.connect("/api/connect");
    stage.open(app, "first");
    stage.wait(Duration::from_secs(5));
    assert_eq!((stage.called, stage.cancelled), (1, 0));
    stage.call(app, "afresh", "document:open", &json!({"templateId": "t", "session": "new"}));
    stage.wait(Duration::from_secs(5));
    assert_eq!((stage.called, stage.cancelled), (2, 1));
    assert_eq!(
        stage.heard(app),
        pairs(&[
            ("first", "document:session_started"),
            ("document:closed", "document:closed"),
            ("afresh", "document:session_started")
        ])
    );
    stage.wait(Duration::from_secs(20));
    assert_eq!(stage.heard(app), pairs(&[ASKED]), "what was cancelled is not heard");
}
