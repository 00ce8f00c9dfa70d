//! From what was said to what is meant: every value checked against its row of the table, then put in its place.

use super::sources::Given;
use super::table::{Kind, SETTINGS, Setting};
use super::{Configuration, Durability, LogFormat, Stop};
use crate::ai::AiService;
use crate::hook::EventHook;
use crate::jwks::Jwks;
use crate::scanner::{ClamdAddress, Scanner};
use crate::services::Services;
use crate::tls::TlsFiles;
use parlor_protocol::auth::Keys;
use parlor_protocol::record::Level;
use parlor_protocol::settings::{Interviewer, Origins, Settings};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{HeaderValue, Uri};

/// The configuration that was asked for; for a trial still without its secret.
pub fn configuration(given: &Given, folder: &Path) -> Result<Configuration, Stop> {
    if let Some(wrong) = faults(given).into_iter().next() {
        return Err(Stop::Wrong(wrong));
    }
    let host = address(given.text("HOST")).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let trial = is_trial(given, host)?;
    let services = services(given);
    Ok(Configuration {
        core: core(given, trial, &services),
        keys: keys(given),
        jwks: jwks_url(given).as_deref().map(Jwks::new),
        jwks_interval: given.time("JWT_JWKS_INTERVAL"),
        host,
        port: u16::try_from(given.number("WEBSOCKET_PORT")).unwrap_or_default(),
        tls: tls_files(given, folder),
        public_url: public_url(given),
        database: folder.join(database(given.text("DATABASE_URL")).unwrap_or_default()),
        durability: match given.text("DURABILITY") {
            "process" => Durability::Process,
            _ => Durability::PowerLoss,
        },
        document_job_max: given.time("DOCUMENT_JOB_MAX"),
        memory_max: u64::from(given.count("MEMORY_MAX")) << 20,
        services,
        log_level: log_level(given),
        log_format: log_format(given),
        record: given.set("RECORD").map(|file| (folder.join(file), given.number("RECORD_BYTES_MAX"))),
        trial,
        warnings: warnings(given),
    })
}

impl Given {
    /// What was said of a setting.
    fn set(&self, name: &str) -> Option<&str> {
        self.value(name).map(|value| value.text.as_str())
    }

    /// What was said of a setting, else its default.
    fn text(&self, name: &str) -> &str {
        let default = || Setting::named(name).map_or("", |setting| setting.default);
        self.set(name).unwrap_or_else(default)
    }

    fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or_default()
    }

    fn count(&self, name: &str) -> u32 {
        u32::try_from(self.number(name)).unwrap_or(u32::MAX)
    }

    fn time(&self, name: &str) -> Duration {
        Duration::from_millis(self.number(name))
    }

    fn switch(&self, name: &str) -> bool {
        self.text(name) == "true"
    }
}

/// What `RETENTION` counts.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest value, in bytes.
const VALUE_BYTES_MAX: usize = 16 * 1024;

/// What is wrong with single settings. What is read afterwards relies on it that nothing is.
pub fn faults(given: &Given) -> Vec<String> {
    SETTINGS.iter().filter_map(|setting| check(given, setting).err()).chain(half_of_tls(given)).collect()
}

/// A certificate is of no use without its key, nor a key without its certificate.
fn half_of_tls(given: &Given) -> Option<String> {
    let (there, missing) = match (given.set("TLS_CERT"), given.set("TLS_KEY")) {
        (Some(_), None) => ("TLS_CERT", "TLS_KEY"),
        (None, Some(_)) => ("TLS_KEY", "TLS_CERT"),
        (Some(_), Some(_)) | (None, None) => return None,
    };
    let place = given.value(there).map_or(there, |value| &value.place);
    Some(format!("{place} is set, but {missing} is not: TLS needs both, and neither is plain HTTP"))
}

fn tls_files(given: &Given, folder: &Path) -> Option<TlsFiles> {
    let (certificate, key) = (given.set("TLS_CERT")?, given.set("TLS_KEY")?);
    Some(TlsFiles { certificate: folder.join(certificate), key: folder.join(key) })
}

/// Whether what was said of a setting fits its kind.
fn check(given: &Given, setting: &Setting) -> Result<(), String> {
    let Some(value) = given.value(setting.name) else { return Ok(()) };
    let (text, place) = (value.text.as_str(), &value.place);
    if text.len() > VALUE_BYTES_MAX {
        let length = text.len();
        return Err(format!("{place} is of {length} bytes, over the limit of {VALUE_BYTES_MAX}"));
    }
    if setting.kind == Kind::Database && (text.starts_with("postgres:") || text.starts_with("postgresql:")) {
        return Err(format!("{place}: Postgres is not supported yet by this build: use sqlite:"));
    }
    let shown = |what: String| match setting.kind.is_secret() {
        true => format!("{place} is not {what}"),
        false => format!("{place} is {text:?}, not {what}"),
    };
    if !fits(setting.kind, text) {
        return Err(shown(setting.kind.rule()));
    }
    let travels =
        ["SERVICE_API_KEY", "SUPABASE_SERVICE_ROLE_KEY", "AI_SERVICE_API_KEY"].contains(&setting.name);
    if travels && HeaderValue::from_str(text).is_err() {
        return Err(shown("what a header can carry: visible characters only".into()));
    }
    Ok(())
}

fn fits(kind: Kind, text: &str) -> bool {
    match kind {
        Kind::Text | Kind::Secret | Kind::File => true,
        Kind::Url => is_url(text, false),
        Kind::Target => is_url(text, true),
        Kind::Clamd => text.parse::<ClamdAddress>().is_ok(),
        Kind::Address => address(text).is_some(),
        Kind::Addresses => addresses(text).is_some(),
        Kind::Origins => origins(text).is_some(),
        Kind::Database => database(text).is_some(),
        Kind::Number { min, max, .. } => {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            digits && text.parse::<u64>().is_ok_and(|number| (min..=max).contains(&number))
        }
        Kind::Switch => ["true", "false"].contains(&text),
        Kind::Choice(words) => words.contains(&text),
    }
}

fn services(given: &Given) -> Services {
    let clamd = given.set("CLAMD_ADDR").and_then(|address| address.parse().ok());
    Services {
        ai: given.set("AI_SERVICE_URL").map(|url| AiService::new(url, given.set("AI_SERVICE_API_KEY"))),
        scanner: Scanner::new(clamd, given.set("FILE_SCAN_URL")),
        hook: given.set("EVENT_HOOK_URL").and_then(EventHook::new),
    }
}

fn public_url(given: &Given) -> Option<String> {
    given.set("PUBLIC_URL").map(|url| url.trim_end_matches('/').to_string())
}

fn core(given: &Given, trial: bool, services: &Services) -> Settings {
    Settings {
        interviewer: match services.ai {
            Some(_) => Interviewer::Service,
            None => Interviewer::BuiltIn,
        },
        public_url: public_url(given),
        tls: given.set("TLS_CERT").is_some(),
        origins: origins(given.text("ALLOWED_ORIGINS")).unwrap_or(Origins::SameHost),
        trusted_proxies: addresses(given.text("TRUSTED_PROXIES")).unwrap_or_default(),
        create_on_open: given.set("CREATE_ON_OPEN").map_or(trial, |word| word == "true"),
        echo: given.switch("ECHO"),
        connections_max: given.count("CONNECTIONS_MAX"),
        connections_per_user: given.count("CONNECTIONS_PER_USER"),
        connections_per_address: given.count("CONNECTIONS_PER_ADDRESS"),
        connection_rate_per_address: given.count("CONNECTION_RATE_PER_ADDRESS"),
        heartbeat_interval: given.time("HEARTBEAT_INTERVAL"),
        heartbeat_timeout: given.time("HEARTBEAT_TIMEOUT"),
        engine_ping_interval: given.time("WEBSOCKET_PING_INTERVAL"),
        engine_ping_timeout: given.time("WEBSOCKET_PING_TIMEOUT"),
        engine_connect_timeout: given.time("ENGINE_CONNECT_TIMEOUT"),
        engine_payload_bytes_max: given.count("ENGINE_PAYLOAD_BYTES_MAX"),
        recovery_window: given.time("RECOVERY_WINDOW"),
        message_timeout: given.time("MESSAGE_TIMEOUT"),
        auth_failures_per_address: given.count("AUTH_FAILURES_PER_ADDRESS"),
        typing_ends: given.time("TYPING_ENDS"),
        file_bytes_max: given.count("FILE_BYTES_MAX"),
        document_memory_max: (given.count("DOCUMENT_MEMORY_MAX") as usize) << 20,
        scanner: services.scanner.is_some(),
        hook: services.hook.is_some(),
        rate_limit_calls: given.count("RATE_LIMIT_CALLS"),
        rate_limit_signals: given.count("RATE_LIMIT_SIGNALS"),
        rate_limit_dashboard: given.count("RATE_LIMIT_DASHBOARD"),
        refusals_max: given.count("REFUSALS_MAX"),
        malformed_max: given.count("MALFORMED_MAX"),
        rate_limit_pings: given.count("RATE_LIMIT_PINGS"),
        rate_limit_updates: given.count("RATE_LIMIT_UPDATES"),
        rate_limit_update_bytes: given.count("RATE_LIMIT_UPDATE_BYTES"),
        updates_waiting_max: given.count("UPDATES_WAITING_MAX"),
        ai_retry_first: given.time("AI_RETRY_FIRST"),
        ai_retry_second: given.time("AI_RETRY_SECOND"),
        ai_overdue: given.time("AI_OVERDUE"),
        session_idle_max: given.time("SESSION_IDLE_MAX"),
        retention: DAY * given.count("RETENTION"),
        drain_spread: given.time("DRAIN_SPREAD"),
        ..Settings::default()
    }
}

fn supabase(given: &Given) -> Option<&str> {
    given.set("SUPABASE_URL").map(|url| url.trim_end_matches('/'))
}

fn supabase_issuer(project: &str) -> String {
    format!("{project}/auth/v1")
}

/// Where public keys are fetched: as it was said, else where the Supabase project has them.
fn jwks_url(given: &Given) -> Option<String> {
    let of_project = |project| format!("{}/.well-known/jwks.json", supabase_issuer(project));
    given.set("JWT_JWKS_URL").map(str::to_string).or_else(|| supabase(given).map(of_project))
}

/// What credentials are checked against, as far as it was said.
pub fn keys(given: &Given) -> Keys {
    let supabase = supabase(given);
    let owned = |name: &str| given.set(name).map(str::to_string);
    Keys {
        secret: given.set("JWT_SECRET").map(|secret| secret.as_bytes().to_vec()),
        key_set: jwks_url(given).map(|_| Arc::default()),
        audience: owned("JWT_AUDIENCE").or_else(|| supabase.map(|_| "authenticated".to_string())),
        issuer: owned("JWT_ISSUER").or_else(|| supabase.map(supabase_issuer)),
        service_key: owned("SERVICE_API_KEY").or_else(|| owned("SUPABASE_SERVICE_ROLE_KEY")),
    }
}

fn is_trial(given: &Given, host: IpAddr) -> Result<bool, Stop> {
    if given.set("JWT_SECRET").is_some() || jwks_url(given).is_some() {
        return Ok(false);
    }
    match host.to_canonical().is_loopback() {
        true => Ok(true),
        false => Err(Stop::Wrong(format!(
            "JWT_SECRET is not set, and HOST is {host}: without a secret or public keys the server starts on a \
             loopback address only, as a trial. Set JWT_SECRET to the secret that users' tokens are signed with \
             (a new one: openssl rand -hex 32), JWT_JWKS_URL to where the public keys are, or HOST to 127.0.0.1"
        ))),
    }
}

/// HS256 wants a secret no shorter than its hash (RFC 7518 §3.2).
const JWT_SECRET_BYTES_GOOD: usize = 32;

/// What to say of a `JWT_SECRET` of so many bytes, if there is something.
pub fn short_secret(length: usize) -> Option<String> {
    let said =
        || format!("JWT_SECRET of {length} bytes can be guessed: use {JWT_SECRET_BYTES_GOOD} at least");
    (length < JWT_SECRET_BYTES_GOOD).then(said)
}

fn warnings(given: &Given) -> Vec<String> {
    let short = given.set("JWT_SECRET").and_then(|secret| short_secret(secret.len()));
    let idle = given.set("AI_SERVICE_API_KEY").filter(|_| given.set("AI_SERVICE_URL").is_none());
    let idle = idle.map(|_| "AI_SERVICE_API_KEY is set, but AI_SERVICE_URL is not".to_string());
    let url = jwks_url(given);
    let for_all = url.as_ref().filter(|_| keys(given).audience.is_none()).map(|_| {
        "JWT_JWKS_URL is set, but JWT_AUDIENCE is not: tokens that the issuer signed for other services are good here"
            .to_string()
    });
    let open = url.and_then(|url| url.parse::<Uri>().ok()).filter(travels_openly).map(|_| {
        "the public keys are fetched over http: whoever is between can put keys of their own there"
            .to_string()
    });
    short.into_iter().chain(idle).chain(for_all).chain(open).collect()
}

/// Whether what is fetched from there can be changed on its way.
fn travels_openly(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = address(host).is_some_and(|address| address.to_canonical().is_loopback());
    url.scheme_str() == Some("http") && !is_here
}

/// How lines of the log are written.
pub fn log_format(given: &Given) -> LogFormat {
    match (given.set("LOG_FORMAT"), given.in_production) {
        (Some("json"), _) | (None, true) => LogFormat::Json,
        (Some(_), _) | (None, false) => LogFormat::Human,
    }
}

/// How much is logged.
pub fn log_level(given: &Given) -> Level {
    match (given.set("LOG_LEVEL"), given.debugs) {
        (Some("debug"), _) | (None, true) => Level::Debug,
        (Some("error"), _) => Level::Error,
        (Some("warn"), _) => Level::Warn,
        (Some(_), _) | (None, false) => Level::Info,
    }
}

fn address(text: &str) -> Option<IpAddr> {
    match text {
        "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        text => text.parse().ok(),
    }
}

fn addresses(text: &str) -> Option<Vec<IpAddr>> {
    items(text).map(|item| item.parse().ok()).collect()
}

fn origins(text: &str) -> Option<Origins> {
    let all: Vec<_> = items(text).collect();
    match all.as_slice() {
        [] => Some(Origins::SameHost),
        ["*"] => Some(Origins::Any),
        listed => listed.iter().map(|item| origin(item)).collect::<Option<_>>().map(Origins::Listed),
    }
}

/// An origin as browsers write it: lower case, no slash at the end, no port where it is the scheme's own.
fn origin(text: &str) -> Option<String> {
    let text = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
    let (scheme, authority) = text.split_once("://")?;
    let own_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let uri: Uri = text.parse().ok()?;
    let is_bare = uri.authority()?.as_str() == authority && !authority.contains('@') && uri.query().is_none();
    let shortened = authority.strip_suffix(own_port).unwrap_or(authority);
    is_bare.then(|| format!("{scheme}://{shortened}"))
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn is_url(text: &str, with_query: bool) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let is_web = uri.scheme_str().is_some_and(|scheme| ["http", "https"].contains(&scheme));
    let host = uri
        .authority()
        .is_some_and(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'));
    is_web && host && (with_query || uri.query().is_none()) && !text.contains('#')
}

/// The path of `sqlite:path`, also when it is written like a URL: `sqlite://path`.
fn database(text: &str) -> Option<PathBuf> {
    let path = text.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    let is_file =
        !path.is_empty() && !path.starts_with(':') && !path.contains(['?', '\0']) && !path.ends_with('/');
    is_file.then(|| path.into())
}
