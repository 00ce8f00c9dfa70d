//! One TCP connection: requests one after another, until it is a WebSocket.

use crate::Endpoints;
use crate::app::PAYLOAD_BYTES_MAX;
use crate::exchange::Exchange;
use crate::server::{Server, Writer};
use bytes::Bytes;
use parlor_protocol::http::{
    Body, HEAD_BYTES_MAX, HEAD_WAIT_MAX, RequestHead, Response, head_end, parse_head_within, switching_head,
};
use parlor_protocol::input::Message;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tungstenite::WebSocket;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocketConfig};

/// How long a client may be silent: on a WebSocket it answers pings far more often.
const SILENCE_MAX: Duration = HEAD_WAIT_MAX;
/// How much is read at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// How long the kernel may take no more of what is written.
const WRITE_WAIT_MAX: Duration = Duration::from_secs(1);

/// Serves it to its end.
pub fn serve(stream: TcpStream, endpoints: &Endpoints) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.set_write_timeout(Some(WRITE_WAIT_MAX))?;
    let mut requests = Requests { stream, read: Vec::new() };
    while let Some((head, body)) = requests.next()? {
        let Some(server) = endpoints.at(head.path()) else {
            requests.respond(&Response::empty(404), head.keep_alive)?;
            continue;
        };
        if head.is_upgrade() {
            return upgrade(requests, &head, server);
        }
        let exchange = Arc::new(Exchange::new()?);
        let request = server.on_request(&head, body, &exchange);
        let response = exchange.wait(&requests.stream)?;
        server.on_request_over(request, response.is_some());
        let Some(response) = response else { return Ok(()) };
        requests.respond(&response, head.keep_alive)?;
        if !head.keep_alive {
            return Ok(());
        }
    }
    Ok(())
}

struct Requests {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Requests {
    /// `None`: the client sends nothing any more, or nothing that is HTTP.
    fn next(&mut self) -> io::Result<Option<(RequestHead, Bytes)>> {
        let mut seen = 0;
        let end = loop {
            match head_end(&self.read, &mut seen) {
                Ok(Some(end)) => break end,
                Ok(None) if self.read_more(HEAD_BYTES_MAX)? => {}
                Ok(None) => return Ok(None),
                Err(fault) => return self.respond(&fault.response(), false).map(|()| None),
            }
        };
        let rest = self.read.split_off(end);
        let head = std::mem::replace(&mut self.read, rest);
        let (head, length) = match parse_head_within(&head, |_| PAYLOAD_BYTES_MAX as usize) {
            Ok(parsed) => parsed,
            Err(fault) => return self.respond(&fault.response(), false).map(|()| None),
        };
        while self.read.len() < length {
            if !self.read_more(length - self.read.len())? {
                return Ok(None);
            }
        }
        let rest = self.read.split_off(length);
        Ok(Some((head, std::mem::replace(&mut self.read, rest).into())))
    }

    /// False: the client sends nothing any more.
    fn read_more(&mut self, most: usize) -> io::Result<bool> {
        let mut chunk = vec![0; most.min(CHUNK_BYTES)];
        let count = self.stream.read(&mut chunk)?;
        self.read.extend_from_slice(&chunk[..count]);
        Ok(count > 0)
    }

    fn respond(&mut self, response: &Response, keep_alive: bool) -> io::Result<()> {
        let body = match &response.body {
            Body::Bytes(body) => body.clone(),
            body @ (Body::Asset(_) | Body::Statistics(_) | Body::Metrics(_) | Body::Connections(_)) => {
                return Err(io::Error::other(format!("{body:?} is not made here")));
            }
        };
        let head = response.head(body.len(), keep_alive);
        self.stream.write_all(&[head.as_bytes(), &body].concat())
    }
}

fn upgrade(mut requests: Requests, head: &RequestHead, server: &Server) -> io::Result<()> {
    let key = head.header("sec-websocket-key").filter(|_| head.header("sec-websocket-version") == Some("13"));
    let Some(key) = key else { return requests.respond(&Response::empty(400), false) };
    let accept = derive_accept_key(key.as_bytes());
    let writer: Writer = Arc::new(Mutex::new(requests.stream.try_clone()?));
    let mut stream = requests.stream.try_clone()?;
    let switch = || stream.write_all(switching_head(&accept, None).as_bytes());
    let socket = match server.on_upgrade(head, writer.clone(), switch)? {
        Ok(socket) => socket,
        Err(refused) => return requests.respond(&refused.response(), false),
    };
    let bytes_max = Some(PAYLOAD_BYTES_MAX as usize);
    let config =
        WebSocketConfig::default().write_buffer_size(0).max_message_size(bytes_max).max_frame_size(bytes_max);
    let wire = Wire { reads: requests.stream, writes: writer };
    let mut incoming = WebSocket::from_partially_read(wire, requests.read, Role::Server, Some(config));
    // Whatever ends it, it is over.
    while let Ok(message) = incoming.read() {
        let message = match message {
            tungstenite::Message::Text(text) => Message::Text(text.into()),
            tungstenite::Message::Binary(bytes) => Message::Binary(bytes),
            tungstenite::Message::Ping(_)
            | tungstenite::Message::Pong(_)
            | tungstenite::Message::Close(_)
            | tungstenite::Message::Frame(_) => continue,
        };
        server.on_message(socket, message);
    }
    server.on_socket_gone(socket);
    Ok(())
}

/// The stream under the WebSocket library: what the library writes itself goes out between frames of the server.
struct Wire {
    reads: TcpStream,
    writes: Writer,
}

impl Read for Wire {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.reads.read(bytes)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
