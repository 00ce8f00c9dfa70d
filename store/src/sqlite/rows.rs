//! Rows beside the logs: inserted, put and removed.

use super::columns::{questions_json, state_word, stored, visibility_word};
use super::{files, log, look, snapshots};
use parlor_protocol::ids::{RoomId, SessionId};
use parlor_protocol::store::{
    Change, CursorRow, DocumentRow, EscalationRow, MarkRow, MemberRow, PromptRow, RoomRow, Row, RowKey,
    SessionRow, SessionState, TemplateRow,
};
use parlor_protocol::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, Result, params};

/// Writes the change, unless another row has its key, or the room is another firm's: then that key is returned.
pub(super) fn write(connection: &Connection, now: Timestamp, change: &Change) -> Result<Option<RowKey>> {
    let (row, insert) = match change {
        Change::Insert(row) => (row, true),
        Change::Put(row) => (row, false),
        Change::Remove(key) => return remove(connection, key).map(|()| None),
        Change::Trim { room, upto } => return log::trim(connection, room, *upto).map(|()| None),
    };
    let key = key_of(row);
    if insert && stands(connection, &key)? {
        return Ok(Some(key));
    }
    if let Row::Session(session) = row
        && let Some(open) = other_open(connection, session)?
    {
        return Ok(Some(RowKey::Session(open)));
    }
    if let Row::Room(room) = row
        && look::room(connection, &room.id)?.is_some_and(|standing| standing.firm != room.firm)
    {
        return Ok(Some(key));
    }
    put(connection, now, row).map(|()| None)
}

fn key_of(row: &Row) -> RowKey {
    match row {
        Row::Room(room) => RowKey::Room(room.id.clone()),
        Row::Member(member) => RowKey::Member(member.room.clone(), member.user.clone()),
        Row::Template(template) => RowKey::Template(template.id.clone()),
        Row::Session(session) => RowKey::Session(session.id.clone()),
        Row::Document(document) => RowKey::Document(document.id.clone()),
        Row::Cursor(cursor) => RowKey::Cursor(cursor.room.clone(), cursor.user.clone()),
        Row::File(file) => RowKey::File(file.id.clone()),
        Row::FilePart(part) => RowKey::FilePart(part.file.clone(), part.part),
        Row::Prompt(prompt) => RowKey::Prompt(prompt.room.clone(), prompt.id.clone()),
        Row::Escalation(escalation) => RowKey::Escalation(escalation.id.clone()),
        Row::Mark(mark) => RowKey::Mark(mark.name.clone()),
        Row::SnapshotPart(part) => RowKey::SnapshotPart(part.room.clone(), part.seq, part.part),
    }
}

pub(super) fn stands(connection: &Connection, key: &RowKey) -> Result<bool> {
    let exists = |sql: &str, parameters: &[&str]| {
        connection.prepare_cached(sql)?.exists(rusqlite::params_from_iter(parameters))
    };
    match key {
        RowKey::Room(RoomId { kind, name }) => {
            exists("SELECT 1 FROM rooms WHERE kind = ?1 AND room = ?2", &[kind.as_str(), name])
        }
        RowKey::Member(RoomId { kind, name }, user) => exists(
            "SELECT 1 FROM room_members WHERE kind = ?1 AND room = ?2 AND user_id = ?3",
            &[kind.as_str(), name, user.as_str()],
        ),
        RowKey::Template(id) => exists("SELECT 1 FROM document_templates WHERE id = ?1", &[id.as_str()]),
        RowKey::Session(id) => exists("SELECT 1 FROM chat_sessions WHERE id = ?1", &[id.as_str()]),
        RowKey::Document(id) => exists("SELECT 1 FROM generated_documents WHERE id = ?1", &[id.as_str()]),
        RowKey::Cursor(RoomId { kind, name }, user) => exists(
            "SELECT 1 FROM room_cursors WHERE kind = ?1 AND room = ?2 AND user_id = ?3",
            &[kind.as_str(), name, user.as_str()],
        ),
        RowKey::File(id) => exists("SELECT 1 FROM room_files WHERE id = ?1", &[id.as_str()]),
        RowKey::FilePart(file, part) => connection
            .prepare_cached("SELECT 1 FROM file_parts WHERE file = ?1 AND part = ?2")?
            .exists(params![file.as_str(), part]),
        RowKey::Prompt(RoomId { kind, name }, id) => exists(
            "SELECT 1 FROM room_prompts WHERE kind = ?1 AND room = ?2 AND id = ?3",
            &[kind.as_str(), name, id.as_str()],
        ),
        RowKey::Escalation(id) => exists("SELECT 1 FROM room_escalations WHERE id = ?1", &[id.as_str()]),
        RowKey::Mark(name) => exists("SELECT 1 FROM marks WHERE name = ?1", &[name]),
        RowKey::SnapshotPart(room, seq, part) => snapshots::stands(connection, room, *seq, *part),
    }
}

/// The open session that keeps this one from being open.
fn other_open(connection: &Connection, session: &SessionRow) -> Result<Option<SessionId>> {
    if session.state != SessionState::Open {
        return Ok(None);
    }
    connection
        .prepare_cached(
            "SELECT id FROM chat_sessions
             WHERE state = 'open' AND firm = ?1 AND user_id = ?2 AND template = ?3 AND id <> ?4",
        )?
        .query_row(
            [session.firm.as_str(), session.user.as_str(), session.template.as_str(), session.id.as_str()],
            |row| row.get::<_, String>(0).map(SessionId::from),
        )
        .optional()
}

fn put(connection: &Connection, now: Timestamp, row: &Row) -> Result<()> {
    match row {
        Row::Room(room) => put_room(connection, room),
        Row::Member(member) => put_member(connection, member),
        Row::Template(template) => put_template(connection, template),
        Row::Session(session) => put_session(connection, session),
        Row::Document(document) => put_document(connection, document),
        Row::Cursor(cursor) => put_cursor(connection, cursor),
        Row::File(file) => files::put(connection, file),
        Row::FilePart(part) => files::put_part(connection, now, part),
        Row::Prompt(prompt) => put_prompt(connection, prompt),
        Row::Escalation(escalation) => put_escalation(connection, escalation),
        Row::Mark(mark) => put_mark(connection, mark),
        Row::SnapshotPart(part) => snapshots::put(connection, part),
    }
}

fn put_room(connection: &Connection, row: &RoomRow) -> Result<()> {
    execute(
        connection,
        "INSERT INTO rooms (kind, room, name, firm, visibility) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (kind, room) DO UPDATE
         SET name = excluded.name, firm = excluded.firm, visibility = excluded.visibility",
        params![
            row.id.kind.as_str(),
            &*row.id.name,
            row.name,
            row.firm.as_str(),
            visibility_word(row.visibility)
        ],
    )
}

fn put_member(connection: &Connection, row: &MemberRow) -> Result<()> {
    execute(
        connection,
        "INSERT INTO room_members (kind, room, user_id, role, name, user_type) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (kind, room, user_id) DO UPDATE
         SET role = excluded.role, name = excluded.name, user_type = excluded.user_type",
        params![
            row.room.kind.as_str(),
            &*row.room.name,
            row.user.as_str(),
            row.role,
            row.name,
            row.user_type.as_str()
        ],
    )
}

fn put_template(connection: &Connection, row: &TemplateRow) -> Result<()> {
    execute(
        connection,
        "INSERT INTO document_templates (id, name, firm, questions, body) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (id) DO UPDATE
         SET name = excluded.name, firm = excluded.firm, questions = excluded.questions, body = excluded.body",
        params![
            row.id.as_str(),
            row.name,
            row.firm.as_ref().map(|firm| firm.as_str()),
            questions_json(&row.questions)?,
            row.body
        ],
    )
}

fn put_session(connection: &Connection, row: &SessionRow) -> Result<()> {
    execute(
        connection,
        "INSERT INTO chat_sessions
             (id, user_id, firm, template, state, awaiting_since, created_at, touched_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (id) DO UPDATE
         SET user_id = excluded.user_id, firm = excluded.firm, template = excluded.template,
             state = excluded.state, awaiting_since = excluded.awaiting_since,
             created_at = excluded.created_at, touched_at = excluded.touched_at",
        params![
            row.id.as_str(),
            row.user.as_str(),
            row.firm.as_str(),
            row.template.as_str(),
            state_word(row.state),
            row.awaiting_since.map(|at| stored(at.0)),
            stored(row.created_at.0),
            stored(row.touched_at.0)
        ],
    )
}

fn put_document(connection: &Connection, row: &DocumentRow) -> Result<()> {
    execute(
        connection,
        "INSERT INTO generated_documents
             (id, session, user_id, firm, template, template_name, title, markdown, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (id) DO UPDATE
         SET session = excluded.session, user_id = excluded.user_id, firm = excluded.firm,
             template = excluded.template, template_name = excluded.template_name, title = excluded.title,
             markdown = excluded.markdown, created_at = excluded.created_at",
        params![
            row.id.as_str(),
            row.session.as_str(),
            row.user.as_str(),
            row.firm.as_str(),
            row.template.as_str(),
            row.template_name,
            row.title,
            row.markdown,
            stored(row.created_at.0)
        ],
    )
}

fn put_cursor(connection: &Connection, row: &CursorRow) -> Result<()> {
    execute(
        connection,
        "INSERT INTO room_cursors (kind, room, user_id, seq) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (kind, room, user_id) DO UPDATE SET seq = max(seq, excluded.seq)",
        params![row.room.kind.as_str(), &*row.room.name, row.user.as_str(), stored(row.seq.0)],
    )
}

fn put_prompt(connection: &Connection, row: &PromptRow) -> Result<()> {
    execute(
        connection,
        "INSERT INTO room_prompts (kind, room, id, user_id, since, tries) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (kind, room, id) DO UPDATE
         SET user_id = excluded.user_id, since = excluded.since, tries = excluded.tries",
        params![
            row.room.kind.as_str(),
            &*row.room.name,
            row.id.as_str(),
            row.user.as_str(),
            stored(row.since.0),
            row.tries
        ],
    )
}

fn put_escalation(connection: &Connection, row: &EscalationRow) -> Result<()> {
    execute(
        connection,
        "INSERT INTO room_escalations
             (id, kind, room, firm, by_user, reason, created_at, announced, resolved)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (id) DO UPDATE
         SET kind = excluded.kind, room = excluded.room, firm = excluded.firm, by_user = excluded.by_user,
             reason = excluded.reason, created_at = excluded.created_at, announced = excluded.announced,
             resolved = excluded.resolved",
        params![
            row.id.as_str(),
            row.room.kind.as_str(),
            &*row.room.name,
            row.firm.as_str(),
            row.by.as_str(),
            row.reason,
            stored(row.created_at.0),
            stored(row.announced.0),
            row.resolved
        ],
    )
}

fn put_mark(connection: &Connection, row: &MarkRow) -> Result<()> {
    execute(
        connection,
        "INSERT INTO marks (name, place) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET place = excluded.place",
        params![row.name, stored(row.place)],
    )
}

pub(super) fn remove(connection: &Connection, key: &RowKey) -> Result<()> {
    match key {
        RowKey::Room(room) => {
            let key = params![room.kind.as_str(), &*room.name];
            execute(connection, "DELETE FROM rooms WHERE kind = ?1 AND room = ?2", key)?;
            execute(connection, "DELETE FROM room_members WHERE kind = ?1 AND room = ?2", key)?;
            execute(connection, "DELETE FROM room_cursors WHERE kind = ?1 AND room = ?2", key)?;
            execute(connection, "DELETE FROM room_prompts WHERE kind = ?1 AND room = ?2", key)?;
            execute(connection, "DELETE FROM room_escalations WHERE kind = ?1 AND room = ?2", key)?;
            files::remove_room(connection, room)?;
            snapshots::remove_room(connection, room)?;
            log::remove(connection, room)
        }
        RowKey::Member(room, user) => execute(
            connection,
            "DELETE FROM room_members WHERE kind = ?1 AND room = ?2 AND user_id = ?3",
            params![room.kind.as_str(), &*room.name, user.as_str()],
        ),
        RowKey::Template(id) => {
            execute(connection, "DELETE FROM document_templates WHERE id = ?1", [id.as_str()])
        }
        RowKey::Session(id) => execute(connection, "DELETE FROM chat_sessions WHERE id = ?1", [id.as_str()]),
        RowKey::Document(id) => {
            execute(connection, "DELETE FROM generated_documents WHERE id = ?1", [id.as_str()])
        }
        RowKey::Cursor(room, user) => execute(
            connection,
            "DELETE FROM room_cursors WHERE kind = ?1 AND room = ?2 AND user_id = ?3",
            params![room.kind.as_str(), &*room.name, user.as_str()],
        ),
        RowKey::File(id) => files::remove(connection, id),
        RowKey::FilePart(file, part) => files::remove_part(connection, file, *part),
        RowKey::Prompt(room, id) => execute(
            connection,
            "DELETE FROM room_prompts WHERE kind = ?1 AND room = ?2 AND id = ?3",
            params![room.kind.as_str(), &*room.name, id.as_str()],
        ),
        RowKey::Escalation(id) => {
            execute(connection, "DELETE FROM room_escalations WHERE id = ?1", [id.as_str()])
        }
        RowKey::Mark(name) => execute(connection, "DELETE FROM marks WHERE name = ?1", [name]),
        RowKey::SnapshotPart(room, seq, part) => snapshots::remove(connection, room, *seq, *part),
    }
}

pub(super) fn execute(connection: &Connection, sql: &str, parameters: impl Params) -> Result<()> {
    connection.prepare_cached(sql)?.execute(parameters).map(|_| ())
}
