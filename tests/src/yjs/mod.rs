//! Yjs documents under test: updates that nobody's editor writes, documents that are checked after each of them, and
//! `yjs` itself as a second opinion.

pub mod checked;
pub mod opinion;
pub mod updates;
