//! What backends ask and change: templates, rooms, members.

use super::asking::Asked;
use super::route::{Route, ServiceCall, UserCall};
use super::writing::{self, Write};
use super::{Changed, Decided, Door, Post, Step, Waiting, refused};
use crate::apps::{self, composed};
use crate::auth::UserType;
use crate::context::Context;
use crate::http::Response;
use crate::ids::{FirmId, RoomId, TemplateId, UserId};
use crate::json;
use crate::refusal::{Code, Refusal};
use crate::store::{
    Change, MemberRow, Query, Question, ROOM_MEMBERS_MAX, RoomRow, Row, RowKey, StoreRequest, TemplateRow,
    Visibility,
};
use crate::tickets::Pending;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The longest id and name, in bytes.
const ID_BYTES_MAX: usize = 128;
const NAME_BYTES_MAX: usize = 255;
/// The largest body of a template, in bytes.
const TEMPLATE_BODY_BYTES_MAX: usize = 256 * 1024;
/// The most questions of a template.
const QUESTIONS_MAX: usize = 200;

/// What a backend writes of a room.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoomBody {
    name: String,
    firm_id: Option<String>,
    visibility: Option<Visibility>,
}

#[derive(Deserialize)]
struct MemberBody {
    role: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TemplateBody {
    name: String,
    firm_id: Option<String>,
    questions: Vec<Question>,
    #[serde(default)]
    body: String,
}

impl Door {
    /// The caller is a backend.
    pub(super) fn on_service(&mut self, asked: Box<Asked>, ctx: &mut Context<'_>) -> Option<Decided> {
        let (query, step) = match &asked.route {
            Route::User(UserCall::Statistics) => return Some(Decided::Statistics(asked, None)),
            Route::User(UserCall::Document(id)) => (Query::Document(id.clone()), Step::Rows(None)),
            Route::Service(ServiceCall::Log { room, after, limit }) => {
                let request = StoreRequest::Read { room: room.clone(), after: *after, max: *limit };
                ctx.fx.store(request, Pending::Door(Waiting { asked, step: Step::Rows(None) }));
                return None;
            }
            Route::Service(ServiceCall::Amiss(what)) => return self.point_out(&asked, what, ctx),
            Route::Service(ServiceCall::Operator(operation)) => {
                let operation = operation.clone();
                return Some(Decided::Operated(asked, operation));
            }
            Route::Service(ServiceCall::Events) => {
                let Asked { request, origin, body, key, .. } = *asked;
                self.posting.insert(request, origin);
                return Some(Decided::Posted(Post { request, body, key }));
            }
            Route::Service(call) => look(call),
            Route::User(_) | Route::Asset(_) | Route::Health | Route::Open(_) | Route::Engine(_) => {
                return None;
            }
        };
        self.look(asked, query, step, ctx);
        None
    }

    /// Writes what a backend asked for, now that it is known what stands there.
    pub(super) fn write(&mut self, asked: Box<Asked>, rows: Vec<Row>, tries: u32, ctx: &mut Context<'_>) {
        let Route::Service(call) = &asked.route else { return };
        match change(call, &asked.body, rows) {
            Ok((change, changed)) => {
                if let Changed::RoomRemoved(room) = &changed {
                    ctx.rooms.removal_begins(room);
                }
                writing::send(asked, Write { change, changed, tries, late: false }, ctx);
            }
            Err(refusal) => self.answer(&asked, refused(refusal.code.status(), &refusal), ctx),
        }
    }
}

/// What is looked at for a call: what it shows, or what stands where it writes.
pub(super) fn look(call: &ServiceCall) -> (Query, Step) {
    match call {
        ServiceCall::Templates => (Query::Templates(None), Step::Rows(None)),
        ServiceCall::Template(id) => (Query::Template(id.clone()), Step::Rows(None)),
        ServiceCall::PutTemplate(id) | ServiceCall::RemoveTemplate(id) => {
            (Query::Template(id.clone()), Step::Before(0))
        }
        ServiceCall::Rooms(kind) => (Query::Rooms(*kind), Step::Rows(None)),
        ServiceCall::Room(room) => (Query::Room(room.clone()), Step::Rows(None)),
        ServiceCall::PutRoom(room) | ServiceCall::RemoveRoom(room) => {
            (Query::Room(room.clone()), Step::Before(0))
        }
        ServiceCall::Members(room) | ServiceCall::Member(room, _) => {
            (Query::Members(room.clone()), Step::Rows(None))
        }
        ServiceCall::PutMember(room, _) | ServiceCall::RemoveMember(room, _) => {
            (Query::Room(room.clone()), Step::Before(0))
        }
        ServiceCall::Log { room, .. } => (Query::Room(room.clone()), Step::Rows(None)),
        // These are given to others before anything is looked for.
        ServiceCall::Events | ServiceCall::Operator(_) | ServiceCall::Amiss(_) => {
            (Query::Templates(None), Step::Rows(None))
        }
    }
}

/// The change that a call makes, and what open rooms should know of it.
fn change(call: &ServiceCall, body: &[u8], before: Vec<Row>) -> Result<(Change, Changed), Refusal> {
    match call {
        ServiceCall::PutTemplate(id) => Ok((Change::Put(Row::Template(template(id, body)?)), Changed::Else)),
        ServiceCall::RemoveTemplate(id) => Ok((Change::Remove(RowKey::Template(id.clone())), Changed::Else)),
        ServiceCall::PutRoom(id) => {
            let before = before.into_iter().next();
            let is_new = before.is_none();
            let row = room(id, body, before)?;
            let written = Row::Room(row.clone());
            let change = if is_new { Change::Insert(written) } else { Change::Put(written) };
            Ok((change, Changed::Room(row)))
        }
        ServiceCall::RemoveRoom(id) => {
            Ok((Change::Remove(RowKey::Room(id.clone())), Changed::RoomRemoved(id.clone())))
        }
        ServiceCall::PutMember(room, user) => {
            let row = member(room, user, body, &before)?;
            Ok((Change::Put(Row::Member(row.clone())), Changed::Member(row)))
        }
        ServiceCall::RemoveMember(room, user) => Ok((
            Change::Remove(RowKey::Member(room.clone(), user.clone())),
            Changed::MemberRemoved(room.clone(), user.clone()),
        )),
        ServiceCall::Templates
        | ServiceCall::Template(_)
        | ServiceCall::Rooms(_)
        | ServiceCall::Room(_)
        | ServiceCall::Members(_)
        | ServiceCall::Member(..)
        | ServiceCall::Events
        | ServiceCall::Operator(_)
        | ServiceCall::Amiss(_)
        | ServiceCall::Log { .. } => Err(Refusal::new(Code::ServerError, "nothing to write")),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let bad = |error: String| Refusal::new(Code::ClientError, format!("bad body: {error}"));
    json::check(body).map_err(bad)?;
    let text = std::str::from_utf8(body).map_err(|error| bad(error.to_string()))?;
    json::object(text).map_err(bad)
}

fn template(id: &TemplateId, body: &[u8]) -> Result<TemplateRow, Refusal> {
    let TemplateBody { name, firm_id, questions, body } = read(body)?;
    check("id", id.as_str(), ID_BYTES_MAX)?;
    check("name", &name, NAME_BYTES_MAX)?;
    if questions.len() > QUESTIONS_MAX {
        return Err(Refusal::too_large("questions", questions.len(), QUESTIONS_MAX));
    }
    if body.len() > TEMPLATE_BODY_BYTES_MAX {
        return Err(Refusal::too_large("body", body.len(), TEMPLATE_BODY_BYTES_MAX));
    }
    let mut keys = BTreeSet::new();
    for question in &questions {
        check("a question's key", &question.key, ID_BYTES_MAX)?;
        if question.question.trim().is_empty() || !keys.insert(&question.key) {
            let message = format!("the question {:?} is empty or there twice", question.key);
            return Err(Refusal::new(Code::ClientError, message));
        }
    }
    Ok(TemplateRow { id: id.clone(), name, firm: firm_id.map(FirmId::from), questions, body })
}

fn room(id: &RoomId, body: &[u8], before: Option<Row>) -> Result<RoomRow, Refusal> {
    let RoomBody { name, firm_id, visibility } = read(body)?;
    check("id", &id.name, ID_BYTES_MAX)?;
    check("name", &name, NAME_BYTES_MAX)?;
    let name = composed(&name).into_owned();
    let before = before.and_then(|row| if let Row::Room(room) = row { Some(room) } else { None });
    let firm = firm_id.map(FirmId::from);
    match (before, firm) {
        (Some(before), Some(firm)) if before.firm != firm => {
            Err(Refusal::new(Code::Conflict, "the room belongs to another firm"))
        }
        (Some(before), _) => {
            Ok(RoomRow { name, visibility: visibility.unwrap_or(before.visibility), ..before })
        }
        (None, firm) => Ok(RoomRow {
            id: id.clone(),
            name,
            firm: firm.unwrap_or_else(|| "".into()),
            visibility: visibility.unwrap_or(Visibility::Public),
        }),
    }
}

/// `before`: the room's members as they are. Who is one already keeps its name and type, which only its own
/// token tells.
fn member(room: &RoomId, user: &UserId, body: &[u8], before: &[Row]) -> Result<MemberRow, Refusal> {
    let MemberBody { role } = read(body)?;
    check("userId", user.as_str(), ID_BYTES_MAX)?;
    let roles = apps::roles(room.kind);
    if !roles.contains(&role.as_str()) {
        let message = format!("the role {role:.64?} is none of: {}", roles.join(", "));
        return Err(Refusal::new(Code::ClientError, message));
    }
    let mut members =
        before.iter().filter_map(|row| if let Row::Member(member) = row { Some(member) } else { None });
    match members.find(|member| member.user == *user) {
        Some(member) => Ok(MemberRow { role, ..member.clone() }),
        None if before.len() >= ROOM_MEMBERS_MAX => {
            Err(Refusal::room_full(before.len() + 1, ROOM_MEMBERS_MAX))
        }
        None => {
            let (room, user) = (room.clone(), user.clone());
            Ok(MemberRow { room, user, role, name: None, user_type: UserType::Employee })
        }
    }
}

fn check(what: &str, text: &str, limit: usize) -> Result<(), Refusal> {
    if text.len() > limit {
        return Err(Refusal::too_large(what, text.len(), limit));
    }
    match text.trim().is_empty() || text.chars().any(char::is_control) {
        true => Err(Refusal::new(Code::ClientError, format!("{what} is empty or has control characters"))),
        false => Ok(()),
    }
}

/// Rows for a backend: a list, or the one that was asked for.
pub fn show(call: &ServiceCall, rows: &[Row]) -> Response {
    let wanted = |row: &&Row| match (call, row) {
        (ServiceCall::Member(_, user), Row::Member(member)) => member.user == *user,
        (_, _) => true,
    };
    let mut shown: Vec<Value> = rows.iter().filter(wanted).filter_map(row_json).collect();
    if *call == ServiceCall::Templates {
        // The store does not hand the bodies over with a list.
        shown.iter_mut().filter_map(Value::as_object_mut).for_each(|json| drop(json.remove("body")));
    }
    if !matches!(call, ServiceCall::Template(_) | ServiceCall::Room(_) | ServiceCall::Member(..)) {
        return Response::json(200, &shown);
    }
    match shown.first() {
        Some(one) => Response::json(200, one),
        None => refused(404, &Refusal::new(Code::NotFound, "there is no such thing")),
    }
}

fn row_json(row: &Row) -> Option<Value> {
    Some(match row {
        Row::Room(room) => room_json(room),
        Row::Member(member) => member_json(member),
        Row::Template(template) => {
            let TemplateRow { id, name, firm, questions, body } = template;
            let mut json = json!({"id": id, "name": name, "questions": questions, "body": body});
            if let Some(firm) = firm {
                json["firmId"] = json!(firm);
            }
            json
        }
        Row::Session(_)
        | Row::Document(_)
        | Row::Cursor(_)
        | Row::File(_)
        | Row::FilePart(_)
        | Row::Prompt(_)
        | Row::Escalation(_)
        | Row::Mark(_)
        | Row::SnapshotPart(_) => return None,
    })
}

fn room_json(room: &RoomRow) -> Value {
    let RoomRow { id, name, firm, visibility } = room;
    json!({"kind": id.kind.as_str(), "id": &*id.name, "name": name, "firmId": firm, "visibility": visibility})
}

fn member_json(member: &MemberRow) -> Value {
    let mut json = json!({"userId": member.user, "role": member.role, "userType": member.user_type});
    if let Some(name) = &member.name {
        json["name"] = json!(name);
    }
    json
}

/// The answer to a write.
pub fn written(changed: &Changed) -> Response {
    match changed {
        Changed::Room(room) => Response::json(200, &room_json(room)),
        Changed::Member(member) => Response::json(200, &member_json(member)),
        Changed::RoomRemoved(_) | Changed::RoomKept(_) | Changed::MemberRemoved(..) | Changed::Else => {
            Response::empty(204)
        }
    }
}

/// What open rooms should know when a write failed.
pub fn undone(changed: Changed) -> Option<Changed> {
    match changed {
        Changed::RoomRemoved(room) => Some(Changed::RoomKept(room)),
        Changed::Room(_)
        | Changed::RoomKept(_)
        | Changed::Member(_)
        | Changed::MemberRemoved(..)
        | Changed::Else => None,
    }
}
