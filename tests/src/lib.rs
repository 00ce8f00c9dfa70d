//! What the tests of whole servers share.

pub mod process;
pub mod wire;
