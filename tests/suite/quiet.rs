//! A WebSocket that was quiet for a while: it goes on as before, in whichever thread.

use parlor_tests::process::{BINARIES, Folder, Process};
use parlor_tests::wire::{BINARY, FIN, TEXT, Wire, frame};
use std::collections::BTreeSet;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long `parlor-threads` may take to wait in a fresh thread.
const FRESH_WAIT_MAX: Duration = Duration::from_secs(10);

fn threads(process: &Process) -> BTreeSet<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", process.id())).expect("it runs");
    tasks.map(|task| task.expect("a task").file_name().to_string_lossy().into_owned()).collect()
}

fn echo(wire: &mut Wire, bytes: &[u8]) {
    wire.write(&frame(FIN | BINARY, bytes)).expect("it is open");
    assert_eq!(wire.read_frame().expect("an echo"), (FIN | BINARY, bytes.to_vec()));
}

#[test]
fn a_quiet_websocket_goes_on() {
    for binary in BINARIES {
        let (folder, large) = (Folder::new(), vec![0x5a; 500_000]);
        let process = Process::start(binary, &folder, &["--echo", "true"]);
        let mut wire = Wire::open(process.address(), "/echo");
        for round in 0..2 {
            echo(&mut wire, &large);
            let before = threads(&process);
            let until = Instant::now() + FRESH_WAIT_MAX;
            // The one that waits is another one; elsewhere nothing changes.
            while binary == "parlor-threads" && threads(&process).is_subset(&before) {
                assert!(Instant::now() < until, "round {round}: nobody took over from {before:?}");
                sleep(Duration::from_millis(20));
            }
            assert_eq!(threads(&process).len(), before.len(), "round {round} of {binary}");
        }
        // Half a message waits over the pause, too.
        wire.write(&frame(TEXT, b"first ")).expect("it is open");
        sleep(Duration::from_millis(1_500));
        wire.write(&frame(FIN, b"and last")).expect("it is open");
        assert_eq!(wire.read_frame().expect("an echo"), (FIN | TEXT, b"first and last".to_vec()));
        process.terminate();
        let (_, told) = wire.read_frame().expect("a close frame");
        assert_eq!(told[..2], 1012_u16.to_be_bytes());
    }
}
