//! Firms that share a server: what one of them has is, to another, what there is not.

use crate::{answer, ask, on_both, status, upgrade};
use parlor_host::trial;
use parlor_tests::client::{Client, Heard, SECRET, SERVICE_KEY, admin};
use parlor_tests::wire::{CLOSE, Wire};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

/// What nobody of another firm may ever see.
const HIDDEN: &str = "acme's own";

fn of_firm(user: &str, firm: &str, user_type: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970");
    let exp = (now + Duration::from_secs(3_600)).as_secs();
    let claims = json!({"sub": user, "name": user, "firmId": firm, "userType": user_type, "exp": exp});
    trial::token(SECRET.as_bytes(), &claims)
}

fn request(method: &str, target: &str, token: &str, body: &str) -> String {
    let length = match body.len() {
        0 => String::new(),
        length => format!("Content-Length: {length}\r\n"),
    };
    format!("{method} {target} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n{length}\r\n{body}")
}

fn asked(address: SocketAddr, method: &str, target: &str, token: &str, body: &str) -> (String, String) {
    let (status, _, body) = answer(&mut ask(address, request(method, target, token, body)));
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// Rooms of every kind of the firm `acme`, each with something in it, and the ids of its file and its template.
fn furnish(address: SocketAddr) -> String {
    for kind in ["chat", "project", "dashboard", "draft"] {
        let room = json!({"name": HIDDEN, "firmId": "acme", "visibility": "public"});
        admin(address, "PUT", &format!("rooms/{kind}/secret"), &room).expect("it is made");
        let role = match kind {
            "chat" => "member",
            "project" => "facilitator",
            _ => "editor",
        };
        admin(address, "PUT", &format!("rooms/{kind}/secret/members/ada"), &json!({"role": role}))
            .expect("she is");
    }
    let template = json!({"name": HIDDEN, "firmId": "acme", "questions": [{"key": "k", "question": "Q?"}], "body": "{{k}}"});
    admin(address, "PUT", "templates/secret", &template).expect("it is made");
    let ada = of_firm("ada", "acme", "employee");
    let (status, file) = asked(address, "POST", "/api/files?roomId=secret&name=n.txt", &ada, HIDDEN);
    assert_eq!(status, "201", "{file}");
    let file: Value = serde_json::from_str(&file).expect("it is JSON");
    let id = [&file["content"]["fileId"], &file["fileId"], &file["id"]].into_iter().find_map(Value::as_str);
    let id = id.unwrap_or_else(|| panic!("no id in {file}"));
    let (status, whole) = asked(address, "GET", &format!("/api/files/{id}"), &ada, "");
    assert_eq!((status.as_str(), whole.as_str()), ("200", HIDDEN));
    id.to_string()
}

#[test]
fn what_is_another_firms_is_answered_on_every_path_as_what_there_is_not() {
    on_both(&[], |process, _| {
        let address = process.address();
        let file = furnish(address);
        for user_type in ["employee", "supervisor", "guest"] {
            {
                let eve = of_firm("eve", "umbrella", user_type);
                for (method, target, body) in [
                    ("GET", "/api/files/ID", ""),
                    ("POST", "/api/files?roomId=ID&name=n", "bytes"),
                    ("GET", "/api/documents/ID", ""),
                    ("GET", "/api/drafts/ID/history", ""),
                    ("GET", "/api/drafts/ID/versions/1", ""),
                    ("GET", "/api/drafts/ID/comments", ""),
                    ("POST", "/api/drafts/ID/restore", r#"{"seq":1}"#),
                    ("GET", "/api/realtime?dashboardId=ID", ""),
                    ("POST", "/api/realtime", r#"{"type":"SYNC","dashboardId":"ID","operations":[]}"#),
                ] {
                    let there = if target.contains("files/ID") { &file } else { "secret" };
                    let of = |id: &str| {
                        asked(address, method, &target.replace("ID", id), &eve, &body.replace("ID", id))
                    };
                    let (found, absent) = (of(there), of("absent"));
                    assert_eq!(
                        found.0, absent.0,
                        "{method} {target} as {user_type}: {} {}",
                        found.1, absent.1
                    );
                    assert_eq!(
                        found.1.replace(there, "ID"),
                        absent.1.replace("absent", "ID"),
                        "{method} {target}"
                    );
                    assert!(
                        found.0.starts_with('4') && !found.1.contains(HIDDEN),
                        "{method} {target}: {found:?}"
                    );
                }
                for list in [
                    "templates",
                    "documents",
                    "rooms?kind=chat",
                    "rooms?kind=project",
                    "rooms?kind=dashboard",
                    "rooms?kind=draft",
                    "websocket/stats",
                ] {
                    let (status, body) = asked(address, "GET", &format!("/api/{list}"), &eve, "");
                    assert_eq!(status, "200", "{list}");
                    assert!(!body.contains(HIDDEN) && !body.contains("secret"), "{list}: {body}");
                }
            }
        }
    });
}

#[test]
fn no_admin_path_is_open_to_a_users_token_of_whatever_kind() {
    on_both(&[], |process, _| {
        let address = process.address();
        let file = furnish(address);
        assert!(!file.is_empty());
        for user_type in ["employee", "supervisor", "guest"] {
            let user = of_firm("ada", "acme", user_type);
            for (method, target) in [
                ("GET", "/api/admin/templates"),
                ("GET", "/api/admin/templates/secret"),
                ("PUT", "/api/admin/templates/secret"),
                ("DELETE", "/api/admin/templates/secret"),
                ("GET", "/api/admin/rooms/chat"),
                ("GET", "/api/admin/rooms/chat/secret"),
                ("PUT", "/api/admin/rooms/chat/secret"),
                ("DELETE", "/api/admin/rooms/chat/secret"),
                ("GET", "/api/admin/rooms/chat/secret/members"),
                ("GET", "/api/admin/rooms/chat/secret/members/ada"),
                ("PUT", "/api/admin/rooms/chat/secret/members/eve"),
                ("DELETE", "/api/admin/rooms/chat/secret/members/ada"),
                ("GET", "/api/admin/rooms/chat/secret/log"),
                ("GET", "/api/admin/rooms/chat/secret/log?limit=0"),
                ("GET", "/api/admin/connections"),
                ("GET", "/api/admin/connections?after=nonsense"),
                ("DELETE", "/api/admin/connections/x"),
                ("POST", "/api/admin/disconnect"),
                ("POST", "/api/events"),
            ] {
                assert_eq!(
                    asked(address, method, target, &user, "").0,
                    "401",
                    "{method} {target} as {user_type}"
                );
                let nobody = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n");
                assert_eq!(status(address, nobody), "401", "{method} {target} as nobody");
            }
        }
        assert!(admin(address, "GET", "rooms/chat/secret", &Value::Null).is_ok(), "it is all still there");
        let (status, body) =
            asked(address, "GET", "/api/admin/rooms/chat/secret/log?limit=0", SERVICE_KEY, "");
        assert_eq!(status, "400", "{body}");
    });
}

#[test]
fn what_is_wrong_with_a_parameter_is_told_to_those_who_may_ask() {
    on_both(&[], |process, _| {
        let address = process.address();
        let ada = of_firm("ada", "acme", "employee");
        for target in [
            "/api/rooms",
            "/api/rooms?kind=kitchen",
            "/api/drafts/d/versions/x",
            "/api/drafts/d/history?limit=0",
        ] {
            let nobody = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(status(address, nobody), "401", "{target}");
            assert_eq!(asked(address, "GET", target, "no.token.atall", "").0, "401", "{target}");
            assert_eq!(asked(address, "GET", target, &ada, "").0, "400", "{target}");
        }
        assert_eq!(asked(address, "POST", "/api/files", &ada, "x").0, "400");
    });
}

#[test]
fn a_room_of_another_firm_is_as_closed_on_a_socket_as_one_that_there_is_not() {
    on_both(&[], |process, _| {
        let address = process.address();
        furnish(address);
        let eve = of_firm("eve", "umbrella", "supervisor");
        let open = Wire::try_open(address, &format!("/chat?token={eve}"));
        drop(open.expect("she is let in, into her own firm"));
        for target in ["/ws?draftId=ID", "/yjs/ID?x", "/documents?templateId=ID&refuse=close"] {
            let end = |id: &str| {
                let mut wire =
                    ask(address, upgrade(&format!("{}&token={eve}", target.replace("ID", id)), &[], ""));
                assert!(wire.read_head().starts_with("HTTP/1.1 101 "), "{target}");
                loop {
                    let (first, payload) = wire.read_frame().expect("a close frame");
                    if first & 0x0f == CLOSE {
                        return payload;
                    }
                }
            };
            assert_eq!(end("secret"), end("absent"), "{target}");
        }
    });
}

#[test]
fn who_is_no_member_any_more_hears_and_says_nothing_more() {
    on_both(&[], |process, _| {
        let address = process.address();
        let room = json!({"name": "Room", "firmId": "", "visibility": "private"});
        admin(address, "PUT", "rooms/chat/r", &room).expect("it is made");
        for user in ["ada", "ben"] {
            admin(address, "PUT", &format!("rooms/chat/r/members/{user}"), &json!({"role": "member"}))
                .expect("they are");
        }
        let mut clients =
            ["ada", "ben"].map(|user| Client::open(address, "/chat", user).expect("they are let in"));
        let until = |client: &mut Client, what: &str| loop {
            match client.hear().expect("it is open") {
                Heard::Event(event) if event.to_string().contains(what) => break event,
                Heard::Event(event) => assert!(!event.to_string().contains("never heard"), "{event}"),
                Heard::Close(code) => panic!("closed with {code}"),
            }
        };
        for client in &mut clients {
            client
                .say([&json!({"event": "chat:room:join", "data": {"roomId": "r"}, "requestId": "j"})])
                .expect("it is open");
            until(client, "\"requestId\":\"j\"");
        }
        let [ada, ben] = &mut clients;
        admin(address, "DELETE", "rooms/chat/r/members/ben", &Value::Null).expect("he is taken out");
        ada.say([&json!({"event": "chat:message:send", "data": {"roomId": "r", "content": "never heard"}, "requestId": "s"})])
            .expect("it is open");
        until(ada, "\"requestId\":\"s\"");
        for (event, data) in [
            ("chat:message:send", json!({"roomId": "r", "content": "x"})),
            ("chat:message:history", json!({"roomId": "r"})),
            ("chat:typing:start", json!({"roomId": "r"})),
            ("chat:room:join", json!({"roomId": "r"})),
        ] {
            ben.say([&json!({"event": event, "data": data, "requestId": event})]).expect("it is open");
            let answer = until(ben, &format!("\"requestId\":\"{event}\"")).to_string();
            assert!(answer.contains("ROOM_ACCESS_DENIED"), "{answer}");
        }
    });
}
