//! Facts of every kind, sensible or not: sockets and tickets that nobody gave out, answers of the wrong kind and
//! twice, requests for anything, text that is none. Two servers are told the same; what they order must be the
//! same, and what they hold must stay within the limits.

use super::chat::NOBODYS;
use super::{Step, World};
use parlor_protocol::auth::AuthFailure;
use parlor_protocol::call::{AiReply, CallFailure, RobotReply, Said, Scanned};
use parlor_protocol::http::RequestHead;
use parlor_protocol::ids::{RequestId, RoomId, Seq, SocketId, Ticket};
use parlor_protocol::input::{Ending, Fault, Input, Message};
use parlor_protocol::job::Outcome;
use parlor_protocol::settings::{Interviewer, Settings};
use parlor_protocol::store::{Change, Entry, Question, Row, RowKey, StoreReply, StoreRequest, TemplateRow};
use std::net::IpAddr;
use std::time::Duration;

/// How many connections the server may have, and one user of it.
const CONNECTIONS_MAX: usize = 6;
const CONNECTIONS_PER_USER: usize = 2;
/// How many users there are.
const USERS: usize = 4;
/// How many deadlines so few connections may have.
const TIMERS_MAX: usize = 64;
/// How long the world runs until all has settled.
const SETTLING: Duration = Duration::from_secs(617);

/// What clients write, good and bad.
const TEXTS: [&str; 42] = [
    "",
    "{",
    "nonsense",
    "[1,2]",
    r#"{"type":"ping"}"#,
    r#"{"type":"retry","requestId":"r"}"#,
    r#"{"type":"user_response","content":"x","id":"1","requestId":"1"}"#,
    r#"{"type":"user_response","content":""}"#,
    r#"{"type":"user_response","content":7}"#,
    r#"{"type":"nothing"}"#,
    r#"{"type":"auth:refresh","token":"ann:firm:employee"}"#,
    r#"{"event":"auth:refresh","data":{"token":"ann:firm:employee"},"requestId":"f"}"#,
    r#"{"event":"chat:room:create","data":{"name":"n","visibility":"public","roomId":"made"},"requestId":"c"}"#,
    r#"{"event":"chat:room:join","data":{"roomId":"made"},"requestId":"j"}"#,
    r#"{"event":"chat:room:join","data":{"roomId":"made","since":18446744073709551615}}"#,
    r#"{"event":"chat:room:join","data":{"roomId":"other","since":0}}"#,
    r#"{"event":"chat:room:leave","data":{"roomId":"made"}}"#,
    r#"{"event":"chat:message:send","data":{"roomId":"made","id":"1","content":"x"},"requestId":"s"}"#,
    r#"{"event":"chat:message:send","data":{"roomId":"made","content":{"a":[1]}}}"#,
    r#"{"event":"chat:message:send","data":{"roomId":"","content":"\u0000"}}"#,
    r#"{"event":"chat:message:history","data":{"roomId":"made","after":18446744073709551615}}"#,
    r#"{"event":"chat:message:history","data":{"roomId":"made","before":0,"limit":200}}"#,
    r#"{"event":"x","data":1,"requestId":"v","version":"2"}"#,
    r#"{"event":"chat:room:nothing"}"#,
    r#"{"event":"dashboard:open","data":{"dashboardId":"made","since":18446744073709551615},"requestId":"d"}"#,
    r#"{"event":"dashboard:WIDGET_UPDATE","data":{"dashboardId":"made","id":"1","widgetId":"w","baseVersion":18446744073709551615,"changes":{"x":1}}}"#,
    r#"{"event":"dashboard:close","data":{"dashboardId":"made"}}"#,
    r#"{"type":"SYNC_REQUEST","id":"1","payload":{"since":18446744073709551615}}"#,
    r#"{"type":"WIDGET_UPDATE","id":"2","payload":{"widgetId":"w","baseVersion":18446744073709551615,"changes":{"x":1}}}"#,
    r#"{"type":"WIDGET_UPDATE","id":"3","payload":{"widgetId":"w","changes":{"x":null}}}"#,
    r#"{"type":"WIDGET_DELETE","id":"4","payload":{"widgetId":"w","baseVersion":0}}"#,
    r#"{"type":"LAYOUT_UPDATE","id":"5","payload":{"layout":[]}}"#,
    r#"{"type":"LAYOUT_RESTORE","id":"6","payload":{"version":18446744073709551615}}"#,
    r#"{"type":"LAYOUT_RESTORE","id":"7","payload":{"version":1}}"#,
    r#"{"type":"CONFLICT_RESOLVED","id":"8","payload":{"conflictId":"cnf","resolution":"merged","value":{}}}"#,
    r#"{"type":"WIDGET_BATCH","id":"9","payload":{"operations":[{"type":"WIDGET_DELETE","payload":{"widgetId":"w"}}]}}"#,
    r#"{"type":"DISCONNECT"}"#,
    r#"{"event":"document:open","data":{"templateId":"t"},"requestId":"o"}"#,
    r#"{"event":"document:open","data":{"templateId":"t","session":"new"},"requestId":"n"}"#,
    r#"{"event":"document:user_response","data":{"sessionId":"x","content":"x"},"requestId":"u"}"#,
    r#"{"event":"document:close","data":{"sessionId":"x"}}"#,
    r#"{"event":"document:retry","data":[]}"#,
];

/// What is asked over HTTP, good and bad.
const TARGETS: [(&str, &str, &str); 29] = [
    ("GET", "/", ""),
    ("GET", "/chat", ""),
    ("GET", "/chat?refuse=close", ""),
    ("GET", "/documents?templateId=t", ""),
    ("GET", "/documents?templateId=t&session=new", ""),
    ("GET", "/documents?templateId=none&refuse=close", ""),
    ("GET", "/documents", ""),
    ("GET", "/api/connect", ""),
    ("GET", "/echo", ""),
    ("GET", "/health", ""),
    ("POST", "/health", ""),
    ("OPTIONS", "/api/rooms", ""),
    ("GET", "/api/rooms?kind=chat", ""),
    ("GET", "/api/realtime?dashboardId=made", ""),
    ("GET", "/api/realtime?refuse=close", ""),
    ("GET", "/api/realtime", ""),
    (
        "POST",
        "/api/realtime",
        r#"{"type":"SYNC","operations":[{"id":"1","type":"LAYOUT_UPDATE","payload":{"layout":1}}]}"#,
    ),
    ("PUT", "/api/admin/rooms/dashboard/made", r#"{"name":"m","firmId":"firm"}"#),
    ("DELETE", "/api/admin/rooms/dashboard/made", ""),
    ("GET", "/api/templates", ""),
    ("GET", "/api/documents/doc-0", ""),
    ("GET", "/api/admin/rooms/chat/made/log?after=18446744073709551615", ""),
    ("PUT", "/api/admin/rooms/chat/made", r#"{"name":"m","firmId":"firm"}"#),
    ("DELETE", "/api/admin/rooms/chat/made", ""),
    ("PUT", "/api/admin/rooms/chat/made/members/ann", r#"{"role":"member"}"#),
    ("DELETE", "/api/admin/rooms/chat/made/members/ann", ""),
    ("PUT", "/api/admin/templates/t", r#"{"name":"T","questions":[],"body":"{{"}"#),
    ("GET", "/%ff/%zz", ""),
    ("GET", "*", ""),
];

/// A case of it.
#[derive(Debug)]
pub struct Nonsense {
    /// The world, with two servers in it.
    pub world: World,
    draining: bool,
}

impl Nonsense {
    /// A server with small limits.
    pub fn new(seed: u64) -> Self {
        let settings = Settings {
            interviewer: Interviewer::Service,
            create_on_open: true,
            echo: true,
            connections_max: CONNECTIONS_MAX as u32,
            connections_per_user: CONNECTIONS_PER_USER as u32,
            rate_limit_calls: 30,
            refusals_max: 50,
            ..Settings::default()
        };
        let mut world = World::new(settings, seed);
        world.is_doubled(true);
        let question = Question { key: "k".into(), question: "?".into(), help: None, required: true };
        let template = TemplateRow {
            id: "t".into(),
            name: "T".into(),
            firm: None,
            questions: vec![question],
            body: String::new(),
        };
        let rows = vec![Change::Put(Row::Template(template))];
        world.store.answer(super::BEGINNING, &StoreRequest::Commit { appends: vec![], rows });
        world.handle(Input::Started);
        Self { world, draining: false }
    }

    /// Plays one step, chosen by four bytes.
    pub fn play(&mut self, [kind, a, b, c]: [u8; 4]) {
        match kind % 24 {
            0..=5 => self.request(a, b, c),
            6..=12 => self.say(a, b),
            13 => self.fact(Input::Received { socket: self.socket(a), message: message(b, c) }),
            14 => self.fact(Input::Stored(vec![(ticket(a, b), reply(c)), (NOBODYS, reply(b))])),
            15 => self.fact(Input::Worked { ticket: ticket(a, b), outcome: outcome(c) }),
            16 => self.fact(Input::Called { ticket: ticket(a, b), said: said(c) }),
            17 => self.fact(Input::Flushed { socket: self.socket(a) }),
            18 => self.fact(Input::Disconnected { socket: self.socket(a), why: ending(b) }),
            19 => self.fact(Input::RequestGone { request: RequestId { slot: u32::from(a), generation: 0 } }),
            20 if c < 8 => {
                self.draining = true;
                self.fact(Input::Draining);
            }
            20 if c < 16 => self.fact(Input::Memory { short: c % 2 == 0 }),
            20 => self.fact(Input::Tick),
            21 => self.wait(Duration::from_secs(u64::from(a) * u64::from(b))),
            _ => self.wait(Duration::from_millis(u64::from(c) * 4)),
        }
        self.wait(Duration::ZERO);
    }

    /// Lets everything end: nothing is left.
    pub fn settle(&mut self) {
        self.world.store.fails = false;
        self.wait(SETTLING);
        let sockets: Vec<_> = self.world.sockets.keys().copied().collect();
        for socket in sockets {
            self.world.cut(socket);
        }
        self.wait(SETTLING);
        if self.world.server.counts().held() > 0 {
            self.wait(Duration::from_secs(1));
        }
        let left = self.world.server.counts();
        assert_eq!(left.held(), 0, "after everything has ended nothing is left: {left:?}");
        assert!(left.timers <= TIMERS_MAX, "deadlines lose their meaning and go: {left:?}");
    }

    fn fact(&mut self, input: Input) {
        let step = self.world.handle(input);
        self.look(&step);
    }

    fn wait(&mut self, time: Duration) {
        let until = self.world.now + time;
        while let Some(step) = self.world.step(until) {
            self.look(&step);
        }
        self.world.now = until;
    }

    fn look(&self, _: &Step) {
        let counts = self.world.server.counts();
        assert!(counts.connections <= CONNECTIONS_MAX, "no more connections than may be: {counts:?}");
    }

    fn request(&mut self, a: u8, b: u8, c: u8) {
        let (method, target, body) = TARGETS[usize::from(a) % TARGETS.len()];
        let client = usize::from(b) % USERS;
        let token = match c % 8 {
            0 => "bad".to_string(),
            1 => "service".to_string(),
            _ if target.starts_with("/api/admin") => "service".to_string(),
            _ => format!("{}:firm:employee", ["ann", "bob", "cleo", "dan"][client]),
        };
        if c % 16 == 5 {
            let request = RequestId { slot: 1_000_000 + u32::from(c), generation: u32::from(b) };
            let headers = vec![("upgrade".into(), "x".into()), ("origin".into(), "null".into())];
            let head =
                RequestHead { method: method.into(), target: target.into(), headers, keep_alive: false };
            let peer = IpAddr::from([203, 0, 113, c]);
            self.world.expect_answer(request);
            return self.fact(Input::Requested { request, peer, head, body: body.into() });
        }
        let step = self.world.request(client, method, target, &token, body);
        self.look(&step);
    }

    fn say(&mut self, a: u8, b: u8) {
        let step = self.world.say(self.socket(a), TEXTS[usize::from(b) % TEXTS.len()].to_string());
        self.look(&step);
    }

    /// Mostly a socket that is there.
    fn socket(&self, place: u8) -> SocketId {
        let sockets = &self.world.sockets;
        let nobodys = SocketId { slot: u32::from(place), generation: u32::from(place) };
        sockets.keys().nth(usize::from(place) % (sockets.len() + 1)).copied().unwrap_or(nobodys)
    }
}

/// Mostly a ticket that may be out.
fn ticket(slot: u8, generation: u8) -> Ticket {
    Ticket { slot: u32::from(slot % 8), generation: u32::from(generation % 32) }
}

fn message(kind: u8, byte: u8) -> Message {
    let bytes = vec![byte; usize::from(kind)];
    match kind % 6 {
        0 => Message::Binary(bytes.into()),
        1 => Message::Ping(bytes.into()),
        2 => Message::Pong(bytes.into()),
        3 => Message::Close(Some(u16::from(byte))),
        4 => Message::Close(None),
        _ => Message::Text(bytes.into()),
    }
}

fn ending(kind: u8) -> Ending {
    match kind % 5 {
        0 => Ending::ByClient(None),
        1 => Ending::ByServer,
        2 => Ending::Lost,
        3 => Ending::Faulty(Fault::Utf8),
        _ => Ending::TooSlow,
    }
}

fn outcome(kind: u8) -> Outcome {
    match kind % 8 {
        5 => Outcome::Board(None),
        6 => Outcome::Written(Seq(1), Vec::new().into()),
        0 => Outcome::Token(Err(AuthFailure::Expired)),
        1 => Outcome::Service(Ok(())),
        2 => Outcome::Service(Err(AuthFailure::Bad)),
        3 => Outcome::Inspected(Err("?".to_string())),
        4 => Outcome::Joined(Vec::new().into()),
        _ => Outcome::Rendered(String::new()),
    }
}

fn said(kind: u8) -> Said {
    match kind % 8 {
        7 => Said::Delta("?".into()),
        0 => Said::NextQuestion(AiReply::Question { question: "?".into(), progress: None }),
        1 => Said::NextQuestion(AiReply::Complete { document_id: "doc-0".into(), document: None }),
        2 => Said::Failed(CallFailure::Passing { retry_after: Some(Duration::MAX) }),
        3 => Said::Robot(RobotReply { content: "!".into(), metadata: None }),
        4 => Said::Scanned(Scanned::Clean),
        5 => Said::Delivered,
        _ => Said::Failed(CallFailure::BadReply(String::new())),
    }
}

fn reply(kind: u8) -> StoreReply {
    let room = RoomId::chat("made");
    let entry = Entry {
        room: room.clone(),
        seq: Seq(u64::from(kind)),
        id: "1".into(),
        author: "ann".into(),
        at: super::BEGINNING,
        body: "{}".into(),
    };
    match kind % 10 {
        0 => StoreReply::Committed(vec![]),
        1 => StoreReply::Committed(vec![entry]),
        2 => StoreReply::Stale { room, head: Seq(u64::MAX) },
        3 => StoreReply::Taken(RowKey::Room(room)),
        4 => StoreReply::Loaded(None),
        5 => StoreReply::Entries { entries: vec![], head: Seq(u64::MAX) },
        6 => StoreReply::Heads(vec![(room, Seq::ZERO)]),
        7 => StoreReply::Found(vec![]),
        8 => StoreReply::Appended { entries: vec![(u64::MAX, entry)], end: 0 },
        _ => StoreReply::Unavailable,
    }
}
