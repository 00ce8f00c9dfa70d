use crate::cases;
use parlor_protocol::frame::Frame;
use parlor_protocol::outbox::{Class, OUTBOX_BYTES_MAX, Outbox, Pushed};
use proptest::collection::vec;
use proptest::prelude::*;
use std::io::IoSlice;

#[derive(Debug, Clone)]
enum Step {
    Push(usize, Class),
    Write(usize),
    Close,
    Forget,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let size =
        prop_oneof![6 => 1..200_usize, 2 => Just(OUTBOX_BYTES_MAX / 3), 1 => Just(OUTBOX_BYTES_MAX + 5)];
    let class = prop_oneof![
        4 => Just(Class::Kept),
        1 => Just(Class::Page),
        2 => Just(Class::Signal),
        2 => (0..3_u64).prop_map(Class::Latest),
    ];
    let step = prop_oneof![
        12 => (size, class).prop_map(|(size, class)| Step::Push(size, class)),
        5 => prop_oneof![1..300_usize, Just(OUTBOX_BYTES_MAX)].prop_map(Step::Write),
        1 => Just(Step::Forget),
        1 => Just(Step::Close),
    ];
    vec(step, 0..60)
}

/// A frame whose first bytes name it.
fn frame(number: u32, size: usize) -> Frame {
    let mut bytes = vec![0x55; size.max(4)];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Frame::raw(bytes.into())
}

/// All that would be written now.
fn waiting(outbox: &Outbox) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 64];
    let used = outbox.gather(&mut slices);
    slices[..used].iter().map(|slice| &**slice).collect::<Vec<&[u8]>>().concat()
}

/// The numbers of the frames on the wire, every one of them whole.
fn numbers(wire: &[u8], sizes: &[usize]) -> Vec<u32> {
    let (mut numbers, mut rest) = (Vec::new(), wire);
    while let Some(name) = rest.first_chunk::<4>() {
        let number = u32::from_be_bytes(*name);
        let whole = frame(number, sizes[number as usize]);
        rest = rest.strip_prefix(whole.bytes().as_ref()).expect("a frame goes out whole");
        numbers.push(number);
    }
    assert!(rest.is_empty(), "a frame goes out whole");
    numbers
}

proptest! {
    #![proptest_config(cases(192))]

    #[test]
    fn bytes_are_accounted_for_and_kept_frames_go_out_whole_in_order(steps in steps()) {
        let mut outbox = Outbox::default();
        // The kept frames that were taken in and not thrown away, and the sizes of all frames.
        let (mut kept_frames, mut sizes) = (Vec::new(), Vec::new());
        let (mut wire, mut closed) = (Vec::new(), false);
        for (number, step) in (0..).zip(steps) {
            sizes.push(9);
            match step {
                Step::Push(size, class) => {
                    sizes[number as usize] = size;
                    let (frame, kept) = (frame(number, size), matches!(class, Class::Kept | Class::Page));
                    let before = outbox.queued_bytes();
                    match outbox.push(frame.clone(), class) {
                        Pushed::Queued => {
                            prop_assert!(!closed, "nothing is taken in after the last frame");
                            kept_frames.extend(kept.then_some(number));
                        }
                        Pushed::Dropped => {
                            prop_assert!(!kept || closed, "a kept frame is never dropped");
                            prop_assert_eq!(outbox.queued_bytes(), before);
                        }
                        Pushed::Overflowed => {
                            prop_assert!(kept && outbox.queued_bytes() + frame.len() > OUTBOX_BYTES_MAX);
                        }
                    }
                }
                Step::Write(most) => {
                    let bytes = waiting(&outbox);
                    let written = bytes.len().min(most);
                    wire.extend_from_slice(&bytes[..written]);
                    outbox.advance(written);
                }
                Step::Forget => {
                    outbox.forget_waiting();
                    let begun = numbers(&[wire.as_slice(), &waiting(&outbox)].concat(), &sizes);
                    kept_frames.retain(|number| begun.contains(number));
                }
                Step::Close => {
                    kept_frames.extend((!closed).then_some(number));
                    outbox.close(Some(frame(number, 9)));
                    closed = true;
                }
            }
            prop_assert_eq!(outbox.queued_bytes(), waiting(&outbox).len(), "the bytes are accounted for");
            prop_assert_eq!(outbox.is_empty(), outbox.queued_bytes() == 0);
        }
        wire.extend_from_slice(&waiting(&outbox));
        let mut out = numbers(&wire, &sizes);
        out.retain(|number| kept_frames.contains(number));
        prop_assert_eq!(out, kept_frames, "kept frames go out once, in order");
    }
}
