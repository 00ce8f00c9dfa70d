//! Flushes once per turn of the executor. Whatever many tasks had to say in one turn goes out with one write
//! per socket; flushing after each of them would cost up to twelve times as much.

use parlor_host::engine::Engine;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// An executor's run, with a flush after each of its turns.
pub struct Turns<'a, F> {
    engine: &'a Arc<Engine>,
    run: Pin<&'a mut F>,
}

impl<'a, F> Turns<'a, F> {
    pub fn new(engine: &'a Arc<Engine>, run: Pin<&'a mut F>) -> Self {
        Self { engine, run }
    }
}

impl<F: Future> Future for Turns<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.engine.set_flusher(cx.waker());
        let polled = self.run.as_mut().poll(cx);
        self.engine.flush_dirty();
        polled
    }
}
