//! The machine: takes in a fact, keeps the connection alive, and appends the orders that follow.

mod asking;
mod hearing;

use crate::action::{Action, End, Event, State};
use crate::calls::Calls;
use crate::config::Config;
use crate::dice::Dice;
use crate::error::Error;
use crate::input::Input;
use crate::rooms::Rooms;
use std::time::Duration;

/// The longest wait before a reconnect that a server may ask for.
const RECONNECT_AFTER_MAX: Duration = Duration::from_secs(300);

/// A client of one server, for one user.
#[derive(Debug)]
pub struct Client {
    config: Config,
    dice: Dice,
    link: Link,
    calls: Calls,
    rooms: Rooms,
    /// How many connections in a row failed.
    failures: u32,
    /// How long the server asked to stay away.
    stay_away: Duration,
    /// Until when no calls are sent, because the server asked for that.
    pause: Duration,
    /// A token that was asked for and has not come.
    token: Option<Wanted>,
    /// The number of the newest request that is no call.
    request: u64,
    malformed: u64,
}

/// What a token is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    ToOpen,
    ToRefresh,
}

/// How far the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    /// Tried again then.
    Waiting { until: Duration },
    /// Waits for a token until then.
    Asking { until: Duration },
    /// Is being opened until then.
    Opening { until: Duration },
    /// Open. `ping` is when it has been silent for too long; once it is pinged, it ends then.
    Open { heard: bool, pinged: bool, ping: Duration },
    /// Over for good.
    Ended(End),
}

impl Client {
    /// A client that begins to connect at its first `Tick`. The same settings, seed and facts give the same orders.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            config,
            dice: Dice::new(seed),
            link: Link::Waiting { until: Duration::ZERO },
            calls: Calls::default(),
            rooms: Rooms::default(),
            failures: 0,
            stay_away: Duration::ZERO,
            pause: Duration::ZERO,
            token: None,
            request: 0,
            malformed: 0,
        }
    }

    /// Takes in one fact, at this time since any beginning, and appends the orders that follow from it.
    pub fn handle(&mut self, now: Duration, input: Input, actions: &mut Vec<Action>) {
        match input {
            Input::Called { call, name, data, timeout } => {
                self.on_called(now, call, (&name, data), timeout, actions)
            }
            Input::Joined { call, room, since, timeout } => {
                self.on_join_wish(now, call, room, since, timeout, actions);
            }
            Input::Left { call, room, timeout } => self.on_leave_wish(now, call, room, timeout, actions),
            Input::Tick => self.on_tick(now, actions),
            Input::Stopped => self.end(End::Stopped, actions),
            Input::TokenGiven(token) => self.on_token(now, token, actions),
            Input::TokenFailed => self.on_no_token(now, actions),
            Input::Opened => self.on_opened(now, actions),
            Input::Failed { status, retry_after } => self.on_failed(now, status, retry_after, actions),
            Input::Received(text) => self.on_received(now, &text, actions),
            Input::Ponged => self.live(now),
            Input::Closed { code } => self.on_closed(now, code, actions),
        }
        self.send_on(now, actions);
    }

    /// When `Input::Tick` is due, unless something else happens first.
    pub fn next_deadline(&self) -> Option<Duration> {
        let link = match self.link {
            Link::Waiting { until } | Link::Asking { until } | Link::Opening { until } => Some(until),
            Link::Open { ping, .. } => Some(ping),
            Link::Ended(_) => None,
        };
        let pause = (self.pause > Duration::ZERO && self.is_open()).then_some(self.pause);
        let rooms = self.rooms.next_deadline(self.is_open());
        [link, pause, self.calls.next_deadline(), rooms].into_iter().flatten().min()
    }

    /// Whether the connection is open.
    pub fn is_open(&self) -> bool {
        matches!(self.link, Link::Open { .. })
    }

    /// How many messages of the server made no sense; they are dropped.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// How many calls wait, and how many bytes they have.
    pub fn load(&self) -> (usize, usize) {
        self.calls.load()
    }

    fn on_tick(&mut self, now: Duration, actions: &mut Vec<Action>) {
        while let Some((call, room, error)) = self.calls.expire(now) {
            actions.push(Action::Answer { call, result: Err(error) });
            if let Some(room) = room {
                self.give_up_join(&room, call, actions);
            }
        }
        match self.link {
            Link::Waiting { until } if until <= now => self.ask_token_to_open(now, actions),
            Link::Asking { until } if until <= now => {
                self.token = None;
                self.lose(now, actions);
            }
            Link::Opening { until } if until <= now => self.hang_up(now, actions),
            Link::Open { pinged: true, ping, .. } if ping <= now => self.hang_up(now, actions),
            Link::Open { heard, ping, .. } if ping <= now => {
                actions.push(Action::Ping);
                self.link = Link::Open { heard, pinged: true, ping: now + self.config.silence_max };
            }
            Link::Open { .. } if self.rooms.is_overdue(now) => self.hang_up(now, actions),
            Link::Waiting { .. }
            | Link::Asking { .. }
            | Link::Opening { .. }
            | Link::Open { .. }
            | Link::Ended(_) => {}
        }
    }

    fn ask_token_to_open(&mut self, now: Duration, actions: &mut Vec<Action>) {
        actions.push(Action::Tell(Event::State(State::Connecting)));
        if self.token.is_none() {
            actions.push(Action::AskToken);
        }
        self.token = Some(Wanted::ToOpen);
        self.link = Link::Asking { until: now + self.config.token_wait_max };
    }

    fn on_token(&mut self, now: Duration, token: String, actions: &mut Vec<Action>) {
        match (self.token.take(), self.link) {
            (Some(_), Link::Asking { .. }) => {
                self.link = Link::Opening { until: now + self.config.open_wait_max };
                actions.push(Action::Open { url: self.config.url.clone(), token });
            }
            (Some(Wanted::ToRefresh), Link::Open { .. }) => self.refresh(&token, actions),
            // It was wanted by a connection that is no more.
            (_, Link::Waiting { .. } | Link::Asking { .. } | Link::Opening { .. } | Link::Open { .. })
            | (_, Link::Ended(_)) => {}
        }
    }

    /// A connection that is open lives on until its token ends.
    fn on_no_token(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if self.token.take().is_some() && matches!(self.link, Link::Asking { .. }) {
            self.lose(now, actions);
        }
    }

    fn on_opened(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if matches!(self.link, Link::Opening { .. }) {
            self.link = Link::Open { heard: false, pinged: false, ping: now + self.config.silence_max };
            actions.push(Action::Tell(Event::State(State::Open)));
        }
    }

    fn on_failed(
        &mut self,
        now: Duration,
        status: Option<u16>,
        retry_after: Option<Duration>,
        actions: &mut Vec<Action>,
    ) {
        if !matches!(self.link, Link::Opening { .. }) {
            return;
        }
        self.stay_away = retry_after.unwrap_or_default().min(RECONNECT_AFTER_MAX);
        match status.filter(|status| is_final_status(*status)) {
            Some(status) => self.end(End::Refused(status), actions),
            None => self.lose(now, actions),
        }
    }

    fn on_closed(&mut self, now: Duration, code: Option<u16>, actions: &mut Vec<Action>) {
        match (self.link, code.filter(|code| is_final_code(*code))) {
            (Link::Opening { .. } | Link::Open { .. }, Some(code)) => self.end(End::Closed(code), actions),
            (Link::Opening { .. } | Link::Open { .. }, None) => self.lose(now, actions),
            (Link::Waiting { .. } | Link::Asking { .. } | Link::Ended(_), _) => {}
        }
    }

    /// The server is there.
    fn live(&mut self, now: Duration) {
        if let Link::Open { .. } = self.link {
            self.link = Link::Open { heard: true, pinged: false, ping: now + self.config.silence_max };
        }
    }

    fn hang_up(&mut self, now: Duration, actions: &mut Vec<Action>) {
        actions.push(Action::Close);
        self.lose(now, actions);
    }

    /// The connection, or the try to open one, has come to nothing: the next follows after a while.
    fn lose(&mut self, now: Duration, actions: &mut Vec<Action>) {
        self.failures = match self.link {
            Link::Open { heard: true, .. } => 0,
            Link::Open { heard: false, .. }
            | Link::Waiting { .. }
            | Link::Asking { .. }
            | Link::Opening { .. }
            | Link::Ended(_) => self.failures.saturating_add(1),
        };
        if self.config.attempts_max.is_some_and(|most| self.failures >= most) {
            return self.end(End::AttemptsOver(self.failures), actions);
        }
        for call in self.calls.lose() {
            actions.push(Action::Answer { call, result: Err(Error::lost()) });
        }
        for call in self.rooms.lose() {
            self.answer_left(call, actions);
        }
        self.pause = Duration::ZERO;
        let wait = self.backoff() + std::mem::take(&mut self.stay_away);
        self.link = Link::Waiting { until: now + wait };
        actions.push(Action::Tell(Event::State(State::Waiting(wait))));
    }

    /// Full jitter: anything up to a most that doubles with each failure.
    fn backoff(&mut self) -> Duration {
        let doubled = 1_u32.checked_shl(self.failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.dice.up_to(self.config.backoff_first.saturating_mul(doubled).min(self.config.backoff_max))
    }

    fn end(&mut self, end: End, actions: &mut Vec<Action>) {
        let is_there = match self.link {
            Link::Ended(_) => return,
            Link::Opening { .. } | Link::Open { .. } => true,
            Link::Waiting { .. } | Link::Asking { .. } => false,
        };
        // What the server has closed or refused is not there to be closed.
        if is_there && end == End::Stopped {
            actions.push(Action::Close);
        }
        self.link = Link::Ended(end);
        self.rooms.clear();
        for call in self.calls.end() {
            actions.push(Action::Answer { call, result: Err(over(end)) });
        }
        actions.push(Action::Tell(Event::State(State::Ended(end))));
    }

    fn next_request(&mut self) -> u64 {
        self.request += 1;
        self.request
    }
}

/// Whether a close code says not to come back (WIRE §0.6): finished, refused, superseded.
fn is_final_code(code: u16) -> bool {
    matches!(code, 1000 | 1008 | 4001 | 4401 | 4403)
}

/// Whether an HTTP status says that the same request is refused again. Where a refusal comes as a close, it is 1008.
fn is_final_status(status: u16) -> bool {
    matches!(status, 400..=499) && !matches!(status, 408 | 425 | 429)
}

/// Why nothing is answered any more.
fn over(end: End) -> Error {
    let why = match end {
        End::Stopped => "the application stopped the connection".to_string(),
        End::Closed(code) => format!("the server closed with {code}"),
        End::Refused(status) => format!("the server refused the connection with {status}"),
        End::AttemptsOver(failures) => format!("{failures} connections failed in a row"),
    };
    Error { message: why, recoverable: false, ..Error::lost() }
}
