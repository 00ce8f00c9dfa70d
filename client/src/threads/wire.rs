//! What a connection is made of: a TCP stream, as it is or with TLS over it.

use crate::target::Target;
use rustls::ClientConnection;
use std::io::{self, ErrorKind, Read, Write};
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

/// TLS over a stream. What has come is read even while the other end takes nothing, which is not so with what rustls
/// brings for this: there a reader waits for its own writes, and a poll that says "readable" would never end.
struct Secure {
    session: ClientConnection,
    stream: TcpStream,
}

impl Secure {
    fn write_out(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(&mut self.stream)?;
        }
        Ok(())
    }

    /// The same as far as it goes now.
    fn write_some(&mut self) -> io::Result<()> {
        match self.write_out() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            written => written,
        }
    }
}

impl Both for Secure {
    fn tcp(&self) -> &TcpStream {
        &self.stream
    }
}

impl Read for Secure {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            // A handshake, and an answer to a new key, go out by the way.
            self.write_some()?;
            let count = self.session.read_tls(&mut self.stream)?;
            let told = self.session.process_new_packets().map_err(io::Error::other);
            if told.is_err() || count == 0 {
                // The other end is told why.
                self.write_some()?;
                told?;
                return self.session.reader().read(buffer);
            }
        }
    }
}

impl Write for Secure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_some()?;
        let count = self.session.writer().write(bytes)?;
        if count == 0 && !bytes.is_empty() {
            self.write_out()?;
            return self.session.writer().write(bytes);
        }
        self.write_some()?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_out()?;
        self.stream.flush()
    }
}

/// Connects, as the target says.
pub fn reach(target: &Target, until: Instant) -> io::Result<Wire> {
    let stream = connect(target, until)?;
    Ok(match &target.tls {
        Some(tls) => Box::new(Secure { session: tls.session().map_err(io::Error::other)?, stream }),
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
