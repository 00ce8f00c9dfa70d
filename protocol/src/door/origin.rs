//! Which pages may call: the Origin header against the list (WIRE §0.3), and CORS for REST.

use crate::http::{RequestHead, Response};
use crate::settings::Origins;

/// Whether the request's Origin may call; a request without one may.
pub fn is_allowed(head: &RequestHead, origins: &Origins) -> bool {
    let mut given = head.all("origin");
    let Some(origin) = given.next() else { return true };
    if given.next().is_some() {
        return false;
    }
    match origins {
        Origins::Any => true,
        Origins::Listed(list) => list.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)),
        Origins::SameHost => {
            let host = head.header("host").map(host_name).unwrap_or_default();
            let Some((_, authority)) = origin.split_once("://") else { return false };
            let from = host_name(authority);
            !from.is_empty() && (from.eq_ignore_ascii_case(host) || (is_loopback(from) && is_loopback(host)))
        }
    }
}

/// The name without the port; an IPv6 address keeps its brackets.
fn host_name(authority: &str) -> &str {
    match authority.find(']') {
        Some(end) if authority.starts_with('[') => &authority[..=end],
        Some(_) | None => authority.split(':').next().unwrap_or_default(),
    }
}

fn is_loopback(host: &str) -> bool {
    let name = host.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The response with what a page of the allowed origin needs to read it.
pub fn with_cors(response: Response, origin: Option<&str>, origins: &Origins) -> Response {
    let response = match (origin, origins) {
        (None, _) => response,
        // Any page may read; with what a browser keeps for this server, none is trusted to ask.
        (Some(origin), Origins::Any) => response.with("access-control-allow-origin", origin),
        (Some(origin), Origins::SameHost | Origins::Listed(_)) => response
            .with("access-control-allow-origin", origin)
            .with("access-control-allow-credentials", "true"),
    };
    // Without an Origin too: a cache must not hand an answer without these headers to a page.
    response.with("vary", "Origin")
}

/// The answer to a preflight.
pub fn preflight(allow: &str) -> Response {
    Response::empty(204)
        .with("access-control-allow-methods", allow)
        .with("access-control-allow-headers", "authorization, content-type, idempotency-key")
        .with("access-control-max-age", "600")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(origin: &str, host: &str, origins: &Origins) -> bool {
        let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n\r\n");
        is_allowed(&crate::http::parse_head(text.as_bytes()).expect("a good head").0, origins)
    }

    #[test]
    fn the_same_host_on_any_port_may_call_and_loopback_names_are_equal() {
        for (origin, host, may) in [
            ("http://a.example:3000", "a.example:8080", true),
            ("https://A.example", "a.example", true),
            ("http://localhost:1", "127.0.0.1:2", true),
            ("http://[::1]:1", "localhost", true),
            ("http://a.example.evil.example", "a.example", false),
            ("http://evil.example", "a.example", false),
            ("http://localhost.evil.example", "127.0.0.1", false),
            ("null", "a.example", false),
            ("http://", "a.example", false),
        ] {
            assert_eq!(allowed(origin, host, &Origins::SameHost), may, "{origin} at {host}");
        }
    }

    #[test]
    fn a_list_is_exact_and_a_star_is_everybody() {
        let list = Origins::Listed(vec!["https://a.example".into()]);
        assert!(allowed("https://a.example", "b", &list));
        assert!(!allowed("https://a.example:444", "b", &list));
        assert!(!allowed("http://a.example", "b", &list));
        assert!(allowed("http://evil.example", "b", &Origins::Any));
    }
}
