//! Whole sessions: polls, posts, WebSockets, attachments, time and a server that sends and closes, in any order.
//! The first byte says what stands above the sessions, then each four bytes are a step.

#![no_main]

#[path = "../../protocol/tests/socket_io/sequence.rs"]
mod sequence;
#[path = "../../protocol/tests/socket_io/world.rs"]
#[allow(dead_code)]
mod world;

use libfuzzer_sys::fuzz_target;

/// The most steps of a case: one that is longer tells nothing more.
const STEPS_MAX: usize = 200;

fuzz_target!(|input: &[u8]| {
    let Some((app, steps)) = input.split_first() else { return };
    let app = [world::App::Echo, world::App::SocketIo, world::App::Silent][usize::from(app % 3)];
    let mut sequence = sequence::Sequence::new(app);
    let (steps, _) = steps.as_chunks::<4>();
    steps.iter().take(STEPS_MAX).for_each(|step| sequence.play(*step));
    sequence.settle();
});
