//! HTTP/1.1 as far as the core needs it: a request's head read strictly (RFC 9112), a response as data.
//! What two servers could read in two ways is refused, so that a proxy before us and we never disagree.

mod body;
mod fault;

pub use body::{Body, Listed};
pub use fault::HeadFault;

use crate::door;
use crate::settings::{ENGINE_PAYLOAD_BYTES_MAX, FILE_BYTES_MAX};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt::Write;

/// The largest head, in bytes, and the most headers in it: 431 above.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;
/// The most headers.
pub const HEADERS_MAX: usize = 64;
/// The longest name of a method.
const METHOD_BYTES_MAX: usize = 32;
/// The most digits of a length: one with more fits nowhere.
const LENGTH_DIGITS_MAX: usize = 15;
/// The largest body of a REST request.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// How long a head may take from its first byte, and a connection may idle before it.
pub const HEAD_WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(5);
/// How long a connection may idle between two requests.
pub const IDLE_WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(15);

/// The head of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestHead {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query as they came, printable ASCII.
    pub target: String,
    /// Names in lower case, values trimmed; in the order they came.
    pub headers: Vec<(String, String)>,
    /// Whether the connection may serve another request.
    pub keep_alive: bool,
}

/// Finds the end of the head in what was read so far; `seen` says how much of it was looked at before, so
/// that every byte is looked at once. `Ok(None)`: not there yet.
pub fn head_end(read: &[u8], seen: &mut usize) -> Result<Option<usize>, HeadFault> {
    let from = seen.saturating_sub(3);
    let end = read[from..].windows(4).position(|four| four == b"\r\n\r\n").map(|at| from + at + 4);
    *seen = read.len();
    if end.unwrap_or(read.len()) > HEAD_BYTES_MAX {
        return Err(HeadFault::TooLarge);
    }
    Ok(end)
}

/// Reads a whole head, up to and with its empty line. Returns it and the length of the body that follows.
pub fn parse_head(head: &[u8]) -> Result<(RequestHead, usize), HeadFault> {
    let mut nowhere = None;
    let limit = |head: &RequestHead| {
        let limit = body_bytes_max(head);
        nowhere = if limit == 0 { door::leads_nowhere(head) } else { None };
        limit
    };
    match (parse_head_within(head, limit), nowhere) {
        // What is wrong with it first is not its body.
        (Err(HeadFault::BodyTooLarge { .. }), Some(fault)) => Err(fault),
        (parsed, _) => parsed,
    }
}

/// The same for a server whose requests may have other bodies: `limit` says how large.
pub fn parse_head_within(
    head: &[u8],
    limit: impl FnOnce(&RequestHead) -> usize,
) -> Result<(RequestHead, usize), HeadFault> {
    if head.iter().zip(head.iter().skip(1)).any(|(&a, &b)| b == b'\n' && a != b'\r')
        || head.first() == Some(&b'\n')
    {
        return Err(HeadFault::Malformed("a bare line feed"));
    }
    if head.first() == Some(&b'\r') {
        return Err(HeadFault::Malformed("an empty line before the request"));
    }
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Ok(_) => return Err(HeadFault::Malformed("an incomplete head")),
        Err(httparse::Error::TooManyHeaders) => return Err(HeadFault::TooLarge),
        Err(httparse::Error::Version) => return Err(HeadFault::Version),
        Err(_) => return Err(HeadFault::Malformed("not a request of HTTP/1.1")),
    }
    if request.version != Some(1) {
        return Err(HeadFault::Version);
    }
    if request.method.is_none_or(|method| method.len() > METHOD_BYTES_MAX) {
        return Err(HeadFault::Malformed("a method that there is not"));
    }
    let mut parsed = RequestHead {
        method: request.method.unwrap_or_default().to_string(),
        target: origin_form(request.path.unwrap_or_default())?,
        headers: Vec::with_capacity(request.headers.len()),
        keep_alive: true,
    };
    for header in request.headers.iter() {
        let value = std::str::from_utf8(header.value)
            .ok()
            .filter(|value| value.is_ascii())
            .ok_or(HeadFault::Malformed("a header value that is not ASCII"))?;
        parsed.headers.push((header.name.to_ascii_lowercase(), value.trim().to_string()));
    }
    if parsed.all("host").count() != 1 {
        return Err(HeadFault::Malformed("not exactly one Host"));
    }
    parsed.keep_alive = !parsed.lists("connection", "close");
    let length = body_length(&parsed, limit)?;
    Ok((parsed, length))
}

/// Only the origin form (RFC 9112 §3.2.1), and the asterisk of OPTIONS.
fn origin_form(target: &str) -> Result<String, HeadFault> {
    let printable = target.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    match printable && (target.starts_with('/') || target == "*") {
        true => Ok(target.to_string()),
        false => Err(HeadFault::Malformed("a target that is not a path")),
    }
}

fn body_length(head: &RequestHead, limit: impl FnOnce(&RequestHead) -> usize) -> Result<usize, HeadFault> {
    let mut codings = head.all("transfer-encoding");
    if let Some(coding) = codings.next() {
        // Whoever writes it otherwise hopes that somebody on the way does not know it again.
        let is_plain = coding.eq_ignore_ascii_case("chunked") && codings.next().is_none();
        return match head.header("content-length") {
            Some(_) => Err(HeadFault::Malformed("both Transfer-Encoding and Content-Length")),
            None if is_plain => Err(HeadFault::LengthRequired),
            None => Err(HeadFault::Malformed("a Transfer-Encoding that is not chunked")),
        };
    }
    let mut lengths = head.all("content-length");
    let Some(text) = lengths.next() else { return Ok(0) };
    let length = decimal(text).filter(|_| lengths.next().is_none());
    let length = length.ok_or(HeadFault::Malformed("a Content-Length that is not one number"))?;
    if head.is_upgrade() && length > 0 {
        return Err(HeadFault::Malformed("an upgrade with a body"));
    }
    let limit = limit(head);
    match length <= limit {
        true => Ok(length),
        false if head.path() == ENGINE_PATH => Err(HeadFault::PayloadTooLarge),
        false if head.method == "POST" && head.path() == FILES_PATH && limit == 0 => {
            Err(HeadFault::NoCredential)
        }
        false => Err(HeadFault::BodyTooLarge { limit, actual: length }),
    }
}

/// A number of digits alone, written in the one way there is for it.
fn decimal(text: &str) -> Option<usize> {
    let is_one =
        !text.is_empty() && text.len() <= LENGTH_DIGITS_MAX && (text == "0" || !text.starts_with('0'));
    let digits = is_one && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

/// How large a body this request may have; none is read where none is taken, because it is held before anybody
/// is asked who sends it. For the same reason a file needs something that looks like a credential.
pub fn body_bytes_max(head: &RequestHead) -> usize {
    match (head.method.as_str(), head.path()) {
        ("PUT", path) if path.starts_with("/api/admin/") => BODY_BYTES_MAX,
        ("POST", "/api/events" | "/api/realtime") => BODY_BYTES_MAX,
        ("POST", ENGINE_PATH) => ENGINE_PAYLOAD_BYTES_MAX as usize,
        ("POST", FILES_PATH) if head.has_credential() => FILE_BYTES_MAX as usize,
        ("POST", "/api/admin/disconnect") => SMALL_BODY_BYTES_MAX,
        ("POST", path) if path.starts_with("/api/drafts/") => SMALL_BODY_BYTES_MAX,
        _ => 0,
    }
}

const SMALL_BODY_BYTES_MAX: usize = 4 * 1024;
/// Where Engine.IO answers.
const ENGINE_PATH: &str = "/socket.io/";
/// Where files come in.
const FILES_PATH: &str = "/api/files";

impl RequestHead {
    /// The value of the header, the first if there are several. `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of the header.
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.headers.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the comma-separated header holds the token, in any case.
    pub fn lists(&self, name: &str, token: &str) -> bool {
        self.all(name).flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
    }

    /// Whether a WebSocket is asked for (RFC 6455 §4.2.1).
    pub fn is_upgrade(&self) -> bool {
        self.lists("connection", "upgrade") && self.lists("upgrade", "websocket")
    }

    /// Whether anything says who asks, true or not.
    fn has_credential(&self) -> bool {
        self.header("authorization").is_some() || self.parameter("token").is_some()
    }

    /// The path as it came, without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The query's parameters, decoded; what cannot be decoded is left out.
    pub fn query(&self) -> impl Iterator<Item = (String, String)> + '_ {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        query.split('&').filter(|pair| !pair.is_empty()).filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name, true)?, decode(value, true)?))
        })
    }

    /// The first parameter with this name.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.query().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// Undoes percent-encoding once; `plus`: a plus is a space, as forms write it. `None`: not UTF-8, or a
/// percent sign without two hexadecimal digits.
pub fn decode(text: &str, plus: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let (high, low) = (rest.next()?, rest.next()?);
                let digit = |byte: u8| char::from(byte).to_digit(16);
                (digit(high)? * 16 + digit(low)?) as u8
            }
            b'+' if plus => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// A response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Names and values, without what `head` adds.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// What follows the head.
    pub body: Body,
}

impl Response {
    /// A response with a JSON body.
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).unwrap_or_else(|error| {
            debug_assert!(false, "a body that JSON cannot write: {error}");
            b"{}".to_vec()
        });
        Self::new(status, "application/json", body)
    }

    /// A response with a body of this media type.
    pub fn new(status: u16, media_type: &str, body: impl Into<Bytes>) -> Self {
        let headers = vec![(Cow::Borrowed("content-type"), media_type.to_string())];
        Self { status, headers, body: Body::Bytes(body.into()) }
    }

    /// A response without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Body::Bytes(Bytes::new()) }
    }

    /// The same with one more header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((Cow::Borrowed(name), value.into()));
        self
    }

    /// The head as it is written: status line, headers, an empty line. `length` is the body's.
    pub fn head(&self, length: usize, keep_alive: bool) -> String {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            // Writing to a String does not fail.
            write!(head, "{name}: {value}\r\n").unwrap_or_default();
        }
        if self.status != 204 {
            write!(head, "content-length: {length}\r\n").unwrap_or_default();
        }
        let connection = if keep_alive { "keep-alive" } else { "close" };
        write!(head, "connection: {connection}\r\nx-content-type-options: nosniff\r\n\r\n")
            .unwrap_or_default();
        head
    }
}

/// The 101 of a WebSocket (RFC 6455 §4.2.2).
pub fn switching_head(accept: &str, subprotocol: Option<&str>) -> String {
    let chosen = subprotocol.map(|name| format!("sec-websocket-protocol: {name}\r\n")).unwrap_or_default();
    format!(
        "HTTP/1.1 101 {}\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {accept}\r\n{chosen}\r\n",
        reason(101)
    )
}

fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Content Too Large",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Response",
    }
}

#[cfg(test)]
mod tests;
