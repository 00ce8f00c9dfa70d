//! A request that waits: its thread sleeps until there is a response, or until the client has hung up.

use parlor_protocol::http::Response;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

/// Where the response to one request is put.
#[derive(Debug)]
pub struct Exchange {
    response: Mutex<Option<Response>>,
    bell: OwnedFd,
}

impl Exchange {
    pub fn new() -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Self { response: Mutex::default(), bell })
    }

    pub fn answer(&self, response: Response) {
        *self.response.lock().unwrap_or_else(PoisonError::into_inner) = Some(response);
        // It fails only when it has rung 2^64 times unheard.
        rustix::io::write(&self.bell, &1u64.to_ne_bytes()).unwrap_or_default();
    }

    /// Waits for the response. `None`: the client has hung up.
    pub fn wait(&self, stream: &TcpStream) -> io::Result<Option<Response>> {
        let mut watched = PollFlags::IN;
        loop {
            if let Some(response) = self.response.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return Ok(Some(response));
            }
            let mut files = [PollFd::new(&self.bell, PollFlags::IN), PollFd::new(stream, watched)];
            match poll(&mut files, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let news = files[1].revents();
            if news.intersects(PollFlags::HUP | PollFlags::ERR) {
                return Ok(None);
            }
            if news.contains(PollFlags::IN) {
                match stream.peek(&mut [0])? {
                    0 => return Ok(None),
                    // The next request is here already; this one is answered first.
                    _ => watched = PollFlags::empty(),
                }
            }
        }
    }
}
