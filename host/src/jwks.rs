//! Where public keys are fetched: the JWK Set at `JWT_JWKS_URL`. The address is the operator's, never a token's, and is
//! not followed elsewhere (RFC 8725 §3.10).

use crate::http_client::agent;
use parlor_protocol::auth::{KEY_SET_BYTES_MAX, KeySet};
use std::fmt;
use std::io::Read;
use std::time::Duration;
use ureq::Agent;
use ureq::http::header;

/// How long one fetch may take as a whole.
pub const FETCH_WAIT_MAX: Duration = Duration::from_secs(5);

/// A JWK Set at an address.
#[derive(Clone)]
pub struct Jwks {
    url: String,
    agent: Agent,
    patience: Duration,
}

/// An address may hold a credential.
impl fmt::Debug for Jwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jwks")
    }
}

impl Jwks {
    /// The set at this address.
    pub fn new(url: &str) -> Self {
        Self { url: url.to_string(), agent: agent(FETCH_WAIT_MAX), patience: FETCH_WAIT_MAX }
    }

    /// The same with another limit on how long a fetch may take as a whole.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { agent: agent(patience), patience, ..self }
    }

    /// Fetches the set and waits for it. Otherwise: why not, without the address.
    pub fn fetch(&self) -> Result<KeySet, String> {
        let get = self.agent.get(&self.url).header(header::ACCEPT, "application/json, */*;q=0.1");
        let answer = get.header(header::CONNECTION, "close").call();
        let mut response = answer.map_err(|error| self.failure(&error))?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(format!("the key set was answered with status {status}"));
        }
        let mut text = Vec::new();
        let mut body = response.body_mut().as_reader().take(KEY_SET_BYTES_MAX as u64 + 1);
        body.read_to_end(&mut text).map_err(|_| self.broken_off())?;
        KeySet::read(&text)
    }

    fn broken_off(&self) -> String {
        format!("the key set broke off, or took over {} ms", self.patience.as_millis())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum is open")]
    fn failure(&self, error: &ureq::Error) -> String {
        match error {
            ureq::Error::Timeout(_) => {
                format!("no key set within {} ms", self.patience.as_millis())
            }
            ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) | ureq::Error::Http(_) => {
                "what answers at the key set's address is not HTTP".to_string()
            }
            _ => "no connection to where the key set is".to_string(),
        }
    }
}
