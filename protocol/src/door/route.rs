//! Paths and methods: what a request is for (WIRE §0.10).

use crate::apps::{composed, drafts};
use crate::connection::{Endpoint, named};
use crate::http::{HeadFault, RequestHead, decode};
use crate::ids::{ConnectionId, DocumentId, FileId, RoomId, RoomKind, Seq, TemplateId, UserId};
use crate::socket_io::engine;
use std::borrow::Cow;

/// Where y-websocket providers come in; the rest of the path is the draft's id.
pub const YJS_PATH: &str = "/yjs/";

/// What a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// A file of the console.
    Asset(Cow<'static, str>),
    /// `/health`, `/api/health`, `/api/websocket/health`
    Health,
    /// A WebSocket.
    Open(Endpoint),
    /// What is asked of Socket.IO's engine.
    Engine(EngineCall),
    /// What a user asks.
    User(UserCall),
    /// What a backend asks.
    Service(ServiceCall),
}

/// What is asked of Socket.IO's engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineCall {
    /// What, or why it is refused.
    pub asked: Result<engine::Asked, engine::Refused>,
    /// Whether the body is text.
    pub text: bool,
}

impl EngineCall {
    /// Whether a session is to be opened.
    pub fn opens(&self) -> bool {
        matches!(self.asked, Ok(engine::Asked::PollOpen | engine::Asked::SocketOpen))
    }
}

/// What a user asks over REST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserCall {
    /// `GET /api/templates`
    Templates,
    /// `GET /api/rooms?kind=`
    Rooms(RoomKind),
    /// `GET /api/documents`
    Documents,
    /// `GET /api/websocket/stats`; a backend may ask it too.
    Statistics,
    /// `GET /api/realtime`
    Realtime,
    /// `POST /api/realtime`
    Sync,
    /// `GET /api/documents/{id}`; a backend may ask it too.
    Document(DocumentId),
    /// `POST /api/files?roomId=R&name=N`
    Upload {
        /// The room's id, as it came.
        room: String,
        /// The file's name, as it came.
        name: String,
    },
    /// `GET /api/files/{id}`
    File(FileId),
    /// Something with a parameter that is missing or out of range.
    Amiss(&'static str),
    /// `/api/drafts/{id}/…`
    Draft {
        /// The draft, as it is named.
        draft: String,
        /// What is asked of it.
        ask: drafts::Ask,
    },
}

impl UserCall {
    /// Whether a backend may ask it too.
    pub fn serves_backends(&self) -> bool {
        matches!(self, Self::Document(_) | Self::Statistics)
    }
}

/// What a backend asks over REST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceCall {
    /// `POST /api/events`
    Events,
    /// `GET /api/admin/templates`
    Templates,
    /// `GET /api/admin/templates/{id}`
    Template(TemplateId),
    /// `PUT /api/admin/templates/{id}`
    PutTemplate(TemplateId),
    /// `DELETE /api/admin/templates/{id}`
    RemoveTemplate(TemplateId),
    /// `GET /api/admin/rooms/{kind}`
    Rooms(RoomKind),
    /// `GET /api/admin/rooms/{kind}/{id}`
    Room(RoomId),
    /// `PUT /api/admin/rooms/{kind}/{id}`
    PutRoom(RoomId),
    /// `DELETE /api/admin/rooms/{kind}/{id}`
    RemoveRoom(RoomId),
    /// `GET /api/admin/rooms/{kind}/{id}/members`
    Members(RoomId),
    /// `GET /api/admin/rooms/{kind}/{id}/members/{userId}`
    Member(RoomId, UserId),
    /// `PUT /api/admin/rooms/{kind}/{id}/members/{userId}`
    PutMember(RoomId, UserId),
    /// `DELETE /api/admin/rooms/{kind}/{id}/members/{userId}`
    RemoveMember(RoomId, UserId),
    /// `GET /api/admin/rooms/{kind}/{id}/log?after=&limit=`
    Log {
        /// Of which room.
        room: RoomId,
        /// After which place.
        after: Seq,
        /// At most so many.
        limit: u32,
    },
    /// What operators ask and do.
    Operator(Operation),
    /// Something with a parameter that is missing or out of range.
    Amiss(&'static str),
}

/// What an operator asks or does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// `GET /metrics`
    Metrics,
    /// `GET /api/admin/connections?userId=&room=&after=`
    Connections {
        /// Of whom.
        user: Option<UserId>,
        /// In which room: its id, or its kind and its id.
        room: Option<String>,
        /// After which connection.
        after: Option<ConnectionId>,
    },
    /// `DELETE /api/admin/connections/{connectionId}`; `None`: no connection is called so.
    Disconnect(Option<ConnectionId>),
    /// `POST /api/admin/disconnect`
    DisconnectUser,
}

/// Why a request is for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoRoute {
    /// Nothing is at this path: 404.
    Unknown,
    /// The path takes other methods: 405.
    Method(&'static str),
    /// A preflight for these methods: 204.
    Preflight(&'static str),
    /// A parameter that is missing or out of range: 400, once it is known who asks.
    Parameter(&'static str),
}

/// Why a request with a body leads nowhere, whatever stands in the body.
pub fn leads_nowhere(head: &RequestHead) -> Option<HeadFault> {
    match route(head) {
        Err(NoRoute::Unknown) => Some(HeadFault::NotFound),
        Err(NoRoute::Method(allow)) => Some(HeadFault::Method(allow)),
        Err(NoRoute::Preflight(_) | NoRoute::Parameter(_)) | Ok(_) => None,
    }
}

/// The most entries that one look into a room's log shows.
const LOG_ENTRIES_MAX: u32 = 1_000;

/// What the request is for.
pub fn route(head: &RequestHead) -> Result<Route, NoRoute> {
    if head.path().starts_with(YJS_PATH) {
        return read_only(head, Route::Open(Endpoint::YWebsocket));
    }
    let segments: Option<Vec<String>> =
        head.path().split('/').skip(1).map(|segment| decode(segment, false)).collect();
    let segments = segments.ok_or(NoRoute::Unknown)?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        [""] if head.is_upgrade() => Ok(Route::Open(Endpoint::Documents)),
        [""] => read_only(head, Route::Asset(Cow::Borrowed("index.html"))),
        ["console", file] => read_only(head, Route::Asset(Cow::Owned((*file).to_string()))),
        ["console", folder, file] => read_only(head, Route::Asset(Cow::Owned(format!("{folder}/{file}")))),
        ["client", file] => read_only(head, Route::Asset(Cow::Owned(format!("client/{file}")))),
        ["metrics"] => read_only(head, Route::Service(ServiceCall::Operator(Operation::Metrics))),
        ["health"] | ["api", "health"] | ["api", "websocket", "health"] => read_only(head, Route::Health),
        ["documents"] => read_only(head, Route::Open(Endpoint::Documents)),
        ["chat"] => read_only(head, Route::Open(Endpoint::Chat)),
        ["api", "connect"] => read_only(head, Route::Open(Endpoint::Connect)),
        ["socket.io"] | ["socket.io", ""] if head.method == "OPTIONS" => Err(NoRoute::Preflight("GET, POST")),
        ["socket.io"] | ["socket.io", ""] => {
            let (asked, text) = (engine::read_request(head), engine::is_text(head));
            Ok(Route::Engine(EngineCall { asked, text }))
        }
        ["ws"] => read_only(head, Route::Open(Endpoint::Drafts)),
        ["hocuspocus"] => read_only(head, Route::Open(Endpoint::Hocuspocus)),
        ["api", "realtime"] if head.is_upgrade() => Ok(Route::Open(Endpoint::Realtime)),
        ["api", "realtime"] => match methods(head, "GET, HEAD, POST", &["GET", "HEAD", "POST"])? {
            "POST" => Ok(Route::User(UserCall::Sync)),
            _ => Ok(Route::User(UserCall::Realtime)),
        },
        ["echo"] => read_only(head, Route::Open(Endpoint::Echo)),
        ["api", "admin", rest @ ..] => known(service(head, rest), ServiceCall::Amiss).map(Route::Service),
        ["api", "events"] => methods(head, "POST", &["POST"]).map(|_| Route::Service(ServiceCall::Events)),
        ["api", rest @ ..] => known(user(head, rest), UserCall::Amiss).map(Route::User),
        _ => Err(NoRoute::Unknown),
    }
}

/// What is wrong with a parameter is said to those who may ask at all.
fn known<T>(call: Result<T, NoRoute>, amiss: impl FnOnce(&'static str) -> T) -> Result<T, NoRoute> {
    match call {
        Err(NoRoute::Parameter(what)) => Ok(amiss(what)),
        call => call,
    }
}

fn user(head: &RequestHead, segments: &[&str]) -> Result<UserCall, NoRoute> {
    let call = match segments {
        ["templates"] => UserCall::Templates,
        ["websocket", "stats"] => UserCall::Statistics,
        ["documents"] => UserCall::Documents,
        ["documents", id] if !id.is_empty() => UserCall::Document(DocumentId::from(*id)),
        ["files"] => {
            methods(head, "POST", &["POST"])?;
            let room = head.parameter("roomId").ok_or(NoRoute::Parameter("roomId is missing"))?;
            let name = head.parameter("name").ok_or(NoRoute::Parameter("name is missing"))?;
            return Ok(UserCall::Upload { room, name });
        }
        ["drafts", draft, rest @ ..] if !draft.is_empty() => return of_draft(head, draft, rest),
        ["files", id] if !id.is_empty() => UserCall::File(FileId::from(*id)),
        ["rooms"] => {
            return methods(head, "GET", &["GET"]).and_then(|_| {
                let kind = head.parameter("kind").ok_or(NoRoute::Parameter("kind is missing"))?;
                let kind = admin_kind(&kind)
                    .ok_or(NoRoute::Parameter("kind is none of: chat, project, dashboard, draft"))?;
                Ok(UserCall::Rooms(kind))
            });
        }
        _ => return Err(NoRoute::Unknown),
    };
    read_only(head, call)
}

/// The most runs that one look into a draft's history shows.
const RUNS_MAX: u64 = 200;

fn of_draft(head: &RequestHead, draft: &str, segments: &[&str]) -> Result<UserCall, NoRoute> {
    let ask = match segments {
        ["restore"] => {
            methods(head, "POST", &["POST"])?;
            drafts::Ask::Restore
        }
        ["comments"] => drafts::Ask::Comments,
        ["versions", seq] => {
            read_only(head, ())?;
            let seq = seq.parse().map_err(|_| NoRoute::Parameter("the version is not a number"))?;
            drafts::Ask::Version(Seq(seq))
        }
        ["history"] => {
            read_only(head, ())?;
            let before = number(head, "before", "before is not a number")?.map(Seq);
            let limit = number(head, "limit", "limit is not a number")?.unwrap_or(50);
            match (1..=RUNS_MAX).contains(&limit) {
                true => drafts::Ask::History { before, limit: limit as usize },
                false => return Err(NoRoute::Parameter("limit is not 1 to 200")),
            }
        }
        _ => return Err(NoRoute::Unknown),
    };
    let call = UserCall::Draft { draft: draft.to_string(), ask };
    if ask == drafts::Ask::Restore { Ok(call) } else { read_only(head, call) }
}

fn number(head: &RequestHead, name: &str, what: &'static str) -> Result<Option<u64>, NoRoute> {
    head.parameter(name).map(|text| text.parse().map_err(|_| NoRoute::Parameter(what))).transpose()
}

fn service(head: &RequestHead, segments: &[&str]) -> Result<ServiceCall, NoRoute> {
    const READ: (&str, &[&str]) = ("GET", &["GET"]);
    const WRITE: (&str, &[&str]) = ("GET, PUT, DELETE", &["GET", "PUT", "DELETE"]);
    let room = |kind: &str, name: &str| {
        let named = admin_kind(kind).filter(|_| !name.is_empty()).ok_or(NoRoute::Unknown);
        named.map(|kind| RoomId { kind, name: composed(name).into() })
    };
    match segments {
        ["templates"] => methods(head, READ.0, READ.1).map(|_| ServiceCall::Templates),
        ["templates", id] if !id.is_empty() => {
            let id = TemplateId::from(*id);
            by_method(
                head,
                WRITE,
                id,
                ServiceCall::Template,
                ServiceCall::PutTemplate,
                ServiceCall::RemoveTemplate,
            )
        }
        ["rooms", kind] => {
            let kind = admin_kind(kind).ok_or(NoRoute::Unknown)?;
            methods(head, READ.0, READ.1).map(|_| ServiceCall::Rooms(kind))
        }
        ["rooms", kind, name] => {
            let room = room(kind, name)?;
            by_method(head, WRITE, room, ServiceCall::Room, ServiceCall::PutRoom, ServiceCall::RemoveRoom)
        }
        ["rooms", kind, name, "members"] => {
            let room = room(kind, name)?;
            methods(head, READ.0, READ.1).map(|_| ServiceCall::Members(room))
        }
        ["rooms", kind, name, "members", user] if !user.is_empty() => {
            let place = (room(kind, name)?, UserId::from(*user));
            let (look, put, remove) = (
                |(room, user)| ServiceCall::Member(room, user),
                |(room, user)| ServiceCall::PutMember(room, user),
                |(room, user)| ServiceCall::RemoveMember(room, user),
            );
            by_method(head, WRITE, place, look, put, remove)
        }
        ["connections"] => {
            methods(head, READ.0, READ.1)?;
            let given = |name: &str| head.parameter(name).filter(|value| !value.is_empty());
            let after = given("after").map(|after| named(&after).ok_or(NO_CONNECTION)).transpose()?;
            let (user, room) = (given("userId").map(UserId::from), given("room"));
            Ok(ServiceCall::Operator(Operation::Connections { user, room, after }))
        }
        ["connections", id] => {
            methods(head, "DELETE", &["DELETE"])?;
            Ok(ServiceCall::Operator(Operation::Disconnect(named(id))))
        }
        ["disconnect"] => {
            methods(head, "POST", &["POST"])?;
            Ok(ServiceCall::Operator(Operation::DisconnectUser))
        }
        ["rooms", kind, name, "log"] => {
            let room = room(kind, name)?;
            methods(head, READ.0, READ.1)?;
            let after = Seq(number(head, "after", "after is not a number")?.unwrap_or(0));
            let limit = number(head, "limit", "limit is not a number")?.unwrap_or(100);
            match u32::try_from(limit).ok().filter(|limit| (1..=LOG_ENTRIES_MAX).contains(limit)) {
                Some(limit) => Ok(ServiceCall::Log { room, after, limit }),
                None => Err(NoRoute::Parameter("limit is not 1 to 1000")),
            }
        }
        _ => Err(NoRoute::Unknown),
    }
}

const NO_CONNECTION: NoRoute = NoRoute::Parameter("after is the id of no connection");

fn by_method<T>(
    head: &RequestHead,
    (allow, methods_allowed): (&'static str, &[&str]),
    place: T,
    look: impl FnOnce(T) -> ServiceCall,
    put: impl FnOnce(T) -> ServiceCall,
    remove: impl FnOnce(T) -> ServiceCall,
) -> Result<ServiceCall, NoRoute> {
    methods(head, allow, methods_allowed).map(|method| match method {
        "PUT" => put(place),
        "DELETE" => remove(place),
        _ => look(place),
    })
}

/// Kinds that rooms are made of through the admin API; sessions and feeds are not.
fn admin_kind(name: &str) -> Option<RoomKind> {
    RoomKind::named(name).filter(|kind| {
        matches!(kind, RoomKind::Chat | RoomKind::Project | RoomKind::Dashboard | RoomKind::Draft)
    })
}

fn read_only<T>(head: &RequestHead, what: T) -> Result<T, NoRoute> {
    methods(head, "GET, HEAD", &["GET", "HEAD"]).map(|_| what)
}

fn methods<'a>(head: &'a RequestHead, allow: &'static str, allowed: &[&str]) -> Result<&'a str, NoRoute> {
    match head.method.as_str() {
        "OPTIONS" => Err(NoRoute::Preflight(allow)),
        method if allowed.contains(&method) => Ok(method),
        _ => Err(NoRoute::Method(allow)),
    }
}
