//! Socket.IO v5 packets as text: `<type>[<attachments>-][<namespace>,][<ack id>][<JSON>]`, behind Engine.IO's `4`.
//!
//! Decoding is stricter than the reference, which lets through what its other half would read differently:
//! counts are plain digits, every placeholder names an attachment of its own, an id is a number that JavaScript
//! holds exactly, and the JSON has passed the gate of [`json`](crate::json). `_placeholder` in a packet without
//! attachments is data like any other.

mod placeholders;

use super::Malformed;
use crate::frame::Frame;
use crate::json;
use bytes::Bytes;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt::Write;

/// The most attachments of one packet; the official decoders refuse more, too.
pub const ATTACHMENTS_MAX: u8 = 10;
/// The largest id of an acknowledgement: the largest integer that every reader holds exactly.
pub const ACK_ID_MAX: u64 = (1 << 53) - 1;
/// The most digits of such an id.
const ACK_ID_DIGITS_MAX: usize = 16;
/// The longest name of a namespace.
pub const NAMESPACE_BYTES_MAX: usize = 255;
/// Names that the official clients use themselves.
pub const RESERVED_EVENTS: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// The type of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A client asks for a namespace; a server grants it.
    Connect,
    /// Either side leaves a namespace.
    Disconnect,
    /// An array of a name and arguments.
    Event,
    /// An array of arguments, in answer to an event with this id.
    Ack,
    /// A server does not grant a namespace.
    ConnectError,
    /// An event, followed by its attachments.
    BinaryEvent,
    /// An acknowledgement, followed by its attachments.
    BinaryAck,
}

/// A packet. Its attachments follow it as binary messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its type.
    pub kind: Kind,
    /// The namespace, `/` if none is written; without a query.
    pub namespace: Cow<'a, str>,
    /// Which event is acknowledged, or what an acknowledgement of this event shall name.
    pub id: Option<u64>,
    /// JSON text.
    pub data: Option<Cow<'a, str>>,
    /// How many attachments follow: not 0 for the binary kinds, 0 for all others.
    pub attachments: u8,
}

impl<'a> Packet<'a> {
    /// An event; `args` is a whole JSON array that begins with the event's name.
    pub fn event(namespace: &'a str, id: Option<u64>, args: &'a str, attachments: u8) -> Self {
        let kind = if attachments == 0 { Kind::Event } else { Kind::BinaryEvent };
        Self { kind, namespace: namespace.into(), id, data: Some(args.into()), attachments }
    }

    /// An acknowledgement; `args` is a whole JSON array.
    pub fn ack(namespace: &'a str, id: u64, args: &'a str, attachments: u8) -> Self {
        let kind = if attachments == 0 { Kind::Ack } else { Kind::BinaryAck };
        Self { kind, namespace: namespace.into(), id: Some(id), data: Some(args.into()), attachments }
    }

    /// A packet about a namespace itself, with its JSON object if it has one.
    pub fn about(kind: Kind, namespace: &'a str, data: Option<&'a str>) -> Self {
        Self { kind, namespace: namespace.into(), id: None, data: data.map(Cow::Borrowed), attachments: 0 }
    }

    /// Reads what stands behind Engine.IO's `4`.
    pub fn decode(text: &'a str) -> Result<Self, Malformed> {
        let (kind, rest) = take_kind(text)?;
        let (attachments, rest) = if kind.is_binary() { take_attachments(rest)? } else { (0, rest) };
        let (namespace, rest) = take_namespace(rest)?;
        let (id, rest) = take_id(rest)?;
        match kind {
            Kind::Event | Kind::BinaryEvent => {}
            Kind::Ack | Kind::BinaryAck if id.is_some() => {}
            Kind::Connect | Kind::Disconnect | Kind::ConnectError if id.is_none() => {}
            Kind::Connect | Kind::Disconnect | Kind::ConnectError | Kind::Ack | Kind::BinaryAck => {
                return Err(Malformed::AckId);
            }
        }
        check_data(kind, rest, attachments)?;
        let data = (!rest.is_empty()).then_some(Cow::Borrowed(rest));
        Ok(Self { kind, namespace: Cow::Borrowed(namespace), id, data, attachments })
    }

    /// Writes it as it stands behind Engine.IO's `4`.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    /// The whole frame of a packet, with Engine.IO's `4`.
    pub fn frame(&self) -> Frame {
        let data = self.data.as_deref().unwrap_or_default();
        let mut text = String::with_capacity(data.len() + self.namespace.len() + 24);
        text.push('4');
        self.write(&mut text);
        Frame::text(&text)
    }

    /// The frames of a packet and its attachments. They belong together: to be sent one right after the other,
    /// and as frames that are never dropped.
    pub fn frames(&self, attachments: &[Bytes]) -> Vec<Frame> {
        debug_assert_eq!(
            usize::from(self.attachments),
            attachments.len(),
            "an attachment that is not announced"
        );
        let binaries = attachments.iter().map(|attachment| Frame::binary(attachment));
        std::iter::once(self.frame()).chain(binaries).collect()
    }

    fn write(&self, text: &mut String) {
        text.push(self.kind.digit());
        // Writing to a String does not fail.
        if self.kind.is_binary() {
            write!(text, "{}-", self.attachments).unwrap_or_default();
        }
        if self.namespace != "/" {
            text.push_str(&self.namespace);
            text.push(',');
        }
        if let Some(id) = self.id {
            write!(text, "{id}").unwrap_or_default();
        }
        text.push_str(self.data.as_deref().unwrap_or_default());
    }
}

/// The frame of an event; `args` is the whole JSON array that begins with its name. One buffer for all members
/// of a namespace.
pub fn event_frame(namespace: &str, id: Option<u64>, args: &str) -> Frame {
    Packet::event(namespace, id, args, 0).frame()
}

/// The frame of an acknowledgement; `args` is the whole JSON array.
pub fn ack_frame(namespace: &str, id: u64, args: &str) -> Frame {
    Packet::ack(namespace, id, args, 0).frame()
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Connect,
        Self::Disconnect,
        Self::Event,
        Self::Ack,
        Self::ConnectError,
        Self::BinaryEvent,
        Self::BinaryAck,
    ];

    fn digit(self) -> char {
        char::from(b'0' + self as u8)
    }

    fn is_binary(self) -> bool {
        matches!(self, Self::BinaryEvent | Self::BinaryAck)
    }
}

fn take_kind(text: &str) -> Result<(Kind, &str), Malformed> {
    let digit = text.bytes().next().filter(u8::is_ascii_digit).ok_or(Malformed::PacketType)?;
    let kind = Kind::ALL.get(usize::from(digit - b'0')).ok_or(Malformed::PacketType)?;
    Ok((*kind, &text[1..]))
}

fn take_attachments(text: &str) -> Result<(u8, &str), Malformed> {
    let (count, rest) = text.split_once('-').ok_or(Malformed::AttachmentCount)?;
    let count = shortest_number(count).and_then(|count| u8::try_from(count).ok());
    let count = count.filter(|count| (1..=ATTACHMENTS_MAX).contains(count));
    Ok((count.ok_or(Malformed::AttachmentCount)?, rest))
}

fn take_namespace(text: &str) -> Result<(&str, &str), Malformed> {
    if !text.starts_with('/') {
        return Ok(("/", text));
    }
    let (namespace, rest) = text.split_once(',').unwrap_or((text, ""));
    let name = namespace.split('?').next().unwrap_or_default();
    match name.len() <= NAMESPACE_BYTES_MAX && !namespace.contains(char::is_control) {
        true => Ok((name, rest)),
        false => Err(Malformed::Namespace),
    }
}

fn take_id(text: &str) -> Result<(Option<u64>, &str), Malformed> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    match digits {
        "" => Ok((None, rest)),
        digits => {
            let id = shortest_number(digits).filter(|id| *id <= ACK_ID_MAX).ok_or(Malformed::AckId)?;
            Ok((Some(id), rest))
        }
    }
}

/// A number in digits only, without zeros in front.
fn shortest_number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let shortest = text.len() <= ACK_ID_DIGITS_MAX && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| digits && shortest)
}

/// The first byte decides what the data is: nothing may stand before it, which some readers skip.
fn check_data(kind: Kind, data: &str, attachments: u8) -> Result<(), Malformed> {
    let first = data.bytes().next();
    let fits = match kind {
        Kind::Connect => matches!(first, None | Some(b'{')),
        Kind::Disconnect => first.is_none(),
        Kind::ConnectError => matches!(first, Some(b'{' | b'"')),
        Kind::Event | Kind::Ack | Kind::BinaryEvent | Kind::BinaryAck => first == Some(b'['),
    };
    if !fits {
        return Err(Malformed::DataType);
    }
    if first.is_some() {
        // An event may have a layout, whoever it is for: its reader knows whether it is a dashboard's.
        match kind {
            Kind::Event | Kind::BinaryEvent => json::check_with_layouts(data.as_bytes()).map(drop),
            Kind::Connect | Kind::Disconnect | Kind::Ack | Kind::BinaryAck | Kind::ConnectError => {
                json::check(data.as_bytes())
            }
        }
        .map_err(Malformed::Json)?;
    }
    if matches!(kind, Kind::Event | Kind::BinaryEvent) {
        check_name(&data[1..])?;
    }
    match kind.is_binary() && !placeholders::are_whole(data, attachments) {
        true => Err(Malformed::Placeholder),
        false => Ok(()),
    }
}

/// Looks at the first item of an array that is known to be JSON.
fn check_name(items: &str) -> Result<(), Malformed> {
    let mut items = serde_json::Deserializer::from_str(items).into_iter::<&RawValue>();
    let Some(Ok(name)) = items.next() else { return Err(Malformed::EventName) };
    let fits = match name.get().bytes().next() {
        Some(b'"') => serde_json::from_str::<String>(name.get())
            .is_ok_and(|name| !RESERVED_EVENTS.contains(&name.as_str())),
        Some(first) => first == b'-' || first.is_ascii_digit(),
        None => false,
    };
    if fits { Ok(()) } else { Err(Malformed::EventName) }
}

#[cfg(test)]
mod tests;
