//! A small server of chat rooms: it stores, tells and answers as WIRE §0.8 and §2 say. What goes wrong, goes wrong
//! on the way to it and from it.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many messages it puts into the answer to a join; the rest follow as events.
const PAGE: usize = 3;
/// How many who comes for the first time is shown.
const NEWEST: usize = 2;

#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub id: String,
    pub sender: String,
    pub content: String,
}

#[derive(Debug, Default)]
pub struct Server {
    pub log: Vec<Entry>,
    /// Who hears what is stored, by connection.
    joined: BTreeMap<u64, String>,
    /// How many messages it will refuse for now.
    pub busy: usize,
    /// Where those connections began that came without having heard anything.
    pub begun: BTreeMap<u64, u64>,
}

impl Server {
    /// What a call causes, by connection.
    pub fn call(&mut self, line: u64, user: &str, text: &str) -> Vec<(u64, String)> {
        let call: Value = serde_json::from_str(text).expect("a client writes JSON");
        let (data, request) = (&call["data"], &call["requestId"]);
        match call["event"].as_str().expect("a name") {
            "chat:room:join" => self.join(line, user, data["since"].as_u64(), request),
            "chat:message:send" if self.busy > 0 => {
                self.busy -= 1;
                let data = json!({"code": "RATE_LIMITED", "message": "m", "details": {"retryAfterMs": 300}, "recoverable": true});
                vec![(line, json!({"event": "chat:error", "data": data, "requestId": request}).to_string())]
            }
            "chat:message:send" => self.send(line, user, data, request),
            other => panic!("nobody says {other} here"),
        }
    }

    pub fn cut(&mut self, line: u64) {
        self.joined.remove(&line);
    }

    fn join(&mut self, line: u64, user: &str, since: Option<u64>, request: &Value) -> Vec<(u64, String)> {
        let head = self.log.len();
        let after = since.map_or(head.saturating_sub(NEWEST), |since| since as usize);
        assert!(after <= head, "{user} has heard more than there is");
        if since.is_none() {
            self.begun.insert(line, after as u64 + 1);
        }
        self.joined.insert(line, user.to_string());
        let missed: Vec<Value> = (after + 1..=head).map(|seq| self.message(seq)).collect();
        let (page, rest) = missed.split_at(missed.len().min(PAGE));
        let answer = json!({"event": "chat:room:joined", "version": "1", "requestId": request,
            "data": {"roomId": "r", "lastSeq": head, "messages": page, "hasMore": true}});
        let rest = rest.iter().map(|message| (line, told(message)));
        [(line, answer.to_string())].into_iter().chain(rest).collect()
    }

    fn send(&mut self, line: u64, user: &str, data: &Value, request: &Value) -> Vec<(u64, String)> {
        let id = data["id"].as_str().expect("a message has an id when it is sent").to_string();
        let content = data["content"].as_str().expect("a text").to_string();
        let entry = Entry { id, sender: user.to_string(), content };
        let known =
            self.log.iter().position(|stored| (&stored.id, &stored.sender) == (&entry.id, &entry.sender));
        let mut caused = Vec::new();
        let seq = known.map_or(self.log.len() + 1, |at| at + 1);
        if known.is_none() {
            self.log.push(entry);
            let told = told(&self.message(seq));
            caused.extend(
                self.joined.keys().filter(|other| **other != line).map(|other| (*other, told.clone())),
            );
        }
        let message = self.message(seq);
        let answer = json!({"event": "chat:message:send", "version": "1", "requestId": request, "data": {
            "id": message["id"], "seq": seq, "timestamp": message["timestamp"], "deliveryStatus": "delivered"}});
        caused.push((line, answer.to_string()));
        caused
    }

    fn message(&self, seq: usize) -> Value {
        let Entry { id, sender, content } = &self.log[seq - 1];
        json!({"id": id, "seq": seq, "type": "chat", "roomId": "r", "senderId": sender, "content": content,
            "timestamp": "2026-01-01T00:00:00.000Z", "deliveryStatus": "delivered"})
    }
}

fn told(message: &Value) -> String {
    json!({"event": "chat:message:received", "data": message, "version": "1"}).to_string()
}
