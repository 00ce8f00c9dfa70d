//! `parlor`: the driver on smol. One thread serves all sockets, a small task each.

mod serve;
mod task;
mod turns;

use std::process::ExitCode;

/// File descriptors for each connection: its socket.
const FILES_PER_LINE: u64 = 1;

fn main() -> ExitCode {
    parlor_host::commands::run("parlor", FILES_PER_LINE, serve::serve)
}
