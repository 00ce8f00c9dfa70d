//! The walker says the same of the same bytes in whatever pieces they come. The first byte is the piece's size.

#![no_main]

use libfuzzer_sys::fuzz_target;
use parlor_protocol::action::SocketLimits;
use parlor_protocol::walker::Walker;
use std::time::Duration;

const LIMITS: SocketLimits = SocketLimits {
    message_bytes_max: 70_000,
    fragments_max: 5,
    message_wait_max: Duration::ZERO,
    for_providers: false,
};

fuzz_target!(|input: &[u8]| {
    let Some((size, bytes)) = input.split_first() else { return };
    let whole = Walker::default().walk(bytes, &LIMITS);
    let mut walker = Walker::default();
    let piecewise = bytes.chunks(usize::from(*size).max(1)).try_for_each(|piece| walker.walk(piece, &LIMITS));
    assert_eq!(whole, piecewise);
});
