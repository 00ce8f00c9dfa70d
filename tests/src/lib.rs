//! What the tests of whole servers share.

pub mod ai_stand_in;
pub mod clamd;
pub mod client;
pub mod ledger;
pub mod load;
pub mod process;
pub mod secure;
pub mod signing;
pub mod simulation;
pub mod transcript;
pub mod wire;
