//! Somebody who answers the questions of one template, document after document.

use super::{Person, Stage, TEMPLATE};
use crate::ledger::Told;
use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct Writer {
    user: String,
    target: String,
    session: String,
    /// The turn of the question that was asked last.
    asked: u64,
    count: u64,
    /// The answer that is under way: its id and what it says.
    unanswered: Option<(String, String)>,
}

impl Writer {
    pub(super) fn new(user: String) -> Self {
        let target = format!("/documents?templateId={TEMPLATE}");
        Self { user, target, session: String::new(), asked: 0, count: 0, unanswered: None }
    }

    fn response(&self) -> Option<Value> {
        let (id, content) = self.unanswered.as_ref()?;
        Some(json!({"type": "user_response", "content": content, "id": id, "requestId": id}))
    }

    /// Answers what was asked, unless an answer is under way.
    fn respond(&mut self, stage: &Stage) -> Option<Value> {
        if self.unanswered.is_some() || stage.is_finishing() {
            return None;
        }
        self.count += 1;
        let id = format!("{}-{}", self.user, self.count);
        self.unanswered = Some((id, format!("answer {} of {}", self.count, self.user)));
        stage.sent();
        self.response()
    }

    /// An answer whose document was finished before its acknowledgement arrived needs none any more.
    fn on_started(&mut self, event: &Value, stage: &Stage) {
        self.session = event["sessionId"].as_str().unwrap_or_default().to_string();
        self.asked = 0;
        if self.unanswered.take().is_some() {
            stage.given_up();
        }
    }

    fn on_question(&mut self, turn: &Value, question: &Value, stage: &Stage) {
        self.asked = turn.as_u64().unwrap_or(0);
        let question = question.as_str().unwrap_or_default().to_string();
        stage.told(Told::Question { session: self.session.clone(), turn: self.asked, question });
    }

    fn on_saved(&mut self, event: &Value, stage: &Stage) -> Option<Value> {
        let turn = event["turn"].as_u64().unwrap_or(0);
        match self.unanswered.take() {
            Some((id, content)) if event["requestId"] == *id && event["id"] == *id => {
                stage.told(Told::Answer { session: self.session.clone(), turn, id, content });
                stage.answered();
            }
            other => stage.saw(format!("{}: {event} while waiting for {other:?}", self.user)),
        }
        // It was saved, and answered with the next question, before the connection was lost.
        if self.asked > turn { self.respond(stage) } else { None }
    }
}

impl Person for Writer {
    fn target(&self) -> (&str, &str) {
        (&self.target, &self.user)
    }

    fn begin(&mut self) -> Vec<Value> {
        Vec::new()
    }

    fn hear(&mut self, event: &Value, stage: &Stage) -> Vec<Value> {
        let call = match event["type"].as_str().unwrap_or_default() {
            "session_started" => {
                self.on_started(event, stage);
                None
            }
            "session_resumed" => {
                if event["sessionId"] != *self.session {
                    self.on_started(event, stage);
                }
                for turn in event["history"].as_array().into_iter().flatten() {
                    if turn["role"] == "assistant" {
                        self.on_question(&turn["turn"], &turn["content"], stage);
                    }
                }
                self.asked = 0;
                self.response()
            }
            "next_question" => {
                self.on_question(&event["turn"], &event["question"], stage);
                self.respond(stage)
            }
            "response_saved" => self.on_saved(event, stage),
            "document_complete" => {
                let document = event["documentId"].as_str().unwrap_or_default().to_string();
                stage.told(Told::Document { session: self.session.clone(), document });
                None
            }
            "error" if stage.is_passing(&event["error"]) => self.response(),
            "error" => None,
            _ => {
                stage.saw(format!("{}: {event}", self.user));
                None
            }
        };
        call.into_iter().collect()
    }

    fn is_answered(&self) -> bool {
        self.unanswered.is_none()
    }
}
