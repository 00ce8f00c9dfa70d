//! Recording: every fact that the core of a live server is told, with its time, and what it answered
//! with, in a file that `replay` tells to a fresh core. Whoever holds the core's lock only queues; a thread of its own
//! hides credentials, writes and waits for the disk. When it does not keep up, or the file has reached its limit, or
//! the disk takes no more, recording ends with a line of the log, and the server goes on.

mod credentials;
mod format;
mod weight;

pub use credentials::{HIDDEN, Hider};
pub use format::{Content, FORMAT, FRAME_BYTES_MAX, Header, Next, digest, encode, read_next};

use crate::lock::locked;
use format::{end_frame, step_frame};
use parlor_protocol::action::Actions;
use parlor_protocol::input::Input;
use parlor_protocol::record::{Level, Record};
use parlor_protocol::time::Timestamp;
use std::collections::VecDeque;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How many facts may wait to be written.
const STEPS_QUEUED_MAX: usize = 65_536;
/// About how many bytes of facts and actions may wait; one fact alone may have more.
const QUEUED_BYTES_MAX: usize = 64 << 20;
/// How long the end of the process waits for the file.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(10);
/// How many files may stand beside each other before somebody has to take some away.
const FILES_MAX: u32 = 1_000;
/// Nobody but the owner reads what users wrote.
const OWNER_ONLY: u32 = 0o600;
/// What is kept free for the frame that says why a recording ended.
const END_BYTES_MAX: u64 = 512;

/// Why a recording ends that is whole.
const SERVER_ENDED: &str = "the server ended";

/// Where lines for the log go.
type Log = Box<dyn Fn(Record) + Send + Sync>;

/// Records a server, from its first fact on.
pub struct Recorder {
    queue: Arc<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    more: Condvar,
    closed: Condvar,
    /// Nothing more is recorded.
    over: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    steps: VecDeque<Step>,
    bytes: usize,
    /// Why nothing more is queued.
    ending: Option<String>,
    closed: bool,
}

/// One fact and what followed from it.
struct Step {
    now: Timestamp,
    input: Input,
    actions: Actions,
    bytes: usize,
}

impl Recorder {
    /// Begins a file with `header`; it grows to `bytes_max` at most, without what `hider` hides. What is there already stays: beside `file` there are then `file.2`, `file.3`, and so on.
    pub fn start(
        (file, bytes_max): (&Path, u64),
        header: &Header,
        hider: Hider,
        log: Log,
    ) -> Result<Self, String> {
        let (path, mut file) = create(file)?;
        let named = |error: io::Error| format!("{}: {error}", path.display());
        let line = header.write().and_then(|line| file.write_all(&line).map(|()| line.len() as u64));
        let written = line.map_err(named)?;
        log(Record::new(Level::Info, "record.started")
            .with("file", path.display().to_string())
            .with("bytesMax", bytes_max));
        let queue = Arc::new(Queue::default());
        let writer = Writer { file: BufWriter::new(file), written, bytes_max, hider, log };
        let taken = queue.clone();
        thread::Builder::new().name("recorder".into()).spawn(move || writer.run(&taken)).map_err(named)?;
        Ok(Self { queue })
    }

    /// The fact once more, to be recorded when it was handled; none when recording is over.
    pub fn copy(&self, input: &Input) -> Option<Input> {
        (!self.queue.over.load(Relaxed)).then(|| input.clone())
    }

    /// Queues a fact that was handled, in the order in which the core was told. Never waits.
    pub fn take(&self, now: Timestamp, input: Input, actions: &Actions) {
        let bytes = weight::of_fact(&input) + actions.iter().map(weight::of_action).sum::<usize>();
        let step = Step { now, input, actions: actions.clone(), bytes };
        let mut waiting = locked(&self.queue.waiting);
        if waiting.ending.is_some() {
            return;
        }
        let full = waiting.steps.len() >= STEPS_QUEUED_MAX
            || waiting.bytes + bytes > QUEUED_BYTES_MAX && !waiting.steps.is_empty();
        if full {
            let (count, bytes) = (waiting.steps.len(), waiting.bytes);
            waiting.ending = Some(format!(
                "the file does not keep up: {count} facts of about {bytes} bytes wait, of {STEPS_QUEUED_MAX} and \
                 {QUEUED_BYTES_MAX} that may"
            ));
            self.queue.over.store(true, Relaxed);
        } else {
            waiting.bytes += bytes;
            waiting.steps.push_back(step);
        }
        drop(waiting);
        self.queue.more.notify_one();
    }

    /// Writes what waits and ends the file. Returns when that is done, or after a while.
    pub fn close(&self) {
        let mut waiting = locked(&self.queue.waiting);
        waiting.ending.get_or_insert_with(|| SERVER_ENDED.to_string());
        self.queue.over.store(true, Relaxed);
        self.queue.more.notify_one();
        let closed = self.queue.closed.wait_timeout_while(waiting, CLOSE_WAIT_MAX, |waiting| !waiting.closed);
        drop(closed.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Queue {
    /// The next step, or why there is none any more. `idle` is called before there is a wait for it.
    fn next(&self, mut idle: impl FnMut() -> io::Result<()>) -> Result<Step, String> {
        let mut waiting = locked(&self.waiting);
        let mut flushed = false;
        loop {
            if let Some(step) = waiting.steps.pop_front() {
                waiting.bytes -= step.bytes;
                return Ok(step);
            }
            if let Some(why) = &waiting.ending {
                return Err(why.clone());
            }
            if flushed {
                waiting = self.more.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            drop(waiting);
            idle().map_err(|error| error.to_string())?;
            flushed = true;
            waiting = locked(&self.waiting);
        }
    }

    /// Takes in nothing more, and forgets what waits.
    fn end(&self, why: &str) {
        self.over.store(true, Relaxed);
        *locked(&self.waiting) = Waiting { ending: Some(why.to_string()), ..Waiting::default() };
    }

    /// The file is done with.
    fn close(&self) {
        locked(&self.waiting).closed = true;
        self.closed.notify_all();
    }
}

/// A new file of this name, or of the next that is free.
fn create(file: &Path) -> Result<(PathBuf, File), String> {
    for number in 1..=FILES_MAX {
        let mut name = file.as_os_str().to_owned();
        if number > 1 {
            name.push(format!(".{number}"));
        }
        let made = OpenOptions::new().append(true).create_new(true).mode(OWNER_ONLY).open(&name);
        match made {
            Ok(made) => return Ok((name.into(), made)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(format!("{}: {error}", Path::new(&name).display())),
        }
    }
    let file = file.display();
    Err(format!("beside {file} there are {FILES_MAX} recordings, and no more may be: take some away"))
}

struct Writer {
    file: BufWriter<File>,
    written: u64,
    bytes_max: u64,
    hider: Hider,
    log: Log,
}

impl Writer {
    fn run(mut self, queue: &Queue) {
        let why = loop {
            let wrote = match queue.next(|| self.file.flush()) {
                Ok(step) => self.write(step),
                Err(why) => break why,
            };
            if let Err(why) = wrote {
                break why;
            }
        };
        queue.end(&why);
        let ended = self.file.write_all(&end_frame(&why)).and_then(|()| self.file.flush());
        let ended = ended.and_then(|()| self.file.get_ref().sync_all());
        let level = if why == SERVER_ENDED { Level::Info } else { Level::Warn };
        let record = Record::new(level, "record.stopped").with("reason", why).with("bytes", self.written);
        (self.log)(match ended {
            Ok(()) => record,
            Err(error) => record.with("error", error.to_string()),
        });
        queue.close();
    }

    /// Writes a step; the error says why recording ends here.
    fn write(&mut self, step: Step) -> Result<(), String> {
        let frame = self.frame(step).map_err(|error| error.to_string())?;
        let length = frame.len() as u64;
        if frame.len() > FRAME_BYTES_MAX {
            return Err(format!("a fact of {length} bytes is over the limit of {FRAME_BYTES_MAX}"));
        }
        if self.written + length + END_BYTES_MAX > self.bytes_max {
            return Err(format!("the file has reached its limit of {} bytes", self.bytes_max));
        }
        self.file.write_all(&frame).map_err(|error| error.to_string())?;
        self.written += length;
        Ok(())
    }

    fn frame(&self, Step { now, mut input, actions, .. }: Step) -> io::Result<Vec<u8>> {
        self.hider.hide_in_head(&mut input);
        let mut encoded = encode(&input)?;
        self.hider.hide_tokens(&mut encoded);
        let digests = actions.iter().map(|action| digest(action, |bytes| self.hider.hide_tokens(bytes)));
        Ok(step_frame(now, &encoded, &digests.collect::<io::Result<Vec<_>>>()?))
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
