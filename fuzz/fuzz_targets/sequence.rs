//! Whole cases of the laws: people, a slow store and an AI on a bad day, or facts that are nonsense.

#![no_main]

#[path = "../../tests/src/simulation/mod.rs"]
#[allow(dead_code)]
mod simulation;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use parlor_protocol::settings::Interviewer;

/// The most steps of a case: one that is longer tells nothing more.
const STEPS_MAX: usize = 100;

#[derive(Debug, Arbitrary)]
struct Case {
    kind: Kind,
    seed: u64,
    fails: bool,
    steps: Vec<[u8; 4]>,
}

#[derive(Debug, Arbitrary)]
enum Kind {
    Chat { past: u8, size: u8 },
    Documents { service: bool },
    Dashboards { large: bool },
    Nonsense,
}

fuzz_target!(|case: Case| {
    let Case { kind, seed, fails, steps } = case;
    let steps = steps.into_iter().take(STEPS_MAX);
    match kind {
        Kind::Chat { past, size } => {
            let mut chat = simulation::chat::Chat::new(seed, usize::from(past) * 2, usize::from(size) * 8);
            chat.world.store.fails = fails;
            steps.for_each(|step| chat.play(step));
            chat.settle();
        }
        Kind::Documents { service } => {
            let interviewer = if service { Interviewer::Service } else { Interviewer::BuiltIn };
            let mut documents = simulation::documents::Documents::new(seed, interviewer);
            documents.world.store.fails = fails;
            steps.for_each(|step| documents.play(step));
            documents.settle();
        }
        Kind::Dashboards { large } => {
            let mut dashboards = simulation::dashboards::Dashboards::new(seed);
            dashboards.world.store.fails = fails;
            steps.for_each(|step| dashboards.play(step));
            dashboards.settle(large);
        }
        Kind::Nonsense => {
            let mut nonsense = simulation::nonsense::Nonsense::new(seed);
            nonsense.world.store.fails = fails;
            steps.for_each(|step| nonsense.play(step));
            nonsense.settle();
        }
    }
});
