//! A stream of events is read as if it came whole, in whatever pieces it comes, and as a reading of the whole text in
//! another way says. What the AI speaks ends once. The first byte says how large the pieces are.

#![no_main]

use libfuzzer_sys::fuzz_target;
use parlor_protocol::call::{ANSWER_BYTES_MAX, CallFailure, EventReader, Said, ServerEvent, SpokenReader};

fuzz_target!(|input: &[u8]| {
    let Some((&size, bytes)) = input.split_first() else { return };
    let piece = usize::from(size).max(1);
    let whole = events(bytes, bytes.len().max(1));
    assert_eq!(events(bytes, piece), whole);
    if let Ok(text) = str::from_utf8(bytes) {
        assert_eq!(whole, (otherwise(text), Ok(())));
    }
    let heard = spoken(bytes, piece);
    assert_eq!(heard, spoken(bytes, bytes.len().max(1)));
    let (end, deltas) = heard.split_last().expect("a call ends");
    assert!(deltas.iter().all(|said| !said.is_end()));
    assert!(matches!(
        end,
        Said::NextQuestion(_)
            | Said::Failed(CallFailure::BadReply(_) | CallFailure::Passing { retry_after: None })
    ));
});

fn events(bytes: &[u8], piece: usize) -> (Vec<ServerEvent>, Result<(), String>) {
    let (mut reader, mut events) = (EventReader::new(ANSWER_BYTES_MAX), Vec::new());
    for piece in bytes.chunks(piece) {
        if let Err(why) = reader.take(piece, &mut events) {
            return (events, Err(why));
        }
    }
    let end = reader.end().map(|last| events.extend(last));
    (events, end)
}

fn otherwise(text: &str) -> Vec<ServerEvent> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n") + "\n\n";
    let mut events = Vec::new();
    let (mut name, mut data) = ("message", Vec::new());
    for line in text.split('\n') {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => name = if value.is_empty() { "message" } else { value },
            "data" => data.push(value),
            _ if line.is_empty() => {
                if !data.is_empty() {
                    events.push(ServerEvent { name: name.to_string(), data: data.join("\n") });
                }
                (name, data) = ("message", Vec::new());
            }
            _ => {}
        }
    }
    events
}

fn spoken(bytes: &[u8], piece: usize) -> Vec<Said> {
    let mut reader = SpokenReader::default();
    let mut told: Vec<_> = bytes.chunks(piece).flat_map(|piece| reader.take(piece)).collect();
    told.extend(reader.end());
    told
}
