//! What users ask over REST (WIRE §0.10): their templates, rooms and documents; and the console's files.

use super::asking::Asked;
use super::route::{Route, UserCall};
use super::{Door, Step, Waiting, admin, refused};
use crate::apps;
use crate::auth::{User, UserType};
use crate::context::Context;
use crate::http::{Body, Response};
use crate::ids::{RoomId, RoomKind, Seq};
use crate::job::Job;
use crate::refusal::{Code, Refusal};
use crate::store::{DocumentRow, Entry, Query, RoomRow, Row, StoreRequest};
use crate::tickets::Pending;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the console may load and do: its own files, and calls home.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the console.
pub fn asset(name: Cow<'static, str>) -> Response {
    Response { status: 200, headers: Vec::new(), body: Body::Asset(name) }
        .with("content-security-policy", CONTENT_SECURITY_POLICY)
        .with("referrer-policy", "no-referrer")
        .with("cache-control", "no-cache")
}

/// A document as a page that can do nothing.
pub fn page(page: String) -> Response {
    Response::new(200, "text/html; charset=utf-8", page)
        .with("content-security-policy", "default-src 'none'; sandbox")
        .with("vary", "Accept")
}

/// The rows that a user's call is about; `None`: it brings something.
pub fn query(call: &UserCall, user: &User) -> Option<Query> {
    Some(match call {
        UserCall::Templates | UserCall::Statistics => Query::Templates(Some(user.firm.clone())),
        UserCall::Rooms(kind) => Query::RoomsOf {
            all: user.user_type == UserType::Supervisor,
            kind: *kind,
            firm: user.firm.clone(),
            user: user.id.clone(),
        },
        UserCall::Documents => Query::Documents { firm: user.firm.clone(), user: user.id.clone() },
        UserCall::Document(id) => Query::Document(id.clone()),
        UserCall::File(id) => Query::File(id.clone()),
        UserCall::Upload { .. }
        | UserCall::Draft { .. }
        | UserCall::Realtime
        | UserCall::Sync
        | UserCall::Amiss(_) => return None,
    })
}

impl Door {
    /// Shows the rows that were asked for; `user` is none for a backend.
    pub(super) fn show(
        &mut self,
        asked: Box<Asked>,
        user: Option<Arc<User>>,
        rows: Vec<Row>,
        ctx: &mut Context<'_>,
    ) {
        match (&asked.route, user) {
            (Route::User(UserCall::Templates | UserCall::Statistics), _) => {
                self.answer(&asked, templates(&rows), ctx)
            }
            (Route::User(UserCall::Documents), _) => self.answer(&asked, documents(&rows), ctx),
            (Route::User(UserCall::Document(_)), user) => self.show_document(asked, user, rows, ctx),
            (Route::User(UserCall::Rooms(_)), Some(user)) => {
                let ids: Vec<RoomId> = visible(&rows, &user).map(|(room, _)| room.id.clone()).collect();
                let waiting = Waiting { asked, step: Step::Heads(rows, user) };
                ctx.fx.store(StoreRequest::Heads(ids), Pending::Door(waiting));
            }
            (Route::Service(call), _) => {
                let response = admin::show(call, &rows);
                self.answer(&asked, response, ctx);
            }
            (Route::User(_) | Route::Asset(_) | Route::Health | Route::Open(_) | Route::Engine(_), _) => {}
        }
    }

    fn show_document(
        &mut self,
        asked: Box<Asked>,
        user: Option<Arc<User>>,
        rows: Vec<Row>,
        ctx: &mut Context<'_>,
    ) {
        let owned = |document: &DocumentRow| {
            user.as_ref().is_none_or(|user| user.id == document.user && user.firm == document.firm)
        };
        let document = rows.into_iter().find_map(|row| {
            let Row::Document(document) = row else { return None };
            owned(&document).then_some(document)
        });
        let Some(document) = document else {
            let refusal = Refusal::new(Code::NotFound, "there is no such document");
            return self.answer(&asked, refused(404, &refusal), ctx);
        };
        match (preferred(&asked.accept), document.markdown) {
            (Preferred::Html, Some(markdown)) => {
                let waiting = Waiting { asked, step: Step::Page };
                ctx.fx.work(Job::Render { title: document.title, markdown }, Pending::Door(waiting));
            }
            (Preferred::Markdown, Some(markdown)) => {
                let response = Response::new(200, "text/markdown; charset=utf-8", markdown);
                self.answer(&asked, response.with("vary", "Accept"), ctx);
            }
            (Preferred::Markdown | Preferred::Html, None) => {
                let refusal = Refusal::new(Code::NotFound, "the AI service keeps this document");
                self.answer(&asked, refused(404, &refusal), ctx);
            }
            (Preferred::Json, markdown) => {
                let response =
                    Response::json(200, &document_json(&DocumentRow { markdown, ..document }, true));
                self.answer(&asked, response.with("vary", "Accept"), ctx);
            }
        }
    }
}

enum Preferred {
    Json,
    Markdown,
    Html,
}

/// The first media type of the three that is named.
fn preferred(accept: &str) -> Preferred {
    let named = accept.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
    named
        .filter_map(|media_type| match media_type {
            "text/markdown" => Some(Preferred::Markdown),
            "text/html" => Some(Preferred::Html),
            "application/json" => Some(Preferred::Json),
            _ => None,
        })
        .next()
        .unwrap_or(Preferred::Json)
}

fn templates(rows: &[Row]) -> Response {
    let templates = rows.iter().filter_map(|row| {
        let Row::Template(template) = row else { return None };
        Some(json!({"id": template.id, "name": template.name, "questions": template.questions.len()}))
    });
    Response::json(200, &templates.collect::<Vec<_>>())
}

fn documents(rows: &[Row]) -> Response {
    let documents = rows.iter().filter_map(|row| {
        let Row::Document(document) = row else { return None };
        Some(document_json(document, false))
    });
    Response::json(200, &documents.collect::<Vec<_>>())
}

fn document_json(document: &DocumentRow, whole: bool) -> Value {
    let mut json = json!({
        "id": document.id,
        "sessionId": document.session,
        "templateId": document.template,
        "templateName": document.template_name,
        "title": document.title,
        "createdAt": document.created_at.to_string(),
    });
    if let Some(markdown) = document.markdown.as_ref().filter(|_| whole) {
        json["markdown"] = json!(markdown);
    }
    json
}

fn room_of(row: &Row) -> Option<&RoomRow> {
    if let Row::Room(room) = row { Some(room) } else { None }
}

/// What the user is in each room that it is a member of.
fn roles(rows: &[Row]) -> BTreeMap<&RoomId, &str> {
    let members =
        rows.iter().filter_map(|row| if let Row::Member(member) = row { Some(member) } else { None });
    members.map(|member| (&member.room, member.role.as_str())).collect()
}

/// The rooms that a user may open: a guest only those it is a member of.
fn visible<'a>(rows: &'a [Row], user: &'a User) -> impl Iterator<Item = (&'a RoomRow, Option<&'a str>)> {
    let roles = roles(rows);
    let with_role = rows.iter().filter_map(room_of).map(move |room| (room, roles.get(&room.id).copied()));
    // A project has members and nobody else.
    let is_for_members =
        |room: &RoomRow| user.user_type == UserType::Guest || room.id.kind == RoomKind::Project;
    with_role.filter(move |(room, role)| role.is_some() || !is_for_members(room))
}

/// The rooms that a user may open, with its role and where their logs end.
pub fn rooms(rows: &[Row], heads: &[(RoomId, Seq)], user: &User) -> Response {
    let heads: BTreeMap<_, _> = heads.iter().map(|(room, head)| (room, head.0)).collect();
    let rooms = visible(rows, user).map(|(room, role)| {
        let last = heads.get(&room.id).copied().unwrap_or_default();
        let mut json =
            json!({"kind": room.id.kind.as_str(), "id": &*room.id.name, "name": room.name, "lastSeq": last});
        if let Some(role) = role {
            json["role"] = json!(role);
        }
        json
    });
    Response::json(200, &rooms.collect::<Vec<_>>())
}

/// Entries for a backend.
pub fn log(entries: &[Entry], head: Seq) -> Response {
    let entries = entries.iter().map(|entry| {
        let body = apps::shown(entry);
        json!({"seq": entry.seq, "id": entry.id, "author": entry.author, "at": entry.at.to_string(), "body": body})
    });
    Response::json(200, &json!({"entries": entries.collect::<Vec<_>>(), "lastSeq": head}))
}
