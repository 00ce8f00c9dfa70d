//! Lines for the log (WIRE §7). Never a token, never what a user wrote.

use serde::{Deserialize, Serialize};

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Faults.
    Error,
    /// Refused tokens, unknown types.
    Warn,
    /// Connections and rooms.
    Info,
    /// Heartbeats and updates.
    Debug,
}

/// One line: what happened, and its fields in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// How much it matters.
    pub level: Level,
    /// What happened: `ws.connect`, `room.join`, …
    pub action: String,
    /// More about it.
    pub fields: Vec<(String, serde_json::Value)>,
}

impl Record {
    /// A line without fields.
    pub fn new(level: Level, action: &str) -> Self {
        Self { level, action: action.to_string(), fields: Vec::new() }
    }

    /// The same with one more field.
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.fields.push((name.to_string(), value.into()));
        self
    }
}
