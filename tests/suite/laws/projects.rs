//! Projects: backends post events alone and in batches, for all and for a role, under keys and again; members come
//! over Socket.IO and `/api/connect`, are cut off and come back, are taken out and get another role; another firm's
//! user tries; over a store that is late and one time in ten does not know. The world is `simulation::projects`.
//!
//! | law | a planted fault that it catches |
//! | --- | --- |
//! | no member hears what is for another role | the role is ignored in pages |
//! | no member misses what its role may hear | pages hide what is for any role |
//! | nobody joins another firm's, or hears it | the firm is not compared |
//! | nobody hears a project that they were taken out of | a removed member listens on |
//! | a key has one answer, and is stored once | the key is not the entry's id |
//!
//! These have no fault of their own planted yet: the places of a log have no gaps, a batch is stored in its order, no
//! backend and no call is left without its answer, and after everything has ended nothing is left.

use crate::cases;
use parlor_tests::simulation::projects::Projects;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn whatever_backends_members_and_the_store_do_the_laws_of_projects_hold(
        seed: u64,
        fails: bool,
        steps in vec(any::<[u8; 4]>(), 1..160),
    ) {
        let mut projects = Projects::new(seed);
        projects.world.store.fails = fails;
        steps.into_iter().for_each(|step| projects.play(step));
        projects.settle();
    }
}
