//! Where a driver, its connection and the application meet: the machine behind one lock, and what waits for each of
//! them. It knows neither threads nor tasks; whoever waits leaves a waker.

use crate::action::{Action, Event, State};
use crate::client::Client;
use crate::config::Config;
use crate::error::Error;
use crate::input::{CallId, Input};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

/// The desk.
#[derive(Debug)]
pub struct Desk {
    inside: Mutex<Inside>,
    begun: Instant,
    pub config: Config,
}

#[derive(Debug)]
struct Inside {
    client: Client,
    actions: Vec<Action>,
    orders: VecDeque<Order>,
    /// The connections that are not over yet. All but the present one only finish what is to be sent.
    lines: BTreeMap<u64, Line>,
    present: u64,
    slots: BTreeMap<CallId, Slot>,
    events: VecDeque<Event>,
    /// Whether anybody takes them.
    listened: bool,
    next_call: u64,
    deadline: Option<Duration>,
    over: bool,
    waiting: Waiting,
}

/// Who waits.
#[derive(Debug, Default)]
struct Waiting {
    driver: Option<Waker>,
    listener: Option<Waker>,
    closer: Option<Waker>,
}

/// What a driver is to do.
#[derive(Debug, PartialEq)]
pub enum Order {
    /// Ask the application for a token.
    AskToken,
    /// Open a connection of this number.
    Open { line: u64, url: String, token: String },
    /// It is over: there will be no more orders.
    End,
}

/// What a connection is to send.
#[derive(Debug, PartialEq, Eq)]
pub enum Outgoing {
    Text(String),
    Ping,
}

#[derive(Debug, Default)]
struct Line {
    outgoing: VecDeque<Outgoing>,
    ending: bool,
    waker: Option<Waker>,
}

#[derive(Debug)]
enum Slot {
    Waiting(Option<Waker>),
    Answered(Result<Value, Error>),
}

impl Desk {
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let inside = Inside {
            client: Client::new(config.clone(), seed),
            actions: Vec::new(),
            orders: VecDeque::new(),
            lines: BTreeMap::new(),
            present: 0,
            slots: BTreeMap::new(),
            events: VecDeque::new(),
            listened: true,
            next_call: 1,
            deadline: None,
            over: false,
            waiting: Waiting::default(),
        };
        Self { inside: Mutex::new(inside), begun: Instant::now(), config }
    }

    /// Asks something under an id of its own; the answer waits there.
    pub fn ask(&self, input: impl FnOnce(CallId) -> Input) -> CallId {
        let mut inside = self.lock();
        let call = CallId(inside.next_call);
        inside.next_call += 1;
        inside.slots.insert(call, Slot::Waiting(None));
        self.handle(&mut inside, input(call));
        call
    }

    pub fn poll_answer(&self, call: CallId, cx: &mut Context<'_>) -> Poll<Result<Value, Error>> {
        let mut inside = self.lock();
        if let Some(Slot::Waiting(waker)) = inside.slots.get_mut(&call) {
            *waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        match inside.slots.remove(&call) {
            Some(Slot::Answered(result)) => Poll::Ready(result),
            Some(Slot::Waiting(_)) | None => Poll::Ready(Err(Error::lost())),
        }
    }

    /// Nobody waits for the answer any more; the call itself goes on.
    pub fn forget(&self, call: CallId) {
        self.lock().slots.remove(&call);
    }

    /// The next event; `None`: there will be no more.
    pub fn poll_event(&self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut inside = self.lock();
        let Some(event) = inside.events.pop_front() else {
            inside.waiting.listener = Some(cx.waker().clone());
            return if inside.over { Poll::Ready(None) } else { Poll::Pending };
        };
        if inside.events.len() + 1 == self.config.events_max {
            inside.wake_line();
        }
        Poll::Ready(Some(event))
    }

    /// Nobody takes events any more.
    pub fn stop_listening(&self) {
        let mut inside = self.lock();
        inside.listened = false;
        inside.events.clear();
        inside.wake_line();
    }

    /// The application or the token's source has something to tell.
    pub fn tell(&self, input: Input) {
        let mut inside = self.lock();
        self.handle(&mut inside, input);
    }

    /// Ready when no connection has anything to send any more.
    pub fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inside = self.lock();
        inside.waiting.closer = Some(cx.waker().clone());
        if inside.over && inside.lines.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// The driver's next order; while there is none, until when to wait.
    pub fn poll_order(&self, cx: &mut Context<'_>) -> Result<Order, Option<Instant>> {
        let mut inside = self.lock();
        if inside.deadline.is_some_and(|deadline| deadline <= self.begun.elapsed()) {
            self.handle(&mut inside, Input::Tick);
        }
        match inside.orders.pop_front() {
            Some(order) => Ok(order),
            None if inside.over => Ok(Order::End),
            None => {
                inside.waiting.driver = Some(cx.waker().clone());
                inside.deadline = inside.client.next_deadline();
                Err(inside.deadline.map(|deadline| self.begun + deadline))
            }
        }
    }

    /// Something became of a connection; of a former one it is of no interest.
    pub fn report(&self, line: u64, input: Input) {
        let mut inside = self.lock();
        if inside.is_present(line) {
            self.handle(&mut inside, input);
        }
    }

    /// What a connection is to send next; `None`: nothing more.
    pub fn poll_outgoing(&self, line: u64, cx: &mut Context<'_>) -> Poll<Option<Outgoing>> {
        let mut inside = self.lock();
        let Some(line) = inside.lines.get_mut(&line) else { return Poll::Ready(None) };
        line.waker = Some(cx.waker().clone());
        match line.outgoing.pop_front() {
            None if !line.ending => Poll::Pending,
            outgoing => Poll::Ready(outgoing),
        }
    }

    /// Ready when a connection may read on: not while the application leaves its events lying, nor when it ends.
    pub fn poll_may_read(&self, line: u64, cx: &mut Context<'_>) -> Poll<()> {
        let mut inside = self.lock();
        let has_room = inside.events.len() < self.config.events_max;
        match inside.lines.get_mut(&line) {
            Some(line) if !has_room || line.ending => line.waker = Some(cx.waker().clone()),
            Some(_) | None => return Poll::Ready(()),
        }
        Poll::Pending
    }

    /// Ready when a connection has to end.
    #[cfg(feature = "smol")]
    pub fn poll_ending(&self, line: u64, cx: &mut Context<'_>) -> Poll<()> {
        match self.lock().lines.get_mut(&line) {
            Some(line) if !line.ending => line.waker = Some(cx.waker().clone()),
            Some(_) | None => return Poll::Ready(()),
        }
        Poll::Pending
    }

    /// A connection is over, or was never opened: this is how.
    pub fn end_line(&self, line: u64, how: Input) {
        let mut inside = self.lock();
        let was_present = inside.is_present(line);
        inside.lines.remove(&line);
        if was_present {
            self.handle(&mut inside, how);
        }
        wake(&mut inside.waiting.closer);
    }

    fn handle(&self, inside: &mut Inside, input: Input) {
        let now = self.begun.elapsed();
        let Inside { client, actions, .. } = inside;
        client.handle(now, input, actions);
        for action in std::mem::take(&mut inside.actions) {
            inside.perform(action);
        }
        let deadline = inside.client.next_deadline();
        if deadline != inside.deadline {
            inside.deadline = deadline;
            wake(&mut inside.waiting.driver);
        }
    }

    /// A panic under the lock ends the thread that it happened in; the others go on.
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn perform(&mut self, action: Action) {
        match action {
            Action::AskToken => self.order(Order::AskToken),
            Action::Open { url, token } => {
                self.present += 1;
                self.lines.insert(self.present, Line::default());
                self.order(Order::Open { line: self.present, url, token });
            }
            Action::Send(text) => self.send(Outgoing::Text(text)),
            Action::Ping => self.send(Outgoing::Ping),
            Action::Close => {
                self.lines.get_mut(&self.present).into_iter().for_each(|line| line.ending = true);
                self.wake_line();
            }
            Action::Answer { call, result } => {
                if let Some(slot) = self.slots.get_mut(&call)
                    && let Slot::Waiting(mut waker) = std::mem::replace(slot, Slot::Answered(result))
                {
                    wake(&mut waker);
                }
            }
            Action::Tell(event) => self.show(event),
        }
    }

    fn order(&mut self, order: Order) {
        self.orders.push_back(order);
        wake(&mut self.waiting.driver);
    }

    fn send(&mut self, outgoing: Outgoing) {
        if let Some(line) = self.lines.get_mut(&self.present) {
            line.outgoing.push_back(outgoing);
            wake(&mut line.waker);
        }
    }

    /// Only what a connection brings can fill the queue, and none is read while it is full: of how the connection
    /// is, the newest word is kept.
    fn show(&mut self, event: Event) {
        if let Event::State(state) = event {
            self.over |= matches!(state, State::Ended(_));
            if matches!(self.events.back(), Some(Event::State(_))) {
                self.events.pop_back();
            }
        }
        if self.over {
            wake(&mut self.waiting.driver);
            wake(&mut self.waiting.closer);
        }
        if self.listened {
            self.events.push_back(event);
        }
        wake(&mut self.waiting.listener);
    }

    fn is_present(&self, line: u64) -> bool {
        line == self.present && self.lines.get(&line).is_some_and(|line| !line.ending)
    }

    fn wake_line(&mut self) {
        if let Some(line) = self.lines.get_mut(&self.present) {
            wake(&mut line.waker);
        }
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// Waits in this thread until it is ready.
pub fn wait<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    wait_until(|cx| match poll(cx) {
        Poll::Ready(value) => Ok(value),
        Poll::Pending => Err(None),
    })
}

/// Waits in this thread until there is a value; without one, at the longest until then before asking again.
pub fn wait_until<T>(mut poll: impl FnMut(&mut Context<'_>) -> Result<T, Option<Instant>>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match poll(&mut cx) {
            Ok(value) => return value,
            Err(None) => std::thread::park(),
            Err(Some(until)) => std::thread::park_timeout(until.saturating_duration_since(Instant::now())),
        }
    }
}

/// The same for what is polled, at the longest until then.
pub fn wait_at_most<T>(until: Instant, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
    wait_until(|cx| match poll(cx) {
        Poll::Ready(value) => Ok(Some(value)),
        Poll::Pending if Instant::now() >= until => Ok(None),
        Poll::Pending => Err(Some(until)),
    })
}

/// Sees to it that `poll_may_read` is asked before each read.
pub fn poll_read<T>(
    desk: &Desk,
    line: u64,
    cx: &mut Context<'_>,
    read: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    ready!(desk.poll_may_read(line, cx));
    read(cx)
}
