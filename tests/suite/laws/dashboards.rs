//! Dashboards: people change widgets and layouts at once, over every envelope and over REST, from versions that are old,
//! again under the same ids, cut off and back; another process appends to the same logs; over a store that is late, answers out of order and one time in ten does
//! not know; and the process is killed. Everything that is told is compared with a plain reference that reads the log.
//! The world is `simulation::dashboards`.
//!
//! | law | a planted fault that it catches |
//! | --- | --- |
//! | no update is lost | a stale change that overlaps is merged |
//! | versions are dense | what is judged in one round is judged against the same board |
//! | a conflict is about what overlaps, and names it | removed fields are not remembered |
//! | an id is stored once and has one answer | ids are not looked up before judging |
//! | what is acknowledged is stored | answers leave before the append is known to be stored |
//! | a board is told as its log says, after a kill too | the snapshot leaves out when fields changed |
//! | REST and socket are judged alike | REST operations are judged without their base |
//! | a sender does not hear its own | entries are told to their origin too |
//! | everybody hears everything once, in order | the board passes an entry over |
//! | no call is left without its answer | what was judged against an older log is dropped |

use crate::cases;
use parlor_tests::simulation::dashboards::Dashboards;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn whatever_people_and_the_store_do_the_laws_of_dashboards_hold(
        seed: u64,
        fails: bool,
        large: bool,
        steps in vec(any::<[u8; 4]>(), 1..120),
    ) {
        let mut dashboards = Dashboards::new(seed);
        dashboards.world.store.fails = fails;
        for (place, step) in steps.into_iter().enumerate() {
            dashboards.play(step);
            if place == 60 {
                dashboards.kill();
            }
        }
        dashboards.settle(large);
    }
}

#[test]
fn changes_are_stored_and_merged_and_conflict_in_these_cases() {
    let mut counts = [0; 3];
    for seed in 0..4_u8 {
        let mut dashboards = Dashboards::new(u64::from(seed));
        (0..120_u8).for_each(|step| {
            let mixed = |by: u8| step.wrapping_mul(by).wrapping_add(seed.wrapping_mul(29));
            dashboards.play([mixed(7), mixed(11), mixed(13), mixed(17)]);
        });
        dashboards.settle(false);
        counts = [0, 1, 2].map(|place| counts[place] + dashboards.counts[place]);
    }
    assert!(counts.iter().all(|count| *count > 5), "the cases show something of everything: {counts:?}");
}
