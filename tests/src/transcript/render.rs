//! What follows, as text that is the same every time: ids are named at their first appearance, times are left
//! out, long runs of one character are counted.

use super::play::{Answer, Heard};
use parlor_host::transcript::{self, hex, shown_hocuspocus, shown_y_websocket};
use parlor_protocol::metrics::MEDIA_TYPE;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Headers of a response that a story shows, besides a content type that is not JSON.
const HEADERS: [&str; 9] = [
    "access-control-allow-methods",
    "access-control-allow-origin",
    "allow",
    "content-disposition",
    "content-security-policy",
    "retry-after",
    "sec-websocket-version",
    "upgrade",
    "vary",
];
/// The names that were given so far.
#[derive(Debug, Default)]
pub struct Names {
    given: transcript::Names,
    /// Where each connection came in.
    targets: BTreeMap<String, String>,
    /// The last time that each connection heard of a message, by room.
    heard_at: BTreeMap<(String, String), String>,
}

impl Names {
    /// The text with ids in place of their names. The error is a name that nothing has yet.
    pub fn resolve(&self, text: &str) -> Result<String, String> {
        self.given.resolve(text)
    }

    /// Text with names in place of ids, and without what differs from one time to the next.
    pub fn text(&mut self, raw: &str) -> String {
        self.given.text(raw)
    }

    /// A connection comes in.
    pub fn comes(&mut self, connection: &str, target: &str) {
        self.targets.insert(connection.to_string(), target.to_string());
    }

    /// What a connection heard, as lines.
    pub fn heard(&mut self, connection: &str, heard: &Heard) -> String {
        match heard {
            Heard::Open(None) => format!("  {connection}: open\n"),
            Heard::Open(Some(protocol)) => format!("  {connection}: open, subprotocol {protocol}\n"),
            Heard::Text(text) => {
                self.check_time(connection, text);
                format!("  {connection} < {}\n", self.text(text))
            }
            Heard::Binary(bytes) => {
                let target = self.targets.get(connection).map_or("", String::as_str);
                let words = match target {
                    target if target.starts_with("/yjs/") => shown_y_websocket(bytes),
                    target if target.starts_with("/hocuspocus") => shown_hocuspocus(bytes),
                    _ => None,
                };
                let words = words.unwrap_or_else(|| format!("binary {}", hex(bytes)));
                format!("  {connection} < {words}\n")
            }
            Heard::Ping => format!("  {connection} < ping\n"),
            Heard::Pong => format!("  {connection} < pong\n"),
            Heard::Close(code, reason) => {
                format!("  {connection} < close {code} {reason}").trim_end().to_string() + "\n"
            }
            Heard::Lost => format!("  {connection}: connection lost\n"),
        }
    }

    /// What a request was answered, as lines.
    pub fn answer(&mut self, answer: &Answer) -> String {
        let mut text = format!("  = {}", answer.status);
        let (mut markup, mut file) = (false, false);
        let for_pages = answer.headers.iter().any(|(name, _)| name == "access-control-allow-origin");
        for (name, value) in &answer.headers {
            let shown = match name.as_str() {
                "content-type" => {
                    (markup, file) = (value.starts_with("text/"), answer.is_file);
                    value != "application/json" && !file
                }
                // Every answer has it; it is shown with what it is about.
                "vary" if value == "Origin" => for_pages,
                name => HEADERS.contains(&name) && !answer.is_file,
            };
            if shown {
                write!(text, " [{name}: {value}]").expect("a String takes all");
            }
        }
        let metrics = answer.headers.iter().any(|(_, value)| value == MEDIA_TYPE);
        let body = if metrics { samples(&answer.body) } else { self.text(&answer.body) };
        match (file || answer.is_file, markup) {
            (true, _) => text.push_str(" a file of the console"),
            (false, true) => {
                body.lines().for_each(|line| write!(text, "\n    | {line}").expect("a String takes all"))
            }
            (false, false) => text.extend([" ", &body]),
        }
        text.trim_end().to_string() + "\n"
    }

    /// Times on the wire do not go back: within what is listed, and from one message of a room to the next.
    fn check_time(&mut self, connection: &str, text: &str) {
        let Ok(frame) = serde_json::from_str::<serde_json::Value>(text) else { return };
        let data = if frame["data"].is_object() { &frame["data"] } else { &frame };
        for list in ["history", "messages"] {
            let times: Vec<_> = data[list].as_array().into_iter().flatten().map(time_of).collect();
            assert!(times.is_sorted(), "times go back in {text}");
        }
        let heard = (connection.to_string(), data["roomId"].to_string());
        if frame["event"] == "chat:room:joined" {
            self.heard_at.remove(&heard);
        }
        if frame["event"] == "chat:message:received" {
            let last = self.heard_at.insert(heard, time_of(data));
            assert!(last.is_none_or(|last| last <= time_of(data)), "time goes back at {text}");
        }
    }
}

/// Metrics without their numbers.
fn samples(text: &str) -> String {
    let version = concat!("version=\"", env!("CARGO_PKG_VERSION"), "\"");
    let lines = text.lines().map(|line| match line.rsplit_once(' ') {
        Some((sample, _)) if !line.starts_with('#') => format!("{sample} <n>\n"),
        Some(_) | None => format!("{line}\n"),
    });
    lines.collect::<String>().replace(version, "version=\"<version>\"")
}

fn time_of(value: &serde_json::Value) -> String {
    ["at", "timestamp"].iter().find_map(|key| value[*key].as_str()).unwrap_or_default().to_string()
}
