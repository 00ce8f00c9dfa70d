//! Files through whole servers: what goes in comes out again, what the real clamd does not like leaves nothing
//! behind, and neither does a server that is killed while files come.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use parlor_tests::clamd::{Clamd, INFECTED, SIGNATURE};
use parlor_tests::client::{KEYS, admin, token};
use parlor_tests::process::{BINARIES, Folder, Process, steady_port};
use parlor_tests::wire::{BINARY, FIN, TEXT, Wire, frame};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// The largest file.
const FILE_BYTES_MAX: usize = 10 << 20;
/// How often each server is killed while files come.
const KILLS: usize = 4;
/// How long a test waits for what is to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request of Ada's: the status, the head and the body of its answer.
fn ask(address: SocketAddr, call: &str, body: &[u8]) -> io::Result<(u16, String, Vec<u8>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let head = format!(
        "{call} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        token("ada"),
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or_else(|| io::Error::other("no answer"))? + 4;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or_else(|| io::Error::other("no status"))?, head, answer.split_off(end)))
}

fn upload(address: SocketAddr, name: &str, body: &[u8]) -> io::Result<(u16, Value)> {
    let (status, _, body) = ask(address, &format!("POST /api/files?roomId=team&name={name}"), body)?;
    Ok((status, serde_json::from_slice(&body)?))
}

fn server_with_a_room(binary: &str, folder: &Folder, flags: &[&str]) -> Process {
    let arguments = [&KEYS[..], &["--rate-limit-calls", "0"], flags].concat();
    let process = Process::start_at(steady_port(), binary, folder, &arguments);
    admin(process.address(), "PUT", "rooms/chat/team", &json!({"name": "Team"})).unwrap();
    admin(process.address(), "PUT", "rooms/chat/team/members/ada", &json!({"role": "member"})).unwrap();
    process
}

/// Bytes that no two pieces of have in common.
fn large_file(mark: u8) -> Vec<u8> {
    let numbers = (0..FILE_BYTES_MAX as u32 / 4).flat_map(u32::to_le_bytes);
    numbers.map(|byte| byte ^ mark).collect()
}

fn count(database: &Path, what: &str) -> i64 {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    connection.busy_timeout(PATIENCE).unwrap();
    connection.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get(0)).unwrap()
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "not after {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn messages(address: SocketAddr) -> Vec<Value> {
    let log = admin(address, "GET", "rooms/chat/team/log?limit=1000", &Value::Null).unwrap();
    log["entries"].as_array().unwrap().iter().map(|entry| entry["body"]["content"].clone()).collect()
}

#[test]
fn a_file_of_10_mib_comes_back_as_it_went_in_and_one_byte_more_is_refused() {
    for binary in BINARIES {
        let folder = Folder::new();
        let server = server_with_a_room(binary, &folder, &[]);
        let mut file = large_file(0);
        let (status, uploaded) = upload(server.address(), "large.bin", &file).unwrap();
        assert_eq!((status, &uploaded["size"]), (201, &json!(FILE_BYTES_MAX)), "{uploaded}");
        let call = format!("GET {}", uploaded["url"].as_str().unwrap());
        let (status, head, body) = ask(server.address(), &call, b"").unwrap();
        assert_eq!((status, body == file), (200, true));
        for header in [
            "content-type: application/octet-stream\r\n",
            "content-disposition: attachment; filename*=UTF-8''large.bin\r\n",
            "x-content-type-options: nosniff\r\n",
            "content-security-policy: default-src 'none'; sandbox\r\n",
            "cache-control: private, max-age=3600\r\n",
        ] {
            assert!(head.contains(header), "{header} in {head}");
        }
        let (status, head, body) = ask(server.address(), &call.replace("GET", "HEAD"), b"").unwrap();
        assert_eq!((status, body.len()), (200, 0));
        assert!(head.contains(&format!("content-length: {FILE_BYTES_MAX}\r\n")), "{head}");
        file.push(0);
        match upload(server.address(), "larger.bin", &file) {
            Ok((status, refused)) => {
                let details = json!({"limit": FILE_BYTES_MAX, "actual": FILE_BYTES_MAX + 1});
                assert_eq!((status, &refused["error"]["details"]), (413, &details));
            }
            // It hung up on what it did not want to read.
            Err(error) => assert!(
                matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe),
                "{error}"
            ),
        }
        assert_eq!(count(&folder.database(), "file_parts"), 40);
    }
}

#[test]
fn a_file_comes_over_socket_io_as_a_binary_attachment() {
    for binary in BINARIES {
        let folder = Folder::new();
        let server = server_with_a_room(binary, &folder, &[]);
        let file = &large_file(3)[..600_000];
        let mut wire = Wire::open(server.address(), "/socket.io/?EIO=4&transport=websocket");
        let hear = |wire: &mut Wire| String::from_utf8(wire.read_frame().unwrap().1).unwrap();
        assert!(hear(&mut wire).starts_with('0'));
        let connect = format!("40{{\"token\":\"{}\"}}", token("ada"));
        wire.write(&frame(FIN | TEXT, connect.as_bytes())).unwrap();
        assert!(hear(&mut wire).starts_with("40{"));
        let data = r#"{"roomId":"team","name":"n","data":{"_placeholder":true,"num":0}}"#;
        let call = format!(r#"451-7["chat:file:upload",{data}]"#);
        wire.write(&frame(FIN | TEXT, call.as_bytes())).unwrap();
        wire.write(&frame(FIN | BINARY, file)).unwrap();
        let answer = hear(&mut wire);
        let acked: Value = serde_json::from_str(answer.strip_prefix("437").unwrap()).unwrap();
        assert_eq!((&acked[0]["ok"], &acked[0]["size"]), (&json!(true), &json!(file.len())), "{answer}");
        assert!(hear(&mut wire).starts_with(r#"42["chat:file:uploaded",{"#), "and the event besides");
        let call = format!("GET {}", acked[0]["url"].as_str().unwrap());
        assert_eq!(ask(server.address(), &call, b"").unwrap().2, file);
    }
}

#[test]
fn the_real_clamd_keeps_infected_files_out_and_without_it_nothing_comes_in() {
    let clamd = Clamd::start();
    let address = clamd.address();
    let folders: Vec<_> = BINARIES.iter().map(|_| Folder::new()).collect();
    let servers: Vec<_> = BINARIES
        .iter()
        .zip(&folders)
        .map(|(binary, folder)| server_with_a_room(binary, folder, &["--clamd-addr", &address]))
        .collect();
    let kept = |folder: &Folder| {
        ["room_files", "file_parts", "file_uploads", "room_entries"]
            .map(|table| count(&folder.database(), table))
    };
    let infected = [&large_file(1)[..FILE_BYTES_MAX - INFECTED.len()], INFECTED].concat();
    for (server, folder) in servers.iter().zip(&folders) {
        let (status, refused) = upload(server.address(), "bad.bin", &infected).unwrap();
        let error = &refused["error"];
        assert_eq!((status, &error["code"]), (403, &json!("PERMISSION_DENIED")), "{refused}");
        assert_eq!(error["details"], json!({"reason": "infected", "signature": SIGNATURE}));
        assert_eq!(kept(folder), [0, 0, 0, 0]);
        assert_eq!(upload(server.address(), "good.txt", b"a file").unwrap().0, 201);
        assert_eq!(kept(folder), [1, 1, 0, 1]);
    }
    drop(clamd);
    for (server, folder) in servers.iter().zip(&folders) {
        let (status, refused) = upload(server.address(), "good.txt", b"a file").unwrap();
        assert_eq!((status, &refused["error"]["code"]), (500, &json!("SERVER_ERROR")), "{refused}");
        assert_eq!(kept(folder), [1, 1, 0, 1]);
    }
}

#[test]
fn a_server_that_is_killed_while_files_come_has_whole_files_and_no_orphans_afterwards() {
    for binary in BINARIES {
        let folder = Folder::new();
        let mut server = server_with_a_room(binary, &folder, &[]);
        let address = server.address();
        let (mut acknowledged, mut cut_off) = (Vec::new(), 0);
        for kill in 0..KILLS {
            let mark = u8::try_from(kill).unwrap();
            let uploading = thread::spawn(move || {
                let file = large_file(mark);
                let mut answered = Vec::new();
                while let Ok((status, uploaded)) = upload(address, &format!("{mark}"), &file) {
                    assert_eq!(status, 201, "{uploaded}");
                    answered.push(uploaded["fileId"].clone());
                }
                answered
            });
            wait_until("a file comes", || count(&folder.database(), "file_uploads") > 0);
            server.kill();
            acknowledged.extend(uploading.join().unwrap());
            cut_off += count(&folder.database(), "file_uploads");
            server = server_again(binary, &folder, address.port());
            wait_until("no orphans", || count(&folder.database(), "file_uploads") == 0);
        }
        assert!(cut_off > 0, "no kill came while a file was coming");
        let orphans = "file_parts WHERE file NOT IN (SELECT id FROM room_files)";
        assert_eq!(count(&folder.database(), orphans), 0);
        let messages = messages(server.address());
        assert_eq!(count(&folder.database(), "room_files"), i64::try_from(messages.len()).unwrap());
        let told: Vec<_> = messages.iter().map(|content| &content["fileId"]).collect();
        assert!(acknowledged.iter().all(|file| told.contains(&file)), "{acknowledged:?} in {told:?}");
        for content in &messages {
            let url = content["url"].as_str().unwrap();
            let (status, _, body) = ask(server.address(), &format!("GET {url}"), b"").unwrap();
            let mark = content["name"].as_str().unwrap().parse().unwrap();
            assert_eq!((status, body == large_file(mark)), (200, true), "{content}");
        }
    }
}

fn server_again(binary: &str, folder: &Folder, port: u16) -> Process {
    let arguments = [&KEYS[..], &["--rate-limit-calls", "0"]].concat();
    Process::start_at(port, binary, folder, &arguments)
}
