//! Backends that sign in place of showing the service key (WIRE §0.2): a signature is for one request, and good once,
//! whatever becomes of the server meanwhile.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use parlor_protocol::auth::Signed;
use parlor_tests::client::{KEYS, SERVICE_KEY};
use parlor_tests::process::{BINARIES, Folder, Process};
use parlor_tests::wire::Wire;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::SystemTime;

const TEMPLATES: &str = "/api/admin/templates";
const ROOM: &str = "/api/admin/rooms/chat/team";
const BODY: &str = r#"{"name":"Team"}"#;

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn signature(at: u64, method: &str, target: &str, body: &str) -> String {
    Signed { at, method, target, body: body.as_bytes() }.header(SERVICE_KEY)
}

/// The status, and the error's code.
fn ask(address: SocketAddr, method: &str, target: &str, signature: &str, body: &str) -> (u16, String) {
    let mut wire = Wire::connect(address);
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: x\r\nX-Parlor-Signature: {signature}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    wire.write(head.as_bytes()).unwrap();
    let (head, body) = wire.read_response();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let code = body["error"]["code"].as_str().unwrap_or_default().to_string();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), code)
}

fn refused() -> (u16, String) {
    (401, "AUTH_FAILED".to_string())
}

#[test]
fn a_signature_opens_what_the_key_opens_once_and_for_what_was_signed() {
    for binary in BINARIES {
        let folder = Folder::new();
        let process = Process::start(binary, &folder, &KEYS);
        let (address, at) = (process.address(), now());
        let read = signature(at, "GET", TEMPLATES, "");
        assert_eq!(ask(address, "GET", TEMPLATES, &read, ""), (200, String::new()));
        assert_eq!(ask(address, "GET", TEMPLATES, &read, ""), refused(), "twice");
        let (stamp, hex) = read.split_once("v1=").unwrap();
        let same = format!("{stamp}v1={}", hex.to_uppercase());
        assert_eq!(ask(address, "GET", TEMPLATES, &same, ""), refused(), "written otherwise it is the same");
        let write = signature(at, "PUT", ROOM, BODY);
        for (method, target, body) in [
            ("PUT", ROOM, r#"{"name":"Taem"}"#),
            ("PUT", "/api/admin/rooms/chat/other", BODY),
            ("PUT", "/api/admin/rooms/chat/team?x=1", BODY),
            ("DELETE", ROOM, ""),
        ] {
            assert_eq!(ask(address, method, target, &write, body), refused(), "{method} {target} {body}");
        }
        assert_eq!(ask(address, "PUT", ROOM, &write, BODY).0, 200, "what was refused has used nothing up");
        assert_eq!(ask(address, "GET", TEMPLATES, &signature(at - 290, "GET", TEMPLATES, ""), "").0, 200);
        let old = ask(address, "GET", TEMPLATES, &signature(at - 302, "GET", TEMPLATES, ""), "");
        assert_eq!(old.0, 401, "{old:?}");
        assert_eq!(ask(address, "GET", TEMPLATES, &signature(at + 60, "GET", TEMPLATES, ""), ""), refused());
        for wrong in ["", "t=1", &read[2..], &format!("{read}, {read}"), &"x".repeat(4_000)] {
            assert_eq!(ask(address, "GET", TEMPLATES, wrong, ""), refused(), "{wrong}");
        }
        let statistics = signature(at, "GET", "/api/websocket/stats", "");
        assert_eq!(ask(address, "GET", "/api/websocket/stats", &statistics, "").0, 200);
        assert_eq!(ask(address, "GET", "/api/websocket/stats", &statistics, ""), refused());
        assert_eq!(ask(address, "GET", "/api/rooms?kind=chat", &read, ""), refused(), "it is no user");
        assert!(!folder.log().contains(hex), "{}", folder.log());
    }
}

#[test]
fn a_signature_that_was_used_stays_used_when_the_server_starts_anew() {
    for binary in BINARIES {
        let folder = Folder::new();
        let mut process = Process::start(binary, &folder, &KEYS);
        let read = signature(now(), "GET", TEMPLATES, "");
        assert_eq!(ask(process.address(), "GET", TEMPLATES, &read, "").0, 200);
        process.kill();
        let again = Process::start(binary, &folder, &KEYS);
        assert_eq!(ask(again.address(), "GET", TEMPLATES, &read, ""), refused());
    }
}

#[test]
fn without_a_key_no_signature_is_good() {
    for binary in BINARIES {
        let folder = Folder::new();
        let process = Process::start(binary, &folder, &KEYS[..2]);
        let read = signature(now(), "GET", TEMPLATES, "");
        let denied = ask(process.address(), "GET", TEMPLATES, &read, "");
        assert_eq!(denied, (403, "PERMISSION_DENIED".to_string()));
    }
}
