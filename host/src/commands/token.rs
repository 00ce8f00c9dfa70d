//! `token`: a token for a user, as an identity provider would make it.

use crate::clock::Clock;
use crate::settings::{Configuration, Setting, Stop, Surroundings, argument, flag, short_secret};
use crate::trial;
use clap::{Arg, ArgMatches, Command};
use parlor_protocol::auth::{Keys, Permission, UserType, verify_token};
use parlor_protocol::time::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// The settings that a token depends on.
const SETTINGS: [&str; 6] =
    ["JWT_SECRET", "JWT_AUDIENCE", "JWT_ISSUER", "SUPABASE_URL", "DATABASE_URL", "PARLOR_CONFIG"];
/// How long a token may be good: ten years.
const TTL_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// What the command line takes.
pub fn command() -> Command {
    let text =
        |name: &'static str, help: &'static str| Arg::new(name).long(name).value_name("TEXT").help(help);
    let settings = SETTINGS.iter().filter_map(|name| Setting::named(name)).map(argument);
    Command::new("token")
        .about("Makes a user's token (JWT, HS256) from JWT_SECRET")
        .long_about(
            "Makes a user's token (JWT, HS256) from JWT_SECRET and prints it. The secret is looked for where the server \
             looks for it: a flag, the environment, .env, the file of settings; without one, the secret that a trial \
             keeps beside its database.",
        )
        .after_help(
            "Examples:\n  JWT_SECRET=… parlor token --user ada --firm acme --name 'Ada Lovelace'\n  \
             parlor token --user gil --type guest --permissions chat:send --ttl 15m\n  \
             parlor try \"ws://127.0.0.1:8080/chat?token=$(parlor token --user ada --firm trial)\"",
        )
        .next_line_help(true)
        .arg(text("user", "The user's id: the claim sub").required(true))
        .arg(text("firm", "The tenant: the claim firmId; none: no firm"))
        .arg(text("name", "The name that others see"))
        .arg(text("type", "employee, supervisor or guest").value_parser(["employee", "supervisor", "guest"]))
        .arg(text("permissions", "Exactly these, comma-separated, of chat:send, chat:upload, chat:robot, chat:escalate, room:create; none: all that the type has"))
        .arg(text("ttl", "How long it is good, at most ten years: 90s, 15m, 12h, 30d").default_value("1h"))
        .args(settings)
}

/// Makes the token that is asked for.
pub fn run(mut surroundings: Surroundings, given: &ArgMatches) -> Result<String, Stop> {
    surroundings.arguments.truncate(1);
    for name in SETTINGS {
        if let Some(value) = given.get_one::<String>(name) {
            surroundings.arguments.push(format!("--{}={value}", flag(name)).into());
        }
    }
    let keys = Configuration::load_keys(&surroundings)?;
    // Where the server says the same; the token alone stands on standard output.
    if let Some(warning) = keys.secret.as_ref().and_then(|secret| short_secret(secret.len())) {
        eprintln!("Warning: {warning}");
    }
    make(given, &keys, Clock::start().now()).map_err(Stop::Wrong)
}

fn make(given: &ArgMatches, keys: &Keys, now: Timestamp) -> Result<String, String> {
    let text = |name: &str| given.get_one::<String>(name).map(String::as_str);
    let ttl = text("ttl").unwrap_or_default();
    let ttl = humantime::parse_duration(ttl).map_err(|error| format!("--ttl is {ttl:?}: {error}"))?;
    if ttl > TTL_MAX || ttl.is_zero() {
        return Err(format!("--ttl is {} s, not 1 to {}", ttl.as_secs(), TTL_MAX.as_secs()));
    }
    let user_type = text("type").and_then(UserType::named).unwrap_or(UserType::Employee);
    let mut claims = json!({
        "sub": text("user"),
        "userType": user_type.as_str(),
        "firmId": text("firm").unwrap_or_default(),
        "iat": now.unix_seconds(),
        "exp": (now + ttl).unix_seconds(),
    });
    if let Some(name) = text("name") {
        claims["name"] = name.into();
    }
    if let Some(words) = text("permissions") {
        claims["permissions"] = permissions(words)?;
    }
    let claims = trial::addressed(claims, keys);
    let token = trial::token(keys.secret.as_deref().unwrap_or_default(), &claims);
    match verify_token(&token, keys, now) {
        Ok(_) => Ok(token),
        Err(why) => Err(format!("the server would not take this token: {why}")),
    }
}

fn permissions(words: &str) -> Result<Value, String> {
    let words: Vec<_> = words.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
    match words.iter().find(|word| Permission::named(word).is_none()) {
        Some(unknown) => Err(format!("--permissions has {unknown:?}, which allows nothing")),
        None => Ok(json!(words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parlor_protocol::auth::Permissions;

    const NOW: Timestamp = Timestamp(1_763_654_400_000_000);

    fn made(arguments: &[&str]) -> Result<parlor_protocol::auth::User, String> {
        let keys = Keys {
            secret: Some(b"a secret".to_vec()),
            audience: Some("web".into()),
            issuer: Some("me".into()),
            service_key: None,
            key_set: None,
        };
        let arguments = std::iter::once("token").chain(arguments.iter().copied());
        let given = command().try_get_matches_from(arguments).map_err(|error| error.to_string())?;
        let token = make(&given, &keys, NOW)?;
        verify_token(&token, &keys, NOW).map_err(|why| why.to_string())
    }

    #[test]
    fn a_token_says_what_was_asked_for() {
        let user = made(&[
            "--user",
            "gil",
            "--firm",
            "acme",
            "--name",
            "Gil",
            "--type",
            "guest",
            "--permissions",
            "chat:send, chat:upload",
            "--ttl",
            "15m",
        ])
        .expect("it is good");
        assert_eq!(
            (user.id.as_str(), user.firm.as_str(), user.name.as_deref()),
            ("gil", "acme", Some("Gil"))
        );
        assert_eq!((user.user_type, user.expires_at), (UserType::Guest, NOW + Duration::from_secs(900)));
        assert_eq!(user.permissions, Permissions::named(["chat:send", "chat:upload"].into_iter()));
        let plain = made(&["--user", "ada"]).expect("it is good");
        assert_eq!((plain.firm.as_str(), plain.expires_at), ("", NOW + Duration::from_secs(3_600)));
        assert_eq!(plain.permissions, Permissions::of(UserType::Employee));
    }

    #[test]
    fn what_the_server_would_not_take_is_not_made() {
        let long = "x".repeat(129);
        for (arguments, why) in [
            (&["--user", "a", "--permissions", "chat:shout"][..], "--permissions has \"chat:shout\""),
            (&["--user", "a", "--ttl", "3651d"], "--ttl is 315446400 s, not 1 to 315360000"),
            (&["--user", "a", "--ttl", "soon"], "--ttl is \"soon\""),
            (&["--user", &long], "the server would not take this token: bad claim"),
            (&["--firm", "a"], "error: the following required arguments"),
            (&["--user", "a", "--type", "boss"], "error: invalid value 'boss'"),
        ] {
            let said = made(arguments).expect_err("it is wrong");
            assert!(said.starts_with(why), "{said}");
        }
    }
}
