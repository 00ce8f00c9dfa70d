//! The time that the core is told: the wall clock at start plus what elapsed since, suspension included. It
//! never goes back. When the wall clock is set, the difference is made up slowly, so that no deadline is
//! missed or met at once.

use parlor_protocol::time::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The process's clock, for all its threads.
#[derive(Debug)]
pub struct Clock {
    slew: Mutex<Slew>,
}

impl Clock {
    /// A clock that shows the wall's time and runs from here on.
    pub fn start() -> Self {
        Self { slew: Mutex::new(Slew::new(since_boot(), on_the_wall())) }
    }

    /// The time. No reading is before an earlier one, whichever thread made it.
    pub fn now(&self) -> Timestamp {
        let mut slew = self.slew.lock().unwrap_or_else(PoisonError::into_inner);
        slew.read(since_boot(), on_the_wall())
    }

    /// How long until then; zero when it has come.
    pub fn until(&self, deadline: Timestamp) -> Duration {
        deadline.since(self.now())
    }
}

fn since_boot() -> Duration {
    let elapsed = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(elapsed.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(elapsed.tv_nsec).unwrap_or_default())
}

fn on_the_wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// How often the difference to the wall clock is measured.
const MEASURED_EVERY: i64 = 1_000_000;
/// One part in this many is made up: 1 ms in a second.
const SLEW_PART: i64 = 1_000;

/// The arithmetic, in microseconds, without the clocks.
#[derive(Debug, Clone, Copy)]
struct Slew {
    /// Since boot, when the difference was measured.
    measured: i64,
    /// What was shown then.
    shown: i64,
    /// What the wall clock was ahead then.
    ahead: i64,
}

impl Slew {
    fn new(boot: Duration, wall: Duration) -> Self {
        Self { measured: micros(boot), shown: micros(wall), ahead: 0 }
    }

    fn read(&mut self, boot: Duration, wall: Duration) -> Timestamp {
        let elapsed = (micros(boot) - self.measured).max(0);
        let made_up_max = elapsed / SLEW_PART;
        let shown = self.shown + elapsed + self.ahead.clamp(-made_up_max, made_up_max);
        if elapsed >= MEASURED_EVERY {
            *self = Self { measured: micros(boot), shown, ahead: micros(wall) - shown };
        }
        Timestamp(shown.unsigned_abs())
    }
}

fn micros(since: Duration) -> i64 {
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Duration = Duration::from_secs(1_763_640_000);

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// Runs the clock second by second and tells what it showed after each, since noon.
    fn run(slew: &mut Slew, from: u64, to: u64, wall: impl Fn(u64) -> Duration) -> Vec<Duration> {
        let shown = (from..=to).map(|second| slew.read(seconds(second), wall(second)));
        shown.map(|shown| Duration::from_micros(shown.0) - NOON).collect()
    }

    #[test]
    fn it_shows_the_wall_clock_at_start_plus_what_elapsed() {
        let mut slew = Slew::new(seconds(100), NOON);
        assert_eq!(slew.read(seconds(100), NOON), Timestamp(NOON.as_micros() as u64));
        let shown = slew.read(Duration::from_micros(100_000_007), NOON);
        assert_eq!(shown, Timestamp(NOON.as_micros() as u64 + 7));
    }

    #[test]
    fn a_wall_clock_set_an_hour_ahead_is_followed_by_a_millisecond_in_a_second() {
        let mut slew = Slew::new(seconds(0), NOON);
        let shown = run(&mut slew, 1, 4, |second| NOON + seconds(second + 3_600));
        let expected = [1_000, 2_001, 3_002, 4_003].map(Duration::from_millis);
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_wall_clock_set_back_slows_it_by_a_millisecond_in_a_second_and_never_turns_it_back() {
        let mut slew = Slew::new(seconds(0), NOON);
        let shown = run(&mut slew, 1, 3, |second| NOON + seconds(second) - seconds(3_600));
        assert_eq!(shown, [1_000, 1_999, 2_998].map(Duration::from_millis));
        let mut before = slew.read(seconds(3), NOON);
        for micro in 0..5_000 {
            let shown = slew.read(seconds(3) + Duration::from_micros(micro * 700), NOON - seconds(3_600));
            assert!(shown >= before, "{shown:?} after {before:?}");
            before = shown;
        }
    }

    #[test]
    fn a_small_difference_is_made_up_and_then_it_keeps_step() {
        let mut slew = Slew::new(seconds(0), NOON);
        let shown = run(&mut slew, 1, 6, |second| NOON + seconds(second) + Duration::from_micros(2_500));
        let expected = [1_000_000, 2_001_000, 3_002_000, 4_002_500, 5_002_500, 6_002_500];
        assert_eq!(shown, expected.map(Duration::from_micros));
    }

    #[test]
    fn a_night_of_suspension_counts_and_a_boot_clock_that_stumbles_does_not_turn_it_back() {
        let mut slew = Slew::new(seconds(10), NOON);
        let shown = run(&mut slew, 28_810, 28_810, |_| NOON + seconds(28_800));
        assert_eq!(shown, [seconds(28_800)]);
        assert_eq!(slew.read(seconds(28_000), NOON).0, (NOON + seconds(28_800)).as_micros() as u64);
    }

    #[test]
    fn it_agrees_with_the_machine_and_tells_what_is_left() {
        let clock = Clock::start();
        let now = clock.now();
        let wall = Timestamp(micros(on_the_wall()).unsigned_abs());
        assert!(wall.since(now).max(now.since(wall)) < seconds(1), "{now} and {wall}");
        assert!(clock.until(now + seconds(60)) > seconds(50));
        assert_eq!(clock.until(now - seconds(1)), Duration::ZERO);
    }
}
