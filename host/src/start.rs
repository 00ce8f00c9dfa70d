//! Puts a server together from its parts and hands it to a driver.

use crate::acceptor::Acceptor;
use crate::engine::{Answer, Calls, Commit, Engine, Fatal, Outside, Stores, Tell};
use crate::signals;
use parlor_protocol::auth::Keys;
use parlor_protocol::call::{Call, CallFailure, Said};
use parlor_protocol::ids::Ticket;
use parlor_protocol::server::Server;
use parlor_protocol::settings::Settings;
use parlor_protocol::store::{StoreReply, StoreRequest};
use parlor_protocol::time::Timestamp;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The exit status of a start that did not succeed.
const EXIT_NOT_STARTED: u8 = 2;

/// Runs a server until it has drained. `serve` is the driver; it holds `files_per_line` file descriptors for
/// each connection.
pub fn run(files_per_line: u64, serve: impl FnOnce(Acceptor) -> std::io::Result<()>) -> ExitCode {
    match prepare(files_per_line).and_then(|acceptor| serve(acceptor).map_err(|error| error.to_string())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("parlor: {message}");
            ExitCode::from(EXIT_NOT_STARTED)
        }
    }
}

fn prepare(files_per_line: u64) -> Result<Acceptor, String> {
    let address = address(std::env::args().skip(1))?;
    let server = Server::new(Settings { echo: true, ..Settings::default() }, [0; 32]);
    let stores = Stores { writer: Box::new(NoStore), readers: vec![Box::new(NoStore)] };
    let engine = Engine::start(server, outside(), stores).map_err(|error| error.to_string())?;
    signals::start(engine.clone()).map_err(|error| error.to_string())?;
    let acceptor = Acceptor::bind(engine, address, files_per_line)
        .map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let address = acceptor.address().map_err(|error| error.to_string())?;
    println!("listening on http://{address}");
    Ok(acceptor)
}

fn address(mut arguments: impl Iterator<Item = String>) -> Result<SocketAddr, String> {
    let mut address = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        let wrong = || format!("{name} cannot be {value}");
        match name.as_str() {
            "--host" => address.set_ip(value.parse::<IpAddr>().ok().ok_or_else(wrong)?),
            "--websocket-port" => address.set_port(value.parse::<u16>().ok().ok_or_else(wrong)?),
            _ => {}
        }
    }
    Ok(address)
}

fn outside() -> Outside {
    let since = Instant::now();
    let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Outside {
        now: Box::new(move || Timestamp(0) + (start + since.elapsed())),
        log: Box::new(|record| eprintln!("{record:?}")),
        calls: Box::new(NoCalls),
        keys: Arc::new(Keys::default()),
        asset: |_| None,
    }
}

struct NoStore;

impl Commit for NoStore {
    fn commit(
        &mut self,
        _now: Timestamp,
        batch: Vec<(Ticket, StoreRequest)>,
    ) -> Result<Vec<(Ticket, StoreReply)>, Fatal> {
        Ok(batch.into_iter().map(|(ticket, _)| (ticket, StoreReply::Unavailable)).collect())
    }
}

impl Answer for NoStore {
    fn answer(&mut self, _request: &StoreRequest) -> StoreReply {
        StoreReply::Unavailable
    }
}

struct NoCalls;

impl Calls for NoCalls {
    fn start(&self, _call: Call, tell: Tell) {
        // Not from here: the core is locked.
        std::thread::spawn(move || tell.said(Said::Failed(CallFailure::Passing { retry_after: None })));
    }

    fn cancel(&self, _ticket: Ticket) {}
}
