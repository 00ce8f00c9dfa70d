//! `replay`: tells a recording to a fresh core.

use crate::replay::replay;
use crate::start::complain;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::process::ExitCode;

/// The exit status when something differs or is damaged.
const EXIT_OTHERWISE: u8 = 1;
/// The exit status when there is nothing that can be replayed.
const EXIT_NOT_REPLAYED: u8 = 2;

/// What the command line takes.
pub fn command() -> Command {
    Command::new("replay")
        .about("Tells what --record wrote down to a fresh core and compares what it does")
        .after_help(
            "Ends with 0 when every action was the same, with 1 when one was another or the file is damaged, with 2 when \
             it cannot be\nreplayed: it is no recording, or another version made it. A file whose end was torn by a crash is \
             replayed up to there.",
        )
        .arg(Arg::new("FILE").required(true).help("The recording"))
        .arg(
            Arg::new("transcript")
                .long("transcript")
                .action(ArgAction::SetTrue)
                .help("Prints what happened as a story, and the result on standard error"),
        )
}

/// Replays and says what came of it.
pub fn run(program: &str, given: &ArgMatches) -> ExitCode {
    let path = given.get_one::<String>("FILE").map_or("", String::as_str);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return refused(program, path, &error.to_string()),
    };
    let with_story = given.get_flag("transcript");
    let mut out = BufWriter::new(io::stdout().lock());
    let story = with_story.then_some(&mut out as &mut dyn Write);
    let replayed = match replay(&mut BufReader::new(file), story) {
        Ok(replayed) => replayed,
        Err(why) => return refused(program, path, &why),
    };
    let said = match with_story {
        true => out.flush().map(|()| eprintln!("{path}: {replayed}")),
        false => writeln!(out, "{path}: {replayed}").and_then(|()| out.flush()),
    };
    match (said, replayed.is_same()) {
        (Err(error), _) => refused(program, path, &error.to_string()),
        (Ok(()), true) => ExitCode::SUCCESS,
        (Ok(()), false) => ExitCode::from(EXIT_OTHERWISE),
    }
}

fn refused(program: &str, path: &str, why: &str) -> ExitCode {
    complain(&format!("{program}: {path} is not replayed: {why}\n"));
    ExitCode::from(EXIT_NOT_REPLAYED)
}
