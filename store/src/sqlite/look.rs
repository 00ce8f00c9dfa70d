//! Rows that fit a query.

use super::columns::{
    self, Columns, DOCUMENT, DOCUMENT_LISTED, ESCALATION, MEMBER, PROMPT, ROOM, SESSION, TEMPLATE,
    TEMPLATE_LISTED, stored,
};
use super::files;
use parlor_protocol::ids::{FirmId, RoomId, RoomKind, Seq, UserId};
use parlor_protocol::store::{FOUND_ROWS_MAX, MarkRow, MemberRow, Query, ROOM_MEMBERS_MAX, RoomRow, Row};
use parlor_protocol::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, Result, params};

/// The rows, in the order that the query names.
pub(super) fn look(connection: &Connection, query: &Query) -> Result<Vec<Row>> {
    match query {
        Query::Template(id) => templates(connection, TEMPLATE, "id = ?1", [id.as_str()]),
        Query::Templates(None) => templates(connection, TEMPLATE_LISTED, "true", []),
        Query::Templates(Some(firm)) => {
            templates(connection, TEMPLATE_LISTED, "firm = ?1 OR firm IS NULL", [firm.as_str()])
        }
        Query::Room(id) => Ok(room(connection, id)?.map(Row::Room).into_iter().collect()),
        Query::Rooms(kind) => rooms(connection, "kind = ?1", [kind.as_str()]),
        Query::RoomsOf { all, kind, firm, user } => rooms_of(connection, *all, *kind, firm, user),
        Query::Members(room) => Ok(members(connection, room)?.into_iter().map(Row::Member).collect()),
        Query::Session(id) => sessions(connection, "id = ?1", "id", 1, [id.as_str()]),
        Query::OpenSession { firm, user, template } => sessions(
            connection,
            "state = 'open' AND firm = ?1 AND user_id = ?2 AND template = ?3",
            "id",
            1,
            [firm.as_str(), user.as_str(), template.as_str()],
        ),
        Query::Overdue { before, max } => sessions(
            connection,
            "state = 'open' AND awaiting_since IS NOT NULL AND awaiting_since < ?1",
            "awaiting_since, id",
            FOUND_ROWS_MAX.min(*max as usize),
            [stored(before.0)],
        ),
        Query::IdleSessions { before, after, max } => sessions(
            connection,
            "state <> 'complete' AND awaiting_since IS NULL AND touched_at < ?1 AND id > ?2 AND NOT EXISTS (
                 SELECT 1 FROM room_logs WHERE kind = 'document' AND room = id AND last_at >= ?1)",
            "id",
            FOUND_ROWS_MAX.min(*max as usize),
            params![stored(before.0), after.as_ref().map_or("", |after| after.as_str())],
        ),
        Query::Document(id) => documents(connection, DOCUMENT, "id = ?1", [id.as_str()]),
        Query::Documents { firm, user } => {
            let key = [firm.as_str(), user.as_str()];
            documents(connection, DOCUMENT_LISTED, "firm = ?1 AND user_id = ?2", key)
        }
        Query::File(id) => Ok(files::find(connection, id)?.map(Row::File).into_iter().collect()),
        Query::FileParts { file, from, max } => files::parts(connection, file, *from, *max),
        Query::OrphanFiles { before, max } => files::orphans(connection, *before, *max),
        Query::OverduePrompts { before, max } => overdue_prompts(connection, *before, *max),
        Query::Escalation(id) => escalations(connection, "id = ?1", "id", [id.as_str()]),
        Query::OpenEscalations { firm } => {
            escalations(connection, "resolved = 0 AND firm = ?1", "created_at, id", [firm.as_str()])
        }
        Query::Mark(name) => mark(connection, name),
        // Entries are no rows.
        Query::Appended { .. } | Query::Entry { .. } | Query::Outdated { .. } => Ok(Vec::new()),
    }
}

/// The room's row in the directory.
pub(super) fn room(connection: &Connection, id: &RoomId) -> Result<Option<RoomRow>> {
    connection
        .prepare_cached(&format!("SELECT {ROOM} FROM rooms WHERE kind = ?1 AND room = ?2"))?
        .query_row(params![id.kind.as_str(), &*id.name], columns::room)
        .optional()
}

/// The members of a room, by user.
pub(super) fn members(connection: &Connection, room: &RoomId) -> Result<Vec<MemberRow>> {
    let sql = format!(
        "SELECT {MEMBER} FROM room_members WHERE kind = ?1 AND room = ?2
         ORDER BY user_id LIMIT {ROOM_MEMBERS_MAX}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_map(params![room.kind.as_str(), &*room.name], columns::member)?.collect()
}

/// How far users have read in a room, by user.
pub(super) fn cursors(connection: &Connection, room: &RoomId) -> Result<Vec<(UserId, Seq)>> {
    let sql = format!(
        "SELECT user_id, seq FROM room_cursors WHERE kind = ?1 AND room = ?2
         ORDER BY user_id LIMIT {ROOM_MEMBERS_MAX}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let cursor = |row: &rusqlite::Row<'_>| Ok((row.text(0)?.into(), Seq(row.number(1)?)));
    statement.query_map(params![room.kind.as_str(), &*room.name], cursor)?.collect()
}

fn rooms_of(
    connection: &Connection,
    all: bool,
    kind: RoomKind,
    firm: &FirmId,
    user: &UserId,
) -> Result<Vec<Row>> {
    let key = [kind.as_str(), firm.as_str(), user.as_str()];
    let open = "kind = ?1 AND firm = ?2 AND (visibility = 'public' OR EXISTS (
         SELECT 1 FROM room_members AS own
         WHERE own.kind = rooms.kind AND own.room = rooms.room AND own.user_id = ?3))";
    let mut found = match all {
        true => rooms(connection, "kind = ?1 AND firm = ?2", [kind.as_str(), firm.as_str()])?,
        false => rooms(connection, open, key)?,
    };
    let sql = format!(
        "SELECT {MEMBER} FROM room_members AS own WHERE user_id = ?3 AND kind = ?1 AND EXISTS (
             SELECT 1 FROM rooms WHERE rooms.kind = own.kind AND rooms.room = own.room AND firm = ?2)
         ORDER BY room LIMIT {FOUND_ROWS_MAX}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    for member in statement.query_map(key, columns::member)? {
        found.push(Row::Member(member?));
    }
    Ok(found)
}

fn rooms(connection: &Connection, fits: &str, parameters: impl Params) -> Result<Vec<Row>> {
    let sql = format!("SELECT {ROOM} FROM rooms WHERE {fits} ORDER BY room LIMIT {FOUND_ROWS_MAX}");
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_map(parameters, |row| columns::room(row).map(Row::Room))?.collect()
}

fn templates(
    connection: &Connection,
    columns: &str,
    fits: &str,
    parameters: impl Params,
) -> Result<Vec<Row>> {
    let sql =
        format!("SELECT {columns} FROM document_templates WHERE {fits} ORDER BY id LIMIT {FOUND_ROWS_MAX}");
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_map(parameters, |row| columns::template(row).map(Row::Template))?.collect()
}

fn sessions(
    connection: &Connection,
    fits: &str,
    order: &str,
    max: usize,
    parameters: impl Params,
) -> Result<Vec<Row>> {
    let sql = format!("SELECT {SESSION} FROM chat_sessions WHERE {fits} ORDER BY {order}");
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_map(parameters, |row| columns::session(row).map(Row::Session))?.take(max).collect()
}

fn documents(
    connection: &Connection,
    columns: &str,
    fits: &str,
    parameters: impl Params,
) -> Result<Vec<Row>> {
    let sql = format!(
        "SELECT {columns} FROM generated_documents WHERE {fits}
         ORDER BY created_at DESC, id DESC LIMIT {FOUND_ROWS_MAX}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_map(parameters, |row| columns::document(row).map(Row::Document))?.collect()
}

fn overdue_prompts(connection: &Connection, before: Timestamp, max: u32) -> Result<Vec<Row>> {
    let sql =
        format!("SELECT {PROMPT} FROM room_prompts WHERE since < ?1 ORDER BY since, kind, room, id LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let max = FOUND_ROWS_MAX.min(max as usize) as i64;
    let read = |row: &rusqlite::Row<'_>| columns::prompt(row).map(Row::Prompt);
    statement.query_map(params![stored(before.0), max], read)?.collect()
}

fn escalations(
    connection: &Connection,
    fits: &str,
    order: &str,
    parameters: impl Params,
) -> Result<Vec<Row>> {
    let sql = format!(
        "SELECT {ESCALATION} FROM room_escalations WHERE {fits} ORDER BY {order} LIMIT {FOUND_ROWS_MAX}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_map(parameters, |row| columns::escalation(row).map(Row::Escalation))?.collect()
}

fn mark(connection: &Connection, name: &str) -> Result<Vec<Row>> {
    let mut statement = connection.prepare_cached("SELECT place FROM marks WHERE name = ?1")?;
    let read =
        |row: &rusqlite::Row<'_>| Ok(Row::Mark(MarkRow { name: name.to_owned(), place: row.number(0)? }));
    statement.query_map([name], read)?.collect()
}
