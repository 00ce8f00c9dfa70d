//! clamd, the real one, with a database of our own that knows one made-up signature. It listens on a Unix socket
//! and on a port of 127.0.0.1, asks nothing of the network, and ends with the test.

use crate::process::Folder;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A file that holds this is infected, with `SIGNATURE`.
pub const INFECTED: &[u8] = b"PARLOR-MADE-UP-TEST-SIGNATURE";
/// What clamd calls it.
pub const SIGNATURE: &str = "Parlor.Test.UNOFFICIAL";
/// The largest stream that this clamd takes.
pub const STREAM_BYTES_MAX: usize = 12 << 20;

/// How long a start may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running clamd.
#[derive(Debug)]
pub struct Clamd {
    child: Child,
    folder: Folder,
    port: u16,
}

impl Clamd {
    /// Starts one and waits until it answers.
    pub fn start() -> Self {
        let folder = Folder::new();
        let database = folder.path().join("database");
        fs::create_dir(&database).expect("the folder is ours");
        let hex: String = INFECTED.iter().map(|byte| format!("{byte:02x}")).collect();
        fs::write(database.join("parlor.ndb"), format!("Parlor.Test:0:*:{hex}\n"))
            .expect("the folder is ours");
        let port = free_port();
        let config = folder.path().join("clamd.conf");
        fs::write(&config, settings(folder.path(), port)).expect("the folder is ours");
        let child = Command::new(program())
            .arg("--foreground")
            .arg(format!("--config-file={}", config.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("clamd: {error}; `tests/run setup` installs it"));
        let mut clamd = Self { child, folder, port };
        clamd.wait_until_it_listens();
        clamd
    }

    /// The value for `CLAMD_ADDR` with its port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The value for `CLAMD_ADDR` with its Unix socket.
    pub fn unix_address(&self) -> String {
        format!("unix:{}", socket(self.folder.path()).display())
    }

    fn wait_until_it_listens(&mut self) {
        let until = Instant::now() + PATIENCE;
        while UnixStream::connect(socket(self.folder.path())).is_err()
            || TcpStream::connect(("127.0.0.1", self.port)).is_err()
        {
            let ended = self.child.try_wait().expect("it is ours");
            let log = fs::read_to_string(self.folder.path().join("clamd.log")).unwrap_or_default();
            assert!(ended.is_none() && Instant::now() < until, "clamd does not listen: {ended:?}\n{log}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Clamd {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap_or_default();
    }
}

/// Where `PARLOR_CLAMD` says it is, where `tests/run setup` puts it, or where the system has it.
fn program() -> PathBuf {
    let named = std::env::var_os("PARLOR_CLAMD").map(PathBuf::from);
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/clamd/usr/sbin/clamd");
    named.unwrap_or_else(|| if unpacked.exists() { unpacked } else { "/usr/sbin/clamd".into() })
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("clamd.sock")
}

/// A port that was free just now: clamd cannot be asked for any.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

fn settings(folder: &Path, port: u16) -> String {
    let at = folder.display();
    format!(
        "LocalSocket {at}/clamd.sock\nTCPSocket {port}\nTCPAddr 127.0.0.1\nDatabaseDirectory {at}/database\n\
         TemporaryDirectory {at}\nLogFile {at}/clamd.log\nOfficialDatabaseOnly no\nSelfCheck 0\nMaxThreads 4\n\
         StreamMaxLength {STREAM_BYTES_MAX}\n"
    )
}
