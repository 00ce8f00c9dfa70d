//! Where settings come from, and which of them holds: flag beats environment beats `.env` beats file.

use super::table::{CONFIG, Kind, LATER, SETTINGS, Setting, flag, key};
use super::{Stop, Surroundings, dotenv};
use clap::builder::Str;
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What was said of the settings, the strongest voice for each.
#[derive(Default)]
pub struct Given {
    values: BTreeMap<&'static str, Value>,
    /// `NODE_ENV=production`
    pub in_production: bool,
    /// `DEBUG=socket.io*`
    pub debugs: bool,
}

/// A value as it was written, and where.
pub struct Value {
    pub text: String,
    pub place: String,
}

impl Given {
    /// What was said of a setting; an empty text says as much as nothing.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name).filter(|value| !value.text.is_empty())
    }

    fn add(&mut self, pairs: Vec<Pair>) -> Result<(), Stop> {
        let mut said: BTreeMap<&'static str, Value> = BTreeMap::new();
        for Pair { setting, text, place } in pairs {
            match said.get(setting.name) {
                Some(other) if other.text != text => {
                    return Err(Stop::Wrong(format!("{place} and {} disagree", other.place)));
                }
                Some(_) | None => said.insert(setting.name, Value { text, place }),
            };
        }
        self.values.extend(said);
        Ok(())
    }
}

/// One setting as one source has it.
struct Pair {
    setting: &'static Setting,
    text: String,
    place: String,
}

/// Asks all sources, the weakest first, so that the stronger ones have the last word.
pub fn gather(surroundings: &Surroundings) -> Result<Given, Stop> {
    let flags = flags(surroundings)?;
    let environment = environment(surroundings)?;
    let written = read_file(&surroundings.folder.join(".env")).map_err(|why| wrong(".env", &why))?;
    let written = written.unwrap_or_default();
    let dotenv =
        dotenv::parse(&written).map_err(|line| Stop::Wrong(format!(".env: line {line} is not KEY=value")))?;
    let dotenv: Vec<_> = dotenv.into_iter().map(|(name, text)| (name, text.to_string())).collect();

    let mut given = Given::default();
    given.add(named(&dotenv, ".env")?)?;
    given.add(named(&environment, "the environment")?)?;
    given.add(flags)?;
    let mut all = Given::default();
    all.add(file(&given, &surroundings.folder)?)?;
    all.values.append(&mut given.values);
    let aside = |name: &str| {
        let mut pairs = environment.iter().chain(&dotenv);
        pairs.find(|pair| pair.0 == name).map_or("", |pair| pair.1.as_str())
    };
    all.in_production = aside("NODE_ENV") == "production";
    all.debugs = aside("DEBUG").split([',', ' ']).any(|name| name.starts_with("socket.io"));
    Ok(all)
}

fn flags(surroundings: &Surroundings) -> Result<Vec<Pair>, Stop> {
    let matches = serve_command(surroundings.program).try_get_matches_from(&surroundings.arguments);
    let matches = matches.map_err(|error| asked_wrongly(&error))?;
    if let Some(name) = LATER.iter().find(|name| matches.contains_id(name)) {
        return Err(not_yet(&format!("--{}", flag(name))));
    }
    Ok(SETTINGS.iter().filter_map(|setting| flagged(&matches, setting)).collect())
}

fn flagged(matches: &ArgMatches, setting: &'static Setting) -> Option<Pair> {
    let text = matches.get_one::<String>(setting.name)?.clone();
    Some(Pair { setting, text, place: format!("--{}", flag(setting.name)) })
}

/// What a command line that cannot be carried out comes to.
pub fn asked_wrongly(error: &clap::Error) -> Stop {
    match [ErrorKind::DisplayHelp, ErrorKind::DisplayVersion].contains(&error.kind()) {
        true => Stop::Answered(error.to_string()),
        false => Stop::Wrong(error.to_string().trim_start_matches("error: ").to_string()),
    }
}

/// A command line that takes every setting as a flag.
pub fn serve_command(program: &'static str) -> Command {
    let later = LATER.iter().map(|name| Arg::new(*name).long(flag(name)).hide(true));
    Command::new(program)
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(AFTER_HELP)
        .next_line_help(true)
        .args(SETTINGS.iter().map(argument))
        .args(later)
}

const ABOUT: &str = "Parlor: guided documents, chat rooms, project feeds, dashboards and shared drafts in real time, on one port.\n\n\
    Started with nothing said, it shows itself: it listens on this machine only, makes its own secret, \
    loads samples\nand prints an address to open in a browser. To run it for others, set at least HOST and \
    JWT_SECRET.";

const AFTER_HELP: &str = "Every setting may also stand in the environment (HEARTBEAT_INTERVAL=30000), in a file .env \
    of the working folder,\nor in parlor.toml (heartbeat_interval = 30000). A flag beats the environment, that beats .env, \
    that beats the file.\nAn empty value means the default. Secrets are better not given by flag: other users of the \
    machine can see flags.\n\nExample:\n  JWT_SECRET=$(openssl rand -hex 32) parlor --host 0.0.0.0 --database-url \
    sqlite:/var/lib/parlor/parlor.db";

/// A setting as a flag.
pub fn argument(setting: &Setting) -> Arg {
    let mut help = format!("{} ({}", setting.help, setting.kind.rule());
    if !setting.default.is_empty() {
        help.push_str("; default: ");
        help.push_str(setting.default);
    }
    help.push(')');
    let argument = Arg::new(setting.name).long(flag(setting.name)).value_name("VALUE").help(help);
    let argument = argument.visible_aliases(setting.alias.map(|alias| Str::from(flag(alias))));
    match setting.kind {
        Kind::Switch => argument.num_args(0..=1).default_missing_value("true"),
        Kind::Text
        | Kind::Secret
        | Kind::File
        | Kind::Url
        | Kind::Target
        | Kind::Clamd
        | Kind::Address
        | Kind::Addresses
        | Kind::Origins
        | Kind::Database
        | Kind::Number { .. }
        | Kind::Choice(_) => argument,
    }
}

/// Those variables that mean something here; what others hold is nobody's business.
fn environment(surroundings: &Surroundings) -> Result<Vec<(&str, String)>, Stop> {
    let mut pairs = Vec::new();
    for (name, text) in &surroundings.environment {
        let Some(name) = name.to_str().filter(|name| is_known(name)) else { continue };
        match text.to_str() {
            Some(text) => pairs.push((name, text.to_string())),
            None => return Err(Stop::Wrong(format!("{name} in the environment is not UTF-8"))),
        }
    }
    Ok(pairs)
}

fn is_known(name: &str) -> bool {
    Setting::named(name).is_some() || LATER.contains(&name) || ["NODE_ENV", "DEBUG"].contains(&name)
}

fn named(pairs: &[(&str, String)], source: &str) -> Result<Vec<Pair>, Stop> {
    let mut found = Vec::new();
    for (name, text) in pairs {
        let place = format!("{name} in {source}");
        match Setting::named(name) {
            Some(setting) => found.push(Pair { setting, text: text.clone(), place }),
            None if LATER.contains(name) && !text.is_empty() => return Err(not_yet(&place)),
            None => {}
        }
    }
    Ok(found)
}

/// The settings of the TOML file. It may be absent where nobody named it.
fn file(given: &Given, folder: &Path) -> Result<Vec<Pair>, Stop> {
    let named = given.value(CONFIG);
    let path = named.map_or("parlor.toml", |value| value.text.as_str());
    let text = match (read_file(&folder.join(path)).map_err(|why| wrong(path, &why))?, named) {
        (Some(text), _) => text,
        (None, None) => return Ok(Vec::new()),
        (None, Some(named)) => {
            return Err(Stop::Wrong(format!("{} names {path}, which is not there", named.place)));
        }
    };
    let table: toml::Table = toml::from_str(&text).map_err(|error| {
        // Only the place: the line itself may hold a secret.
        let line =
            error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        Stop::Wrong(format!("{path}: line {line} is not TOML: {}", error.message()))
    })?;
    table.into_iter().map(|(name, value)| in_file(&name, &value, path)).collect()
}

fn in_file(name: &str, value: &toml::Value, path: &str) -> Result<Pair, Stop> {
    let place = format!("{name} in {path}");
    let upper = name.to_ascii_uppercase();
    if LATER.contains(&upper.as_str()) && key(&upper) == name {
        return Err(not_yet(&place));
    }
    let setting = Setting::named(&upper).filter(|_| key(&upper) == name);
    let Some(setting) = setting else { return Err(Stop::Wrong(format!("{place} is not a setting"))) };
    if setting.name == CONFIG {
        return Err(Stop::Wrong(format!("{place}: a file of settings cannot name another")));
    }
    let text = text_of(value, setting.kind).ok_or_else(|| {
        Stop::Wrong(format!("{place} is of the type {}, not {}", value.type_str(), setting.kind.rule()))
    })?;
    Ok(Pair { setting, text, place })
}

fn text_of(value: &toml::Value, kind: Kind) -> Option<String> {
    match kind {
        Kind::Number { .. } => value.as_integer().map(|number| number.to_string()),
        Kind::Switch => value.as_bool().map(|on| on.to_string()),
        Kind::Addresses | Kind::Origins if value.is_array() => {
            let items: Option<Vec<_>> = value.as_array()?.iter().map(toml::Value::as_str).collect();
            Some(items?.join(","))
        }
        Kind::Addresses
        | Kind::Origins
        | Kind::Text
        | Kind::Secret
        | Kind::File
        | Kind::Url
        | Kind::Target
        | Kind::Clamd
        | Kind::Address
        | Kind::Database
        | Kind::Choice(_) => value.as_str().map(str::to_string),
    }
}

/// The largest file of settings, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What a file holds; `None` when there is none.
fn read_file(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("a file of settings of over {FILE_BYTES_MAX} bytes")));
    }
    Ok(Some(text))
}

fn wrong(path: &str, why: &io::Error) -> Stop {
    Stop::Wrong(format!("{path}: {why}"))
}

fn not_yet(place: &str) -> Stop {
    Stop::Wrong(format!("{place} is not supported yet by this build: leave it out"))
}
