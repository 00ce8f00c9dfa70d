//! The laws of document sessions, whatever users, the AI and the store do.

use crate::cases;
use parlor_protocol::settings::Interviewer;
use parlor_tests::simulation::documents::Documents;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn whatever_people_the_ai_and_the_store_do_the_laws_of_documents_hold(
        seed: u64,
        service: bool,
        fails: bool,
        steps in vec(any::<[u8; 4]>(), 1..80),
    ) {
        let interviewer = if service { Interviewer::Service } else { Interviewer::BuiltIn };
        let mut documents = Documents::new(seed, interviewer);
        documents.world.store.fails = fails;
        steps.into_iter().for_each(|step| documents.play(step));
        documents.settle();
    }
}
