//! Whole conversations with a document: updates built field by field from the input and damaged, folds, restores and
//! differences since any time. After each, the document can be read, and says the same to whoever loads it. The first
//! bytes may be an update of a real editor, so that there is something to build on: its length comes first.

#![no_main]

#[path = "../../protocol/tests/docs/checked.rs"]
#[allow(dead_code)]
mod checked;
#[path = "../../protocol/tests/docs/updates.rs"]
#[allow(dead_code)]
mod updates;

use checked::Checked;
use libfuzzer_sys::fuzz_target;
use parlor_protocol::docs::{Applied, DocJob, DocOutcome};
use updates::{Dice, update};

/// The most updates of a case: one that is longer tells nothing more.
const UPDATES_MAX: usize = 24;

fuzz_target!(|input: &[u8]| {
    let Some((length, rest)) = input.split_first_chunk::<2>() else { return };
    let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
    let (base, steps) = rest.split_at(length);
    let mut checked = Checked::counting();
    if let Applied::New { .. } = checked.apply(base) {
        checked.check();
    }
    let version = checked.diff(None);
    let mut dice = Dice::of(steps);
    for _ in 0..UPDATES_MAX {
        if dice.is_empty() {
            break;
        }
        match dice.roll(16) {
            0 => checked.fold(),
            1 => {
                let restored = checked.run(&DocJob::Restore { to: version.clone(), client: 77 });
                assert!(matches!(restored, DocOutcome::Restored(_)), "{restored:?}");
                return checked.check_content();
            }
            _ => {
                let ends = checked.ends();
                let update = update(&mut dice, &|client| ends.get(&client).copied().unwrap_or(0));
                if let Applied::New { .. } = checked.apply(&update) {
                    checked.check();
                }
            }
        }
    }
});
