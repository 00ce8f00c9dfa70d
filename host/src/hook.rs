//! The event hook of a backend: one delivery (WIRE §5.3), signed so that the backend can tell who it is from
//! (WIRE §0.2).

use crate::http_client::{agent, said};
use parlor_protocol::auth::{SIGNATURE_HEADER, Signed};
use parlor_protocol::call::{CallFailure, HOOK_WAIT_MAX, Said, read_hook};
use parlor_protocol::time::Timestamp;
use std::fmt;
use std::time::Duration;
use ureq::Agent;
use ureq::http::{Uri, header};

/// Where events are delivered.
#[derive(Clone)]
pub struct EventHook {
    url: String,
    /// Path and query, as they are sent and signed.
    target: String,
    key: Option<String>,
    agent: Agent,
}

/// Says what is there, never what it is.
impl fmt::Debug for EventHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventHook {{ key: {} }}", self.key.is_some())
    }
}

impl EventHook {
    /// The hook at this address; `None`: it is no address.
    pub fn new(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
        let target = match uri.query() {
            Some(query) => format!("{}?{query}", uri.path()),
            None => uri.path().to_string(),
        };
        let url = format!("{scheme}://{authority}{target}");
        Some(Self { url, target, key: None, agent: agent(HOOK_WAIT_MAX) })
    }

    /// The same with deliveries signed with the service key.
    pub fn signed_with(mut self, key: &str) -> Self {
        self.key = Some(key.to_string());
        self
    }

    /// The same with another limit on how long a delivery may take as a whole.
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.agent = agent(patience);
        self
    }

    /// Makes one delivery and waits for its end. What the hook answers besides its status is not read.
    pub fn deliver(&self, events: &str, now: Timestamp) -> Said {
        let mut post =
            self.agent.post(&self.url).content_type("application/json").header(header::CONNECTION, "close");
        if let Some(key) = &self.key {
            let (at, target, body) = (now.unix_seconds(), self.target.as_str(), events.as_bytes());
            let signed = Signed { at, method: "POST", target, body };
            post = post.header(SIGNATURE_HEADER, signed.header(key));
        }
        let read = |status, retry_after: Option<&str>, _: &[u8]| read_hook(status, retry_after);
        let said = said(post.send(events), 0, read);
        // Events are kept until they are delivered, whatever is wrong with the other end.
        let is_final = matches!(said, Said::Failed(CallFailure::BadReply(_) | CallFailure::Refused { .. }));
        if is_final { Said::Failed(CallFailure::Passing { retry_after: None }) } else { said }
    }
}
