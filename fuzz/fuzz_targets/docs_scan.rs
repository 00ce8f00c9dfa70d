//! Any bytes as an update, a state vector and a version: each is refused or taken in, and whatever is taken in can be
//! read. What is asked for without a document is answered, too.

#![no_main]

#[path = "../../protocol/tests/docs/checked.rs"]
#[allow(dead_code)]
mod checked;

use bytes::Bytes;
use checked::Checked;
use libfuzzer_sys::fuzz_target;
use parlor_protocol::docs::{Applied, DocJob, DocOutcome};

fuzz_target!(|input: &[u8]| {
    let mut checked = Checked::counting();
    let bytes = Bytes::copy_from_slice(input);
    match checked.apply(input) {
        Applied::New { .. } => checked.check(),
        Applied::Nothing { .. } | Applied::Refused(_) => {}
    }
    match checked.run(&DocJob::Diff { since: Some(bytes.clone()) }) {
        DocOutcome::Diff { .. } | DocOutcome::DiffRefused(_) => {}
        other => panic!("{other:?}"),
    }
    match checked.run(&DocJob::Restore { to: bytes.clone(), client: 9 }) {
        DocOutcome::Restored(_) => checked.check_content(),
        other => panic!("{other:?}"),
    }
    match checked.run(&DocJob::Open { snapshot: Some(bytes), updates: Vec::new() }) {
        DocOutcome::Opened(_) => {}
        other => panic!("{other:?}"),
    }
});
