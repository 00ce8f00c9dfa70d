//! Long-polling: what waits for the client, the GET that waits for it, and the WebSocket that may take over.

use crate::frame::Frame;
use crate::http::Response;
use crate::ids::{RequestId, SocketId};
use crate::outbox::{Class, Outbox, Pushed};
use crate::socket_io::Malformed;
use crate::socket_io::payload::{Packet, encode};
use crate::time::Timestamp;

use super::{Ended, Order};

const CLOSE: &str = "1";
const NOOP: &str = "6";

/// A session as long as it polls.
#[derive(Debug, Default)]
pub(super) struct Polling {
    outbox: Outbox,
    /// The GET that waits.
    poll: Option<RequestId>,
    probe: Option<Probe>,
    closing: Option<Closing>,
}

/// A side has closed, and one more GET is answered if it comes until then.
#[derive(Debug)]
struct Closing {
    until: Timestamp,
    how: Farewell,
    told: bool,
}

/// How a client hears of the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Farewell {
    /// With the last of what was said.
    Together,
    /// In an answer to itself, after that.
    Apart,
    /// By the GET after that, which finds nobody.
    Silent,
    /// It has closed by itself.
    Own,
}

/// A WebSocket with the session's id.
#[derive(Debug)]
struct Probe {
    socket: SocketId,
    until: Timestamp,
    /// It has said `2probe`: from now on no GET waits.
    answered: bool,
}

impl Polling {
    /// How many bytes wait.
    pub fn queued_bytes(&self) -> usize {
        self.outbox.queued_bytes()
    }

    /// A GET came. False: another one waits.
    pub fn wait(&mut self, request: RequestId) -> bool {
        let free = self.poll.is_none();
        if free {
            self.poll = Some(request);
        }
        free
    }

    /// A request is gone. True: it was the GET that waits.
    pub fn forget(&mut self, request: RequestId) -> bool {
        let waited = self.poll == Some(request);
        if waited {
            self.poll = None;
        }
        waited
    }

    pub fn push(&mut self, frame: Frame, class: Class, orders: &mut Vec<Order>) -> Pushed {
        if self.is_closing() {
            return Pushed::Dropped;
        }
        let pushed = self.outbox.push(frame.clone(), class);
        // A burst within one step says nothing about a client that is there to take it.
        match pushed == Pushed::Overflowed && self.flush(orders) {
            true => self.outbox.push(frame, class),
            false => pushed,
        }
    }

    /// Answers the GET that waits, if there is something to say. True: it was answered.
    pub fn flush(&mut self, orders: &mut Vec<Order>) -> bool {
        let probed = self.probe.as_ref().is_some_and(|probe| probe.answered);
        let due = !self.outbox.is_empty() || self.is_closing() || probed;
        let Some(request) = self.poll.take_if(|_| due) else { return false };
        let mut frames: Vec<_> = std::iter::from_fn(|| self.outbox.pop()).map(|(frame, _)| frame).collect();
        let ending = self.closing.as_mut().filter(|it| frames.is_empty() || it.how != Farewell::Apart);
        let how = ending.map(|closing| {
            closing.told = true;
            closing.how
        });
        match how {
            Some(Farewell::Together | Farewell::Apart) => frames.push(Frame::text(CLOSE)),
            Some(Farewell::Silent | Farewell::Own) | None if frames.is_empty() => {
                frames.push(Frame::text(NOOP))
            }
            Some(Farewell::Silent | Farewell::Own) | None => {}
        }
        orders.push(Order::Respond { request, response: polled(frames) });
        if self.outbox.take_flushed() {
            orders.push(Order::Flushed);
        }
        true
    }

    /// The server has closed: the client may hear the rest until then.
    pub fn close(&mut self, until: Timestamp, how: Farewell) {
        self.closing.get_or_insert(Closing { until, how, told: false });
    }

    /// The client has closed. False: no GET waits to be answered, but one may be on its way until then.
    pub fn leave(&mut self, until: Timestamp, orders: &mut Vec<Order>) -> bool {
        let waits = self.poll.is_some();
        if !waits {
            self.outbox = Outbox::default();
            self.closing = Some(Closing { until, how: Farewell::Own, told: false });
            self.close_probe(orders);
        }
        waits
    }

    /// Why it is over, once the client has been told.
    pub fn told(&self) -> Option<Ended> {
        self.closing.as_ref().filter(|closing| closing.told)?;
        self.ending().map(|(_, why)| why)
    }

    pub fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    pub fn has_left(&self) -> bool {
        self.closing.as_ref().is_some_and(|closing| closing.how == Farewell::Own)
    }

    /// How the session ends that is closing, and when at the latest.
    pub fn ending(&self) -> Option<(Timestamp, Ended)> {
        let closing = self.closing.as_ref()?;
        Some((
            closing.until,
            if closing.how == Farewell::Own { Ended::ClientClosed } else { Ended::ByServer },
        ))
    }

    /// The earliest of what this transport waits for and the heartbeat, which stops with the session.
    pub fn next_deadline(&self, heartbeat: Timestamp) -> Timestamp {
        let due = self.closing.as_ref().map_or(heartbeat, |closing| closing.until);
        self.probe.as_ref().map_or(due, |probe| due.min(probe.until))
    }

    pub fn may_probe(&self) -> bool {
        self.probe.is_none() && !self.is_closing()
    }

    pub fn probe(&mut self, socket: SocketId, until: Timestamp) {
        self.probe = Some(Probe { socket, until, answered: false });
    }

    pub fn probes(&self, socket: SocketId) -> bool {
        self.probe.as_ref().is_some_and(|probe| probe.socket == socket)
    }

    pub fn lose_probe(&mut self, socket: SocketId) {
        self.probe.take_if(|probe| probe.socket == socket);
    }

    pub fn drop_late_probe(&mut self, now: Timestamp, orders: &mut Vec<Order>) {
        if let Some(late) = self.probe.take_if(|probe| probe.until <= now) {
            orders.push(Order::Close { socket: late.socket });
        }
    }

    /// The probe said something. True: it shall take over. If it says anything out of turn it is closed, and
    /// polling goes on.
    pub fn hear_probe(&mut self, said: Result<Option<Packet>, Malformed>, orders: &mut Vec<Order>) -> bool {
        let Some(probe) = &mut self.probe else { return false };
        let socket = probe.socket;
        match (said, probe.answered) {
            (Ok(None), _) => false,
            (Ok(Some(Packet::Probe)), false) => {
                probe.answered = true;
                let frame = Frame::text("3probe");
                orders.push(Order::Send { socket, frame, class: Class::Kept });
                false
            }
            (Ok(Some(Packet::Upgrade)), true) => true,
            _ => {
                self.close_probe(orders);
                false
            }
        }
    }

    /// Sends on the WebSocket what waits.
    pub fn move_to(mut self, socket: SocketId, orders: &mut Vec<Order>) {
        debug_assert_eq!(self.poll, None, "every GET is answered at once from `2probe` on");
        while let Some((frame, class)) = self.outbox.pop() {
            orders.push(Order::Send { socket, frame, class });
        }
    }

    /// Answers and closes whatever is left.
    pub fn end(mut self, by_client: bool, orders: &mut Vec<Order>) {
        if let Some(request) = self.poll {
            let packet = if by_client { NOOP } else { CLOSE };
            orders.push(Order::Respond { request, response: polled([Frame::text(packet)]) });
        }
        self.close_probe(orders);
    }

    fn close_probe(&mut self, orders: &mut Vec<Order>) {
        if let Some(probe) = self.probe.take() {
            orders.push(Order::Close { socket: probe.socket });
        }
    }
}

/// The answer to a GET.
pub(super) fn polled(frames: impl IntoIterator<Item = Frame>) -> Response {
    Response::new(200, "text/plain; charset=UTF-8", encode(frames)).with("cache-control", "no-store")
}

/// The answer to a POST.
pub(super) fn ok() -> Response {
    Response::new(200, "text/html", "ok").with("cache-control", "no-store")
}
