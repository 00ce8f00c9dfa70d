//! What an application holds: a [`Connection`] to call through, the [`Answer`]s to its calls, and the [`Events`]. All
//! are the same over both drivers: an answer is awaited, or waited for.

use crate::action::Event;
use crate::chat::{Delivered, JoinedFeed, JoinedProject, JoinedRoom, Page, Span};
use crate::desk::{Desk, wait, wait_at_most};
use crate::error::{Error, PROTOCOL_ERROR};
use crate::input::{CallId, Input};
use crate::room::Room;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// A connection that is kept alive until its last clone is dropped or one is closed.
#[derive(Debug, Clone)]
pub struct Connection {
    handle: Arc<Handle>,
    timeout: Duration,
}

/// The answer to a call, which is under way whether or not it is waited for. Dropped, it is not heard.
#[derive(Debug)]
#[must_use = "whether a call succeeded is in its answer"]
pub struct Answer<T> {
    desk: Arc<Desk>,
    call: CallId,
    result: PhantomData<fn() -> T>,
}

/// What the application is told, in order. When it leaves too much of it lying, nothing is read for it any more, answers
/// neither; dropped, nothing is kept.
#[derive(Debug)]
pub struct Events {
    desk: Arc<Desk>,
}

#[derive(Debug)]
struct Handle {
    desk: Arc<Desk>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.desk.tell(Input::Stopped);
    }
}

impl Connection {
    pub(crate) fn new(desk: &Arc<Desk>) -> (Self, Events) {
        let handle = Arc::new(Handle { desk: desk.clone() });
        (Self { handle, timeout: desk.config.answer_wait_max }, Events { desk: desk.clone() })
    }

    /// The same connection, whose calls wait so long for their answers.
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { handle: self.handle.clone(), timeout }
    }

    /// Makes any call.
    pub fn call<T: DeserializeOwned>(&self, name: &str, data: Value) -> Answer<T> {
        let (name, timeout) = (name.to_string(), self.timeout);
        self.ask(|call| Input::Called { call, name, data, timeout })
    }

    /// Comes into a chat room, and comes back into it after every reconnect.
    pub fn join_room(&self, room: &str) -> Answer<JoinedRoom> {
        self.join(Room::Chat(room.to_string()), None)
    }

    /// The same behind what was heard at another time.
    pub fn join_room_since(&self, room: &str, since: u64) -> Answer<JoinedRoom> {
        self.join(Room::Chat(room.to_string()), Some(since))
    }

    /// Goes out of a chat room; membership stays.
    pub fn leave_room(&self, room: &str) -> Answer<IgnoredAny> {
        self.leave(Room::Chat(room.to_string()))
    }

    /// Says something in a chat room: a text or an object. Answered when it is stored. Sent again after a reconnect, it
    /// is stored once.
    pub fn send_message(&self, room: &str, content: impl Into<Value>) -> Answer<Delivered> {
        self.call("chat:message:send", json!({"roomId": room, "content": content.into()}))
    }

    /// Reads what was said.
    pub fn history(&self, room: &str, span: Span) -> Answer<Page> {
        let mut data = json!(span);
        data["roomId"] = json!(room);
        self.call("chat:message:history", data)
    }

    /// Says how far this user has read.
    pub fn mark_read(&self, room: &str, seq: u64) -> Answer<IgnoredAny> {
        self.call("chat:message:read", json!({"roomId": room, "seq": seq}))
    }

    /// Says that this user types, or does so no longer. Without a connection that is not kept for later.
    pub fn typing(&self, room: &str, types: bool) -> Answer<IgnoredAny> {
        let name = if types { "chat:typing:start" } else { "chat:typing:stop" };
        self.call(name, json!({ "roomId": room }))
    }

    /// Follows a project, over all reconnects.
    pub fn join_project(&self, project: &str) -> Answer<JoinedProject> {
        self.join(Room::Project(project.to_string()), None)
    }

    /// The same behind what was heard at another time.
    pub fn join_project_since(&self, project: &str, since: u64) -> Answer<JoinedProject> {
        self.join(Room::Project(project.to_string()), Some(since))
    }

    /// Follows a project no longer.
    pub fn leave_project(&self, project: &str) -> Answer<IgnoredAny> {
        self.leave(Room::Project(project.to_string()))
    }

    /// Follows what this user and everyone is told, over all reconnects.
    pub fn join_feed(&self) -> Answer<JoinedFeed> {
        self.join(Room::Feed, None)
    }

    /// Ends the connection for good, for all of its clones: what waits is answered as lost. Ready when the server was
    /// told.
    pub fn close(&self) -> impl Future<Output = ()> + use<> {
        let desk = self.handle.desk.clone();
        desk.tell(Input::Stopped);
        poll_fn(move |cx| desk.poll_closed(cx))
    }

    /// The same, in this thread.
    pub fn close_and_wait(&self) {
        self.handle.desk.tell(Input::Stopped);
        wait(|cx| self.handle.desk.poll_closed(cx));
    }

    fn join<T>(&self, room: Room, since: Option<u64>) -> Answer<T> {
        let timeout = self.timeout;
        self.ask(|call| Input::Joined { call, room, since, timeout })
    }

    fn leave(&self, room: Room) -> Answer<IgnoredAny> {
        let timeout = self.timeout;
        self.ask(|call| Input::Left { call, room, timeout })
    }

    fn ask<T>(&self, input: impl FnOnce(CallId) -> Input) -> Answer<T> {
        let desk = self.handle.desk.clone();
        let call = desk.ask(input);
        Answer { desk, call, result: PhantomData }
    }
}

impl<T> Answer<T> {
    /// The call's name in `Event::AnsweredLate`.
    pub fn call(&self) -> CallId {
        self.call
    }
}

impl<T: DeserializeOwned> Answer<T> {
    /// Waits for it in this thread. Not for use in a task: await it there.
    pub fn wait(self) -> Result<T, Error> {
        read(wait(|cx| self.desk.poll_answer(self.call, cx)))
    }
}

impl<T: DeserializeOwned> Future for Answer<T> {
    type Output = Result<T, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.desk.poll_answer(self.call, cx).map(read)
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        self.desk.forget(self.call);
    }
}

impl Events {
    /// The next one; `None`: the connection is over for good.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| self.desk.poll_event(cx)).await
    }

    /// The same, in this thread.
    pub fn wait(&mut self) -> Option<Event> {
        wait(|cx| self.desk.poll_event(cx))
    }

    /// The same, at the longest so long; `None` also when nothing came.
    pub fn wait_at_most(&mut self, most: Duration) -> Option<Event> {
        wait_at_most(Instant::now() + most, |cx| self.desk.poll_event(cx)).flatten()
    }
}

#[cfg(feature = "smol")]
impl smol::stream::Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.desk.poll_event(cx)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.desk.stop_listening();
    }
}

fn read<T: DeserializeOwned>(result: Result<Value, Error>) -> Result<T, Error> {
    serde_json::from_value(result?).map_err(|why| Error::new(PROTOCOL_ERROR, why.to_string(), false))
}
