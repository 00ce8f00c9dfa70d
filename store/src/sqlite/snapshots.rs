//! Snapshots of rooms in SQLite: their pieces, and which of them are whole.

use super::columns::{Columns, stored};
use super::rows::execute;
use bytes::Bytes;
use parlor_protocol::ids::{RoomId, Seq};
use parlor_protocol::store::{Snapshot, SnapshotPartRow};
use rusqlite::{Connection, OptionalExtension, Result, params};

/// The room's whole snapshot, unless it reaches beyond the end of the log: then it is of another room of that name.
pub(super) fn find(connection: &Connection, room: &RoomId, head: Seq) -> Result<Option<Snapshot>> {
    let whole = whole(connection, room)?.filter(|(seq, _)| *seq <= head);
    let Some((seq, count)) = whole else { return Ok(None) };
    let mut statement = connection.prepare_cached(
        "SELECT bytes FROM snapshot_parts WHERE kind = ?1 AND room = ?2 AND seq = ?3 AND part < ?4 ORDER BY part",
    )?;
    let mut state = Vec::new();
    let mut parts = statement.query(params![room.kind.as_str(), &*room.name, stored(seq.0), count])?;
    while let Some(part) = parts.next()? {
        state.extend_from_slice(part.get_ref(0)?.as_blob()?);
    }
    Ok(Some(Snapshot { seq, state: Bytes::from(state) }))
}

/// The last piece makes the snapshot whole, if all others are there, and takes the pieces of all others away; unless
/// there is one that reaches further: then it goes itself.
pub(super) fn put(connection: &Connection, row: &SnapshotPartRow) -> Result<()> {
    let (kind, room, seq) = (row.room.kind.as_str(), &*row.room.name, stored(row.seq.0));
    execute(
        connection,
        "INSERT INTO snapshot_parts (kind, room, seq, part, bytes) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (kind, room, seq, part) DO UPDATE SET bytes = excluded.bytes",
        params![kind, room, seq, row.part, &row.bytes[..]],
    )?;
    if row.part + 1 < row.parts {
        return Ok(());
    }
    if whole(connection, &row.room)?.is_some_and(|(newest, _)| newest > row.seq) {
        return execute(
            connection,
            "DELETE FROM snapshot_parts WHERE kind = ?1 AND room = ?2 AND seq = ?3",
            params![kind, room, seq],
        );
    }
    if !has_all(connection, row)? {
        return Ok(());
    }
    execute(
        connection,
        "INSERT INTO room_snapshots (kind, room, seq, parts) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (kind, room) DO UPDATE SET seq = excluded.seq, parts = excluded.parts",
        params![kind, room, seq, row.parts],
    )?;
    execute(
        connection,
        "DELETE FROM snapshot_parts WHERE kind = ?1 AND room = ?2 AND (seq <> ?3 OR part >= ?4)",
        params![kind, room, seq, row.parts],
    )
}

fn has_all(connection: &Connection, row: &SnapshotPartRow) -> Result<bool> {
    let count: u32 = connection
        .prepare_cached(
            "SELECT count(*) FROM snapshot_parts WHERE kind = ?1 AND room = ?2 AND seq = ?3 AND part < ?4",
        )?
        .query_row(
            params![row.room.kind.as_str(), &*row.room.name, stored(row.seq.0), row.parts],
            |count| count.get(0),
        )?;
    Ok(count == row.parts)
}

/// Whether there is this piece.
pub(super) fn stands(connection: &Connection, room: &RoomId, seq: Seq, part: u32) -> Result<bool> {
    connection
        .prepare_cached(
            "SELECT 1 FROM snapshot_parts WHERE kind = ?1 AND room = ?2 AND seq = ?3 AND part = ?4",
        )?
        .exists(params![room.kind.as_str(), &*room.name, stored(seq.0), part])
}

/// Takes one piece away. A snapshot without all of its pieces is none.
pub(super) fn remove(connection: &Connection, room: &RoomId, seq: Seq, part: u32) -> Result<()> {
    let (kind, name, seq) = (room.kind.as_str(), &*room.name, stored(seq.0));
    execute(
        connection,
        "DELETE FROM snapshot_parts WHERE kind = ?1 AND room = ?2 AND seq = ?3 AND part = ?4",
        params![kind, name, seq, part],
    )?;
    execute(
        connection,
        "DELETE FROM room_snapshots WHERE kind = ?1 AND room = ?2 AND seq = ?3 AND parts > ?4",
        params![kind, name, seq, part],
    )
}

/// Takes the snapshot of a room away, and what there is of another.
pub(super) fn remove_room(connection: &Connection, room: &RoomId) -> Result<()> {
    let key = params![room.kind.as_str(), &*room.name];
    execute(connection, "DELETE FROM snapshot_parts WHERE kind = ?1 AND room = ?2", key)?;
    execute(connection, "DELETE FROM room_snapshots WHERE kind = ?1 AND room = ?2", key)
}

/// Up to where the room's whole snapshot reaches, and in how many pieces it is.
fn whole(connection: &Connection, room: &RoomId) -> Result<Option<(Seq, u32)>> {
    connection
        .prepare_cached("SELECT seq, parts FROM room_snapshots WHERE kind = ?1 AND room = ?2")?
        .query_row(params![room.kind.as_str(), &*room.name], |row| Ok((Seq(row.number(0)?), row.get(1)?)))
        .optional()
}
