//! The file beside the database that says whose it is. Whoever has it locked has the database to itself; what
//! is written in it tells how the last owner left: `clean`, or its process number, which stays behind after a
//! crash.

use super::error::OpenError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const CLEAN: &str = "clean\n";
/// What is read of the file: more than any process number takes.
const CONTENT_BYTES_MAX: u64 = 32;

#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    left_clean: bool,
}

impl Lock {
    /// Takes the database's lock, or says who has it.
    pub(super) fn take(database: &Path) -> Result<Self, OpenError> {
        let path = beside(database);
        let failed = |source| OpenError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = content(&mut file).map_err(failed)?.trim().parse().ok();
                return Err(OpenError::InUse { path: database.to_owned(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let left_clean = content(&mut file).map_err(failed)? == CLEAN;
        Ok(Self { file, left_clean })
    }

    /// Whether the last owner closed the database in order.
    pub(super) fn left_clean(&self) -> bool {
        self.left_clean
    }

    /// From here on a crash is seen by the next owner.
    pub(super) fn mark_open(&mut self) -> io::Result<()> {
        self.write(&format!("{}\n", std::process::id()))
    }

    /// The database is closed and whole.
    pub(super) fn mark_clean(mut self) -> io::Result<()> {
        self.write(CLEAN)
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()
    }
}

fn content(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(CONTENT_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn beside(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push("-lock");
    path.into()
}
