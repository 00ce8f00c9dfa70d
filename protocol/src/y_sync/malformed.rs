//! What a client can break on the level of bytes.

use std::fmt;

/// Why bytes are not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// In words, with the limit and the value where there are such.
    pub why: String,
}

impl Malformed {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into() }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Malformed {}
