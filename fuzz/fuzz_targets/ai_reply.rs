//! Whatever a service answers is a reply within its limits or a failure. The first two bytes are the status.

#![no_main]

use libfuzzer_sys::fuzz_target;
use parlor_protocol::call::{
    AiReply, CallFailure, Said, Scanned, read_clamd, read_hook, read_next_question, read_robot, read_verdict,
};

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
        Said::Failed(failure) => check(failure, status),
        other => panic!("{other:?}"),
    }
    match read_robot(status, retry_after, body) {
        Said::Robot(reply) => {
            assert!(status == 200 && (reply.content.is_string() || reply.content.is_object()));
        }
        Said::Failed(failure) => check(failure, status),
        other => panic!("{other:?}"),
    }
    match read_verdict(status, retry_after, body) {
        Said::Scanned(_) => assert_eq!(status, 200),
        Said::Failed(failure) => check(failure, status),
        other => panic!("{other:?}"),
    }
    assert_eq!(read_clamd(body) == Ok(Scanned::Clean), body == b"stream: OK");
    assert_eq!(read_hook(status, retry_after) == Said::Delivered, (200..300).contains(&status));
});

fn check(failure: CallFailure, status: u16) {
    match failure {
        CallFailure::Passing { .. } => assert!([429, 502, 503, 504].contains(&status)),
        CallFailure::BadReply(_) => assert_eq!(status, 200),
        CallFailure::Refused { status: refused } => assert_eq!(refused, status),
    }
}
