//! Connections that only are there: what each costs to take in, and what it holds while it waits.

use crate::crowd::{Crowd, Say, Script};
use crate::process::Process;
use crate::report::Sample;
use crate::target::{Place, Target, put_template};
use std::io;
use std::time::{Duration, Instant};

/// How many connections come and go before the measurement, so that what a server needs once is not counted.
const WARM_UP: usize = 64;
/// How many connections share a room.
const ROOM_MEMBERS: usize = 1_000;
/// How long the server has to come to rest.
const REST: Duration = Duration::from_secs(4);

/// Measures what `connections` of this kind hold and cost.
pub fn measure(target: Target, server: &Process, place: Place, connections: usize) -> io::Result<Sample> {
    if target.is_ours() && place == Place::Document {
        put_template(server.address(), 4)?;
    }
    let path = |user: usize| target.path(place, user);
    let mut script = Idle { target, place, welcomed: 0, fault: None };
    let mut warm = Crowd::new(server.address())?;
    warm.gather(&(0..WARM_UP).map(|user| path(connections + user)).collect::<Vec<_>>(), &mut script)?;
    drop(warm);
    std::thread::sleep(REST);
    let paths: Vec<String> = (0..connections).map(path).collect();
    script.welcomed = 0;
    let mut crowd = Crowd::new(server.address())?;
    let (before, cpu, since) = (server.resident_kib()?, server.cpu()?, Instant::now());
    crowd.gather(&paths, &mut script)?;
    let took = since.elapsed();
    let used = server.cpu()? - cpu;
    crowd.run(&mut script, Instant::now() + REST, |_| false)?;
    let each = connections as f64;
    let sample = Sample::default()
        .with("KiB resident each", (server.resident_kib()? - before) / each)
        .with("µs of CPU each", used.as_secs_f64() * 1e6 / each)
        .with("connections/s", each / took.as_secs_f64())
        .with("MiB before", before / 1024.0);
    Ok(sample)
}

struct Idle {
    target: Target,
    place: Place,
    welcomed: usize,
    fault: Option<String>,
}

impl Idle {
    fn place_of(&self, line: usize) -> Place {
        if self.place == Place::Rooms { Place::Room(line / ROOM_MEMBERS) } else { self.place }
    }
}

impl Script for Idle {
    fn opened(&mut self, line: usize, say: &mut Say) {
        match self.target.hello(self.place_of(line)) {
            Some(hello) => say.text(line, &hello),
            None if self.target.is_ours() && self.place == Place::Document => {}
            None => self.welcomed += 1,
        }
    }

    fn heard(&mut self, line: usize, text: &[u8], say: &mut Say) {
        let asked = self.place == Place::Document && text.starts_with(br#"{"type":"next_question""#);
        if asked || self.target.is_welcome(text) {
            self.welcomed += 1;
        } else if let Some(reply) = self.target.reply(self.place_of(line), text) {
            say.text(line, &reply);
        } else if memchr::memmem::find(text, b"error").is_some() {
            self.fault.get_or_insert(String::from_utf8_lossy(text).into_owned());
        }
    }

    fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    fn ready(&self) -> usize {
        self.welcomed
    }
}
