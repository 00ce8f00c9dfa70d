//! Puts a server together from its parts and hands it to a driver.

use crate::acceptor::Acceptor;
use crate::calls::{Calls, Hearing};
use crate::clock::Clock;
use crate::engine::{self, Engine, Outside, Tell};
use crate::keyring::Keyring;
use crate::log::Log;
use crate::recording::{Header, Hider, Recorder};
use crate::settings::{Configuration, Stop, Surroundings};
use crate::tls::Tls;
use crate::{console, seed, signals, stores, trial};
use parlor_protocol::call::Call;
use parlor_protocol::ids::Ticket;
use parlor_protocol::record::{Level, Record};
use parlor_protocol::server::Server;
use parlor_protocol::time::Timestamp;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

/// The exit status of a start that did not succeed.
const EXIT_NOT_STARTED: u8 = 2;

/// A server that listens, and what it needs at its end.
struct Started {
    acceptor: Acceptor,
    engine: Arc<Engine>,
    log: Arc<Log>,
}

/// Runs a server until it has drained. `serve` is the driver of this name; it holds `files_per_line` file
/// descriptors for each connection.
pub fn run(
    surroundings: Surroundings,
    files_per_line: u64,
    serve: impl FnOnce(Acceptor) -> io::Result<()>,
) -> ExitCode {
    let program = surroundings.program;
    let configuration = match Configuration::load(&surroundings) {
        Ok(configuration) => configuration,
        Err(stop) => return stopped(program, &stop),
    };
    match start(program, &configuration, files_per_line).and_then(|started| finish(started, serve)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            complain(&format!("{program}: {message}\n"));
            ExitCode::from(EXIT_NOT_STARTED)
        }
    }
}

/// Prints a text. That nobody reads it any more is no fault.
pub(crate) fn say(text: &str) {
    let mut out = io::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).unwrap_or_default();
}

/// The same, for what went wrong.
pub(crate) fn complain(text: &str) {
    io::stderr().write_all(text.as_bytes()).unwrap_or_default();
}

/// Says why nothing was done, and returns what the process is to end with.
pub(crate) fn stopped(program: &str, stop: &Stop) -> ExitCode {
    match stop {
        Stop::Answered(_) => say(&format!("{stop}\n")),
        Stop::Wrong(_) => complain(&format!("{program}: {stop}\n")),
    }
    ExitCode::from(stop.exit_code())
}

fn start(program: &str, configuration: &Configuration, files_per_line: u64) -> Result<Started, String> {
    let clock = Clock::start();
    let log = Log::to_stderr(configuration.log_level, configuration.log_format);
    let log = Arc::new(log.map_err(|error| format!("cannot write the log: {error}"))?);
    for warning in &configuration.warnings {
        log.write(clock.now(), Record::new(Level::Warn, "settings").with("warning", warning.as_str()));
    }
    let tls = configuration.tls.as_ref().map(Tls::open).transpose()?.map(Arc::new);
    let seed = seed::draw().map_err(|error| format!("the system gives no randomness: {error}"))?;
    let stores = stores::open(configuration, clock.now())?;
    let server = Server::new(configuration.core.clone(), seed);
    let recorder = recorder(program, configuration, (clock.now(), seed), &log)?;
    let outside = Outside { recorder, ..outside(configuration, clock, log.clone()) };
    let engine = Engine::start(server, outside, stores).map_err(|error| format!("cannot start: {error}"))?;
    match listen(configuration, &engine, files_per_line, tls) {
        Ok(acceptor) => Ok(Started { acceptor, engine, log }),
        Err(message) => {
            // The store was opened in order, and the next start need not examine it.
            engine.close_store();
            Err(message)
        }
    }
}

fn listen(
    configuration: &Configuration,
    engine: &Arc<Engine>,
    files_per_line: u64,
    tls: Option<Arc<Tls>>,
) -> Result<Acceptor, String> {
    signals::start(engine.clone(), tls.clone())
        .map_err(|error| format!("cannot watch for signals: {error}"))?;
    let address = SocketAddr::new(configuration.host, configuration.port);
    let acceptor = Acceptor::bind(engine.clone(), address, files_per_line, tls)
        .map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let bound = acceptor.address().map_err(|error| format!("cannot tell the address: {error}"))?;
    say(&trial::greeting(configuration, bound, Clock::start().now()));
    Ok(acceptor)
}

fn finish(started: Started, serve: impl FnOnce(Acceptor) -> io::Result<()>) -> Result<(), String> {
    let Started { acceptor, engine, log } = started;
    let served = serve(acceptor).map_err(|error| error.to_string());
    engine.close_store();
    engine.close_recording();
    // What still waits goes first: a line that matters to an operator must not find the queue full.
    log.flush();
    log.write(Clock::start().now(), engine.held().record());
    log.flush();
    served
}

/// Begins the recording that the settings ask for.
fn recorder(
    program: &str,
    configuration: &Configuration,
    (now, seed): (Timestamp, [u8; 32]),
    log: &Arc<Log>,
) -> Result<Option<Recorder>, String> {
    let Some((file, bytes_max)) = &configuration.record else { return Ok(None) };
    let header = Header::new(program, now, seed, configuration.core.clone());
    let salt = seed::draw().map_err(|error| format!("the system gives no randomness: {error}"))?;
    let (log, clock) = (log.clone(), Clock::start());
    let told = Box::new(move |record| log.write(clock.now(), record));
    let recorder = Recorder::start((file, *bytes_max), &header, Hider::new(salt, &configuration.keys), told);
    recorder.map(Some).map_err(|why| format!("cannot record: {why}"))
}

fn outside(configuration: &Configuration, clock: Clock, log: Arc<Log>) -> Outside {
    let clock = Arc::new(clock);
    let (services, called, logged) = (configuration.services.clone(), clock.clone(), clock.clone());
    let attempt = move |call: &Call, hearing: &Hearing<'_>| services.attempt(call, hearing, called.now());
    Outside {
        now: Box::new(move || clock.now()),
        log: Box::new(move |record| log.write(logged.now(), record)),
        calls: Box::new(HttpCalls(Calls::new(attempt))),
        keys: Keyring::new(configuration.keys.clone(), configuration.jwks_interval),
        jwks: configuration.jwks.clone(),
        document_job_max: configuration.document_job_max,
        memory_max: configuration.memory_max,
        recorder: None,
        asset: console::asset,
    }
}

struct HttpCalls(Calls);

impl engine::Calls for HttpCalls {
    fn start(&self, call: Call, tell: Tell) {
        self.0.start(tell.ticket(), call, Box::new(move |said| tell.said(said)));
    }

    fn cancel(&self, ticket: Ticket) {
        self.0.cancel(ticket);
    }
}
