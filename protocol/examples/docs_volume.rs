//! Puts updates that nobody's editor writes through documents at volume, and counts:
//! `cargo run --release -p parlor-protocol --example docs_volume COUNT SEED`.
//! Panics at the first update that makes a document unreadable, and says its seed.

// What measures has a clock, and tells what it measured.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]

#[path = "../tests/docs/checked.rs"]
#[allow(dead_code)]
mod checked;
#[path = "../tests/docs/updates.rs"]
#[allow(dead_code)]
mod updates;

use checked::{Checked, hex};
use parlor_protocol::docs::{Applied, Why};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use updates::{Dice, update};

/// How many updates a document takes before the next one begins.
const UPDATES_PER_DOCUMENT: u64 = 40;
/// How many updates that are taken stand between two folds.
const FOLD_EVERY: u64 = 8;
/// How often the counts are told.
const TELL_EVERY: u64 = 100_000;

#[derive(Default)]
struct Counts {
    updates: u64,
    taken: u64,
    pending: u64,
    nothing: u64,
    refused: BTreeMap<String, u64>,
    /// The seeds of documents that held something else once they were loaded.
    reordered: Vec<u64>,
    slowest: Duration,
    slowest_update: String,
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|it| it.parse().expect("a number"));
    let count: u64 = arguments.next().unwrap_or(1_000_000);
    let mut seed: u64 = arguments.next().unwrap_or(1);
    let started = Instant::now();
    let mut counts = Counts::default();
    while counts.updates < count {
        document(seed, &mut counts);
        seed += 1;
        if counts.updates % TELL_EVERY < UPDATES_PER_DOCUMENT {
            tell(&counts, seed, started);
        }
    }
    tell(&counts, seed, started);
}

fn document(seed: u64, counts: &mut Counts) {
    let mut dice = Dice::seeded(seed);
    let mut checked = Checked::counting();
    let mut failing = Failing { seed, updates: Vec::new() };
    for _ in 0..UPDATES_PER_DOCUMENT {
        let ends = checked.ends();
        let update = update(&mut dice, &|client| ends.get(&client).copied().unwrap_or(0));
        failing.updates.push(hex(&update));
        let begun = Instant::now();
        let applied = checked.apply(&update);
        let took = begun.elapsed();
        if took > counts.slowest {
            (counts.slowest, counts.slowest_update) = (took, hex(&update));
        }
        counts.updates += 1;
        match applied {
            Applied::New { pending, .. } => {
                counts.taken += 1;
                counts.pending += u64::from(pending);
                checked.check();
                if counts.taken.is_multiple_of(FOLD_EVERY) {
                    checked.fold();
                }
            }
            Applied::Nothing { .. } => counts.nothing += 1,
            Applied::Refused(Why::Malformed(why)) => {
                let why: String = why.chars().filter(|c| !c.is_ascii_digit()).collect();
                let why = why.chars().take(40).collect();
                *counts.refused.entry(why).or_default() += 1;
            }
            Applied::Refused(
                why @ (Why::TooLarge { .. } | Why::Full { .. } | Why::TooManyClients { .. }),
            ) => {
                panic!("{why}")
            }
        }
    }
    if checked.reordered() > 0 {
        counts.reordered.push(seed);
    }
    failing.updates.clear();
}

/// Says which updates it was, if it comes to that.
struct Failing {
    seed: u64,
    updates: Vec<String>,
}

impl Drop for Failing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}: {:#?}", self.seed, self.updates);
        }
    }
}

fn tell(counts: &Counts, seed: u64, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM unknown");
    println!(
        "{} updates in {seconds:.0} s ({:.0}/s), next seed {seed}: {} new ({} of them pending), {} nothing, {} refused; \
         slowest {:?}; {peak}",
        counts.updates,
        counts.updates as f64 / seconds,
        counts.taken,
        counts.pending,
        counts.nothing,
        counts.refused.values().sum::<u64>(),
        counts.slowest,
    );
    println!("  otherwise after loading: {:?}", counts.reordered);
    println!("  slowest: {}", counts.slowest_update);
    let mut refused: Vec<_> = counts.refused.iter().collect();
    refused.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for (why, count) in refused.into_iter().take(25) {
        println!("  {count:>10} {why}");
    }
}
