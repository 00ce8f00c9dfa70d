//! How a thread that waits for its socket is told something: a file that becomes readable when it rings.

use parlor_host::connection::Ready;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

/// A bell; ringing it twice before it is heard is ringing it once.
#[derive(Debug)]
pub struct Bell {
    file: Arc<File>,
}

#[derive(Debug)]
struct File(OwnedFd);

impl Wake for File {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // It fails only when it has rung 2^64 times unheard, and then it is ringing.
        rustix::io::write(&self.0, &1u64.to_ne_bytes()).unwrap_or_default();
    }
}

impl Bell {
    pub fn new() -> io::Result<Self> {
        let file = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Self { file: Arc::new(File(file)) })
    }

    pub fn waker(&self) -> Waker {
        Waker::from(self.file.clone())
    }

    /// Waits until the bell rings.
    pub fn wait_for_ring(&self) {
        self.wait(&self.file.0, false, false, None);
    }

    /// Waits until the file is ready, the bell rings, or the time is over.
    pub fn wait(&self, file: &impl AsFd, read: bool, write: bool, until: Option<Instant>) -> Ready {
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::IN, read);
        wanted.set(PollFlags::OUT, write);
        // A file that is wanted for nothing would still end every wait when its other end has hung up.
        let watched = if wanted.is_empty() { self.file.0.as_fd() } else { file.as_fd() };
        let mut files = [PollFd::new(&self.file.0, PollFlags::IN), PollFd::from_borrowed_fd(watched, wanted)];
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        // An interrupted wait is one that ended early: whoever waits looks again.
        poll(&mut files, left.and_then(timespec).as_ref()).unwrap_or_default();
        let rang = !files[0].revents().is_empty();
        if rang {
            rustix::io::read(&self.file.0, &mut [0; 8]).unwrap_or_default();
        }
        let seen = files[1].revents();
        let ended = seen.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL);
        Ready {
            readable: read && (ended || seen.contains(PollFlags::IN)),
            writable: write && (ended || seen.contains(PollFlags::OUT)),
            // What it rang for comes first: who is late then would not look at it.
            late: !rang && until.is_some_and(|until| Instant::now() >= until),
        }
    }
}

fn timespec(left: Duration) -> Option<Timespec> {
    Timespec::try_from(left).ok()
}
