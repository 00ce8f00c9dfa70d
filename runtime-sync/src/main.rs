//! `parlor-threads`: the driver on blocking threads, one for each connection. For small hosts, and to keep the
//! core honest: nothing in it knows how it is driven.

mod bell;
mod serve;
mod thread;

use std::process::ExitCode;

/// File descriptors for each connection: its socket and its bell.
const FILES_PER_LINE: u64 = 2;

fn main() -> ExitCode {
    parlor_host::commands::run("parlor-threads", FILES_PER_LINE, serve::serve)
}
