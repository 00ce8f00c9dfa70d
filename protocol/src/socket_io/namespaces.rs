//! What a client says on one session, above the engine: packets with their attachments, each for a namespace that
//! the client is connected to.
//!
//! The namespaces are known beforehand, so a client can ask for others as often as it likes and leaves nothing
//! behind. Whatever it says out of turn is [`Malformed`], and the session ends.

use super::Malformed;
use super::packet::{ATTACHMENTS_MAX, Kind, Packet};
use crate::frame::Frame;
use crate::input::Message;
use crate::json::Json;
use crate::time::Timestamp;
use bytes::Bytes;
use serde::Serialize;
use std::time::Duration;

/// The most namespaces of an endpoint, and so of a connection.
pub const NAMESPACES_MAX: usize = 16;
/// How long the attachments of a packet may take, all together.
pub const ATTACHMENTS_WAIT_MAX: Duration = Duration::from_secs(10);

/// One client.
#[derive(Debug)]
pub struct Client {
    namespaces: &'static [&'static str],
    /// Where the client stands with each of them.
    standings: [Standing; NAMESPACES_MAX],
    /// Until when it has to be connected to one; `None` once it was.
    connects_until: Option<Timestamp>,
    attachment_bytes_max: u32,
    unfinished: Option<Box<Unfinished>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Outside,
    /// It has asked, and was not answered yet.
    Asked,
    Connected,
    /// The server has sent it away. It may not know yet, and what it says is not wrong but late.
    SentAway,
}

/// A packet whose attachments are still to come.
#[derive(Debug)]
struct Unfinished {
    said: Said,
    /// How many are still to come.
    missing: u8,
    bytes: usize,
    until: Timestamp,
}

/// What a client said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It wants to connect: to be answered with `accepted` or `refused`.
    Connect {
        /// One of those that there are.
        namespace: &'static str,
        /// A JSON object.
        auth: Option<String>,
    },
    /// It wants to connect to a namespace that there is not.
    Unknown {
        /// What to answer.
        reply: Frame,
    },
    /// An event.
    Event {
        /// Where.
        namespace: &'static str,
        /// What its acknowledgement is to name, if it wants one.
        id: Option<u64>,
        /// A JSON array; the first item is the event's name, text or a number.
        args: String,
        /// As the placeholders in `args` number them.
        attachments: Vec<Bytes>,
    },
    /// An acknowledgement.
    Ack {
        /// Where.
        namespace: &'static str,
        /// Which event it acknowledges.
        id: u64,
        /// A JSON array.
        args: String,
        /// As the placeholders in `args` number them.
        attachments: Vec<Bytes>,
    },
    /// It has left.
    Disconnect {
        /// Where.
        namespace: &'static str,
    },
}

/// What a client did not do in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overdue {
    /// It is connected to no namespace and never was.
    Connect,
    /// It has announced attachments and not sent them.
    Attachments,
}

impl Client {
    /// A client whose session has just opened. `namespaces`: at most `NAMESPACES_MAX`, each beginning with `/`.
    pub fn new(
        namespaces: &'static [&'static str],
        opened_at: Timestamp,
        connect_timeout: Duration,
        attachment_bytes_max: u32,
    ) -> Self {
        assert!(namespaces.len() <= NAMESPACES_MAX, "over {NAMESPACES_MAX} namespaces");
        Self {
            namespaces,
            standings: [Standing::Outside; NAMESPACES_MAX],
            connects_until: Some(opened_at + connect_timeout),
            attachment_bytes_max,
            unfinished: None,
        }
    }

    /// Takes in one message of the session. `None`: nothing whole yet, or nothing that matters.
    pub fn on_message(&mut self, message: Message, now: Timestamp) -> Result<Option<Said>, Malformed> {
        match message {
            Message::Text(_) if self.unfinished.is_some() => Err(Malformed::AttachmentsDue),
            Message::Text(text) => {
                let text = std::str::from_utf8(&text).map_err(|_| Malformed::Utf8)?;
                self.on_packet(Packet::decode(text)?, now)
            }
            Message::Binary(attachment) => self.on_attachment(attachment),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => Ok(None),
        }
    }

    /// Grants what `Said::Connect` asked for. `sid` names the client in this namespace, and is not the session's;
    /// `pid`, which is secret, is for a client that comes back.
    pub fn accepted(&mut self, namespace: &str, sid: &str, pid: Option<&str>) -> Frame {
        #[derive(Serialize)]
        struct Granted<'a> {
            sid: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            pid: Option<&'a str>,
        }
        self.set(namespace, Standing::Connected);
        self.connects_until = None;
        let granted = Json::of(&Granted { sid, pid });
        Packet::about(Kind::Connect, namespace, Some(granted.as_str())).frame()
    }

    /// Does not grant what `Said::Connect` asked for. `error` is a JSON object with a `message`, and `data` if there
    /// is more to say. The client may ask again.
    pub fn refused(&mut self, namespace: &str, error: &str) -> Frame {
        self.set(namespace, Standing::Outside);
        Packet::about(Kind::ConnectError, namespace, Some(error)).frame()
    }

    /// Sends the client away. What it has said before it knows is dropped.
    pub fn disconnected(&mut self, namespace: &str) -> Frame {
        self.set(namespace, Standing::SentAway);
        Packet::about(Kind::Disconnect, namespace, None).frame()
    }

    /// Whether it is connected to this namespace.
    pub fn is_connected(&self, namespace: &str) -> bool {
        self.place(namespace).is_some_and(|at| self.standings[at] == Standing::Connected)
    }

    /// When `on_deadline` is due.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let attachments = self.unfinished.as_ref().map(|unfinished| unfinished.until);
        attachments.into_iter().chain(self.connects_until).min()
    }

    /// Time has passed. An error ends the session, which may take a while: it is said once.
    pub fn on_deadline(&mut self, now: Timestamp) -> Result<(), Overdue> {
        if self.unfinished.take_if(|unfinished| unfinished.until <= now).is_some() {
            return Err(Overdue::Attachments);
        }
        match self.connects_until.take_if(|until| *until <= now) {
            Some(_) => Err(Overdue::Connect),
            None => Ok(()),
        }
    }

    fn on_packet(&mut self, packet: Packet<'_>, now: Timestamp) -> Result<Option<Said>, Malformed> {
        let Some(at) = self.place(&packet.namespace) else { return unknown(&packet) };
        let (namespace, standing) = (self.namespaces[at], self.standings[at]);
        let data = packet.data.map(String::from);
        let said = match (packet.kind, standing) {
            (Kind::ConnectError, _) => return Err(Malformed::PacketType),
            (Kind::Connect, Standing::Outside | Standing::SentAway) => {
                self.standings[at] = Standing::Asked;
                return Ok(Some(Said::Connect { namespace, auth: data }));
            }
            (Kind::Connect, _) => return Err(Malformed::ConnectedTwice),
            (_, Standing::Outside | Standing::Asked) => return Err(Malformed::NotConnected),
            (Kind::Disconnect, standing) => {
                self.standings[at] = Standing::Outside;
                let left = standing == Standing::Connected;
                return Ok(left.then_some(Said::Disconnect { namespace }));
            }
            (Kind::Event | Kind::BinaryEvent, _) => {
                let args = data.ok_or(Malformed::DataType)?;
                Said::Event { namespace, id: packet.id, args, attachments: Vec::new() }
            }
            (Kind::Ack | Kind::BinaryAck, _) => {
                let (id, args) = (packet.id.ok_or(Malformed::AckId)?, data.ok_or(Malformed::DataType)?);
                Said::Ack { namespace, id, args, attachments: Vec::new() }
            }
        };
        match packet.attachments {
            0 => Ok(self.heard(said)),
            missing => {
                let until = now + ATTACHMENTS_WAIT_MAX;
                self.unfinished = Some(Box::new(Unfinished { said, missing, bytes: 0, until }));
                Ok(None)
            }
        }
    }

    fn on_attachment(&mut self, attachment: Bytes) -> Result<Option<Said>, Malformed> {
        let mut unfinished = self.unfinished.take().ok_or(Malformed::Unannounced)?;
        unfinished.bytes += attachment.len();
        let (limit, actual) = (self.attachment_bytes_max as usize, unfinished.bytes);
        if actual > limit {
            return Err(Malformed::AttachmentBytes { limit, actual });
        }
        if let Said::Event { attachments, .. } | Said::Ack { attachments, .. } = &mut unfinished.said {
            attachments.push(attachment);
        }
        unfinished.missing -= 1;
        if unfinished.missing == 0 {
            return Ok(self.heard(unfinished.said));
        }
        self.unfinished = Some(unfinished);
        Ok(None)
    }

    /// What is whole, unless the client was sent away meanwhile.
    fn heard(&self, said: Said) -> Option<Said> {
        let (Said::Event { namespace, .. } | Said::Ack { namespace, .. }) = &said else { return Some(said) };
        self.is_connected(namespace).then_some(said)
    }

    fn place(&self, namespace: &str) -> Option<usize> {
        self.namespaces.iter().position(|known| *known == namespace)
    }

    fn set(&mut self, namespace: &str, standing: Standing) {
        debug_assert!(self.place(namespace).is_some(), "there is no namespace {namespace}");
        if let Some(at) = self.place(namespace) {
            self.standings[at] = standing;
        }
    }
}

/// Nobody is connected to what there is not, but everybody may ask.
fn unknown(packet: &Packet<'_>) -> Result<Option<Said>, Malformed> {
    if packet.kind != Kind::Connect {
        return Err(Malformed::NotConnected);
    }
    let error = Some(r#"{"message":"Invalid namespace"}"#);
    let reply = Packet::about(Kind::ConnectError, &packet.namespace, error).frame();
    Ok(Some(Said::Unknown { reply }))
}

// What a packet announces fits its counter, and a client that says little is small.
const _: () = assert!(ATTACHMENTS_MAX < u8::MAX && size_of::<Client>() <= 64);
