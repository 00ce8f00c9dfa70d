//! Documents against `yjs` itself: what we give out it takes, and both then hold the same; what it writes we take; and
//! what we restore reads there as it did before. Needs Node, and `npm ci` in `tests/yjs`.

#[allow(dead_code)]
mod checked;
mod hostile;
mod opinion;
#[allow(dead_code)]
mod updates;

use bytes::Bytes;
use checked::{Checked, hex};
use opinion::Opinion;
use parlor_protocol::docs::{Applied, DocJob, DocOutcome};
use serde_json::{Value, json};
use std::collections::VecDeque;
use updates::{Dice, update};

/// Clients of `yjs`, and what stands for the server's copy there.
const CLIENTS: [u64; 3] = [11, 12, 13];
const SERVER: u64 = 0;
/// The client that restores.
const RESTORER: u64 = 99;

/// How many cases there are, of a test that has so many by default: more with `DOCS_CASES` times as many.
#[allow(clippy::disallowed_methods)]
fn cases(default: u64) -> u64 {
    let times = std::env::var("DOCS_CASES").map_or(1, |times| times.parse().expect("DOCS_CASES is a number"));
    default * times
}

/// What a document holds where it holds anything: `yjs` does not know a root that nobody wrote to there.
fn filled(content: &Value) -> Value {
    let mut filled = content.clone();
    if let Some(roots) = filled.as_object_mut() {
        // Of a root that holds only types nobody can tell whether it is a text.
        for root in roots.values_mut() {
            let pieces = root["text"].as_array().cloned().unwrap_or_default();
            if root.get("text").is_some()
                && pieces.iter().all(|piece| piece[0].is_object() && piece[1] == json!({}))
            {
                let items: Vec<_> = pieces.iter().map(|piece| piece[0].clone()).collect();
                *root = json!({"list": items, "keys": root["keys"]});
            }
        }
        roots.retain(|_, root| {
            let parts = root.as_object().expect("a root has parts");
            parts.values().any(|part| {
                !(part.as_array().is_some_and(Vec::is_empty)
                    || part.as_object().is_some_and(serde_json::Map::is_empty))
            })
        });
    }
    filled
}

/// Has `yjs` read what ours gave out, one after another and as one; both have to hold what ours holds.
fn compare(opinion: &mut Opinion, ours: &mut Checked, doc: u64) {
    let content = ours.content();
    let theirs = opinion.content(doc, &content);
    assert_eq!(filled(&theirs), filled(&content), "after each update");
    let whole = ours.diff(None);
    let loaded = doc + 1_000_000;
    let took = opinion.apply(loaded, &whole).expect("yjs takes what we give out");
    assert!(!took.pending);
    assert_eq!(checked::read_vector(&took.vector), ours.ends());
    let theirs = opinion.content(loaded, &content);
    assert_eq!(filled(&theirs), filled(&content), "as one");
}

/// Ours and the server's copy hear of what clients wrote, and of what that copy writes in turn.
fn heard(opinion: &mut Opinion, ours: &mut Checked, updates: Vec<Vec<u8>>) {
    let mut updates = VecDeque::from(updates);
    while let Some(update) = updates.pop_front() {
        let update = match ours.apply(&update) {
            Applied::New { update, pending: false } => update,
            // Somebody else has deleted it already.
            Applied::Nothing { pending: false } => continue,
            refused @ (Applied::Refused(_) | Applied::New { .. } | Applied::Nothing { .. }) => {
                panic!("{refused:?} for {}", hex(&update))
            }
        };
        let took = opinion.apply(SERVER, &update).expect("yjs takes what we give out");
        assert!(!took.pending);
        updates.extend(took.own);
    }
}

#[test]
fn what_yjs_clients_write_at_random_reads_the_same_here_and_there() {
    let mut opinion = Opinion::default();
    for case in 0..cases(40) {
        let mut dice = Dice::seeded(case);
        let mut ours = Checked::default();
        for round in 0..6 {
            // Each edits what it has heard of, and hears of the rest now and then.
            for client in CLIENTS {
                let updates = opinion.edit(client, client, case * 100 + round, dice.roll(6));
                heard(&mut opinion, &mut ours, updates);
                if dice.roll(2) == 0 {
                    let state = ours.diff(None);
                    let took = opinion.apply(client, &state).expect("yjs takes what we give out");
                    heard(&mut opinion, &mut ours, took.own);
                }
            }
            compare(&mut opinion, &mut ours, SERVER);
            ours.check();
        }
        // In the end all have heard of everything, and of what each of them made of it.
        for _ in 0..2 {
            for client in CLIENTS {
                let whole = ours.diff(None);
                let took = opinion.apply(client, &whole).expect("yjs takes what we give out");
                heard(&mut opinion, &mut ours, took.own);
            }
        }
        let content = ours.content();
        for client in CLIENTS {
            assert_eq!(filled(&opinion.content(client, &content)), filled(&content), "case {case}");
            assert_eq!(ours.apply(&opinion.state(client)), Applied::Nothing { pending: false });
        }
        ours.fold();
        opinion.forget();
    }
}

#[test]
fn what_nobody_writes_reads_the_same_in_yjs_if_it_is_taken() {
    let mut opinion = Opinion::default();
    for case in 0..cases(200) {
        let mut dice = Dice::seeded(1_000_000 + case);
        let mut ours = Checked::default();
        let mut given = Vec::new();
        for _ in 0..30 {
            let ends = ours.ends();
            let update = update(&mut dice, &|client| ends.get(&client).copied().unwrap_or(0));
            let Applied::New { update: canonical, .. } = ours.apply(&update) else { continue };
            given.push(hex(&canonical));
            let took = opinion
                .apply(SERVER, &canonical)
                .unwrap_or_else(|error| panic!("case {case}: yjs refuses: {error}; {given:#?}"));
            assert!(!took.pending, "case {case}: {given:#?}");
            assert_eq!(checked::read_vector(&took.vector), ours.ends(), "case {case}: {given:#?}");
            let content = ours.content();
            // A character that is cut through does not converge in official clients either.
            if content.to_string().contains('\u{fffd}') {
                break;
            }
            let theirs = opinion.content(SERVER, &content);
            assert_eq!(filled(&theirs), filled(&content), "case {case}: {given:#?}");
            // Loaded as one, both hold the same again, even where that is something else than before.
            let whole = ours.diff(None);
            let mut loaded = Checked::default();
            let opened = loaded.run(&DocJob::Open { snapshot: Some(whole.clone()), updates: Vec::new() });
            assert!(matches!(opened, DocOutcome::Opened(Ok(_))), "case {case}: {opened:?}");
            let took = opinion.apply(given.len() as u64, &whole).expect("yjs takes what we give out");
            assert!(!took.pending);
            let theirs = opinion.content(given.len() as u64, &content);
            assert_eq!(filled(&theirs), filled(&loaded.content()), "case {case}, loaded: {given:#?}");
        }
        opinion.forget();
    }
}

#[test]
fn what_is_restored_reads_in_yjs_as_it_did_before() {
    let mut opinion = Opinion::default();
    for case in 0..cases(60) {
        let mut ours = Checked::default();
        let mut versions = Vec::new();
        for round in 0..5 {
            let client = CLIENTS[round as usize % 3];
            for update in opinion.edit(SERVER, client, case * 31 + round, 8) {
                assert!(matches!(ours.apply(&update), Applied::New { .. }));
            }
            let content = ours.content();
            versions.push((ours.diff(None), opinion.content(SERVER, &content)));
        }
        for (number, (version, content)) in versions.iter().enumerate() {
            let client = RESTORER + number as u64;
            let restored = ours.run(&DocJob::Restore { to: version.clone(), client });
            let DocOutcome::Restored(Ok(update)) = restored else { panic!("case {case}: {restored:?}") };
            if !update.is_empty() {
                let took = opinion.apply(SERVER, &update).expect("yjs takes what we give out");
                heard(&mut opinion, &mut ours, took.own);
            }
            let theirs = opinion.content(SERVER, &content_with_all_roots(content, &ours.content()));
            assert_eq!(filled(&theirs), filled(content), "case {case}, version {number}");
            assert_eq!(filled(&ours.content()), filled(content), "case {case}, version {number}");
            // A second time there is nothing to do.
            let again = ours.run(&DocJob::Restore { to: version.clone(), client });
            assert_eq!(again, DocOutcome::Restored(Ok(Bytes::new())), "case {case}, version {number}");
        }
        opinion.forget();
    }
}

/// The roots of both.
fn content_with_all_roots(one: &Value, other: &Value) -> Value {
    let mut all = other.clone();
    for (name, root) in one.as_object().expect("roots by name") {
        all[name] = root.clone();
    }
    all
}
