//! Signs of life: the server pings, the client answers in time.

use super::Config;
use crate::time::Timestamp;

/// A ping is a little late as long as this part of the time to answer it is not over.
const LATENESS_SHARE: u32 = 4;

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
                // A ping that is a little late does not put the end off. After more than that it counts from the ping
                // itself: a machine that slept has heard nobody, and pinged nobody either.
                let late = now.since(self.due) > config.ping_timeout / LATENESS_SHARE;
                let sent = if late { now } else { self.due };
                *self = Self { due: sent + config.ping_timeout, pinged: true };
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
        assert_eq!(heartbeat.beat(Timestamp(35), &config), Beat::Ping);
        assert_eq!((heartbeat.due(), heartbeat.beat(Timestamp(49), &config)), (Timestamp(50), Beat::Early));
        heartbeat.hear(Timestamp(49), &config);
        assert_eq!((heartbeat.due(), heartbeat.beat(Timestamp(79), &config)), (Timestamp(79), Beat::Ping));
        assert_eq!(heartbeat.beat(Timestamp(99), &config), Beat::Missed);
        let mut asleep = Heartbeat::new(Timestamp(0), &config);
        assert_eq!((asleep.beat(Timestamp(36), &config), asleep.due()), (Beat::Ping, Timestamp(56)));
    }
}
