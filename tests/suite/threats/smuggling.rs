//! Requests that two servers in a row could read in two ways. None is served, and what stands behind it on the same
//! connection is never taken for another request.

use crate::{HEALTH, answer, ask, on_both, serves};
use parlor_tests::client::SERVICE_KEY;

/// What would be answered if anybody took it for a request.
const SECOND: &str = "GET /api/health HTTP/1.1\r\nHost: a\r\n\r\n";

fn plain(line: &str, headers: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nHost: a\r\n{headers}\r\n").into_bytes()
}

fn post(headers: &str) -> Vec<u8> {
    plain("POST /api/events", headers)
}

fn raw(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn lengths() -> Vec<(String, Vec<u8>)> {
    let values = [
        "",
        "+5",
        "-5",
        "- 5",
        "5 5",
        "5,5",
        "5, 5",
        "5;",
        "5.0",
        "0x5",
        "5h",
        "05",
        "00",
        "000005",
        "1e1",
        "\"5\"",
        "five",
        "18446744073709551617",
        "99999999999999999999999999",
        "4294967296999999",
        "5\u{b}",
        "\u{b2}",
    ];
    let single =
        values.map(|value| (format!("length {value:?}"), post(&format!("Content-Length: {value}\r\n"))));
    let several = [
        ("the same length twice", "Content-Length: 5\r\nContent-Length: 5\r\n"),
        ("two lengths", "Content-Length: 5\r\nContent-Length: 0\r\n"),
        ("two lengths in other letters", "content-length: 0\r\nCONTENT-LENGTH: 5\r\n"),
        ("a space before the colon", "Content-Length : 5\r\n"),
        ("a tab before the colon", "Content-Length\t: 5\r\n"),
        ("a folded length", "Content-Length:\r\n 5\r\n"),
    ];
    single.into_iter().chain(several.map(|(name, headers)| (name.to_string(), post(headers)))).collect()
}

fn codings() -> Vec<(String, Vec<u8>)> {
    let values = [
        "xchunked",
        "chunked, identity",
        "identity",
        "identity, chunked",
        "gzip, chunked",
        "chunked, chunked",
        "chunked,",
        "\"chunked\"",
        "chunked;q=1",
        "chun ked",
        "",
        "\u{b}chunked",
        "chunked\u{c}",
        "ch\u{fc}nked",
        "cow",
    ];
    let single =
        values.map(|value| (format!("coding {value:?}"), post(&format!("Transfer-Encoding: {value}\r\n"))));
    let several = [
        ("a length and chunked", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        ("chunked and a length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
        ("a length of nothing and chunked", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"),
        ("a length and what is no coding", "Content-Length: 5\r\nTransfer-Encoding: x\r\n"),
        ("two codings", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
        ("chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        ("a space before the colon", "Transfer-Encoding : chunked\r\n"),
        ("a folded coding", "Transfer-Encoding:\r\n chunked\r\n"),
        ("a coding in the fold of another header", "X: y\r\n Transfer-Encoding: chunked\r\n"),
        ("behind a bare line feed", "X: y\nTransfer-Encoding: chunked\r\n"),
        ("behind a bare carriage return", "X: y\rTransfer-Encoding: chunked\r\n"),
    ];
    single.into_iter().chain(several.map(|(name, headers)| (name.to_string(), post(headers)))).collect()
}

fn lines() -> Vec<(String, Vec<u8>)> {
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let cases = [
        ("line feeds alone", raw("GET /health HTTP/1.1\nHost: a\n\n")),
        ("a line feed behind the request line", raw("GET /health HTTP/1.1\nHost: a\r\n\r\n")),
        ("a line feed behind a header", raw("GET /health HTTP/1.1\r\nHost: a\nX: y\r\n\r\n")),
        ("a line feed as the empty line", raw("GET /health HTTP/1.1\r\nHost: a\r\n\n\r\n\r\n")),
        ("a carriage return behind the request line", raw("GET /health HTTP/1.1\rHost: a\r\n\r\n")),
        ("a carriage return in a value", raw("GET /health HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n")),
        ("two carriage returns", raw("GET /health HTTP/1.1\r\nHost: a\r\r\n\r\n")),
        ("a fold with a space", plain("GET /health", "X: y\r\n z\r\n")),
        ("a fold with a tab", plain("GET /health", "X: y\r\n\tz\r\n")),
        ("a fold at the beginning", raw("GET /health HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n")),
        ("an empty line before it", raw(&format!("\r\n{HEALTH}"))),
        ("two empty lines before it", raw(&format!("\r\n\r\n{HEALTH}"))),
        ("a line feed before it", raw(&format!("\n{HEALTH}"))),
        ("a space before it", raw(&format!(" {HEALTH}"))),
        ("a header without a colon", plain("GET /health", "nonsense\r\n")),
        ("a header without a name", plain("GET /health", ": x\r\n")),
        ("a header with a space in its name", plain("GET /health", "X Y: z\r\n")),
        ("a NUL in a name", plain("GET /health", "X\0: y\r\n")),
        ("a NUL in a value", plain("GET /health", "X: y\0z\r\n")),
        ("a NUL in the target", plain("GET /hea\0lth", "")),
        ("DEL in a value", plain("GET /health", "X: \u{7f}\r\n")),
        ("what is not ASCII in a value", plain("GET /health", "X: \u{e9}\r\n")),
        ("what is not ASCII in the target", plain("GET /h\u{e9}alth", "")),
        ("a body on an upgrade", plain("GET /echo", &format!("{upgrade}Content-Length: 5\r\n"))),
        ("a chunked body on an upgrade and a length", {
            plain("GET /echo", &format!("{upgrade}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"))
        }),
        ("the absolute form", raw("GET http://a/health HTTP/1.1\r\nHost: a\r\n\r\n")),
        ("the absolute form of another", raw("GET http://b/health HTTP/1.1\r\nHost: a\r\n\r\n")),
        ("the authority form", raw("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n")),
        ("no target", raw("GET HTTP/1.1\r\nHost: a\r\n\r\n")),
        ("no Host", raw("GET /health HTTP/1.1\r\n\r\n")),
        ("two Hosts", plain("GET /health", "Host: b\r\n")),
        ("the same Host twice", plain("GET /health", "host: a\r\n")),
        ("a method of 33 letters", plain(&format!("{} /health", "X".repeat(33)), "")),
        ("a method of 7 KiB", plain(&format!("{} /health", "X".repeat(7_000)), "")),
        ("a method that is no word", plain("G(T /health", "")),
        ("no method", plain("/health", "")),
    ];
    cases.map(|(name, bytes)| (name.to_string(), bytes)).into()
}

/// The second request stands where the body would be, and behind where it would end.
fn refused(cases: &[(String, Vec<u8>)], expected: &[&str]) {
    on_both(&["--echo", "true"], |process, _| {
        for (name, request) in cases {
            for behind in [SECOND.to_string(), format!("12345{SECOND}"), format!("0\r\n\r\n{SECOND}")] {
                let mut wire = ask(process.address(), [request, behind.as_bytes()].concat());
                let (status, head, body) = answer(&mut wire);
                assert!(expected.contains(&status.as_str()), "{name}: {head}");
                assert!(head.contains("connection: close\r\n"), "{name}: {head}");
                assert!(!String::from_utf8_lossy(&body).contains("uptimeSeconds"), "{name}");
                assert_eq!(wire.read_to_end(), b"", "{name}: something was answered behind it");
            }
        }
        serves(process.address());
    });
}

#[test]
fn a_length_that_is_not_one_plain_number_is_400_and_ends_the_connection() {
    refused(&lengths(), &["400"]);
}

#[test]
fn a_transfer_encoding_beside_a_length_or_in_any_spelling_but_one_is_400_and_ends_the_connection() {
    refused(&codings(), &["400"]);
}

#[test]
fn a_chunked_body_is_411_and_ends_the_connection() {
    let spelled = ["chunked", "Chunked", "CHUNKED", "\tchunked "];
    let cases = spelled.map(|value| (value.to_string(), post(&format!("Transfer-Encoding: {value}\r\n"))));
    refused(&cases, &["411"]);
}

#[test]
fn lines_that_may_be_read_in_two_ways_are_400_and_end_the_connection() {
    refused(&lines(), &["400"]);
}

#[test]
fn another_version_of_http_is_refused_and_ends_the_connection() {
    let versions = ["HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "HTTP/3"];
    let cases = versions
        .map(|version| (version.to_string(), raw(&format!("GET /health {version}\r\nHost: a\r\n\r\n"))));
    refused(&cases, &["505", "400"]);
    let lines = [
        "GET\t/health\tHTTP/1.1",
        "GET /health HTTP/1.1 ",
        "GET /health http/1.1",
        "GET /health HTTP/1.10",
        "GET /health",
    ];
    let cases = lines.map(|line| (line.to_string(), raw(&format!("{line}\r\nHost: a\r\n\r\n"))));
    refused(&cases, &["505", "400"]);
    refused(&[("more than a target".to_string(), plain("GET /health /x", ""))], &["505", "400"]);
    refused(&[("an old client".to_string(), raw("GET /health HTTP/1.0\r\nHost: a\r\n\r\n"))], &["505"]);
}

#[test]
fn a_body_that_nobody_asked_for_is_never_taken_for_a_request() {
    let length = SECOND.len();
    let cases = [
        ("GET /health", "413"),
        ("POST /nowhere", "404"),
        ("PUT /nowhere/at/all", "404"),
        ("DELETE /health", "405"),
        ("POST /", "405"),
        ("GET /api/templates", "413"),
        ("POST /api/files?roomId=r&name=n", "401"),
    ];
    on_both(&[], |process, _| {
        for (line, expected) in cases {
            let request = plain(line, &format!("Content-Length: {length}\r\n"));
            let mut wire = ask(process.address(), [&request, SECOND.as_bytes(), SECOND.as_bytes()].concat());
            let (status, head, _) = answer(&mut wire);
            assert_eq!(
                (status.as_str(), head.contains("connection: close\r\n")),
                (expected, true),
                "{line}: {head}"
            );
            assert_eq!(wire.read_to_end(), b"", "{line}");
        }
    });
}

#[test]
fn a_packed_body_is_not_unpacked() {
    on_both(&[], |process, _| {
        // A mebibyte of zeros, packed into a kilobyte and a half, would be one; what counts is what came.
        let packed = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &[0xed; 1_500]].concat();
        for coding in ["gzip", "deflate", "br", "identity"] {
            let headers = format!(
                "Authorization: Bearer {SERVICE_KEY}\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n",
                packed.len()
            );
            let mut wire = ask(process.address(), [&post(&headers)[..], &packed].concat());
            let (status, head, _) = answer(&mut wire);
            assert_eq!(status, "400", "{coding}: {head}");
            wire.write(HEALTH.as_bytes()).expect("it is open");
            assert_eq!(answer(&mut wire).0, "200", "it was read to its end and no further");
        }
    });
}
