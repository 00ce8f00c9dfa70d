//! What only the process knows of itself, for statistics and metrics: its memory, and what its parts count as they go.

use parlor_protocol::metrics::{App, ByApp, ByLimit, Limit, Measured};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

static DROPPED: [AtomicU64; App::ALL.len()] = [const { AtomicU64::new(0) }; App::ALL.len()];
static LIMITS: [AtomicU64; Limit::ALL.len()] = [const { AtomicU64::new(0) }; Limit::ALL.len()];
static LOG_LINES: AtomicU64 = AtomicU64::new(0);
static CERTIFICATE_EXPIRY: AtomicU64 = AtomicU64::new(0);

/// Signals were dropped because their receivers were slow.
pub fn note_dropped(dropped: &ByApp) {
    for (app, count) in dropped.iter().filter(|(_, count)| *count > 0) {
        DROPPED[app as usize].fetch_add(count, Ordering::Relaxed);
    }
}

/// A limit was reached.
pub fn note_limit(limit: Limit) {
    LIMITS[limit as usize].fetch_add(1, Ordering::Relaxed);
}

/// A line of the log was lost.
pub fn note_log_line_dropped() {
    LOG_LINES.fetch_add(1, Ordering::Relaxed);
}

/// Until when the certificate of TLS is good, in seconds since 1970.
pub fn note_certificate_expiry(seconds: u64) {
    CERTIFICATE_EXPIRY.store(seconds, Ordering::Relaxed);
}

/// What is known of the process as a whole.
pub fn measured() -> Measured {
    let (mut dropped, mut limits) = (ByApp::default(), ByLimit::default());
    App::ALL.iter().for_each(|app| dropped.add(*app, DROPPED[*app as usize].load(Ordering::Relaxed)));
    Limit::ALL.iter().for_each(|limit| limits.add(*limit, LIMITS[*limit as usize].load(Ordering::Relaxed)));
    Measured {
        memory_bytes: resident_bytes(),
        dropped,
        limits,
        certificate_expiry: CERTIFICATE_EXPIRY.load(Ordering::Relaxed),
        log_lines_dropped: LOG_LINES.load(Ordering::Relaxed),
        ..Measured::default()
    }
}

/// How much memory the process has; 0: the system does not tell.
pub fn resident_bytes() -> u64 {
    kibibytes(&read("/proc/self/status"), "VmRSS:").unwrap_or_default()
}

/// How much it may take: what its cgroup allows, and no more than there is; 0: the system does not tell.
pub fn memory_max() -> u64 {
    let machine = kibibytes(&read("/proc/meminfo"), "MemTotal:");
    let file = cgroup(&read("/proc/self/cgroup")).map(|cgroup| format!("/sys/fs/cgroup{cgroup}/memory.max"));
    let allowed = file.and_then(|file| read(&file).trim().parse::<u64>().ok());
    allowed.into_iter().chain(machine).min().unwrap_or_default()
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The path of the process's cgroup, in what the system says of it (version 2 only).
fn cgroup(said: &str) -> Option<&str> {
    said.lines().find_map(|line| line.strip_prefix("0::")).map(|path| path.trim_end_matches('/'))
}

/// A number of the system's, which counts in KiB.
fn kibibytes(said: &str, name: &str) -> Option<u64> {
    let line = said.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        let status = "Name:\tparlor\nVmRSS:\t    2048 kB\nThreads:\t1\n";
        assert_eq!(kibibytes(status, "VmRSS:"), Some(2_097_152));
        assert_eq!(kibibytes("Name:\tparlor\n", "VmRSS:"), None);
        let measured = measured();
        assert!(measured.memory_bytes > 1 << 16, "{measured:?}");
        assert!(memory_max() > measured.memory_bytes, "{measured:?}");
    }

    #[test]
    fn the_cgroup_is_the_one_of_version_2() {
        assert_eq!(
            cgroup("12:memory:/old\n0::/system.slice/parlor.service\n"),
            Some("/system.slice/parlor.service")
        );
        assert_eq!((cgroup("0::/\n"), cgroup("1:name=systemd:/x\n")), (Some(""), None));
    }
}
