//! The AI service over HTTP: one attempt at one call (WIRE §1). Whether another follows is the core's affair.

use parlor_protocol::call::{
    ANSWER_BYTES_MAX, ATTEMPT_WAIT_MAX, Call, CallFailure, NextQuestionRequest, Said, read_next_question,
};
use std::fmt;
use std::io::{self, Read};
use std::time::Duration;
use ureq::http::{Response, header};
use ureq::{Agent, Body, Error};

/// Where the AI service is, and what it is shown.
#[derive(Clone)]
pub struct AiService {
    url: String,
    authorization: Option<String>,
    agent: Agent,
}

/// Says what is there, never what it is.
impl fmt::Debug for AiService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AiService {{ url: {:?}, key: {} }}", self.url, self.authorization.is_some())
    }
}

impl AiService {
    /// The service at `{url}/v1/…`, with the key that it wants to see.
    pub fn new(url: &str, key: Option<&str>) -> Self {
        Self {
            url: url.trim_end_matches('/').to_string(),
            authorization: key.map(|key| format!("Bearer {key}")),
            agent: agent(ATTEMPT_WAIT_MAX),
        }
    }

    /// The same with another limit on how long an attempt may take as a whole.
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.agent = agent(patience);
        self
    }

    /// Makes one attempt and waits for its end.
    pub fn attempt(&self, call: &Call) -> Said {
        match call {
            Call::NextQuestion { idempotency_key, request } => self.next_question(idempotency_key, request),
        }
    }

    fn next_question(&self, idempotency_key: &str, request: &NextQuestionRequest) -> Said {
        let body = match serde_json::to_vec(request) {
            Ok(body) => body,
            Err(why) => return Said::Failed(CallFailure::BadReply(format!("not to be written: {why}"))),
        };
        let mut post = self
            .agent
            .post(format!("{}/v1/chat/next-question", self.url))
            .content_type("application/json")
            .header(header::ACCEPT, "application/json")
            .header(header::CONNECTION, "close")
            .header("Idempotency-Key", idempotency_key);
        if let Some(authorization) = &self.authorization {
            post = post.header(header::AUTHORIZATION, authorization);
        }
        post.send(&body).map_or_else(|error| Said::Failed(failure(&error)), read)
    }
}

/// A connection serves one attempt: what a service sends after its answer must never be taken for the answer
/// to the next. A proxy would be a setting, and there is none.
fn agent(patience: Duration) -> Agent {
    Agent::config_builder()
        .timeout_global(Some(patience))
        .max_idle_connections(0)
        .max_idle_connections_per_host(0)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .proxy(None)
        .user_agent(concat!("parlor/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

fn read(mut response: Response<Body>) -> Said {
    let status = response.status().as_u16();
    let mut body = Vec::new();
    if status == 200 {
        let limit = ANSWER_BYTES_MAX as u64 + 1;
        if let Err(error) = response.body_mut().as_reader().take(limit).read_to_end(&mut body) {
            return Said::Failed(broken_off(&error));
        }
    }
    let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    read_next_question(status, retry_after, &body)
}

fn broken_off(error: &io::Error) -> CallFailure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(error) => failure(error),
        None => CallFailure::Passing { retry_after: None },
    }
}

/// What is no HTTP is an answer, though a bad one; everything else is a connection that failed or took too long.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum is open")]
fn failure(error: &Error) -> CallFailure {
    match error {
        Error::Protocol(_) | Error::LargeResponseHeader(..) | Error::Http(_) | Error::RedirectFailed => {
            CallFailure::BadReply(error.to_string())
        }
        _ => CallFailure::Passing { retry_after: None },
    }
}
