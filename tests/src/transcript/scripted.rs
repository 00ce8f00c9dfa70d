//! What the AI service says next, as a story writes it and as the core hears it.

use super::deed::duration;
use crate::ai_stand_in::{Piece, Play, Speech, interview};
use parlor_protocol::call::{Call, CallFailure, Said, Scanned, SpokenReader, read_next_question, read_robot};
use serde_json::{Deserializer, Value};
use std::time::Duration;

/// Reads what stands behind `ai:`: a JSON reply, `status 503`, `status 503 retry-after 1`, `babble`,
/// `not json`, `too large`, `hang up`, `speak` and what is spoken (strings, milliseconds of silence, and the reply),
/// perhaps with `break off` at its end; or `300ms later` and one of these.
pub fn play(text: &str) -> Result<Play, String> {
    if let Some((wait, rest)) = text.split_once(" later ") {
        return Ok(Play::Slowly(duration(wait)?, Box::new(play(rest)?)));
    }
    if let Some(spoken) = text.strip_prefix("speak ") {
        return speech(spoken).map(Play::Speak);
    }
    let words: Vec<_> = text.split(' ').collect();
    let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is no number"));
    Ok(match words.as_slice() {
        ["interview"] => Play::Interview,
        ["babble"] => Play::Babble,
        ["not", "json"] => Play::NotJson,
        ["too", "large"] => Play::Large((1 << 20) + 1),
        ["hang", "up"] => Play::Close,
        ["status", status] => Play::Status(number(status)?, None),
        ["status", status, "retry-after", after] => {
            Play::Status(number(status)?, Some(u32::from(number(after)?)))
        }
        _ => Play::Reply(serde_json::from_str(text).map_err(|error| format!("what the AI says: {error}"))?),
    })
}

fn speech(text: &str) -> Result<Speech, String> {
    let (text, breaks_off) = text.strip_suffix("break off").map_or((text, false), |text| (text, true));
    let mut speech = Speech { breaks_off, ..Speech::default() };
    for word in Deserializer::from_str(text).into_iter::<Value>() {
        let word = word.map_err(|error| format!("what the AI says: {error}"))?;
        speech = match (word.as_str(), word.as_u64()) {
            (Some(text), _) => speech.delta(text),
            (None, Some(time)) => speech.pause(Duration::from_millis(time)),
            (None, None) => speech.reply(&word),
        };
    }
    Ok(speech)
}

/// After how long, and what, the core hears of such an attempt, in order.
pub fn said(play: Play, call: &Call) -> Vec<(Duration, Said)> {
    if let Play::Slowly(wait, play) = play {
        return said(*play, call).into_iter().map(|(more, said)| (wait + more, said)).collect();
    }
    if let (Play::Speak(speech), Call::NextQuestion { spoken: true, .. }) = (&play, call) {
        return spoken(speech);
    }
    vec![(Duration::ZERO, whole(play, call))]
}

fn spoken(speech: &Speech) -> Vec<(Duration, Said)> {
    let (mut reader, mut at, mut told) = (SpokenReader::default(), Duration::ZERO, Vec::new());
    for piece in &speech.pieces {
        match piece {
            Piece::Bytes(bytes) => told.extend(reader.take(bytes).into_iter().map(|said| (at, said))),
            Piece::Pause(time) => at += *time,
        }
    }
    // Where it was broken off no event is left that is not ended.
    told.extend(reader.end().into_iter().map(|said| (at, said)));
    told
}

fn whole(play: Play, call: &Call) -> Said {
    let request = match call {
        Call::NextQuestion { request, .. } => serde_json::to_value(request),
        Call::Robot { request, .. } => serde_json::to_value(request),
        Call::Scan { .. } | Call::Hook { .. } => unreachable!("the AI service is not called for this"),
    };
    let read = match call {
        Call::Robot { .. } => read_robot,
        Call::NextQuestion { .. } | Call::Scan { .. } | Call::Hook { .. } => read_next_question,
    };
    let good = |body: &[u8]| read(200, None, body);
    match play {
        Play::Speak(speech) | Play::SpeakUnasked(speech) => good(speech.whole().as_bytes()),
        Play::Interview => {
            let request = request.expect("a request is JSON");
            good(interview(&request).to_string().as_bytes())
        }
        Play::Reply(value) => good(value.to_string().as_bytes()),
        Play::Babble => good(br#"{"type":"small_talk","weather":["fine",null]}"#),
        Play::NotJson => good(b"<html>Bad gateway"),
        Play::Large(bytes) => good(&vec![b'?'; bytes]),
        Play::Status(status, retry_after) => {
            read(status, retry_after.map(|after| after.to_string()).as_deref(), b"")
        }
        Play::Close => Said::Failed(CallFailure::Passing { retry_after: None }),
        Play::Slowly(..)
        | Play::Trickle(_)
        | Play::NotHttp
        | Play::Redirect(_)
        | Play::BreakOff
        | Play::Hang
        | Play::Twice(..) => unreachable!("a story has no words for this"),
    }
}

/// What a file that holds this is found out to be.
pub const INFECTED: &str = "PARLOR-MADE-UP-TEST-SIGNATURE";

/// What is said by services of which a story tells nothing: the scanner knows one signature, and the hook takes
/// all events.
pub fn at_once(call: &Call) -> Said {
    match call {
        Call::Scan { bytes } => {
            let infected = bytes.windows(INFECTED.len()).any(|part| part == INFECTED.as_bytes());
            Said::Scanned(match infected {
                true => Scanned::Infected { signature: Some("Parlor.Test".to_string()) },
                false => Scanned::Clean,
            })
        }
        Call::Hook { .. } => Said::Delivered,
        Call::NextQuestion { .. } | Call::Robot { .. } => unreachable!("a story tells what the AI says"),
    }
}
