//! A stand-in for the AI service, and for other services that are posted to: an HTTP server on this machine that
//! writes down what it is asked and plays whatever a service can do right or wrong.

use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What is done with one request.
#[derive(Debug, Clone, PartialEq)]
pub enum Play {
    /// Ask the template's next question; when all are answered, hand over a document made of the answers.
    Interview,
    /// Answer 200 with this JSON.
    Reply(Value),
    /// Do the other, but so much later.
    Slowly(Duration, Box<Play>),
    /// Answer 200 byte by byte, with so much time before each.
    Trickle(Duration),
    /// Answer with this status, and with `Retry-After` in seconds.
    Status(u16, Option<u32>),
    /// Answer 200 with JSON that means nothing here.
    Babble,
    /// Answer 200 with what is no JSON.
    NotJson,
    /// Answer with what is no HTTP.
    NotHttp,
    /// Answer 200 with JSON of so many bytes.
    Large(usize),
    /// Answer with this status and a `Location` that is this service itself.
    Redirect(u16),
    /// Answer 200 with less than was announced, and hang up.
    BreakOff,
    /// Hang up without an answer.
    Close,
    /// Never answer.
    Hang,
    /// Answer with a stream of events, if it is asked for; else as a whole with the data of the last one.
    Speak(Speech),
    /// Answer with a stream of events, whether it is asked for or not.
    SpeakUnasked(Speech),
    /// Answer once with this JSON, and at once a second time with the other.
    Twice(Value, Value),
}

/// A stream of events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Speech {
    /// What is written, in order.
    pub pieces: Vec<Piece>,
    /// The service hangs up at the end, and does not say that it has ended.
    pub breaks_off: bool,
}

/// A part of a stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// So much at once, as it is written.
    Bytes(Vec<u8>),
    /// Silence.
    Pause(Duration),
}

impl Speech {
    /// An event.
    pub fn event(mut self, name: &str, data: &Value) -> Self {
        self.pieces.push(Piece::Bytes(format!("event: {name}\ndata: {data}\n\n").into_bytes()));
        self
    }

    /// Some more of what is spoken.
    pub fn delta(self, text: &str) -> Self {
        self.event("delta", &json!({ "text": text }))
    }

    /// The reply, under its own name.
    pub fn reply(self, reply: &Value) -> Self {
        self.event(reply["type"].as_str().unwrap_or_default(), reply)
    }

    /// Anything.
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.pieces.push(Piece::Bytes(bytes.to_vec()));
        self
    }

    /// Silence.
    pub fn pause(mut self, time: Duration) -> Self {
        self.pieces.push(Piece::Pause(time));
        self
    }

    /// The same, broken off at its end.
    pub fn broken_off(self) -> Self {
        Self { breaks_off: true, ..self }
    }

    /// The data of the last event.
    pub fn whole(&self) -> String {
        let last = self.pieces.iter().rev().find_map(|piece| match piece {
            Piece::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            Piece::Pause(_) => None,
        });
        let last = last.unwrap_or_default();
        last.split_once("data: ").map_or(String::new(), |(_, data)| data.trim_end().to_string())
    }
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// `POST /v1/chat/next-question`
    pub line: String,
    /// The headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body, if it is JSON.
    pub body: Value,
    /// The body as it came.
    pub bytes: Vec<u8>,
}

/// The service. When it is dropped, it hangs up on everyone.
pub struct AiStandIn {
    address: SocketAddr,
    stage: Arc<Stage>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Stage {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    script: VecDeque<Play>,
    asked: Vec<Asked>,
    open: BTreeMap<u64, TcpStream>,
    stopped: bool,
}

/// The media type of a stream of events.
const EVENTS: &str = "text/event-stream";
/// How many connections are served at once; more are hung up on.
const CONNECTIONS_MAX: usize = 256;
/// How many requests are written down; more are hung up on.
const ASKED_MAX: usize = 100_000;
/// The largest line of a head, and the largest body, in bytes.
const LINE_BYTES_MAX: u64 = 16 * 1024;
const BODY_BYTES_MAX: usize = 16 << 20;

impl AiStandIn {
    /// A service on a free port of 127.0.0.1 that plays the script, a line for each request, and after it
    /// interviews.
    pub fn start(script: impl IntoIterator<Item = Play>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let stage = Arc::new(Stage::default());
        stage.lock().script = script.into_iter().collect();
        let accepting = {
            let stage = Arc::clone(&stage);
            thread::Builder::new().name("ai-accept".into()).spawn(move || accept(&listener, &stage))?
        };
        Ok(Self { address, stage, accepting: Some(accepting) })
    }

    /// The value for `AI_SERVICE_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds lines to the script.
    pub fn then(&self, plays: impl IntoIterator<Item = Play>) {
        self.stage.lock().script.extend(plays);
    }

    /// What came so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.stage.lock().asked.clone()
    }

    /// Waits until so many requests came, at most so long, and tells what came.
    pub fn wait_for(&self, count: usize, at_most: Duration) -> Vec<Asked> {
        let state = self.stage.lock();
        let waited = self.stage.changed.wait_timeout_while(state, at_most, |state| state.asked.len() < count);
        waited.unwrap_or_else(PoisonError::into_inner).0.asked.clone()
    }
}

impl Drop for AiStandIn {
    fn drop(&mut self) {
        self.stage.stop();
        // Whatever comes of it: the listener wakes up and sees that it is over.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            accepting.join().unwrap_or_default();
        }
    }
}

impl Stage {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        for stream in state.open.values() {
            stream.shutdown(Shutdown::Both).unwrap_or_default();
        }
        self.changed.notify_all();
    }

    /// Notes a connection, if there is room for it.
    fn enter(&self, number: u64, stream: &TcpStream) -> bool {
        let mut state = self.lock();
        match stream.try_clone() {
            Ok(stream) if !state.stopped && state.open.len() < CONNECTIONS_MAX => {
                state.open.insert(number, stream);
                true
            }
            Ok(_) | Err(_) => false,
        }
    }

    /// Writes a request down and tells what to do with it.
    fn ask(&self, asked: Asked) -> Play {
        let mut state = self.lock();
        let play = match state.asked.len() < ASKED_MAX {
            true => state.script.pop_front().unwrap_or(Play::Interview),
            false => return Play::Close,
        };
        state.asked.push(asked);
        self.changed.notify_all();
        play
    }

    /// Waits so long, or until the service stops.
    fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut state = self.lock();
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|_| !state.stopped) {
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn accept(listener: &TcpListener, stage: &Arc<Stage>) {
    for (number, stream) in (0..).zip(listener.incoming()) {
        if stage.lock().stopped {
            return;
        }
        let Ok(stream) = stream else { continue };
        if !stage.enter(number, &stream) {
            continue;
        }
        let inner = Arc::clone(stage);
        let serving = thread::Builder::new().name("ai-serve".into()).spawn(move || {
            // A connection that breaks is the client's to judge.
            serve(&stream, &inner).unwrap_or_default();
            inner.lock().open.remove(&number);
        });
        if serving.is_err() {
            stage.lock().open.remove(&number);
        }
    }
}

/// Serves one connection, request by request, until either side ends it.
fn serve(stream: &TcpStream, stage: &Stage) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read_request(&mut reader)? {
        let keeps = asked.headers.get("connection").is_none_or(|word| word != "close");
        let play = stage.ask(asked.clone());
        if !perform(play, &asked, stream, stage)? || !keeps {
            break;
        }
    }
    stream.shutdown(Shutdown::Both)
}

fn read_request(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<Asked>> {
    let line = read_line(reader)?;
    if line.is_empty() {
        return Ok(None);
    }
    let mut headers = BTreeMap::new();
    loop {
        let header = read_line(reader)?;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_string());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    if length > BODY_BYTES_MAX {
        return Err(io::Error::other(format!("a body of {length} bytes, over {BODY_BYTES_MAX}")));
    }
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Ok(Some(Asked { line: line.trim_end_matches(" HTTP/1.1").to_string(), headers, body, bytes }))
}

fn read_line(reader: &mut BufReader<&TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    reader.take(LINE_BYTES_MAX).read_line(&mut line)?;
    Ok(line.trim_end().to_string())
}

/// Does what the script says; tells whether the connection can go on.
fn perform(play: Play, asked: &Asked, mut stream: &TcpStream, stage: &Stage) -> io::Result<bool> {
    let body = &asked.body;
    let answer = match play {
        Play::Slowly(wait, play) => {
            stage.pause(wait);
            return perform(*play, asked, stream, stage);
        }
        Play::Trickle(wait) => {
            for byte in ok(&interview(body).to_string()).bytes() {
                stage.pause(wait);
                stream.write_all(&[byte])?;
            }
            return Ok(true);
        }
        Play::Speak(speech) if asked.headers.get("accept").is_some_and(|word| word == EVENTS) => {
            return speak(&speech, stream, stage);
        }
        Play::SpeakUnasked(speech) => return speak(&speech, stream, stage),
        Play::Speak(speech) => ok(&speech.whole()),
        Play::Interview => ok(&interview(body).to_string()),
        Play::Reply(value) => ok(&value.to_string()),
        Play::Status(status, retry_after) => {
            let retry_after = retry_after.map_or(String::new(), |after| format!("Retry-After: {after}\r\n"));
            response(status, &retry_after, r#"{"error":"as the script says"}"#)
        }
        Play::Babble => ok(r#"{"type":"small_talk","weather":["fine",null]}"#),
        Play::NotJson => ok("<html>Bad gateway"),
        Play::NotHttp => "no such thing as HTTP\r\n\r\n".to_string(),
        Play::Large(bytes) => {
            let frame = json!({"type": "next_question", "question": ""}).to_string().len();
            ok(&json!({"type": "next_question", "question": "?".repeat(bytes.saturating_sub(frame))})
                .to_string())
        }
        Play::Redirect(status) => response(status, "Location: /v1/chat/next-question\r\n", ""),
        Play::BreakOff => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"type\":")?;
            return Ok(false);
        }
        Play::Close => return Ok(false),
        Play::Hang => {
            // Until the client gives up, or this service does.
            io::copy(&mut stream, &mut io::sink())?;
            return Ok(false);
        }
        Play::Twice(first, second) => ok(&first.to_string()) + &ok(&second.to_string()),
    };
    stream.write_all(answer.as_bytes())?;
    Ok(true)
}

/// Writes a stream of events, in chunks.
fn speak(speech: &Speech, mut stream: &TcpStream, stage: &Stage) -> io::Result<bool> {
    let head = format!(
        "HTTP/1.1 200 As Scripted\r\nContent-Type: {EVENTS}; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    for piece in &speech.pieces {
        match piece {
            Piece::Bytes(bytes) => {
                let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
                stream.write_all(&chunk)?;
            }
            Piece::Pause(time) => stage.pause(*time),
        }
    }
    if !speech.breaks_off {
        stream.write_all(b"0\r\n\r\n")?;
    }
    Ok(false)
}

fn ok(body: &str) -> String {
    response(200, "", body)
}

fn response(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} As Scripted\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
}

/// What a good service would say to this request; a prompt for the robot it repeats.
pub fn interview(request: &Value) -> Value {
    if let Some(prompt) = request["prompt"].as_str() {
        return json!({"content": format!("You said: {prompt}")});
    }
    let questions = request["template"]["questions"].as_array().map_or(&[][..], Vec::as_slice);
    let turns = request["history"].as_array().map_or(&[][..], Vec::as_slice);
    let answers: Vec<_> = turns.iter().filter(|turn| turn["role"] == "user").collect();
    match questions.get(answers.len()) {
        Some(next) => json!({
            "type": "next_question",
            "question": next["question"],
            "progress": {"answered": answers.len(), "total": questions.len()},
        }),
        None => {
            let lines: Vec<_> =
                answers.iter().map(|turn| turn["content"].as_str().unwrap_or_default()).collect();
            let id = request["sessionId"].as_str().unwrap_or_default();
            json!({
                "type": "complete",
                "documentId": format!("doc-of-{id}"),
                "document": {"title": request["template"]["name"], "markdown": lines.join("\n\n")},
            })
        }
    }
}
