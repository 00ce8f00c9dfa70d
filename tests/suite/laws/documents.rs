//! Documents: two users on connections for one session and on connections for several, who come, come again, begin afresh, answer once, twice and otherwise, ask
//! again, are cut off; an AI that fails, is late, and answers twice, or the built-in interviewer; a slow store that
//! does not always know; and processes that are killed. The world is `simulation`, its witness holds the laws.
//!
//! | law | a planted fault that it catches |
//! | --- | --- |
//! | a session has one connection, the others are closed | an older one is not let go |
//! | only another connection supersedes | the server takes over what a connection is about to have |
//! | only the connection that has the session writes | answers expect nothing |
//! | exactly one reply follows an answer | replies have ids of their own |
//! | what is acknowledged is in the log once | saved is said before it is stored |
//! | who begins afresh is shown nothing old | a claim that comes too late tries again without it |
//! | who comes back is shown every turn | the session in memory does not catch up with the log that was claimed |
//! | a call is answered once, and none is left | ids are not looked up first |
//! | nothing follows the end | a session that was completed meanwhile is abandoned |
//! | nobody else hears the AI speak | deltas go to whoever has the session |
//! | one question is heard from its beginning | an attempt that broke off is made again |
//! | who comes back while sessions that were left are removed loses nothing | a session goes whoever is on the way to it, and wherever its log ends |
//! | a session can always be finished | the end of a lost call is not noticed |

use crate::cases;
use parlor_protocol::settings::Interviewer;
use parlor_protocol::store::{Change, Query, Row, SessionRow, SessionState, StoreReply, StoreRequest};
use parlor_protocol::time::Timestamp;
use parlor_tests::simulation::BEGINNING;
use parlor_tests::simulation::documents::Documents;
use proptest::collection::vec;
use proptest::prelude::*;
use std::time::Duration;

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

/// A session awaits a reply when its process is killed. The next one takes it over while its user comes back.
#[test]
fn who_comes_back_while_the_server_takes_over_is_not_superseded() {
    for seed in 0..200 {
        let mut documents = Documents::new(seed, Interviewer::Service);
        documents.connect(0, false);
        documents.wait(Duration::from_millis(1_000));
        documents.crash();
        documents.wait(Duration::from_millis(seed * 2));
        documents.connect(0, false);
        documents.wait(Duration::from_secs(1));
        assert_eq!(documents.witness.superseded, 0, "seed {seed}");
    }
}

/// The store's own list of what is overdue is empty when a process has started over it.
#[test]
fn more_overdue_sessions_than_one_look_finds_are_all_asked_for_or_given_up() {
    let mut documents = Documents::new(1, Interviewer::BuiltIn);
    let rows = (0..200).map(|place| {
        let template = if place < 100 { "gone" } else { "t" };
        Change::Put(Row::Session(SessionRow {
            id: format!("ses-{place}").as_str().into(),
            user: format!("user-{place}").as_str().into(),
            firm: "firm".into(),
            template: template.into(),
            state: SessionState::Open,
            awaiting_since: Some(Timestamp(BEGINNING.0 + place)),
            created_at: BEGINNING,
            touched_at: BEGINNING,
        }))
    });
    let made = StoreRequest::Commit { appends: vec![], rows: rows.collect() };
    documents.world.store.answer(BEGINNING, &made);
    documents.wait(Duration::from_secs(1));
    documents.crash();
    documents.wait(Duration::from_secs(5));
    let overdue = StoreRequest::Look(Query::Overdue { before: documents.world.now, max: 1_000 });
    assert_eq!(documents.world.store.answer(BEGINNING, &overdue), StoreReply::Found(vec![]));
}

/// The laws would hold as well if nobody ever heard anything.
#[test]
fn who_asked_for_it_hears_the_ai_speak() {
    let mut heard = 0;
    for seed in 0..20 {
        let mut documents = Documents::new(seed, Interviewer::Service);
        documents.connect(0, false);
        documents.wait(Duration::from_secs(30));
        heard += documents.witness.deltas;
    }
    assert!(heard > 10, "{heard} pieces of 20 questions");
}

/// Sessions are removed when a process has started; somebody comes back to one just then.
#[test]
fn who_comes_back_while_sessions_that_were_left_are_removed_loses_nothing() {
    let (mut kept, mut gone) = (0, 0);
    for seed in 0..300 {
        let mut documents = Documents::new(seed, Interviewer::BuiltIn);
        documents.connect(0, false);
        documents.wait(Duration::from_secs(1));
        documents.answer(0, 0);
        documents.wait(Duration::from_secs(1));
        documents.cut(0);
        documents.wait(Duration::from_secs(100));
        documents.crash();
        documents.wait(Duration::from_millis(4_800 + seed * 2));
        documents.connect(0, false);
        documents.wait(Duration::from_secs(5));
        let answers = documents.witness.turns_shown;
        assert!([0, 3].contains(&answers), "all of a session, or a fresh one: {answers}");
        (kept, gone) = (kept + usize::from(answers == 3), gone + usize::from(answers == 0));
        documents.answer(0, 0);
        documents.wait(Duration::from_secs(1));
        documents.settle();
    }
    assert!(kept > 20 && gone > 20, "{kept} came in time, {gone} too late");
}
