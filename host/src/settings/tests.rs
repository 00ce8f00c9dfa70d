use super::*;
use parlor_protocol::settings::{Interviewer, Origins};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Somewhere to put files, empty at first, of this test alone.
fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("parlor-settings-{}-{name}", std::process::id()));
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => fs::create_dir_all(&folder).unwrap(),
    }
    folder
}

#[derive(Default)]
struct Said<'a> {
    flags: &'a [&'a str],
    environment: &'a [(&'a str, &'a str)],
    files: &'a [(&'a str, &'a str)],
}

impl Said<'_> {
    fn load(&self, name: &str) -> Result<Configuration, Stop> {
        let folder = scratch(name);
        for (file, text) in self.files {
            fs::write(folder.join(file), text).unwrap();
        }
        let loaded = Configuration::load(&Surroundings {
            program: "parlor",
            arguments: std::iter::once("parlor").chain(self.flags.iter().copied()).map(Into::into).collect(),
            environment: self.environment.iter().map(|(name, text)| (name.into(), text.into())).collect(),
            folder: folder.clone(),
        });
        fs::remove_dir_all(&folder).unwrap();
        loaded
    }

    fn wrong(&self, name: &str) -> String {
        match self.load(name) {
            Err(Stop::Wrong(text)) => text,
            other => panic!("{other:?}"),
        }
    }
}

/// What is loaded with these variables and a secret.
fn with(name: &str, environment: &[(&str, &str)]) -> Result<Configuration, Stop> {
    let environment = [&[("JWT_SECRET", SECRET)], environment].concat();
    Said { environment: &environment, ..Said::default() }.load(name)
}

fn wrong(name: &str, environment: &[(&str, &str)]) -> String {
    let environment = [&[("JWT_SECRET", SECRET)], environment].concat();
    Said { environment: &environment, ..Said::default() }.wrong(name)
}

#[test]
fn nothing_said_gives_the_defaults_of_the_core() {
    let loaded = with("defaults", &[]).unwrap();
    assert_eq!(loaded.core, Settings::default());
    assert_eq!((loaded.host.to_string().as_str(), loaded.port), ("127.0.0.1", 8080));
    assert!(loaded.database.ends_with("parlor.db"));
    assert_eq!((loaded.durability, loaded.log_format), (Durability::PowerLoss, LogFormat::Human));
    assert_eq!((loaded.log_level, loaded.trial), (Level::Info, false));
    assert_eq!((loaded.public_url, loaded.services.ai.is_none(), loaded.warnings), (None, true, Vec::new()));
}

#[test]
fn a_flag_beats_the_environment_that_beats_dotenv_that_beats_the_file() {
    let file = ("parlor.toml", "jwt_secret = '0123456789abcdef0123456789abcdef'\nrefusals_max = 1\n");
    let dotenv = (".env", "REFUSALS_MAX=2\n");
    let refusals = |said: Said| said.load("precedence").unwrap().core.refusals_max;
    assert_eq!(refusals(Said { files: &[file], ..Said::default() }), 1);
    assert_eq!(refusals(Said { files: &[file, dotenv], ..Said::default() }), 2);
    let environment: &[(&str, &str)] = &[("REFUSALS_MAX", "3")];
    assert_eq!(refusals(Said { files: &[file, dotenv], environment, ..Said::default() }), 3);
    let flags: &[&str] = &["--refusals-max", "4"];
    assert_eq!(refusals(Said { files: &[file, dotenv], environment, flags }), 4);
    let flags: &[&str] = &["--refusals-max="];
    assert_eq!(
        refusals(Said { files: &[file, dotenv], environment, flags }),
        1_000,
        "empty means the default"
    );
}

#[test]
fn every_setting_is_taken_from_every_source_under_its_names() {
    for setting in SETTINGS {
        for name in setting.names() {
            let text = match setting.kind {
                Kind::Text | Kind::Secret => "0123456789abcdef0123456789abcdef",
                Kind::File => "other.toml",
                Kind::Url | Kind::Target => "https://a.example",
                Kind::Clamd => "127.0.0.1:3310",
                Kind::Address | Kind::Addresses => "127.0.0.1",
                Kind::Origins => "https://a.example",
                Kind::Database => "sqlite:x.db",
                Kind::Number { min: 1_024, .. } => "1024",
                Kind::Number { .. } => "100",
                Kind::Switch => "true",
                Kind::Choice(words) => words[0],
            };
            let other = ("other.toml", "");
            // One of these two is nothing without the other.
            let half = match name {
                "TLS_CERT" => "TLS_KEY",
                _ => "TLS_CERT",
            };
            let half = (half, if name.starts_with("TLS_") { "half.pem" } else { "" });
            let besides = [("JWT_SECRET", SECRET), half];
            let by_flag =
                Said { flags: &[&format!("--{}", flag(name)), text], environment: &besides, files: &[other] };
            by_flag.load("all").unwrap_or_else(|stop| panic!("{stop}"));
            let [secret, half] = besides;
            let by_name = Said { environment: &[secret, half, (name, text)], files: &[other], flags: &[] };
            by_name.load("all").unwrap_or_else(|stop| panic!("{stop}"));
            let value = match matches!(setting.kind, Kind::Number { .. } | Kind::Switch) {
                true => text.to_string(),
                false => format!("'{text}'"),
            };
            let line = format!("{} = {value}", key(name));
            let by_key = Said { files: &[other, ("parlor.toml", &line)], environment: &besides, flags: &[] }
                .load("all");
            assert_eq!(by_key.is_ok(), name != CONFIG, "{by_key:?}");
        }
    }
}

#[test]
fn an_unknown_flag_or_key_stops_the_start_and_an_unknown_variable_does_not() {
    let text = Said { flags: &["--refusal-max", "3"], ..Said::default() }.wrong("unknown");
    assert!(text.starts_with("unexpected argument '--refusal-max' found"), "{text}");
    let file = |text| Said { files: &[("parlor.toml", text)], ..Said::default() }.wrong("unknown");
    assert_eq!(file("refusal_max = 3"), "refusal_max in parlor.toml is not a setting");
    assert_eq!(file("REFUSALS_MAX = 3"), "REFUSALS_MAX in parlor.toml is not a setting");
    assert_eq!(file("[limits]\nrefusals_max = 3"), "limits in parlor.toml is not a setting");
    assert_eq!(
        file("parlor_config = 'x'"),
        "parlor_config in parlor.toml: a file of settings cannot name another"
    );
    assert!(with("unknown", &[("REFUSAL_MAX", "x"), ("refusals_max", "x")]).is_ok());
}

#[test]
fn a_value_out_of_range_is_named_with_its_place_and_its_range() {
    let range = "HEARTBEAT_INTERVAL in the environment is \"9\", not 10 to 3600000 ms";
    assert_eq!(wrong("range", &[("HEARTBEAT_INTERVAL", "9")]), range);
    for text in ["3600001", "-10", "+10", "1e2", " ", "99999999999999999999", "10ms"] {
        let range = format!("HEARTBEAT_INTERVAL in the environment is {text:?}, not 10 to 3600000 ms");
        assert_eq!(wrong("range", &[("HEARTBEAT_INTERVAL", text)]), range);
    }
    let file = |text| Said { files: &[("parlor.toml", text)], ..Said::default() }.wrong("range");
    assert_eq!(
        file("connections_max = 1000001"),
        "connections_max in parlor.toml is \"1000001\", not 0 to 1000000; 0 is no limit"
    );
    assert_eq!(
        file("connections_max = '7'"),
        "connections_max in parlor.toml is of the type string, not 0 to 1000000; 0 is no limit"
    );
    assert_eq!(file("echo = 1"), "echo in parlor.toml is of the type integer, not true or false");
    assert_eq!(
        wrong("range", &[("WEBSOCKET_PORT", "65536")]),
        "WEBSOCKET_PORT in the environment is \"65536\", not 0 to 65535"
    );
    assert_eq!(
        wrong("range", &[("LOG_LEVEL", "loud")]),
        "LOG_LEVEL in the environment is \"loud\", not error, warn, info, debug"
    );
    assert_eq!(
        wrong("range", &[("CLAMD_ADDR", "clamd")]),
        "CLAMD_ADDR in the environment is \"clamd\", not host:port, or unix: and a path from the root"
    );
    assert_eq!(
        wrong("range", &[("HOST", "example.com")]),
        "HOST in the environment is \"example.com\", not an IP address or localhost"
    );
    let flags = Said { flags: &["--echo=yes"], ..Said::default() }.wrong("range");
    assert_eq!(flags, "--echo is \"yes\", not true or false");
    assert!(
        wrong("range", &[("JWT_ISSUER", &"x".repeat(16_385))])
            .ends_with("is of 16385 bytes, over the limit of 16384")
    );
}

#[test]
fn what_may_hold_a_credential_is_never_repeated() {
    let place = "PUBLIC_URL in the environment is not http:// or https:// with a host, without user, query and fragment";
    for url in
        ["https://u:geheim@a", "ftp://geheim", "https://a/?geheim", "https://a/#geheim", "geheim", "https://"]
    {
        assert_eq!(wrong("secrets", &[("PUBLIC_URL", url)]), place);
    }
    let place =
        "EVENT_HOOK_URL in the environment is not http:// or https:// with a host, without user and fragment";
    for url in ["https://u:geheim@a", "ftp://geheim", "https://a/#geheim", "geheim"] {
        assert_eq!(wrong("secrets", &[("EVENT_HOOK_URL", url)]), place);
    }
    for name in ["SERVICE_API_KEY", "AI_SERVICE_API_KEY"] {
        let text =
            format!("{name} in the environment is not what a header can carry: visible characters only");
        assert_eq!(wrong("secrets", &[(name, "geheim\n")]), text);
    }
    for broken in
        ["jwt_secret = geheim", "jwt_secret = 'geheim", "jwt_secret = 'geheim'\njwt_secret = 'geheim'"]
    {
        let text = Said { files: &[("parlor.toml", broken)], ..Said::default() }.wrong("secrets");
        assert!(text.starts_with("parlor.toml: line ") && !text.contains("geheim"), "{text}");
    }
    let loaded = with(
        "secrets",
        &[("SERVICE_API_KEY", "geheim"), ("AI_SERVICE_URL", "http://a"), ("AI_SERVICE_API_KEY", "geheim")],
    );
    let shown = format!("{:?}", loaded.unwrap());
    assert!(!shown.contains("geheim") && !shown.contains(SECRET), "{shown}");
}

#[test]
fn both_names_of_a_setting_are_one_and_may_not_disagree_in_one_place() {
    assert_eq!(with("alias", &[("WS_SERVER_PORT", "0")]).unwrap().port, 0);
    assert_eq!(with("alias", &[("WS_SERVER_PORT", "81"), ("WEBSOCKET_PORT", "81")]).unwrap().port, 81);
    assert_eq!(
        wrong("alias", &[("WS_SERVER_PORT", "81"), ("WEBSOCKET_PORT", "82")]),
        "WEBSOCKET_PORT in the environment and WS_SERVER_PORT in the environment disagree"
    );
    let origins = with("alias", &[("WEBSOCKET_CORS_ORIGIN", "https://A.example:443/, http://b:8080")])
        .unwrap()
        .core
        .origins;
    assert_eq!(origins, Origins::Listed(vec!["https://a.example".into(), "http://b:8080".into()]));
    assert_eq!(with("alias", &[("ALLOWED_ORIGINS", "*")]).unwrap().core.origins, Origins::Any);
    for text in ["a.example", "https://a/path", "https://u@a", "*,https://a", "null"] {
        let rule = "not * or origins like https://app.example.com, comma-separated";
        assert_eq!(
            wrong("alias", &[("ALLOWED_ORIGINS", text)]),
            format!("ALLOWED_ORIGINS in the environment is {text:?}, {rule}")
        );
    }
    let file = ("parlor.toml", "ws_server_port = 83\nallowed_origins = ['https://a', 'https://b']");
    let loaded =
        Said { files: &[file], environment: &[("JWT_SECRET", SECRET), ("WEBSOCKET_PORT", "84")], flags: &[] }
            .load("alias")
            .unwrap();
    assert_eq!(
        (loaded.port, loaded.core.origins),
        (84, Origins::Listed(vec!["https://a".into(), "https://b".into()]))
    );
}

#[test]
fn node_env_and_debug_speak_where_nothing_more_exact_is_said() {
    let log = |environment: &[(&str, &str)]| {
        let loaded = with("aside", environment).unwrap();
        (loaded.log_level, loaded.log_format)
    };
    assert_eq!(log(&[("NODE_ENV", "production"), ("DEBUG", "socket.io*")]), (Level::Debug, LogFormat::Json));
    assert_eq!(
        log(&[("NODE_ENV", "development"), ("DEBUG", "express*,socket.io:client")]),
        (Level::Debug, LogFormat::Human)
    );
    assert_eq!(log(&[("NODE_ENV", "production"), ("LOG_FORMAT", "human")]), (Level::Info, LogFormat::Human));
    assert_eq!(log(&[("DEBUG", "socket.io*"), ("LOG_LEVEL", "error")]), (Level::Error, LogFormat::Human));
    assert_eq!(log(&[("DEBUG", "*"), ("LOG_LEVEL", "warn")]), (Level::Warn, LogFormat::Human));
}

#[test]
fn a_supabase_project_sets_issuer_audience_and_service_key() {
    let environment = [("SUPABASE_URL", "https://p.supabase.co/"), ("SUPABASE_SERVICE_ROLE_KEY", "role")];
    let keys = with("supabase", &environment).unwrap().keys;
    assert_eq!(keys.issuer.as_deref(), Some("https://p.supabase.co/auth/v1"));
    assert_eq!(
        (keys.audience.as_deref(), keys.service_key.as_deref()),
        (Some("authenticated"), Some("role"))
    );
    let own = [("JWT_ISSUER", "i"), ("JWT_AUDIENCE", "a"), ("SERVICE_API_KEY", "k")];
    let keys = with("supabase", &[environment.as_slice(), &own].concat()).unwrap().keys;
    assert_eq!(
        (keys.issuer.as_deref(), keys.audience.as_deref(), keys.service_key.as_deref()),
        (Some("i"), Some("a"), Some("k"))
    );
}

#[test]
fn public_keys_stand_for_a_secret_on_any_address() {
    let load = |environment: &[(&str, &str)]| {
        let everywhere = [&[("HOST", "0.0.0.0")], environment].concat();
        Said { environment: &everywhere, ..Said::default() }.load("jwks").unwrap()
    };
    for named in
        [("JWT_JWKS_URL", "https://id.example/jwks?tenant=a"), ("SUPABASE_URL", "https://p.supabase.co")]
    {
        let loaded = load(&[named]);
        assert!(loaded.jwks.is_some() && loaded.keys.key_set.is_some() && loaded.keys.secret.is_none());
        assert!(!loaded.trial);
        assert_eq!(loaded.jwks_interval, Duration::from_secs(60));
    }
    let both = load(&[("JWT_JWKS_URL", "https://id.example/jwks"), ("JWT_SECRET", SECRET)]);
    assert!(both.jwks.is_some() && both.keys.secret.is_some());
    let neither = load(&[("JWT_SECRET", SECRET)]);
    assert!(neither.jwks.is_none() && neither.keys.key_set.is_none());
    assert_eq!(load(&[("JWT_SECRET", SECRET), ("JWT_JWKS_INTERVAL", "100")]).jwks_interval.as_millis(), 100);
    for (name, url) in [("JWT_JWKS_URL", "file:///etc/passwd"), ("JWT_JWKS_URL", "https://u:p@id.example")] {
        assert!(!wrong("jwks", &[(name, url)]).contains(url), "an address may hold a credential");
    }
}

#[test]
fn tls_takes_a_certificate_and_a_key_or_neither() {
    let both = with("tls", &[("TLS_CERT", "cert.pem"), ("TLS_KEY", "/etc/key.pem")]).unwrap();
    let files = both.tls.unwrap();
    assert!(
        files.certificate.ends_with("cert.pem") && files.certificate.is_absolute(),
        "in the working folder"
    );
    assert_eq!((files.key, both.core.tls), ("/etc/key.pem".into(), true));
    let neither = with("tls", &[]).unwrap();
    assert_eq!((neither.tls, neither.core.tls), (None, false));
    for (there, missing) in [("TLS_CERT", "TLS_KEY"), ("TLS_KEY", "TLS_CERT")] {
        let why = format!(
            "{there} in the environment is set, but {missing} is not: TLS needs both, and neither is plain HTTP"
        );
        assert_eq!(wrong("tls", &[(there, "x.pem")]), why);
    }
}

#[test]
fn public_keys_for_anybody_or_on_an_open_road_are_warned_of() {
    let warnings = |url: &str, more: &[(&str, &str)]| {
        let environment = [&[("JWT_JWKS_URL", url)], more].concat();
        Said { environment: &environment, ..Said::default() }.load("warned").unwrap().warnings
    };
    let audience = ("JWT_AUDIENCE", "a");
    let found = warnings("http://id.example/jwks", &[]);
    assert!(found[0].starts_with("JWT_JWKS_URL is set, but JWT_AUDIENCE is not"), "{found:?}");
    assert!(found[1].starts_with("the public keys are fetched over http"), "{found:?}");
    for url in ["https://id.example/jwks", "http://127.0.0.1:9/jwks", "http://localhost/", "http://[::1]/"] {
        assert_eq!(warnings(url, &[audience]), [""; 0], "{url}");
    }
    let supabase = [("SUPABASE_URL", "https://p.supabase.co")];
    let loaded = Said { environment: &supabase, ..Said::default() }.load("warned").unwrap();
    assert_eq!(loaded.warnings, [""; 0], "its audience is known");
}

#[test]
fn what_a_later_build_will_know_is_refused_wherever_it_is_set() {
    for name in LATER {
        let refused = |place: &str| format!("{place} is not supported yet by this build: leave it out");
        assert_eq!(wrong("later", &[(name, "x")]), refused(&format!("{name} in the environment")));
        assert!(with("later", &[(name, "")]).is_ok());
        let flags = Said { flags: &[&format!("--{}", flag(name)), "x"], ..Said::default() };
        assert_eq!(flags.wrong("later"), refused(&format!("--{}", flag(name))));
        let line = format!("{} = 1", key(name));
        let file = Said { files: &[("parlor.toml", &line)], ..Said::default() };
        assert_eq!(file.wrong("later"), refused(&format!("{} in parlor.toml", key(name))));
        let line = format!("{name}=x");
        let dotenv = Said { files: &[(".env", &line)], ..Said::default() };
        assert_eq!(dotenv.wrong("later"), refused(&format!("{name} in .env")));
    }
    let postgres = wrong("later", &[("DATABASE_URL", "postgres://u:geheim@a/b")]);
    assert_eq!(
        postgres,
        "DATABASE_URL in the environment: Postgres is not supported yet by this build: use sqlite:"
    );
}

#[test]
fn the_file_may_be_absent_unless_it_was_named() {
    let named = |files, environment| Said { files, environment, flags: &[] };
    let text = named(&[], &[("PARLOR_CONFIG", "mine.toml")]).wrong("file");
    assert_eq!(text, "PARLOR_CONFIG in the environment names mine.toml, which is not there");
    let files =
        [(".env", "PARLOR_CONFIG=mine.toml"), ("mine.toml", "echo = true"), ("parlor.toml", "nonsense")];
    assert!(named(&files, &[("JWT_SECRET", SECRET)]).load("file").unwrap().core.echo);
    assert_eq!(named(&[(".env", "A=1\nnothing\n")], &[]).wrong("file"), ".env: line 2 is not KEY=value");
}

#[test]
fn times_modes_and_the_ai_service_reach_the_core() {
    let loaded = with(
        "core",
        &[
            ("HEARTBEAT_TIMEOUT", "50"),
            ("AI_RETRY_FIRST", "1"),
            ("DRAIN_SPREAD", "0"),
            ("TRUSTED_PROXIES", "10.0.0.1, ::1"),
            ("AI_SERVICE_URL", "http://127.0.0.1:9/ai/"),
            ("CLAMD_ADDR", "unix:/run/clamd.sock"),
            ("EVENT_HOOK_URL", "http://127.0.0.1:9/hook?key=geheim"),
            ("WEBSOCKET_PING_INTERVAL", "300"),
            ("WEBSOCKET_PING_TIMEOUT", "200"),
            ("ENGINE_CONNECT_TIMEOUT", "1000"),
            ("ENGINE_PAYLOAD_BYTES_MAX", "65536"),
            ("RECOVERY_WINDOW", "0"),
            ("TYPING_ENDS", "50"),
            ("FILE_BYTES_MAX", "1024"),
            ("DOCUMENT_JOB_MAX", "250"),
            ("DOCUMENT_MEMORY_MAX", "3"),
            ("MEMORY_MAX", "5"),
            ("MALFORMED_MAX", "6"),
            ("RATE_LIMIT_PINGS", "8"),
            ("RATE_LIMIT_UPDATES", "9"),
            ("RATE_LIMIT_UPDATE_BYTES", "1000"),
            ("UPDATES_WAITING_MAX", "2"),
            ("RATE_LIMIT_SIGNALS", "3"),
            ("RATE_LIMIT_DASHBOARD", "7"),
            ("DURABILITY", "process"),
            ("DATABASE_URL", "sqlite:///var/lib/parlor.db"),
            ("PUBLIC_URL", "https://a.example/"),
            ("HOST", "::"),
        ],
    )
    .unwrap();
    let expected = Settings {
        interviewer: Interviewer::Service,
        heartbeat_timeout: Duration::from_millis(50),
        engine_ping_interval: Duration::from_millis(300),
        engine_ping_timeout: Duration::from_millis(200),
        engine_connect_timeout: Duration::from_millis(1_000),
        engine_payload_bytes_max: 65_536,
        recovery_window: Duration::ZERO,
        typing_ends: Duration::from_millis(50),
        file_bytes_max: 1_024,
        document_memory_max: 3 << 20,
        scanner: true,
        hook: true,
        rate_limit_signals: 3,
        rate_limit_dashboard: 7,
        malformed_max: 6,
        rate_limit_pings: 8,
        rate_limit_updates: 9,
        rate_limit_update_bytes: 1_000,
        updates_waiting_max: 2,
        public_url: Some("https://a.example".to_string()),
        ai_retry_first: Duration::from_millis(1),
        drain_spread: Duration::ZERO,
        trusted_proxies: vec!["10.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
        ..Settings::default()
    };
    assert_eq!(loaded.core, expected);
    assert_eq!((loaded.document_job_max, loaded.memory_max), (Duration::from_millis(250), 5 << 20));
    assert_eq!(
        format!("{:?}", loaded.services.ai),
        "Some(AiService { url: \"http://127.0.0.1:9/ai\", key: false })"
    );
    assert_eq!((loaded.core.has_ai_service(), loaded.core.signals_at_once()), (true, 8));
    assert_eq!(
        format!("{:?} {:?}", loaded.services.scanner, loaded.services.hook),
        "Some(Scanner { clamd: Some(Unix(\"/run/clamd.sock\")), url: false }) Some(EventHook { key: false })"
    );
    assert_eq!((loaded.durability, loaded.host.to_string()), (Durability::Process, "::".to_string()));
    assert_eq!(
        (loaded.database, loaded.public_url.as_deref()),
        ("/var/lib/parlor.db".into(), Some("https://a.example"))
    );
    for text in ["parlor.db", "sqlite:", "sqlite::memory:", "sqlite:a/", "mysql:x"] {
        assert_eq!(
            wrong("core", &[("DATABASE_URL", text)]),
            "DATABASE_URL in the environment is not sqlite: and a path"
        );
    }
}

#[test]
fn help_names_every_setting_and_version_the_version() {
    let asked = |flag: &str| match (Said { flags: &[flag], ..Said::default() }).load("help") {
        Err(stop @ Stop::Answered(_)) => (stop.exit_code(), stop.to_string()),
        other => panic!("{other:?}"),
    };
    assert_eq!(asked("--version"), (0, "parlor 0.1.0".to_string()));
    let (code, help) = asked("--help");
    assert_eq!(code, 0);
    for setting in SETTINGS {
        assert!(help.contains(&format!("--{} ", flag(setting.name))), "{}", setting.name);
        assert!(help.contains(setting.help), "{}", setting.name);
    }
    assert!(LATER.iter().all(|name| !help.contains(&flag(name))), "{help}");
}

#[test]
fn a_trial_makes_a_secret_for_its_owner_alone_and_uses_it_again() {
    let folder = scratch("trial");
    let load = |flags: &[&str]| {
        let arguments = std::iter::once("parlor").chain(flags.iter().copied()).map(Into::into).collect();
        Configuration::load(&Surroundings {
            program: "parlor",
            arguments,
            environment: Vec::new(),
            folder: folder.clone(),
        })
    };
    let first = load(&["--host", "localhost"]).unwrap();
    assert!(first.trial && first.core.create_on_open);
    let hook = load(&["--event-hook-url", "http://127.0.0.1:9"]).unwrap().services.hook;
    assert_eq!(format!("{hook:?}"), "Some(EventHook { key: true })");
    let path = folder.join("parlor.db.secret");
    assert_eq!(first.secret_file(), path);
    let lines: Vec<_> = fs::read_to_string(&path).unwrap().lines().map(str::to_string).collect();
    assert_eq!(first.keys.secret.as_deref(), Some(lines[0].as_bytes()));
    assert_eq!((lines.len(), lines[0].len(), first.keys.service_key.as_ref()), (2, 64, Some(&lines[1])));
    assert_ne!(lines[0], lines[1]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let again = load(&["--host", "::1", "--service-api-key", "mine", "--create-on-open", "false"]).unwrap();
    assert_eq!((again.keys.secret, again.keys.service_key.as_deref()), (first.keys.secret, Some("mine")));
    assert!(again.trial && !again.core.create_on_open);

    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let text = load(&[]).unwrap_err().to_string();
    assert!(
        text.ends_with("parlor.db.secret has the mode 640: others can read the secret; chmod 600 it"),
        "{text}"
    );
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let text = load(&[]).unwrap_err().to_string();
    assert!(
        text.ends_with("is not two lines of 64 hexadecimal digits: remove it for a new secret"),
        "{text}"
    );
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn without_a_secret_no_other_address_is_listened_on() {
    for host in ["0.0.0.0", "::", "192.0.2.1", "::ffff:192.0.2.1"] {
        let text = Said { environment: &[("HOST", host)], ..Said::default() }.wrong("refused");
        assert!(text.starts_with(&format!("JWT_SECRET is not set, and HOST is {host}: ")), "{text}");
        assert!(text.contains("openssl rand -hex 32"));
    }
    assert!(
        Said { environment: &[("HOST", "::ffff:127.0.0.1")], ..Said::default() }
            .load("refused")
            .unwrap()
            .trial
    );
}

#[test]
fn a_short_secret_and_a_key_for_nobody_are_warned_of() {
    let environment = [("JWT_SECRET", "short"), ("AI_SERVICE_API_KEY", "k")];
    let loaded = Said { environment: &environment, ..Said::default() }.load("warned").unwrap();
    assert_eq!(
        loaded.warnings,
        [
            "JWT_SECRET of 5 bytes can be guessed: use 32 at least",
            "AI_SERVICE_API_KEY is set, but AI_SERVICE_URL is not",
        ]
    );
}

#[test]
fn the_documented_table_is_the_table() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let page = fs::read_to_string(page).unwrap();
    let documented: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let rows: Vec<_> = SETTINGS.iter().map(row).collect();
    assert_eq!(documented, rows, "docs/configuration.md should have\n{}", rows.join("\n"));
    let later = LATER.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    assert!(page.contains(&later), "docs/configuration.md should have\n{later}");
}

fn row(setting: &Setting) -> String {
    let names: Vec<_> = setting.names().map(|name| format!("`{name}`")).collect();
    let default = match setting.default {
        "" => String::new(),
        default => format!("`{default}`"),
    };
    format!("| {} | {} | {default} | {} |", names.join(" = "), setting.kind.rule(), setting.help)
}
