//! The frames of `@hocuspocus/provider` 4.8: many documents on one socket, each frame with the name of its own.

use super::lib0::{Reader, write_var_string, write_var_uint, write_var_uint8_array};
use super::{Malformed, SyncMessage};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// One frame, of either side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Is anybody there? A single byte, for the socket.
    Ping,
    /// The answer.
    Pong,
    /// Something about a document.
    Said {
        /// Its name as it was sent. A provider that is `sessionAware` puts `\0` and an id of its own behind it, and
        /// hears only what comes back under the same.
        document: Arc<str>,
        /// What.
        said: Said,
    },
}

/// What is said about a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A message of the sync protocol.
    Sync(SyncMessage),
    /// The same, but a first step in it is not answered with another one.
    SyncReply(SyncMessage),
    /// What [`awareness::read`](super::awareness::read) reads.
    Awareness(Bytes),
    /// Asks for everybody's awareness.
    QueryAwareness,
    /// A client says who it is.
    Auth {
        /// With this.
        token: Token,
        /// The version of the provider. Older ones do not say it.
        version: Option<String>,
    },
    /// The server wants the token again.
    AskToken,
    /// The server lets the client in.
    Authenticated {
        /// Whether it may change nothing.
        read_only: bool,
    },
    /// The server does not let the client in: why.
    Denied(String),
    /// Something that is not kept, from or for one client.
    Stateless(String),
    /// The same for all. Servers say it to each other, clients never.
    BroadcastStateless(String),
    /// The client leaves the document, or the server ends it there and says why.
    Close(Option<String>),
    /// Whether the server took in a second step or an update.
    SyncStatus(bool),
}

/// A token, which is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub String);

const SYNC: u64 = 0;
const AWARENESS: u64 = 1;
const AUTH: u64 = 2;
const QUERY_AWARENESS: u64 = 3;
const SYNC_REPLY: u64 = 4;
const STATELESS: u64 = 5;
const BROADCAST_STATELESS: u64 = 6;
const CLOSE: u64 = 7;
const SYNC_STATUS: u64 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

const TOKEN: u64 = 0;
const PERMISSION_DENIED: u64 = 1;
const AUTHENTICATED: u64 = 2;

const READ_ONLY: &str = "readonly";
const READ_WRITE: &str = "read-write";

impl Frame {
    /// Reads a frame: exactly one message.
    pub fn read(frame: &Bytes) -> Result<Self, Malformed> {
        match frame[..] {
            [PING] => return Ok(Self::Ping),
            [PONG] => return Ok(Self::Pong),
            _ => {}
        }
        let mut reader = Reader::new(frame);
        let document = reader.var_string()?.into();
        let said = Said::read(&mut reader, frame)?;
        reader.end()?;
        Ok(Self::Said { document, said })
    }

    /// Its payload.
    pub fn write(&self) -> Vec<u8> {
        match self {
            Self::Ping => vec![PING],
            Self::Pong => vec![PONG],
            Self::Said { document, said } => {
                let mut bytes = Vec::new();
                write_var_string(&mut bytes, document);
                said.write(&mut bytes);
                bytes
            }
        }
    }
}

impl Said {
    fn read(reader: &mut Reader<'_>, frame: &Bytes) -> Result<Self, Malformed> {
        Ok(match reader.var_uint()? {
            SYNC => Self::Sync(SyncMessage::read(reader, frame)?),
            SYNC_REPLY => Self::SyncReply(SyncMessage::read(reader, frame)?),
            AWARENESS => Self::Awareness(frame.slice_ref(reader.var_uint8_array()?)),
            AUTH => Self::read_auth(reader)?,
            QUERY_AWARENESS => Self::QueryAwareness,
            STATELESS => Self::Stateless(reader.var_string()?.to_string()),
            BROADCAST_STATELESS => Self::BroadcastStateless(reader.var_string()?.to_string()),
            CLOSE => Self::Close(optional_string(reader)?),
            SYNC_STATUS => match reader.var_uint()? {
                status @ (0 | 1) => Self::SyncStatus(status == 1),
                other => return Err(Malformed::new(format!("sync status {other} is neither 0 nor 1"))),
            },
            other => return Err(Malformed::new(format!("message of unknown type {other}"))),
        })
    }

    fn read_auth(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        match reader.var_uint()? {
            TOKEN if reader.left() == 0 => Ok(Self::AskToken),
            TOKEN => {
                let token = Token(reader.var_string()?.to_string());
                Ok(Self::Auth { token, version: optional_string(reader)? })
            }
            PERMISSION_DENIED => Ok(Self::Denied(reader.var_string()?.to_string())),
            AUTHENTICATED => match reader.var_string()? {
                READ_ONLY => Ok(Self::Authenticated { read_only: true }),
                READ_WRITE => Ok(Self::Authenticated { read_only: false }),
                _ => Err(Malformed::new(format!("a scope that is neither {READ_WRITE} nor {READ_ONLY}"))),
            },
            other => Err(Malformed::new(format!("auth message of unknown type {other}"))),
        }
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        write_var_uint(bytes, self.kind());
        match self {
            Self::Sync(message) | Self::SyncReply(message) => message.write(bytes),
            Self::Awareness(states) => write_var_uint8_array(bytes, states),
            Self::QueryAwareness => {}
            Self::Auth { token, version } => {
                write_var_uint(bytes, TOKEN);
                write_var_string(bytes, &token.0);
                write_optional_string(bytes, version.as_deref());
            }
            Self::AskToken => write_var_uint(bytes, TOKEN),
            Self::Authenticated { read_only } => {
                write_var_uint(bytes, AUTHENTICATED);
                write_var_string(bytes, if *read_only { READ_ONLY } else { READ_WRITE });
            }
            Self::Denied(reason) => {
                write_var_uint(bytes, PERMISSION_DENIED);
                write_var_string(bytes, reason);
            }
            Self::Stateless(text) | Self::BroadcastStateless(text) => write_var_string(bytes, text),
            Self::Close(reason) => write_optional_string(bytes, reason.as_deref()),
            Self::SyncStatus(applied) => write_var_uint(bytes, u64::from(*applied)),
        }
    }

    fn kind(&self) -> u64 {
        match self {
            Self::Sync(_) => SYNC,
            Self::SyncReply(_) => SYNC_REPLY,
            Self::Awareness(_) => AWARENESS,
            Self::QueryAwareness => QUERY_AWARENESS,
            Self::Auth { .. } | Self::AskToken | Self::Authenticated { .. } | Self::Denied(_) => AUTH,
            Self::Stateless(_) => STATELESS,
            Self::BroadcastStateless(_) => BROADCAST_STATELESS,
            Self::Close(_) => CLOSE,
            Self::SyncStatus(_) => SYNC_STATUS,
        }
    }
}

/// A string, unless the frame is at its end.
fn optional_string(reader: &mut Reader<'_>) -> Result<Option<String>, Malformed> {
    match reader.left() {
        0 => Ok(None),
        _ => reader.var_string().map(|text| Some(text.to_string())),
    }
}

fn write_optional_string(bytes: &mut Vec<u8>, text: Option<&str>) {
    if let Some(text) = text {
        write_var_string(bytes, text);
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(frame: &'static [u8]) -> String {
        Frame::read(&Bytes::from_static(frame)).expect_err("it is malformed").why
    }

    #[test]
    fn what_a_provider_and_its_server_say_is_read_and_written() {
        let bytes = Bytes::from_static;
        for (frame, said) in [
            (&b"\x00\x00\x01\x00"[..], Said::Sync(SyncMessage::Step1(bytes(b"\0")))),
            (b"\x00\x01\x02\x00\x00", Said::Sync(SyncMessage::Step2(bytes(b"\0\0")))),
            (b"\x00\x02\x03upd", Said::Sync(SyncMessage::Update(bytes(b"upd")))),
            (b"\x04\x00\x01\x00", Said::SyncReply(SyncMessage::Step1(bytes(b"\0")))),
            (b"\x01\x06\x01\x05\x01\x02{}", Said::Awareness(bytes(b"\x01\x05\x01\x02{}"))),
            (
                b"\x02\x00\x04good\x054.8.0",
                Said::Auth { token: Token("good".into()), version: Some("4.8.0".into()) },
            ),
            (b"\x02\x00\x04good", Said::Auth { token: Token("good".into()), version: None }),
            (b"\x02\x00", Said::AskToken),
            (b"\x02\x01\x11permission-denied", Said::Denied("permission-denied".into())),
            (b"\x02\x02\x0aread-write", Said::Authenticated { read_only: false }),
            (b"\x02\x02\x08readonly", Said::Authenticated { read_only: true }),
            (b"\x03", Said::QueryAwareness),
            (b"\x05\x02hi", Said::Stateless("hi".into())),
            (b"\x06\x02hi", Said::BroadcastStateless("hi".into())),
            (b"\x07", Said::Close(None)),
            (b"\x07\x12provider_initiated", Said::Close(Some("provider_initiated".into()))),
            (b"\x08\x01", Said::SyncStatus(true)),
            (b"\x08\x00", Said::SyncStatus(false)),
        ] {
            let named = [b"\x05doc-1", frame].concat();
            let read = Frame::Said { document: "doc-1".into(), said };
            assert_eq!(read.write(), named, "{read:?}");
            assert_eq!(Frame::read(&named.into()), Ok(read));
        }
    }

    #[test]
    fn a_ping_is_a_single_byte_without_a_name() {
        for (frame, read) in [(&[9][..], Frame::Ping), (&[10], Frame::Pong)] {
            assert_eq!(read.write(), frame);
            assert_eq!(Frame::read(&Bytes::from_static(frame)), Ok(read));
        }
        assert_eq!(why(&[9, 9]), "array of 9 bytes, but 1 are left");
    }

    #[test]
    fn what_is_no_message_of_the_protocol_says_why() {
        assert_eq!(why(b""), "a number that does not end");
        assert_eq!(why(b"\x01d"), "a number that does not end");
        assert_eq!(why(b"\x01d\x09"), "message of unknown type 9");
        assert_eq!(why(b"\x01d\x00\x03\x00"), "sync message of unknown type 3");
        assert_eq!(why(b"\x01d\x02\x03"), "auth message of unknown type 3");
        assert_eq!(why(b"\x01d\x02\x02\x03all"), "a scope that is neither read-write nor readonly");
        assert_eq!(why(b"\x01d\x08\x02"), "sync status 2 is neither 0 nor 1");
        assert_eq!(why(b"\x01d\x03\x00"), "1 bytes behind the message");
        assert_eq!(why(b"\x01d\x02\x00\x01t\x01v\x00"), "1 bytes behind the message");
        assert_eq!(why(b"\x01\xff\x03"), "a string that is not UTF-8");
    }

    #[test]
    fn a_token_is_never_printed() {
        let said = Said::Auth { token: Token("secret".into()), version: None };
        assert_eq!(format!("{said:?}"), "Auth { token: Token(6 bytes), version: None }");
    }

    #[test]
    fn the_session_of_a_provider_is_part_of_the_name() {
        let frame = Bytes::from_static(b"\x07doc\0abc\x03");
        let read = Frame::Said { document: "doc\0abc".into(), said: Said::QueryAwareness };
        assert_eq!(Frame::read(&frame), Ok(read));
    }
}
