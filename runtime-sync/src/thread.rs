//! One connection's thread: it waits, and has `Connection` do the rest. While the connection is a WebSocket,
//! tungstenite reads it over a stream that never waits.

use crate::bell::Bell;
use parlor_host::connection::{Connection, Ready, Step};
use parlor_host::engine::Engine;
use parlor_host::incoming::Incoming;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tungstenite::WebSocket;
use tungstenite::protocol::Role;
use tungstenite::{Error, Message};

/// What a thread may use of its stack that has something to do.
const STACK_BYTES: usize = 320 * 1024;
/// The same for one that only waits. The C library keeps the stacks of threads that have ended, with all they have
/// touched, for those that ask for at least a quarter of their size: this is less, so that who waits gets none that
/// was worked on.
const RESTING_STACK_BYTES: usize = 64 * 1024;
/// How many messages are handled before what they caused is flushed.
const MESSAGES_PER_FLUSH: usize = 64;
/// How long a WebSocket is quiet before another thread waits in the place of the one that has worked: what work
/// leaves behind in a thread (stack, buffers, the allocator's cache) is more than all else that a connection costs.
const QUIET: Duration = Duration::from_secs(1);
/// The pause after a thread could not be had.
pub const SPAWN_PAUSE: Duration = Duration::from_millis(100);

/// Starts a thread that runs a connection to its end.
pub fn spawn(connection: Box<Connection>) -> io::Result<()> {
    let bell = Bell::new()?;
    connection.line().listen(&bell.waker());
    start(STACK_BYTES, move || live(Box::new(Life { connection, bell, socket: None })))
}

/// All that goes from one thread to the next.
struct Life {
    connection: Box<Connection>,
    bell: Bell,
    socket: Option<Box<WebSocket<Incoming>>>,
}

/// Why nothing is read for now.
enum Pause {
    /// The WebSocket is over.
    Over,
    /// It has worked and is quiet now.
    Quiet,
}

fn start(stack_bytes: usize, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().stack_size(stack_bytes).spawn(run).map(drop)
}

fn live(mut life: Box<Life>) {
    let engine = life.connection.engine().clone();
    let mut ready = Ready::default();
    loop {
        if life.socket.is_some() {
            match read_messages(&mut life, &engine) {
                Pause::Over => (life.socket, ready) = (None, Ready::default()),
                Pause::Quiet => match hand_over(life, RESTING_STACK_BYTES, rest) {
                    Some(kept) => life = kept,
                    None => return,
                },
            }
            continue;
        }
        let step = life.connection.step(ready);
        engine.flush_dirty();
        match step {
            Step::Wait(wait) => {
                let line = life.connection.line();
                let write = wait.writable || line.is_blocked();
                ready = life.bell.wait(line, wait.readable, write, wait.until);
            }
            Step::Open(incoming) => {
                let config = incoming.config();
                let socket = WebSocket::from_raw_socket(*incoming, Role::Server, Some(config));
                life.socket = Some(Box::new(socket));
            }
            Step::Over => break,
        }
    }
    drop(life);
    engine.flush_dirty();
}

/// Gives everything to another thread; where none can be had, it comes back.
fn hand_over(life: Box<Life>, stack_bytes: usize, go_on: fn(Box<Life>)) -> Option<Box<Life>> {
    let (give, take) = sync_channel(1);
    match start(stack_bytes, move || take.recv().map_or((), go_on)) {
        Ok(()) => give.send(life).err().map(|refused| refused.0),
        Err(_) => Some(life),
    }
}

/// Waits until there is something to do, and leaves that to a thread with more room.
fn rest(mut life: Box<Life>) {
    let line = life.connection.line();
    let ready = life.bell.wait(line, !line.is_paused(), false, None);
    if ready.readable
        && let Some(socket) = &mut life.socket
    {
        socket.get_mut().set_readable();
    }
    if let Some(life) = hand_over(life, STACK_BYTES, live)
        && let Some(spares) = SPARES.get()
    {
        // This thread ends, and with that there is one more to be had.
        spares.send(life).unwrap_or_default();
    }
}

/// Takes those who rest and have something to do when the system gives no further thread. Else all of them would wait
/// for each other.
static SPARES: OnceLock<Sender<Box<Life>>> = OnceLock::new();
/// How many threads are kept back for that.
const SPARE_THREADS: usize = 4;

/// Starts the threads that are kept back.
pub fn start_spares() -> io::Result<()> {
    let (give, take) = channel();
    let take = Arc::new(Mutex::new(take));
    for _ in 0..SPARE_THREADS {
        let take = take.clone();
        start(STACK_BYTES, move || {
            while let Some(life) = next(&take) {
                live(life);
            }
        })?;
    }
    SPARES.get_or_init(|| give);
    Ok(())
}

fn next(take: &Mutex<Receiver<Box<Life>>>) -> Option<Box<Life>> {
    take.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn read_messages(life: &mut Life, engine: &Arc<Engine>) -> Pause {
    let Life { connection, bell, socket: Some(socket) } = life else { return Pause::Over };
    while read_what_came(connection, engine, socket) {
        engine.flush_dirty();
        let look = connection.look_at();
        if connection.is_ending() {
            return Pause::Over;
        }
        let line = connection.line();
        let quiet_at = look.is_none().then(|| Instant::now() + QUIET);
        let ready = bell.wait(line, !line.is_paused(), look.is_some(), look.or(quiet_at));
        if ready.readable {
            socket.get_mut().set_readable();
        }
        if ready.writable || (ready.late && look.is_some()) {
            connection.look_for_room();
        } else if ready.late && !ready.readable {
            return Pause::Quiet;
        }
    }
    Pause::Over
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
