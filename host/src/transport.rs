//! The bytes of one TCP connection: an enum, so that another kind of transport joins here and nowhere else.

use crate::tls::{Handshake, Session};
use rustix::buffer::spare_capacity;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, send, sendmsg};
use std::io::{self, IoSlice};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};

/// How the bytes travel.
#[derive(Debug)]
pub(crate) enum Transport {
    /// TCP as it is; non-blocking.
    Plain(TcpStream),
    /// TLS over it.
    Tls(Box<Session>),
}

/// What there is to read, without taking it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peek {
    Nothing,
    Bytes,
    End,
}

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received {
    /// How many bytes; 0: the client sends nothing any more.
    pub count: usize,
    /// There may be more. A short read means that there is not, and spares the call that says so.
    pub more: bool,
}

/// What is thrown away at once.
const DISCARD_BYTES: usize = 4 * 1024;

impl Transport {
    /// Reads into what `bytes` has spare, with one call.
    pub fn receive(&self, bytes: &mut Vec<u8>) -> io::Result<Received> {
        match self {
            Self::Plain(stream) => {
                let (count, _) = recv(stream, spare_capacity(bytes), RecvFlags::empty())?;
                Ok(Received { count, more: bytes.len() == bytes.capacity() })
            }
            Self::Tls(session) => session.receive(bytes),
        }
    }

    /// Looks whether the client has hung up, without taking anything from it.
    pub fn peek(&self) -> Peek {
        match self {
            Self::Plain(stream) => match stream.peek(&mut [0]) {
                Ok(0) => Peek::End,
                Ok(_) => Peek::Bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Peek::Nothing,
                Err(_) => Peek::End,
            },
            Self::Tls(session) => session.peek(),
        }
    }

    /// Writes what it can of `slices` with one call.
    pub fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => send_slices(stream, slices),
            Self::Tls(session) => session.write(slices),
        }
    }

    /// Writes what the transport itself has to say; `WouldBlock`: something is left.
    pub fn flush(&self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(session) => session.flush(),
        }
    }

    /// Whether the transport itself has something to say that is not sent.
    pub fn is_sending(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(session) => session.is_sending(),
        }
    }

    /// Whether something has come that a wait for the socket does not see.
    pub fn holds_input(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(session) => session.holds_input(),
        }
    }

    /// Whether the kernel took something since this was last asked that `write` did not tell of.
    pub fn took_some(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(session) => session.took_some(),
        }
    }

    /// Whether there is a handshake to be made first.
    pub fn is_secure(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Goes on with the handshake, if there is one.
    pub fn shake_hands(&self) -> Handshake {
        match self {
            Self::Plain(_) => Handshake::Done,
            Self::Tls(session) => session.shake_hands(),
        }
    }

    /// Says good-bye in the transport's own words; `WouldBlock`: it is not sent yet.
    pub fn take_leave(&self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(session) => session.take_leave(),
        }
    }

    /// Writes `bytes` as they are, whatever the transport, as far as the kernel takes them at once.
    pub fn write_plainly(&self, bytes: &[u8]) {
        match self {
            Self::Plain(stream) => send(stream, bytes, SendFlags::NOSIGNAL).map(|_| ()).unwrap_or_default(),
            Self::Tls(session) => session.write_plainly(bytes),
        }
    }

    /// Throws away what has come; `Ok(0)`: nothing comes any more.
    pub fn discard(&self) -> io::Result<usize> {
        match self {
            Self::Plain(_) => Ok(self.receive(&mut Vec::with_capacity(DISCARD_BYTES))?.count),
            Self::Tls(session) => session.discard(),
        }
    }

    /// Tells the client that nothing more comes. That it is gone already changes nothing.
    pub fn shut(&self, how: Shutdown) {
        match self {
            Self::Plain(stream) => rustix::net::shutdown(stream, how).unwrap_or_default(),
            Self::Tls(session) => session.shut(how),
        }
    }
}

/// Writes what the kernel takes of `slices`. Cheaper than the calls that are for any file, by some tenths of a
/// microsecond.
pub(crate) fn send_slices(stream: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    Ok(match slices {
        [slice] => send(stream, slice, SendFlags::NOSIGNAL)?,
        slices => sendmsg(stream, slices, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL)?,
    })
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Plain(stream) => stream.as_fd(),
            Self::Tls(session) => session.as_fd(),
        }
    }
}
