//! The rows beside the logs, in maps by their keys.

use parlor_protocol::ids::{DocumentId, RoomId, SessionId, TemplateId, UserId};
use parlor_protocol::store::{
    Change, DocumentRow, FOUND_ROWS_MAX, MemberRow, Query, ROOM_MEMBERS_MAX, RoomRow, Row, RowKey,
    SessionRow, SessionState, TemplateRow, Visibility,
};
use std::cmp::Reverse;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Rows {
    rooms: BTreeMap<RoomId, RoomRow>,
    members: BTreeMap<(RoomId, UserId), MemberRow>,
    templates: BTreeMap<TemplateId, TemplateRow>,
    sessions: BTreeMap<SessionId, SessionRow>,
    documents: BTreeMap<DocumentId, DocumentRow>,
}

/// The room that goes, with its log, when this change is written.
pub(super) fn removed_room(change: &Change) -> Option<&RoomId> {
    match change {
        Change::Remove(RowKey::Room(room)) => Some(room),
        Change::Remove(
            RowKey::Member(..) | RowKey::Template(_) | RowKey::Session(_) | RowKey::Document(_),
        )
        | Change::Insert(_)
        | Change::Put(_) => None,
    }
}

impl Rows {
    /// The rooms that these changes make, where there is none yet.
    pub(super) fn begun<'a>(&self, changes: &'a [Change]) -> Vec<&'a RoomId> {
        let made = changes.iter().filter_map(|change| match change {
            Change::Insert(Row::Room(room)) => Some(&room.id),
            Change::Insert(_) | Change::Put(_) | Change::Remove(_) => None,
        });
        made.filter(|id| !self.rooms.contains_key(*id)).collect()
    }

    /// Writes the change, unless another row has its key: then that key is returned.
    pub(super) fn write(&mut self, change: &Change) -> Option<RowKey> {
        match change {
            Change::Insert(row) => self.standing(row).or_else(|| self.put(row)),
            Change::Put(row) => self.put(row),
            Change::Remove(key) => {
                self.remove(key);
                None
            }
        }
    }

    fn standing(&self, row: &Row) -> Option<RowKey> {
        let (stands, key) = match row {
            Row::Room(row) => (self.rooms.contains_key(&row.id), RowKey::Room(row.id.clone())),
            Row::Member(row) => {
                let key = (row.room.clone(), row.user.clone());
                (self.members.contains_key(&key), RowKey::Member(key.0, key.1))
            }
            Row::Template(row) => (self.templates.contains_key(&row.id), RowKey::Template(row.id.clone())),
            Row::Session(row) => (self.sessions.contains_key(&row.id), RowKey::Session(row.id.clone())),
            Row::Document(row) => (self.documents.contains_key(&row.id), RowKey::Document(row.id.clone())),
        };
        stands.then_some(key)
    }

    fn put(&mut self, row: &Row) -> Option<RowKey> {
        match row.clone() {
            Row::Room(row) => drop(self.rooms.insert(row.id.clone(), row)),
            Row::Member(row) => drop(self.members.insert((row.room.clone(), row.user.clone()), row)),
            Row::Template(row) => drop(self.templates.insert(row.id.clone(), row)),
            Row::Document(row) => drop(self.documents.insert(row.id.clone(), row)),
            Row::Session(row) => {
                let rival = |other: &&SessionRow| {
                    other.state == SessionState::Open
                        && (&other.firm, &other.user, &other.template)
                            == (&row.firm, &row.user, &row.template)
                        && other.id != row.id
                };
                if row.state == SessionState::Open
                    && let Some(rival) = self.sessions.values().find(rival)
                {
                    return Some(RowKey::Session(rival.id.clone()));
                }
                self.sessions.insert(row.id.clone(), row);
            }
        }
        None
    }

    pub(super) fn remove(&mut self, key: &RowKey) {
        match key {
            RowKey::Room(id) => {
                self.rooms.remove(id);
                self.members.retain(|(room, _), _| room != id);
            }
            RowKey::Member(room, user) => drop(self.members.remove(&(room.clone(), user.clone()))),
            RowKey::Template(id) => drop(self.templates.remove(id)),
            RowKey::Session(id) => drop(self.sessions.remove(id)),
            RowKey::Document(id) => drop(self.documents.remove(id)),
        }
    }

    /// The room's row in the directory, and its members by user.
    pub(super) fn room(&self, id: &RoomId) -> (Option<RoomRow>, Vec<MemberRow>) {
        let members = self.members.values().filter(|member| member.room == *id).take(ROOM_MEMBERS_MAX);
        (self.rooms.get(id).cloned(), members.cloned().collect())
    }

    pub(super) fn look(&self, query: &Query) -> Vec<Row> {
        match query {
            Query::Template(id) => self.templates(|row| row.id == *id),
            Query::Templates(firm) => {
                listed(self.templates(|row| firm.is_none() || row.firm.is_none() || row.firm == *firm))
            }
            Query::Room(id) => self.rooms(|row| row.id == *id),
            Query::Rooms(kind) => self.rooms(|row| row.id.kind == *kind),
            Query::RoomsOf { all, kind, firm, user } => {
                let own = |id: &RoomId| self.members.get(&(id.clone(), user.clone()));
                let of_firm = |row: &&RoomRow| row.id.kind == *kind && row.firm == *firm;
                let mut found = self.rooms(|row| {
                    of_firm(&row) && (*all || row.visibility == Visibility::Public || own(&row.id).is_some())
                });
                let roles = self.rooms.values().filter(of_firm).filter_map(|row| own(&row.id));
                found.extend(roles.take(FOUND_ROWS_MAX).cloned().map(Row::Member));
                found
            }
            Query::Members(room) => self.room(room).1.into_iter().map(Row::Member).collect(),
            Query::Session(id) => self.sessions.get(id).cloned().map(Row::Session).into_iter().collect(),
            Query::OpenSession { firm, user, template } => {
                let fits = |row: &&SessionRow| {
                    row.state == SessionState::Open
                        && (&row.firm, &row.user, &row.template) == (firm, user, template)
                };
                self.sessions.values().filter(fits).cloned().map(Row::Session).collect()
            }
            Query::Overdue { before, max } => {
                let overdue = |row: &&SessionRow| {
                    row.state == SessionState::Open && row.awaiting_since.is_some_and(|since| since < *before)
                };
                let mut found: Vec<_> = self.sessions.values().filter(overdue).cloned().collect();
                found.sort_by_key(|row| row.awaiting_since);
                found.into_iter().take(FOUND_ROWS_MAX.min(*max as usize)).map(Row::Session).collect()
            }
            Query::Document(id) => self.documents.get(id).cloned().map(Row::Document).into_iter().collect(),
            Query::Documents { firm, user } => {
                let fits = |row: &&DocumentRow| (&row.firm, &row.user) == (firm, user);
                let mut found: Vec<_> = self.documents.values().filter(fits).cloned().collect();
                found.sort_by_key(|row| Reverse((row.created_at, row.id.clone())));
                listed(found.into_iter().take(FOUND_ROWS_MAX).map(Row::Document).collect())
            }
        }
    }

    fn rooms(&self, fits: impl Fn(&RoomRow) -> bool) -> Vec<Row> {
        self.rooms.values().filter(|row| fits(row)).take(FOUND_ROWS_MAX).cloned().map(Row::Room).collect()
    }

    fn templates(&self, fits: impl Fn(&TemplateRow) -> bool) -> Vec<Row> {
        let found = self.templates.values().filter(|row| fits(row));
        found.take(FOUND_ROWS_MAX).cloned().map(Row::Template).collect()
    }
}

/// Rows as a list shows them, without what may be large.
fn listed(mut rows: Vec<Row>) -> Vec<Row> {
    for row in &mut rows {
        match row {
            Row::Template(template) => template.body.clear(),
            Row::Document(document) => document.markdown = None,
            Row::Room(_) | Row::Member(_) | Row::Session(_) => {}
        }
    }
    rows
}
