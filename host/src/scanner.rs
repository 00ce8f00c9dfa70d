//! The scanners of files (WIRE §2): clamd, a service over HTTP, or both, and then both must call a file clean.
//! Whatever goes wrong is a failure: a file that nobody has called clean is not let through.

mod clamd;

pub use clamd::ClamdAddress;

use crate::http_client::{agent, said};
use parlor_protocol::call::{CallFailure, SCAN_WAIT_MAX, Said, Scanned, VERDICT_BYTES_MAX, read_verdict};
use std::time::{Duration, Instant};
use ureq::Agent;
use ureq::http::header;

/// The scanners that are configured.
#[derive(Clone)]
pub struct Scanner {
    clamd: Option<ClamdAddress>,
    url: Option<String>,
    agent: Agent,
    patience: Duration,
}

/// Says what is there; an address may hold a credential.
impl std::fmt::Debug for Scanner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scanner {{ clamd: {:?}, url: {} }}", self.clamd, self.url.is_some())
    }
}

impl Scanner {
    /// `None` when there is none.
    pub fn new(clamd: Option<ClamdAddress>, url: Option<&str>) -> Option<Self> {
        let is_any = clamd.is_some() || url.is_some();
        let url = url.map(str::to_string);
        is_any.then(|| Self { clamd, url, agent: agent(SCAN_WAIT_MAX), patience: SCAN_WAIT_MAX })
    }

    /// The same with another limit on how long all of it may take.
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Shows a file to the scanners, one after another, and waits for the verdict: the first that is not clean
    /// ends it.
    pub fn scan(&self, bytes: &[u8]) -> Said {
        let until = Instant::now() + self.patience;
        let by_clamd = || self.clamd.as_ref().map(|address| by_clamd(address, bytes, until));
        let by_url = || self.url.as_ref().map(|url| self.ask(url, bytes, until));
        match by_clamd() {
            None | Some(Said::Scanned(Scanned::Clean)) => by_url().unwrap_or(Said::Scanned(Scanned::Clean)),
            Some(said) => said,
        }
    }

    fn ask(&self, url: &str, bytes: &[u8], until: Instant) -> Said {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Said::Failed(CallFailure::Passing { retry_after: None });
        }
        let post = self.agent.post(url).config().timeout_global(Some(left)).build();
        let post = post
            .content_type("application/octet-stream")
            .header(header::ACCEPT, "application/json")
            .header(header::CONNECTION, "close");
        said(post.send(bytes), VERDICT_BYTES_MAX, read_verdict)
    }
}

fn by_clamd(address: &ClamdAddress, bytes: &[u8], until: Instant) -> Said {
    match address.scan(bytes, until) {
        Ok(scanned) => Said::Scanned(scanned),
        Err(failure) => Said::Failed(failure),
    }
}
