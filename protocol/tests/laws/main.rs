//! Laws of the core's pure parts, each held against many random cases.
//!
//! | law | a planted fault that it catches |
//! | --- | --- |
//! | envelopes: what is written is read again | `requestId` left out of an answer |
//! | outbox: the bytes are accounted for | `drop_signals` that forgets what is written of the first frame |
//! | outbox: kept frames go out whole and in order | a `Latest` frame replaced after it has begun |
//! | heads: the pieces do not matter | `head_end` that looks from `seen` on, not from three bytes before |
//! | walker: the pieces do not matter | a header that is forgotten at the end of a piece |
//! | y_sync: what is written is read again | the high bit left out where a number goes on |
//! | y_sync: what lacks its end or has more is refused | a frame that is not looked at behind its message |
//! | y_sync: what is read is shared with its bytes | `copy_from_slice` for `slice_ref` |

mod envelopes;
mod heads;
mod outbox;
mod walker;
mod y_sync;

use proptest::test_runner::Config;

/// So many cases, unless `PROPTEST_CASES` asks for another number.
#[allow(clippy::disallowed_methods, reason = "a test is not the core")]
fn cases(number: u32) -> Config {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    Config { cases: asked.unwrap_or(number), ..Config::default() }
}
