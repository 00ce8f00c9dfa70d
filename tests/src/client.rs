//! A client that speaks JSON over `/chat` or `/documents`, and survives the end of its server.

use crate::wire::{CLOSE, FIN, PING, PONG, TEXT, Wire, frame};
use parlor_host::trial;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

/// The `JWT_SECRET` of servers under test.
pub const SECRET: &str = "a secret that is known to the tests alone";
/// Their `SERVICE_API_KEY`.
pub const SERVICE_KEY: &str = "a key that is known to the tests alone";
/// Both as flags.
pub const KEYS: [&str; 4] = ["--jwt-secret", SECRET, "--service-api-key", SERVICE_KEY];

/// How long a token is good.
const TOKEN_VALID: Duration = Duration::from_secs(3_600);

/// A token for an employee of no firm.
pub fn token(user: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970");
    let claims = json!({"sub": user, "name": user, "exp": (now + TOKEN_VALID).as_secs()});
    trial::token(SECRET.as_bytes(), &claims)
}

/// An admin call; its body when it was answered with 2xx.
pub fn admin(address: SocketAddr, method: &str, path: &str, body: &Value) -> io::Result<Value> {
    let mut wire = Wire::connect(address);
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = format!(
        "{method} /api/admin/{path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {SERVICE_KEY}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    wire.write(request.as_bytes())?;
    let (head, body) = wire.read_response();
    match head.starts_with("HTTP/1.1 2") {
        true => Ok(serde_json::from_slice(&body).unwrap_or(Value::Null)),
        false => Err(io::Error::other(format!("{head}{}", String::from_utf8_lossy(&body)))),
    }
}

/// What a client hears.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// An event or an answer.
    Event(Value),
    /// The end, with its code.
    Close(u16),
}

/// A connection.
#[derive(Debug)]
pub struct Client {
    wire: Wire,
}

impl Client {
    /// Connects as this user; `target` has no token yet.
    pub fn open(address: SocketAddr, target: &str, user: &str) -> io::Result<Self> {
        let mark = if target.contains('?') { '&' } else { '?' };
        let wire = Wire::try_open(address, &format!("{target}{mark}token={}", token(user)))?;
        Ok(Self { wire })
    }

    /// Sends these, in one write.
    pub fn say<'a>(&mut self, calls: impl IntoIterator<Item = &'a Value>) -> io::Result<()> {
        let frames: Vec<u8> =
            calls.into_iter().flat_map(|call| frame(FIN | TEXT, call.to_string().as_bytes())).collect();
        self.wire.write(&frames)
    }

    /// The next that is heard; pings are answered by the way.
    pub fn hear(&mut self) -> io::Result<Heard> {
        loop {
            let (first, payload) = self.wire.read_frame()?;
            match first & 0x0f {
                PING => self.wire.write(&frame(FIN | PONG, &payload))?,
                CLOSE => {
                    let code = payload.first_chunk::<2>().map_or(1005, |code| u16::from_be_bytes(*code));
                    self.wire.write(&frame(FIN | CLOSE, &payload)).unwrap_or_default();
                    return Ok(Heard::Close(code));
                }
                _ => {
                    return serde_json::from_slice(&payload).map(Heard::Event).map_err(io::Error::other);
                }
            }
        }
    }
}
