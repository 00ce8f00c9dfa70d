//! A server whose surroundings are the test.

use bytes::Bytes;
use parlor_protocol::action::Action;
use parlor_protocol::auth::{Permissions, User, UserType};
use parlor_protocol::http::{Body, Response, parse_head};
use parlor_protocol::ids::{RequestId, RoomId, RoomKind, SocketId, Ticket};
use parlor_protocol::input::Input;
use parlor_protocol::job::Outcome;
use parlor_protocol::server::Server;
use parlor_protocol::settings::Settings;
use parlor_protocol::store::{RoomRow, StoreReply, StoreRequest, Visibility};
use parlor_protocol::time::Timestamp;
use serde_json::Value;
use std::net::IpAddr;
use std::time::Duration;

/// A server, and what it has ordered that nobody has looked at yet.
pub struct World {
    pub server: Server,
    pub now: Timestamp,
    pub actions: Vec<Action>,
    pub peer: IpAddr,
    requests: u32,
}

impl World {
    pub fn new(settings: Settings) -> Self {
        let mut world = Self::begun(settings);
        world.actions.clear();
        world
    }

    /// The same with all that a server asks for when it starts.
    pub fn begun(settings: Settings) -> Self {
        let peer = IpAddr::from([127, 0, 0, 1]);
        let server = Server::new(settings, [0; 32]);
        let now = Timestamp(1_767_225_600_000_000);
        let mut world = Self { server, now, actions: Vec::new(), peer, requests: 0 };
        world.tell(Input::Started);
        world
    }

    pub fn tell(&mut self, input: Input) {
        self.server.handle(self.now, input, &mut self.actions);
    }

    /// Lets time pass, tick by tick.
    pub fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(next) = self.server.next_deadline().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.tell(Input::Tick);
        }
        self.now = until;
    }

    /// Asks; `headers` end with CRLF each.
    pub fn ask(&mut self, line: &str, headers: &str, body: &str) -> RequestId {
        self.requests += 1;
        let request = RequestId { slot: self.requests, generation: 0 };
        let text = format!("{line} HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        let (head, _) = parse_head(text.as_bytes()).expect("a good head");
        let body = Bytes::copy_from_slice(body.as_bytes());
        self.tell(Input::Requested { request, peer: self.peer, head, body });
        request
    }

    /// Asks as a backend whose key is good.
    pub fn ask_as_service(&mut self, line: &str, body: &str) -> RequestId {
        let request = self.ask(line, "Authorization: Bearer key\r\n", body);
        let ticket = self.work();
        self.tell(Input::Worked { ticket, outcome: Outcome::Service(Ok(())) });
        request
    }

    /// Asks for a WebSocket with a token.
    pub fn ask_for_socket(&mut self, path: &str) -> RequestId {
        let headers = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer token\r\n";
        self.ask(&format!("GET {path}"), headers, "")
    }

    /// The same; returns the ticket of the job that verifies the token, too.
    pub fn knock(&mut self, path: &str) -> (RequestId, Ticket) {
        (self.ask_for_socket(path), self.work())
    }

    pub fn verified(&mut self, ticket: Ticket, user: User) {
        self.tell(Input::Worked { ticket, outcome: Outcome::Token(Ok(user)) });
    }

    /// The job that was just ordered.
    pub fn work(&mut self) -> Ticket {
        self.work_if_any().expect("a job")
    }

    pub fn work_if_any(&mut self) -> Option<Ticket> {
        self.take(|action| if let Action::Work { ticket, .. } = action { Some(*ticket) } else { None })
    }

    /// The oldest question to the store that was not looked at yet.
    pub fn asked(&mut self) -> Option<(Ticket, StoreRequest)> {
        self.take(|action| {
            let Action::Store { ticket, request } = action else { return None };
            Some((*ticket, request.clone()))
        })
    }

    /// The same question, which stays there.
    pub fn peek(&self) -> Option<StoreRequest> {
        self.actions.iter().find_map(|action| {
            let Action::Store { request, .. } = action else { return None };
            Some(request.clone())
        })
    }

    /// Answers the oldest question to the store, and says what it was.
    pub fn answer(&mut self, reply: StoreReply) -> StoreRequest {
        let (ticket, request) = self.asked().expect("a question to the store");
        self.tell(Input::Stored(vec![(ticket, reply)]));
        request
    }

    pub fn response(&mut self, request: RequestId) -> Option<Response> {
        self.take(|action| {
            let Action::Respond { request: to, response } = action else { return None };
            (*to == request).then(|| response.clone())
        })
    }

    /// Status and body of the answer.
    pub fn said(&mut self, request: RequestId) -> (u16, Value) {
        let Response { status, body, .. } = self.response(request).expect("an answer");
        let Body::Bytes(bytes) = body else { panic!("a file") };
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    pub fn upgraded(&mut self, request: RequestId) -> Option<SocketId> {
        self.take(|action| {
            let Action::Upgrade { request: of, socket, .. } = action else { return None };
            (*of == request).then_some(*socket)
        })
    }

    fn take<T>(&mut self, pick: impl Fn(&Action) -> Option<T>) -> Option<T> {
        let (place, picked) =
            self.actions.iter().enumerate().find_map(|(place, action)| Some((place, pick(action)?)))?;
        self.actions.remove(place);
        Some(picked)
    }
}

pub fn user(id: &str) -> User {
    User {
        id: id.into(),
        firm: "acme".into(),
        name: None,
        user_type: UserType::Employee,
        permissions: Permissions::of(UserType::Employee),
        expires_at: Timestamp(u64::MAX / 2),
    }
}

pub fn room(name: &str, firm: &str) -> RoomRow {
    RoomRow {
        id: RoomId { kind: RoomKind::Chat, name: name.into() },
        name: "Room".to_string(),
        firm: firm.into(),
        visibility: Visibility::Public,
    }
}
