//! Laws of the core, held against whole random cases: each is a sentence, and each names the fault it catches.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "what is not expected fails the test"
)]

mod any_facts;
mod chat;
mod company;
mod dashboards;
mod documents;
mod drafts;
mod openings;
mod projects;
mod rates;

use proptest::test_runner::Config;

/// So many cases, unless `PROPTEST_CASES` asks for another number.
fn cases(number: u32) -> Config {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    Config { cases: asked.unwrap_or(number), max_shrink_iters: 4_000, ..Config::default() }
}
