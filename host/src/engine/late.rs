//! Answers that only the process can complete. They are begun while the lock is held and written when it is free, because
//! nobody has to wait for them but the one who asked.

use super::perform::Pending;
use super::{Core, Engine};
use crate::line::{Decision, Line};
use crate::lock::locked;
use crate::measured::measured;
use bytes::Bytes;
use parlor_protocol::http::{Body, Response};
use parlor_protocol::ids::SocketId;
use parlor_protocol::metrics::{JobsWaiting, Limit, Measured, statistics, text};
use parlor_protocol::outbox::Class;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many lines are taken out of the core at a time, to look at what waits for them.
pub(super) const LINES_LOOKED_AT: usize = 1_024;

/// An answer that is not complete.
#[derive(Debug)]
pub(super) struct Late {
    pending: Pending,
    response: Response,
    keep_alive: bool,
    /// The lines that it speaks of.
    lines: BTreeMap<SocketId, Arc<Line>>,
}

/// Whether an answer has to be completed.
pub(super) fn is_late(response: &Response) -> bool {
    match response.body {
        Body::Statistics(_) | Body::Metrics(_) | Body::Connections(_) => true,
        Body::Bytes(_) | Body::Asset(_) => false,
    }
}

impl Core {
    /// What completing the answer needs of the core.
    pub(super) fn late(&self, pending: Pending, response: Response, keep_alive: bool) -> Late {
        let mut lines = BTreeMap::new();
        if let Body::Connections(listed) = &response.body {
            let sockets = listed.rows.iter().filter_map(|(_, socket)| *socket);
            lines.extend(sockets.filter_map(|socket| Some((socket, self.sockets.line(socket)?.clone()))));
        }
        Late { pending, response, keep_alive, lines }
    }
}

impl Engine {
    /// Completes an answer and gives it to its line.
    pub(super) fn answer_late(&self, late: Late) {
        let Late { pending, response, keep_alive, lines } = late;
        let body = match &response.body {
            Body::Statistics(counted) => statistics(counted, &measured()),
            Body::Metrics(snapshot) => text(snapshot, &self.measured()).into(),
            Body::Connections(listed) => {
                listed.json(|socket| lines.get(&socket).map_or(0, |line| line.queued_bytes()))
            }
            Body::Bytes(bytes) => bytes.clone(),
            Body::Asset(_) => Bytes::new(),
        };
        let response = Response { body: Body::Bytes(body), ..response };
        let frame = self.response_frame(&response, keep_alive, pending.without_body);
        if pending.line.push(&frame, Class::Kept) {
            self.mark_dirty(pending.line.clone());
        }
        pending.line.decide(Decision::Responded { keep_alive });
        pending.line.wake();
    }

    /// All that only the driver knows.
    fn measured(&self) -> Measured {
        let mut measured = measured();
        measured.limits.add(Limit::Bodies, self.bodies.refused());
        let (commits, reads) = self.store.waiting();
        let jobs = JobsWaiting {
            work: self.work.waiting() as u64,
            documents: self.documents.waiting() as u64,
            commits: commits as u64,
            reads: reads as u64,
        };
        Measured {
            memory_max_bytes: self.memory.max(),
            held: self.held().spread(),
            appends: self.store.appends(),
            lines: self.lines_open.count() as u64,
            outbox_bytes: self.outbox_bytes() as u64,
            body_bytes: self.bodies.held_bytes() as u64,
            jobs,
            documents_given_up: self.documents_given_up(),
            ..measured
        }
    }

    /// How many bytes wait to be written to sockets. The lock is taken for some lines at a time.
    pub(super) fn outbox_bytes(&self) -> usize {
        let (mut bytes, mut from) = (0, 0);
        loop {
            let lines = locked(&self.core).sockets.lines(from, LINES_LOOKED_AT);
            let Some(lines) = lines else { return bytes };
            bytes += lines.iter().map(|line| line.queued_bytes()).sum::<usize>();
            from += LINES_LOOKED_AT;
        }
    }
}
