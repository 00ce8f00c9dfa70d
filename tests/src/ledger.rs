//! What clients were told, held against what the database has: every acknowledged entry once, every log without
//! a gap, nothing told that is not kept, one reply of the AI for each turn.

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Something that a client was told is stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    /// A message, by its answer or by hearing it.
    Message {
        /// In which room.
        room: String,
        /// Its place.
        seq: u64,
        /// Who said it.
        author: String,
        /// Its id.
        id: String,
        /// What it says.
        content: String,
    },
    /// The user's own answer to a question.
    Answer {
        /// In which session.
        session: String,
        /// Its turn.
        turn: u64,
        /// Its id.
        id: String,
        /// What it says.
        content: String,
    },
    /// A question of the AI.
    Question {
        /// In which session.
        session: String,
        /// Its turn.
        turn: u64,
        /// What is asked.
        question: String,
    },
    /// A finished document.
    Document {
        /// Of which session.
        session: String,
        /// Its id.
        document: String,
    },
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// Told, and not in the log as it was told.
    Lost(Told),
    /// The log of this room has another `seq` than the one that follows.
    Gap(String, u64),
    /// An author's id stands in this room's log more than once.
    Twice(String, String),
    /// A session whose turns are not a question and an answer in turn.
    Turns(String, String),
    /// Something that a client saw for itself.
    Seen(String),
}

/// One entry of a log.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// In which room, with its kind before it.
    pub room: String,
    /// Its place.
    pub seq: u64,
    /// Who said it.
    pub author: String,
    /// Its id.
    pub id: String,
    /// What it says.
    pub body: Value,
}

/// Reads every log of a database.
pub fn read_logs(database: &Path) -> Vec<Kept> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let connection = connection.expect("the database opens");
    let mut statement = connection
        .prepare(
            "SELECT kind || ' ' || room, seq, author, id, body FROM room_entries JOIN room_logs USING (log) \
             ORDER BY log, seq",
        )
        .expect("the schema has logs");
    let rows = statement.query_map([], |row| {
        Ok(Kept {
            room: row.get(0)?,
            seq: row.get::<_, i64>(1)?.cast_unsigned(),
            author: row.get(2)?,
            id: row.get(3)?,
            body: serde_json::from_slice(&row.get::<_, Vec<u8>>(4)?).unwrap_or(Value::Null),
        })
    });
    rows.and_then(Iterator::collect).expect("the logs can be read")
}

/// All that is broken.
pub fn broken(logs: &[Kept], told: &BTreeSet<Told>) -> Vec<Broken> {
    let mut found = Vec::new();
    let (mut heads, mut ids) = (BTreeMap::new(), BTreeSet::new());
    for entry in logs {
        let head = heads.entry(&entry.room).or_insert(0);
        if entry.seq != *head + 1 {
            found.push(Broken::Gap(entry.room.clone(), entry.seq));
        }
        *head = entry.seq;
        if !ids.insert((&entry.room, &entry.author, &entry.id)) {
            found.push(Broken::Twice(entry.room.clone(), entry.id.clone()));
        }
    }
    let kept: BTreeSet<Told> = logs.iter().filter_map(as_told).collect();
    found.extend(told.difference(&kept).cloned().map(Broken::Lost));
    found.extend(odd_turns(logs));
    found
}

fn as_told(entry: &Kept) -> Option<Told> {
    let text = |name: &str| entry.body[name].as_str().map(str::to_string);
    let (kind, room) = entry.room.split_once(' ')?;
    let (room, id) = (room.to_string(), entry.id.clone());
    if kind == "chat" {
        let (seq, author) = (entry.seq, entry.author.clone());
        return Some(Told::Message { room, seq, author, id, content: text("content")? });
    }
    let turn = entry.body["turn"].as_u64().unwrap_or(0);
    match entry.body["kind"].as_str()? {
        "answer" => Some(Told::Answer { session: room, turn, id, content: text("content")? }),
        "question" => Some(Told::Question { session: room, turn, question: text("question")? }),
        "complete" => Some(Told::Document { session: room, document: text("documentId")? }),
        _ => None,
    }
}

/// A session asks at its odd turns and is answered at its even ones, each once, and ends with its document.
fn odd_turns(logs: &[Kept]) -> Vec<Broken> {
    let mut turns: BTreeMap<&String, u64> = BTreeMap::new();
    let mut found = Vec::new();
    for entry in logs.iter().filter(|entry| entry.room.starts_with("document ")) {
        let done = turns.entry(&entry.room).or_insert(0);
        let place = entry.body["turn"].as_u64();
        let fits = match entry.body["kind"].as_str() {
            Some("question") => done.is_multiple_of(2) && place == done.checked_add(1),
            Some("answer") => !done.is_multiple_of(2) && place == done.checked_add(1),
            // Nothing follows a document: the next turn is then neither odd nor even.
            Some("complete") => std::mem::replace(done, u64::MAX - 1).is_multiple_of(2),
            _ => continue,
        };
        if !fits {
            found.push(Broken::Turns(entry.room.clone(), entry.body.to_string()));
        }
        *done = done.saturating_add(1);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kept(room: &str, seq: u64, id: &str, body: Value) -> Kept {
        Kept { room: room.into(), seq, author: "ada".into(), id: id.into(), body }
    }

    fn message(seq: u64, id: &str, content: &str) -> Told {
        let (room, author) = ("lobby".into(), "ada".into());
        Told::Message { room, seq, author, id: id.into(), content: content.into() }
    }

    #[test]
    fn what_was_told_and_is_not_kept_as_it_was_told_is_lost() {
        let logs = [kept("chat lobby", 1, "a", json!({"content": "hi"}))];
        let told =
            [message(1, "a", "hi"), message(1, "a", "ho"), message(2, "a", "hi"), message(2, "b", "hi")];
        let lost = told[1..].iter().cloned().map(Broken::Lost).collect::<Vec<_>>();
        assert_eq!(broken(&logs, &told.into_iter().collect()), lost);
    }

    #[test]
    fn gaps_repeated_ids_and_a_second_reply_are_found() {
        let question = json!({"kind": "question", "turn": 1, "question": "?"});
        let logs = [
            kept("chat lobby", 1, "a", json!({"content": "hi"})),
            kept("chat lobby", 3, "a", json!({"content": "hi"})),
            kept("document s", 1, "1", question.clone()),
            kept("document s", 2, "2", question.clone()),
        ];
        let expected = [
            Broken::Gap("chat lobby".into(), 3),
            Broken::Twice("chat lobby".into(), "a".into()),
            Broken::Turns("document s".into(), question.to_string()),
        ];
        assert_eq!(broken(&logs, &BTreeSet::new()), expected);
    }
}
