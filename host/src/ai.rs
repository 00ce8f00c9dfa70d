//! The AI service over HTTP: one attempt at one call (WIRE §1 and §2). Whether another follows is the core's
//! affair.

use crate::hang_up::HangUp;
use crate::http_client::{agent, broken_off, said, until};
use crate::patience::Deadline;
use parlor_protocol::call::{
    ANSWER_BYTES_MAX, ATTEMPT_WAIT_MAX, CallFailure, NextQuestionRequest, RobotRequest, SILENCE_WAIT_MAX,
    SPOKEN_WAIT_MAX, Said, SpokenReader, read_next_question, read_robot,
};
use serde::Serialize;
use std::fmt;
use std::io::Read;
use std::time::Duration;
use ureq::http::{Response, header};
use ureq::{Agent, Body, Error};

/// What a reply is asked for that comes as a whole, and one that is spoken.
const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";
/// How much of a spoken reply is read at a time.
const PIECE_BYTES: usize = 8 * 1024;

/// Where the AI service is, and what it is shown.
#[derive(Clone)]
pub struct AiService {
    url: String,
    authorization: Option<String>,
    patience: Patience,
}

/// How long an attempt is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// As a whole; to its first event where the reply is spoken.
    pub attempt: Duration,
    /// Between two events.
    pub silence: Duration,
    /// As a whole where the reply is spoken.
    pub spoken: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { attempt: ATTEMPT_WAIT_MAX, silence: SILENCE_WAIT_MAX, spoken: SPOKEN_WAIT_MAX }
    }
}

/// Says what is there, never what it is.
impl fmt::Debug for AiService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AiService {{ url: {:?}, key: {} }}", self.url, self.authorization.is_some())
    }
}

/// One request.
struct Post<'a> {
    name: &'static str,
    idempotency_key: &'a str,
    accept: &'static str,
}

impl AiService {
    /// The service at `{url}/v1/…`, with the key that it wants to see.
    pub fn new(url: &str, key: Option<&str>) -> Self {
        Self {
            url: url.trim_end_matches('/').to_string(),
            authorization: key.map(|key| format!("Bearer {key}")),
            patience: Patience::default(),
        }
    }

    /// The same with other limits on how long an attempt may take.
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Makes one attempt at a session's next question and waits for its end.
    pub fn next_question(
        &self,
        idempotency_key: &str,
        request: &NextQuestionRequest,
        hang_up: &HangUp,
    ) -> Said {
        // One that speaks unasked is heard to its reply: nobody listens meanwhile.
        self.ask(&Post { name: "next-question", idempotency_key, accept: JSON }, request, hang_up, &|_| {})
    }

    /// The same, and asks to hear the question while it is spoken: what comes of it goes to `delta`, in order. The
    /// service may answer as ever.
    pub fn speak(
        &self,
        idempotency_key: &str,
        request: &NextQuestionRequest,
        hang_up: &HangUp,
        delta: &dyn Fn(Said),
    ) -> Said {
        self.ask(&Post { name: "next-question", idempotency_key, accept: EVENTS }, request, hang_up, delta)
    }

    fn ask(
        &self,
        post: &Post<'_>,
        request: &NextQuestionRequest,
        hang_up: &HangUp,
        delta: &dyn Fn(Said),
    ) -> Said {
        let deadline = Deadline::after(self.patience.attempt);
        let agent = until(&deadline, self.patience.attempt, self.patience.spoken);
        match self.post(&agent, post, request, hang_up) {
            Ok(Ok(response)) if speaks(&response) => hear(response, &deadline, self.patience.silence, delta),
            Ok(answer) => said(answer, ANSWER_BYTES_MAX, read_next_question),
            Err(failure) => Said::Failed(failure),
        }
    }

    /// Makes one attempt at a robot's reply and waits for its end.
    pub fn robot(&self, idempotency_key: &str, request: &RobotRequest, hang_up: &HangUp) -> Said {
        let post = Post { name: "robot", idempotency_key, accept: JSON };
        let answer = self.post(&agent(self.patience.attempt), &post, request, hang_up);
        answer.map_or_else(Said::Failed, |answer| said(answer, ANSWER_BYTES_MAX, read_robot))
    }

    fn post(
        &self,
        agent: &Agent,
        Post { name, idempotency_key, accept }: &Post<'_>,
        request: &impl Serialize,
        hang_up: &HangUp,
    ) -> Result<Result<Response<Body>, Error>, CallFailure> {
        let body = serde_json::to_vec(request)
            .map_err(|why| CallFailure::BadReply(format!("not to be written: {why}")))?;
        if !hang_up.begins(agent) {
            return Err(CallFailure::Passing { retry_after: None });
        }
        let mut post = agent
            .post(format!("{}/v1/chat/{name}", self.url))
            .content_type(JSON)
            .header(header::ACCEPT, *accept)
            .header(header::CONNECTION, "close")
            .header("Idempotency-Key", *idempotency_key);
        if let Some(authorization) = &self.authorization {
            post = post.header(header::AUTHORIZATION, authorization);
        }
        Ok(post.send(&body))
    }
}

/// Whether a stream of events follows.
fn speaks(response: &Response<Body>) -> bool {
    let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    response.status() == 200 && media_type.trim().eq_ignore_ascii_case(EVENTS)
}

/// Reads what is spoken, to its end.
fn hear(mut response: Response<Body>, deadline: &Deadline, silence: Duration, delta: &dyn Fn(Said)) -> Said {
    let mut reader = SpokenReader::default();
    let mut body = response.body_mut().as_reader();
    let mut piece = [0; PIECE_BYTES];
    // What has come already is no event in time, however fast it is read.
    while deadline.left().is_some() {
        let length = match body.read(&mut piece) {
            Ok(0) => return end(reader, delta),
            Ok(length) => length,
            Err(error) => return Said::Failed(broken_off(&error)),
        };
        for said in reader.take(&piece[..length]) {
            if said.is_end() {
                return said;
            }
            deadline.set(silence);
            delta(said);
        }
    }
    Said::Failed(CallFailure::Passing { retry_after: None })
}

fn end(reader: SpokenReader, delta: &dyn Fn(Said)) -> Said {
    let mut told = reader.end();
    let last = told.pop().unwrap_or(Said::Failed(CallFailure::Passing { retry_after: None }));
    told.into_iter().for_each(delta);
    last
}
