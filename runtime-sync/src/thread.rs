//! One connection's thread: it waits, and has `Connection` do the rest. While the connection is a WebSocket,
//! tungstenite reads it over a stream that never waits.

use crate::bell::Bell;
use parlor_host::connection::{Connection, Ready, Step};
use parlor_host::engine::Engine;
use parlor_host::incoming::Incoming;
use std::io;
use std::sync::Arc;
use tungstenite::WebSocket;
use tungstenite::protocol::Role;
use tungstenite::{Error, Message};

/// How many messages are handled before what they caused is flushed.
const MESSAGES_PER_FLUSH: usize = 64;

/// Runs a connection to its end.
pub fn run(mut connection: Box<Connection>) {
    let Ok(bell) = Bell::new() else { return };
    connection.line().listen(&bell.waker());
    let engine = connection.engine().clone();
    let mut ready = Ready::default();
    loop {
        let step = connection.step(ready);
        engine.flush_dirty();
        match step {
            Step::Wait(wait) => {
                let write = wait.writable || connection.line().is_blocked();
                ready = bell.wait(connection.line(), wait.readable, write, wait.until);
            }
            Step::Open(incoming) => {
                read_messages(&mut connection, &engine, &bell, *incoming);
                ready = Ready::default();
            }
            Step::Over => break,
        }
    }
    drop(connection);
    engine.flush_dirty();
}

fn read_messages(connection: &mut Connection, engine: &Arc<Engine>, bell: &Bell, incoming: Incoming) {
    let config = incoming.config();
    let mut socket = WebSocket::from_raw_socket(incoming, Role::Server, Some(config));
    while read_what_came(connection, engine, &mut socket) {
        engine.flush_dirty();
        let look = connection.look_at();
        if connection.is_ending() {
            return;
        }
        let line = connection.line();
        let ready = bell.wait(line, !line.is_paused(), look.is_some(), look);
        if ready.readable {
            socket.get_mut().set_readable();
        }
        if ready.writable || ready.late {
            connection.look_for_room();
        }
    }
}

/// Handles all that there is to read. False: the socket is over.
fn read_what_came(
    connection: &mut Connection,
    engine: &Arc<Engine>,
    socket: &mut WebSocket<Incoming>,
) -> bool {
    let mut heard = 0;
    while !connection.line().is_paused() {
        if connection.is_ending() {
            return false;
        }
        let read = socket.read();
        if would_block(&read) {
            break;
        }
        if !connection.heard(read, socket.get_ref()) {
            return false;
        }
        heard += 1;
        if heard % MESSAGES_PER_FLUSH == 0 {
            engine.flush_dirty();
        }
    }
    !connection.is_ending()
}

fn would_block(read: &Result<Message, Error>) -> bool {
    matches!(read, Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock)
}
