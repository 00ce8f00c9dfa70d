//! Names that would be something else where they are written down: in a log, in a metric, in a header.

use crate::{answer, ask, get, on_both};
use parlor_host::trial;
use parlor_tests::client::{SECRET, SERVICE_KEY, admin};
use parlor_tests::wire::{FIN, TEXT, Wire, frame};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

const NASTY: [&str; 6] = [
    "line\nERROR action=forged",
    "return\r\n\r\nHTTP/1.1 200 OK",
    "quote\" } {\"level\":\"error\",\"action\":\"forged\"}",
    "parlor_connections 99\n# HELP x",
    "escape\u{1b}[2J",
    "turned\u{202e}around",
];

fn named(user: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970");
    let exp = (now + Duration::from_secs(600)).as_secs();
    trial::token(SECRET.as_bytes(), &json!({"sub": user, "name": user, "firmId": user, "exp": exp}))
}

/// Does with each name what is logged.
fn be_seen(address: std::net::SocketAddr) {
    for name in NASTY {
        if let Ok(mut wire) = Wire::try_open(address, &format!("/chat?token={}", named(name))) {
            for data in
                [json!({"roomId": name}), json!({"roomId": name, "name": name, "visibility": "public"})]
            {
                for event in ["chat:room:create", "chat:room:join", name] {
                    let call = json!({"event": event, "data": data, "requestId": "r"}).to_string();
                    wire.write(&frame(FIN | TEXT, call.as_bytes())).expect("it is open");
                    wire.read_frame().expect("an answer");
                }
            }
        }
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for target in
            [format!("/{encoded}"), format!("/api/rooms?kind={encoded}"), format!("/chat?token={encoded}")]
        {
            answer(&mut ask(address, get(&target, "")));
        }
        let room = json!({"name": name, "firmId": name, "visibility": "public"});
        drop(admin(address, "PUT", &format!("rooms/chat/{encoded}"), &room));
    }
}

#[test]
fn every_line_of_the_log_is_one_fact_whatever_the_names_hold() {
    on_both(
        &["--log-format", "json", "--log-level", "debug", "--create-on-open", "true"],
        |process, folder| {
            be_seen(process.address());
            let log = folder.log();
            assert!(log.lines().count() > 10, "{log}");
            for line in log.lines() {
                let fact: Value =
                    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                assert_ne!(fact["action"], "forged", "{line}");
            }
            assert!(log.contains("ws.connect"), "{log}");
        },
    );
}

#[test]
fn a_log_for_people_holds_no_control_character_and_no_forged_line() {
    on_both(
        &["--log-format", "human", "--log-level", "debug", "--create-on-open", "true"],
        |process, folder| {
            be_seen(process.address());
            let log = folder.log();
            assert!(log.lines().count() > 10, "{log}");
            assert!(!log.contains(|c: char| c.is_control() && c != '\n'), "{log:?}");
            assert!(log.lines().all(|line| !line.starts_with("ERROR action=forged")), "{log}");
        },
    );
}

#[test]
fn no_name_of_a_client_becomes_a_metric_or_a_label() {
    on_both(&["--create-on-open", "true"], |process, _| {
        let metrics = || {
            let request = get("/metrics", &format!("Authorization: Bearer {SERVICE_KEY}\r\n"));
            let (status, _, body) = answer(&mut ask(process.address(), request));
            assert_eq!(status, "200");
            String::from_utf8(body).expect("it is text")
        };
        let names = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.filter_map(|line| Some(line.rsplit_once(' ')?.0.to_string())).collect()
        };
        let before = names(&metrics());
        be_seen(process.address());
        assert_eq!(names(&metrics()), before);
    });
}
