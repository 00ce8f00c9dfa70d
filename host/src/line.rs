//! One TCP connection as everybody but its own task sees it: an outbox and the write half under one lock.
//! Nothing else writes to the socket, so what is sent arrives in the order in which the core said it, and
//! what waits for a slow reader is bounded.
//!
//! Whoever pushes marks the line dirty *after* it let go of the outbox, and whoever flushes clears the mark
//! *before* it tries the outbox. So a flush that finds the outbox taken may leave: either the other one
//! flushes too and saw all there is, or it pushes and marks again.

mod slow;

use crate::lock::locked;
use crate::measured::note_dropped;
use crate::tls::Handshake;
use crate::transport::{Peek, Received, Transport};
use parlor_protocol::action::{CloseCause, SocketLimits};
use parlor_protocol::frame::Frame;
use parlor_protocol::ids::SocketId;
use parlor_protocol::input::Ending;
use parlor_protocol::outbox::{Class, Outbox, Pushed};
use rustix::net::Shutdown;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, TryLockError};
use std::task::Waker;

/// How many frames go out with one write.
const SLICES_MAX: usize = 64;

/// One TCP connection.
#[derive(Debug)]
pub struct Line {
    transport: Transport,
    peer: IpAddr,
    outbox: Mutex<Outbox>,
    told: Mutex<Told>,
    /// It stands in the engine's list of lines to flush.
    dirty: AtomicBool,
    /// The kernel takes no more; its own task waits until it does.
    blocked: AtomicBool,
    /// Nothing waits in the outbox.
    written: AtomicBool,
    /// The kernel took something since this was last asked.
    taken: AtomicBool,
    /// Its own task wants to know when all is written.
    watched: AtomicBool,
    /// The core does not want to read from it now.
    paused: AtomicBool,
    /// It did not for a while since this was last asked.
    was_paused: AtomicBool,
    /// The core waits to hear that a page went out.
    flushed: AtomicBool,
}

/// What others have to say to the line's own task.
#[derive(Debug, Default)]
struct Told {
    waker: Option<Waker>,
    decision: Option<Box<Decision>>,
    socket: Option<SocketId>,
    ending: Option<Ending>,
}

/// What the core made of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The response is in the outbox.
    Responded { keep_alive: bool },
    /// The 101 is in the outbox.
    Upgraded { socket: SocketId, limits: SocketLimits },
}

impl Line {
    /// A line over a non-blocking stream.
    pub(crate) fn new(transport: Transport, peer: IpAddr) -> Self {
        Self {
            transport,
            peer,
            outbox: Mutex::default(),
            told: Mutex::default(),
            dirty: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            written: AtomicBool::new(true),
            taken: AtomicBool::new(false),
            watched: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            was_paused: AtomicBool::new(false),
            flushed: AtomicBool::new(false),
        }
    }

    /// From now on `waker` is woken when there is news. To be called before looking for it.
    pub fn listen(&self, waker: &Waker) {
        let mut told = locked(&self.told);
        if !told.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            told.waker = Some(waker.clone());
        }
    }

    /// Whether the kernel takes no more for now: `flush_writable` when it does.
    pub fn is_blocked(&self) -> bool {
        self.blocked.load(SeqCst)
    }

    /// Whether the core does not want to hear from this line now.
    pub fn is_paused(&self) -> bool {
        self.paused.load(SeqCst)
    }

    /// How the line is to end, once it is.
    pub(crate) fn ending(&self) -> Option<Ending> {
        locked(&self.told).ending
    }

    /// The other end's address.
    pub(crate) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// The WebSocket that it is, if it is one.
    pub(crate) fn socket(&self) -> Option<SocketId> {
        locked(&self.told).socket
    }

    /// How many bytes wait to be written.
    pub(crate) fn queued_bytes(&self) -> usize {
        locked(&self.outbox).queued_bytes()
    }

    /// Whether all is written, what the transport itself has to say included. When it is not, the line's task is
    /// woken once it is.
    pub(crate) fn is_written(&self) -> bool {
        self.watched.store(true, SeqCst);
        self.written.load(SeqCst) && !self.transport.is_sending()
    }

    /// Whether the client took something since this was last asked.
    pub(crate) fn took_some(&self) -> bool {
        // Both are to be asked.
        self.taken.swap(false, SeqCst) | self.transport.took_some()
    }

    /// Puts a frame into the outbox. True: the caller has to put the line into the list of dirty ones.
    ///
    /// An outbox that runs over is written out first, here and now: a burst that nobody had the time to flush
    /// says nothing about the client.
    #[must_use]
    pub(crate) fn push(&self, frame: &Frame, class: Class) -> bool {
        self.push_all(std::iter::once((frame, class)))
    }

    /// The same with several frames, in order.
    #[must_use]
    pub(crate) fn push_all<'a>(&self, frames: impl Iterator<Item = (&'a Frame, Class)>) -> bool {
        let mut outbox = locked(&self.outbox);
        outbox.reserve(frames.size_hint().1.unwrap_or(0));
        let (mut overflowed, mut burst) = (false, false);
        for (frame, class) in frames {
            let mut pushed = outbox.push(frame.clone(), class);
            if pushed == Pushed::Overflowed && !self.is_blocked() {
                burst = true;
                self.write_all(&mut outbox);
                pushed = outbox.push(frame.clone(), class);
            }
            overflowed = pushed == Pushed::Overflowed;
            if overflowed {
                break;
            }
        }
        if overflowed {
            outbox.forget_waiting();
            outbox.close(Some(CloseCause::TooSlow.frame()));
        }
        outbox.take_dropped().iter().for_each(|dropped| note_dropped(dropped));
        self.written.store(outbox.is_empty(), SeqCst);
        drop(outbox);
        if overflowed {
            self.end(Ending::TooSlow);
        } else if burst {
            self.wake();
        }
        self.mark()
    }

    /// Puts the last frame into the outbox, which takes nothing after it, and says how the line ends. True:
    /// as with `push`.
    #[must_use]
    pub(crate) fn close(&self, last: Option<Frame>, ending: Ending) -> bool {
        let mut outbox = locked(&self.outbox);
        outbox.close(last);
        self.written.store(outbox.is_empty(), SeqCst);
        drop(outbox);
        self.end(ending);
        self.mark()
    }

    /// Reads on, or no more.
    pub(crate) fn pause(&self, paused: bool) {
        self.paused.store(paused, SeqCst);
        self.was_paused.fetch_or(paused, SeqCst);
    }

    /// Whether the core did not want to read from it for a while since this was last asked.
    pub(crate) fn take_was_paused(&self) -> bool {
        self.was_paused.swap(false, SeqCst)
    }

    /// Tells the line's task what became of its request.
    pub(crate) fn decide(&self, decision: Decision) {
        let mut told = locked(&self.told);
        told.decision = Some(Box::new(decision));
        if let Decision::Upgraded { socket, .. } = decision {
            told.socket = Some(socket);
        }
    }

    /// What became of the request, once.
    pub(crate) fn take_decision(&self) -> Option<Decision> {
        locked(&self.told).decision.take().map(|decision| *decision)
    }

    /// Wakes the line's task.
    pub(crate) fn wake(&self) {
        let waker = locked(&self.told).waker.clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Writes what waits, unless the kernel is known to take nothing. Returns the socket if `Flushed` is due.
    pub(crate) fn flush(&self) -> Option<SocketId> {
        self.dirty.store(false, SeqCst);
        if !self.is_blocked() {
            self.write_out();
        }
        if self.flushed.swap(false, SeqCst) { self.socket() } else { None }
    }

    /// The same after the kernel said that it takes more.
    pub(crate) fn flush_writable(&self) -> Option<SocketId> {
        self.blocked.store(false, SeqCst);
        self.flush()
    }

    fn write_out(&self) {
        let mut outbox = match self.outbox.try_lock() {
            Ok(outbox) => outbox,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        self.write_all(&mut outbox);
        let empty = outbox.is_empty();
        self.written.store(empty, SeqCst);
        drop(outbox);
        let all = empty && !self.transport.is_sending();
        if !all || self.watched.swap(false, SeqCst) {
            self.wake();
        }
    }

    /// Writes until nothing waits or the kernel takes no more.
    fn write_all(&self, outbox: &mut Outbox) {
        while !outbox.is_empty() {
            match self.write_once(outbox) {
                Ok(count) if count > 0 => {
                    self.taken.store(true, SeqCst);
                    if outbox.advance(count) {
                        self.flushed.store(true, SeqCst);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked.store(true, SeqCst);
                    break;
                }
                Ok(_) | Err(_) => self.lose(outbox),
            }
        }
        if outbox.is_empty() && self.transport.is_sending() {
            match self.transport.flush() {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.blocked.store(true, SeqCst),
                Err(_) => self.lose(outbox),
            }
        }
        if outbox.take_flushed() {
            self.flushed.store(true, SeqCst);
        }
    }

    /// Nothing can be written any more.
    fn lose(&self, outbox: &mut Outbox) {
        *outbox = Outbox::default();
        outbox.close(None);
        self.end(Ending::Lost);
    }

    fn write_once(&self, outbox: &Outbox) -> io::Result<usize> {
        if outbox.frame_count() == 1 {
            let mut slice = [IoSlice::new(&[])];
            outbox.gather(&mut slice);
            return self.transport.write(&slice);
        }
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let used = outbox.gather(&mut slices);
        self.transport.write(&slices[..used])
    }

    /// The first reason to end is the one that counts.
    fn end(&self, ending: Ending) {
        locked(&self.told).ending.get_or_insert(ending);
        self.wake();
    }

    fn mark(&self) -> bool {
        !self.dirty.swap(true, SeqCst)
    }

    /// Whether there is a handshake to be made first.
    pub(crate) fn is_secure(&self) -> bool {
        self.transport.is_secure()
    }

    /// Goes on with the handshake as far as what has come allows.
    pub(crate) fn shake_hands(&self) -> Handshake {
        let done = self.transport.shake_hands();
        self.note_sending();
        done
    }

    /// Reads into what `bytes` has spare; `WouldBlock` when there is nothing.
    pub(crate) fn receive(&self, bytes: &mut Vec<u8>) -> io::Result<Received> {
        let received = self.transport.receive(bytes);
        self.note_sending();
        received
    }

    /// Looks whether the client has hung up, without taking anything from it.
    pub(crate) fn peek(&self) -> Peek {
        let seen = self.transport.peek();
        self.note_sending();
        seen
    }

    /// Whether something has come that a wait for the socket does not see: to be received first.
    pub(crate) fn holds_input(&self) -> bool {
        self.transport.holds_input()
    }

    /// Reading may have made the transport answer more than the kernel takes: its task has to wait until it does.
    fn note_sending(&self) {
        if self.transport.is_sending() {
            self.blocked.store(true, SeqCst);
            self.wake();
        }
    }

    /// Throws away what has come; `Ok(0)`: nothing comes any more.
    pub(crate) fn discard(&self) -> io::Result<usize> {
        self.transport.discard()
    }

    /// Answers a client that does not speak what the transport does.
    pub(crate) fn write_plainly(&self, bytes: &[u8]) {
        self.transport.write_plainly(bytes);
    }

    /// Says good-bye in the transport's own words. False: it is not sent yet.
    pub(crate) fn take_leave(&self) -> bool {
        let left = self.transport.take_leave();
        self.note_sending();
        !left.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Tells the client that nothing more comes.
    pub(crate) fn shut_writing(&self) {
        self.transport.shut(Shutdown::Write);
    }

    /// Ends the TCP connection, whoever still holds the line.
    pub(crate) fn shut(&self) {
        self.transport.shut(Shutdown::Both);
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.transport.as_fd()
    }
}

#[cfg(test)]
mod tests;
