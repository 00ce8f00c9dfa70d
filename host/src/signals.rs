//! SIGTERM and SIGINT: the first begins a graceful end, another ends the process at once, unless it comes right
//! behind the first: whoever stops processes in groups may send it twice. SIGHUP reads the certificate of TLS again.
//! SIGXFSZ is taken notice of and no more: a write over the limit of a file's size then fails as on a full disk.

use crate::engine::Engine;
use crate::tls::Tls;
use parlor_protocol::record::{Level, Record};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// For how long a further signal to end is the same as the first.
const SAME_SIGNAL: Duration = Duration::from_secs(1);

/// Listens for signals on a thread of its own. `tls` is what SIGHUP reads again.
pub fn start(engine: Arc<Engine>, tls: Option<Arc<Tls>>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGXFSZ])?;
    let listen = move || {
        let mut began = None;
        for signal in signals.forever() {
            match signal {
                SIGXFSZ => {}
                SIGHUP => engine.log(reloaded(tls.as_deref())),
                _ if counts(&mut began, Instant::now()) => engine.drain(),
                _ => {}
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(listen)?;
    Ok(())
}

/// Whether a signal to end counts; `began` is when the first one came.
fn counts(began: &mut Option<Instant>, now: Instant) -> bool {
    match began {
        Some(began) => now.duration_since(*began) >= SAME_SIGNAL,
        None => {
            *began = Some(now);
            true
        }
    }
}

fn reloaded(tls: Option<&Tls>) -> Record {
    let Some(tls) = tls else {
        return Record::new(Level::Info, "reload.nothing").with("reason", "TLS_CERT and TLS_KEY are not set");
    };
    match tls.reload() {
        Ok(()) => {
            let certificate = tls.files().certificate.display().to_string();
            Record::new(Level::Info, "tls.reloaded").with("certificate", certificate)
        }
        Err(error) => Record::new(Level::Error, "tls.not_reloaded").with("error", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_within_a_second_of_the_first_is_the_same_and_a_later_one_is_another() {
        let (mut began, first) = (None, Instant::now());
        let at = |ms| first + Duration::from_millis(ms);
        let counted = [0, 1, 999, 1_000, 5_000].map(|ms| counts(&mut began, at(ms)));
        assert_eq!(counted, [true, false, false, true, true]);
    }
}
