//! What holds whatever happens: many people with clients, a server that loses nothing, and ways between them that
//! lose everything.

mod any_facts;
mod server;
mod world;

use parlor_client::error::{CONNECTION_LOST, OVERLOADED};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeSet;
use world::{PEOPLE, Person, World, step};

/// The places that answers name.
fn places<'a>(results: impl Iterator<Item = &'a Value>) -> Vec<u64> {
    results.map(|data| data["seq"].as_u64().expect("an answer names the place")).collect()
}

fn check_answers(world: &World, person: &Person) {
    assert!(person.waiting.is_empty(), "{} still waits for {:?}", person.name(), person.waiting);
    for (content, result) in &person.answers {
        let stored: Vec<_> =
            world.server.log.iter().enumerate().filter(|(_, entry)| entry.content == *content).collect();
        assert!(stored.len() <= 1, "{content} is stored {} times", stored.len());
        match result {
            Ok(data) => {
                let (at, entry) =
                    stored.first().unwrap_or_else(|| panic!("{content} was answered and is lost"));
                assert_eq!(data["seq"], *at as u64 + 1, "{content}");
                assert_eq!((data["id"].as_str(), entry.sender.as_str()), (Some(&*entry.id), person.name()));
            }
            Err(error) if error.code == OVERLOADED => {
                assert!(stored.is_empty(), "{content} was not to be sent")
            }
            Err(error) => assert_eq!(error.code, CONNECTION_LOST, "{content}"),
        }
    }
}

/// Each message is heard as an event or as an answer: once.
fn check_heard(world: &World, person: &Person) {
    let heard: Vec<u64> = person.heard.iter().map(|(seq, _)| *seq).collect();
    assert!(heard.is_sorted_by(|one, next| one < next), "{} heard {heard:?}", person.name());
    for (seq, content) in &person.heard {
        assert_eq!(world.server.log[*seq as usize - 1].content, *content);
    }
    let answered = places(person.answers.iter().filter_map(|(_, result)| result.as_ref().ok()));
    let late = places(person.late.iter().filter_map(|result| result.as_ref().ok()));
    let all: Vec<u64> = [heard, answered, late].concat();
    let once: BTreeSet<u64> = all.iter().copied().collect();
    assert_eq!(all.len(), once.len(), "{} heard something twice: {all:?}", person.name());
    let begun = person.begun.expect("everybody comes in");
    let told: BTreeSet<u64> = (begun..=world.server.log.len() as u64).collect();
    assert_eq!(once, told, "{} has not heard all since {begun}", person.name());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_answered_message_is_stored_once_and_heard_once_by_everyone_in_order(
        seed: u8,
        steps in prop::collection::vec(step(), 0..300),
    ) {
        let mut world = World::new(seed);
        for step in steps {
            world.run(step);
        }
        world.settle();
        for person in &world.people {
            check_answers(&world, person);
            check_heard(&world, person);
        }
        prop_assert_eq!(world.people.len(), PEOPLE);
    }
}
