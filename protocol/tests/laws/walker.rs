use crate::cases;
use parlor_protocol::action::SocketLimits;
use parlor_protocol::input::Fault;
use parlor_protocol::walker::Walker;
use proptest::collection::vec;
use proptest::prelude::*;
use std::time::Duration;

const LIMITS: SocketLimits = SocketLimits {
    message_bytes_max: 70_000,
    fragments_max: 3,
    message_wait_max: Duration::ZERO,
    for_providers: false,
};

/// A masked frame, its length in the shortest form.
fn frame(first: u8, length: usize) -> Vec<u8> {
    let mut frame = vec![first];
    match length {
        0..=125 => frame.push(0x80 | length as u8),
        126..=0xffff => frame.extend([&[0x80 | 126][..], &(length as u16).to_be_bytes()].concat()),
        _ => frame.extend([&[0x80 | 127][..], &(length as u64).to_be_bytes()].concat()),
    }
    frame.extend([1, 2, 3, 4]);
    frame.extend(vec![0x55; length]);
    frame
}

/// A whole message: the sizes of its fragments, and pings between them.
fn messages() -> impl Strategy<Value = Vec<Vec<usize>>> {
    vec(vec(prop_oneof![0..200_usize, Just(30_000), Just(69_999)], 1..5), 0..4)
}

fn written(messages: &[Vec<usize>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        for (place, size) in message.iter().enumerate() {
            let last = if place + 1 == message.len() { 0x80 } else { 0 };
            bytes.extend(frame(last | if place == 0 { 1 } else { 0 }, *size));
            bytes.extend(frame(0x89, 3));
        }
    }
    bytes
}

/// What the limits say of the messages.
fn expected(messages: &[Vec<usize>]) -> Result<(), Fault> {
    for message in messages {
        let mut bytes = 0;
        for (place, size) in message.iter().enumerate() {
            bytes += size;
            if bytes > LIMITS.message_bytes_max as usize {
                return Err(Fault::TooBig);
            }
            if place >= LIMITS.fragments_max as usize {
                return Err(Fault::Fragments);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn messages_within_the_limits_pass_and_others_do_not_in_whatever_pieces(
        messages in messages(),
        sizes in vec(1..5_000_usize, 1..6),
    ) {
        let bytes = written(&messages);
        prop_assert_eq!(Walker::default().walk(&bytes, &LIMITS), expected(&messages));
        let (mut walker, mut rest, mut piecewise) = (Walker::default(), bytes.as_slice(), Ok(()));
        for size in sizes.iter().cycle() {
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            piecewise = piecewise.and_then(|()| walker.walk(piece, &LIMITS));
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(piecewise, expected(&messages));
    }

    #[test]
    fn whatever_bytes_come_the_pieces_do_not_matter(bytes in vec(any::<u8>(), 0..400), size in 1..40_usize) {
        let whole = Walker::default().walk(&bytes, &LIMITS);
        let mut walker = Walker::default();
        let piecewise = bytes.chunks(size).try_for_each(|piece| walker.walk(piece, &LIMITS));
        prop_assert_eq!(whole, piecewise);
    }
}
