//! Servers as processes: started from the binaries that lie beside the test, and ended with it.

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Both drivers.
pub const BINARIES: [&str; 2] = ["parlor", "parlor-threads"];

/// How long a start or an end may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);
/// In what Linux tells processor time to programs, on every machine.
const TICKS_PER_SECOND: u64 = 100;
/// What a server prints in front of its address.
const LISTENING: &str = " listens on http";

/// A running server.
#[derive(Debug)]
pub struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// Starts a server on a free port, with its data in `folder`, and waits until it listens.
    pub fn start(binary: &str, folder: &Folder, arguments: &[&str]) -> Self {
        Self::start_at(0, binary, folder, arguments)
    }

    /// The same on this port.
    pub fn start_at(port: u16, binary: &str, folder: &Folder, arguments: &[&str]) -> Self {
        Self::listening(command(beside_the_test(binary), port, folder, arguments), binary, folder)
    }

    /// Starts a server with these arguments alone.
    pub fn start_with(binary: &str, folder: &Folder, arguments: &[&str]) -> Self {
        let mut command = Command::new(beside_the_test(binary));
        command.args(arguments);
        Self::listening(command, binary, folder)
    }

    /// The same, with the signal ignored that a process is sent when it writes over the limit of
    /// `limit_files`: a write then fails as it does on a full disk.
    pub fn start_with_little_disk(binary: &str, folder: &Folder, arguments: &[&str]) -> Self {
        let server = command(beside_the_test(binary), 0, folder, arguments);
        let mut command = Command::new("sh");
        command.args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#]).arg(server.get_program());
        command.args(server.get_args());
        Self::listening(command, binary, folder)
    }

    /// The same for a process that may have so many files open and no more.
    pub fn start_with_few_files(binary: &str, folder: &Folder, arguments: &[&str], files: u32) -> Self {
        let server = command(beside_the_test(binary), 0, folder, arguments);
        let mut command = Command::new("sh");
        command.args(["-c", r#"ulimit -n "$1"; shift; exec "$0" "$@""#]).arg(server.get_program());
        command.arg(files.to_string()).args(server.get_args());
        Self::listening(command, binary, folder)
    }

    fn listening(mut command: Command, binary: &str, folder: &Folder) -> Self {
        let log = File::options().create(true).append(true).open(folder.log_file());
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.expect("the folder takes a file"))
            .spawn()
            .unwrap_or_else(|error| panic!("{binary}: {error}; build all binaries first"));
        let (tell, told) = mpsc::channel();
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        // Reads to the end, so that the server never waits for its reader.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((_, address)) = line.split_once(LISTENING) {
                    let address = address.split_once("://").map_or("", |(_, address)| address);
                    let address = address.split(['/', ' ']).next().unwrap_or_default();
                    tell.send(address.parse::<SocketAddr>()).unwrap_or_default();
                }
            }
        });
        let address = match told.recv_timeout(PATIENCE) {
            Ok(address) => address.expect("an address stands behind it"),
            Err(_) => {
                child.kill().expect("it is ours");
                panic!("{binary} does not listen: {}", folder.log());
            }
        };
        Self { child, address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL: it ends wherever it is.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// SIGKILL, unless it has ended already.
    pub fn end(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().and_then(|()| self.child.wait()).map(|_| ()).unwrap_or_default();
        }
    }

    /// SIGTERM: it is asked to end.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGHUP: it is asked to read again what can be read again.
    pub fn reload(&self) {
        self.signal(Signal::HUP);
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                return status;
            }
            assert!(Instant::now() < until, "it has not ended after {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// No file may grow beyond so many bytes; `None`: as large as it likes.
    pub fn limit_files(&self, bytes: Option<u64>) {
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Some(Pid::from_child(&self.child)), Resource::Fsize, limit).expect("it is ours");
    }

    /// No file may be opened whose number is this or beyond; those that are open stay.
    pub fn limit_open_files(&self, files: u64) {
        let pid = Pid::from_child(&self.child);
        let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
        let limit = Rlimit { current: Some(files), maximum };
        prlimit(Some(pid), Resource::Nofile, limit).expect("it is ours");
    }

    /// Stops it where it is, for as long as a test likes: to it this is as if the machine slept.
    pub fn suspend(&self) {
        self.signal(Signal::STOP);
    }

    /// Goes on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// How many bytes of memory it has.
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux says so");
        1_024 * line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
    }

    /// How much of a processor it has used.
    pub fn processor_time(&self) -> Duration {
        let line = fs::read_to_string(format!("/proc/{}/stat", self.id())).expect("it runs");
        let behind_the_name = line.rsplit(')').next().unwrap_or_default();
        let numbers = behind_the_name.split_whitespace().skip(11).take(2);
        let ticks: u64 = numbers.map(|number| number.parse::<u64>().expect("a number")).sum();
        Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is ours and was not waited for");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// A folder that goes with the test.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A fresh folder.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("parlor-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("the system's folder for temporary files takes one");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The database of the server in it.
    pub fn database(&self) -> PathBuf {
        self.0.join("parlor.db")
    }

    /// What the servers in it wrote to their log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.0.join("stderr.log")
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

/// Runs a server that is expected not to start, to its end; what it said on standard error comes with the status.
pub fn run_to_end(binary: &str, port: u16, folder: &Folder, arguments: &[&str]) -> (ExitStatus, String) {
    let output = command(beside_the_test(binary), port, folder, arguments).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{binary}: {error}; build all binaries first"));
    (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A port that is free and that the system gives to nobody by itself: who connects to it while no server is
/// there would else be connected to itself once in a while.
pub fn steady_port() -> u16 {
    static COUNT: AtomicU16 = AtomicU16::new(0);
    let base = u16::try_from(std::process::id() % 1_000).expect("it is below 1 000") * 10 + 20_000;
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    // Each caller begins behind the others: their servers may be down for a moment.
    (base + COUNT.fetch_add(1, Ordering::Relaxed) * 97..32_000)
        .find(free)
        .expect("one of so many ports is free")
}

fn command(binary: PathBuf, port: u16, folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary);
    command
        .args(["--host", "127.0.0.1", "--websocket-port", &port.to_string()])
        .args(["--database-url", &format!("sqlite:{}", folder.database().display())])
        .args(arguments);
    command
}

/// Where a binary is: the test lies in `deps` of the folder that the binaries are built into.
pub fn beside_the_test(binary: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test is a file");
    let folder = test.parent().and_then(Path::parent).expect("a test lies in deps");
    folder.join(binary)
}
