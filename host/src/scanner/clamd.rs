//! clamd over its own protocol: `zINSTREAM`, then the file in chunks that say how long they are, an empty one at
//! the end; clamd replies with a line that ends in a zero byte and hangs up.

use parlor_protocol::call::{CLAMD_REPLY_BYTES_MAX, CallFailure, Scanned, read_clamd};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// How much of a file is sent at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Where clamd listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClamdAddress {
    /// `host:port`
    Tcp(String),
    /// `unix:/path`
    Unix(PathBuf),
}

/// Reads `host:port` or `unix:/path`.
impl FromStr for ClamdAddress {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.starts_with('/') && !path.contains('\0') {
                true => Ok(Self::Unix(path.into())),
                false => Err(()),
            };
        }
        let (host, port) = text.rsplit_once(':').ok_or(())?;
        // An IPv6 address has colons of its own, so it stands in brackets.
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let is_bare = bare == host;
        let is_host = !bare.is_empty()
            && bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte))
            && bare.contains(':') != is_bare;
        let is_port = port.bytes().all(|digit| digit.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|port| port > 0);
        match is_host && is_port {
            true => Ok(Self::Tcp(text.to_string())),
            false => Err(()),
        }
    }
}

impl fmt::Display for ClamdAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl ClamdAddress {
    /// Shows clamd a file. Has an end, with or without a verdict, soon after `until`.
    pub(super) fn scan(&self, bytes: &[u8], until: Instant) -> Result<Scanned, CallFailure> {
        match self {
            Self::Tcp(address) => connect(address, until).and_then(|stream| ask(stream, bytes, until)),
            Self::Unix(path) => connect_unix(path).and_then(|stream| ask(stream, bytes, until)),
        }
        .map_err(|_| CallFailure::Passing { retry_after: None })
        .and_then(|reply| read_clamd(&reply).map_err(CallFailure::BadReply))
    }
}

/// Tries the addresses that the name has, one after another.
fn connect(address: &str, until: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(until)?) {
            Ok(stream) => return stream.set_nodelay(true).map(|()| stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A socket that waits would wait without end for a clamd that has stopped to accept.
fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::NONBLOCK | SocketFlags::CLOEXEC,
        None,
    )?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false).map(|()| stream)
}

/// The reply, without the zero byte that must end it.
fn ask(mut stream: impl Patient, bytes: &[u8], until: Instant) -> io::Result<Vec<u8>> {
    let sent = send(&mut stream, bytes, until);
    // clamd says what it has to say against a file while that is still being sent, and hangs up.
    let reply = receive(&mut stream, until);
    match reply {
        Ok(reply) if sent.is_ok() || !is_clean(&reply) => Ok(reply),
        Ok(_) | Err(_) => sent.and(reply),
    }
}

fn is_clean(reply: &[u8]) -> bool {
    read_clamd(reply) == Ok(Scanned::Clean)
}

fn send(stream: &mut impl Patient, bytes: &[u8], until: Instant) -> io::Result<()> {
    write(stream, b"zINSTREAM\0", until)?;
    for chunk in bytes.chunks(CHUNK_BYTES) {
        // At most `CHUNK_BYTES`.
        write(stream, &(chunk.len() as u32).to_be_bytes(), until)?;
        write(stream, chunk, until)?;
    }
    write(stream, &[0; 4], until)
}

fn write(stream: &mut impl Patient, mut bytes: &[u8], until: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_patience(left(until)?)?;
        match stream.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn receive(stream: &mut impl Patient, until: Instant) -> io::Result<Vec<u8>> {
    let mut reply = Vec::new();
    let mut piece = [0; 512];
    while reply.len() <= CLAMD_REPLY_BYTES_MAX && reply.last() != Some(&0) {
        stream.set_patience(left(until)?)?;
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => reply.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What was sent in vain makes the end a reset one; what came before it counts.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset && !reply.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    match reply.pop() {
        Some(0) => Ok(reply),
        Some(_) | None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err(io::ErrorKind::TimedOut.into()),
        false => Ok(left),
    }
}

/// A stream that gives up waiting.
trait Patient: Read + Write {
    fn set_patience(&self, patience: Duration) -> io::Result<()>;
}

impl Patient for TcpStream {
    fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(patience))?;
        self.set_write_timeout(Some(patience))
    }
}

impl Patient for UnixStream {
    fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(patience))?;
        self.set_write_timeout(Some(patience))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_with_a_port_or_the_path_of_a_unix_socket() {
        for text in ["127.0.0.1:3310", "clamav:3310", "[::1]:1", "a-b_c.example:65535"] {
            assert_eq!(text.parse(), Ok(ClamdAddress::Tcp(text.to_string())));
        }
        let path = ClamdAddress::Unix("/run/clamav/clamd.ctl".into());
        assert_eq!("unix:/run/clamav/clamd.ctl".parse(), Ok(path.clone()));
        assert_eq!(path.to_string(), "unix:/run/clamav/clamd.ctl");
        for text in [
            "",
            "clamav",
            ":3310",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "::1:3310",
            "[a]:1",
            "a b:1",
            "unix:",
            "unix:a",
            "http://a:1",
            "a:1/",
        ] {
            assert_eq!(text.parse::<ClamdAddress>(), Err(()), "{text}");
        }
    }
}
