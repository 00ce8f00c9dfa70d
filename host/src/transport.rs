//! The bytes of one TCP connection: an enum, so that another kind of transport joins here and nowhere else.

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
}

/// What there is to read, without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peek {
    Nothing,
    Bytes,
    End,
}

impl Transport {
    /// Reads into what `bytes` has spare, with one call. `Ok(0)`: the client sends nothing any more.
    pub fn receive(&self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => Ok(recv(stream, spare_capacity(bytes), RecvFlags::empty())?.0),
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
        }
    }

    /// Writes what it can of `slices` with one call.
    pub fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            // Cheaper than the calls that are for any file, by some tenths of a microsecond.
            Self::Plain(stream) => Ok(match slices {
                [slice] => send(stream, slice, SendFlags::NOSIGNAL)?,
                slices => sendmsg(stream, slices, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL)?,
            }),
        }
    }

    /// Tells the client that nothing more comes. That it is gone already changes nothing.
    pub fn shut(&self, how: Shutdown) {
        match self {
            Self::Plain(stream) => rustix::net::shutdown(stream, how).unwrap_or_default(),
        }
    }
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Plain(stream) => stream.as_fd(),
        }
    }
}
