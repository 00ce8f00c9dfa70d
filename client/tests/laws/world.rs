//! A world in which messages lie on their way until somebody moves them, connections break at any moment, and time
//! passes when it is told to.

use crate::server::Server;
use parlor_client::action::{Action, Event, State};
use parlor_client::client::Client;
use parlor_client::config::Config;
use parlor_client::error::{Error, OVERLOADED};
use parlor_client::input::{CallId, Input};
use parlor_client::room::Room;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

pub const PEOPLE: usize = 3;
pub const CALLS_MAX: usize = 6;
pub const CALLS_BYTES_MAX: usize = 900;
const TIMEOUT: Duration = Duration::from_secs(8);
const FOR_EVER: Duration = Duration::from_secs(1_000_000_000);
const STAY_AWAY: Duration = Duration::from_millis(2_500);

/// What happens next.
#[derive(Debug, Clone)]
pub enum Step {
    /// Somebody says something.
    Say(usize),
    /// Somebody wishes once more to be where they are: what is caught up with may be on its way already.
    JoinAgain(usize),
    /// The server takes the oldest message on its way to it.
    Arrive(usize),
    /// A client takes the oldest message on its way to it.
    Hear(usize),
    /// A connection breaks. What is on its way from the server is gone; what is on its way to it still arrives, or not.
    Cut { who: usize, code: Option<u16>, arrives: bool },
    /// The oldest message of a broken connection arrives.
    ArriveFromCut,
    /// The server lets somebody in, or not.
    Door { who: usize, open: bool },
    /// The application has a token, or not.
    Token { who: usize, given: bool },
    /// The server says that it stops.
    Shutdown(usize),
    /// The server says something that makes no sense.
    Nonsense(usize),
    /// The server takes no messages for now.
    Busy,
    /// Time passes.
    Pass(Duration),
}

pub fn step() -> impl Strategy<Value = Step> {
    let who = 0..PEOPLE;
    let code = prop_oneof![
        Just(None),
        Just(Some(1001)),
        Just(Some(1011)),
        Just(Some(1012)),
        Just(Some(4000)),
        Just(Some(4002))
    ];
    prop_oneof![
        5 => who.clone().prop_map(Step::Say),
        1 => who.clone().prop_map(Step::JoinAgain),
        8 => who.clone().prop_map(Step::Arrive),
        8 => who.clone().prop_map(Step::Hear),
        2 => (who.clone(), code, any::<bool>()).prop_map(|(who, code, arrives)| Step::Cut { who, code, arrives }),
        2 => Just(Step::ArriveFromCut),
        4 => (who.clone(), prop::bool::weighted(0.8)).prop_map(|(who, open)| Step::Door { who, open }),
        4 => (who.clone(), prop::bool::weighted(0.8)).prop_map(|(who, given)| Step::Token { who, given }),
        1 => who.clone().prop_map(Step::Shutdown),
        1 => who.prop_map(Step::Nonsense),
        1 => Just(Step::Busy),
        4 => (0_u64..4_000).prop_map(|millis| Step::Pass(Duration::from_millis(millis))),
    ]
}

/// One application with its client.
#[derive(Debug)]
pub struct Person {
    name: String,
    pub client: Client,
    next_call: u64,
    /// What is waited for, and until when.
    pub waiting: BTreeMap<CallId, (String, Duration)>,
    joins: BTreeSet<CallId>,
    /// How each message was answered.
    pub answers: Vec<(String, Result<Value, Error>)>,
    pub late: Vec<Result<Value, Error>>,
    /// The messages that came as events.
    pub heard: Vec<(u64, String)>,
    /// The first place that it was to hear of.
    pub begun: Option<u64>,
    asked: bool,
    door: bool,
    line: Option<Line>,
}

#[derive(Debug, Default)]
struct Line {
    number: u64,
    out: VecDeque<String>,
    back: VecDeque<String>,
}

#[derive(Debug)]
pub struct World {
    now: Duration,
    pub server: Server,
    pub people: Vec<Person>,
    lines: u64,
    /// What broken connections still bring.
    strays: VecDeque<(u64, String, String)>,
}

impl World {
    pub fn new(seed: u8) -> Self {
        let mut world = Self {
            now: Duration::ZERO,
            server: Server::default(),
            people: (0..PEOPLE).map(|who| Person::new(who, seed)).collect(),
            lines: 0,
            strays: VecDeque::new(),
        };
        (0..PEOPLE).for_each(|who| world.join(who));
        world.pass(Duration::ZERO);
        world
    }

    pub fn run(&mut self, step: Step) {
        match step {
            Step::Say(who) => self.say(who),
            Step::JoinAgain(who) => self.join(who),
            Step::Arrive(who) => self.arrive(who),
            Step::Hear(who) => self.hear(who),
            Step::Cut { who, code, arrives } => {
                if self.hang_up(who, arrives) {
                    self.fact(who, Input::Closed { code });
                }
            }
            Step::ArriveFromCut => {
                if let Some((line, user, text)) = self.strays.pop_front() {
                    self.call(line, &user, &text);
                }
            }
            Step::Door { who, open } => self.door(who, open),
            Step::Token { who, given } => {
                if std::mem::take(&mut self.people[who].asked) {
                    let token = Input::TokenGiven("token".to_string());
                    self.fact(who, if given { token } else { Input::TokenFailed });
                }
            }
            Step::Shutdown(who) => {
                let data = json!({"reason": "restarting", "reconnectAfterMs": STAY_AWAY.as_millis() as u64});
                self.send_to(who, json!({"event": "server_shutdown", "data": data}).to_string());
            }
            Step::Nonsense(who) => self.send_to(who, r#"{"event":["chat:message:received"]}"#.to_string()),
            Step::Busy => self.server.busy += 2,
            Step::Pass(time) => self.pass(time),
        }
    }

    /// Nothing goes wrong any more, until nothing is on its way.
    pub fn settle(&mut self) {
        for _ in 0..50 {
            for who in 0..PEOPLE {
                self.run(Step::Token { who, given: true });
                self.run(Step::Door { who, open: true });
                while self.people[who].line.as_ref().is_some_and(|line| !line.out.is_empty()) {
                    self.run(Step::Arrive(who));
                }
            }
            while !self.strays.is_empty() {
                self.run(Step::ArriveFromCut);
            }
            for who in 0..PEOPLE {
                while self.people[who].line.as_ref().is_some_and(|line| !line.back.is_empty()) {
                    self.run(Step::Hear(who));
                }
            }
            self.pass(Duration::from_secs(1));
        }
    }

    fn say(&mut self, who: usize) {
        let person = &mut self.people[who];
        person.next_call += 1;
        let call = CallId(person.next_call);
        let content = format!("{} {}", person.name, call.0);
        person.waiting.insert(call, (content.clone(), self.now + TIMEOUT));
        let data = json!({"roomId": "r", "content": content});
        self.fact(who, Input::Called { call, name: "chat:message:send".to_string(), data, timeout: TIMEOUT });
    }

    fn join(&mut self, who: usize) {
        let person = &mut self.people[who];
        person.next_call += 1;
        person.joins.insert(CallId(person.next_call));
        let (call, room) = (CallId(person.next_call), Room::Chat("r".to_string()));
        self.fact(who, Input::Joined { call, room, since: None, timeout: FOR_EVER });
    }

    fn arrive(&mut self, who: usize) {
        let person = &mut self.people[who];
        let name = person.name.clone();
        if let Some((line, text)) =
            person.line.as_mut().and_then(|line| Some((line.number, line.out.pop_front()?)))
        {
            self.call(line, &name, &text);
        }
    }

    fn hear(&mut self, who: usize) {
        let person = &mut self.people[who];
        let Some(line) = &mut person.line else { return };
        let Some(text) = line.back.pop_front() else { return };
        if text.contains("chat:room:joined") && person.begun.is_none() {
            person.begun = Some(self.server.begun[&line.number]);
        }
        self.fact(who, Input::Received(text));
    }

    fn call(&mut self, line: u64, user: &str, text: &str) {
        let caused = self.server.call(line, user, text);
        if !self.people.iter().any(|person| person.line.as_ref().is_some_and(|open| open.number == line)) {
            self.server.cut(line);
        }
        for (to, text) in caused {
            let lines = self.people.iter_mut().filter_map(|person| person.line.as_mut());
            lines.filter(|line| line.number == to).for_each(|line| line.back.push_back(text.clone()));
        }
    }

    fn door(&mut self, who: usize, open: bool) {
        let person = &mut self.people[who];
        if !std::mem::take(&mut person.door) {
            return;
        }
        if open {
            self.lines += 1;
            person.line = Some(Line { number: self.lines, ..Line::default() });
            self.fact(who, Input::Opened);
        } else {
            self.fact(who, Input::Failed { status: Some(503), retry_after: None });
        }
    }

    fn hang_up(&mut self, who: usize, arrives: bool) -> bool {
        let person = &mut self.people[who];
        let Some(line) = person.line.take() else { return false };
        self.server.cut(line.number);
        if arrives {
            let name = person.name.clone();
            self.strays.extend(line.out.into_iter().map(|text| (line.number, name.clone(), text)));
        }
        true
    }

    fn send_to(&mut self, who: usize, text: String) {
        self.people[who].line.iter_mut().for_each(|line| line.back.push_back(text.clone()));
    }

    /// Time passes, and everybody is told in time.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let next =
                (0..PEOPLE).filter_map(|who| Some((self.people[who].client.next_deadline()?, who))).min();
            let Some((due, who)) = next.filter(|(due, _)| *due <= end) else { break };
            self.now = self.now.max(due);
            self.fact(who, Input::Tick);
            let after = self.people[who].client.next_deadline();
            assert!(after.is_none_or(|after| after > self.now), "a tick has done nothing about {after:?}");
            let answered = self.people[who].waiting.values().all(|(_, until)| *until > self.now);
            assert!(answered, "somebody waits for longer than they said");
        }
        self.now = end;
    }

    fn fact(&mut self, who: usize, fact: Input) {
        let mut actions = Vec::new();
        self.people[who].client.handle(self.now, fact, &mut actions);
        for action in actions {
            self.perform(who, action);
        }
        let (calls, bytes) = self.people[who].client.load();
        assert!(calls <= CALLS_MAX && bytes <= CALLS_BYTES_MAX, "{calls} calls with {bytes} bytes wait");
    }

    fn perform(&mut self, who: usize, action: Action) {
        let person = &mut self.people[who];
        match action {
            Action::AskToken => person.asked = true,
            Action::Open { .. } => {
                assert!(person.line.is_none(), "one connection at a time");
                person.door = true;
            }
            Action::Send(text) => person.line.as_mut().expect("an open connection").out.push_back(text),
            Action::Ping => assert!(person.line.is_some(), "only an open connection can be pinged"),
            Action::Close => {
                person.door = false;
                self.hang_up(who, true);
            }
            Action::Answer { call, result } => match person.waiting.remove(&call) {
                Some((content, _)) => person.answers.push((content, result)),
                None => {
                    assert!(person.joins.remove(&call), "a call is answered once");
                    assert!(result.as_ref().is_ok_and(is_joined) || result.is_err_and(is_overload));
                }
            },
            Action::Tell(Event::Entry { seq, data, .. }) => {
                person.heard.push((seq, data["content"].as_str().expect("a text").to_string()));
            }
            Action::Tell(Event::AnsweredLate { result, .. }) => person.late.push(result),
            Action::Tell(Event::State(State::Waiting(wait))) => {
                assert!(wait <= Duration::from_secs(30) + STAY_AWAY, "{wait:?}");
            }
            Action::Tell(Event::State(State::Connecting | State::Open)) => {}
            Action::Tell(other) => panic!("nobody causes {other:?} here"),
        }
    }
}

impl Person {
    fn new(who: usize, seed: u8) -> Self {
        let config = Config {
            calls_max: CALLS_MAX,
            calls_bytes_max: CALLS_BYTES_MAX,
            ..Config::new("ws://model/chat")
        };
        Self {
            name: format!("p{who}"),
            client: Client::new(config, [seed.wrapping_add(who as u8); 32]),
            next_call: 0,
            waiting: BTreeMap::new(),
            joins: BTreeSet::new(),
            answers: Vec::new(),
            late: Vec::new(),
            heard: Vec::new(),
            begun: None,
            asked: false,
            door: false,
            line: None,
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

fn is_joined(data: &Value) -> bool {
    data["lastSeq"].is_u64() && data.get("messages").is_none()
}

fn is_overload(error: Error) -> bool {
    error.code == OVERLOADED
}
