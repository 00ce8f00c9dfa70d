//! A firm at work: typing, reading, the robot and escalations, over a store that is slow and disordered and does not
//! know one time in ten, a robot on a bad day, and processes that are killed. The world is `simulation::company`.
//!
//! | law | a planted fault that it catches |
//! | --- | --- |
//! | typing is not stored, and not told to the typist | the typist is told too |
//! | whoever is told to type is told to have stopped | no timer |
//! | a cursor never goes back | what is stored is told, whether it is further or not |
//! | what is acknowledged as read is stored | answered when it is asked |
//! | a prompt has exactly one reply, and none is left without | a reply that is sent again has another id; prompts are not taken up at the start; an end of a call that never comes is not noticed |
//! | an escalation stands once in its room and once with the supervisors | the end of the supervisors' log is not expected |
//! | every supervisor is told of what is open, once | told from where the log ends when the answer comes; the row's place is not looked at; one's own is told again; one that is stored late is given up |
//! | a call is answered once, and none is left | what waits at the desk is forgotten with its load |
//! | after everything has ended nothing is left | a typist stays with its room |

use crate::cases;
use parlor_tests::simulation::company::Company;
use proptest::collection::vec;
use proptest::prelude::*;
use std::time::Duration;

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn whatever_people_the_robot_and_the_store_do_the_laws_of_the_company_hold(
        seed: u64,
        fails: bool,
        steps in vec(any::<[u8; 4]>(), 1..160),
    ) {
        let mut company = Company::new(seed);
        company.world.store.fails = fails;
        steps.into_iter().for_each(|step| company.play(step));
        company.settle();
    }
}

#[test]
fn supervisors_who_come_while_others_escalate_are_told_of_each_once() {
    for seed in 0..100 {
        let mut company = Company::new(seed);
        (0..4).for_each(|client| company.connect(client));
        (0..4).for_each(|client| company.join(client, "one"));
        company.wait(Duration::from_secs(2));
        for place in 0..12 {
            company.escalate(place % 4, "one");
            company.wait(Duration::from_millis(seed % 90));
            if place == 6 {
                [4, 5].into_iter().for_each(|client| company.connect(client));
            }
        }
        company.settle();
        assert_eq!(company.alarms, 24, "seed {seed}");
    }
}

#[test]
fn a_prompt_whose_process_is_killed_is_replied_to_by_the_next() {
    for seed in 0..100 {
        let mut company = Company::new(seed);
        company.connect(0);
        company.join(0, "one");
        company.wait(Duration::from_secs(1));
        (0..3).for_each(|_| company.prompt(0, "one"));
        company.wait(Duration::from_millis(seed * 40));
        company.crash();
        company.settle();
    }
}

#[test]
fn a_reply_of_which_it_is_not_known_whether_it_is_stored_is_stored_once() {
    for seed in 0..60 {
        let mut company = Company::new(seed);
        company.connect(0);
        company.join(0, "one");
        company.wait(Duration::from_secs(1));
        company.world.store.fails = true;
        (0..6).for_each(|_| company.prompt(0, "one"));
        company.wait(Duration::from_secs(60));
        company.settle();
    }
}

#[test]
fn an_escalation_that_is_stored_later_than_anybody_waits_is_told() {
    for seed in 0..100 {
        let mut company = Company::new(seed);
        [0, 4, 5].into_iter().for_each(|client| company.connect(client));
        company.join(0, "one");
        company.wait(Duration::from_secs(1));
        company.world.store.stands_still_until = company.world.now + Duration::from_millis(44_900 + seed * 5);
        company.escalate(0, "one");
        company.settle();
        assert_eq!(company.alarms, 2, "seed {seed}");
    }
}
