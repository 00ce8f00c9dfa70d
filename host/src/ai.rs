//! The AI service over HTTP: one attempt at one call (WIRE §1 and §2). Whether another follows is the core's
//! affair.

use crate::http_client::{agent, said};
use parlor_protocol::call::{
    ANSWER_BYTES_MAX, ATTEMPT_WAIT_MAX, CallFailure, NextQuestionRequest, RobotRequest, Said,
    read_next_question, read_robot,
};
use serde::Serialize;
use std::fmt;
use std::time::Duration;
use ureq::Agent;
use ureq::http::header;

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

    /// Makes one attempt at a session's next question and waits for its end.
    pub fn next_question(&self, idempotency_key: &str, request: &NextQuestionRequest) -> Said {
        self.post("next-question", idempotency_key, request, read_next_question)
    }

    /// Makes one attempt at a robot's reply and waits for its end.
    pub fn robot(&self, idempotency_key: &str, request: &RobotRequest) -> Said {
        self.post("robot", idempotency_key, request, read_robot)
    }

    fn post(
        &self,
        name: &str,
        idempotency_key: &str,
        request: &impl Serialize,
        read: fn(u16, Option<&str>, &[u8]) -> Said,
    ) -> Said {
        let body = match serde_json::to_vec(request) {
            Ok(body) => body,
            Err(why) => return Said::Failed(CallFailure::BadReply(format!("not to be written: {why}"))),
        };
        let mut post = self
            .agent
            .post(format!("{}/v1/chat/{name}", self.url))
            .content_type("application/json")
            .header(header::ACCEPT, "application/json")
            .header(header::CONNECTION, "close")
            .header("Idempotency-Key", idempotency_key);
        if let Some(authorization) = &self.authorization {
            post = post.header(header::AUTHORIZATION, authorization);
        }
        said(post.send(&body), ANSWER_BYTES_MAX, read)
    }
}
