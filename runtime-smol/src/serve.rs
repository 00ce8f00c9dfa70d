//! Accepts connections until the server drains, and ends when it has drained.

use crate::task;
use crate::turns::Turns;
use async_io::{Async, Timer};
use parlor_host::acceptor::{Accepted, Acceptor};
use parlor_host::engine::{Engine, LEAVE_LOOK, LEAVE_WAIT_MAX, Phase};
use smol::LocalExecutor;
use smol::future::{or, poll_fn, yield_now};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

/// How many connections are accepted before others have their turn.
const ACCEPTS_PER_TURN: usize = 64;

/// Serves until the server has drained.
pub fn serve(acceptor: Acceptor) -> io::Result<()> {
    let executor = LocalExecutor::new();
    let engine = acceptor.engine().clone();
    let acceptor = Async::new_nonblocking(acceptor)?;
    let life = async {
        or(accept(&executor, &acceptor), reached(&engine, Phase::Draining)).await;
        drop(acceptor);
        reached(&engine, Phase::Drained).await;
        last_bytes(&engine).await;
    };
    let run = pin!(executor.run(life));
    async_io::block_on(Turns::new(&engine, run));
    Ok(())
}

async fn accept(executor: &LocalExecutor<'_>, acceptor: &Async<Acceptor>) {
    let mut accepted = 0;
    loop {
        match acceptor.get_ref().accept() {
            Accepted::Connection(connection) => {
                executor.spawn(task::run(connection)).detach();
                accepted += 1;
                if accepted % ACCEPTS_PER_TURN == 0 {
                    yield_now().await;
                }
            }
            Accepted::Refused => yield_now().await,
            Accepted::Exhausted(pause) => {
                Timer::after(pause).await;
            }
            Accepted::Nobody => {
                if acceptor.readable().await.is_err() {
                    yield_now().await;
                }
            }
        }
    }
}

async fn reached(engine: &Engine, phase: Phase) {
    poll_fn(|cx| match engine.phase(cx.waker()) {
        now if now == phase || now == Phase::Drained => Poll::Ready(()),
        Phase::Serving | Phase::Draining | Phase::Drained => Poll::Pending,
    })
    .await;
}

async fn last_bytes(engine: &Engine) {
    let until = Instant::now() + LEAVE_WAIT_MAX;
    while engine.lines_open().count() > 0 && Instant::now() < until {
        Timer::after(LEAVE_LOOK).await;
    }
}
