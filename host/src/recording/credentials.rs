//! What a recording must not hold: tokens, keys, and whatever a header says that the core does not read. A credential
//! is replaced by a word of the same length made of its hash, so that two that were equal stay equal; the salt of
//! the hash is nowhere kept. A token is known by its shape wherever it stands, and so are the keys of this server; what
//! else is shown as a credential is known by its place.
//!
//! Because the word depends on nothing but the credential, hiding what goes in and hiding what comes out is the same
//! as handling what is hidden: so a replay, which knows the words only, gives the same actions.

use parlor_protocol::action::Action;
use parlor_protocol::auth::{Keys, Shown};
use parlor_protocol::http::{RequestHead, decode};
use parlor_protocol::input::Input;
use parlor_protocol::job::Job;
use sha2::{Digest, Sha256};
use std::fmt;
use std::ops::Range;

/// The headers that the core reads; `authorization` and `sec-websocket-protocol` besides, but for their credentials. A
/// signature is good for one request, which came.
const HEADERS_READ: [&str; 14] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "host",
    "idempotency-key",
    "origin",
    "sec-websocket-key",
    "sec-websocket-version",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-forwarded-for",
    "x-parlor-signature",
];
/// How a word begins that stands for a credential, where there is room for it.
pub const HIDDEN: &str = "hidden-";
/// The shortest key that is hidden wherever it stands.
const SECRET_BYTES_MIN: usize = 12;
/// The least that the header, the claims and the signature of a token have, in characters.
const PARTS_MIN: [usize; 3] = [16, 2, 22];

/// Hides credentials in one recording.
pub struct Hider {
    salt: [u8; 32],
    /// Known ones: hidden like tokens, wherever they stand.
    secrets: Vec<Vec<u8>>,
}

impl Hider {
    /// `salt` is to be forgotten with it. Of `keys` it hides what is long enough to be no word of a language.
    pub fn new(salt: [u8; 32], keys: &Keys) -> Self {
        let service_key = keys.service_key.as_ref().map(|key| key.as_bytes().to_vec());
        let secrets = keys.secret.clone().into_iter().chain(service_key);
        Self { salt, secrets: secrets.filter(|secret| secret.len() >= SECRET_BYTES_MIN).collect() }
    }

    /// Hides what stands in the head of a request, known by its place.
    pub fn hide_in_head(&self, input: &mut Input) {
        let Input::Requested { head, .. } = input else { return };
        head.target = self.target(head);
        for (name, value) in &mut head.headers {
            *value = match name.as_str() {
                "authorization" => self.authorization(value),
                "sec-websocket-protocol" => self.subprotocols(value),
                name if HEADERS_READ.contains(&name) => continue,
                _ => self.word(value.as_bytes()),
            };
        }
    }

    /// Hides tokens, known by their shape, and the keys in all strings of a value written in CBOR (RFC 8949).
    pub fn hide_tokens(&self, cbor: &mut [u8]) {
        if self.next(cbor, 0).is_none() {
            return;
        }
        let mut at = 0;
        while at < cbor.len() {
            let (string, next) = string_at(cbor, at);
            let end = string.end.min(cbor.len());
            self.hide_in(&mut cbor[string.start.min(end)..end]);
            at = next;
        }
    }

    fn hide_in(&self, text: &mut [u8]) {
        let mut from = 0;
        while let Some(token) = self.next(text, from) {
            let word = self.word(&text[token.clone()]);
            text[token.clone()].copy_from_slice(word.as_bytes());
            from = token.end;
        }
    }

    /// What is to be hidden next, from a place on.
    fn next(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        let secret = |secret: &Vec<u8>| {
            let at = from + text.get(from..)?.windows(secret.len()).position(|window| window == secret)?;
            Some(at..at + secret.len())
        };
        let known = self.secrets.iter().filter_map(secret);
        known.chain(next_token(text, from)).min_by_key(|found| found.start)
    }

    /// The target without what stands in its parameters `token`; the others as they came.
    fn target(&self, head: &RequestHead) -> String {
        let Some((path, query)) = head.target.split_once('?') else { return head.target.clone() };
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, value)) if decode(name, true).is_some_and(|name| name == "token") => {
                let value = decode(value, true).unwrap_or_else(|| value.to_string());
                format!("{name}={}", self.word(value.as_bytes()))
            }
            Some(_) | None => pair.to_string(),
        });
        format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
    }

    fn authorization(&self, value: &str) -> String {
        match value.split_once(' ') {
            Some((scheme, credential)) => format!("{scheme} {}", self.word(credential.trim().as_bytes())),
            None => self.word(value.as_bytes()),
        }
    }

    /// What follows `bearer` is a token.
    fn subprotocols(&self, value: &str) -> String {
        let mut after_bearer = false;
        let offered = value.split(',').map(|offered| {
            let offered = offered.trim();
            let hidden = std::mem::replace(&mut after_bearer, offered == "bearer");
            if hidden { self.word(offered.as_bytes()) } else { offered.to_string() }
        });
        offered.collect::<Vec<_>>().join(", ")
    }

    /// A word for the credential, as long as that is, which is good in a header, a URL and a JSON string.
    fn word(&self, credential: &[u8]) -> String {
        let mut hash = Sha256::new();
        hash.update(self.salt);
        hash.update(credential);
        let digits: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let begins = if credential.len() > 2 * HIDDEN.len() { HIDDEN } else { "" };
        begins.chars().chain(digits.chars().cycle()).take(credential.len()).collect()
    }
}

/// Says nothing of what it knows.
impl fmt::Debug for Hider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hider").finish_non_exhaustive()
    }
}

/// The action without the credential that it carries: that is compared nowhere.
pub fn without_credential(action: &Action) -> Option<Action> {
    let Action::Work { ticket, job } = action else { return None };
    let ticket = *ticket;
    match job {
        Job::VerifyToken { .. } => {
            Some(Action::Work { ticket, job: Job::VerifyToken { token: String::new() } })
        }
        Job::VerifyService { .. } => {
            Some(Action::Work { ticket, job: Job::VerifyService { shown: Shown::Key(String::new()) } })
        }
        Job::Render { .. }
        | Job::Inspect { .. }
        | Job::Join { .. }
        | Job::Doc { .. }
        | Job::Unpack { .. }
        | Job::Spell { .. }
        | Job::FoldBoard { .. }
        | Job::WriteBoard { .. } => None,
    }
}

/// The next JWT (RFC 7519) from a place on: three parts in base64url, of which the first begins an object of JSON.
fn next_token(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    loop {
        at += text.get(at..)?.windows(2).position(|two| matches!(two, b"ey" | b"ew"))?;
        match token_end(text, at) {
            Some(end) => return Some(at..end),
            None => at += 1,
        }
    }
}

fn token_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    for (part, least) in PARTS_MIN.into_iter().enumerate() {
        let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-' || *byte == b'_';
        let length = text[at..].iter().take_while(|byte| is_digit(byte)).count();
        at += length;
        if length < least {
            return None;
        }
        if part < 2 {
            at = (text.get(at) == Some(&b'.')).then_some(at + 1)?;
        }
    }
    Some(at)
}

/// The string of CBOR whose head stands at `at` (empty where another item does), and where the next head stands.
fn string_at(cbor: &[u8], at: usize) -> (Range<usize>, usize) {
    let (major, info) = (cbor[at] >> 5, cbor[at] & 0x1f);
    let width = match info {
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => 0,
    };
    let start = at + 1 + width;
    let argument = cbor.get(at + 1..start).unwrap_or_default();
    let argument = argument.iter().fold(0usize, |number, byte| number << 8 | usize::from(*byte));
    let length = match (major, info) {
        (2 | 3, 0..=23) => usize::from(info),
        (2 | 3, 24..=27) => argument,
        _ => 0,
    };
    let end = start.saturating_add(length);
    (start..end, end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use parlor_protocol::http::parse_head;
    use parlor_protocol::ids::RequestId;
    use parlor_protocol::input::Message;
    use std::net::{IpAddr, Ipv4Addr};

    const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlIG9mIHNvbWVib2R5";

    fn hider() -> Hider {
        let service_key = Some("the key of the backend".to_string());
        Hider::new([7; 32], &Keys { service_key, ..Keys::default() })
    }

    fn head(lines: &str) -> Vec<(String, String)> {
        let text = format!("GET /chat?a=1&tok%65n={TOKEN}&refuse=close HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        let (head, _) = parse_head(text.as_bytes()).expect("a good head");
        let request = RequestId { slot: 0, generation: 0 };
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut input = Input::Requested { request, peer, head, body: Bytes::new() };
        hider().hide_in_head(&mut input);
        let Input::Requested { head, .. } = input else { panic!("it is still one") };
        [("target".to_string(), head.target)].into_iter().chain(head.headers).collect()
    }

    #[test]
    fn credentials_in_a_head_become_words_of_their_length_that_are_equal_where_they_were() {
        let hidden = head(&format!(
            "Authorization: Bearer {TOKEN}\r\nSec-WebSocket-Protocol: x, bearer,{TOKEN}\r\nCookie: session=geheim\r\n\
             Authorization: Basic YTpi\r\nOrigin: https://a\r\n"
        ));
        let word = hidden[2].1.strip_prefix("Bearer ").expect("the scheme stays");
        assert_eq!((word.len(), word.starts_with(HIDDEN)), (TOKEN.len(), true));
        assert_eq!(hidden[0].1, format!("/chat?a=1&tok%65n={word}&refuse=close"));
        assert_eq!(hidden[3].1, format!("x, bearer, {word}"));
        assert_eq!(hidden[1].1, "a");
        assert_eq!((hidden[4].1.len(), hidden[4].1.contains("geheim")), (14, false));
        assert!(hidden[5].1.starts_with("Basic ") && !hidden[5].1.contains("YTpi"), "{hidden:?}");
        assert_eq!(hidden[6].1, "https://a");
    }

    #[test]
    fn a_token_is_hidden_wherever_it_stands_and_nothing_else_is_touched() {
        let key = "the key of the backend";
        let text = format!(
            "{key} 42[\"auth:refresh\",{{\"token\":\"{TOKEN}\"}}] eyes.of.mine {TOKEN}.more {}",
            "x".repeat(300)
        );
        let input = Input::Received {
            socket: parlor_protocol::ids::SocketId { slot: 1, generation: 2 },
            message: Message::Text(text.clone().into()),
        };
        let mut bytes = Vec::new();
        ciborium::into_writer(&input, &mut bytes).expect("it can be written");
        let before = bytes.len();
        hider().hide_tokens(&mut bytes);
        assert_eq!(bytes.len(), before);
        let read: Input = ciborium::from_reader(&bytes[..]).expect("it can be read");
        let Input::Received { message: Message::Text(hidden), .. } = read else { panic!("{read:?}") };
        let expected = text.replace(TOKEN, &hider().word(TOKEN.as_bytes()));
        assert_eq!(hidden, expected.replace(key, &hider().word(key.as_bytes())).as_str());
        let other = Hider::new([8; 32], &Keys::default());
        assert_ne!(hider().word(TOKEN.as_bytes()), other.word(TOKEN.as_bytes()));
    }
}
