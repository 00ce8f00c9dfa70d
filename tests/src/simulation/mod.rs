//! A whole server without a machine: the real core over the model of the store, with a clock that jumps to what
//! is due next, and clients that read at their own pace. Chance comes from one seed, so that a case that fails
//! fails again.

pub mod chat;
pub mod company;
pub mod dashboards;
pub mod dice;
pub mod documents;
pub mod drafts;
pub mod jobs;
pub mod nonsense;
pub mod projects;
pub mod socket;
pub mod socket_io;
pub mod step;
pub mod store;

pub use step::{Sent, Step};

use dice::{Dice, lifes_seed};
use jobs::Workers;
use parlor_protocol::action::{Action, Actions, Recipients};
use parlor_protocol::call::{CallFailure, Said};
use parlor_protocol::docs::Docs;
use parlor_protocol::frame::Frame;
use parlor_protocol::http::RequestHead;
use parlor_protocol::ids::{RequestId, SocketId, Ticket};
use parlor_protocol::input::{Ending, Input, Message};
use parlor_protocol::outbox::{Class, Pushed};
use parlor_protocol::server::Server;
use parlor_protocol::settings::Settings;
use parlor_protocol::store::{StoreReply, StoreRequest};
use parlor_protocol::time::Timestamp;
use socket::{Pace, Read, Socket};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use store::{OnTheWay, SlowStore};

/// When every case begins.
pub const BEGINNING: Timestamp = Timestamp(1_763_654_400_000_000);
/// How much a slow client reads at a time, and how often.
const SLOW_BYTES: usize = 48 * 1024;
const SLOW_INTERVAL: Duration = Duration::from_millis(150);
/// How long a flushed outbox may take to be told of.
const FLUSHED_LATE_MAX: u64 = 50_000;

/// Something that will happen.
#[derive(Debug)]
enum Due {
    Store(OnTheWay),
    Answer(Ticket, StoreRequest, StoreReply, bool),
    Input(Input),
    Write(SocketId),
    /// What a socket's client said while it was not read.
    Inbox(SocketId),
}

/// The server and all that is around it.
#[derive(Debug)]
pub struct World {
    /// The time.
    pub now: Timestamp,
    /// The core.
    pub server: Server,
    /// The store.
    pub store: SlowStore,
    /// The documents of drafts, and how they are worked on.
    pub docs: Docs,
    /// See [`jobs::Workers`].
    pub workers: Workers,
    /// The dice.
    pub dice: Dice,
    /// What the core calls the connection of each socket in claims.
    pub names: BTreeMap<SocketId, String>,
    /// Every socket that has not ended.
    pub sockets: BTreeMap<SocketId, Socket>,
    /// How the AI service answers, when it is asked.
    pub ai: fn(&mut Dice, &parlor_protocol::call::Call) -> Vec<(Duration, Said)>,
    requests: BTreeMap<RequestId, usize>,
    next_request: u32,
    due: BTreeMap<(Timestamp, u64), Due>,
    ordered: u64,
    settings: Settings,
    /// How many processes there were.
    lives: u64,
    twin: Option<Server>,
    /// How often the core was told of the time, at the time when it was last told something.
    ticks: u32,
    ticked_at: Timestamp,
}

impl World {
    /// A server at its beginning.
    pub fn new(settings: Settings, seed: u64) -> Self {
        let server = Server::new(settings.clone(), lifes_seed(0));
        Self {
            now: BEGINNING,
            server,
            store: SlowStore::default(),
            docs: Docs::default(),
            workers: Workers::default(),
            dice: Dice(seed),
            names: BTreeMap::new(),
            sockets: BTreeMap::new(),
            ai: |_, _| vec![(Duration::ZERO, Said::Failed(CallFailure::Refused { status: 404 }))],
            requests: BTreeMap::new(),
            next_request: 0,
            due: BTreeMap::new(),
            ordered: 0,
            settings,
            lives: 0,
            twin: None,
            ticks: 0,
            ticked_at: BEGINNING,
        }
    }

    /// From the beginning on, whether a second server is told the same and has to order the same.
    pub fn is_doubled(&mut self, doubled: bool) {
        self.twin = doubled.then(|| Server::new(self.settings.clone(), lifes_seed(self.lives)));
    }

    /// A request that is made by hand.
    pub fn expect_answer(&mut self, request: RequestId) {
        self.requests.insert(request, usize::MAX);
    }

    /// Gives the core a fact and carries its orders out.
    pub fn handle(&mut self, input: Input) -> Step {
        let mut step = Step::default();
        if let Input::Flushed { socket } = &input {
            (step.paced, step.flushed) = (true, vec![*socket]);
        }
        self.give(input, &mut step);
        step
    }

    fn give(&mut self, input: Input, step: &mut Step) {
        let ticked = matches!(input, Input::Tick);
        if let Input::Disconnected { socket, .. } = &input
            && let Some(gone) = self.sockets.remove(socket)
        {
            step.ended.push((*socket, gone.client));
        }
        let (mut actions, mut again) = (Actions::new(), Actions::new());
        let doubled =
            self.twin.as_mut().map(|twin| twin.handle(self.now, input.clone(), &mut again)).is_some();
        self.server.handle(self.now, input, &mut actions);
        assert!(
            !doubled || format!("{actions:?}") == format!("{again:?}"),
            "the same facts give the same orders"
        );
        // What ended at a tick may leave something to be told at once, and that is all.
        self.ticks = if ticked && self.ticked_at == self.now { self.ticks + 1 } else { 0 };
        self.ticked_at = self.now;
        let next = self.server.next_deadline().filter(|next| ticked && *next <= self.now);
        assert!(self.ticks < 3 || next.is_none(), "no tick is due for ever: {next:?} at {:?}", self.now);
        actions.into_iter().for_each(|action| self.carry_out(action, step));
        let fast: Vec<_> = self
            .sockets
            .iter()
            .filter(|(_, socket)| socket.pace == Pace::Fast && !socket.outbox.is_empty())
            .map(|(id, _)| *id)
            .collect();
        fast.into_iter().for_each(|id| self.write(id, usize::MAX, step));
    }

    /// Lets the next thing happen, unless it is later than `until`. Whether something did.
    pub fn step(&mut self, until: Timestamp) -> Option<Step> {
        let next = self.due.first_key_value().map(|((at, _), _)| *at);
        let tick = self.server.next_deadline();
        let at = [next, tick].into_iter().flatten().min()?.max(self.now);
        if at > until {
            return None;
        }
        self.now = at;
        let mut step = Step::default();
        if next.is_none_or(|next| tick.is_some_and(|tick| tick < next)) {
            self.give(Input::Tick, &mut step);
            return Some(step);
        }
        let (_, due) = self.due.pop_first()?;
        match due {
            Due::Input(Input::Flushed { socket }) => {
                (step.paced, step.flushed) = (true, vec![socket]);
                self.give(Input::Flushed { socket }, &mut step);
            }
            Due::Input(input) => self.give(input, &mut step),
            Due::Inbox(socket) => self.read_inbox(socket, &mut step),
            Due::Write(socket) => {
                self.write(socket, SLOW_BYTES, &mut step);
                self.write_later(socket);
            }
            Due::Store(way) => {
                let reply = self.store.carry_out(self.now, &way);
                let OnTheWay { ticket, request, answered_at, late, .. } = way;
                self.later(answered_at, Due::Answer(ticket, request, reply, late));
            }
            Due::Answer(ticket, request, reply, late) => {
                self.answer((ticket, request, reply, late), &mut step)
            }
        }
        Some(step)
    }

    /// Hands over what the store answers at this time, together; changes of rows come alone, so that the laws know
    /// what the core has been told when it sends something.
    fn answer(&mut self, first: (Ticket, StoreRequest, StoreReply, bool), step: &mut Step) {
        let (ticket, request, reply, late) = first;
        // An answer that nobody waits for any more tells the core nothing.
        let heard = |reply: StoreReply, late: bool| if late { StoreReply::Unknown } else { reply };
        let alone =
            |request: &StoreRequest| matches!(request, StoreRequest::Commit { rows, .. } if !rows.is_empty());
        let mut more = !alone(&request);
        let mut replies = vec![(ticket, reply.clone())];
        step.answered.push((request, heard(reply, late)));
        while let Some(entry) = self.due.first_entry()
            && more
            && entry.key().0 <= self.now
            && matches!(entry.get(), Due::Answer(_, request, ..) if !alone(request))
        {
            more = self.dice.chance(80);
            let Due::Answer(ticket, request, reply, late) = entry.remove() else { continue };
            replies.push((ticket, reply.clone()));
            step.answered.push((request, heard(reply, late)));
        }
        step.paced = replies.len() == 1 && matches!(replies[0].1, StoreReply::Entries { .. });
        self.give(Input::Stored(replies), step);
    }

    /// Comes with an HTTP request. `client` is told when it is answered or becomes a socket.
    pub fn request(&mut self, client: usize, method: &str, target: &str, token: &str, body: &str) -> Step {
        self.request_with(client, (method, target, token), body, None)
    }

    /// The same with further headers.
    pub fn request_with<'a>(
        &mut self,
        client: usize,
        (method, target, token): (&str, &str, &str),
        body: &str,
        further: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Step {
        let request = RequestId { slot: self.next_request, generation: 0 };
        self.next_request += 1;
        self.requests.insert(request, client);
        let mut headers =
            vec![("host".into(), "a".into()), ("authorization".into(), format!("Bearer {token}"))];
        headers.extend(further.into_iter().map(|(name, value)| (name.into(), value.into())));
        let opens = ["/api/connect", "/api/realtime"].iter().any(|path| target.starts_with(path));
        let plain = target.starts_with("/api") && !opens;
        if method == "GET" && !plain && !target.contains("transport=polling") {
            for (name, value) in [
                ("connection", "Upgrade"),
                ("upgrade", "websocket"),
                ("sec-websocket-version", "13"),
                ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
            ] {
                headers.push((name.into(), value.into()));
            }
        }
        let head = RequestHead { method: method.into(), target: target.into(), headers, keep_alive: true };
        let peer = IpAddr::from([127, 0, 0, 1]);
        self.handle(Input::Requested { request, peer, head, body: body.to_string().into() })
    }

    /// A client hangs up on its request, if it is not answered yet.
    pub fn hang_up(&mut self, client: usize) -> Step {
        let request = self.requests.iter().find(|(_, of)| **of == client).map(|(request, _)| *request);
        let Some(request) = request else { return Step::default() };
        self.requests.remove(&request);
        self.handle(Input::RequestGone { request })
    }

    /// A client sends text; it waits while its socket is not read.
    pub fn say(&mut self, socket: SocketId, text: String) -> Step {
        self.say_message(socket, Message::Text(text.into()))
    }

    /// The same with any message.
    pub fn say_message(&mut self, socket: SocketId, message: Message) -> Step {
        let Some(known) = self.sockets.get_mut(&socket).filter(|socket| !socket.ends) else {
            return Step::default();
        };
        if !known.reads || !known.inbox.is_empty() {
            known.inbox.push_back(message);
            return Step::default();
        }
        self.handle(Input::Received { socket, message })
    }

    /// One message that had waited, as long as the socket is read.
    fn read_inbox(&mut self, id: SocketId, step: &mut Step) {
        let Some(socket) = self.sockets.get_mut(&id).filter(|socket| socket.reads) else { return };
        let Some(message) = socket.inbox.pop_front() else { return };
        self.later(self.now, Due::Inbox(id));
        self.give(Input::Received { socket: id, message }, step);
    }

    /// A client's connection is cut off.
    pub fn cut(&mut self, socket: SocketId) -> Step {
        self.handle(Input::Disconnected { socket, why: Ending::Lost })
    }

    /// A client reads faster or slower from now on.
    pub fn pace(&mut self, socket: SocketId, pace: Pace) {
        let Some(known) = self.sockets.get_mut(&socket) else { return };
        known.pace = pace;
        self.write_later(socket);
    }

    /// The process is killed and another one starts over the same store: what it had not answered is gone.
    pub fn crash(&mut self) -> Step {
        // What was being written is written or not.
        let due = std::mem::take(&mut self.due);
        for due in due.into_values() {
            if let Due::Store(way) = due
                && self.dice.chance(50)
            {
                self.store.carry_out(self.now, &way);
            }
        }
        let ended = std::mem::take(&mut self.sockets).into_iter().map(|(id, it)| (id, it.client)).collect();
        let mut step = Step { ended, ..Step::default() };
        self.requests.clear();
        self.lives += 1;
        self.server = Server::new(self.settings.clone(), lifes_seed(self.lives));
        self.docs = Docs::default();
        self.is_doubled(self.twin.is_some());
        self.give(Input::Started, &mut step);
        step
    }

    fn later(&mut self, at: Timestamp, due: Due) {
        self.ordered += 1;
        self.due.insert((at, self.ordered), due);
    }

    fn write_later(&mut self, socket: SocketId) {
        let Some(known) = self.sockets.get(&socket) else { return };
        if known.pace != Pace::Stalled && !known.outbox.is_empty() {
            self.later(self.now + SLOW_INTERVAL, Due::Write(socket));
        }
    }

    fn write(&mut self, id: SocketId, limit: usize, step: &mut Step) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        let (read, flushed) = socket.write(limit);
        let done = socket.outbox.is_closed() && socket.outbox.is_empty() && !socket.ends;
        socket.ends |= done;
        if done {
            let why = Ending::ByServer;
            self.later(self.now, Due::Input(Input::Disconnected { socket: id, why }));
        }
        if flushed {
            let late = Duration::from_micros(self.dice.below(FLUSHED_LATE_MAX));
            self.later(self.now + late, Due::Input(Input::Flushed { socket: id }));
        }
        for read in read {
            if read == Read::Ping {
                let message = Message::Pong(Default::default());
                self.later(self.now, Due::Input(Input::Received { socket: id, message }));
            }
            step.read.push((id, read));
        }
    }

    fn carry_out(&mut self, action: Action, step: &mut Step) {
        match action {
            Action::Respond { request, response } => {
                let client = self.requests.remove(&request).expect("a request is answered once");
                step.responded.push((client, response));
            }
            Action::Upgrade { request, socket, .. } => {
                let client = self.requests.remove(&request).expect("a request is answered once");
                step.opened.push((socket, client));
                self.sockets.insert(socket, Socket::new(client, Pace::Fast));
            }
            Action::Send { to, frame, class } => {
                let sockets = match to {
                    Recipients::One(socket) => vec![socket],
                    Recipients::Many { sockets, except } => {
                        sockets.iter().copied().filter(|socket| Some(*socket) != except).collect()
                    }
                };
                sockets.iter().for_each(|socket| self.send(*socket, &frame, class));
                step.sent.push(Sent { sockets, frame, class });
            }
            Action::Read { socket, on } => self.set_reading(socket, on),
            Action::Close { socket, cause } => {
                step.closed.push((socket, cause));
                if let Some(known) = self.sockets.get_mut(&socket) {
                    known.outbox.close(Some(cause.frame()));
                    self.write_later(socket);
                }
            }
            Action::Store { ticket, request } => {
                let (at, way) = self.store.submit(self.now, ticket, request, &mut self.dice);
                self.later(at, Due::Store(way));
            }
            Action::Work { ticket, job } => {
                let (late, outcome) = self.workers.run(&job, self.now, &mut self.docs, &mut self.dice);
                self.later(self.now + late, Due::Input(Input::Worked { ticket, outcome }));
            }
            Action::Call { ticket, call } => {
                for (late, said) in (self.ai)(&mut self.dice, &call) {
                    self.later(self.now + late, Due::Input(Input::Called { ticket, said }));
                }
                step.called.push(call);
            }
            Action::Log(record) if record.action == "ws.connect" => {
                let name = record.fields.iter().find(|(name, _)| name == "connectionId");
                if let (Some((socket, _)), Some((_, name))) = (step.opened.last(), name) {
                    self.names.insert(*socket, name.as_str().unwrap_or_default().to_string());
                }
            }
            Action::Cancel { ticket } => step.cancelled.push(ticket),
            Action::Log(_) | Action::Drained => {}
        }
    }

    fn send(&mut self, id: SocketId, frame: &Frame, class: Class) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        let waited = !socket.outbox.is_empty();
        match socket.push(frame, class) {
            Pushed::Queued if !waited && socket.pace == Pace::Slow => self.write_later(id),
            Pushed::Overflowed if !socket.ends => {
                socket.ends = true;
                socket.outbox.close(None);
                let why = Ending::TooSlow;
                self.later(self.now, Due::Input(Input::Disconnected { socket: id, why }));
            }
            Pushed::Queued | Pushed::Dropped | Pushed::Overflowed => {}
        }
    }

    fn set_reading(&mut self, id: SocketId, on: bool) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.reads = on;
        if on && !socket.inbox.is_empty() {
            self.later(self.now, Due::Inbox(id));
        }
    }
}
