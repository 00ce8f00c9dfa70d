//! What a connection is made of: a TCP stream, as it is or with TLS over it.

use crate::target::Target;
use rustls::ClientConnection;
use smol::io::{AsyncRead, AsyncWrite};
use smol::net::TcpStream;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What WebSocket is spoken over.
pub type Wire = Box<dyn Both>;

/// Both directions.
pub trait Both: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Both for T {}

/// Connects, as the target says.
pub async fn reach(target: &Target) -> io::Result<Wire> {
    let stream = TcpStream::connect((target.host.as_str(), target.port)).await?;
    // Small messages are not to wait for each other; where that cannot be had, they do.
    stream.set_nodelay(true).unwrap_or_default();
    Ok(match &target.tls {
        Some(tls) => Box::new(Secure { session: tls.session().map_err(io::Error::other)?, stream }),
        None => Box::new(stream),
    })
}

/// A session over a stream. The handshake goes on with whatever is read or written. It may wait for the stream in both
/// directions at once, so one task has to read and to write.
struct Secure {
    session: ClientConnection,
    stream: TcpStream,
}

/// The stream as a session wants it: what would have to wait is an error, and the task is woken when it need not.
struct Now<'a, 'b> {
    stream: &'a mut TcpStream,
    cx: &'a mut Context<'b>,
}

impl Secure {
    fn poll_with(
        &mut self,
        cx: &mut Context<'_>,
        go: impl FnOnce(&mut ClientConnection, &mut Now<'_, '_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        match go(&mut self.session, &mut Now { stream: &mut self.stream, cx }) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            done => Poll::Ready(done),
        }
    }

    /// Sends what the session has to send.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.session.wants_write() {
            if ready!(self.poll_with(cx, |session, now| session.write_tls(now)))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The same, but who cannot send now goes on.
    fn send_some(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.poll_send(cx) {
            Poll::Ready(sent) => sent,
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Secure {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let secure = self.get_mut();
        loop {
            match secure.session.reader().read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
            secure.send_some(cx)?;
            ready!(secure.poll_with(cx, |session, now| session.read_tls(now)))?;
            secure.session.process_new_packets().map_err(io::Error::other)?;
        }
    }
}

impl AsyncWrite for Secure {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let secure = self.get_mut();
        ready!(secure.poll_send(cx))?;
        let taken = secure.session.writer().write(bytes)?;
        secure.send_some(cx)?;
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let secure = self.get_mut();
        ready!(secure.poll_send(cx))?;
        Pin::new(&mut secure.stream).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let secure = self.get_mut();
        secure.session.send_close_notify();
        ready!(secure.poll_send(cx))?;
        Pin::new(&mut secure.stream).poll_close(cx)
    }
}

impl Read for Now<'_, '_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        at_once(Pin::new(&mut *self.stream).poll_read(self.cx, bytes))
    }
}

impl Write for Now<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        at_once(Pin::new(&mut *self.stream).poll_write(self.cx, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        at_once(Pin::new(&mut *self.stream).poll_flush(self.cx))
    }
}

fn at_once<T>(done: Poll<io::Result<T>>) -> io::Result<T> {
    match done {
        Poll::Ready(done) => done,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}
