//! The core behind one lock, and everything that carries its orders out. Whoever has a fact gives it to
//! `handle` (or `tell`, where it must not touch a socket); what follows is queued while the lock is held, so
//! that its order is the core's, and nothing is waited for.

mod bodies;
mod documents;
mod held;
mod keys;
mod late;
mod memory;
mod open_lines;
mod outside;
mod perform;
mod shutdown;
mod store_threads;
mod timer;
mod workers;

pub(crate) use bodies::HeldBody;
pub use bodies::{BODIES_BYTES_MAX, Bodies};
pub use held::Held;
pub use open_lines::OpenLines;
pub use outside::{Answer, Asset, Calls, Commit, Fatal, Outside, Tell};
pub use shutdown::{LEAVE_LOOK, LEAVE_WAIT_MAX, Phase};

use crate::dirty::Dirty;
use crate::line::Line;
use crate::lock::locked;
use bytes::Bytes;
use documents::Documents;
use memory::Memory;
use parlor_protocol::action::Actions;
use parlor_protocol::frame::Frame;
use parlor_protocol::http::RequestHead;
use parlor_protocol::ids::{RequestId, Slots, SocketId};
use parlor_protocol::input::{Ending, Input};
use parlor_protocol::record::Record;
use parlor_protocol::server::Server;
use perform::{After, Pending, Sockets};
use shutdown::Shutdown;
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Instant;
use store_threads::StoreQueue;
use timer::Timer;
use tungstenite::handshake::derive_accept_key;
use workers::WorkQueue;

/// A running server without its sockets.
#[derive(Debug)]
pub struct Engine {
    core: Mutex<Core>,
    outside: Outside,
    dirty: Dirty,
    store: StoreQueue,
    work: WorkQueue,
    documents: Arc<Documents>,
    timer: Timer,
    shutdown: Shutdown,
    lines_open: OpenLines,
    memory: Memory,
    bodies: Arc<Bodies>,
}

/// What the lock guards.
struct Core {
    server: Server,
    /// Empty between two facts.
    actions: Actions,
    sockets: Sockets,
    requests: Slots<RequestId, Pending>,
    dirty: Vec<Arc<Line>>,
    held: Held,
}

impl Engine {
    /// Starts the server and its threads, which last as long as the process.
    pub fn start(server: Server, outside: Outside, stores: Stores) -> std::io::Result<Arc<Self>> {
        let lines_open = OpenLines::new(server.settings());
        let documents = Arc::new(Documents::new(outside.document_job_max));
        let memory = Memory::new(outside.memory_max);
        let engine = Arc::new(Self {
            core: Mutex::new(Core {
                server,
                actions: Actions::new(),
                sockets: Sockets::default(),
                requests: Slots::default(),
                dirty: Vec::new(),
                held: Held::default(),
            }),
            outside,
            dirty: Dirty::default(),
            store: StoreQueue::default(),
            work: WorkQueue::default(),
            documents,
            timer: Timer::default(),
            shutdown: Shutdown::default(),
            lines_open,
            memory,
            bodies: Arc::default(),
        });
        engine.handle(Input::Started);
        store_threads::start(&engine, stores)?;
        workers::start(&engine)?;
        engine.documents.start(engine.clone())?;
        timer::start(&engine)?;
        memory::start(&engine)?;
        engine.keep_keys();
        Ok(engine)
    }

    /// Takes in a fact on a thread that flushes afterwards.
    pub fn handle(self: &Arc<Self>, input: Input) {
        let mut after = After::default();
        self.handle_one(input, &mut after);
        while let Some(input) = after.next_input(self) {
            self.handle_one(input, &mut after);
        }
    }

    /// Takes in a fact on a thread that must not write to sockets, because what it does next matters more.
    pub fn tell(self: &Arc<Self>, input: Input) {
        self.handle(input);
        self.dirty.wake();
    }

    fn handle_one(self: &Arc<Self>, input: Input, after: &mut After) {
        let mut core = locked(&self.core);
        // What a panic leaves behind in the core is unknown, and everybody's messages pass through it. The log
        // is durable and clients resume, so a fresh process is the safe way on.
        let abort = AbortOnPanic;
        let since = Instant::now();
        let now = (self.outside.now)();
        let Core { server, actions, .. } = &mut *core;
        let recorder = self.outside.recorder.as_ref();
        let recorded = recorder.and_then(|recorder| Some((recorder, recorder.copy(&input)?)));
        server.handle(now, input, actions);
        if let Some((recorder, input)) = recorded {
            recorder.take(now, input, actions);
        }
        core.perform(self, after);
        let Core { server, dirty, held, .. } = &mut *core;
        self.dirty.append(dirty);
        if let Some(deadline) = server.next_deadline() {
            self.timer.arm(deadline);
        }
        held.note(since.elapsed());
        drop(abort);
        drop(core);
        after.tell_others(self);
    }

    /// Gives a request to the core. What becomes of it the line is told.
    pub(crate) fn request(self: &Arc<Self>, line: &Arc<Line>, head: RequestHead, body: Bytes) -> RequestId {
        let pending = Pending {
            line: line.clone(),
            accept: head.header("sec-websocket-key").map(|key| derive_accept_key(key.as_bytes())),
            keep_alive: head.keep_alive,
            without_body: head.method == "HEAD",
        };
        let request = locked(&self.core).requests.insert(pending);
        self.handle(Input::Requested { request, peer: line.peer(), head, body });
        request
    }

    /// The client of an undecided request has hung up. If the core has just made a socket of it, that is lost.
    pub(crate) fn forget_request(self: &Arc<Self>, request: RequestId, line: &Line) {
        use crate::line::Decision;
        let was_pending = locked(&self.core).requests.remove(request).is_some();
        match line.take_decision() {
            Some(Decision::Upgraded { socket, .. }) => self.disconnected(socket, Ending::Lost),
            Some(Decision::Responded { .. }) => {}
            None if was_pending => self.handle(Input::RequestGone { request }),
            None => {}
        }
    }

    /// A socket has ended: to be said once for each.
    pub(crate) fn disconnected(self: &Arc<Self>, socket: SocketId, why: Ending) {
        locked(&self.core).sockets.remove(socket);
        self.handle(Input::Disconnected { socket, why });
    }

    /// Ends a line with `last` as its last frame.
    pub(crate) fn close_line(&self, line: &Arc<Line>, last: Option<Frame>, ending: Ending) {
        if line.close(last, ending) {
            self.mark_dirty(line.clone());
        }
    }

    /// The line has something to write.
    pub(crate) fn mark_dirty(&self, line: Arc<Line>) {
        self.dirty.add(line);
    }

    /// Writes to every line that has something to write. Each socket thread does this once for all the facts
    /// at hand.
    pub fn flush_dirty(self: &Arc<Self>) {
        self.dirty.flush(|line| {
            if let Some(socket) = line.flush() {
                self.handle(Input::Flushed { socket });
            }
        });
    }

    /// Whom to wake when a thread that must not write has marked lines.
    pub fn set_flusher(&self, waker: &Waker) {
        self.dirty.set_flusher(waker);
    }

    /// Stops taking in new work; the second time it ends the process at once.
    pub fn drain(self: &Arc<Self>) {
        if self.shutdown.begin() {
            self.tell(Input::Draining);
        } else {
            std::process::exit(EXIT_FORCED);
        }
    }

    /// How far the server is on its way to its end; `waker` is woken when that changes.
    pub fn phase(&self, waker: &Waker) -> Phase {
        self.shutdown.phase(waker)
    }

    /// Stores what still waits and puts the store in order: nothing is stored afterwards.
    pub fn close_store(&self) {
        self.store.close();
    }

    /// Writes down what still waits to be recorded: the last thing before the process ends.
    pub fn close_recording(&self) {
        if let Some(recorder) = &self.outside.recorder {
            recorder.close();
        }
    }

    /// The lines that are open.
    pub fn lines_open(&self) -> &OpenLines {
        &self.lines_open
    }

    /// The request bodies that are in memory.
    pub fn bodies(&self) -> &Arc<Bodies> {
        &self.bodies
    }

    /// How many jobs of documents were given up because they took too long.
    pub fn documents_given_up(&self) -> u64 {
        self.documents.given_up()
    }

    /// Writes a line into the log.
    pub(crate) fn log(&self, record: Record) {
        (self.outside.log)(record);
    }

    /// How long facts have held the lock.
    pub fn held(&self) -> Held {
        locked(&self.core).held
    }
}

/// The exit status of a process that was told twice to stop.
const EXIT_FORCED: i32 = 1;

/// The store, in parts that run on threads of their own.
pub struct Stores {
    /// Takes in commits.
    pub writer: Box<dyn Commit>,
    /// Answer reads, each on its own thread.
    pub readers: Vec<Box<dyn Answer>>,
}

/// Ends the process when a panic passes by. The panic itself was printed already.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("held", &self.held).finish_non_exhaustive()
    }
}
