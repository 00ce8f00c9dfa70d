//! Every setting there is, one row each. Flags, environment names, TOML keys, checks, `--help` and the table
//! in `docs/configuration.md` all follow from here.

use Kind::{
    Address, Addresses, Choice, Clamd, Database, File, Number, Origins, Secret, Switch, Target, Text, Url,
};
use parlor_protocol::settings::{ENGINE_PAYLOAD_BYTES_MAX, FILE_BYTES_MAX};

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name in the environment; the flag and the TOML key are made of it.
    pub name: &'static str,
    /// Another name for the same.
    pub alias: Option<&'static str>,
    /// What values it takes.
    pub kind: Kind,
    /// What holds when nothing is said; empty: nothing.
    pub default: &'static str,
    /// What it is for, in one line.
    pub help: &'static str,
}

/// What values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Any text, never shown.
    Secret,
    /// The path of a file.
    File,
    /// `http://` or `https://`, a host and perhaps a path.
    Url,
    /// The same, perhaps with a query.
    Target,
    /// Where clamd listens.
    Clamd,
    /// An IP address to listen on, or `localhost`.
    Address,
    /// IP addresses, comma-separated.
    Addresses,
    /// `*`, or origins, comma-separated.
    Origins,
    /// `sqlite:` and a path.
    Database,
    /// A whole number.
    Number {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
        /// Of what.
        unit: &'static str,
    },
    /// `true` or `false`.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// All settings of this build, in the order of `--help`.
pub const SETTINGS: &[Setting] = &[
    setting(
        "HOST",
        Address,
        "127.0.0.1",
        "Where to listen: 127.0.0.1 is this machine only, 0.0.0.0 everyone",
    ),
    Setting {
        alias: Some("WS_SERVER_PORT"),
        ..setting(
            "WEBSOCKET_PORT",
            number(0, 65_535, ""),
            "8080",
            "The one port for everything; 0 takes a free one",
        )
    },
    setting(
        "TLS_CERT",
        File,
        "",
        "The certificate (PEM), those between it and a root behind it; with TLS_KEY the port speaks TLS",
    ),
    setting("TLS_KEY", File, "", "The private key of TLS_CERT (PEM, without a passphrase)"),
    setting("PUBLIC_URL", Url, "", "How clients reach this server, when that differs from where it listens"),
    setting("DATABASE_URL", Database, "sqlite:parlor.db", "Where everything is kept: sqlite: and a path"),
    setting(
        "DURABILITY",
        Choice(&["power-loss", "process"]),
        "power-loss",
        "What an acknowledged message outlives: a power failure, or only the end of the process",
    ),
    setting(
        "JWT_SECRET",
        Secret,
        "",
        "Verifies users' tokens (HS256); neither this nor JWT_JWKS_URL: a trial, on a loopback HOST only",
    ),
    setting(
        "JWT_JWKS_URL",
        Target,
        "",
        "Where the public keys are (a JWK Set) that verify users' tokens (RS256 and ES256)",
    ),
    setting(
        "JWT_JWKS_INTERVAL",
        number(100, 3_600_000, "ms"),
        "60000",
        "How often at most the public keys are fetched again for a key that is not among them",
    ),
    setting("JWT_AUDIENCE", Text, "", "What a token's aud must name"),
    setting("JWT_ISSUER", Text, "", "What a token's iss must be"),
    setting(
        "SUPABASE_URL",
        Url,
        "",
        "A Supabase project: sets JWT_ISSUER, JWT_AUDIENCE and JWT_JWKS_URL where they are not set",
    ),
    setting(
        "SERVICE_API_KEY",
        Secret,
        "",
        "What backends and operators show to the admin calls; none: no such calls",
    ),
    setting("SUPABASE_SERVICE_ROLE_KEY", Secret, "", "Stands for SERVICE_API_KEY where that is not set"),
    setting(
        "AI_SERVICE_URL",
        Url,
        "",
        "The AI service that asks the questions; none: the built-in interviewer",
    ),
    setting("AI_SERVICE_API_KEY", Secret, "", "What is shown to the AI service"),
    setting(
        "AI_RETRY_FIRST",
        number(1, 60_000, "ms"),
        "500",
        "The wait before the second attempt at an AI reply",
    ),
    setting(
        "AI_RETRY_SECOND",
        number(1, 60_000, "ms"),
        "2000",
        "The wait before the third attempt at an AI reply",
    ),
    setting(
        "AI_OVERDUE",
        number(100, 3_600_000, "ms"),
        "180000",
        "After how long an AI reply is asked for anew",
    ),
    setting(
        "SESSION_IDLE_MAX",
        number(0, 366 * 86_400_000, "ms; 0 is for ever"),
        "86400000",
        "How long nobody may come back to a document session that is not complete before it is removed",
    ),
    setting(
        "RETENTION",
        number(0, 36_500, "days; 0 is for ever"),
        "0",
        "How long messages of chat rooms and events of projects and feeds are kept",
    ),
    setting("CLAMD_ADDR", Clamd, "", "clamd, which looks at every file; none: files are not scanned"),
    setting(
        "FILE_SCAN_URL",
        Target,
        "",
        "A scanner of files over HTTP; with CLAMD_ADDR too, both must call a file clean",
    ),
    setting(
        "FILE_BYTES_MAX",
        number(1, FILE_BYTES_MAX as u64, "bytes"),
        "10485760",
        "The largest file that is taken in",
    ),
    setting(
        "DOCUMENT_JOB_MAX",
        number(100, 600_000, "ms"),
        "10000",
        "How long a Yjs document may take over what clients bring before it is given up",
    ),
    setting(
        "MEMORY_MAX",
        number(0, 1 << 24, "MiB; 0 is what the system gives"),
        "0",
        "How much memory the process may take: when half of it waits for clients, those who take too little are closed with 4002, and no new connection is taken in",
    ),
    setting(
        "DOCUMENT_MEMORY_MAX",
        number(0, 1 << 20, "MiB; 0 is no limit"),
        "512",
        "How much memory open Yjs documents may take together before no further one is opened",
    ),
    setting(
        "EVENT_HOOK_URL",
        Target,
        "",
        "Where what happens in rooms is delivered, signed with SERVICE_API_KEY",
    ),
    Setting {
        alias: Some("WEBSOCKET_CORS_ORIGIN"),
        ..setting(
            "ALLOWED_ORIGINS",
            Origins,
            "",
            "Web pages that may connect, comma-separated, or *; none: those of this server's own host name",
        )
    },
    setting(
        "TRUSTED_PROXIES",
        Addresses,
        "",
        "Proxies whose X-Forwarded headers are believed, comma-separated",
    ),
    setting("CONNECTIONS_MAX", COUNT, "10000", "Connections in all"),
    setting("CONNECTIONS_PER_USER", COUNT, "20", "Connections of one user"),
    setting("CONNECTIONS_PER_ADDRESS", COUNT, "100", "Connections from one address"),
    setting("CONNECTION_RATE_PER_ADDRESS", COUNT, "10", "New connections from one address in a second"),
    setting(
        "AUTH_FAILURES_PER_ADDRESS",
        COUNT,
        "10",
        "Tokens from one address that are none, in 60 s, after which none is looked at until they are over; service keys, and tokens to refresh with, likewise",
    ),
    setting("RATE_LIMIT_CALLS", COUNT, "100", "Calls of one user in any 60 s"),
    setting(
        "RATE_LIMIT_SIGNALS",
        COUNT,
        "20",
        "Signals of one user in a second, typing among them; two and a half times as many at once",
    ),
    setting(
        "RATE_LIMIT_DASHBOARD",
        COUNT,
        "20",
        "Calls of one user to dashboards in a second; five times as many at once",
    ),
    setting("REFUSALS_MAX", COUNT, "1000", "Refusals in 60 s after which a connection is closed"),
    setting("MALFORMED_MAX", COUNT, "10", "Malformed messages in 60 s after which a connection is closed"),
    setting("RATE_LIMIT_PINGS", COUNT, "10", "Pings of one connection in a second; twice as many at once"),
    setting("RATE_LIMIT_UPDATES", COUNT, "50", "Messages of one Yjs client that are read in a second"),
    setting("RATE_LIMIT_UPDATE_BYTES", BYTES, "262144", "Bytes of one Yjs client that are read in a second"),
    setting("UPDATES_WAITING_MAX", COUNT, "16", "Updates of one Yjs client that may wait for the store"),
    setting(
        "HEARTBEAT_INTERVAL",
        number(10, 3_600_000, "ms"),
        "30000",
        "Silence after which a client is pinged",
    ),
    setting(
        "HEARTBEAT_TIMEOUT",
        number(10, 3_600_000, "ms"),
        "35000",
        "Further silence after which it is hung up on",
    ),
    setting(
        "MESSAGE_TIMEOUT",
        number(10, 3_600_000, "ms"),
        "30000",
        "How long a message may take to come in whole, unless it brings 1 KiB a second",
    ),
    setting(
        "WEBSOCKET_PING_INTERVAL",
        number(10, 3_600_000, "ms"),
        "25000",
        "How often a Socket.IO client is pinged",
    ),
    setting(
        "WEBSOCKET_PING_TIMEOUT",
        number(10, 3_600_000, "ms"),
        "60000",
        "How long a Socket.IO client may take to answer a ping",
    ),
    setting(
        "ENGINE_CONNECT_TIMEOUT",
        number(10, 3_600_000, "ms"),
        "45000",
        "How long a Socket.IO client may stay without joining a namespace",
    ),
    setting(
        "ENGINE_PAYLOAD_BYTES_MAX",
        number(1_024, ENGINE_PAYLOAD_BYTES_MAX as u64, "bytes"),
        "1000000",
        "The largest message of a Socket.IO client",
    ),
    setting(
        "RECOVERY_WINDOW",
        number(0, 3_600_000, "ms"),
        "120000",
        "How long a lost Socket.IO connection may be taken up again; 0 is never",
    ),
    setting(
        "TYPING_ENDS",
        number(10, 60_000, "ms"),
        "6000",
        "After how long somebody who types is taken to have stopped",
    ),
    setting(
        "DRAIN_SPREAD",
        number(0, 60_000, "ms"),
        "3000",
        "Over how long a stopping server closes its connections",
    ),
    setting(
        "CREATE_ON_OPEN",
        Switch,
        "false",
        "Whether joining a room that does not exist makes it (in a trial: true)",
    ),
    setting("ECHO", Switch, "false", "Whether /echo sends back what it hears, for tests"),
    setting("LOG_LEVEL", Choice(&["error", "warn", "info", "debug"]), "info", "How much is logged"),
    setting("LOG_FORMAT", Choice(&["human", "json"]), "human", "How a line of the log is written"),
    setting(
        "RECORD",
        File,
        "",
        "Where everything is recorded that the server is told, to be replayed; none: nowhere",
    ),
    setting(
        "RECORD_BYTES_MAX",
        number(1_024, 1 << 40, "bytes"),
        "1073741824",
        "How large a recording grows before it ends",
    ),
    setting(CONFIG, File, "parlor.toml", "The file of settings"),
];

/// The setting that names the file, and so cannot stand in it.
pub const CONFIG: &str = "PARLOR_CONFIG";

/// What later builds will know. Refused wherever it is set: who sets it counts on it.
pub const LATER: &[&str] = &["COMPRESSION", "REDIS_URL"];

const COUNT: Kind = number(0, 1_000_000, "; 0 is no limit");
const BYTES: Kind = number(0, 1 << 30, "; 0 is no limit");

const fn number(min: u64, max: u64, unit: &'static str) -> Kind {
    Number { min, max, unit }
}

const fn setting(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Setting {
    Setting { name, alias: None, kind, default, help }
}

impl Setting {
    /// The setting with this name or alias.
    pub fn named(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name || setting.alias == Some(name))
    }

    /// Its names: the name, then the alias.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.alias)
    }
}

impl Kind {
    /// What a value must be, for people.
    pub fn rule(self) -> String {
        match self {
            Text => "any text".to_string(),
            Secret => "any text, never shown".to_string(),
            File => "a path".to_string(),
            Url => "http:// or https:// with a host, without user, query and fragment".to_string(),
            Target => "http:// or https:// with a host, without user and fragment".to_string(),
            Clamd => "host:port, or unix: and a path from the root".to_string(),
            Address => "an IP address or localhost".to_string(),
            Addresses => "IP addresses, comma-separated".to_string(),
            Origins => "* or origins like https://app.example.com, comma-separated".to_string(),
            Database => "sqlite: and a path".to_string(),
            Number { min, max, unit: "" } => format!("{min} to {max}"),
            Number { min, max, unit } if unit.starts_with(';') => format!("{min} to {max}{unit}"),
            Number { min, max, unit } => format!("{min} to {max} {unit}"),
            Switch => "true or false".to_string(),
            Choice(words) => words.join(", "),
        }
    }

    /// Whether a value may hold a credential, so that no message may repeat it.
    pub fn is_secret(self) -> bool {
        match self {
            Secret | Url | Target | Database => true,
            Text | Clamd | File | Address | Addresses | Origins | Number { .. } | Switch | Choice(_) => false,
        }
    }
}

/// `ABC_DEF` as a flag: `abc-def`.
pub fn flag(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

/// `ABC_DEF` as a key of the file: `abc_def`.
pub fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}
