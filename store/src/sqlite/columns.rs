//! How values of the core stand in columns, and rows of the core in rows of a table.

use parlor_protocol::auth::UserType;
use parlor_protocol::ids::{RoomId, RoomKind, Seq};
use parlor_protocol::store::{
    DocumentRow, EscalationRow, FileRow, MemberRow, PromptRow, Question, RoomRow, SessionRow, SessionState,
    TemplateRow, Visibility,
};
use parlor_protocol::time::Timestamp;
use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Error, Result, Row};

/// A number as SQLite keeps it. Places and times stay below 2^63 for 290 000 years; a bound above it means
/// "none", and so does the greatest number there is.
pub(super) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What columns are read as.
pub(super) trait Columns {
    fn text(&self, column: usize) -> Result<&str>;
    fn number(&self, column: usize) -> Result<u64>;
    /// The value that a word stands for.
    fn word<T>(&self, column: usize, named: impl FnOnce(&str) -> Option<T>) -> Result<T>;
}

impl Columns for Row<'_> {
    fn text(&self, column: usize) -> Result<&str> {
        self.get_ref(column)?.as_str().map_err(|error| unreadable(column, error))
    }

    fn number(&self, column: usize) -> Result<u64> {
        let number = self.get::<_, i64>(column)?;
        u64::try_from(number).map_err(|_| Error::IntegralValueOutOfRange(column, number))
    }

    fn word<T>(&self, column: usize, named: impl FnOnce(&str) -> Option<T>) -> Result<T> {
        named(self.text(column)?).ok_or_else(|| unreadable(column, FromSqlError::InvalidType))
    }
}

fn unreadable(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

pub(super) fn visibility_word(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Public => "public",
        Visibility::Private => "private",
    }
}

pub(super) fn state_word(state: SessionState) -> &'static str {
    match state {
        SessionState::Open => "open",
        SessionState::Complete => "complete",
        SessionState::Abandoned => "abandoned",
    }
}

pub(super) fn questions_json(questions: &[Question]) -> Result<String> {
    serde_json::to_string(questions).map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))
}

pub(super) const ROOM: &str = "kind, room, name, firm, visibility";

pub(super) fn room(row: &Row<'_>) -> Result<RoomRow> {
    Ok(RoomRow {
        id: room_id(row)?,
        name: row.get(2)?,
        firm: row.text(3)?.into(),
        visibility: row.word(4, |word| {
            [Visibility::Public, Visibility::Private].into_iter().find(|one| visibility_word(*one) == word)
        })?,
    })
}

pub(super) const MEMBER: &str = "kind, room, user_id, role, name, user_type";

pub(super) fn member(row: &Row<'_>) -> Result<MemberRow> {
    Ok(MemberRow {
        room: room_id(row)?,
        user: row.text(2)?.into(),
        role: row.get(3)?,
        name: row.get(4)?,
        user_type: row.word(5, UserType::named)?,
    })
}

/// The room, which stands in the first two columns.
pub(super) fn room_id(row: &Row<'_>) -> Result<RoomId> {
    Ok(RoomId { kind: row.word(0, RoomKind::named)?, name: row.text(1)?.into() })
}

pub(super) const TEMPLATE: &str = "id, name, firm, questions, body";
/// The same without its body.
pub(super) const TEMPLATE_LISTED: &str = "id, name, firm, questions, ''";

pub(super) fn template(row: &Row<'_>) -> Result<TemplateRow> {
    Ok(TemplateRow {
        id: row.text(0)?.into(),
        name: row.get(1)?,
        firm: row.get::<_, Option<String>>(2)?.map(Into::into),
        questions: serde_json::from_str(row.text(3)?).map_err(|error| unreadable(3, error))?,
        body: row.get(4)?,
    })
}

pub(super) const SESSION: &str = "id, user_id, firm, template, state, awaiting_since, created_at, touched_at";

pub(super) fn session(row: &Row<'_>) -> Result<SessionRow> {
    Ok(SessionRow {
        id: row.text(0)?.into(),
        user: row.text(1)?.into(),
        firm: row.text(2)?.into(),
        template: row.text(3)?.into(),
        state: row.word(4, |word| {
            [SessionState::Open, SessionState::Complete, SessionState::Abandoned]
                .into_iter()
                .find(|one| state_word(*one) == word)
        })?,
        awaiting_since: match row.get::<_, Option<i64>>(5)? {
            Some(_) => Some(Timestamp(row.number(5)?)),
            None => None,
        },
        created_at: Timestamp(row.number(6)?),
        touched_at: Timestamp(row.number(7)?),
    })
}

pub(super) const DOCUMENT: &str =
    "id, session, user_id, firm, template, template_name, title, markdown, created_at";
/// The same without its text.
pub(super) const DOCUMENT_LISTED: &str =
    "id, session, user_id, firm, template, template_name, title, NULL, created_at";

pub(super) fn document(row: &Row<'_>) -> Result<DocumentRow> {
    Ok(DocumentRow {
        id: row.text(0)?.into(),
        session: row.text(1)?.into(),
        user: row.text(2)?.into(),
        firm: row.text(3)?.into(),
        template: row.text(4)?.into(),
        template_name: row.get(5)?,
        title: row.get(6)?,
        markdown: row.get(7)?,
        created_at: Timestamp(row.number(8)?),
    })
}

pub(super) const FILE: &str = "kind, room, id, user_id, name, mime_type, size, created_at";

pub(super) fn file(row: &Row<'_>) -> Result<FileRow> {
    Ok(FileRow {
        room: room_id(row)?,
        id: row.text(2)?.into(),
        user: row.text(3)?.into(),
        name: row.get(4)?,
        mime_type: row.get(5)?,
        size: row.number(6)?,
        created_at: Timestamp(row.number(7)?),
    })
}

pub(super) const PROMPT: &str = "kind, room, id, user_id, since, tries";

pub(super) fn prompt(row: &Row<'_>) -> Result<PromptRow> {
    Ok(PromptRow {
        room: room_id(row)?,
        id: row.text(2)?.into(),
        user: row.text(3)?.into(),
        since: Timestamp(row.number(4)?),
        tries: row.get(5)?,
    })
}

pub(super) const ESCALATION: &str = "kind, room, id, firm, by_user, reason, created_at, announced, resolved";

pub(super) fn escalation(row: &Row<'_>) -> Result<EscalationRow> {
    Ok(EscalationRow {
        room: room_id(row)?,
        id: row.text(2)?.into(),
        firm: row.text(3)?.into(),
        by: row.text(4)?.into(),
        reason: row.get(5)?,
        created_at: Timestamp(row.number(6)?),
        announced: Seq(row.number(7)?),
        resolved: row.get(8)?,
    })
}
