//! Whatever comes before an empty line is a request or a fault, and the same in whatever pieces it comes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use parlor_protocol::http::{HEAD_BYTES_MAX, body_bytes_max, head_end, parse_head};

fuzz_target!(|input: &[u8]| {
    let whole = head_end(input, &mut 0);
    let mut seen = 0;
    let piecewise = (1..=input.len().min(HEAD_BYTES_MAX))
        .map(|read| head_end(&input[..read], &mut seen))
        .find(|end| *end != Ok(None));
    if let (Ok(Some(end)), Some(piecewise)) = (whole, piecewise) {
        assert_eq!(piecewise, Ok(Some(end)));
    }
    let head = whole.ok().flatten().map_or(input, |end| &input[..end]);
    if let Ok((head, length)) = parse_head(head) {
        assert!(length <= body_bytes_max(&head));
        assert_eq!(head.all("host").count(), 1);
        assert!(head.target.starts_with('/') || head.target == "*");
        head.query().for_each(drop);
        assert!(!head.is_upgrade() || length == 0);
    }
});
