//! How a thread that waits for its socket is told something: a stream to itself that becomes readable when it rings.

use rustix::event::{PollFd, PollFlags, poll};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::{Wake, Waker};

#[derive(Debug)]
pub struct Bell {
    rope: Arc<Rope>,
    heard: UnixStream,
}

#[derive(Debug)]
struct Rope(UnixStream);

impl Wake for Rope {
    fn wake(self: Arc<Self>) {
        // When it fails the stream is full, and then it is ringing, or nobody listens.
        (&self.0).write(&[1]).map(|_| ()).unwrap_or_default();
    }
}

impl Bell {
    pub fn new() -> io::Result<Self> {
        let (rope, heard) = UnixStream::pair()?;
        rope.set_nonblocking(true)?;
        heard.set_nonblocking(true)?;
        Ok(Self { rope: Arc::new(Rope(rope)), heard })
    }

    pub fn waker(&self) -> Waker {
        Waker::from(self.rope.clone())
    }

    /// Waits until the bell rings or the file is ready.
    pub fn wait(&self, file: &impl AsFd, read: bool, write: bool) {
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::IN, read);
        wanted.set(PollFlags::OUT, write);
        // A file that is wanted for nothing would still end every wait when its other end has hung up.
        let watched = if wanted.is_empty() { self.heard.as_fd() } else { file.as_fd() };
        let bell = PollFd::new(&self.heard, PollFlags::IN);
        // An interrupted wait is one that ended early: whoever waits looks again.
        poll(&mut [bell, PollFd::from_borrowed_fd(watched, wanted)], None).unwrap_or_default();
        let mut rung = [0; 64];
        while (&self.heard).read(&mut rung).is_ok_and(|count| count == rung.len()) {}
    }
}
