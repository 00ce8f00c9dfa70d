//! Measures what documents cost: memory for each block, and time for the updates that cost most for their size.
//! `cargo run --release -p parlor-protocol --example docs_cost`.

// What measures has a clock, and tells what it measured.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]

#[path = "../tests/docs/checked.rs"]
#[allow(dead_code)]
mod checked;
#[path = "../tests/docs/updates.rs"]
#[allow(dead_code)]
mod updates;

use bytes::Bytes;
use checked::Checked;
use parlor_protocol::docs::{Applied, DocJob, DocOutcome};
use std::time::{Duration, Instant};
use updates::{number, string};

/// How large the updates are whose time is measured.
const SIZES: [usize; 3] = [16 * 1024, 64 * 1024, 1024 * 1024];

fn main() {
    memory("texts of one character, one beside another", |index, out| {
        out.push(4);
        root(out, "a");
        string(out, if index % 2 == 0 { "x" } else { "y" });
    });
    memory("maps in an array", |_, out| {
        out.push(7);
        root(out, "a");
        out.push(1);
    });
    memory("keys of a map", |index, out| {
        out.push(0x28);
        root(out, "m");
        string(out, &format!("{index:06}"));
        number(out, 1);
        out.push(126);
    });
    memory("values of a null", |_, out| {
        out.push(8);
        root(out, "a");
        number(out, 32);
        out.extend([126; 32]);
    });
    memory("values of an empty map", |_, out| {
        out.push(8);
        root(out, "a");
        number(out, 32);
        (0..32).for_each(|_| out.extend([118, 0]));
    });
    memory("values of a map of two keys", |_, out| {
        out.push(8);
        root(out, "a");
        number(out, 32);
        (0..32).for_each(|_| out.extend([118, 2, 1, b'a', 126, 1, b'b', 126]));
    });
    memory("embeds of empty objects", |_, out| {
        out.push(5);
        root(out, "a");
        string(out, "[{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}]");
    });
    for size in SIZES {
        println!("updates of {size} bytes:");
        time("one client's appended characters", size, &base(0), |index, out, _| {
            item(out, 0x84, Some((7, index.wrapping_sub(1))), None);
            string(out, "x");
        });
        let long = base(4 * 1024 * 1024);
        time("characters all over a text of 4 MiB", size, &long, |index, out, count| {
            let clock = index * (4 * 1024 * 1024 / count);
            item(out, 0xc4, Some((1, clock)), Some((1, clock + 1)));
            string(out, "x");
        });
        time("characters at the start, each in conflict with all", size, &base(64), |index, out, _| {
            item(out, 0x44, None, Some((1, 63 - index % 32)));
            string(out, "x");
        });
        deletions("deletions all over a text of 4 MiB", size, &long);
        clients(size);
    }
}

fn root(out: &mut Vec<u8>, name: &str) {
    out.push(1);
    string(out, name);
}

fn item(out: &mut Vec<u8>, info: u8, origin: Option<(u64, u64)>, right: Option<(u64, u64)>) {
    if origin.is_some_and(|(_, clock)| clock == u64::MAX) {
        out.push(info & 0x1f);
        return root(out, "a");
    }
    out.push(info);
    for (client, clock) in [origin, right].into_iter().flatten() {
        number(out, client);
        number(out, clock);
    }
}

/// A document of one text of so many characters.
fn base(characters: usize) -> Vec<u8> {
    let mut out = vec![u8::from(characters > 0)];
    if characters > 0 {
        out.extend([1, 1, 0, 4]);
        root(&mut out, "a");
        string(&mut out, &"x".repeat(characters));
    }
    out.push(0);
    out
}

fn memory(what: &str, one: impl Fn(u64, &mut Vec<u8>)) {
    const COUNT: u64 = 5_000;
    let mut update = vec![1];
    [COUNT, 7, 0].into_iter().for_each(|it| number(&mut update, it));
    (0..COUNT).for_each(|index| one(index, &mut update));
    update.push(0);
    let before = resident();
    let mut checked = Checked::default();
    let begun = Instant::now();
    let standing = checked.apply_standing(&update);
    println!(
        "{what}: {:.0} bytes each, {:.0} of update, {:.0} of weight; {:?}",
        (resident() - before) as f64 / COUNT as f64,
        update.len() as f64 / COUNT as f64,
        standing.weight as f64 / COUNT as f64,
        begun.elapsed(),
    );
}

fn time(what: &str, size: usize, base: &[u8], one: impl Fn(u64, &mut Vec<u8>, u64)) {
    let mut probe = Vec::new();
    one(1000, &mut probe, 1000);
    let count = (size / probe.len()) as u64;
    let mut update = vec![1];
    [count, 7, 0].into_iter().for_each(|it| number(&mut update, it));
    (0..count).for_each(|index| one(index, &mut update, count));
    update.push(0);
    run(what, base, &update);
}

fn deletions(what: &str, size: usize, base: &[u8]) {
    let count = (size / 4) as u64;
    let mut update = vec![0, 1, 1];
    number(&mut update, count);
    for index in 0..count {
        number(&mut update, index * (4 * 1024 * 1024 / count));
        number(&mut update, 1);
    }
    run(what, base, &update);
}

/// Each client builds on the next.
fn clients(size: usize) {
    let count = (size / 14) as u64;
    let mut update = Vec::new();
    number(&mut update, count);
    for index in 0..count {
        [1, 1000 + index, 0].into_iter().for_each(|it| number(&mut update, it));
        if index + 1 == count {
            update.push(4);
            root(&mut update, "a");
        } else {
            item(&mut update, 0x84, Some((1001 + index, 0)), None);
        }
        string(&mut update, "x");
    }
    update.push(0);
    run("clients that each build on another", &base(0), &update);
}

fn run(what: &str, base: &[u8], update: &[u8]) {
    let mut checked = Checked::default();
    checked.apply(base);
    let begun = Instant::now();
    let applied = checked.apply(update);
    let took = begun.elapsed();
    let outcome = match applied {
        Applied::New { .. } => "new".to_string(),
        Applied::Nothing { .. } => "nothing".to_string(),
        Applied::Refused(why) => why.to_string(),
    };
    let begun = Instant::now();
    let diff = checked.run(&DocJob::Diff { since: None });
    let DocOutcome::Diff { update: encoded, .. } = diff else { panic!("{diff:?}") };
    let diffed = begun.elapsed();
    let begun = Instant::now();
    let mut other = Checked::default();
    other.run(&DocJob::Open { snapshot: Some(Bytes::clone(&encoded)), updates: Vec::new() });
    let per = Duration::from_secs_f64(took.as_secs_f64() * 65_536.0 / update.len() as f64);
    println!(
        "  {what}: {took:.1?} ({per:.1?} per 64 KiB), {outcome}; diff {diffed:.1?}, load {:.1?}",
        begun.elapsed()
    );
}

fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux says it");
    pages.split(' ').nth(1).expect("the second").parse::<usize>().expect("a number") * 4096
}
