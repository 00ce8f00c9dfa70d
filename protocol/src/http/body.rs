//! What follows the head of a response: most of it the core writes; some the driver completes, because only it knows what
//! is missing.

use crate::ids::SocketId;
use crate::metrics::Snapshot;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;

/// The body of a response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// These bytes.
    Bytes(Bytes),
    /// A file of the console that the driver carries.
    Asset(Cow<'static, str>),
    /// Statistics, to which the driver adds what only it knows (`metrics::statistics`).
    Statistics(Value),
    /// Numbers, which the driver writes as a text with its own (`metrics::text`).
    Metrics(Box<Snapshot>),
    /// Connections, of which only the driver knows how much waits for them.
    Connections(Box<Listed>),
}

/// Some connections, as an operator is shown them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Each as an object of JSON, and the socket it is reached by.
    pub rows: Vec<(Value, Option<SocketId>)>,
    /// The last of them, if there are more.
    pub next: Option<String>,
}

impl Listed {
    /// As it is sent; `queued` says how many bytes wait for a socket.
    pub fn json(&self, mut queued: impl FnMut(SocketId) -> usize) -> Bytes {
        let rows = self.rows.iter().map(|(row, socket)| {
            let mut row = row.clone();
            if let Some(socket) = socket {
                row["queuedBytes"] = queued(*socket).into();
            }
            row
        });
        let mut page = json!({"connections": rows.collect::<Vec<_>>()});
        if let Some(next) = &self.next {
            page["next"] = json!(next);
        }
        page.to_string().into()
    }
}
