//! The command line of both programs: `serve`, which is meant when nothing is said, and what helps whoever runs a
//! server or writes a client for one.

mod check;
mod dialogue;
mod line;
mod replay;
mod token;

use crate::acceptor::Acceptor;
use crate::settings::{Stop, Surroundings, asked_wrongly, serve_command};
use crate::start;
use clap::Command;
use std::io;
use std::process::ExitCode;

/// Does what the command line says. `serve` is the driver of this name; it holds `files_per_line` file descriptors for
/// each connection. Returns what the process is to end with.
pub fn run(
    program: &'static str,
    files_per_line: u64,
    serve: impl FnOnce(Acceptor) -> io::Result<()>,
) -> ExitCode {
    let mut surroundings = Surroundings::of_process(program);
    let matches = match whole(program).try_get_matches_from(&surroundings.arguments) {
        Ok(matches) => matches,
        Err(error) => return start::stopped(program, &asked_wrongly(&error)),
    };
    let done = match matches.subcommand() {
        Some(("token", given)) => token::run(surroundings, given),
        Some(("try", given)) => return dialogue::run(program, given),
        Some(("config", given)) => match given.subcommand() {
            Some((_, given)) => check::run(surroundings, given),
            None => Err(Stop::Wrong("config needs to be told what: check".to_string())),
        },
        Some(("replay", given)) => return replay::run(program, given),
        Some(_) => {
            // `serve`: what stands behind it is what could stand there without it.
            surroundings.arguments.remove(1);
            return start::run(surroundings, files_per_line, serve);
        }
        None => return start::run(surroundings, files_per_line, serve),
    };
    match done {
        Ok(text) => {
            start::say(&format!("{}\n", text.trim_end()));
            ExitCode::SUCCESS
        }
        Err(stop) => start::stopped(program, &stop),
    }
}

fn whole(program: &'static str) -> Command {
    let config = Command::new("config")
        .about("Looks at the settings without starting a server")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(check::command());
    serve_command(program)
        .args_conflicts_with_subcommands(true)
        .subcommand_help_heading("Commands (--help behind one tells more)")
        .subcommand(serve_command("serve").about("Runs the server; the same as no command"))
        .subcommand(token::command())
        .subcommand(dialogue::command())
        .subcommand(config)
        .subcommand(replay::command())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound_and_says_of_every_command_what_it_is_for() {
        let mut whole = whole("parlor");
        whole.clone().debug_assert();
        let help = whole.render_help().to_string();
        for command in ["serve", "token", "try", "config", "replay"] {
            assert!(help.contains(&format!("\n  {command}")), "{help}");
        }
        assert!(help.contains("--websocket-port"), "{help}");
    }
}
