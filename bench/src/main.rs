//! `parlor-bench`: measures our servers and their peers, each round against fresh servers, all of them in turn.

use clap::{Arg, ArgMatches, Command, value_parser};
use parlor_bench::process::{Cores, settle};
use parlor_bench::report::{Sample, table};
use parlor_bench::target::{Place, Target};
use parlor_bench::{answers, drafts, echo, editors, fanout, idle, room, siege};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::io;
use std::process::ExitCode;
use std::time::Duration;

/// The longest that one run may be asked to last.
const SECONDS_MAX: u64 = 60;
/// The most connections that may be asked for.
const CONNECTIONS_MAX: u64 = 20_000;

fn main() -> ExitCode {
    let matches = command().get_matches();
    match run(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("parlor-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn command() -> Command {
    let connections = |default| number("connections", default, 1, CONNECTIONS_MAX);
    Command::new("parlor-bench")
        .about("Measures Parlor and its peers on this machine's loopback")
        .subcommand_required(true)
        .arg(
            Arg::new("targets")
                .long("targets")
                .global(true)
                .help("what to measure, comma-separated; without it, all that does such work"),
        )
        .arg(number("rounds", "5", 1, 100).global(true))
        .arg(
            Arg::new("cores")
                .long("cores")
                .global(true)
                .default_value("apart")
                .value_parser(["apart", "free"])
                .help("whether the generator and the server have a core each"),
        )
        .subcommand(
            Command::new("fanout")
                .arg(number("rooms", "1", 1, CONNECTIONS_MAX))
                .arg(number("members", "1000", 1, CONNECTIONS_MAX))
                .arg(number("senders", "1", 1, 999))
                .arg(number("in-flight", "1", 1, 256))
                .arg(seconds()),
        )
        .subcommand(
            Command::new("room")
                .about("so many messages per second, stored, and what each member waits for them")
                .arg(number("rooms", "1", 1, 1_000))
                .arg(number("members", "1000", 1, CONNECTIONS_MAX))
                .arg(number("senders", "10", 1, 999))
                .arg(number("rate", "100", 1, 10_000))
                .arg(number("seconds", "10", 1, SECONDS_MAX)),
        )
        .subcommand(
            Command::new("drafts")
                .about("Yjs documents: so many inserts under way in each, or so many per second")
                .arg(number("drafts", "10", 1, 1_000))
                .arg(number("editors", "11", 2, 999))
                .arg(number("in-flight", "4", 1, 256))
                .arg(number("rate", "0", 0, 1_000).help("per second in each draft; 0: by --in-flight"))
                .arg(seconds()),
        )
        .subcommand(
            Command::new("editors")
                .about("Yjs documents that are only looked at: what letting in costs, and what is held")
                .arg(number("drafts", "200", 1, 1_000))
                .arg(number("editors", "11", 2, 100)),
        )
        .subcommand(Command::new("idle").arg(connections("10000")).arg(
            Arg::new("endpoint").long("endpoint").default_value("documents").value_parser([
                "documents",
                "chat",
                "echo",
            ]),
        ))
        .subcommand(siege_command())
        .subcommand(Command::new("connect").arg(connections("10000")))
        .subcommand(Command::new("echo").arg(connections("64")).arg(seconds()))
        .subcommand(Command::new("answers").arg(number("sessions", "64", 1, CONNECTIONS_MAX)).arg(seconds()))
}

fn siege_command() -> Command {
    Command::new("siege")
        .about("what members of rooms wait while others attack, and what the server has kept after it")
        .arg(number("connections", "10000", 1, CONNECTIONS_MAX))
        .arg(number("members", "100", 2, 1_000).help("in each room; each second one speaks"))
        .arg(number("slow", "1000", 0, 5_000).help("slow readers of a loud room at a time"))
        .arg(number("pings", "100", 0, 1_000).help("connections in a second that send 200 pings at once"))
        .arg(number("handshakes", "500", 0, 5_000).help("handshakes in a second that lead to nothing"))
        .arg(number("dead", "500", 0, 5_000).help("connections that answer no ping"))
        .arg(number("seconds", "60", 1, SECONDS_MAX))
}

fn seconds() -> Arg {
    number("seconds", "3", 1, SECONDS_MAX)
}

fn number(name: &'static str, default: &'static str, least: u64, most: u64) -> Arg {
    Arg::new(name)
        .long(name)
        .default_value(default)
        .value_parser(value_parser!(u64).range(least..=most))
        .help(format!("{least} to {most}"))
}

fn run(matches: &ArgMatches) -> io::Result<()> {
    let cores = if text(matches, "cores") == "apart" { Cores::Apart } else { Cores::Free };
    let mut targets = match text(matches, "targets") {
        "" => Target::ALL.to_vec(),
        names => {
            let named = names.split(',').map(|name| {
                Target::named(name).ok_or_else(|| io::Error::other(format!("no server is called {name:?}")))
            });
            named.collect::<io::Result<Vec<_>>>()?
        }
    };
    let place = place(matches);
    targets.retain(|target| target.has(place));
    open_many_files();
    settle(cores)?;
    let mut rounds = Vec::new();
    for round in 0..count(matches, "rounds") {
        let mut samples = Vec::new();
        for target in &targets {
            let sample = measure(*target, place, cores, matches)
                .map_err(|error| io::Error::other(format!("{}: {error}", target.name())))?;
            eprintln!("round {} {}: {:?}", round + 1, target.name(), sample.figures);
            samples.push(sample);
        }
        rounds.push(samples);
    }
    let names: Vec<&str> = targets.iter().map(|target| target.name()).collect();
    print!("{}", table(&names, &rounds));
    Ok(())
}

fn measure(target: Target, place: Place, cores: Cores, matches: &ArgMatches) -> io::Result<Sample> {
    let (name, asked) = matches.subcommand().ok_or_else(|| io::Error::other("nothing to measure"))?;
    let mut server = target.start(cores)?;
    let time = || Duration::from_secs(count(asked, "seconds") as u64);
    let sample = match name {
        "fanout" => {
            let work = fanout::Work {
                rooms: count(asked, "rooms"),
                members: count(asked, "members"),
                senders: count(asked, "senders").min(count(asked, "members")),
                in_flight: count(asked, "in-flight"),
                time: time(),
            };
            fanout::measure(target, &server, work)
        }
        "room" => {
            let work = room::Work {
                rooms: count(asked, "rooms"),
                members: count(asked, "members"),
                senders: count(asked, "senders").min(count(asked, "members")),
                rate: count(asked, "rate"),
                time: time(),
            };
            room::measure(target, &server, work)
        }
        "drafts" => {
            let work = drafts::Work {
                drafts: count(asked, "drafts"),
                editors: count(asked, "editors"),
                pace: match count(asked, "rate") {
                    0 => drafts::Pace::InFlight(count(asked, "in-flight")),
                    rate => drafts::Pace::Rate(rate),
                },
                time: time(),
            };
            drafts::measure(target, &server, work)
        }
        "editors" => editors::measure(target, &server, count(asked, "drafts"), count(asked, "editors")),
        "siege" => siege::measure(target, &mut server, siege_work(asked, time()), cores),
        "idle" => idle::measure(target, &server, place, count(asked, "connections")),
        "connect" => idle::measure(target, &server, Place::Rooms, count(asked, "connections")),
        "echo" => echo::measure(target, &server, count(asked, "connections"), time()),
        _ => answers::measure(target, &server, count(asked, "sessions"), time()),
    }?;
    Ok(with_held(sample, &server.stop()?))
}

fn siege_work(asked: &ArgMatches, time: Duration) -> siege::Work {
    let members = count(asked, "members");
    siege::Work {
        room: room::Work {
            rooms: count(asked, "connections").div_ceil(members),
            members,
            senders: members.min(10),
            rate: 1,
            time,
        },
        attack: siege::Attack {
            slow: count(asked, "slow"),
            pings: count(asked, "pings"),
            handshakes: count(asked, "handshakes"),
            dead: count(asked, "dead"),
        },
    }
}

/// What the connections of this measurement are for, as far as it decides which servers can be measured.
fn place(matches: &ArgMatches) -> Place {
    match matches.subcommand() {
        Some(("idle", asked)) => match text(asked, "endpoint") {
            "chat" => Place::Rooms,
            "echo" => Place::Echo,
            _ => Place::Document,
        },
        Some(("drafts" | "editors", _)) => Place::Draft(0),
        Some(("echo", _)) => Place::Echo,
        Some(("answers", _)) => Place::Document,
        _ => Place::Rooms,
    }
}

/// Adds what the server said at its end about the time under the core's lock.
fn with_held(sample: Sample, log: &str) -> Sample {
    let held = log
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find(|line| line["action"] == "core.held");
    match held {
        Some(held) => ["p50_us", "p99_us", "max_us"].into_iter().fold(sample, |sample, name| {
            sample.with(
                match name {
                    "p50_us" => "held p50 ≤ µs",
                    "p99_us" => "held p99 ≤ µs",
                    _ => "held longest, µs",
                },
                held[name].as_f64().unwrap_or(f64::NAN),
            )
        }),
        None => sample,
    }
}

fn text<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches.get_one::<String>(name).map_or("", String::as_str)
}

fn count(matches: &ArgMatches, name: &str) -> usize {
    matches.get_one::<u64>(name).map_or(0, |count| *count as usize)
}

/// Asks for as many files as there may be, for this process and its children.
fn open_many_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.maximum = limit.maximum.map(|most| most.max(CONNECTIONS_MAX * 2 + 1_000));
    limit.current = limit.maximum;
    if setrlimit(Resource::Nofile, limit).is_err() {
        limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit).unwrap_or_default();
    }
}
