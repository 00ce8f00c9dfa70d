//! Group commit: everything that waits goes into one transaction, and is answered when that is on the disk.

use super::error::{Fatal, Fate, Stage, fate};
use super::{SqliteStore, log, reader, rows};
use parlor_protocol::ids::Ticket;
use parlor_protocol::store::{Append, Change, Row, RowKey, StoreReply, StoreRequest};
use parlor_protocol::time::Timestamp;
use rusqlite::{Connection, Result, Transaction, TransactionBehavior};
use std::slice;

/// So many pages wait in the write-ahead log before they are moved into the database.
const WAL_PAGES_WAITING_MAX: i64 = 1_000;
/// At this length of the write-ahead log the writer waits until no reader needs it, and cuts it off. It gets
/// there only when readers follow each other without a gap.
const WAL_PAGES_MAX: i64 = 16_000;

impl SqliteStore {
    /// Carries out a group of requests, in order: each sees what those before it did, and one that is refused
    /// (`Stale`, `Taken`) leaves its neighbours alone. The answers are in the order of the requests, and true
    /// for good: what they say is stored is on the disk.
    ///
    /// When the disk is full or cannot be written, the whole group is answered with `Unavailable` and the next
    /// one tries afresh. After `Fatal` the process has to end.
    pub fn commit(
        &mut self,
        now: Timestamp,
        group: Vec<(Ticket, StoreRequest)>,
    ) -> std::result::Result<Vec<(Ticket, StoreReply)>, Fatal> {
        self.tend_wal()?;
        let fate = match self.write(now, &group) {
            Ok(replies) => return Ok(replies),
            Err((stage, error)) => match fate(stage, &error) {
                Fate::Fatal => return Err(self.fatal(error)),
                fate @ (Fate::Refused | Fate::Open) => fate,
            },
        };
        Ok(group.into_iter().map(|(ticket, request)| (ticket, unanswered(&request, fate))).collect())
    }

    fn write(
        &mut self,
        now: Timestamp,
        group: &[(Ticket, StoreRequest)],
    ) -> std::result::Result<Vec<(Ticket, StoreReply)>, (Stage, rusqlite::Error)> {
        let writing = |error| (Stage::Writing, error);
        let behavior = TransactionBehavior::Immediate;
        let mut transaction = self.connection.transaction_with_behavior(behavior).map_err(writing)?;
        let mut replies = Vec::with_capacity(group.len());
        for (ticket, request) in group {
            replies.push((*ticket, answer(&mut transaction, now, request).map_err(writing)?));
        }
        transaction.commit().map_err(|error| (Stage::Committing, error))?;
        Ok(replies)
    }

    /// Keeps the write-ahead log short. What goes wrong here is tried again before the next group, and costs
    /// nobody anything until then, except an error of fsync.
    fn tend_wal(&mut self) -> std::result::Result<(), Fatal> {
        let tended = self.wal("NOOP").and_then(|(length, moved)| {
            if length >= WAL_PAGES_MAX {
                self.wal("TRUNCATE").map(|_| ())
            } else if length - moved >= WAL_PAGES_WAITING_MAX {
                self.wal("PASSIVE").map(|_| ())
            } else {
                Ok(())
            }
        });
        match tended {
            Err(error) if fate(Stage::Writing, &error) == Fate::Fatal => Err(self.fatal(error)),
            Err(_) | Ok(()) => Ok(()),
        }
    }

    /// The length of the write-ahead log in pages, and how many of them are in the database already.
    fn wal(&self, mode: &str) -> Result<(i64, i64)> {
        self.connection
            .prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?
            .query_row([], |row| Ok((row.get(1)?, row.get(2)?)))
    }

    fn fatal(&self, source: rusqlite::Error) -> Fatal {
        Fatal { path: self.path.clone(), source }
    }
}

fn unanswered(request: &StoreRequest, fate: Fate) -> StoreReply {
    match (request, fate) {
        (StoreRequest::Commit { .. }, Fate::Open) => StoreReply::Unknown,
        (_, Fate::Open | Fate::Refused | Fate::Fatal) => StoreReply::Unavailable,
    }
}

/// Only a commit with rows can be refused after it has written something, and needs a point to go back to.
fn answer(transaction: &mut Transaction<'_>, now: Timestamp, request: &StoreRequest) -> Result<StoreReply> {
    let StoreRequest::Commit { appends, rows } = request else { return reader::read(transaction, request) };
    if rows.is_empty() {
        return carry_out(transaction, now, appends, rows);
    }
    let savepoint = transaction.savepoint()?;
    let reply = carry_out(&savepoint, now, appends, rows)?;
    match reply {
        StoreReply::Committed(_) => savepoint.commit()?,
        StoreReply::Stale { .. }
        | StoreReply::Taken(_)
        | StoreReply::Loaded(_)
        | StoreReply::Entries { .. }
        | StoreReply::Heads(_)
        | StoreReply::Found(_)
        | StoreReply::Appended { .. }
        | StoreReply::Unavailable
        | StoreReply::Unknown => savepoint.finish()?,
    }
    Ok(reply)
}

fn carry_out(
    connection: &Connection,
    now: Timestamp,
    appends: &[Append],
    rows: &[Change],
) -> Result<StoreReply> {
    begin_rooms(connection, appends, rows)?;
    if let Some(stale) = stale(connection, appends)? {
        return Ok(stale);
    }
    let (mut entries, mut stored) = (Vec::new(), 0);
    for append in appends {
        stored += log::append(connection, now, append, &mut entries)?;
    }
    if stored == 0 && !entries.is_empty() {
        return Ok(StoreReply::Committed(entries));
    }
    for change in rows {
        if let Some(key) = rows::write(connection, now, change)? {
            return Ok(StoreReply::Taken(key));
        }
    }
    Ok(StoreReply::Committed(entries))
}

/// Rooms that are made begin without what may be left under their ids, unless this was stored before.
fn begin_rooms(connection: &Connection, appends: &[Append], rows: &[Change]) -> Result<()> {
    for change in rows {
        let Change::Insert(Row::Room(room)) = change else { continue };
        let key = RowKey::Room(room.id.clone());
        if !rows::stands(connection, &key)? && !all_stand(connection, appends)? {
            rows::remove(connection, &key)?;
        }
    }
    Ok(())
}

/// The first room whose log does not end where something new is expected to follow.
fn stale(connection: &Connection, appends: &[Append]) -> Result<Option<StoreReply>> {
    for append in appends {
        let Some(expect) = append.expect else { continue };
        let head = log::head(connection, &append.room)?;
        if expect == head
            || all_stand(connection, slice::from_ref(append))?
            || all_stand(connection, appends)?
        {
            continue;
        }
        return Ok(Some(StoreReply::Stale { room: append.room.clone(), head }));
    }
    Ok(None)
}

/// Whether there are entries and all of them were stored before.
fn all_stand(connection: &Connection, appends: &[Append]) -> Result<bool> {
    for append in appends {
        if !log::all_stand(connection, append)? {
            return Ok(false);
        }
    }
    Ok(appends.iter().any(|append| !append.entries.is_empty()))
}
