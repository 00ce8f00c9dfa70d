//! A server under siege. Members of rooms speak as in [`crate::room`], first in peace and then while others do
//! what hurts a server ([`attackers`]); then it is told to stop while they still speak, and starts again. What is
//! measured is how much longer the members wait, what the server holds, and whether all it acknowledged is there.

mod attackers;
mod leaving;

use crate::crowd::Crowd;
use crate::process::{Cores, Process, own_cpu, resident_kib};
use crate::report::Sample;
use crate::room::{self, FINISH_WAIT_MAX, Room, WARM_UP};
use crate::target::Target;
use crate::times::Times;
pub use attackers::Attack;
use attackers::Attackers;
use leaving::{Kept, Leaving};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often it is looked what the server holds.
const LOOK: Duration = Duration::from_millis(250);
/// How long the attackers have before what is heard counts: all of them are there by then.
const GATHER: Duration = Duration::from_secs(5);
/// How long a server that was told to stop may take; whoever speaks does so as long.
const STOP_WAIT_MAX: Duration = Duration::from_secs(30);

/// The work.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// Who is measured; `time` counts twice, once in peace and once under siege.
    pub room: room::Work,
    /// What the others do meanwhile.
    pub attack: Attack,
}

/// Measures how many times longer the slowest hundredth of the deliveries takes under siege than in peace.
pub fn measure(target: Target, server: &mut Process, work: Work, cores: Cores) -> io::Result<Sample> {
    if !target.is_ours() {
        return Err(io::Error::other("only our servers keep what they acknowledge"));
    }
    let rooms = work.room;
    let spoken = WARM_UP + rooms.time * 2 + GATHER;
    let mut script = Room::new(target, rooms, rooms.messages(spoken) + rooms.messages(STOP_WAIT_MAX));
    let mut crowd = script.gather(server.address())?;
    script.speak_until(&mut crowd, rooms.messages(WARM_UP))?;
    script.take_times();
    script.speak_until(&mut crowd, rooms.messages(WARM_UP + rooms.time))?;
    let (peace, before) = (script.take_times(), server.resident_kib()?);

    let attackers = Attackers::start(target, server.address(), work.attack, &rooms)?;
    script.speak_until(&mut crowd, rooms.messages(WARM_UP + rooms.time + GATHER))?;
    script.take_times();
    let most = Most::watch(server.id());
    let (own, used, since) = (own_cpu()?, server.cpu()?, Instant::now());
    script.speak_until(&mut crowd, rooms.messages(spoken))?;
    let (own, used, took) = (own_cpu()? - own, server.cpu()? - used, since.elapsed());
    let (siege, most) = (script.take_times(), most.stop()?);
    let done = attackers.stop()?;
    script.hear_all(&mut crowd)?;
    script.fault_if_wrong()?;

    let stop = stop(target, server, &mut crowd, script, cores)?;
    let share = |time: Duration| time.as_secs_f64() / took.as_secs_f64() * 100.0;
    let sample = times(&peace, &siege)
        .with("MiB in peace", before / 1024.0)
        .with("MiB at most", most / 1024.0)
        .with("server, % of a core", share(used))
        .with("generator, % of a core", share(own));
    Ok(stop.shown(done.shown(sample)))
}

fn times(peace: &Times, siege: &Times) -> Sample {
    let ms = |times: &Times, share| times.quantile(share).as_secs_f64() * 1e3;
    Sample::default()
        .with("p99 under siege / in peace", ms(siege, 0.99) / ms(peace, 0.99))
        .with("p50 in peace, ms", ms(peace, 0.5))
        .with("p50 under siege, ms", ms(siege, 0.5))
        .with("p99 in peace, ms", ms(peace, 0.99))
        .with("p99 under siege, ms", ms(siege, 0.99))
        .with("longest in peace, ms", peace.longest().as_secs_f64() * 1e3)
        .with("longest under siege, ms", siege.longest().as_secs_f64() * 1e3)
}

/// What the end of the server was like.
struct Stop {
    first: Duration,
    last: Duration,
    acknowledged: usize,
    missing: usize,
    /// Closed because they were slow, because they said too much, and because they did not answer a ping.
    codes: [usize; 3],
}

impl Stop {
    fn shown(&self, sample: Sample) -> Sample {
        sample
            .with("closed as slow", self.codes[0] as f64)
            .with("closed as too much", self.codes[1] as f64)
            .with("closed as dead", self.codes[2] as f64)
            .with("first close at the end, s", self.first.as_secs_f64())
            .with("last close, s", self.last.as_secs_f64())
            .with("acknowledged", self.acknowledged as f64)
            .with("of them missing", self.missing as f64)
    }
}

/// Tells the server to stop while everybody speaks, starts it again, and looks for what it has acknowledged.
fn stop(
    target: Target,
    server: &mut Process,
    crowd: &mut Crowd,
    mut room: Room,
    cores: Cores,
) -> io::Result<Stop> {
    let lines = room.work().rooms * room.work().members;
    server.terminate()?;
    let mut leaving = Leaving::new(&mut room);
    leaving.speak_while_there_are(crowd, lines, STOP_WAIT_MAX)?;
    let closes = leaving.closes();
    let (Some(first), Some(last)) = (closes.iter().min(), closes.iter().max()) else {
        return Err(io::Error::other("nobody was closed"));
    };
    let (first, last) = (*first, *last);
    if closes.len() < lines {
        return Err(io::Error::other(format!("{} of {lines} were not closed", lines - closes.len())));
    }
    let log = server.wait_for_end()?;
    let codes = ["4002", "1008", "4000"].map(|code| log.matches(&format!("\"code\":{code}")).count());
    target.start_again(cores, server)?;
    let mut kept = Kept::new(target, *room.work());
    let mut crowd = Crowd::new(server.address())?;
    kept.read(&mut crowd, Instant::now() + FINISH_WAIT_MAX, &room)?;
    let acknowledged = room.acknowledged().count();
    let missing = room.acknowledged().filter(|(room, number)| !kept.has(*room, *number)).count();
    match missing {
        0 => Ok(Stop { first, last, acknowledged, missing, codes }),
        missing => Err(io::Error::other(format!("{missing} of {acknowledged} acknowledged are gone"))),
    }
}

/// The most that a process held while it was watched.
struct Most {
    over: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<f64>>,
}

impl Most {
    fn watch(process: u32) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let told = over.clone();
        let thread = thread::spawn(move || {
            let mut most = 0.0_f64;
            while !told.load(Relaxed) {
                most = most.max(resident_kib(process)?);
                thread::sleep(LOOK);
            }
            Ok(most)
        });
        Self { over, thread }
    }

    fn stop(self) -> io::Result<f64> {
        self.over.store(true, Relaxed);
        self.thread.join().map_err(|_| io::Error::other("nobody watched what the server holds"))?
    }
}
