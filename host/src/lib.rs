//! What both drivers need from the machine.

pub mod ai;
pub mod calls;
pub mod clock;
pub mod log;
pub mod seed;
pub mod settings;
pub mod trial;
