//! What a connection is made of: a TCP stream, as it is or with TLS over it.

use crate::target::Target;
use rustls::{ClientConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// What WebSocket is spoken over.
pub type Wire = Box<dyn Both>;

/// Both directions, over a TCP stream.
pub trait Both: Read + Write {
    fn tcp(&self) -> &TcpStream;
}

impl Both for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Both for StreamOwned<ClientConnection, TcpStream> {
    fn tcp(&self) -> &TcpStream {
        &self.sock
    }
}

/// Connects, as the target says.
pub fn reach(target: &Target, until: Instant) -> io::Result<Wire> {
    let stream = connect(target, until)?;
    Ok(match &target.tls {
        Some(tls) => Box::new(StreamOwned::new(tls.session().map_err(io::Error::other)?, stream)),
        None => Box::new(stream),
    })
}

fn connect(target: &Target, until: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in (target.host.as_str(), target.port).to_socket_addrs()? {
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(left))?;
                stream.set_write_timeout(Some(left))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
