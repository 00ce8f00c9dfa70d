//! The members of rooms: how they get in, how one speaks, and what is wrong about what one hears.

use crate::crowd::Say;
use crate::frames::{TEXT, masked};
use crate::order::{Seqs, mark, marked};
use crate::target::{Place, Target};

/// How long a body is.
pub(crate) const BODY_BYTES: usize = 64;

/// The members of all rooms; who is in one has its lines next to each other.
pub(crate) struct Members {
    target: Target,
    in_each: usize,
    welcomed: usize,
    seqs: Vec<Seqs>,
    fault: Option<String>,
}

impl Members {
    /// So many in each of so many rooms.
    pub(crate) fn new(target: Target, rooms: usize, in_each: usize) -> Self {
        Self { target, in_each, welcomed: 0, seqs: vec![Seqs::default(); rooms * in_each], fault: None }
    }

    pub(crate) fn room_of(&self, line: usize) -> usize {
        line / self.in_each
    }

    /// Where each connects.
    pub(crate) fn paths(&self) -> Vec<String> {
        (0..self.seqs.len()).map(|line| self.target.path(self.place_of(line), line)).collect()
    }

    /// Its upgrade is done.
    pub(crate) fn opened(&mut self, line: usize, say: &mut Say) {
        match self.target.hello(self.place_of(line)) {
            Some(hello) => say.text(line, &hello),
            None => self.welcomed += 1,
        }
    }

    /// The sender and the number of what it heard, if that is a message of a room.
    pub(crate) fn heard(&mut self, line: usize, text: &[u8], say: &mut Say) -> Option<(usize, u32)> {
        let message = marked(text);
        if message.is_some() {
            return message;
        }
        if self.target.is_welcome(text) {
            self.welcomed += 1;
        } else if let Some(reply) = self.target.reply(self.place_of(line), text) {
            say.text(line, &reply);
        } else if memchr::memmem::find(text, b"error").is_some() {
            self.blame(|| String::from_utf8_lossy(text).into_owned());
        }
        None
    }

    /// Whether a message came in its order, as far as the server numbers them.
    pub(crate) fn in_order(&mut self, line: usize, text: &[u8]) -> Result<(), String> {
        match self.target.is_ours() {
            true => self.seqs[line].look_at(text, self.target.is_answer(text)),
            false => Ok(()),
        }
    }

    /// Says a message of this number as the room's member `voice`.
    pub(crate) fn speak(&self, room: usize, voice: usize, number: u32, say: &mut Say) {
        let body = format!("{:.<BODY_BYTES$}", mark(voice, number));
        let saying = self.target.saying(Place::Room(room), number, &body);
        say.frame(room * self.in_each + voice, masked(TEXT, saying.as_bytes()));
    }

    /// How many are in.
    pub(crate) fn ready(&self) -> usize {
        self.welcomed
    }

    /// What went wrong; the first counts.
    pub(crate) fn blame(&mut self, fault: impl FnOnce() -> String) {
        self.fault.get_or_insert_with(fault);
    }

    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    fn place_of(&self, line: usize) -> Place {
        Place::Room(self.room_of(line))
    }
}
