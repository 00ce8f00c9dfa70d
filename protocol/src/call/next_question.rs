//! The next question of a document session (WIRE §1).

use super::{Said, answered, within_limit};
use crate::apps::stripped;
use crate::ids::{DocumentId, SessionId, TemplateId, UserId};
use crate::store::Question;
use serde::{Deserialize, Serialize};

/// What the AI service is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NextQuestionRequest {
    /// The session.
    pub session_id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// The template.
    pub template: TemplateBrief,
    /// All turns so far; ends with `message`.
    pub history: Vec<Turn>,
    /// The saved answer; `None` when the first question is asked for.
    pub message: Option<String>,
}

/// What the AI service is told of the template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TemplateBrief {
    /// Which.
    pub id: TemplateId,
    /// Its name.
    pub name: String,
    /// Its questions.
    pub questions: Vec<Question>,
    /// Its body, unless empty.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub body: String,
}

/// A question or an answer; both count, from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Its number.
    pub turn: u32,
    /// Who spoke.
    pub role: Role,
    /// What was said.
    pub content: String,
    /// When it was stored, RFC 3339.
    pub at: String,
}

/// Who spoke in a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The AI, or the built-in interviewer.
    Assistant,
    /// The user.
    User,
}

/// What the AI replied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum AiReply {
    /// The next question.
    Question {
        /// The question.
        question: String,
        /// How far the session is.
        progress: Option<Progress>,
    },
    /// All is asked.
    Complete {
        /// The document's id.
        document_id: DocumentId,
        /// The document, unless the AI service keeps it.
        document: Option<Document>,
    },
}

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Questions answered.
    pub answered: u32,
    /// Questions in all.
    pub total: u32,
}

/// A finished document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Its title; the template's name when absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    /// The text.
    pub markdown: String,
}

/// The longest id of a document, in bytes.
const DOCUMENT_ID_BYTES_MAX: usize = 128;

/// Reads what the AI service answered: status, `Retry-After` in seconds if it was given, and the body, cut
/// off one byte above `ANSWER_BYTES_MAX`.
pub fn read_next_question(status: u16, retry_after: Option<&str>, body: &[u8]) -> Said {
    answered(status, retry_after, || parse_reply(body).map(Said::NextQuestion))
}

/// The reply as the service spells it. A `progress` that is none is left out: the question matters more.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Reply {
    NextQuestion {
        question: String,
        progress: Option<serde_json::Value>,
    },
    Complete {
        #[serde(rename = "documentId")]
        document_id: String,
        document: Option<Document>,
    },
}

/// The reply that stands in this JSON, or why none does.
pub(super) fn parse_reply(body: &[u8]) -> Result<AiReply, String> {
    within_limit(body)?;
    match serde_json::from_slice::<Reply>(body).map_err(|error| error.to_string())? {
        Reply::Complete { document_id, .. } if document_id.chars().any(char::is_control) => {
            Err("a documentId with control characters".to_string())
        }
        Reply::NextQuestion { question, progress } => {
            let question = stripped(&question);
            if question.is_empty() {
                return Err("an empty question".to_string());
            }
            let progress = progress.and_then(|value| serde_json::from_value(value).ok());
            Ok(AiReply::Question { question, progress })
        }
        Reply::Complete { document_id, .. }
            if document_id.is_empty() || document_id.len() > DOCUMENT_ID_BYTES_MAX =>
        {
            Err(format!("a documentId of {} bytes, not 1 to {DOCUMENT_ID_BYTES_MAX}", document_id.len()))
        }
        Reply::Complete { document_id, document } => {
            Ok(AiReply::Complete { document_id: document_id.into(), document })
        }
    }
}
