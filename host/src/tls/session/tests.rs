use super::*;
use crate::line::Line;
use crate::transport::Transport;
use parlor_protocol::frame::Frame;
use parlor_protocol::outbox::Class;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::Read;
use std::net::TcpListener;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

type Client = StreamOwned<ClientConnection, TcpStream>;

/// A session before its handshake, and its client.
fn pair() -> (Session, Client) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_string()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(Arc::new(client), name).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    accepted.set_nonblocking(true).unwrap();
    (Session::new(accepted, Arc::new(server)).unwrap(), StreamOwned::new(client, stream))
}

/// A session behind its handshake, and its client.
fn open() -> (Session, Client) {
    let (session, mut client) = pair();
    let shaking = std::thread::spawn(move || {
        client.conn.complete_io(&mut client.sock).unwrap();
        client
    });
    until(|| match session.shake_hands() {
        Handshake::Done => true,
        Handshake::More => false,
        other @ (Handshake::Plain | Handshake::Gone | Handshake::Failed(_)) => panic!("{other:?}"),
    });
    (session, shaking.join().unwrap())
}

fn until(mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "it never came");
        std::thread::yield_now();
    }
}

fn would_block<T: std::fmt::Debug>(result: io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

#[test]
fn what_is_decrypted_and_not_taken_is_told_of_until_all_is_taken() {
    let (session, mut client) = open();
    client.write_all(&[7; 40_000]).unwrap();
    let mut read = 0;
    let mut held = 0;
    until(|| {
        let mut bytes = Vec::with_capacity(1_000);
        match session.receive(&mut bytes) {
            Ok(received) => {
                assert_eq!((received.count, bytes.iter().all(|byte| *byte == 7)), (bytes.len(), true));
                assert!(received.count > 0 && bytes.len() <= bytes.capacity());
                read += received.count;
                held += usize::from(session.holds_input());
                assert!(received.more || !session.holds_input(), "nobody would come back for the rest");
            }
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
        read == 40_000
    });
    assert!(held > 10, "{held}: a poll would have seen nothing");
    assert!(!session.holds_input() && would_block(session.receive(&mut Vec::with_capacity(10))));
}

#[test]
fn a_look_keeps_what_comes_and_sees_the_end() {
    let (session, mut client) = open();
    assert_eq!(session.peek(), Peek::Nothing);
    client.write_all(b"next").unwrap();
    until(|| session.peek() == Peek::Bytes);
    assert!(session.holds_input());
    let mut bytes = Vec::with_capacity(100);
    assert_eq!(session.receive(&mut bytes).unwrap().count, 4);
    assert_eq!((&bytes[..], session.peek()), (&b"next"[..], Peek::Nothing));
    client.conn.send_close_notify();
    client.conn.complete_io(&mut client.sock).unwrap();
    until(|| session.peek() == Peek::End);
    assert!(session.holds_input(), "the end is there to be received");
    assert_eq!(session.receive(&mut bytes).unwrap(), Received { count: 0, more: false });
}

#[test]
fn new_keys_that_the_client_asks_for_are_given_while_nothing_is_said() {
    let (session, mut client) = open();
    client.conn.refresh_traffic_keys().unwrap();
    client.write_all(b"a").unwrap();
    let mut bytes = Vec::with_capacity(100);
    until(|| session.receive(&mut bytes).is_ok());
    assert!(!session.is_sending(), "the answer went out");
    assert_eq!(session.write(&[IoSlice::new(b"b")]).unwrap(), 1);
    let mut answer = [0];
    client.read_exact(&mut answer).unwrap();
    assert_eq!((&bytes[..], &answer), (&b"a"[..], b"b"));
}

#[test]
fn no_more_is_encrypted_than_four_records_ahead_of_the_kernel() {
    let (session, mut client) = open();
    let mut sent = 0;
    until(|| match session.write(&[IoSlice::new(&[7; 1 << 20])]) {
        Ok(count) => {
            assert!(count > 0 && count <= UNSENT_BYTES_MAX, "{count}");
            sent += count;
            false
        }
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    });
    assert!(session.is_sending() && would_block(session.flush()));
    let reader = std::thread::spawn(move || {
        let mut read = vec![0; sent];
        client.read_exact(&mut read).unwrap();
        read.iter().all(|byte| *byte == 7)
    });
    until(|| session.flush().is_ok());
    assert!(!session.is_sending());
    assert!(reader.join().unwrap());
}

#[test]
fn a_line_is_written_only_when_the_kernel_has_what_was_encrypted() {
    let (session, mut client) = open();
    let line = Line::new(Transport::Tls(Box::new(session)), [127, 0, 0, 1].into());
    let mut pushed = 0;
    while !line.is_blocked() {
        assert!(line.push(&Frame::raw(vec![7; 10_000].into()), Class::Kept));
        pushed += 10_000;
        line.flush();
    }
    assert!(!line.is_written());
    assert!(line.took_some() && !line.took_some());
    let reader = std::thread::spawn(move || {
        let mut read = vec![0; pushed];
        client.read_exact(&mut read).unwrap();
        client
    });
    until(|| {
        line.flush_writable();
        line.is_written()
    });
    assert!(line.took_some() && line.queued_bytes() == 0);
    assert!(line.take_leave() && line.take_leave());
    line.shut_writing();
    assert_eq!(reader.join().unwrap().read_to_end(&mut Vec::new()).unwrap(), 0, "a clean end");
}

#[test]
fn who_speaks_no_tls_is_told_apart() {
    for (said, is) in
        [(&b"GET / HTTP/1.1\r\n"[..], Handshake::Plain), (b"P", Handshake::Plain), (b"", Handshake::Gone)]
    {
        let (session, client) = pair();
        let mut stream = client.sock;
        assert_eq!(session.shake_hands(), Handshake::More);
        stream.write_all(said).unwrap();
        if said.is_empty() {
            drop(stream);
        }
        let mut seen = Handshake::More;
        until(|| {
            seen = session.shake_hands();
            seen != Handshake::More
        });
        assert_eq!(seen, is);
    }
    let (session, mut client) = pair();
    client.sock.write_all(&[0; 100]).unwrap();
    until(|| matches!(session.shake_hands(), Handshake::Failed(_)));
}
