//! What a client can break on the levels of Engine.IO and Socket.IO. Every one of these ends the session: a client
//! that is not understood once has lost its place in the conversation.

use super::packet::{ACK_ID_MAX, ATTACHMENTS_MAX, NAMESPACE_BYTES_MAX};
use super::payload::PACKETS_MAX;
use std::fmt;

/// Why a client is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Malformed {
    /// A packet without a type, of an unknown type, or of one that clients do not send.
    PacketType,
    /// A packet that carries data its type does not have.
    UnexpectedData,
    /// A polling payload that its media type says is not text.
    MediaType,
    /// Text that is not UTF-8.
    Utf8,
    /// A binary packet in a polling payload that is not base64.
    Base64,
    /// A polling payload of more than `PACKETS_MAX` packets.
    PacketCount,
    /// A number of attachments that is not 1 to `ATTACHMENTS_MAX` in digits.
    AttachmentCount,
    /// A namespace that is too long or holds control characters.
    Namespace,
    /// An acknowledgement id that is missing, over `ACK_ID_MAX`, misplaced or not in its shortest form.
    AckId,
    /// The data is missing or not of the JSON type that belongs to the packet.
    DataType,
    /// Data that the JSON gate refuses; it says why.
    Json(String),
    /// An event without a name, or with one that is reserved.
    EventName,
    /// A placeholder that is not an integer below the number of attachments, or one that is used not once.
    Placeholder,
    /// A packet for a namespace that the client has not connected to.
    NotConnected,
    /// A second CONNECT to one namespace.
    ConnectedTwice,
    /// Text while attachments are due.
    AttachmentsDue,
    /// Binary data that no packet has announced.
    Unannounced,
    /// The attachments of one packet are too large together.
    AttachmentBytes {
        /// What they may have.
        limit: usize,
        /// What they have so far.
        actual: usize,
    },
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PacketType => write!(f, "a packet of no known type"),
            Self::UnexpectedData => write!(f, "a packet with data that its type does not have"),
            Self::MediaType => write!(f, "a payload of octets, which is text in version 4"),
            Self::Utf8 => write!(f, "text that is not UTF-8"),
            Self::Base64 => write!(f, "binary data that is not base64"),
            Self::PacketCount => write!(f, "a payload of over {PACKETS_MAX} packets"),
            Self::AttachmentCount => {
                write!(f, "a number of attachments that is not 1 to {ATTACHMENTS_MAX}")
            }
            Self::Namespace => {
                write!(f, "a namespace of over {NAMESPACE_BYTES_MAX} bytes or with control characters")
            }
            Self::AckId => write!(f, "an acknowledgement id that is not a number up to {ACK_ID_MAX}"),
            Self::DataType => write!(f, "data of a type that the packet does not have"),
            Self::Json(why) => write!(f, "data that is refused: {why}"),
            Self::EventName => write!(f, "an event without a name or with a reserved one"),
            Self::Placeholder => write!(f, "a placeholder that does not name one attachment of its own"),
            Self::NotConnected => write!(f, "a packet for a namespace that is not connected"),
            Self::ConnectedTwice => write!(f, "a second CONNECT to a namespace"),
            Self::AttachmentsDue => write!(f, "text while attachments are due"),
            Self::Unannounced => write!(f, "binary data that was not announced"),
            Self::AttachmentBytes { limit, actual } => {
                write!(f, "attachments of {actual} bytes are over the limit of {limit}")
            }
        }
    }
}

impl std::error::Error for Malformed {}
