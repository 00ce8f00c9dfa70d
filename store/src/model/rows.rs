//! The rows beside the logs, in maps by their keys.

use super::files::Files;
use super::snapshots::Snapshots;
use parlor_protocol::ids::{DocumentId, EntryId, EscalationId, RoomId, Seq, SessionId, TemplateId, UserId};
use parlor_protocol::store::{
    Change, CursorRow, DocumentRow, EscalationRow, FOUND_ROWS_MAX, MarkRow, MemberRow, PromptRow, Query,
    ROOM_MEMBERS_MAX, RoomRow, Row, RowKey, SessionRow, SessionState, Snapshot, TemplateRow, Visibility,
};
use parlor_protocol::time::Timestamp;
use std::cmp::Reverse;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Rows {
    rooms: BTreeMap<RoomId, RoomRow>,
    members: BTreeMap<(RoomId, UserId), MemberRow>,
    templates: BTreeMap<TemplateId, TemplateRow>,
    sessions: BTreeMap<SessionId, SessionRow>,
    documents: BTreeMap<DocumentId, DocumentRow>,
    cursors: BTreeMap<(RoomId, UserId), Seq>,
    prompts: BTreeMap<(RoomId, EntryId), PromptRow>,
    escalations: BTreeMap<EscalationId, EscalationRow>,
    marks: BTreeMap<String, MarkRow>,
    files: Files,
    snapshots: Snapshots,
}

/// The room that goes, with its log, when this change is written.
pub(super) fn removed_room(change: &Change) -> Option<&RoomId> {
    match change {
        Change::Remove(RowKey::Room(room)) => Some(room),
        Change::Remove(
            RowKey::Member(..)
            | RowKey::Template(_)
            | RowKey::Session(_)
            | RowKey::Document(_)
            | RowKey::Cursor(..)
            | RowKey::File(_)
            | RowKey::FilePart(..)
            | RowKey::Prompt(..)
            | RowKey::Escalation(_)
            | RowKey::Mark(_)
            | RowKey::SnapshotPart(..),
        )
        | Change::Insert(_)
        | Change::Put(_)
        | Change::Trim { .. } => None,
    }
}

impl Rows {
    /// The rooms that these changes make, where there is none yet.
    pub(super) fn begun<'a>(&self, changes: &'a [Change]) -> Vec<&'a RoomId> {
        let made = changes.iter().filter_map(|change| match change {
            Change::Insert(Row::Room(room)) => Some(&room.id),
            Change::Insert(_) | Change::Put(_) | Change::Remove(_) | Change::Trim { .. } => None,
        });
        made.filter(|id| !self.rooms.contains_key(*id)).collect()
    }

    /// Writes the change, unless another row has its key: then that key is returned.
    pub(super) fn write(&mut self, now: Timestamp, change: &Change) -> Option<RowKey> {
        match change {
            Change::Insert(row) => self.standing(row).or_else(|| self.put(now, row)),
            Change::Put(row) => self.put(now, row),
            Change::Remove(key) => {
                self.remove(key);
                None
            }
            // That of the logs, which are not among the rows.
            Change::Trim { .. } => None,
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
            Row::Cursor(row) => {
                let key = (row.room.clone(), row.user.clone());
                (self.cursors.contains_key(&key), RowKey::Cursor(key.0, key.1))
            }
            Row::Prompt(row) => {
                let key = (row.room.clone(), row.id.clone());
                (self.prompts.contains_key(&key), RowKey::Prompt(key.0, key.1))
            }
            Row::Escalation(row) => {
                (self.escalations.contains_key(&row.id), RowKey::Escalation(row.id.clone()))
            }
            Row::Mark(row) => (self.marks.contains_key(&row.name), RowKey::Mark(row.name.clone())),
            Row::SnapshotPart(row) => {
                let key = RowKey::SnapshotPart(row.room.clone(), row.seq, row.part);
                (self.snapshots.has(&row.room, row.seq, row.part), key)
            }
            Row::File(row) => (self.files.file(&row.id).is_some(), RowKey::File(row.id.clone())),
            Row::FilePart(row) => {
                (self.files.has_part(&row.file, row.part), RowKey::FilePart(row.file.clone(), row.part))
            }
        };
        stands.then_some(key)
    }

    fn put(&mut self, now: Timestamp, row: &Row) -> Option<RowKey> {
        match row.clone() {
            Row::Room(row) => {
                if self.rooms.get(&row.id).is_some_and(|room| room.firm != row.firm) {
                    return Some(RowKey::Room(row.id));
                }
                self.rooms.insert(row.id.clone(), row);
            }
            Row::Member(row) => drop(self.members.insert((row.room.clone(), row.user.clone()), row)),
            Row::Template(row) => drop(self.templates.insert(row.id.clone(), row)),
            Row::Document(row) => drop(self.documents.insert(row.id.clone(), row)),
            Row::Session(row) => return self.put_session(row),
            Row::Cursor(CursorRow { room, user, seq }) => {
                let cursor = self.cursors.entry((room, user)).or_default();
                *cursor = seq.max(*cursor);
            }
            Row::Prompt(row) => drop(self.prompts.insert((row.room.clone(), row.id.clone()), row)),
            Row::Escalation(row) => drop(self.escalations.insert(row.id.clone(), row)),
            Row::Mark(row) => drop(self.marks.insert(row.name.clone(), row)),
            Row::File(row) => self.files.put(row),
            Row::FilePart(row) => self.files.put_part(now, row),
            Row::SnapshotPart(row) => self.snapshots.put(row),
        }
        None
    }

    fn put_session(&mut self, row: SessionRow) -> Option<RowKey> {
        let rival = |other: &&SessionRow| {
            other.state == SessionState::Open
                && (&other.firm, &other.user, &other.template) == (&row.firm, &row.user, &row.template)
                && other.id != row.id
        };
        if row.state == SessionState::Open
            && let Some(rival) = self.sessions.values().find(rival)
        {
            return Some(RowKey::Session(rival.id.clone()));
        }
        self.sessions.insert(row.id.clone(), row);
        None
    }

    pub(super) fn remove(&mut self, key: &RowKey) {
        match key {
            RowKey::Room(id) => {
                self.rooms.remove(id);
                self.members.retain(|(room, _), _| room != id);
                self.cursors.retain(|(room, _), _| room != id);
                self.prompts.retain(|(room, _), _| room != id);
                self.escalations.retain(|_, row| row.room != *id);
                self.files.remove_room(id);
                self.snapshots.remove_room(id);
            }
            RowKey::Member(room, user) => drop(self.members.remove(&(room.clone(), user.clone()))),
            RowKey::Template(id) => drop(self.templates.remove(id)),
            RowKey::Session(id) => drop(self.sessions.remove(id)),
            RowKey::Document(id) => drop(self.documents.remove(id)),
            RowKey::Cursor(room, user) => drop(self.cursors.remove(&(room.clone(), user.clone()))),
            RowKey::Prompt(room, id) => drop(self.prompts.remove(&(room.clone(), id.clone()))),
            RowKey::Escalation(id) => drop(self.escalations.remove(id)),
            RowKey::Mark(name) => drop(self.marks.remove(name)),
            RowKey::File(id) => self.files.remove(id),
            RowKey::FilePart(file, part) => self.files.remove_part(file, *part),
            RowKey::SnapshotPart(room, seq, part) => self.snapshots.remove(room, *seq, *part),
        }
    }

    /// The room's whole snapshot, if it is within the log.
    pub(super) fn snapshot(&self, id: &RoomId, head: Seq) -> Option<Snapshot> {
        self.snapshots.find(id, head)
    }

    /// The room's row in the directory, and its members by user.
    pub(super) fn room(&self, id: &RoomId) -> (Option<RoomRow>, Vec<MemberRow>) {
        let members = self.members.values().filter(|member| member.room == *id).take(ROOM_MEMBERS_MAX);
        (self.rooms.get(id).cloned(), members.cloned().collect())
    }

    /// How far users have read in the room, by user.
    pub(super) fn cursors(&self, id: &RoomId) -> Vec<(UserId, Seq)> {
        let cursors = self.cursors.iter().filter(|((room, _), _)| room == id).take(ROOM_MEMBERS_MAX);
        cursors.map(|((_, user), seq)| (user.clone(), *seq)).collect()
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
            Query::Overdue { before, max } => self.overdue(*before, *max),
            Query::Document(id) => self.documents.get(id).cloned().map(Row::Document).into_iter().collect(),
            Query::Documents { firm, user } => {
                let fits = |row: &&DocumentRow| (&row.firm, &row.user) == (firm, user);
                let mut found: Vec<_> = self.documents.values().filter(fits).cloned().collect();
                found.sort_by_key(|row| Reverse((row.created_at, row.id.clone())));
                listed(found.into_iter().take(FOUND_ROWS_MAX).map(Row::Document).collect())
            }
            Query::File(id) => self.files.file(id).cloned().map(Row::File).into_iter().collect(),
            Query::FileParts { file, from, max } => self.files.parts(file, *from, *max),
            Query::OrphanFiles { before, max } => self.files.orphans(*before, *max),
            Query::OverduePrompts { before, max } => self.overdue_prompts(*before, *max),
            Query::Escalation(id) => {
                self.escalations.get(id).cloned().map(Row::Escalation).into_iter().collect()
            }
            Query::OpenEscalations { firm } => {
                let fits = |row: &&EscalationRow| row.firm == *firm && !row.resolved;
                let mut found: Vec<_> = self.escalations.values().filter(fits).cloned().collect();
                found.sort_by_key(|row| row.created_at);
                found.into_iter().take(FOUND_ROWS_MAX).map(Row::Escalation).collect()
            }
            Query::Mark(name) => self.marks.get(name).cloned().map(Row::Mark).into_iter().collect(),
            // Entries are no rows, and where logs end is not known here.
            Query::Appended { .. }
            | Query::Entry { .. }
            | Query::IdleSessions { .. }
            | Query::Outdated { .. } => Vec::new(),
        }
    }

    /// The sessions that are not complete, await no reply and were not touched since.
    pub(super) fn untouched(&self, before: Timestamp) -> impl Iterator<Item = &SessionRow> {
        self.sessions.values().filter(move |row| {
            row.state != SessionState::Complete && row.awaiting_since.is_none() && row.touched_at < before
        })
    }

    fn overdue(&self, before: Timestamp, max: u32) -> Vec<Row> {
        let overdue = |row: &&SessionRow| {
            row.state == SessionState::Open && row.awaiting_since.is_some_and(|since| since < before)
        };
        let mut found: Vec<_> = self.sessions.values().filter(overdue).cloned().collect();
        found.sort_by_key(|row| row.awaiting_since);
        found.into_iter().take(FOUND_ROWS_MAX.min(max as usize)).map(Row::Session).collect()
    }

    fn overdue_prompts(&self, before: Timestamp, max: u32) -> Vec<Row> {
        let mut found: Vec<_> = self.prompts.values().filter(|row| row.since < before).cloned().collect();
        found.sort_by_key(|row| (row.since, row.room.kind.as_str(), row.room.name.clone(), row.id.clone()));
        found.into_iter().take(FOUND_ROWS_MAX.min(max as usize)).map(Row::Prompt).collect()
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
        if let Row::Template(template) = row {
            template.body.clear();
        } else if let Row::Document(document) = row {
            document.markdown = None;
        }
    }
    rows
}
