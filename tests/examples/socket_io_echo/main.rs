//! An ordinary Socket.IO server, made of nothing of Parlor but its layers for Engine.IO and Socket.IO, in the mode
//! that the official protocol suites test: `cargo run -p parlor-tests --example socket_io_echo -- --port 3000`.
//!
//! `/engine.io/` sends every message back. `/socket.io/` has the namespaces `/` and `/custom`: whoever connects
//! hears `auth` with what it sent, `message` comes back as `message-back`, `message-with-ack` is acknowledged with
//! its arguments. It listens on this machine alone, with a thread for each connection.

mod app;
mod connection;
mod exchange;
mod server;

use app::Endpoint;
use server::Server;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::{env, io, thread};

/// The most connections at a time; more are hung up on.
const CONNECTIONS_MAX: usize = 1_024;
const PORT: u16 = 3_000;

/// A server for each path.
struct Endpoints {
    engine_io: Arc<Server>,
    socket_io: Arc<Server>,
    connections: AtomicUsize,
}

impl Endpoints {
    fn at(&self, path: &str) -> Option<&Server> {
        match path {
            "/engine.io/" => Some(&self.engine_io),
            "/socket.io/" => Some(&self.socket_io),
            _ => None,
        }
    }
}

fn main() -> io::Result<()> {
    let port = port().map_err(io::Error::other)?;
    let endpoints = Arc::new(Endpoints {
        engine_io: Arc::new(Server::new(Endpoint::Echo)),
        socket_io: Arc::new(Server::new(Endpoint::SocketIo)),
        connections: AtomicUsize::new(0),
    });
    for server in [&endpoints.engine_io, &endpoints.socket_io] {
        let server = server.clone();
        thread::spawn(move || server.keep_time());
    }
    let addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), (Ipv6Addr::LOCALHOST, port).into()];
    // `localhost` is either of the two, and a machine may do without one of them.
    let bound: Vec<_> = addresses.into_iter().map(TcpListener::bind).collect();
    if bound.iter().all(Result::is_err) {
        return bound.into_iter().try_for_each(|listener| listener.map(drop));
    }
    let mut acceptors = Vec::new();
    for listener in bound.into_iter().flatten() {
        println!("listening on http://{}", listener.local_addr()?);
        let endpoints = endpoints.clone();
        acceptors.push(thread::spawn(move || accept(&listener, &endpoints)));
    }
    acceptors.into_iter().try_for_each(|acceptor| acceptor.join().expect("it does not panic"))
}

fn port() -> Result<u16, String> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Ok(PORT),
        ["--port", port] => port.parse().map_err(|error| format!("--port {port}: {error}")),
        _ => Err("usage: socket_io_echo [--port PORT]".to_string()),
    }
}

fn accept(listener: &TcpListener, endpoints: &Arc<Endpoints>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        if endpoints.connections.fetch_add(1, SeqCst) < CONNECTIONS_MAX {
            let endpoints = endpoints.clone();
            thread::spawn(move || serve(stream, &endpoints));
        } else {
            endpoints.connections.fetch_sub(1, SeqCst);
        }
    }
}

fn serve(stream: TcpStream, endpoints: &Endpoints) {
    if let Err(error) = connection::serve(stream, endpoints) {
        // A client that hangs up is nothing to speak of.
        if error.kind() == io::ErrorKind::Other {
            eprintln!("{error}");
        }
    }
    endpoints.connections.fetch_sub(1, SeqCst);
}
