//! Takes in TCP connections, within what the process may hold open.

use crate::connection::Connection;
use crate::engine::Engine;
use crate::measured::note_limit;
use crate::tls::Tls;
use crate::transport::Transport;
use parlor_protocol::http::Response;
use parlor_protocol::metrics::Limit;
use parlor_protocol::record::{Level, Record};
use parlor_protocol::refusal::{Code, Refusal};
use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with, listen, sockopt};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4_096;
/// How long what was sent may stay unacknowledged before the kernel gives a connection up.
const UNACKNOWLEDGED_WAIT_MAX_MS: u32 = 30_000;
/// What the kernel holds of what waits for a slow client; Linux doubles it for its own needs. Without this limit it
/// takes up to 4 MB for each, which copies long after the client is known to be slow, and no budget counts it.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// The first and the longest pause after the system had nothing left for another connection.
const PAUSE_FIRST: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often the pause doubles before it is the longest.
const DOUBLINGS_MAX: u32 = 7;
/// A server that could hold fewer connections does not start.
const LINES_MIN: usize = 16;
/// When a client that found no room should try again, at the earliest.
const REFUSED_WAIT: Duration = Duration::from_secs(5);
/// Files that are left for the store, calls and threads.
const FILES_SPARE: u64 = 64;

/// A listening socket.
#[derive(Debug)]
pub struct Acceptor {
    engine: Arc<Engine>,
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    lines_max: usize,
    failures: AtomicU32,
}

/// What came of looking for a connection.
#[derive(Debug)]
pub enum Accepted {
    /// Here is one.
    Connection(Box<Connection>),
    /// Nobody waits.
    Nobody,
    /// One came and could not be taken in; there may be more.
    Refused,
    /// The system is out of something: look again only after this time.
    Exhausted(Duration),
}

impl Acceptor {
    /// Listens, for TLS if there is a certificate. `files_per_line` is how many file descriptors the driver holds for
    /// each connection.
    pub fn bind(
        engine: Arc<Engine>,
        address: SocketAddr,
        files_per_line: u64,
        tls: Option<Arc<Tls>>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        set_up(&listener)?;
        listen(&listener, BACKLOG)?;
        let files = files_max();
        let lines_max = lines_max(files, files_per_line);
        if lines_max < LINES_MIN {
            let message = format!("the limit of {files} open files leaves room for {lines_max} connections");
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, message));
        }
        let lines_max = lines_max.min(engine.lines_open().lines_max());
        Ok(Self { engine, listener, tls, lines_max, failures: AtomicU32::new(0) })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The engine that its connections talk to.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Takes in the next connection, without waiting.
    pub fn accept(&self) -> Accepted {
        match acceptfrom_with(&self.listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
            Ok((socket, address)) => {
                self.failures.store(0, Relaxed);
                let stream = TcpStream::from(socket);
                let address = address.and_then(|address| SocketAddr::try_from(address).ok());
                let peer =
                    address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| canonical(address.ip()));
                if let Some(refusal) = self.no_room(peer) {
                    return self.refuse(&stream, &refusal);
                }
                match self.transport(stream) {
                    Ok(transport) => {
                        let connection = Connection::new(self.engine.clone(), transport, peer);
                        Accepted::Connection(Box::new(connection))
                    }
                    Err(error) => {
                        let record = Record::new(Level::Error, "tls.failed");
                        self.engine.log(record.with("reason", error.to_string()));
                        Accepted::Refused
                    }
                }
            }
            Err(error) if error == Errno::WOULDBLOCK => Accepted::Nobody,
            // The client has given up while it waited.
            Err(Errno::CONNABORTED | Errno::INTR | Errno::PROTO) => Accepted::Refused,
            // Out of files or memory, or worse: whatever it is, asking again at once would not help.
            Err(_) => {
                let failures = self.failures.fetch_add(1, Relaxed).min(DOUBLINGS_MAX);
                Accepted::Exhausted((PAUSE_FIRST * (1 << failures)).min(PAUSE_MAX))
            }
        }
    }

    fn transport(&self, stream: TcpStream) -> Result<Transport, rustls::Error> {
        match &self.tls {
            Some(tls) => Ok(Transport::Tls(Box::new(tls.session(stream)?))),
            None => Ok(Transport::Plain(stream)),
        }
    }

    /// Why one more line from this address is not taken in, if it is not.
    fn no_room(&self, peer: IpAddr) -> Option<Refusal> {
        let (lines, most) = (self.engine.lines_open(), self.lines_max);
        let refusal = match lines.limit_reached_by(peer) {
            _ if lines.count() >= most => {
                Refusal::new(Code::Overloaded, format!("over the limit of {most} lines"))
            }
            Some(most) => {
                Refusal::new(Code::RateLimited, format!("over the limit of {most} lines of one address"))
            }
            None => return None,
        };
        note_limit(Limit::Lines);
        Some(refusal.retry_after(REFUSED_WAIT))
    }

    /// Over TLS nothing can be said before a handshake, which is what there is no room for.
    fn refuse(&self, mut stream: &TcpStream, refusal: &Refusal) -> Accepted {
        if self.tls.is_some() {
            return Accepted::Refused;
        }
        let body = serde_json::json!({ "error": refusal });
        let wait = REFUSED_WAIT.as_secs().to_string();
        let response = Response::json(refusal.code.status(), &body).with("retry-after", wait);
        let frame = self.engine.response_frame(&response, false, false);
        match stream.write(frame.bytes()) {
            Ok(_) | Err(_) => Accepted::Refused,
        }
    }
}

impl AsFd for Acceptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

/// Linux hands these on to the connections, which saves calls for each.
fn set_up(listener: &TcpListener) -> io::Result<()> {
    sockopt::set_socket_send_buffer_size(listener, SEND_BUFFER_BYTES)?;
    sockopt::set_tcp_nodelay(listener, true)?;
    sockopt::set_tcp_user_timeout(listener, UNACKNOWLEDGED_WAIT_MAX_MS)?;
    Ok(())
}

/// How many files the process may hold open, after asking for as many as it may ask for.
fn files_max() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap_or_default();
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Nine tenths of what there is, so that what else the process opens finds room.
fn lines_max(files: u64, files_per_line: u64) -> usize {
    let for_lines = (files / 10 * 9).saturating_sub(FILES_SPARE) / files_per_line.max(1);
    usize::try_from(for_lines).unwrap_or(usize::MAX)
}

/// An IPv4 address that came over an IPv6 socket is an IPv4 address.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_send_at_once_hold_little_and_are_given_up_when_what_they_sent_is_not_acknowledged_for_30_s()
     {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        set_up(&listener).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        assert!(sockopt::tcp_nodelay(&accepted).unwrap());
        assert_eq!(sockopt::tcp_user_timeout(&accepted).unwrap(), 30_000);
        assert_eq!(sockopt::socket_send_buffer_size(&accepted).unwrap(), 2 * SEND_BUFFER_BYTES);
    }

    #[test]
    fn a_tenth_of_the_files_and_64_are_left_for_others() {
        assert_eq!(lines_max(20_000, 1), 17_936);
        assert_eq!(lines_max(20_000, 2), 8_968);
        assert_eq!(lines_max(60, 1), 0);
    }
}
