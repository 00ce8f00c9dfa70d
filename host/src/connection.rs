//! One TCP connection from its first byte to its last, without waiting: HTTP requests one after another,
//! perhaps a WebSocket, and the end; before them a handshake, if its transport has one. A driver calls `step`, waits for what it is told to, and calls again;
//! while the connection is a WebSocket it runs the library over `Incoming` and says what it heard.

mod ending;
mod handshake;
mod stall;

use crate::engine::{Engine, HeldBody};
use crate::http_reader::{HttpReader, Read, Stage as Reading};
use crate::incoming::{Incoming, ending_of, to_core};
use crate::line::{Decision, Line};
use crate::transport::{Peek, Transport};
use handshake::HANDSHAKE_WAIT_MAX;
use parlor_protocol::frame::Frame;
use parlor_protocol::http::HeadFault;
use parlor_protocol::ids::{RequestId, SocketId};
use parlor_protocol::input::{Ending, Input, Message};
use parlor_protocol::outbox::Class;
use stall::{Stall, WRITE_LOOK};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a client may take nothing of what waits for it before it is given up.
pub const WRITE_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long a client may take to close its side after the server closed.
const LINGER_WAIT_MAX: Duration = Duration::from_secs(5);

/// What a driver has to wait for; news on the line (`Line::listen`) always counts too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Until there is something to read.
    pub readable: bool,
    /// Until there is room to write.
    pub writable: bool,
    /// Until then at the latest.
    pub until: Option<Instant>,
}

/// What the wait ended with; nothing of it: with news.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ready {
    /// There is something to read.
    pub readable: bool,
    /// There is room to write.
    pub writable: bool,
    /// The time is over.
    pub late: bool,
}

/// What a driver does next.
#[derive(Debug)]
pub enum Step {
    /// Wait, then step again.
    Wait(Wait),
    /// Run the WebSocket until `heard` or `is_ending` says that it is over, then step again.
    Open(Box<Incoming>),
    /// Drop the connection.
    Over,
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    engine: Arc<Engine>,
    line: Arc<Line>,
    stage: Stage,
    /// The client of the open WebSocket does not take what is there for it.
    stall: Option<Box<Stall>>,
    /// It did not for too long.
    given_up: bool,
}

#[derive(Debug)]
enum Stage {
    /// The transport's handshake is made.
    Handshake {
        until: Instant,
    },
    /// A request is being read.
    Reading {
        reader: Box<HttpReader>,
        stage: Reading,
        until: Instant,
        held: HeldBody,
    },
    /// The core decides.
    Undecided {
        reader: Box<HttpReader>,
        request: RequestId,
        watch: bool,
        held: HeldBody,
    },
    /// A response is being written.
    Answering {
        reader: Box<HttpReader>,
        keep_alive: bool,
        until: Instant,
    },
    /// It is a WebSocket; `closed`: the client has sent its close frame, perhaps with a code.
    Open {
        socket: SocketId,
        closed: Option<Option<u16>>,
    },
    /// The last bytes are written; `socket`: the core has yet to hear of its end.
    Closing {
        socket: Option<SocketId>,
        until: Instant,
    },
    /// Nothing more is written; what comes is thrown away, because closing over unread bytes would reset the
    /// connection and could take the last frame from the client.
    Lingering {
        until: Instant,
    },
    Over,
}

impl Connection {
    /// A connection that was accepted, over a non-blocking transport.
    pub(crate) fn new(engine: Arc<Engine>, transport: Transport, peer: IpAddr) -> Self {
        engine.lines_open().entered(peer);
        let line = Arc::new(Line::new(transport, peer));
        let stage = Stage::Handshake { until: Instant::now() + HANDSHAKE_WAIT_MAX };
        let mut connection = Self { engine, line, stage, stall: None, given_up: false };
        if !connection.line.is_secure() {
            connection.stage = connection.reading(Box::default());
        }
        connection
    }

    /// Its line: what to wait on.
    pub fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// The engine it talks to.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Does all that can be done without waiting.
    pub fn step(&mut self, mut ready: Ready) -> Step {
        if ready.writable {
            self.flush_writable();
        }
        loop {
            let next = match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Handshake { until } => self.shake_hands(until, ready),
                Stage::Reading { reader, stage, until, held } => self.read(reader, stage, until, held, ready),
                Stage::Undecided { reader, request, watch, held } => {
                    self.look_for_decision(reader, request, watch, held)
                }
                Stage::Answering { reader, keep_alive, until } => {
                    self.answer(reader, keep_alive, until, ready)
                }
                Stage::Open { socket, .. } => self.close(socket),
                Stage::Closing { socket, until } => self.finish(socket, until, ready),
                Stage::Lingering { until } => self.linger(until, ready),
                Stage::Over => return Step::Over,
            };
            match next {
                Next::Stage(stage) => self.stage = stage,
                Next::Wait(stage, wait) => {
                    self.stage = stage;
                    return Step::Wait(wait);
                }
                Next::Open(socket, incoming) => {
                    self.stage = Stage::Open { socket, closed: None };
                    return Step::Open(incoming);
                }
            }
            ready = Ready::default();
        }
    }

    /// Gives the core what the library read on the open WebSocket. False: it is over. After a close frame the
    /// library is to be asked once more, so that its answer goes out.
    pub fn heard(&mut self, read: Result<tungstenite::Message, tungstenite::Error>, from: &Incoming) -> bool {
        let Stage::Open { socket, closed } = &mut self.stage else { return false };
        let error = match read {
            Ok(message) => {
                if let Some(message) = to_core(message) {
                    if let Message::Close(code) = message {
                        *closed = Some(code);
                    }
                    self.engine.handle(Input::Received { socket: *socket, message });
                }
                return !self.is_ending();
            }
            Err(error) => error,
        };
        let ending = closed.map_or_else(|| ending_of(&error, from.fault()), Ending::ByClient);
        let last = match ending {
            Ending::Faulty(fault) => Some(from.limits().cause(fault).frame()),
            Ending::ByClient(_) | Ending::ByServer | Ending::Lost | Ending::TooSlow => None,
        };
        self.engine.close_line(&self.line, last, ending);
        false
    }

    /// Whether the open WebSocket is over.
    pub fn is_ending(&self) -> bool {
        self.line.ending().is_some()
    }

    /// Writes what waits, because the kernel says that it takes more.
    pub fn flush_writable(&self) {
        if let Some(socket) = self.line.flush_writable() {
            self.engine.handle(Input::Flushed { socket });
        }
    }

    /// The next request is read.
    fn reading(&self, reader: Box<HttpReader>) -> Stage {
        let (stage, held) = (reader.stage(), HeldBody::new(self.engine.bodies()));
        Stage::Reading { reader, stage, until: Instant::now() + stage.wait_max(), held }
    }

    fn read(
        &mut self,
        mut reader: Box<HttpReader>,
        stage: Reading,
        until: Instant,
        mut held: HeldBody,
        ready: Ready,
    ) -> Next {
        if ready.readable || self.line.holds_input() {
            match self.line.receive(reader.room()) {
                Ok(received) if received.count == 0 => return Next::Stage(Stage::Over),
                Ok(_) => {}
                Err(error) if is_passing(&error) => {}
                Err(_) => return Next::Stage(Stage::Over),
            }
        }
        match reader.next() {
            Read::More => {}
            Read::Continue => {
                self.send(Frame::raw("HTTP/1.1 100 Continue\r\n\r\n".into()));
                self.flush();
            }
            Read::Request(head, body) => {
                let request = self.engine.request(&self.line, head, body);
                return Next::Stage(Stage::Undecided { reader, request, watch: true, held });
            }
            Read::Fault(fault) => return self.refuse(fault),
        }
        if !held.grow_to(reader.body_bytes()) {
            return self.refuse(HeadFault::NoRoom);
        }
        let late = ready.late && reader.stage() == stage && !reader.go_on();
        let now = reader.stage();
        let until = if now == stage { until } else { Instant::now() + now.wait_max() };
        match (late, now) {
            (true, Reading::First | Reading::Idle) => Next::Stage(Stage::Over),
            (true, Reading::Head | Reading::Body { .. }) => self.refuse(HeadFault::Late),
            (false, _) => {
                let reading = Stage::Reading { reader, stage: now, until, held };
                match self.line.holds_input() {
                    true => Next::Stage(reading),
                    false => Next::Wait(reading, wait(true, &self.line, Some(until))),
                }
            }
        }
    }

    fn refuse(&self, fault: HeadFault) -> Next {
        self.send(self.engine.response_frame(&fault.response(), false, false));
        Next::Stage(Stage::Closing { socket: None, until: Instant::now() + WRITE_WAIT_MAX })
    }

    /// A request waits for its answer as long as that takes: a poll may be answered after minutes.
    fn look_for_decision(
        &self,
        reader: Box<HttpReader>,
        request: RequestId,
        watch: bool,
        held: HeldBody,
    ) -> Next {
        match self.line.take_decision() {
            Some(Decision::Responded { keep_alive }) => {
                let until = Instant::now() + WRITE_WAIT_MAX;
                Next::Stage(Stage::Answering { reader, keep_alive, until })
            }
            Some(Decision::Upgraded { socket, limits }) => {
                let early = reader.into_rest();
                let incoming = Incoming::new(self.engine.clone(), self.line.clone(), limits, &early);
                Next::Open(socket, Box::new(incoming))
            }
            None => match if watch { self.line.peek() } else { Peek::Bytes } {
                Peek::End => {
                    self.engine.forget_request(request, &self.line);
                    Next::Stage(Stage::Over)
                }
                seen @ (Peek::Nothing | Peek::Bytes) => {
                    let watch = seen == Peek::Nothing;
                    let undecided = Stage::Undecided { reader, request, watch, held };
                    Next::Wait(undecided, wait(watch, &self.line, None))
                }
            },
        }
    }

    fn answer(&self, reader: Box<HttpReader>, keep_alive: bool, until: Instant, ready: Ready) -> Next {
        self.write_on(ready);
        let until = if self.line.took_some() { Instant::now() + WRITE_WAIT_MAX } else { until };
        if self.is_ending() || Instant::now() >= until {
            return Next::Stage(Stage::Over);
        }
        if !self.line.is_written() {
            let stage = Stage::Answering { reader, keep_alive, until };
            return Next::Wait(stage, self.wait_to_write(until));
        }
        match keep_alive {
            true => Next::Stage(self.reading(reader)),
            false => Next::Stage(Stage::Closing { socket: None, until }),
        }
    }

    fn send(&self, frame: Frame) {
        if self.line.push(&frame, Class::Kept) {
            self.engine.mark_dirty(self.line.clone());
        }
    }

    fn flush(&self) {
        if let Some(socket) = self.line.flush() {
            self.engine.handle(Input::Flushed { socket });
        }
    }
}

enum Next {
    Stage(Stage),
    Wait(Stage, Wait),
    Open(SocketId, Box<Incoming>),
}

fn wait(readable: bool, line: &Line, until: Option<Instant>) -> Wait {
    Wait { readable, writable: line.is_blocked(), until }
}

fn lingering() -> Stage {
    Stage::Lingering { until: Instant::now() + LINGER_WAIT_MAX }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests;
