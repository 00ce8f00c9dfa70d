//! The next question as the AI service speaks it (WIRE §1): events `delta {"text"}`, and a last one that is the reply.

use super::events::{EventReader, ServerEvent};
use super::next_question::parse_reply;
use super::{ANSWER_BYTES_MAX, CallFailure, Said};
use crate::apps::stripped;
use serde::Deserialize;

/// Reads a spoken reply, piece by piece as it comes.
#[derive(Debug)]
pub struct SpokenReader {
    events: EventReader,
    /// Whether the end was told.
    ended: bool,
}

#[derive(Deserialize)]
struct Delta {
    text: String,
}

impl Default for SpokenReader {
    fn default() -> Self {
        Self { events: EventReader::new(ANSWER_BYTES_MAX), ended: false }
    }
}

impl SpokenReader {
    /// Takes in the next piece of the body behind status 200. Returns what it tells, in order: deltas, and at the
    /// most one end, after which nothing more is to be read and nothing more is told. Events of other names are
    /// passed over.
    pub fn take(&mut self, piece: &[u8]) -> Vec<Said> {
        if self.ended {
            return Vec::new();
        }
        let mut events = Vec::new();
        let taken = self.events.take(piece, &mut events);
        let mut told = Vec::new();
        for event in events {
            told.extend(read(event));
            if told.last().is_some_and(Said::is_end) {
                self.ended = true;
                return told;
            }
        }
        if let Err(why) = taken {
            self.ended = true;
            told.push(bad(why));
        }
        told
    }

    /// The body has ended. Returns what is told then: a last event that was not ended itself, or that the service
    /// broke off, which is worth another attempt.
    pub fn end(self) -> Vec<Said> {
        if self.ended {
            return Vec::new();
        }
        match self.events.end() {
            Err(why) => vec![bad(why)],
            Ok(last) => {
                let mut told: Vec<_> = last.and_then(read).into_iter().collect();
                if !told.last().is_some_and(Said::is_end) {
                    told.push(Said::Failed(CallFailure::Passing { retry_after: None }));
                }
                told
            }
        }
    }
}

/// What an event tells; `None`: nothing here.
fn read(event: ServerEvent) -> Option<Said> {
    Some(match event.name.as_str() {
        "delta" => match serde_json::from_str::<Delta>(&event.data) {
            Ok(Delta { text }) => Said::Delta(stripped(&text)),
            Err(why) => bad(format!("a delta that is none: {why}")),
        },
        "next_question" | "complete" => match parse_reply(event.data.as_bytes()) {
            Ok(reply) => Said::NextQuestion(reply),
            Err(why) => bad(why),
        },
        _ => return None,
    })
}

fn bad(why: String) -> Said {
    Said::Failed(CallFailure::BadReply(why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::AiReply;

    fn heard(body: &str) -> Vec<Said> {
        let mut whole = Vec::new();
        for piece in [1, 5, body.len().max(1)] {
            let mut reader = SpokenReader::default();
            let mut told: Vec<_> =
                body.as_bytes().chunks(piece).flat_map(|piece| reader.take(piece)).collect();
            told.extend(reader.end());
            assert!(whole.is_empty() || whole == told, "the same in pieces of {piece}: {told:?}");
            whole = told;
        }
        whole
    }

    fn delta(text: &str) -> Said {
        Said::Delta(text.to_string())
    }

    fn question(text: &str) -> Said {
        Said::NextQuestion(AiReply::Question { question: text.to_string(), progress: None })
    }

    const LAST: &str = "event: next_question\ndata: {\"type\":\"next_question\",\"question\":\"Where?\"}\n\n";

    #[test]
    fn deltas_come_as_they_are_spoken_and_the_reply_ends_them() {
        let body = format!(
            "event: delta\ndata: {{\"text\":\"Whe\\u0000\"}}\n\n: alive\n\nevent: ping\ndata: x\n\n\
             event: delta\ndata: {{\"text\":\"re?\"}}\n\n{LAST}event: delta\ndata: {{\"text\":\"late\"}}\n\n{LAST}"
        );
        assert_eq!(heard(&body), [delta("Whe"), delta("re?"), question("Where?")]);
        let complete = "event:complete\r\ndata:{\"type\":\"complete\",\r\ndata:\"documentId\":\"d\"}";
        let document = AiReply::Complete { document_id: "d".into(), document: None };
        assert_eq!(heard(complete), [Said::NextQuestion(document)]);
    }

    #[test]
    fn a_stream_without_a_reply_was_broken_off() {
        let broken = Said::Failed(CallFailure::Passing { retry_after: None });
        assert_eq!(heard(""), std::slice::from_ref(&broken));
        let body = "event: delta\ndata: {\"text\":\"Whe\"}\n\nevent: delta\ndata: {\"text\":\"re\"}";
        assert_eq!(heard(body), [delta("Whe"), delta("re"), broken]);
    }

    #[test]
    fn what_is_no_delta_and_no_reply_is_a_bad_reply_and_ends_it() {
        for (body, why) in [
            ("event: delta\ndata: Whe\n\n", "a delta that is none: expected value at line 1 column 1"),
            ("event: delta\ndata: {}\n\n", "a delta that is none: missing field `text` at line 1 column 2"),
            (
                "event: next_question\ndata: {\"type\":\"next_question\",\"question\":\"\"}",
                "an empty question",
            ),
            ("event: complete\ndata: nothing\n\n", "expected ident at line 1 column 2"),
        ] {
            let bad = bad(why.to_string());
            assert_eq!(heard(&format!("{body}\n\n{LAST}")), std::slice::from_ref(&bad), "{body}");
        }
    }
}
