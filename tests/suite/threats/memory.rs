//! What waits for all clients together: when it is too much, those who take nothing go, and nobody new comes meanwhile.

use crate::{answer, ask, on_both, serves, upgrade};
use parlor_tests::process::Folder;
use parlor_tests::wire::{BINARY, CLOSE, FIN, TEXT, Wire, frame};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take over what it looks at once a second.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many clients do not read, and how many frames of what size each of them sends to be echoed: of 40 MiB half may
/// wait, and it is about twice that.
const SLOW: usize = 150;
const FRAME: usize = 64 << 10;
const FRAMES: usize = 10;

fn echoes(wire: &mut Wire) {
    wire.write(&frame(FIN | TEXT, b"still here")).expect("it is open");
    assert_eq!(wire.read_frame().expect("an echo"), (FIN | TEXT, b"still here".to_vec()));
}

/// How many were let go, as the log says it.
fn let_go(folder: &Folder) -> usize {
    let log = folder.log();
    let counts =
        log.lines().filter_map(|line| line.split("letGo=").nth(1)?.split(' ').next()?.parse::<usize>().ok());
    counts.sum()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether this client, which begins to read now, is told that it was too slow. The first few frames that the kernels
/// hold come before that.
fn is_told(wire: &mut Wire) -> bool {
    let mut frames = std::iter::from_fn(|| wire.read_frame().ok()).take(FRAMES);
    frames.any(|(first, payload)| first == FIN | CLOSE && payload.starts_with(&4002_u16.to_be_bytes()))
}

#[test]
fn of_those_who_take_nothing_so_many_go_as_must_and_the_others_stay() {
    on_both(&["--echo", "true", "--memory-max", "40"], |process, folder| {
        let address = process.address();
        let mut there = Wire::open(address, "/echo");
        let sent = frame(FIN | BINARY, &[7; FRAME]);
        let mut slow: Vec<_> = (0..SLOW).map(|_| Wire::open(address, "/echo")).collect();
        for wire in &mut slow {
            wire.tcp().set_write_timeout(Some(Duration::from_secs(1))).expect("it is open");
            wire.tcp().set_read_timeout(Some(Duration::from_secs(2))).expect("it is open");
            // One that is let go already takes no more.
            (0..FRAMES).try_for_each(|_| wire.write(&sent)).unwrap_or_default();
        }
        wait_until("some are let go", || let_go(folder) > 0);
        assert!(slow.iter_mut().any(is_told), "they are told");
        echoes(&mut there);
        serves(address);
        wait_until("there is room again", || folder.log().contains("short=false"));
        assert!(folder.log().contains("short=true"));
        assert!(let_go(folder) < SLOW, "not all of them");
        let (status, ..) = answer(&mut ask(address, upgrade("/echo", &[], "")));
        assert_eq!(status, "101");
    });
}
