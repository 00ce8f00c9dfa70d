//! What is older than it is kept, and sessions that were left, go from the databases of whole servers, also of one that
//! is killed over it; and nothing else does.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use parlor_tests::client::{Client, Heard, KEYS, admin};
use parlor_tests::process::{Folder, Process};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How many messages there are, and how many of them are old: more than go at a time.
const MESSAGES: u64 = 1_300;
const OLD: u64 = 1_200;
/// How many are sent before their answers are heard.
const AT_ONCE: u64 = 100;
/// Forty days, in microseconds.
const LONG_AGO: i64 = 40 * 24 * 60 * 60 * 1_000_000;
/// By when a server has cleaned up.
const PATIENCE: Duration = Duration::from_secs(60);

fn start(binary: &str, folder: &Folder, flags: &[&str]) -> Process {
    Process::start(binary, folder, &[&KEYS[..], &["--rate-limit-calls", "0"], flags].concat())
}

/// The next event with this name.
fn hear(client: &mut Client, name: &str) -> Value {
    loop {
        match client.hear().unwrap() {
            Heard::Event(event) if event["event"] == name || event["type"] == name => return event,
            Heard::Event(_) => {}
            Heard::Close(code) => panic!("closed with {code} before {name}"),
        }
    }
}

fn join(client: &mut Client, since: u64) -> Value {
    let data = json!({"roomId": "team", "since": since});
    client.say([&json!({"event": "chat:room:join", "data": data, "requestId": "j"})]).unwrap();
    hear(client, "chat:room:joined")["data"].clone()
}

fn send(client: &mut Client, numbers: std::ops::RangeInclusive<u64>) -> u64 {
    let call = |number| {
        let data = json!({"roomId": "team", "id": format!("m{number}"), "content": "hello"});
        json!({"event": "chat:message:send", "data": data, "requestId": format!("r{number}")})
    };
    let calls: Vec<_> = numbers.map(call).collect();
    client.say(&calls).unwrap();
    let seqs = calls.iter().map(|_| hear(client, "chat:message:send")["data"]["seq"].as_u64().unwrap());
    seqs.last().unwrap()
}

/// Fills a database, ends its server, and makes most of it old.
fn fill(binary: &str, folder: &Folder) {
    let mut process = start(binary, folder, &[]);
    let address = process.address();
    admin(address, "PUT", "rooms/chat/team", &json!({"name": "Team"})).unwrap();
    admin(address, "PUT", "rooms/chat/team/members/ada", &json!({"role": "member"})).unwrap();
    let template = json!({"name": "T", "questions": [{"key": "a", "question": "A?"}]});
    admin(address, "PUT", "templates/t", &template).unwrap();
    let mut client = Client::open(address, "/chat", "ada").unwrap();
    join(&mut client, 0);
    for first in (1..=MESSAGES).step_by(AT_ONCE as usize) {
        send(&mut client, first..=first + AT_ONCE - 1);
    }
    for user in ["ada", "ben"] {
        let mut client = Client::open(address, "/documents?templateId=t", user).unwrap();
        hear(&mut client, "next_question");
    }
    process.terminate();
    assert_eq!(process.wait().code(), Some(0), "{}", folder.log());
    let database = Connection::open(folder.database()).unwrap();
    let old = database.execute(
        "UPDATE room_entries SET at = at - ?1 WHERE seq <= ?2
         AND log = (SELECT log FROM room_logs WHERE kind = 'chat' AND room = 'team')",
        (LONG_AGO, OLD as i64),
    );
    assert_eq!(old, Ok(OLD as usize));
    for sql in [
        "UPDATE chat_sessions SET touched_at = touched_at - ?1 WHERE user_id = 'ada'",
        "UPDATE room_logs SET last_at = last_at - ?1
         WHERE kind = 'document' AND room = (SELECT id FROM chat_sessions WHERE user_id = 'ada')",
    ] {
        assert_eq!(database.execute(sql, [LONG_AGO]), Ok(1));
    }
}

/// The first message that is kept, when it is behind this one.
fn first_behind(process: &Process, seq: u64) -> u64 {
    let begun = Instant::now();
    loop {
        let log = admin(process.address(), "GET", "rooms/chat/team/log?limit=1", &Value::Null).unwrap();
        let first = log["entries"][0]["seq"].as_u64().unwrap_or_else(|| panic!("{log}"));
        if first > seq {
            return first;
        }
        assert!(begun.elapsed() < PATIENCE, "{first} is still there");
        sleep(Duration::from_millis(2));
    }
}

/// The first message that the database of an ended server has.
fn first_kept(folder: &Folder) -> u64 {
    let first = "SELECT min(seq) FROM room_entries
         WHERE log = (SELECT log FROM room_logs WHERE kind = 'chat' AND room = 'team')";
    let database = Connection::open(folder.database()).unwrap();
    database.query_row(first, [], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs()
}

fn cleans_up(binary: &str) {
    let folder = Folder::new();
    fill(binary, &folder);
    let mut process = start(binary, &folder, &["--retention", "30"]);
    assert!(first_behind(&process, 1) <= OLD + 1);
    process.kill();
    let was_done = first_kept(&folder) == OLD + 1;
    let mut process = start(binary, &folder, &["--retention", "30"]);
    assert_eq!(first_behind(&process, OLD), OLD + 1, "what is not old is kept");
    let address = process.address();
    let mut client = Client::open(address, "/chat", "ada").unwrap();
    let joined = join(&mut client, 1);
    assert_eq!((&joined["reset"], &joined["lastSeq"]), (&json!(true), &json!(MESSAGES)));
    assert_eq!(joined["messages"][0]["seq"], json!(MESSAGES - 49), "the newest page");
    let joined = join(&mut client, OLD);
    assert_eq!((&joined["reset"], &joined["messages"][0]["seq"]), (&Value::Null, &json!(OLD + 1)));
    assert_eq!(joined["hasMore"], json!(false));
    assert_eq!(send(&mut client, MESSAGES + 1..=MESSAGES + 1), MESSAGES + 1, "it goes on counting");
    for (user, greeting) in [("ada", "session_started"), ("ben", "session_resumed")] {
        let mut client = Client::open(address, "/documents?templateId=t", user).unwrap();
        hear(&mut client, greeting);
    }
    process.terminate();
    assert_eq!(process.wait().code(), Some(0), "{}", folder.log());
    // Who is killed right after its last step has said nothing, and the next one has nothing to say.
    assert!(was_done || folder.log().contains("cleanup.logs"), "{}", folder.log());
}

#[test]
fn parlor_cleans_up() {
    cleans_up("parlor");
}

#[test]
fn parlor_threads_cleans_up() {
    cleans_up("parlor-threads");
}
