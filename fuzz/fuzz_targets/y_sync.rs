//! Whatever a Yjs client sends is a message of its dialect or malformed. What is read takes no more bytes when it is
//! written, and is read the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use parlor_protocol::json;
use parlor_protocol::y_sync::awareness::{self, STATE_BYTES_MAX, STATES_MAX};
use parlor_protocol::y_sync::hocuspocus::{Frame, Said};
use parlor_protocol::y_sync::lib0::VAR_UINT_MAX;
use parlor_protocol::y_sync::{Message, read};

fuzz_target!(|input: &[u8]| {
    let bytes = input.to_vec().into();
    if let Ok(message) = read(&bytes) {
        let written = message.write();
        assert!(written.len() <= input.len());
        assert_eq!(read(&written.into()), Ok(message.clone()));
        if let Message::Awareness(states) = message {
            check_awareness(&states);
        }
    }
    if let Ok(frame) = Frame::read(&bytes) {
        let written = frame.write();
        assert!(written.len() <= input.len());
        assert_eq!(Frame::read(&written.into()), Ok(frame.clone()));
        if let Frame::Said { said: Said::Awareness(states), .. } = frame {
            check_awareness(&states);
        }
    }
    check_awareness(input);
});

fn check_awareness(bytes: &[u8]) {
    let Ok(states) = awareness::read(bytes) else { return };
    assert!(states.len() <= STATES_MAX);
    for state in &states {
        assert!(state.client <= VAR_UINT_MAX && state.clock <= VAR_UINT_MAX);
        if let Some(text) = &state.state {
            assert!(text.len() <= STATE_BYTES_MAX);
            assert_eq!(json::check(text.as_bytes()).is_ok(), state.check().is_ok());
        }
    }
    let written = awareness::write(&states);
    // A null is written without the space around it.
    assert!(written.len() <= bytes.len());
    assert_eq!(awareness::read(&written), Ok(states));
}
