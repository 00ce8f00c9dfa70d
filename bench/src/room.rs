//! Rooms in which so many messages are said in a second, whatever becomes of them: what a member waits for each
//! from right before it was said, and from when it was due to be said, which on a busy machine is earlier; and
//! whether every member has every one once and in order.

use crate::crowd::{Crowd, Say, Script};
use crate::members::Members;
use crate::process::{Process, own_cpu};
use crate::report::{Sample, quantile};
use crate::target::Target;
use crate::times::Times;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long joins are told about at most before it is quiet.
const SETTLE: Duration = Duration::from_millis(2_500);
/// How long is said before what is heard counts.
pub(crate) const WARM_UP: Duration = Duration::from_secs(1);
/// How long what is under way at the end may take.
pub(crate) const FINISH_WAIT_MAX: Duration = Duration::from_secs(20);
/// The most deliveries of one run: a bit is kept for each.
const DELIVERIES_MAX: usize = 1 << 30;

/// The work.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// How many rooms.
    pub rooms: usize,
    /// How many members each has.
    pub members: usize,
    /// How many of the members speak, in turn.
    pub senders: usize,
    /// How many messages are said in each room in a second.
    pub rate: usize,
    /// For how long it is measured.
    pub time: Duration,
}

impl Work {
    /// How long the rooms wait from one message to the next; they do not speak at the same moment.
    pub(crate) fn pause(&self) -> Duration {
        Duration::from_secs(1) / u32::try_from(self.rate * self.rooms).unwrap_or(u32::MAX)
    }

    /// How many messages that is in so much time, over all rooms.
    pub(crate) fn messages(&self, time: Duration) -> usize {
        self.rate * self.rooms * usize::try_from(time.as_secs()).unwrap_or(usize::MAX)
    }
}

/// Measures CPU for each delivery (a message at a member, or its acknowledgement at its sender), and what each
/// delivery took.
pub fn measure(target: Target, server: &Process, work: Work) -> io::Result<Sample> {
    let total = work.messages(WARM_UP) + work.messages(work.time);
    if total.saturating_mul(work.members) > DELIVERIES_MAX {
        return Err(io::Error::other(format!("more than {DELIVERIES_MAX} deliveries")));
    }
    let empty = server.resident_kib()?;
    let mut script = Room::new(target, work, total);
    let mut crowd = script.gather(server.address())?;
    script.speak_until(&mut crowd, work.messages(WARM_UP))?;
    let before = server.resident_kib()?;
    let (cpu, own, since) = (server.cpu()?, own_cpu()?, Instant::now());
    (script.times, script.times_due, script.late) = (Times::default(), Times::default(), Vec::new());
    let heard = script.heard;
    script.speak_until(&mut crowd, total)?;
    script.hear_all(&mut crowd)?;
    let (used, own) = (server.cpu()? - cpu, own_cpu()? - own);
    let share = own.as_secs_f64() / since.elapsed().as_secs_f64() * 100.0;
    let counted = (script.heard - heard) as f64;
    script.fault_if_wrong()?;
    Ok(Sample::default()
        .with("µs of CPU per delivery", used.as_secs_f64() * 1e6 / counted)
        .with("p50, ms", script.times.quantile(0.5).as_secs_f64() * 1e3)
        .with("p99, ms", script.times.quantile(0.99).as_secs_f64() * 1e3)
        .with("longest, ms", script.times.longest().as_secs_f64() * 1e3)
        .with("lost", (total * work.members - script.heard) as f64)
        .with("repeated", script.repeated as f64)
        .with("out of order", script.out_of_order as f64)
        .with("MiB empty", empty / 1024.0)
        .with("MiB before", before / 1024.0)
        .with("MiB after", server.resident_kib()? / 1024.0)
        .with("generator, % of a core", share)
        .with("said late p99, ms", quantile(&mut script.late, 0.99))
        .with("p99 since due, ms", script.times_due.quantile(0.99).as_secs_f64() * 1e3))
}

/// The script of such rooms.
pub(crate) struct Room {
    members: Members,
    work: Work,
    total: usize,
    /// When each message was due, and when it was said.
    said: Vec<(Instant, Instant)>,
    /// A bit for each message at each member: it has it.
    has: Vec<u64>,
    /// The last message that each member had of each sender.
    last: Vec<Option<u32>>,
    heard: usize,
    repeated: usize,
    out_of_order: usize,
    times: Times,
    times_due: Times,
    /// How late each message was said, in milliseconds.
    late: Vec<f64>,
    wrong: Option<String>,
}

impl Room {
    /// `total`: how many messages will be said over all rooms.
    pub(crate) fn new(target: Target, work: Work, total: usize) -> Self {
        let lines = work.rooms * work.members;
        Self {
            members: Members::new(target, work.rooms, work.members),
            work,
            total,
            said: Vec::with_capacity(total),
            has: vec![0; (total / work.rooms * lines).div_ceil(64)],
            last: vec![None; lines * work.senders],
            heard: 0,
            repeated: 0,
            out_of_order: 0,
            times: Times::default(),
            times_due: Times::default(),
            late: Vec::new(),
            wrong: None,
        }
    }

    pub(crate) fn work(&self) -> &Work {
        &self.work
    }

    pub(crate) fn has_said_all(&self) -> bool {
        self.said.len() == self.total
    }

    /// Everybody in the rooms, and what is told about that over.
    pub(crate) fn gather(&mut self, address: SocketAddr) -> io::Result<Crowd> {
        let mut crowd = Crowd::new(address)?;
        crowd.gather(&self.members.paths(), self)?;
        crowd.run(self, Instant::now() + SETTLE, |_| false)?;
        Ok(crowd)
    }

    /// Says message after message when it is due, up to so many in all.
    pub(crate) fn speak_until(&mut self, crowd: &mut Crowd, total: usize) -> io::Result<()> {
        let start = Instant::now();
        let before = self.said.len();
        while self.said.len() < total {
            let number = self.said.len() - before;
            let due = start + self.work.pause() * u32::try_from(number).map_err(io::Error::other)?;
            crowd.run(self, due, |_| false)?;
            let mut say = Say::default();
            self.say_next(due, &mut say);
            crowd.speak(say)?;
        }
        Ok(())
    }

    /// Waits until everybody has everything that was said, and a little longer for what would be one too many.
    pub(crate) fn hear_all(&mut self, crowd: &mut Crowd) -> io::Result<()> {
        let due = self.said.len() * self.work.members;
        crowd.run(self, Instant::now() + FINISH_WAIT_MAX, |room| room.heard + room.repeated >= due)?;
        crowd.run(self, Instant::now() + SETTLE / 10, |_| false)
    }

    /// What each delivery took since this was asked last.
    pub(crate) fn take_times(&mut self) -> Times {
        std::mem::take(&mut self.times)
    }

    /// The messages that their senders were answered, as room and number in it.
    pub(crate) fn acknowledged(&self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.said.len()).filter_map(|all| {
            let (room, number) = (all % self.work.rooms, all / self.work.rooms);
            let sender = room * self.work.members + number % self.work.senders;
            self.has(sender, number).then_some((room, number))
        })
    }

    fn has(&self, line: usize, number: usize) -> bool {
        let bit = self.bit(line, number);
        self.has[bit / 64] & (1 << (bit % 64)) != 0
    }

    fn bit(&self, line: usize, number: usize) -> usize {
        line * (self.total / self.work.rooms) + number
    }

    /// Says the message that was due then.
    pub(crate) fn say_next(&mut self, due: Instant, say: &mut Say) {
        let all = self.said.len();
        let (room, number) = (all % self.work.rooms, all / self.work.rooms);
        self.members.speak(room, number % self.work.senders, number as u32, say);
        let now = Instant::now();
        self.late.push((now - due).as_secs_f64() * 1e3);
        self.said.push((due, now));
    }

    fn deliver(&mut self, line: usize, voice: usize, number: u32, text: &[u8]) {
        let room = self.members.room_of(line);
        let said = self.said.get(number as usize * self.work.rooms + room);
        let Some((due, said)) = said else {
            self.members.blame(|| format!("member {line} heard message {number}, which nobody said"));
            return;
        };
        if self.has(line, number as usize) {
            self.repeated += 1;
            return;
        }
        let bit = self.bit(line, number as usize);
        self.has[bit / 64] |= 1 << (bit % 64);
        self.heard += 1;
        let now = Instant::now();
        self.times.add(now - *said);
        self.times_due.add(now - *due);
        let in_order = self.members.in_order(line, text);
        let last = &mut self.last[line * self.work.senders + voice];
        let after_last = last.is_none_or(|last| last < number);
        *last = Some(number);
        if in_order.is_err() || !after_last {
            self.out_of_order += 1;
            let what = in_order.err().unwrap_or_else(|| format!("message {number} of sender {voice}"));
            self.wrong.get_or_insert(format!("member {line} heard {what}"));
        }
    }

    /// A run in which something was lost, repeated or out of order fails, and says how much.
    pub(crate) fn fault_if_wrong(&self) -> io::Result<()> {
        let lost = self.said.len() * self.work.members - self.heard;
        match (lost, self.repeated, self.out_of_order) {
            (0, 0, 0) => Ok(()),
            (lost, repeated, out_of_order) => Err(io::Error::other(format!(
                "{lost} lost, {repeated} repeated, {out_of_order} out of order; {}",
                self.wrong.as_deref().unwrap_or("all that came was in order")
            ))),
        }
    }
}

impl Script for Room {
    fn opened(&mut self, line: usize, say: &mut Say) {
        self.members.opened(line, say);
    }

    fn heard(&mut self, line: usize, text: &[u8], say: &mut Say) {
        if let Some((voice, number)) = self.members.heard(line, text, say) {
            self.deliver(line, voice, number, text);
        }
    }

    fn ready(&self) -> usize {
        self.members.ready()
    }

    fn fault(&self) -> Option<&str> {
        self.members.fault()
    }
}
