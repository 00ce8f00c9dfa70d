//! Whatever a client posts is packets or malformed; the messages among them are the same when they are written
//! and read again, and each of them is what it would be on a WebSocket.

#![no_main]

use libfuzzer_sys::fuzz_target;
use parlor_protocol::frame::Frame;
use parlor_protocol::input::Message;
use parlor_protocol::socket_io::payload::{PACKETS_MAX, Packet, decode, encode, message_frame};

fuzz_target!(|input: &[u8]| {
    let body = input.to_vec().into();
    let whole = Packet::decode(Message::Text(input.to_vec().into()));
    let Ok(packets) = decode(&body) else { return };
    assert!((1..=PACKETS_MAX).contains(&packets.len()));
    if let [packet] = &packets[..]
        && input.first() != Some(&b'b')
    {
        assert_eq!(whole, Ok(Some(packet.clone())));
    }
    let messages: Vec<_> =
        packets.into_iter().filter(|packet| matches!(packet, Packet::Message(_))).collect();
    let frames: Vec<_> = messages.iter().map(frame).collect();
    if !frames.is_empty() {
        assert_eq!(decode(&encode(frames).into()), Ok(messages));
    }
});

fn frame(packet: &Packet) -> Frame {
    match packet {
        Packet::Message(Message::Text(text)) => message_frame(std::str::from_utf8(text).expect("text")),
        Packet::Message(Message::Binary(bytes)) => Frame::binary(bytes),
        other => panic!("{other:?} is no message"),
    }
}
