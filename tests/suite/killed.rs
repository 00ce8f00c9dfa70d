//! Servers that are killed at random moments under load and started again: nothing that was acknowledged is
//! lost, nothing is there twice, and nobody was told what is not kept.

use parlor_tests::ai_stand_in::{AiStandIn, Play};
use parlor_tests::client::{KEYS, admin};
use parlor_tests::ledger::{Broken, Kept, broken, read_logs};
use parlor_tests::load::{Load, ROOMS};
use parlor_tests::process::{Folder, Process, steady_port};
use serde_json::Value;
use std::hash::{BuildHasher, RandomState};
use std::iter::repeat_n;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often each server is killed.
const KILLS: usize = 50;
/// How often the one that acknowledges too early is killed: once is enough, but by chance.
const HASTY_KILLS: usize = 8;
/// How many messages and answers are under way at least when a server is killed.
const IN_FLIGHT_MIN: usize = 16;
/// How many are acknowledged at least between two kills.
const ANSWERED_MIN: usize = 64;
/// The longest that a server lives on after that.
const LIFE_MAX: Duration = Duration::from_millis(150);
/// When even a server that stores late has the rooms, without which nobody could come back to it.
const SETTLED_AFTER: Duration = Duration::from_millis(200);
/// How slowly the AI service replies.
const AI_THINKS: Duration = Duration::from_millis(10);
/// As many replies as it could ever be asked for here.
const AI_REPLIES_MAX: usize = 100_000;

/// A moment that nobody chose.
fn chance(number: usize) -> Duration {
    let dice = RandomState::new().hash_one(number);
    LIFE_MAX * u32::try_from(dice % 1_000).expect("it is below 1 000") / 1_000
}

/// Kills a server so often under load and tells what is broken in the end.
fn torment(binary: &str, kills: usize, flags: &[&str]) -> Vec<Broken> {
    let (folder, port) = (Folder::new(), steady_port());
    let arguments = [&KEYS[..], &["--rate-limit-calls", "0", "--log-level", "error"], flags].concat();
    let mut process = Process::start_at(port, binary, &folder, &arguments);
    let load = Load::start(process.address());
    sleep(SETTLED_AFTER);
    let (mut in_flight, mut restarts) = (Vec::new(), Vec::new());
    for number in 0..kills {
        let before = load.answered();
        load.wait_until("a load", |load| {
            load.answered() >= before + ANSWERED_MIN && load.in_flight() >= IN_FLIGHT_MIN
        });
        sleep(chance(number));
        in_flight.push(load.in_flight());
        process.kill();
        let begun = Instant::now();
        process = Process::start_at(port, binary, &folder, &arguments);
        restarts.push(begun.elapsed());
    }
    let answered = load.answered();
    let (told, mut found) = load.finish();
    let by_call = ROOMS.iter().flat_map(|room| logs_by_call(process.address(), room)).collect::<Vec<_>>();
    process.terminate();
    assert_eq!(process.wait().code(), Some(0), "{}", folder.log());
    let logs = read_logs(&folder.database());
    found.extend(broken(&logs, &told));
    let chat: Vec<_> = logs.into_iter().filter(|entry| entry.room.starts_with("chat ")).collect();
    assert_eq!(by_call.len(), chat.len());
    assert!(by_call.iter().all(|entry| chat.contains(entry)), "the admin call shows what is stored");
    in_flight.sort_unstable();
    restarts.sort_unstable();
    println!(
        "{binary}: {kills} kills, {answered} acknowledged, {} told; in flight at a kill: \
         {} to {}; restart: {:?} in the middle, {:?} at most",
        told.len(),
        in_flight[0],
        in_flight[kills - 1],
        restarts[kills / 2],
        restarts[kills - 1],
    );
    found
}

fn logs_by_call(address: SocketAddr, room: &str) -> Vec<Kept> {
    let mut entries: Vec<Kept> = Vec::new();
    loop {
        let after = entries.last().map_or(0, |entry| entry.seq);
        let path = format!("rooms/chat/{room}/log?after={after}&limit=1000");
        let page = admin(address, "GET", &path, &Value::Null).expect("the log is shown");
        let page = page["entries"].as_array().expect("a list").iter().map(|entry| Kept {
            room: format!("chat {room}"),
            seq: entry["seq"].as_u64().expect("a number"),
            author: entry["author"].as_str().expect("a text").to_string(),
            id: entry["id"].as_str().expect("a text").to_string(),
            body: entry["body"].clone(),
        });
        let before = entries.len();
        entries.extend(page);
        if entries.len() == before {
            return entries;
        }
    }
}

fn torment_with_ai(binary: &str) -> Vec<Broken> {
    let slowly = Play::Slowly(AI_THINKS, Box::new(Play::Interview));
    let ai = AiStandIn::start(repeat_n(slowly, AI_REPLIES_MAX)).expect("a port is free");
    torment(binary, KILLS, &["--ai-service-url", &ai.url()])
}

#[test]
fn what_parlor_acknowledged_is_there_once_after_sigkill() {
    assert_eq!(torment_with_ai("parlor"), []);
}

#[test]
fn what_parlor_threads_acknowledged_is_there_once_after_sigkill() {
    assert_eq!(torment_with_ai("parlor-threads"), []);
}

#[test]
fn a_server_that_acknowledges_before_it_has_stored_is_found_out() {
    let found = torment("parlor-hasty", HASTY_KILLS, &[]);
    assert!(found.iter().any(|broken| matches!(broken, Broken::Lost(_))), "{found:?}");
}
