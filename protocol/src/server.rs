//! The server: facts in, orders out. Routing only.

use crate::action::Actions;
use crate::input::Input;
use crate::settings::Settings;
use crate::time::Timestamp;

/// A whole Parlor server without sockets, clock, dice or threads.
pub struct Server {
    settings: Settings,
}

impl Server {
    /// A server at rest. The same settings, seed and inputs give the same actions, byte for byte.
    pub fn new(settings: Settings, _seed: [u8; 32]) -> Self {
        Self { settings }
    }

    /// Takes in one fact and appends to `actions` the orders that follow from it.
    pub fn handle(&mut self, _now: Timestamp, _input: Input, _actions: &mut Actions) {
        let _ = &self.settings;
    }

    /// When `Input::Tick` is due, unless something else happens first.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        None
    }
}
