//! The calls of the application, from the moment they are made until they are answered: waiting to be sent, in
//! flight, or answered as late while the server's word is still out. Bounded in number and in bytes.

use crate::config::Config;
use crate::dice::Dice;
use crate::envelope;
use crate::error::{CLIENT_ERROR, Error};
use crate::input::CallId;
use crate::room::Room;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// All calls.
#[derive(Debug, Default)]
pub struct Calls {
    by_id: BTreeMap<CallId, Call>,
    to_send: BTreeSet<CallId>,
    deadlines: BTreeSet<(Duration, CallId)>,
    /// Messages whose ids the client made, by these.
    by_message: BTreeMap<String, CallId>,
    bytes: usize,
}

/// One call.
#[derive(Debug)]
pub struct Call {
    pub what: What,
    pub stage: Stage,
    until: Duration,
}

/// What it asks.
#[derive(Debug)]
pub enum What {
    /// This is said to the server.
    Say(Saying),
    /// To be let into a room.
    Join(Room),
    /// To be out of a room.
    Leave,
}

/// What is said to the server.
#[derive(Debug)]
pub struct Saying {
    text: String,
    /// The room it belongs to, if it names one.
    pub room: Option<Room>,
    /// Whether the answer's `seq` is a place in the log of that room, or of the one that the answer names.
    pub stores: bool,
    repeat: Repeat,
    /// A message's id.
    pub message: Option<String>,
    made_here: bool,
}

/// What becomes of it when the connection ends before its answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// Done twice, it is the same: it is said again.
    Safe,
    /// Its caller has to know.
    Unsafe,
    /// Said later, it is worth nothing: it does not even wait for a connection.
    Stale,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// To be sent.
    Queued,
    /// Sent on the present connection.
    InFlight,
    /// Sent on the present connection, and answered by the client: it took too long.
    Overdue,
    /// Its room knows.
    Wished,
}

impl Saying {
    /// A message without an id gets one before it is sent for the first time: sent again, it is stored once.
    pub fn new(call: CallId, name: &str, mut data: Value, dice: &mut Dice) -> Self {
        let is_message = name == "chat:message:send";
        let made_here = is_message && data.is_object() && data.get("id").is_none();
        if made_here {
            data["id"] = json!(dice.message_id());
        }
        let text = |key| data.get(key).and_then(Value::as_str).map(str::to_string);
        let (message, room) = (text("id").filter(|_| is_message), text("roomId"));
        let repeat = match name {
            "chat:message:send" if message.is_some() => Repeat::Safe,
            "chat:message:history" | "chat:message:read" | "ping" => Repeat::Safe,
            "chat:typing:start" | "chat:typing:stop" => Repeat::Stale,
            _ => Repeat::Unsafe,
        };
        let stores = matches!(
            name,
            "chat:message:send"
                | "chat:robot:interact"
                | "chat:file:upload"
                | "chat:escalation:create"
                | "chat:escalation:resolve"
        );
        let text = envelope::write(name, &data, &format!("c{}", call.0));
        let room = room.filter(|_| name.starts_with("chat:")).map(Room::Chat);
        Self { text, room, stores, repeat, message, made_here }
    }
}

impl Calls {
    /// Takes a call in, or says why not.
    pub fn add(
        &mut self,
        id: CallId,
        what: What,
        until: Duration,
        is_open: bool,
        config: &Config,
    ) -> Result<(), Error> {
        if self.by_id.contains_key(&id) {
            return Err(Error::new(CLIENT_ERROR, format!("the call {} was made before", id.0), false));
        }
        if self.by_id.len() >= config.calls_max {
            return Err(Error::overloaded("calls", self.by_id.len() + 1, config.calls_max));
        }
        let mut stage = Stage::Wished;
        if let What::Say(saying) = &what {
            let bytes = saying.text.len();
            if bytes > config.call_bytes_max {
                return Err(Error::too_large(bytes, config.call_bytes_max));
            }
            if self.bytes + bytes > config.calls_bytes_max {
                return Err(Error::overloaded("bytes", self.bytes + bytes, config.calls_bytes_max));
            }
            if saying.repeat == Repeat::Stale && !is_open {
                return Err(Error::lost());
            }
            if let Some(message) = saying.message.as_ref().filter(|_| saying.made_here) {
                self.by_message.insert(message.clone(), id);
            }
            self.bytes += bytes;
            self.to_send.insert(id);
            stage = Stage::Queued;
        }
        self.deadlines.insert((until, id));
        self.by_id.insert(id, Call { what, stage, until });
        Ok(())
    }

    /// What can be sent now, in the order of the calls; from here on it is in flight.
    pub fn send(&mut self, may: impl Fn(&Saying) -> bool, mut send: impl FnMut(String)) {
        let by_id = &mut self.by_id;
        self.to_send.retain(|id| match by_id.get_mut(id) {
            Some(Call { what: What::Say(saying), stage, .. }) if may(saying) => {
                send(saying.text.clone());
                *stage = Stage::InFlight;
                false
            }
            Some(_) => true,
            None => false,
        });
    }

    /// The server has answered a call.
    pub fn answered(&mut self, id: CallId) -> Option<Call> {
        let was_sent = |call: &&Call| matches!(call.stage, Stage::InFlight | Stage::Overdue);
        self.by_id.get(&id).filter(was_sent)?;
        self.remove(id)
    }

    /// A call that the server has refused for now, and that is safe to repeat, is to be sent again. Whether it is such
    /// a call.
    pub fn send_again(&mut self, id: CallId) -> bool {
        let Some(call) = self.by_id.get_mut(&id) else { return false };
        let is_safe = matches!(&call.what, What::Say(saying) if saying.repeat == Repeat::Safe);
        let again = is_safe && call.stage == Stage::InFlight;
        if again {
            call.stage = Stage::Queued;
            self.to_send.insert(id);
        }
        again
    }

    /// The call that sent a message under an id that the client made.
    pub fn sender_of(&self, message: &str) -> Option<CallId> {
        self.by_message.get(message).copied()
    }

    pub fn remove(&mut self, id: CallId) -> Option<Call> {
        let call = self.by_id.remove(&id)?;
        self.deadlines.remove(&(call.until, id));
        self.to_send.remove(&id);
        if let What::Say(saying) = &call.what {
            self.bytes -= saying.text.len();
            saying
                .message
                .as_ref()
                .filter(|_| saying.made_here)
                .map(|message| self.by_message.remove(message));
        }
        Some(call)
    }

    /// A call whose time is over, and why it has no result. A message in flight is kept: the answer to it, if it
    /// still comes, says that it is stored.
    pub fn expire(&mut self, now: Duration) -> Option<(CallId, Option<Room>, Error)> {
        let (until, id) = *self.deadlines.first().filter(|(until, _)| *until <= now)?;
        let call = self.by_id.get_mut(&id)?;
        let (room, message) = match &call.what {
            What::Say(saying) => (None, saying.message.clone()),
            What::Join(room) => (Some(room.clone()), None),
            What::Leave => (None, None),
        };
        if message.is_some() && call.stage == Stage::InFlight {
            call.stage = Stage::Overdue;
            self.deadlines.remove(&(until, id));
        } else {
            self.remove(id);
        }
        Some((id, room, Error::late(message.as_deref())))
    }

    /// The connection is gone. What is safe to repeat is to be sent again; returns what is not.
    pub fn lose(&mut self) -> Vec<CallId> {
        let (mut lost, mut over) = (Vec::new(), Vec::new());
        for (id, call) in &mut self.by_id {
            let What::Say(saying) = &call.what else { continue };
            match (call.stage, saying.repeat) {
                (Stage::InFlight, Repeat::Safe) => {
                    call.stage = Stage::Queued;
                    self.to_send.insert(*id);
                }
                (Stage::InFlight, Repeat::Unsafe | Repeat::Stale) | (Stage::Queued, Repeat::Stale) => {
                    lost.push(*id);
                }
                (Stage::Overdue, _) => over.push(*id),
                (Stage::Queued | Stage::Wished, _) => {}
            }
        }
        for id in lost.iter().chain(&over) {
            self.remove(*id);
        }
        lost
    }

    /// Nothing will ever be answered; returns who still waits.
    pub fn end(&mut self) -> Vec<CallId> {
        let calls = std::mem::take(self);
        calls.by_id.into_iter().filter(|(_, call)| call.stage != Stage::Overdue).map(|(id, _)| id).collect()
    }

    pub fn next_deadline(&self) -> Option<Duration> {
        self.deadlines.first().map(|(until, _)| *until)
    }

    /// How many there are, and how many bytes they have.
    pub fn load(&self) -> (usize, usize) {
        (self.by_id.len(), self.bytes)
    }
}
