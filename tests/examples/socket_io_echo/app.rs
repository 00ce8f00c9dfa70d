//! What stands above a session: an echo, or namespaces whose events come back.

use parlor_protocol::frame::Frame;
use parlor_protocol::input::Message;
use parlor_protocol::socket_io::Malformed;
use parlor_protocol::socket_io::namespaces::{Client, Said};
use parlor_protocol::socket_io::packet::{Packet, event_frame};
use parlor_protocol::socket_io::payload::message_frame;
use parlor_protocol::time::Timestamp;
use serde_json::Value;
use std::time::Duration;

/// The suites' `maxPayload`.
pub const PAYLOAD_BYTES_MAX: u32 = 1_000_000;
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1_000);
const NAMESPACES: [&str; 2] = ["/", "/custom"];

/// Which of the two.
#[derive(Debug, Clone, Copy)]
pub enum Endpoint {
    Echo,
    SocketIo,
}

/// One of the two, for one session.
pub enum App {
    Echo,
    SocketIo(Client),
}

impl App {
    /// `sid` names the client in its namespaces.
    pub fn new(endpoint: Endpoint, now: Timestamp) -> Self {
        match endpoint {
            Endpoint::Echo => Self::Echo,
            Endpoint::SocketIo => {
                Self::SocketIo(Client::new(&NAMESPACES, now, CONNECT_TIMEOUT, PAYLOAD_BYTES_MAX))
            }
        }
    }

    /// What is said to a message; an error closes the session.
    pub fn hear(
        &mut self,
        message: Message,
        now: Timestamp,
        sid: impl FnOnce() -> String,
    ) -> Result<Vec<Frame>, Malformed> {
        match (self, message) {
            (Self::Echo, Message::Text(text)) => {
                let text = std::str::from_utf8(&text).map_err(|_| Malformed::Utf8)?;
                Ok(vec![message_frame(text)])
            }
            (Self::Echo, Message::Binary(bytes)) => Ok(vec![Frame::binary(&bytes)]),
            (Self::Echo, Message::Ping(_) | Message::Pong(_) | Message::Close(_)) => Ok(Vec::new()),
            (Self::SocketIo(client), message) => match client.on_message(message, now)? {
                Some(said) => answer(said, client, sid),
                None => Ok(Vec::new()),
            },
        }
    }

    pub fn next_deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Echo => None,
            Self::SocketIo(client) => client.next_deadline(),
        }
    }

    /// Whether the client let a deadline pass.
    pub fn is_late(&mut self, now: Timestamp) -> bool {
        match self {
            Self::Echo => false,
            Self::SocketIo(client) => client.on_deadline(now).is_err(),
        }
    }
}

fn answer(said: Said, client: &mut Client, sid: impl FnOnce() -> String) -> Result<Vec<Frame>, Malformed> {
    match said {
        Said::Connect { namespace, auth } => {
            let granted = client.accepted(namespace, &sid(), None);
            let auth = auth.as_deref().unwrap_or("{}");
            Ok(vec![granted, event_frame(namespace, None, &format!("[\"auth\",{auth}]"))])
        }
        Said::Unknown { reply } => Ok(vec![reply]),
        Said::Event { namespace, id, args, attachments } => {
            let Ok(mut args) = serde_json::from_str::<Vec<Value>>(&args) else {
                return Err(Malformed::DataType);
            };
            let name = args.remove(0);
            let count = attachments.len() as u8;
            Ok(match (name.as_str(), id) {
                (Some("message"), _) => {
                    args.insert(0, "message-back".into());
                    let args = Value::from(args).to_string();
                    Packet::event(namespace, None, &args, count).frames(&attachments)
                }
                (Some("message-with-ack"), Some(id)) => {
                    let args = Value::from(args).to_string();
                    Packet::ack(namespace, id, &args, count).frames(&attachments)
                }
                _ => Vec::new(),
            })
        }
        Said::Ack { .. } | Said::Disconnect { .. } => Ok(Vec::new()),
    }
}
