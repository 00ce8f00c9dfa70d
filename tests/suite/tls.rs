//! TLS on the one port, as clients and operators see it, on both servers.

use parlor_tests::process::{BINARIES, Folder, Process, beside_the_test, run_to_end};
use parlor_tests::secure::{Authority, VERSIONS, session};
use parlor_tests::wire::{BINARY, CLOSE, FIN, TEXT, Wire, frame, reason};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ProtocolVersion};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
const ECHO: &str = "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A server with a certificate, and who signed it.
struct Secure {
    process: Process,
    folder: Folder,
    authority: Authority,
    config: Arc<ClientConfig>,
    certificate: CertificateDer<'static>,
}

impl Secure {
    fn start(binary: &str) -> Self {
        let (folder, authority) = (Folder::new(), Authority::new());
        let (files, certificate) = authority.issue(folder.path());
        let flags = files.flags();
        let mut arguments: Vec<&str> = flags.iter().map(String::as_str).collect();
        arguments.extend(["--echo", "true", "--log-level", "debug"]);
        let process = Process::start(binary, &folder, &arguments);
        let config = authority.client(&[&rustls::version::TLS13]);
        Self { process, folder, authority, config, certificate }
    }

    fn open(&self) -> Wire {
        Wire::open_secure(self.process.address(), &self.config, "/echo")
    }

    fn connect(&self) -> Wire {
        Wire::connect_secure(self.process.address(), &self.config)
    }

    /// Waits until the log says this.
    fn wait_for_log(&self, text: &str) {
        let until = Instant::now() + Duration::from_secs(10);
        while !self.folder.log().contains(text) {
            assert!(Instant::now() < until, "no {text:?} in {}", self.folder.log());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn on_both(test: impl Fn(&mut Secure) + Sync) {
    thread::scope(|scope| {
        for binary in BINARIES {
            let test = &test;
            scope.spawn(move || test(&mut Secure::start(binary)));
        }
    });
}

/// Bytes of which no two stretches are equal.
fn noise(length: usize) -> Vec<u8> {
    (0..length as u32).flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()).take(length).collect()
}

fn echoed(wire: &mut Wire, payload: &[u8]) {
    wire.write(&frame(FIN | BINARY, payload)).expect("it is open");
    let (first, heard) = wire.read_frame().expect("an echo");
    assert_eq!((first, heard.len()), (FIN | BINARY, payload.len()));
    assert!(heard == payload, "{} bytes came back changed", payload.len());
}

/// A session of Socket.IO by polling, whose request waits for something to be told.
fn polls(server: &Secure) -> Wire {
    let mut wire = server.connect();
    let path = "/socket.io/?EIO=4&transport=polling";
    wire.write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).expect("the server reads");
    let body = String::from_utf8(wire.read_response().1).expect("text");
    let sid = body.split('"').nth(3).expect("it is named first");
    wire.write(format!("GET {path}&sid={sid} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes())
        .expect("the server reads");
    wire
}

/// The certificate that the server showed.
fn shown(wire: &Wire) -> CertificateDer<'static> {
    let session = wire.session().expect("it is TLS");
    session.peer_certificates().expect("the server shows one")[0].clone().into_owned()
}

#[test]
fn http_and_websockets_travel_over_tls_1_2_and_1_3() {
    on_both(|server| {
        for version in VERSIONS {
            let config = server.authority.client(&[version]);
            let address = server.process.address();
            let mut wire = Wire::connect_secure(address, &config);
            wire.write(HEALTH.as_bytes()).expect("the server reads");
            assert!(wire.read_response().0.starts_with("HTTP/1.1 200 OK\r\n"));
            let session = wire.session().expect("it is TLS");
            assert_eq!(session.protocol_version(), Some(version.version));
            assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
            let mut wire = Wire::open_secure(address, &config, "/echo");
            // Around the sizes of records, of what is received at once and of what is encrypted at once.
            for length in [0, 1, 125, 4_096, 16_370, 16_384, 16_385, 32_768, 33_000, 65_536, 65_600, 200_000]
            {
                echoed(&mut wire, &noise(length));
            }
            echoed(&mut wire, &noise(5 << 20));
            wire.write(&frame(FIN | CLOSE, &reason(1000, b""))).expect("it is open");
            assert_eq!(wire.read_frame().expect("an answer").0, FIN | CLOSE);
            assert_eq!(wire.read_to_end(), b"");
        }
        assert_eq!(
            VERSIONS.map(|version| version.version),
            [ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3]
        );
    });
}

#[test]
fn a_burst_of_20_000_messages_comes_back_in_order() {
    on_both(|server| {
        let mut wire = server.open();
        let sent: Vec<_> = (0..20_000).map(|number: u32| number.to_string().into_bytes()).collect();
        let frames: Vec<u8> = sent.iter().flat_map(|text| frame(FIN | TEXT, text)).collect();
        wire.write(&frames).expect("it is open");
        for text in &sent {
            assert_eq!(wire.read_frame().expect("an echo"), (FIN | TEXT, text.clone()));
        }
        echoed(&mut wire, b"still there");
    });
}

#[test]
fn requests_that_come_together_are_answered_in_order_and_the_end_is_told() {
    on_both(|server| {
        let post = format!(
            "PUT /api/admin/nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n{}",
            "x".repeat(9_000)
        );
        let last = "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let mut wire = server.connect();
        wire.write([HEALTH, &post, HEALTH, last].concat().as_bytes()).expect("the server reads");
        for connection in ["keep-alive", "keep-alive", "keep-alive", "close"] {
            let (head, _) = wire.read_response();
            assert!(head.contains(&format!("connection: {connection}\r\n")), "{head}");
        }
        assert_eq!(wire.read_to_end(), b"");
        // Frames that come with the request are served, those in the same record too.
        let mut wire = server.connect();
        let together =
            [ECHO.as_bytes(), &frame(FIN | TEXT, b"first"), &frame(FIN | TEXT, &[b'x'; 3_000])].concat();
        wire.write(&together).expect("the server reads");
        assert!(wire.read_head().starts_with("HTTP/1.1 101 "));
        assert_eq!(wire.read_frame().expect("an echo"), (FIN | TEXT, b"first".to_vec()));
        assert_eq!(wire.read_frame().expect("an echo"), (FIN | TEXT, vec![b'x'; 3_000]));
    });
}

#[test]
fn whatever_pieces_a_handshake_comes_in_it_is_made() {
    on_both(|server| {
        let mut stream = TcpStream::connect(server.process.address()).expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        let mut tls = session(&server.config);
        let mut said = false;
        let mut answer = Vec::new();
        while !answer.windows(4).any(|part| part == b"\r\n\r\n") {
            if !tls.is_handshaking() && !std::mem::replace(&mut said, true) {
                tls.writer().write_all(HEALTH.as_bytes()).expect("there is room");
            }
            let mut bytes = Vec::new();
            while tls.wants_write() {
                tls.write_tls(&mut bytes).expect("memory takes it");
            }
            for byte in bytes {
                stream.write_all(&[byte]).expect("the server reads");
            }
            if tls.is_handshaking() || said {
                tls.read_tls(&mut stream).expect("the server answers");
                let state = tls.process_new_packets().expect("it is TLS");
                let mut plain = vec![0; state.plaintext_bytes_to_read()];
                tls.reader().read_exact(&mut plain).expect("so much is there");
                answer.extend(plain);
            }
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    });
}

#[test]
fn a_handshake_has_5_s_whatever_trickles_in() {
    on_both(|server| {
        let address = server.process.address();
        let mut hello = Vec::new();
        session(&server.config).write_tls(&mut hello).expect("memory takes it");
        let begun = Instant::now();
        let mut silent = Wire::connect(address);
        let mut half = Wire::connect(address);
        half.write(&hello[..100]).expect("the server reads");
        let mut drip = half.other_half();
        let rest = hello[100..].to_vec();
        thread::spawn(move || {
            for byte in rest {
                if drip.write(&[byte]).is_err() {
                    return;
                }
                thread::sleep(Duration::from_millis(400));
            }
        });
        for wire in [&mut half, &mut silent] {
            wire.read_to_end();
            let took = begun.elapsed();
            assert!(took >= Duration::from_millis(4_900) && took < Duration::from_secs(8), "{took:?}");
        }
        server.wait_for_log("tls.failed reason=\"it took too long\"");
    });
}

#[test]
fn who_speaks_plain_http_is_told_and_whoever_speaks_nonsense_is_sent_away() {
    on_both(|server| {
        let address = server.process.address();
        let mut plain = Wire::connect(address);
        plain.write(HEALTH.as_bytes()).expect("the server reads");
        let (head, body) = plain.read_response();
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
        let body = String::from_utf8(body).expect("JSON");
        assert!(body.contains("this port speaks TLS: use https:// or wss://"), "{body}");
        assert_eq!(plain.read_to_end(), b"");
        for nonsense in
            [vec![0; 100_000], vec![0xff; 100_000], [&[22, 3, 1, 0x40, 0][..], &[9; 100_000]].concat()]
        {
            let mut stream = TcpStream::connect(address).expect("the server listens");
            stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a TCP socket");
            // The server may hang up while more comes.
            stream.write_all(&nonsense).unwrap_or_default();
            let mut heard = Vec::new();
            let end = stream.read_to_end(&mut heard);
            let is_alert = heard.first().is_none_or(|first| *first == 21);
            assert!(is_alert && heard.len() < 20, "{end:?} {heard:?}");
        }
        let mut asks = server.connect();
        asks.write(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").expect("the server reads");
        let metrics = String::from_utf8(asks.read_response().1).expect("text");
        assert!(metrics.contains("parlor_limit_hits_total{limit=\"handshakes\"} 4\n"), "{metrics}");
    });
}

#[test]
fn a_certificate_that_cannot_be_used_stops_the_start_and_the_check_of_settings() {
    for binary in BINARIES {
        let (folder, other, authority) = (Folder::new(), Folder::new(), Authority::new());
        let (files, _) = authority.issue(folder.path());
        let (foreign, _) = authority.issue(other.path());
        let empty = folder.path().join("empty.pem");
        fs::write(&empty, "").expect("the folder takes a file");
        let locked = folder.path().join("locked.pem");
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        fs::write(&locked, encrypted).expect("the folder takes a file");
        let missing = folder.path().join("missing.pem");
        let (certificate, key) = (&files.certificate, &files.key);
        let (shown_certificate, shown_key) = (certificate.display(), foreign.key.display());
        for (flags, why) in [
            (
                [certificate, &foreign.key],
                format!(
                    "TLS_KEY: the key in {shown_key} is not that of the first certificate in {shown_certificate}"
                ),
            ),
            ([&missing, key], format!("TLS_CERT: {} cannot be read: No such file", missing.display())),
            ([certificate, &missing], format!("TLS_KEY: {} cannot be read: No such file", missing.display())),
            ([&empty, key], format!("TLS_CERT: there is no certificate in {}", empty.display())),
            ([key, key], format!("TLS_CERT: there is no certificate in {}", key.display())),
            ([certificate, &empty], format!("TLS_KEY: there is no private key in {}", empty.display())),
            ([certificate, &locked], format!("TLS_KEY: the key in {} needs a passphrase", locked.display())),
        ] {
            let [certificate, key] = flags.map(|path| path.to_str().expect("UTF-8"));
            let flags = ["--tls-cert", certificate, "--tls-key", key];
            let (status, said) = run_to_end(binary, 0, &folder, &flags);
            assert_eq!(status.code(), Some(2), "{said}");
            assert!(said.starts_with(&format!("{binary}: {why}")), "{said}");
            let checked = Command::new(beside_the_test(binary))
                .args(["config", "check"])
                .args(flags)
                .current_dir(folder.path())
                .output()
                .expect("it runs");
            assert_eq!(checked.status.code(), Some(2));
            let said = String::from_utf8_lossy(&checked.stderr);
            assert!(said.starts_with(&format!("{binary}: {why}")), "{said}");
        }
        let (status, said) = run_to_end(binary, 0, &folder, &["--tls-key", key.to_str().expect("UTF-8")]);
        assert_eq!(status.code(), Some(2));
        assert!(said.contains("--tls-key is set, but TLS_CERT is not: TLS needs both"), "{said}");
        assert!(!folder.database().exists(), "nothing was begun");
    }
}

#[test]
fn a_dialogue_in_the_terminal_believes_whom_it_is_told_to() {
    on_both(|server| {
        let ca = server.authority.write(server.folder.path());
        let stranger = Folder::new();
        let foreign = Authority::new().write(stranger.path());
        let url = format!("wss://{}/echo", server.process.address());
        let run = |ca: &std::path::Path| {
            let mut child = Command::new(beside_the_test("parlor"))
                .args(["try", &url, "--ca", ca.to_str().expect("UTF-8"), "--wait", "300ms"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("it runs");
            child.stdin.take().expect("it is piped").write_all(b"hello\n").expect("it reads");
            let output = child.wait_with_output().expect("it ends");
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            (output.status.code(), text(&output.stdout), text(&output.stderr))
        };
        let (code, said, _) = run(&ca);
        assert!(code == Some(0) && said.contains(" < hello"), "{code:?} {said}");
        let (code, _, why) = run(&foreign);
        assert!(code == Some(3) && why.contains("certificate"), "{code:?} {why}");
        let (code, _, why) = run(&stranger.path().join("missing.pem"));
        assert!(
            code == Some(2) && why.contains("--ca: ") && why.contains("cannot be read"),
            "{code:?} {why}"
        );
    });
}

#[test]
fn sighup_changes_the_certificate_for_those_who_come_and_for_nobody_else() {
    on_both(|server| {
        let mut before = server.open();
        assert_eq!(shown(&before), server.certificate);
        let (files, second) = server.authority.issue(server.folder.path());
        assert_eq!(shown(&server.open()), server.certificate, "nobody has said that it is another");
        server.process.reload();
        server.wait_for_log("tls.reloaded");
        let mut after = server.open();
        assert_eq!(shown(&after), second);
        assert_ne!(second, server.certificate);
        echoed(&mut before, b"old");
        echoed(&mut after, b"new");
        // A file that is no good changes nothing.
        fs::write(&files.key, "nonsense").expect("the folder takes a file");
        server.process.reload();
        server.wait_for_log("tls.not_reloaded");
        let log = server.folder.log();
        let line = log.lines().find(|line| line.contains("tls.not_reloaded")).expect("it was there");
        assert!(line.contains(" error ") && line.contains(&files.key.display().to_string()), "{line}");
        assert_eq!(shown(&server.open()), second);
        echoed(&mut before, b"old");
        echoed(&mut after, b"new");
    });
}

#[test]
fn a_server_that_stops_tells_every_client_with_1012_and_ends_the_session() {
    on_both(|server| {
        let mut wires: Vec<_> = (0..20).map(|_| server.open()).collect();
        server.process.terminate();
        for wire in &mut wires {
            let (first, payload) = loop {
                let (first, payload) = wire.read_frame().expect("a close frame comes");
                if first == FIN | CLOSE {
                    break (first, payload);
                }
            };
            assert_eq!((first, &payload[..2]), (FIN | CLOSE, &1012_u16.to_be_bytes()[..]));
            // Without a word of TLS at the end this would be an error.
            assert_eq!(wire.read_to_end(), b"");
        }
        drop(wires);
        assert_eq!(server.process.wait().code(), Some(0));
    });
}

#[test]
fn connections_leave_no_file_and_no_thread_behind_however_they_end() {
    on_both(|server| {
        let address = server.process.address();
        let id = server.process.id();
        let is_database = |entry: &fs::DirEntry| {
            fs::read_link(entry.path()).is_ok_and(|file| file.to_string_lossy().contains("parlor.db"))
        };
        let count = |kind: &str| {
            let listed = fs::read_dir(format!("/proc/{id}/{kind}")).expect("it runs");
            listed.flatten().filter(|entry| !is_database(entry)).count()
        };
        let mut stays = server.open();
        let (files, threads) = (count("fd"), count("task"));
        for _ in 0..20 {
            drop(Wire::connect(address));
            let mut half = Wire::connect(address);
            half.write(&[22, 3, 1, 0]).expect("the server reads");
            drop(half);
            drop(server.connect());
            drop(server.open());
            server.open().cut();
            let mut rude = server.open();
            rude.write(&[0xff; 64]).expect("it is open");
            let mut polite = server.open();
            polite.write(&frame(FIN | CLOSE, &reason(1000, b""))).expect("it is open");
            polite.read_to_end();
        }
        // Nothing is to be written to these for 25 s: that their clients are gone has to be seen.
        drop(polls(server));
        polls(server).cut();
        let mut leaves = polls(server);
        leaves.take_leave();
        let until = Instant::now() + Duration::from_secs(20);
        while (count("fd"), count("task")) != (files, threads) && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!((count("fd"), count("task")), (files, threads));
        echoed(&mut stays, b"still here");
    });
}
