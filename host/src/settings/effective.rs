//! The settings as they are for a server that would start now, for an operator to look at.

use super::sources::Given;
use super::table::{Kind, SETTINGS, Setting};
use super::{LogFormat, Stop, Surroundings, read, sources};
use parlor_protocol::record::Level;

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// Its name in the environment.
    pub name: &'static str,
    /// Its value, if it is no secret.
    pub value: String,
    /// Where the value comes from.
    pub place: String,
}

/// Every setting in the order of `--help`, and what an operator should know besides. The error has all that is wrong,
/// a line each. Nothing is made: a trial's secret is not looked for. The certificate of TLS and its key are read.
pub fn effective(surroundings: &Surroundings) -> Result<(Vec<Effective>, Vec<String>), Stop> {
    let given = sources::gather(surroundings)?;
    let faults = read::faults(&given);
    if !faults.is_empty() {
        return Err(Stop::Wrong(faults.join("\n")));
    }
    let configuration = read::configuration(&given, &surroundings.folder)?;
    if let Some(files) = &configuration.tls {
        files.load().map_err(Stop::Wrong)?;
    }
    let all = SETTINGS.iter().map(|setting| {
        let (value, place) = match given.value(setting.name) {
            Some(value) => (shown(setting.kind, &value.text), value.place.clone()),
            None => unsaid(&given, setting, configuration.trial),
        };
        Effective { name: setting.name, value, place }
    });
    let all = all.collect();
    let mut notes: Vec<_> =
        configuration.warnings.iter().map(|warning| format!("Warning: {warning}")).collect();
    if configuration.trial {
        notes.push(format!(
            "JWT_SECRET is not set and HOST is loopback: the server starts as a trial, with a secret of its own in {}",
            configuration.secret_file().display()
        ));
    }
    Ok((all, notes))
}

/// What holds where nothing is said, and why.
fn unsaid(given: &Given, setting: &Setting, trial: bool) -> (String, String) {
    let said = |name: &str| given.value(name).map(|value| value.place.clone());
    let by = |value: &str, place: String| (value.to_string(), place);
    match setting.name {
        "LOG_FORMAT" if read::log_format(given) == LogFormat::Json => {
            by("json", "NODE_ENV=production".into())
        }
        "LOG_LEVEL" if read::log_level(given) == Level::Debug => by("debug", "DEBUG=socket.io*".into()),
        "CREATE_ON_OPEN" if trial => by("true", "this is a trial".into()),
        "JWT_SECRET" | "SERVICE_API_KEY" if trial => by(HIDDEN, "the secret of the trial".into()),
        "JWT_AUDIENCE" | "JWT_ISSUER" if let Some(place) = said("SUPABASE_URL") => {
            let keys = read::keys(given);
            let value = if setting.name == "JWT_ISSUER" { keys.issuer } else { keys.audience };
            by(&value.unwrap_or_default(), place)
        }
        "SERVICE_API_KEY" if let Some(place) = said("SUPABASE_SERVICE_ROLE_KEY") => by(HIDDEN, place),
        _ if setting.default.is_empty() => by("-", "not set".into()),
        _ => by(setting.default, "default".into()),
    }
}

const HIDDEN: &str = "(hidden)";

/// A value as it may be shown. No URL has a password in it; what a target asks for may be a secret.
fn shown(kind: Kind, text: &str) -> String {
    match kind {
        Kind::Secret => HIDDEN.to_string(),
        Kind::Target => match text.split_once('?') {
            Some((address, _)) => format!("{address}?{HIDDEN}"),
            None => text.to_string(),
        },
        Kind::Text
        | Kind::File
        | Kind::Url
        | Kind::Clamd
        | Kind::Address
        | Kind::Addresses
        | Kind::Origins
        | Kind::Database
        | Kind::Number { .. }
        | Kind::Switch
        | Kind::Choice(_) => text.to_string(),
    }
}
