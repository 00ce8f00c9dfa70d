//! What the tests share.

pub mod ai_stand_in;
