//! A file on its way in: its bytes are looked at, then the scanners, then it is stored piece by piece, then it is
//! submitted as a message. Before each of these its sender must be inside the room; membership may end meanwhile.

use super::super::message::{self, FileContent};
use super::super::{Chat, WRITE_TRIES_MAX, permitted, refused, room_for};
use super::sent::Source;
use super::{Errand, Offer, Sent, Waiting, pending};
use crate::action::Action;
use crate::auth::Permission;
use crate::call::{Call, Said, Scanned};
use crate::context::{Caller, Context};
use crate::door::refusal_response;
use crate::http::Response;
use crate::ids::{EntryId, FileId, RoomId};
use crate::job::{Content, Inspected, Job};
use crate::record::{Level, Record};
use crate::refusal::{Code, Refusal};
use crate::room::{Origin, QUEUED_ENTRIES_MAX, Submission};
use crate::store::{
    Change, Entry, FILE_PART_BYTES_MAX, FilePartRow, FileRow, NewEntry, Row, RowKey, StoreReply, StoreRequest,
};
use bytes::Bytes;
use serde_json::json;

/// A file on its way in.
#[derive(Debug)]
pub struct Upload {
    source: Source,
    room: RoomId,
    entry: EntryId,
    id: FileId,
    name: String,
    /// What it takes of the budget.
    weight: usize,
    content: Content,
    /// What it is, when that is known.
    inspected: Option<Inspected>,
    /// The first piece that is not stored.
    part: u32,
    /// How often that was tried.
    tries: u32,
    /// Whether the store may hold something of it.
    begun: bool,
}

impl Upload {
    /// The call that brings it, if it was one.
    pub fn caller(&self) -> Option<&Caller> {
        match &self.source {
            Source::Caller(caller) => Some(caller),
            Source::Request(..) => None,
        }
    }

    pub(super) fn room(&self) -> &RoomId {
        &self.room
    }

    fn next_piece(&self) -> Option<Bytes> {
        let bytes = &self.inspected.as_ref()?.bytes;
        let from = self.part as usize * FILE_PART_BYTES_MAX;
        let to = bytes.len().min(from + FILE_PART_BYTES_MAX);
        (from < bytes.len()).then(|| bytes.slice(from..to))
    }

    fn removal(&self) -> StoreRequest {
        let rows = vec![Change::Remove(RowKey::File(self.id.clone()))];
        StoreRequest::Commit { appends: vec![], rows }
    }

    /// What is told of it, and its row.
    fn completed(&self, inspected: &Inspected, ctx: &Context<'_>) -> (FileContent, FileRow) {
        let (size, mime_type) = (inspected.bytes.len() as u64, inspected.mime_type.to_string());
        let content = FileContent {
            file_id: self.id.clone(),
            name: self.name.clone(),
            size,
            mime_type: mime_type.clone(),
            url: format!("/api/files/{}", self.id),
        };
        let row = FileRow {
            id: self.id.clone(),
            room: self.room.clone(),
            user: self.source.user().id.clone(),
            name: self.name.clone(),
            mime_type,
            size,
            created_at: ctx.fx.now,
        };
        (content, row)
    }
}

impl Chat {
    /// A file comes over REST.
    pub fn on_offer(&mut self, offer: Offer, ctx: &mut Context<'_>) {
        let request = offer.request;
        let user = offer.user.clone();
        let begun =
            Sent::offered(&offer).and_then(|sent| self.begin(sent, Source::Request(request, user), ctx));
        if let Err(refusal) = begun {
            ctx.fx.answered.push((request, refusal_response(&refusal)));
        }
    }

    /// A file comes over a socket.
    pub(in super::super) fn upload(
        &mut self,
        sent: Sent,
        caller: &Caller,
        ctx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        self.begin(sent, Source::Caller(caller.clone()), ctx)
    }

    fn begin(&mut self, sent: Sent, source: Source, ctx: &mut Context<'_>) -> Result<(), Refusal> {
        permitted(source.user(), Permission::ChatUpload)?;
        if sent.content.is_empty() {
            return Err(Refusal::new(Code::ClientError, "the file is empty"));
        }
        if ctx.fx.is_busy() {
            return Err(Refusal::busy());
        }
        if let Content::Plain(bytes) = &sent.content {
            within_limit(bytes.len(), ctx)?;
        }
        let weight = sent.weight();
        self.files.coming.take(source.user(), weight)?;
        let entry = sent.id.unwrap_or_else(|| ctx.fx.rng.id("msg").into());
        let id = FileId::from(ctx.fx.rng.id("file"));
        let Sent { room, name, content, .. } = sent;
        let (part, tries) = (0, 0);
        let upload = Upload {
            source,
            room,
            entry,
            id,
            name,
            weight,
            content,
            inspected: None,
            part,
            tries,
            begun: false,
        };
        self.visit(Errand::Upload(Box::new(upload)), ctx);
        Ok(())
    }

    /// The next that is to be done with a file, whose room is open or not there.
    pub(super) fn go_on(&mut self, upload: Box<Upload>, ctx: &mut Context<'_>) {
        if let Err(refusal) = room_for(&upload.room, upload.source.user(), ctx.rooms) {
            return self.refuse_upload(upload, refusal, ctx);
        }
        if upload.inspected.is_none() {
            let job = Job::Inspect { content: upload.content.clone() };
            ctx.fx.work(job, pending(Waiting::Inspection(upload)));
        } else if let Some(piece) = upload.next_piece() {
            store_piece(upload, piece, ctx);
        } else {
            self.submit(upload, ctx);
        }
    }

    pub(super) fn on_inspected(
        &mut self,
        mut upload: Box<Upload>,
        inspected: Result<Inspected, String>,
        ctx: &mut Context<'_>,
    ) {
        let checked = match inspected {
            Ok(inspected) if inspected.bytes.is_empty() => {
                Err(Refusal::new(Code::ClientError, "the file is empty"))
            }
            Ok(inspected) => within_limit(inspected.bytes.len(), ctx).map(|()| inspected),
            Err(why) => Err(Refusal::new(Code::ClientError, format!("data is not base64: {why}"))),
        };
        let inspected = match checked {
            Ok(inspected) => inspected,
            Err(refusal) => return self.refuse_upload(upload, refusal, ctx),
        };
        let bytes = inspected.bytes.clone();
        upload.content = Content::Plain(Bytes::new());
        upload.inspected = Some(inspected);
        if !ctx.fx.settings.scanner {
            return self.visit(Errand::Upload(upload), ctx);
        }
        let id = upload.id.clone();
        let ticket = ctx.fx.call(Call::Scan { bytes }, pending(Waiting::Verdict(upload)));
        self.files.scans.insert(id, ticket);
    }

    /// The scanners have looked. Only one word of theirs lets a file through.
    pub(in super::super) fn on_verdict(&mut self, upload: Box<Upload>, said: Said, ctx: &mut Context<'_>) {
        self.files.scans.remove(&upload.id);
        let (reason, refusal) = match said {
            Said::Scanned(Scanned::Clean) => return self.visit(Errand::Upload(upload), ctx),
            Said::Scanned(Scanned::Infected { signature }) => {
                let mut details = json!({"reason": "infected"});
                if let Some(signature) = &signature {
                    details["signature"] = json!(signature);
                }
                let refusal = Refusal::new(Code::PermissionDenied, "the file is infected").with(details);
                (format!("infected: {}", signature.unwrap_or_default()), refusal)
            }
            Said::Failed(failure) => (format!("{failure:?}"), no_verdict()),
            Said::Delta(_) | Said::NextQuestion(_) | Said::Robot(_) | Said::Delivered => {
                ("another answer than was asked for".to_string(), no_verdict())
            }
        };
        let record = Record::new(Level::Warn, "file.refused").with("reason", reason);
        let record = record.with("userId", upload.source.user().id.as_str());
        ctx.fx.log(record.with("room", &*upload.room.name));
        self.refuse_upload(upload, refusal, ctx);
    }

    pub(super) fn on_verdict_late(&mut self, upload: Box<Upload>, ctx: &mut Context<'_>) {
        if let Some(ticket) = self.files.scans.remove(&upload.id) {
            ctx.fx.actions.push(Action::Cancel { ticket });
        }
        self.refuse_upload(upload, no_verdict(), ctx);
    }

    pub(super) fn on_piece_stored(
        &mut self,
        mut upload: Box<Upload>,
        reply: StoreReply,
        ctx: &mut Context<'_>,
    ) {
        match reply {
            StoreReply::Committed(_) => (upload.part, upload.tries) = (upload.part + 1, 0),
            // Written twice it is the same.
            StoreReply::Unknown if upload.tries < WRITE_TRIES_MAX => {}
            StoreReply::Unknown
            | StoreReply::Unavailable
            | StoreReply::Stale { .. }
            | StoreReply::Taken(_)
            | StoreReply::Loaded(_)
            | StoreReply::Entries { .. }
            | StoreReply::Heads(_)
            | StoreReply::Found(_)
            | StoreReply::Appended { .. } => {
                return self.refuse_upload(upload, Refusal::store_unavailable(), ctx);
            }
        }
        match upload.next_piece() {
            Some(piece) => store_piece(upload, piece, ctx),
            None => self.visit(Errand::Upload(upload), ctx),
        }
    }

    fn submit(&mut self, mut upload: Box<Upload>, ctx: &mut Context<'_>) {
        let taken = ctx.rooms.find(&upload.room).ok_or_else(Refusal::room_access_denied);
        if let Err(refusal) = taken.and_then(|room| room.takes_more(QUEUED_ENTRIES_MAX, &ctx.fx)) {
            return self.refuse_upload(upload, refusal, ctx);
        }
        let Some(inspected) = upload.inspected.take() else { return };
        let (content, row) = upload.completed(&inspected, ctx);
        let user = upload.source.user();
        let body = message::file_body(&content, inspected.digest, user.name.clone());
        let entry = NewEntry { id: upload.entry.clone(), author: user.id.clone(), body };
        let rows = vec![Change::Insert(Row::File(row))];
        if let Some(room) = ctx.rooms.find(&upload.room) {
            room.take(Submission { origin: Origin::Upload(upload), entry, rows }, &mut ctx.fx);
        }
    }

    /// A file was submitted as a message, and this came of it.
    pub fn on_uploaded(
        &mut self,
        upload: Box<Upload>,
        result: Result<Entry, Refusal>,
        ctx: &mut Context<'_>,
    ) {
        match result {
            Ok(entry) => {
                // The same file came before under the same id, and that one stays.
                if message::file(&entry).is_none_or(|file| file.file_id != upload.id) {
                    ctx.fx.store(upload.removal(), pending(Waiting::Removal));
                }
                if let Source::Request(request, _) = &upload.source {
                    ctx.fx.answered.push((*request, created(&entry)));
                }
                self.files.coming.give_back(upload.source.user(), upload.weight);
            }
            // It may be stored, or be stored yet: then its pieces are needed, and else they are orphans.
            Err(refusal) if refusal.code != Code::Conflict => {
                self.refuse_upload(Box::new(Upload { begun: false, ..*upload }), refusal, ctx);
            }
            Err(refusal) => self.refuse_upload(upload, refusal, ctx),
        }
    }

    pub(super) fn refuse_upload(&mut self, upload: Box<Upload>, refusal: Refusal, ctx: &mut Context<'_>) {
        if upload.begun {
            ctx.fx.store(upload.removal(), pending(Waiting::Removal));
        }
        self.files.coming.give_back(upload.source.user(), upload.weight);
        match &upload.source {
            Source::Caller(caller) => ctx.fx.refuse(caller, &refused(&refusal)),
            Source::Request(request, _) => ctx.fx.answered.push((*request, refusal_response(&refusal))),
        }
    }
}

fn store_piece(mut upload: Box<Upload>, bytes: Bytes, ctx: &mut Context<'_>) {
    upload.tries += 1;
    upload.begun = true;
    let row = FilePartRow { file: upload.id.clone(), part: upload.part, bytes };
    let rows = vec![Change::Put(Row::FilePart(row))];
    ctx.fx.store(StoreRequest::Commit { appends: vec![], rows }, pending(Waiting::Piece(upload)));
}

fn within_limit(bytes: usize, ctx: &Context<'_>) -> Result<(), Refusal> {
    let limit = ctx.fx.settings.file_bytes_max as usize;
    match bytes > limit {
        true => Err(Refusal::too_large("the file", bytes, limit)),
        false => Ok(()),
    }
}

fn no_verdict() -> Refusal {
    Refusal::new(Code::ServerError, "the file could not be scanned")
}

/// The answer to a request that brought a file.
fn created(entry: &Entry) -> Response {
    let told = message::answer(entry);
    let response = Response::new(201, "application/json", told.data.as_str().to_string());
    match message::file(entry) {
        Some(file) => response.with("location", file.url),
        None => response,
    }
}
