//! People talk in a room and one of them misbehaves; then each number is what they did.

use super::scraped::Scraped;
use parlor_tests::client::{Client, Heard, KEYS, SERVICE_KEY, admin, token};
use parlor_tests::process::{Folder, Process};
use parlor_tests::wire::Wire;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

const PEOPLE: u64 = 8;
const MESSAGES: u64 = 25;
/// Refused at the door: with a bad token.
const STRANGERS: u64 = 3;
const PATIENCE: Duration = Duration::from_secs(20);
/// How often one connection of a user is let in.
const CONNECTIONS_PER_USER: &str = "1";

/// Joins and, when all have, says what it has to say, each time after the answer, and hears until it is sent away. Returns
/// how that was.
fn talk(address: SocketAddr, name: &str, joined: &Barrier, heard: &AtomicU64) -> Option<u16> {
    let mut client = Client::open(address, "/chat", name).expect("it is let in");
    let call = |event: &str, data: Value, id: String| json!({"event": event, "data": data, "requestId": id});
    let join = call("chat:room:join", json!({"roomId": "team"}), "join".into());
    client.say([&join]).expect("it is connected");
    let mut said = 0;
    loop {
        let Ok(next) = client.hear() else { return None };
        let event = match next {
            Heard::Close(code) => return Some(code),
            Heard::Event(event) => event,
        };
        heard.fetch_add(1, SeqCst);
        if event["requestId"] == "join" {
            joined.wait();
        }
        if event["requestId"].is_string() && said < MESSAGES {
            said += 1;
            let data = json!({"roomId": "team", "content": format!("{name} says {said}")});
            client.say([&call("chat:message:send", data, said.to_string())]).expect("it is connected");
        }
    }
}

/// The status of a request.
fn status(address: SocketAddr, target: &str, headers: &str) -> u16 {
    let mut wire = Wire::connect(address);
    let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
    wire.write(request.as_bytes()).expect("it is taken");
    wire.read_response().0[9..12].parse().expect("a status")
}

/// Scrapes until this holds.
fn scrape_until(address: SocketAddr, holds: impl Fn(&Scraped) -> bool) -> Scraped {
    let until = Instant::now() + PATIENCE;
    loop {
        let scraped = Scraped::of(address);
        if holds(&scraped) {
            return scraped;
        }
        assert!(Instant::now() < until, "not after {PATIENCE:?}: {}", scraped.text);
        thread::sleep(Duration::from_millis(50));
    }
}

fn misbehave(address: SocketAddr) {
    const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for _ in 0..STRANGERS {
        assert_eq!(status(address, "/chat?token=bad", UPGRADE), 401);
    }
    let again = format!("/chat?token={}", token("person-0"));
    assert_eq!(status(address, &again, UPGRADE), 429);
    let mut wire = Wire::try_open(address, &format!("/chat?token={}", token("mallory"))).expect("let in");
    for text in
        [r#"{"event":"chat:no:such","data":{}}"#, "[", r#"{"event":"chat:room:leave","data":{"roomId":1}}"#]
    {
        wire.write(&parlor_tests::wire::frame(0x81, text.as_bytes())).expect("it is connected");
    }
    let answers: Vec<_> = (0..3).map(|_| wire.read_frame().expect("an answer")).collect();
    assert_eq!(answers.len(), 3);
}

fn counts_what_clients_did(binary: &str) {
    let folder = Folder::new();
    let mut flags = KEYS.to_vec();
    flags.extend(["--connections-per-user", CONNECTIONS_PER_USER, "--connections-max", "500"]);
    let process = Process::start(binary, &folder, &flags);
    let address = process.address();
    admin(address, "PUT", "rooms/chat/team", &json!({"name": "Team"})).expect("a room is made");
    let (heard, joined) = (AtomicU64::new(0), Barrier::new(PEOPLE as usize));
    let people: Vec<_> = (0..PEOPLE).map(|number| format!("person-{number}")).collect();
    thread::scope(|scope| {
        let talking: Vec<_> =
            people.iter().map(|name| scope.spawn(|| talk(address, name, &joined, &heard))).collect();
        let all_said =
            |scraped: &Scraped| scraped.get("parlor_delivery_seconds_count") == (PEOPLE * MESSAGES) as f64;
        scrape_until(address, all_said);
        let scraped = scrape_until(address, |scraped| {
            scraped.get("parlor_messages_total{app=\"chat\",direction=\"out\"}") == heard.load(SeqCst) as f64
        });
        // Each heard each message once, or was answered, and was answered when it joined.
        assert!(heard.load(SeqCst) >= PEOPLE * (PEOPLE * MESSAGES + 1));
        let calls = PEOPLE * (MESSAGES + 1);
        for (sample, count) in [
            ("parlor_connections", PEOPLE),
            ("parlor_connections_max", 500),
            ("parlor_messages_total{app=\"chat\",direction=\"in\"}", calls),
            ("parlor_dropped_total{app=\"chat\"}", 0),
            ("parlor_auth_failures_total", 0),
            ("parlor_connection_seconds_count", 0),
            ("parlor_store_up", 1),
            ("parlor_jobs_waiting{queue=\"store_commits\"}", 0),
        ] {
            assert_eq!(scraped.get(sample), count as f64, "{binary}: {sample}");
        }
        assert!(scraped.get("parlor_append_seconds_count") >= MESSAGES as f64);
        assert!(scraped.get("parlor_core_held_seconds_count") >= calls as f64);
        assert!(scraped.get("parlor_room_members") >= PEOPLE as f64 && scraped.get("parlor_rooms") >= 1.0);
        let memory = scraped.get("process_resident_memory_bytes");
        assert!(memory > 1e6 && memory < scraped.get("parlor_memory_max_bytes"), "{memory}");
        assert_eq!(scraped.sum("parlor_errors_total"), 0.0);

        misbehave(address);
        let sent_away = people.iter().map(|name| {
            admin(address, "POST", "disconnect", &json!({"userId": name})).expect("an operator may")
        });
        assert!(sent_away.into_iter().all(|answer| answer == json!({"disconnected": 1})));
        for talking in talking {
            assert_eq!(talking.join().expect("it has ended"), Some(1008), "{binary}");
        }
    });
    let gone = |scraped: &Scraped| scraped.get("parlor_connections") == 0.0;
    let scraped = scrape_until(address, gone);
    for (sample, count) in [
        ("parlor_auth_failures_total", STRANGERS),
        ("parlor_limit_hits_total{limit=\"connections_per_user\"}", 1),
        ("parlor_malformed_total", 1),
        ("parlor_errors_total{code=\"PROTOCOL_ERROR\"}", 1),
        ("parlor_errors_total{code=\"CLIENT_ERROR\"}", 2),
        ("parlor_connection_seconds_count", PEOPLE + 1),
        ("parlor_room_members", 0),
        ("parlor_responses_total{status=\"4xx\"}", STRANGERS + 1),
        ("parlor_responses_total{status=\"5xx\"}", 0),
    ] {
        assert_eq!(scraped.get(sample), count as f64, "{binary}: {sample}");
    }
    for (headers, expected) in [
        ("X-Forwarded-For: 192.0.2.1\r\n".to_string(), 401),
        (format!("X-Forwarded-For: 192.0.2.1\r\nAuthorization: Bearer {SERVICE_KEY}\r\n"), 200),
    ] {
        assert_eq!(status(address, "/metrics", &headers), expected, "{headers}");
    }
    for secret in [SERVICE_KEY, "person-0", "team"] {
        assert!(!scraped.text.contains(secret), "{secret} stands in the metrics");
    }
}

#[test]
fn parlor_counts_what_its_clients_did() {
    counts_what_clients_did("parlor");
}

#[test]
fn parlor_threads_counts_what_its_clients_did() {
    counts_what_clients_did("parlor-threads");
}
