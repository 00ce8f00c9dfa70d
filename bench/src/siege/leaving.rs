//! The end of a server: who is closed when, and what it still has when it is there again.

use crate::crowd::{Crowd, Say, Script};
use crate::room::{Room, Work};
use crate::target::{Place, Target};
use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

/// The members while their server closes them.
pub struct Leaving<'a> {
    room: &'a mut Room,
    since: Instant,
    closes: Vec<Duration>,
}

impl<'a> Leaving<'a> {
    pub fn new(room: &'a mut Room) -> Self {
        Self { room, since: Instant::now(), closes: Vec::new() }
    }

    /// Goes on saying what is due until so many are closed, or for `most`.
    pub fn speak_while_there_are(
        &mut self,
        crowd: &mut Crowd,
        lines: usize,
        most: Duration,
    ) -> io::Result<()> {
        let pause = self.room.work().pause();
        let mut due = self.since;
        while self.closes.len() < lines && self.since.elapsed() < most {
            due += pause;
            crowd.run(self, due, |leaving| leaving.closes.len() == lines)?;
            if !self.room.has_said_all() {
                let mut say = Say::default();
                self.room.say_next(due, &mut say);
                crowd.speak(say)?;
            }
        }
        Ok(())
    }

    /// When each connection was closed, counted from the order to stop.
    pub fn closes(&self) -> &[Duration] {
        &self.closes
    }
}

impl Script for Leaving<'_> {
    fn opened(&mut self, _line: usize, _say: &mut Say) {}

    fn heard(&mut self, line: usize, text: &[u8], say: &mut Say) {
        self.room.heard(line, text, say);
    }

    fn closed(&mut self, line: usize, code: u16) -> io::Result<()> {
        self.closes.push(self.since.elapsed());
        match code {
            1012 => Ok(()),
            code => Err(io::Error::other(format!("member {line} was closed with {code}"))),
        }
    }

    fn ready(&self) -> usize {
        0
    }
}

/// What one newcomer to each room reads there from the beginning.
pub struct Kept {
    target: Target,
    work: Work,
    joined: usize,
    messages: BTreeSet<(usize, usize)>,
}

impl Kept {
    pub fn new(target: Target, work: Work) -> Self {
        Self { target, work, joined: 0, messages: BTreeSet::new() }
    }

    /// Reads until all is there that `room` was acknowledged, or until `until`.
    pub fn read(&mut self, crowd: &mut Crowd, until: Instant, room: &Room) -> io::Result<()> {
        let newcomers = self.work.rooms * self.work.members;
        let paths: Vec<String> =
            (0..self.work.rooms).map(|room| self.target.path(Place::Room(room), newcomers + room)).collect();
        crowd.gather(&paths, self)?;
        let acknowledged: BTreeSet<_> = room.acknowledged().collect();
        crowd.run(self, until, |kept| acknowledged.is_subset(&kept.messages))
    }

    pub fn has(&self, room: usize, number: usize) -> bool {
        self.messages.contains(&(room, number))
    }
}

impl Script for Kept {
    fn opened(&mut self, line: usize, say: &mut Say) {
        say.text(
            line,
            &format!(
                r#"{{"event":"chat:room:join","data":{{"roomId":"r{line}","since":0}},"requestId":"j"}}"#
            ),
        );
    }

    fn heard(&mut self, line: usize, text: &[u8], _say: &mut Say) {
        self.joined += usize::from(self.target.is_welcome(text));
        let numbers = memchr::memchr_iter(b'#', text).filter_map(|at| crate::order::marked(&text[at..]));
        self.messages.extend(numbers.map(|(_, number)| (line, number as usize)));
    }

    fn ready(&self) -> usize {
        self.joined
    }
}
