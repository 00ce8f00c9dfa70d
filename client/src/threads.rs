//! The driver on blocking threads: one carries out orders and keeps the time, one more lives as long as each
//! connection, and one as long as a token is asked for.

mod bell;
mod wire;

use crate::config::Config;
use crate::connection::{Connection, Events};
use crate::desk::{Desk, Order, Outgoing, poll_read, wait_until};
use crate::error::Error;
use crate::input::Input;
use crate::target::{Target, failed, heard, limits, seed};
use bell::Bell;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};
use tungstenite::{HandshakeError, Message, WebSocket, client::client_with_config};
use wire::{Wire, reach};

/// How long a connection that ends may take to send what is left.
const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// Begins to connect. `token` is asked for a token before each connect and whenever one ends; it may take its time.
pub fn open<E: fmt::Display>(
    config: Config,
    token: impl FnMut() -> Result<String, E> + Send + 'static,
) -> Result<(Connection, Events), Error> {
    let target = Target::read(&config)?;
    let desk = Arc::new(Desk::new(config, seed()));
    let (driven, token) = (desk.clone(), Arc::new(Mutex::new(token)));
    thread::spawn(move || drive(&driven, &target, &token));
    Ok(Connection::new(&desk))
}

fn drive<E: fmt::Display>(
    desk: &Arc<Desk>,
    target: &Target,
    token: &Arc<Mutex<impl FnMut() -> Result<String, E> + Send + 'static>>,
) {
    loop {
        match wait_until(|cx| desk.poll_order(cx)) {
            Order::AskToken => {
                let (desk, token) = (desk.clone(), token.clone());
                thread::spawn(move || {
                    let given = token.lock().unwrap_or_else(PoisonError::into_inner)();
                    desk.tell(given.map_or(Input::TokenFailed, Input::TokenGiven));
                });
            }
            Order::Open { line, token, .. } => {
                let (desk, target) = (desk.clone(), target.clone());
                thread::spawn(move || live(&desk, line, &target, &token));
            }
            Order::End => return,
        }
    }
}

/// One connection, from its first byte to its end.
fn live(desk: &Desk, line: u64, target: &Target, token: &str) {
    let until = Instant::now() + desk.config.open_wait_max;
    let how = match connect(target, token, until) {
        Ok(mut socket) => {
            desk.report(line, Input::Opened);
            Input::Closed { code: talk(desk, line, &mut socket).unwrap_or(None) }
        }
        Err(failed) => failed,
    };
    desk.end_line(line, how);
}

fn connect(target: &Target, token: &str, until: Instant) -> Result<WebSocket<Wire>, Input> {
    let request = target.request(token).map_err(|error| failed(&error))?;
    let stream = reach(target, until).map_err(|_| Input::Failed { status: None, retry_after: None })?;
    client_with_config(request, stream, Some(limits())).map(|(socket, _)| socket).map_err(|error| match error
    {
        HandshakeError::Failure(error) => failed(&error),
        HandshakeError::Interrupted(_) => Input::Failed { status: None, retry_after: None },
    })
}

/// Sends and reads by turns, and waits when there is nothing to do. Returns the close code.
fn talk(desk: &Desk, line: u64, socket: &mut WebSocket<Wire>) -> Result<Option<u16>, tungstenite::Error> {
    socket.get_ref().tcp().set_nonblocking(true)?;
    let bell = Bell::new()?;
    let waker = bell.waker();
    let mut cx = Context::from_waker(&waker);
    loop {
        while let Poll::Ready(outgoing) = desk.poll_outgoing(line, &mut cx) {
            match outgoing {
                Some(Outgoing::Text(text)) => unless_blocked(socket.write(Message::text(text)))?,
                Some(Outgoing::Ping) => unless_blocked(socket.write(Message::Ping(Vec::new().into())))?,
                None => return say_goodbye(socket),
            };
        }
        let is_blocked = unless_blocked(socket.flush())?.is_none();
        let mut may_read = true;
        loop {
            match poll_read(desk, line, &mut cx, |_| Poll::Ready(unless_blocked(socket.read()))) {
                Poll::Ready(Ok(Some(message))) => match heard(message) {
                    Ok(input) => desk.report(line, input),
                    Err(code) => {
                        unless_blocked(socket.flush())?;
                        return Ok(code);
                    }
                },
                Poll::Ready(Ok(None)) => break,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {
                    may_read = false;
                    break;
                }
            }
        }
        bell.wait(socket.get_ref().tcp(), may_read, is_blocked);
    }
}

/// Sends what is left, and that this is the end.
fn say_goodbye(socket: &mut WebSocket<Wire>) -> Result<Option<u16>, tungstenite::Error> {
    socket.get_ref().tcp().set_nonblocking(false)?;
    socket.get_ref().tcp().set_write_timeout(Some(GOODBYE_MAX))?;
    socket.close(None)?;
    socket.flush()?;
    Ok(None)
}

/// `None`: it has to wait. What was to be written is kept by the library.
fn unless_blocked<T>(result: Result<T, tungstenite::Error>) -> Result<Option<T>, tungstenite::Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
