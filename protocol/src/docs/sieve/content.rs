//! The contents of structs, cut where their beginning is known, and joined where one goes on with another.

use crate::docs::lib0::{Reader, write_buffer, write_number};
use crate::docs::scan::{REF_ANY, REF_DELETED, REF_STRING, Struct};
use std::borrow::Cow;

/// The content of one struct, or of several that are joined.
pub(super) enum Content {
    Deleted(u64),
    Text(String),
    Values {
        count: u64,
        bytes: Vec<u8>,
    },
    /// Which nothing is joined with.
    Other(Vec<u8>),
}

impl Content {
    pub(super) fn new(kind: u8) -> Self {
        match kind {
            REF_DELETED => Self::Deleted(0),
            REF_STRING => Self::Text(String::new()),
            REF_ANY => Self::Values { count: 0, bytes: Vec::new() },
            _ => Self::Other(Vec::new()),
        }
    }

    pub(super) fn joins(&self, kind: u8) -> bool {
        match self {
            Self::Deleted(_) => kind == REF_DELETED,
            Self::Text(_) => kind == REF_STRING,
            Self::Values { .. } => kind == REF_ANY,
            Self::Other(_) => false,
        }
    }

    /// Adds the content of a struct without its first `known`, cut as `yjs` cuts it.
    pub(super) fn append(&mut self, bytes: &[u8], part: &Struct, known: u32) -> Result<(), String> {
        let content = &bytes[part.content.clone()];
        let mut reader = Reader::new(content);
        match self {
            Self::Deleted(len) => *len += u64::from(part.len - known),
            Self::Text(text) => *text += &rest_of(reader.string()?, known),
            Self::Values { count, bytes } => {
                *count += reader.number()? - u64::from(known);
                for _ in 0..known {
                    reader.value()?;
                }
                bytes.extend_from_slice(&content[reader.at()..]);
            }
            Self::Other(_) if known > 0 => {
                return Err(format!("content of the kind {} cannot be cut", part.kind()));
            }
            Self::Other(bytes) => bytes.extend_from_slice(content),
        }
        Ok(())
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Deleted(len) => write_number(out, *len),
            Self::Text(text) => write_buffer(out, text.as_bytes()),
            Self::Values { count, bytes } => {
                write_number(out, *count);
                out.extend_from_slice(bytes);
            }
            Self::Other(bytes) => out.extend_from_slice(bytes),
        }
    }
}

/// A string without its first so many UTF-16 units. Of a character that is cut through, a replacement is left.
fn rest_of(text: &str, units: u32) -> Cow<'_, str> {
    if units == 0 {
        return text.into();
    }
    let (mut left, mut cut) = (units as usize, false);
    let from = text.char_indices().find(|(_, character)| {
        let done = left == 0;
        cut |= left == 1 && character.len_utf16() == 2;
        left = left.saturating_sub(character.len_utf16());
        done
    });
    let rest = from.map_or("", |(at, _)| &text[at..]);
    if cut { format!("\u{fffd}{rest}").into() } else { rest.into() }
}
