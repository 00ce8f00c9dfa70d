//! A machine that has nothing left: files above all. A server that is out of them neither ends nor spins, serves those
//! who are there, and the others when there is room again.

use crate::{HEALTH, answer, ask, on_both, on_each, status};
use parlor_tests::process::{Folder, Process};
use parlor_tests::wire::{FIN, TEXT, Wire, frame};
use std::fs;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// How long a server is watched that has nothing left, and how much of a processor it may use meanwhile.
const WATCHED: Duration = Duration::from_secs(3);
const PROCESSOR_MAX: Duration = Duration::from_millis(300);

fn echoes(wire: &mut Wire) {
    wire.write(&frame(FIN | TEXT, b"still here")).expect("it is open");
    assert_eq!(wire.read_frame().expect("an echo"), (FIN | TEXT, b"still here".to_vec()));
}

fn idles(process: &Process) {
    let before = process.processor_time();
    thread::sleep(WATCHED);
    let used = process.processor_time() - before;
    assert!(used < PROCESSOR_MAX, "it used {used:?} in {WATCHED:?}");
}

#[test]
fn nine_tenths_of_the_files_are_for_connections_and_the_next_one_is_503() {
    on_each(|binary| {
        let folder = Folder::new();
        let flags = ["--echo", "true", "--jwt-secret", "a secret of thirty-two bytes or so"];
        let process = Process::start_with_few_files(binary, &folder, &flags, 200);
        let mut lines = Vec::new();
        let refused = loop {
            assert!(lines.len() < 200, "no more files than there are");
            let mut wire = ask(process.address(), HEALTH);
            let (status, head, body) = answer(&mut wire);
            if status != "200" {
                break (status, head, body);
            }
            lines.push(wire);
        };
        assert_eq!(refused.0, "503");
        assert!(refused.1.contains("retry-after: 5\r\n"), "{}", refused.1);
        assert!(String::from_utf8_lossy(&refused.2).contains("\"OVERLOADED\""));
        // A driver may need two files for each.
        assert!(lines.len() >= 50, "{} lines", lines.len());
        let one = lines.last_mut().expect("there is one");
        one.write(HEALTH.as_bytes()).expect("it is open");
        assert_eq!(answer(one).0, "200", "who is there is served");
        idles(&process);
        drop(lines);
        let until = Instant::now() + Duration::from_secs(10);
        while status(process.address(), HEALTH) != "200" {
            assert!(Instant::now() < until, "there is room again");
            thread::sleep(Duration::from_millis(10));
        }
    });
}

#[test]
fn a_system_that_gives_no_more_files_is_waited_for_without_spinning() {
    on_both(&["--echo", "true"], |process, _| {
        let mut there = Wire::open(process.address(), "/echo");
        echoes(&mut there);
        let open = fs::read_dir(format!("/proc/{}/fd", process.id())).expect("it runs").count();
        process.limit_open_files(open as u64);
        // More than there is room for; the kernel holds them for the server.
        let waiting: Vec<_> =
            (0..40).map(|_| TcpStream::connect(process.address()).expect("the kernel takes it")).collect();
        echoes(&mut there);
        idles(process);
        echoes(&mut there);
        process.limit_open_files(1_000);
        let begun = Instant::now();
        assert_eq!(status(process.address(), HEALTH), "200");
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        drop(waiting);
        echoes(&mut there);
    });
}

#[test]
fn a_hundred_connections_that_say_nothing_use_no_processor() {
    on_both(&["--echo", "true"], |process, _| {
        let wires: Vec<_> = (0..100).map(|_| Wire::open(process.address(), "/echo")).collect();
        thread::sleep(Duration::from_millis(200));
        idles(process);
        drop(wires);
    });
}
