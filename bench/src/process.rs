//! A server under measurement: a child on its own core, and what the kernel says it used.

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a start or an end may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a server prints in front of its address.
const LISTENS: &str = "http://";
/// What it writes to its standard error, in its folder.
const LOG: &str = "stderr.log";

/// Where the generator and the server run. With fewer than two cores both run where they may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cores {
    /// The generator on the first of the machine's cores, the server on the second.
    Apart,
    /// As the kernel likes.
    Free,
}

/// A running server.
#[derive(Debug)]
pub struct Process {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
}

impl Process {
    /// Starts a server that prints its address, and waits until it does. `command` is given a folder of its own
    /// for the server's data.
    pub fn start(cores: Cores, command: impl FnOnce(&PathBuf) -> Command) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("parlor-bench-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder)?;
        match launch(cores, &folder, command(&folder)) {
            Ok((child, address)) => Ok(Self { child, address, folder }),
            Err(error) => {
                let said = fs::read_to_string(folder.join(LOG)).unwrap_or_default();
                fs::remove_dir_all(&folder).unwrap_or_default();
                Err(io::Error::other(format!("{error}; {said}")))
            }
        }
    }

    /// Starts another one over the data of this one, which has ended.
    pub fn start_again(&mut self, cores: Cores, command: impl FnOnce(&PathBuf) -> Command) -> io::Result<()> {
        (self.child, self.address) = launch(cores, &self.folder, command(&self.folder))?;
        Ok(())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// User and system time of all its threads so far.
    pub fn cpu(&self) -> io::Result<Duration> {
        cpu_of(&self.child.id().to_string())
    }

    /// What it has resident, in KiB.
    pub fn resident_kib(&self) -> io::Result<f64> {
        resident_kib(self.id())
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, waits for that, and returns what it wrote to its log.
    pub fn stop(mut self) -> io::Result<String> {
        self.terminate()?;
        self.wait_for_end()
    }

    /// Asks it to end.
    pub fn terminate(&self) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::TERM)?)
    }

    /// Waits until it has ended, and returns what it wrote to its log.
    pub fn wait_for_end(&mut self) -> io::Result<String> {
        let until = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > until {
                return Err(io::Error::other(format!("it has not ended after {PATIENCE:?}")));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        fs::read_to_string(self.folder.join(LOG))
    }
}

/// Whatever ends a measurement, the server goes with it, and its data.
impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().and_then(|()| self.child.wait()).map(|_| ()).unwrap_or_default();
        }
        fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}

/// What the process with this number has resident, in KiB.
pub fn resident_kib(process: u32) -> io::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|kib| kib.parse().ok());
    kib.ok_or_else(|| io::Error::other("the process is gone"))
}

/// Starts `command` with a log in `folder`, and waits until it prints its address.
fn launch(cores: Cores, folder: &Path, mut command: Command) -> io::Result<(Child, SocketAddr)> {
    let log = File::options().create(true).append(true).open(folder.join(LOG))?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    // A child begins where its parent runs.
    let mut child = on_core(cores, 1, || command.spawn())?
        .map_err(|error| io::Error::other(format!("{}: {error}", command.get_program().display())))?;
    let printed = child.stdout.take().ok_or_else(|| io::Error::other("the child prints nothing"))?;
    let (tell, told) = mpsc::channel();
    // Reads to the end, so that the server never waits for its reader.
    std::thread::spawn(move || {
        for line in BufReader::new(printed).lines().map_while(Result::ok) {
            if let Some((_, rest)) = line.split_once(LISTENS)
                && let Ok(address) = rest.trim().parse::<SocketAddr>()
            {
                tell.send(address).unwrap_or_default();
            }
        }
    });
    match told.recv_timeout(PATIENCE) {
        Ok(address) => Ok((child, address)),
        Err(_) => {
            child.kill()?;
            child.wait()?;
            Err(io::Error::other("it has not said where it listens"))
        }
    }
}

/// User and system time of the generator so far.
pub fn own_cpu() -> io::Result<Duration> {
    cpu_of("self")
}

fn cpu_of(process: &str) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name may hold anything but ends with the last bracket; times are the 14th and 15th field.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

/// Runs `what` on the core with this number, and goes back to where the generator runs.
fn on_core<T>(cores: Cores, number: usize, what: impl FnOnce() -> T) -> io::Result<T> {
    let before = sched_getaffinity(None)?;
    if cores == Cores::Apart && std::thread::available_parallelism()?.get() > number {
        sched_setaffinity(None, &only(number))?;
    }
    let done = what();
    sched_setaffinity(None, &before)?;
    Ok(done)
}

/// Puts this thread where the generator runs. To be called once the number of cores does not matter any more.
pub fn settle(cores: Cores) -> io::Result<()> {
    match cores {
        Cores::Apart => Ok(sched_setaffinity(None, &only(0))?),
        Cores::Free => Ok(()),
    }
}

fn only(number: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(number);
    set
}
