//! Connections that say something, hear it, and say it again: what reading and answering costs with no room and
//! no store.

use crate::crowd::{Crowd, Say, Script};
use crate::members::BODY_BYTES;
use crate::process::Process;
use crate::report::{Sample, quantile};
use crate::target::{Place, Target};
use std::io;
use std::time::{Duration, Instant};

/// Measures CPU for each message that came back.
pub fn measure(target: Target, server: &Process, connections: usize, time: Duration) -> io::Result<Sample> {
    let paths: Vec<String> = (0..connections).map(|user| target.path(Place::Echo, user)).collect();
    let body = format!("{:.<BODY_BYTES$}", "#");
    let saying = target.saying(Place::Echo, 0, &body);
    let mut script = Echo { target, saying, welcomed: 0, said: vec![None; connections], times: Vec::new() };
    let mut crowd = Crowd::new(server.address())?;
    crowd.gather(&paths, &mut script)?;
    let (cpu, since) = (server.cpu()?, Instant::now());
    let mut say = Say::default();
    (0..connections).for_each(|line| script.say(line, &mut say));
    crowd.speak(say)?;
    crowd.run(&mut script, since + time, |_| false)?;
    let (used, took) = (server.cpu()? - cpu, since.elapsed());
    let echoed = script.times.len() as f64;
    Ok(Sample::default()
        .with("µs of CPU per echo", used.as_secs_f64() * 1e6 / echoed)
        .with("echoes/s", echoed / took.as_secs_f64())
        .with("p50, µs", quantile(&mut script.times, 0.5))
        .with("p99, µs", quantile(&mut script.times, 0.99)))
}

struct Echo {
    target: Target,
    saying: String,
    welcomed: usize,
    said: Vec<Option<Instant>>,
    times: Vec<f64>,
}

impl Echo {
    fn say(&mut self, line: usize, say: &mut Say) {
        self.said[line] = Some(Instant::now());
        say.text(line, &self.saying);
    }
}

impl Script for Echo {
    fn opened(&mut self, line: usize, say: &mut Say) {
        match self.target.hello(Place::Echo) {
            Some(hello) => say.text(line, &hello),
            None => self.welcomed += 1,
        }
    }

    fn heard(&mut self, line: usize, text: &[u8], say: &mut Say) {
        if memchr::memchr(b'#', text).is_some() {
            if let Some(said) = self.said[line] {
                self.times.push(said.elapsed().as_secs_f64() * 1e6);
            }
            self.say(line, say);
        } else if self.target.is_welcome(text) {
            self.welcomed += 1;
        } else if let Some(reply) = self.target.reply(Place::Echo, text) {
            say.text(line, &reply);
        }
    }

    fn ready(&self) -> usize {
        self.welcomed
    }
}
