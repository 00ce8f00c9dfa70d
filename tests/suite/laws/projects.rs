//! Projects: backends post events alone and in batches, for all and for a role, under keys and again; members come
//! over Socket.IO and `/api/connect`, are cut off and come back, are taken out and get another role; another firm's
//! user tries; over a store that is late and one time in ten does not know. The world is `simulation::projects`.
//!
//! | law | a planted fault that it catches |
//! | --- | --- |
//! | the places of a log have no gaps | a signal takes a place |
//! | every member hears everything once, in order | who comes back begins a page too early |
//! | no member misses what its role may hear | pages hide what is for any role; the last of a page is dropped |
//! | no member hears what is for another role | the role is ignored in pages |
//! | nobody hears another firm's | the firm is not compared |
//! | nobody hears a project that they were taken out of | a removed member listens on |
//! | what a backend says once under a key is stored once | the key is the entry's id only when it is alone |
//! | a key has one answer | a repeated key is answered with the end of the log |
//! | no backend is left without its answer | an event that is parked when its project is not there is forgotten |

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
