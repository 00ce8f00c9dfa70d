//! Dashboards (WIRE §3): widgets and a layout that several people change at once.

pub mod board;
pub mod changes;
pub mod command;
pub mod judging;
pub mod kept;
mod snapshot;
mod spelling;
#[cfg(test)]
mod tests;
