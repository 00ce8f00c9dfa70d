use crate::cases;
use bytes::Bytes;
use parlor_protocol::y_sync::awareness::{self, State};
use parlor_protocol::y_sync::hocuspocus::{Frame, Said, Token};
use parlor_protocol::y_sync::lib0::{Reader, VAR_UINT_MAX, write_var_uint};
use parlor_protocol::y_sync::{Message, SyncMessage, read};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn number() -> impl Strategy<Value = u64> {
    (0..=VAR_UINT_MAX, 0..53_u32).prop_map(|(number, shift)| number >> shift)
}

fn content() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..300).prop_map(Bytes::from)
}

fn sync_message() -> impl Strategy<Value = SyncMessage> {
    prop_oneof![
        content().prop_map(SyncMessage::Step1),
        content().prop_map(SyncMessage::Step2),
        content().prop_map(SyncMessage::Update),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        sync_message().prop_map(Message::Sync),
        content().prop_map(Message::Awareness),
        Just(Message::QueryAwareness),
        ".{0,40}".prop_map(Message::Denied),
    ]
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        sync_message().prop_map(Said::Sync),
        sync_message().prop_map(Said::SyncReply),
        content().prop_map(Said::Awareness),
        Just(Said::QueryAwareness),
        (".{0,200}", option::of(".{0,8}"))
            .prop_map(|(token, version)| Said::Auth { token: Token(token), version }),
        Just(Said::AskToken),
        any::<bool>().prop_map(|read_only| Said::Authenticated { read_only }),
        ".{0,40}".prop_map(Said::Denied),
        ".{0,40}".prop_map(Said::Stateless),
        ".{0,40}".prop_map(Said::BroadcastStateless),
        option::of(".{0,40}").prop_map(Said::Close),
        any::<bool>().prop_map(Said::SyncStatus),
    ]
}

fn frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        Just(Frame::Ping),
        Just(Frame::Pong),
        (".{0,30}", said())
            .prop_map(|(document, said)| Frame::Said { document: document.as_str().into(), said }),
    ]
}

fn states() -> impl Strategy<Value = Vec<State>> {
    let state = option::of(prop_oneof!["[0-9]", "\"[a-zé😀]{0,40}\"", "\\{\"[a-z]{1,9}\":\\[1,null\\]\\}"]);
    let state = (number(), number(), state).prop_map(|(client, clock, state)| State {
        client,
        clock,
        state: state.map(Into::into),
    });
    vec(state, 0..20)
}

/// Bytes that nearly are something: small numbers, and lengths that lie.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(prop_oneof![0..11_u8, any::<u8>()], 0..80),
        (message(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(message, at, byte)| {
            let mut bytes = message.write();
            *at.get_mut(&mut bytes) = byte;
            bytes
        }),
        (frame(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(frame, at, byte)| {
            let mut bytes = frame.write();
            *at.get_mut(&mut bytes) = byte;
            bytes
        }),
        (states(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(states, at, byte)| {
            let mut bytes = awareness::write(&states);
            *at.get_mut(&mut bytes) = byte;
            bytes
        }),
    ]
}

/// What of a message is shared with the frame it was read from.
fn shared(message: &SyncMessage) -> &Bytes {
    let (SyncMessage::Step1(bytes) | SyncMessage::Step2(bytes) | SyncMessage::Update(bytes)) = message;
    bytes
}

/// An empty slice has no place.
fn lies_in(part: &Bytes, frame: &Bytes) -> bool {
    part.is_empty()
        || frame.as_ptr_range().start <= part.as_ptr() && part.as_ptr_range().end <= frame.as_ptr_range().end
}

proptest! {
    #![proptest_config(cases(1_024))]

    #[test]
    fn what_is_written_is_read_again(message in message(), frame in frame(), states in states(), number in number()) {
        prop_assert_eq!(read(&message.write().into()), Ok(message));
        prop_assert_eq!(Frame::read(&frame.write().into()), Ok(frame));
        prop_assert_eq!(awareness::read(&awareness::write(&states)), Ok(states));
        let mut bytes = Vec::new();
        write_var_uint(&mut bytes, number);
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!((reader.var_uint(), reader.left()), (Ok(number), 0));
    }

    #[test]
    fn what_lacks_its_end_or_has_more_is_refused(message in message(), frame in frame(), states in states(), more in vec(any::<u8>(), 1..9)) {
        let whole = message.write();
        prop_assert!(read(&whole[..whole.len() - 1].to_vec().into()).is_err());
        prop_assert!(read(&[&whole[..], &more].concat().into()).is_err());
        let whole = awareness::write(&states);
        prop_assert!(awareness::read(&whole[..whole.len() - 1]).is_err());
        prop_assert!(awareness::read(&[&whole[..], &more].concat()).is_err());
        // What may be left out at the end is another message without it, never the same one.
        let whole = frame.write();
        prop_assert_ne!(Frame::read(&whole[..whole.len() - 1].to_vec().into()), Ok(frame.clone()));
        prop_assert_ne!(Frame::read(&[&whole[..], &more].concat().into()), Ok(frame));
    }

    #[test]
    fn what_is_read_is_no_more_than_its_bytes_and_shared_with_them(bytes in any_bytes()) {
        let bytes = Bytes::from(bytes);
        if let Ok(message) = read(&bytes) {
            prop_assert!(message.write().len() <= bytes.len());
            match &message {
                Message::Sync(message) => prop_assert!(lies_in(shared(message), &bytes)),
                Message::Awareness(states) => prop_assert!(lies_in(states, &bytes)),
                Message::QueryAwareness | Message::Denied(_) => {}
            }
            prop_assert_eq!(read(&message.write().into()), Ok(message));
        }
        if let Ok(frame) = Frame::read(&bytes) {
            prop_assert!(frame.write().len() <= bytes.len());
            if let Frame::Said { said: Said::Sync(message) | Said::SyncReply(message), .. } = &frame {
                prop_assert!(lies_in(shared(message), &bytes));
            }
            prop_assert_eq!(Frame::read(&frame.write().into()), Ok(frame));
        }
        if let Ok(states) = awareness::read(&bytes) {
            prop_assert!(awareness::write(&states).len() <= bytes.len());
            prop_assert_eq!(awareness::read(&awareness::write(&states)), Ok(states));
        }
    }
}
