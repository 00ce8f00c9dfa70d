//! The TLS of one connection. Everything of it, and with it every byte that goes to the socket, is under one
//! lock: a read may have to answer (a handshake, new keys, an alert), and what it writes must not come between
//! the parts of something else. No more is encrypted than the kernel takes, so what waits stays in the outbox.

use crate::lock::locked;
use crate::transport::{Peek, Received, send_slices};
use rustix::buffer::spare_capacity;
use rustix::net::{RecvFlags, Shutdown, recv, send};
use rustls::{ServerConfig, ServerConnection};
use std::cell::RefCell;
use std::io::{self, BufRead, IoSlice, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

/// How much is received with one call.
const RECEIVE_BYTES: usize = 32 * 1024;
/// How much may be encrypted that the kernel has not taken: four records.
const UNSENT_BYTES_MAX: usize = 64 * 1024;
/// How much may be decrypted that nobody has taken, before no further record is: one record.
const UNREAD_BYTES_MAX: usize = 16 * 1024;

thread_local! {
    // Only pages that bytes came into are resident.
    static CAME: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(RECEIVE_BYTES));
}

/// One connection's session.
#[derive(Debug)]
pub(crate) struct Session {
    stream: TcpStream,
    inner: Mutex<Inner>,
    /// Something waits to be sent that is in no outbox.
    unsent: AtomicBool,
    /// Something came and was not taken, be it the end: who waits for the socket does not see it.
    unread: AtomicBool,
    /// The kernel took something since this was last asked.
    taken: AtomicBool,
}

#[derive(Debug)]
struct Inner {
    tls: ServerConnection,
    /// What came behind `unread`, still encrypted.
    rest: Vec<u8>,
    /// How much is decrypted and not taken.
    unread: usize,
    /// The first byte has come.
    began: bool,
    /// It was a letter, with which no record of TLS begins (RFC 8446 §5.1), but every request of HTTP.
    plain: bool,
    /// The client sends nothing any more.
    ended: bool,
}

/// How far a handshake is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// The client is to send more.
    More,
    /// The session is there.
    Done,
    /// The client speaks no TLS; it may be HTTP.
    Plain,
    /// The client has hung up.
    Gone,
    /// It cannot go on; why.
    Failed(String),
}

impl Session {
    /// A session over a non-blocking stream, before its handshake.
    pub fn new(stream: TcpStream, config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        let mut tls = ServerConnection::new(config)?;
        tls.set_buffer_limit(Some(UNSENT_BYTES_MAX));
        let inner = Inner { tls, rest: Vec::new(), unread: 0, began: false, plain: false, ended: false };
        Ok(Self {
            stream,
            inner: Mutex::new(inner),
            unsent: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            taken: AtomicBool::new(false),
        })
    }

    /// Goes on with the handshake as far as what has come allows.
    pub fn shake_hands(&self) -> Handshake {
        self.with(|inner, raw| match inner.take_in(raw) {
            _ if inner.plain => Handshake::Plain,
            Ok(_) if inner.ended => Handshake::Gone,
            Ok(_) if !inner.tls.is_handshaking() => Handshake::Done,
            Ok(_) => Handshake::More,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Handshake::More,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Handshake::Failed(error.to_string()),
            Err(_) => Handshake::Gone,
        })
    }

    /// Reads into what `bytes` has spare. `WouldBlock`: nothing whole has come. A count of 0: nothing comes any more.
    pub fn receive(&self, bytes: &mut Vec<u8>) -> io::Result<Received> {
        self.with(|inner, raw| {
            let mut more = false;
            if inner.unread == 0 && !inner.ended {
                more = inner.take_in(raw)?;
            }
            if inner.unread == 0 {
                // What still waits in the kernel is seen by who waits for it: records that hold nothing must not
                // keep a thread from others.
                return match inner.ended {
                    true => Ok(Received { count: 0, more: false }),
                    false => Err(io::ErrorKind::WouldBlock.into()),
                };
            }
            let count = inner.hand_out(bytes)?;
            Ok(Received { count, more: more || inner.holds_input() || inner.ended })
        })
    }

    /// Looks whether the client has hung up. What it says meanwhile is kept.
    pub fn peek(&self) -> Peek {
        self.with(|inner, raw| {
            if !inner.holds_input() && !inner.ended {
                match inner.take_in(raw) {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => inner.ended = true,
                }
            }
            match (inner.holds_input(), inner.ended) {
                (true, _) => Peek::Bytes,
                (false, true) => Peek::End,
                (false, false) => Peek::Nothing,
            }
        })
    }

    /// Encrypts and writes what it can of `slices`. `WouldBlock`: the kernel has yet to take what was encrypted
    /// before, and nothing of `slices` was.
    pub fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.with(|inner, raw| {
            inner.send_out(raw)?;
            let count = inner.tls.writer().write_vectored(slices)?;
            match inner.send_out(raw) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
                Ok(()) | Err(_) => Ok(count),
            }
        })
    }

    /// Writes what was encrypted and is not sent. `WouldBlock`: something is left.
    pub fn flush(&self) -> io::Result<()> {
        self.with(Inner::send_out)
    }

    /// Tells the client that nothing more comes; `WouldBlock`: it cannot be told yet. Saying it again is no more.
    pub fn take_leave(&self) -> io::Result<()> {
        self.with(|inner, raw| {
            inner.tls.send_close_notify();
            inner.send_out(raw)
        })
    }

    /// Writes `bytes` as they are, to a client that speaks no TLS, as far as the kernel takes them at once.
    pub fn write_plainly(&self, bytes: &[u8]) {
        let _guard = locked(&self.inner);
        send(&self.stream, bytes, rustix::net::SendFlags::NOSIGNAL).unwrap_or_default();
    }

    /// Throws away what has come, encrypted as it is; 0: nothing comes any more.
    pub fn discard(&self) -> io::Result<usize> {
        CAME.with_borrow_mut(|came| {
            came.clear();
            Ok(recv(&self.stream, spare_capacity(came), RecvFlags::empty())?.0)
        })
    }

    /// Whether something waits to be sent that is in no outbox.
    pub fn is_sending(&self) -> bool {
        self.unsent.load(SeqCst)
    }

    /// Whether something came that a wait for the socket does not see.
    pub fn holds_input(&self) -> bool {
        self.unread.load(SeqCst)
    }

    /// Whether the kernel took something since this was last asked.
    pub fn took_some(&self) -> bool {
        self.taken.swap(false, SeqCst)
    }

    /// Ends the TCP connection, or one direction of it. A session that ends in order is told so.
    pub fn shut(&self, how: Shutdown) {
        if how == Shutdown::Both && !self.is_sending() {
            self.take_leave().unwrap_or_default();
        }
        rustix::net::shutdown(&self.stream, how).unwrap_or_default();
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner, &mut Raw<'_>) -> T) -> T {
        let mut inner = locked(&self.inner);
        let mut raw = Raw { stream: &self.stream, taken: false };
        let done = act(&mut inner, &mut raw);
        if raw.taken {
            self.taken.store(true, SeqCst);
        }
        self.unsent.store(inner.tls.wants_write(), SeqCst);
        self.unread.store(inner.holds_input() || inner.ended, SeqCst);
        done
    }
}

impl AsFd for Session {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Inner {
    fn holds_input(&self) -> bool {
        self.unread > 0 || !self.rest.is_empty()
    }

    /// Decrypts what came before, or else what has come now, and answers what wants an answer. True: there may be
    /// more to receive.
    fn take_in(&mut self, raw: &mut Raw<'_>) -> io::Result<bool> {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            self.decrypt(&rest, raw)?;
            return Ok(true);
        }
        CAME.with_borrow_mut(|came| {
            came.clear();
            let count = recv(raw.stream, spare_capacity(came), RecvFlags::empty())?.0;
            self.ended |= count == 0;
            if !std::mem::replace(&mut self.began, true) && came.first().is_some_and(u8::is_ascii_alphabetic)
            {
                self.plain = true;
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.decrypt(came, raw)?;
            Ok(count == came.capacity())
        })
    }

    fn decrypt(&mut self, came: &[u8], raw: &mut Raw<'_>) -> io::Result<()> {
        let mut left = came;
        while !left.is_empty() && !self.ended && self.unread <= UNREAD_BYTES_MAX {
            self.tls.read_tls(&mut left)?;
            let state = self.tls.process_new_packets().map_err(|error| {
                // The alert that says what is wrong goes out if it can.
                self.send_out(raw).unwrap_or_default();
                io::Error::new(io::ErrorKind::InvalidData, error)
            })?;
            self.unread = state.plaintext_bytes_to_read();
            self.ended = state.peer_has_closed();
        }
        if !self.ended {
            self.rest.extend_from_slice(left);
        }
        match self.send_out(raw) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn hand_out(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        let before = bytes.len();
        let mut reader = self.tls.reader();
        while self.unread > 0 && bytes.len() < bytes.capacity() {
            let chunk = reader.fill_buf()?;
            let count = chunk.len().min(bytes.capacity() - bytes.len());
            bytes.extend_from_slice(&chunk[..count]);
            reader.consume(count);
            self.unread -= count;
        }
        Ok(bytes.len() - before)
    }

    fn send_out(&mut self, raw: &mut Raw<'_>) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(raw) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The socket, as the library writes to it.
struct Raw<'a> {
    stream: &'a TcpStream,
    taken: bool,
}

impl Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let count = send_slices(self.stream, slices)?;
        self.taken |= count > 0;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
