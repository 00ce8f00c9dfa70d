//! SIGTERM and SIGINT: the first begins a graceful end, the second ends the process at once.

use crate::engine::Engine;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::Arc;
use std::thread;

/// Listens for signals on a thread of its own.
pub fn start(engine: Arc<Engine>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let listen = move || signals.forever().for_each(|_| engine.drain());
    thread::Builder::new().name("signals".into()).spawn(listen)?;
    Ok(())
}
