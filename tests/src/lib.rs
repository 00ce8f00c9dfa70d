//! What the tests of whole servers share.

pub mod ai_stand_in;
pub mod process;
pub mod transcript;
pub mod wire;
