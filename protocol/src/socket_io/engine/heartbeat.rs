//! Signs of life: the server pings, the client answers in time.

use super::Config;
use crate::time::Timestamp;

/// Where in the rhythm a session is.
#[derive(Debug)]
pub(super) struct Heartbeat {
    due: Timestamp,
    /// Whether an answer is waited for until then, or the ping is to be sent.
    pinged: bool,
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    Early,
    Ping,
    Missed,
}

impl Heartbeat {
    /// The first ping is an interval away.
    pub fn new(now: Timestamp, config: &Config) -> Self {
        Self { due: now + config.ping_interval, pinged: false }
    }

    pub fn due(&self) -> Timestamp {
        self.due
    }

    pub fn beat(&mut self, now: Timestamp, config: &Config) -> Beat {
        match (now < self.due, self.pinged) {
            (true, _) => Beat::Early,
            (false, true) => Beat::Missed,
            (false, false) => {
                // Counted from the ping itself: a machine that slept has heard nobody, and pinged nobody either.
                *self = Self { due: now + config.ping_timeout, pinged: true };
                Beat::Ping
            }
        }
    }

    /// The client has answered.
    pub fn hear(&mut self, now: Timestamp, config: &Config) {
        *self = Self::new(now, config);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_ping_follows_an_interval_after_each_answer_and_an_answer_the_ping_in_time() {
        let config = Config {
            ping_interval: Duration::from_micros(30),
            ping_timeout: Duration::from_micros(20),
            ..Config::default()
        };
        let mut heartbeat = Heartbeat::new(Timestamp(0), &config);
        assert_eq!(heartbeat.beat(Timestamp(29), &config), Beat::Early);
        assert_eq!(heartbeat.beat(Timestamp(31), &config), Beat::Ping);
        assert_eq!((heartbeat.due(), heartbeat.beat(Timestamp(50), &config)), (Timestamp(51), Beat::Early));
        heartbeat.hear(Timestamp(50), &config);
        assert_eq!((heartbeat.due(), heartbeat.beat(Timestamp(80), &config)), (Timestamp(80), Beat::Ping));
        assert_eq!(heartbeat.beat(Timestamp(100), &config), Beat::Missed);
    }
}
