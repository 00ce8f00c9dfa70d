//! Somebody who talks in a chat room, several messages at once, and listens to the others.

use super::{Person, Stage, WINDOW};
use crate::ledger::Told;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct Talker {
    room: &'static str,
    user: String,
    /// The last place heard in order.
    since: u64,
    inside: bool,
    count: u64,
    unanswered: BTreeMap<String, String>,
}

impl Talker {
    pub(super) fn new(room: &'static str, user: String) -> Self {
        Self { room, user, since: 0, inside: false, count: 0, unanswered: BTreeMap::new() }
    }

    fn join(&self) -> Value {
        let data = json!({"roomId": self.room, "since": self.since});
        json!({"event": "chat:room:join", "data": data, "requestId": "join"})
    }

    fn message(&self, id: &str) -> Value {
        let data = json!({"roomId": self.room, "id": id, "content": self.unanswered[id]});
        json!({"event": "chat:message:send", "data": data, "requestId": id})
    }

    fn on_joined(&mut self, data: &Value, stage: &Stage) -> Vec<Value> {
        if data["reset"] == true {
            stage.saw(format!("{}: {} is out of reach", self.user, self.since));
            self.since = data["messages"][0]["seq"].as_u64().map_or(0, |first| first - 1);
        }
        for message in data["messages"].as_array().into_iter().flatten() {
            self.on_message(message, stage);
        }
        self.inside = true;
        self.unanswered.keys().map(|id| self.message(id)).collect()
    }

    fn on_message(&mut self, message: &Value, stage: &Stage) {
        let text = |name: &str| message[name].as_str().unwrap_or_default().to_string();
        let seq = message["seq"].as_u64().unwrap_or(0);
        self.advance(seq, stage);
        let (room, author) = (text("roomId"), text("senderId"));
        stage.told(Told::Message { room, seq, author, id: text("id"), content: text("content") });
    }

    /// Everything is heard in order, without a gap and without a repeat.
    fn advance(&mut self, seq: u64, stage: &Stage) {
        if seq != self.since + 1 {
            stage.saw(format!("{} in {}: {seq} was heard after {}", self.user, self.room, self.since));
        }
        self.since = seq;
    }

    fn on_answer(&mut self, data: &Value, stage: &Stage) {
        let (id, seq) = (data["id"].as_str().unwrap_or_default(), data["seq"].as_u64().unwrap_or(0));
        let Some(content) = self.unanswered.remove(id) else {
            return stage.saw(format!("{}: answered without a question: {data}", self.user));
        };
        // Up to here it was stored before the connection was lost, and heard when it came back.
        if seq > self.since {
            self.advance(seq, stage);
        }
        let (room, author) = (self.room.to_string(), self.user.clone());
        stage.told(Told::Message { room, seq, author, id: id.to_string(), content });
        stage.answered();
    }

    fn talk(&mut self, stage: &Stage) -> Vec<Value> {
        let mut calls = Vec::new();
        while self.inside && self.unanswered.len() < WINDOW && !stage.is_finishing() {
            self.count += 1;
            let id = format!("{}-{}", self.user, self.count);
            self.unanswered.insert(id.clone(), format!("message {} of {}", self.count, self.user));
            stage.sent();
            calls.push(self.message(&id));
        }
        calls
    }
}

impl Person for Talker {
    fn target(&self) -> (&str, &str) {
        ("/chat", &self.user)
    }

    fn begin(&mut self) -> Vec<Value> {
        self.inside = false;
        vec![self.join()]
    }

    fn hear(&mut self, event: &Value, stage: &Stage) -> Vec<Value> {
        let (data, request) = (&event["data"], event["requestId"].as_str());
        let mut calls = Vec::new();
        match event["event"].as_str().unwrap_or_default() {
            "chat:room:joined" => calls = self.on_joined(data, stage),
            "chat:message:received" => self.on_message(data, stage),
            "chat:message:send" => self.on_answer(data, stage),
            "chat:error" if stage.is_passing(data) => {
                calls.push(
                    request.filter(|id| *id != "join").map_or_else(|| self.join(), |id| self.message(id)),
                );
            }
            "chat:error" | "chat:system:notification" => {}
            _ => stage.saw(format!("{}: {event}", self.user)),
        }
        calls.extend(self.talk(stage));
        calls
    }

    fn is_answered(&self) -> bool {
        self.unanswered.is_empty()
    }
}
