//! The log (WIRE §7): lines on standard error, for people or as JSON, written by a thread of its own. Whoever
//! logs never waits: when the queue is full a line is dropped, counted, and the count is logged.

use crate::measured::note_log_line_dropped;
use crate::settings::LogFormat;
use parlor_protocol::record::{Level, Record};
use parlor_protocol::time::Timestamp;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

/// How many lines wait to be written.
pub const LINES_QUEUED_MAX: usize = 4096;
/// How long `flush` waits for whoever reads the log.
const FLUSH_WAIT_MAX: Duration = Duration::from_secs(2);

/// The process's log, for all its threads.
#[derive(Debug)]
pub struct Log {
    level: Level,
    dropped: Arc<AtomicU64>,
    queue: SyncSender<Order>,
}

#[derive(Debug)]
enum Order {
    Write(Timestamp, Record),
    Flush(SyncSender<()>),
}

impl Log {
    /// The log on standard error, coloured where a person looks at it.
    pub fn to_stderr(level: Level, format: LogFormat) -> io::Result<Self> {
        let style = match format {
            LogFormat::Json => Style::Json,
            LogFormat::Human => Style::Human { coloured: io::stderr().is_terminal() },
        };
        Self::start(level, style, io::stderr())
    }

    /// The log on anything that takes bytes.
    pub fn start(level: Level, style: Style, out: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, orders) = sync_channel(LINES_QUEUED_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let writer = Writer { style, out: BufWriter::new(out), dropped: Arc::clone(&dropped) };
        thread::Builder::new().name("log".into()).spawn(move || writer.run(&orders))?;
        Ok(Self { level, dropped, queue })
    }

    /// Whether a line of this level is written.
    pub fn takes(&self, level: Level) -> bool {
        level <= self.level
    }

    /// Queues a line.
    pub fn write(&self, at: Timestamp, record: Record) {
        if self.takes(record.level) && self.queue.try_send(Order::Write(at, record)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            note_log_line_dropped();
        }
    }

    /// Waits until all that was queued is written, or until nobody seems to read it. For the end of the process.
    pub fn flush(&self) {
        let (done, is_done) = sync_channel(1);
        match self.queue.try_send(Order::Flush(done)) {
            Ok(()) => match is_done.recv_timeout(FLUSH_WAIT_MAX) {
                Ok(()) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            },
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Time, level, action and fields, for people.
    Human {
        /// Whether the level has a colour.
        coloured: bool,
    },
    /// One JSON object in a line.
    Json,
}

struct Writer<W: Write> {
    style: Style,
    out: BufWriter<W>,
    dropped: Arc<AtomicU64>,
}

impl<W: Write> Writer<W> {
    fn run(mut self, orders: &Receiver<Order>) {
        let mut last = Timestamp::default();
        while let Some(order) = self.next(orders) {
            match order {
                Order::Write(at, record) => {
                    last = at;
                    self.write(at, &record);
                }
                Order::Flush(done) => {
                    self.flush();
                    // Whoever asked may have stopped waiting.
                    done.try_send(()).unwrap_or_default();
                }
            }
            let dropped = self.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                self.write(last, &Record::new(Level::Warn, "log.dropped").with("lines", dropped));
            }
        }
        self.flush();
    }

    /// The next order; what was written goes out before there is a wait for it.
    fn next(&mut self, orders: &Receiver<Order>) -> Option<Order> {
        match orders.try_recv() {
            Ok(order) => Some(order),
            Err(TryRecvError::Disconnected) => None,
            Err(TryRecvError::Empty) => {
                self.flush();
                orders.recv().ok()
            }
        }
    }

    /// A log that cannot be written is no reason to stop serving; the line counts as dropped.
    fn write(&mut self, at: Timestamp, record: &Record) {
        if self.out.write_all(line(self.style, at, record).as_bytes()).is_err() {
            note_log_line_dropped();
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&mut self) {
        if self.out.flush().is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// One line, its end included.
fn line(style: Style, at: Timestamp, record: &Record) -> String {
    let mut line = match style {
        Style::Json => json(at, record),
        Style::Human { coloured } => human(coloured, at, record),
    };
    line.push('\n');
    line
}

fn json(at: Timestamp, record: &Record) -> String {
    let mut line = Vec::new();
    let written = (|| {
        let mut serializer = serde_json::Serializer::new(&mut line);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("level", name(record.level))?;
        map.serialize_entry("timestamp", &at.to_string())?;
        map.serialize_entry("action", &record.action)?;
        for (name, value) in &record.fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    })();
    written.expect("names are strings and values are JSON, and memory takes any bytes");
    String::from_utf8(line).expect("JSON is written as UTF-8")
}

fn human(coloured: bool, at: Timestamp, record: &Record) -> String {
    let level = name(record.level);
    let mut line = match coloured {
        true => format!("{at} \x1b[{}m{level:5}\x1b[0m {}", colour(record.level), plain(&record.action)),
        false => format!("{at} {level:5} {}", plain(&record.action)),
    };
    for (name, value) in &record.fields {
        let value = match value {
            Value::String(text) => plain(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Array(_) | Value::Object(_) => plain(&value.to_string()),
        };
        write!(line, " {}={value}", plain(name)).expect("memory takes any text");
    }
    line
}

/// A word as it is, everything else in quotes: no text can forge a field, a line or a command to the terminal.
fn plain(text: &str) -> String {
    let is_word = |char: char| char.is_alphanumeric() || "-_.:/@+*".contains(char);
    match !text.is_empty() && text.chars().all(is_word) {
        true => text.to_string(),
        false => format!("{text:?}"),
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
    }
}

/// Red, yellow, green, blue.
fn colour(level: Level) -> u8 {
    match level {
        Level::Error => 31,
        Level::Warn => 33,
        Level::Info => 32,
        Level::Debug => 34,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::{Condvar, Mutex};

    const AT: Timestamp = Timestamp(1_763_654_400_123_456);

    fn record() -> Record {
        Record::new(Level::Info, "ws.connect")
            .with("userId", "ada")
            .with("count", 3)
            .with("room", "a b\n\x1b[2J=\"")
    }

    /// Bytes that others can look at; it takes none while it is shut.
    #[derive(Clone, Default)]
    struct Page(Arc<Sheet>);

    #[derive(Default)]
    struct Sheet {
        shut: Mutex<bool>,
        opened: Condvar,
        written: Mutex<Vec<u8>>,
    }

    impl Page {
        fn shut(&self, shut: bool) {
            *self.0.shut.lock().unwrap() = shut;
            self.0.opened.notify_all();
        }

        fn lines(&self) -> Vec<String> {
            let text = String::from_utf8(self.0.written.lock().unwrap().clone()).unwrap();
            text.lines().map(str::to_string).collect()
        }
    }

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            drop(self.0.opened.wait_while(self.0.shut.lock().unwrap(), |shut| *shut).unwrap());
            self.0.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_json_line_has_level_timestamp_and_action_and_then_the_fields() {
        assert_eq!(
            line(Style::Json, AT, &record()),
            "{\"level\":\"info\",\"timestamp\":\"2025-11-20T16:00:00.123Z\",\"action\":\"ws.connect\",\
             \"userId\":\"ada\",\"count\":3,\"room\":\"a b\\n\\u001b[2J=\\\"\"}\n"
        );
    }

    #[test]
    fn a_line_for_people_cannot_be_forged_by_what_stands_in_it() {
        assert_eq!(
            line(Style::Human { coloured: false }, AT, &record()),
            "2025-11-20T16:00:00.123Z info  ws.connect userId=ada count=3 room=\"a b\\n\\u{1b}[2J=\\\"\"\n"
        );
        let odd = Record::new(Level::Warn, "a")
            .with("x y", json!({"b": "c"}))
            .with("none", Value::Null)
            .with("e", "");
        assert_eq!(
            line(Style::Human { coloured: true }, AT, &odd),
            "2025-11-20T16:00:00.123Z \x1b[33mwarn \x1b[0m a \"x y\"=\"{\\\"b\\\":\\\"c\\\"}\" none=null e=\"\"\n"
        );
    }

    #[test]
    fn lines_above_the_level_are_left_out() {
        let page = Page::default();
        let log = Log::start(Level::Warn, Style::Human { coloured: false }, page.clone()).unwrap();
        for level in [Level::Debug, Level::Info, Level::Warn, Level::Error] {
            log.write(AT, Record::new(level, "x"));
        }
        log.flush();
        assert_eq!(page.lines(), ["2025-11-20T16:00:00.123Z warn  x", "2025-11-20T16:00:00.123Z error x"]);
    }

    #[test]
    fn a_log_that_nobody_reads_drops_lines_without_a_wait_and_says_how_many() {
        let page = Page::default();
        page.shut(true);
        let log = Log::start(Level::Info, Style::Json, page.clone()).unwrap();
        let sent = LINES_QUEUED_MAX as u64 * 3;
        (0..sent).for_each(|number| log.write(AT, Record::new(Level::Info, "x").with("number", number)));
        page.shut(false);
        // The queue may still be full for a moment, and a flush that finds no room does not wait.
        while page.lines().is_empty() {
            thread::yield_now();
        }
        log.flush();
        while log.dropped.load(Ordering::Relaxed) > 0 {
            log.flush();
        }
        log.flush();
        let lines: Vec<Value> = page.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let told: u64 = lines
            .iter()
            .filter(|line| line["action"] == "log.dropped")
            .map(|line| line["lines"].as_u64().unwrap())
            .sum();
        let written = lines.iter().filter(|line| line["action"] == "x").count() as u64;
        assert!(told >= sent - 2 * LINES_QUEUED_MAX as u64, "{told} dropped");
        assert_eq!(written + told, sent);
    }
}
