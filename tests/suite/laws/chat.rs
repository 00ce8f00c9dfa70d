//! The laws of a chat room, whatever its people do and whatever becomes of the server.

use crate::cases;
use parlor_tests::simulation::chat::Chat;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn whatever_people_and_the_store_do_the_laws_of_the_room_hold(
        seed: u64,
        past in prop_oneof![Just(0_usize), Just(60), Just(150), Just(700)],
        size in prop_oneof![Just(20_usize), Just(1_000), Just(6_000)],
        fails: bool,
        steps in vec(any::<[u8; 4]>(), 1..120),
    ) {
        let mut chat = Chat::new(seed, past, size);
        chat.world.store.fails = fails;
        steps.into_iter().for_each(|step| chat.play(step));
        chat.settle();
    }
}
