//! The memory of the process as a whole. What each part may hold has a limit of its own; all of them together may be
//! more than there is. Before the system would end the process, those for whom most waits are let go, and then nobody
//! new is taken in.

use super::late::LINES_LOOKED_AT;
use super::{AbortOnPanic, Engine};
use crate::lock::locked;
use crate::measured::{memory_max, note_limit, resident_bytes};
use parlor_protocol::input::Input;
use parlor_protocol::metrics::Limit;
use parlor_protocol::record::{Level, Record};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

/// How often it is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// From how much of it on those are let go for whom most waits, and how much is to be left then, in hundredths.
const SHED_FROM: u64 = 80;
const SHED_TO: u64 = 75;
/// From how much of it on nobody new is taken in.
const SHORT_FROM: u64 = 90;
/// Nobody is let go for whom less waits.
const QUEUE_BYTES_MIN: usize = 64 * 1024;

/// How much there is, and whether it is short.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// 0: nobody knows.
    max: u64,
    short: AtomicBool,
}

impl Memory {
    /// `max` bytes, or what the system gives if that is 0 or less.
    pub fn new(max: u64) -> Self {
        let given = memory_max();
        let max = [max, given].into_iter().filter(|bytes| *bytes > 0).min().unwrap_or_default();
        Self { max, ..Self::default() }
    }

    /// How much the process may take; 0: nobody knows.
    pub fn max(&self) -> u64 {
        self.max
    }

    fn part(&self, hundredths: u64) -> u64 {
        self.max / 100 * hundredths
    }

    /// How many bytes are to be let go when so many are used.
    fn excess(&self, used: u64) -> Option<usize> {
        let over = self.max > 0 && used > self.part(SHED_FROM);
        over.then(|| (used - self.part(SHED_TO)) as usize)
    }
}

impl Engine {
    fn look_at_memory(self: &Arc<Self>) {
        let used = resident_bytes();
        let short = self.memory.max > 0 && used > self.memory.part(SHORT_FROM);
        let was_short = self.memory.short.swap(short, Relaxed);
        if short != was_short {
            self.tell(Input::Memory { short });
        }
        let let_go = self.memory.excess(used).map_or(0, |excess| self.let_go(excess));
        if let_go > 0 || short != was_short {
            let level = if short || let_go > 0 { Level::Warn } else { Level::Info };
            let record = Record::new(level, "memory").with("used", used).with("max", self.memory.max);
            self.log(record.with("short", short).with("letGo", let_go));
        }
    }

    /// Lets those go for whom most waits, until so many bytes waited for them. How many they are.
    fn let_go(self: &Arc<Self>, excess: usize) -> usize {
        let (mut found, mut from) = (Vec::new(), 0);
        loop {
            let lines = locked(&self.core).sockets.lines(from, LINES_LOOKED_AT);
            let Some(lines) = lines else { break };
            found.extend(lines.into_iter().map(|line| (line.queued_bytes(), line)));
            from += LINES_LOOKED_AT;
        }
        let chosen = largest(found, excess);
        for line in &chosen {
            note_limit(Limit::Memory);
            if line.give_up() {
                self.mark_dirty(line.clone());
            }
        }
        if !chosen.is_empty() {
            self.dirty.wake();
        }
        chosen.len()
    }
}

/// Those with the largest queues, as many as hold `excess` bytes together, or all of the large ones.
fn largest<L>(mut queues: Vec<(usize, L)>, excess: usize) -> Vec<L> {
    queues.retain(|(bytes, _)| *bytes >= QUEUE_BYTES_MIN);
    queues.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    let mut before = 0;
    let chosen = queues.into_iter().take_while(|(bytes, _)| {
        let wanted = before < excess;
        before += bytes;
        wanted
    });
    chosen.map(|(_, line)| line).collect()
}

pub(super) fn start(engine: &Arc<Engine>) -> io::Result<()> {
    let engine = engine.clone();
    let look = move || {
        let _abort = AbortOnPanic;
        loop {
            thread::sleep(LOOK_INTERVAL);
            engine.look_at_memory();
        }
    };
    thread::Builder::new().name("memory".into()).spawn(look)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_queues_go_first_and_no_more_of_them_than_must() {
        let queues = || vec![(100 << 10, 'a'), (1 << 20, 'b'), (63 << 10, 'c'), (900 << 10, 'd')];
        assert_eq!(largest(queues(), 1), ['b']);
        assert_eq!(largest(queues(), 1 << 20), ['b']);
        assert_eq!(largest(queues(), (1 << 20) + 1), ['b', 'd']);
        assert_eq!(largest(queues(), usize::MAX), ['b', 'd', 'a']);
    }

    #[test]
    fn from_eighty_hundredths_on_it_is_brought_down_to_seventy_five() {
        let memory = Memory { max: 1_000, ..Memory::default() };
        assert_eq!(
            (memory.excess(800), memory.excess(801), memory.excess(1_200)),
            (None, Some(51), Some(450))
        );
        assert_eq!(Memory::default().excess(u64::MAX), None);
    }

    #[test]
    fn what_is_given_counts_where_it_is_less_than_there_is() {
        let there_is = Memory::new(0).max();
        assert!(there_is > 1 << 20);
        assert_eq!((Memory::new(1 << 20).max(), Memory::new(u64::MAX).max()), (1 << 20, there_is));
    }
}
