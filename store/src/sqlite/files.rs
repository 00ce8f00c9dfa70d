//! Files in SQLite: their rows, their pieces, and the uploads that have no row yet.

use super::columns::{self, Columns, FILE, stored};
use super::rows::execute;
use bytes::Bytes;
use parlor_protocol::ids::{FileId, RoomId};
use parlor_protocol::store::{FOUND_PARTS_MAX, FOUND_ROWS_MAX, FilePartRow, FileRow, Row};
use parlor_protocol::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Result, params};

pub(super) fn find(connection: &Connection, id: &FileId) -> Result<Option<FileRow>> {
    connection
        .prepare_cached(&format!("SELECT {FILE} FROM room_files WHERE id = ?1"))?
        .query_row([id.as_str()], columns::file)
        .optional()
}

/// The pieces of a file, in order.
pub(super) fn parts(connection: &Connection, file: &FileId, from: u32, max: u32) -> Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(
        "SELECT part, bytes FROM file_parts WHERE file = ?1 AND part >= ?2 ORDER BY part LIMIT ?3",
    )?;
    let max = FOUND_PARTS_MAX.min(max as usize) as i64;
    let read = |row: &rusqlite::Row<'_>| {
        let (part, bytes) = (row.get(0)?, Bytes::from(row.get::<_, Vec<u8>>(1)?));
        Ok(Row::FilePart(FilePartRow { file: file.clone(), part, bytes }))
    };
    statement.query_map(params![file.as_str(), from, max], read)?.collect()
}

/// The files that were never completed, those first of which nothing has come for the longest time.
pub(super) fn orphans(connection: &Connection, before: Timestamp, max: u32) -> Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(
        "SELECT file FROM file_uploads WHERE touched_at < ?1 ORDER BY touched_at, file LIMIT ?2",
    )?;
    let max = FOUND_ROWS_MAX.min(max as usize) as i64;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Row::FilePart(FilePartRow { file: row.text(0)?.into(), part: 0, bytes: Bytes::new() }))
    };
    statement.query_map(params![stored(before.0), max], read)?.collect()
}

/// The file is complete.
pub(super) fn put(connection: &Connection, row: &FileRow) -> Result<()> {
    execute(connection, "DELETE FROM file_uploads WHERE file = ?1", [row.id.as_str()])?;
    execute(
        connection,
        "INSERT INTO room_files (id, kind, room, user_id, name, mime_type, size, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (id) DO UPDATE
         SET kind = excluded.kind, room = excluded.room, user_id = excluded.user_id, name = excluded.name,
             mime_type = excluded.mime_type, size = excluded.size, created_at = excluded.created_at",
        params![
            row.id.as_str(),
            row.room.kind.as_str(),
            &*row.room.name,
            row.user.as_str(),
            row.name,
            row.mime_type,
            stored(row.size),
            stored(row.created_at.0)
        ],
    )
}

/// A piece is written twice, into the write-ahead log and from there into the database, and everything else that
/// is in its group waits for the first of these: 64 pages of 4 KiB for a piece of the greatest size. That is why
/// a commit holds one piece, and an uploader sends the next when the last one is answered.
pub(super) fn put_part(connection: &Connection, now: Timestamp, row: &FilePartRow) -> Result<()> {
    execute(
        connection,
        "INSERT INTO file_uploads (file, touched_at)
         SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM room_files WHERE id = ?1)
         ON CONFLICT (file) DO UPDATE SET touched_at = max(touched_at, excluded.touched_at)",
        params![row.file.as_str(), stored(now.0)],
    )?;
    execute(
        connection,
        "INSERT INTO file_parts (file, part, bytes) VALUES (?1, ?2, ?3)
         ON CONFLICT (file, part) DO UPDATE SET bytes = excluded.bytes",
        params![row.file.as_str(), row.part, &row.bytes[..]],
    )
}

/// Takes a file with its pieces away, or what there is of it.
pub(super) fn remove(connection: &Connection, id: &FileId) -> Result<()> {
    let key = [id.as_str()];
    execute(connection, "DELETE FROM file_parts WHERE file = ?1", key)?;
    execute(connection, "DELETE FROM file_uploads WHERE file = ?1", key)?;
    execute(connection, "DELETE FROM room_files WHERE id = ?1", key)
}

/// An upload ends with its last piece.
pub(super) fn remove_part(connection: &Connection, file: &FileId, part: u32) -> Result<()> {
    let key = params![file.as_str(), part];
    execute(connection, "DELETE FROM file_parts WHERE file = ?1 AND part = ?2", key)?;
    execute(
        connection,
        "DELETE FROM file_uploads
         WHERE file = ?1 AND NOT EXISTS (SELECT 1 FROM file_parts WHERE file_parts.file = ?1)",
        [file.as_str()],
    )
}

/// Takes the files of a room away with their pieces.
pub(super) fn remove_room(connection: &Connection, room: &RoomId) -> Result<()> {
    let key = params![room.kind.as_str(), &*room.name];
    execute(
        connection,
        "DELETE FROM file_parts WHERE file IN (SELECT id FROM room_files WHERE kind = ?1 AND room = ?2)",
        key,
    )?;
    execute(connection, "DELETE FROM room_files WHERE kind = ?1 AND room = ?2", key)
}
