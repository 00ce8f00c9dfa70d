//! `try`: a dialogue with a server in the terminal. What is typed is sent, what comes is printed with its time.

use super::line::{HELP, Line};
use crate::clock::Clock;
use crate::start::complain;
use crate::tls;
use crate::transcript::hex;
use clap::{Arg, ArgMatches, Command};
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};
use tungstenite::client::IntoClientRequest;
use tungstenite::error::Error;
use tungstenite::handshake::HandshakeError;
use tungstenite::handshake::client::Request;
use tungstenite::http::{HeaderValue, Uri};
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Connector, Message, WebSocket, client_tls_with_config};

/// The server ended the connection, and not with 1000.
const EXIT_ENDED: u8 = 1;
/// What was asked for cannot be done.
const EXIT_WRONG: u8 = 2;
/// There is no server, or it let nobody in.
const EXIT_REFUSED: u8 = 3;

/// How long a connection may take to be there, and a close to be answered.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long is listened before it is looked whether something was typed.
const LISTEN: Duration = Duration::from_millis(30);
/// The longest line that is sent, in bytes.
const LINE_BYTES_MAX: usize = 1 << 20;
/// How many lines may wait.
const LINES_MAX: usize = 64;
/// How much of a binary message and of a refusal is shown, in bytes.
const SHOWN_BYTES_MAX: usize = 256;

/// Other users of a machine can see flags, and not this.
const TOKEN_VARIABLE: &str = "PARLOR_TOKEN";

type Socket = WebSocket<MaybeTlsStream<TcpStream>>;

/// What the command line takes.
pub fn command() -> Command {
    let option = |name: &'static str| Arg::new(name).long(name);
    Command::new("try")
        .about("Talks to a server over WebSocket: sends what is typed, prints what comes")
        .after_help(
            "Example:\n  parlor try ws://127.0.0.1:8080/chat --token \"$(parlor token --user ada --firm trial)\"\n  \
             {\"event\":\"chat:room:join\",\"data\":{\"roomId\":\"lobby\"},\"requestId\":\"1\",\"version\":\"1\"}\n  /quit\n\n\
             Typed: a line is sent as it stands, //… as /…; /quit, /close CODE, /ping, /hex 00ff, /help.\n\
             Printed: the time (UTC), then < for what came, > for what was sent, * for all else.\n\
             At the end of the input it waits until nothing has come for --wait, then closes with 1000.\n\
             Ends with 0 after /quit, the end of the input or a close with 1000; with 1 when the server ended it otherwise,\n\
             with 2 when it was asked for wrongly, with 3 when there is no server or it let nobody in.",
        )
        .arg(Arg::new("URL").required(true).help("ws:// or wss://, a host, perhaps a port, a path and a query"))
        .arg(option("token").value_name("TOKEN").help("Shown as Authorization: Bearer; else what PARLOR_TOKEN in the environment holds"))
        .arg(option("origin").value_name("ORIGIN").help("Shown as Origin, as a browser would"))
        .arg(option("ca").value_name("FILE").help("For wss://: whom to believe (PEM), in place of public authorities"))
        .arg(
            option("wait")
                .value_name("TIME")
                .default_value("1s")
                .help("How long to listen after the end of the input: 500ms, 10s; at most 1h"),
        )
}

/// Talks until one side ends it.
pub fn run(program: &str, given: &ArgMatches) -> ExitCode {
    let (code, why) = match begin(given) {
        Ok((socket, wait)) => match (Dialogue { socket, clock: Clock::start() }).talk(wait) {
            Ok(code) => return ExitCode::from(code),
            Err(error) => (EXIT_ENDED, error.to_string()),
        },
        Err(refused) => refused,
    };
    complain(&format!("{program}: {why}\n"));
    ExitCode::from(code)
}

fn begin(given: &ArgMatches) -> Result<(Socket, Duration), (u8, String)> {
    let text = |name: &str| given.get_one::<String>(name).map_or("", String::as_str);
    let wrong = |why: String| (EXIT_WRONG, why);
    let wait =
        humantime::parse_duration(text("wait")).ok().filter(|wait| *wait <= Duration::from_secs(3_600));
    let wait = wait.ok_or_else(|| {
        wrong(format!("--wait is {:?}, not a time like 500ms or 10s, at most 1h", text("wait")))
    })?;
    let url: Uri = text("URL").parse().map_err(|error| wrong(format!("the URL is none: {error}")))?;
    let named = url.authority().map_or("", |authority| authority.as_str());
    // Behind the brackets of an IPv6 address, or behind a name, a colon begins a port.
    let has_port = named.rsplit(['@', ']']).next().is_some_and(|rest| rest.contains(':'));
    if has_port && url.port_u16().is_none() {
        return Err(wrong(format!("the port in {named:?} is none: 0 to 65535")));
    }
    let port = match (url.scheme_str(), url.port_u16()) {
        (Some("ws" | "wss"), Some(port)) => port,
        (Some("ws"), None) => 80,
        (Some("wss"), None) => 443,
        (Some(_) | None, _) => return Err(wrong("the URL begins with neither ws:// nor wss://".to_string())),
    };
    let connector = match given.get_one::<String>("ca") {
        Some(_) if url.scheme_str() == Some("ws") => {
            return Err(wrong("--ca is for wss:// only".to_string()));
        }
        Some(file) => Some(Connector::Rustls(tls::believing("--ca", file.as_ref()).map_err(wrong)?)),
        None => None,
    };
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']).to_string();
    let mut request = url.into_client_request().map_err(|error| wrong(error.to_string()))?;
    for (name, option) in [("authorization", "token"), ("origin", "origin")] {
        let said = given.get_one::<String>(option).cloned();
        let said = said.or_else(|| std::env::var(TOKEN_VARIABLE).ok().filter(|_| option == "token"));
        if let Some(value) = said {
            let value = if option == "token" { format!("Bearer {value}") } else { value };
            let value = HeaderValue::from_str(&value);
            let value = value.map_err(|_| wrong(format!("--{option} is nothing that a header can carry")))?;
            request.headers_mut().insert(name, value);
        }
    }
    let socket = connect(request, &host, port, connector).map_err(|why| (EXIT_REFUSED, why))?;
    Ok((socket, wait))
}

fn connect(request: Request, host: &str, port: u16, connector: Option<Connector>) -> Result<Socket, String> {
    let named = |error: io::Error| format!("{host} port {port}: {error}");
    let mut last = io::Error::other("there is no such address");
    for address in (host, port).to_socket_addrs().map_err(named)? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE)).map_err(named)?;
                stream.set_write_timeout(Some(PATIENCE)).map_err(named)?;
                stream.set_nodelay(true).map_err(named)?;
                return open(request, stream, connector);
            }
            Err(error) => last = error,
        }
    }
    Err(named(last))
}

fn open(request: Request, stream: TcpStream, connector: Option<Connector>) -> Result<Socket, String> {
    match client_tls_with_config(request, stream, None, connector) {
        Ok((socket, _)) => {
            let stream = match socket.get_ref() {
                MaybeTlsStream::Plain(stream) => Some(stream),
                MaybeTlsStream::Rustls(stream) => Some(&stream.sock),
                _ => None,
            };
            let listens = stream.map_or(Ok(()), |stream| stream.set_read_timeout(Some(LISTEN)));
            listens.map(|()| socket).map_err(|error| error.to_string())
        }
        Err(HandshakeError::Failure(Error::Http(response))) => {
            let body = response.body().as_deref().unwrap_or_default();
            let body = String::from_utf8_lossy(&body[..body.len().min(SHOWN_BYTES_MAX)]);
            Err(format!("the server answers {} {}", response.status(), printable(&body)))
        }
        Err(HandshakeError::Failure(error)) => Err(error.to_string()),
        Err(HandshakeError::Interrupted(_)) => Err(format!("the server has not answered in {PATIENCE:?}")),
    }
}

struct Dialogue {
    socket: Socket,
    clock: Clock,
}

/// What was typed, or why it ended.
type Typed = Result<String, String>;

impl Dialogue {
    /// Returns what the process is to end with.
    fn talk(mut self, wait: Duration) -> Result<u8, Error> {
        self.print('*', "open; /help says what can be typed")?;
        let typed = typed().map_err(Error::Io)?;
        let mut over = None;
        let mut heard = Instant::now();
        loop {
            match self.say_what_was_typed(&typed)? {
                Said::GoesOn => {}
                Said::Closes => return self.close_answered(),
                Said::Over => {
                    over.get_or_insert_with(Instant::now);
                }
            }
            match self.socket.read() {
                Ok(message) => {
                    heard = Instant::now();
                    if let Some(code) = self.hear(&message)? {
                        return Ok(code);
                    }
                }
                Err(Error::Io(error)) if is_timeout(&error) => {}
                Err(error) => return self.ended(&error),
            }
            let quiet = over.is_some_and(|since: Instant| since.max(heard).elapsed() >= wait);
            if quiet {
                self.close(1000)?;
                return self.close_answered();
            }
        }
    }

    fn say_what_was_typed(&mut self, typed: &Receiver<Typed>) -> Result<Said, Error> {
        loop {
            let text = match typed.try_recv() {
                Ok(Ok(text)) => text,
                Ok(Err(why)) => {
                    self.print('*', &why)?;
                    return Ok(Said::Over);
                }
                Err(TryRecvError::Empty) => return Ok(Said::GoesOn),
                Err(TryRecvError::Disconnected) => return Ok(Said::Over),
            };
            match Line::read(&text) {
                Ok(Line::Say(text)) => {
                    self.print('>', &text)?;
                    self.socket.send(Message::text(text))?;
                }
                Ok(Line::SayBytes(bytes)) => {
                    self.print('>', &shown_bytes(&bytes))?;
                    self.socket.send(Message::binary(bytes))?;
                }
                Ok(Line::Ping) => {
                    self.print('>', "ping")?;
                    self.socket.send(Message::Ping(Vec::new().into()))?;
                }
                Ok(Line::Close(code)) => {
                    self.close(code)?;
                    return Ok(Said::Closes);
                }
                Ok(Line::Help) => self.print('*', HELP)?,
                Ok(Line::Nothing) => {}
                Err(why) => self.print('*', &why)?,
            }
        }
    }

    /// Prints what came; the end's exit status, if it was the end.
    fn hear(&self, message: &Message) -> Result<Option<u8>, Error> {
        match message {
            Message::Text(text) => self.print('<', text)?,
            Message::Binary(bytes) => self.print('<', &shown_bytes(bytes))?,
            Message::Ping(_) => self.print('<', "ping")?,
            Message::Pong(_) => self.print('<', "pong")?,
            Message::Close(frame) => {
                let (code, reason) = match frame {
                    Some(CloseFrame { code, reason }) => (u16::from(*code), reason.as_str()),
                    None => (1005, ""),
                };
                self.print('<', format!("close {code} {reason}").trim_end())?;
                return Ok(Some(if code == 1000 { 0 } else { EXIT_ENDED }));
            }
            Message::Frame(_) => {}
        }
        Ok(None)
    }

    fn close(&mut self, code: u16) -> Result<(), Error> {
        self.print('>', &format!("close {code}"))?;
        self.socket.close(Some(CloseFrame { code: CloseCode::from(code), reason: "".into() }))
    }

    /// Whoever closes listens until that is answered.
    fn close_answered(&mut self) -> Result<u8, Error> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            match self.socket.read() {
                Ok(message) if message.is_close() => {
                    self.hear(&message)?;
                    return Ok(0);
                }
                Ok(message) => drop(self.hear(&message)?),
                Err(Error::Io(error)) if is_timeout(&error) => {}
                Err(_) => return Ok(0),
            }
        }
        Ok(0)
    }

    fn ended(&self, error: &Error) -> Result<u8, Error> {
        self.print('*', &format!("the connection is lost: {error}"))?;
        Ok(EXIT_ENDED)
    }

    fn print(&self, direction: char, text: &str) -> Result<(), Error> {
        let now = self.clock.now().to_string();
        let time = now.get(11..23).unwrap_or_default();
        let mut out = io::stdout().lock();
        writeln!(out, "{time} {direction} {}", printable(text)).and_then(|()| out.flush()).map_err(Error::Io)
    }
}

enum Said {
    GoesOn,
    /// It asked to close.
    Closes,
    /// Nothing more will be typed.
    Over,
}

/// Reads what is typed on a thread of its own, which ends with the input or with the process.
fn typed() -> io::Result<Receiver<Typed>> {
    let (tell, told) = sync_channel(LINES_MAX);
    let read = move || {
        let mut input = io::stdin().lock();
        loop {
            let mut line = Vec::new();
            let read = input.by_ref().take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line);
            let typed = match read {
                Ok(0) => return,
                Ok(_) if line.len() > LINE_BYTES_MAX => {
                    Err(format!("a line of over {LINE_BYTES_MAX} bytes is not sent, and nothing behind it"))
                }
                Ok(_) => String::from_utf8(line)
                    .map(|line| line.trim_end_matches(['\n', '\r']).to_string())
                    .map_err(|_| "a line that is not UTF-8 is not sent, and nothing behind it".to_string()),
                Err(error) => Err(error.to_string()),
            };
            let is_last = typed.is_err();
            if tell.send(typed).is_err() || is_last {
                return;
            }
        }
    };
    thread::Builder::new().name("typed".into()).spawn(read)?;
    if io::stdin().is_terminal() {
        eprintln!("{HELP}");
    }
    Ok(told)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Text that changes nothing about the terminal it is printed on.
fn printable(text: &str) -> String {
    let shown = |char: char| match char.is_control() {
        true => char.escape_default().to_string(),
        false => char.to_string(),
    };
    text.chars().map(shown).collect()
}

fn shown_bytes(bytes: &[u8]) -> String {
    let more = if bytes.len() > SHOWN_BYTES_MAX { "…" } else { "" };
    format!("{} bytes: {}{more}", bytes.len(), hex(&bytes[..bytes.len().min(SHOWN_BYTES_MAX)]))
}
