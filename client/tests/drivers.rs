//! Both drivers against a server that is a few lines: what reaches it, what it says, and what it does not say.
#![cfg(all(feature = "smol", feature = "threads"))]

use parlor_client::action::{End, Event, State};
use parlor_client::config::Config;
use parlor_client::connection::{Connection, Events};
use parlor_client::error::{CLIENT_ERROR, CONNECTION_LOST, Error};
use parlor_client::{smol, threads};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket, accept_hdr};

const PATIENCE: Duration = Duration::from_secs(20);

type Driver = fn(Config) -> Result<(Connection, Events), Error>;

const DRIVERS: [Driver; 2] = [
    |config| threads::open(config, || Ok::<_, Infallible>("token".to_string())),
    |config| smol::open(config, || async { Ok::<_, Infallible>("token".to_string()) }),
];

/// Serves one connection in a thread of its own; what comes of that is what the thread returns.
fn serve<T: Send + 'static>(
    conversation: impl FnOnce(WebSocket<TcpStream>) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let thread = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("somebody comes");
        stream.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
        conversation(accept_hdr(stream, let_in).expect("a handshake"))
    });
    (address, thread)
}

#[expect(clippy::result_large_err, reason = "the library asks for it")]
fn let_in(request: &Request, response: Response) -> Result<Response, ErrorResponse> {
    assert_eq!(request.uri(), "/chat?x=1");
    assert_eq!(request.headers()["authorization"], "Bearer token");
    Ok(response)
}

fn config(address: SocketAddr) -> Config {
    Config { backoff_first: PATIENCE, ..Config::new(format!("ws://{address}/chat?x=1")) }
}

/// Reads until the end, which has to be a close frame.
fn read_all(mut socket: WebSocket<TcpStream>) -> Vec<Value> {
    let mut heard = Vec::new();
    loop {
        let message = socket.read().expect("the client says goodbye");
        if message.is_close() {
            return heard;
        }
        if let Message::Text(text) = message {
            heard.push(serde_json::from_str(text.as_str()).expect("JSON"));
        }
    }
}

fn next_state(events: &mut Events, is_it: impl Fn(State) -> bool) {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(Event::State(state)) = events.wait_at_most(PATIENCE)
            && is_it(state)
        {
            return;
        }
    }
    panic!("the state does not come");
}

#[test]
fn what_was_said_arrives_before_the_goodbye() {
    for open in DRIVERS {
        let (address, server) = serve(read_all);
        let (connection, mut events) = open(config(address)).expect("a URL");
        next_state(&mut events, |state| state == State::Open);
        let said: Vec<_> = (0..100).map(|number| connection.call::<Value>("x", json!(number))).collect();
        connection.close_and_wait();
        let arrived: Vec<_> =
            server.join().expect("it ends").into_iter().map(|call| call["data"].clone()).collect();
        assert_eq!(arrived, (0..100).map(Value::from).collect::<Vec<_>>());
        for answer in said {
            assert_eq!(answer.wait().expect_err("nobody answers").code, CONNECTION_LOST);
        }
    }
}

#[test]
fn the_last_handle_that_is_dropped_ends_the_connection() {
    for open in DRIVERS {
        let (address, server) = serve(read_all);
        let (connection, mut events) = open(config(address)).expect("a URL");
        next_state(&mut events, |state| state == State::Open);
        let other = connection.with_timeout(PATIENCE);
        drop(connection);
        drop(other.call::<Value>("x", json!(1)));
        drop(other);
        next_state(&mut events, |state| state == State::Ended(End::Stopped));
        assert_eq!(events.wait(), None);
        assert_eq!(server.join().expect("it ends").len(), 1);
    }
}

#[test]
fn a_close_code_reaches_the_machine() {
    for open in DRIVERS {
        let (address, server) = serve(|mut socket| {
            let code = CloseCode::from(4001);
            socket.close(Some(CloseFrame { code, reason: "superseded".into() })).expect("it is sent");
            while socket.read().is_ok() {}
        });
        let (_connection, mut events) = open(config(address)).expect("a URL");
        next_state(&mut events, |state| state == State::Ended(End::Closed(4001)));
        server.join().expect("it ends");
    }
}

#[test]
fn nothing_is_read_for_who_leaves_events_lying_and_nothing_is_lost_by_that() {
    const COUNT: usize = 2_000;
    for open in DRIVERS {
        let (tell, told) = mpsc::channel();
        let (address, server) = serve(move |mut socket| {
            let filling = "x".repeat(16 * 1024);
            socket.get_ref().set_write_timeout(Some(Duration::from_millis(500))).expect("it is a socket");
            for number in 0..COUNT {
                let event = json!({"event": "signal", "data": {"number": number, "filling": filling}});
                let mut sent = socket.send(Message::text(event.to_string()));
                while let Err(tungstenite::Error::Io(error)) = sent {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    tell.send(number).expect("somebody listens");
                    sent = socket.flush();
                }
            }
            read_all(socket)
        });
        let (connection, mut events) = open(Config { events_max: 8, ..config(address) }).expect("a URL");
        let blocked_at = told.recv_timeout(PATIENCE).expect("the server is held up");
        assert!(blocked_at > 8 && blocked_at < COUNT, "{blocked_at}");
        let mut number = 0;
        while number < COUNT {
            let event = events.wait_at_most(PATIENCE).expect("there is more");
            if let Event::Signal { data, .. } = event {
                assert_eq!(data["number"], number);
                number += 1;
            } else {
                assert!(matches!(event, Event::State(_)), "{event:?}");
            }
        }
        connection.close_and_wait();
        assert_eq!(server.join().expect("it ends"), [Value::Null; 0]);
    }
}

#[test]
fn a_server_that_does_not_answer_is_given_up_and_calls_time_out_meanwhile() {
    for open in DRIVERS {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let config = Config { open_wait_max: Duration::from_millis(400), ..config(address) };
        let (connection, mut events) = open(config).expect("a URL");
        let hurried = connection.with_timeout(Duration::from_millis(50));
        let error = hurried.send_message("a", "x").wait().expect_err("there is no connection");
        assert_eq!(error.code, CONNECTION_LOST);
        assert!(error.details.expect("the message has an id")["id"].is_string());
        next_state(&mut events, |state| matches!(state, State::Waiting(_)));
        connection.close_and_wait();
    }
}

#[test]
fn a_url_that_cannot_be_gone_to_is_refused_at_once() {
    for open in DRIVERS {
        let error = open(Config::new("https://parlor.example/chat")).expect_err("no WebSocket");
        assert_eq!(error.code, CLIENT_ERROR);
        assert!(error.message.contains("https://parlor.example/chat"), "{error}");
    }
}
