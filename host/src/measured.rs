//! What only the process knows of itself, for statistics.

use parlor_protocol::http::Measured;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

static DROPPED: AtomicU64 = AtomicU64::new(0);

/// So many signals were dropped because their receivers were slow.
pub fn note_dropped(count: u64) {
    if count > 0 {
        DROPPED.fetch_add(count, Ordering::Relaxed);
    }
}

/// What is to be said now. Memory is 0 where the system does not tell.
pub fn measured() -> Measured {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory_bytes = resident(&status).unwrap_or_default();
    Measured { memory_bytes, dropped: DROPPED.load(Ordering::Relaxed) }
}

/// The resident memory in what the system says of a process, which counts in KiB.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(resident("Name:\tparlor\nVmRSS:\t    2048 kB\nThreads:\t1\n"), Some(2_097_152));
        assert_eq!(resident("Name:\tparlor\n"), None);
        assert!(measured().memory_bytes > 1 << 16);
    }
}
