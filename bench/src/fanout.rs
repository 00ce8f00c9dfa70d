//! Rooms with members: what one says everybody hears. A message is finished when every member has it, its
//! sender an acknowledgement; then the next follows. Nobody may miss, repeat or reorder anything.

use crate::crowd::{Crowd, Say, Script};
use crate::members::Members;
use crate::process::Process;
use crate::report::{Sample, quantile};
use crate::target::Target;
use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

/// How long joins and leaves are told about at most before it is quiet.
const SETTLE: Duration = Duration::from_millis(1_500);
/// How long what is under way at the end may take.
const FINISH_WAIT_MAX: Duration = Duration::from_secs(20);

/// The work.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// How many rooms.
    pub rooms: usize,
    /// How many members each has.
    pub members: usize,
    /// How many of the members speak.
    pub senders: usize,
    /// How many messages of each sender are under way at once.
    pub in_flight: usize,
    /// For how long.
    pub time: Duration,
}

/// Measures CPU for each delivery: a message at a member, or its acknowledgement at its sender.
pub fn measure(target: Target, server: &Process, work: Work) -> io::Result<Sample> {
    let mut script = Fanout::new(target, work);
    let mut crowd = Crowd::new(server.address())?;
    crowd.gather(&script.members.paths(), &mut script)?;
    crowd.run(&mut script, Instant::now() + SETTLE, |_| false)?;
    let (cpu, since) = (server.cpu()?, Instant::now());
    let mut say = Say::default();
    script.begin(&mut say);
    crowd.speak(say)?;
    crowd.run(&mut script, since + work.time, |_| false)?;
    script.over = true;
    crowd.run(&mut script, Instant::now() + FINISH_WAIT_MAX, |script| script.under_way == 0)?;
    let (used, took) = (server.cpu()? - cpu, since.elapsed());
    script.into_sample(used, took)
}

struct Fanout {
    members: Members,
    work: Work,
    senders: Vec<Sender>,
    /// What each member is to hear next of each sender of its room.
    expected: Vec<u32>,
    over: bool,
    under_way: usize,
    delivered: u64,
    times: Vec<f64>,
}

#[derive(Debug, Clone, Default)]
struct Sender {
    next: u32,
    first: u32,
    /// When each message that is under way was said, and how many have it.
    waiting: VecDeque<(Instant, usize)>,
}

impl Fanout {
    fn new(target: Target, work: Work) -> Self {
        Self {
            members: Members::new(target, work.rooms, work.members),
            work,
            senders: vec![Sender::default(); work.rooms * work.senders],
            expected: vec![0; work.rooms * work.members * work.senders],
            over: false,
            under_way: 0,
            delivered: 0,
            times: Vec::new(),
        }
    }

    fn begin(&mut self, say: &mut Say) {
        for sender in 0..self.senders.len() {
            (0..self.work.in_flight).for_each(|_| self.say_next(sender, say));
        }
    }

    fn say_next(&mut self, sender: usize, say: &mut Say) {
        let (room, voice) = (sender / self.work.senders, sender % self.work.senders);
        let place = &mut self.senders[sender];
        self.members.speak(room, voice, place.next, say);
        place.next += 1;
        place.waiting.push_back((Instant::now(), 0));
        self.under_way += 1;
    }

    fn deliver(&mut self, line: usize, voice: usize, number: u32, say: &mut Say) {
        let expected = &mut self.expected[line * self.work.senders + voice];
        if *expected != number {
            self.members
                .blame(|| format!("member {line} heard {number} of sender {voice} and not {expected}"));
        }
        *expected = number + 1;
        self.delivered += 1;
        let sender = self.members.room_of(line) * self.work.senders + voice;
        let place = &mut self.senders[sender];
        if let Some((_, heard)) = place.waiting.get_mut(number.wrapping_sub(place.first) as usize) {
            *heard += 1;
        }
        while let Some((said, _)) =
            self.senders[sender].waiting.pop_front_if(|(_, heard)| *heard == self.work.members)
        {
            self.times.push(said.elapsed().as_secs_f64() * 1e6);
            self.senders[sender].first += 1;
            self.under_way -= 1;
            if !self.over {
                self.say_next(sender, say);
            }
        }
    }

    fn into_sample(mut self, used: Duration, took: Duration) -> io::Result<Sample> {
        if self.under_way > 0 {
            return Err(io::Error::other(format!("{} messages were never heard by all", self.under_way)));
        }
        let delivered = self.delivered as f64;
        Ok(Sample::default()
            .with("µs of CPU per delivery", used.as_secs_f64() * 1e6 / delivered)
            .with("deliveries/s", delivered / took.as_secs_f64())
            .with("p50 to all, µs", quantile(&mut self.times, 0.5))
            .with("p99 to all, µs", quantile(&mut self.times, 0.99)))
    }
}

impl Script for Fanout {
    fn opened(&mut self, line: usize, say: &mut Say) {
        self.members.opened(line, say);
    }

    fn heard(&mut self, line: usize, text: &[u8], say: &mut Say) {
        if let Some((voice, number)) = self.members.heard(line, text, say) {
            if let Err(wrong) = self.members.in_order(line, text) {
                self.members.blame(|| format!("member {line} heard {wrong}"));
            }
            self.deliver(line, voice, number, say);
        }
    }

    fn ready(&self) -> usize {
        self.members.ready()
    }

    fn fault(&self) -> Option<&str> {
        self.members.fault()
    }
}
