//! What a session's entries mean: folded one by one they are the session.

use crate::apps::attempts;
use crate::call::{Progress, Role, Turn};
use crate::envelope::Event;
use crate::ids::{DocumentId, EntryId, Seq};
use crate::store::Entry;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

/// The body of an entry in a session's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Kept {
    /// A connection has the session from here on; `None`: the server took it over to ask again.
    Claimed {
        /// The connection's name.
        connection: Option<String>,
    },
    /// The user began afresh.
    Abandoned,
    /// The user's answer.
    Answer {
        /// Its turn.
        turn: u32,
        /// What the user wrote.
        content: String,
        /// Whether the entry's id is the client's own.
        named: bool,
    },
    /// The AI asks.
    Question {
        /// Its turn.
        turn: u32,
        /// What is asked.
        question: String,
        /// How far the session is.
        progress: Option<Progress>,
    },
    /// The AI did not reply to this attempt.
    Failed {
        /// Whether it replied something that is no reply.
        bad_reply: bool,
        /// What happened, for people.
        message: String,
    },
    /// The AI is asked again.
    Retried {
        /// Which attempt at this turn it is; the first is 1.
        attempt: u32,
    },
    /// All is asked, and the document made.
    Complete {
        /// Which document.
        document_id: DocumentId,
    },
}

impl Kept {
    /// The body of an entry.
    pub fn body(&self) -> Bytes {
        serde_json::to_vec(self).expect("strings and numbers can be written as JSON").into()
    }

    /// What a body says, if it says something.
    pub fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

/// How far a session is.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// A reply of the AI is awaited.
    Asking,
    /// An answer of the user is awaited.
    Answering {
        /// How far the session is.
        progress: Option<Progress>,
    },
    /// The AI did not reply.
    Failed,
    /// The document is made.
    Complete,
    /// The user began afresh.
    Abandoned,
}

/// A session as its log tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionLog {
    /// The last entry.
    pub head: Seq,
    /// Questions and answers.
    pub turns: Vec<Turn>,
    /// The bytes of their contents.
    pub bytes: usize,
    /// How far it is.
    pub phase: Phase,
    /// Which attempt at this turn is under way or was the last; the first is 1.
    pub attempt: u32,
    /// The user's answers by their ids.
    answers: BTreeMap<EntryId, Entry>,
}

impl Default for SessionLog {
    fn default() -> Self {
        Self {
            head: Seq::ZERO,
            turns: Vec::new(),
            bytes: 0,
            phase: Phase::Asking,
            attempt: 1,
            answers: BTreeMap::new(),
        }
    }
}

impl SessionLog {
    /// Takes in the next entry and says what it was.
    pub fn apply(&mut self, entry: &Entry) -> Option<Kept> {
        self.head = entry.seq;
        let kept = Kept::read(&entry.body)?;
        match &kept {
            Kept::Claimed { .. } => {}
            Kept::Abandoned => self.phase = Phase::Abandoned,
            Kept::Answer { turn, content, .. } => {
                self.take_turn(*turn, Role::User, content, entry);
                self.answers.insert(entry.id.clone(), entry.clone());
                (self.phase, self.attempt) = (Phase::Asking, 1);
            }
            Kept::Question { turn, question, progress } => {
                self.take_turn(*turn, Role::Assistant, question, entry);
                self.phase = Phase::Answering { progress: *progress };
            }
            Kept::Failed { .. } => self.phase = Phase::Failed,
            Kept::Retried { attempt } => (self.phase, self.attempt) = (Phase::Asking, *attempt),
            Kept::Complete { .. } => self.phase = Phase::Complete,
        }
        Some(kept)
    }

    fn take_turn(&mut self, turn: u32, role: Role, content: &str, entry: &Entry) {
        self.bytes += content.len();
        if self.turns.is_empty() {
            // Many sessions wait with their first question open.
            self.turns.reserve_exact(1);
        }
        self.turns.push(Turn { turn, role, content: content.to_string(), at: entry.at.to_string() });
    }

    /// The number of the next turn.
    pub fn next_turn(&self) -> u32 {
        self.turns.len() as u32 + 1
    }

    /// How many questions the user has answered.
    pub fn answered(&self) -> usize {
        self.turns.iter().filter(|turn| turn.role == Role::User).count()
    }

    /// The answer that stands under this id.
    pub fn answer_under(&self, id: &EntryId) -> Option<&Entry> {
        self.answers.get(id)
    }

    /// The open question, as it was told.
    pub fn open_question(&self, session: &str) -> Option<Event> {
        let Phase::Answering { progress } = &self.phase else { return None };
        self.turns.last().map(|turn| next_question(session, turn.turn, &turn.content, *progress))
    }
}

/// What the session's connection hears of an entry.
pub fn told(entry: &Entry) -> Option<Event> {
    let session = &*entry.room.name;
    match Kept::read(&entry.body)? {
        Kept::Question { turn, question, progress } => {
            Some(next_question(session, turn, &question, progress))
        }
        Kept::Complete { document_id } => {
            let complete = json!({"sessionId": session, "documentId": document_id.as_str()});
            Some(Event::new("document_complete", &complete).of("document"))
        }
        Kept::Failed { bad_reply, message } => Some(
            super::refused(&attempts::refusal(bad_reply, message))
                .within("sessionId", entry.room.name.clone()),
        ),
        Kept::Claimed { .. } | Kept::Abandoned | Kept::Answer { .. } | Kept::Retried { .. } => None,
    }
}

/// What the author of an answer is answered.
pub fn answer(entry: &Entry) -> Event {
    let answer = match Kept::read(&entry.body) {
        Some(Kept::Answer { turn, named: true, .. }) => {
            Event::new("response_saved", &json!({"turn": turn, "id": entry.id.as_str()}))
        }
        Some(Kept::Answer { turn, .. }) => Event::new("response_saved", &json!({"turn": turn})),
        _ => Event::new("retry", &json!({})),
    };
    answer.of("document").within("sessionId", entry.room.name.clone())
}

/// Whether two bodies are the same answer.
pub fn is_repeat(came: &[u8], stored: &[u8]) -> bool {
    match (Kept::read(came), Kept::read(stored)) {
        (Some(Kept::Answer { content: came, .. }), Some(Kept::Answer { content: stored, .. })) => {
            came == stored
        }
        (came, stored) => came == stored,
    }
}

fn next_question(session: &str, turn: u32, question: &str, progress: Option<Progress>) -> Event {
    let mut data = json!({"sessionId": session, "turn": turn, "question": question});
    if let Some(progress) = progress {
        data["progress"] = json!(progress);
    }
    Event::new("next_question", &data).of("document")
}
