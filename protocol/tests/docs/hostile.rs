//! What is refused, left out or cut, by its bytes; and what was found to go wrong once.

use crate::checked::{Checked, live, unhex};
use crate::updates::{Dice, number, string, update};
use bytes::Bytes;
use parlor_protocol::docs::{
    Applied, DOCUMENT_BYTES_MAX, DocJob, DocOutcome, Docs, RestoreRefused, UPDATE_BYTES_MAX, Unreadable, Why,
};

/// An update of these structs of one client, from a clock on, that deletes nothing.
fn by(client: u64, clock: u64, structs: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![1];
    [structs.len() as u64, client, clock].into_iter().for_each(|it| number(&mut out, it));
    structs.iter().for_each(|one| out.extend_from_slice(one));
    out.push(0);
    out
}

/// An item in the root `t`.
fn in_root(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind, 1, 1, b't'], content].concat()
}

/// An item of text beside others.
fn beside(origin: Option<(u64, u64)>, right: Option<(u64, u64)>, text: &str) -> Vec<u8> {
    let mut out = vec![4 | if origin.is_some() { 0x80 } else { 0 } | if right.is_some() { 0x40 } else { 0 }];
    for (client, clock) in [origin, right].into_iter().flatten() {
        number(&mut out, client);
        number(&mut out, clock);
    }
    string(&mut out, text);
    out
}

fn text(text: &str) -> Vec<u8> {
    let mut content = Vec::new();
    string(&mut content, text);
    in_root(4, &content)
}

fn new(update: &[u8], pending: bool) -> Applied {
    Applied::New { update: Bytes::copy_from_slice(update), pending }
}

fn refused(why: &str) -> Applied {
    Applied::Refused(Why::Malformed(why.to_string()))
}

#[test]
fn a_length_that_is_not_there_is_refused_before_anything_is_allocated() {
    for (bytes, why) in [
        ("80c2d72f", "100000000 clients are over the 0 that 0 bytes can hold"),
        ("8088debe01", "400000000 clients are over the 0 that 0 bytes can hold"),
        ("01ffffff0f01000401017400", "33554431 structs are over the 3 that 7 bytes can hold"),
        ("0101010008010174ffff03", "65535 values are over the 0 that 0 bytes can hold"),
        ("01010100080101740175ff01", "255 values are over the 0 that 0 bytes can hold"),
        ("010101000401017405", "its 9 bytes end too early"),
        ("0001018080808008", "2147483648 deletions are over the 0 that 0 bytes can hold"),
        ("ffffffffffffffff7f", "a number over 9007199254740991"),
        ("00", "its 1 bytes end too early"),
        ("000000", "1 bytes after its end"),
        ("8000", "a number longer than it need be"),
    ] {
        assert_eq!(Checked::default().apply(&unhex(bytes)), refused(why), "{bytes}");
    }
    assert_eq!(Checked::default().apply(&[0, 0]), Applied::Nothing { pending: false });
}

#[test]
fn what_no_client_of_today_writes_is_refused() {
    for (struct_, why) in [
        (in_root(2, &[1, 1, b'1']), "content of the kind 2, which is not kept"),
        (in_root(9, &[1, b'g', 118, 0]), "content of the kind 9, which is not kept"),
        (in_root(11, &[]), "content of the kind 11, which is not kept"),
        (in_root(0x14, &[1, b'x']), "content of the kind 20, which is not kept"),
        (vec![0x80, 1, 0, 1], "a struct of the unknown kind 128"),
        (in_root(7, &[5, 1, b'h']), "a type of the kind 5, which is not kept"),
        (in_root(7, &[7]), "a type of the kind 7, which is not kept"),
        (in_root(8, &[1, 122, 0, 0, 0, 0, 0, 0, 0, 1]), "a big integer, which is not kept"),
        (in_root(8, &[1, 115]), "a value of the unknown kind 115"),
        (in_root(4, &[0]), "a struct of length 0"),
        (in_root(4, &[1, 0xff]), "a string that is no UTF-8"),
        (in_root(5, &[3, b'"', b'a', b'"']), "an embed that is text"),
        (vec![4, 2, 1, 0, 1, b'x'], "a parent of the unknown kind 2"),
        (vec![0x24, 1, 1, b't', 1, b'k', 1, b'x'], "text where values belong"),
        (beside(Some((1, 0)), None, "x"), "struct 0 of client 1 builds on 0, after it"),
    ] {
        assert_eq!(Checked::default().apply(&by(1, 0, &[struct_])), refused(why), "{why}");
    }
    let last = by(1, (1 << 31) - 1, &[text("x")]);
    assert_eq!(
        Checked::default().apply(&last),
        refused("clock of 2147483648 is over the limit of 2147483647")
    );
}

#[test]
fn values_nest_32_levels_and_no_more() {
    let nested = |levels: usize| {
        let content = [&[1][..], &[117, 1].repeat(levels), &[126]].concat();
        by(1, 0, &[in_root(8, &content)])
    };
    let mut checked = Checked::default();
    assert_eq!(checked.apply(&nested(32)), new(&nested(32), false));
    checked.check();
    assert_eq!(Checked::default().apply(&nested(33)), refused("a value nested deeper than 32"));
    // A depth that would end the process.
    assert_eq!(Checked::default().apply(&nested(100_000)), refused("a value nested deeper than 32"));
    let json = |levels: usize| {
        let mut content = Vec::new();
        string(&mut content, &("[".repeat(levels) + &"]".repeat(levels)));
        by(1, 0, &[in_root(5, &content)])
    };
    assert_eq!(Checked::default().apply(&json(32)), new(&json(32), false));
    let Applied::Refused(Why::Malformed(why)) = Checked::default().apply(&json(33)) else { panic!() };
    assert!(why.starts_with("nested deeper than 32"), "{why}");
}

#[test]
fn types_nest_100_levels_and_no_more() {
    // Each in the one before, and nothing else: deleting the first deletes them all, by recursion.
    let nested = |levels: u64| {
        let mut structs = vec![in_root(7, &[0])];
        for level in 1..levels {
            let mut one = vec![7, 0, 1];
            number(&mut one, level - 1);
            one.push(0);
            structs.push(one);
        }
        by(1, 0, &structs)
    };
    let mut checked = Checked::default();
    assert_eq!(checked.apply(&nested(100)), new(&nested(100), false));
    checked.check();
    let delete = unhex("0001010100 01".replace(' ', "").as_str());
    assert_eq!(checked.apply(&delete), new(&unhex("000101010064"), false));
    checked.check();
    checked.fold();
    assert_eq!(Checked::default().apply(&nested(101)), refused("types nested deeper than 100"));
    assert_eq!(Checked::default().apply(&nested(50_000)), refused("types nested deeper than 100"));
    // And over several updates, and through neighbours.
    let mut checked = Checked::default();
    checked.apply(&nested(100));
    let deeper = by(2, 0, &[vec![0x87, 1, 99, 0]]);
    assert_eq!(checked.apply(&deeper), new(&deeper, false), "beside the last, not in it");
    assert_eq!(checked.apply(&by(3, 0, &[vec![7, 0, 2, 0, 0]])), refused("types nested deeper than 100"));
}

#[test]
fn what_builds_on_what_is_not_there_is_left_out_and_said_to_be_pending() {
    let mut checked = Checked::default();
    // The second is there before the first; then both go in.
    let second = by(1, 1, &[beside(Some((1, 0)), None, "b")]);
    assert_eq!(checked.apply(&second), Applied::Nothing { pending: true });
    let first = by(1, 0, &[text("a")]);
    assert_eq!(checked.apply(&first), new(&first, false));
    assert_eq!(checked.apply(&second), new(&second, false));
    // Of one update, that part goes in which can.
    let both = unhex(
        "02 01 05 00 04 01 01 74 01 79 01 02 00 84 09 00 01 7a 01 07 01 00 03".replace(' ', "").as_str(),
    );
    let part = unhex("01 01 05 00 04 01 01 74 01 79 00".replace(' ', "").as_str());
    assert_eq!(checked.apply(&both), new(&part, true));
    checked.check();
    assert_eq!(checked.apply(&unhex("000101010001")), new(&unhex("000101010001"), false));
    assert_eq!(checked.apply(&unhex("000101010001")), Applied::Nothing { pending: false });
    assert_eq!(checked.apply(&unhex("000101010101")), new(&unhex("000101010101"), false));
    checked.check();
}

#[test]
fn what_is_known_in_part_is_cut() {
    let mut checked = Checked::default();
    checked.apply(&by(1, 0, &[text("ab")]));
    assert_eq!(
        checked.apply(&by(1, 0, &[text("abcd")])),
        new(&by(1, 2, &[beside(Some((1, 1)), None, "cd")]), false)
    );
    checked.apply(&by(2, 0, &[text("x")]));
    // Half a character is not written: what is left of it is a replacement.
    let cut = by(2, 1, &[beside(Some((2, 0)), None, "\u{fffd}y")]);
    assert_eq!(checked.apply(&by(2, 0, &[text("👍y")])), new(&cut, false));
    checked.apply(&by(3, 0, &[in_root(8, &[2, 126, 120])]));
    let all = by(3, 0, &[in_root(8, &[3, 126, 120, 121])]);
    assert_eq!(checked.apply(&all), new(&by(3, 2, &[vec![0x88, 3, 1, 1, 121]]), false));
    checked.check();
}

#[test]
fn a_state_vector_may_point_into_a_character() {
    let mut checked = Checked::default();
    checked.apply(&by(1, 0, &[text("a👍b")]));
    for clock in 0..5 {
        let outcome = checked.run(&DocJob::Diff { since: Some(Bytes::copy_from_slice(&[1, 1, clock])) });
        let DocOutcome::Diff { update, .. } = outcome else { panic!("{outcome:?}") };
        let mut other = Checked::default();
        other.apply(&by(1, 0, &[in_root(1, &[clock.max(1)])]));
        other.apply(&update);
        assert_eq!(other.ends()[&1], 4, "{clock}");
    }
    let outcome = checked.run(&DocJob::Diff { since: Some(Bytes::from_static(&[200, 1, 1])) });
    let why = Why::Malformed("200 clients are over the 0 that 1 bytes can hold".to_string());
    assert_eq!(outcome, DocOutcome::DiffRefused(why));
}

#[test]
fn an_update_that_would_keep_everybody_waiting_is_refused() {
    // Each is in conflict with each: all at the start, before another right neighbour, of a client each.
    let conflicts = |clients: u64| {
        let mut out = Vec::new();
        number(&mut out, clients);
        for client in 0..clients {
            [1, 100 + client, 0].into_iter().for_each(|it| number(&mut out, it));
            out.extend(beside(None, Some((1 + client % 2, 0)), "y"));
        }
        out.push(0);
        out
    };
    let mut checked = Checked::default();
    checked.apply(&by(1, 0, &[text("x")]));
    checked.apply(&by(2, 0, &[text("x")]));
    let why = "it would take too long to find the places of its items";
    assert_eq!(checked.apply(&conflicts(4000)), refused(why));
    // A refusal leaves nothing behind.
    assert_eq!(checked.ends().len(), 2);
    let Applied::New { .. } = checked.apply(&conflicts(100)) else { panic!() };
    checked.check();
    // Each cuts a long text once more.
    let long = 1 << 20;
    let mut checked = Checked::default();
    checked.apply(&by(9, 0, &[text(&"x".repeat(long))]));
    let cuts = |count: u64| -> Vec<_> {
        (0..count).map(|index| beside(Some((9, index * 2)), Some((9, index * 2 + 1)), "y")).collect()
    };
    let why = "it would take too long to cut the texts that it changes";
    assert_eq!(checked.apply(&by(1, 0, &cuts(400))), refused(why));
    let few = by(1, 0, &cuts(100));
    assert_eq!(checked.apply(&few), new(&few, false));
}

/// `yrs` took seconds for a hundredth of what may be sent at once.
#[test]
fn whatever_yrs_passes_counts() {
    let too_long = refused("it would take too long to find the places of its items");
    let count = 3000;
    // From the last value under a key to the first: for each without a left neighbour, whether or not it has a right one.
    let first = vec![0x28, 1, 1, b't', 1, b'k', 1, 126];
    let before = |clock| {
        let mut one = vec![0x68, 1];
        number(&mut one, clock);
        [one, vec![1, 126]].concat()
    };
    assert_eq!(Checked::default().apply(&by(1, 0, &vec![first.clone(); count as usize])), too_long);
    let befores: Vec<_> = [first].into_iter().chain((0..count).map(before)).collect();
    assert_eq!(Checked::default().apply(&by(1, 0, &befores)), too_long);
    let few = befores[..200].to_vec();
    let mut checked = Checked::default();
    let Applied::New { .. } = checked.apply(&by(1, 0, &few)) else { panic!() };
    checked.check();
    // Items that go on with each other, and which `yrs` does not join: never, or not before all is taken in.
    let starts = vec![text("x"); count as usize];
    let embeds: Vec<_> = (0..count)
        .map(|clock| match clock.checked_sub(1) {
            None => in_root(5, b"\x011"),
            Some(left) => {
                let mut one = vec![0x85, 1];
                number(&mut one, left);
                [one, b"\x011".to_vec()].concat()
            }
        })
        .collect();
    let mut checked = Checked::default();
    checked.apply_standing(&by(1, 0, &embeds));
    assert_eq!(checked.apply(&by(2, 0, &starts)), too_long);
    let letters = (0..count).map(|clock| clock.checked_sub(1)).map(|left| match left {
        None => text("a"),
        Some(left) => beside(Some((1, left)), None, "a"),
    });
    let between = (0..count).map(|clock| beside(Some((1, clock)), None, "b"));
    // They pass the letters alone, as what is between those begins with their right neighbour.
    let starts = vec![beside(None, Some((3, count - 1)), "x"); count as usize / 10];
    let of_three: [(u64, Vec<_>); 3] = [(1, letters.collect()), (2, starts), (3, between.collect())];
    let sections = of_three.map(|(client, structs)| {
        let update = by(client, 0, &structs);
        update[1..update.len() - 1].to_vec()
    });
    let update = [&[3][..], &sections.concat(), &[0]].concat();
    assert_eq!(Checked::default().apply(&update), too_long);
    // What is typed letter by letter does not weigh as if each stood alone.
    let mut checked = Checked::default();
    checked.apply_standing(&by(1, 0, &[text("a")]));
    for clock in 1..1000 {
        checked.apply_standing(&by(1, clock, &[beside(Some((1, clock - 1)), None, "b")]));
    }
    assert!(checked.apply_standing(&by(2, 0, &[text("c")])).weight < 100_000);
}

/// Each root was looked for among all: a fold of 30,000 took 6 s, and of ten times as many ten minutes.
#[test]
fn many_roots_are_folded_as_others_are() {
    let roots = (0..50_000).map(|index| {
        let mut one = vec![8, 1];
        string(&mut one, &format!("{index:x}"));
        [one, vec![1, 126]].concat()
    });
    let mut checked = Checked::default();
    checked.apply_standing(&by(1, 0, &roots.collect::<Vec<_>>()));
    let folded = checked.run(&DocJob::Fold);
    assert!(matches!(folded, DocOutcome::Folded(Ok(_))), "{folded:?}");
}

/// Characters of which each is a struct of its own: `yrs` took a minute for a megabyte.
#[test]
fn what_goes_on_is_joined() {
    let mut checked = Checked::default();
    let structs: Vec<_> = (0..20_000)
        .map(|clock: u64| match clock.checked_sub(1) {
            None => text("x"),
            Some(before) => beside(Some((1, before)), None, "x"),
        })
        .collect();
    let joined = by(1, 0, &[text(&"x".repeat(20_000))]);
    assert_eq!(checked.apply(&by(1, 0, &structs)), new(&joined, false));
    // Not with another right neighbour, and not with what is of another kind.
    let apart = by(2, 0, &[beside(Some((1, 0)), Some((1, 1)), "a"), beside(Some((2, 0)), Some((1, 2)), "b")]);
    assert_eq!(checked.apply(&apart), new(&apart, false));
    let kinds =
        by(3, 0, &[text("a"), vec![0x81, 3, 0, 1], vec![0x81, 3, 1, 2], beside(Some((3, 3)), None, "b")]);
    let Applied::New { update, .. } = checked.apply(&kinds) else { panic!() };
    let joined = by(3, 0, &[text("a"), vec![0x81, 3, 0, 3], beside(Some((3, 3)), None, "b")]);
    assert_eq!(update[..joined.len() - 1], joined[..joined.len() - 1]);
    checked.check();
}

#[test]
fn an_update_or_a_document_over_its_limit_is_refused() {
    let mut checked = Checked::default();
    let actual = UPDATE_BYTES_MAX + 1;
    let why = Why::TooLarge { limit: UPDATE_BYTES_MAX, actual };
    assert_eq!(checked.apply(&vec![0; actual]), Applied::Refused(why));
    let half = "x".repeat(DOCUMENT_BYTES_MAX / 2);
    let standing = checked.apply_standing(&by(1, 0, &[text(&half)]));
    assert!(!standing.full);
    let standing = checked.apply_standing(&by(2, 0, &[text(&half)]));
    assert!(standing.full);
    // The last one is kept; whatever comes then is not.
    let why = Why::Full { limit: DOCUMENT_BYTES_MAX, actual: standing.bytes };
    assert_eq!(why.to_string(), format!("document of {} bytes is over the limit of 8388608", standing.bytes));
    assert_eq!(checked.apply(&by(3, 0, &[text("y")])), Applied::Refused(why));
    checked.check_content();
}

#[test]
fn the_same_jobs_give_the_same_bytes() {
    let run = || {
        let mut checked = Checked::default();
        let mut bytes = Vec::new();
        for seed in 0..20 {
            let mut dice = Dice::seeded(seed);
            for _ in 0..20 {
                let ends = checked.ends();
                let update = update(&mut dice, &|client| ends.get(&client).copied().unwrap_or(0));
                checked.apply(&update);
            }
            bytes.push(checked.diff(None));
        }
        let restored = checked.run(&DocJob::Restore { to: bytes[5].clone(), client: 5 });
        (restored, bytes, checked.canonical)
    };
    let one = run();
    for _ in 0..4 {
        assert_eq!(run(), one);
    }
}

#[test]
fn a_root_of_text_and_values_is_not_restored() {
    let mut checked = Checked::default();
    checked.apply(&by(1, 0, &[text("a"), in_root(8, &[1, 126])]));
    let restored = checked.run(&DocJob::Restore { to: Bytes::from_static(&[0, 0]), client: 7 });
    let why = "it holds text and values, so that it is no text and no array".to_string();
    assert_eq!(restored, DocOutcome::Restored(Err(RestoreRefused::Root { name: "t".to_string(), why })));
}

#[test]
fn a_document_is_opened_first_and_one_that_lacks_a_part_is_not_opened() {
    let mut docs = Docs::default();
    assert_eq!(docs.run(&live(), &DocJob::Fold), DocOutcome::Absent);
    let updates = vec![by(1, 0, &[text("a")]).into(), by(1, 2, &[text("c")]).into()];
    let opened = docs.run(&live(), &DocJob::Open { snapshot: None, updates });
    let fault = "it builds on what is not there".to_string();
    assert_eq!(opened, DocOutcome::Opened(Err(Unreadable { at: Some(1), fault })));
    assert!(docs.is_empty());
    assert_eq!(docs.run(&live(), &DocJob::Close), DocOutcome::Closed);
}

/// Found by mutation: neighbours that are the same character. In `yrs` and `yjs` the place of such an item differed
/// once it was loaded again, and the value under the key with it.
#[test]
fn an_item_is_not_its_neighbours_neighbour_on_both_sides() {
    let mut checked = Checked::default();
    let mut value = vec![0x28, 1, 1, b't', 1, b'k', 2, 123];
    value.extend([64, 24, 146, 73, 36, 146, 73, 37, 125, 17]);
    let found = by(2, 0, &[value, vec![0xc8, 2, 1, 2, 1, 1, 126]]);
    let why = "an item whose right neighbour is not right of its left one";
    assert_eq!(checked.apply(&found), refused(why));
    checked.apply(&by(1, 0, &[text("abc")]));
    for (origin, right) in [(0, 0), (1, 0), (2, 0), (2, 1)] {
        let update = by(2, 0, &[beside(Some((1, origin)), Some((1, right)), "x")]);
        assert_eq!(checked.apply(&update), refused(why), "{origin}, {right}");
    }
    let update = by(2, 0, &[beside(Some((1, 0)), Some((1, 2)), "x")]);
    assert_eq!(checked.apply(&update), new(&update, false));
    checked.check();
}

/// Found by mutation: what was refused after a collected struct that was known in part made its client forget.
#[test]
fn a_refusal_takes_back_what_it_took_in_and_no_more() {
    let mut checked = Checked::default();
    checked.apply(&by(2, 0, &[vec![0, 6]]));
    let known_in_part = by(2, 4, &[vec![0, 4], beside(Some((1, 0)), None, "x"), text("y"), in_root(7, &[9])]);
    assert_eq!(checked.apply(&known_in_part), refused("a type of the kind 9, which is not kept"));
    let late = by(2, 4, &[vec![0, 4], text("y"), beside(Some((2, 8)), Some((2, 8)), "z")]);
    assert_eq!(checked.apply(&late), refused("an item whose right neighbour is not right of its left one"));
    assert_eq!(checked.ends()[&2], 6);
    let mut rest = by(2, 6, &[vec![0, 2]]);
    rest.splice(rest.len() - 1.., [1, 2, 1, 6, 2]);
    assert_eq!(checked.apply(&by(2, 4, &[vec![0, 4]])), new(&rest, false));
    checked.check();
}

/// Found by mutation: `yrs` reads a character of two UTF-16 units in an array for ever.
#[test]
fn text_stands_in_texts_and_values_in_arrays() {
    let into = |type_ref: u8, item: &[u8]| by(1, 0, &[in_root(7, &[type_ref]), item.to_vec()]);
    let (characters, value) = ([4, 0, 1, 0, 4, 0xf0, 0x9f, 0x91, 0x8d], [8, 0, 1, 0, 1, 126]);
    for array in [0, 1, 4] {
        let mut checked = Checked::default();
        assert_eq!(checked.apply(&into(array, &characters)), refused("text where values belong"));
        assert_eq!(checked.apply(&into(array, &value)), new(&into(array, &value), false));
        checked.check();
    }
    for text in [2, 6] {
        let mut checked = Checked::default();
        assert_eq!(checked.apply(&into(text, &value)), refused("values where text belongs"));
        assert_eq!(checked.apply(&into(text, &characters)), new(&into(text, &characters), false));
        checked.check();
    }
    // In a root both may stand, which nobody can tell the kind of.
    let mut checked = Checked::default();
    checked.apply(&by(1, 0, &[in_root(8, &[1, 126]), text("👍")]));
    checked.check();
    checked.fold();
}

/// Found by mutation: of two values in one struct under a key, `yrs` left the first undeleted where something came
/// between them. When the map was deleted it pointed to what was freed, and came to stand in another map.
#[test]
fn of_values_under_a_key_the_last_is_kept() {
    let mut checked = Checked::default();
    let both = vec![0x28, 0, 1, 0, 1, b'k', 2, 126, 121];
    let apart = [vec![0x21, 0, 1, 0, 1, b'k', 1], vec![0xa8, 1, 1, 1, 121]];
    let map = in_root(7, &[1]);
    let mut wanted = by(1, 0, &[map.clone(), apart[0].clone(), apart[1].clone()]);
    wanted.splice(wanted.len() - 1.., [1, 1, 1, 1, 1]);
    assert_eq!(checked.apply(&by(1, 0, &[map, both])), new(&wanted, false));
    // Between them, and then the map is gone.
    let Applied::New { .. } = checked.apply(&by(2, 0, &[vec![0x88, 1, 1, 1, 120]])) else { panic!() };
    let Applied::New { .. } = checked.apply(&[0, 1, 1, 1, 0, 1]) else { panic!() };
    checked.apply(&by(3, 0, &[in_root(7, &[1]), in_root(7, &[1])]));
    checked.check();
    // What goes on under a key is not joined either.
    let mut checked = Checked::default();
    let keyed = [vec![0x28, 1, 1, b't', 1, b'k', 1, 126], vec![0xa8, 1, 0, 1, 121]];
    let mut wanted = by(1, 0, &keyed);
    wanted.splice(wanted.len() - 1.., [1, 1, 1, 0, 1]);
    assert_eq!(checked.apply(&by(1, 0, &keyed)), new(&wanted, false));
    checked.check();
}
