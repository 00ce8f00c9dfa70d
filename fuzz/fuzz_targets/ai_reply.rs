//! Whatever an AI service answers is a reply within its limits or a failure. The first two bytes are the status.

#![no_main]

use libfuzzer_sys::fuzz_target;
use parlor_protocol::call::{AiReply, CallFailure, Said, read_next_question};

fuzz_target!(|input: &[u8]| {
    let Some((status, body)) = input.split_first_chunk::<2>() else { return };
    let status = u16::from_be_bytes(*status);
    let retry_after = std::str::from_utf8(body).ok();
    match read_next_question(status, retry_after, body) {
        Said::NextQuestion(AiReply::Question { question, .. }) => {
            assert!(status == 200 && !question.is_empty())
        }
        Said::NextQuestion(AiReply::Complete { document_id, .. }) => {
            assert!(status == 200 && (1..=128).contains(&document_id.as_str().len()));
        }
        Said::Failed(CallFailure::Passing { .. }) => assert!([429, 502, 503, 504].contains(&status)),
        Said::Failed(CallFailure::BadReply(_)) => assert_eq!(status, 200),
        Said::Failed(CallFailure::Refused { status: refused }) => assert_eq!(refused, status),
    }
});
