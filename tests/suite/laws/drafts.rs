//! Drafts: people with copies in `yrs` who edit two documents at once in 003's JSON, in base64, with both Yjs providers, over
//! `/api/connect` and over Socket.IO with attachments; a viewer, a stranger who is a member now and then, somebody who never
//! answers what the server asks for; cut off with changes that never arrive, over a store that is late and one time in ten does
//! not know, workers that lose documents, hang or break; and the process is killed. What is heard is held against the
//! log and a plain copy that reads it. A second server is told the same and has to order the same.
//! The world is `simulation::drafts`, its witness holds the laws.
//!
//! | law | a planted fault that it catches |
//! | --- | --- |
//! | what is saved is in the log | saved is said when the document has it |
//! | nobody hears an update, or a state, that is not in the log | a state does not wait for the appends that it contains |
//! | an entry is new and builds on those before it | the document stays as it is when an append fails |
//! | all that stay have the same document, and a provider knows that it is synced | whose update was lost is not asked for it |
//! | a word is owed until what was missing came | any update settles what is owed |
//! | who answers need not load anew, who does not hears it once | an answer does not end the wait for it |
//! | nobody speaks for another who is there; everybody knows who is where | whoever repeats a state becomes its owner |
//! | nobody hears a draft that it may not | who is no member any more keeps its seat |
//! | viewers change nothing | an update is taken from anybody |
//! | everybody hears every update | who comes in hears what follows its state when it is told, not when it was made |
//! | what was folded is what the log says | a snapshot claims twenty entries more than it has, or leaves the comments out |
//! | every call is answered, nothing is left | a state vector that is none is asked about again |
use crate::cases;
use parlor_protocol::ids::RoomId;
use parlor_protocol::input::{Input, Message};
use parlor_protocol::settings::Settings;
use parlor_protocol::store::{Change, RoomRow, Row, StoreRequest, Visibility};
use parlor_protocol::y_sync::SyncMessage;
use parlor_protocol::y_sync::awareness::{self, State};
use parlor_protocol::y_sync::hocuspocus::{Frame, Said};
use parlor_tests::simulation::drafts::Drafts;
use parlor_tests::simulation::jobs::Workers;
use parlor_tests::simulation::socket::Read;
use parlor_tests::simulation::{BEGINNING, World};
use proptest::collection::vec;
use proptest::prelude::*;
use std::iter::repeat_n;
use std::time::Duration;

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn whatever_people_workers_and_the_store_do_the_laws_of_drafts_hold(
        seed: u64,
        fails: bool,
        losses in prop::sample::select(vec![0, 0, 2, 10]),
        breaks in prop::sample::select(vec![0, 0, 0, 5]),
        late in prop::sample::select(vec![0, 20_000]),
        steps in vec(any::<[u8; 4]>(), 1..120),
    ) {
        let mut drafts = Drafts::new(seed);
        drafts.world.store.fails = fails;
        drafts.world.workers = Workers { losses, breaks, late };
        for (place, step) in steps.into_iter().enumerate() {
            drafts.play(step);
            if place == 70 {
                drafts.kill();
            }
        }
        drafts.settle(false);
    }
}

#[test]
fn everything_is_said_and_the_log_folded_in_these_cases() {
    let (mut heard, mut looked) = ([0; 5], [0; 4]);
    for seed in 0..3_u8 {
        let mut drafts = Drafts::new(u64::from(seed));
        drafts.world.store.fails = seed == 1;
        (0..160_u8).for_each(|step| {
            let mixed = |by: u8| step.wrapping_mul(by).wrapping_add(seed.wrapping_mul(29));
            drafts.play([mixed(7), mixed(11), mixed(13), mixed(17)]);
        });
        drafts.settle(seed == 2);
        assert!(
            seed != 2 || drafts.folded("d") >= Some(500),
            "it was folded, and loaded from that: {:?}",
            drafts.folded("d")
        );
        let counts = drafts.counts();
        heard = [0, 1, 2, 3, 4].map(|place| heard[place] + counts[place]);
        looked = [0, 1, 2, 3].map(|place| looked[place] + drafts.looked[place]);
    }
    assert!(
        heard.iter().chain(&looked).all(|count| *count > 5),
        "something of everything: {heard:?} {looked:?}"
    );
}

/// Waits a while and tells what a client read meanwhile.
fn read_by(world: &mut World, client: usize) -> Vec<Read> {
    let until = world.now + Duration::from_secs(1);
    let mut all = Vec::new();
    while let Some(step) = world.step(until) {
        let own = step
            .read
            .into_iter()
            .filter(|(socket, _)| world.sockets.get(socket).is_none_or(|socket| socket.client == client));
        all.extend(own.map(|(_, read)| read));
    }
    world.now = until;
    all
}

#[test]
fn when_open_drafts_take_too_much_memory_no_further_one_is_opened() {
    let mut world = World::new(Settings { document_memory_max: 1, ..Settings::default() }, 1);
    world.handle(Input::Started);
    for draft in ["d", "e"] {
        let (id, firm) = (RoomId::draft(draft), "firm".into());
        let row = Row::Room(RoomRow { id, name: draft.into(), firm, visibility: Visibility::Public });
        world
            .store
            .answer(BEGINNING, &StoreRequest::Commit { appends: vec![], rows: vec![Change::Put(row)] });
    }
    let come = |world: &mut World, client: usize, draft: &str| {
        world.request(client, "GET", &format!("/ws?draftId={draft}"), "ann:firm:employee", "");
        read_by(world, client)
    };
    come(&mut world, 1, "d");
    let update = r#"{"type":"yjs-update","data":[1,1,1,0,4,1,1,116,2,72,105,0],"id":"u1"}"#;
    let writer = *world.sockets.keys().next().expect("the first draft is opened");
    world.say(writer, update.to_string());
    assert!(!read_by(&mut world, 1).contains(&Read::Close(1013)));
    let read = come(&mut world, 2, "e");
    assert!(read.contains(&Read::Close(1013)), "{read:?}");
    let read = come(&mut world, 3, "d");
    assert!(!read.contains(&Read::Close(1013)), "who comes into an open one takes no more memory: {read:?}");
}

/// Two drafts, and what is said to a connection of `/hocuspocus` that nobody was let into yet.
fn hocuspocus(world: &mut World, messages: impl IntoIterator<Item = Vec<u8>>) -> Vec<Read> {
    world.request(1, "GET", "/hocuspocus", "", "");
    let mut read = read_by(world, 1);
    let socket = *world.sockets.keys().next().expect("it is let in before it shows a token");
    for message in messages {
        if world.sockets.contains_key(&socket) {
            let step = world.say_message(socket, Message::Binary(message.into()));
            read.extend(step.read.into_iter().map(|(_, read)| read));
        }
    }
    read.extend(read_by(world, 1));
    read
}

fn said(said: Said) -> Vec<u8> {
    Frame::Said { document: "d".into(), said }.write().to_vec()
}

#[test]
fn of_who_never_shows_a_token_nothing_is_left() {
    let mut world = World::new(Settings::default(), 1);
    world.handle(Input::Started);
    let state = State { client: 1, clock: 1, state: Some("{}".into()) };
    let awareness = said(Said::Awareness(awareness::write(&[state]).into()));
    hocuspocus(&mut world, [awareness]);
    assert!(world.server.counts().held() > 0, "it waits for the token");
    let socket = *world.sockets.keys().next().expect("it is there");
    world.cut(socket);
    read_by(&mut world, 1);
    assert_eq!(world.server.counts().held(), 0, "{:?}", world.server.counts());
}

#[test]
fn more_words_than_anybody_honest_waits_for_end_the_connection() {
    let mut world = World::new(Settings::default(), 1);
    world.handle(Input::Started);
    let step = said(Said::Sync(SyncMessage::Step1(vec![0].into())));
    let update = said(Said::Sync(SyncMessage::Update(vec![0, 0].into())));
    let few = hocuspocus(&mut world, [step].into_iter().chain(repeat_n(update.clone(), 4_000)));
    assert!(!few.iter().any(|read| matches!(read, Read::Close(_))), "{few:?}");
    let socket = *world.sockets.keys().next().expect("it is there");
    let ended = (0..200).any(|_| {
        let step = world.say_message(socket, Message::Binary(update.clone().into()));
        !step.ended.is_empty() || step.read.iter().any(|(_, read)| matches!(read, Read::Close(4403)))
    });
    assert!(ended || read_by(&mut world, 1).contains(&Read::Close(4403)));
}
