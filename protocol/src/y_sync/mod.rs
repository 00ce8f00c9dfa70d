//! The binary wires of Yjs clients, for any server: bytes in, messages out, and back. It knows neither Parlor nor
//! Yjs; what an update or a state vector holds is opaque here.
//!
//! * [`lib0`]: the numbers, strings and arrays of which all of them are made;
//! * [`Message`]: a frame of the `y-websocket` provider, which has one document for each socket;
//! * [`hocuspocus`]: a frame of `@hocuspocus/provider`, which names its document in each;
//! * [`awareness`]: who is there and where the cursors are, the same in both.
//!
//! Frames come from anybody. No length that stands in one is believed before so many bytes are there, nothing is
//! allocated for it, and updates and state vectors are slices of the frame that they came in.
//!
//! ```
//! use bytes::Bytes;
//! use parlor_protocol::y_sync::{Message, SyncMessage, read};
//!
//! let frame = Bytes::from_static(&[0, 0, 1, 0]);
//! let Ok(Message::Sync(SyncMessage::Step1(state_vector))) = read(&frame) else { panic!("a first step") };
//! let all_that_is_there = Bytes::from_static(&[0, 0]);
//! let reply = Message::Sync(SyncMessage::Step2(all_that_is_there));
//! assert_eq!((&state_vector[..], reply.write()), (&[0][..], vec![0, 1, 2, 0, 0]));
//! ```

pub mod awareness;
pub mod hocuspocus;
pub mod lib0;
mod malformed;

pub use malformed::Malformed;

use bytes::Bytes;
use lib0::{Reader, write_var_string, write_var_uint, write_var_uint8_array};

/// One message of the `y-websocket` protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// About the document.
    Sync(SyncMessage),
    /// What [`awareness::read`] reads.
    Awareness(Bytes),
    /// Asks for everybody's awareness.
    QueryAwareness,
    /// Why somebody may not come in. A server says it; the provider writes it to its console and goes on.
    Denied(String),
}

/// What brings two copies of a document together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncMessage {
    /// The state vector of who asks for what is missing there.
    Step1(Bytes),
    /// The update that answers it.
    Step2(Bytes),
    /// An update, as it happens.
    Update(Bytes),
}

const SYNC: u64 = 0;
const AWARENESS: u64 = 1;
const AUTH: u64 = 2;
const QUERY_AWARENESS: u64 = 3;

const STEP_1: u64 = 0;
const STEP_2: u64 = 1;
const UPDATE: u64 = 2;

const PERMISSION_DENIED: u64 = 0;

/// Reads a frame: exactly one message.
pub fn read(frame: &Bytes) -> Result<Message, Malformed> {
    let mut reader = Reader::new(frame);
    let message = match reader.var_uint()? {
        SYNC => Message::Sync(SyncMessage::read(&mut reader, frame)?),
        AWARENESS => Message::Awareness(frame.slice_ref(reader.var_uint8_array()?)),
        AUTH => match reader.var_uint()? {
            PERMISSION_DENIED => Message::Denied(reader.var_string()?.to_string()),
            other => return Err(Malformed::new(format!("auth message of unknown type {other}"))),
        },
        QUERY_AWARENESS => Message::QueryAwareness,
        other => return Err(Malformed::new(format!("message of unknown type {other}"))),
    };
    reader.end()?;
    Ok(message)
}

impl Message {
    /// The payload of its frame.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Sync(message) => {
                write_var_uint(&mut bytes, SYNC);
                message.write(&mut bytes);
            }
            Self::Awareness(states) => {
                write_var_uint(&mut bytes, AWARENESS);
                write_var_uint8_array(&mut bytes, states);
            }
            Self::QueryAwareness => write_var_uint(&mut bytes, QUERY_AWARENESS),
            Self::Denied(reason) => {
                write_var_uint(&mut bytes, AUTH);
                write_var_uint(&mut bytes, PERMISSION_DENIED);
                write_var_string(&mut bytes, reason);
            }
        }
        bytes
    }
}

impl SyncMessage {
    fn read(reader: &mut Reader<'_>, frame: &Bytes) -> Result<Self, Malformed> {
        let step = reader.var_uint()?;
        if step > UPDATE {
            return Err(Malformed::new(format!("sync message of unknown type {step}")));
        }
        let content = frame.slice_ref(reader.var_uint8_array()?);
        Ok(match step {
            STEP_1 => Self::Step1(content),
            STEP_2 => Self::Step2(content),
            _ => Self::Update(content),
        })
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        let (step, content) = match self {
            Self::Step1(state_vector) => (STEP_1, state_vector),
            Self::Step2(update) => (STEP_2, update),
            Self::Update(update) => (UPDATE, update),
        };
        write_var_uint(bytes, step);
        write_var_uint8_array(bytes, content);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(bytes: &'static [u8]) -> Bytes {
        Bytes::from_static(bytes)
    }

    fn why(frame: &'static [u8]) -> String {
        read(&bytes(frame)).expect_err("it is malformed").why
    }

    #[test]
    fn what_a_provider_and_its_server_say_is_read_and_written() {
        for (frame, message) in [
            (&[0, 0, 1, 0][..], Message::Sync(SyncMessage::Step1(bytes(&[0])))),
            (&[0, 1, 2, 0, 0], Message::Sync(SyncMessage::Step2(bytes(&[0, 0])))),
            (&[0, 2, 3, 7, 8, 9], Message::Sync(SyncMessage::Update(bytes(&[7, 8, 9])))),
            (&[1, 6, 1, 5, 1, 2, b'{', b'}'], Message::Awareness(bytes(&[1, 5, 1, 2, b'{', b'}']))),
            (&[2, 0, 2, b'n', b'o'], Message::Denied("no".into())),
            (&[3], Message::QueryAwareness),
        ] {
            assert_eq!(read(&bytes(frame)), Ok(message.clone()));
            assert_eq!(message.write(), frame);
        }
    }

    #[test]
    fn what_is_no_message_of_the_protocol_says_why() {
        assert_eq!(why(&[]), "a number that does not end");
        assert_eq!(why(&[4]), "message of unknown type 4");
        assert_eq!(why(&[0, 3, 0]), "sync message of unknown type 3");
        assert_eq!(why(&[2, 1, 0]), "auth message of unknown type 1");
        assert_eq!(why(&[0, 2, 3, 7, 8]), "array of 3 bytes, but 2 are left");
        assert_eq!(why(&[0, 2]), "a number that does not end");
        assert_eq!(why(&[3, 3]), "1 bytes behind the message");
        assert_eq!(why(&[0, 0, 1, 0, 0]), "1 bytes behind the message");
        assert_eq!(why(&[2, 0, 1, 0xff]), "a string that is not UTF-8");
    }

    #[test]
    fn an_update_is_a_slice_of_its_frame() {
        let frame = Bytes::from(vec![0, 2, 3, 7, 8, 9]);
        let Ok(Message::Sync(SyncMessage::Update(update))) = read(&frame) else { panic!("an update") };
        assert_eq!(update.as_ptr(), frame[3..].as_ptr());
    }
}
