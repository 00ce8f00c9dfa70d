//! Drafts with editors, who write in turn: so many inserts under way in each draft, or so many per second. An
//! insert is finished when all others have it. Nobody may miss, repeat or reorder anything; and at the end what the
//! server says the document is has to be what comes of everything that one editor wrote and heard.

use crate::crowd::{Crowd, Say, Script};
use crate::process::{Process, own_cpu};
use crate::provider::{Heard, Provider};
use crate::report::{Sample, quantile};
use crate::target::{Place, Target};
use crate::writing::{INSERT, ROOT, Written, insert, written};
use bytes::Bytes;
use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};
use yrs::updates::decoder::Decode;
use yrs::{Doc, GetString, ReadTxn, StateVector, Transact, Update};

/// How long is written before what is heard counts: what runs on Node is compiled meanwhile.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long coming in is told about at most before it is quiet.
const SETTLE: Duration = Duration::from_millis(1_500);
/// How long what is under way at the end may take.
const FINISH_WAIT_MAX: Duration = Duration::from_secs(20);

/// The work.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// How many drafts.
    pub drafts: usize,
    /// How many edit each.
    pub editors: usize,
    /// How it goes on.
    pub pace: Pace,
    /// For how long.
    pub time: Duration,
}

/// When the next insert is written.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// So many of each draft are under way at once.
    InFlight(usize),
    /// So many are written in each draft in a second, whatever became of those before.
    Rate(usize),
}

/// Measures CPU for each delivery: an insert at an editor that did not write it.
pub fn measure(target: Target, server: &Process, work: Work) -> io::Result<Sample> {
    let lines = work.drafts * work.editors;
    let path = |line: usize, draft: usize| target.path(Place::Draft(draft), line);
    let mut script = Drafts::new(target, work);
    let mut crowd = Crowd::new(server.address())?;
    let paths: Vec<String> = (0..lines).map(|line| path(line, line / work.editors)).collect();
    crowd.gather(&paths, &mut script)?;
    crowd.run(&mut script, Instant::now() + SETTLE, |_| false)?;
    let begin = Instant::now();
    script.begin(&mut crowd)?;
    script.write_until(&mut crowd, begin, begin + WARM_UP)?;
    let (cpu, own, since) = (server.cpu()?, own_cpu()?, Instant::now());
    (script.delivered, script.frames, script.times) = (0, 0, Vec::new());
    script.write_until(&mut crowd, begin, since + work.time)?;
    script.over = true;
    crowd.run(&mut script, Instant::now() + FINISH_WAIT_MAX, |script| script.under_way == 0)?;
    let (used, own, took) = (server.cpu()? - cpu, own_cpu()? - own, since.elapsed());
    let sample = script.sample(used, own, took)?;
    // What is still to come would be one too many.
    crowd.run(&mut script, Instant::now() + SETTLE / 5, |_| false)?;
    let paths: Vec<String> = (0..work.drafts).map(|draft| path(lines + draft, draft)).collect();
    crowd.gather(&paths, &mut script)?;
    script.compare()?;
    Ok(sample)
}

struct Drafts {
    work: Work,
    /// The editors, those of a draft side by side, and behind them one for each draft who only comes to read it.
    providers: Vec<Provider>,
    inside: usize,
    /// How many inserts each editor has of each of its draft.
    has: Vec<u64>,
    drafts: Vec<Draft>,
    over: bool,
    under_way: usize,
    delivered: u64,
    /// How many messages brought that.
    frames: u64,
    times: Vec<f64>,
    fault: Option<String>,
}

#[derive(Debug, Default)]
struct Draft {
    /// How many inserts were written, and how many of the first are finished.
    said: usize,
    first: usize,
    /// When each since then was written, and how many have it.
    waiting: VecDeque<(Instant, usize)>,
    /// All that its first editor wrote and heard.
    log: Vec<Bytes>,
    /// What the server says it is.
    state: Bytes,
}

impl Drafts {
    fn new(target: Target, work: Work) -> Self {
        let lines = work.drafts * work.editors;
        let editors = (0..lines).map(|line| Provider::new(target, line / work.editors, line));
        let readers = (0..work.drafts).map(|draft| Provider::new(target, draft, lines + draft));
        Self {
            work,
            providers: editors.chain(readers).collect(),
            inside: 0,
            has: vec![0; lines * work.editors],
            drafts: (0..work.drafts).map(|_| Draft::default()).collect(),
            over: false,
            under_way: 0,
            delivered: 0,
            frames: 0,
            times: Vec::new(),
            fault: None,
        }
    }

    fn lines(&self) -> usize {
        self.work.drafts * self.work.editors
    }

    fn begin(&mut self, crowd: &mut Crowd) -> io::Result<()> {
        let Pace::InFlight(count) = self.work.pace else { return Ok(()) };
        let mut say = Say::default();
        for draft in 0..self.work.drafts {
            (0..count).for_each(|_| self.write_next(draft, &mut say));
        }
        crowd.speak(say)
    }

    /// Goes on until then; by the clock, if that is the pace, from `begin` on.
    fn write_until(&mut self, crowd: &mut Crowd, begin: Instant, until: Instant) -> io::Result<()> {
        let Pace::Rate(rate) = self.work.pace else { return crowd.run(self, until, |_| false) };
        let pause = Duration::from_secs(1) / u32::try_from(rate * self.work.drafts).unwrap_or(u32::MAX);
        loop {
            let said: usize = self.drafts.iter().map(|draft| draft.said).sum();
            let due = begin + pause * u32::try_from(said).map_err(io::Error::other)?;
            crowd.run(self, due.min(until), |_| false)?;
            if due >= until {
                return Ok(());
            }
            let mut say = Say::default();
            self.write_next(said % self.work.drafts, &mut say);
            crowd.speak(say)?;
        }
    }

    fn write_next(&mut self, draft: usize, say: &mut Say) {
        let place = &mut self.drafts[draft];
        let (number, voice) = (place.said / self.work.editors, place.said % self.work.editors);
        let line = draft * self.work.editors + voice;
        let update = insert(client(line), number as u64);
        if voice == 0 {
            place.log.push(update.clone().into());
        }
        say.frame(line, self.providers[line].saying(update));
        place.said += 1;
        place.waiting.push_back((Instant::now(), 0));
        self.under_way += 1;
        self.has[line * self.work.editors + voice] += 1;
    }

    /// An update came to an editor. `None`: it is not what was to come.
    fn take(&mut self, line: usize, update: &Bytes, say: &mut Say) -> Option<()> {
        let (draft, editors) = (line / self.work.editors, self.work.editors);
        let mut all = Vec::new();
        written(update, |one| all.push(one))?;
        if line.is_multiple_of(editors) {
            self.drafts[draft].log.push(update.clone());
        }
        let mut foreign = false;
        for Written { client, from, characters } in all {
            let author = usize::try_from(client).ok()?.checked_sub(1)?;
            let voice = author.checked_sub(draft * editors).filter(|voice| *voice < editors)?;
            let length = INSERT.len() as u64;
            if author == line {
                // Some servers tell everybody.
                continue;
            }
            let has = &mut self.has[line * editors + voice];
            if (*has * length, characters % length) != (from, 0) {
                return None;
            }
            *has += characters / length;
            foreign = true;
            (from / length..*has).try_for_each(|number| self.deliver(draft, voice, number, say))?;
        }
        self.frames += u64::from(foreign);
        Some(())
    }

    fn deliver(&mut self, draft: usize, voice: usize, number: u64, say: &mut Say) -> Option<()> {
        self.delivered += 1;
        let (others, place) = (self.work.editors - 1, &mut self.drafts[draft]);
        let at = usize::try_from(number).ok()? * self.work.editors + voice;
        let (said, heard) = place.waiting.get_mut(at.checked_sub(place.first)?)?;
        *heard += 1;
        if *heard < others {
            return Some(());
        }
        self.times.push(said.elapsed().as_secs_f64() * 1e3);
        while place.waiting.pop_front_if(|(_, heard)| *heard == others).is_some() {
            place.first += 1;
        }
        self.under_way -= 1;
        if !self.over && matches!(self.work.pace, Pace::InFlight(_)) {
            self.write_next(draft, say);
        }
        Some(())
    }

    fn sample(&mut self, used: Duration, own: Duration, took: Duration) -> io::Result<Sample> {
        if self.under_way > 0 {
            return Err(io::Error::other(format!("{} inserts were never heard by all", self.under_way)));
        }
        let delivered = self.delivered as f64;
        Ok(Sample::default()
            .with("µs of CPU per delivery", used.as_secs_f64() * 1e6 / delivered)
            .with("deliveries/s", delivered / took.as_secs_f64())
            .with("deliveries per message", delivered / self.frames as f64)
            .with("p50 to all, ms", quantile(&mut self.times, 0.5))
            .with("p99 to all, ms", quantile(&mut self.times, 0.99))
            .with("server, % of a core", used.as_secs_f64() / took.as_secs_f64() * 100.0)
            .with("generator, % of a core", own.as_secs_f64() / took.as_secs_f64() * 100.0))
    }

    /// Every editor has all of everybody, and the server's document is the one that was written.
    fn compare(&self) -> io::Result<()> {
        let editors = self.work.editors;
        for (number, draft) in self.drafts.iter().enumerate() {
            let written: Vec<u64> = (0..editors)
                .map(|voice| (draft.said + editors - 1 - voice) / editors)
                .map(|n| n as u64)
                .collect();
            for line in number * editors..(number + 1) * editors {
                if self.has[line * editors..(line + 1) * editors] != written[..] {
                    return Err(io::Error::other(format!("editor {line} has not all that was written")));
                }
            }
            let (ours, theirs) = (document(&draft.log)?, document(std::slice::from_ref(&draft.state))?);
            if ours != theirs || ours.1.len() != draft.said * INSERT.len() {
                let message = format!(
                    "draft {number}: {} inserts written, {} bytes heard, {} on the server",
                    draft.said,
                    ours.1.len(),
                    theirs.1.len()
                );
                return Err(io::Error::other(message));
            }
        }
        Ok(())
    }
}

/// The client id of an editor.
fn client(line: usize) -> u64 {
    line as u64 + 1
}

/// What comes of updates: the state vector and the text.
fn document(updates: &[Bytes]) -> io::Result<(StateVector, String)> {
    let doc = Doc::new();
    let text = doc.get_or_insert_text(ROOT);
    let mut transaction = doc.transact_mut();
    for update in updates {
        let update = Update::decode_v1(update).map_err(io::Error::other)?;
        transaction.apply_update(update).map_err(io::Error::other)?;
    }
    let text = text.get_string(&transaction);
    Ok((transaction.state_vector(), text))
}

impl Script for Drafts {
    fn opened(&mut self, line: usize, say: &mut Say) {
        self.providers[line].opened(line, say);
    }

    fn heard(&mut self, line: usize, message: &[u8], say: &mut Say) {
        let provider = &mut self.providers[line];
        let was_inside = provider.is_inside();
        let heard = provider.heard(line, message, say);
        self.inside += usize::from(provider.is_inside() && !was_inside);
        let reader = line.checked_sub(self.lines());
        let fault = match (heard, reader) {
            (Ok(Heard::State(state)), Some(draft)) => {
                self.drafts[draft].state = state;
                None
            }
            (Ok(Heard::Update(update)), None) => self
                .take(line, &update, say)
                .is_none()
                .then(|| format!("what came is lost, repeated or out of order: {update:?}")),
            (Ok(Heard::State(_) | Heard::Update(_) | Heard::Nothing), _) => None,
            (Err(why), _) => Some(why),
        };
        if let Some(why) = fault {
            self.fault.get_or_insert(format!("editor {line}: {why}"));
        }
    }

    fn ready(&self) -> usize {
        self.inside
    }

    fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }
}
