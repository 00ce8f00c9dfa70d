//! What can go wrong with the database, sorted by what follows from it: the start is refused (`OpenError`), a
//! group of requests is refused or left open (`Fate`), the process ends (`Fatal`), or the next start has to
//! look more closely (`Unclean`).

use rusqlite::{ErrorCode, ffi};
use std::path::{Path, PathBuf};
use std::{error, fmt, io};

/// Why a database was not opened. Every message names the file.
#[derive(Debug)]
pub enum OpenError {
    /// Another store has it.
    InUse {
        /// The database.
        path: PathBuf,
        /// The process that has it, if it said so.
        holder: Option<u32>,
    },
    /// The file is not a SQLite database.
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// A SQLite database, but another program's.
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// Its schema is newer than this program.
    Newer {
        /// The database.
        path: PathBuf,
        /// The version of its schema.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// It is damaged.
    Corrupt {
        /// The database.
        path: PathBuf,
        /// The first thing that was found wrong.
        finding: String,
    },
    /// The SQLite library is too old to be trusted with a write-ahead log.
    LibraryTooOld {
        /// Its version.
        found: i32,
        /// The oldest that will do.
        oldest: i32,
    },
    /// A setting that durability rests on did not take.
    Setting {
        /// The database.
        path: PathBuf,
        /// Which.
        name: &'static str,
        /// The value that was asked for.
        wanted: String,
        /// The value that it has.
        found: String,
    },
    /// The file or its lock could not be read or made.
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Anything else that SQLite said.
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
}

impl OpenError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |source| Self::Io { path: path.to_owned(), source }
    }

    pub(super) fn sqlite(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        |source| {
            let path = path.to_owned();
            match source.sqlite_error_code() {
                Some(ErrorCode::NotADatabase) => Self::NotADatabase { path },
                Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt { path, finding: source.to_string() },
                Some(_) | None => Self::Sqlite { path, source },
            }
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { path, holder: Some(pid) } => {
                write!(f, "{}: in use by process {pid}; one server at a time may have it", path.display())
            }
            Self::InUse { path, holder: None } => {
                write!(f, "{}: in use by another process; one server at a time may have it", path.display())
            }
            Self::NotADatabase { path } => write!(f, "{}: not a SQLite database", path.display()),
            Self::Foreign { path } => write!(f, "{}: a database of another program", path.display()),
            Self::Newer { path, found, known } => write!(
                f,
                "{}: its schema has version {found}, this program knows versions up to {known}: start a newer program",
                path.display()
            ),
            Self::Corrupt { path, finding } => write!(
                f,
                "{}: the database is damaged ({finding}): restore a copy, or repair it with `sqlite3 .recover`",
                path.display()
            ),
            Self::LibraryTooOld { found, oldest } => {
                write!(f, "SQLite library {found} is too old: at least {oldest} is needed")
            }
            Self::Setting { path, name, wanted, found } => {
                write!(f, "{}: {name} should be {wanted} and is {found}", path.display())
            }
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Sqlite { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl error::Error for OpenError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Sqlite { source, .. } => Some(source),
            Self::InUse { .. }
            | Self::NotADatabase { .. }
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::Corrupt { .. }
            | Self::LibraryTooOld { .. }
            | Self::Setting { .. } => None,
        }
    }
}

/// The disk did not confirm what it was given: what it holds is unknown, asking it again proves nothing, and
/// the process has to end without an answer to anybody.
#[derive(Debug)]
pub struct Fatal {
    pub(super) path: PathBuf,
    pub(super) source: rusqlite::Error,
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: fsync gave an error, what the disk holds is unknown: {}",
            self.path.display(),
            self.source
        )
    }
}

impl error::Error for Fatal {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.source)
    }
}

/// The database could not be closed in order. Nothing is lost; the next start examines it.
#[derive(Debug)]
pub struct Unclean {
    pub(super) path: PathBuf,
    pub(super) why: String,
}

impl fmt::Display for Unclean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: not closed in order ({}): the next start examines it", self.path.display(), self.why)
    }
}

impl error::Error for Unclean {}

/// What becomes of a group of requests after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Surely not stored.
    Refused,
    /// Perhaps stored.
    Open,
    /// Nobody can tell any more.
    Fatal,
}

/// Where an error came up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before COMMIT was begun.
    Writing,
    /// From COMMIT itself.
    Committing,
}

/// A group counts as stored once its last frame is in the write-ahead log. COMMIT writes that frame after all
/// others and then syncs, so an error of a write leaves the group without its last frame: it is not stored.
/// What goes wrong after that (the log's index in shared memory, say) leaves it open.
pub(super) fn fate(stage: Stage, error: &rusqlite::Error) -> Fate {
    let code = error.sqlite_error().map_or(ffi::SQLITE_ERROR, |error| error.extended_code);
    match (stage, code) {
        (_, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) => Fate::Fatal,
        (Stage::Writing, _) => Fate::Refused,
        (Stage::Committing, ffi::SQLITE_FULL | ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_BUSY) => Fate::Refused,
        (Stage::Committing, _) => Fate::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_judged_by_what_it_says_of_the_disk() {
        let judged = |stage, code| fate(stage, &rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        for stage in [Stage::Writing, Stage::Committing] {
            assert_eq!(judged(stage, ffi::SQLITE_IOERR_FSYNC), Fate::Fatal);
            assert_eq!(judged(stage, ffi::SQLITE_IOERR_DIR_FSYNC), Fate::Fatal);
            assert_eq!(judged(stage, ffi::SQLITE_FULL), Fate::Refused);
            assert_eq!(judged(stage, ffi::SQLITE_IOERR_WRITE), Fate::Refused);
            assert_eq!(judged(stage, ffi::SQLITE_BUSY), Fate::Refused);
        }
        for code in
            [ffi::SQLITE_IOERR_SHMSIZE, ffi::SQLITE_IOERR_READ, ffi::SQLITE_NOMEM, ffi::SQLITE_CORRUPT]
        {
            assert_eq!(judged(Stage::Writing, code), Fate::Refused);
            assert_eq!(judged(Stage::Committing, code), Fate::Open);
        }
        assert_eq!(fate(Stage::Writing, &rusqlite::Error::QueryReturnedNoRows), Fate::Refused);
    }
}
