//! Files and their pieces. A file whose pieces are stored and which is not yet a row is an upload; it is known when
//! its last piece came.

use parlor_protocol::ids::{FileId, RoomId};
use parlor_protocol::store::{FOUND_PARTS_MAX, FOUND_ROWS_MAX, FilePartRow, FileRow, Row};
use parlor_protocol::time::Timestamp;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Files {
    files: BTreeMap<FileId, FileRow>,
    parts: BTreeMap<(FileId, u32), FilePartRow>,
    uploads: BTreeMap<FileId, Timestamp>,
}

impl Files {
    pub(super) fn file(&self, id: &FileId) -> Option<&FileRow> {
        self.files.get(id)
    }

    pub(super) fn has_part(&self, file: &FileId, part: u32) -> bool {
        self.parts.contains_key(&(file.clone(), part))
    }

    pub(super) fn put(&mut self, row: FileRow) {
        self.uploads.remove(&row.id);
        self.files.insert(row.id.clone(), row);
    }

    pub(super) fn put_part(&mut self, now: Timestamp, row: FilePartRow) {
        if !self.files.contains_key(&row.file) {
            let touched_at = self.uploads.entry(row.file.clone()).or_insert(now);
            *touched_at = now.max(*touched_at);
        }
        self.parts.insert((row.file.clone(), row.part), row);
    }

    pub(super) fn remove(&mut self, id: &FileId) {
        self.files.remove(id);
        self.uploads.remove(id);
        self.parts.retain(|(file, _), _| file != id);
    }

    pub(super) fn remove_part(&mut self, file: &FileId, part: u32) {
        self.parts.remove(&(file.clone(), part));
        if !self.parts.keys().any(|(other, _)| other == file) {
            self.uploads.remove(file);
        }
    }

    pub(super) fn remove_room(&mut self, room: &RoomId) {
        let of_room: Vec<_> =
            self.files.values().filter(|row| row.room == *room).map(|row| row.id.clone()).collect();
        of_room.iter().for_each(|id| self.remove(id));
    }

    pub(super) fn parts(&self, file: &FileId, from: u32, max: u32) -> Vec<Row> {
        let found = self.parts.range((file.clone(), from)..=(file.clone(), u32::MAX));
        found.take(FOUND_PARTS_MAX.min(max as usize)).map(|(_, row)| Row::FilePart(row.clone())).collect()
    }

    pub(super) fn orphans(&self, before: Timestamp, max: u32) -> Vec<Row> {
        let mut found: Vec<_> = self.uploads.iter().filter(|(_, touched_at)| **touched_at < before).collect();
        found.sort_by_key(|(_, touched_at)| **touched_at);
        let files = found.into_iter().take(FOUND_ROWS_MAX.min(max as usize)).map(|(file, _)| file.clone());
        files.map(|file| Row::FilePart(FilePartRow { file, part: 0, bytes: Default::default() })).collect()
    }
}
