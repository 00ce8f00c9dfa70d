//! A set of keys that is read is within the limits, is read the same again, and lets nobody in whose key it cannot hold.

#![no_main]

use libfuzzer_sys::fuzz_target;
use parlor_protocol::auth::{KEY_SET_BYTES_MAX, KEYS_COUNT_MAX, KeySet, Keys, verify_token};
use parlor_protocol::time::Timestamp;
use std::sync::Arc;

const NOW: Timestamp = Timestamp(1_763_654_400_000_000);
/// A token for ES256 with a signature that nobody made.
const FORGED: &str = include_str!("../seeds/jws/token");

fuzz_target!(|input: &[u8]| {
    let Ok(set) = KeySet::read(input) else { return };
    assert!(input.len() <= KEY_SET_BYTES_MAX);
    assert!(set.len() + set.left_out() <= KEYS_COUNT_MAX);
    let again = KeySet::read(input).expect("it was read");
    assert_eq!(format!("{set:?}"), format!("{again:?}"));
    let keys = Keys { key_set: Some(Arc::new(set)), ..Keys::default() };
    assert!(verify_token(FORGED, &keys, NOW).is_err());
});
