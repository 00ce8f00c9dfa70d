//! What hostile and broken clients do, and what comes of it on both servers: the tests that docs/threats.md names and
//! that stand nowhere else. Each test runs against both servers at once.

mod ai;
mod clock;
mod floods;
mod guesses;
mod handshakes;
mod memory;
mod names;
mod page;
mod resources;
mod slow;
mod smuggling;
mod tenants;

use parlor_tests::client::KEYS;
use parlor_tests::process::{BINARIES, Folder, Process};
use parlor_tests::wire::Wire;
use std::net::SocketAddr;
use std::thread;

/// A request that every server answers with 200.
const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";

/// Runs a test against both servers at the same time.
fn on_both(flags: &[&str], test: impl Fn(&Process, &Folder) + Sync) {
    on_each(|binary| {
        let folder = Folder::new();
        let process = Process::start(binary, &folder, &[&KEYS[..], flags].concat());
        test(&process, &folder);
    });
}

/// Runs a test for both servers at the same time; it starts them itself.
fn on_each(test: impl Fn(&str) + Sync) {
    thread::scope(|scope| {
        for binary in BINARIES {
            scope.spawn(|| test(binary));
        }
    });
}

/// Sends a request as it is, on a connection of its own.
fn ask(address: SocketAddr, request: impl AsRef<[u8]>) -> Wire {
    let mut wire = Wire::connect(address);
    // A server that has seen enough may have closed while the rest was written.
    wire.write(request.as_ref()).unwrap_or_default();
    wire
}

/// The status and the whole of an answer.
fn answer(wire: &mut Wire) -> (String, String, Vec<u8>) {
    let (head, body) = wire.read_response();
    (head.split(' ').nth(1).unwrap_or_default().to_string(), head, body)
}

/// The status of a request.
fn status(address: SocketAddr, request: impl AsRef<[u8]>) -> String {
    answer(&mut ask(address, request)).0
}

/// A GET with these headers, each with its end of line.
fn get(target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n{headers}\r\n")
}

/// The headers of an upgrade, without those that are `left_out`.
fn upgrade(target: &str, left_out: &[&str], more: &str) -> String {
    let lines = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let kept = lines.iter().filter(|line| !left_out.iter().any(|name| line.starts_with(name)));
    let headers: String = kept.map(|line| format!("{line}\r\n")).collect();
    get(target, &format!("{headers}{more}"))
}

/// Asserts that a server still serves.
fn serves(address: SocketAddr) {
    assert_eq!(status(address, HEALTH), "200");
}
