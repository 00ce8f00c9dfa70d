//! Clients that read slowly, and clients that do not read, with TLS and without, on both servers.

use parlor_tests::process::{BINARIES, Folder, Process};
use parlor_tests::secure::Authority;
use parlor_tests::wire::{BINARY, FIN, Wire, frame};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use std::thread;
use std::time::{Duration, Instant};

/// What the system keeps for a client that does not read.
const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;
/// How much a steady reader takes at once, and how often. In ten seconds that is less than a third of what the
/// server's system holds for it, so that it never speaks of room.
const SIP_BYTES: usize = 600;
const SIP_EVERY: Duration = Duration::from_millis(100);
/// For how long it does so: longer than a client may be stalled.
const SIPS_FOR: Duration = Duration::from_millis(12_500);

/// Runs a test with each server, in plain and over TLS, all at once.
fn on_all(test: impl Fn(&mut Wire, &Process, &Folder) + Sync) {
    thread::scope(|scope| {
        for (binary, secure) in BINARIES.into_iter().flat_map(|binary| [(binary, false), (binary, true)]) {
            let test = &test;
            scope.spawn(move || {
                let (folder, authority) = (Folder::new(), Authority::new());
                let flags = authority.issue(folder.path()).0.flags();
                let mut arguments = vec!["--echo", "true"];
                arguments.extend(flags.iter().map(String::as_str).filter(|_| secure));
                let process = Process::start(binary, &folder, &arguments);
                let mut wire = match secure {
                    true => {
                        let config = authority.client(&[&rustls::version::TLS13]);
                        Wire::open_secure(process.address(), &config, "/echo")
                    }
                    false => Wire::open(process.address(), "/echo"),
                };
                set_socket_recv_buffer_size(wire.tcp(), RECEIVE_BUFFER_BYTES).expect("a TCP socket");
                test(&mut wire, &process, &folder);
            });
        }
    });
}

#[test]
fn a_client_that_reads_slowly_and_steadily_is_told_everything() {
    let sent: Vec<u8> = (0..8_000_000_u32).map(|at| (at / 7) as u8).collect();
    on_all(|wire, _, folder| {
        wire.write(&frame(FIN | BINARY, &sent)).expect("it is open");
        let mut heard = wire.read_exactly(10).expect("a head");
        let begun = Instant::now();
        while begun.elapsed() < SIPS_FOR {
            heard.extend(
                wire.read_exactly(SIP_BYTES).unwrap_or_else(|error| panic!("{error}: {}", folder.log())),
            );
            thread::sleep(SIP_EVERY);
        }
        let rest = wire.read_exactly(sent.len() + 10 - heard.len());
        heard.extend(rest.unwrap_or_else(|error| panic!("{error}: {}", folder.log())));
        assert!(heard[10..] == sent, "what came is what was sent");
        wire.write(&frame(FIN | BINARY, b"and goes on")).expect("it is open");
        assert_eq!(wire.read_frame().expect("an echo").1, b"and goes on");
    });
}

#[test]
fn a_client_that_reads_nothing_is_cut_off_after_10_s_as_too_slow() {
    on_all(|wire, process, folder| {
        let mut other = TcpLooker::new(process);
        wire.write(&frame(FIN | BINARY, &vec![7; 12_000_000])).expect("it is open");
        let begun = Instant::now();
        let is_told =
            || folder.log().lines().any(|line| line.contains("ws.disconnect") && line.contains("code=4002"));
        while !is_told() {
            assert!(begun.elapsed() < Duration::from_secs(15), "{}", folder.log());
            thread::sleep(Duration::from_millis(10));
        }
        let took = begun.elapsed();
        assert!(took > Duration::from_millis(9_500), "{took:?}");
        // For a moment it could still read why.
        while other.sockets() > 0 {
            assert!(begun.elapsed() < Duration::from_secs(18), "its socket stays open");
            thread::sleep(Duration::from_millis(10));
        }
        wire.read_frame().expect_err("not all of it was sent");
    });
}

/// Counts the connections that a server holds open.
struct TcpLooker {
    folder: String,
    before: usize,
}

impl TcpLooker {
    /// One is open now.
    fn new(process: &Process) -> Self {
        let mut looker = Self { folder: format!("/proc/{}/fd", process.id()), before: 0 };
        looker.before = looker.sockets() - 1;
        looker
    }

    fn sockets(&mut self) -> usize {
        let listed = std::fs::read_dir(&self.folder).expect("it runs");
        let is_socket = |entry: &std::fs::DirEntry| {
            std::fs::read_link(entry.path()).is_ok_and(|file| file.to_string_lossy().starts_with("socket:"))
        };
        listed.flatten().filter(is_socket).count() - self.before
    }
}
