//! The memory of the whole process: when it is nearly used up, those for whom most waits go first, and nobody new comes.

use crate::floods::metric;
use crate::{answer, ask, on_both, serves, status, upgrade};
use parlor_tests::process::Process;
use parlor_tests::wire::{BINARY, CLOSE, FIN, TEXT, Wire, frame};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take over what it looks at once a second.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many clients do not read, and what each of them is sent.
const SLOW: usize = 150;
const FRAME: usize = 64 << 10;
const FRAMES: usize = 15;

fn echoes(wire: &mut Wire) {
    wire.write(&frame(FIN | TEXT, b"still here")).expect("it is open");
    assert_eq!(wire.read_frame().expect("an echo"), (FIN | TEXT, b"still here".to_vec()));
}

/// The code that a client is closed with which begins to read now; none: it hears all of its echoes.
fn code_of_end(wire: &mut Wire) -> Option<u16> {
    for _ in 0..FRAMES {
        match wire.read_frame() {
            Ok((first, payload)) if first == FIN | CLOSE => {
                return payload.first_chunk::<2>().map(|code| u16::from_be_bytes(*code));
            }
            Ok((first, _)) => assert_eq!(first, FIN | BINARY),
            Err(_) => return Some(1006),
        }
    }
    None
}

fn let_go(process: &Process) -> u64 {
    metric(process.address(), "parlor_limit_hits_total{limit=\"memory\"}")
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn those_for_whom_most_waits_go_before_the_memory_is_used_up_and_the_others_stay() {
    on_both(&["--echo", "true", "--memory-max", "128"], |process, folder| {
        let mut there = Wire::open(process.address(), "/echo");
        let sent = frame(FIN | BINARY, &[7; FRAME]);
        let mut slow: Vec<_> = (0..SLOW).map(|_| Wire::open(process.address(), "/echo")).collect();
        for wire in &mut slow {
            // One that is let go already takes no more.
            wire.tcp().set_write_timeout(Some(Duration::from_secs(1))).expect("it is open");
            (0..FRAMES).try_for_each(|_| wire.write(&sent)).unwrap_or_default();
        }
        wait_until("some are let go", || let_go(process) > 0);
        let closed = slow.iter_mut().filter_map(code_of_end).collect::<Vec<_>>();
        assert!(closed.contains(&4002), "{closed:?}");
        assert!(closed.len() < SLOW, "not all of them");
        wait_until("it comes down", || process.resident_bytes() < 128 << 20);
        echoes(&mut there);
        let log = folder.log();
        assert!(log.contains("letGo"), "{log}");
    });
}

#[test]
fn no_new_connection_comes_in_while_there_is_no_memory_and_requests_are_answered() {
    on_both(&["--echo", "true", "--memory-max", "1"], |process, _| {
        let address = process.address();
        wait_until("it is short", || status(address, upgrade("/echo", &[], "")) == "503");
        let (_, head, body) = answer(&mut ask(address, upgrade("/echo", &[], "")));
        assert!(head.contains("retry-after: 5\r\n"), "{head}");
        assert!(String::from_utf8_lossy(&body).contains("OVERLOADED"));
        serves(address);
        assert!(let_go(process) >= 2);
    });
}
