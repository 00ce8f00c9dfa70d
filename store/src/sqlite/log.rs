//! The room log in SQLite: appends, and pages out of it.

use super::columns::{self, Columns, stored};
use bytes::Bytes;
use parlor_protocol::ids::{EntryId, RoomId, RoomKind, Seq, UserId};
use parlor_protocol::store::{
    Append, Entry, NewEntry, PAGE_BYTES_MAX, StoreReply, TAIL_BYTES_MAX, TAIL_ENTRIES_MAX,
};
use parlor_protocol::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, Result, Row, Rows, params};

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
        if under(connection, &append.room, log, &new.author, &new.id)?.is_none() {
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
    let mut end = end(connection)?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO room_entries (log, seq, author, id, at, body, place) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (log, author, id) DO NOTHING",
    )?;
    for new in &append.entries {
        let (seq, place) = (log.head.next(), end + 1);
        let (author, id, body) = (new.author.as_str(), new.id.as_str(), &new.body[..]);
        let row = params![log.number, stored(seq.0), author, id, stored(at.0), body, stored(place)];
        if insert.execute(row)? == 1 {
            (log.head, end) = (seq, place);
            let NewEntry { id, author, body } = new.clone();
            entries.push(Entry { room: room.clone(), seq, id, author, at, body });
        } else {
            entries.extend(under(connection, room, log, &new.author, &new.id)?);
        }
    }
    if log.head > before {
        connection
            .prepare_cached("UPDATE room_logs SET head = ?2, last_at = ?3 WHERE log = ?1")?
            .execute(params![log.number, stored(log.head.0), stored(at.0)])?;
        connection.prepare_cached("UPDATE appended SET place = ?1")?.execute([stored(end)])?;
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

/// Takes the entries up to a place away. The log's end stands in its own row, and stays.
pub(super) fn trim(connection: &Connection, room: &RoomId, upto: Seq) -> Result<()> {
    let Some(log) = find(connection, room)? else { return Ok(()) };
    connection
        .prepare_cached("DELETE FROM room_entries WHERE log = ?1 AND seq <= ?2")?
        .execute(params![log.number, stored(upto.0)])?;
    Ok(())
}

/// The last entry that the log does not keep any more.
pub(super) fn kept_after(connection: &Connection, log: Log) -> Result<Seq> {
    let mut statement =
        connection.prepare_cached("SELECT seq FROM room_entries WHERE log = ?1 ORDER BY seq LIMIT 1")?;
    let first = statement.query_row([log.number], |row| row.number(0)).optional()?;
    Ok(first.map_or(log.head, |first| Seq(first - 1)))
}

/// The rooms of a kind that keep entries from before a time.
pub(super) fn outdated(
    connection: &Connection,
    kind: RoomKind,
    before: Timestamp,
    after: Option<&str>,
    max: u32,
) -> Result<StoreReply> {
    let mut statement = connection.prepare_cached(
        "SELECT room, seq FROM room_logs AS logs JOIN room_entries AS oldest ON oldest.log = logs.log
             AND oldest.seq = (SELECT seq FROM room_entries WHERE log = logs.log ORDER BY seq LIMIT 1)
         WHERE kind = ?1 AND room > ?2 AND oldest.at < ?3 ORDER BY room LIMIT ?4",
    )?;
    let found = params![kind.as_str(), after.unwrap_or(""), stored(before.0), max];
    let place = |row: &Row<'_>| {
        Ok((RoomId { kind, name: row.text(0)?.into() }, Seq(row.number(1)?.saturating_sub(1))))
    };
    Ok(StoreReply::Heads(statement.query_map(found, place)?.collect::<Result<_>>()?))
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

/// The entries of all logs after a place, oldest first, and the last place that was given.
pub(super) fn appended(connection: &Connection, after: u64, max: u32) -> Result<StoreReply> {
    let mut statement = connection.prepare_cached(
        "SELECT kind, room, place, seq, id, author, at, body FROM room_entries JOIN room_logs USING (log)
         WHERE place > ?1 ORDER BY place LIMIT ?2",
    )?;
    let rows = statement.query(params![stored(after), max])?;
    let entries = fitting(rows, PAGE_BYTES_MAX, |row| {
        let entry = read(&columns::room_id(row)?, row, 3)?;
        let bytes = entry.body.len();
        Ok(((row.number(2)?, entry), bytes))
    })?;
    Ok(StoreReply::Appended { entries, end: end(connection)? })
}

/// The last place that was given to an entry.
fn end(connection: &Connection) -> Result<u64> {
    connection.prepare_cached("SELECT place FROM appended")?.query_row([], |row| row.number(0))
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

fn page(
    connection: &Connection,
    room: &RoomId,
    sql: &str,
    parameters: impl Params,
    bytes_max: usize,
) -> Result<Vec<Entry>> {
    let mut statement = connection.prepare_cached(sql)?;
    fitting(statement.query(parameters)?, bytes_max, |row| {
        let entry = read(room, row, 0)?;
        let bytes = entry.body.len();
        Ok((entry, bytes))
    })
}

/// What is read of the rows, with its bytes, up to the row that would bring these above `bytes_max`; the first one
/// always.
fn fitting<T>(
    mut rows: Rows<'_>,
    bytes_max: usize,
    read: impl Fn(&Row<'_>) -> Result<(T, usize)>,
) -> Result<Vec<T>> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let (one, size) = read(row)?;
        bytes += size;
        if bytes > bytes_max && !found.is_empty() {
            break;
        }
        found.push(one);
    }
    Ok(found)
}

/// The entry that stands in the log under this author and id.
pub(super) fn under(
    connection: &Connection,
    room: &RoomId,
    log: Log,
    author: &UserId,
    id: &EntryId,
) -> Result<Option<Entry>> {
    connection
        .prepare_cached(
            "SELECT seq, id, author, at, body FROM room_entries WHERE log = ?1 AND author = ?2 AND id = ?3",
        )?
        .query_row(params![log.number, author.as_str(), id.as_str()], |row| read(room, row, 0))
        .optional()
}

fn begin(connection: &Connection, room: &RoomId) -> Result<Log> {
    connection
        .prepare_cached("INSERT INTO room_logs (kind, room, head, last_at) VALUES (?1, ?2, 0, 0)")?
        .execute(params![room.kind.as_str(), &*room.name])?;
    Ok(Log { number: connection.last_insert_rowid(), head: Seq::ZERO, last_at: Timestamp(0) })
}

/// The entry of a room whose columns begin with this one.
fn read(room: &RoomId, row: &Row<'_>, first: usize) -> Result<Entry> {
    Ok(Entry {
        room: room.clone(),
        seq: Seq(row.number(first)?),
        id: EntryId::from(row.text(first + 1)?),
        author: UserId::from(row.text(first + 2)?),
        at: Timestamp(row.number(first + 3)?),
        body: Bytes::from(row.get::<_, Vec<u8>>(first + 4)?),
    })
}
