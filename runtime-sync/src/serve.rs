//! Accepts connections until the server drains, and ends when it has drained.

use crate::bell::Bell;
use crate::thread::{SPAWN_PAUSE, spawn, start_spares};
use parlor_host::acceptor::{Accepted, Acceptor};
use parlor_host::engine::{Engine, LEAVE_LOOK, LEAVE_WAIT_MAX, Phase};
use std::io;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

/// Serves until the server has drained.
pub fn serve(acceptor: Acceptor) -> io::Result<()> {
    let engine = acceptor.engine().clone();
    let bell = Bell::new()?;
    start_flusher(&engine)?;
    start_spares()?;
    let waker = bell.waker();
    while engine.phase(&waker) == Phase::Serving {
        accept(&acceptor, &bell);
    }
    drop(acceptor);
    while engine.phase(&waker) != Phase::Drained {
        bell.wait_for_ring();
    }
    let until = Instant::now() + LEAVE_WAIT_MAX;
    while engine.lines_open().count() > 0 && Instant::now() < until {
        thread::sleep(LEAVE_LOOK);
    }
    Ok(())
}

fn accept(acceptor: &Acceptor, bell: &Bell) {
    let pause = match acceptor.accept() {
        Accepted::Connection(connection) => match spawn(connection) {
            Ok(()) => return,
            Err(_) => SPAWN_PAUSE,
        },
        Accepted::Refused => return,
        Accepted::Exhausted(pause) => pause,
        Accepted::Nobody => {
            bell.wait(acceptor, true, false, None);
            return;
        }
    };
    bell.wait(acceptor, false, false, Some(Instant::now() + pause));
}

/// A thread that flushes what threads without sockets (store, timer, workers, calls) had to say.
fn start_flusher(engine: &Arc<Engine>) -> io::Result<()> {
    let flushing = engine.clone();
    let flusher = thread::Builder::new().name("flusher".into()).spawn(move || {
        loop {
            flushing.flush_dirty();
            thread::park();
        }
    })?;
    engine.set_flusher(&Waker::from(Arc::new(Unpark(flusher.thread().clone()))));
    Ok(())
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
