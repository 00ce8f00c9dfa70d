//! A server with a fault planted in it: it says that entries are stored some time before they are. Everything
//! but its store is the real thing. It shows that the test which kills servers would find such a fault.
//!
//! The store in front, which answers, is a copy of the database that nobody looks at again; the database itself
//! takes in the same commits later.

#[path = "../../runtime-sync/src/bell.rs"]
mod bell;
#[path = "../../runtime-sync/src/serve.rs"]
mod serve;
#[path = "../../runtime-sync/src/thread.rs"]
mod thread;

use parlor_host::acceptor::Acceptor;
use parlor_host::clock::Clock;
use parlor_host::engine::{Answer, Calls, Commit, Engine, Fatal, Outside, Stores, Tell};
use parlor_host::keyring::Keyring;
use parlor_host::settings::{Configuration, Surroundings};
use parlor_host::{seed, signals, trial};
use parlor_protocol::call::{Call, CallFailure, Said};
use parlor_protocol::ids::Ticket;
use parlor_protocol::server::Server;
use parlor_protocol::store::{StoreReply, StoreRequest};
use parlor_protocol::time::Timestamp;
use parlor_store::{Durability, SqliteStore};
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How much later the database takes in what was acknowledged.
const LATER: Duration = Duration::from_millis(50);
/// File descriptors for each connection, as the driver on threads has them.
const FILES_PER_LINE: u64 = 2;

/// What the database is to take in, and when.
type Batch = (Instant, Timestamp, Vec<(Ticket, StoreRequest)>);

/// Answers from the copy and leaves the database for later.
struct Hasty {
    copy: SqliteStore,
    later: Sender<Batch>,
    database: JoinHandle<()>,
}

struct NoCalls;

fn main() -> Result<(), Box<dyn Error>> {
    let configuration = Configuration::load(&Surroundings::of_process("parlor-hasty"));
    let configuration = configuration.map_err(|stop| stop.to_string())?;
    let clock = Arc::new(Clock::start());
    let stores = stores(&configuration.database)?;
    let time = clock.clone();
    let outside = Outside {
        now: Box::new(move || time.now()),
        log: Box::new(|_| {}),
        calls: Box::new(NoCalls),
        keys: Keyring::new(configuration.keys.clone(), configuration.jwks_interval),
        jwks: None,
        document_job_max: Duration::from_secs(10),
        memory_max: 0,
        recorder: None,
        asset: |_| None,
    };
    let engine = Engine::start(Server::new(configuration.core.clone(), seed::draw()?), outside, stores)?;
    signals::start(engine.clone(), None)?;
    let address = SocketAddr::new(configuration.host, configuration.port);
    let acceptor = Acceptor::bind(engine, address, FILES_PER_LINE, None)?;
    print!("{}", trial::greeting(&configuration, acceptor.address()?, clock.now()));
    let engine = acceptor.engine().clone();
    serve::serve(acceptor)?;
    engine.close_store();
    Ok(())
}

fn stores(path: &Path) -> Result<Stores, Box<dyn Error>> {
    let mut database = SqliteStore::open(path, Durability::PowerLoss)?;
    let copied = path.with_extension(format!("copy-{}", std::process::id()));
    rusqlite::Connection::open(path)?.execute("VACUUM INTO ?1", [copied.to_str()])?;
    let copy = SqliteStore::open(&copied, Durability::Process)?;
    let reader = Box::new(copy.reader()?);
    let (later, batches) = channel::<Batch>();
    let database = std::thread::spawn(move || {
        for (due, now, batch) in batches {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            database.commit(now, batch).expect("the disk takes it");
        }
        database.close().expect("the disk takes it");
    });
    Ok(Stores { writer: Box::new(Hasty { copy, later, database }), readers: vec![reader as Box<dyn Answer>] })
}

impl Commit for Hasty {
    fn commit(
        &mut self,
        now: Timestamp,
        batch: Vec<(Ticket, StoreRequest)>,
    ) -> Result<Vec<(Ticket, StoreReply)>, Fatal> {
        let later = (Instant::now() + LATER, now, batch.clone());
        self.later.send(later).map_err(|error| Fatal(error.to_string()))?;
        self.copy.commit(now, batch).map_err(|fatal| Fatal(fatal.to_string()))
    }

    fn close(self: Box<Self>) -> Result<(), String> {
        let Self { later, database, .. } = *self;
        drop(later);
        database.join().map_err(|_| "the database was not closed".to_string())
    }
}

impl Calls for NoCalls {
    fn start(&self, _call: Call, tell: Tell) {
        tell.said(Said::Failed(CallFailure::Passing { retry_after: None }));
    }

    fn cancel(&self, _ticket: Ticket) {}
}
