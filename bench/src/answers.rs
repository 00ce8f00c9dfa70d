//! Guided documents at work: each session answers as soon as it is asked. What is measured is the time from an
//! answer to the word that it is durable.

use crate::crowd::{Crowd, Say, Script};
use crate::process::Process;
use crate::report::{Sample, quantile};
use crate::target::{Place, Target, put_template};
use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// How many questions the template has: the most that one may have.
const QUESTIONS: usize = 200;
/// How long the rate of single syncs is measured.
const SYNC_TIME: Duration = Duration::from_millis(500);

/// Measures `sessions` that answer for so long, or until their questions are at an end.
pub fn measure(target: Target, server: &Process, sessions: usize, time: Duration) -> io::Result<Sample> {
    if !target.is_ours() {
        return Err(io::Error::other("only our servers have guided documents"));
    }
    put_template(server.address(), QUESTIONS)?;
    let paths: Vec<String> = (0..sessions).map(|user| target.path(Place::Document, user)).collect();
    let mut script =
        Answers { asked: vec![None; sessions], ready: 0, going: false, complete: 0, times: Vec::new() };
    let mut crowd = Crowd::new(server.address())?;
    crowd.gather(&paths, &mut script)?;
    let (cpu, since) = (server.cpu()?, Instant::now());
    script.going = true;
    let mut say = Say::default();
    (0..sessions).for_each(|line| script.answer(line, &mut say));
    crowd.speak(say)?;
    crowd.run(&mut script, since + time, |script| script.complete == sessions)?;
    let (used, took) = (server.cpu()? - cpu, since.elapsed());
    let saved = script.times.len() as f64;
    Ok(Sample::default()
        .with("µs of CPU per answer", used.as_secs_f64() * 1e6 / saved)
        .with("answers/s", saved / took.as_secs_f64())
        .with("× one sync each", saved / took.as_secs_f64() / syncs_per_second()?)
        .with("p50, µs", quantile(&mut script.times, 0.5))
        .with("p99, µs", quantile(&mut script.times, 0.99)))
}

/// How often in a second this disk makes 200 bytes durable, one after another.
fn syncs_per_second() -> io::Result<f64> {
    let path = std::env::temp_dir().join(format!("parlor-bench-sync-{}", std::process::id()));
    let mut file = File::create(&path)?;
    let (since, mut count) = (Instant::now(), 0);
    while since.elapsed() < SYNC_TIME {
        file.write_all(&[7; 200])?;
        file.sync_data()?;
        count += 1;
    }
    std::fs::remove_file(path)?;
    Ok(f64::from(count) / since.elapsed().as_secs_f64())
}

struct Answers {
    /// When each session's answer was said, while it is not acknowledged.
    asked: Vec<Option<Instant>>,
    ready: usize,
    going: bool,
    complete: usize,
    times: Vec<f64>,
}

impl Answers {
    fn answer(&mut self, line: usize, say: &mut Say) {
        self.asked[line] = Some(Instant::now());
        say.text(
            line,
            r#"{"type":"user_response","content":"It went well, and there is little to add to that."}"#,
        );
    }
}

impl Script for Answers {
    fn opened(&mut self, _line: usize, _say: &mut Say) {}

    fn heard(&mut self, line: usize, text: &[u8], say: &mut Say) {
        if text.starts_with(br#"{"type":"next_question""#) {
            match self.going {
                true => self.answer(line, say),
                false => self.ready += 1,
            }
        } else if text.starts_with(br#"{"type":"response_saved""#)
            && let Some(said) = self.asked[line].take()
        {
            self.times.push(said.elapsed().as_secs_f64() * 1e6);
        }
    }

    fn closed(&mut self, line: usize, code: u16) -> io::Result<()> {
        self.complete += 1;
        match code {
            1000 => Ok(()),
            code => Err(io::Error::other(format!("session {line} was closed with {code}"))),
        }
    }

    fn ready(&self) -> usize {
        self.ready
    }
}
