//! A recording as a story (`tests/transcripts/README.md`), as far as that form goes: who connected, what they sent, what
//! they heard, what was asked and answered. What the form has no line for stands there as prose.

use crate::recording::HIDDEN;
use crate::transcript::{Names, RECORD, RECORD_SHOWN, hex, shown_hocuspocus, shown_y_websocket};
use parlor_protocol::action::{Action, Actions, Recipients};
use parlor_protocol::frame::Frame;
use parlor_protocol::http::{Body, RequestHead, Response, decode};
use parlor_protocol::ids::{RequestId, SocketId, Ticket};
use parlor_protocol::input::{Ending, Input, Message};
use parlor_protocol::job::{Job, Outcome};
use parlor_protocol::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// What is told so far. Its tables hold what is open, which the recorded server has limited.
#[derive(Debug, Default)]
pub(super) struct Story {
    names: Names,
    /// When the last line was.
    before: Option<Timestamp>,
    asking: BTreeMap<RequestId, Asking>,
    /// Whose credential is being looked at.
    verified: BTreeMap<Ticket, RequestId>,
    sockets: BTreeMap<SocketId, Open>,
    /// How many connections each user has had.
    counts: BTreeMap<String, u32>,
    text: String,
}

/// A request that is not answered.
#[derive(Debug)]
struct Asking {
    at: Timestamp,
    head: RequestHead,
    body: String,
    caller: Option<String>,
    told: bool,
}

#[derive(Debug)]
struct Open {
    name: String,
    path: String,
}

impl Story {
    /// Tells one step: the fact, and what followed.
    pub fn tell(&mut self, now: Timestamp, input: &Input, actions: &Actions) -> String {
        let asked = self.tell_fact(now, input);
        let mut waits = false;
        for action in actions {
            if let (Some(request), Action::Work { ticket, job }) = (asked, action)
                && matches!(job, Job::VerifyToken { .. } | Job::VerifyService { .. })
            {
                self.verified.insert(*ticket, request);
                waits = true;
            }
        }
        if let Some(request) = asked.filter(|_| !waits) {
            self.tell_request(request);
        }
        actions.iter().for_each(|action| self.tell_action(action));
        std::mem::take(&mut self.text)
    }

    /// Tells a fact, and names the request whose credential it is about.
    fn tell_fact(&mut self, now: Timestamp, input: &Input) -> Option<RequestId> {
        match input {
            Input::Started => self.line(now, "# The server starts."),
            Input::Draining => self.line(now, "! stop"),
            Input::Requested { request, head, body, .. } => {
                let (head, body) = (head.clone(), body_text(body));
                let asking = Asking { at: now, head, body, caller: None, told: false };
                self.asking.insert(*request, asking);
                return Some(*request);
            }
            Input::RequestGone { request } => {
                self.tell_request(*request);
                self.asking.remove(request);
                self.line(now, "# Who asked has hung up.");
            }
            Input::Received { socket, message } => self.tell_message(now, *socket, message),
            Input::Disconnected { socket, why } => self.tell_end(now, *socket, *why),
            Input::Worked { ticket, outcome } => {
                let request = self.verified.remove(ticket)?;
                if let Some(asking) = self.asking.get_mut(&request) {
                    match outcome {
                        Outcome::Token(Ok(user)) => asking.caller = Some(user.id.to_string()),
                        Outcome::Service(Ok(())) => asking.caller = Some("service".to_string()),
                        Outcome::Token(Err(_))
                        | Outcome::Service(Err(_))
                        | Outcome::Rendered(_)
                        | Outcome::Inspected(_)
                        | Outcome::Joined(_)
                        | Outcome::Doc(_)
                        | Outcome::Spelled(_)
                        | Outcome::Unpacked(_)
                        | Outcome::Board(_)
                        | Outcome::Written(..) => {}
                    }
                }
                return Some(request);
            }
            Input::Called { said, .. } => self.line(now, &format!("# A service said: {said:?}")),
            Input::KeysFetched(fetched) => self.line(now, &format!("# The keys for tokens: {fetched:?}")),
            Input::Memory { short: true } => self.line(now, "# There is no memory for anybody new."),
            Input::Memory { short: false } => self.line(now, "# There is memory again."),
            Input::Stored(_) | Input::Flushed { .. } | Input::Tick => {}
        }
        None
    }

    fn tell_message(&mut self, now: Timestamp, socket: SocketId, message: &Message) {
        let Some(Open { name, path }) = self.sockets.get(&socket) else { return };
        let line = match message {
            Message::Text(text) => format!("> {name} {}", String::from_utf8_lossy(text)),
            Message::Binary(bytes) => format!("* {name} {}", words(path, bytes, true)),
            Message::Ping(_) => format!("* {name} ping"),
            Message::Close(Some(1000)) => format!("- {name}"),
            Message::Close(Some(code)) => format!("- {name} {code}"),
            Message::Close(None) => format!("- {name} 1005"),
            Message::Pong(_) => return,
        };
        self.line(now, &line);
    }

    fn tell_end(&mut self, now: Timestamp, socket: SocketId, why: Ending) {
        let Some(Open { name, .. }) = self.sockets.remove(&socket) else { return };
        match why {
            Ending::Lost => self.line(now, &format!("! drop {name}")),
            Ending::ByClient(_) | Ending::ByServer => {}
            Ending::Faulty(fault) => self.line(now, &format!("# {name} is cut off: {fault:?}")),
            Ending::TooSlow => self.line(now, &format!("# {name} is cut off: too slow")),
        }
    }

    /// Tells a request, once it is known who asks.
    fn tell_request(&mut self, request: RequestId) {
        let Some(asking) = self.asking.get_mut(&request).filter(|asking| !asking.told) else { return };
        asking.told = true;
        if asking.head.is_upgrade() {
            return;
        }
        let Asking { at, head, body, caller, .. } = asking;
        let mut line = format!("{} {}", head.method, target(head));
        if let Some(caller) = caller {
            line.push_str(&format!(" as {caller}"));
        }
        match body.as_str() {
            "" => {}
            json if json.starts_with(['{', '[']) => line.push_str(&format!(" {json}")),
            text => line.push_str(&format!(" | {}", text.replace(RECORD, RECORD_SHOWN))),
        }
        let at = *at;
        self.line(at, &line);
    }

    fn tell_action(&mut self, action: &Action) {
        match action {
            Action::Respond { request, response } => self.tell_response(*request, response),
            Action::Upgrade { request, socket, subprotocol, .. } => {
                self.tell_upgrade(*request, *socket, subprotocol.as_deref());
            }
            Action::Send { to: Recipients::One(socket), frame, .. } => self.tell_frame(*socket, frame),
            Action::Send { to: Recipients::Many { sockets, except }, frame, .. } => {
                let theirs = sockets.iter().filter(|socket| Some(**socket) != *except);
                theirs.for_each(|socket| self.tell_frame(*socket, frame));
            }
            Action::Close { socket, cause } => {
                if let Some(Open { name, .. }) = self.sockets.get(socket) {
                    self.text.push_str(&format!("  {name} < close {} {}\n", cause.code(), cause.reason()));
                }
            }
            Action::Drained => self.text.push_str("# The server has drained.\n"),
            Action::Read { .. }
            | Action::Store { .. }
            | Action::Work { .. }
            | Action::Call { .. }
            | Action::Cancel { .. }
            | Action::Log(_) => {}
        }
    }

    fn tell_response(&mut self, request: RequestId, response: &Response) {
        self.tell_request(request);
        let Some(asking) = self.asking.remove(&request) else { return };
        if asking.head.is_upgrade() {
            let line = format!("+ nobody {}", target(&asking.head));
            self.line(asking.at, &line);
        }
        let body = match &response.body {
            Body::Bytes(bytes) => self.names.text(&body_text(bytes)),
            Body::Asset(_) => "a file of the console".to_string(),
            Body::Statistics(counted) => self.names.text(&counted.to_string()),
            Body::Metrics(_) => "metrics".to_string(),
            Body::Connections(listed) => self.names.text(&body_text(&listed.json(|_| 0))),
        };
        let text = format!("  = {} {body}", response.status);
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn tell_upgrade(&mut self, request: RequestId, socket: SocketId, subprotocol: Option<&str>) {
        let Some(Asking { at, head, caller, .. }) = self.asking.remove(&request) else { return };
        let user = caller.unwrap_or_else(|| "nobody".to_string());
        let count = self.counts.entry(user.clone()).or_default();
        *count += 1;
        let line = match *count {
            1 => (user.clone(), format!("+ {user} {}", target(&head))),
            count => (format!("{user}-{count}"), format!("+ {user}-{count} {} as {user}", target(&head))),
        };
        let ((name, line), path) = (line, head.path().to_string());
        self.line(at, &line);
        let protocol = subprotocol.map(|protocol| format!(", subprotocol {protocol}")).unwrap_or_default();
        self.text.push_str(&format!("  {name}: open{protocol}\n"));
        self.sockets.insert(socket, Open { name, path });
    }

    fn tell_frame(&mut self, socket: SocketId, frame: &Frame) {
        let Some(Open { name, path }) = self.sockets.get(&socket) else { return };
        let heard = match (frame.is_text(), frame.is_ping()) {
            (true, _) => self.names.text(&String::from_utf8_lossy(frame.payload())),
            (false, true) => "ping".to_string(),
            (false, false) => words(path, frame.payload(), false),
        };
        self.text.push_str(&format!("  {name} < {heard}\n"));
    }

    /// A line that says what is done, and before it how much time has passed.
    fn line(&mut self, at: Timestamp, line: &str) {
        let passed = self.before.map_or(Duration::ZERO, |before| at.since(before));
        if passed >= Duration::from_millis(1) {
            self.text.push_str(&format!("@ +{}ms\n", passed.as_millis()));
        }
        self.before = self.before.max(Some(at));
        let line = self.names.text(&without_words(line));
        self.text.push_str(&line);
        self.text.push('\n');
    }
}

/// A line with `<token>` where a word stands for a credential.
fn without_words(line: &str) -> String {
    let mut pieces = line.split(HIDDEN);
    let mut text = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        text.push_str("<token>");
        text.push_str(piece.trim_start_matches(|char: char| char.is_ascii_hexdigit()));
    }
    text
}

/// A binary message in words; `said` by a client, or heard.
fn words(path: &str, bytes: &[u8], said: bool) -> String {
    let found = match path {
        path if path.starts_with("/yjs/") => ("yjs ", shown_y_websocket(bytes)),
        path if path.starts_with("/hocuspocus") => ("hocuspocus ", shown_hocuspocus(bytes)),
        _ => ("", None),
    };
    match found {
        (dialect, Some(words)) if said => format!("{dialect}{words}"),
        (_, Some(words)) => words,
        (_, None) => format!("binary {}", hex(bytes)),
    }
}

/// Path and query without the token.
fn target(head: &RequestHead) -> String {
    let Some((path, query)) = head.target.split_once('?') else { return head.target.clone() };
    let is_token = |pair: &&str| {
        let name = pair.split('=').next().and_then(|name| decode(name, true));
        name.as_deref() == Some("token")
    };
    let pairs: Vec<_> = query.split('&').filter(|pair| !is_token(pair)).collect();
    match pairs.is_empty() {
        true => path.to_string(),
        false => format!("{path}?{}", pairs.join("&")),
    }
}

/// A body as text, or as what it is.
fn body_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_string(),
        Err(_) => format!("octets {}", hex(bytes)),
    }
}
