//! What a file is, found from its bytes alone: neither its name nor what its sender says of it counts.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt::Write;

/// Some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Text that nobody should take for anything else.
pub const TEXT: &str = "text/plain";
/// Bytes of which nothing is known.
const UNKNOWN: &str = "application/octet-stream";
const PDF: &str = "application/pdf";

/// A file as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// Its bytes.
    Plain(Bytes),
    /// Its bytes in base64.
    Base64(Bytes),
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspected {
    /// All of it.
    pub bytes: Bytes,
    /// Its media type.
    pub mime_type: Cow<'static, str>,
    /// Its SHA-256, in hexadecimal digits.
    pub digest: String,
}

impl Content {
    /// How many bytes it takes as it came.
    pub fn len(&self) -> usize {
        match self {
            Self::Plain(bytes) | Self::Base64(bytes) => bytes.len(),
        }
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn inspect(&self) -> Result<Inspected, String> {
        let bytes = match self {
            Self::Plain(bytes) => bytes.clone(),
            Self::Base64(text) => BASE64.decode(text).map_err(|error| error.to_string())?.into(),
        };
        let mut digest = String::with_capacity(64);
        for byte in Sha256::digest(&bytes) {
            // Writing to a String does not fail.
            write!(digest, "{byte:02x}").unwrap_or_default();
        }
        Ok(Inspected { mime_type: Cow::Borrowed(mime_type(&bytes)), digest, bytes })
    }
}

/// Text comes first: some marks of other formats are two letters with which a text may begin, too. Markup and
/// scripts are text, because nothing is to run them.
fn mime_type(bytes: &[u8]) -> &'static str {
    if is_text(bytes) {
        return if bytes.starts_with(b"%PDF-") { PDF } else { TEXT };
    }
    infer::get(bytes)
        .filter(|kind| kind.matcher_type() != infer::MatcherType::Text)
        .map_or(UNKNOWN, |kind| kind.mime_type())
}

fn is_text(bytes: &[u8]) -> bool {
    let is_written = |char: char| !char.is_control() || matches!(char, '\n' | '\r' | '\t');
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(is_written))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_of_a_file_is_found_from_its_bytes() {
        for (bytes, expected) in [
            (&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], "image/png"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
            (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "application/pdf"),
            (b"%PDF-1.4\nall of it letters", "application/pdf"),
            (b"PK\x03\x04\x14\0\0\0\x08\0", "application/zip"),
            (b"\0asm\x01\0\0\0", "application/wasm"),
            (b"BM is how a bitmap begins, and so does this", TEXT),
            ("Grüße\r\n\tan alle".as_bytes(), TEXT),
            (b"<!DOCTYPE html><script>alert(1)</script>", TEXT),
            (b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"/>", TEXT),
            (b"#!/bin/sh\nrm -r /", TEXT),
            (b"<html>\0", UNKNOWN),
            (b"#!/bin/sh\n\x07", UNKNOWN),
            (b"a bell \x07", UNKNOWN),
            (b"\xff\xfe\xfd", UNKNOWN),
            (b"", TEXT),
        ] {
            assert_eq!(mime_type(bytes), expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn base64_comes_with_padding_or_without_and_nothing_else() {
        let bytes = |text: &'static str| {
            Content::Base64(Bytes::from_static(text.as_bytes())).inspect().map(|inspected| inspected.bytes)
        };
        for good in ["aGk=", "aGk"] {
            assert_eq!(bytes(good).as_deref(), Ok(&b"hi"[..]));
        }
        for bad in ["a", "aGk==", "aG k", "data:;base64,aGk=", "aGl_"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
        let plain = Content::Plain(Bytes::from_static(b"hi")).inspect().expect("it is not decoded");
        assert_eq!(plain.digest, "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4");
    }
}
