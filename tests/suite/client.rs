//! The client library against whole servers: people who talk through kills and restarts lose nothing and hear
//! nothing twice, with either driver of either side.

use parlor_client::action::{End, Event, State};
use parlor_client::chat::{Delivered, Span};
use parlor_client::config::Config;
use parlor_client::connection::{Answer, Connection, Events};
use parlor_client::error::Error;
use parlor_client::{smol, threads};
use parlor_tests::client::{KEYS, admin, token};
use parlor_tests::process::{BINARIES, Folder, Process, steady_port};
use parlor_tests::secure::Authority;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::iter;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the server is killed.
const KILLS: usize = 6;
/// How many messages each of the two says between two kills.
const SAID_BETWEEN: usize = 14;
/// How many long messages are said at once, and how long they are.
const LONG: usize = 40;
const LONG_BYTES: usize = 15_000;

type Opened = Result<(Connection, Events), Error>;
type Driver = fn(Config, &'static str) -> Opened;

const DRIVERS: [Driver; 2] = [with_threads, with_smol];

fn with_threads(config: Config, user: &'static str) -> Opened {
    threads::open(config, move || Ok::<_, Infallible>(token(user)))
}

fn with_smol(config: Config, user: &'static str) -> Opened {
    smol::open(config, move || async move { Ok::<_, Infallible>(token(user)) })
}

/// Comes back soon, so that the test is short.
fn config(address: SocketAddr) -> Config {
    let backoff_max = Duration::from_millis(200);
    Config {
        backoff_first: Duration::from_millis(50),
        backoff_max,
        ..Config::new(format!("ws://{address}/chat"))
    }
}

/// The same over TLS, to a server that these authorities vouch for.
fn secure(address: SocketAddr, ca: &str) -> Config {
    let (url, ca) = (format!("wss://{address}/chat"), Some(ca.to_string()));
    Config { url, ca, ..config(address) }
}

fn start(binary: &str, port: u16, folder: &Folder, tls: &[String]) -> Process {
    let tls: Vec<_> = tls.iter().map(String::as_str).collect();
    let flags = [&KEYS[..], &["--rate-limit-calls", "0", "--log-level", "error"], &tls].concat();
    Process::start_at(port, binary, folder, &flags)
}

fn with_room(binary: &str, folder: &Folder) -> Process {
    let process = start(binary, steady_port(), folder, &[]);
    admin(process.address(), "PUT", "rooms/chat/lobby", &json!({"name": "Lobby"})).expect("a room is made");
    process
}

/// The same server, which speaks TLS from now on. Returns its flags for that, and whom to believe.
fn with_tls(binary: &str, folder: &Folder, process: &mut Process) -> (Vec<String>, String) {
    let authority = Authority::new();
    let flags = authority.issue(folder.path()).0.flags().to_vec();
    let ca = fs::read_to_string(authority.write(folder.path())).expect("it is written");
    process.kill();
    *process = start(binary, process.address().port(), folder, &flags);
    (flags, ca)
}

/// Says some things; answers are waited for later.
fn say(connection: &Connection, user: &str, from: usize) -> Vec<(String, Answer<Delivered>)> {
    let texts = (from..from + SAID_BETWEEN).map(|number| format!("{user} {number}"));
    texts.map(|text| (text.clone(), connection.send_message("lobby", text))).collect()
}

/// All that is told until that place is reached, by place; the client's own places are known from answers.
fn hear_up_to(events: &mut Events, own: &BTreeMap<u64, String>, last: u64) -> BTreeMap<u64, String> {
    let until = Instant::now() + PATIENCE;
    let (mut heard, mut newest) = (BTreeMap::new(), 0);
    while heard.len() + own.len() < last as usize {
        assert!(Instant::now() < until, "{} of {last} heard", heard.len() + own.len());
        let Some(message) = events.wait_at_most(PATIENCE).and_then(|event| event.message()) else { continue };
        assert!(message.seq > newest, "{} after {newest}", message.seq);
        assert!(!own.contains_key(&message.seq), "{} is answered and heard", message.seq);
        newest = message.seq;
        heard.insert(message.seq, message.content.as_str().expect("a text").to_string());
    }
    heard
}

fn talk_through_kills(binary: &str, [first, second]: [Driver; 2], is_secure: bool) {
    let folder = Folder::new();
    let mut process = with_room(binary, &folder);
    let address = process.address();
    let (config, tls) = match is_secure {
        true => {
            let (tls, ca) = with_tls(binary, &folder, &mut process);
            (secure(address, &ca), tls)
        }
        false => (config(address), Vec::new()),
    };
    let people = [first(config.clone(), "ada"), second(config, "ben")].map(|opened| opened.expect("a URL"));
    for (connection, _) in &people {
        assert_eq!(connection.join_room("lobby").wait().expect("all may join").name, "Lobby");
    }
    let (mut said, mut first_answers) = ([Vec::new(), Vec::new()], BTreeMap::new());
    for number in 0..=KILLS {
        for (((connection, _), user), said) in people.iter().zip(["ada", "ben"]).zip(&mut said) {
            said.extend(say(connection, user, number * SAID_BETWEEN));
        }
        if number < KILLS {
            // Now and then some are answered, and others are in flight.
            if number % 2 == 1 {
                let (text, answer) = said[0].remove(number * SAID_BETWEEN - first_answers.len());
                first_answers.insert(answer.wait().expect(&text).seq, text);
            }
            process.kill();
            process = start(binary, address.port(), &folder, &tls);
        }
    }
    let mut own = said.map(|said| {
        let delivered = |(text, answer): (String, Answer<Delivered>)| (answer.wait().expect(&text).seq, text);
        said.into_iter().map(delivered).collect::<BTreeMap<_, _>>()
    });
    own[0].extend(first_answers);
    let all: BTreeMap<u64, String> = own.iter().flatten().map(|(seq, text)| (*seq, text.clone())).collect();
    let most = 2 * (KILLS + 1) * SAID_BETWEEN;
    assert_eq!(all.keys().copied().collect::<Vec<_>>(), (1..=most as u64).collect::<Vec<_>>(), "none twice");
    for ((connection, mut events), own) in people.into_iter().zip(&own) {
        let mut heard = hear_up_to(&mut events, own, most as u64);
        heard.extend(own.clone());
        assert_eq!(heard, all);
        let page = connection
            .history("lobby", Span { limit: Some(200), ..Span::default() })
            .wait()
            .expect("it is read");
        let stored = page.messages.into_iter().map(|message| (message.seq, message.content));
        assert!(stored.eq(all.iter().map(|(seq, text)| (*seq, Value::from(text.as_str())))));
        connection.close_and_wait();
        while let Some(event) = events.wait_at_most(PATIENCE) {
            assert!(matches!(event, Event::State(_) | Event::Signal { .. }), "{event:?} is too much");
        }
    }
    process.terminate();
    assert_eq!(process.wait().code(), Some(0), "{}", folder.log());
}

#[test]
fn people_talk_through_kills_of_parlor_and_lose_nothing() {
    talk_through_kills("parlor", DRIVERS, false);
}

#[test]
fn people_talk_through_kills_of_parlor_threads_and_lose_nothing() {
    let [threads, smol] = DRIVERS;
    talk_through_kills("parlor-threads", [smol, threads], false);
}

#[test]
fn people_talk_over_tls_through_kills_of_both_servers_and_lose_nothing() {
    BINARIES.into_iter().for_each(|binary| talk_through_kills(binary, DRIVERS, true));
}

#[test]
fn much_is_said_and_heard_over_tls_on_both_servers() {
    for binary in BINARIES {
        let folder = Folder::new();
        let mut process = with_room(binary, &folder);
        let (_, ca) = with_tls(binary, &folder, &mut process);
        let [threads, smol] = DRIVERS;
        for (one, other) in [(threads, smol), (smol, threads)] {
            let open = |open: Driver, user| open(secure(process.address(), &ca), user).expect("a URL");
            let ((ada, _), (ben, mut events)) = (open(one, "ada"), open(other, "ben"));
            for connection in [&ada, &ben] {
                connection.join_room("lobby").wait().expect("all may join");
            }
            while events.wait_at_most(Duration::ZERO).is_some() {}
            let texts: Vec<_> =
                (0..LONG).map(|number| Value::from(format!("{number:>LONG_BYTES$}"))).collect();
            let said: Vec<_> = texts.iter().map(|text| ada.send_message("lobby", text.clone())).collect();
            said.into_iter().for_each(|answer| assert!(answer.wait().is_ok()));
            let heard = iter::from_fn(|| events.wait_at_most(PATIENCE));
            let heard = heard.filter_map(|event| event.message()).map(|message| message.content);
            assert!(heard.take(LONG).eq(texts), "{binary}");
        }
    }
}

#[test]
fn no_connection_opens_to_a_server_that_is_not_believed() {
    let folder = Folder::new();
    let mut process = with_room("parlor", &folder);
    let stranger = Folder::new();
    with_tls("parlor", &folder, &mut process);
    let ca = fs::read_to_string(Authority::new().write(stranger.path())).expect("it is written");
    for (open, ca) in DRIVERS.into_iter().flat_map(|open| [(open, Some(ca.clone())), (open, None)]) {
        let config = Config { ca, attempts_max: Some(1), ..secure(process.address(), "") };
        let (connection, mut events) = open(config, "ada").expect("a URL");
        let answer = connection.join_room("lobby");
        let mut heard = Vec::new();
        while let Some(event) = events.wait_at_most(PATIENCE) {
            heard.push(event);
        }
        assert_eq!(heard.last(), Some(&Event::State(State::Ended(End::AttemptsOver(1)))));
        assert!(!heard.contains(&Event::State(State::Open)));
        assert_eq!(answer.wait().expect_err("nobody hears it").code, "CONNECTION_LOST");
    }
}

#[test]
fn a_call_is_answered_typed_or_refused_in_the_words_of_the_server() {
    let folder = Folder::new();
    let process = with_room("parlor", &folder);
    for open in DRIVERS {
        let (connection, _events) = open(config(process.address()), "ada").expect("a URL");
        let error = connection.join_room("nowhere").wait().expect_err("there is no such room");
        assert_eq!((error.code.as_str(), error.recoverable), ("ROOM_ACCESS_DENIED", false));
        let joined = connection.join_room("lobby").wait().expect("all may join");
        assert_eq!((joined.member_count, joined.members[0].user_id.as_str()), (1, "ada"));
        connection.send_message("lobby", "Good morning").wait().expect("all may talk");
        connection.leave_room("lobby").wait().expect("all may go");
        connection.close_and_wait();
        let error = connection.send_message("lobby", "Too late").wait().expect_err("it is closed");
        assert_eq!((error.code.as_str(), error.recoverable), ("CONNECTION_LOST", false));
    }
}

#[test]
fn a_token_that_is_refused_ends_the_client() {
    let folder = Folder::new();
    let process = with_room("parlor", &folder);
    let opened = [
        threads::open(config(process.address()), || Ok::<_, Infallible>("nonsense".to_string())),
        smol::open(config(process.address()), || async { Ok::<_, Infallible>("nonsense".to_string()) }),
    ];
    for (_connection, mut events) in opened.map(|opened| opened.expect("a URL")) {
        let mut last = None;
        while let Some(event) = events.wait_at_most(PATIENCE) {
            last = Some(event);
        }
        assert_eq!(last, Some(Event::State(State::Ended(End::Refused(401)))));
    }
}
