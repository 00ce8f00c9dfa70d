//! A load that notes what it is told: people who talk in chat rooms and people who answer questions, all at
//! once, pipelined, each under an id. When the server goes they come back, say what they have heard, and send
//! again what was not answered.

mod talker;
mod writer;

use crate::client::{Client, Heard, admin};
use crate::ledger::{Broken, Told};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use talker::Talker;
use writer::Writer;

/// The rooms that are talked in.
pub const ROOMS: [&str; 2] = ["attic", "cellar"];
/// How many people talk in each.
const TALKERS_PER_ROOM: usize = 2;
/// How many messages of each are under way at once.
const WINDOW: usize = 8;
/// How many people answer questions.
const WRITERS: usize = 6;
/// The template that they answer.
const TEMPLATE: &str = "story";
/// How long something may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause before a server is looked for again, or asked again what it could not store.
const PAUSE: Duration = Duration::from_millis(5);

/// What all of them share.
#[derive(Debug)]
struct Stage {
    address: SocketAddr,
    told: Mutex<BTreeSet<Told>>,
    seen: Mutex<Vec<String>>,
    closes: Mutex<Vec<(String, u16)>>,
    in_flight: AtomicUsize,
    answered: AtomicUsize,
    unavailable: AtomicUsize,
    warned: Mutex<BTreeSet<String>>,
    finishing: AtomicBool,
}

/// The load, under way.
#[derive(Debug)]
pub struct Load {
    stage: Arc<Stage>,
    people: Vec<JoinHandle<()>>,
}

/// Somebody who speaks over one connection after the other.
trait Person: Debug {
    /// Where it connects, and as whom.
    fn target(&self) -> (&str, &str);

    /// What it says first.
    fn begin(&mut self) -> Vec<Value>;

    /// What it says to what it heard.
    fn hear(&mut self, event: &Value, stage: &Stage) -> Vec<Value>;

    /// Whether everything it said was answered.
    fn is_answered(&self) -> bool;
}

impl Load {
    /// Makes the rooms and the template, and begins.
    pub fn start(address: SocketAddr) -> Self {
        let question = |key: &str| json!({"key": key, "question": format!("What is the {key}?")});
        let questions = ["beginning", "middle", "end"].map(question);
        let template =
            json!({"name": "Story", "questions": questions, "body": "{{beginning}} {{middle}} {{end}}"});
        admin(address, "PUT", &format!("templates/{TEMPLATE}"), &template).expect("the template is taken");
        for room in ROOMS {
            let row = json!({"name": room, "visibility": "public"});
            admin(address, "PUT", &format!("rooms/chat/{room}"), &row).expect("the room is taken");
        }
        let stage = Arc::new(Stage {
            address,
            told: Mutex::default(),
            seen: Mutex::default(),
            closes: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
            unavailable: AtomicUsize::new(0),
            warned: Mutex::default(),
            finishing: AtomicBool::new(false),
        });
        let mut people = Vec::new();
        for room in ROOMS {
            for number in 0..TALKERS_PER_ROOM {
                let talker = Talker::new(room, format!("{room}-{number}"));
                people.push(spawn(talker, stage.clone()));
            }
        }
        people
            .extend((0..WRITERS).map(|number| spawn(Writer::new(format!("writer-{number}")), stage.clone())));
        Self { stage, people }
    }

    /// Those who talk: they are connected whenever there is a server.
    pub fn talkers() -> BTreeSet<String> {
        ROOMS
            .iter()
            .flat_map(|room| (0..TALKERS_PER_ROOM).map(move |number| format!("{room}-{number}")))
            .collect()
    }

    /// How many messages and answers are under way.
    pub fn in_flight(&self) -> usize {
        self.stage.in_flight.load(SeqCst)
    }

    /// How many were acknowledged.
    pub fn answered(&self) -> usize {
        self.stage.answered.load(SeqCst)
    }

    /// How often somebody heard that the store takes nothing.
    pub fn unavailable(&self) -> usize {
        self.stage.unavailable.load(SeqCst)
    }

    /// Who heard that the server is about to stop.
    pub fn warned(&self) -> BTreeSet<String> {
        locked(&self.stage.warned).clone()
    }

    /// The closes so far: whose connection, and the code.
    pub fn closes(&self) -> Vec<(String, u16)> {
        locked(&self.stage.closes).clone()
    }

    /// Waits until it is so.
    pub fn wait_until(&self, what: &str, so: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !so(self) {
            let seen = locked(&self.stage.seen).clone();
            assert!(Instant::now() < until, "not within {PATIENCE:?}: {what}; seen: {seen:#?}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Has everybody say nothing new, waits until all is answered, and gives what they were told and what they
    /// saw that must not be.
    pub fn finish(self) -> (BTreeSet<Told>, Vec<Broken>) {
        self.stage.finishing.store(true, SeqCst);
        for person in self.people {
            person.join().expect("people come to their end");
        }
        assert_eq!(self.stage.in_flight.load(SeqCst), 0, "all is answered");
        let seen = std::mem::take(&mut *locked(&self.stage.seen));
        (std::mem::take(&mut *locked(&self.stage.told)), seen.into_iter().map(Broken::Seen).collect())
    }
}

impl Stage {
    fn told(&self, told: Told) {
        locked(&self.told).insert(told);
    }

    fn saw(&self, wrong: String) {
        locked(&self.seen).push(wrong);
    }

    fn is_finishing(&self) -> bool {
        self.finishing.load(SeqCst)
    }

    fn sent(&self) {
        self.in_flight.fetch_add(1, SeqCst);
    }

    fn answered(&self) {
        self.in_flight.fetch_sub(1, SeqCst);
        self.answered.fetch_add(1, SeqCst);
    }

    fn given_up(&self) {
        self.in_flight.fetch_sub(1, SeqCst);
    }

    /// Whether to ask again after this refusal; anything but trouble with the store must not be.
    fn is_passing(&self, error: &Value) -> bool {
        let code = error["code"].as_str().unwrap_or_default();
        let passing = ["STORE_UNAVAILABLE", "OVERLOADED"].contains(&code);
        match passing {
            true => {
                self.unavailable.fetch_add(1, SeqCst);
                thread::sleep(PAUSE);
            }
            false => self.saw(format!("refused: {error}")),
        }
        passing
    }
}

fn spawn(mut person: impl Person + Send + 'static, stage: Arc<Stage>) -> JoinHandle<()> {
    thread::spawn(move || {
        let until = || Instant::now() + PATIENCE;
        let mut patience = until();
        while !matches!(converse(&mut person, &stage, || patience = until()), Ok(true)) {
            assert!(
                Instant::now() < patience,
                "no server within {PATIENCE:?} for {person:?}; seen: {:#?}",
                locked(&stage.seen)
            );
            thread::sleep(PAUSE);
        }
    })
}

/// Speaks until all is over (true), or this connection is.
fn converse(person: &mut impl Person, stage: &Stage, mut opened: impl FnMut()) -> io::Result<bool> {
    let (target, user) = person.target();
    let mut client = Client::open(stage.address, target, user)?;
    opened();
    client.say(&person.begin())?;
    while !stage.is_finishing() || !person.is_answered() {
        match client.hear()? {
            Heard::Close(code) => {
                locked(&stage.closes).push((person.target().1.to_string(), code));
                return Ok(false);
            }
            Heard::Event(event) => {
                let name = event["event"].as_str().or(event["type"].as_str());
                if name == Some("server_shutdown") {
                    locked(&stage.warned).insert(person.target().1.to_string());
                } else {
                    client.say(&person.hear(&event, stage))?;
                }
            }
        }
    }
    Ok(true)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
