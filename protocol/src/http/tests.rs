use super::*;

fn parse(head: &str) -> Result<(RequestHead, usize), HeadFault> {
    parse_head(head.as_bytes())
}

#[test]
fn what_two_servers_could_read_in_two_ways_is_refused() {
    for (head, why) in [
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "two lengths"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "differing lengths"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", "a signed length"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", "a list of lengths"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 05\r\n\r\n", "a leading zero"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000000\r\n\r\n", "an endless length"),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", "nearly chunked"),
        ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "a line before it"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "both"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "two hosts"),
        ("GET / HTTP/1.1\r\n\r\n", "no host"),
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", "a bare line feed"),
        ("GET / HTTP/1.1\r\nHost: a\r\n x: folded\r\n\r\n", "a folded line"),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", "a space before the colon"),
        ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "the absolute form"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \u{e9}\r\n\r\n", "a value that is not ASCII"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\n",
            "an upgrade with a body",
        ),
    ] {
        assert!(matches!(parse(head), Err(HeadFault::Malformed(_))), "{why}: {:?}", parse(head));
    }
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(parse(chunked), Err(HeadFault::LengthRequired));
    assert_eq!(parse("GET / HTTP/1.0\r\nHost: a\r\n\r\n"), Err(HeadFault::Version));
    let long = |length: usize| parse(&format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "X".repeat(length)));
    assert!(long(METHOD_BYTES_MAX).is_ok());
    assert!(matches!(long(METHOD_BYTES_MAX + 1), Err(HeadFault::Malformed(_))));
}

#[test]
fn the_sixty_fifth_header_and_the_byte_over_8_kib_are_refused() {
    let head = |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(count));
    assert!(parse(&head(HEADERS_MAX - 1)).is_ok());
    assert_eq!(parse(&head(HEADERS_MAX)), Err(HeadFault::TooLarge));
    let mut seen = 0;
    assert_eq!(head_end(&[b'a'; HEAD_BYTES_MAX], &mut seen), Ok(None));
    assert_eq!(head_end(&[b'a'; HEAD_BYTES_MAX + 1], &mut seen), Err(HeadFault::TooLarge));
}

#[test]
fn the_end_is_found_in_whatever_pieces_the_head_comes() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nbody";
    let mut seen = 0;
    let ends: Vec<_> = (1..=head.len()).map(|read| head_end(&head[..read], &mut seen)).collect();
    assert_eq!(ends.iter().position(|end| *end != Ok(None)), Some(head.len() - 5));
    assert_eq!(ends[head.len() - 5], Ok(Some(head.len() - 4)));
}

#[test]
fn a_head_gives_its_path_its_parameters_and_its_headers() {
    let text = "GET /a%20b?x=1&y=a+b%26&z HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n";
    let (head, length) = parse(text).expect("a good head");
    assert_eq!((head.path(), length, head.is_upgrade()), ("/a%20b", 0, true));
    assert_eq!(head.parameter("y").as_deref(), Some("a b&"));
    assert_eq!((head.parameter("z").as_deref(), head.parameter("w")), (Some(""), None));
    assert_eq!(decode("%e9", false), None);
    assert_eq!(decode("%+1", false), None);
}

fn length(line: &str, headers: &str, length: usize) -> Result<usize, HeadFault> {
    parse(&format!("{line} HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: {length}\r\n\r\n"))
        .map(|(_, length)| length)
}

#[test]
fn only_what_a_body_belongs_to_may_have_one_up_to_its_limit() {
    for (line, limit) in [
        ("PUT /api/admin/rooms/chat/x?y=1", 1_048_576),
        ("POST /api/events", 1_048_576),
        ("POST /api/files?roomId=r&token=t", 10_485_760),
    ] {
        assert_eq!(length(line, "", limit), Ok(limit));
        let actual = limit + 1;
        assert_eq!(length(line, "", actual), Err(HeadFault::BodyTooLarge { limit, actual }));
    }
    let refused = HeadFault::BodyTooLarge { limit: 0, actual: 1 };
    for (line, fault) in [
        ("GET /health", refused),
        ("POST /nowhere", HeadFault::NotFound),
        ("PUT /api/templates", HeadFault::Method("GET, HEAD")),
        ("GET /api/admin/rooms/chat/x", refused),
        ("DELETE /api/admin/rooms/chat/x", refused),
        ("POST /api/admin/rooms/chat/x", HeadFault::Method("GET, PUT, DELETE")),
        ("PUT /api/events", HeadFault::Method("POST")),
        ("POST /api/events/", HeadFault::NotFound),
        ("GET /api/files?token=t", HeadFault::Method("POST")),
        ("OPTIONS /api/events", refused),
        ("PUT /socket.io", refused),
    ] {
        assert_eq!(length(line, "", 0), Ok(0), "{line}");
        assert_eq!(length(line, "", 1), Err(fault), "{line}");
    }
    assert_eq!(HeadFault::NotFound.response().status, 404);
    let told = HeadFault::Method("POST").response();
    assert_eq!(told.status, 405);
    assert!(told.headers.contains(&("allow".into(), "POST".to_string())));
}

#[test]
fn a_file_is_not_read_from_nobody() {
    let line = "POST /api/files?roomId=r&name=n";
    assert_eq!(length(line, "", 1), Err(HeadFault::NoCredential));
    assert_eq!(length(line, "", 0), Ok(0));
    assert_eq!(length(line, "Authorization: Bearer x\r\n", 1), Ok(1));
    assert_eq!(length("POST /api/files?token=x", "", 1), Ok(1));
    let told = HeadFault::NoCredential.response();
    let body = br#"{"error":{"code":"AUTH_FAILED","message":"authentication failed","recoverable":false}}"#;
    assert_eq!((told.status, told.body), (401, Body::Bytes(body.as_slice().into())));
}

#[test]
fn a_payload_over_a_million_bytes_is_413_without_a_body_as_engine_io_has_it() {
    let line = "POST /socket.io/?EIO=4&transport=polling&sid=x";
    assert_eq!(length(line, "", 1_000_000), Ok(1_000_000));
    assert_eq!(length(line, "", 1_000_001), Err(HeadFault::PayloadTooLarge));
    assert_eq!(HeadFault::PayloadTooLarge.response(), Response::empty(413));
}

#[test]
fn a_body_without_room_is_told_when_to_come_again() {
    let told = HeadFault::NoRoom.response();
    let body = br#"{"error":{"code":"OVERLOADED","details":{"retryAfterMs":1000},"message":"no room for another request body","recoverable":true}}"#;
    assert_eq!((told.status, told.body), (503, Body::Bytes(body.as_slice().into())));
    assert!(told.headers.contains(&("retry-after".into(), "1".to_string())));
}
