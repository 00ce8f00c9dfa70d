//! Live servers that are recorded under real clients, killed, and replayed: the same facts give the same actions. What
//! was changed in a recording is found, and no credential is in one.

use parlor_tests::client::{Client, Heard, KEYS, SECRET, SERVICE_KEY, admin, token};
use parlor_tests::process::{BINARIES, Folder, Process, beside_the_test};
use parlor_tests::transcript::y_websocket;
use parlor_tests::wire::{BINARY, FIN, TEXT, Wire, frame};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long what was said may take to be in the file.
const WRITTEN_MAX: Duration = Duration::from_secs(10);
/// How many messages are said.
const MESSAGES: usize = 20;
/// An update of a document of `yjs`: the text "hi" in the root `content`, by client 1.
const UPDATE: &str = "01010100040107636f6e74656e7402686900";

fn recorded(folder: &Folder) -> PathBuf {
    folder.path().join("a.recording")
}

/// Starts a server that is recorded.
fn start(binary: &str, folder: &Folder, more: &[&str]) -> Process {
    let file = recorded(folder).display().to_string();
    let flags = ["--record", &file, "--create-on-open", "true", "--log-level", "warn"];
    Process::start(binary, folder, &[&KEYS[..], &flags, more].concat())
}

fn replay(binary: &str, file: &Path, flags: &[&str]) -> Output {
    let replayed = Command::new(beside_the_test(binary)).arg("replay").arg(file).args(flags).output();
    replayed.expect("the binary is built")
}

/// What a replay says, and what it ends with.
fn result(output: &Output) -> (Option<i32>, String) {
    let said = [&output.stdout[..], &output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// Asks by REST as somebody; the status line.
fn ask(address: SocketAddr, target: &str, headers: &str) -> String {
    let mut wire = Wire::connect(address);
    let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
    wire.write(request.as_bytes()).expect("the server reads");
    let (head, _) = wire.read_response();
    head.lines().next().unwrap_or_default().to_string()
}

/// People talk in a room until all is said and heard; one refreshes its token.
fn talk(address: SocketAddr) {
    admin(address, "PUT", "rooms/chat/team", &json!({"name": "Team"})).expect("it is made");
    let mut talkers: Vec<_> =
        ["ada", "ben"].map(|user| Client::open(address, "/chat", user).expect("it lets users in")).into();
    for talker in &mut talkers {
        let join = json!({"event": "chat:room:join", "data": {"roomId": "team"}, "requestId": "j"});
        talker.say([&join]).expect("the server reads");
        while !matches!(talker.hear().expect("it lives"), Heard::Event(joined) if joined["requestId"] == "j")
        {
        }
    }
    let refresh = json!({"event": "auth:refresh", "data": {"token": token("ada")}, "requestId": "t"});
    talkers[0].say([&refresh]).expect("the server reads");
    for number in 0..MESSAGES {
        let data = json!({"roomId": "team", "content": format!("message {number}")});
        let message = json!({"event": "chat:message:send", "data": data, "requestId": number.to_string()});
        talkers[number % 2].say([&message]).expect("the server reads");
    }
    for talker in &mut talkers {
        let mut seen = 0;
        while seen < MESSAGES as u64 {
            let Heard::Event(heard) = talker.hear().expect("it lives") else { panic!("it was closed") };
            seen = seen.max(heard["data"]["seq"].as_u64().unwrap_or(0));
        }
    }
}

/// Two editors share a draft, one of each protocol.
fn write_a_draft(address: SocketAddr) {
    let mut editor = Wire::open(address, &format!("/yjs/letter?token={}", token("ada")));
    let mut reader = Client::open(address, "/ws?draftId=letter", "ben").expect("it lets users in");
    let update = y_websocket(&format!("update {UPDATE}")).expect("words of a provider");
    editor.write(&frame(FIN | BINARY, &update)).expect("the server reads");
    loop {
        let Heard::Event(heard) = reader.hear().expect("it lives") else { panic!("it was closed") };
        let is_there = heard["data"].to_string().contains("104,105");
        if is_there {
            return;
        }
    }
}

/// Whoever asks over Socket.IO shows a token in a message.
fn connect_by_socket_io(address: SocketAddr) {
    let mut wire = Wire::open(address, "/socket.io/?EIO=4&transport=websocket");
    wire.read_frame().expect("the handshake");
    let connect = format!("40{{\"token\":\"{}\"}}", token("cleo"));
    wire.write(&frame(FIN | TEXT, connect.as_bytes())).expect("the server reads");
    let (_, answer) = wire.read_frame().expect("an answer");
    assert!(answer.starts_with(b"40{\"sid\""), "{}", String::from_utf8_lossy(&answer));
}

/// Everything that a server is told here.
fn live(address: SocketAddr) {
    talk(address);
    write_a_draft(address);
    connect_by_socket_io(address);
    let bearer =
        format!("Authorization: Bearer {}\r\nCookie: session=a-cookie-of-somebody\r\n", token("ada"));
    assert_eq!(ask(address, "/api/rooms?kind=chat", &bearer), "HTTP/1.1 200 OK");
    assert_eq!(ask(address, "/api/rooms?kind=chat", ""), "HTTP/1.1 401 Unauthorized");
    assert_eq!(ask(address, "/health", ""), "HTTP/1.1 200 OK");
}

/// Waits until the file does not grow any more.
fn settled(file: &Path) {
    let length = || fs::metadata(file).map_or(0, |file| file.len());
    let (begun, mut before) = (Instant::now(), 0);
    while length() != before || before == 0 {
        assert!(begun.elapsed() < WRITTEN_MAX, "{} grows and grows", file.display());
        before = length();
        sleep(Duration::from_millis(300));
    }
}

fn holds(file: &[u8], text: &str) -> bool {
    file.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn what_a_killed_server_was_told_gives_the_same_actions_again_in_both_programs() {
    for binary in BINARIES {
        let folder = Folder::new();
        let mut process = start(binary, &folder, &[]);
        live(process.address());
        let file = recorded(&folder);
        settled(&file);
        process.kill();
        assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
        for replays in BINARIES {
            let (code, said) = result(&replay(replays, &file, &[]));
            assert_eq!(code, Some(0), "{said}");
            assert!(said.contains(" actions, all as they were; the recording ends without a word"), "{said}");
        }
        // Its end may be torn anywhere.
        let whole = fs::read(&file).expect("it can be read");
        fs::write(&file, &whole[..whole.len() - 5]).expect("it can be written");
        let (code, said) = result(&replay(binary, &file, &[]));
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(" bytes at the end are torn and left out"), "{said}");
    }
}

#[test]
fn no_credential_stands_in_a_recording_and_what_was_said_does() {
    for binary in BINARIES {
        let folder = Folder::new();
        let mut process = start(binary, &folder, &[]);
        live(process.address());
        let file = recorded(&folder);
        settled(&file);
        process.kill();
        let recorded = fs::read(&file).expect("it can be read");
        for said in ["message 7", "auth:refresh", "hidden-"] {
            assert!(holds(&recorded, said), "{said}");
        }
        let head = token("ada").split('.').next().map(str::to_string).expect("a token has a header");
        for secret in [SECRET, SERVICE_KEY, "a-cookie-of-somebody", &head] {
            assert!(!holds(&recorded, secret), "{secret} is in the recording");
            assert!(!folder.log().contains(secret), "{secret} is in the log");
        }
    }
}

#[test]
fn a_recording_that_was_changed_or_made_by_another_version_is_found_out() {
    let folder = Folder::new();
    let mut process = start("parlor", &folder, &[]);
    talk(process.address());
    let file = recorded(&folder);
    settled(&file);
    process.kill();
    let whole = fs::read(&file).expect("it can be read");
    let end = whole.iter().position(|byte| *byte == b'\n').expect("the first line has an end");
    let header: Value = serde_json::from_slice(&whole[..end]).expect("the first line is JSON");
    let altered = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        let line = header.to_string().into_bytes();
        fs::write(&file, [&line, &whole[end..]].concat()).expect("it can be written");
        result(&replay("parlor-threads", &file, &[]))
    };
    // Another seed makes other ids, so the first action that names one is another.
    let (code, said) = altered("seed", "00".repeat(32).into());
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("the first difference is behind input ") && said.contains("differs; recorded were"),
        "{said}"
    );
    let mut settings = header["settings"].clone();
    settings["rate_limit_calls"] = 3.into();
    let (code, said) = altered("settings", settings);
    assert_eq!(code, Some(1), "{said}");
    let (code, said) = altered("version", "0.0.9".into());
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("it was made by Parlor 0.0.9, and this is 0.1.0: replay it with the program"),
        "{said}"
    );
    let (code, said) = altered("parlorRecording", 7.into());
    assert_eq!((code, said.contains("its format is 7, and this program reads 2")), (Some(2), true), "{said}");
    fs::write(&file, "# a story\n").expect("it can be written");
    let (code, said) = result(&replay("parlor", &file, &[]));
    assert_eq!((code, said.contains("it is no recording")), (Some(2), true), "{said}");
    let (code, _) = result(&replay("parlor", &folder.path().join("none"), &[]));
    assert_eq!(code, Some(2));
}

#[test]
fn a_recording_is_told_as_a_story() {
    for binary in BINARIES {
        let folder = Folder::new();
        let mut process = start(binary, &folder, &[]);
        live(process.address());
        process.terminate();
        assert_eq!(process.wait().code(), Some(0), "{}", folder.log());
        let output = replay(binary, &recorded(&folder), &["--transcript"]);
        let story = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{story}");
        let result = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(result.contains("all as they were; the recording ends: the server ended"), "{result}");
        let lines: Vec<_> = story.lines().collect();
        for line in [
            "# The server starts.",
            "PUT /api/admin/rooms/chat/team as service {\"name\":\"Team\"}",
            "+ ada /chat",
            "  ada: open",
            "+ ben /chat",
            "+ ben-2 /ws?draftId=letter as ben",
            "+ ada-2 /yjs/letter as ada",
            &format!("* ada-2 yjs update {UPDATE}"),
            "GET /api/rooms?kind=chat as ada",
            "GET /api/rooms?kind=chat",
            "> nobody 40{\"token\":\"<token>\"}",
            "! stop",
        ] {
            assert!(lines.contains(&line), "{line} is not in\n{story}");
        }
        let heard = |line: &&str| {
            line.starts_with("  ben < {\"event\":\"chat:message:received\",\"data\":{\"id\":\"<msg-")
                && line.contains("\"content\":\"message 0\",\"timestamp\":\"<time>\"")
        };
        assert!(lines.iter().any(heard), "{story}");
        assert!(lines.iter().any(|line| line.starts_with("  = 401 ")), "{story}");
        assert!(!story.contains("token="), "{story}");
    }
}

#[test]
fn a_recording_that_reaches_its_limit_ends_and_the_server_goes_on() {
    for binary in BINARIES {
        let folder = Folder::new();
        let process = start(binary, &folder, &["--record-bytes-max", "16384"]);
        talk(process.address());
        talk(process.address());
        settled(&recorded(&folder));
        assert_eq!(ask(process.address(), "/health", ""), "HTTP/1.1 200 OK");
        assert!(folder.log().contains("the file has reached its limit of 16384 bytes"), "{}", folder.log());
        assert!(fs::metadata(recorded(&folder)).expect("it is there").len() <= 16_384);
        let (code, said) = result(&replay(binary, &recorded(&folder), &[]));
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("the recording ends: the file has reached its limit of 16384 bytes"), "{said}");
    }
}
