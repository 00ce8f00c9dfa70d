//! Facts of every kind, sensible or not, told to two servers with small limits.
//!
//! | law | a planted fault that it catches |
//! | --- | --- |
//! | the same facts give the same orders | an order that a hash decides |
//! | no more connections than may be | they are counted at the door only |
//! | no tick is due for ever | a timer that is set in the past |
//! | after everything has ended nothing is left | a request that is answered and kept |

use crate::cases;
use parlor_tests::simulation::nonsense::Nonsense;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn whatever_facts_come_the_core_is_sound_bounded_and_the_same_each_time(
        seed: u64,
        fails: bool,
        steps in vec(any::<[u8; 4]>(), 1..160),
    ) {
        let mut nonsense = Nonsense::new(seed);
        nonsense.world.store.fails = fails;
        steps.into_iter().for_each(|step| nonsense.play(step));
        nonsense.settle();
    }
}
