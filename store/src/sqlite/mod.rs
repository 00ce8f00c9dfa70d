//! The store in one SQLite file with a write-ahead log: how it is opened, examined and closed.

mod columns;
mod error;
mod files;
mod lock;
mod log;
mod look;
mod reader;
mod rows;
mod schema;
mod snapshots;
mod writer;

#[cfg(test)]
mod tests;

pub use error::{Fatal, OpenError, Unclean};
pub use reader::Reader;

use lock::Lock;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// From this version on a write-ahead log that is reset while others read is safe.
const LIBRARY_OLDEST: i32 = 3_051_003;
/// How long a statement waits for somebody else's lock, for instance a backup's.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(5);
/// Every statement there is fits, so each is compiled once.
const STATEMENTS_MAX: usize = 128;
/// What the writer keeps of the database in memory. Ids come in no order, so their index is touched everywhere.
const WRITER_CACHE_KIB: i64 = 16 * 1024;

/// What an acknowledged commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The loss of power: every group is synced to the disk before it is answered.
    PowerLoss,
    /// The end of the process, however it comes; not the end of the machine.
    Process,
}

impl Durability {
    /// The value of `PRAGMA synchronous`: FULL or NORMAL.
    fn synchronous(self) -> i64 {
        match self {
            Self::PowerLoss => 2,
            Self::Process => 1,
        }
    }
}

/// The one writer of a database. Dropped without [`close`](Self::close) it loses nothing, but the next start
/// takes it for a crash and examines the whole database.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    connection: Connection,
    lock: Lock,
}

impl SqliteStore {
    /// Opens the database, makes it if there is none, and brings its schema up to date.
    pub fn open(path: &Path, durability: Durability) -> Result<Self, OpenError> {
        let found = rusqlite::version_number();
        if found < LIBRARY_OLDEST {
            return Err(OpenError::LibraryTooOld { found, oldest: LIBRARY_OLDEST });
        }
        create_private(path).map_err(OpenError::io(path))?;
        let path = path.canonicalize().map_err(OpenError::io(path))?;
        let mut lock = Lock::take(&path)?;
        let mut connection =
            connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(OpenError::sqlite(&path))?;
        schema::examine(&connection, &path)?;
        if !lock.left_clean() {
            check(&connection, &path)?;
        }
        lock.mark_open().map_err(OpenError::io(&path))?;
        set(&connection, durability, &path)?;
        schema::migrate(&mut connection).map_err(OpenError::sqlite(&path))?;
        Ok(Self { path, connection, lock })
    }

    /// A connection that only reads, for another thread.
    pub fn reader(&self) -> Result<Reader, OpenError> {
        Reader::open(&self.path)
    }

    /// `PRAGMA synchronous` as the writing connection has it, unless it cannot be read: 2 is FULL, 1 is NORMAL.
    pub fn synchronous(&self) -> Option<i64> {
        self.connection.pragma_query_value(None, "synchronous", |row| row.get(0)).ok()
    }

    /// Moves everything from the write-ahead log into the database and leaves it marked as whole.
    pub fn close(self) -> Result<(), Unclean> {
        let Self { path, connection, lock } = self;
        let unclean = |why: String| Unclean { path: path.clone(), why };
        connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(|error| unclean(error.to_string()))?;
        connection.close().map_err(|(_, error)| unclean(error.to_string()))?;
        lock.mark_clean().map_err(|error| unclean(error.to_string()))
    }
}

/// Nobody but the owner may read what people say. SQLite gives its other files the same mode.
fn create_private(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// A connection as the writer and the readers have in common. None moves the write-ahead log into the database
/// when it is closed: an error of that would go unseen.
fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_WAIT_MAX)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

fn check(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let finding: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(OpenError::sqlite(path))?;
    match finding.as_str() {
        "ok" => Ok(()),
        _ => Err(OpenError::Corrupt { path: path.to_owned(), finding }),
    }
}

/// What durability rests on is read back: SQLite answers a setting that it does not take with silence. The
/// write-ahead log is moved into the database by the writer alone, which looks at the errors of that.
fn set(connection: &Connection, durability: Durability, path: &Path) -> Result<(), OpenError> {
    let failed = OpenError::sqlite(path);
    let refused = |name, wanted, found| OpenError::Setting { path: path.to_owned(), name, wanted, found };
    let mode: String =
        connection.query_row("PRAGMA journal_mode = wal", [], |row| row.get(0)).map_err(&failed)?;
    if mode != "wal" {
        return Err(refused("journal_mode", "wal".to_owned(), mode));
    }
    for (name, wanted) in [
        ("synchronous", durability.synchronous()),
        ("fullfsync", i64::from(durability == Durability::PowerLoss)),
        ("wal_autocheckpoint", 0),
        ("cache_size", -WRITER_CACHE_KIB),
    ] {
        connection.pragma_update(None, name, wanted).map_err(&failed)?;
        let found: i64 = connection.pragma_query_value(None, name, |row| row.get(0)).map_err(&failed)?;
        if found != wanted {
            return Err(refused(name, wanted.to_string(), found.to_string()));
        }
    }
    Ok(())
}
