use crate::cases;
use parlor_protocol::http::{HEAD_BYTES_MAX, body_bytes_max, head_end, parse_head};
use proptest::collection::vec;
use proptest::prelude::*;

/// Bytes as they come, and lines that are nearly a head.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just("GET"),
        Just("POST"),
        Just(" "),
        Just("/"),
        Just("*"),
        Just("HTTP/1.1"),
        Just("HTTP/1.0"),
        Just("\r\n"),
        Just("\r\n\r\n"),
        Just("\n"),
        Just("Host: a"),
        Just("Host"),
        Just(": "),
        Just("Content-Length: 5"),
        Just("Transfer-Encoding: chunked"),
        Just("Connection: upgrade"),
        Just("Upgrade: websocket"),
        Just("%zz?a=%"),
        Just("\u{e9}"),
    ];
    let near = vec(word, 0..24).prop_map(|words| words.concat().into_bytes());
    let good = ("[a-z]{1,8}", "[!-~]{0,20}").prop_map(|(name, value)| {
        format!("GET /{value} HTTP/1.1\r\nHost: a\r\nx-{name}: {value}\r\n\r\nmore").into_bytes()
    });
    prop_oneof![
        vec(any::<u8>(), 0..300),
        near,
        good,
        (HEAD_BYTES_MAX - 9..HEAD_BYTES_MAX + 9)
            .prop_map(|size| [vec![b'a'; size], b"\r\n\r\n".to_vec()].concat()),
    ]
}

proptest! {
    #![proptest_config(cases(1_024))]

    #[test]
    fn the_end_of_a_head_is_the_same_in_whatever_pieces_it_comes(
        bytes in bytes(),
        sizes in vec(1..40_usize, 1..8),
    ) {
        let whole = head_end(&bytes, &mut 0);
        let (mut seen, mut read, mut piecewise) = (0, 0, Ok(None));
        for size in sizes.iter().cycle() {
            read = (read + size).min(bytes.len());
            piecewise = head_end(&bytes[..read], &mut seen);
            if piecewise != Ok(None) || read == bytes.len() {
                break;
            }
        }
        // A head that is whole before the limit is found, whatever comes behind it.
        prop_assert_eq!(whole, piecewise);
    }

    #[test]
    fn a_head_is_a_request_within_the_limits_or_a_fault(bytes in bytes()) {
        let end = head_end(&bytes, &mut 0).ok().flatten().unwrap_or(bytes.len());
        match parse_head(&bytes[..end]) {
            Ok((head, length)) => {
                prop_assert!(head.target.starts_with('/') || head.target == "*");
                prop_assert_eq!(head.all("host").count(), 1);
                prop_assert!(length <= body_bytes_max(&head));
                prop_assert!(!head.is_upgrade() || length == 0);
                // A name may be written to hold `&`, and is one name then.
                prop_assert!(head.query().count() <= head.target.matches('&').count() + 1);
            }
            Err(fault) => prop_assert!((400..=505).contains(&fault.response().status)),
        }
    }
}
