//! SIGTERM and SIGINT: the first begins a graceful end, the second ends the process at once. SIGXFSZ is taken
//! notice of and no more: a write over the limit of a file's size then fails as on a full disk.

use crate::engine::Engine;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::Arc;
use std::thread;

/// Listens for signals on a thread of its own.
pub fn start(engine: Arc<Engine>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGXFSZ])?;
    let listen = move || signals.forever().filter(|signal| *signal != SIGXFSZ).for_each(|_| engine.drain());
    thread::Builder::new().name("signals".into()).spawn(listen)?;
    Ok(())
}
