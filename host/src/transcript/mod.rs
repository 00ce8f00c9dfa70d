//! The form of a transcript, as far as stories and recordings share it (`tests/transcripts/README.md`).

mod names;
mod provider;

pub use names::{Names, RECORD, RECORD_SHOWN};
pub use provider::{hex, shown_hocuspocus, shown_y_websocket};
