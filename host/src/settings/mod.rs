//! The settings: gathered from flags, the environment, `.env` and a TOML file, checked, and made into one
//! `Configuration`. What cannot be understood stops the start with a message that names it.

mod dotenv;
mod effective;
mod read;
mod secret;
mod sources;
mod table;

pub use effective::{Effective, effective};
pub use read::short_secret;
pub use sources::{argument, asked_wrongly, serve_command};
pub use table::{CONFIG, Kind, LATER, SETTINGS, Setting, flag, key};

use crate::jwks::Jwks;
use crate::services::Services;
use crate::tls::TlsFiles;
use parlor_protocol::auth::Keys;
use parlor_protocol::record::Level;
use parlor_protocol::settings::Settings;
use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// All that a server is told before it starts.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// Limits, times and modes.
    pub core: Settings,
    /// What credentials are checked against.
    pub keys: Keys,
    /// Where the public keys among these are fetched, if they are.
    pub jwks: Option<Jwks>,
    /// How often at most they are fetched for a key that is not among them.
    pub jwks_interval: Duration,
    /// Where to listen.
    pub host: IpAddr,
    /// On which port; 0: a free one.
    pub port: u16,
    /// The certificate of TLS and its key, if TLS is spoken.
    pub tls: Option<TlsFiles>,
    /// How clients reach this server, without a slash at the end.
    pub public_url: Option<String>,
    /// The file of the database.
    pub database: PathBuf,
    /// What an acknowledged message outlives.
    pub durability: Durability,
    /// How long a job of a document may take.
    pub document_job_max: Duration,
    /// How many bytes of memory the process may take; 0: what the system gives.
    pub memory_max: u64,
    /// Who is called.
    pub services: Services,
    /// How much is logged.
    pub log_level: Level,
    /// How a line of the log is written.
    pub log_format: LogFormat,
    /// Where the server is recorded, and how large the file may grow.
    pub record: Option<(PathBuf, u64)>,
    /// Nobody set a secret: the server made one, and shows itself with samples.
    pub trial: bool,
    /// What the operator should hear once.
    pub warnings: Vec<String>,
}

/// What an acknowledged message outlives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A power failure: every commit is synced.
    PowerLoss,
    /// The end of the process.
    Process,
}

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object in a line.
    Json,
}

/// Where the settings are looked for.
#[derive(Clone)]
pub struct Surroundings {
    /// The program's name.
    pub program: &'static str,
    /// The arguments, the program's own name first.
    pub arguments: Vec<OsString>,
    /// The environment.
    pub environment: Vec<(OsString, OsString)>,
    /// The working folder; the empty path is the process's own.
    pub folder: PathBuf,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process(program: &'static str) -> Self {
        Self {
            program,
            arguments: std::env::args_os().collect(),
            environment: std::env::vars_os().collect(),
            folder: PathBuf::new(),
        }
    }
}

/// Why the server does not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It was only asked something: `--help`, `--version`. For standard output.
    Answered(String),
    /// A setting is wrong. For standard error.
    Wrong(String),
}

impl Stop {
    /// What the process ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Answered(_) => 0,
            Self::Wrong(_) => 2,
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(text) | Self::Wrong(text) => f.write_str(text.trim_end()),
        }
    }
}

impl Configuration {
    /// Gathers and checks the settings. A trial's secret is made here when there is none yet.
    pub fn load(surroundings: &Surroundings) -> Result<Self, Stop> {
        let given = sources::gather(surroundings)?;
        let mut configuration = read::configuration(&given, &surroundings.folder)?;
        if configuration.trial {
            let kept = secret::keep(&configuration.secret_file()).map_err(Stop::Wrong)?;
            configuration.keys.secret = Some(kept.jwt_secret.into_bytes());
            configuration.keys.service_key.get_or_insert(kept.service_key);
        }
        let (hook, key) = (configuration.services.hook.take(), &configuration.keys.service_key);
        configuration.services.hook = hook.map(|hook| match key {
            Some(key) => hook.signed_with(key),
            None => hook,
        });
        Ok(configuration)
    }

    /// What credentials are checked against, without making anything: in a trial the secret must be there already.
    pub fn load_keys(surroundings: &Surroundings) -> Result<Keys, Stop> {
        let given = sources::gather(surroundings)?;
        let configuration = read::configuration(&given, &surroundings.folder)?;
        let file = configuration.secret_file();
        let mut keys = configuration.keys;
        if configuration.trial {
            let kept = secret::kept(&file).map_err(Stop::Wrong)?.ok_or_else(|| {
                let file = file.display();
                Stop::Wrong(format!("JWT_SECRET is not set, and no trial has made a secret in {file}"))
            })?;
            keys.secret = Some(kept.jwt_secret.into_bytes());
            keys.service_key.get_or_insert(kept.service_key);
        }
        Ok(keys)
    }

    /// Where a trial keeps its secret: the first line is the `JWT_SECRET`, the second the `SERVICE_API_KEY`.
    pub fn secret_file(&self) -> PathBuf {
        beside(&self.database, ".secret")
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests;
