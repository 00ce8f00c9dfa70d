//! What waits for all clients together. Each may leave 1 MiB, and all of them more than there is: before the system
//! would end the process, those who take little or nothing are let go, and meanwhile nobody new is taken in. It goes by
//! what waits and not by what the process has, because memory that was let go is not given back at once, if ever.

use super::late::LINES_LOOKED_AT;
use super::{AbortOnPanic, Engine};
use crate::line::Line;
use crate::lock::locked;
use crate::measured::memory_max;
use parlor_protocol::ids::SocketId;
use parlor_protocol::input::Input;
use parlor_protocol::record::{Level, Record};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How often it is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Nobody is let go for whom less waits.
const QUEUE_BYTES_MIN: usize = 64 * 1024;

/// How much memory there is.
#[derive(Debug)]
pub(super) struct Memory {
    /// 0: nobody knows.
    max: u64,
}

impl Memory {
    /// `max` bytes, or what the system gives if that is 0 or less.
    pub fn new(max: u64) -> Self {
        let known = [max, memory_max()].into_iter().filter(|bytes| *bytes > 0);
        Self { max: known.min().unwrap_or_default() }
    }

    /// How much the process may take; 0: nobody knows.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// How much of it may wait for clients: half.
    fn waiting_max(&self) -> usize {
        match self.max {
            0 => usize::MAX,
            max => usize::try_from(max / 2).unwrap_or(usize::MAX),
        }
    }
}

/// What the last look found.
#[derive(Debug, Default)]
struct Looked {
    /// Whether there was too much.
    short: bool,
    /// For whom how much waited that the kernel did not take. Empty while it is not too much.
    stuck: BTreeMap<SocketId, usize>,
    /// How much each of them has to take until the next look. It doubles from look to look: that nobody new comes in
    /// ends, however many trickle.
    wanted: usize,
}

impl Engine {
    fn look_at_memory(self: &Arc<Self>, before: &Looked) -> Looked {
        let (waiting, stuck) = self.waiting();
        let max = self.memory.waiting_max();
        // Where it has been too much, it is enough only when there is room again.
        let enough = max - max / 8;
        let short = waiting > if before.short { enough } else { max };
        if short || before.short {
            // While it is, the core looks for polling sessions that do not fetch what waits for them.
            self.tell(Input::Memory { short });
        }
        if short != before.short {
            let level = if short { Level::Warn } else { Level::Info };
            let record = Record::new(level, "memory").with("short", short);
            self.log(record.with("waiting", waiting).with("max", max));
        }
        if !short {
            return Looked::default();
        }
        let excess = waiting.saturating_sub(enough);
        let found = stuck.iter().map(|(id, (bytes, _))| (*id, *bytes));
        let let_go = largest(still_stuck(found, before), excess);
        let gone = let_go.iter().filter(|(id, bytes)| self.let_go(&stuck[id].1, *bytes)).count();
        if gone > 0 {
            self.dirty.wake();
            self.log(Record::new(Level::Warn, "memory").with("letGo", gone).with("waiting", waiting));
        }
        let stuck = stuck.into_iter().map(|(id, (bytes, _))| (id, bytes)).collect();
        let wanted = before.wanted.saturating_mul(2).max(QUEUE_BYTES_MIN);
        Looked { short, stuck, wanted }
    }

    /// How much waits for all, and for whom how much of it that the kernel does not take.
    fn waiting(&self) -> (usize, BTreeMap<SocketId, (usize, Arc<Line>)>) {
        let (mut stuck, mut from) = (BTreeMap::new(), 0);
        let mut waiting = locked(&self.core).server.polled_bytes();
        loop {
            let lines = locked(&self.core).sockets.lines(from, LINES_LOOKED_AT);
            let Some(lines) = lines else { return (waiting, stuck) };
            for line in lines {
                waiting += line.queued_bytes();
                if let (Some(id), Some(bytes)) = (line.socket(), line.stuck_bytes()) {
                    stuck.insert(id, (bytes, line));
                }
            }
            from += LINES_LOOKED_AT;
        }
    }

    fn let_go(&self, line: &Arc<Line>, bytes: usize) -> bool {
        let marked = line.let_go(bytes);
        if marked == Some(true) {
            self.mark_dirty(line.clone());
        }
        marked.is_some()
    }
}

/// Those who have taken too little since the last look, as far as one can tell from how much less waits for them.
fn still_stuck(found: impl Iterator<Item = (SocketId, usize)>, before: &Looked) -> Vec<(SocketId, usize)> {
    let took = |id: &SocketId, bytes: usize| before.stuck.get(id).map(|then| then.saturating_sub(bytes));
    found.filter(|(id, bytes)| took(id, *bytes).is_some_and(|took| took < before.wanted)).collect()
}

/// Those with the largest queues, as many as hold `excess` bytes together, or all of the large ones.
fn largest(mut queues: Vec<(SocketId, usize)>, excess: usize) -> Vec<(SocketId, usize)> {
    queues.retain(|(_, bytes)| *bytes >= QUEUE_BYTES_MIN);
    queues.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let mut before = 0;
    let chosen = queues.into_iter().take_while(|(_, bytes)| {
        let wanted = before < excess;
        before += bytes;
        wanted
    });
    chosen.collect()
}

pub(super) fn start(engine: &Arc<Engine>) -> io::Result<()> {
    let engine = engine.clone();
    let look = move || {
        let _abort = AbortOnPanic;
        let mut looked = Looked::default();
        loop {
            thread::sleep(LOOK_INTERVAL);
            looked = engine.look_at_memory(&looked);
        }
    };
    thread::Builder::new().name("memory".into()).spawn(look)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(slot: u32) -> SocketId {
        SocketId { slot, generation: 0 }
    }

    #[test]
    fn the_largest_queues_go_first_and_no_more_of_them_than_must() {
        let queues = || vec![(id(1), 100 << 10), (id(2), 1 << 20), (id(3), 63 << 10), (id(4), 900 << 10)];
        let chosen = |excess| largest(queues(), excess).iter().map(|(id, _)| id.slot).collect::<Vec<_>>();
        assert_eq!(chosen(0), [0_u32; 0]);
        assert_eq!((chosen(1), chosen(1 << 20)), (vec![2], vec![2]));
        assert_eq!(chosen((1 << 20) + 1), [2, 4]);
        assert_eq!(chosen(usize::MAX), [2, 4, 1]);
    }

    #[test]
    fn who_takes_enough_or_has_just_come_is_not_stuck() {
        let stuck = BTreeMap::from([(id(1), 500), (id(2), 500), (id(3), 500)]);
        let found = [(id(1), 300), (id(2), 301), (id(3), 900), (id(4), 900)];
        let before = Looked { short: true, stuck, wanted: 200 };
        assert_eq!(still_stuck(found.into_iter(), &before), [(id(2), 301), (id(3), 900)]);
    }

    #[test]
    fn half_of_what_is_given_or_of_what_there_is_may_wait() {
        let there_is = Memory::new(0).max();
        assert!(there_is > 1 << 20);
        assert_eq!((Memory::new(1 << 20).max(), Memory::new(u64::MAX).max()), (1 << 20, there_is));
        assert_eq!(Memory::new(1 << 20).waiting_max(), 1 << 19);
        assert_eq!(Memory { max: 0 }.waiting_max(), usize::MAX);
    }
}
