//! The room log in SQLite: appends, and pages out of it.

use super::columns::{Columns, stored};
use bytes::Bytes;
use parlor_protocol::ids::{EntryId, RoomId, Seq, UserId};
use parlor_protocol::store::{Append, Entry, NewEntry, PAGE_BYTES_MAX, TAIL_BYTES_MAX, TAIL_ENTRIES_MAX};
use parlor_protocol::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, Result, Row, params};

/// A room's log and where it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log {
    number: i64,
    pub(super) head: Seq,
    last_at: Timestamp,
}

/// The room's log, if anything was ever appended to it.
pub(super) fn find(connection: &Connection, room: &RoomId) -> Result<Option<Log>> {
    connection
        .prepare_cached("SELECT log, head, last_at FROM room_logs WHERE kind = ?1 AND room = ?2")?
        .query_row(params![room.kind.as_str(), &*room.name], |row| {
            Ok(Log { number: row.get(0)?, head: Seq(row.number(1)?), last_at: Timestamp(row.number(2)?) })
        })
        .optional()
}

/// Where the room's log ends.
pub(super) fn head(connection: &Connection, room: &RoomId) -> Result<Seq> {
    Ok(find(connection, room)?.map_or(Seq::ZERO, |log| log.head))
}

/// Whether every one of these ids was used before by its author in this room.
pub(super) fn all_stand(connection: &Connection, append: &Append) -> Result<bool> {
    let Some(log) = find(connection, &append.room)? else { return Ok(append.entries.is_empty()) };
    for new in &append.entries {
        if standing(connection, &append.room, log, new)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Stores the entries whose ids are new and adds all of them, as they stand in the log, to `entries`. Returns
/// how many were new.
pub(super) fn append(
    connection: &Connection,
    now: Timestamp,
    append: &Append,
    entries: &mut Vec<Entry>,
) -> Result<usize> {
    if append.entries.is_empty() {
        return Ok(0);
    }
    let room = &append.room;
    let mut log = match find(connection, room)? {
        Some(log) => log,
        None => begin(connection, room)?,
    };
    let (before, at) = (log.head, now.max(log.last_at));
    let mut insert = connection.prepare_cached(
        "INSERT INTO room_entries (log, seq, author, id, at, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (log, author, id) DO NOTHING",
    )?;
    for new in &append.entries {
        let seq = log.head.next();
        let (author, id) = (new.author.as_str(), new.id.as_str());
        if insert.execute(params![log.number, stored(seq.0), author, id, stored(at.0), &new.body[..]])? == 1 {
            log.head = seq;
            let NewEntry { id, author, body } = new.clone();
            entries.push(Entry { room: room.clone(), seq, id, author, at, body });
        } else {
            entries.extend(standing(connection, room, log, new)?);
        }
    }
    if log.head > before {
        connection
            .prepare_cached("UPDATE room_logs SET head = ?2, last_at = ?3 WHERE log = ?1")?
            .execute(params![log.number, stored(log.head.0), stored(at.0)])?;
    }
    Ok((log.head.0 - before.0) as usize)
}

/// Takes the room's log away, as if nothing had ever been said there.
pub(super) fn remove(connection: &Connection, room: &RoomId) -> Result<()> {
    let Some(log) = find(connection, room)? else { return Ok(()) };
    connection.prepare_cached("DELETE FROM room_entries WHERE log = ?1")?.execute([log.number])?;
    connection.prepare_cached("DELETE FROM room_logs WHERE log = ?1")?.execute([log.number])?;
    Ok(())
}

/// The end of a log, oldest first.
pub(super) fn tail(connection: &Connection, room: &RoomId, log: Log) -> Result<Vec<Entry>> {
    newest(connection, room, log, log.head.next(), TAIL_ENTRIES_MAX as u32, TAIL_BYTES_MAX)
}

/// The entries after a place, oldest first.
pub(super) fn after(
    connection: &Connection,
    room: &RoomId,
    log: Log,
    after: Seq,
    max: u32,
) -> Result<Vec<Entry>> {
    const SQL: &str = "SELECT seq, id, author, at, body FROM room_entries WHERE log = ?1 AND seq > ?2
                       ORDER BY seq LIMIT ?3";
    page(connection, room, SQL, params![log.number, stored(after.0), max], PAGE_BYTES_MAX)
}

/// The newest entries before a place, oldest first.
pub(super) fn before(
    connection: &Connection,
    room: &RoomId,
    log: Log,
    before: Seq,
    max: u32,
) -> Result<Vec<Entry>> {
    newest(connection, room, log, before, max, PAGE_BYTES_MAX)
}

fn newest(
    connection: &Connection,
    room: &RoomId,
    log: Log,
    before: Seq,
    max: u32,
    bytes_max: usize,
) -> Result<Vec<Entry>> {
    const SQL: &str = "SELECT seq, id, author, at, body FROM room_entries WHERE log = ?1 AND seq < ?2
                       ORDER BY seq DESC LIMIT ?3";
    let mut entries = page(connection, room, SQL, params![log.number, stored(before.0), max], bytes_max)?;
    entries.reverse();
    Ok(entries)
}

/// The rows in their order, up to the one that would bring the bodies above `bytes_max`; the first one always.
fn page(
    connection: &Connection,
    room: &RoomId,
    sql: &str,
    parameters: impl Params,
    bytes_max: usize,
) -> Result<Vec<Entry>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let (mut entries, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let entry = read(room, row)?;
        bytes += entry.body.len();
        if bytes > bytes_max && !entries.is_empty() {
            break;
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// The entry that stands in the log under this author and id.
fn standing(connection: &Connection, room: &RoomId, log: Log, new: &NewEntry) -> Result<Option<Entry>> {
    connection
        .prepare_cached(
            "SELECT seq, id, author, at, body FROM room_entries WHERE log = ?1 AND author = ?2 AND id = ?3",
        )?
        .query_row(params![log.number, new.author.as_str(), new.id.as_str()], |row| read(room, row))
        .optional()
}

fn begin(connection: &Connection, room: &RoomId) -> Result<Log> {
    connection
        .prepare_cached("INSERT INTO room_logs (kind, room, head, last_at) VALUES (?1, ?2, 0, 0)")?
        .execute(params![room.kind.as_str(), &*room.name])?;
    Ok(Log { number: connection.last_insert_rowid(), head: Seq::ZERO, last_at: Timestamp(0) })
}

fn read(room: &RoomId, row: &Row<'_>) -> Result<Entry> {
    Ok(Entry {
        room: room.clone(),
        seq: Seq(row.number(0)?),
        id: EntryId::from(row.text(1)?),
        author: UserId::from(row.text(2)?),
        at: Timestamp(row.number(3)?),
        body: Bytes::from(row.get::<_, Vec<u8>>(4)?),
    })
}
