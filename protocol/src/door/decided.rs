//! What the door decides that is for others to carry out.

use super::asking::Asked;
use super::route::Operation;
use crate::action::CloseCause;
use crate::apps::chat::{Offer, Wanted};
use crate::apps::dashboards::Visit;
use crate::apps::documents::Wish;
use crate::apps::drafts;
use crate::auth::{AuthFailure, User};
use crate::connection::Endpoint;
use crate::ids::{RequestId, RoomId, UserId};
use crate::socket_io::engine;
use crate::store::{MemberRow, RoomRow, TemplateRow};
use bytes::Bytes;
use std::net::IpAddr;
use std::sync::Arc;

/// What the door has decided that is for others to carry out.
#[derive(Debug)]
pub enum Decided {
    /// A connection comes in.
    Admitted(Box<Admitted>),
    /// A connection is upgraded only to hear why not.
    TurnedAway(Box<Admitted>, CloseCause),
    /// Something for Socket.IO's engine.
    Engine(Box<ToEngine>),
    /// Somebody asks how the server is.
    Health(Box<Asked>),
    /// Something that open rooms should know.
    Changed(Changed),
    /// Somebody asks for statistics: a user, or a backend.
    Statistics(Box<Asked>, Option<Arc<User>>),
    /// An operator asks or does something.
    Operated(Box<Asked>, Operation),
    /// A backend speaks.
    Posted(Post),
    /// A user brings a file.
    Offered(Box<Offer>),
    /// A user asks for a file.
    Wanted(Box<Wanted>),
    /// A user asks something of a draft.
    Draft(Box<drafts::Call>),
    /// A user comes for a dashboard.
    Visited(Box<Visit>),
}

/// What a backend posts, and where it is answered.
#[derive(Debug)]
pub struct Post {
    /// The request.
    pub request: RequestId,
    /// What it brings.
    pub body: Bytes,
    /// Its `Idempotency-Key`.
    pub key: Option<String>,
}

/// A request for Socket.IO's engine.
#[derive(Debug)]
pub struct ToEngine {
    /// The request.
    pub request: RequestId,
    /// What is asked of the engine.
    pub asked: engine::Asked,
    /// From where.
    pub address: IpAddr,
    /// The page that asks.
    pub origin: Option<String>,
    /// Its credential.
    pub token: Result<Option<String>, AuthFailure>,
    /// What came with it.
    pub body: Bytes,
    /// Whether that is text.
    pub text: bool,
}

/// A connection to be made.
#[derive(Debug)]
pub struct Admitted {
    /// The request that becomes it.
    pub request: RequestId,
    /// Where it comes in.
    pub endpoint: Endpoint,
    /// Who it is.
    pub user: Option<Arc<User>>,
    /// From where.
    pub address: IpAddr,
    /// Whether the subprotocol `bearer` was offered.
    pub bearer: bool,
    /// The template that a document session is for, and how it is opened.
    pub template: Option<(TemplateRow, Wish)>,
    /// The draft that a connection is there for.
    pub draft: Option<RoomId>,
    /// The dashboard that it is for.
    pub board: Option<RoomId>,
}

/// What a backend changed.
#[derive(Debug, Clone)]
pub enum Changed {
    /// A room is this from now on.
    Room(RoomRow),
    /// A room is no more.
    RoomRemoved(RoomId),
    /// A room was to be no more, and is still.
    RoomKept(RoomId),
    /// A member is this from now on.
    Member(MemberRow),
    /// A member is no more.
    MemberRemoved(RoomId, UserId),
    /// Nothing that an open room knows.
    Else,
}
