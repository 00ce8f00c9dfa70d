//! One connection's task: it waits, and has `Connection` do the rest. While the connection is a WebSocket,
//! async-tungstenite reads it over a stream that never waits to write.

use async_io::{Async, Timer};
use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::protocol::Role;
use async_tungstenite::tungstenite::{Error, Message};
use parlor_host::connection::{Connection, Ready, Step, Wait};
use parlor_host::incoming::Incoming;
use parlor_host::line::Line;
use smol::future::{FutureExt, poll_fn, yield_now};
use smol::io::{AsyncRead, AsyncWrite};
use smol::stream::Stream;
use std::future::Future;
use std::io::{self, Read, Write};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// How many messages one connection may bring before others have their turn.
const MESSAGES_PER_TURN: usize = 32;

type Socket = Async<Arc<Line>>;

/// Runs a connection to its end. A panic in it ends it alone: dropping the connection tells the core.
pub async fn run(connection: Box<Connection>) {
    if let Ok(io) = Async::new_nonblocking(connection.line().clone()) {
        AssertUnwindSafe(live(connection, io)).catch_unwind().await.unwrap_or_default();
    }
}

async fn live(mut connection: Box<Connection>, io: Socket) {
    let io = Arc::new(io);
    // What is only needed until the socket is open is boxed, so that a quiet connection does without it.
    while let Some(incoming) = Box::pin(until_open(&mut connection, &io)).await {
        let socket = Box::pin(library(incoming, io.clone())).await;
        read_messages(&mut connection, socket).await;
    }
}

/// Serves requests, or closes, until the connection is a WebSocket or over.
async fn until_open(connection: &mut Connection, io: &Socket) -> Option<Box<Incoming>> {
    let mut ready = Ready::default();
    loop {
        match connection.step(ready) {
            Step::Wait(wait) => ready = until_ready(io, wait).await,
            Step::Open(incoming) => return Some(incoming),
            Step::Over => return None,
        }
    }
}

async fn until_ready(io: &Socket, wait: Wait) -> Ready {
    let mut timer = wait.until.map(Timer::at);
    let mut registered = false;
    poll_fn(|cx| {
        io.get_ref().listen(cx.waker());
        let ready = Ready {
            readable: wait.readable && io.poll_readable(cx).is_ready(),
            writable: (wait.writable || io.get_ref().is_blocked()) && io.poll_writable(cx).is_ready(),
            late: timer.as_mut().is_some_and(|timer| Pin::new(timer).poll(cx).is_ready()),
        };
        // The first poll asks, and whatever polls again has news.
        let news = std::mem::replace(&mut registered, true);
        if news || ready != Ready::default() { Poll::Ready(ready) } else { Poll::Pending }
    })
    .await
}

async fn library(incoming: Box<Incoming>, io: Arc<Socket>) -> Box<WebSocketStream<Frames>> {
    let config = incoming.config();
    let stream = Frames { incoming: *incoming, io };
    Box::new(WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await)
}

async fn read_messages(connection: &mut Connection, mut socket: Box<WebSocketStream<Frames>>) {
    let mut look = None;
    let mut heard = 0;
    while let Some(read) = poll_fn(|cx| poll_message(connection, &mut socket, &mut look, cx)).await {
        if !connection.heard(read, &socket.get_ref().incoming) {
            return;
        }
        heard += 1;
        if heard % MESSAGES_PER_TURN == 0 {
            yield_now().await;
        }
    }
}

/// The next message; `None`: the core, or a client that takes nothing, has ended the socket.
fn poll_message(
    connection: &mut Connection,
    socket: &mut WebSocketStream<Frames>,
    look: &mut Option<Box<Timer>>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Message, Error>>> {
    connection.line().listen(cx.waker());
    write_on(connection, &socket.get_ref().io, look, cx);
    if connection.is_ending() {
        return Poll::Ready(None);
    }
    if connection.line().is_paused() {
        return Poll::Pending;
    }
    let read = ready!(Pin::new(socket).poll_next(cx));
    Poll::Ready(Some(read.unwrap_or(Err(Error::ConnectionClosed))))
}

/// Writes on as the client takes it, until it is written or there is something to wait for.
fn write_on(connection: &mut Connection, io: &Socket, look: &mut Option<Box<Timer>>, cx: &mut Context<'_>) {
    while let Some(at) = connection.look_at() {
        if io.poll_writable(cx).is_pending() {
            let timer = look.get_or_insert_with(|| Box::new(Timer::never()));
            timer.set_at(at);
            if Pin::new(&mut **timer).poll(cx).is_pending() {
                return;
            }
        }
        connection.look_for_room();
        if connection.is_ending() {
            break;
        }
    }
    *look = None;
}

/// The stream under the library: what comes waits for the socket, what goes waits in the outbox.
struct Frames {
    incoming: Incoming,
    io: Arc<Socket>,
}

impl AsyncRead for Frames {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.incoming.read(out) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
            ready!(self.io.poll_readable(cx))?;
            self.incoming.set_readable();
        }
    }
}

impl AsyncWrite for Frames {
    fn poll_write(mut self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.incoming.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
