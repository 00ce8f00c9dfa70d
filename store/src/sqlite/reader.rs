//! What only reads: rooms with their tails, pages of logs, and rows that fit. Each answer is of one moment.

use super::error::OpenError;
use super::{connect, log, look, snapshots};
use parlor_protocol::ids::{RoomId, Seq};
use parlor_protocol::store::{Entry, Query, RoomRecord, StoreReply, StoreRequest};
use rusqlite::{Connection, OpenFlags, Result};
use std::path::Path;

/// A connection of its own that only reads. It sees everything that was answered before it is asked, and never
/// waits for the writer.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(OpenError::sqlite(path))?;
        Ok(Self { connection })
    }

    /// The answer; `Unavailable` when the database cannot be read now, and to a commit, which is the writer's.
    pub fn answer(&mut self, request: &StoreRequest) -> StoreReply {
        let answered = self.connection.transaction().and_then(|moment| read(&moment, request));
        answered.unwrap_or(StoreReply::Unavailable)
    }
}

/// Answers what only reads, as the connection sees it.
pub(super) fn read(connection: &Connection, request: &StoreRequest) -> Result<StoreReply> {
    match request {
        StoreRequest::Load { room } => Ok(StoreReply::Loaded(load(connection, room)?.map(Box::new))),
        StoreRequest::Read { room, after, max } => {
            page(connection, room, |log| log::after(connection, room, log, *after, *max))
        }
        StoreRequest::Before { room, before, max } => {
            page(connection, room, |log| log::before(connection, room, log, *before, *max))
        }
        StoreRequest::Heads(rooms) => {
            let heads = rooms.iter().map(|room| Ok((room.clone(), log::head(connection, room)?)));
            Ok(StoreReply::Heads(heads.collect::<Result<_>>()?))
        }
        StoreRequest::Look(Query::Appended { after, max }) => log::appended(connection, *after, *max),
        StoreRequest::Look(Query::Entry { room, author, id }) => page(connection, room, |log| {
            Ok(log::under(connection, room, log, author, id)?.into_iter().collect())
        }),
        StoreRequest::Look(Query::Outdated { kind, before, after, max }) => {
            log::outdated(connection, *kind, *before, after.as_deref(), *max)
        }
        StoreRequest::Look(query) => Ok(StoreReply::Found(look::look(connection, query)?)),
        StoreRequest::Commit { .. } => Ok(StoreReply::Unavailable),
    }
}

fn load(connection: &Connection, id: &RoomId) -> Result<Option<RoomRecord>> {
    let room = look::room(connection, id)?;
    let members = look::members(connection, id)?;
    let log = log::find(connection, id)?;
    if room.is_none() && members.is_empty() && log.is_none() {
        return Ok(None);
    }
    let cursors = look::cursors(connection, id)?;
    let (head, kept_after, tail) = match log {
        Some(log) => (log.head, log::kept_after(connection, log)?, log::tail(connection, id, log)?),
        None => (Seq::ZERO, Seq::ZERO, Vec::new()),
    };
    let snapshot = snapshots::find(connection, id, head)?;
    Ok(Some(RoomRecord { id: id.clone(), room, members, cursors, head, kept_after, tail, snapshot }))
}

fn page(
    connection: &Connection,
    room: &RoomId,
    entries: impl FnOnce(log::Log) -> Result<Vec<Entry>>,
) -> Result<StoreReply> {
    Ok(match log::find(connection, room)? {
        Some(log) => StoreReply::Entries { entries: entries(log)?, head: log.head },
        None => StoreReply::Entries { entries: Vec::new(), head: Seq::ZERO },
    })
}
