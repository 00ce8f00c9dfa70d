//! Credentials that somebody tries: how often, and that none of them is ever written down.

use crate::floods::metric;
use crate::{answer, ask, get, on_both, status, upgrade};
use parlor_host::transcript::shown_hocuspocus;
use parlor_protocol::y_sync::hocuspocus::{Frame, Said, Token};
use parlor_tests::client::{SECRET, SERVICE_KEY, token};
use parlor_tests::wire::{BINARY, FIN, TEXT, frame};
use std::fs;
use std::net::SocketAddr;

/// Addresses are told apart by what a trusted proxy says, which is this machine here.
const BEHIND_A_PROXY: [&str; 2] = ["--trusted-proxies", "127.0.0.1"];

fn from(address: &str, more: &str) -> String {
    format!("X-Forwarded-For: {address}\r\n{more}")
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

fn a_guess(number: usize) -> String {
    let good = token("ada");
    let (said, _) = good.rsplit_once('.').expect("a token has three parts");
    format!("{said}.{number:043}")
}

/// Shows ten tokens that are none.
fn guess_ten_tokens(address: SocketAddr, guesser: &str) {
    for number in 0..10 {
        let request = match number % 2 {
            0 => get("/api/templates", &from(guesser, &bearer(&a_guess(number)))),
            _ => upgrade(&format!("/chat?token={}", a_guess(number)), &[], &from(guesser, "")),
        };
        assert_eq!(status(address, request), "401", "{number}");
    }
}

fn is_told_to_wait(address: SocketAddr, name: &str, request: String) {
    let (status, head, body) = answer(&mut ask(address, request));
    let wait = head.lines().find_map(|line| line.strip_prefix("retry-after: ")?.parse::<u64>().ok());
    assert_eq!(status, "429", "{name}");
    assert!(wait.is_some_and(|wait| (1..=60).contains(&wait)), "{name}: {head}");
    let (body, engines) = (String::from_utf8_lossy(&body), name == "Socket.IO");
    let code =
        if engines { "{\"code\":4,\"message\":\"too many tokens" } else { "\"code\":\"RATE_LIMITED\"" };
    assert!(body.contains(code), "{name}: {body}");
}

#[test]
fn the_eleventh_token_that_is_none_in_a_minute_is_429_wherever_it_is_shown() {
    on_both(&BEHIND_A_PROXY, |process, _| {
        let address = process.address();
        let (guesser, other) = ("203.0.113.7", "203.0.113.8");
        guess_ten_tokens(address, guesser);
        let with = |more: &str| from(guesser, more);
        for (name, request) in [
            ("REST", get("/api/templates", &with(&bearer(&a_guess(10))))),
            ("a good token", get("/api/templates", &with(&bearer(&token("ada"))))),
            ("a WebSocket", upgrade(&format!("/chat?token={}", token("ada")), &[], &with(""))),
            (
                "where refusals are closes",
                upgrade(&format!("/ws?draftId=d&token={}", token("ada")), &[], &with("")),
            ),
            ("hocuspocus", upgrade("/hocuspocus", &[], &with(""))),
            ("Socket.IO", get("/socket.io/?EIO=4&transport=polling", &with(""))),
        ] {
            is_told_to_wait(address, name, request);
        }
        assert_eq!(status(address, get("/health", &with(""))), "200", "who shows nothing is served");
        for path in ["/api/admin/templates", "/api/websocket/stats"] {
            let backend = get(path, &with(&bearer(SERVICE_KEY)));
            assert_eq!(status(address, backend), "200", "a backend behind the same address is: {path}");
        }
        assert_eq!(status(address, get("/api/templates", &with(""))), "401");
        assert_eq!(status(address, get("/api/templates", &from(other, &bearer(&token("ada"))))), "200");
        // Who writes the header itself, left of the proxy, is counted where it is.
        let forged = format!("X-Forwarded-For: 198.51.100.1, {guesser}\r\n{}", bearer(&token("ada")));
        assert_eq!(status(address, get("/api/templates", &forged)), "429");
        assert!(metric(address, "parlor_limit_hits_total{limit=\"auth_failures\"}") >= 6);
    });
}

#[test]
fn the_eleventh_service_key_that_is_none_in_a_minute_is_429_and_users_are_served() {
    on_both(&BEHIND_A_PROXY, |process, _| {
        let address = process.address();
        let with = |more: &str| from("203.0.113.10", more);
        let ask_with = |more: &str| get("/api/admin/templates", &with(more));
        for number in 0..10 {
            let request = match number % 3 {
                0 => ask_with(&bearer("a key that is none")),
                // A user may ask for these too.
                1 => get("/api/websocket/stats", &with(&bearer("a key that is none"))),
                _ => ask_with("X-Parlor-Signature: t=1,v1=00\r\n"),
            };
            assert_eq!(status(address, request), "401", "{number}");
        }
        is_told_to_wait(address, "the good key", ask_with(&bearer(SERVICE_KEY)));
        let statistics = |shown: &str| get("/api/websocket/stats", &with(&bearer(shown)));
        is_told_to_wait(address, "the good key elsewhere", statistics(SERVICE_KEY));
        assert_eq!(status(address, statistics(&token("ada"))), "200");
        is_told_to_wait(address, "a signature", ask_with("X-Parlor-Signature: t=1,v1=00\r\n"));
        assert_eq!(status(address, get("/api/templates", &with(&bearer(&token("ada"))))), "200");
    });
}

#[test]
fn who_is_in_gets_a_new_token_looked_at_while_others_guess_and_cannot_guess_itself() {
    on_both(&BEHIND_A_PROXY, |process, _| {
        let address = process.address();
        let with = from("203.0.113.11", "");
        let mut ada = ask(address, upgrade(&format!("/chat?token={}", token("ada")), &[], &with));
        assert_eq!(answer(&mut ada).0, "101");
        guess_ten_tokens(address, "203.0.113.11");
        let mut refresh = |shown: &str| {
            let call =
                serde_json::json!({"event": "auth:refresh", "data": {"token": shown}, "requestId": "r"});
            ada.write(&frame(FIN | TEXT, call.to_string().as_bytes())).expect("it is written");
            loop {
                let (_, told) = ada.read_frame().expect("it is answered");
                let told = String::from_utf8(told).expect("it is text");
                if told.contains("requestId") {
                    return told;
                }
            }
        };
        assert!(refresh(&token("ada")).contains("auth:refreshed"));
        for number in 0..10 {
            assert!(refresh(&a_guess(number)).contains("AUTH_FAILED"), "{number}");
        }
        let told = refresh(&token("ada"));
        assert!(told.contains("RATE_LIMITED") && told.contains("retryAfterMs"), "{told}");
        is_told_to_wait(address, "at the door", get("/api/templates", &(with + &bearer(&token("ada")))));
    });
}

#[test]
fn a_provider_that_is_in_gets_a_new_token_looked_at_while_others_guess() {
    let flags = [&BEHIND_A_PROXY[..], &["--create-on-open", "true"]].concat();
    on_both(&flags, |process, _| {
        let address = process.address();
        let mut ada = ask(address, upgrade("/hocuspocus", &[], &from("203.0.113.12", "")));
        assert_eq!(answer(&mut ada).0, "101");
        let mut shows = |shown: &str| {
            let said = Said::Auth { token: Token(shown.to_string()), version: None };
            let bytes = Frame::Said { document: "letter".into(), said }.write();
            ada.write(&frame(FIN | BINARY, &bytes)).expect("it is written");
            loop {
                let (first, told) = ada.read_frame().expect("it is answered");
                let told = shown_hocuspocus(&told).unwrap_or_else(|| format!("{first:x} {told:?}"));
                if told.contains("authenticated") || told.contains("denied") {
                    return told;
                }
            }
        };
        assert!(shows(&token("ada")).contains("authenticated"));
        guess_ten_tokens(address, "203.0.113.12");
        let told = shows(&token("ada"));
        assert!(told.contains("authenticated"), "{told}");
    });
}

#[test]
fn tokens_that_are_over_or_missing_lock_nobody_out() {
    let secret = ["--trusted-proxies", "127.0.0.1"];
    on_both(&secret, |process, _| {
        let address = process.address();
        let over = parlor_host::trial::token(
            SECRET.as_bytes(),
            &serde_json::json!({"sub": "ada", "exp": 1_000_000}),
        );
        for _ in 0..30 {
            assert_eq!(status(address, get("/api/templates", &from("203.0.113.7", &bearer(&over)))), "401");
            assert_eq!(status(address, get("/api/templates", &from("203.0.113.7", ""))), "401");
        }
        assert_eq!(
            status(address, get("/api/templates", &from("203.0.113.7", &bearer(&token("ada"))))),
            "200"
        );
    });
}

#[test]
fn guesses_of_a_socket_io_client_count_and_are_refused_as_its_dialect_has_it() {
    on_both(&BEHIND_A_PROXY, |process, _| {
        let address = process.address();
        let guesser = from("203.0.113.9", "");
        // Three sessions: one that fails ten times is over.
        let sessions = [0; 3].map(|_| {
            let (_, _, body) =
                answer(&mut ask(address, get("/socket.io/?EIO=4&transport=polling", &guesser)));
            let text = String::from_utf8(body).expect("it is text");
            let at = text.find("\"sid\":\"").expect("a session") + 7;
            text[at..].split('"').next().expect("its end").to_string()
        });
        let connects = |session: usize, token: &str| {
            let target = format!("/socket.io/?EIO=4&transport=polling&sid={}", sessions[session]);
            let (packet, from) = (format!("40{{\"token\":\"{token}\"}}"), &guesser);
            let length = packet.len();
            let head = format!("POST {target} HTTP/1.1\r\nHost: a\r\n{from}Content-Length: {length}\r\n\r\n");
            assert_eq!(status(address, head + &packet), "200");
            let (_, _, body) = answer(&mut ask(address, get(&target, &guesser)));
            String::from_utf8(body).expect("it is text")
        };
        for number in 0..10 {
            let told = connects(number % 2, &a_guess(number));
            assert!(told.starts_with("44") && told.contains("AUTH_FAILED"), "{told}");
        }
        let told = connects(2, &token("ada"));
        assert!(told.starts_with("44") && told.contains("RATE_LIMITED"), "{told}");
        assert!(told.contains("retryAfterMs"), "{told}");
    });
}

#[test]
fn no_token_and_no_key_stands_in_a_log_a_metric_or_an_answer() {
    let flags = ["--log-level", "debug", "--log-format", "json", "--create-on-open", "true"];
    on_both(&flags, |process, folder| {
        let address = process.address();
        let (good, bad) = (token("ada"), a_guess(1));
        let mut said = String::new();
        for shown in [&good, &bad, &SERVICE_KEY.to_string(), &"k".repeat(5_000)] {
            for request in [
                get("/api/templates", &bearer(shown)),
                get(&format!("/api/templates?token={}", shown.replace(' ', "%20")), ""),
                get(&format!("/nowhere?token={}", shown.replace(' ', "%20")), ""),
                get("/api/admin/templates", &bearer(shown)),
                upgrade(&format!("/chat?token={}", shown.replace(' ', "%20")), &[], ""),
                upgrade("/chat", &[], &format!("Sec-WebSocket-Protocol: bearer, {shown}\r\n")),
                upgrade(&format!("/ws?draftId=d&token={}", shown.replace(' ', "%20")), &[], ""),
                get(&format!("/socket.io/?EIO=4&transport=polling&token={}", shown.replace(' ', "%20")), ""),
            ] {
                let (_, head, body) = answer(&mut ask(address, request));
                said += &head;
                said += &String::from_utf8_lossy(&body);
            }
        }
        let (_, _, metrics) = answer(&mut ask(address, get("/metrics", &bearer(SERVICE_KEY))));
        said += &String::from_utf8_lossy(&metrics);
        said += &folder.log();
        assert!(said.contains("auth.failed") && said.contains("ws.connect"), "something is logged");
        let signature = |token: &str| token.rsplit('.').next().expect("its last part").to_string();
        for secret in
            [signature(&good), signature(&bad), SERVICE_KEY.to_string(), SECRET.to_string(), "k".repeat(64)]
        {
            assert!(!said.contains(&secret), "{secret} was written");
        }
        let kept = fs::read(folder.database()).unwrap_or_default();
        assert!(!kept.windows(43).any(|bytes| bytes == signature(&good).as_bytes()), "it is in the database");
    });
}

#[test]
fn a_token_of_over_4_kib_is_401_and_costs_nothing() {
    on_both(&[], |process, _| {
        for length in [4_097, 7_000] {
            let shown = bearer(&"a".repeat(length));
            assert_eq!(status(process.address(), get("/api/templates", &shown)), "401", "{length}");
        }
        let good = token("ada");
        let padded = format!("{good}.{}", "a".repeat(4_100));
        assert_eq!(status(process.address(), get("/api/templates", &bearer(&padded))), "401");
        assert_eq!(status(process.address(), get("/api/templates", &bearer(&good))), "200");
    });
}
