//! Backends that post with a key until they are answered, to servers that are killed meanwhile: every event stands in
//! its project once, in the order in which it was posted.

use parlor_tests::client::{KEYS, SERVICE_KEY, admin};
use parlor_tests::process::{Folder, Process, steady_port};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often a server is killed.
const KILLS: usize = 10;
/// How many events are stored at least between two kills.
const POSTED_MIN: u64 = 20;
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Posts an event; `None`: nobody answered, or the server was ending.
fn post(address: SocketAddr, number: u64) -> Option<Value> {
    let event = json!({"event": "counted", "data": {"number": number}, "to": {"projectId": "saga"}});
    let answered = ureq::post(format!("http://{address}/api/events"))
        .config()
        .timeout_global(Some(Duration::from_secs(5)))
        .build()
        .header("Authorization", format!("Bearer {SERVICE_KEY}"))
        .header("Idempotency-Key", format!("number-{number}"))
        .send(event.to_string());
    let text = answered.ok()?.body_mut().read_to_string().ok()?;
    serde_json::from_str(&text).ok()
}

/// Posts one event after the other, each until it is answered; returns their places.
fn post_all(address: SocketAddr, done: &AtomicU64, enough: &AtomicU64) -> Vec<u64> {
    let (mut places, until) = (Vec::new(), Instant::now() + PATIENCE);
    while done.load(Ordering::SeqCst) < enough.load(Ordering::SeqCst) {
        assert!(Instant::now() < until, "not done after {PATIENCE:?}");
        if let Some(answer) = post(address, places.len() as u64 + 1) {
            places.push(answer["seq"].as_u64().expect("an event that is kept has a place"));
            done.fetch_add(1, Ordering::SeqCst);
        } else {
            thread::sleep(Duration::from_millis(2));
        }
    }
    places
}

fn torment(binary: &str) {
    let (folder, port) = (Folder::new(), steady_port());
    let mut process = Process::start_at(port, binary, &folder, &KEYS);
    let address = process.address();
    admin(address, "PUT", "rooms/project/saga", &json!({"name": "Saga"})).expect("a project is made");
    let (done, enough) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let places = thread::scope(|scope| {
        let posting = scope.spawn(|| post_all(address, &done, &enough));
        for kill in 1..=KILLS as u64 {
            let until = Instant::now() + PATIENCE;
            while done.load(Ordering::SeqCst) < kill * POSTED_MIN {
                assert!(Instant::now() < until && !posting.is_finished(), "nothing is stored");
                thread::sleep(Duration::from_millis(1));
            }
            process.kill();
            process = Process::start_at(port, binary, &folder, &KEYS);
        }
        enough.store(done.load(Ordering::SeqCst) + POSTED_MIN, Ordering::SeqCst);
        posting.join().expect("all is posted")
    });
    let log = admin(address, "GET", "rooms/project/saga/log?limit=1000", &Value::Null).expect("a log");
    let kept: Vec<_> = log["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| &entry["body"]["data"]["number"])
        .collect();
    let numbers: Vec<_> = (1..=places.len() as u64).collect();
    assert_eq!(places, numbers, "{binary}: each was answered with its place");
    assert_eq!(json!(kept), json!(numbers), "{binary}: each stands there once");
}

#[test]
fn what_is_posted_to_parlor_again_after_sigkill_is_stored_once() {
    torment("parlor");
}

#[test]
fn what_is_posted_to_parlor_threads_again_after_sigkill_is_stored_once() {
    torment("parlor-threads");
}
