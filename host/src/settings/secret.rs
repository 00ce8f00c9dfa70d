//! The secret of a trial: made once, kept beside the database for its owner alone, and used again.

use crate::seed;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// What the file holds, a line each.
pub struct Kept {
    pub jwt_secret: String,
    pub service_key: String,
}

/// Reads the file, or makes it when there is none.
pub fn keep(path: &Path) -> Result<Kept, String> {
    match kept(path)? {
        Some(kept) => Ok(kept),
        None => make(path).map_err(|why| format!("{}: {why}", path.display())),
    }
}

/// Reads the file, if there is one.
pub fn kept(path: &Path) -> Result<Option<Kept>, String> {
    match File::open(path) {
        Ok(file) => read(file, path).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

fn make(path: &Path) -> io::Result<Kept> {
    let kept = Kept { jwt_secret: hex(seed::draw()?), service_key: hex(seed::draw()?) };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(path)?;
    file.write_all(format!("{}\n{}\n", kept.jwt_secret, kept.service_key).as_bytes())?;
    file.sync_all()?;
    Ok(kept)
}

const OWNER_ONLY: u32 = 0o600;
/// 32 bytes in hexadecimal.
const LINE_BYTES: usize = 64;

fn read(file: File, path: &Path) -> Result<Kept, String> {
    let path = path.display();
    let mode = file.metadata().map_err(|why| format!("{path}: {why}"))?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!(
            "{path} has the mode {mode:o}: others can read the secret; chmod {OWNER_ONLY:o} it"
        ));
    }
    let mut text = String::new();
    let limit = 4 * LINE_BYTES as u64;
    file.take(limit).read_to_string(&mut text).map_err(|why| format!("{path}: {why}"))?;
    let lines: Vec<_> = text.lines().filter(|line| is_secret(line)).collect();
    match lines.as_slice() {
        [jwt_secret, service_key] => {
            Ok(Kept { jwt_secret: (*jwt_secret).to_string(), service_key: (*service_key).to_string() })
        }
        _ => Err(format!(
            "{path} is not two lines of {LINE_BYTES} hexadecimal digits: remove it for a new secret"
        )),
    }
}

fn is_secret(line: &str) -> bool {
    line.len() == LINE_BYTES && line.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn hex(bytes: [u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
