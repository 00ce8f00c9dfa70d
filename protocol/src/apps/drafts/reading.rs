//! When a connection is read. An update is never refused for its rate, because its client would not send it again; so
//! who brings more than can be taken in is not read for a while, and neither is who is still coming in.

use crate::context::Effects;
use crate::ids::ConnectionId;
use crate::settings::Settings;
use crate::time::Timestamp;
use crate::timers::Timer;
use std::collections::BTreeMap;
use std::time::Duration;

/// How many seconds' worth may come at once.
const BURST: Duration = Duration::from_secs(4);

/// How the connections that bring updates are read.
#[derive(Debug, Default)]
pub struct Readings(BTreeMap<ConnectionId, Reading>);

#[derive(Debug, Default)]
struct Reading {
    /// What has to be done before it may say more.
    holds: u32,
    unanswered: u32,
    /// When what it brought would have come at the allowed rate.
    paid_at: Timestamp,
    paused: bool,
    /// Whether a timer is set.
    timed: bool,
}

impl Readings {
    /// It is not read until as many releases.
    pub fn hold(&mut self, who: ConnectionId, fx: &mut Effects<'_>) {
        self.0.entry(who).or_default().holds += 1;
        self.settle(who, fx);
    }

    /// What it was held for is done.
    pub fn release(&mut self, who: ConnectionId, fx: &mut Effects<'_>) {
        if let Some(reading) = self.0.get_mut(&who) {
            reading.holds = reading.holds.saturating_sub(1);
        }
        self.settle(who, fx);
    }

    /// It brought something of so many bytes.
    pub fn brought(&mut self, who: ConnectionId, bytes: usize, fx: &mut Effects<'_>) {
        let reading = self.0.entry(who).or_default();
        let (messages, each) = (fx.settings.rate_limit_updates, Duration::from_secs(1));
        let by_count = each.checked_div(messages).unwrap_or_default();
        let by_size = (bytes as u64 * 1_000_000).checked_div(fx.settings.rate_limit_update_bytes.into());
        let by_size = Duration::from_micros(by_size.unwrap_or_default());
        reading.paid_at = reading.paid_at.max(fx.now) + by_count.max(by_size);
        self.settle(who, fx);
    }

    /// One of its updates is on its way.
    pub fn asked(&mut self, who: ConnectionId, fx: &mut Effects<'_>) {
        self.0.entry(who).or_default().unanswered += 1;
        self.settle(who, fx);
    }

    /// It is known what became of one.
    pub fn answered(&mut self, who: ConnectionId, fx: &mut Effects<'_>) {
        if let Some(reading) = self.0.get_mut(&who) {
            reading.unanswered = reading.unanswered.saturating_sub(1);
        }
        self.settle(who, fx);
    }

    /// Whether it is not read because of what is still to be done: it cannot show a sign of life.
    pub fn is_held(&self, who: ConnectionId, settings: &Settings) -> bool {
        let most = waiting_max(settings);
        self.0.get(&who).is_some_and(|reading| reading.holds > 0 || reading.unanswered >= most)
    }

    /// Its time may have come.
    pub fn on_due(&mut self, who: ConnectionId, fx: &mut Effects<'_>) {
        if let Some(reading) = self.0.get_mut(&who) {
            reading.timed = false;
            self.settle(who, fx);
        }
    }

    /// The connection is gone.
    pub fn forget(&mut self, who: ConnectionId) {
        self.0.remove(&who);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    fn settle(&mut self, who: ConnectionId, fx: &mut Effects<'_>) {
        let Some(reading) = self.0.get_mut(&who) else { return };
        let ahead = reading.paid_at.since(fx.now);
        // Who is paused for its rate goes on when half of what may come at once is free again.
        let fast = ahead > if reading.paused { BURST / 2 } else { BURST };
        let most = waiting_max(fx.settings);
        let full = reading.unanswered >= if reading.paused { most.div_ceil(2) } else { most };
        let paused = reading.holds > 0 || fast || full;
        if fast && !reading.timed {
            reading.timed = true;
            fx.timers.set(fx.now + (ahead - BURST / 2), Timer::Reading(who));
        }
        if paused != reading.paused {
            reading.paused = paused;
            fx.read(who, !paused);
        }
    }
}

/// How many of a connection's updates may be on their way to the store.
fn waiting_max(settings: &Settings) -> u32 {
    match settings.updates_waiting_max {
        0 => u32::MAX,
        most => most,
    }
}
