//! What the AI service says next, as a story writes it and as the core hears it.

use super::deed::duration;
use crate::ai_stand_in::{Play, interview};
use parlor_protocol::call::{Call, CallFailure, Said, read_next_question};
use std::time::Duration;

/// Reads what stands behind `ai:`: a JSON reply, `status 503`, `status 503 retry-after 1`, `babble`,
/// `not json`, `too large`, `hang up`, or `300ms later` and one of these.
pub fn play(text: &str) -> Result<Play, String> {
    if let Some((wait, rest)) = text.split_once(" later ") {
        return Ok(Play::Slowly(duration(wait)?, Box::new(play(rest)?)));
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

/// After how long, and what, the core hears of such an attempt.
pub fn said(play: Play, call: &Call) -> (Duration, Said) {
    let Call::NextQuestion { request, .. } = call;
    let good = |body: &[u8]| read_next_question(200, None, body);
    let said = match play {
        Play::Slowly(wait, play) => {
            let (more, said) = said(*play, call);
            return (wait + more, said);
        }
        Play::Interview => {
            let request = serde_json::to_value(request).expect("a request is JSON");
            good(interview(&request).to_string().as_bytes())
        }
        Play::Reply(value) => good(value.to_string().as_bytes()),
        Play::Babble => good(br#"{"type":"small_talk","weather":["fine",null]}"#),
        Play::NotJson => good(b"<html>Bad gateway"),
        Play::Large(bytes) => good(&vec![b'?'; bytes]),
        Play::Status(status, retry_after) => {
            read_next_question(status, retry_after.map(|after| after.to_string()).as_deref(), b"")
        }
        Play::Close => Said::Failed(CallFailure::Passing { retry_after: None }),
        Play::Trickle(_)
        | Play::NotHttp
        | Play::Redirect(_)
        | Play::BreakOff
        | Play::Hang
        | Play::Twice(..) => unreachable!("a story has no words for this"),
    };
    (Duration::ZERO, said)
}
