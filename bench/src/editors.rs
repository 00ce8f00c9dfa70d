//! Editors who only look on: what each costs to let in, with the document told both ways, and holds; and what an
//! open document holds.

use crate::crowd::{Crowd, Say, Script};
use crate::process::Process;
use crate::provider::{Heard, Provider};
use crate::report::Sample;
use crate::target::{Place, Target};
use crate::writing::{INSERT, write};
use std::io;
use std::time::{Duration, Instant};

/// How many editors come and go before the measurement, so that what a server needs once is not counted; and in how
/// many drafts: a few, as a server may keep them for a while.
const WARM_UP: usize = 64;
const WARM_DRAFTS: usize = 4;
/// How long the server has to come to rest.
const REST: Duration = Duration::from_millis(1_500);
/// How many inserts each document holds.
const INSERTS: usize = 100;
/// The client that wrote them.
const WRITER: u64 = 1;

/// Measures what `editors` of each of these drafts hold and cost.
pub fn measure(target: Target, server: &Process, drafts: usize, editors: usize) -> io::Result<Sample> {
    let mut warm = Crowd::new(server.address())?;
    let mut script = Lookers::new(target);
    let people = drafts * editors;
    script.let_in(&mut warm, (people..people + WARM_UP).map(|user| (user, people + user % WARM_DRAFTS)))?;
    script.write(&mut warm)?;
    drop(warm);
    std::thread::sleep(REST);
    let mut crowd = Crowd::new(server.address())?;
    let mut script = Lookers::new(target);
    let empty = server.resident_kib()?;
    script.let_in(&mut crowd, (0..drafts).map(|user| (user, user)))?;
    script.write(&mut crowd)?;
    let opened = server.resident_kib()?;
    let (each, cpu, since) = ((people - drafts) as f64, server.cpu()?, Instant::now());
    script.let_in(&mut crowd, (drafts..people).map(|user| (user, user % drafts)))?;
    let took = since.elapsed();
    // Who came is told about a little later.
    crowd.run(&mut script, Instant::now() + REST, |_| false)?;
    let (used, full) = (server.cpu()? - cpu, server.resident_kib()?);
    script.all_have_it(drafts)?;
    let of_editor = (full - opened) / each;
    Ok(Sample::default()
        .with("µs of CPU to come in", used.as_secs_f64() * 1e6 / each)
        .with("editors/s", each / took.as_secs_f64())
        .with("KiB resident each editor", of_editor)
        .with("KiB resident each document", (opened - empty) / drafts as f64 - of_editor)
        .with("MiB before", empty / 1024.0))
}

struct Lookers {
    target: Target,
    providers: Vec<Provider>,
    inside: usize,
    /// How many bytes of document each was told.
    told: Vec<usize>,
    fault: Option<String>,
}

impl Lookers {
    fn new(target: Target) -> Self {
        Self { target, providers: Vec::new(), inside: 0, told: Vec::new(), fault: None }
    }

    /// Lets users into drafts, each into one.
    fn let_in(&mut self, crowd: &mut Crowd, come: impl Iterator<Item = (usize, usize)>) -> io::Result<()> {
        let mut paths = Vec::new();
        for (user, draft) in come {
            self.providers.push(Provider::new(self.target, draft, user));
            self.told.push(0);
            paths.push(self.target.path(Place::Draft(draft), user));
        }
        crowd.gather(&paths, self)
    }

    /// Each that is there writes what its document is to hold.
    fn write(&mut self, crowd: &mut Crowd) -> io::Result<()> {
        let mut say = Say::default();
        for (line, provider) in self.providers.iter().enumerate() {
            say.frame(line, provider.saying(write(WRITER, 0, &INSERT.repeat(INSERTS))));
        }
        crowd.speak(say)?;
        crowd.run(self, Instant::now() + REST, |_| false)
    }

    /// Whoever came into a draft that was there heard the whole of it.
    fn all_have_it(&self, drafts: usize) -> io::Result<()> {
        match self.told[drafts..].iter().all(|told| *told >= INSERTS * INSERT.len()) {
            true => Ok(()),
            false => Err(io::Error::other("an editor was not told the document")),
        }
    }
}

impl Script for Lookers {
    fn opened(&mut self, line: usize, say: &mut Say) {
        self.providers[line].opened(line, say);
    }

    fn heard(&mut self, line: usize, message: &[u8], say: &mut Say) {
        let provider = &mut self.providers[line];
        let was_inside = provider.is_inside();
        match provider.heard(line, message, say) {
            Ok(Heard::State(state)) => self.told[line] = state.len(),
            Ok(Heard::Update(_) | Heard::Nothing) => {}
            Err(why) => {
                self.fault.get_or_insert(format!("editor {line}: {why}"));
            }
        }
        self.inside += usize::from(provider.is_inside() && !was_inside);
    }

    fn ready(&self) -> usize {
        self.inside
    }

    fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }
}
