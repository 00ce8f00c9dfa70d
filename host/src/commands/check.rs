//! `config check`: what a server would go by, and where each setting comes from.

use crate::settings::{Effective, Stop, Surroundings, effective, serve_command};
use clap::{ArgMatches, Command};
use std::fmt::Write;

/// What the command line takes: what `serve` takes.
pub fn command() -> Command {
    serve_command("check")
        .about("Prints the settings that a server would have, secrets hidden, and where each comes from")
        .after_help(
            "Ends with 2 and every error that there is when a server would not start with these settings.\n\
             Nothing is made, and of all files only those of settings and of TLS are read.",
        )
}

/// The settings as a table. The error has all that is wrong.
pub fn run(mut surroundings: Surroundings, _given: &ArgMatches) -> Result<String, Stop> {
    // `config` and `check`: what stands behind them is what a server would be told.
    surroundings.arguments.drain(1..3);
    let (all, notes) = effective(&surroundings)?;
    let width = |of: fn(&Effective) -> usize| all.iter().map(of).max().unwrap_or_default();
    let (names, values) = (width(|one| one.name.len()), width(|one| one.value.chars().count().min(48)));
    let mut text = String::new();
    for Effective { name, value, place } in &all {
        // Writing to a String does not fail.
        writeln!(text, "{name:names$}  {value:values$}  {place}").unwrap_or_default();
    }
    for note in notes {
        writeln!(text, "\n{note}").unwrap_or_default();
    }
    Ok(text)
}
