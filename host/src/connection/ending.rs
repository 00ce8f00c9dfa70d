//! The end of a connection: its last bytes go out, then it is waited for until the client closes its side.

use super::{Connection, Next, Ready, Stage, WRITE_WAIT_MAX, is_passing, lingering, wait};
use parlor_protocol::ids::SocketId;
use parlor_protocol::input::Ending;
use std::time::{Duration, Instant};

/// How long a client that was given up may take to read why.
const GIVEN_UP_WAIT_MAX: Duration = Duration::from_secs(2);

impl Connection {
    /// The WebSocket is over. The core hears of it at once; when it gave the order itself, only after its
    /// last frame went out, so that a server that stops knows when it may.
    pub(super) fn close(&self, socket: SocketId) -> Next {
        let ending = self.line.ending().unwrap_or(Ending::Lost);
        let waits = ending == Ending::ByServer;
        if !waits {
            self.engine.disconnected(socket, ending);
        }
        if ending == Ending::Lost {
            return Next::Stage(Stage::Over);
        }
        let most = if self.given_up { GIVEN_UP_WAIT_MAX } else { WRITE_WAIT_MAX };
        Next::Stage(Stage::Closing { socket: waits.then_some(socket), until: Instant::now() + most })
    }

    /// However steadily the client reads, this has an end, or a server that stops would have none.
    pub(super) fn finish(&self, socket: Option<SocketId>, until: Instant, ready: Ready) -> Next {
        self.write_on(ready);
        let late = Instant::now() >= until;
        let written = self.line.is_written() && self.line.take_leave();
        if !written && !late {
            return Next::Wait(Stage::Closing { socket, until }, self.wait_to_write(until));
        }
        if let Some(socket) = socket {
            self.engine.disconnected(socket, Ending::ByServer);
        }
        if late {
            return Next::Stage(Stage::Over);
        }
        self.line.shut_writing();
        Next::Stage(lingering())
    }

    pub(super) fn linger(&self, until: Instant, ready: Ready) -> Next {
        let over = match self.line.discard() {
            Ok(count) => count == 0,
            Err(error) => !is_passing(&error),
        };
        match over || ready.late || Instant::now() >= until {
            true => Next::Stage(Stage::Over),
            false => Next::Wait(Stage::Lingering { until }, wait(true, &self.line, Some(until))),
        }
    }
}

/// Whatever ends a connection, also a panic in its task: the core hears of it, once.
impl Drop for Connection {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Undecided { request, .. } => self.engine.forget_request(request, &self.line),
            Stage::Open { socket, .. } => self.engine.disconnected(socket, Ending::Lost),
            Stage::Closing { socket: Some(socket), .. } => {
                self.engine.disconnected(socket, Ending::ByServer);
            }
            Stage::Closing { socket: None, .. }
            | Stage::Handshake { .. }
            | Stage::Reading { .. }
            | Stage::Answering { .. }
            | Stage::Lingering { .. }
            | Stage::Over => {}
        }
        self.line.shut();
        self.engine.lines_open().left(self.line.peer());
    }
}
