//! The command line of both programs, run as processes: what each command prints and ends with.

use parlor_protocol::auth::{Keys, verify_token};
use parlor_protocol::time::Timestamp;
use parlor_tests::client::{KEYS, SECRET, token};
use parlor_tests::process::{BINARIES, Folder, Process, beside_the_test};
use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::SystemTime;

/// A run of a command in a folder with nothing else around it.
struct Run<'a> {
    folder: &'a Folder,
    environment: &'a [(&'a str, &'a str)],
    input: &'a str,
}

/// What a command printed and ended with.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Run<'_> {
    fn run(&self, binary: &str, arguments: &[&str]) -> Ran {
        let mut child = Command::new(beside_the_test(binary))
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().copied())
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{binary}: {error}; build all binaries first"));
        let mut input = child.stdin.take().expect("it is piped");
        // Who has ended reads nothing.
        input.write_all(self.input.as_bytes()).unwrap_or_default();
        drop(input);
        let output = child.wait_with_output().expect("it ends");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

fn plain(folder: &Folder) -> Run<'_> {
    Run { folder, environment: &[], input: "" }
}

fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970");
    Timestamp(u64::try_from(now.as_micros()).expect("it is before 500 000"))
}

#[test]
fn every_command_says_what_it_is_for_and_what_it_takes() {
    let folder = Folder::new();
    for binary in BINARIES {
        let help = plain(&folder).run(binary, &["--help"]);
        assert_eq!(help.code, Some(0));
        for said in
            ["\n  serve\n", "\n  token\n", "\n  try\n", "\n  config\n", "\n  replay\n", "--websocket-port"]
        {
            assert!(help.out.contains(said) && help.err.is_empty(), "{said}: {help:?}");
        }
        for (command, said) in [
            (&["serve", "--help"][..], "--database-url"),
            (&["token", "--help"], "--permissions"),
            (&["try", "--help"], "/quit"),
            (&["config", "check", "--help"], "secrets hidden"),
            (&["replay", "--help"], "--transcript"),
        ] {
            let help = plain(&folder).run(binary, command);
            assert!(help.code == Some(0) && help.out.contains(said), "{command:?}: {help:?}");
        }
        let version = plain(&folder).run(binary, &["--version"]);
        assert_eq!((version.code, version.out.as_str()), (Some(0), &*format!("{binary} 0.1.0\n")));
        for wrong in [&["fly"][..], &["config"], &["config", "change"], &["token"], &["try"], &["replay"]] {
            let ran = plain(&folder).run(binary, wrong);
            assert!(ran.code == Some(2) && !ran.err.is_empty() && ran.out.is_empty(), "{wrong:?}: {ran:?}");
        }
    }
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0, "nothing was made");
}

#[test]
fn a_token_is_made_of_the_secret_that_the_server_would_find() {
    let folder = Folder::new();
    let keys =
        Keys { secret: Some(SECRET.as_bytes().to_vec()), audience: Some("web".into()), ..Keys::default() };
    for binary in BINARIES {
        let environment = [("JWT_SECRET", SECRET), ("JWT_AUDIENCE", "web")];
        let run = Run { folder: &folder, environment: &environment, input: "" };
        let arguments =
            ["token", "--user", "gil", "--firm", "acme", "--name", "Gil", "--type", "guest", "--ttl", "15m"];
        let made = run.run(binary, &arguments);
        assert_eq!((made.code, made.err.as_str()), (Some(0), ""), "{made:?}");
        let user = verify_token(made.out.trim_end(), &keys, now()).expect("it is good");
        assert_eq!(
            (user.id.as_str(), user.firm.as_str(), user.name.as_deref()),
            ("gil", "acme", Some("Gil"))
        );
        let short = Run { folder: &folder, environment: &[("JWT_SECRET", "x")], input: "" };
        let short = short.run(binary, &["token", "--user", "ada"]);
        assert_eq!((short.code, short.out.lines().count()), (Some(0), 1), "{short:?}");
        assert_eq!(short.err, "Warning: JWT_SECRET of 1 bytes can be guessed: use 32 at least\n");
        let without = plain(&folder).run(binary, &["token", "--user", "ada"]);
        assert_eq!((without.code, without.out.as_str()), (Some(2), ""));
        assert!(
            without.err.contains("JWT_SECRET is not set, and no trial has made a secret in "),
            "{without:?}"
        );
        let wrong = run.run(binary, &["token", "--user", "ada", "--permissions", "chat:shout"]);
        assert_eq!((wrong.code, wrong.err.contains("\"chat:shout\", which allows nothing")), (Some(2), true));
    }
}

#[test]
fn a_server_starts_by_serve_as_by_nothing_and_its_trial_takes_tokens_that_are_made_for_it() {
    for binary in BINARIES {
        let folder = Folder::new();
        let made = fs::write(
            folder.path().join(".env"),
            format!("DATABASE_URL=sqlite:{}", folder.database().display()),
        );
        made.expect("the folder takes a file");
        let database = format!("sqlite:{}", folder.database().display());
        let server = Process::start_with(
            binary,
            &folder,
            &["serve", "--websocket-port=0", "--database-url", &database],
        );
        let token = plain(&folder).run(binary, &["token", "--user", "ada", "--firm", "trial"]);
        assert_eq!(token.code, Some(0), "{token:?}");
        let url = format!("ws://{}/chat", server.address());
        let input = "{\"event\":\"chat:room:join\",\"data\":{\"roomId\":\"lobby\"},\"requestId\":\"1\"}\n";
        let run = Run { folder: &folder, environment: &[], input };
        let talk = run.run(binary, &["try", &url, "--token", token.out.trim_end(), "--wait", "500ms"]);
        assert_eq!(talk.code, Some(0), "{talk:?}");
        assert!(
            talk.out.contains(" < {\"event\":\"chat:room:joined\",\"data\":{\"roomId\":\"lobby\""),
            "{talk:?}"
        );
    }
}

#[test]
fn a_dialogue_prints_what_goes_and_comes_and_ends_as_it_went() {
    for binary in BINARIES {
        let folder = Folder::new();
        let server = Process::start(binary, &folder, &[&KEYS[..], &["--echo", "true"]].concat());
        let echo = format!("ws://{}/echo", server.address());
        let run = |input: &str, arguments: &[&str]| {
            Run { folder: &folder, environment: &[], input }.run(binary, &[&["try"], arguments].concat())
        };
        let talk = run("hello\n\n//slash\n/hex 00ff\n/ping\n/what\n/help\n", &[&echo, "--wait", "500ms"]);
        assert_eq!((talk.code, talk.err.as_str()), (Some(0), ""), "{talk:?}");
        let lines: Vec<_> =
            talk.out.lines().filter_map(|line| line.split_once(' ').map(|(_, line)| line)).collect();
        for line in [
            "> hello",
            "< hello",
            "> /slash",
            "< /slash",
            "> 2 bytes: 00ff",
            "< 2 bytes: 00ff",
            "> ping",
            "< pong",
            "> close 1000",
            "< close 1000",
        ] {
            assert!(lines.contains(&line), "{line}: {talk:?}");
        }
        assert!(lines.iter().any(|line| line.starts_with("* /what is nothing known: ")), "{talk:?}");
        let time = talk.out.split(' ').next().unwrap_or_default();
        assert!(time.len() == 12 && time.as_bytes()[8] == b'.', "{time}");
        let quit = run("one\n/quit\nnever\n", &[&echo]);
        assert!(quit.code == Some(0) && !quit.out.contains("never"), "{quit:?}");
        let chat = format!("ws://{}/chat", server.address());
        let refused = run("", &[&chat]);
        assert_eq!(
            (refused.code, refused.err.contains("the server answers 401")),
            (Some(3), true),
            "{refused:?}"
        );
        let closed = run("", &[&format!("{chat}?refuse=close")]);
        assert_eq!(
            (closed.code, closed.out.contains("< close 1008 authentication failed")),
            (Some(1), true),
            "{closed:?}"
        );
        let shown = token("ada");
        let let_in = run("/quit\n", &[&chat, "--token", &shown]);
        assert!(let_in.code == Some(0) && !let_in.out.contains(&shown), "{let_in:?}");
        let alone =
            TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a port is free");
        assert_eq!(run("", &[&format!("ws://{alone}/chat")]).code, Some(3));
        let port = ["ws://127.0.0.1:99999/"];
        for wrong in [&["http://127.0.0.1/chat"][..], &["nothing"], &port, &[&*chat, "--wait", "2h"]] {
            assert_eq!(run("", wrong).code, Some(2), "{wrong:?}");
        }
    }
}

#[test]
fn the_settings_are_shown_with_their_places_and_without_secrets() {
    let folder = Folder::new();
    let file = "connections_max = 7\nevent_hook_url = 'https://a.example/hook?key=geheim'\n";
    fs::write(folder.path().join("parlor.toml"), file).expect("the folder takes a file");
    for binary in BINARIES {
        let environment = [("JWT_SECRET", "geheim-geheim-geheim-geheim-geheim"), ("ECHO", "true")];
        let run = Run { folder: &folder, environment: &environment, input: "" };
        let shown = run.run(binary, &["config", "check", "--host", "0.0.0.0"]);
        assert_eq!((shown.code, shown.err.as_str()), (Some(0), ""));
        assert!(!shown.out.contains("geheim"), "{}", shown.out);
        let row = |name: &str| {
            let line = shown.out.lines().find(|line| line.starts_with(&format!("{name} ")));
            line.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(row("HOST"), "HOST 0.0.0.0 --host");
        assert_eq!(row("ECHO"), "ECHO true ECHO in the environment");
        assert_eq!(row("CONNECTIONS_MAX"), "CONNECTIONS_MAX 7 connections_max in parlor.toml");
        assert_eq!(row("JWT_SECRET"), "JWT_SECRET (hidden) JWT_SECRET in the environment");
        assert_eq!(
            row("EVENT_HOOK_URL"),
            "EVENT_HOOK_URL https://a.example/hook?(hidden) event_hook_url in parlor.toml"
        );
        assert_eq!(row("WEBSOCKET_PORT"), "WEBSOCKET_PORT 8080 default");
        assert_eq!(row("SERVICE_API_KEY"), "SERVICE_API_KEY - not set");
        let trial = plain(&folder).run(binary, &["config", "check"]);
        assert!(trial.code == Some(0) && trial.out.contains("the server starts as a trial"), "{trial:?}");
    }
    assert!(!folder.path().join("parlor.db.secret").exists(), "nothing is made");
}

#[test]
fn settings_that_are_wrong_are_all_named_at_once() {
    let folder = Folder::new();
    for binary in BINARIES {
        let environment = [("ECHO", "yes"), ("HEARTBEAT_INTERVAL", "9"), ("JWT_SECRET", SECRET)];
        let run = Run { folder: &folder, environment: &environment, input: "" };
        let wrong = run.run(binary, &["config", "check"]);
        assert_eq!((wrong.code, wrong.out.as_str()), (Some(2), ""));
        for why in [
            "HEARTBEAT_INTERVAL in the environment is \"9\", not 10 to 3600000 ms",
            "ECHO in the environment is \"yes\", not true or false",
        ] {
            assert!(wrong.err.contains(why), "{wrong:?}");
        }
        let unknown = plain(&folder).run(binary, &["config", "check", "--hots", "::"]);
        assert!(unknown.code == Some(2) && unknown.err.contains("--hots"), "{unknown:?}");
        let open = plain(&folder).run(binary, &["config", "check", "--host", "0.0.0.0"]);
        assert!(open.code == Some(2) && open.err.contains("JWT_SECRET is not set"), "{open:?}");
    }
}

#[test]
fn who_stops_reading_is_no_fault() {
    for binary in BINARIES {
        let full = File::options().write(true).open("/dev/full").expect("there is one");
        let ended =
            Command::new(beside_the_test(binary)).arg("--help").stdout(full).output().expect("it runs");
        assert_eq!((ended.status.code(), ended.stderr), (Some(0), Vec::new()));
    }
}
